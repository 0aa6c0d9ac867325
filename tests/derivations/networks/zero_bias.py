"""Weights at the start of training: biases zero and a blank sample, so that units stand exactly at ReLU's corner."""

import numpy as np


def run(X, y, W1, b1, W2, b2):
    pre = X @ W1 + b1
    hid = np.maximum(pre, 0)
    out = (hid @ W2 + b2)[:, 0]
    loss = np.abs(out - y).mean()

    gout = np.sign(out - y) / len(y)
    gW2 = hid.T @ gout[:, None]
    gb2 = gout.sum(keepdims=True)
    ghid = gout[:, None] * W2.T
    gpre = ghid * (pre > 0)
    gW1 = X.T @ gpre
    gb1 = gpre.sum(0)
    return loss, (gW1, gb1, gW2, gb2)


# Cases
from tests.derivations.planting import Mistake, Right
from tests.derivations.truth import call

AT_KINK = True  # judged a little beside


def problem(user, rng):
    X, y = rng.normal(size=(7, 3)), rng.normal(size=7)
    X[0], y[0] = 0, 0
    return call(user.run, X, y, rng.normal(size=(3, 5)), np.zeros(5), rng.normal(size=(5, 1)), np.zeros(1), wrt=("W1", "b1", "W2", "b2"))


import numpy as np

RIGHT = [
    Right("ghid * (pre > 0)", "ghid * (pre >= 0)"),
    Right("ghid * (pre > 0)", "ghid * np.where(pre == 0, 0.5, pre > 0)"),
    Right("np.sign(out - y) / len(y)", "np.where(out > y, 1.0, -1.0) / len(y)"),
    Right("np.sign(out - y) / len(y)", "np.where(out >= y, 1.0, -1.0) / len(y)"),
]

MISTAKES = [
    Mistake("relu-mask-inverted", "gpre", "ghid * (pre > 0)", "ghid * (pre <= 0)"),
    Mistake("missing-activation-derivative", "gpre", "gpre = ghid * (pre > 0)", "gpre = ghid"),
    Mistake("sign", "gout", "np.sign(out - y)", "np.sign(y - out)"),
    Mistake("wrong-loss-derivative", "gout", "np.sign(out - y)", "(out - y)"),
    Mistake("missing-weight-factor", "ghid", "ghid = gout[:, None] * W2.T", "ghid = gout[:, None] * np.ones_like(W2.T)"),
    Mistake("factor-1/N", "gb2", "gout.sum(keepdims=True)", "gout.mean(keepdims=True)"),
    Mistake("wrong-tensor-in-weight-gradient", "gW2", "hid.T @ gout", "pre.T @ gout"),
]
