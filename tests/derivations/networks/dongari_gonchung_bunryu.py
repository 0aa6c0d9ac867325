"""과학동아리 노트북 7 — 곤충 다리/날개 길이로 종 맞히기
넘파이만 쓰기! 3층 신경망, leaky ReLU, 소프트맥스, L1 + L2 벌점 (지우, 현서, 민재)
"""

import numpy as np

새는정도 = 0.15  # leaky relu 의 음수쪽 기울기
L1 = 0.02
L2 = 0.05


# In[2]
def leaky(z):
    return np.where(z > 0, z, 새는정도 * z)


def leaky_미분(z):
    return np.where(z > 0, 1.0, 새는정도)


def softmax(z):
    e = np.exp(z - np.max(z, axis=1, keepdims=True))
    return e / np.sum(e, axis=1, keepdims=True)


# In[3]  A[0] 은 입력, A[i] 는 i번째 층의 출력
def 순전파(X, W, b):
    Z, A = [], [X]
    for i in range(len(W)):
        z = np.dot(A[i], W[i]) + b[i]
        Z.append(z)
        if i == len(W) - 1:
            A.append(softmax(z))
        else:
            A.append(leaky(z))
    return Z, A


# In[4]
def 벌점(W):
    합 = 0.0
    for w in W:
        합 += L2 / 2 * np.sum(w**2)
        합 += L1 * np.sum(np.abs(w))
    return 합


def 손실함수(확률, 정답, W):
    n = len(정답)
    크로스엔트로피 = -np.sum(np.log(확률[np.arange(n), 정답])) / n
    return 크로스엔트로피 + 벌점(W)


# In[5]  체인룰!! (칠판 사진 참고)
def 역전파(Z, A, 정답, W, b):
    n, 층수 = len(정답), len(W)
    dW = [np.zeros_like(w) for w in W]
    db = [np.zeros_like(v) for v in b]
    원핫 = np.eye(W[-1].shape[1])[정답]
    dz = (A[-1] - 원핫) / n
    for i in range(층수 - 1, -1, -1):
        dW[i] = np.dot(A[i].T, dz)
        dW[i] += L2 * W[i]
        dW[i] += L1 * np.sign(W[i])
        db[i] = np.sum(dz, axis=0)
        if i > 0:
            da = np.dot(dz, W[i].T)
            dz = da * leaky_미분(Z[i - 1])
    return dW, db


# In[6]
def 한걸음(W, b, X, 정답):
    Z, A = 순전파(X, W, b)
    손실 = 손실함수(A[-1], 정답, W)
    dW, db = 역전파(Z, A, 정답, W, b)
    return 손실, (dW, db)


# Cases
from tests.derivations.planting import Mistake, Right
from tests.derivations.truth import call


def problem(user, rng):
    sizes = (4, 6, 5, 3)
    W = [0.7 * rng.normal(size=pair) for pair in zip(sizes, sizes[1:])]
    b = [0.4 * rng.normal(size=k) for k in sizes[1:]]
    return call(user.한걸음, W, b, rng.normal(size=(7, 4)), rng.integers(0, 3, size=7), wrt=("W", "b"))


RIGHT = [
    Right("leaky_미분(Z[i - 1])", "leaky_미분(A[i])"),
    Right("    dz = (A[-1] - 원핫) / n\n", "    dz = A[-1]  # 손실은 이미 구했으니 그대로 써도 됨\n    dz[range(n), 정답] -= 1\n    dz = dz / n\n"),
    Right(
        "    dz = (A[-1] - 원핫) / n\n    for i in range(층수 - 1, -1, -1):\n        dW[i] = np.dot(A[i].T, dz)\n        dW[i] += L2 * W[i]\n        dW[i] += L1 * np.sign(W[i])\n        db[i] = np.sum(dz, axis=0)\n",
        "    dz = 원핫 - A[-1]\n    for i in range(층수 - 1, -1, -1):\n        dW[i] = -np.dot(A[i].T, dz) / n + L2 * W[i] + L1 * np.sign(W[i])\n        db[i] = -np.mean(dz, axis=0)\n",
    ),
    Right("    return np.where(z > 0, 1.0, 새는정도)\n", "    d = np.full(z.shape, 새는정도)\n    d[z > 0] += 1 - 새는정도\n    return d\n"),
    Right(
        "        dW[i] += L2 * W[i]\n        dW[i] += L1 * np.sign(W[i])\n        db[i] = np.sum(dz, axis=0)\n        if i > 0:\n            da = np.dot(dz, W[i].T)\n            dz = da * leaky_미분(Z[i - 1])\n",
        "        db[i] = np.dot(np.ones(n), dz)\n        if i > 0:\n            dz = np.dot(W[i], dz.T).T * leaky_미분(Z[i - 1])\n    for i, w in enumerate(W):\n        dW[i] += L2 * w + L1 * (2 * (w > 0) - 1)\n",
    ),
]

DW = ("dW[i]", "dW")
DB = ("db[i]", "db")
PRIME = ("return", "leaky_미분", "dz")

MISTAKES = [
    Mistake("regulariser-forgotten", DW, "        dW[i] += L1 * np.sign(W[i])\n", ""),
    Mistake("regulariser-scale", DW, "dW[i] += L2 * W[i]", "dW[i] += 2 * L2 * W[i]"),
    Mistake(("regulariser-scale", "sign"), DW, "dW[i] += L1 * np.sign(W[i])", "dW[i] -= L1 * np.sign(W[i])"),
    Mistake(("wrong-local-derivative", "regulariser-scale", None), DW, "dW[i] += L1 * np.sign(W[i])", "dW[i] += L1 * np.abs(W[i])"),
    Mistake(("overwritten-not-accumulated", "missing-branch"), DW, "dW[i] += L2 * W[i]", "dW[i] = L2 * W[i]"),
    Mistake("regulariser-on-wrong-parameter", DB, "        db[i] = np.sum(dz, axis=0)\n", "        db[i] = np.sum(dz, axis=0) + L2 * b[i]\n"),
    Mistake(("regulariser-on-wrong-parameter", "regulariser-forgotten", "regulariser-scale", "forward-differs", None), ("합", "벌점", "손실", "return", *DW), "    for w in W:\n", "    for w in W[1:]:  # 입력층은 빼고\n", fix=False),
    Mistake(("derivative-of-another-activation", "wrong-local-derivative"), PRIME, "    return np.where(z > 0, 1.0, 새는정도)\n", "    return np.where(z > 0, 1.0, 0.0)\n"),
    Mistake(("relu-mask-inverted", "wrong-local-derivative"), PRIME, "    return np.where(z > 0, 1.0, 새는정도)\n", "    return np.where(z < 0, 1.0, 새는정도)\n"),
    Mistake(("relu-mask-from-wrong-tensor", "wrong-tensor-in-delta", "activation-derivative-of-wrong-layer"), "dz", "leaky_미분(Z[i - 1])", "leaky_미분(da)"),
    Mistake(("missing-activation-derivative", "skipped-layer"), ("dz", "da"), "            dz = da * leaky_미분(Z[i - 1])\n", "            dz = da\n"),
    Mistake(("wrong-local-derivative", "derivative-of-another-activation", "wrong-tensor-in-delta", None), "dz", "leaky_미분(Z[i - 1])", "leaky(Z[i - 1])"),
    Mistake("factor-N", "dz", "    dz = (A[-1] - 원핫) / n\n", "    dz = A[-1] - 원핫\n"),
    Mistake("sign", "dz", "(A[-1] - 원핫) / n", "(원핫 - A[-1]) / n"),
    Mistake(("factor-K", "factor-const"), "dz", "(A[-1] - 원핫) / n", "(A[-1] - 원핫) / 원핫.size"),
    Mistake(("missing-target", "off-by-one-index", "wrong-loss-derivative", None), ("원핫", "dz"), "    원핫 = np.eye(W[-1].shape[1])[정답]\n", "    원핫 = np.eye(W[-1].shape[1])[정답 - 1]\n"),
    Mistake(("updated-weights", "input-mutated"), ("da", "W[i]"), "        if i > 0:\n            da", "        W[i] = W[i] - 0.1 * dW[i]\n        b[i] = b[i] - 0.1 * db[i]\n        if i > 0:\n            da", fix=False),
    Mistake("wrong-tensor-in-weight-gradient", DW, "        dW[i] = np.dot(A[i].T, dz)\n", "        dW[i] = np.dot(Z[i - 1].T, dz) if i > 0 else np.dot(A[0].T, dz)\n"),
    Mistake(("factor-1/N", "bias-wrong-axis"), DB, "db[i] = np.sum(dz, axis=0)", "db[i] = np.mean(dz, axis=0)"),
    Mistake(("bias-wrong-axis", "reduced-too-early", "wrong-shape"), DB, "db[i] = np.sum(dz, axis=0)", "db[i] = np.sum(dz)"),
    Mistake(("off-by-one-index", "missing-branch", "detached-branch"), (*DW, *DB, "i"), "    for i in range(층수 - 1, -1, -1):\n", "    for i in range(층수 - 1, 0, -1):\n"),
    Mistake(("missing-activation-derivative", "forward-differs", "skipped-layer", None), ("dz", "A", "순전파", "z"), "            A.append(softmax(z))\n", "            A.append(softmax(leaky(z)))\n"),
]
