"""A Kalman filter's log-likelihood (AR(1) signal plus noise) and its gradient by a reverse sweep over the recursions."""

import math

import numpy as np

# x_t = phi x_{t-1} + N(0, q),   y_t = c x_t + N(0, r);   x_0 ~ N(m0, P0)
# phi = tanh(theta_phi), q = exp(theta_q), r = exp(theta_r)


def filter_forward(y, th_phi, th_q, th_r, c, m0=0.0, P0=1.5):
    phi, q, r = math.tanh(th_phi), math.exp(th_q), math.exp(th_r)
    T = len(y)
    m, P = [m0], [P0]                       # filtered, index 0 is the prior
    mp, Pp, v, S, K = [None], [None], [None], [None], [None]
    nll = 0.0
    for t in range(1, T + 1):
        mp.append(phi * m[t-1])             # predict
        Pp.append(phi**2 * P[t-1] + q)
        v.append(y[t-1] - c * mp[t])        # innovation
        S.append(c**2 * Pp[t] + r)
        K.append(c * Pp[t] / S[t])          # gain
        m.append(mp[t] + K[t] * v[t])       # update
        P.append((1 - K[t] * c) * Pp[t])
        nll += 0.5 * (math.log(S[t]) + v[t]**2 / S[t])
    return nll, (phi, q, r, m, P, mp, Pp, v, S, K)


def nll_and_grad(y, th_phi, th_q, th_r, c):
    nll, (phi, q, r, m, P, mp, Pp, v, S, K) = filter_forward(y, th_phi, th_q, th_r, c)
    g_phi = g_q = g_r = g_c = 0.0
    bar_m, bar_P = 0.0, 0.0                 # adjoints of m[t], P[t], coming from t + 1
    for t in range(len(y), 0, -1):
        # P = (1 - K c) Pp
        bar_K = -c * Pp[t] * bar_P
        bar_Pp = (1 - K[t] * c) * bar_P
        g_c += -K[t] * Pp[t] * bar_P
        # m = mp + K v
        bar_mp = bar_m
        bar_K += v[t] * bar_m
        bar_v = K[t] * bar_m
        # nll
        bar_S = 0.5 * (1 / S[t] - v[t]**2 / S[t]**2)
        bar_v += v[t] / S[t]
        # K = c Pp / S
        bar_Pp += c / S[t] * bar_K
        bar_S += -c * Pp[t] / S[t]**2 * bar_K
        g_c += Pp[t] / S[t] * bar_K
        # S = c^2 Pp + r
        bar_Pp += c**2 * bar_S
        g_r += bar_S
        g_c += 2 * c * Pp[t] * bar_S
        # v = y - c mp
        bar_mp += -c * bar_v
        g_c += -mp[t] * bar_v
        # Pp = phi^2 P + q,  mp = phi m
        g_q += bar_Pp
        g_phi += 2 * phi * P[t-1] * bar_Pp + m[t-1] * bar_mp
        bar_P = phi**2 * bar_Pp
        bar_m = phi * bar_mp
    return nll, (g_phi * (1 - phi**2), g_q * q, g_r * r, g_c)


# Cases
from tests.derivations.planting import Mistake, Right
from tests.derivations.truth import call


def problem(user, rng):
    y = [float(v) for v in np.cumsum(rng.normal(size=6))]
    th_phi, th_q, th_r, c = rng.normal(size=4)
    return call(user.nll_and_grad, y, 0.8 + 0.1 * th_phi, 0.5 * th_q, 0.5 * th_r, 1.3 + 0.2 * c, wrt=("th_phi", "th_q", "th_r", "c"))


import numpy as np

RIGHT = [
    Right("        bar_S += -c * Pp[t] / S[t]**2 * bar_K\n", "        bar_S -= K[t] / S[t] * bar_K\n"),
    Right("        bar_S = 0.5 * (1 / S[t] - v[t]**2 / S[t]**2)\n", "        w = v[t] / S[t]\n        bar_S = (1 / S[t] - w * w) / 2\n"),
    Right("    for t in range(len(y), 0, -1):\n", "    for t in reversed(range(1, len(m))):\n"),
    Right("        bar_Pp = (1 - K[t] * c) * bar_P\n", "        bar_Pp = r / S[t] * bar_P           # 1 - K c = r / S\n"),
    Right("(g_phi * (1 - phi**2), g_q * q, g_r * r, g_c)", "(g_phi / math.cosh(th_phi)**2, g_q * q, g_r * r, g_c)"),
]

MISTAKES = [
    Mistake(("sign", "wrong-local-derivative"), ("bar_K", "g_c"), "bar_K = -c * Pp[t] * bar_P", "bar_K = c * Pp[t] * bar_P"),
    Mistake(("missing-weight-factor", "wrong-local-derivative", "factor-const", None), "bar_K", "bar_K = -c * Pp[t] * bar_P", "bar_K = -Pp[t] * bar_P"),
    Mistake("overwritten-not-accumulated", "bar_K", "bar_K += v[t] * bar_m", "bar_K = v[t] * bar_m"),
    Mistake("overwritten-not-accumulated", "bar_Pp", "bar_Pp += c**2 * bar_S", "bar_Pp = c**2 * bar_S"),
    Mistake("overwritten-not-accumulated", "bar_v", "bar_v += v[t] / S[t]", "bar_v = v[t] / S[t]"),
    Mistake(("factor-2", "wrong-loss-derivative", "wrong-local-derivative"), ("bar_v", "nll"), "bar_v += v[t] / S[t]", "bar_v += 2 * v[t] / S[t]"),
    Mistake(("wrong-loss-derivative", "sign", "wrong-local-derivative"), "bar_S", "(1 / S[t] - v[t]**2 / S[t]**2)", "(1 / S[t] + v[t]**2 / S[t]**2)"),
    Mistake(("wrong-loss-derivative", "wrong-local-derivative"), "bar_S", "(1 / S[t] - v[t]**2 / S[t]**2)", "(1 / S[t] - v[t]**2 / S[t])"),
    Mistake(("wrong-loss-derivative", "missing-branch"), "bar_S", "0.5 * (1 / S[t] - v[t]**2 / S[t]**2)", "0.5 / S[t]"),
    Mistake(("factor-2", "wrong-loss-derivative"), ("bar_S", "nll"), "bar_S = 0.5 * (1 / S[t]", "bar_S = 1.0 * (1 / S[t]"),
    Mistake(("detached-branch", "missing-branch"), ("bar_S", "bar_K"), "        bar_S += -c * Pp[t] / S[t]**2 * bar_K\n", "", fix=False),
    Mistake(("wrong-local-derivative", None), ("bar_S",), "bar_S += -c * Pp[t] / S[t]**2 * bar_K", "bar_S += -c * Pp[t] / S[t] * bar_K"),
    Mistake("sign", ("bar_mp", "g_c"), "bar_mp += -c * bar_v", "bar_mp += c * bar_v"),
    Mistake(("missing-weight-factor", "wrong-local-derivative"), "bar_mp", "bar_mp += -c * bar_v", "bar_mp += -bar_v"),
    Mistake("off-by-one-time", "g_phi", "g_phi += 2 * phi * P[t-1] * bar_Pp", "g_phi += 2 * phi * P[t] * bar_Pp"),
    Mistake("off-by-one-time", "g_phi", "+ m[t-1] * bar_mp", "+ m[t] * bar_mp"),
    Mistake(("missing-branch", "detached-branch"), "g_phi", "g_phi += 2 * phi * P[t-1] * bar_Pp + m[t-1] * bar_mp", "g_phi += m[t-1] * bar_mp"),
    Mistake(("wrong-local-derivative", "factor-const", None), "bar_P", "bar_P = phi**2 * bar_Pp", "bar_P = phi * bar_Pp"),
    Mistake(("wrong-local-derivative", "factor-half", None), "g_c", "g_c += 2 * c * Pp[t] * bar_S", "g_c += c * Pp[t] * bar_S"),
    Mistake(("off-by-one-time", "missing-branch"), ("t", "range", "bar_K", "bar_P", "bar_m", "g_q", "g_phi", "g_c", "g_r"), "range(len(y), 0, -1)", "range(len(y) - 1, 0, -1)"),
    Mistake("missing-activation-derivative", ("return", "g_q"), "g_q * q, g_r * r, g_c)", "g_q, g_r * r, g_c)"),
    Mistake("activation-derivative-at-activation", ("return", "g_phi"), "g_phi * (1 - phi**2)", "g_phi * (1 - math.tanh(phi)**2)"),
]
