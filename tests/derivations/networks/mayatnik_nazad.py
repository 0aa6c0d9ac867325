"""Маятник с нейросетевым регулятором: прямой счёт полунеявным Эйлером, сопряжённая система -- руками.

    ω[k+1] = ω[k] + h (u[k] - G sin θ[k] - c ω[k])
    θ[k+1] = θ[k] + h ω[k+1]
    u(θ, ω) = v·tanh(Aᵀφ + b),   φ = (sin θ, cos θ, ω)
    J = среднее по начальным условиям ½[ Σ h (θ² + ρ u²) + μ (θ_K² + ω_K²) ]

Трение c неизвестно, поэтому подбираем ln c вместе с весами.
"""

import numpy as np

G = 2.5
RHO = 0.3
MU = 1.7


def regulyator(A, b, v):
    """Возвращает функцию, которая даёт u и замыкание для обратного хода."""

    def upravlenie(theta, omega):
        phi = np.stack([np.sin(theta), np.cos(theta), omega], axis=1)
        y = np.tanh(phi @ A + b)
        u = y @ v

        def obratno(u_):
            v_ = y.T @ u_
            z_ = np.outer(u_, v) * (1 - y**2)
            A_ = phi.T @ z_
            b_ = z_.sum(axis=0)
            phi_ = z_ @ A.T
            theta_ = phi_[:, 0] * np.cos(theta) - phi_[:, 1] * np.sin(theta)
            omega_ = phi_[:, 2]
            return (theta_, omega_), (A_, b_, v_)

        return u, obratno

    return upravlenie


def funkcional(theta0, omega0, A, b, v, ln_c, h=0.15, K=6):
    N = theta0.size
    c = np.exp(ln_c)
    upravlenie = regulyator(A, b, v)

    theta, omega, u, lenta = [theta0], [omega0], [], []
    J = 0.0
    for k in range(K):
        u_k, obratno = upravlenie(theta[k], omega[k])
        J += 0.5 * h * np.mean(theta[k] ** 2 + RHO * u_k**2)
        omega.append(omega[k] + h * (u_k - G * np.sin(theta[k]) - c * omega[k]))
        theta.append(theta[k] + h * omega[k + 1])
        u.append(u_k)
        lenta.append(obratno)
    J += 0.5 * MU * np.mean(theta[K] ** 2 + omega[K] ** 2)

    # сопряжённые переменные: p к θ, q к ω
    p = MU * theta[K] / N
    q = MU * omega[K] / N
    dA, db, dv, dc = np.zeros_like(A), np.zeros_like(b), np.zeros_like(v), 0.0
    for k in range(K - 1, -1, -1):
        q = q + h * p
        u_ = h * q + h * RHO * u[k] / N
        (theta_, omega_), (A_, b_, v_) = lenta[k](u_)
        dA += A_
        db += b_
        dv += v_
        dc -= h * np.sum(q * omega[k])
        p = p - h * G * np.cos(theta[k]) * q + theta_ + h * theta[k] / N
        q = q * (1 - h * c) + omega_
    dln_c = dc * c
    return J, (dA, db, dv, dln_c)


# Cases
from tests.derivations.planting import Mistake, Right
from tests.derivations.truth import call


def problem(user, rng):
    N, H = 5, 4
    A, b, v = 0.6 * rng.normal(size=(3, H)), 0.5 * rng.normal(size=H), 0.8 * rng.normal(size=H)
    theta0, omega0 = rng.normal(size=N), rng.normal(size=N)
    return call(user.funkcional, theta0, omega0, A, b, v, np.array(rng.uniform(-0.8, 0.5)), wrt=("A", "b", "v", "ln_c"))


import numpy as np

Z = "            z_ = np.outer(u_, v) * (1 - y**2)\n"
TH = "            theta_ = phi_[:, 0] * np.cos(theta) - phi_[:, 1] * np.sin(theta)\n"
P = "        p = p - h * G * np.cos(theta[k]) * q + theta_ + h * theta[k] / N\n"
Q = "        q = q * (1 - h * c) + omega_\n"
U = "        u_ = h * q + h * RHO * u[k] / N\n"
TAPE = "        (theta_, omega_), (A_, b_, v_) = lenta[k](u_)\n"
QK = "    q = MU * omega[K] / N\n"
PK = "    p = MU * theta[K] / N\n"

RIGHT = [
    Right(Z, "            y_ = u_[:, None] * v[None, :]\n            z_ = y_ - y_ * y * y\n"),
    Right(TH + "            omega_ = phi_[:, 2]\n", "            jac = np.stack([phi[:, 1], -phi[:, 0]], axis=1)\n            theta_ = np.einsum('ni,ni->n', phi_[:, :2], jac)\n            omega_ = phi_.T[-1]\n"),
    Right(P + Q, "        dsin = G * np.cos(theta[k])\n        p, q = p + theta_ + h * (theta[k] / N - dsin * q), q + omega_ - h * c * q\n"),
    Right("        dc -= h * np.sum(q * omega[k])\n" + P + Q + "    dln_c = dc * c\n", "        dc += -h * (q @ omega[k]) * c\n        p = (p + theta_) + h * (theta[k] / N - G * np.cos(theta[k]) * q)\n        q = omega_ - (h * c - 1) * q\n    dln_c = dc\n"),
    Right("        q = q + h * p\n" + U, "        q += h * p\n        u_ = h * (q + RHO * u[k] / N)\n"),
]

MISTAKES = [
    Mistake("missing-activation-derivative", "z_", Z, "            z_ = np.outer(u_, v)\n"),
    Mistake("wrong-local-derivative", "z_", Z, "            z_ = np.outer(u_, v) * (1 - y)\n"),
    Mistake(("derivative-of-another-activation", "wrong-local-derivative"), "z_", Z, "            z_ = np.outer(u_, v) * y * (1 - y)\n"),
    Mistake(("sign", "wrong-local-derivative"), "theta_", TH, "            theta_ = phi_[:, 0] * np.cos(theta) + phi_[:, 1] * np.sin(theta)\n"),
    Mistake(("wrong-local-derivative", "wrong-tensor-in-delta", "off-by-one-index", None), "theta_", TH, "            theta_ = phi_[:, 1] * np.cos(theta) - phi_[:, 0] * np.sin(theta)\n"),
    Mistake(("missing-branch", "detached-branch"), "theta_", TH, "            theta_ = phi_[:, 0] * np.cos(theta)\n"),
    Mistake(("factor-1/N", "bias-wrong-axis"), "b_", "b_ = z_.sum(axis=0)", "b_ = z_.mean(axis=0)"),
    Mistake(("missing-branch", "regulariser-forgotten", "detached-branch"), "u_", U, "        u_ = h * q\n"),
    Mistake(("regulariser-scale", "factor-N", "wrong-loss-derivative", None), ("u_", "J"), U, "        u_ = h * q + h * RHO * u[k]\n"),
    Mistake(("missing-branch", "detached-branch"), ("q", "u_"), "        q = q + h * p\n", "", fix=False),
    Mistake(("wrong-tensor-in-delta", "off-by-one-time", None), "p", P + Q, "        q_next = q * (1 - h * c) + omega_\n        p = p - h * G * np.cos(theta[k]) * q_next + theta_ + h * theta[k] / N\n        q = q_next\n"),
    Mistake("wrong-local-derivative", "p", P, "        p = p - h * G * np.sin(theta[k]) * q + theta_ + h * theta[k] / N\n"),
    Mistake(("missing-branch", "detached-branch"), "p", P, "        p = p - h * G * np.cos(theta[k]) * q + h * theta[k] / N\n"),
    Mistake(("off-by-one-time", "wrong-tensor-in-delta", "off-by-one-index"), "p", P, "        p = p - h * G * np.cos(theta[k]) * q + theta_ + h * theta[k + 1] / N\n"),
    Mistake(("overwritten-not-accumulated", "missing-branch"), "p", P, "        p = -h * G * np.cos(theta[k]) * q + theta_ + h * theta[k] / N\n"),
    Mistake(("sign", "wrong-local-derivative"), "q", Q, "        q = q * (1 + h * c) + omega_\n"),
    Mistake(("off-by-one-time", "wrong-tensor-in-weight-gradient", "off-by-one-index"), "dc", "        dc -= h * np.sum(q * omega[k])\n", "        dc -= h * np.sum(q * omega[k + 1])\n"),
    Mistake(("wrong-local-derivative", "missing-weight-factor", "missing-activation-derivative", "skipped-layer"), "dln_c", "    dln_c = dc * c\n", "    dln_c = dc\n"),
    Mistake(("missing-branch", "detached-branch"), "q", QK, "    q = np.zeros(N)\n"),
    Mistake("overwritten-not-accumulated", ("dv", "v_"), "        dv += v_\n", "        dv = v_\n"),
    Mistake(("stale-forward-values", "off-by-one-time", "wrong-tensor-in-weight-gradient", None), ("v_", "lenta", "theta_", "omega_", "A_", "((theta_, omega_), (A_, b_, v_))", "z_", "obratno"), "        lenta.append(obratno)\n", "        lenta.append(lambda g: obratno(g))\n"),
    Mistake(("forward-differs", "off-by-one-time", None), ("theta", "q"), "        theta.append(theta[k] + h * omega[k + 1])\n", "        theta.append(theta[k] + h * omega[k])\n"),
    Mistake(("off-by-one-time", "off-by-one-index", "missing-branch", None), ("dA", "db", "dv", "dc", "k"), "    for k in range(K - 1, -1, -1):\n", "    for k in range(K - 1, 0, -1):\n"),
]
