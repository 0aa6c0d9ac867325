"""A shared layer with two heads, what was bought (softmax, one-hot) and how often (Poisson); forward and backward."""

import numpy as np

ALPHA = 0.7


def softmax(Z):
    E = np.exp(Z - Z.max(axis=1, keepdims=True))
    return E / E.sum(axis=1, keepdims=True)


def forward(W, b, U, c, v, d, X, bought, counts):
    """The joint loss and what the way back needs."""
    N = X.shape[0]
    H = np.tanh(X @ W + b)
    P = softmax(H @ U + c)
    log_rate = H @ v + d
    rate = np.exp(log_rate)
    cross_entropy = -np.sum(bought * np.log(P)) / N
    poisson = np.sum(rate - counts * log_rate) / N
    joint = cross_entropy + ALPHA * poisson
    return joint, (H, P, rate)


def loss(W, b, U, c, v, d, X, bought, counts):
    return forward(W, b, U, c, v, d, X, bought, counts)[0]


def backward(W, b, U, c, v, d, X, bought, counts):
    _, (H, P, rate) = forward(W, b, U, c, v, d, X, bought, counts)
    N = X.shape[0]

    # head 1
    g_logits = (P - bought) / N
    g_U = H.T @ g_logits
    g_c = np.sum(g_logits, axis=0)

    # head 2
    g_log_rate = ALPHA * (rate - counts) / N
    g_v = g_log_rate @ H
    g_d = np.sum(g_log_rate)

    # shared
    g_H = g_logits @ U.T + g_log_rate[:, None] * v
    g_Z = g_H * (1 - np.square(H))
    g_W = X.T @ g_Z
    g_b = np.sum(g_Z, axis=0)
    return {"W": g_W, "b": g_b, "U": g_U, "c": g_c, "v": g_v, "d": g_d}


# Cases
from tests.derivations.planting import Mistake, Right
from tests.derivations.truth import call


def problem(user, rng):
    N, D, H, K = 7, 2, 5, 3
    weights = rng.normal(size=(D, H)), rng.normal(size=H), rng.normal(size=(H, K)), rng.normal(size=K), 0.4 * rng.normal(size=H), np.float64(0.3)
    data = rng.normal(size=(N, D)), np.eye(K)[rng.integers(0, K, size=N)], rng.poisson(2.0, size=N)
    return call(user.loss, *weights, *data, by_hand=user.backward)


import numpy as np

LOGITS = "    g_logits = (P - bought) / N\n"

RIGHT = [
    Right("ALPHA * (rate - counts) / N", "-(counts - rate) * (ALPHA / N)"),
    Right(LOGITS, "    g_P = -bought / P / N\n    g_logits = P * (g_P - np.sum(g_P * P, axis=1, keepdims=True))\n"),
    Right(LOGITS, "    g_P = -(bought / P) / N\n    g_logits = np.empty_like(P)\n    for n in range(N):\n        jacobian = np.diag(P[n]) - np.outer(P[n], P[n])\n        g_logits[n] = jacobian @ g_P[n]\n"),
    Right("    g_H = g_logits @ U.T + g_log_rate[:, None] * v\n", "    g_H = np.column_stack([g_logits, g_log_rate]) @ np.column_stack([U, v]).T\n"),
    Right("    g_Z = g_H * (1 - np.square(H))\n", "    S = X @ W + b\n    g_Z = g_H / np.cosh(S) ** 2\n"),
    Right("    g_d = np.sum(g_log_rate)\n", "    g_d = ALPHA * (rate.mean() - counts.mean())\n"),
]

MISTAKES = [
    Mistake("missing-branch", "g_H", "g_H = g_logits @ U.T + g_log_rate[:, None] * v", "g_H = g_logits @ U.T"),
    Mistake(("missing-branch", "overwritten-not-accumulated"), "g_H", "    g_H = g_logits @ U.T + g_log_rate[:, None] * v\n", "    g_H = g_logits @ U.T\n    g_H = g_log_rate[:, None] * v\n"),
    Mistake(("detached-branch", "missing-branch"), ("g_d", "g_log_rate"), "    g_d = np.sum(g_log_rate)\n", "    g_d = 0.0   # a constant\n"),
    Mistake("accumulated-twice", "g_H", "    g_Z = g_H", "    g_H += g_logits @ U.T\n    g_Z = g_H", fix=False),
    Mistake("factor-const", "g_log_rate", "g_log_rate = ALPHA * (rate - counts) / N", "g_log_rate = (rate - counts) / N"),
    Mistake("factor-const", "g_H", "g_logits @ U.T + g_log_rate[:, None] * v", "g_logits @ U.T + ALPHA * g_log_rate[:, None] * v"),
    Mistake("missing-target", "g_log_rate", "ALPHA * (rate - counts) / N", "ALPHA * rate / N"),
    Mistake("wrong-loss-derivative", "g_log_rate", "ALPHA * (rate - counts) / N", "ALPHA * (1 - counts / rate) / N"),
    Mistake(("wrong-loss-derivative", "factor-2"), "g_log_rate", "ALPHA * (rate - counts) / N", "ALPHA * 2 * (rate - counts) / N"),
    Mistake("softmax-diagonal-only", "g_logits", LOGITS, "    g_P = -bought / P / N\n    g_logits = g_P * P * (1 - P)\n"),
    Mistake("softmax-wrong-axis", ("g_logits", "P"), LOGITS, "    g_P = -bought / P / N\n    g_logits = P * (g_P - np.sum(g_P * P, axis=0, keepdims=True))\n"),
    Mistake(("activation-derivative-twice", "softmax-diagonal-only", "wrong-loss-derivative"), "g_logits", "(P - bought) / N", "(P - bought) * P * (1 - P) / N"),
    Mistake("bias-not-reduced", "g_d", "g_d = np.sum(g_log_rate)", "g_d = g_log_rate"),
    Mistake("bias-wrong-axis", "g_b", "np.sum(g_Z, axis=0)", "np.sum(g_Z, axis=1)"),
    Mistake(("accidental-broadcast", None), ("poisson", "joint", "g_log_rate", "forward"), "np.sum(rate - counts * log_rate) / N", "np.sum(rate - counts.reshape(-1, 1) * log_rate) / N"),
    Mistake("factor-N", "g_c", "g_c = np.sum(g_logits, axis=0)", "g_c = np.sum(P - bought, axis=0)"),
    Mistake("activation-derivative-at-activation", "g_Z", "(1 - np.square(H))", "(1 - np.tanh(H) ** 2)"),
    Mistake(("wrong-local-derivative", "sign"), "g_Z", "(1 - np.square(H))", "(1 + np.square(H))"),
    Mistake(("missing-activation-derivative", "skipped-layer"), "g_W", "g_W = X.T @ g_Z", "g_W = X.T @ g_H"),
    Mistake(("forward-differs", "stale-forward-values"), ("H", "P", "rate", "forward", "g_logits"), "    _, (H, P, rate) = forward(W, b, U, c, v, d, X, bought, counts)\n", "    _, (H, P, rate) = forward(W, 0 * b, U, c, v, d, X, bought, counts)\n"),
]
