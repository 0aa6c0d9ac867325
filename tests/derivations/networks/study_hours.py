"""The notebook on hours of study, exercise 2 (relu), its cell pasted into a function; the data are globals."""

import numpy as np

x = np.array([[3, 5], [5, 1], [10, 2], [6, 7], [1, 4]])
y = np.array([[0.75], [0.82], [0.93], [0.66], [0.41]])

# from the cell before, to look at shapes
z1 = x.dot(np.array([[0.5, -1.0, 0.25, 0.1], [-0.5, 1.0, 0.5, 0.2]]))


def sigmoid(z):
    return 1/(1+np.exp(-z))

def sigmoid_prime(z):
    return np.exp(-z)/np.power(1+np.exp(-z),2)

def MSE(y, y_hat):
    return np.power(y-y_hat,2)/2

def leru(z):
    a = z.copy()
    a[a<0] = 0
    return a

def leru_prime(z):
    g = z.copy()
    g[g<=0] = 0
    g[g>0] = 1
    return g


def step(w1, w2, w3):
    z1 = x.dot(w1)
    a1 = leru(z1)
    z2 = a1.dot(w2)
    a2 = leru(z2)
    z3 = a2.dot(w3)
    y_hat = sigmoid(z3)
    loss = MSE(y,y_hat)

    delta1 = (y_hat-y)*sigmoid_prime(z3)
    delta2 = np.dot(delta1, w3.T) * leru_prime(z2)
    delta3 = np.dot(delta2, w2.T) * leru_prime(z1)

    w3_gred = a2.T.dot(delta1)
    w2_gred = np.dot(a1.T, delta2)
    w1_gred = np.dot(x.T, delta3)

    return loss, (w1_gred, w2_gred, w3_gred)


# Cases
from tests.derivations.planting import Mistake, Right
from tests.derivations.truth import call

NOTE = "sum"


def problem(user, rng):
    # of random weights those that leave enough units alive
    while True:
        w1, w2, w3 = 0.3 * rng.normal(size=(2, 4)), 0.5 * rng.normal(size=(4, 4)), 0.5 * rng.normal(size=(4, 1))
        z1 = user.x @ w1
        z2 = np.maximum(z1, 0) @ w2
        share = (z1 > 0).mean(), (z2 > 0).mean()
        if all(0.35 < one < 0.8 for one in share) and not np.array_equal(z1 > 0, z2 > 0):
            return call(user.step, w1, w2, w3)


import numpy as np

PRIME = "    g = z.copy()\n    g[g<=0] = 0\n    g[g>0] = 1\n    return g\n"
RELU = "    a = z.copy()\n    a[a<0] = 0\n    return a\n"
DELTAS = """    delta2 = np.dot(delta1, w3.T) * leru_prime(z2)
    delta3 = np.dot(delta2, w2.T) * leru_prime(z1)
"""

RIGHT = [
    Right(PRIME, "    z[z<=0] = 0\n    z[z>0] = 1\n    return z\n"),
    Right(RELU, "    return z * (z > 0)\n"),
    Right(PRIME, "    return 1.0 * (leru(z) > 0)\n"),
    Right("    w1_gred = np.dot(x.T, delta3)\n", "    w1_gred = np.zeros((2, 4))\n    for i in range(len(x)):\n        w1_gred = w1_gred + x[i].reshape(2, 1).dot(delta3[i].reshape(1, 4))\n"),
    Right(DELTAS, "    delta2 = leru_prime(z2.T) * w3.dot(delta1.T)   # columns\n    delta3 = (leru_prime(z1.T) * w2.dot(delta2)).T\n    delta2 = delta2.T\n"),
    Right("    loss = MSE(y,y_hat)\n", "    loss = sum(MSE(y,y_hat).ravel())\n"),
]

MISTAKES = [
    Mistake("factor-2", ("loss", "MSE", "delta1"), "loss = MSE(y,y_hat)\n", "loss = MSE(y,y_hat)/2\n"),
    Mistake("weight-not-transposed", "delta3", "np.dot(delta2, w2.T)", "np.dot(delta2, w2)"),
    Mistake("gradient-transposed", "w2_gred", "np.dot(a1.T, delta2)", "np.dot(delta2.T, a1)"),
    Mistake("function-returns-global", ("leru", "a1", "return"), RELU, "    z[z<0] = 0\n    return z1\n"),
    Mistake(
        ("input-mutated", "aliasing", "stale-forward-values", "wrong-tensor-in-weight-gradient"),
        ("leru_prime", "leru", "z[z > 0]", "z[z <= 0]", "delta2", "w3_gred", "a2"),
        RELU + "\ndef leru_prime(z):\n" + PRIME,
        "    z[z<0] = 0\n    return z\n\ndef leru_prime(z):\n    z[z<=0] = 0\n    z[z>0] = 1\n    return z\n",
        fix=False,
    ),
    Mistake(
        "integer-dtype", ("w1_gred", "w1_gred[:]"), "    w1_gred = np.dot(x.T, delta3)\n",
        "    w1_gred = np.zeros_like(x, shape=w1.shape)\n    w1_gred[:] = np.dot(x.T, delta3)\n",
    ),
    Mistake("relu-mask-inverted", ("leru_prime", "g", "g[z > 0]", "g[z <= 0]", "delta2", "return"), "    g[g<=0] = 0\n    g[g>0] = 1\n", "    g[z<=0] = 1\n    g[z>0] = 0\n", fix=False),
    Mistake(("activation-derivative-of-wrong-layer", "relu-mask-from-wrong-tensor"), "delta3", "leru_prime(z1)", "leru_prime(z2)"),
    Mistake("relu-mask-from-wrong-tensor", "delta2", DELTAS[:DELTAS.index("\n") + 1], "    delta2 = np.dot(delta1, w3.T)\n    delta2 = delta2 * leru_prime(delta2)\n"),
    Mistake("derivative-of-another-activation", "delta3", "leru_prime(z1)", "sigmoid_prime(z1)"),
    Mistake(("skipped-layer", "wrong-tensor-in-delta"), "delta3", "np.dot(delta2, w2.T) *", "np.dot(delta1, w3.T) *"),
    Mistake("missing-weight-factor", "delta2", "np.dot(delta1, w3.T) *", "delta1 *"),
    Mistake(("missing-weight-factor", "skipped-layer"), "delta3", "np.dot(delta2, w2.T) * leru_prime(z1)", "delta2 * leru_prime(z1)"),
    Mistake("updated-weights", ("delta2", "w3"), DELTAS, "    w3 = w3 - 3*a2.T.dot(delta1)\n" + DELTAS),
    Mistake("activation-derivative-twice", "w3_gred", "a2.T.dot(delta1)", "a2.T.dot(delta1*sigmoid_prime(z3))"),
    Mistake(
        ("elementwise-after-matmul", "missing-activation-derivative"), ("delta2", "delta3"), DELTAS,
        "    delta2 = np.dot(delta1, w3.T)\n    delta3 = np.dot(delta2, w2.T) * leru_prime(z2) * leru_prime(z1)\n", fix=False,
    ),
    Mistake("wrong-local-derivative", ("sigmoid_prime", "delta1", "return"), "np.exp(-z)/np.power(1+np.exp(-z),2)", "np.exp(-z)/(1+np.exp(-z))"),
    Mistake(("reduced-too-early", None), "w1_gred", "np.dot(x.T, delta3)", "np.outer(x.mean(axis=0), delta3.sum(axis=0))"),
    Mistake("missing-activation-derivative", "delta1", "(y_hat-y)*sigmoid_prime(z3)", "(y_hat-y)"),
]
