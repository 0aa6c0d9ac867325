"""Мини-свёрточная сеть на numpy (домашка №4, «значки»): у картинки может быть сразу несколько меток.

свёртка 3x3 -> relu -> свёртка 2x2 -> leaky relu -> максимум по каждой строке -> линейный слой -> логистические потери
Свёртки через im2col, картинки в порядке (N, C, H, W).
"""

import numpy as np

SLOPE = 0.1


def im2col(x, k):
    """(N, C, H, W) -> (N, число окон, C*k*k)"""
    N, C, H, W = x.shape
    okna = []
    for i in range(H - k + 1):
        for j in range(W - k + 1):
            okna.append(x[:, :, i:i + k, j:j + k].reshape(N, -1))
    return np.stack(okna, axis=1)


def col2im(dcols, shape, k):
    """Обратно: каждое окно прибавляет свой вклад."""
    N, C, H, W = shape
    dx = np.zeros(shape)
    p = 0
    for i in range(H - k + 1):
        for j in range(W - k + 1):
            dx[:, :, i:i + k, j:j + k] += dcols[:, p].reshape(N, C, k, k)
            p += 1
    return dx


def sigmoid(t):
    return 1.0 / (1.0 + np.exp(-t))


def conv_weight_grad(dz, cols, shape):
    dz_flat = dz.reshape(-1, dz.shape[-1])
    cols_flat = cols.reshape(-1, cols.shape[-1])
    return (dz_flat.T @ cols_flat).reshape(shape)


def shag(kartinki, metki, w1, b1, w2, b2, wf, bf):
    N, _, H, W = kartinki.shape
    F1, F2 = w1.shape[0], w2.shape[0]

    # прямой проход
    cols1 = im2col(kartinki, 3)
    z1 = cols1 @ w1.reshape(F1, -1).T + b1
    a1 = np.maximum(z1, 0)
    karta = a1.transpose(0, 2, 1).reshape(N, F1, H - 2, W - 2)
    cols2 = im2col(karta, 2)
    z2 = cols2 @ w2.reshape(F2, -1).T + b2
    a2 = np.where(z2 > 0, z2, SLOPE * z2)
    stroki = a2.reshape(N, H - 3, W - 3, F2)
    gde = stroki.argmax(axis=2)
    priznaki = stroki.max(axis=2).reshape(N, -1)
    logit = priznaki @ wf + bf
    poteri = np.sum(np.logaddexp(0, logit) - metki * logit) / N

    # обратный проход
    dlogit = (sigmoid(logit) - metki) / N
    dwf = priznaki.T @ dlogit
    dbf = dlogit.sum(axis=0)
    dpriznaki = (dlogit @ wf.T).reshape(gde.shape)
    dstroki = np.zeros_like(stroki)
    for n in range(N):
        for i in range(H - 3):
            for f in range(F2):
                dstroki[n, i, gde[n, i, f], f] = dpriznaki[n, i, f]
    da2 = dstroki.reshape(a2.shape)
    dz2 = da2 * np.where(z2 > 0, 1, SLOPE)
    dw2 = conv_weight_grad(dz2, cols2, w2.shape)
    db2 = dz2.sum(axis=(0, 1))
    dcols2 = dz2 @ w2.reshape(F2, -1)
    dkarta = col2im(dcols2, karta.shape, 2)
    da1 = dkarta.reshape(N, F1, -1).transpose(0, 2, 1)
    dz1 = da1 * (z1 > 0)
    dw1 = conv_weight_grad(dz1, cols1, w1.shape)
    db1 = dz1.sum(axis=(0, 1))
    return poteri, {"w1": dw1, "b1": db1, "w2": dw2, "b2": db2, "wf": dwf, "bf": dbf}


# Cases
from tests.derivations.planting import Mistake, Right
from tests.derivations.truth import call


def problem(user, rng):
    N, C, H, W, F1, F2, K = 3, 2, 7, 6, 4, 5, 8
    kartinki, metki = rng.normal(size=(N, C, H, W)), (rng.uniform(size=(N, K)) < 0.4).astype(float)
    w1, b1 = 0.4 * rng.normal(size=(F1, C, 3, 3)), 0.3 * rng.normal(size=F1)
    w2, b2 = 0.4 * rng.normal(size=(F2, F1, 2, 2)), rng.normal(size=F2) - 1
    return call(user.shag, kartinki, metki, w1, b1, w2, b2, 0.6 * rng.normal(size=((H - 3) * F2, K)), rng.normal(size=K))


RIGHT = [
    Right("    dlogit = (sigmoid(logit) - metki) / N\n", "    dlogit = (np.where(metki == 1, -sigmoid(-logit), sigmoid(logit))) / N\n"),
    Right(
        "    dstroki = np.zeros_like(stroki)\n    for n in range(N):\n        for i in range(H - 3):\n            for f in range(F2):\n                dstroki[n, i, gde[n, i, f], f] = dpriznaki[n, i, f]\n    da2 = dstroki.reshape(a2.shape)\n",
        "    dstroki = (stroki == stroki.max(axis=2, keepdims=True)) * dpriznaki[:, :, None]\n    da2 = dstroki.reshape(N, -1, F2)\n",
    ),
    Right(
        "    return (dz_flat.T @ cols_flat).reshape(shape)\n",
        "    dw = np.zeros((dz_flat.shape[1], cols_flat.shape[1]))\n    for stroka, okno in zip(dz_flat, cols_flat):\n        dw += np.outer(stroka, okno)\n    return dw.reshape(shape)\n",
    ),
    Right(
        "    dcols2 = dz2 @ w2.reshape(F2, -1)\n    dkarta = col2im(dcols2, karta.shape, 2)\n",
        "    dkarta = np.zeros_like(karta)\n    dz2_karta = dz2.transpose(0, 2, 1).reshape(N, F2, H - 3, W - 3)\n    for u in range(2):\n        for v in range(2):\n            dkarta[:, :, u:u + H - 3, v:v + W - 3] += np.einsum('nfij,fc->ncij', dz2_karta, w2[:, :, u, v])\n",
    ),
    Right("    dz1 = da1 * (z1 > 0)\n", "    dz1 = da1.copy()\n    dz1[a1 <= 0] = 0\n"),
]

DZ2 = "    dz2 = da2 * np.where(z2 > 0, 1, SLOPE)\n"
DW = ("return", "conv_weight_grad", "dw2")
COL = ("dx", "dx[:, :, i:i + k, j:j + k]", "return", "col2im", "dkarta")
PUT = ("dstroki", "dstroki[n, i, gde[n, i, f], f]")

MISTAKES = [
    Mistake("overwritten-not-accumulated", COL, "            dx[:, :, i:i + k, j:j + k] += dcols", "            dx[:, :, i:i + k, j:j + k] = dcols"),
    Mistake(("off-by-one-index", "overwritten-not-accumulated", "missing-branch", None), (*COL, "p"), "            p += 1\n", "        p += 1\n"),
    Mistake(("off-by-one-index", "wrong-tensor-in-delta", None), (*COL, "dx[:, :, j:j + k, i:i + k]"), "    N, C, H, W = shape\n    dx = np.zeros(shape)\n    p = 0\n    for i in range(H - k + 1):\n        for j in range(W - k + 1):\n", "    N, C, H, W = shape\n    dx = np.zeros(shape)\n    p = 0\n    for j in range(W - k + 1):\n        for i in range(H - k + 1):\n", fix=False),
    Mistake(("off-by-one-index", "missing-branch", None), COL, "    p = 0\n    for i in range(H - k + 1):\n        for j in range(W - k + 1):\n", "    p = 0\n    for i in range(H - k):\n        for j in range(W - k + 1):\n"),
    Mistake(("wrong-shape", "gradient-transposed", "off-by-one-index", None), "da1", "da1 = dkarta.reshape(N, F1, -1).transpose(0, 2, 1)", "da1 = dkarta.reshape(N, -1, F1)"),
    Mistake("relu-mask-inverted", "dz1", "dz1 = da1 * (z1 > 0)", "dz1 = da1 * (z1 <= 0)"),
    Mistake(("missing-activation-derivative", "skipped-layer"), "dz1", "dz1 = da1 * (z1 > 0)", "dz1 = da1"),
    Mistake("relu-mask-from-wrong-tensor", "dz1", "dz1 = da1 * (z1 > 0)", "dz1 = da1 * (da1 > 0)"),
    Mistake(("derivative-of-another-activation", "wrong-local-derivative", None), "dz2", DZ2, "    dz2 = da2 * (z2 > 0)\n"),
    Mistake(("wrong-local-derivative", "derivative-of-another-activation", "activation-derivative-at-activation", None), "dz2", DZ2, "    dz2 = da2 * np.where(z2 > 0, z2, SLOPE)\n"),
    Mistake(("relu-mask-inverted", "wrong-local-derivative"), "dz2", DZ2, "    dz2 = da2 * np.where(z2 > 0, SLOPE, 1)\n"),
    Mistake(("missing-activation-derivative", "wrong-tensor-in-delta", "skipped-layer"), "dcols2", "dcols2 = dz2 @ w2.reshape(F2, -1)", "dcols2 = da2 @ w2.reshape(F2, -1)"),
    Mistake(("missing-activation-derivative", "wrong-tensor-in-weight-gradient", "wrong-tensor-in-delta"), "dw2", "dw2 = conv_weight_grad(dz2, cols2, w2.shape)", "dw2 = conv_weight_grad(da2, cols2, w2.shape)"),
    Mistake(("off-by-one-index", "wrong-shape", "gradient-transposed", None), "dw2", "dw2 = conv_weight_grad(dz2, cols2, w2.shape)", "dw2 = conv_weight_grad(dz2, cols2, w2.shape)[:, :, ::-1, ::-1]"),
    Mistake(("wrong-shape", "gradient-transposed"), DW, "(dz_flat.T @ cols_flat).reshape(shape)", "(cols_flat.T @ dz_flat).reshape(shape)"),
    Mistake(("bias-wrong-axis", "factor-const", "factor-1/N", "reduced-too-early", None), "db1", "db1 = dz1.sum(axis=(0, 1))", "db1 = dz1.mean(axis=1).sum(axis=0)"),
    Mistake(("missing-activation-derivative", "wrong-tensor-in-delta", "skipped-layer", None), "db2", "db2 = dz2.sum(axis=(0, 1))", "db2 = da2.sum(axis=(0, 1))"),
    Mistake(("off-by-one-index", "overwritten-not-accumulated", "missing-branch", "wrong-tensor-in-delta", None), ("dstroki", "dstroki[n, i, gde[n, i], f]"), "dstroki[n, i, gde[n, i, f], f] = dpriznaki[n, i, f]", "dstroki[n, i, gde[n, i], f] = dpriznaki[n, i, f]"),
    Mistake(("accidental-broadcast", "wrong-tensor-in-delta", "missing-branch", "wrong-local-derivative", "missing-activation-derivative", None), "dstroki", "    dstroki = np.zeros_like(stroki)\n    for n in range(N):\n        for i in range(H - 3):\n            for f in range(F2):\n                dstroki[n, i, gde[n, i, f], f] = dpriznaki[n, i, f]\n", "    dstroki = np.zeros_like(stroki) + dpriznaki[:, :, None]\n", fix=False),
    Mistake(("factor-K", "factor-const"), ("poteri", "dlogit"), "poteri = np.sum(np.logaddexp(0, logit) - metki * logit) / N", "poteri = np.mean(np.logaddexp(0, logit) - metki * logit)"),
    Mistake(("missing-target", "wrong-loss-derivative"), "dlogit", "dlogit = (sigmoid(logit) - metki) / N", "dlogit = sigmoid(logit) / N"),
    Mistake("integer-dtype", PUT, "    dstroki = np.zeros_like(stroki)\n", "    dstroki = np.zeros_like(gde, shape=stroki.shape)\n"),
]
