"""A deep autoencoder whose decoder reuses the encoder's matrices, one sample after the other, vectors throughout."""

import numpy as np

sigmoid = lambda t: 1.0 / (1.0 + np.exp(-t))


def reconstruction(W1, b1, W2, b2, c2, c1, samples, decay=0.02):
    n = len(samples)
    dW1 = np.zeros(W1.shape)
    dW2 = np.zeros(W2.shape)
    db1 = np.zeros(b1.shape)
    db2 = np.zeros(b2.shape)
    dc2 = np.zeros(c2.shape)
    dc1 = np.zeros(c1.shape)
    cost = 0.0

    for x in samples:
        # encode
        h1 = sigmoid(W1 @ x + b1)
        code = np.tanh(W2 @ h1 + b2)
        # decode
        g1 = sigmoid(W2.T @ code + c2)
        r = W1.T @ g1 + c1
        e = r - x
        cost += 0.5 * (e @ e)

        # and all the way back
        dc1 += e
        dW1 += np.outer(g1, e)
        delta3 = (W1 @ e) * g1 * (1 - g1)
        dc2 += delta3
        dW2 += np.outer(code, delta3)
        delta2 = (W2 @ delta3) * (1 - code ** 2)
        db2 += delta2
        dW2 += np.outer(delta2, h1)
        delta1 = (W2.T @ delta2) * h1 * (1 - h1)
        db1 += delta1
        dW1 += np.outer(delta1, x)

    cost = cost / n + 0.5 * decay * (np.sum(W1 ** 2) + np.sum(W2 ** 2))
    dW1 = dW1 / n + decay * W1
    dW2 = dW2 / n + decay * W2
    return cost, (dW1, db1 / n, dW2, db2 / n, dc2 / n, dc1 / n)


# Cases
from tests.derivations.planting import Mistake, Right
from tests.derivations.truth import call


def problem(user, rng):
    D, H, C, n = 5, 4, 3, 6
    weights = rng.normal(size=(H, D)), rng.normal(size=H), rng.normal(size=(C, H)), rng.normal(size=C), rng.normal(size=H), rng.normal(size=D)
    return call(user.reconstruction, *weights, list(rng.normal(size=(n, D))), wrt=("W1", "b1", "W2", "b2", "c2", "c1"))


RIGHT = [
    Right("dW1 += np.outer(g1, e)", "dW1 += g1[:, None] * e[None, :]"),
    Right("        delta3 = (W1 @ e) * g1 * (1 - g1)\n", "        delta3 = np.diag(g1 * (1 - g1)) @ W1 @ e\n"),
    Right("        dW2 += np.outer(code, delta3)\n", "        decoder = np.outer(delta3, code)   # of W2.T\n        dW2 += decoder.T\n"),
    Right("        e = r - x\n        cost += 0.5 * (e @ e)\n", "        e = x - r\n        cost += 0.5 * np.linalg.norm(e) ** 2\n        e = -e\n"),
    Right("    for x in samples:\n", "    for x in reversed(samples):\n"),
    Right("    dW1 = dW1 / n + decay * W1\n", "    dW1 /= n\n    dW1 += decay * W1\n"),
]

BUFFERS = "    db1 = np.zeros(b1.shape)\n    db2 = np.zeros(b2.shape)\n    dc2 = np.zeros(c2.shape)\n"

MISTAKES = [
    Mistake("missing-branch", "dW1", "        dW1 += np.outer(g1, e)\n", "", fix=False),
    Mistake("missing-branch", "dW2", "        dW2 += np.outer(delta2, h1)\n", "", fix=False),
    Mistake("overwritten-not-accumulated", "dW1", "dW1 += np.outer(delta1, x)", "dW1 = np.outer(delta1, x)"),
    Mistake("overwritten-not-accumulated", "db2", "db2 += delta2", "db2 = delta2"),
    Mistake("accumulated-twice", "dW2", "        dW2 += np.outer(code, delta3)\n", "        dW2 += np.outer(code, delta3)\n        dW2 += np.outer(code, delta3)\n", fix=False),
    Mistake("matmul-for-elementwise", "delta1", "(W2.T @ delta2) * h1 * (1 - h1)", "(W2.T @ delta2) @ (h1 * (1 - h1))"),
    Mistake("missing-activation-derivative", "delta3", "delta3 = (W1 @ e) * g1 * (1 - g1)", "delta3 = W1 @ e"),
    Mistake("activation-derivative-of-wrong-layer", "delta1", "(W2.T @ delta2) * h1 * (1 - h1)", "(W2.T @ delta2) * g1 * (1 - g1)"),
    Mistake("activation-derivative-of-wrong-layer", "delta3", "(W1 @ e) * g1 * (1 - g1)", "(W1 @ e) * h1 * (1 - h1)"),
    Mistake("wrong-tensor-in-weight-gradient", "dW2", "dW2 += np.outer(delta2, h1)", "dW2 += np.outer(delta2, g1)"),
    Mistake("wrong-tensor-in-weight-gradient", "dW1", "dW1 += np.outer(delta1, x)", "dW1 += np.outer(delta1, r)"),
    Mistake("derivative-of-another-activation", "delta2", "(1 - code ** 2)", "code * (1 - code)"),
    Mistake(("accidental-broadcast", "reduced-too-early", "bias-wrong-axis"), "dc1", "dc1 += e\n", "dc1 += e.sum()\n"),
    Mistake("factor-N", "dW2", "dW2 = dW2 / n + decay * W2", "dW2 = dW2 + decay * W2"),
    Mistake("regulariser-scale", "dW1", "dW1 / n + decay * W1", "dW1 / n + 0.5 * decay * W1"),
    Mistake("regulariser-on-wrong-parameter", ("return", "db2"), "db2 / n,", "db2 / n + decay * b2,"),
    Mistake(("aliasing", "accumulated-twice"), ("dc2", "db1"), BUFFERS, "    db2 = np.zeros(b2.shape)\n    db1 = dc2 = np.zeros(b1.shape)\n", fix=False),
    Mistake(("missing-activation-derivative", "wrong-tensor-in-delta"), "delta2", "(W2 @ delta3) * (1 - code ** 2)", "(W2 @ (W1 @ e)) * (1 - code ** 2)"),
    Mistake("factor-half", ("cost", "e", "dc1"), "cost += 0.5 * (e @ e)", "cost += e @ e"),
    Mistake(("detached-branch", "missing-branch"), ("delta1", "db1"), "        delta1 = (W2.T @ delta2) * h1 * (1 - h1)\n", "        delta1 = np.zeros_like(h1)\n"),
]
