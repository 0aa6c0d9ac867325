"""Ordinal (proportional odds) regression by a statistician: one vector theta, log-gaps between cut points, elastic net."""

import numpy as np
from numpy import concatenate, cumsum, exp, log


def make_objective(X, y, n_levels, lam=0.3, mix=0.4, tau=0.5):
    """Returns negative log-likelihood and score, ready for scipy.optimize.minimize(nll, theta0, jac=score).

    P(y <= k) = F(c_k - x'beta),  c_1 = alpha,  c_k = alpha + exp(g_1) + ... + exp(g_{k-1})
    theta = (beta, alpha, g);  tau shrinks the cut points towards equal spacing
    """
    n, p = X.shape
    F = lambda u: 1.0 / (1.0 + exp(-u))

    def unpack(theta):
        return theta[:p], theta[p], theta[p + 1:]

    def pieces(theta):
        beta, alpha, g = unpack(theta)
        cuts = alpha + concatenate(([0.0], cumsum(exp(g))))     # n_levels - 1 of them
        eta = X @ beta
        # bounds of the latent interval that y fell into
        cuts_ext = concatenate(([-np.inf], cuts, [np.inf]))
        lower, upper = cuts_ext[y] - eta, cuts_ext[y + 1] - eta
        prob = F(upper) - F(lower)
        return beta, alpha, g, lower, upper, prob

    def nll(theta):
        beta, _, g, _, _, prob = pieces(theta)
        penalty = lam * (mix * np.abs(beta).sum() + (1 - mix) / 2 * beta @ beta) + tau / 2 * g @ g
        return -log(prob).sum() + penalty

    def score(theta):
        beta, alpha, g, lower, upper, prob = pieces(theta)
        f_up = F(upper) * (1 - F(upper))
        f_lo = F(lower) * (1 - F(lower))
        d_upper = -f_up / prob
        d_lower = f_lo / prob
        # linear predictor
        d_eta = -(d_upper + d_lower)
        d_beta = X.T @ d_eta
        d_beta = d_beta + lam * (mix * np.sign(beta) + (1 - mix) * beta)
        # cut points: cut k is the upper bound of level k and the lower one of level k + 1
        d_cuts = np.zeros(n_levels - 1)
        for k in range(n_levels - 1):
            d_cuts[k] = d_upper[y == k].sum() + d_lower[y == k + 1].sum()
        d_alpha = d_cuts.sum()
        tail = cumsum(d_cuts[::-1])[::-1]
        d_g = tail[1:] * exp(g) + tau * g
        return concatenate((d_beta, [d_alpha], d_g))

    return nll, score


# Cases
from tests.derivations.planting import Mistake, Right
from tests.derivations.truth import call


def problem(user, rng):
    n, p, levels = 13, 3, 5
    X = rng.normal(size=(n, p))
    y = rng.permutation([0, 1, 2, 3, 4, 0, 1, 2, 3, 4, 2, 1, 3])
    nll, score = user.make_objective(X, y, levels)
    theta = rng.normal(size=p + levels - 1)
    theta[p] -= 2
    return call(nll, theta, by_hand=score)


import numpy as np

RIGHT = [
    Right("        f_up = F(upper) * (1 - F(upper))\n", "        f_up = F(upper) * F(-upper)\n"),
    Right("        d_eta = -(d_upper + d_lower)\n", "        d_eta = 1 - F(upper) - F(lower)     # (f_up - f_lo) / prob simplifies for the logistic\n"),
    Right("        tail = cumsum(d_cuts[::-1])[::-1]\n        d_g = tail[1:] * exp(g)", "        d_g = np.array([d_cuts[j + 1:].sum() for j in range(n_levels - 2)]) * exp(g)"),
    Right("        for k in range(n_levels - 1):\n            d_cuts[k] = d_upper[y == k].sum() + d_lower[y == k + 1].sum()\n", "        np.add.at(d_cuts, y[y < n_levels - 1], d_upper[y < n_levels - 1])\n        np.add.at(d_cuts, y[y > 0] - 1, d_lower[y > 0])\n"),
    Right("        return concatenate((d_beta, [d_alpha], d_g))\n", "        out = np.empty_like(theta)\n        out[:p], out[p], out[p + 1:] = d_beta, d_alpha, d_g\n        return out\n"),
]

CUTS = ("d_cuts[k]", "d_cuts")

MISTAKES = [
    Mistake("sign", "d_upper", "d_upper = -f_up / prob", "d_upper = f_up / prob"),
    Mistake("sign", ("d_eta", "d_beta"), "d_eta = -(d_upper + d_lower)", "d_eta = d_upper + d_lower"),
    Mistake(("wrong-loss-derivative", "wrong-local-derivative", "missing-weight-factor", "missing-activation-derivative"), "d_lower", "d_lower = f_lo / prob", "d_lower = f_lo"),
    Mistake(("missing-activation-derivative", "wrong-local-derivative"), ("f_up", "d_upper"), "f_up = F(upper) * (1 - F(upper))", "f_up = F(upper)"),
    Mistake(("wrong-tensor-in-delta", "activation-derivative-of-wrong-layer", "off-by-one-index"), ("f_lo", "d_lower"), "f_lo = F(lower) * (1 - F(lower))", "f_lo = F(lower) * (1 - F(upper))"),
    Mistake("output-form-on-preactivation", ("f_up", "d_upper"), "f_up = F(upper) * (1 - F(upper))", "f_up = np.where(np.isinf(upper), 0, upper * (1 - upper))", fix=False),
    Mistake("missing-branch", "d_eta", "d_eta = -(d_upper + d_lower)", "d_eta = -d_upper"),
    Mistake(("sign", "wrong-local-derivative"), "d_eta", "d_eta = -(d_upper + d_lower)", "d_eta = -(d_upper - d_lower)"),
    Mistake("factor-1/N", "d_beta", "d_beta = X.T @ d_eta", "d_beta = X.T @ d_eta / n"),
    Mistake("regulariser-scale", ("d_beta", "penalty", "return"), "(1 - mix) * beta)", "2 * (1 - mix) * beta)"),
    Mistake(("regulariser-forgotten", "missing-branch"), "d_beta", "lam * (mix * np.sign(beta) + (1 - mix) * beta)", "lam * (1 - mix) * beta"),
    Mistake(("regulariser-scale", "sign"), "d_beta", "d_beta = d_beta + lam *", "d_beta = d_beta - lam *"),
    Mistake(("regulariser-on-wrong-parameter", "missing-activation-derivative", None), "d_g", "tail[1:] * exp(g) + tau * g", "tail[1:] * exp(g) + tau * exp(g)"),
    Mistake(("off-by-one-index", "wrong-tensor-in-delta"), CUTS, "d_lower[y == k + 1].sum()", "d_lower[y == k].sum()"),
    Mistake("missing-branch", CUTS, " + d_lower[y == k + 1].sum()", ""),
    Mistake(("off-by-one-index", "missing-branch"), ("d_cuts[k]", "d_cuts", "k"), "        for k in range(n_levels - 1):\n", "        for k in range(n_levels - 2):\n"),
    Mistake(("missing-activation-derivative", "wrong-local-derivative"), "d_g", "d_g = tail[1:] * exp(g)", "d_g = tail[1:]"),
    Mistake("off-by-one-index", ("d_g", "tail"), "d_g = tail[1:] * exp(g)", "d_g = tail[:-1] * exp(g)"),
    Mistake((None, "wrong-local-derivative", "missing-branch", "off-by-one-index", "skipped-layer"), ("tail", "d_g"), "tail = cumsum(d_cuts[::-1])[::-1]", "tail = d_cuts"),
    Mistake((None, "wrong-local-derivative", "off-by-one-index"), ("tail", "d_g"), "tail = cumsum(d_cuts[::-1])[::-1]", "tail = cumsum(d_cuts)"),
    Mistake(("missing-branch", "off-by-one-index", None), "d_alpha", "d_alpha = d_cuts.sum()", "d_alpha = d_cuts[0]"),
    Mistake(("off-by-one-index", "wrong-shape", None), ("return", "d_alpha", "d_g", "score"), "return concatenate((d_beta, [d_alpha], d_g))", "return concatenate((d_beta, d_g, [d_alpha]))"),
]
