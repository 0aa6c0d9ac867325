"""Residual blocks in a list, integer labels, log-softmax; the data are standardised inside."""

import numpy as np


def loss_and_gradients(embed, weights, biases, readout, X, labels):
    N = len(X)
    X = (X - X.mean(0)) / X.std(0)
    L = len(weights)

    # ---- forward
    h = X @ embed
    states, slopes = [h], []
    for W, b in zip(weights, biases):
        a = np.tanh(h @ W + b)
        slopes.append(1 - a * a)
        h = h + a
        states.append(h)
    logits = h @ readout
    top = logits.max(1, keepdims=True)
    logp = logits - top - np.log(np.exp(logits - top).sum(1, keepdims=True))
    loss = -logp[np.arange(N), labels].sum()

    # ---- backward
    p = np.exp(logp)
    target = np.zeros_like(p)
    target[np.arange(N), labels] = 1
    delta = p - target
    d_readout = states[-1].T @ delta
    back = delta @ readout.T
    d_weights, d_biases = [None] * L, [None] * L
    for l in range(L - 1, -1, -1):
        inner = back * slopes[l]
        d_weights[l] = states[l].T @ inner
        d_biases[l] = inner.sum(0)
        back = back + inner @ weights[l].T
    d_embed = X.T @ back

    return loss, {"embed": d_embed, "weights": d_weights, "biases": d_biases, "readout": d_readout}


# Cases
from tests.derivations.planting import Mistake, Right
from tests.derivations.truth import call


def problem(user, rng):
    N, D, H, K, L = 7, 2, 4, 5, 3
    weights, biases = [0.7 * rng.normal(size=(H, H)) for _ in range(L)], [0.7 * rng.normal(size=H) for _ in range(L)]
    X, labels = rng.uniform(1, 6, size=(N, D)), rng.integers(0, K, size=N)
    return call(user.loss_and_gradients, rng.normal(size=(D, H)), weights, biases, rng.normal(size=(H, K)), X, labels)


LOOP = """    d_weights, d_biases = [None] * L, [None] * L
    for l in range(L - 1, -1, -1):
        inner = back * slopes[l]
        d_weights[l] = states[l].T @ inner
        d_biases[l] = inner.sum(0)
        back = back + inner @ weights[l].T
"""
POPPED = """    d_weights, d_biases = [], []
    for W, s, before in zip(weights[::-1], slopes[::-1], states[-2::-1]):
        inner = back * s
        d_weights.append(before.T @ inner)
        d_biases.append(inner.sum(0))
        back = back + inner @ W.T
"""
DW, DB = ("d_weights[l]", "d_weights"), ("d_biases[l]", "d_biases")

RIGHT = [
    Right(LOOP, POPPED + "    d_weights.reverse()\n    d_biases.reverse()\n"),
    Right("        back = back + inner @ weights[l].T\n", "        back += np.inner(inner, weights[l])\n"),
    Right("    delta = p - target\n", "    p -= target\n    delta = p\n"),
    Right("        inner = back * slopes[l]\n", "        a = states[l + 1] - states[l]\n        inner = back * (1 + a) * (1 - a)\n"),
    Right("        d_weights[l] = states[l].T @ inner\n", "        d_weights[l] = (inner.T @ states[l]).T\n"),
    Right("        slopes.append(1 - a * a)\n        h = h + a\n", "        h = h + a\n        a *= a\n        slopes.append(1 - a)\n"),
]

MISTAKES = [
    Mistake("off-by-one-index", DW, "d_weights[l] = states[l].T", "d_weights[l] = states[l + 1].T"),
    Mistake(("off-by-one-index", "activation-derivative-of-wrong-layer"), "inner", "inner = back * slopes[l]", "inner = back * slopes[l - 1]"),
    Mistake("off-by-one-index", "back", "inner @ weights[l].T", "inner @ weights[l - 1].T"),
    Mistake("missing-branch", "back", "back = back + inner @ weights[l].T", "back = inner @ weights[l].T"),
    Mistake(("detached-branch", "missing-branch"), "back", "        back = back + inner @ weights[l].T\n", ""),
    Mistake("weight-not-transposed", "back", "inner @ weights[l].T", "inner @ weights[l]"),
    Mistake("elementwise-after-matmul", "back", "back = back + inner @ weights[l].T", "back = back + (back @ weights[l].T) * slopes[l]"),
    Mistake("gradient-transposed", DW, "d_weights[l] = states[l].T @ inner", "d_weights[l] = inner.T @ states[l]"),
    Mistake("accumulated-twice", "back", "back = back + inner @ weights[l].T", "back = back + inner @ weights[l].T + back"),
    Mistake("aliasing", ("h", "states", "slopes", "d_readout", "d_weights[l]"), "        h = h + a\n", "        h += a\n"),
    Mistake("softmax-diagonal-only", "delta", "delta = p - target", "delta = -target / p * p * (1 - p)"),
    Mistake("softmax-wrong-axis", ("p", "delta"), "p = np.exp(logp)", "p = np.exp(logits) / np.exp(logits).sum(0)"),
    Mistake("missing-target", "delta", "delta = p - target", "delta = p"),
    Mistake(("missing-target", "off-by-one-index"), ("target[np.arange(N), labels - 1]", "target", "delta"), "target[np.arange(N), labels] = 1", "target[np.arange(N), labels - 1] = 1"),
    Mistake("activation-derivative-twice", DB, "d_biases[l] = inner.sum(0)", "d_biases[l] = (inner * slopes[l]).sum(0)"),
    Mistake("activation-derivative-at-activation", ("slopes", "slopes.append(1 - np.tanh(a) ** 2)", "inner"), "slopes.append(1 - a * a)", "slopes.append(1 - np.tanh(a) ** 2)"),
    Mistake("skipped-layer", "d_embed", "d_embed = X.T @ back", "d_embed = X.T @ (delta @ readout.T)"),
    Mistake((None, "off-by-one-index", "wrong-tensor-in-weight-gradient"), ("d_weights", "d_biases", "return"), LOOP, POPPED, fix=False),
    Mistake(("forward-differs", "wrong-tensor-in-weight-gradient"), ("X", "d_embed"), "    d_embed = X.T @ back\n", "    X = X * X.std(0) + 3   # back to the data\n    d_embed = X.T @ back\n", fix=False),
    Mistake(("wrong-tensor-in-delta", "missing-activation-derivative"), "back", "back = back + inner @ weights[l].T", "back = back + back @ weights[l].T"),
]
