"""연습: hidden layer 를 1개 추가하고 relu 로 변경. Two hidden layers of the same width, a notebook's leftovers."""

import numpy as np

x = np.array([[3, 5], [5, 1], [10, 2]])
y = np.array([[0.75], [0.82], [0.93]])

# left by an earlier cell
z1 = x.dot(np.linspace(-1, 1, 8).reshape(2, 4))


def relu(z):
    return np.maximum(z, 0)

def relu_prime(z):
    return np.where(z > 0, 1.0, 0.0)

def sigmoid(z):
    return 1/(1+np.exp(-z))

def sigmoid_prime(z):
    return np.exp(-z)/np.power(1+np.exp(-z),2)


def train_step(w1, w2, w3):
    z1 = x.dot(w1)
    a1 = relu(z1)
    z2 = a1.dot(w2)
    a2 = relu(z2)
    z3 = a2.dot(w3)
    y_hat = sigmoid(z3)
    loss = np.sum((y - y_hat)**2) / 2

    # 출력층 -> 은닉층
    delta1 = (y_hat-y)*sigmoid_prime(z3)
    w3_gred = a2.T.dot(delta1)

    delta2 = np.dot(delta1, w3.T) * relu_prime(z2)
    w2_gred = np.dot(a1.T, delta2)

    delta3 = np.dot(delta2, w2.T) * relu_prime(z1)
    w1_gred = np.dot(x.T, delta3)

    return loss, [w1_gred, w2_gred, w3_gred]


# Cases
from tests.derivations.planting import Mistake, Right
from tests.derivations.truth import call


def problem(user, rng):
    """Every unit is alive for some sample and dead for another, or nearly every one."""
    w1 = rng.uniform(0.2, 0.5, size=(2, 4)) * np.array([[1, -1, 1, 1], [-1, 1, 1, -1.5]])
    w2 = rng.uniform(0.2, 0.6, size=(4, 4)) * np.where(rng.permutation(16).reshape(4, 4) < 5, -1, 1)
    return call(user.train_step, w1, w2, rng.normal(size=(4, 1)))


import numpy as np

RELU_PRIME = "    return np.where(z > 0, 1.0, 0.0)\n"
INPLACE = "    z[z<0] = 0\n    z[z>0] = 1\n    return z\n"
FROM_DELTA = """    # 출력층 -> 은닉층
    delta1 = (y_hat-y)*sigmoid_prime(z3)
    w3_gred = a2.T.dot(delta1)

    delta2 = np.dot(delta1, w3.T) * relu_prime(z2)
    w2_gred = np.dot(a1.T, delta2)

    delta3 = np.dot(delta2, w2.T) * relu_prime(z1)
    w1_gred = np.dot(x.T, delta3)
"""
DELTAS_FIRST = """    delta1 = (y_hat-y)*sigmoid_prime(z3)
    delta2 = np.dot(delta1, w3.T) * relu_prime(a2)
    delta3 = np.dot(delta2, w2.T) * relu_prime(a1)
    w3_gred = a2.T.dot(delta1)
    w2_gred = np.dot(a1.T, delta2)
    w1_gred = np.dot(x.T, delta3)
"""
CLEARED_FIRST = """    a1[a1 > 0] = 1
    delta1 = (y_hat-y)*sigmoid_prime(z3)
    w3_gred = a2.T.dot(delta1)
    delta2 = np.dot(delta1, w3.T) * relu_prime(z2)
    w2_gred = np.dot(a1.T, delta2)
    delta3 = np.dot(delta2, w2.T) * a1
    w1_gred = np.dot(x.T, delta3)
"""

RIGHT = [
    Right(RELU_PRIME, INPLACE, note="relu_prime"),
    Right("    return np.maximum(z, 0)\n", "    z[z<0] = 0\n    return z\n", note="relu"),
    Right(RELU_PRIME, "    return (z >= 0) * 1\n"),
    Right(RELU_PRIME, "    grad = np.zeros_like(z)\n    for i in range(z.shape[0]):\n        for j in range(z.shape[1]):\n            if z[i, j] > 0:\n                grad[i, j] = 1\n    return grad\n"),
    Right(FROM_DELTA, DELTAS_FIRST),
]

MISTAKES = [
    Mistake("function-returns-global", ("a1", "relu", "a2"), "    return np.maximum(z, 0)\n", "    z[z<0] = 0\n    return z1\n"),
    Mistake("function-returns-global", ("delta2", "delta3", "relu_prime"), RELU_PRIME, "    z = (z > 0)\n    return z1 > 0\n"),
    Mistake(("input-mutated", "aliasing"), ("z[z>0]", "delta2", "w3_gred"), FROM_DELTA, DELTAS_FIRST.replace("relu_prime(a2)", "mask(a2)").replace("relu_prime(a1)", "mask(a1)").replace("    delta1", "    def mask(z):\n        z[z>0] = 1\n        return z\n\n    delta1", 1), fix=False),
    Mistake(("input-mutated", "aliasing", "stale-forward-values", "wrong-tensor-in-weight-gradient"), ("a1[a1 > 0]", "a1", "w2_gred"), FROM_DELTA, CLEARED_FIRST, fix=False),
    Mistake("skipped-layer", "delta3", "delta3 = np.dot(delta2, w2.T) * relu_prime(z1)", "delta3 = np.dot(delta1, w3.T) * relu_prime(z1)"),
    Mistake(("skipped-layer", "missing-weight-factor"), "delta3", "delta3 = np.dot(delta2, w2.T) * relu_prime(z1)", "delta3 = delta2 * relu_prime(z1)"),
    Mistake(("weight-not-transposed", None), "delta3", "np.dot(delta2, w2.T)", "np.dot(delta2, w2)"),
    Mistake("activation-derivative-of-wrong-layer", "delta3", "np.dot(delta2, w2.T) * relu_prime(z1)", "np.dot(delta2, w2.T) * relu_prime(z2)"),
    Mistake("derivative-of-another-activation", "delta2", "np.dot(delta1, w3.T) * relu_prime(z2)", "np.dot(delta1, w3.T) * sigmoid_prime(z2)"),
    Mistake("relu-mask-inverted", ("delta2", "relu_prime"), "np.where(z > 0, 1.0, 0.0)", "np.where(z > 0, 0.0, 1.0)"),
    Mistake(("relu-mask-from-wrong-tensor", "activation-derivative-of-wrong-layer"), "delta3", "np.dot(delta2, w2.T) * relu_prime(z1)", "np.dot(delta2, w2.T) * relu_prime(delta2)"),
    Mistake(("gradient-transposed", None), "w2_gred", "np.dot(a1.T, delta2)", "np.dot(delta2.T, a1)"),
    Mistake(("wrong-tensor-in-weight-gradient", None), "w2_gred", "np.dot(a1.T, delta2)", "np.dot(a2.T, delta2)"),
    Mistake(("updated-weights", None), ("delta3", "w2"), "    delta3 =", "    w2 = w2 - w2_gred\n    delta3 ="),
    Mistake(("input-mutated", "updated-weights"), ("delta3", "w2"), "    delta3 =", "    w2 -= 0.5 * w2_gred\n    delta3 ="),
    Mistake("missing-activation-derivative", "delta3", "delta3 = np.dot(delta2, w2.T) * relu_prime(z1)", "delta3 = np.dot(delta2, w2.T)"),
]
