"""
Yüksek lisans ödevi 2 - seyrek, gürültü gideren, ağırlıkları bağlı (tied) otokodlayıcı

MATLAB ödevinden numpy'a çevirdim. Her SÜTUN bir örnek: veri n x m.
Bütün parametreler tek bir theta vektöründe (minFunc alışkanlığı, scipy.optimize da öyle istiyor).

    kodlayıcı   n -> g1 -> g2     (sigmoid)
    çözücü      g2 -> g1 -> n     aynı ağırlıkların devriği, kendi sapmaları
    maliyet     çapraz entropi + (lamda/2) ||W||^2 + beta * KL(rho || rho_sapka)   (KL yalnız g2 katmanında)
"""
import numpy as np


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def ac(theta, boyut):
    """theta vektöründen matrisleri çıkar"""
    n, g1, g2 = boyut
    sekiller = [(g1, n), (g2, g1), (g1, 1), (g2, 1), (g1, 1), (n, 1)]
    parcalar, bas = [], 0
    for s in sekiller:
        uzunluk = s[0] * s[1]
        parcalar.append(theta[bas:bas + uzunluk].reshape(s))
        bas += uzunluk
    return parcalar


def ileri(theta, boyut, gurultulu):
    W1, W2, b1, b2, c1, c2 = ac(theta, boyut)
    a1 = sigmoid(W1 @ gurultulu + b1)
    a2 = sigmoid(W2 @ a1 + b2)
    a3 = sigmoid(W2.T @ a2 + c1)
    cikti = sigmoid(W1.T @ a3 + c2)
    return a1, a2, a3, cikti


def maliyet(theta, boyut, temiz, gurultulu, lamda=0.05, beta=0.4, rho=0.2):
    W1, W2 = ac(theta, boyut)[:2]
    m = temiz.shape[1]
    a1, a2, a3, cikti = ileri(theta, boyut, gurultulu)
    entropi = -np.sum(temiz * np.log(cikti) + (1 - temiz) * np.log(1 - cikti)) / m
    rho_s = np.mean(a2, axis=1)
    kl = np.sum(rho * np.log(rho / rho_s) + (1 - rho) * np.log((1 - rho) / (1 - rho_s)))
    ceza = lamda / 2 * (np.sum(W1 ** 2) + np.sum(W2 ** 2))
    return entropi + ceza + beta * kl


def turev(theta, boyut, temiz, gurultulu, lamda=0.05, beta=0.4, rho=0.2):
    W1, W2, b1, b2, c1, c2 = ac(theta, boyut)
    m = temiz.shape[1]
    a1, a2, a3, cikti = ileri(theta, boyut, gurultulu)

    # çıkış katmanı
    d4 = (cikti - temiz) / m
    c2_t = d4.sum(axis=1, keepdims=True)
    # çözücünün gizli katmanı
    d3 = (W1 @ d4) * a3 * (1 - a3)
    c1_t = d3.sum(axis=1, keepdims=True)
    # kod katmanı: seyreklik cezası da buradan giriyor
    rho_s = np.mean(a2, axis=1, keepdims=True)
    seyreklik = beta * (-rho / rho_s + (1 - rho) / (1 - rho_s)) / m
    d2 = (W2 @ d3 + seyreklik) * a2 * (1 - a2)
    b2_t = d2.sum(axis=1, keepdims=True)
    # ilk gizli katman
    d1 = (W2.T @ d2) * a1 * (1 - a1)
    b1_t = d1.sum(axis=1, keepdims=True)

    # bağlı ağırlıklar: kodlayıcıdan gelen + çözücüden gelen
    W2_t = d2 @ a1.T + a2 @ d3.T + lamda * W2
    W1_t = d1 @ gurultulu.T + a3 @ d4.T + lamda * W1

    return np.concatenate([t.ravel() for t in (W1_t, W2_t, b1_t, b2_t, c1_t, c2_t)])


# Cases
from tests.derivations.planting import Mistake, Right
from tests.derivations.truth import call


def problem(user, rng):
    n, g1, g2, m = 6, 4, 3, 5
    temiz = rng.uniform(0.05, 0.95, size=(n, m))
    gurultulu = temiz * (rng.uniform(size=(n, m)) > 0.25)
    theta = 0.9 * rng.normal(size=g1 * n + g2 * g1 + 2 * g1 + g2 + n)
    return call(user.maliyet, theta, (n, g1, g2), temiz, gurultulu, by_hand=user.turev, wrt=("theta",))


RIGHT = [
    Right(
        "    d4 = (cikti - temiz) / m\n",
        "    d_cikti = (cikti - temiz) / (cikti * (1 - cikti))\n    d4 = d_cikti * cikti * (1 - cikti) / m\n",
    ),
    Right(
        "    seyreklik = beta * (-rho / rho_s + (1 - rho) / (1 - rho_s)) / m\n    d2 = (W2 @ d3 + seyreklik) * a2 * (1 - a2)\n",
        "    seyreklik = beta * (rho_s - rho) / (rho_s * (1 - rho_s)) * np.ones((1, m)) / m\n    d2 = np.multiply(W2.dot(d3) + seyreklik, a2 - a2 ** 2)\n",
    ),
    Right(
        "    W2_t = d2 @ a1.T + a2 @ d3.T + lamda * W2\n    W1_t = d1 @ gurultulu.T + a3 @ d4.T + lamda * W1\n",
        "    W1_t = lamda * W1\n    W2_t = lamda * W2\n    for i in range(m):      # örnek örnek topla\n        W1_t += np.outer(d1[:, i], gurultulu[:, i]) + np.outer(a3[:, i], d4[:, i])\n        W2_t += np.outer(d2[:, i], a1[:, i]) + np.outer(a2[:, i], d3[:, i])\n",
    ),
    Right(
        "    d3 = (W1 @ d4) * a3 * (1 - a3)\n    c1_t = d3.sum(axis=1, keepdims=True)\n",
        "    d3 = -(d4.T @ W1.T).T * a3 * (a3 - 1)\n    c1_t = d3 @ np.ones((m, 1))\n",
    ),
    Right(
        "    return np.concatenate([t.ravel() for t in (W1_t, W2_t, b1_t, b2_t, c1_t, c2_t)])\n",
        "    grad = np.empty_like(theta)\n    for hedef, t in zip(ac(grad, boyut), (W1_t, W2_t, b1_t, b2_t, c1_t, c2_t)):\n        hedef[...] = t\n    return grad\n",
    ),
]

D4 = "    d4 = (cikti - temiz) / m\n"
D3 = "    d3 = (W1 @ d4) * a3 * (1 - a3)\n"
D2 = "    d2 = (W2 @ d3 + seyreklik) * a2 * (1 - a2)\n"
D1 = "    d1 = (W2.T @ d2) * a1 * (1 - a1)\n"
S = "    seyreklik = beta * (-rho / rho_s + (1 - rho) / (1 - rho_s)) / m\n"
W2T = "    W2_t = d2 @ a1.T + a2 @ d3.T + lamda * W2\n"
W1T = "    W1_t = d1 @ gurultulu.T + a3 @ d4.T + lamda * W1\n"

MISTAKES = [
    Mistake(("activation-derivative-twice", "wrong-loss-derivative"), "d4", D4, "    d4 = (cikti - temiz) * cikti * (1 - cikti) / m\n"),
    Mistake(("wrong-tensor-in-delta", "wrong-loss-derivative", "missing-target"), "d4", D4, "    d4 = (cikti - gurultulu) / m\n"),
    Mistake(("factor-N", "wrong-loss-derivative"), "d4", D4, "    d4 = cikti - temiz\n"),
    Mistake(("sign", "regulariser-scale"), "seyreklik", S, "    seyreklik = beta * (rho / rho_s - (1 - rho) / (1 - rho_s)) / m\n"),
    Mistake(("factor-N", "regulariser-scale"), "seyreklik", S, "    seyreklik = beta * (-rho / rho_s + (1 - rho) / (1 - rho_s))\n"),
    Mistake(("sign", "wrong-local-derivative", None), ("seyreklik",), S, "    seyreklik = beta * (-rho / rho_s - (1 - rho) / (1 - rho_s)) / m\n"),
    Mistake(("factor-const", "regulariser-scale", "missing-weight-factor", None), ("seyreklik",), S, "    seyreklik = (-rho / rho_s + (1 - rho) / (1 - rho_s)) / m\n"),
    Mistake(("bias-wrong-axis", "wrong-local-derivative", "forward-differs", "reduced-too-early", "stale-forward-values", None), ("rho_s", "seyreklik"), "    rho_s = np.mean(a2, axis=1, keepdims=True)\n", "    rho_s = np.mean(a2, axis=0, keepdims=True)\n"),
    Mistake(("regulariser-forgotten", "missing-branch", "detached-branch"), "d2", D2, "    d2 = (W2 @ d3) * a2 * (1 - a2)\n"),
    Mistake(("missing-activation-derivative", "missing-branch", None), "d2", D2, "    d2 = (W2 @ d3) * a2 * (1 - a2) + seyreklik\n"),
    Mistake(("activation-derivative-at-activation", "wrong-local-derivative", None), "d2", D2, "    d2 = (W2 @ d3 + seyreklik) * sigmoid(a2) * (1 - sigmoid(a2))\n"),
    Mistake(("missing-activation-derivative",), "d3", D3, "    d3 = W1 @ d4\n"),
    Mistake(("activation-derivative-of-wrong-layer", "wrong-tensor-in-delta"), "d3", D3, "    d3 = (W1 @ d4) * a1 * (1 - a1)\n"),
    Mistake(("wrong-local-derivative", None), "d1", D1, "    d1 = (W2.T @ d2) * (1 - a1)\n"),
    Mistake(("wrong-tensor-in-delta", "skipped-layer"), "d1", D1, "    d1 = d3 * a1 * (1 - a1)\n"),
    Mistake(("missing-branch", "detached-branch"), "W1_t", W1T, "    W1_t = d1 @ gurultulu.T + lamda * W1\n"),
    Mistake(("missing-branch", "detached-branch"), "W2_t", W2T, "    W2_t = a2 @ d3.T + lamda * W2\n"),
    Mistake(("wrong-tensor-in-weight-gradient",), "W1_t", W1T, "    W1_t = d1 @ temiz.T + a3 @ d4.T + lamda * W1\n"),
    Mistake(("wrong-tensor-in-weight-gradient",), "W2_t", W2T, "    W2_t = d2 @ a3.T + a2 @ d3.T + lamda * W2\n"),
    Mistake(("regulariser-scale", "factor-2"), ("W2_t",), W2T, "    W2_t = d2 @ a1.T + a2 @ d3.T + 2 * lamda * W2\n"),
    Mistake(("wrong-tensor-in-weight-gradient", "off-by-one-index", None), ("return", "b1_t", "c1_t"), "(W1_t, W2_t, b1_t, b2_t, c1_t, c2_t)])", "(W1_t, W2_t, c1_t, b2_t, b1_t, c2_t)])"),
    Mistake(("gradient-transposed", None), ("return", "W1_t"), "    return np.concatenate([t.ravel() for t in (", "    return np.concatenate([t.ravel(order='F') for t in ("),
    Mistake(("forward-differs", "stale-forward-values", "wrong-tensor-in-weight-gradient", "wrong-tensor-in-delta", None), ("a1", "a2", "a3", "cikti", "(a1, a2, a3, cikti)"), "ileri(theta, boyut, gurultulu)\n\n    # çıkış", "ileri(theta, boyut, temiz)\n\n    # çıkış"),
    Mistake(("factor-1/N", "bias-wrong-axis"), "c1_t", "    c1_t = d3.sum(axis=1, keepdims=True)\n", "    c1_t = d3.mean(axis=1, keepdims=True)\n"),
]
