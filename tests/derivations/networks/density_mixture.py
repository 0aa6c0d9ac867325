"""A mixture density network for an inverse problem: three heads on one hidden layer, weights in a dict p, gradients in g."""

import numpy as np

# Bishop (1994), eqs. 25-40.  t is 1-dimensional, K Gaussians


def mdn(p, x, t):
    N = x.shape[0]
    # ----- forward
    h = np.tanh(x @ p["Wh"] + p["bh"])
    a_pi = h @ p["Wpi"] + p["bpi"]
    e = np.exp(a_pi - a_pi.max(axis=1, keepdims=True))
    pi = e / e.sum(axis=1, keepdims=True)
    mu = h @ p["Wmu"] + p["bmu"]
    a_s = h @ p["Ws"] + p["bs"]
    sigma = np.exp(a_s)
    z = (t - mu) / sigma
    phi = np.exp(-0.5 * z**2) / (np.sqrt(2 * np.pi) * sigma)
    mix = np.sum(pi * phi, axis=1, keepdims=True)
    E = -np.mean(np.log(mix))
    # ----- backward
    gamma = pi * phi / mix                        # posterior, "responsibilities"
    d_pi = (pi - gamma) / N                       # eq. 31
    d_mu = gamma * (mu - t) / sigma**2 / N        # eq. 37
    d_s = gamma * (1 - z**2) / N                  # eq. 35
    g = {}
    g["Wpi"] = h.T @ d_pi
    g["bpi"] = d_pi.sum(axis=0)
    g["Wmu"] = h.T @ d_mu
    g["bmu"] = d_mu.sum(axis=0)
    g["Ws"] = h.T @ d_s
    g["bs"] = d_s.sum(axis=0)
    d_h = d_pi @ p["Wpi"].T + d_mu @ p["Wmu"].T + d_s @ p["Ws"].T
    d_a = d_h * (1 - h**2)
    g["Wh"] = x.T @ d_a
    g["bh"] = d_a.sum(axis=0)
    return E, g


# Cases
from tests.derivations.planting import Mistake, Right
from tests.derivations.truth import call


def problem(user, rng):
    N, D, H, K = 11, 2, 5, 3
    p = {"Wh": rng.normal(size=(D, H)), "bh": rng.normal(size=H)}
    for head in ("pi", "mu", "s"):
        scale = 0.4 if head == "s" else 1.0
        p |= {"W" + head: scale * rng.normal(size=(H, K)), "b" + head: scale * rng.normal(size=K)}
    x = rng.normal(size=(N, D))
    t = np.sin(x[:, :1]) + 0.5 * rng.normal(size=(N, 1))
    return call(user.mdn, p, x, t, loss="E", gradients={"p": "g"})


import numpy as np

RIGHT = [
    Right("    d_mu = gamma * (mu - t) / sigma**2 / N        # eq. 37\n", "    d_mu = -gamma * z / sigma / N\n"),
    Right("    d_pi = (pi - gamma) / N                       # eq. 31\n", "    r = -phi / mix / N                            # dE/dpi\n    d_pi = pi * (r - np.sum(r * pi, axis=1, keepdims=True))\n"),
    Right("    gamma = pi * phi / mix                        # posterior, \"responsibilities\"\n", "    lg = np.log(pi) - 0.5 * z**2 - a_s\n    gamma = np.exp(lg - lg.max(axis=1, keepdims=True))\n    gamma /= gamma.sum(axis=1, keepdims=True)\n"),
    Right("    d_s = gamma * (1 - z**2) / N                  # eq. 35\n", "    d_sigma = gamma * (1 / sigma - (t - mu)**2 / sigma**3) / N\n    d_s = d_sigma * sigma\n"),
    Right("    d_h = d_pi @ p[\"Wpi\"].T + d_mu @ p[\"Wmu\"].T + d_s @ p[\"Ws\"].T\n", "    d_h = np.hstack([d_pi, d_mu, d_s]) @ np.hstack([p[\"Wpi\"], p[\"Wmu\"], p[\"Ws\"]]).T\n"),
]

MISTAKES = [
    Mistake("sign", "d_pi", "d_pi = (pi - gamma) / N", "d_pi = (gamma - pi) / N"),
    Mistake("sign", "d_mu", "d_mu = gamma * (mu - t)", "d_mu = gamma * (t - mu)"),
    Mistake(("wrong-local-derivative", None), "d_mu", "(mu - t) / sigma**2 / N", "(mu - t) / sigma / N"),
    Mistake(("missing-activation-derivative", "wrong-local-derivative"), "d_s", "d_s = gamma * (1 - z**2) / N", "d_s = gamma * (1 - z**2) / sigma / N"),
    Mistake(("activation-derivative-twice", "wrong-local-derivative", None), "d_s", "d_s = gamma * (1 - z**2) / N", "d_s = gamma * (1 - z**2) * sigma / N"),
    Mistake(("missing-branch", "wrong-local-derivative", None), "d_s", "d_s = gamma * (1 - z**2) / N", "d_s = -gamma * z**2 / N"),
    Mistake("factor-N", "d_s", "d_s = gamma * (1 - z**2) / N", "d_s = gamma * (1 - z**2)"),
    Mistake("missing-target", "d_mu", "d_mu = gamma * (mu - t) /", "d_mu = gamma * mu /"),
    Mistake(("wrong-loss-derivative", "wrong-tensor-in-delta", "wrong-local-derivative", None), "d_mu", "d_mu = gamma * (mu - t)", "d_mu = pi * (mu - t)"),
    Mistake((None, "wrong-local-derivative", "missing-weight-factor", "forward-differs"), ("gamma", "d_pi"), "gamma = pi * phi / mix ", "gamma = phi / phi.sum(axis=1, keepdims=True) "),
    Mistake(("softmax-wrong-axis", "bias-wrong-axis", None), ("gamma", "d_pi"), "gamma = pi * phi / mix ", "gamma = pi * phi / np.sum(pi * phi, axis=0) "),
    Mistake("softmax-diagonal-only", "d_pi", "d_pi = (pi - gamma) / N", "d_pi = -gamma * (1 - pi) / N"),
    Mistake(("missing-target", "wrong-loss-derivative", "missing-branch"), "d_pi", "d_pi = (pi - gamma) / N", "d_pi = pi / N"),
    Mistake("missing-branch", "d_h", " + d_s @ p[\"Ws\"].T", ""),
    Mistake("wrong-tensor-in-delta", "d_h", "+ d_s @ p[\"Ws\"].T", "+ d_s @ p[\"Wmu\"].T"),
    Mistake(("wrong-tensor-in-weight-gradient", "wrong-tensor-in-delta"), "g[\"Ws\"]", "g[\"Ws\"] = h.T @ d_s", "g[\"Ws\"] = h.T @ d_mu"),
    Mistake("wrong-local-derivative", "d_a", "d_a = d_h * (1 - h**2)", "d_a = d_h * (1 - h)**2"),
    Mistake("missing-activation-derivative", "d_a", "d_a = d_h * (1 - h**2)", "d_a = d_h"),
    Mistake(("bias-wrong-axis", "reduced-too-early", "wrong-shape"), "g[\"bmu\"]", "g[\"bmu\"] = d_mu.sum(axis=0)", "g[\"bmu\"] = d_mu.sum()"),
    Mistake(("wrong-tensor-in-delta", "off-by-one-index", "missing-activation-derivative", "skipped-layer"), ("g[\"bh\"]",), "g[\"bh\"] = d_a.sum(axis=0)", "g[\"bh\"] = d_h.sum(axis=0)"),
]
