"""A recurrent net learns to add binary numbers, bit by bit. Plain NumPy, single letters as in my lecture notes.

    h_t = tanh(x_t U + h_{t-1} W + b)        p_t = s(h_t V + c)
"""

import numpy as np


def s(z):
    return 1 / (1 + np.exp(-z))


def bptt(U, W, V, b, c, x, y):
    T, N, _ = x.shape
    H = W.shape[0]

    h = np.zeros((T + 1, N, H))  # h[-1] stays zero: the state before the first bit
    p = np.zeros((T, N, 1))
    J = 0.0
    for t in range(T):
        h[t] = np.tanh(x[t] @ U + h[t - 1] @ W + b)
        p[t] = s(h[t] @ V + c)
        J -= np.sum(y[t] * np.log(p[t]) + (1 - y[t]) * np.log(1 - p[t])) / N

    dU = np.zeros_like(U)
    dW = np.zeros_like(W)
    dV = np.zeros_like(V)
    db = np.zeros_like(b)
    dc = np.zeros_like(c)
    g = np.zeros((N, H))  # what comes from the future
    for t in range(T - 1, -1, -1):
        e = (p[t] - y[t]) / N
        dV += h[t].T @ e
        dc += e.sum(axis=0)
        d = e @ V.T + g
        k = d * (1 - h[t] ** 2)
        dU += x[t].T @ k
        dW += h[t - 1].T @ k
        db += k.sum(axis=0)
        g = k @ W.T
    return J, (dU, dW, dV, db, dc)


# Cases
import numpy as np

from tests.derivations.planting import Mistake, Right
from tests.derivations.truth import call


def problem(user, rng):
    T, N, H = 5, 7, 4
    first, second = rng.integers(0, 2**4, size=(2, N))
    bits = lambda numbers: np.array([[(number >> t) & 1 for number in numbers] for t in range(T)], float)
    x, y = np.stack([bits(first), bits(second)], axis=2), bits(first + second)[:, :, None]
    U, W, V = rng.normal(size=(2, H)), 0.8 * rng.normal(size=(H, H)), rng.normal(size=(H, 1))
    return call(user.bptt, U, W, V, rng.normal(size=H), rng.normal(size=1), x, y, wrt=("U", "W", "V", "b", "c"))


RIGHT = [
    Right("        k = d * (1 - h[t] ** 2)\n", "        k = d - d * h[t] * h[t]\n"),
    Right("        d = e @ V.T + g\n", "        d = g\n        d += np.outer(e, V)\n"),
    Right(
        "        e = (p[t] - y[t]) / N\n        dV += h[t].T @ e\n        dc += e.sum(axis=0)\n",
        "        e = (p[t] / N - y[t] / N)\n        dV = dV + np.sum(h[t] * e, axis=0)[:, None]\n        dc += sum(e)\n",
    ),
    Right("    for t in range(T - 1, -1, -1):\n", "    for t in reversed(range(T)):\n"),
    Right("        dW += h[t - 1].T @ k\n", "        if t > 0:\n            dW += h[t - 1].T @ k\n"),
]

ALL = ("dV", "dc", "dU", "dW", "db", "e", "d")

MISTAKES = [
    Mistake("sign", "e", "e = (p[t] - y[t]) / N", "e = (y[t] - p[t]) / N"),
    Mistake("factor-N", ("e", "J"), "e = (p[t] - y[t]) / N", "e = p[t] - y[t]"),
    Mistake(("activation-derivative-twice", "wrong-loss-derivative"), "e", "e = (p[t] - y[t]) / N", "e = (p[t] - y[t]) * p[t] * (1 - p[t]) / N"),
    Mistake(("off-by-one-time", "missing-target", "off-by-one-index"), "e", "e = (p[t] - y[t]) / N", "e = (p[t] - y[t - 1]) / N"),
    Mistake(("missing-branch", "detached-branch"), "d", "d = e @ V.T + g", "d = e @ V.T"),
    Mistake(("off-by-one-time", "wrong-tensor-in-weight-gradient", "off-by-one-index"), "dW", "dW += h[t - 1].T @ k", "dW += h[t].T @ k"),
    Mistake(("off-by-one-time", "wrong-tensor-in-weight-gradient", "off-by-one-index"), "dV", "dV += h[t].T @ e", "dV += h[t - 1].T @ e"),
    Mistake(("off-by-one-time", "wrong-tensor-in-weight-gradient", "off-by-one-index"), "dU", "dU += x[t].T @ k", "dU += x[t - 1].T @ k"),
    Mistake(("off-by-one-time", "activation-derivative-of-wrong-layer", "off-by-one-index", "wrong-tensor-in-delta"), "k", "k = d * (1 - h[t] ** 2)", "k = d * (1 - h[t - 1] ** 2)"),
    Mistake("missing-activation-derivative", "k", "k = d * (1 - h[t] ** 2)", "k = d"),
    Mistake("activation-derivative-at-activation", "k", "k = d * (1 - h[t] ** 2)", "k = d * (1 - np.tanh(h[t]) ** 2)"),
    Mistake("weight-not-transposed", "g", "g = k @ W.T", "g = k @ W"),
    Mistake(("missing-activation-derivative", "wrong-tensor-in-delta"), "g", "g = k @ W.T", "g = d @ W.T"),
    Mistake("accumulated-twice", "g", "g = k @ W.T", "g += k @ W.T"),
    Mistake("overwritten-not-accumulated", "dW", "dW += h[t - 1].T @ k", "dW = h[t - 1].T @ k"),
    Mistake("gradient-transposed", "dW", "dW += h[t - 1].T @ k", "dW += k.T @ h[t - 1]"),
    Mistake(("factor-1/N", "bias-wrong-axis"), "db", "db += k.sum(axis=0)", "db += k.mean(axis=0)"),
    Mistake(("off-by-one-time", "off-by-one-index", "missing-branch", "detached-branch"), ALL, "range(T - 1, -1, -1)", "range(T - 1, 0, -1)"),
    Mistake(("off-by-one-time", "detached-branch", "missing-branch", "wrong-tensor-in-delta", None), ("d", "g", "k"), "    for t in range(T - 1, -1, -1):\n", "    for t in range(T):\n", fix=False),
    Mistake(("detached-branch", "missing-branch"), ("d", "g"), "        g = k @ W.T\n", "", fix=False),
]
