"""Softmax regression with every intermediate named, one derivative a line, and temperatures per class."""

import numpy as np


def objective(W, tau, X, Y):
    N = X.shape[0]
    logits = X @ W
    scaled = logits / tau
    top = scaled.max(axis=1, keepdims=True)
    shifted = scaled - top
    expo = np.exp(shifted)
    total = expo.sum(axis=1, keepdims=True)
    prob = expo / total
    logprob = np.log(prob)
    picked = Y * logprob
    loss = -picked.sum() / N

    d_picked = -np.ones_like(picked) / N
    d_logprob = d_picked * Y
    d_prob = d_logprob / prob
    d_expo = d_prob / total
    d_total = -(d_prob * expo / total**2).sum(axis=1, keepdims=True)
    d_expo = d_expo + d_total
    d_shifted = d_expo * expo
    d_scaled = d_shifted.copy()
    d_top = -d_shifted.sum(axis=1, keepdims=True)
    d_scaled += d_top * (scaled == top)
    d_logits = d_scaled / tau
    d_tau = -(d_scaled * logits / tau**2).sum(axis=0)
    d_W = X.T @ d_logits
    return loss, dict(W=d_W, tau=d_tau)


# Cases
from tests.derivations.planting import Mistake, Right
from tests.derivations.truth import call


def problem(user, rng):
    N, D, K = 7, 3, 5
    return call(user.objective, rng.normal(size=(D, K)), rng.uniform(0.5, 2, K), rng.normal(size=(N, D)), np.eye(K)[rng.integers(0, K, N)])


import numpy as np

RIGHT = [
    Right("    d_top = -d_shifted.sum(axis=1, keepdims=True)\n    d_scaled += d_top * (scaled == top)\n", "    # the shift changes nothing: its gradient is zero\n"),
    Right("    d_scaled += d_top * (scaled == top)\n", "    d_scaled[range(N), scaled.argmax(axis=1)] += d_top[:, 0]\n"),
    Right("logprob = np.log(prob)", "logprob = shifted - np.log(total)"),
    Right("    d_scaled = d_shifted.copy()\n", "    d_scaled = d_shifted\n"),
    Right("    d_scaled = d_shifted.copy()\n", "    d_scaled = (prob - Y) / N\n"),
]

MISTAKES = [
    Mistake(("missing-branch", "detached-branch", "softmax-diagonal-only"), "d_expo", "    d_expo = d_expo + d_total\n", ""),
    Mistake("sign", "d_total", "d_total = -(d_prob", "d_total = (d_prob"),
    Mistake(("overwritten-not-accumulated", "missing-branch"), "d_expo", "d_expo = d_expo + d_total", "d_expo = d_total * np.ones_like(expo)"),
    Mistake("softmax-wrong-axis", ("total", "d_expo"), "    d_expo = d_prob / total\n", "    total = expo.sum(axis=0, keepdims=True)\n    d_expo = d_prob / total\n", fix=False),
    Mistake(("softmax-wrong-axis", "bias-wrong-axis", None), "d_total", "(d_prob * expo / total**2).sum(axis=1, keepdims=True)", "(d_prob * expo / total**2).sum(axis=0, keepdims=True)"),
    Mistake("softmax-diagonal-only", "d_shifted", "    d_shifted = d_expo * expo\n", "    d_shifted = d_prob * prob * (1 - prob)\n"),
    Mistake(("wrong-local-derivative", None), "d_total", "expo / total**2", "expo / total"),
    Mistake(("wrong-loss-derivative", "wrong-local-derivative", "missing-activation-derivative"), "d_prob", "d_prob = d_logprob / prob", "d_prob = d_logprob"),
    Mistake(("wrong-local-derivative", None), "d_prob", "d_prob = d_logprob / prob", "d_prob = d_logprob / prob**2"),
    Mistake("missing-target", "d_logprob", "d_logprob = d_picked * Y", "d_logprob = d_picked"),
    Mistake("factor-N", ("d_picked", "loss"), "-np.ones_like(picked) / N", "-np.ones_like(picked)"),
    Mistake("factor-K", ("loss", "d_picked"), "loss = -picked.sum() / N", "loss = -picked.mean()"),
    Mistake(("missing-activation-derivative", "missing-weight-factor", "skipped-layer"), "d_shifted", "d_shifted = d_expo * expo", "d_shifted = d_expo"),
    Mistake(("missing-weight-factor", "skipped-layer"), ("d_logits", "d_W"), "d_logits = d_scaled / tau", "d_logits = d_scaled"),
    Mistake("sign", "d_tau", "d_tau = -(d_scaled", "d_tau = (d_scaled"),
    Mistake(("wrong-local-derivative", None), "d_tau", "logits / tau**2", "logits / tau"),
    Mistake("bias-not-reduced", "d_tau", "d_tau = -(d_scaled * logits / tau**2).sum(axis=0)", "d_tau = -(d_scaled * logits / tau**2)"),
    Mistake("bias-wrong-axis", "d_tau", "logits / tau**2).sum(axis=0)", "logits / tau**2).sum(axis=1)"),
    Mistake(("missing-target", "wrong-tensor-in-weight-gradient"), "d_W", "d_W = X.T @ d_logits", "d_W = X.T @ (prob / tau / N)"),
    Mistake("aliasing", ("d_expo", "d_prob", "d_total"), "    d_expo = d_prob / total\n", "    d_expo = d_prob\n    d_expo /= total\n"),
]
