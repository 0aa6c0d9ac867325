"""A recurrent net with one gate (minimal gated unit), an output at every step, and sequences of several lengths."""

import numpy as np


def sig(v):
    return 1 / (1 + np.exp(-v))


def run(x, y, m, Wf, Uf, bf, Wg, Ug, bg, V, c):
    """x (T, N, D), y (T, N, K), m (T, N, 1) is 1 where the sequence has not ended. Returns loss and gradients."""
    T, N, D = x.shape
    H = Uf.shape[0]
    total = m.sum()

    h = {-1: np.zeros((N, H))}
    f, r, g, e = {}, {}, {}, {}
    L = 0.0
    for t in range(T):
        f[t] = sig(x[t] @ Wf + h[t - 1] @ Uf + bf)
        r[t] = f[t] * h[t - 1]
        g[t] = np.tanh(x[t] @ Wg + r[t] @ Ug + bg)
        h[t] = (1 - f[t]) * h[t - 1] + f[t] * g[t]
        o = h[t] @ V + c
        e[t] = m[t] * (o - y[t])
        L += 0.5 * np.sum(e[t] ** 2) / total

    gWf, gUf, gbf = np.zeros_like(Wf), np.zeros_like(Uf), np.zeros_like(bf)
    gWg, gUg, gbg = np.zeros_like(Wg), np.zeros_like(Ug), np.zeros_like(bg)
    gV, gc = np.zeros_like(V), np.zeros_like(c)
    carry = np.zeros((N, H))
    for t in range(T - 1, -1, -1):
        do = e[t] / total
        gV += h[t].T @ do
        gc += do.sum(0)
        dh = do @ V.T + carry

        # candidate
        dg = dh * f[t]
        dag = dg * (1 - g[t] ** 2)
        gWg += x[t].T @ dag
        gUg += r[t].T @ dag
        gbg += dag.sum(0)
        dr = dag @ Ug.T

        # gate
        df = dh * (g[t] - h[t - 1]) + dr * h[t - 1]
        daf = df * f[t] * (1 - f[t])
        gWf += x[t].T @ daf
        gUf += h[t - 1].T @ daf
        gbf += daf.sum(0)

        # the state before
        carry = dh * (1 - f[t]) + dr * f[t] + daf @ Uf.T

    return L, (gWf, gUf, gbf, gWg, gUg, gbg, gV, gc)


# Cases
from tests.derivations.planting import Mistake, Right
from tests.derivations.truth import call


def problem(user, rng):
    T, N, D, H, K = 4, 5, 2, 3, 2
    weights = [rng.normal(size=shape) for shape in ((D, H), (H, H), H, (D, H), (H, H), H, (H, K), K)]
    lengths = np.array([4, 3, 4, 2, 3])
    m = (np.arange(T)[:, None] < lengths)[:, :, None] * 1.0
    names = ("Wf", "Uf", "bf", "Wg", "Ug", "bg", "V", "c")
    return call(user.run, rng.normal(size=(T, N, D)), rng.normal(size=(T, N, K)), m, *weights, wrt=names)


import numpy as np

RIGHT = [
    Right("    for t in range(T - 1, -1, -1):\n", "    for t in reversed(range(T)):\n"),
    Right("df = dh * (g[t] - h[t - 1]) + dr * h[t - 1]", "df = dh * g[t] + (dr - dh) * h[t - 1]"),
    Right("        dg = dh * f[t]\n        dag = dg * (1 - g[t] ** 2)\n", "        dag = f[t] * dh\n        dag *= 1 - g[t] * g[t]\n"),
    Right("        gUf += h[t - 1].T @ daf\n", "        if t > 0:  # the first state is zero\n            gUf += h[t - 1].T @ daf\n"),
    Right("    carry = np.zeros((N, H))\n", "    carry = 0\n"),
]

CARRY = "carry = dh * (1 - f[t]) + dr * f[t] + daf @ Uf.T"
ERROR = ("do", "L", "e[t]")

MISTAKES = [
    Mistake(("off-by-one-time", "off-by-one-index", "wrong-tensor-in-weight-gradient"), "gUf", "gUf += h[t - 1].T @ daf", "gUf += h[t].T @ daf"),
    Mistake(("wrong-tensor-in-weight-gradient", "missing-weight-factor", None), "gUg", "gUg += r[t].T @ dag", "gUg += h[t - 1].T @ dag"),
    Mistake(("missing-branch", "detached-branch"), "carry", CARRY, "carry = dh * (1 - f[t]) + daf @ Uf.T"),
    Mistake(("missing-branch", "detached-branch"), "carry", CARRY, "carry = dr * f[t] + daf @ Uf.T"),
    Mistake(("missing-branch", "detached-branch"), "dh", "dh = do @ V.T + carry", "dh = do @ V.T"),
    Mistake(("missing-branch", "detached-branch"), "df", "df = dh * (g[t] - h[t - 1]) + dr * h[t - 1]", "df = dh * (g[t] - h[t - 1])"),
    Mistake(("sign", None), "df", "df = dh * (g[t] - h[t - 1]) + dr", "df = dh * (h[t - 1] - g[t]) + dr"),
    Mistake(("missing-branch", "missing-weight-factor", "wrong-local-derivative", None), "df", "dh * (g[t] - h[t - 1])", "dh * g[t]"),
    Mistake(("off-by-one-time", "off-by-one-index", "wrong-tensor-in-delta", None), "df", "dh * (g[t] - h[t - 1])", "dh * (g[t] - h[t])"),
    Mistake(("missing-weight-factor", "missing-branch", "wrong-local-derivative", None), "carry", "carry = dh * (1 - f[t])", "carry = dh"),
    Mistake(("overwritten-not-accumulated", "missing-branch"), "gWg", "gWg += x[t].T @ dag", "gWg = x[t].T @ dag"),
    Mistake(("overwritten-not-accumulated", "missing-branch"), "gc", "gc += do.sum(0)", "gc = do.sum(0)"),
    Mistake(("weight-not-transposed", None), "carry", "daf @ Uf.T", "daf @ Uf"),
    Mistake("missing-activation-derivative", "dag", "dag = dg * (1 - g[t] ** 2)", "dag = dg"),
    Mistake(("activation-derivative-of-wrong-layer", "wrong-tensor-in-delta", None), "daf", "df * f[t] * (1 - f[t])", "df * g[t] * (1 - g[t])"),
    Mistake(("factor-N", "factor-const"), ERROR, "do = e[t] / total", "do = e[t]"),
    Mistake(("input-mutated", "aliasing"), ("dg", "dh"), "        dg = dh * f[t]\n", "        dg = dh\n        dg *= f[t]\n"),
    Mistake(("off-by-one-time", "off-by-one-index", "missing-branch", "detached-branch", None), ("gV", "gc", "do", "carry", "gWg", "gUg", "gbg", "gWf", "gUf", "gbf", "return"), "range(T - 1, -1, -1)", "range(T - 1, 0, -1)", fix=False),
    Mistake(("missing-activation-derivative", "wrong-tensor-in-delta", None), "carry", "daf @ Uf.T", "df @ Uf.T"),
    Mistake(("accumulated-twice", "factor-2"), "gbf", "        gbf += daf.sum(0)\n", "        gbf += daf.sum(0)\n        gbf += daf.sum(0)\n"),
]
