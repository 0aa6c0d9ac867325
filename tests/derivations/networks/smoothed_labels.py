"""Layers as pairs of functions that hand over tuples: ELU, swish, and a softmax on smoothed labels."""

import numpy as np


def affine(x, w, b):
    out = x @ w + b
    return out, (x, w)


def affine_back(dout, cache):
    x, w = cache
    dx = dout @ w.T
    dw = x.T @ dout
    db = dout.sum(axis=0)
    return dx, dw, db


def elu(x):
    out = np.where(x > 0, x, np.exp(np.minimum(x, 0)) - 1)
    return out, (x, out)


def elu_back(dout, cache):
    x, out = cache
    return dout * np.where(x > 0, 1, out + 1)


def swish(x):
    s = 1 / (1 + np.exp(-x))
    return x * s, (x, s)


def swish_back(dout, cache):
    x, s = cache
    return dout * (s + x * s * (1 - s))


def smoothed_cross_entropy(scores, labels, smoothing=0.2):
    N, C = scores.shape
    shifted = scores - scores.max(axis=1, keepdims=True)
    logp = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    target = np.full((N, C), smoothing / C)
    target[np.arange(N), labels] += 1 - smoothing
    loss = -np.sum(target * logp) / N
    dscores = (np.exp(logp) - target) / N
    return loss, dscores


def loss_and_grads(x, labels, w1, b1, w2, b2, w3, b3):
    h1, fc1 = affine(x, w1, b1)
    a1, act1 = elu(h1)
    h2, fc2 = affine(a1, w2, b2)
    a2, act2 = swish(h2)
    scores, fc3 = affine(a2, w3, b3)
    loss, dscores = smoothed_cross_entropy(scores, labels)

    da2, dw3, db3 = affine_back(dscores, fc3)
    dh2 = swish_back(da2, act2)
    da1, dw2, db2 = affine_back(dh2, fc2)
    dh1 = elu_back(da1, act1)
    dx, dw1, db1 = affine_back(dh1, fc1)
    return loss, {"w1": dw1, "b1": db1, "w2": dw2, "b2": db2, "w3": dw3, "b3": db3}


# Cases
from tests.derivations.planting import Mistake, Right
from tests.derivations.truth import call


def problem(user, rng):
    N, D, H1, H2, C = 11, 2, 5, 4, 3
    weights = (
        rng.normal(size=(D, H1)), 0.5 * rng.normal(size=H1), rng.normal(size=(H1, H2)),
        0.5 * rng.normal(size=H2), rng.normal(size=(H2, C)), 0.5 * rng.normal(size=C),
    )  # fmt: skip
    labels = rng.permutation([0, 1, 2, 0, 1, 2, 0, 1, 2, 1, 0])
    return call(user.loss_and_grads, rng.normal(size=(N, D)), labels, *weights)


RIGHT = [
    Right("dout * (s + x * s * (1 - s))", "dout * s * (1 + x * (1 - s))"),
    Right("dout * np.where(x > 0, 1, out + 1)", "dout * np.exp(np.minimum(x, 0))"),
    Right("    dscores = (np.exp(logp) - target) / N\n", "    dscores = np.exp(logp) / N\n    dscores[np.arange(N), labels] -= (1 - smoothing) / N\n    dscores -= smoothing / C / N\n"),
    Right("    dscores = (np.exp(logp) - target) / N\n", "    p = np.exp(logp)\n    dp = -target / p / N\n    dscores = p * (dp - (dp * p).sum(axis=1, keepdims=True))\n"),
    Right("    return dout * np.where(x > 0, 1, out + 1)\n", "    dx = dout.copy()\n    dx[x <= 0] *= out[x <= 0] + 1\n    return dx\n"),
]

ELU_AT, SWISH_AT = ("return", "elu_back", "dh1"), ("return", "swish_back", "dh2")
LINE = "    dscores = (np.exp(logp) - target) / N\n"
DW, DB = (
    ("dw", "affine_back", "return", "dw3", "(da2, dw3, db3)"),
    ("db", "affine_back", "return", "db3", "(da2, dw3, db3)"),
)

MISTAKES = [
    Mistake("sign", ("dscores", "loss", "(loss, dscores)"), "dscores = (np.exp(logp) - target) / N", "dscores = (target - np.exp(logp)) / N"),
    Mistake("factor-N", ("dscores", "loss", "(loss, dscores)"), "dscores = (np.exp(logp) - target) / N", "dscores = np.exp(logp) - target"),
    Mistake(("factor-K", "factor-const"), ("dscores", "loss", "(loss, dscores)"), "loss = -np.sum(target * logp) / N", "loss = -np.mean(target * logp)"),
    Mistake("missing-target", ("dscores", "(loss, dscores)"), "(np.exp(logp) - target) / N", "np.exp(logp) / N"),
    Mistake(("wrong-loss-derivative", "wrong-tensor-in-delta", "missing-target", None), ("dscores", "dscores[np.arange(N), labels]", "(loss, dscores)"), LINE, "    dscores = np.exp(logp) / N\n    dscores[np.arange(N), labels] -= 1 / N\n", fix=False),
    Mistake(("wrong-tensor-in-delta", "wrong-loss-derivative", "forward-differs", None), ("dscores", "(loss, dscores)"), "dscores = (np.exp(logp) - target) / N", "dscores = (np.exp(shifted) - target) / N"),
    Mistake(("wrong-tensor-in-delta", "wrong-loss-derivative", None), ("dscores", "(loss, dscores)"), "dscores = (np.exp(logp) - target) / N", "dscores = (logp - target) / N"),
    Mistake("softmax-diagonal-only", ("dscores", "(loss, dscores)"), LINE, "    p = np.exp(logp)\n    dp = -target / p / N\n    dscores = dp * p * (1 - p)\n"),
    Mistake("softmax-wrong-axis", ("dscores", "(loss, dscores)"), LINE, "    p = np.exp(logp)\n    dp = -target / p / N\n    dscores = p * (dp - (dp * p).sum(axis=0, keepdims=True))\n"),
    Mistake(("wrong-local-derivative", None), ELU_AT, "np.where(x > 0, 1, out + 1)", "np.where(x > 0, 1, out)"),
    Mistake(("activation-derivative-at-activation", "wrong-local-derivative"), ELU_AT, "np.where(x > 0, 1, out + 1)", "np.where(out > 0, 1, np.exp(out))"),
    Mistake(("output-form-on-preactivation", "wrong-local-derivative"), ELU_AT, "np.where(x > 0, 1, out + 1)", "np.where(x > 0, 1, x + 1)"),
    Mistake(("derivative-of-another-activation", "wrong-local-derivative"), ELU_AT, "np.where(x > 0, 1, out + 1)", "(x > 0)"),
    Mistake(("relu-mask-from-wrong-tensor", "wrong-local-derivative", None), ELU_AT, "np.where(x > 0, 1, out + 1)", "np.where(dout > 0, 1, out + 1)"),
    Mistake(("missing-branch", "derivative-of-another-activation", "wrong-local-derivative", "detached-branch", None), SWISH_AT, "dout * (s + x * s * (1 - s))", "dout * s"),
    Mistake(("derivative-of-another-activation", "wrong-local-derivative", "missing-branch"), SWISH_AT, "dout * (s + x * s * (1 - s))", "dout * s * (1 - s)"),
    Mistake(("missing-activation-derivative", "skipped-layer"), ("dh2", "(da1, dw2, db2)", "da1", "dw2", "db2"), "    dh2 = swish_back(da2, act2)\n", "    dh2 = da2\n"),
    Mistake(("factor-1/N", "bias-wrong-axis"), DB, "db = dout.sum(axis=0)", "db = dout.mean(axis=0)"),
    Mistake("factor-1/N", DW, "dw = x.T @ dout", "dw = x.T @ dout / len(x)"),
]
