"""Two towers with shared weights and a contrastive loss; each tower hands back the closure that goes backwards."""

import numpy as np

MARGIN = 1.5
EPS = 0.1


def sech2(u):
    return 1 - np.tanh(u) ** 2


def tower(shared, x):
    """The embedding of x, and the function that turns its gradient into those of the shared weights."""
    (A, a), (B, b) = shared
    u = x @ A + a
    h = np.tanh(u)
    e = h @ B + b

    def back(de):
        dB = h.T @ de
        db = de.sum(0)
        du = de @ B.T * sech2(u)
        dA = x.T @ du
        da = du.sum(0)
        return [(dA, da), (dB, db)]

    return e, back


def contrastive(e1, e2, same):
    """Pairs of the same class are pulled together, others pushed apart up to MARGIN."""
    diff = e1 - e2
    dist = np.sqrt(np.sum(diff ** 2, axis=1) + EPS)
    gap = np.maximum(MARGIN - dist, 0)
    value = np.mean(same * dist ** 2 + (1 - same) * gap ** 2) / 2

    def back():
        ddist = (same * dist - (1 - same) * gap) / len(same)
        de = (ddist / dist)[:, None] * diff
        return de, -de

    return value, back


def siamese_step(shared, left, right, same):
    e1, back1 = tower(shared, left)
    e2, back2 = tower(shared, right)
    value, back = contrastive(e1, e2, same)
    de1, de2 = back()
    g1 = back1(de1)
    g2 = back2(de2)
    grads = [(dW1 + dW2, db1 + db2) for (dW1, db1), (dW2, db2) in zip(g1, g2)]
    return value, grads


# Cases
from tests.derivations.planting import Mistake, Right
from tests.derivations.truth import call


def problem(user, rng):
    D, H, E, N = 2, 5, 3, 7
    shared = [(rng.normal(size=(D, H)), rng.normal(size=H)), (rng.normal(size=(H, E)), rng.normal(size=E))]
    left, right = rng.normal(size=(2, N, D))
    return call(user.siamese_step, shared, left, left + np.array([2, 1, 5, 1, 0.4, 1, 3])[:, None] * right, np.array([1, 0, 0, 1, 0, 1, 0]), wrt=("shared",))


import numpy as np

RIGHT = [
    Right("        du = de @ B.T * sech2(u)\n", "        du = np.multiply(B @ de.T, sech2(u).T).T\n"),
    Right("        du = de @ B.T * sech2(u)\n", "        du = (de @ B.T) / np.cosh(u) ** 2\n"),
    Right("        ddist = (same * dist - (1 - same) * gap) / len(same)\n        de = (ddist / dist)[:, None] * diff\n", "        pull = same[:, None] * diff\n        push = ((1 - same) * gap / dist)[:, None] * diff\n        de = (pull - push) / len(same)\n"),
    Right("        return de, -de\n", "        return de, (e2 - e1) * (ddist / dist)[:, None]\n"),
    Right("    grads = [(dW1 + dW2, db1 + db2) for (dW1, db1), (dW2, db2) in zip(g1, g2)]\n", "    grads = g1\n    for (dW, db), (dW2, db2) in zip(grads, g2):\n        dW += dW2\n        db += db2\n"),
    Right("    g1 = back1(de1)\n    g2 = back2(de2)\n", "    g1, g2 = map(lambda back, de: back(de), (back1, back2), (de1, de2))\n"),
]

TOWER = ("tower", "back", "g1", "g2")
LOSS = ("contrastive", "back", "(de1, de2)", "de1")

MISTAKES = [
    Mistake(("sign", "missing-branch"), ("return", "de2", *LOSS), "return de, -de", "return de, de"),
    Mistake(("detached-branch", "missing-branch"), ("return", "de2", *LOSS), "return de, -de", "return de, 0 * de"),
    Mistake(("missing-branch", "overwritten-not-accumulated"), ("grads",), "grads = [(dW1 + dW2, db1 + db2) for", "grads = [(dW1, db1) for"),
    Mistake(("missing-branch", "overwritten-not-accumulated"), ("grads",), "(dW1 + dW2, db1 + db2)", "(dW1 + dW2, db2)"),
    Mistake("factor-half", ("grads",), "(dW1 + dW2, db1 + db2)", "((dW1 + dW2) / 2, (db1 + db2) / 2)"),
    Mistake(("accumulated-twice", "missing-branch"), ("grads", "g2"), "g2 = back2(de2)", "g2 = back1(de1)"),
    Mistake(("wrong-tensor-in-delta", "sign", "missing-branch"), "g2", "g2 = back2(de2)", "g2 = back2(de1)"),
    Mistake(("wrong-tensor-in-weight-gradient", "wrong-tensor-in-delta", None), "g2", "g2 = back2(de2)", "g2 = back1(de2)"),
    Mistake(("sign", "wrong-loss-derivative", None), ("ddist", *LOSS), "same * dist - (1 - same) * gap", "same * dist + (1 - same) * gap"),
    Mistake("factor-half", ("value", "contrastive", "ddist", *LOSS), "gap ** 2) / 2", "gap ** 2)"),
    Mistake("factor-N", ("ddist", "value", *LOSS), "gap) / len(same)", "gap)"),
    Mistake(("missing-weight-factor", "wrong-local-derivative", "forward-differs", None), ("de", *LOSS), "de = (ddist / dist)[:, None] * diff", "de = ddist[:, None] * diff"),
    Mistake("epsilon-ignored", ("de", *LOSS), "de = (ddist / dist)[:, None] * diff", "de = (ddist / np.sqrt(np.sum(diff ** 2, axis=1)))[:, None] * diff"),
    Mistake("epsilon-ignored", ("de", *LOSS), "de = (ddist / dist)[:, None] * diff", "de = ddist[:, None] * diff / np.linalg.norm(diff, axis=1, keepdims=True)"),
    Mistake(("missing-target", "missing-weight-factor"), ("ddist", *LOSS), "same * dist - (1 - same) * gap", "same * dist - gap"),
    Mistake("missing-target", ("ddist", *LOSS), "same * dist - (1 - same) * gap", "dist - gap"),
    Mistake(("relu-mask-from-wrong-tensor", "wrong-loss-derivative", "missing-activation-derivative", None), ("ddist", *LOSS), "(1 - same) * gap) / len(same)", "(1 - same) * (MARGIN - dist)) / len(same)"),
    Mistake(("relu-mask-inverted", "relu-mask-from-wrong-tensor", "wrong-loss-derivative", None), ("ddist", *LOSS), "(1 - same) * gap) / len(same)", "(1 - same) * (MARGIN - dist) * (dist > MARGIN)) / len(same)"),
    Mistake("activation-derivative-at-activation", ("du", *TOWER), "de @ B.T * sech2(u)", "de @ B.T * sech2(h)"),
    Mistake(("wrong-local-derivative", None), ("sech2", "return", "du", *TOWER), "return 1 - np.tanh(u) ** 2", "return 1 - np.tanh(u)"),
    Mistake("output-form-on-preactivation", ("sech2", "return", "du", *TOWER), "return 1 - np.tanh(u) ** 2", "return 1 - u ** 2"),
    Mistake("bias-not-reduced", ("db", *TOWER, "grads"), "db = de.sum(0)", "db = de"),
    Mistake("gradient-transposed", ("dA", *TOWER, "grads"), "dA = x.T @ du", "dA = du.T @ x"),
    Mistake("accidental-broadcast", ("value", "contrastive", *LOSS), "    value = np.mean(same *", "    value = np.mean(same[:, None] *"),
    Mistake(("wrong-loss-derivative", None), ("ddist", *LOSS), "same * dist - (1 - same) * gap", "same - (1 - same) * gap"),
    Mistake(None, ("du", *TOWER), "du = de @ B.T * sech2(u)", "du = np.sqrt(np.abs(de @ B.T)) * u", fix=False),
]
