"""Sıfır şişmeli Poisson, köy etkileriyle (tez, ek B). Stata sonucu ile karşılaştırmak için skor elle türetildi.

    P(y=0) = pi + (1-pi) exp(-mu),    P(y) = (1-pi) exp(-mu) mu^y / y!   (y > 0)
    log mu = X beta + u[koy] + log maruziyet,   logit pi = Z gamma,   u ~ N(0, s^2)

theta = (beta, gamma, u, log s).  beta'nın sabiti hariç ridge cezası var.  log y! sabit olduğu için atıldı.
"""

import numpy as np

RIDGE = 0.08


def logit_ters(x):
    return 1 / (1 + np.exp(-x))


def parcala(theta, veri):
    p, q, G = veri["X"].shape[1], veri["Z"].shape[1], veri["koy_sayisi"]
    return theta[:p], theta[p:p + q], theta[p + q:p + q + G], theta[-1]


def eksi_loglik(theta, veri):
    beta, gamma, u, log_s = parcala(theta, veri)
    X, Z, y, koy = veri["X"], veri["Z"], veri["y"], veri["koy"]
    n, G = len(y), veri["koy_sayisi"]
    eta = X @ beta + u[koy] + veri["log_maruz"]
    mu = np.exp(eta)
    pi = logit_ters(Z @ gamma)
    s = np.exp(log_s)
    sifir = y == 0
    katki = np.where(sifir, np.log(pi + (1 - pi) * np.exp(-mu)), np.log(1 - pi) + y * eta - mu)
    oncul = -G * log_s - np.sum(u**2) / (2 * s**2)
    return -(katki.sum() + oncul) / n + 0.5 * RIDGE * np.sum(beta[1:] ** 2)


def skor(theta, veri):
    """eksi_loglik'in türevi, theta sırasıyla"""
    beta, gamma, u, log_s = parcala(theta, veri)
    X, Z, y, koy = veri["X"], veri["Z"], veri["y"], veri["koy"]
    n, G = len(y), veri["koy_sayisi"]
    eta = X @ beta + u[koy] + veri["log_maruz"]
    mu = np.exp(eta)
    zeta = Z @ gamma
    pi = logit_ters(zeta)
    s = np.exp(log_s)

    sifir = y == 0
    p0 = pi + (1 - pi) * np.exp(-mu)
    d_eta = np.where(sifir, (1 - pi) * np.exp(-mu) * mu / p0, mu - y)
    d_pi = np.where(sifir, (np.exp(-mu) - 1) / p0, 1 / (1 - pi))
    d_zeta = d_pi * pi * (1 - pi)

    g_beta = X.T @ d_eta / n
    g_beta[1:] += RIDGE * beta[1:]
    g_gamma = Z.T @ d_zeta / n
    g_u = np.bincount(koy, weights=d_eta, minlength=G)
    g_u = (g_u + u / s**2) / n
    g_log_s = (G - np.sum(u**2) / s**2) / n
    return np.concatenate([g_beta, g_gamma, g_u, [g_log_s]])


# Cases
from tests.derivations.planting import Mistake, Right
from tests.derivations.truth import call


def problem(user, rng):
    n, p, q, G = 17, 4, 3, 5
    y = rng.poisson(2.0, size=n) * (rng.uniform(size=n) < 0.7)
    y[:4] = [0, 3, 1, 0]
    X, Z = np.column_stack([np.ones(n), rng.normal(size=(n, p - 1))]), np.column_stack([np.ones(n), rng.normal(size=(n, q - 1))])
    koy = np.concatenate([np.arange(G), rng.integers(0, G, size=n - G)])
    veri = {"X": X, "Z": Z, "y": y, "koy": koy, "koy_sayisi": G, "log_maruz": np.log(rng.uniform(0.5, 2, size=n))}
    theta = np.concatenate([0.5 * rng.normal(size=p), 0.7 * rng.normal(size=q), 0.6 * rng.normal(size=G), [-0.3 + 0.2 * rng.normal()]])
    return call(user.eksi_loglik, theta, veri, by_hand=user.skor, wrt=("theta",))


RIGHT = [
    Right(
        "    d_eta = np.where(sifir, (1 - pi) * np.exp(-mu) * mu / p0, mu - y)\n    d_pi = np.where(sifir, (np.exp(-mu) - 1) / p0, 1 / (1 - pi))\n    d_zeta = d_pi * pi * (1 - pi)\n",
        "    # w: gözlemin yapısal sıfır olma olasılığı (EM'deki E adımı)\n    w = np.where(sifir, pi / p0, 0.0)\n    d_eta = (1 - w) * (mu - y)\n    d_zeta = pi - w\n",
    ),
    Right(
        "    g_u = np.bincount(koy, weights=d_eta, minlength=G)\n    g_u = (g_u + u / s**2) / n\n",
        "    D = np.equal.outer(np.arange(G), koy).astype(float)\n    g_u = (D.dot(d_eta) + u * np.exp(-2 * log_s)) / n\n",
    ),
    Right(
        "    g_beta = X.T @ d_eta / n\n    g_beta[1:] += RIDGE * beta[1:]\n    g_gamma = Z.T @ d_zeta / n\n",
        "    ceza = np.diag([0.0] + [RIDGE] * (len(beta) - 1))\n    g_beta = (X * d_eta[:, None]).mean(axis=0) + ceza @ beta\n    g_gamma = -np.mean(-d_zeta * Z.T, axis=1)\n",
    ),
    Right(
        "    return np.concatenate([g_beta, g_gamma, g_u, [g_log_s]])\n",
        "    g = np.zeros_like(theta)\n    g_b, g_g, g_koy, _ = parcala(g, veri)\n    g_b += g_beta\n    g_g += g_gamma\n    g_koy += g_u\n    g[-1] = g_log_s\n    return g\n",
    ),
]

ETA = "    d_eta = np.where(sifir, (1 - pi) * np.exp(-mu) * mu / p0, mu - y)\n"
PI = "    d_pi = np.where(sifir, (np.exp(-mu) - 1) / p0, 1 / (1 - pi))\n"
ZETA = "    d_zeta = d_pi * pi * (1 - pi)\n"
BIN = "    g_u = np.bincount(koy, weights=d_eta, minlength=G)\n"
RIDGE_AT = ("g_beta", "g_beta[1:]")
SCALE = "    g_log_s = (G - np.sum(u**2) / s**2) / n\n"
ETA2 = '    eta = X @ beta + u[koy] + veri["log_maruz"]\n    mu = np.exp(eta)\n    zeta'

MISTAKES = [
    Mistake(("sign", "wrong-loss-derivative", None), "d_eta", ETA, "    d_eta = np.where(sifir, (1 - pi) * np.exp(-mu) * mu / p0, y - mu)\n"),
    Mistake(("wrong-loss-derivative", "wrong-local-derivative", "missing-activation-derivative", "missing-weight-factor", None), "d_eta", ETA, "    d_eta = np.where(sifir, (1 - pi) * np.exp(-mu) / p0, mu - y)\n"),
    Mistake(("wrong-loss-derivative", "missing-branch", None), "d_eta", ETA, "    d_eta = mu - y\n"),
    Mistake("integer-dtype", ("d_eta", "d_eta[sifir]", "d_eta[~sifir]"), ETA, "    d_eta = np.zeros_like(y)\n    d_eta[sifir] = ((1 - pi) * np.exp(-mu) * mu / p0)[sifir]\n    d_eta[~sifir] = (mu - y)[~sifir]\n"),
    Mistake(("sign", "wrong-loss-derivative", None), "d_pi", PI, "    d_pi = np.where(sifir, (1 - np.exp(-mu)) / p0, 1 / (1 - pi))\n"),
    Mistake(("wrong-loss-derivative", "missing-branch", "wrong-local-derivative", None), "d_pi", PI, "    d_pi = np.where(sifir, -1 / p0, 1 / (1 - pi))\n"),
    Mistake("missing-activation-derivative", "d_zeta", ZETA, "    d_zeta = d_pi\n"),
    Mistake(("output-form-on-preactivation", "wrong-local-derivative"), "d_zeta", ZETA, "    d_zeta = d_pi * zeta * (1 - zeta)\n"),
    Mistake(("activation-derivative-at-activation", "wrong-local-derivative", None), "d_zeta", ZETA, "    d_zeta = d_pi * logit_ters(pi) * (1 - logit_ters(pi))\n"),
    Mistake("regulariser-on-wrong-parameter", RIDGE_AT, "    g_beta[1:] += RIDGE * beta[1:]\n", "    g_beta += RIDGE * beta\n"),
    Mistake("regulariser-forgotten", "g_beta", "    g_beta[1:] += RIDGE * beta[1:]\n", "", fix=False),
    Mistake("regulariser-scale", RIDGE_AT, "    g_beta[1:] += RIDGE * beta[1:]\n", "    g_beta[1:] += RIDGE * beta[1:] / n\n"),
    Mistake(("regulariser-scale", None), ("eksi_loglik", "return", "g_beta", "g_beta[1:]"), "0.5 * RIDGE * np.sum(beta[1:] ** 2)", "RIDGE * np.sum(beta[1:] ** 2)"),
    Mistake(("wrong-tensor-in-weight-gradient", "wrong-tensor-in-delta", None), "g_beta", "g_beta = X.T @ d_eta / n", "g_beta = X.T @ (mu - y) / n"),
    Mistake("factor-N", "g_gamma", "g_gamma = Z.T @ d_zeta / n", "g_gamma = Z.T @ d_zeta"),
    Mistake(("overwritten-not-accumulated", None), ("g_u", "g_u[koy]"), BIN, "    g_u = np.zeros(G)\n    g_u[koy] += d_eta\n"),
    Mistake(("regulariser-forgotten", "missing-branch"), "g_u", "    g_u = (g_u + u / s**2) / n\n", "    g_u = g_u / n\n"),
    Mistake(("regulariser-scale", None), "g_u", "    g_u = (g_u + u / s**2) / n\n", "    g_u = (g_u + u / s) / n\n"),
    Mistake(("missing-branch", "wrong-loss-derivative", "regulariser-forgotten"), "g_log_s", SCALE, "    g_log_s = -np.sum(u**2) / s**2 / n\n"),
    Mistake(("missing-activation-derivative", "wrong-local-derivative", "factor-const", None), "g_log_s", SCALE, "    g_log_s = (G / s - np.sum(u**2) / s**3) / n\n"),
    Mistake(("forward-differs", "stale-forward-values", None), ("eta", "mu"), ETA2, "    eta = X @ beta + u[koy]\n    mu = np.exp(eta)\n    zeta"),
    Mistake(("wrong-shape", "off-by-one-index", "wrong-tensor-in-weight-gradient", None), ("return", "skor"), "np.concatenate([g_beta, g_gamma, g_u, [g_log_s]])", "np.concatenate([g_gamma, g_beta, g_u, [g_log_s]])"),
]
