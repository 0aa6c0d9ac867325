"""# 정유 공정 수율 예측 - 역전파 연습 노트 (3번째 시도)

- 은닉층 3개, tanh / ReLU / sigmoid 하나씩 써 보기
- 출력은 수율 3종류, 손실은 pseudo-Huber (이상치 때문에)
- W에는 L2, 첫 층에는 L1도 추가
"""

import numpy as np

# In[1]: 설정
lr = 0.05          # 아직 안 씀. 기울기부터 맞추자!!
lambda2 = 0.03     # L2
lambda1 = 0.01     # L1 (첫 층만)
jol = 0.8          # pseudo-Huber의 꺾이는 폭


# In[2]: 전부 한 함수에
def hakseup(x, y, w1, w2, w3, w4, b1, b2, b3, b4):
    m = x.shape[0]   # 샘플 수
    k = y.shape[1]   # 출력 수

    # (1) 순전파
    z1 = np.dot(x, w1) + b1
    a1 = np.tanh(z1)
    z2 = np.dot(a1, w2) + b2
    a2 = np.maximum(z2, 0)
    z3 = np.dot(a2, w3) + b3
    a3 = 1 / (1 + np.exp(-z3))
    y_hat = np.dot(a3, w4) + b4      # 출력층은 항등함수

    # (2) 손실
    ocha = y_hat - y
    r = np.sqrt(1 + (ocha / jol) ** 2)
    data_loss = np.sum(jol ** 2 * (r - 1)) / (m * k)
    l2 = 0.5 * lambda2 * (np.sum(w1 ** 2) + np.sum(w2 ** 2) + np.sum(w3 ** 2) + np.sum(w4 ** 2))
    l1 = lambda1 * np.sum(np.abs(w1))
    loss = data_loss + l2 + l1

    # (3) 역전파 : 출력층 -> 입력층
    delta4 = ocha / r / (m * k)
    dw4 = np.dot(a3.T, delta4)
    db4 = np.sum(delta4, axis=0, keepdims=True)

    delta3 = np.dot(delta4, w4.T) * a3 * (1 - a3)       # sigmoid
    dw3 = np.dot(a2.T, delta3)
    db3 = np.sum(delta3, axis=0, keepdims=True)

    delta2 = np.dot(delta3, w3.T)                       # ReLU
    delta2[z2 < 0] = 0
    dw2 = np.dot(a1.T, delta2)
    db2 = np.sum(delta2, axis=0, keepdims=True)

    delta1 = np.dot(delta2, w2.T) * (1 - a1 ** 2)       # tanh
    dw1 = np.dot(x.T, delta1)
    db1 = np.sum(delta1, axis=0, keepdims=True)

    # (4) 규제항의 미분
    dw4 = dw4 + lambda2 * w4
    dw3 = dw3 + lambda2 * w3
    dw2 = dw2 + lambda2 * w2
    dw1 = dw1 + lambda2 * w1 + lambda1 * np.sign(w1)

    # (5) 갱신은 밖에서...
    # w1 = w1 - lr * dw1
    return loss, dw1, dw2, dw3, dw4, db1, db2, db3, db4


# In[3]
def hanbeon(x, y, *pyo):
    gyeolgwa = hakseup(x, y, *pyo)
    return gyeolgwa[0], gyeolgwa[1:]


# Cases
from tests.derivations.planting import Mistake, Right
from tests.derivations.truth import call


def problem(user, rng):
    m, sizes = 7, (4, 5, 6, 6, 3)
    ws = [0.7 * rng.normal(size=pair) for pair in zip(sizes, sizes[1:])]
    bs = [0.5 * rng.normal(size=(1, h)) for h in sizes[1:]]
    x, y = rng.normal(size=(m, sizes[0])), rng.normal(size=(m, sizes[-1]))
    return call(
        user.hakseup, x, y, *ws, *bs, loss="loss",
        gradients={name: f"d{name}" for name in ("w1", "w2", "w3", "w4", "b1", "b2", "b3", "b4")},
    )


RIGHT = [
    Right("    delta4 = ocha / r / (m * k)\n", "    # r^2 = 1 + (ocha/jol)^2\n    dr = ocha / jol ** 2 / r\n    delta4 = jol ** 2 * dr / y.size\n"),
    Right("    delta2[z2 < 0] = 0\n", "    delta2 *= np.where(a2 > 0, 1.0, 0.0)\n"),
    Right(
        "    delta3 = np.dot(delta4, w4.T) * a3 * (1 - a3)       # sigmoid\n    dw3 = np.dot(a2.T, delta3)\n    db3 = np.sum(delta3, axis=0, keepdims=True)\n",
        "    e = np.exp(-z3)\n    delta3 = np.dot(w4, delta4.T).T * e / (1 + e) ** 2\n    dw3 = np.zeros(w3.shape)\n    db3 = np.zeros(b3.shape)\n    for i in range(m):\n        dw3 += a2[i:i+1].T * delta3[i]\n        db3 += delta3[i]\n",
    ),
    Right(
        "    delta1 = np.dot(delta2, w2.T) * (1 - a1 ** 2)       # tanh\n    dw1 = np.dot(x.T, delta1)\n    db1 = np.sum(delta1, axis=0, keepdims=True)\n",
        "    # 부호를 반대로 들고 가다가 마지막에 되돌린다\n    delta1 = np.dot(delta2, w2.T) * (a1 ** 2 - 1)\n    dw1 = -np.dot(x.T, delta1)\n    db1 = -np.sum(delta1, axis=0).reshape(1, -1)\n",
    ),
    Right(
        "    dw1 = dw1 + lambda2 * w1 + lambda1 * np.sign(w1)\n",
        "    buho = np.ones_like(w1)\n    buho[w1 < 0] = -1\n    dw1 += lambda2 * w1\n    dw1 += lambda1 * buho\n",
    ),
]

D3 = "delta3 = np.dot(delta4, w4.T) * a3 * (1 - a3) "
D1 = "delta1 = np.dot(delta2, w2.T) * (1 - a1 ** 2) "
D2 = "    delta2[z2 < 0] = 0\n"
MASK = ("delta2", "delta2[z2 < 0]")

MISTAKES = [
    Mistake(("wrong-loss-derivative", "missing-activation-derivative"), "delta4", "delta4 = ocha / r / (m * k)", "delta4 = ocha / (m * k)"),
    Mistake(("factor-K", "factor-const"), ("delta4", "data_loss"), "delta4 = ocha / r / (m * k)", "delta4 = ocha / r / m"),
    Mistake(("factor-const", "wrong-loss-derivative"), ("data_loss", "delta4"), "np.sum(jol ** 2 * (r - 1)) / (m * k)", "np.sum(r - 1) / (m * k)"),
    Mistake(("wrong-loss-derivative", "missing-target"), "delta4", "delta4 = ocha / r / (m * k)", "delta4 = y_hat / r / (m * k)"),
    Mistake(("missing-activation-derivative", "skipped-layer"), "delta3", D3, "delta3 = np.dot(delta4, w4.T) "),
    Mistake(("derivative-of-another-activation", "wrong-local-derivative"), "delta3", D3, "delta3 = np.dot(delta4, w4.T) * (1 - a3 ** 2) "),
    Mistake(("output-form-on-preactivation", "wrong-local-derivative"), "delta3", D3, "delta3 = np.dot(delta4, w4.T) * z3 * (1 - z3) "),
    Mistake(("activation-derivative-of-wrong-layer", "wrong-tensor-in-delta"), "delta3", D3, "delta3 = np.dot(delta4, w4.T) * a2 * (1 - a2) "),
    Mistake("wrong-tensor-in-weight-gradient", "dw3", "dw3 = np.dot(a2.T, delta3)", "dw3 = np.dot(z2.T, delta3)"),
    Mistake("gradient-transposed", "dw3", "dw3 = np.dot(a2.T, delta3)", "dw3 = np.dot(delta3.T, a2)"),
    Mistake("weight-not-transposed", "delta2", "delta2 = np.dot(delta3, w3.T) ", "delta2 = np.dot(delta3, w3) "),
    Mistake(("relu-mask-from-wrong-tensor", "activation-derivative-of-wrong-layer", "off-by-one-index"), ("delta2", "delta2[z3 < 0]"), D2, "    delta2[z3 < 0] = 0\n"),
    Mistake("relu-mask-inverted", (*MASK, "delta2[z2 > 0]"), D2, "    delta2[z2 > 0] = 0\n"),
    Mistake(("missing-activation-derivative", "skipped-layer"), "delta2", D2, ""),
    Mistake(("relu-mask-from-wrong-tensor", "wrong-local-derivative"), (*MASK, "delta2[delta2 < 0]"), D2, "    delta2[delta2 < 0] = 0\n"),
    Mistake(("updated-weights", "input-mutated"), ("delta2", "w3"), "    db3 = np.sum(delta3, axis=0, keepdims=True)\n", "    db3 = np.sum(delta3, axis=0, keepdims=True)\n    w3 = w3 - lr * dw3\n"),
    Mistake(("wrong-local-derivative", "derivative-of-another-activation"), "delta1", D1, "delta1 = np.dot(delta2, w2.T) * (1 + a1 ** 2) "),
    Mistake(("elementwise-after-matmul", "activation-derivative-of-wrong-layer", "wrong-tensor-in-delta", None), "delta1", D1, "delta1 = np.dot(delta2 * (1 - a2 ** 2), w2.T) "),
    Mistake("regulariser-on-wrong-parameter", "dw3", "dw3 = dw3 + lambda2 * w3", "dw3 = dw3 + lambda2 * b3"),
    Mistake("regulariser-forgotten", "dw4", "    dw4 = dw4 + lambda2 * w4\n", ""),
    Mistake("regulariser-scale", "dw2", "dw2 = dw2 + lambda2 * w2", "dw2 = dw2 + 2 * lambda2 * w2"),
    Mistake(("regulariser-scale", "wrong-local-derivative", "regulariser-on-wrong-parameter", None), "dw1", "lambda1 * np.sign(w1)", "lambda1 * np.abs(w1)"),
    Mistake(("overwritten-not-accumulated", "missing-branch"), "dw1", "dw1 = dw1 + lambda2 * w1 + lambda1 * np.sign(w1)", "dw1 = lambda2 * w1 + lambda1 * np.sign(w1)"),
    Mistake(("aliasing", "input-mutated", "stale-forward-values"), ("a2", "a2[a2 < 0]", "z2", "delta2", "delta2[z2 < 0]"), "    a2 = np.maximum(z2, 0)\n", "    a2 = z2\n    a2[a2 < 0] = 0\n"),
    Mistake(("bias-wrong-axis", "factor-1/N"), "db2", "db2 = np.sum(delta2, axis=0, keepdims=True)", "db2 = np.mean(delta2, axis=0, keepdims=True)"),
]
