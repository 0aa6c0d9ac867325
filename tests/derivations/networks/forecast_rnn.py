"""A recurrent net that forecasts the next row of a table: time first, a batch, lists of states, truncated nowhere."""

import numpy as np


def loss_and_gradients(Wx, Wh, b, Wy, c, table, start):
    T = len(table) - 1
    N, D = table[0].shape
    H = len(Wh)

    # unroll
    h = [start]
    guess = []
    total = 0.0
    for t in range(T):
        a = table[t] @ Wx + h[t] @ Wh + b
        h.append(np.tanh(a))
        guess.append(h[t + 1] @ Wy + c)
        total += np.sum((guess[t] - table[t + 1]) ** 2) / (2 * N)

    # roll back
    dWx, dWh, dWy = np.zeros((D, H)), np.zeros((H, H)), np.zeros((H, D))
    db, dc = np.zeros(H), np.zeros(D)
    carry = np.zeros((N, H))
    for t in range(T - 1, -1, -1):
        err = (guess[t] - table[t + 1]) / N
        dWy += h[t + 1].T @ err
        dc += err.sum(axis=0)
        dh = err @ Wy.T + carry
        da = dh * (1 - h[t + 1] ** 2)
        dWx += table[t].T @ da
        dWh += h[t].T @ da
        db += da.sum(axis=0)
        carry = da @ Wh.T

    return total, [dWx, dWh, db, dWy, dc]


# Cases
from tests.derivations.planting import Mistake, Right
from tests.derivations.truth import call


def problem(user, rng):
    T, N, D, H = 5, 4, 2, 3
    weights = rng.normal(size=(D, H)), rng.normal(size=(H, H)), rng.normal(size=H), rng.normal(size=(H, D)), rng.normal(size=D)
    return call(
        user.loss_and_gradients, *weights, rng.normal(size=(T + 1, N, D)), rng.normal(size=(N, H)),
        wrt=("Wx", "Wh", "b", "Wy", "c"),
    )


RIGHT = [
    Right("        err = (guess[t] - table[t + 1]) / N\n", "        err = (table[t + 1] - guess[t]) / -N\n"),
    Right(
        "        dh = err @ Wy.T + carry\n        da = dh * (1 - h[t + 1] ** 2)\n",
        "        carry += err @ Wy.T\n        carry *= 1 - h[t + 1] ** 2\n        da = carry\n",
    ),
    Right("    for t in range(T - 1, -1, -1):\n", "    for t in list(range(T))[::-1]:\n"),
    Right(
        "        dWh += h[t].T @ da\n        db += da.sum(axis=0)\n",
        "        for n in range(N):\n            dWh += np.outer(h[t][n], da[n])\n            db += da[n]\n",
    ),
    Right(
        "    carry = np.zeros((N, H))\n    for t in range(T - 1, -1, -1):\n        err = (guess[t] - table[t + 1]) / N\n        dWy += h[t + 1].T @ err\n        dc += err.sum(axis=0)\n",
        "    carry = 0\n    errors = [(g - row) / N for g, row in zip(guess, table[1:])]\n    dc = sum(e.sum(axis=0) for e in errors)\n    for t in range(T - 1, -1, -1):\n        err = errors[t]\n        dWy += np.einsum('nh,nd->hd', h[t + 1], err)\n",
    ),
]

MISTAKES = [
    Mistake("off-by-one-time", "dWh", "dWh += h[t].T @ da", "dWh += h[t + 1].T @ da"),
    Mistake("off-by-one-time", "dWx", "dWx += table[t].T @ da", "dWx += table[t + 1].T @ da"),
    Mistake(("off-by-one-time", "activation-derivative-of-wrong-layer"), "da", "da = dh * (1 - h[t + 1] ** 2)", "da = dh * (1 - h[t] ** 2)"),
    Mistake(("off-by-one-time", "off-by-one-index", "missing-target"), "err", "err = (guess[t] - table[t + 1]) / N", "err = (guess[t] - table[t]) / N"),
    Mistake(("off-by-one-time", "off-by-one-index", "missing-branch"), ("t", "dWy"), "    for t in range(T - 1, -1, -1):\n", "    for t in range(T - 1, 0, -1):\n"),
    Mistake(("missing-branch", "detached-branch"), "dh", "dh = err @ Wy.T + carry", "dh = err @ Wy.T"),
    Mistake(
        ("detached-branch", "missing-branch"), ("carry", "dh"),
        "    carry = np.zeros((N, H))\n    for t in range(T - 1, -1, -1):\n", "    for t in range(T - 1, -1, -1):\n        carry = np.zeros((N, H))\n", fix=False,
    ),
    Mistake("overwritten-not-accumulated", "dWh", "dWh += h[t].T @ da", "dWh = h[t].T @ da"),
    Mistake("overwritten-not-accumulated", "dc", "dc += err.sum(axis=0)", "dc = err.sum(axis=0)"),
    Mistake("elementwise-after-matmul", ("da", "carry"), "carry = da @ Wh.T", "carry = (dh @ Wh.T) * (1 - h[t + 1] ** 2)"),
    Mistake("weight-not-transposed", "carry", "carry = da @ Wh.T", "carry = da @ Wh"),
    Mistake("gradient-transposed", "dWh", "dWh += h[t].T @ da", "dWh += da.T @ h[t]"),
    Mistake("accumulated-twice", "carry", "carry = da @ Wh.T", "carry += da @ Wh.T"),
    Mistake(
        "aliasing", ("h", "h[t + 1]", "h[t + 1][:]", "dWy", "da"),
        "    h = [start]\n    guess = []\n    total = 0.0\n    for t in range(T):\n        a = table[t] @ Wx + h[t] @ Wh + b\n        h.append(np.tanh(a))\n",
        "    h = [start] + [np.empty((N, H))] * T\n    guess = []\n    total = 0.0\n    for t in range(T):\n        a = table[t] @ Wx + h[t] @ Wh + b\n        h[t + 1][:] = np.tanh(a)\n", fix=False,
    ),
    Mistake(("bias-wrong-axis", "reduced-too-early", "accidental-broadcast"), "dc", "dc += err.sum(axis=0)", "dc += err.sum()"),
    Mistake("factor-1/N", "db", "db += da.sum(axis=0)", "db += da.mean(axis=0)"),
    Mistake(("missing-activation-derivative", "wrong-tensor-in-delta", "skipped-layer"), "carry", "carry = da @ Wh.T", "carry = dh @ Wh.T"),
    Mistake("wrong-local-derivative", "da", "(1 - h[t + 1] ** 2)", "(1 - h[t + 1])"),
    Mistake(("activation-derivative-at-activation", "wrong-local-derivative"), "da", "(1 - h[t + 1] ** 2)", "(1 - np.tanh(h[t + 1]) ** 2)"),
    Mistake(
        ("stale-forward-values", "off-by-one-time", "activation-derivative-at-activation", "wrong-local-derivative", None), "da",
        "        da = dh * (1 - h[t + 1] ** 2)\n", "        da = dh * (1 - np.tanh(a) ** 2)\n",
    ),
    Mistake(("factor-const", None), ("total", "err"), "total += np.sum((guess[t] - table[t + 1]) ** 2) / (2 * N)", "total += np.sum((guess[t] - table[t + 1]) ** 2) / (2 * N * T)"),
]
