# 부트캠프 4주차 복습 노트
# 선형회귀 -> 로지스틱 회귀 -> 2층 신경망, 그다음 L2, 모멘텀까지 함수 하나로 정리해 봤다.
# 같은 미니배치를 세 모델에 똑같이 넣고, 기울기는 다 더한 다음 마지막에 한 번만 갱신한다.

import numpy as np


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def one_epoch(X, score, passed, w, b, u, c, W1, b1, W2, b2, velocity, batch_size=4, lr=0.1, mu=0.9, l2=0.01):
    """
    X      : 학생 데이터 (n, 특성)
    score  : 시험 점수 (n, 1)          <- 선형회귀
    passed : 합격 여부 0/1 (n, 1)      <- 로지스틱 회귀
    신경망은 점수와 합격 여부를 한꺼번에 (n, 2) 맞힌다 (둘 다 0~1 이라서 sigmoid + MSE)
    """
    n = X.shape[0]
    target = np.hstack([score, passed])

    loss = 0.0
    grad_w, grad_b = np.zeros_like(w), np.zeros_like(b)
    grad_u, grad_c = np.zeros_like(u), np.zeros_like(c)
    grad_W1, grad_b1 = np.zeros_like(W1), np.zeros_like(b1)
    grad_W2, grad_b2 = np.zeros_like(W2), np.zeros_like(b2)

    for start in range(0, n, batch_size):
        # 배치 꺼내기 (마지막 배치는 작을 수 있음!)
        xb = X[start:start + batch_size]
        sb = score[start:start + batch_size]
        pb = passed[start:start + batch_size]
        tb = target[start:start + batch_size]
        m = len(xb)

        # ===== 1. 선형회귀: MSE =====
        y1 = np.dot(xb, w) + b
        error = y1 - sb
        loss += np.mean(error ** 2)
        grad_w += 2 * np.dot(xb.T, error) / m
        grad_b += 2 * np.mean(error, axis=0)

        # ===== 2. 로지스틱 회귀: 크로스 엔트로피 =====
        y2 = sigmoid(np.dot(xb, u) + c)
        loss += -np.mean(pb * np.log(y2) + (1 - pb) * np.log(1 - y2))
        diff = y2 - pb                     # 시그모이드 미분이 약분돼서 사라진다
        grad_u += np.dot(xb.T, diff) / m
        grad_c += np.sum(diff, axis=0) / m

        # ===== 3. 2층 신경망: sigmoid, MSE =====
        z1 = np.dot(xb, W1) + b1
        a1 = sigmoid(z1)
        z2 = np.dot(a1, W2) + b2
        a2 = sigmoid(z2)
        loss += np.sum((a2 - tb) ** 2) / (2 * m)
        delta2 = (a2 - tb) * a2 * (1 - a2) / m
        grad_W2 += np.dot(a1.T, delta2)
        grad_b2 += np.sum(delta2, axis=0)
        delta1 = np.dot(delta2, W2.T) * a1 * (1 - a1)
        grad_W1 += np.dot(xb.T, delta1)
        grad_b1 += np.sum(delta1, axis=0)

    # ===== 4. L2 규제 (편향은 빼고, 신경망에만) =====
    loss += l2 / 2 * (np.sum(W1 ** 2) + np.sum(W2 ** 2))
    grad_W1 += l2 * W1
    grad_W2 += l2 * W2

    # ===== 5. 모멘텀 갱신 =====
    grads = [grad_w, grad_b, grad_u, grad_c, grad_W1, grad_b1, grad_W2, grad_b2]
    new_velocity = [mu * v - lr * g for v, g in zip(velocity, grads)]
    params = [w, b, u, c, W1, b1, W2, b2]
    new_params = [p + v for p, v in zip(params, new_velocity)]
    return loss, grads, new_params, new_velocity


# Cases
from tests.derivations.planting import Mistake, Right
from tests.derivations.truth import call


def problem(user, rng):
    n, D, H = 10, 3, 5
    X = rng.normal(size=(n, D))
    score, passed = rng.uniform(0.1, 0.9, size=(n, 1)), rng.integers(0, 2, size=(n, 1)).astype(float)
    params = [0.5 * rng.normal(size=(D, 1)), 0.5 * rng.normal(size=1), rng.normal(size=(D, 1)), rng.normal(size=1)]
    params += [rng.normal(size=(D, H)), rng.normal(size=H), rng.normal(size=(H, 2)), rng.normal(size=2)]
    velocity = [0.1 * rng.normal(size=p.shape) for p in params]
    names = ("w", "b", "u", "c", "W1", "b1", "W2", "b2")
    return call(user.one_epoch, X, score, passed, *params, velocity, loss="loss", gradients={k: f"grad_{k}" for k in names})


RIGHT = [
    Right(
        "        grad_w += 2 * np.dot(xb.T, error) / m\n        grad_b += 2 * np.mean(error, axis=0)\n",
        "        # 샘플 하나씩 돌면서 확인\n        for i in range(m):\n            grad_w += (2 / m * error[i] * xb[i]).reshape(-1, 1)\n            grad_b += 2 / m * error[i]\n",
    ),
    Right(
        "        diff = y2 - pb                     # 시그모이드 미분이 약분돼서 사라진다\n",
        "        dy = (1 - pb) / (1 - y2) - pb / y2\n        diff = dy * y2 * (1 - y2)\n",
    ),
    Right(
        "        delta2 = (a2 - tb) * a2 * (1 - a2) / m\n        grad_W2 += np.dot(a1.T, delta2)\n        grad_b2 += np.sum(delta2, axis=0)\n        delta1 = np.dot(delta2, W2.T) * a1 * (1 - a1)\n        grad_W1 += np.dot(xb.T, delta1)\n        grad_b1 += np.sum(delta1, axis=0)\n",
        "        delta2 = (tb - a2) * a2 * (1 - a2)      # 부호 반대, m 은 나중에\n        delta1 = np.dot(delta2, W2.T) * sigmoid(z1) * sigmoid(-z1)\n        grad_W2 -= np.dot(a1.T, delta2) / m\n        grad_b2 -= np.mean(delta2, axis=0)\n        grad_W1 -= np.dot(xb.T, delta1) / m\n        grad_b1 -= np.mean(delta1, axis=0)\n",
    ),
    Right("    grad_W1 += l2 * W1\n    grad_W2 += l2 * W2\n", "    for weight, g in [(W1, grad_W1), (W2, grad_W2)]:\n        g += l2 * weight\n"),
]

D2 = "        delta2 = (a2 - tb) * a2 * (1 - a2) / m\n"
D1 = "        delta1 = np.dot(delta2, W2.T) * a1 * (1 - a1)\n"

MISTAKES = [
    Mistake(("factor-half", "wrong-loss-derivative"), "grad_w", "        grad_w += 2 * np.dot(xb.T, error) / m\n", "        grad_w += np.dot(xb.T, error) / m\n"),
    Mistake(("sign", "wrong-loss-derivative"), ("error", "grad_w"), "        error = y1 - sb\n", "        error = sb - y1\n"),
    Mistake(("factor-const", "factor-N", "factor-1/N", None), "grad_w", "        grad_w += 2 * np.dot(xb.T, error) / m\n", "        grad_w += 2 * np.dot(xb.T, error) / batch_size\n"),
    Mistake("overwritten-not-accumulated", "grad_b", "        grad_b += 2 * np.mean(error, axis=0)\n", "        grad_b = 2 * np.mean(error, axis=0)\n"),
    Mistake(("activation-derivative-twice", "wrong-loss-derivative"), ("diff", "grad_u"), "        diff = y2 - pb                     # 시그모이드 미분이 약분돼서 사라진다\n", "        diff = (y2 - pb) * y2 * (1 - y2)\n"),
    Mistake(("wrong-tensor-in-weight-gradient", None), "grad_u", "        grad_u += np.dot(xb.T, diff) / m\n", "        grad_u += np.dot(xb.T, error) / m\n"),
    Mistake(("factor-N", "wrong-loss-derivative"), "grad_c", "        grad_c += np.sum(diff, axis=0) / m\n", "        grad_c += np.sum(diff, axis=0)\n"),
    Mistake(("wrong-tensor-in-delta", "missing-target", "wrong-loss-derivative", None), "diff", "        diff = y2 - pb                     # 시그모이드 미분이 약분돼서 사라진다\n", "        diff = y2 - sb\n"),
    Mistake("sign", "delta2", D2, "        delta2 = (tb - a2) * a2 * (1 - a2) / m\n"),
    Mistake(("missing-activation-derivative", "wrong-loss-derivative"), "delta2", D2, "        delta2 = (a2 - tb) / m\n"),
    Mistake(("output-form-on-preactivation", "wrong-local-derivative", "wrong-tensor-in-delta"), "delta2", D2, "        delta2 = (a2 - tb) * z2 * (1 - z2) / m\n"),
    Mistake(("factor-2", "wrong-loss-derivative"), ("delta2", "loss"), D2, "        delta2 = 2 * (a2 - tb) * a2 * (1 - a2) / m\n"),
    Mistake(("factor-const", "factor-half", "factor-K", "factor-1/N", "wrong-loss-derivative", None), ("delta2", "loss"), D2, "        delta2 = (a2 - tb) * a2 * (1 - a2) / tb.size\n"),
    Mistake(("missing-activation-derivative",), "delta1", D1, "        delta1 = np.dot(delta2, W2.T)\n"),
    Mistake(("wrong-local-derivative", "derivative-of-another-activation", None), "delta1", D1, "        delta1 = np.dot(delta2, W2.T) * (1 - a1 ** 2)\n"),
    Mistake(("wrong-tensor-in-delta", "skipped-layer", "missing-activation-derivative"), "delta1", D1, "        delta1 = np.dot(a2 - tb, W2.T) / m * a1 * (1 - a1)\n"),
    Mistake(("wrong-tensor-in-weight-gradient",), "grad_W2", "        grad_W2 += np.dot(a1.T, delta2)\n", "        grad_W2 += np.dot(z1.T, delta2)\n"),
    Mistake("updated-weights", ("delta1", "new_W2"), D1, "        new_W2 = W2 - lr * np.dot(a1.T, delta2)\n        delta1 = np.dot(delta2, new_W2.T) * a1 * (1 - a1)\n"),
    Mistake(("bias-wrong-axis", "reduced-too-early", "accidental-broadcast", "wrong-shape"), "grad_b1", "        grad_b1 += np.sum(delta1, axis=0)\n", "        grad_b1 += np.sum(delta1)\n"),
    Mistake(("aliasing", "overwritten-not-accumulated", "accumulated-twice"), ("grad_u", "grad_c", "grad_w", "(grad_u, grad_c)"), "    grad_u, grad_c = np.zeros_like(u), np.zeros_like(c)\n", "    grad_u, grad_c = grad_w, np.zeros_like(c)\n"),
    Mistake(("regulariser-scale", "factor-2"), "grad_W1", "    grad_W1 += l2 * W1\n", "    grad_W1 += 2 * l2 * W1\n"),
    Mistake("regulariser-forgotten", "grad_W2", "    grad_W2 += l2 * W2\n", "", fix=False),
    Mistake("regulariser-on-wrong-parameter", "grad_b2", "    grad_W2 += l2 * W2\n", "    grad_W2 += l2 * W2\n    grad_b2 += l2 * b2\n"),
    Mistake(("sign", "regulariser-scale"), ("grad_W2",), "    grad_W2 += l2 * W2\n", "    grad_W2 -= l2 * W2\n"),
]
