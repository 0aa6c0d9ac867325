"""Layers are functions that return their output and a function for the way back: the gradients sit in closures."""

import numpy as np


def linear(x, W, b):
    out = x @ W + b

    def back(dout):
        dx = dout @ W.T
        dW = x.T @ dout
        db = dout.sum(0)
        return dx, dW, db

    return out, back


def swish(x):
    s = 1 / (1 + np.exp(-x))
    out = x * s

    def back(dout):
        dx = dout * (s + x * s * (1 - s))
        return dx

    return out, back


def mean_log_cosh(pred, target):
    n = pred.size
    diff = pred - target
    value = np.mean(np.log(np.cosh(diff)))

    def back():
        dpred = np.tanh(diff) / n
        return dpred

    return value, back


def make_step(X, Y):
    calls = 0

    def step(W1, b1, W2, b2):
        nonlocal calls
        calls += 1
        h, back1 = linear(X, W1, b1)
        a, back_act = swish(h)
        out, back2 = linear(a, W2, b2)
        value, back_loss = mean_log_cosh(out, Y)

        dout = back_loss()
        da, dW2, db2 = back2(dout)
        dh = back_act(da)
        _, dW1, db1 = back1(dh)
        return value, dict(W1=dW1, b1=db1, W2=dW2, b2=db2)

    return step


# Cases
from tests.derivations.planting import Mistake, Right
from tests.derivations.truth import call


def problem(user, rng):
    step = user.make_step(rng.normal(size=(7, 2)), rng.normal(size=(7, 3)))
    return call(step, rng.normal(size=(2, 5)), rng.normal(size=5), rng.normal(size=(5, 3)), rng.normal(size=3))


RIGHT = [
    Right("dx = dout * (s + x * s * (1 - s))", "dx = dout * (out + s * (1 - out))"),
    Right("dpred = np.tanh(diff) / n", "dpred = np.sinh(diff) / np.cosh(diff) / n"),
    Right("        dW = x.T @ dout\n", "        dW = sum(np.outer(xi, di) for xi, di in zip(x, dout))\n"),
    Right("    value = np.mean(np.log(np.cosh(diff)))\n", "    value = np.mean(diff + np.log1p(np.exp(-2 * diff)) - np.log(2))\n"),
    Right("        _, dW1, db1 = back1(dh)\n", "        dW1, db1 = back1(dh)[1:]\n"),
]

MISTAKES = [
    Mistake(("missing-branch", "wrong-local-derivative", "derivative-of-another-activation", None), ("dx", "dh"), "dout * (s + x * s * (1 - s))", "dout * s"),
    Mistake(("missing-branch", "wrong-local-derivative", "derivative-of-another-activation", None), ("dx", "dh"), "dout * (s + x * s * (1 - s))", "dout * (x * s * (1 - s))"),
    Mistake(("derivative-of-another-activation", "missing-weight-factor", None), ("dx", "dh"), "dout * (s + x * s * (1 - s))", "dout * (s + s * (1 - s))"),
    Mistake(("sign", "wrong-local-derivative", None), ("dx", "dh"), "dout * (s + x * s * (1 - s))", "dout * (s + x * s * (1 + s))"),
    Mistake(("derivative-of-another-activation", None), ("dx", "dh"), "dout * (s + x * s * (1 - s))", "dout * s * (1 - s)"),
    Mistake("factor-K", ("dpred", "value", "dout"), "np.tanh(diff) / n", "np.tanh(diff) / len(pred)"),
    Mistake(("factor-const", None), ("dpred", "value", "dout"), "np.tanh(diff) / n", "np.tanh(diff)"),
    Mistake(("missing-activation-derivative", "wrong-loss-derivative"), ("dpred", "dout"), "np.tanh(diff) / n", "diff / n"),
    Mistake("wrong-loss-derivative", ("dpred", "dout"), "np.tanh(diff) / n", "1 / np.cosh(diff) / n"),
    Mistake("sign", ("dpred", "dout", "diff"), "np.tanh(diff) / n", "np.tanh(target - pred) / n"),
    Mistake("missing-activation-derivative", "dh", "dh = back_act(da)", "dh = da"),
    Mistake("activation-derivative-twice", "dh", "dh = back_act(da)", "dh = back_act(back_act(da))"),
    Mistake("wrong-tensor-in-weight-gradient", ("dW", "dW2", "dW1", "(_, dW1, db1)", "(da, dW2, db2)"), "        dW = x.T @ dout\n", "        dW = np.tanh(x).T @ dout\n"),
    Mistake("bias-not-reduced", ("db", "db2"), "db = dout.sum(0)", "db = dout"),
    Mistake(("factor-1/N", "bias-wrong-axis"), ("db", "db2"), "db = dout.sum(0)", "db = dout.mean(0)"),
    Mistake(("forward-differs", "stale-forward-values", "wrong-tensor-in-delta", None), ("dW1", "(_, dW1, db1)", "_", "dW"), "        _, dW1, db1 = back1(dh)\n", "        _, dW1, db1 = linear(X - 0.5, W1, b1)[1](dh)\n"),
    Mistake("bias-wrong-axis", ("db", "db2"), "db = dout.sum(0)", "db = dout.sum(1)"),
]
