"""Cijfers lezen met een klein CNN: twee convoluties (im2col), tanh, max-pooling van 2 bij 2, dan een volle laag."""

import numpy as np


def im2col(x, kh, kb):
    n, c, h, b = x.shape
    uh, ub = h - kh + 1, b - kb + 1
    kolommen = np.zeros((n, uh, ub, c, kh, kb))
    for i in range(kh):
        for j in range(kb):
            kolommen[:, :, :, :, i, j] = x[:, :, i : i + uh, j : j + ub].transpose(0, 2, 3, 1)
    return kolommen.reshape(n * uh * ub, c * kh * kb)


def col2im(kolommen, vorm, kh, kb):
    n, c, h, b = vorm
    uh, ub = h - kh + 1, b - kb + 1
    kolommen = kolommen.reshape(n, uh, ub, c, kh, kb)
    x = np.zeros(vorm)
    for i in range(kh):
        for j in range(kb):
            x[:, :, i : i + uh, j : j + ub] += kolommen[:, :, :, :, i, j].transpose(0, 3, 1, 2)
    return x


def conv_vooruit(x, filters, drempel):
    n, _, h, b = x.shape
    k, _, kh, kb = filters.shape
    kolommen = im2col(x, kh, kb)
    uit = kolommen @ filters.reshape(k, -1).T + drempel
    uit = uit.reshape(n, h - kh + 1, b - kb + 1, k).transpose(0, 3, 1, 2)
    return uit, kolommen


def conv_terug(d_uit, kolommen, vorm, filters):
    k, _, kh, kb = filters.shape
    d_plat = d_uit.transpose(0, 2, 3, 1).reshape(-1, k)
    d_filters = (d_plat.T @ kolommen).reshape(filters.shape)
    d_drempel = d_plat.sum(axis=0)
    d_kolommen = d_plat @ filters.reshape(k, -1)
    d_x = col2im(d_kolommen, vorm, kh, kb)
    return d_x, d_filters, d_drempel


def pool_vooruit(x):
    n, k, h, b = x.shape
    blokken = x.reshape(n, k, h // 2, 2, b // 2, 2)
    return blokken.max(axis=(3, 5)), blokken


def pool_terug(d_uit, uit, blokken):
    grootste = blokken == uit[:, :, :, None, :, None]
    d_blokken = grootste * d_uit[:, :, :, None, :, None]
    n, k, h, _, b, _ = blokken.shape
    return d_blokken.reshape(n, k, 2 * h, 2 * b)


def stap(f1, t1, f2, t2, w, t3, beelden, labels):
    aantal = len(beelden)
    c1, kol1 = conv_vooruit(beelden, f1, t1)
    a1 = np.tanh(c1)
    c2, kol2 = conv_vooruit(a1, f2, t2)
    p, blokken = pool_vooruit(c2)
    a2 = np.maximum(p, 0)
    plat = a2.reshape(aantal, -1)
    score = plat @ w + t3
    e = np.exp(score - score.max(axis=1)[:, None])
    kans = e / e.sum(axis=1)[:, None]
    verlies = -np.sum(np.log(kans[range(aantal), labels])) / aantal

    juist = np.zeros(kans.shape)
    juist[range(aantal), labels] = 1
    d_score = (kans - juist) / aantal
    d_w = plat.T @ d_score
    d_t3 = d_score.sum(axis=0)
    d_plat = d_score @ w.T
    d_a2 = d_plat.reshape(a2.shape)
    d_p = d_a2 * (a2 > 0)
    d_c2 = pool_terug(d_p, p, blokken)
    d_a1, d_f2, d_t2 = conv_terug(d_c2, kol2, a1.shape, f2)
    d_c1 = d_a1 * (1 - a1 * a1)
    _, d_f1, d_t1 = conv_terug(d_c1, kol1, beelden.shape, f1)
    return verlies, [d_f1, d_t1, d_f2, d_t2, d_w, d_t3]


# Cases
from tests.derivations.planting import Mistake, Right
from tests.derivations.truth import call


def problem(user, rng):
    beelden, labels = rng.normal(size=(3, 2, 6, 9)), rng.integers(0, 5, size=3)
    f1, t1 = 0.5 * rng.normal(size=(3, 2, 2, 2)), 0.5 * rng.normal(size=3)
    f2, t2 = 0.5 * rng.normal(size=(4, 3, 2, 3)), 0.5 * rng.normal(size=4) - 1
    w, t3 = 0.5 * rng.normal(size=(4 * 2 * 3, 5)), rng.normal(size=5)
    return call(user.stap, f1, t1, f2, t2, w, t3, beelden, labels, wrt=("f1", "t1", "f2", "t2", "w", "t3"))


RIGHT = [
    Right("    d_filters = (d_plat.T @ kolommen).reshape(filters.shape)\n    d_drempel = d_plat.sum(axis=0)\n", "    d_filters = np.tensordot(d_plat, kolommen, axes=(0, 0)).reshape(filters.shape)\n    d_drempel = d_uit.sum(axis=(0, 2, 3))\n"),
    Right("    d_p = d_a2 * (a2 > 0)\n    d_c2 = pool_terug(d_p, p, blokken)\n", "    d_c2 = pool_terug(d_a2, p, blokken)  # relu en maximum mogen van plaats wisselen\n    d_c2[c2 <= 0] = 0\n"),
    Right("    d_c1 = d_a1 * (1 - a1 * a1)\n", "    d_c1 = d_a1 / np.cosh(c1) ** 2\n"),
    Right("    d_score = (kans - juist) / aantal\n", "    d_score = (juist - kans) / -aantal\n"),
]

COL2IM = ("x", "x[:, :, i : i + uh, j : j + ub]", "col2im", "d_x", "d_a1", "return", "(d_a1, d_f2, d_t2)")
DF = ("d_filters", "conv_terug", "d_f2", "(d_a1, d_f2, d_t2)", "return")
DT = ("d_drempel", "conv_terug", "d_t2", "(d_a1, d_f2, d_t2)", "return")
POOL = ("d_blokken", "grootste", "pool_terug", "d_c2", "return")

MISTAKES = [
    Mistake("overwritten-not-accumulated", COL2IM, "            x[:, :, i : i + uh, j : j + ub] += kolommen", "            x[:, :, i : i + uh, j : j + ub] = kolommen"),
    Mistake(("off-by-one-index", None), ("x[:, :, i : i + uh, b - ub - j : b - j]", "x", "col2im", "d_x", "d_a1", "return", "(d_a1, d_f2, d_t2)"), "            x[:, :, i : i + uh, j : j + ub] += kolommen", "            x[:, :, i : i + uh, b - ub - j : b - j] += kolommen"),
    Mistake(("off-by-one-index", "missing-branch", "detached-branch", None), COL2IM, "    x = np.zeros(vorm)\n    for i in range(kh):\n", "    x = np.zeros(vorm)\n    for i in range(1, kh):\n"),
    Mistake(("wrong-shape", "gradient-transposed", "wrong-tensor-in-weight-gradient", "wrong-tensor-in-delta", None), ("d_plat", "conv_terug", *DF, "d_drempel", "d_t2"), "    d_plat = d_uit.transpose(0, 2, 3, 1).reshape(-1, k)\n", "    d_plat = d_uit.reshape(-1, k)\n"),
    Mistake(("wrong-shape", "gradient-transposed", None), DF, "(d_plat.T @ kolommen).reshape(filters.shape)", "(kolommen.T @ d_plat).reshape(filters.shape)"),
    Mistake(("factor-const", "factor-1/N", "bias-wrong-axis", None), DT, "    d_drempel = d_plat.sum(axis=0)\n", "    d_drempel = d_plat.mean(axis=0)\n"),
    Mistake(("bias-wrong-axis", "bias-not-reduced", "wrong-shape", None), DT, "    d_drempel = d_plat.sum(axis=0)\n", "    d_drempel = d_uit.sum(axis=(2, 3))\n"),
    Mistake(("weight-not-transposed", None), ("d_kolommen", "d_x", "conv_terug", "d_a1", "(d_a1, d_f2, d_t2)", "return"), "    d_kolommen = d_plat @ filters.reshape(k, -1)\n", "    d_kolommen = d_plat @ filters[:, :, ::-1, ::-1].reshape(k, -1)\n"),
    Mistake(("wrong-local-derivative", "derivative-of-another-activation", None), POOL, "    d_blokken = grootste * d_uit[:, :, :, None, :, None]\n", "    d_blokken = np.ones(blokken.shape) * d_uit[:, :, :, None, :, None] / 4\n"),
    Mistake(("wrong-local-derivative", "missing-activation-derivative", "missing-branch", None), POOL, "    d_blokken = grootste * d_uit[:, :, :, None, :, None]\n", "    d_blokken = np.repeat(np.repeat(d_uit[:, :, :, None, :, None], 2, axis=3), 2, axis=5)\n"),
    Mistake(("relu-mask-from-wrong-tensor", "wrong-local-derivative", None), POOL, "    grootste = blokken == uit[:, :, :, None, :, None]\n", "    grootste = blokken > 0\n"),
    Mistake("missing-activation-derivative", "d_c1", "    d_c1 = d_a1 * (1 - a1 * a1)\n", "    d_c1 = d_a1\n"),
    Mistake("output-form-on-preactivation", "d_c1", "    d_c1 = d_a1 * (1 - a1 * a1)\n", "    d_c1 = d_a1 * (1 - c1 * c1)\n"),
    Mistake(("activation-derivative-at-activation", "wrong-local-derivative"), "d_c1", "    d_c1 = d_a1 * (1 - a1 * a1)\n", "    d_c1 = d_a1 * (1 - np.tanh(a1) ** 2)\n"),
    Mistake(("wrong-local-derivative", "derivative-of-another-activation"), "d_c1", "    d_c1 = d_a1 * (1 - a1 * a1)\n", "    d_c1 = d_a1 * a1 * (1 - a1)\n"),
    Mistake(("missing-activation-derivative", "skipped-layer"), ("d_p", "d_c2"), "    d_p = d_a2 * (a2 > 0)\n", "    d_p = d_a2\n"),
    Mistake(("relu-mask-from-wrong-tensor", "missing-activation-derivative"), "d_p", "    d_p = d_a2 * (a2 > 0)\n", "    d_p = d_a2 * (a2 >= 0)\n"),
    Mistake("sign", "d_score", "    d_score = (kans - juist) / aantal\n", "    d_score = (juist - kans) / aantal\n"),
    Mistake(("factor-N", None), ("d_score", "verlies"), "    d_score = (kans - juist) / aantal\n", "    d_score = kans - juist\n"),
    Mistake(("wrong-tensor-in-weight-gradient", "missing-activation-derivative"), "d_w", "    d_w = plat.T @ d_score\n", "    d_w = p.reshape(aantal, -1).T @ d_score\n"),
]
