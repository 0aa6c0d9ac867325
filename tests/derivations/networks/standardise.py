"""Hidden features divided by their sample deviation (N - 1, and an epsilon outside the root), Gaussian likelihood."""

import numpy as np

EPSILON = 0.05


def nll(y, mu, log_var):
    return 0.5 * (log_var + (y - mu) ** 2 / np.exp(log_var))


def fit_step(A, B, logs, X, y):
    n = X.shape[0]
    hidden = X @ A
    centred = hidden - hidden.mean(axis=0)
    ss = (centred ** 2).sum(axis=0)
    std = np.sqrt(ss / (n - 1))
    scaled = centred / (std + EPSILON)
    mu = scaled @ B
    mu = mu[:, 0]
    loss = nll(y, mu, logs).mean()

    precision = np.exp(-logs)
    g_mu = (mu - y) * precision / n
    g_logs = np.mean(0.5 - 0.5 * (y - mu) ** 2 * precision)
    g_mu = g_mu[:, None]
    g_B = scaled.T @ g_mu
    g_scaled = g_mu @ B.T
    g_std = -(g_scaled * centred).sum(axis=0) / (std + EPSILON) ** 2
    g_ss = g_std / (2 * std * (n - 1))
    g_centred = g_scaled / (std + EPSILON) + 2 * centred * g_ss
    g_hidden = g_centred - g_centred.mean(axis=0)
    g_A = X.T @ g_hidden
    return loss, {"A": g_A, "B": g_B, "logs": g_logs}


# Cases
from tests.derivations.planting import Mistake, Right
from tests.derivations.truth import call


def problem(user, rng):
    N, I, H = 7, 3, 5
    return call(user.fit_step, rng.normal(size=(I, H)), rng.normal(size=(H, 1)), rng.normal(), rng.normal(size=(N, I)), rng.normal(size=N))


import numpy as np

RIGHT = [
    Right("std = np.sqrt(ss / (n - 1))", "std = hidden.std(axis=0, ddof=1)"),
    Right("    g_ss = g_std / (2 * std * (n - 1))\n    g_centred = g_scaled / (std + EPSILON) + 2 * centred * g_ss\n", "    g_centred = g_scaled / (std + EPSILON) + g_std * centred / std / (n - 1)\n"),
    Right("    g_hidden = g_centred - g_centred.mean(axis=0)\n", "    H = np.eye(n) - np.ones((n, n)) / n\n    g_hidden = H @ g_centred\n"),
    Right("    g_hidden = g_centred - g_centred.mean(axis=0)\n", "    g_hidden = g_centred - g_scaled.mean(axis=0) / (std + EPSILON)\n"),
    Right("g_logs = np.mean(0.5 - 0.5 * (y - mu) ** 2 * precision)", "g_logs = 0.5 * (n - precision * np.dot(y - mu, y - mu)) / n"),
]

MISTAKES = [
    Mistake("ddof", ("g_ss", "std"), "g_ss = g_std / (2 * std * (n - 1))", "g_ss = g_std / (2 * std * n)"),
    Mistake("ddof", ("std", "g_ss"), "std = np.sqrt(ss / (n - 1))", "std = np.sqrt(ss / n)"),
    Mistake("epsilon-ignored", "g_std", "(std + EPSILON) ** 2", "std ** 2"),
    Mistake("epsilon-ignored", "g_centred", "g_centred = g_scaled / (std + EPSILON)", "g_centred = g_scaled / std"),
    Mistake(("epsilon-ignored", "wrong-tensor-in-weight-gradient"), "g_B", "g_B = scaled.T @ g_mu", "g_B = (centred / std).T @ g_mu"),
    Mistake(("missing-branch", "detached-branch"), "g_centred", " + 2 * centred * g_ss\n", "\n"),
    Mistake(("missing-branch", "detached-branch"), "g_hidden", "g_hidden = g_centred - g_centred.mean(axis=0)", "g_hidden = g_centred"),
    Mistake(("bias-wrong-axis", None), "g_hidden", "g_centred.mean(axis=0)", "g_centred.mean(axis=1, keepdims=True)"),
    Mistake(("factor-N", "factor-const", None), "g_hidden", "g_centred - g_centred.mean(axis=0)", "g_centred - g_centred.sum(axis=0)"),
    Mistake("accidental-broadcast", ("mu", "loss", "g_mu"), "    mu = mu[:, 0]\n    loss = nll(y, mu, logs).mean()\n", "    loss = nll(y, mu, logs).mean()\n    mu = mu[:, 0]\n"),
    Mistake("accidental-broadcast", "g_logs", "np.mean(0.5 - 0.5 * (y - mu) ** 2 * precision)", "np.mean(0.5 - 0.5 * (y - mu[:, None]) ** 2 * precision)"),
    Mistake(("accidental-broadcast", "reduced-too-early"), "g_mu", "g_mu = (mu - y) * precision / n\n", "g_mu = (mu[:, None] - y).mean(axis=1) * precision / n\n"),
    Mistake(("reduced-too-early", None), "g_std", "-(g_scaled * centred).sum(axis=0)", "-(g_scaled.sum(axis=0) * centred.std(axis=0))"),
    Mistake(("missing-weight-factor", "forward-differs"), "g_mu", "g_mu = (mu - y) * precision / n", "g_mu = (mu - y) / n"),
    Mistake("sign", "g_logs", "np.mean(0.5 - 0.5 *", "np.mean(0.5 + 0.5 *"),
    Mistake("missing-branch", "g_logs", "np.mean(0.5 - 0.5 *", "np.mean(- 0.5 *"),
    Mistake("factor-2", "g_logs", "np.mean(0.5 - 0.5 * (y - mu) ** 2 * precision)", "np.mean(1 - (y - mu) ** 2 * precision)"),
    Mistake("bias-not-reduced", "g_logs", "np.mean(0.5 - 0.5 * (y - mu) ** 2 * precision)", "(0.5 - 0.5 * (y - mu) ** 2 * precision) / n"),
    Mistake("wrong-shape", "g_B", "g_B = scaled.T @ g_mu", "g_B = (scaled.T @ g_mu)[:, 0]"),
]
