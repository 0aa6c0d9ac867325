"""A deeper net in float32, layers numbered in a loop, gradients in a list that is filled from the back."""

import numpy as np

f32 = np.float32
LAYERS = 3


def elu(z):
    return np.where(z > 0, z, np.exp(np.minimum(z, f32(0))) - f32(1))

def d_elu(z):
    return np.where(z > 0, f32(1), np.exp(np.minimum(z, f32(0))))


def loss_and_grads(W0, W1, W2, b0, b1, b2, X, T):
    W = [W0, W1, W2]
    b = [b0, b1, b2]
    A = [X.astype(f32)]
    Z = []
    for i in range(LAYERS):
        Z.append(A[i] @ W[i] + b[i])
        A.append(elu(Z[i]) if i < LAYERS - 1 else Z[i])
    R = A[-1] - T.astype(f32)
    loss = np.mean(np.sum(R * R, axis=1))

    deltas = [None] * LAYERS
    dW = [None] * LAYERS
    db = [None] * LAYERS
    deltas[LAYERS - 1] = f32(2) * R / f32(len(X))
    for i in range(LAYERS - 2, -1, -1):
        deltas[i] = deltas[i + 1] @ W[i + 1].T * d_elu(Z[i])
    for i in range(LAYERS):
        dW[i] = A[i].T @ deltas[i]
        db[i] = deltas[i].sum(axis=0)
    return loss, dW + db


# Cases
from tests.derivations.planting import Mistake, Right
from tests.derivations.truth import call

FLOAT32 = True


def problem(user, rng):
    sizes = 2, 7, 5, 3
    W = [rng.normal(size=s).astype("float32") for s in zip(sizes, sizes[1:])]
    b = [rng.normal(size=s).astype("float32") for s in sizes[1:]]
    X, T = rng.normal(size=(11, 2)).astype("float32"), rng.normal(size=(11, 3)).astype("float32")
    return call(user.loss_and_grads, *W, *b, X, T, wrt=("W0", "W1", "W2", "b0", "b1", "b2"))


RIGHT = [
    Right("    return np.where(z > 0, f32(1), np.exp(np.minimum(z, f32(0))))", "    return np.minimum(elu(z), f32(0)) + f32(1)"),
    Right("    for i in range(LAYERS):\n        dW[i] = A[i].T @ deltas[i]\n", "    for i in range(LAYERS):\n        dW[i] = np.tensordot(A[i], deltas[i], axes=(0, 0))\n"),
    Right("db[i] = deltas[i].sum(axis=0)", "db[i] = np.ones(len(X), dtype=f32) @ deltas[i]"),
    Right("R * R, axis=1", "R ** 2, axis=-1"),
]

DELTAS = ("deltas[i]", "deltas[1]")

MISTAKES = [
    Mistake("sign", "R", "R = A[-1] - T.astype(f32)", "R = T.astype(f32) - A[-1]"),
    Mistake("factor-half", ("deltas[LAYERS - 1]", "deltas[2]", "loss"), "= f32(2) * R / f32(len(X))", "= R / f32(len(X))"),
    Mistake("factor-N", ("deltas[LAYERS - 1]", "deltas[2]", "loss"), "= f32(2) * R / f32(len(X))", "= f32(2) * R"),
    Mistake(("factor-1/N", "bias-wrong-axis"), ("db[i]", "db[0]"), "db[i] = deltas[i].sum(axis=0)", "db[i] = deltas[i].mean(axis=0)"),
    Mistake("missing-activation-derivative", DELTAS, "W[i + 1].T * d_elu(Z[i])", "W[i + 1].T"),
    Mistake("activation-derivative-at-activation", DELTAS, "W[i + 1].T * d_elu(Z[i])", "W[i + 1].T * d_elu(A[i + 1])"),
    Mistake("activation-derivative-twice", DELTAS, "W[i + 1].T * d_elu(Z[i])", "W[i + 1].T * d_elu(Z[i]) * d_elu(Z[i])"),
    Mistake(("wrong-local-derivative", "derivative-of-another-activation", None), (*DELTAS, "d_elu"), "    return np.where(z > 0, f32(1), np.exp(np.minimum(z, f32(0))))", "    return np.where(z > 0, f32(1), f32(0))"),
    Mistake("wrong-local-derivative", (*DELTAS, "d_elu"), "    return np.where(z > 0, f32(1), np.exp(np.minimum(z, f32(0))))", "    return np.where(z > 0, f32(1), elu(z))"),
    Mistake("wrong-tensor-in-weight-gradient", ("dW[i]", "dW[1]"), "dW[i] = A[i].T @ deltas[i]", "dW[i] = (A[i] if i == 0 else Z[i - 1]).T @ deltas[i]"),
    Mistake("bias-not-reduced", ("db[i]", "db[0]"), "db[i] = deltas[i].sum(axis=0)", "db[i] = deltas[i]"),
    Mistake("gradient-transposed", ("dW[i]", "dW[0]"), "dW[i] = A[i].T @ deltas[i]", "dW[i] = deltas[i].T @ A[i]"),
    Mistake("updated-weights", ("deltas[i]", "deltas[0]", "W[i + 1]", "W[2]", "W[1]"), "        deltas[i] = deltas[i + 1]", "        W[i + 1] = W[i + 1] - f32(0.1) * A[i + 1].T @ deltas[i + 1]\n        deltas[i] = deltas[i + 1]"),
    Mistake("factor-K", ("loss", "deltas[LAYERS - 1]", "deltas[2]"), "np.mean(np.sum(R * R, axis=1))", "np.mean(R * R)"),
]
