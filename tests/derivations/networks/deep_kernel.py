"""Marginal likelihood of a Gaussian process on learned features: the noise, the length and the weights by hand."""

import numpy as np

PRIOR = 0.2  # precision of the weights


def nlml(X, y, W, log_l, log_s, log_n):
    n = len(y)

    # features and their distances
    A = X @ W
    Z = np.tanh(A)
    D = ((Z[:, None, :] - Z[None, :, :]) ** 2).sum(axis=-1)

    # kernel
    l2, s2, n2 = np.exp(2 * log_l), np.exp(2 * log_s), np.exp(2 * log_n)
    E = np.exp(-D / (2 * l2))
    K = s2 * E + n2 * np.eye(n)

    # -log p(y | X) and the prior
    Ki = np.linalg.inv(K)
    a = Ki @ y
    fit = 0.5 * (y @ a)
    complexity = 0.5 * np.linalg.slogdet(K)[1]
    f = fit + complexity + 0.5 * n * np.log(2 * np.pi) + 0.5 * PRIOR * np.sum(W ** 2)

    # df/dK
    G = 0.5 * (Ki - np.outer(a, a))

    # hyperparameters
    g_n = 2 * n2 * np.trace(G)
    g_s = np.sum(G * 2 * s2 * E)
    g_l = np.sum(G * s2 * E * D / l2)

    # features
    GD = -G * s2 * E / (2 * l2)
    GZ = 4 * (GD.sum(axis=1, keepdims=True) * Z - GD @ Z)
    GA = GZ * (1 - Z ** 2)
    GW = X.T @ GA + PRIOR * W
    return f, (GW, g_l, g_s, g_n)


# Cases
from tests.derivations.planting import Mistake, Right
from tests.derivations.truth import call


def problem(user, rng):
    n, d, m = 7, 3, 2
    X, W = rng.normal(size=(n, d)), rng.normal(size=(d, m))
    log_l, log_s, log_n = np.log(0.8) + 0.2 * rng.normal(), 0.3 * rng.normal(), np.log(0.5) + 0.2 * rng.normal()
    return call(user.nlml, X, rng.normal(size=n), W, log_l, log_s, log_n, wrt=("W", "log_l", "log_s", "log_n"))


import numpy as np

RIGHT = [
    Right("    a = Ki @ y\n", "    a = np.linalg.solve(K, y)\n"),
    Right("    g_n = 2 * n2 * np.trace(G)\n", "    g_n = n2 * (np.trace(Ki) - a @ a)\n"),
    Right("    GZ = 4 * (GD.sum(axis=1, keepdims=True) * Z - GD @ Z)\n", "    GZ = 4 * (np.diag(GD.sum(axis=0)) - GD) @ Z  # Laplacian\n"),
    Right("    GZ = 4 * (GD.sum(axis=1, keepdims=True) * Z - GD @ Z)\n", "    GZ = 4 * np.einsum('ij,ijk->ik', GD, Z[:, None, :] - Z[None, :, :])\n"),
    Right("    g_l = np.sum(G * s2 * E * D / l2)\n", "    dK = (K - n2 * np.eye(n)) * D / l2\n    g_l = np.trace(G @ dK)\n"),
]

MISTAKES = [
    Mistake(("sign", None), "G", "G = 0.5 * (Ki - np.outer(a, a))", "G = 0.5 * (Ki + np.outer(a, a))"),
    Mistake("sign", "G", "G = 0.5 * (Ki - np.outer(a, a))", "G = 0.5 * (np.outer(a, a) - Ki)"),
    Mistake("factor-2", "G", "G = 0.5 * (Ki - np.outer(a, a))", "G = Ki - np.outer(a, a)"),
    Mistake(("missing-branch", "detached-branch", "wrong-loss-derivative", None), "G", "G = 0.5 * (Ki - np.outer(a, a))", "G = -0.5 * np.outer(a, a)"),
    Mistake(("wrong-tensor-in-delta", "wrong-loss-derivative", "wrong-local-derivative", None), "G", "G = 0.5 * (Ki - np.outer(a, a))", "G = 0.5 * (Ki - np.outer(a, y))"),
    Mistake("factor-half", "g_n", "g_n = 2 * n2 * np.trace(G)", "g_n = n2 * np.trace(G)"),
    Mistake(("wrong-local-derivative", "missing-weight-factor", "reduced-too-early", "accidental-broadcast", None), "g_n", "2 * n2 * np.trace(G)", "2 * n2 * np.sum(G)"),
    Mistake(("wrong-tensor-in-delta", "wrong-local-derivative", None), "g_s", "np.sum(G * 2 * s2 * E)", "np.sum(G * 2 * K)"),
    Mistake(("missing-weight-factor", "factor-const", "missing-activation-derivative", None), "g_s", "np.sum(G * 2 * s2 * E)", "np.sum(G * 2 * E)"),
    Mistake(("missing-activation-derivative", "factor-const", "missing-weight-factor", "wrong-local-derivative", None), "g_l", "np.sum(G * s2 * E * D / l2)", "np.sum(G * s2 * E * D / l2 ** 1.5)", fix=False),
    Mistake("sign", "g_l", "g_l = np.sum(G * s2", "g_l = -np.sum(G * s2"),
    Mistake(("missing-weight-factor", "missing-branch", "wrong-local-derivative"), "g_l", "G * s2 * E * D / l2", "G * s2 * E / l2"),
    Mistake("sign", "GD", "GD = -G * s2", "GD = G * s2"),
    Mistake("factor-half", "GZ", "GZ = 4 * (GD", "GZ = 2 * (GD"),
    Mistake(("missing-branch", "detached-branch"), "GZ", "GD.sum(axis=1, keepdims=True) * Z - GD @ Z)", "GD.sum(axis=1, keepdims=True) * Z)"),
    Mistake(("reduced-too-early", "bias-wrong-axis", "wrong-local-derivative", None), "GZ", "GD.sum(axis=1, keepdims=True) * Z", "GD.sum() * Z"),
    Mistake("missing-activation-derivative", "GA", "GA = GZ * (1 - Z ** 2)", "GA = GZ"),
    Mistake("output-form-on-preactivation", "GA", "GZ * (1 - Z ** 2)", "GZ * (1 - A ** 2)"),
    Mistake("regulariser-forgotten", "GW", "GW = X.T @ GA + PRIOR * W", "GW = X.T @ GA"),
    Mistake(("regulariser-scale", "factor-half"), "GW", "X.T @ GA + PRIOR * W", "X.T @ GA + 0.5 * PRIOR * W"),
]
