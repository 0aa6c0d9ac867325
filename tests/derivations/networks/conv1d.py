"""One-dimensional convolution by loops, ReLU, max pooling by argmax, a dense layer, hinge loss."""

import numpy as np


def conv_forward(x, k, c):
    F, L = k.shape
    T = len(x) - L + 1
    z = np.zeros((F, T))
    for f in range(F):
        for t in range(T):
            z[f, t] = np.sum(x[t:t+L] * k[f]) + c[f]
    return z


def conv_backward(dz, x, k):
    F, L = k.shape
    T = dz.shape[1]
    dk = np.zeros(k.shape)
    dx = np.zeros(x.shape)
    for f in range(F):
        for t in range(T):
            dk[f] += dz[f, t] * x[t:t+L]
            dx[t:t+L] += dz[f, t] * k[f]
    dc = dz.sum(axis=1)
    return dk, dc, dx


def pool_forward(a, size=2):
    F, T = a.shape
    out = np.zeros((F, T // size))
    where = np.zeros((F, T // size), dtype=int)
    for f in range(F):
        for j in range(T // size):
            window = a[f, j*size:(j+1)*size]
            where[f, j] = j*size + np.argmax(window)
            out[f, j] = np.max(window)
    return out, where


def cnn(x, label, gain, k, c, W, b):
    u = x * gain
    z = conv_forward(u, k, c)
    a = np.maximum(z, 0.1 * z)
    p, where = pool_forward(a)
    flat = p.reshape(-1)
    scores = W @ flat + b
    margins = np.maximum(0, scores - scores[label] + 1)
    margins[label] = 0
    loss = margins.sum()

    dscores = np.zeros_like(scores)
    dscores[margins > 0] = 1
    dscores[label] = -np.sum(margins > 0)
    dW = np.outer(dscores, flat)
    db = dscores
    dflat = W.T @ dscores
    dp = dflat.reshape(p.shape)
    da = np.zeros_like(a)
    for f in range(a.shape[0]):
        for j in range(p.shape[1]):
            da[f, where[f, j]] = dp[f, j]
    dz = np.where(z > 0, da, 0.1 * da)
    dk, dc, du = conv_backward(dz, u, k)
    dgain = np.sum(du * x)
    return loss, [dgain, dk, dc, dW, db]


# Cases
from tests.derivations.planting import Mistake, Right
from tests.derivations.truth import call


def problem(user, rng):
    n, F, L, C = 13, 3, 2, 5
    P = (n - L + 1) // 2
    weights = rng.normal(size=(F, L)), rng.normal(size=F), rng.normal(size=(C, F * P)), rng.normal(size=C)
    label = int(rng.integers(C))
    weights[-1][label] -= 9  # so that margins are open
    return call(user.cnn, rng.normal(size=n), label, np.float64(0.8), *weights, wrt=("gain", "k", "c", "W", "b"))


import numpy as np

RIGHT = [
    Right("            dk[f] += dz[f, t] * x[t:t+L]\n", "            for l in range(L):\n                dk[f, l] += dz[f, t] * x[t + l]\n"),
    Right("    dz = np.where(z > 0, da, 0.1 * da)\n", "    dz = da * (0.9 * (z > 0) + 0.1)\n"),
    Right("    dc = dz.sum(axis=1)\n", "    dc = np.zeros(F)\n    for f in range(F):\n        dc[f] = sum(dz[f])\n"),
    Right("np.maximum(z, 0.1 * z)", "np.where(z < 0, 0.1 * z, z)"),
    Right("    dk, dc, du = conv_backward(dz, u, k)\n", "    dk, dc, du = conv_backward(dz, u, k)\n    dk = np.stack([np.correlate(u, row, mode='valid') for row in dz])\n"),
]

MISTAKES = [
    Mistake("off-by-one-index", ("dk[f]", "dk", "dk[0]"), "dk[f] += dz[f, t] * x[t:t+L]", "dk[f] += dz[f, t-1] * x[t:t+L]"),
    Mistake("overwritten-not-accumulated", ("dx[t:t+L]", "dx", "dx[0:2]"), "dx[t:t+L] += dz[f, t] * k[f]", "dx[t:t+L] = dz[f, t] * k[f]"),
    Mistake("overwritten-not-accumulated", ("dk[f]", "dk", "dk[0]"), "dk[f] += dz[f, t]", "dk[f] = dz[f, t]"),
    Mistake(("wrong-tensor-in-weight-gradient", "gradient-transposed", None), ("dk[f]", "dk", "dk[0]"), "dk[f] += dz[f, t] * x[t:t+L]", "dk[f] += dz[f, t] * x[t:t+L][::-1]"),
    Mistake(("off-by-one-index", "weight-not-transposed", None), ("dx[t:t+L]", "dx", "dx[0:2]"), "dz[f, t] * k[f]\n", "dz[f, t] * k[f][::-1]\n"),
    Mistake("bias-wrong-axis", "dc", "dc = dz.sum(axis=1)", "dc = dz.sum(axis=0)"),
    Mistake(("bias-wrong-axis", "factor-const", None), "dc", "dc = dz.sum(axis=1)", "dc = dz.mean(axis=1)"),
    Mistake("relu-mask-from-wrong-tensor", "dz", "np.where(z > 0, da, 0.1 * da)", "np.where(da > 0, da, 0.1 * da)"),
    Mistake("relu-mask-inverted", "dz", "np.where(z > 0, da, 0.1 * da)", "np.where(z < 0, da, 0.1 * da)"),
    Mistake(("wrong-local-derivative", "derivative-of-another-activation", None), "dz", "np.where(z > 0, da, 0.1 * da)", "np.where(z > 0, da, 0)"),
    Mistake(("sign", "missing-branch", None), ("dscores[label]", "dscores"), "dscores[label] = -np.sum(margins > 0)", "dscores[label] = np.sum(margins > 0)"),
    Mistake(("missing-branch", "missing-target"), ("dscores[label]", "dscores"), "    dscores[label] = -np.sum(margins > 0)\n", ""),
    Mistake(("wrong-loss-derivative", "missing-branch", None), ("dscores[label]", "dscores"), "dscores[label] = -np.sum(margins > 0)", "dscores[label] = -1"),
    Mistake(("off-by-one-index", None), ("da[f, where[f, j]]", "da"), "da[f, where[f, j]] = dp[f, j]", "da[f, 2*j] = dp[f, j]"),
    Mistake(("missing-branch", "off-by-one-index"), ("da[f, where[f, j]]", "da"), "for j in range(p.shape[1]):", "for j in range(p.shape[1] - 1):"),
    Mistake(("missing-weight-factor", "wrong-tensor-in-weight-gradient"), "dgain", "dgain = np.sum(du * x)", "dgain = np.sum(du)"),
    Mistake("wrong-tensor-in-weight-gradient", "dgain", "dgain = np.sum(du * x)", "dgain = np.sum(du * u)"),
    Mistake("wrong-tensor-in-weight-gradient", ("dk", "(dk, dc, du)", "dk[f]"), "conv_backward(dz, u, k)", "conv_backward(dz, x, k)"),
    Mistake("bias-not-reduced", "dgain", "dgain = np.sum(du * x)", "dgain = du * x"),
    Mistake("gradient-transposed", "dW", "dW = np.outer(dscores, flat)", "dW = np.outer(flat, dscores)"),
]
