"""Auto-encodeur variationnel en NumPy, bruit tiré d'avance. Tout est rangé dans des dictionnaires : theta, puis grad."""

import numpy as np


def sigmoide(u):
    return 1.0 / (1.0 + np.exp(-u))


def softplus(u):
    return np.log1p(np.exp(u))


def perte_et_gradient(theta, x, bruit):
    n = x.shape[0]

    # encodeur
    u = x @ theta["We"] + theta["be"]
    h = np.tanh(u)
    mu = h @ theta["Wm"] + theta["bm"]
    logvar = h @ theta["Wv"] + theta["bv"]
    ecart = np.exp(0.5 * logvar)
    z = mu + ecart * bruit

    # décodeur
    v = z @ theta["Wd"] + theta["bd"]
    g = softplus(v)
    s = g @ theta["Wx"] + theta["bx"]
    x_chapeau = sigmoide(s)

    reconstruction = -np.sum(x * np.log(x_chapeau) + (1 - x) * np.log(1 - x_chapeau))
    kl = -0.5 * np.sum(1 + logvar - mu**2 - np.exp(logvar))
    perte = (reconstruction + kl) / n

    # rétropropagation
    grad = {}
    ds = (x_chapeau - x) / n
    grad["Wx"] = g.T @ ds
    grad["bx"] = ds.sum(axis=0)
    dg = ds @ theta["Wx"].T
    dv = dg * sigmoide(v)
    grad["Wd"] = z.T @ dv
    grad["bd"] = dv.sum(axis=0)
    dz = dv @ theta["Wd"].T

    dmu = dz + mu / n
    dlogvar = 0.5 * dz * bruit * ecart + 0.5 * (np.exp(logvar) - 1) / n
    grad["Wm"] = h.T @ dmu
    grad["bm"] = dmu.sum(axis=0)
    grad["Wv"] = h.T @ dlogvar
    grad["bv"] = dlogvar.sum(axis=0)
    dh = dmu @ theta["Wm"].T + dlogvar @ theta["Wv"].T
    du = dh * (1 - h**2)
    grad["We"] = x.T @ du
    grad["be"] = du.sum(axis=0)
    return perte, grad


# Cases
from tests.derivations.planting import Mistake, Right
from tests.derivations.truth import call


def problem(user, rng):
    N, D, H, Z, G = 7, 4, 6, 2, 5
    sizes = {"e": (D, H), "m": (H, Z), "v": (H, Z), "d": (Z, G), "x": (G, D)}
    theta = {f"W{k}": 0.6 * rng.normal(size=size) for k, size in sizes.items()}
    theta |= {f"b{k}": 0.6 * rng.normal(size=size[1]) for k, size in sizes.items()}
    x, bruit = rng.uniform(size=(N, D)), rng.normal(size=(N, Z))
    return call(user.perte_et_gradient, theta, x, bruit, loss="perte", gradients={"theta": "grad"})


RIGHT = [
    Right("    ds = (x_chapeau - x) / n\n", "    dx_chapeau = ((1 - x) / (1 - x_chapeau) - x / x_chapeau) / n\n    ds = dx_chapeau * x_chapeau * (1 - x_chapeau)\n"),
    Right("    dv = dg * sigmoide(v)\n", "    dv = dg * (1 - np.exp(-g))\n"),
    Right("    dlogvar = 0.5 * dz * bruit * ecart + 0.5 * (np.exp(logvar) - 1) / n\n", "    decart = dz * bruit + (ecart - 1 / ecart) / n\n    dlogvar = decart * ecart / 2\n"),
    Right("    dh = dmu @ theta[\"Wm\"].T + dlogvar @ theta[\"Wv\"].T\n    du = dh * (1 - h**2)\n", "    dh = np.hstack([dmu, dlogvar]) @ np.hstack([theta[\"Wm\"], theta[\"Wv\"]]).T\n    du = dh * (1 - h) * (1 + h)\n"),
]

DLV = "dlogvar = 0.5 * dz * bruit * ecart + 0.5 * (np.exp(logvar) - 1) / n"
DH = 'dh = dmu @ theta["Wm"].T + dlogvar @ theta["Wv"].T'

MISTAKES = [
    Mistake(("missing-branch", "regulariser-forgotten", "detached-branch"), "dmu", "dmu = dz + mu / n", "dmu = dz"),
    Mistake(("factor-N", "regulariser-scale", None), "dmu", "dmu = dz + mu / n", "dmu = dz + mu"),
    Mistake(("sign", "regulariser-scale"), "dmu", "dmu = dz + mu / n", "dmu = dz - mu / n"),
    Mistake(("missing-branch", "regulariser-forgotten", "detached-branch"), "dlogvar", DLV, "dlogvar = 0.5 * dz * bruit * ecart"),
    Mistake(("missing-branch", "detached-branch"), "dlogvar", DLV, "dlogvar = 0.5 * (np.exp(logvar) - 1) / n"),
    Mistake(("factor-2", "factor-const", "wrong-local-derivative", None), "dlogvar", DLV, "dlogvar = dz * bruit * ecart + 0.5 * (np.exp(logvar) - 1) / n"),
    Mistake(("wrong-local-derivative", "wrong-tensor-in-delta", None), "dlogvar", DLV, "dlogvar = 0.5 * dz * bruit * np.exp(logvar) + 0.5 * (np.exp(logvar) - 1) / n"),
    Mistake(("wrong-local-derivative", "missing-weight-factor", "skipped-layer", None), "dlogvar", DLV, "dlogvar = 0.5 * dz * ecart + 0.5 * (np.exp(logvar) - 1) / n"),
    Mistake(("sign", "regulariser-scale", "wrong-local-derivative", None), "dlogvar", DLV, "dlogvar = 0.5 * dz * bruit * ecart + 0.5 * (1 - np.exp(logvar)) / n"),
    Mistake(("missing-branch", "detached-branch"), "dh", DH, 'dh = dmu @ theta["Wm"].T'),
    Mistake(("overwritten-not-accumulated", "missing-branch", "detached-branch"), "dh", DH, 'dh = dmu @ theta["Wm"].T\n    dh = dlogvar @ theta["Wv"].T'),
    Mistake(("wrong-tensor-in-delta", None), "dh", DH, 'dh = dmu @ theta["Wv"].T + dlogvar @ theta["Wm"].T'),
    Mistake("missing-activation-derivative", "dv", "dv = dg * sigmoide(v)", "dv = dg"),
    Mistake("activation-derivative-at-activation", "dv", "dv = dg * sigmoide(v)", "dv = dg * sigmoide(g)"),
    Mistake(("derivative-of-another-activation", "wrong-local-derivative"), "dv", "dv = dg * sigmoide(v)", "dv = dg * (v > 0)"),
    Mistake("output-form-on-preactivation", "du", "du = dh * (1 - h**2)", "du = dh * (1 - u**2)"),
    Mistake(("activation-derivative-twice", "wrong-loss-derivative", "wrong-local-derivative"), "ds", "ds = (x_chapeau - x) / n", "ds = (x_chapeau - x) * x_chapeau * (1 - x_chapeau) / n"),
    Mistake(("wrong-tensor-in-weight-gradient", "missing-branch"), 'grad["Wd"]', 'grad["Wd"] = z.T @ dv', 'grad["Wd"] = mu.T @ dv'),
    Mistake(("wrong-tensor-in-weight-gradient", None), 'grad["Wv"]', 'grad["Wv"] = h.T @ dlogvar', 'grad["Wv"] = h.T @ dmu'),
    Mistake(("factor-half", "regulariser-scale", "wrong-loss-derivative", "factor-2", "factor-const", None), ("kl", "perte", "dmu", "dlogvar"), "kl = -0.5 * np.sum(1 + logvar - mu**2 - np.exp(logvar))", "kl = -np.sum(1 + logvar - mu**2 - np.exp(logvar))", fix=False),
]
