"""Anpassung von Meßreihen durch eine Summe von tanh-Stufen (Ortsabhängigkeit in D Dimensionen, M Kanäle).

    f_m(x) = c_m + sum_k A_mk tanh(w_k . x + b_k)

    S = 1/(2N) sum_mn ((f_mn - y_mn) / sigma_mn)^2        gewichtete Residuen
      + alpha/(2N) sum_mn (Laplace f_mn)^2                Glattheit
      + rho/2 sum_mk A_mk^2                               Dämpfung der Amplituden

Punkte stehen in Spalten: x hat die Form (D, N), y und sigma haben (M, N).
Alle Parameter liegen in einem Vektor theta, wie ihn scipy.optimize.minimize(..., jac=True) verlangt.
Es gilt  Laplace tanh(u_k) = |w_k|^2 tanh''(u_k)  mit  tanh'' = -2 tanh (1 - tanh^2).
"""

import numpy as np


def zerlege(theta, K, D, M):
    grenzen = np.cumsum([K * D, K, M * K])
    w, b, A, c = np.split(theta, grenzen)
    return w.reshape(K, D), b, A.reshape(M, K), c


def wirkung(theta, x, y, sigma, K, alpha=0.05, rho=0.1):
    D, N = x.shape
    M = y.shape[0]
    w, b, A, c = zerlege(theta, K, D, M)

    # Modell
    u = np.einsum("kd,dn->kn", w, x) + b[:, None]
    h = np.tanh(u)
    f = np.einsum("mk,kn->mn", A, h) + c[:, None]
    # Krümmung
    q = np.einsum("kd,kd->k", w, w)
    s = -2 * h * (1 - h**2)
    lap = np.einsum("mk,k,kn->mn", A, q, s)
    # Wirkung
    res = (f - y) / sigma
    chi2 = 0.5 * np.einsum("mn,mn->", res, res) / N
    glatt = 0.5 * alpha * np.einsum("mn,mn->", lap, lap) / N
    daempfung = 0.5 * rho * np.einsum("mk,mk->", A, A)
    S = chi2 + glatt + daempfung

    # Variation nach f und lap
    S_f = res / sigma / N
    S_lap = alpha * lap / N

    # Amplituden, Untergrund
    S_A = np.einsum("mn,kn->mk", S_f, h)
    S_A += np.einsum("mn,k,kn->mk", S_lap, q, s)
    S_A += rho * A
    S_c = np.einsum("mn->m", S_f)

    # Stufen: h wirkt auf f und über s auf lap
    S_s = np.einsum("mn,mk,k->kn", S_lap, A, q)
    S_h = np.einsum("mk,mn->kn", A, S_f) + S_s * (6 * h**2 - 2)
    S_u = S_h * (1 - h**2)
    S_b = np.einsum("kn->k", S_u)
    S_q = np.einsum("mn,mk,kn->k", S_lap, A, s)
    S_w = np.einsum("kn,dn->kd", S_u, x) + 2 * S_q[:, None] * w

    grad = np.concatenate([S_w.ravel(), S_b, S_A.ravel(), S_c])
    return S, grad


# Cases
from tests.derivations.planting import Mistake, Right
from tests.derivations.truth import call


def problem(user, rng):
    D, N, M, K = 2, 11, 3, 5
    x, y = rng.uniform(-1, 1, size=(D, N)), rng.normal(size=(M, N))
    sigma = rng.uniform(0.5, 1.6, size=(M, N))
    theta = 0.8 * rng.normal(size=K * D + K + M * K + M)
    return call(user.wirkung, theta, x, y, sigma, K, wrt=("theta",))


RIGHT = [
    Right("    S_u = S_h * (1 - h**2)\n", "    S_u = S_h / np.cosh(u) ** 2\n"),
    Right(
        "    S_h = np.einsum(\"mk,mn->kn\", A, S_f) + S_s * (6 * h**2 - 2)\n    S_u = S_h * (1 - h**2)\n",
        "    strich = 1 - h**2\n    S_u = strich * (A.T @ S_f)\n    S_u -= 2 * S_s * (strich**2 + h * s)  # dritte Ableitung von tanh\n",
    ),
    Right("    S_A = np.einsum(\"mn,kn->mk\", S_f, h)\n    S_A += np.einsum(\"mn,k,kn->mk\", S_lap, q, s)\n", "    S_A = S_f @ h.T + S_lap @ (q[:, None] * s).T\n"),
    Right("    res = (f - y) / sigma\n", "    res = (f - y) / sigma  # gesamt\n    res = np.negative(np.divide(y - f, sigma))\n"),
    Right("    S_w = np.einsum(\"kn,dn->kd\", S_u, x) + 2 * S_q[:, None] * w\n", "    S_w = np.zeros_like(w)\n    for n in range(N):\n        S_w += np.outer(S_u[:, n], x[:, n])\n    S_w += np.einsum(\"k,kd->kd\", S_q, 2 * w)\n"),
]

GRAD = "    grad = np.concatenate([S_w.ravel(), S_b, S_A.ravel(), S_c])\n"
SW = "    S_w = np.einsum(\"kn,dn->kd\", S_u, x) + 2 * S_q[:, None] * w\n"
SH = "    S_h = np.einsum(\"mk,mn->kn\", A, S_f) + S_s * (6 * h**2 - 2)\n"

MISTAKES = [
    Mistake(("wrong-loss-derivative", "missing-weight-factor", "wrong-local-derivative", "skipped-layer"), "S_f", "S_f = res / sigma / N", "S_f = res / N"),
    Mistake(("wrong-loss-derivative", "wrong-local-derivative", None), "S_f", "S_f = res / sigma / N", "S_f = res / sigma**2 / N"),
    Mistake(("factor-half", "factor-const", "wrong-loss-derivative"), ("chi2", "S_f"), "chi2 = 0.5 * np.einsum(", "chi2 = np.einsum("),
    Mistake(("factor-N", "factor-const"), "S_f", "S_f = res / sigma / N", "S_f = res / sigma"),
    Mistake(("regulariser-scale", "factor-N", "factor-const"), "S_lap", "S_lap = alpha * lap / N", "S_lap = alpha * lap"),
    Mistake(("sign", "regulariser-scale"), "S_lap", "S_lap = alpha * lap / N", "S_lap = -alpha * lap / N"),
    Mistake(("overwritten-not-accumulated", "missing-branch"), "S_A", 'S_A += np.einsum("mn,k,kn->mk", S_lap, q, s)', 'S_A = np.einsum("mn,k,kn->mk", S_lap, q, s)'),
    Mistake(("missing-branch", "regulariser-forgotten", "detached-branch"), "S_A", '    S_A += np.einsum("mn,k,kn->mk", S_lap, q, s)\n', "", fix=False),
    Mistake("regulariser-forgotten", ("S_A", "grad"), "    S_A += rho * A\n", "", fix=False),
    Mistake(("regulariser-scale", "factor-2", "factor-const"), "S_A", "S_A += rho * A", "S_A += 2 * rho * A"),
    Mistake(("missing-weight-factor", None), "S_s", 'S_s = np.einsum("mn,mk,k->kn", S_lap, A, q)', 'S_s = np.einsum("mn,mk->kn", S_lap, A)'),
    Mistake(("wrong-local-derivative", None), "S_h", SH, SH.replace("6 * h**2 - 2", "2 * h**2 - 2")),
    Mistake(("sign", "wrong-local-derivative"), "S_h", SH, SH.replace("6 * h**2 - 2", "2 - 6 * h**2")),
    Mistake(("missing-branch", "detached-branch", "regulariser-forgotten"), "S_h", SH, SH.replace(" + S_s * (6 * h**2 - 2)", "")),
    Mistake(("wrong-tensor-in-delta", "missing-weight-factor", "skipped-layer", None), "S_h", SH, SH.replace("A, S_f)", "A, res / N)")),
    Mistake(("missing-activation-derivative", "skipped-layer"), "S_u", "S_u = S_h * (1 - h**2)", "S_u = S_h.copy()"),
    Mistake("output-form-on-preactivation", "S_u", "S_u = S_h * (1 - h**2)", "S_u = S_h * (1 - u**2)"),
    Mistake(("factor-half", "factor-const", "wrong-local-derivative", None), ("S_w", "S_q"), SW, SW.replace("+ 2 * S_q", "+ S_q")),
    Mistake(("missing-branch", "detached-branch", "regulariser-forgotten"), ("S_w", "grad"), SW, SW.replace(" + 2 * S_q[:, None] * w", "")),
    Mistake(("wrong-tensor-in-weight-gradient", "missing-activation-derivative", "skipped-layer"), "S_w", SW, SW.replace("S_u, x", "S_h, x")),
    Mistake(("wrong-tensor-in-delta", None), "S_q", 'S_q = np.einsum("mn,mk,kn->k", S_lap, A, s)', 'S_q = np.einsum("mn,mk,kn->k", S_lap, A, h)'),
    Mistake("wrong-tensor-in-weight-gradient", "S_A", 'S_A = np.einsum("mn,kn->mk", S_f, h)', 'S_A = np.einsum("mn,kn->mk", S_f, u)'),
    Mistake(("factor-1/N", "factor-const", "bias-wrong-axis"), "S_c", '    S_c = np.einsum("mn->m", S_f)\n', "    S_c = S_f.mean(axis=1)\n"),
    Mistake(("gradient-transposed", "wrong-shape"), ("grad", "return"), GRAD, GRAD.replace("S_A.ravel()", "S_A.ravel(order='F')")),
    Mistake(("off-by-one-index", "wrong-shape", None), ("grad", "return"), GRAD, "    grad = np.concatenate([S_w.ravel(), S_b, S_c, S_A.ravel()])\n"),
    Mistake(("aliasing", "input-mutated"), ("s", "h", "S_A"), "    s = -2 * h * (1 - h**2)\n", "    s = h\n    s *= -2 * (1 - h**2)\n"),
]
