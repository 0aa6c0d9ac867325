"""Everything by loops over samples, units and outputs, sums collected in np.zeros buffers."""

import math
import numpy as np


def forward_one(x, V, c, W, d):
    n_in, n_hid = V.shape
    n_out = W.shape[1]
    h = np.zeros(n_hid)
    for j in range(n_hid):
        s = c[j]
        for i in range(n_in):
            s += x[i] * V[i, j]
        h[j] = np.tanh(s)
    o = np.zeros(n_out)
    for k in range(n_out):
        o[k] = d[k] + sum(h[j] * W[j, k] for j in range(n_hid))
    return h, o


def train_epoch(V, c, W, d, inputs, targets):
    n_in, n_hid = V.shape
    n_out = W.shape[1]
    gV = np.zeros((n_in, n_hid))
    gc = np.zeros(n_hid)
    gW = np.zeros((n_hid, n_out))
    gd = np.zeros(n_out)
    E = 0.0
    for n in range(len(inputs)):
        x, t = inputs[n], targets[n]
        h, o = forward_one(x, V, c, W, d)
        for k in range(n_out):
            E += 0.5 * (t[k] - o[k])**2
        # output deltas
        output_deltas = np.zeros(n_out)
        for k in range(n_out):
            output_deltas[k] = o[k] - t[k]
        # hidden deltas
        hidden_deltas = np.zeros(n_hid)
        for j in range(n_hid):
            error = 0.0
            for k in range(n_out):
                error += output_deltas[k] * W[j, k]
            hidden_deltas[j] = (1 - h[j]**2) * error
        # accumulate
        for j in range(n_hid):
            for k in range(n_out):
                gW[j, k] += output_deltas[k] * h[j]
        for k in range(n_out):
            gd[k] += output_deltas[k]
        for i in range(n_in):
            for j in range(n_hid):
                gV[i, j] += hidden_deltas[j] * x[i]
        gc += hidden_deltas
    return E, (gV, gc, gW, gd)


# Cases
from tests.derivations.planting import Mistake, Right
from tests.derivations.truth import call


def problem(user, rng):
    n_in, n_hid, n_out, N = 2, 3, 2, 5
    weights = rng.normal(size=(n_in, n_hid)), rng.normal(size=n_hid), rng.normal(size=(n_hid, n_out)), rng.normal(size=n_out)
    return call(user.train_epoch, *weights, rng.normal(size=(N, n_in)), rng.normal(size=(N, n_out)), wrt=["V", "c", "W", "d"])


RIGHT = [
    Right("        gc += hidden_deltas\n", "        gc[:] = gc + hidden_deltas\n"),
    Right("            for k in range(n_out):\n                error += output_deltas[k] * W[j, k]\n", "            error = np.dot(W[j], output_deltas)\n"),
    Right("(1 - h[j]**2) * error", "error / math.cosh(math.atanh(h[j]))**2"),
    Right("        # accumulate\n        for j in range(n_hid):\n            for k in range(n_out):\n                gW[j, k] += output_deltas[k] * h[j]\n", "        gW += h[:, None] * output_deltas[None, :]\n"),
    Right("            output_deltas[k] = o[k] - t[k]\n", "            output_deltas[k] -= t[k]\n            output_deltas[k] += o[k]\n"),
]

MISTAKES = [
    Mistake("sign", ("output_deltas[k]", "output_deltas[0]"), "output_deltas[k] = o[k] - t[k]", "output_deltas[k] = t[k] - o[k]"),
    Mistake("factor-half", ("E", "output_deltas[k]", "output_deltas[0]"), "E += 0.5 * (t[k]", "E += (t[k]"),
    Mistake("factor-2", ("output_deltas[k]", "output_deltas[0]", "E"), "output_deltas[k] = o[k] - t[k]", "output_deltas[k] = 2 * (o[k] - t[k])"),
    Mistake("overwritten-not-accumulated", ("gW[j, k]", "gW[0, 0]", "gW"), "gW[j, k] += output_deltas[k] * h[j]", "gW[j, k] = output_deltas[k] * h[j]"),
    Mistake("overwritten-not-accumulated", "gc", "        gc += hidden_deltas", "        gc = hidden_deltas"),
    Mistake("overwritten-not-accumulated", "error", "error += output_deltas[k] * W[j, k]", "error = output_deltas[k] * W[j, k]"),
    Mistake("accumulated-twice", ("gd[k]", "gd[0]", "gd"), "            gd[k] += output_deltas[k]\n", "            gd[k] += gd[k] + output_deltas[k]\n"),
    Mistake(("accumulated-twice", "factor-2"), ("gc", "gc[:]"), "        gc += hidden_deltas\n", "        gc += hidden_deltas\n        gc += hidden_deltas\n"),
    Mistake(("accumulated-twice", None), ("error", "hidden_deltas[j]", "hidden_deltas[0]", "hidden_deltas[1]"), "        for j in range(n_hid):\n            error = 0.0\n", "        error = 0.0\n        for j in range(n_hid):\n"),
    Mistake(("off-by-one-index", None), ("error", "hidden_deltas[j]", "hidden_deltas[0]"), "error += output_deltas[k] * W[j, k]", "error += output_deltas[k] * W[j - 1, k]"),
    Mistake(("off-by-one-index", "missing-branch"), ("gV[i, j]", "gV", "gV[0, 0]"), "            for j in range(n_hid):\n                gV[i, j] +=", "            for j in range(n_hid - 1):\n                gV[i, j] +="),
    Mistake(("off-by-one-index", "missing-branch"), ("error", "hidden_deltas[j]", "hidden_deltas[0]"), "            for k in range(n_out):\n                error +=", "            for k in range(1, n_out):\n                error +="),
    Mistake(("off-by-one-index", "wrong-tensor-in-weight-gradient", None), ("gW[j, k]", "gW[0, 0]", "gW"), "gW[j, k] += output_deltas[k] * h[j]", "gW[j, k] += output_deltas[k] * h[k]", fix=False),
    Mistake("missing-activation-derivative", ("hidden_deltas[j]", "hidden_deltas[0]"), "hidden_deltas[j] = (1 - h[j]**2) * error", "hidden_deltas[j] = error"),
    Mistake("derivative-of-another-activation", ("hidden_deltas[j]", "hidden_deltas[0]"), "(1 - h[j]**2) * error", "h[j] * (1 - h[j]) * error"),
    Mistake("wrong-local-derivative", ("hidden_deltas[j]", "hidden_deltas[0]"), "(1 - h[j]**2) * error", "(1 - h[j]) * error"),
    Mistake("missing-weight-factor", "error", "error += output_deltas[k] * W[j, k]", "error += output_deltas[k]"),
    Mistake("integer-dtype", ("gV", "gV[i, j]", "gV[0, 0]"), "gV = np.zeros((n_in, n_hid))", "gV = np.zeros((n_in, n_hid), dtype=int)"),
    Mistake(("overwritten-not-accumulated", "missing-branch"), ("gd[k]", "gd[0]", "gd"), "            gd[k] += output_deltas[k]\n", "            gd[k] = output_deltas[k] if n else 0.0\n"),
    Mistake("factor-1/N", ("gV[i, j]", "gV", "gV[0, 0]"), "gV[i, j] += hidden_deltas[j] * x[i]", "gV[i, j] += hidden_deltas[j] * x[i] / len(inputs)"),
]
