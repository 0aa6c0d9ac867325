"""Layer normalisation and GELU between two affine maps; means over features, gradients written as one formula each."""

import numpy as np

EPS = 0.05
C0 = np.sqrt(2 / np.pi)


def gelu(u):
    return 0.5 * u * (1 + np.tanh(C0 * (u + 0.044715 * u**3)))


def gelu_grad(u):
    t = np.tanh(C0 * (u + 0.044715 * u**3))
    return 0.5 * (1 + t) + 0.5 * u * (1 - t**2) * C0 * (1 + 3 * 0.044715 * u**2)


def block(X, Y, W1, g, b, W2):
    n, d = X.shape[0], W1.shape[1]
    s = X @ W1
    mean = s.mean(axis=-1, keepdims=True)
    var = s.var(axis=-1, keepdims=True)
    inv = 1.0 / np.sqrt(var + EPS)
    x_hat = (s - mean) * inv
    u = g * x_hat + b
    v = gelu(u)
    P = v @ W2
    E = P - Y
    loss = (E * E).sum() / (2 * n)

    dP = E / n
    dW2 = np.einsum("nd,nk->dk", v, dP)
    dv = np.einsum("nk,dk->nd", dP, W2)
    du = dv * gelu_grad(u)
    db = np.einsum("nd->d", du)
    dg = np.einsum("nd,nd->d", du, x_hat)
    dx_hat = du * g
    ds = inv * (dx_hat - dx_hat.mean(axis=-1, keepdims=True)
                - x_hat * (dx_hat * x_hat).mean(axis=-1, keepdims=True))
    dW1 = np.einsum("ni,nd->id", X, ds)
    return loss, (dW1, dg, db, dW2)


# Cases
from tests.derivations.planting import Mistake, Right
from tests.derivations.truth import call


def problem(user, rng):
    N, I, D, K = 7, 3, 5, 2
    weights = rng.normal(size=(I, D)), rng.uniform(0.5, 2, D), rng.normal(size=D), rng.normal(size=(D, K))
    return call(user.block, rng.normal(size=(N, I)), rng.normal(size=(N, K)), *weights, wrt=("W1", "g", "b", "W2"))


DS = """    ds = inv * (dx_hat - dx_hat.mean(axis=-1, keepdims=True)
                - x_hat * (dx_hat * x_hat).mean(axis=-1, keepdims=True))
"""

RIGHT = [
    Right(DS, "    dvar = (dx_hat * (s - mean)).sum(-1, keepdims=True) * -0.5 * inv**3\n    dmean = (-dx_hat * inv).sum(-1, keepdims=True) + dvar * (-2 * (s - mean)).mean(-1, keepdims=True)\n    ds = dx_hat * inv + dvar * 2 * (s - mean) / d + dmean / d\n"),
    Right(DS, "    ds = np.empty_like(s)\n    for r in range(n):\n        J = inv[r] * (np.eye(d) - 1 / d - np.outer(x_hat[r], x_hat[r]) / d)\n        ds[r] = J @ dx_hat[r]\n"),
    Right("var = s.var(axis=-1, keepdims=True)", "var = (s**2).mean(axis=-1, keepdims=True) - mean**2"),
    Right("E / n\n", "E * (1.0 / n)\n"),
    Right("    dW1 = np.einsum(\"ni,nd->id\", X, ds)\n", "    dW1 = np.tensordot(X, ds, axes=([0], [0]))\n"),
]

MISTAKES = [
    Mistake(("missing-branch", None), "ds", DS, "    ds = inv * (dx_hat - dx_hat.mean(axis=-1, keepdims=True))\n"),
    Mistake(("missing-branch", "detached-branch", None), "ds", DS, "    ds = inv * dx_hat\n"),
    Mistake(("bias-wrong-axis", "softmax-wrong-axis", None), "ds", "dx_hat - dx_hat.mean(axis=-1, keepdims=True)", "dx_hat - dx_hat.mean(axis=0, keepdims=True)"),
    Mistake(("sign", None), "ds", "- x_hat * (dx_hat * x_hat)", "+ x_hat * (dx_hat * x_hat)"),
    Mistake(("factor-K", "factor-const", None), "ds", "(dx_hat * x_hat).mean(axis=-1", "(dx_hat * x_hat).sum(axis=-1"),
    Mistake(("missing-weight-factor", "skipped-layer"), "dx_hat", "dx_hat = du * g", "dx_hat = du"),
    Mistake("missing-activation-derivative", "du", "du = dv * gelu_grad(u)", "du = dv"),
    Mistake("activation-derivative-at-activation", "du", "dv * gelu_grad(u)", "dv * gelu_grad(v)"),
    Mistake("activation-derivative-of-wrong-layer", "du", "dv * gelu_grad(u)", "dv * gelu_grad(s)"),
    Mistake(("wrong-local-derivative", "missing-branch", None), ("du", "gelu_grad"), "    return 0.5 * (1 + t) + 0.5 * u * (1 - t**2) * C0 * (1 + 3 * 0.044715 * u**2)", "    return 0.5 * (1 + t)"),
    Mistake(("wrong-local-derivative", None), ("du", "gelu_grad"), "(1 + 3 * 0.044715 * u**2)", "(1 + 0.044715 * u**2)"),
    Mistake("epsilon-ignored", "ds", "    ds = inv * (dx_hat", "    ds = 1 / np.sqrt(var) * (dx_hat"),
    Mistake("ddof", ("var", "ds"), "s.var(axis=-1, keepdims=True)", "s.var(axis=-1, ddof=1, keepdims=True)"),
    Mistake("wrong-tensor-in-weight-gradient", "dg", '"nd,nd->d", du, x_hat)', '"nd,nd->d", du, s)'),
    Mistake(("wrong-tensor-in-weight-gradient", "wrong-tensor-in-delta", "activation-derivative-twice", "missing-activation-derivative"), "db", 'db = np.einsum("nd->d", du)', 'db = np.einsum("nd->d", dv)'),
    Mistake("factor-N", ("dP", "loss"), "dP = E / n", "dP = E"),
    Mistake("factor-2", ("dP", "loss"), "dP = E / n", "dP = 2 * E / n"),
    Mistake("gradient-transposed", "dW2", '"nd,nk->dk", v, dP', '"nd,nk->kd", v, dP'),
    Mistake("wrong-tensor-in-weight-gradient", "dW2", '"nd,nk->dk", v, dP', '"nd,nk->dk", u, dP'),
    Mistake("bias-not-reduced", "dg", 'dg = np.einsum("nd,nd->d", du, x_hat)', 'dg = np.einsum("nd,nd->nd", du, x_hat)'),
]
