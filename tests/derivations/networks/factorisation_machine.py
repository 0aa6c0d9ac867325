"""A factorisation machine with logistic loss on labels -1 and 1: type hints, comprehensions over the factors."""

from typing import TypedDict

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


class Gradients(TypedDict):
    w0: float
    w: Array
    V: Array


def sigmoid(x: Array) -> Array:
    return 1.0 / (1.0 + np.exp(-x))


def score(w0: float, w: Array, V: Array, X: Array) -> Array:
    """Every pair of features interacts by the dot product of its factors: (sum of squares rewritten, O(kn))."""
    pairs = sum((X @ v) ** 2 - X ** 2 @ v ** 2 for v in V.T)
    return w0 + X @ w + 0.5 * pairs


def objective(
    w0: float, w: Array, V: Array, X: Array, y: Array, l2_w: float, l2_v: float
) -> tuple[float, Gradients]:
    n_samples = X.shape[0]
    y_hat = score(w0, w, V, X)
    losses = np.log1p(np.exp(-y * y_hat))
    loss = losses.mean() + 0.5 * l2_w * w @ w + 0.5 * l2_v * np.sum(V ** 2)

    residual = -y * sigmoid(-y * y_hat) / n_samples
    grad_w0 = residual.sum()
    grad_w = X.T @ residual + l2_w * w
    grad_V = np.zeros_like(V)
    for f, v in enumerate(V.T):
        inner = X @ v
        grad_V[:, f] = X.T @ (residual * inner) - (X ** 2).T @ residual * v
    grad_V += l2_v * V
    return loss, {"w0": grad_w0, "w": grad_w, "V": grad_V}


# Cases
from tests.derivations.planting import Mistake, Right
from tests.derivations.truth import call


def problem(user, rng):
    N, D, K = 7, 5, 3
    return call(
        user.objective, np.float64(rng.normal()), rng.normal(size=D), 0.5 * rng.normal(size=(D, K)),
        rng.normal(size=(N, D)), rng.choice([-1.0, 1.0], size=N), 0.11, 0.07,
    )


import numpy as np

RIGHT = [
    Right("        grad_V[:, f] = X.T @ (residual * inner) - (X ** 2).T @ residual * v\n", "        grad_V[:, f] = residual @ (X * inner[:, None] - X ** 2 * v)\n"),
    Right("    residual = -y * sigmoid(-y * y_hat) / n_samples\n", "    residual = (sigmoid(y_hat) - (y + 1) / 2) / n_samples   # as if the labels were 0 and 1\n"),
    Right("    losses = np.log1p(np.exp(-y * y_hat))\n", "    losses = -np.log(sigmoid(y * y_hat))\n"),
    Right(
        "    grad_V = np.zeros_like(V)\n    for f, v in enumerate(V.T):\n        inner = X @ v\n        grad_V[:, f] = X.T @ (residual * inner) - (X ** 2).T @ residual * v\n    grad_V += l2_v * V\n",
        "    weighted = residual[:, None] * X\n    grad_V = (weighted.T @ X - np.diag((weighted * X).sum(axis=0))) @ V + l2_v * V\n",
    ),
    Right(
        "    for f, v in enumerate(V.T):\n        inner = X @ v\n        grad_V[:, f] = X.T @ (residual * inner) - (X ** 2).T @ residual * v\n",
        "    for x, r in zip(X, residual):\n        for i in range(len(x)):\n            grad_V[i] += r * x[i] * (x @ V - x[i] * V[i])\n",
    ),
    Right("    grad_w0 = residual.sum()\n    grad_w = X.T @ residual + l2_w * w\n", "    grad_w0, grad_w = np.ones(n_samples) @ residual, l2_w * w\n    grad_w += residual @ X\n"),
]

GRAD_V = ("grad_V[:, f]", "grad_V")

MISTAKES = [
    Mistake("sign", "residual", "residual = -y * sigmoid(-y * y_hat)", "residual = y * sigmoid(-y * y_hat)"),
    Mistake(("wrong-loss-derivative", "sign", None), "residual", "-y * sigmoid(-y * y_hat)", "-y * sigmoid(y * y_hat)"),
    Mistake("missing-target", "residual", "-y * sigmoid(-y * y_hat)", "-sigmoid(-y * y_hat)"),
    Mistake(("wrong-loss-derivative", "missing-target", None), "residual", "-y * sigmoid(-y * y_hat)", "(sigmoid(y_hat) - y)"),
    Mistake(("activation-derivative-twice", "wrong-loss-derivative", None), "residual", "-y * sigmoid(-y * y_hat)", "-y * sigmoid(-y * y_hat) * sigmoid(y * y_hat)"),
    Mistake("factor-N", ("residual", "losses", "loss"), "sigmoid(-y * y_hat) / n_samples", "sigmoid(-y * y_hat)"),
    Mistake("factor-1/N", "grad_w0", "grad_w0 = residual.sum()", "grad_w0 = residual.mean()"),
    Mistake(("missing-branch", "detached-branch"), GRAD_V, "X.T @ (residual * inner) - (X ** 2).T @ residual * v", "X.T @ (residual * inner)"),
    Mistake("factor-2", GRAD_V, "X.T @ (residual * inner) - (X ** 2).T @ residual * v", "2 * (X.T @ (residual * inner) - (X ** 2).T @ residual * v)"),
    Mistake("factor-half", GRAD_V, "X.T @ (residual * inner) - (X ** 2).T @ residual * v", "0.5 * (X.T @ (residual * inner) - (X ** 2).T @ residual * v)"),
    Mistake(("missing-weight-factor", "wrong-local-derivative", None), GRAD_V, "(X ** 2).T @ residual * v", "(X ** 2).T @ residual"),
    Mistake(("wrong-local-derivative", "wrong-tensor-in-weight-gradient", None), GRAD_V, "- (X ** 2).T @ residual * v", "- X.T @ residual * v"),
    Mistake(("sign", None), GRAD_V, "X.T @ (residual * inner) - (X ** 2)", "X.T @ (residual * inner) + (X ** 2)"),
    Mistake(("reduced-too-early", None), GRAD_V, "X.T @ (residual * inner) -", "X.T @ residual * inner.sum() -"),
    Mistake("off-by-one-index", GRAD_V, "grad_V[:, f] = X.T", "grad_V[:, f - 1] = X.T"),
    Mistake(("overwritten-not-accumulated", "off-by-one-index", None), (*GRAD_V, "grad_V[:, 0]"), "grad_V[:, f] = X.T", "grad_V[:, 0] = X.T", fix=False),
    Mistake(("overwritten-not-accumulated", "missing-branch", "detached-branch"), "grad_V", "    grad_V += l2_v * V\n", "    grad_V = l2_v * V\n"),
    Mistake("regulariser-forgotten", GRAD_V, "    grad_V += l2_v * V\n", ""),
    Mistake("regulariser-scale", ("grad_w", "loss"), "+ 0.5 * l2_w * w @ w", "+ l2_w * w @ w"),
    Mistake("regulariser-on-wrong-parameter", "grad_w", "X.T @ residual + l2_w * w", "X.T @ residual + l2_w * V[:, 0]"),
    Mistake("regulariser-on-wrong-parameter", "grad_w0", "grad_w0 = residual.sum()", "grad_w0 = residual.sum() + l2_w * w0"),
    Mistake("accidental-broadcast", ("losses", "loss", "residual"), "    losses = np.log1p(np.exp(-y * y_hat))\n", "    losses = np.log1p(np.exp(-y.reshape(-1, 1) * y_hat))\n"),
    Mistake("accidental-broadcast", "grad_w0", "    grad_w0 = residual.sum()\n", "    grad_w0 = (-y[:, None] * sigmoid(-y * y_hat) / n_samples).sum()\n"),
    Mistake(("input-mutated", "aliasing"), ("X", "linear", "grad_V[:, f]", "grad_V"), "        grad_V[:, f] = X.T @ (residual * inner) - (X ** 2).T @ residual * v\n", "        linear = X\n        linear *= inner[:, None]\n        grad_V[:, f] = linear.T @ residual - (X ** 2).T @ residual * v\n", fix=False),
]
