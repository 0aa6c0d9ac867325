"""A highway network with maxout pieces below: single letters, lists of tuples, samples in columns, quartic loss."""

import numpy as np

s = lambda v: 1 / (1 + np.exp(-v))


def maxout(U, c, x):
    # U (P, H, D), c (P, H, 1) -> the largest of P affine pieces
    a = np.array([Ui @ x + ci for Ui, ci in zip(U, c)])
    return a.max(0), a.argmax(0)


def L(U, c, A, V, v, x, y):
    """A is a list of highway layers (W, b, T, d)"""
    n = x.shape[1]
    # up
    h, k = maxout(U, c, x)
    H, G, Q = [h], [], []
    for W, b, T, d in A:
        q = np.tanh(W @ H[-1] + b)           # candidate
        g = s(T @ H[-1] + d)                 # gate: how much is transformed
        H.append(g * q + (1 - g) * H[-1])
        G.append(g)
        Q.append(q)
    o = V @ H[-1] + v
    e = o - y
    l = np.sum(e**2 / 2 + e**4 / 4) / n

    # down
    do = (e + e**3) / n
    dV = do @ H[-1].T
    dv = do.sum(1, keepdims=True)
    dh = V.T @ do
    dA = []
    for i in reversed(range(len(A))):
        W, b, T, d = A[i]
        q, g, h = Q[i], G[i], H[i]
        dq = dh * g
        dg = dh * (q - h)
        du = dq * (1 - q * q)
        dt = dg * g * (1 - g)
        dA.insert(0, (du @ h.T, du.sum(1, keepdims=True), dt @ h.T, dt.sum(1, keepdims=True)))
        dh = dh * (1 - g) + W.T @ du + T.T @ dt
    dU, dc = np.zeros_like(U), np.zeros_like(c)
    for p in range(len(U)):
        m = dh * (k == p)
        dU[p] = m @ x.T
        dc[p] = m.sum(1, keepdims=True)
    return l, (dU, dc, dA, dV, dv)


# Cases
from tests.derivations.planting import Mistake, Right
from tests.derivations.truth import call


def problem(user, rng):
    P, D, H, K, N = 3, 2, 5, 4, 7
    A = [(rng.normal(size=(H, H)), rng.normal(size=(H, 1)), rng.normal(size=(H, H)), rng.normal(size=(H, 1)) - 1) for _ in range(2)]
    U, c = rng.normal(size=(P, H, D)), rng.normal(size=(P, H, 1))
    V, v = rng.normal(size=(K, H)) / 2, rng.normal(size=(K, 1)) / 2
    return call(user.L, U, c, A, V, v, rng.normal(size=(D, N)), rng.normal(size=(K, N)), wrt=("U", "c", "A", "V", "v"))


RIGHT = [
    Right("        H.append(g * q + (1 - g) * H[-1])\n", "        H.append(H[-1] + g * (q - H[-1]))\n"),
    Right("    do = (e + e**3) / n\n", "    do = e * (1 + e * e) / n\n"),
    Right("        dh = dh * (1 - g) + W.T @ du + T.T @ dt\n", "        dh = np.vstack([W, T]).T @ np.vstack([du, dt]) + dh - dq\n"),
    Right("        m = dh * (k == p)\n", "        m = np.where(k == p, dh, 0)\n"),
    Right("        dt = dg * g * (1 - g)\n", "        dt = dg * (g - g**2)\n"),
]

NEW = ("dA.insert", "dA", "(du @ h.T, du.sum(1, keepdims=True), dt @ h.T, dt.sum(1, keepdims=True))")

MISTAKES = [
    Mistake(("wrong-loss-derivative", "wrong-local-derivative"), ("do", "l"), "do = (e + e**3) / n", "do = (e + 3 * e**3) / n"),
    Mistake(("missing-branch", "wrong-loss-derivative"), ("do", "l"), "do = (e + e**3) / n", "do = e / n"),
    Mistake(("factor-K", "factor-1/N", "factor-const", None), ("do", "l"), "do = (e + e**3) / n", "do = (e + e**3) / e.size"),
    Mistake("sign", ("e", "do"), "e = o - y", "e = y - o"),
    Mistake(("missing-weight-factor", "missing-branch", "skipped-layer"), "dq", "dq = dh * g\n", "dq = dh\n"),
    Mistake(("wrong-tensor-in-delta", "wrong-local-derivative"), "dq", "dq = dh * g\n", "dq = dh * (1 - g)\n"),
    Mistake("missing-branch", "dg", "dg = dh * (q - h)", "dg = dh * q"),
    Mistake(("sign", "wrong-local-derivative"), "dg", "dg = dh * (q - h)", "dg = dh * (h - q)"),
    Mistake(("sign", "wrong-local-derivative", None), "dg", "dg = dh * (q - h)", "dg = dh * (q + h)"),
    Mistake(("off-by-one-index", "stale-forward-values", "wrong-tensor-in-delta", None), ("h", "dg", "(q, g, h)", "dt"), "q, g, h = Q[i], G[i], H[i]", "q, g, h = Q[i], G[i], H[i + 1]"),
    Mistake(("off-by-one-index", "activation-derivative-of-wrong-layer", "stale-forward-values", None), ("g", "dq", "(q, g, h)"), "q, g, h = Q[i], G[i], H[i]", "q, g, h = Q[i], G[i - 1], H[i]"),
    Mistake("wrong-local-derivative", "du", "du = dq * (1 - q * q)", "du = dq * (1 - q)"),
    Mistake("derivative-of-another-activation", "dt", "dt = dg * g * (1 - g)", "dt = dg * (1 - g * g)"),
    Mistake("activation-derivative-of-wrong-layer", "dt", "dt = dg * g * (1 - g)", "dt = dg * q * (1 - q)"),
    Mistake("missing-activation-derivative", "dt", "dt = dg * g * (1 - g)", "dt = dg"),
    Mistake(("wrong-tensor-in-delta", "wrong-tensor-in-weight-gradient"), (*NEW[:2], "(du @ h.T, du.sum(1, keepdims=True), du @ h.T, dt.sum(1, keepdims=True))", "du @ h.T"), "dt @ h.T, dt.sum", "du @ h.T, dt.sum"),
    Mistake(("off-by-one-index", None), ("dA.append", "dA", "return"), "dA.insert(0, (", "dA.append((", fix=True),
    Mistake("weight-not-transposed", "dh", "+ T.T @ dt", "+ T @ dt"),
    Mistake("wrong-tensor-in-delta", "dh", "+ W.T @ du + T.T @ dt", "+ W.T @ du + W.T @ dt"),
    Mistake(("missing-branch", "detached-branch"), "dh", " + T.T @ dt\n", "\n"),
    Mistake(("missing-branch", "overwritten-not-accumulated"), "dh", "dh = dh * (1 - g) + W.T @ du", "dh = W.T @ du"),
    Mistake(("missing-activation-derivative", "relu-mask-from-wrong-tensor", "missing-weight-factor", None), ("m", "dU[p]"), "m = dh * (k == p)", "m = dh"),
    Mistake(("relu-mask-inverted", None, "wrong-local-derivative"), ("m", "dU[p]"), "m = dh * (k == p)", "m = dh * (k != p)"),
    Mistake(("off-by-one-index", "relu-mask-from-wrong-tensor", None), ("m", "dU[p]"), "m = dh * (k == p)", "m = dh * (k == p + 1)"),
]
