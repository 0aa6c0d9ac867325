# -*- coding: utf-8 -*-
# Appendice B: gradiente dell'ELBO (cambiata di segno), verificato da noi passo per passo
#
#   q(z|x) = N(mu, diag sigma^2),  ell = log sigma^2,   z = mu + sigma * eps      (L campioni per osservazione)
#   p(x|z) = Bernoulli(logistica(o)),   KL in forma chiusa,  peso beta
#
# teta: dizionario;  x: (N, D) in [0, 1];  eps: (L, N, K)

import numpy as np


def softplus(t):
    return np.logaddexp(0, t)


def logistica(t):
    return 1 / (1 + np.exp(-t))


def elbo_negativa(teta, x, eps, beta):
    L, N, K = eps.shape

    # (B.1) codificatore
    h = np.tanh(x @ teta["A"] + teta["a"])
    mu = h @ teta["M"] + teta["m"]
    ell = h @ teta["S"] + teta["s"]
    sigma = np.exp(ell / 2)

    # (B.2) riparametrizzazione
    z = mu + sigma * eps

    # (B.3) decodificatore
    r = z @ teta["B"] + teta["b"]
    g = softplus(r)
    o = g @ teta["C"] + teta["c"]

    # (B.4) costo
    ric = np.sum(softplus(o) - x * o) / L
    kl = 0.5 * np.sum(mu**2 + sigma**2 - ell - 1)
    J = (ric + beta * kl) / N

    # (B.5) decodificatore, all'indietro
    G = dict()
    Jo = (logistica(o) - x) / (L * N)
    G["C"] = np.einsum("lnh,lnd->hd", g, Jo)
    G["c"] = Jo.sum(axis=(0, 1))
    Jg = Jo @ teta["C"].T
    Jr = Jg * logistica(r)
    G["B"] = np.einsum("lnk,lnh->kh", z, Jr)
    G["b"] = Jr.sum(axis=(0, 1))
    Jz = Jr @ teta["B"].T

    # (B.6) media e log-varianza: ricostruzione + KL
    Jmu = Jz.sum(axis=0) + beta * mu / N
    Jsigma = (Jz * eps).sum(axis=0) + beta * sigma / N
    Jell = Jsigma * sigma / 2 - beta / (2 * N)
    G["M"], G["m"] = h.T @ Jmu, Jmu.sum(axis=0)
    G["S"], G["s"] = h.T @ Jell, Jell.sum(axis=0)

    # (B.7) codificatore
    Jh = Jmu @ teta["M"].T + Jell @ teta["S"].T
    Jt = Jh * (1 - h**2)
    G["A"] = x.T @ Jt
    G["a"] = Jt.sum(axis=0)
    return J, G


# Cases
from tests.derivations.planting import Mistake, Right
from tests.derivations.truth import call


def problem(user, rng):
    L, N, D, H, K, Q = 3, 7, 5, 4, 2, 6
    shapes = dict(A=(D, H), a=(H,), M=(H, K), m=(K,), S=(H, K), s=(K,), B=(K, Q), b=(Q,), C=(Q, D), c=(D,))
    teta = {k: 0.6 * rng.normal(size=shape) for k, shape in shapes.items()}
    x, eps = rng.uniform(size=(N, D)), rng.normal(size=(L, N, K))
    return call(user.elbo_negativa, teta, x, eps, 0.7, loss="J", gradients={"teta": "G"})


RIGHT = [
    Right(
        "    Jsigma = (Jz * eps).sum(axis=0) + beta * sigma / N\n    Jell = Jsigma * sigma / 2 - beta / (2 * N)\n",
        "    Jell = 0.5 * (sigma * np.sum(Jz * eps, axis=0) - beta * (1 - np.exp(ell)) / N)\n",
    ),
    Right("    Jr = Jg * logistica(r)\n", "    Jr = Jg * (1 - np.exp(-g))  # softplus' in funzione di g\n"),
    Right(
        '    G["B"] = np.einsum("lnk,lnh->kh", z, Jr)\n    G["b"] = Jr.sum(axis=(0, 1))\n',
        '    G["B"] = np.zeros_like(teta["B"])\n    G["b"] = 0\n    for zl, Jl in zip(z, Jr):\n        G["B"] = G["B"] + zl.T @ Jl\n        G["b"] = G["b"] + Jl.sum(axis=0)\n',
    ),
    Right(
        "    Jmu = Jz.sum(axis=0) + beta * mu / N\n    Jsigma = (Jz * eps).sum(axis=0) + beta * sigma / N\n    Jell = Jsigma * sigma / 2 - beta / (2 * N)\n",
        "    Jmu = Jz.sum(axis=0)\n    Jell = np.einsum(\"lnk,lnk,nk->nk\", Jz, eps, sigma) / 2\n    Jmu += beta / N * mu\n    Jell += beta / N * (sigma * sigma - 1) / 2\n",
    ),
    Right(
        "    Jh = Jmu @ teta[\"M\"].T + Jell @ teta[\"S\"].T\n    Jt = Jh * (1 - h**2)\n",
        "    Jh = np.hstack([Jmu, Jell]) @ np.hstack([teta[\"M\"], teta[\"S\"]]).T\n    Jt = Jh - Jh * h * h\n",
    ),
]

JELL = "    Jell = Jsigma * sigma / 2 - beta / (2 * N)\n"
GM = ('G["S"]', '(G["S"], G["s"])', "G")

MISTAKES = [
    Mistake(("missing-branch", "regulariser-forgotten"), "Jell", JELL, "    Jell = Jsigma * sigma / 2\n"),
    Mistake(("wrong-local-derivative", "factor-2", None), "Jell", JELL, "    Jell = Jsigma * sigma - beta / (2 * N)\n"),
    Mistake(("missing-activation-derivative", "wrong-local-derivative"), "Jell", JELL, "    Jell = Jsigma / 2 - beta / (2 * N)\n"),
    Mistake(("wrong-local-derivative", "missing-weight-factor", "missing-activation-derivative", None), "Jsigma", "(Jz * eps).sum(axis=0)", "Jz.sum(axis=0)"),
    Mistake(("reduced-too-early", None), "Jsigma", "(Jz * eps).sum(axis=0)", "Jz.sum(axis=0) * eps.mean(axis=0)"),
    Mistake(("missing-branch", "regulariser-forgotten"), "Jmu", "    Jmu = Jz.sum(axis=0) + beta * mu / N\n", "    Jmu = Jz.sum(axis=0)\n"),
    Mistake(("regulariser-scale", "factor-N", None), "Jmu", "beta * mu / N", "beta * mu"),
    Mistake(("sign", "regulariser-scale"), "Jmu", "Jz.sum(axis=0) + beta * mu / N", "Jz.sum(axis=0) - beta * mu / N"),
    Mistake(("derivative-of-another-activation", "wrong-local-derivative"), "Jr", "Jg * logistica(r)", "Jg * logistica(r) * (1 - logistica(r))"),
    Mistake("activation-derivative-at-activation", "Jr", "Jg * logistica(r)", "Jg * logistica(g)"),
    Mistake(("wrong-loss-derivative", "missing-activation-derivative"), "Jo", "(logistica(o) - x)", "(o - x)"),
    Mistake(("factor-const", "factor-N"), ("Jo", "ric"), "    Jo = (logistica(o) - x) / (L * N)\n", "    Jo = (logistica(o) - x) / N\n"),
    Mistake(("activation-derivative-twice", "wrong-loss-derivative"), "Jo", "    Jo = (logistica(o) - x) / (L * N)\n", "    Jo = (logistica(o) - x) * logistica(o) * (1 - logistica(o)) / (L * N)\n"),
    Mistake("wrong-tensor-in-weight-gradient", ('G["B"]', "G"), 'np.einsum("lnk,lnh->kh", z, Jr)', 'np.einsum("nk,lnh->kh", mu, Jr)'),
    Mistake(("bias-wrong-axis", "bias-not-reduced", "wrong-shape"), ('G["c"]', "G"), 'G["c"] = Jo.sum(axis=(0, 1))', 'G["c"] = Jo.sum(axis=0)'),
    Mistake(("factor-1/N", "factor-const", "bias-wrong-axis"), ('G["b"]', "G"), 'G["b"] = Jr.sum(axis=(0, 1))', 'G["b"] = Jr.sum(axis=0).mean(axis=0)'),
    Mistake(("missing-branch", "detached-branch"), "Jh", ' + Jell @ teta["S"].T', ""),
    Mistake(("wrong-tensor-in-delta", "missing-weight-factor"), "Jh", 'Jell @ teta["S"].T', 'Jell @ teta["M"].T'),
    Mistake(("wrong-local-derivative", "derivative-of-another-activation"), "Jt", "(1 - h**2)", "(1 - h)"),
    Mistake(("wrong-tensor-in-weight-gradient", "wrong-tensor-in-delta", "missing-activation-derivative"), GM, "h.T @ Jell, Jell.sum(axis=0)", "h.T @ Jsigma, Jell.sum(axis=0)"),
    Mistake(("input-mutated", "aliasing", "wrong-tensor-in-delta"), ("z", "eps", "Jsigma"), "    z = mu + sigma * eps\n", "    z = eps\n    z *= sigma\n    z += mu\n"),
    Mistake(("wrong-local-derivative", "forward-differs", None), ("kl", "Jsigma", "J"), "mu**2 + sigma**2 - ell - 1", "mu**2 + sigma - ell - 1"),
]
