"""A variational autoencoder in letters: the noise e is given, flow() is the way forward, neg_elbo and its gradient apart."""

from types import SimpleNamespace

import numpy as np


def flow(A, a, M, S, C, c, D, d, x, e):
    h = np.tanh(x @ A + a)          # encoder
    m = h @ M                       # mean
    s = h @ S                       # log of the variance
    z = m + np.exp(s / 2) * e       # reparametrised
    k = np.tanh(z @ C + c)          # decoder
    o = k @ D + d                   # logits
    p = 1 / (1 + np.exp(-o))
    return SimpleNamespace(h=h, m=m, s=s, z=z, k=k, o=o, p=p)


def neg_elbo(A, a, M, S, C, c, D, d, x, e):
    f = flow(A, a, M, S, C, c, D, d, x, e)
    rec = np.sum(np.logaddexp(0, f.o) - x * f.o)
    kl = -0.5 * np.sum(1 + f.s - f.m ** 2 - np.exp(f.s))
    return (rec + kl) / len(x)


def neg_elbo_prime(A, a, M, S, C, c, D, d, x, e):
    f = flow(A, a, M, S, C, c, D, d, x, e)
    n = len(x)

    go = (f.p - x) / n
    gD = f.k.T @ go
    gd = go.sum(0)
    gk = go @ D.T * (1 - f.k ** 2)
    gC = f.z.T @ gk
    gc = gk.sum(0)
    gz = gk @ C.T

    gm = gz + f.m / n
    gs = gz * e * np.exp(f.s / 2) / 2 + (np.exp(f.s) - 1) / (2 * n)
    gM = f.h.T @ gm
    gS = f.h.T @ gs
    gh = gm @ M.T + gs @ S.T
    gu = gh * (1 - f.h ** 2)
    gA = x.T @ gu
    ga = gu.sum(0)
    return gA, ga, gM, gS, gC, gc, gD, gd


# Cases
from tests.derivations.planting import Mistake, Right
from tests.derivations.truth import call


def problem(user, rng):
    n, X, H, Z, K = 11, 7, 5, 2, 3
    shapes = (X, H), H, (H, Z), (H, Z), (Z, K), K, (K, X), X
    weights = [0.7 * rng.normal(size=shape) for shape in shapes]
    return call(
        user.neg_elbo, *weights, rng.uniform(0, 1, size=(n, X)), rng.normal(size=(n, Z)),
        by_hand=user.neg_elbo_prime, wrt=("A", "a", "M", "S", "C", "c", "D", "d"),
    )


import numpy as np

RIGHT = [
    Right("    gs = gz * e * np.exp(f.s / 2) / 2 + (np.exp(f.s) - 1) / (2 * n)\n", "    gs = gz * (f.z - f.m) / 2 + np.expm1(f.s) / n / 2\n"),
    Right("    gs = gz * e * np.exp(f.s / 2) / 2 + (np.exp(f.s) - 1) / (2 * n)\n", "    sd = np.exp(f.s / 2)\n    gsd = gz * e + (sd - 1 / sd) / n   # by the standard deviation, then back to its logarithm\n    gs = gsd * sd / 2\n"),
    Right("    go = (f.p - x) / n\n", "    gp = (-x / f.p + (1 - x) / (1 - f.p)) / n\n    go = gp * f.p * (1 - f.p)\n"),
    Right("    kl = -0.5 * np.sum(1 + f.s - f.m ** 2 - np.exp(f.s))\n", "    v = np.exp(f.s)\n    kl = np.sum(f.m ** 2 + v - np.log(v) - 1) / 2\n"),
    Right("    gM = f.h.T @ gm\n    gS = f.h.T @ gs\n    gh = gm @ M.T + gs @ S.T\n", "    gM, gS = np.hsplit(f.h.T @ np.hstack([gm, gs]), 2)\n    gh = np.hstack([gm, gs]) @ np.hstack([M, S]).T\n"),
    Right("    gm = gz + f.m / n\n", "    gm = gz.copy()\n    gm += f.m / n\n"),
]

LOSS = ("neg_elbo", "rec", "return")

MISTAKES = [
    Mistake(("missing-branch", "detached-branch", "regulariser-forgotten"), ("gs", "kl"), "np.exp(f.s / 2) / 2 + (np.exp(f.s) - 1) / (2 * n)", "np.exp(f.s / 2) / 2"),
    Mistake(("missing-branch", "detached-branch"), "gs", "gz * e * np.exp(f.s / 2) / 2 + (np.exp(f.s) - 1) / (2 * n)", "(np.exp(f.s) - 1) / (2 * n)"),
    Mistake(("missing-branch", "detached-branch", "regulariser-forgotten"), "gm", "gm = gz + f.m / n", "gm = gz"),
    Mistake("missing-branch", "gh", "gh = gm @ M.T + gs @ S.T", "gh = gm @ M.T"),
    Mistake(("wrong-tensor-in-delta", "accumulated-twice", None), "gh", "gm @ M.T + gs @ S.T", "gm @ M.T + gs @ M.T"),
    Mistake(("missing-weight-factor", "missing-branch", None), "gs", "gz * e * np.exp(f.s / 2) / 2", "gz * np.exp(f.s / 2) / 2"),
    Mistake(("wrong-local-derivative", "factor-2", None), "gs", "np.exp(f.s / 2) / 2 + (", "np.exp(f.s / 2) + ("),
    Mistake(("wrong-local-derivative", None), ("gs", "kl"), "(np.exp(f.s) - 1) / (2 * n)", "(f.s - 1) / (2 * n)"),
    Mistake(("wrong-local-derivative", None), ("gs", "kl"), "(np.exp(f.s) - 1) / (2 * n)", "(f.s ** 2 - 1) / (2 * n)"),
    Mistake(("sign", None), ("gs", "kl"), "(np.exp(f.s) - 1) / (2 * n)", "(1 - np.exp(f.s)) / (2 * n)"),
    Mistake(("regulariser-scale", "factor-N", "missing-weight-factor", None), ("gm",), "gm = gz + f.m / n", "gm = gz + f.m"),
    Mistake(("factor-2", "wrong-local-derivative", "regulariser-scale", None), ("gm", "kl"), "gm = gz + f.m / n", "gm = gz + 2 * f.m / n"),
    Mistake(("factor-N", None), ("go", *LOSS, "kl"), "    go = (f.p - x) / n\n", "    go = f.p - x\n"),
    Mistake(("missing-target",), ("go", *LOSS), "go = (f.p - x) / n", "go = f.p / n"),
    Mistake("activation-derivative-twice", ("go", *LOSS), "go = (f.p - x) / n", "go = (f.p - x) * f.p * (1 - f.p) / n"),
    Mistake("wrong-loss-derivative", ("go", *LOSS), "go = (f.p - x) / n", "go = (np.sign(f.p - x)) / n"),
    Mistake("factor-K", ("go", *LOSS), "    return (rec + kl) / len(x)\n", "    return (rec + kl) / x.size\n"),
    Mistake(("wrong-tensor-in-delta", "stale-forward-values", "forward-differs", None), ("z", "gC", "gs", "f", "flow", "f.z"), "    f = flow(A, a, M, S, C, c, D, d, x, e)\n    n = len(x)\n", "    e = e - e.mean(0)\n    f = flow(A, a, M, S, C, c, D, d, x, e)\n    n = len(x)\n", fix=False),
    Mistake("wrong-tensor-in-weight-gradient", "gC", "gC = f.z.T @ gk", "gC = f.m.T @ gk"),
    Mistake("activation-derivative-at-activation", "gu", "gu = gh * (1 - f.h ** 2)", "gu = gh / np.cosh(f.h) ** 2"),
    Mistake("derivative-of-another-activation", "gk", "(1 - f.k ** 2)", "(f.k > 0)"),
    Mistake("missing-activation-derivative", "gu", "gu = gh * (1 - f.h ** 2)", "gu = gh"),
    Mistake("updated-weights", ("gz", "C"), "    gz = gk @ C.T\n", "    C = C - 0.1 * gC\n    gz = gk @ C.T\n"),
    Mistake(("wrong-tensor-in-delta", "updated-weights", "missing-weight-factor"), "gz", "gz = gk @ C.T", "gz = gk @ gC.T"),
    Mistake("bias-wrong-axis", "gc", "gc = gk.sum(0)", "gc = gk.sum()"),
    Mistake("aliasing", ("gm", "gs", "gz"), "    gm = gz + f.m / n\n", "    gm = gz\n    gm += f.m / n\n"),
    Mistake(None, "gs", "gz * e * np.exp(f.s / 2) / 2 + (np.exp(f.s) - 1) / (2 * n)", "gz * e + f.s * f.m / n", fix=False),
]
