"""
Memo to self (S. Raghunathan, Dept. of Biostatistics): Weibull mixture cure model with a hidden layer.

Let t_i be follow-up times and d_i = 1 for an event, 0 for right censoring.

    h_i     = tanh(A' x_i + a)                    shared features, q of them
    pi_i    = Pr(susceptible) = expit(alpha0 + h_i' alpha)
    Lam_i   = exp(theta_i) t_i^kappa,  theta_i = beta0 + h_i' beta,  kappa = exp(phi)
    S_i     = exp(-Lam_i)

    ell     = sum_i d_i [log pi_i + log kappa + theta_i + (kappa - 1) log t_i - Lam_i]
                  + (1 - d_i) log(1 - pi_i + pi_i S_i)
              - tau/2 (||A||^2 + ||alpha||^2 + ||beta||^2)

With w_i = E(susceptible_i | data), as in the E-step, the scores are of the familiar exponential-family shape
    d ell / d eta_i   = w_i - pi_i
    d ell / d theta_i = d_i - w_i Lam_i.
We hand minus ell to the optimiser, and hence minus the score.
"""

import numpy as np


def expit(u):
    return 1.0 / (1.0 + np.exp(-u))


def neg_loglik(A, a, alpha, alpha0, beta, beta0, phi, x, t, d, tau):
    # --- linear predictors -------------------------------------------------
    hid = np.tanh(x @ A + a)
    eta = hid @ alpha + alpha0
    theta = hid @ beta + beta0
    pi = expit(eta)
    kappa = np.exp(phi)
    logt = np.log(t)
    Lam = np.exp(theta) * t**kappa
    S = np.exp(-Lam)
    pop = 1 - pi + pi * S

    # --- penalised log-likelihood -----------------------------------------
    log_f = np.log(kappa) + theta + (kappa - 1) * logt - Lam
    ell = np.sum(d * (np.log(pi) + log_f) + (1 - d) * np.log(pop))
    penalty = 0.5 * tau * (np.sum(A**2) + np.sum(alpha**2) + np.sum(beta**2))
    objective = -(ell - penalty)

    # --- score -------------------------------------------------------------
    w = d + (1 - d) * pi * S / pop
    s_eta = w - pi
    s_theta = d - w * Lam
    U_phi = np.sum(d * (1 + kappa * logt) - w * Lam * kappa * logt)
    U_alpha = hid.T @ s_eta - tau * alpha
    U_alpha0 = np.sum(s_eta)
    U_beta = hid.T @ s_theta - tau * beta
    U_beta0 = np.sum(s_theta)
    s_hid = np.outer(s_eta, alpha) + np.outer(s_theta, beta)
    s_pre = s_hid * (1 - hid**2)
    U_A = x.T @ s_pre - tau * A
    U_a = s_pre.sum(axis=0)

    score = (U_A, U_a, U_alpha, U_alpha0, U_beta, U_beta0, U_phi)
    return objective, tuple(-U for U in score)


# Cases
from tests.derivations.planting import Mistake, Right
from tests.derivations.truth import call


def problem(user, rng):
    n, p, q = 11, 3, 4
    x, t = rng.normal(size=(n, p)), rng.uniform(0.3, 2.5, size=n)
    d = rng.permutation(np.arange(n) % 2).astype(float)
    A, a = 0.6 * rng.normal(size=(p, q)), 0.4 * rng.normal(size=q)
    alpha, beta = 0.7 * rng.normal(size=q), 0.7 * rng.normal(size=q)
    alpha0, beta0, phi = (float(v) for v in 0.4 * rng.normal(size=3))
    names = ("A", "a", "alpha", "alpha0", "beta", "beta0", "phi")
    return call(user.neg_loglik, A, a, alpha, alpha0, beta, beta0, phi, x, t, d, 0.3, wrt=names)


import numpy as np

RIGHT = [
    Right(
        "    w = d + (1 - d) * pi * S / pop\n    s_eta = w - pi\n    s_theta = d - w * Lam\n",
        "    w = np.where(d == 1, 1.0, pi * S / pop)\n    s_pi = d / pi - (1 - d) * (1 - S) / pop\n    s_eta = s_pi * pi * (1 - pi)\n    s_theta = d * (1 - Lam) - (1 - d) * pi * S * Lam / pop\n",
    ),
    Right(
        "    s_hid = np.outer(s_eta, alpha) + np.outer(s_theta, beta)\n    s_pre = s_hid * (1 - hid**2)\n",
        "    B = np.column_stack([alpha, beta])\n    s_pre = np.stack([s_eta, s_theta], axis=1) @ B.T / np.cosh(x @ A + a) ** 2\n",
    ),
    Right(
        "    U_phi = np.sum(d * (1 + kappa * logt) - w * Lam * kappa * logt)\n",
        "    U_kappa = d @ (1 / kappa + logt) - (w * Lam) @ logt\n    U_phi = kappa * U_kappa\n",
    ),
    Right("    U_A = x.T @ s_pre - tau * A\n    U_a = s_pre.sum(axis=0)\n", "    U_A = -tau * A\n    U_a = np.zeros_like(a)\n    for i in range(len(t)):\n        U_A += np.outer(x[i], s_pre[i])\n        U_a += s_pre[i]\n"),
    Right(
        "    s_eta = w - pi\n    s_theta = d - w * Lam\n    U_phi = np.sum(d * (1 + kappa * logt) - w * Lam * kappa * logt)\n",
        "    s_eta = w - pi\n    s_theta = d - w * Lam\n    # Lam depends on phi through kappa as theta does, times kappa log t; log f has d log kappa + d kappa log t besides\n    U_phi = np.sum(d) + kappa * np.sum(s_theta * logt)\n",
    ),
]

UPHI = "    U_phi = np.sum(d * (1 + kappa * logt) - w * Lam * kappa * logt)\n"
SHID = "    s_hid = np.outer(s_eta, alpha) + np.outer(s_theta, beta)\n"
W = "    w = d + (1 - d) * pi * S / pop\n"
NONE_LOCAL = ("wrong-local-derivative", "wrong-loss-derivative", None)

MISTAKES = [
    Mistake(("wrong-loss-derivative", "missing-branch", "wrong-local-derivative", None), "w", W, "    w = d + (1 - d) * pi\n"),
    Mistake(NONE_LOCAL, "w", W, "    w = d + (1 - d) * S\n"),
    Mistake(("missing-branch", *NONE_LOCAL), ("w", "s_eta"), W, "    w = d\n"),
    Mistake(("missing-weight-factor", *NONE_LOCAL), "w", W, "    w = d + (1 - d) * S / pop\n"),
    Mistake(("activation-derivative-twice", "wrong-loss-derivative"), "s_eta", "    s_eta = w - pi\n", "    s_eta = (w - pi) * pi * (1 - pi)\n"),
    Mistake("sign", "s_eta", "    s_eta = w - pi\n", "    s_eta = pi - w\n"),
    Mistake(("wrong-loss-derivative", "wrong-tensor-in-delta", "missing-branch", None), "s_eta", "    s_eta = w - pi\n", "    s_eta = d - pi\n"),
    Mistake(("wrong-loss-derivative", "missing-weight-factor", "missing-branch", "wrong-local-derivative", None), "s_theta", "    s_theta = d - w * Lam\n", "    s_theta = d - Lam\n"),
    Mistake(("wrong-loss-derivative", "wrong-tensor-in-delta", "wrong-local-derivative"), "s_theta", "    s_theta = d - w * Lam\n", "    s_theta = d - w * S\n"),
    Mistake(("missing-activation-derivative", "missing-weight-factor", "factor-const", "wrong-local-derivative", None), "U_phi", UPHI, "    U_phi = np.sum(d * (1 / kappa + logt) - w * Lam * logt)\n"),
    Mistake(("missing-branch", "wrong-local-derivative", "factor-const", None), "U_phi", UPHI, "    U_phi = np.sum(d * kappa * logt - w * Lam * kappa * logt)\n"),
    Mistake(("missing-weight-factor", "wrong-local-derivative", "wrong-loss-derivative", None), "U_phi", UPHI, "    U_phi = np.sum(d * (1 + kappa * logt) - Lam * kappa * logt)\n"),
    Mistake(("wrong-tensor-in-weight-gradient", "wrong-tensor-in-delta", "wrong-local-derivative", None), "U_phi", UPHI, "    U_phi = np.sum(d * (1 + kappa * logt) - w * Lam * kappa * t)\n"),
    Mistake(("regulariser-scale", "factor-2"), "U_alpha", "    U_alpha = hid.T @ s_eta - tau * alpha\n", "    U_alpha = hid.T @ s_eta - 2 * tau * alpha\n"),
    Mistake(("sign", "regulariser-scale"), "U_beta", "    U_beta = hid.T @ s_theta - tau * beta\n", "    U_beta = hid.T @ s_theta + tau * beta\n"),
    Mistake("regulariser-forgotten", "U_A", "    U_A = x.T @ s_pre - tau * A\n", "    U_A = x.T @ s_pre\n"),
    Mistake(("wrong-tensor-in-weight-gradient", "wrong-tensor-in-delta"), "U_beta", "    U_beta = hid.T @ s_theta - tau * beta\n", "    U_beta = hid.T @ s_eta - tau * beta\n"),
    Mistake(("missing-branch", "detached-branch"), "s_hid", SHID, "    s_hid = np.outer(s_eta, alpha)\n"),
    Mistake(("wrong-tensor-in-delta", None), "s_hid", SHID, "    s_hid = np.outer(s_eta, beta) + np.outer(s_theta, alpha)\n"),
    Mistake(("missing-activation-derivative",), ("s_pre", "U_A"), "    s_pre = s_hid * (1 - hid**2)\n", "    s_pre = s_hid\n"),
    Mistake(("wrong-local-derivative", "derivative-of-another-activation"), "s_pre", "    s_pre = s_hid * (1 - hid**2)\n", "    s_pre = s_hid * hid * (1 - hid)\n"),
    Mistake(("factor-1/N", "bias-wrong-axis"), "U_a", "    U_a = s_pre.sum(axis=0)\n", "    U_a = s_pre.mean(axis=0)\n"),
    Mistake(("wrong-tensor-in-weight-gradient", "off-by-one-index", None), ("score", "return", "U_alpha", "U_beta"), "    score = (U_A, U_a, U_alpha, U_alpha0, U_beta, U_beta0, U_phi)\n", "    score = (U_A, U_a, U_beta, U_beta0, U_alpha, U_alpha0, U_phi)\n"),
    Mistake(("sign", "regulariser-scale", None), ("objective", "U_A", "U_alpha"), "    objective = -(ell - penalty)\n", "    objective = -ell - penalty\n"),
]
