"""XOR 문제를 numpy로 직접 풀어보기: 은닉층 두 개, tanh, 모멘텀. (딥러닝 스터디 3주차 숙제)"""

import numpy as np

학습률 = 0.1
관성 = 0.9


def tanh_미분(a):
    """a 는 이미 tanh 를 통과한 값"""
    return 1 - a ** 2


def 한_걸음(w1, w2, w3, X, Y, v1, v2, v3):
    n = X.shape[0]

    # 순전파
    z1 = X.dot(w1)
    a1 = np.tanh(z1)
    z2 = a1.dot(w2)
    a2 = np.tanh(z2)
    z3 = a2.dot(w3)
    a3 = np.tanh(z3)

    오차 = Y - a3
    손실 = np.sum(오차 ** 2) / (2 * n)

    # 역전파
    delta3 = -오차 * tanh_미분(a3) / n
    delta2 = delta3.dot(w3.T) * tanh_미분(a2)
    delta1 = delta2.dot(w2.T) * tanh_미분(a1)

    dw3 = a2.T.dot(delta3)
    dw2 = a1.T.dot(delta2)
    dw1 = X.T.dot(delta1)

    # 모멘텀: 처음에는 v = 0
    v1 = 관성 * v1 + dw1
    v2 = 관성 * v2 + dw2
    v3 = 관성 * v3 + dw3
    return 손실, (v1, v2, v3)


def 학습(w1, w2, w3, X, Y, 반복=2000):
    v1, v2, v3 = np.zeros_like(w1), np.zeros_like(w2), np.zeros_like(w3)
    for i in range(반복):
        손실, (v1, v2, v3) = 한_걸음(w1, w2, w3, X, Y, v1, v2, v3)
        w1 = w1 - 학습률 * v1
        w2 = w2 - 학습률 * v2
        w3 = w3 - 학습률 * v3
    return w1, w2, w3


# Cases
import numpy as np

from tests.derivations.planting import Mistake, Right
from tests.derivations.truth import call


def problem(user, rng):
    X = np.array([[0.0, 0, 1], [0, 1, 1], [1, 0, 1], [1, 1, 1]])  # the bias as a third input
    Y = np.array([[-1.0], [1], [1], [-1]])
    weights = rng.normal(size=(3, 5)), rng.normal(size=(5, 5)), rng.normal(size=(5, 1))
    return call(user.한_걸음, *weights, X, Y, *(np.zeros_like(w) for w in weights), wrt=("w1", "w2", "w3"))


RIGHT = [
    Right("    v1 = 관성 * v1 + dw1\n", "    v1 *= 관성\n    v1 += dw1\n"),
    Right("    delta3 = -오차 * tanh_미분(a3) / n\n", "    delta3 = (a3 - Y) * (1 + a3) * (1 - a3) / n\n"),
    Right(
        "    delta3 = -오차 * tanh_미분(a3) / n\n    delta2 = delta3.dot(w3.T) * tanh_미분(a2)\n    delta1 = delta2.dot(w2.T) * tanh_미분(a1)\n\n"
        "    dw3 = a2.T.dot(delta3)\n    dw2 = a1.T.dot(delta2)\n    dw1 = X.T.dot(delta1)\n",
        "    delta3 = 오차 * tanh_미분(a3)\n    delta2 = delta3.dot(w3.T) * tanh_미분(a2)\n    delta1 = delta2.dot(w2.T) * tanh_미분(a1)\n\n"
        "    dw3 = -a2.T.dot(delta3) / n\n    dw2 = -a1.T.dot(delta2) / n\n    dw1 = -X.T.dot(delta1) / n\n",
    ),
    Right("    delta2 = delta3.dot(w3.T) * tanh_미분(a2)\n", "    delta2 = np.outer(delta3, w3)\n    delta2 *= 1 - np.tanh(z2) ** 2\n"),
    Right("    손실 = np.sum(오차 ** 2) / (2 * n)\n", "    손실 = 0.5 * np.mean(np.square(Y - a3))\n"),
]

DELTA3 = ("delta3", "오차")
DERIV = ("delta3", "tanh_미분", "return")

MISTAKES = [
    Mistake("sign", DELTA3, "    delta3 = -오차 *", "    delta3 = 오차 *"),
    Mistake("factor-half", (*DELTA3, "손실"), "    손실 = np.sum(오차 ** 2) / (2 * n)", "    손실 = np.mean(오차 ** 2)"),
    Mistake(("factor-1/N", None), (*DELTA3, "손실"), "    손실 = np.sum(오차 ** 2) / (2 * n)", "    손실 = 0.5 * np.sum(오차 ** 2)"),
    Mistake("missing-activation-derivative", "delta3", "    delta3 = -오차 * tanh_미분(a3) / n", "    delta3 = -오차 / n"),
    Mistake("missing-activation-derivative", "delta1", "delta2.dot(w2.T) * tanh_미분(a1)", "delta2.dot(w2.T)"),
    Mistake(("wrong-local-derivative", None), DERIV, "    return 1 - a ** 2", "    return (1 - a) ** 2"),
    Mistake(("activation-derivative-at-activation", "wrong-local-derivative"), DERIV, "    return 1 - a ** 2", "    return 1 - np.tanh(a) ** 2"),
    Mistake("output-form-on-preactivation", "delta2", "tanh_미분(a2)", "tanh_미분(z2)"),
    Mistake("activation-derivative-of-wrong-layer", "delta1", "tanh_미분(a1)", "tanh_미분(a2)"),
    Mistake("activation-derivative-twice", "delta2", "delta3.dot(w3.T) * tanh_미분(a2)", "delta3.dot(w3.T) * tanh_미분(a2) * tanh_미분(a2)"),
    Mistake("weight-not-transposed", "delta1", "delta2.dot(w2.T)", "delta2.dot(w2)"),
    Mistake(("skipped-layer", "wrong-tensor-in-delta"), "delta1", "delta1 = delta2.dot(w2.T)", "delta1 = delta3.dot(w3.T)"),
    Mistake(("missing-weight-factor", "skipped-layer"), "delta1", "delta1 = delta2.dot(w2.T)", "delta1 = delta2"),
    Mistake("elementwise-after-matmul", "delta1", "delta2.dot(w2.T) * tanh_미분(a1)", "(delta2 * tanh_미분(a1)).dot(w2.T)"),
    Mistake("gradient-transposed", "dw2", "dw2 = a1.T.dot(delta2)", "dw2 = delta2.T.dot(a1)"),
    Mistake("wrong-tensor-in-weight-gradient", "dw2", "dw2 = a1.T.dot(delta2)", "dw2 = a2.T.dot(delta2)"),
    Mistake(("factor-const", None), ("v2", "return"), "v2 = 관성 * v2 + dw2", "v2 = 관성 * v2 + (1 - 관성) * dw2"),
    Mistake(("input-mutated", "wrong-loss-derivative", None), ("오차", "손실", "delta3"), "    손실 = np.sum(오차 ** 2) / (2 * n)\n", "    오차 **= 2\n    손실 = np.sum(오차) / (2 * n)\n", fix=False),
    Mistake(("forward-differs", "wrong-tensor-in-delta", "stale-forward-values", "skipped-layer", None), ("a2", "z2", "delta2", "dw2", "delta1"), "a2 = np.tanh(z2)", "a2 = np.tanh(z1)"),
    Mistake(("updated-weights", "input-mutated"), ("delta2", "w3"), "    delta2 = delta3.dot(w3.T)", "    w3 -= 학습률 * a2.T.dot(delta3)\n    delta2 = delta3.dot(w3.T)"),
]
