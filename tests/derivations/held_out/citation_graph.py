"""Graph convolution on a citation graph: S H W twice, PReLU with learned slopes, rows scaled to unit mean square.

S is the adjacency with self loops, each row divided by its degree. Notation: X_bar is the adjoint of X.
"""

import numpy as np

EPS = 0.05
DECAY = 0.02


def propagation(A):
    A = A + np.eye(len(A))
    return A / A.sum(axis=1, keepdims=True)


def objective(S, X, labels, train, W0, b0, slope, W1, b1):
    """Loss on the nodes `train`, with its gradient."""
    M0 = S @ X
    Z0 = M0 @ W0 + b0
    H0 = np.where(Z0 > 0, Z0, slope * Z0)
    r = 1 / np.sqrt(np.mean(H0**2, axis=1, keepdims=True) + EPS)
    U = H0 * r
    M1 = S @ U
    Z1 = M1 @ W1 + b1
    Z1 = Z1 - Z1.max(axis=1, keepdims=True)
    P = np.exp(Z1) / np.exp(Z1).sum(axis=1, keepdims=True)
    loss = -np.log(P[train, labels[train]]).mean() + DECAY * np.sum(W0**2)

    P_minus_Y = P.copy()
    P_minus_Y[np.arange(len(P)), labels] -= 1
    Z1_bar = np.zeros_like(P)
    Z1_bar[train] = P_minus_Y[train] / len(train)
    W1_bar = M1.T @ Z1_bar
    b1_bar = Z1_bar.sum(0)
    M1_bar = Z1_bar @ W1.T
    U_bar = S.T @ M1_bar
    H0_bar = r * (U_bar - U * np.mean(U_bar * U, axis=1, keepdims=True))
    slope_bar = np.sum(H0_bar * np.minimum(Z0, 0), axis=0)
    Z0_bar = H0_bar * np.where(Z0 > 0, 1, slope)
    W0_bar = M0.T @ Z0_bar + 2 * DECAY * W0
    b0_bar = Z0_bar.sum(0)
    return loss, (W0_bar, b0_bar, slope_bar, W1_bar, b1_bar)


# Cases
from tests.derivations.planting import Mistake, Right
from tests.derivations.truth import call


def problem(user, rng):
    nodes, F, H, K = 8, 3, 5, 4
    S = user.propagation(np.triu(rng.uniform(size=(nodes, nodes)) < 0.35, 1).astype(float) + np.eye(nodes, k=-1))
    X, labels, train = rng.normal(size=(nodes, F)), rng.integers(0, K, size=nodes), np.sort(rng.permutation(nodes)[:6])
    W0, b0, slope = rng.normal(size=(F, H)), rng.normal(size=H), rng.uniform(0.1, 0.5, size=H)
    W1, b1 = rng.normal(size=(H, K)), rng.normal(size=K)
    return call(user.objective, S, X, labels, train, W0, b0, slope, W1, b1, wrt=("W0", "b0", "slope", "W1", "b1"))


import numpy as np

RIGHT = [
    Right(
        "    H0_bar = r * (U_bar - U * np.mean(U_bar * U, axis=1, keepdims=True))\n",
        "    r_bar = np.sum(U_bar * H0, axis=1, keepdims=True)\n    ms_bar = -0.5 * r_bar * r**3\n    H0_bar = r * U_bar + 2 * H0 * ms_bar / H0.shape[1]\n",
    ),
    Right("    Z0_bar = H0_bar * np.where(Z0 > 0, 1, slope)\n", "    Z0_bar = H0_bar.copy()\n    Z0_bar[Z0 < 0] *= np.broadcast_to(slope, Z0.shape)[Z0 < 0]\n"),
    Right("    M1_bar = Z1_bar @ W1.T\n    U_bar = S.T @ M1_bar\n", "    U_bar = S.T @ Z1_bar @ W1.T\n"),
    Right("    P_minus_Y = P.copy()\n    P_minus_Y[np.arange(len(P)), labels] -= 1\n    Z1_bar = np.zeros_like(P)\n    Z1_bar[train] = P_minus_Y[train] / len(train)\n", "    mask = np.isin(np.arange(len(P)), train)[:, None]\n    Z1_bar = mask * (P - np.eye(P.shape[1])[labels]) / mask.sum()\n"),
]

H0_BAR = "H0_bar = r * (U_bar - U * np.mean(U_bar * U, axis=1, keepdims=True))"
Z0_BAR = "Z0_bar = H0_bar * np.where(Z0 > 0, 1, slope)"
SLOPE = "slope_bar = np.sum(H0_bar * np.minimum(Z0, 0), axis=0)"
Z1 = ("Z1_bar", "Z1_bar[train]")

MISTAKES = [
    Mistake(("weight-not-transposed", "wrong-tensor-in-delta"), "U_bar", "U_bar = S.T @ M1_bar", "U_bar = S @ M1_bar"),
    Mistake(("missing-weight-factor", "skipped-layer"), ("U_bar", "H0_bar"), "U_bar = S.T @ M1_bar", "U_bar = M1_bar"),
    Mistake(("missing-branch", "detached-branch", "wrong-local-derivative"), "H0_bar", H0_BAR, "H0_bar = r * U_bar"),
    Mistake(("missing-weight-factor", "missing-branch", "wrong-local-derivative", "skipped-layer", None), "H0_bar", H0_BAR, "H0_bar = U_bar - U * np.mean(U_bar * U, axis=1, keepdims=True)"),
    Mistake(("sign", "wrong-local-derivative", None), "H0_bar", H0_BAR, "H0_bar = r * (U_bar + U * np.mean(U_bar * U, axis=1, keepdims=True))"),
    Mistake(("factor-const", "factor-K", "wrong-local-derivative", None), "H0_bar", H0_BAR, "H0_bar = r * (U_bar - U * np.sum(U_bar * U, axis=1, keepdims=True))"),
    Mistake(("wrong-local-derivative", "bias-wrong-axis", None), "H0_bar", H0_BAR, "H0_bar = r * (U_bar - U * np.mean(U_bar * U, axis=0, keepdims=True))"),
    Mistake("epsilon-ignored", ("H0_bar", "r_plain"), H0_BAR, "r_plain = 1 / np.sqrt(np.mean(H0**2, axis=1, keepdims=True))\n    H0_bar = r_plain * (U_bar - U * np.mean(U_bar * U, axis=1, keepdims=True))"),
    Mistake(("wrong-tensor-in-delta", "wrong-local-derivative", None), "H0_bar", H0_BAR, "H0_bar = r * (U_bar - H0 * np.mean(U_bar * H0, axis=1, keepdims=True))"),
    Mistake(("wrong-local-derivative", "relu-mask-from-wrong-tensor", None), "slope_bar", SLOPE, "slope_bar = np.sum(H0_bar * Z0, axis=0)"),
    Mistake(("relu-mask-inverted", "wrong-local-derivative"), "slope_bar", SLOPE, "slope_bar = np.sum(H0_bar * np.maximum(Z0, 0), axis=0)"),
    Mistake(("wrong-tensor-in-weight-gradient", "wrong-local-derivative", "wrong-tensor-in-delta", None), "slope_bar", SLOPE, "slope_bar = np.sum(H0_bar * np.minimum(H0, 0), axis=0)"),
    Mistake(("bias-wrong-axis", "reduced-too-early", "wrong-shape"), "slope_bar", SLOPE, "slope_bar = np.sum(H0_bar * np.minimum(Z0, 0))"),
    Mistake(("derivative-of-another-activation", "wrong-local-derivative"), "Z0_bar", Z0_BAR, "Z0_bar = H0_bar * (Z0 > 0)"),
    Mistake(("relu-mask-inverted", "wrong-local-derivative"), "Z0_bar", Z0_BAR, "Z0_bar = H0_bar * np.where(Z0 > 0, slope, 1)"),
    Mistake(("relu-mask-from-wrong-tensor", "wrong-local-derivative"), "Z0_bar", Z0_BAR, "Z0_bar = H0_bar * np.where(H0_bar > 0, 1, slope)"),
    Mistake(("regulariser-scale", "factor-half"), ("W0_bar", "loss"), "W0_bar = M0.T @ Z0_bar + 2 * DECAY * W0", "W0_bar = M0.T @ Z0_bar + DECAY * W0"),
    Mistake(("wrong-tensor-in-weight-gradient", "skipped-layer", "missing-weight-factor"), "W0_bar", "W0_bar = M0.T @ Z0_bar + 2 * DECAY * W0", "W0_bar = X.T @ Z0_bar + 2 * DECAY * W0"),
    Mistake(("wrong-tensor-in-weight-gradient", "skipped-layer", "missing-weight-factor"), "W1_bar", "W1_bar = M1.T @ Z1_bar", "W1_bar = U.T @ Z1_bar"),
    Mistake(("factor-const", "factor-N", "factor-1/N", "wrong-loss-derivative", None), (*Z1, "loss"), "P_minus_Y[train] / len(train)", "P_minus_Y[train] / len(P)"),
    Mistake(("wrong-loss-derivative", "missing-branch", "off-by-one-index", "wrong-tensor-in-delta", None), ("Z1_bar", "P_minus_Y", "loss"), "    Z1_bar[train] = P_minus_Y[train] / len(train)\n", "    Z1_bar = P_minus_Y / len(train)\n"),
]
