"""A Kaggle kernel for several tags per row: focal loss on smoothed labels, quick GELU, everything in float32."""

import numpy as np

ALPHA, GAMMA, SMOOTH = 0.75, 2.0, 0.1
dtype = np.float32


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def quick_gelu(x):
    return x * sigmoid(dtype(1.702) * x)


def quick_gelu_grad(x):
    s = sigmoid(dtype(1.702) * x)
    return s + dtype(1.702) * x * s * (1 - s)


def focal(p, y):
    """FL = -a (1-p)^g y log p - (1-a) p^g (1-y) log(1-p)"""
    pos = -ALPHA * (1 - p) ** GAMMA * y * np.log(p)
    neg = -(1 - ALPHA) * p ** GAMMA * (1 - y) * np.log(1 - p)
    return pos + neg


def focal_grad(p, y):
    """d FL / d p"""
    dpos = ALPHA * y * (GAMMA * (1 - p) ** (GAMMA - 1) * np.log(p) - (1 - p) ** GAMMA / p)
    dneg = -(1 - ALPHA) * (1 - y) * (GAMMA * p ** (GAMMA - 1) * np.log(1 - p) - p ** GAMMA / (1 - p))
    return dpos + dneg


def fit_one_batch(xb, yb, emb_w, emb_b, hid_w, hid_b, out_w, out_b):
    bs = xb.shape[0]
    yb = yb * dtype(1 - SMOOTH) + dtype(SMOOTH / 2)
    # forward
    e = xb @ emb_w + emb_b
    ea = quick_gelu(e)
    h = ea @ hid_w + hid_b
    ha = quick_gelu(h) + ea          # skip connection
    logits = ha @ out_w + out_b
    preds = sigmoid(logits)
    loss = focal(preds, yb).sum() / bs
    # backward
    dpreds = focal_grad(preds, yb) / bs
    dlogits = dpreds * preds * (1 - preds)
    dout_w = ha.T @ dlogits
    dout_b = dlogits.sum(0)
    dha = dlogits @ out_w.T
    dh = dha * quick_gelu_grad(h)
    dhid_w = ea.T @ dh
    dhid_b = dh.sum(0)
    dea = dh @ hid_w.T + dha
    de = dea * quick_gelu_grad(e)
    demb_w = xb.T @ de
    demb_b = de.sum(0)
    return loss, [demb_w, demb_b, dhid_w, dhid_b, dout_w, dout_b]


# Cases
from tests.derivations.planting import Mistake, Right
from tests.derivations.truth import call

FLOAT32 = True


def problem(user, rng):
    N, D, H, K = 17, 3, 5, 4
    weights = []
    for a, b in ((D, H), (H, H), (H, K)):
        weights += [0.8 * rng.normal(size=(a, b)), 0.8 * rng.normal(size=b)]
    weights = [w.astype("float32") for w in weights]
    x = rng.normal(size=(N, D)).astype("float32")
    y = (rng.uniform(size=(N, K)) < 0.4).astype("float32")
    return call(user.fit_one_batch, x, y, *weights, wrt=("emb_w", "emb_b", "hid_w", "hid_b", "out_w", "out_b"))


RIGHT = [
    Right("    s = sigmoid(dtype(1.702) * x)\n    return s + dtype(1.702) * x * s * (1 - s)\n", "    s = sigmoid(dtype(1.702) * x)\n    return s * (1 + dtype(1.702) * x * (1 - s))\n"),
    Right("    dout_b = dlogits.sum(0)\n", "    dout_b = np.ones(bs, dtype) @ dlogits\n"),
    Right("    dea = dh @ hid_w.T + dha\n", "    dea = dha.copy()\n    dea += dh @ hid_w.T\n"),
    Right("    dlogits = dpreds * preds * (1 - preds)\n", "    dlogits = dpreds * (preds - preds ** 2)\n"),
    Right("(GAMMA * (1 - p) ** (GAMMA - 1) * np.log(p) - (1 - p) ** GAMMA / p)", "(1 - p) * (2 * np.log(p) - (1 - p) / p)"),
]

MISTAKES = [
    Mistake(("missing-branch", "wrong-loss-derivative", None), ("dpos", "return", "dpreds", "focal_grad"), "(GAMMA * (1 - p) ** (GAMMA - 1) * np.log(p) - (1 - p) ** GAMMA / p)", "(-(1 - p) ** GAMMA / p)"),
    Mistake(("wrong-loss-derivative", "wrong-local-derivative", "sign", None), ("dpos", "return", "dpreds", "focal_grad"), "ALPHA * y * (GAMMA * (1 - p)", "ALPHA * y * (-GAMMA * (1 - p)"),
    Mistake(("wrong-loss-derivative", "wrong-local-derivative", None), ("dneg", "return", "dpreds", "focal_grad"), "p ** (GAMMA - 1) * np.log(1 - p)", "p ** GAMMA * np.log(1 - p)"),
    Mistake(("wrong-loss-derivative", "sign", None), ("dneg", "return", "dpreds", "focal_grad"), "dneg = -(1 - ALPHA)", "dneg = (1 - ALPHA)"),
    Mistake(("missing-branch", "wrong-loss-derivative"), ("return", "dpreds", "focal_grad"), "return dpos + dneg", "return dpos"),
    Mistake(("wrong-loss-derivative", "missing-weight-factor", "factor-const", "wrong-local-derivative", None), ("dpos", "return", "dpreds", "focal_grad"), "dpos = ALPHA * y", "dpos = y"),
    Mistake(("wrong-loss-derivative", None, "activation-derivative-twice", "missing-branch"), "dlogits", "dlogits = dpreds * preds * (1 - preds)", "dlogits = (preds - yb) / bs"),
    Mistake("missing-activation-derivative", "dlogits", "dlogits = dpreds * preds * (1 - preds)", "dlogits = dpreds"),
    Mistake("output-form-on-preactivation", "dlogits", "dlogits = dpreds * preds * (1 - preds)", "dlogits = dpreds * logits * (1 - logits)"),
    Mistake("factor-N", ("dpreds", "loss"), "dpreds = focal_grad(preds, yb) / bs", "dpreds = focal_grad(preds, yb)"),
    Mistake(("factor-K", None), ("dpreds", "loss"), "loss = focal(preds, yb).sum() / bs", "loss = focal(preds, yb).mean()"),
    Mistake(("wrong-local-derivative", "missing-branch", None), ("s", "return", "dh", "quick_gelu_grad"), "return s + dtype(1.702) * x * s * (1 - s)", "return s"),
    Mistake(("wrong-local-derivative", "factor-const", None), ("s", "return", "dh", "quick_gelu_grad"), "return s + dtype(1.702) * x * s * (1 - s)", "return s + x * s * (1 - s)"),
    Mistake(("activation-derivative-of-wrong-layer",), "dh", "dh = dha * quick_gelu_grad(h)", "dh = dha * quick_gelu_grad(e)"),
    Mistake("activation-derivative-at-activation", "de", "de = dea * quick_gelu_grad(e)", "de = dea * quick_gelu_grad(ea)"),
    Mistake("missing-branch", "dea", "dea = dh @ hid_w.T + dha", "dea = dh @ hid_w.T"),
    Mistake(("skipped-layer", "missing-branch", "detached-branch"), "dea", "dea = dh @ hid_w.T + dha", "dea = dha"),
    Mistake(("accumulated-twice", "wrong-tensor-in-delta", "missing-activation-derivative", None), "dea", "dea = dh @ hid_w.T + dha", "dea = dh @ hid_w.T + 2 * dha"),
    Mistake("weight-not-transposed", "dea", "dh @ hid_w.T + dha", "dh @ hid_w + dha"),
    Mistake(("wrong-tensor-in-weight-gradient",), "dout_w", "dout_w = ha.T @ dlogits", "dout_w = h.T @ dlogits"),
    Mistake("factor-1/N", "dhid_b", "dhid_b = dh.sum(0)", "dhid_b = dh.mean(0)"),
]
