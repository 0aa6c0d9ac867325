"""Apêndice B: fluxo normalizante com acoplamentos afins (RealNVP), só com NumPy.

Estilo: cada camada é uma função `ida(x) -> (y, log|det|, volta)`; a `volta` é um fecho que guarda o que precisa
e leva (g_y, g_det) até (g_x, gradientes da camada).
"""

import numpy as np

ALFA = 1.5  # limite da log-escala


def separa(x, troca):
    k = x.shape[1] // 2
    return (x[:, k:], x[:, :k]) if troca else (x[:, :k], x[:, k:])


def junta(a, b, troca):
    return np.concatenate((b, a) if troca else (a, b), axis=1)


def linear(W, b):
    def ida(x):
        def volta(g):
            gW = x.T @ g
            gb = g.sum(axis=0)
            gx = g @ W.T
            return gx, gW, gb

        return x @ W + b, volta

    return ida


def actnorm(p):
    def ida(x):
        e = np.exp(p["log_e"])
        y = (x - p["m"]) * e
        log_det = np.full(len(x), p["log_e"].sum())

        def volta(g, g_det):
            g_x = g * e
            g_m = -g_x.sum(axis=0)
            g_log_e = (g * y).sum(axis=0) + g_det.sum()
            return g_x, {"log_e": g_log_e, "m": g_m}

        return y, log_det, volta

    return ida


def acoplamento(p, troca):
    tronco = linear(p["W"], p["b"])
    cabeca_s = linear(p["Ws"], p["bs"])
    cabeca_t = linear(p["Wt"], p["bt"])

    def ida(x):
        xa, xb = separa(x, troca)
        u, volta_u = tronco(xa)
        h = np.tanh(u)
        r, volta_s = cabeca_s(h)
        t, volta_t = cabeca_t(h)
        s = ALFA * np.tanh(r / ALFA)
        e = np.exp(s)
        yb = xb * e + t
        y = junta(xa, yb, troca)

        def volta(g, g_det):
            ga, gb = separa(g, troca)
            g_xb = gb * e
            g_s = gb * xb * e + g_det[:, None]
            g_r = g_s * (1 - (s / ALFA) ** 2)
            g_hs, g_Ws, g_bs = volta_s(g_r)
            g_ht, g_Wt, g_bt = volta_t(gb)
            g_h = g_hs + g_ht
            g_u = g_h * (1 - h**2)
            g_tronco, g_W, g_b = volta_u(g_u)
            g_xa = ga + g_tronco
            g_x = junta(g_xa, g_xb, troca)
            return g_x, {"W": g_W, "b": g_b, "Ws": g_Ws, "bs": g_bs, "Wt": g_Wt, "bt": g_bt}

        return y, s.sum(axis=1), volta

    return ida


def neg_log_veross(theta, x):
    """Média de -log p(x), a menos de constante, e o gradiente com a mesma estrutura de theta."""
    n = len(x)
    camadas = [actnorm(theta[0])] + [acoplamento(p, troca=i % 2 == 1) for i, p in enumerate(theta[1:])]

    z, log_det, voltas = x, np.zeros(n), []
    for ida in camadas:
        z, ld, volta = ida(z)
        log_det = log_det + ld
        voltas.append(volta)
    perda = np.mean(0.5 * np.sum(z**2, axis=1) - log_det)

    g = z / n
    g_det = -np.ones(n) / n
    grad = []
    for volta in reversed(voltas):
        g, g_p = volta(g, g_det)
        grad.insert(0, g_p)
    return perda, grad


# Cases
from tests.derivations.planting import Mistake, Right
from tests.derivations.truth import call


def problem(user, rng):
    n, d, h = 8, 5, 4
    theta = [{"log_e": 0.3 * rng.normal(size=d), "m": 0.5 * rng.normal(size=d)}]
    for a, b in ((2, 3), (3, 2), (2, 3)):
        sizes = {"W": (a, h), "b": (h,), "Ws": (h, b), "bs": (b,), "Wt": (h, b), "bt": (b,)}
        theta.append({name: 0.5 * rng.normal(size=size) for name, size in sizes.items()})
    return call(user.neg_log_veross, theta, 1.5 * rng.normal(size=(n, d)), wrt=("theta",))


RIGHT = [
    Right("            g_s = gb * xb * e + g_det[:, None]\n", "            g_s = gb * (yb - t) + g_det.reshape(-1, 1)\n"),
    Right("            g_r = g_s * (1 - (s / ALFA) ** 2)\n", "            th = np.tanh(r / ALFA)\n            g_r = ALFA * g_s * (1 - th) * (1 + th) * (1 / ALFA)\n"),
    Right(  # sobe a log-verossimilhança, troca o sinal ao guardar
        "    g = z / n\n    g_det = -np.ones(n) / n\n    grad = []\n    for volta in reversed(voltas):\n        g, g_p = volta(g, g_det)\n        grad.insert(0, g_p)\n",
        "    g = -z / n\n    g_det = np.ones(n) / n\n    grad = []\n    for volta in voltas[::-1]:\n        g, g_p = volta(g, g_det)\n        grad = [{nome: -valor for nome, valor in g_p.items()}] + grad\n",
    ),
    Right(
        "            gW = x.T @ g\n            gb = g.sum(axis=0)\n            gx = g @ W.T\n            return gx, gW, gb\n",
        "            return np.einsum('nj,ij->ni', g, W), np.einsum('ni,nj->ij', x, g), np.einsum('nj->j', g)\n",
    ),
    Right("            g_log_e = (g * y).sum(axis=0) + g_det.sum()\n", "            g_e = (g * (x - p[\"m\"])).sum(axis=0) + g_det.sum() / e  # log|det| = soma de log e\n            g_log_e = g_e * e\n"),
]

G_S = "g_s = gb * xb * e + g_det[:, None]"
G_R = "g_r = g_s * (1 - (s / ALFA) ** 2)"
G_LOG_E = "g_log_e = (g * y).sum(axis=0) + g_det.sum()"

MISTAKES = [
    Mistake(("missing-branch", "detached-branch"), "g_s", G_S, "g_s = gb * xb * e"),
    Mistake(("sign", "wrong-local-derivative"), "g_s", G_S, "g_s = gb * xb * e - g_det[:, None]"),
    Mistake(("missing-weight-factor", "wrong-local-derivative", "skipped-layer", None), "g_s", G_S, "g_s = gb * e + g_det[:, None]"),
    Mistake(("wrong-tensor-in-delta", "wrong-local-derivative", None), "g_s", G_S, "g_s = gb * yb + g_det[:, None]"),
    Mistake(("missing-weight-factor", "skipped-layer"), "g_xb", "g_xb = gb * e", "g_xb = gb"),
    Mistake("missing-activation-derivative", "g_r", G_R, "g_r = g_s"),
    Mistake(("wrong-local-derivative", "output-form-on-preactivation", "derivative-of-another-activation", None), "g_r", G_R, "g_r = g_s * (1 - s**2)"),
    Mistake(("factor-const", "wrong-local-derivative"), "g_r", G_R, "g_r = ALFA * g_s * (1 - (s / ALFA) ** 2)"),
    Mistake(("missing-branch", "detached-branch"), "g_h", "g_h = g_hs + g_ht", "g_h = g_ht"),
    Mistake(("wrong-tensor-in-delta", "missing-weight-factor", "skipped-layer", None), ("g_ht", "g_Wt", "g_bt"), "g_ht, g_Wt, g_bt = volta_t(gb)", "g_ht, g_Wt, g_bt = volta_t(g_xb)"),
    Mistake(("wrong-tensor-in-delta", None), ("g_ht", "g_Wt", "g_bt"), "g_ht, g_Wt, g_bt = volta_t(gb)", "g_ht, g_Wt, g_bt = volta_s(gb)"),
    Mistake("output-form-on-preactivation", "g_u", "g_u = g_h * (1 - h**2)", "g_u = g_h * (1 - u**2)"),
    Mistake(("derivative-of-another-activation", "wrong-local-derivative"), "g_u", "g_u = g_h * (1 - h**2)", "g_u = g_h * h * (1 - h)"),
    Mistake(("missing-branch", "detached-branch"), "g_xa", "g_xa = ga + g_tronco", "g_xa = g_tronco"),
    Mistake(("missing-branch", "detached-branch"), "g_xa", "g_xa = ga + g_tronco", "g_xa = ga"),
    Mistake(("wrong-tensor-in-delta", None), "g_x", "g_x = junta(g_xa, g_xb, troca)", "g_x = junta(g_xb, g_xa, troca)"),
    Mistake(("wrong-tensor-in-delta", None), "g_x", "g_x = junta(g_xa, g_xb, troca)", "g_x = junta(g_xa, g_xb, not troca)"),
    Mistake("factor-1/N", "gb", "gb = g.sum(axis=0)", "gb = g.mean(axis=0)"),
    Mistake(("input-mutated", "aliasing"), ("xb", "yb", "y"), "        yb = xb * e + t\n", "        yb = xb\n        yb *= e\n        yb += t\n"),
    Mistake("sign", "g_m", "g_m = -g_x.sum(axis=0)", "g_m = g_x.sum(axis=0)"),
    Mistake(("wrong-tensor-in-delta", "missing-weight-factor", "skipped-layer"), "g_m", "g_m = -g_x.sum(axis=0)", "g_m = -g.sum(axis=0)"),
    Mistake(("missing-branch", "detached-branch"), "g_log_e", G_LOG_E, "g_log_e = (g * y).sum(axis=0)"),
    Mistake(("wrong-tensor-in-weight-gradient", "wrong-local-derivative", None), "g_log_e", G_LOG_E, "g_log_e = (g * x).sum(axis=0) + g_det.sum()"),
    Mistake("factor-N", "g_det", "g_det = -np.ones(n) / n", "g_det = -np.ones(n)"),
    Mistake(("factor-2", "wrong-loss-derivative"), ("g", "perda"), "g = z / n", "g = 2 * z / n"),
    Mistake(("overwritten-not-accumulated", "forward-differs", "wrong-loss-derivative", None), ("log_det", "perda", "g_det"), "log_det = log_det + ld", "log_det = ld"),
    Mistake(("skipped-layer", "stale-forward-values", "wrong-tensor-in-delta", None), ("g", "g_p"), "g, g_p = volta(g, g_det)", "_, g_p = volta(g, g_det)"),
]
