"""One to five stars from factors of users and of films, squashed; one rating after the other."""

import numpy as np

MEAN = 3
act = 0.62  # what the last session's probe printed


def squash(t):
    act = 1 / (1 + np.exp(-t))
    return act


def objective(P, Q, user_bias, film_bias, ratings, lam=0.1):
    cost = 0.0
    gP = [np.zeros(P.shape[1]) for row in P]
    gQ = [np.zeros(Q.shape[1]) for row in Q]
    g_user = np.zeros(len(user_bias))
    g_film = np.zeros(len(film_bias))
    for u, f, stars in ratings:
        p, q = P[u], Q[f]
        s = p.dot(q) + user_bias[u] + film_bias[f]
        a = squash(s)
        error = 1 + 4 * a - stars
        cost += error ** 2
        cost += lam * (p.dot(p) + q.dot(q) + user_bias[u] ** 2 + film_bias[f] ** 2)

        ds = 2 * error * 4 * a * (1 - a)
        gP[u] += ds * q + 2 * lam * p
        gQ[f] += ds * p + 2 * lam * q
        g_user[u] += ds + 2 * lam * user_bias[u]
        g_film[f] += ds + 2 * lam * film_bias[f]
    return cost, (np.array(gP), np.array(gQ), g_user, g_film)


# Cases
from tests.derivations.planting import Mistake, Right
from tests.derivations.truth import call


def problem(user, rng):
    users, films, k, n = 3, 5, 2, 8
    pairs = [(u, f) for u in range(users) for f in range(films)]
    chosen = [pairs[i] for i in rng.permutation(len(pairs))[:n]]
    chosen += [(u, f) for u, f in pairs if u not in {c[0] for c in chosen} or f not in {c[1] for c in chosen}]
    ratings = [(u, f, int(rng.integers(1, 6))) for u, f in chosen]
    return call(
        user.objective, rng.normal(size=(users, k)), rng.normal(size=(films, k)), rng.normal(size=users),
        rng.normal(size=films), ratings, wrt=("P", "Q", "user_bias", "film_bias"),
    )  # fmt: skip


RIGHT = [
    Right("        error = 1 + 4 * a - stars\n", "        error = stars - (1 + 4 * a)\n        error = -error\n"),
    Right("        ds = 2 * error * 4 * a * (1 - a)\n", "        guess = 1 + 4 * a\n        ds = error * (guess - 1) * (5 - guess) / 2\n"),
    Right("        gP[u] += ds * q + 2 * lam * p\n        gQ[f] += ds * p + 2 * lam * q\n", "        for i in range(len(p)):\n            gP[u][i] = gP[u][i] + ds * q[i] + 2 * lam * p[i]\n            gQ[f][i] = gQ[f][i] + ds * p[i] + 2 * lam * q[i]\n"),
    Right("        g_user[u] += ds + 2 * lam * user_bias[u]\n        g_film[f] += ds + 2 * lam * film_bias[f]\n", "        for g, bias, at in ((g_user, user_bias, u), (g_film, film_bias, f)):\n            g[at] += ds + 2 * lam * bias[at]\n"),
    Right("    for u, f, stars in ratings:\n", "    for u, f, stars in sorted(ratings):\n"),
]

GP, GQ, GU, GF = ("gP[u]", "gP"), ("gQ[f]", "gQ"), ("g_user[u]", "g_user"), ("g_film[f]", "g_film")

MISTAKES = [
    Mistake("function-returns-global", ("squash", "a", "return"), "    act = 1 / (1 + np.exp(-t))\n", "    out = 1 / (1 + np.exp(-t))\n"),
    Mistake(("sign", "wrong-loss-derivative"), ("error", "ds"), "error = 1 + 4 * a - stars", "error = stars - 1 - 4 * a"),
    Mistake("factor-half", "ds", "ds = 2 * error * 4 * a", "ds = error * 4 * a"),
    Mistake("factor-const", "ds", "ds = 2 * error * 4 * a", "ds = 2 * error * a"),
    Mistake("missing-activation-derivative", "ds", "2 * error * 4 * a * (1 - a)", "2 * error * 4"),
    Mistake("output-form-on-preactivation", "ds", "4 * a * (1 - a)", "4 * s * (1 - s)"),
    Mistake("overwritten-not-accumulated", GP, "gP[u] += ds * q", "gP[u] = ds * q"),
    Mistake("overwritten-not-accumulated", GF, "g_film[f] += ds", "g_film[f] = ds"),
    Mistake("off-by-one-index", ("gQ[f - 1]", "gQ"), "gQ[f] += ds * p + 2 * lam * q", "gQ[f - 1] += ds * p + 2 * lam * q"),
    Mistake(("updated-weights", "input-mutated", "aliasing"), ("P[u]", "p", *GQ), "        gQ[f] += ds * p", "        P[u] -= 0.1 * (ds * q + 2 * lam * p)\n        gQ[f] += ds * p"),
    Mistake("regulariser-forgotten", GU, "g_user[u] += ds + 2 * lam * user_bias[u]", "g_user[u] += ds"),
    Mistake("regulariser-scale", GQ, "gQ[f] += ds * p + 2 * lam * q", "gQ[f] += ds * p + lam * q"),
    Mistake(("regulariser-on-wrong-parameter", "regulariser-scale", None), GP, "gP[u] += ds * q + 2 * lam * p", "gP[u] += ds * q + 2 * lam * q"),
    Mistake(("wrong-tensor-in-weight-gradient", None), GP, "gP[u] += ds * q + 2", "gP[u] += ds * p + 2"),
    Mistake(("missing-weight-factor", "accidental-broadcast"), GP, "gP[u] += ds * q + 2", "gP[u] += ds + 2"),
    Mistake("aliasing", GP, "gP = [np.zeros(P.shape[1]) for row in P]", "gP = [np.zeros(P.shape[1])] * len(P)"),
    Mistake("integer-dtype", GF, "g_film = np.zeros(len(film_bias))", "g_film = np.array([0] * len(film_bias))"),
    Mistake("factor-N", ("cost", "ds"), "    return cost,", "    cost = cost / len(ratings)\n    return cost,", fix=False),
    Mistake(("accumulated-twice", "regulariser-scale"), ("gP", "gP[u]"), "    return cost,", "    gP = np.array(gP) + 2 * lam * P\n    return cost,", fix=False),
    Mistake(("missing-branch", "detached-branch"), GF, "g_film[f] += ds + 2 * lam * film_bias[f]", "g_film[f] += 2 * lam * film_bias[f]"),
]
