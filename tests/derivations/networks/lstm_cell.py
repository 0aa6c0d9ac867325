"""An LSTM cell over three steps: four gates in one matrix, caches in a list, gradients of the gates stacked again."""

import numpy as np


def sigm(v):
    return 1.0 / (1.0 + np.exp(-v))


def lstm_step(x, h_prev, c_prev, W, U, b):
    H = h_prev.shape[1]
    pre = x @ W + h_prev @ U + b
    i = sigm(pre[:, :H])
    f = sigm(pre[:, H:2*H])
    o = sigm(pre[:, 2*H:3*H])
    g = np.tanh(pre[:, 3*H:])
    c = f * c_prev + i * g
    tc = np.tanh(c)
    h = o * tc
    return h, c, (x, h_prev, c_prev, i, f, o, g, c, tc)


def lstm_step_backward(dh, dc, stash, W, U):
    x, h_prev, c_prev, i, f, o, g, c, tc = stash
    do = dh * tc
    dc = dc + dh * o * (1 - tc * tc)
    di = dc * g
    dg = dc * i
    df = dc * c_prev
    dc_prev = dc * f
    di_pre = di * i * (1 - i)
    df_pre = df * f * (1 - f)
    do_pre = do * o * (1 - o)
    dg_pre = dg * (1 - g * g)
    dpre = np.hstack([di_pre, df_pre, do_pre, dg_pre])
    dW = x.T @ dpre
    dU = h_prev.T @ dpre
    db = dpre.sum(axis=0)
    dh_prev = dpre @ U.T
    return dh_prev, dc_prev, dW, dU, db


def sequence_loss(xs, target, W, U, b):
    T, N, _ = xs.shape
    H = U.shape[0]
    h, c = np.zeros((N, H)), np.zeros((N, H))
    stack = []
    for t in range(T):
        h, c, stash = lstm_step(xs[t], h, c, W, U, b)
        stack.append(stash)
    loss = 0.5 * np.sum((h - target) ** 2)

    dh, dc = h - target, np.zeros_like(c)
    dW, dU, db = 0, 0, 0
    while stack:
        dh, dc, dWt, dUt, dbt = lstm_step_backward(dh, dc, stack.pop(), W, U)
        dW = dW + dWt
        dU = dU + dUt
        db = db + dbt
    return loss, (dW, dU, db)


# Cases
from tests.derivations.planting import Mistake, Right
from tests.derivations.truth import call


def problem(user, rng):
    T, N, D, H = 3, 5, 2, 3
    weights = rng.normal(size=(D, 4 * H)), rng.normal(size=(H, 4 * H)), rng.normal(size=4 * H)
    return call(user.sequence_loss, rng.normal(size=(T, N, D)), rng.uniform(-0.6, 0.6, (N, H)), *weights, wrt=("W", "U", "b"))


RIGHT = [
    Right("dg_pre = dg * (1 - g * g)", "dg_pre = dg - dg * g**2"),
    Right("    dpre = np.hstack([di_pre, df_pre, do_pre, dg_pre])\n", "    H = i.shape[1]\n    dpre = np.zeros((len(x), 4 * H))\n    dpre[:, :H], dpre[:, H:2*H], dpre[:, 2*H:3*H], dpre[:, 3*H:] = di_pre, df_pre, do_pre, dg_pre\n"),
    Right("        dW = dW + dWt\n", "        dW += dWt\n"),
    Right("    dc = dc + dh * o * (1 - tc * tc)\n", "    dtc = dh * o\n    dc = dc + dtc / np.cosh(c)**2\n"),
]

MISTAKES = [
    Mistake("wrong-local-derivative", "dg_pre", "dg * (1 - g * g)", "dg * (1 - g)"),
    Mistake("derivative-of-another-activation", "dg_pre", "dg * (1 - g * g)", "dg * g * (1 - g)"),
    Mistake("missing-activation-derivative", "do_pre", "do_pre = do * o * (1 - o)", "do_pre = do"),
    Mistake("missing-activation-derivative", "dc", "dc + dh * o * (1 - tc * tc)", "dc + dh * o"),
    Mistake("output-form-on-preactivation", "dc", "dc + dh * o * (1 - tc * tc)", "dc + dh * o * (1 - c * c)"),
    Mistake(("detached-branch", "missing-branch"), "dc", "dc = dc + dh * o * (1 - tc * tc)", "dc = dh * o * (1 - tc * tc)"),
    Mistake(("missing-branch", "detached-branch"), "dc", "dc = dc + dh * o * (1 - tc * tc)", "dc = dc"),
    Mistake(("off-by-one-time", "wrong-tensor-in-delta", "wrong-local-derivative"), "df", "df = dc * c_prev", "df = dc * c"),
    Mistake(("wrong-tensor-in-delta", "wrong-local-derivative", None), "di", "di = dc * g", "di = dc * f"),
    Mistake(("missing-weight-factor", "missing-branch"), "dc_prev", "dc_prev = dc * f", "dc_prev = dc"),
    Mistake(("wrong-tensor-in-delta", None), "dc_prev", "dc_prev = dc * f", "dc_prev = dc * i"),
    Mistake(("missing-weight-factor", "missing-branch"), "do", "do = dh * tc", "do = dh"),
    Mistake("activation-derivative-of-wrong-layer", "df_pre", "df * f * (1 - f)", "df * i * (1 - i)"),
    Mistake(("overwritten-not-accumulated", "missing-branch"), "dU", "dU = dU + dUt", "dU = dUt"),
    Mistake(("overwritten-not-accumulated", "missing-branch"), "db", "db = db + dbt", "db = dbt"),
    Mistake(("off-by-one-index", "wrong-tensor-in-delta", None), "dpre", "[di_pre, df_pre, do_pre, dg_pre]", "[df_pre, di_pre, do_pre, dg_pre]"),
    Mistake(("detached-branch", None), "dh_prev", "dh_prev = dpre @ U.T", "dh_prev = np.zeros_like(dh)"),
    Mistake("wrong-tensor-in-weight-gradient", "dU", "dU = h_prev.T @ dpre", "dU = tc.T @ dpre"),
    Mistake("off-by-one-time", ("dU", "dUt"), "dU = h_prev.T @ dpre", "dU = (o * tc).T @ dpre"),
    Mistake("sign", ("dh", "(dh, dc)", "loss"), "dh, dc = h - target,", "dh, dc = target - h,"),
    Mistake("factor-half", ("loss", "dh", "(dh, dc)"), "loss = 0.5 * np.sum", "loss = np.sum"),
]
