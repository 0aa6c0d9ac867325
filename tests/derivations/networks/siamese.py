"""Two inputs through the same weights and a contrastive loss: every weight has two branches; lambdas and helpers."""

import numpy as np

MARGIN = 2.0

tanh = np.tanh
dtanh = lambda a: 1 - a ** 2


def embed(x, M, N):
    h = tanh(x @ M)
    return h, h @ N


def grads_of_embed(x, h, N, d_e):
    d_N = h.T @ d_e
    d_pre = (d_e @ N.T) * dtanh(h)
    d_M = x.T @ d_pre
    return d_M, d_N


def contrastive(M, N, xa, xb, same):
    ha, ea = embed(xa, M, N)
    hb, eb = embed(xb, M, N)
    v = ea - eb
    dist = np.sqrt((v ** 2).sum(axis=1))
    gap = np.maximum(MARGIN - dist, 0)
    loss = (same * dist ** 2 + (1 - same) * gap ** 2).mean()

    P = len(same)
    d_dist = (2 * same * dist - 2 * (1 - same) * gap) / P
    d_v = d_dist[:, None] * v / dist[:, None]
    d_ea = d_v
    d_eb = -d_v
    Ma, Na = grads_of_embed(xa, ha, N, d_ea)
    Mb, Nb = grads_of_embed(xb, hb, N, d_eb)
    d_M = Ma + Mb
    d_N = Na + Nb
    return loss, (d_M, d_N)


# Cases
from tests.derivations.planting import Mistake, Right
from tests.derivations.truth import call


def problem(user, rng):
    P, I, H, E = 7, 3, 5, 2
    xa, xb = rng.normal(size=(P, I)), rng.normal(size=(P, I))
    same = np.array([1, 0, 1, 0, 0, 1, 0])
    xb[[1, 3]] = xa[[1, 3]] + 0.2 * rng.normal(size=(2, I))  # others nearer than the margin, and some far beyond it
    xb[[4, 6]] *= 10
    return call(user.contrastive, rng.normal(size=(I, H)), rng.normal(size=(H, E)), xa, xb, same, wrt=("M", "N"))


import numpy as np

RIGHT = [
    Right("d_v = d_dist[:, None] * v / dist[:, None]", "d_v = (d_dist / dist).reshape(-1, 1) * v"),
    Right("    d_M = Ma + Mb\n    d_N = Na + Nb\n", "    d_M, d_N = (np.add(*pair) for pair in ((Ma, Mb), (Na, Nb)))\n"),
    Right("np.sqrt((v ** 2).sum(axis=1))", "np.linalg.norm(v, axis=1)"),
    Right("    d_eb = -d_v\n", "    d_eb = d_v * -1\n"),
    Right("dtanh = lambda a: 1 - a ** 2", "def dtanh(a):\n    return (1 - a) * (1 + a)"),
]

MISTAKES = [
    Mistake("missing-branch", "d_M", "d_M = Ma + Mb", "d_M = Ma"),
    Mistake("missing-branch", "d_N", "d_N = Na + Nb", "d_N = Nb"),
    Mistake("sign", "d_eb", "d_eb = -d_v", "d_eb = d_v"),
    Mistake("accumulated-twice", "d_M", "d_M = Ma + Mb", "d_M = Ma + Mb + Mb"),
    Mistake("sign", "d_dist", "2 * same * dist - 2 *", "2 * same * dist + 2 *"),
    Mistake(("missing-branch", "missing-target", "wrong-loss-derivative"), "d_dist", "(2 * same * dist - 2 * (1 - same) * gap)", "(2 * same * dist)"),
    Mistake("factor-half", ("d_dist", "loss"), "(2 * same * dist - 2 * (1 - same) * gap) / P", "(same * dist - (1 - same) * gap) / P"),
    Mistake("factor-N", ("d_dist", "loss"), "* gap) / P", "* gap)"),
    Mistake(("missing-target", "wrong-loss-derivative", None), "d_dist", "2 * same * dist - 2 * (1 - same) * gap", "2 * dist - 2 * gap"),
    Mistake(("missing-weight-factor", "wrong-local-derivative", None), "d_v", "v / dist[:, None]", "v"),
    Mistake("wrong-tensor-in-weight-gradient", ("Mb", "Nb", "(Mb, Nb)"), "grads_of_embed(xb, hb, N, d_eb)", "grads_of_embed(xa, hb, N, d_eb)"),
    Mistake(("wrong-tensor-in-weight-gradient", "forward-differs", "stale-forward-values", None), ("Mb", "Nb", "(Mb, Nb)", "d_N", "d_pre"), "grads_of_embed(xb, hb, N, d_eb)", "grads_of_embed(xb, ha, N, d_eb)"),
    Mistake(("wrong-tensor-in-delta", "sign", None), ("Mb", "Nb", "(Mb, Nb)"), "grads_of_embed(xb, hb, N, d_eb)", "grads_of_embed(xb, hb, N, d_ea)"),
    Mistake("missing-activation-derivative", ("d_pre", "Ma"), "d_pre = (d_e @ N.T) * dtanh(h)", "d_pre = d_e @ N.T"),
    Mistake("wrong-local-derivative", ("d_pre", "dtanh"), "dtanh = lambda a: 1 - a ** 2", "dtanh = lambda a: 1 - a"),
    Mistake("wrong-local-derivative", ("d_pre", "dtanh"), "dtanh = lambda a: 1 - a ** 2", "dtanh = lambda a: 1 + a ** 2"),
    Mistake("accidental-broadcast", "loss", "(same * dist ** 2 + (1 - same) * gap ** 2).mean()", "(same[:, None] * dist ** 2 + (1 - same) * gap ** 2).mean()"),
    Mistake("aliasing", ("d_eb", "d_ea"), "    d_eb = -d_v\n", "    d_eb = d_v\n    d_eb *= -1\n"),
    Mistake("detached-branch", ("d_eb", "Mb"), "    d_eb = -d_v\n", "    d_eb = np.zeros_like(d_v)\n"),
    Mistake("relu-mask-inverted", ("gap", "d_dist"), "    d_dist = (2 * same * dist - 2 * (1 - same) * gap) / P\n", "    d_dist = (2 * same * dist - 2 * (1 - same) * (MARGIN - dist) * (MARGIN < dist)) / P\n"),
    Mistake(("wrong-local-derivative", None), "d_dist", "    d_dist = (2 * same * dist - 2 * (1 - same) * gap) / P\n", "    d_dist = (2 * same * dist - 2 * (1 - same) * (MARGIN - dist)) / P\n"),
]
