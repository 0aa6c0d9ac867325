"""TP 3 : un réseau à deux couches cachées, rétropropagation à la main, un exemple à la fois (np.outer)."""

import numpy as np

pente = 0.1       # du leaky relu
lambda_1 = 0.03   # pénalité L1


def softmax(v):
    e = np.exp(v - v.max())
    return e / e.sum()


def un_exemple(W1, b1, W2, b2, W3, b3, x, classe):
    # propagation avant
    z1 = W1 @ x + b1
    h1 = np.tanh(z1)
    z2 = W2 @ h1 + b2
    h2 = np.where(z2 > 0, z2, pente * z2)
    scores = W3 @ h2 + b3
    p = softmax(scores)
    perte = -np.log(p[classe])

    # propagation arrière
    d_scores = p.copy()
    d_scores[classe] -= 1
    dW3 = np.outer(d_scores, h2)
    db3 = d_scores
    d_h2 = W3.T @ d_scores
    d_z2 = d_h2 * np.where(z2 > 0, 1, pente)
    dW2 = np.outer(d_z2, h1)
    db2 = d_z2
    d_h1 = W2.T @ d_z2
    d_z1 = d_h1 * (1 - h1 ** 2)
    dW1 = np.outer(d_z1, x)
    db1 = d_z1
    return perte, [dW1, db1, dW2, db2, dW3, db3]


def lot(W1, b1, W2, b2, W3, b3, exemples, classes):
    """Moyenne des pertes sur le lot, plus la pénalité sur les poids (pas sur les biais !)."""
    poids = [W1, b1, W2, b2, W3, b3]
    gradients = [np.zeros_like(w) for w in poids]
    total = 0.0
    n = len(exemples)
    for x, classe in zip(exemples, classes):
        perte, g = un_exemple(*poids, x, classe)
        total += perte / n
        for k in range(len(g)):
            gradients[k] += g[k] / n
    for k in (0, 2, 4):
        total += lambda_1 * np.abs(poids[k]).sum()
    for k in range(0, 6, 2):
        gradients[k] += lambda_1 * np.sign(poids[k])
    return total, gradients


# Cases
from tests.derivations.planting import Mistake, Right
from tests.derivations.truth import call


def problem(user, rng):
    d, h, c, n = 3, 5, 4, 6
    weights = []
    for n_in, n_out in ((d, h), (h, h), (h, c)):
        weights += [0.8 * rng.normal(size=(n_out, n_in)), 0.8 * rng.normal(size=n_out)]
    exemples, classes = rng.normal(size=(n, d)), rng.integers(0, c, size=n)
    return call(user.lot, *weights, exemples, classes, wrt=("W1", "b1", "W2", "b2", "W3", "b3"))


RIGHT = [
    Right("    d_scores = p.copy()\n", "    d_scores = p\n"),
    Right("    d_z2 = d_h2 * np.where(z2 > 0, 1, pente)\n", "    d_z2 = d_h2.copy()\n    d_z2[h2 < 0] *= pente\n"),
    Right("    d_h1 = W2.T @ d_z2\n", "    d_h1 = d_z2 @ W2\n"),
    Right("    dW1 = np.outer(d_z1, x)\n", "    dW1 = d_z1[:, None] * x\n"),
    Right("    d_scores[classe] -= 1\n", "    d_scores = d_scores - np.eye(len(p))[classe]\n"),
    Right("    h2 = np.where(z2 > 0, z2, pente * z2)\n", "    h2 = np.maximum(z2, pente * z2)\n"),
]

DS = ("d_scores", "d_scores[classe]")
G = ("gradients[k]", "gradients")

MISTAKES = [
    Mistake(("missing-target", "missing-branch"), DS, "    d_scores[classe] -= 1\n", "", fix=False),
    Mistake(("wrong-loss-derivative", None, "missing-target", "overwritten-not-accumulated"), DS, "    d_scores[classe] -= 1\n", "    d_scores[classe] = -1\n"),
    Mistake("weight-not-transposed", "d_h1", "d_h1 = W2.T @ d_z2", "d_h1 = W2 @ d_z2"),
    Mistake("gradient-transposed", "dW2", "np.outer(d_z2, h1)", "np.outer(h1, d_z2)"),
    Mistake("wrong-tensor-in-weight-gradient", "dW2", "np.outer(d_z2, h1)", "np.outer(d_z2, h2)"),
    Mistake("wrong-tensor-in-weight-gradient", "dW3", "np.outer(d_scores, h2)", "np.outer(d_scores, z2)"),
    Mistake(("derivative-of-another-activation", "wrong-local-derivative", None), "d_z2", "d_h2 * np.where(z2 > 0, 1, pente)", "d_h2 * np.where(z2 > 0, 1, 0)"),
    Mistake(("relu-mask-inverted", "wrong-local-derivative"), "d_z2", "d_h2 * np.where(z2 > 0, 1, pente)", "d_h2 * np.where(z2 < 0, 1, pente)"),
    Mistake("relu-mask-from-wrong-tensor", "d_z2", "d_h2 * np.where(z2 > 0, 1, pente)", "d_h2 * np.where(d_h2 > 0, 1, pente)"),
    Mistake("output-form-on-preactivation", "d_z1", "(1 - h1 ** 2)", "(1 - z1 ** 2)"),
    Mistake(("activation-derivative-of-wrong-layer", "wrong-tensor-in-delta", None), "d_z1", "(1 - h1 ** 2)", "(1 - h2 ** 2)"),
    Mistake(("missing-activation-derivative", "wrong-tensor-in-delta"), "d_h1", "d_h1 = W2.T @ d_z2", "d_h1 = W2.T @ d_h2"),
    Mistake(("missing-activation-derivative", "wrong-tensor-in-delta"), "db1", "    db1 = d_z1", "    db1 = d_h1"),
    Mistake(("matmul-for-elementwise", "wrong-shape", "reduced-too-early"), "d_z1", "d_z1 = d_h1 * (1 - h1 ** 2)", "d_z1 = np.dot(d_h1, 1 - h1 ** 2)"),
    Mistake("overwritten-not-accumulated", (*G, "gradients[0]"), "gradients[k] += g[k] / n", "gradients[k] = g[k] / n"),
    Mistake("factor-N", (*G, "gradients[0]", "total", "g", "d_scores"), "gradients[k] += g[k] / n", "gradients[k] += g[k]"),
    Mistake(("regulariser-scale", "wrong-local-derivative", None), (*G, "gradients[0]"), "lambda_1 * np.sign(poids[k])", "2 * lambda_1 * poids[k]"),
    Mistake("regulariser-on-wrong-parameter", (*G, "gradients[1]"), "for k in range(0, 6, 2):", "for k in range(6):"),
    Mistake(("off-by-one-index", "regulariser-on-wrong-parameter", "regulariser-forgotten"), (*G, "gradients[0]", "gradients[1]"), "for k in range(0, 6, 2):", "for k in range(1, 6, 2):"),
    Mistake(("updated-weights", "forward-differs", "stale-forward-values", None), ("poids[k]", "perte", "g", "total", *G), "            gradients[k] += g[k] / n\n", "            gradients[k] += g[k] / n\n            poids[k] = poids[k] - 0.1 * g[k]\n", fix=False),
]
