"""No matrix product anywhere: every sum of a small classifier is a loop, so that a pupil can follow it."""

import numpy as np


def one_epoch(W1, b1, W2, b2, lesson):
    n_in, n_hid = W1.shape
    n_out = W2.shape[1]
    gW1, gb1 = np.zeros((n_in, n_hid)), np.zeros(n_hid)
    gW2, gb2 = np.zeros((n_hid, n_out)), np.zeros(n_out)
    total = 0.0

    for x, target in lesson:
        # hidden neurons
        hid = np.zeros(n_hid)
        for j in range(n_hid):
            s = b1[j]
            for i in range(n_in):
                s = s + x[i] * W1[i, j]
            hid[j] = np.tanh(s)

        # output neurons
        z = np.zeros(n_out)
        for k in range(n_out):
            z[k] = b2[k]
            for j in range(n_hid):
                z[k] += hid[j] * W2[j, k]
        p = np.exp(z) / np.exp(z).sum()

        for k in range(n_out):
            total = total - target[k] * np.log(p[k])

        # how the loss feels each probability, then each output
        dp = np.zeros(n_out)
        for k in range(n_out):
            dp[k] = -target[k] / p[k]
        dz = np.zeros(n_out)
        for k in range(n_out):
            for m in range(n_out):
                same = 1 if k == m else 0
                dz[k] += dp[m] * p[m] * (same - p[k])

        for k in range(n_out):
            gb2[k] += dz[k]
            for j in range(n_hid):
                gW2[j, k] += hid[j] * dz[k]

        # and each hidden one
        for j in range(n_hid):
            back = 0.0
            for k in range(n_out):
                back += W2[j, k] * dz[k]
            ds = back * (1 - hid[j] ** 2)
            gb1[j] += ds
            for i in range(n_in):
                gW1[i, j] += x[i] * ds

    return total, (gW1, gb1, gW2, gb2)


# Cases
from tests.derivations.planting import Mistake, Right
from tests.derivations.truth import call


def problem(user, rng):
    n_in, n_hid, n_out = 2, 4, 3
    lesson = [(rng.normal(size=n_in), rng.dirichlet(np.ones(n_out))) for _ in range(3)]
    weights = rng.normal(size=(n_in, n_hid)), rng.normal(size=n_hid), rng.normal(size=(n_hid, n_out)), rng.normal(size=n_out)
    return call(user.one_epoch, *weights, lesson, wrt=("W1", "b1", "W2", "b2"))


import numpy as np

SOFTMAX = """            for m in range(n_out):
                same = 1 if k == m else 0
                dz[k] += dp[m] * p[m] * (same - p[k])
"""
DZ, GW1, GB1, GW2, GB2 = ("dz[k]", "dz"), ("gW1[i, j]", "gW1"), ("gb1[j]", "gb1"), ("gW2[j, k]", "gW2"), ("gb2[k]", "gb2")

RIGHT = [
    Right(SOFTMAX, "            dz[k] = p[k] - target[k]\n"),
    Right("            back = 0.0\n            for k in range(n_out):\n                back += W2[j, k] * dz[k]\n", "            back = sum(W2[j, k] * dz[k] for k in range(n_out))\n"),
    Right("            s = b1[j]\n            for i in range(n_in):\n                s = s + x[i] * W1[i, j]\n", "            s = b1[j] + sum(value * W1[i, j] for i, value in enumerate(x))\n"),
    Right("            ds = back * (1 - hid[j] ** 2)\n", "            slope = (1 - hid[j]) * (1 + hid[j])\n            ds = slope * back\n"),
    Right("        for k in range(n_out):\n            gb2[k] += dz[k]\n            for j in range(n_hid):\n", "        for k in reversed(range(n_out)):\n            gb2[k] = gb2[k] + dz[k]\n            for j in range(n_hid):\n"),
]

MISTAKES = [
    Mistake("softmax-diagonal-only", DZ, SOFTMAX, "            dz[k] = dp[k] * p[k] * (1 - p[k])\n"),
    Mistake(("sign", "wrong-local-derivative"), DZ, "(same - p[k])", "(p[k] - same)"),
    Mistake(("overwritten-not-accumulated", "softmax-diagonal-only"), DZ, "dz[k] += dp[m]", "dz[k] = dp[m]"),
    Mistake("overwritten-not-accumulated", GW1, "gW1[i, j] += x[i] * ds", "gW1[i, j] = x[i] * ds"),
    Mistake(("accidental-broadcast", "off-by-one-index", None), "gb1", "gb1[j] += ds", "gb1 += ds"),
    Mistake(("accidental-broadcast", "off-by-one-index", None), "gb2", "gb2[k] += dz[k]", "gb2 += dz[k]"),
    Mistake("off-by-one-index", ("back",), "back += W2[j, k] * dz[k]", "back += W2[j, k] * dz[k - 1]"),
    Mistake(("off-by-one-index", "missing-branch"), GB1, "            gb1[j] += ds\n", "            if j > 0:\n                gb1[j] += ds\n", fix=False),
    Mistake(("off-by-one-index", "missing-branch"), "back", "            for k in range(n_out):\n                back +=", "            for k in range(1, n_out):\n                back +="),
    Mistake("accumulated-twice", "back", "        for j in range(n_hid):\n            back = 0.0\n", "        back = 0.0\n        for j in range(n_hid):\n", fix=False),
    Mistake("integer-dtype", GB1, "np.zeros((n_in, n_hid)), np.zeros(n_hid)", "np.zeros((n_in, n_hid)), np.array(n_hid * [0])"),
    Mistake("integer-dtype", GW2, "np.zeros((n_hid, n_out)), np.zeros(n_out)\n    total", "np.array([[0] * n_out] * n_hid), np.zeros(n_out)\n    total"),
    Mistake("missing-activation-derivative", "ds", "ds = back * (1 - hid[j] ** 2)", "ds = back"),
    Mistake("activation-derivative-at-activation", "ds", "(1 - hid[j] ** 2)", "(1 - np.tanh(hid[j]) ** 2)"),
    Mistake(("output-form-on-preactivation", "stale-forward-values", None), "ds", "(1 - hid[j] ** 2)", "(1 - s ** 2)"),
    Mistake("wrong-tensor-in-delta", "back", "back += W2[j, k] * dz[k]", "back += W2[j, k] * p[k]"),
    Mistake("missing-weight-factor", "back", "back += W2[j, k] * dz[k]", "back += dz[k]"),
    Mistake(("wrong-tensor-in-weight-gradient", "stale-forward-values"), GW2, "gW2[j, k] += hid[j] * dz[k]", "gW2[j, k] += s * dz[k]"),
    Mistake(("missing-target", "wrong-loss-derivative"), ("dp[k]", "dp"), "dp[k] = -target[k] / p[k]", "dp[k] = -1 / p[k]"),
    Mistake("wrong-loss-derivative", ("dp[k]", "dp"), "dp[k] = -target[k] / p[k]", "dp[k] = -target[k]"),
]
