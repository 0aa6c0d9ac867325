"""Two residual blocks with a gate on a scalar, forward and backward as two functions that share a cache."""

import numpy as np

cache = {}


def softplus(z):
    return np.log1p(np.exp(z))

def forward(X, Y, W_in, U, V, alpha, W_out):
    h0 = X @ W_in
    p1 = h0 @ U
    r1 = softplus(p1)
    h1 = h0 + r1
    p2 = h1 @ V
    r2 = np.tanh(p2)
    h2 = h1 + alpha * r2
    out = np.concatenate([h0, h2], axis=1) @ W_out
    diff = out - Y
    cache.update(h0=h0, p1=p1, h1=h1, p2=p2, r2=r2, h2=h2, diff=diff)
    return 0.5 * np.mean(diff ** 2)


def backward(X, Y, W_in, U, V, alpha, W_out):
    h0, p1, h1, p2, r2, h2 = (cache[k] for k in ("h0", "p1", "h1", "p2", "r2", "h2"))
    D = h0.shape[1]
    g = cache["diff"] / Y.size
    dW_out = np.vstack([h0, h2]).reshape(2, *h0.shape).transpose(0, 2, 1).reshape(2 * D, -1) @ g
    dcat = g @ W_out.T
    dh0 = dcat[:, :D]
    dh2 = dcat[:, D:]
    dalpha = np.sum(dh2 * r2)
    dp2 = alpha * dh2 * (1 - r2 ** 2)
    dV = h1.T @ dp2
    dh1 = dh2 + dp2 @ V.T
    dp1 = dh1 / (1 + np.exp(-p1))
    dU = h0.T @ dp1
    dh0 = dh0 + dh1 + dp1 @ U.T
    dW_in = X.T @ dh0
    return {"W_in": dW_in, "U": dU, "V": dV, "alpha": dalpha, "W_out": dW_out}


# Cases
from tests.derivations.planting import Mistake, Right
from tests.derivations.truth import call


def problem(user, rng):
    N, I, D, K = 7, 2, 3, 5
    weights = rng.normal(size=(I, D)), rng.normal(size=(D, D)), rng.normal(size=(D, D)), np.array(rng.normal()), rng.normal(size=(2 * D, K))
    return call(user.forward, rng.normal(size=(N, I)), rng.normal(size=(N, K)), *weights, by_hand=user.backward)


import numpy as np

RIGHT = [
    Right("    dh0 = dcat[:, :D]\n    dh2 = dcat[:, D:]\n", "    dh0, dh2 = np.split(dcat, 2, axis=1)\n"),
    Right("    dW_out = np.vstack([h0, h2]).reshape(2, *h0.shape).transpose(0, 2, 1).reshape(2 * D, -1) @ g\n", "    dW_out = np.concatenate([h0.T @ g, h2.T @ g])\n"),
    Right("    dh1 = dh2 + dp2 @ V.T\n", "    dh1 = dh2.copy()\n    dh1 += dp2 @ V.T\n"),
    Right("    dp1 = dh1 / (1 + np.exp(-p1))\n", "    dp1 = dh1 * np.exp(p1) / (1 + np.exp(p1))\n"),
    Right("    dh0 = dh0 + dh1 + dp1 @ U.T\n", "    dh0 += dh1\n    dh0 += dp1 @ U.T\n"),
    Right("    h0, p1, h1, p2, r2, h2 = (cache[k] for k in (\"h0\", \"p1\", \"h1\", \"p2\", \"r2\", \"h2\"))\n", "    forward(X, Y, W_in, U, V, alpha, W_out)\n    h0, p1, h1, p2, r2, h2 = [cache[k] for k in (\"h0\", \"p1\", \"h1\", \"p2\", \"r2\", \"h2\")]\n"),
]

MISTAKES = [
    Mistake("missing-branch", "dh1", "dh1 = dh2 + dp2 @ V.T", "dh1 = dp2 @ V.T"),
    Mistake("missing-branch", "dh1", "dh1 = dh2 + dp2 @ V.T", "dh1 = dh2"),
    Mistake("missing-branch", "dh0", "dh0 = dh0 + dh1 + dp1 @ U.T", "dh0 = dh1 + dp1 @ U.T"),
    Mistake(("missing-branch", "overwritten-not-accumulated"), "dh0", "dh0 = dh0 + dh1 + dp1 @ U.T", "dh0 = dp1 @ U.T"),
    Mistake("accumulated-twice", "dh1", "dh1 = dh2 + dp2 @ V.T", "dh1 = dh2 + dp2 @ V.T + dh2"),
    Mistake("accumulated-twice", "dh0", "dh0 = dh0 + dh1 + dp1 @ U.T", "dh0 = dh0 + dh1 + dh1 + dp1 @ U.T"),
    Mistake(("detached-branch", "missing-branch"), ("dp2", "dh1"), "    dh1 = dh2 + dp2 @ V.T", "    dh1 = dh2 + np.zeros_like(dp2) @ V.T"),
    Mistake("aliasing", ("dh1", "dalpha"), "    dh1 = dh2 + dp2 @ V.T\n", "    dh1 = dh2\n    dh1 += dp2 @ V.T\n    dalpha = np.sum(dh2 * r2)\n"),
    Mistake("missing-weight-factor", "dp2", "dp2 = alpha * dh2 * (1 - r2 ** 2)", "dp2 = dh2 * (1 - r2 ** 2)"),
    Mistake(("wrong-tensor-in-weight-gradient", "wrong-local-derivative", None), "dalpha", "np.sum(dh2 * r2)", "np.sum(dh2 * p2)"),
    Mistake(("weight-not-transposed", None), "dh1", "dp2 @ V.T", "dp2 @ V"),
    Mistake(("wrong-tensor-in-delta", None), "dh1", "dp2 @ V.T", "dp2 @ U.T"),
    Mistake("wrong-tensor-in-weight-gradient", "dU", "h0.T @ dp1", "h1.T @ dp1"),
    Mistake("wrong-tensor-in-weight-gradient", "dV", "h1.T @ dp2", "h2.T @ dp2"),
    Mistake(("gradient-transposed", None), "dV", "dV = h1.T @ dp2", "dV = dp2.T @ h1"),
    Mistake(("wrong-local-derivative", "derivative-of-another-activation", "sign", None), "dp1", "dh1 / (1 + np.exp(-p1))", "dh1 / (1 + np.exp(p1))"),
    Mistake("derivative-of-another-activation", "dp1", "dp1 = dh1 / (1 + np.exp(-p1))", "dp1 = dh1 * (1 - np.tanh(p1)**2)"),
    Mistake("output-form-on-preactivation", "dp2", "(1 - r2 ** 2)", "(1 - p2 ** 2)"),
    Mistake("activation-derivative-of-wrong-layer", "dp2", "(1 - r2 ** 2)", "(1 - np.tanh(p1) ** 2)"),
    Mistake("skipped-layer", "dp1", "dp1 = dh1 / (1 + np.exp(-p1))", "dp1 = dh2 / (1 + np.exp(-p1))"),
    Mistake("off-by-one-index", ("dh0", "dh2"), "dh2 = dcat[:, D:]", "dh2 = dcat[:, D-1:-1]"),
    Mistake(("off-by-one-index", "wrong-tensor-in-delta", "aliasing", None), ("dh2", "dcat"), "dh2 = dcat[:, D:]", "dh2 = dcat[:, :D]"),
    Mistake("factor-K", ("g", "forward", "return"), "/ Y.size", "/ len(Y)"),
    Mistake("factor-2", ("g", "forward", "return"), 'g = cache["diff"]', 'g = 2 * cache["diff"]'),
    Mistake("bias-not-reduced", "dalpha", "np.sum(dh2 * r2)", "dh2 * r2"),
    Mistake(("stale-forward-values", "forward-differs", None), ("h2", "(h0, p1, h1, p2, r2, h2)", "h0", "g", "forward"), "    h0, p1, h1, p2, r2, h2 = (cache", "    forward(X, Y, W_in, U, V, 0.9 * alpha, W_out)\n    h0, p1, h1, p2, r2, h2 = (cache", fix=False),
]
