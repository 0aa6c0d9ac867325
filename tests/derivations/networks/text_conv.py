"""Sentences by a convolution over embedded words, max over time, labels of -1 and 1."""

import numpy as np


def sentence_loss(P, kernels, bias, v, c, tokens, label, ridge=0.2):
    # lookup (N, L, C)
    emb = P[tokens]
    N, L, C = emb.shape
    F, k, _ = kernels.shape
    steps = L - k + 1

    # windows side by side, (N, steps, k * C)
    W = kernels.reshape(F, k * C)
    cols = np.stack([emb[:, i:i + k].reshape(N, k * C) for i in range(steps)], axis=1)
    maps = cols @ W.T + bias
    act = np.tanh(maps)
    winner = np.argmax(act, axis=1)
    pooled = np.max(act, axis=1)
    score = pooled @ v + c
    loss = np.log(1 + np.exp(-label * score)).sum() + 0.5 * ridge * (v @ v)

    dscore = -label / (1 + np.exp(label * score))
    dc = dscore.sum()
    dv = pooled.T @ dscore + ridge * v
    dpooled = np.outer(dscore, v)

    dact = np.zeros((N, steps, F))
    for n in range(N):
        for f in range(F):
            dact[n, winner[n, f], f] = dpooled[n, f]

    dmaps = dact * (1 - act ** 2)
    dbias = dmaps.sum(axis=(0, 1))
    dW = np.tensordot(dmaps, cols, axes=([0, 1], [0, 1]))
    dkernels = dW.reshape(F, k, C)

    dcols = dmaps @ W
    demb = np.zeros((N, L, C))
    for i in range(steps):
        demb[:, i:i + k] += dcols[:, i].reshape(N, k, C)
    dP = np.zeros_like(P)
    np.add.at(dP, tokens, demb)
    return loss, {"P": dP, "kernels": dkernels, "bias": dbias, "v": dv, "c": dc}


# Cases
from tests.derivations.planting import Mistake, Right
from tests.derivations.truth import call


def problem(user, rng):
    N, L, words, C, F, k = 6, 7, 5, 2, 4, 3
    weights = rng.normal(size=(words, C)), rng.normal(size=(F, k, C)), rng.normal(size=F), rng.normal(size=F), np.float64(rng.normal())
    tokens = np.stack([rng.permutation(np.r_[np.arange(words), rng.integers(0, words, size=L - words)]) for _ in range(N)])
    return call(user.sentence_loss, *weights, tokens, rng.permutation([-1, 1, -1, 1, 1, -1]))


LOOP = """    for n in range(N):
        for f in range(F):
            dact[n, winner[n, f], f] = dpooled[n, f]
"""
ACT, EMB = ("dact", "dact[n, winner[n, f], f]"), ("demb", "demb[:, i:i + k]")
LOOKUP = ("dP", "np.add.at(dP, tokens, demb)", "np.add.at")

RIGHT = [
    Right(LOOP, "    np.put_along_axis(dact, winner[:, None, :], dpooled[:, None, :], axis=1)\n"),
    Right("    dact = np.zeros((N, steps, F))\n" + LOOP, "    dact = np.where(act == pooled[:, None, :], dpooled[:, None, :], 0)\n"),
    Right("winner = np.argmax(act, axis=1)", "winner = maps.argmax(axis=1)   # tanh keeps the order"),
    Right("    np.add.at(dP, tokens, demb)\n", "    for n in range(N):\n        for l in range(L):\n            dP[tokens[n, l]] += demb[n, l]\n"),
    Right("    dP = np.zeros_like(P)\n    np.add.at(dP, tokens, demb)\n", "    onehot = np.eye(len(P))[tokens]\n    dP = np.einsum('nlw,nlc->wc', onehot, demb)\n"),
    Right("dscore = -label / (1 + np.exp(label * score))", "p = 1 / (1 + np.exp(-score))\n    dscore = p - (label + 1) / 2"),
]

MISTAKES = [
    Mistake("overwritten-not-accumulated", ("dP", "dP[tokens]"), "    np.add.at(dP, tokens, demb)\n", "    dP[tokens] += demb\n"),
    Mistake("overwritten-not-accumulated", EMB, "demb[:, i:i + k] += dcols", "demb[:, i:i + k] = dcols"),
    Mistake(("off-by-one-index", "missing-branch"), EMB, "    for i in range(steps):\n        demb", "    for i in range(steps - 1):\n        demb"),
    Mistake(("off-by-one-index", None), EMB, "dcols[:, i].reshape(N, k, C)", "dcols[:, i - 1].reshape(N, k, C)"),
    Mistake(("gradient-transposed", None), EMB, "dcols[:, i].reshape(N, k, C)", "dcols[:, i].reshape(N, C, k).transpose(0, 2, 1)"),
    Mistake(("wrong-local-derivative", None), ("dact", "dact[:]"), LOOP, "    dact[:] = dpooled[:, None, :] / steps\n", fix=False),
    Mistake(("wrong-local-derivative", "off-by-one-index", "forward-differs", None), (*ACT, "winner"), "winner = np.argmax(act, axis=1)", "winner = np.argmax(np.abs(act), axis=1)"),
    Mistake("missing-target", "dscore", "dscore = -label / (1 + np.exp(label * score))", "dscore = -1 / (1 + np.exp(label * score))"),
    Mistake(("missing-target", "wrong-loss-derivative"), "dscore", "dscore = -label / (1 + np.exp(label * score))", "dscore = 1 / (1 + np.exp(-score)) - label"),
    Mistake(("wrong-loss-derivative", "sign"), "dscore", "dscore = -label / (1 + np.exp(label * score))", "dscore = -label / (1 + np.exp(-label * score))"),
    Mistake(("bias-wrong-axis", "wrong-shape"), "dbias", "dmaps.sum(axis=(0, 1))", "dmaps.sum(axis=(0, 2))"),
    Mistake(("bias-not-reduced", "bias-wrong-axis", "wrong-shape"), "dbias", "dmaps.sum(axis=(0, 1))", "dmaps.sum(axis=0)"),
    Mistake("wrong-tensor-in-weight-gradient", "dv", "dv = pooled.T @ dscore +", "dv = maps.max(axis=1).T @ dscore +"),
    Mistake(("missing-activation-derivative", "wrong-tensor-in-delta"), "dcols", "dcols = dmaps @ W", "dcols = dact @ W"),
    Mistake("factor-1/N", "dc", "dc = dscore.sum()", "dc = dscore.mean()"),
    Mistake("missing-weight-factor", "dpooled", "np.outer(dscore, v)", "np.outer(dscore, np.ones(F))"),
    Mistake("integer-dtype", ("demb", "demb[:, i:i + k]"), "    demb = np.zeros((N, L, C))\n    for i in range(steps):\n        demb[:, i:i + k] += dcols[:, i].reshape(N, k, C)\n", "    demb = np.zeros((N, L, C), dtype=tokens.dtype)\n    for i in range(steps):\n        demb[:, i:i + k] = demb[:, i:i + k] + dcols[:, i].reshape(N, k, C)\n"),
    Mistake(
        "accumulated-twice", LOOKUP, "    dP = np.zeros_like(P)\n    np.add.at(dP, tokens, demb)\n",
        "        if i == 0:\n            dP = np.zeros_like(P)\n        np.add.at(dP, tokens, demb)\n", fix=False,
    ),
    Mistake("derivative-of-another-activation", "dmaps", "dact * (1 - act ** 2)", "dact * act * (1 - act)"),
    Mistake("wrong-shape", ("dkernels", "dW"), "dkernels = dW.reshape(F, k, C)", "dkernels = dW"),
]
