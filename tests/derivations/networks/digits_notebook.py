"""The notebook everybody forks: digits from scratch, samples in columns, one_hot, ReLU_deriv, 1 / m everywhere."""

import numpy as np

def ReLU(Z):
    return np.maximum(Z, 0)

def softmax(Z):
    A = np.exp(Z) / sum(np.exp(Z))
    return A

def forward_prop(W1, b1, W2, b2, X):
    Z1 = W1.dot(X) + b1
    A1 = ReLU(Z1)
    Z2 = W2.dot(A1) + b2
    A2 = softmax(Z2)
    return Z1, A1, Z2, A2

def ReLU_deriv(Z):
    return Z > 0

def one_hot(Y, classes):
    one_hot_Y = np.zeros((Y.size, classes))
    one_hot_Y[np.arange(Y.size), Y] = 1
    one_hot_Y = one_hot_Y.T
    return one_hot_Y

def backward_prop(Z1, A1, Z2, A2, W1, W2, X, Y):
    m = Y.size
    one_hot_Y = one_hot(Y, A2.shape[0])
    dZ2 = A2 - one_hot_Y
    dW2 = 1 / m * dZ2.dot(A1.T)
    db2 = 1 / m * np.sum(dZ2, 1).reshape(-1, 1)
    dZ1 = W2.T.dot(dZ2) * ReLU_deriv(Z1)
    dW1 = 1 / m * dZ1.dot(X.T)
    db1 = 1 / m * np.sum(dZ1, 1).reshape(-1, 1)
    return dW1, db1, dW2, db2

def cross_entropy(A2, Y):
    return -np.mean(np.log(A2[Y, np.arange(Y.size)]))

def loss(W1, b1, W2, b2, X, Y):
    *_, A2 = forward_prop(W1, b1, W2, b2, X)
    return cross_entropy(A2, Y)

def gradients(W1, b1, W2, b2, X, Y):
    Z1, A1, Z2, A2 = forward_prop(W1, b1, W2, b2, X)
    dW1, db1, dW2, db2 = backward_prop(Z1, A1, Z2, A2, W1, W2, X, Y)
    return dW1, db1, dW2, db2


# Cases
from tests.derivations.planting import Mistake, Right
from tests.derivations.truth import call


def problem(user, rng):
    n, hidden, classes, m = 3, 7, 5, 11
    weights = rng.normal(size=(hidden, n)), rng.normal(size=(hidden, 1)), rng.normal(size=(classes, hidden)), rng.normal(size=(classes, 1))
    X, Y = rng.normal(size=(n, m)), rng.integers(0, classes, m)
    return call(user.loss, *weights, X, Y, by_hand=user.gradients, wrt=("W1", "b1", "W2", "b2"))


RIGHT = [
    Right("    return Z > 0\n", "    return (Z > 0).astype(np.float32)\n"),
    Right("np.exp(Z) / sum(np.exp(Z))", "np.exp(Z - Z.max(axis=0)) / np.sum(np.exp(Z - Z.max(axis=0)), axis=0)"),
    Right("    db2 = 1 / m * np.sum(dZ2, 1).reshape(-1, 1)\n", "    db2 = np.mean(dZ2, 1)[:, None]\n"),
    Right("    dZ2 = A2 - one_hot_Y\n", "    dA2 = -one_hot_Y / A2\n    dZ2 = A2 * (dA2 - np.sum(dA2 * A2, 0))\n"),
    Right("    dZ1 = W2.T.dot(dZ2) * ReLU_deriv(Z1)\n", "    dZ1 = dZ2.T.dot(W2).T * ReLU_deriv(A1)\n"),
]

MISTAKES = [
    Mistake(("bias-wrong-axis", "reduced-too-early", "wrong-shape"), "db2", "np.sum(dZ2, 1).reshape(-1, 1)", "np.sum(dZ2)"),
    Mistake(("bias-wrong-axis", "reduced-too-early", "wrong-shape"), "db1", "np.sum(dZ1, 1).reshape(-1, 1)", "np.sum(dZ1)"),
    Mistake("wrong-shape", "db1", "np.sum(dZ1, 1).reshape(-1, 1)", "np.sum(dZ1, 1)"),
    Mistake("wrong-shape", "db2", "np.sum(dZ2, 1).reshape(-1, 1)", "np.sum(dZ2, 1).reshape(1, -1)"),
    Mistake("factor-N", "dW2", "dW2 = 1 / m * dZ2", "dW2 = dZ2"),
    Mistake(("factor-const", "factor-1/N", None), "dW1", "dW1 = 1 / m * dZ1", "dW1 = 1 / m * 1 / m * dZ1"),
    Mistake("missing-activation-derivative", "dZ1", "W2.T.dot(dZ2) * ReLU_deriv(Z1)", "W2.T.dot(dZ2)"),
    Mistake(("relu-mask-from-wrong-tensor", "activation-derivative-of-wrong-layer"), "dZ1", "    dZ1 = W2.T.dot(dZ2) * ReLU_deriv(Z1)\n", "    dZ1 = W2.T.dot(dZ2)\n    dZ1 = dZ1 * ReLU_deriv(dZ1)\n"),
    Mistake(("relu-mask-from-wrong-tensor", "activation-derivative-of-wrong-layer"), "dZ1", "    dZ1 = W2.T.dot(dZ2) * ReLU_deriv(Z1)\n", "    dZ1 = W2.T.dot(dZ2 * ReLU_deriv(Z2))\n"),
    Mistake("relu-mask-inverted", ("dZ1", "ReLU_deriv"), "return Z > 0", "return Z < 0"),
    Mistake(("derivative-of-another-activation", None), ("dZ1", "ReLU_deriv"), "return Z > 0", "return np.where(Z > 0, 1, 0.01)"),
    Mistake("sign", "dZ2", "dZ2 = A2 - one_hot_Y", "dZ2 = one_hot_Y - A2"),
    Mistake("missing-target", "dZ2", "dZ2 = A2 - one_hot_Y", "dZ2 = A2"),
    Mistake(("missing-target", "off-by-one-index", None), ("one_hot_Y[np.arange(Y.size), Y]", "one_hot_Y", "one_hot_Y[np.arange(Y.size), Y - 1]", "dZ2"), "one_hot_Y[np.arange(Y.size), Y] = 1", "one_hot_Y[np.arange(Y.size), Y - 1] = 1"),
    Mistake(("softmax-wrong-axis", "forward-differs", "stale-forward-values"), ("dZ2", "A2"), "    dZ2 = A2 - one_hot_Y\n", "    A2 = (np.exp(Z2).T / sum(np.exp(Z2).T)).T\n    dZ2 = A2 - one_hot_Y\n"),
    Mistake(("wrong-loss-derivative", None), "dZ2", "dZ2 = A2 - one_hot_Y", "dZ2 = 2 * (A2 - one_hot_Y) * A2 * (1 - A2)"),
    Mistake("softmax-diagonal-only", "dZ2", "    dZ2 = A2 - one_hot_Y\n", "    dA2 = -one_hot_Y / A2\n    dZ2 = dA2 * A2 * (1 - A2)\n"),
    Mistake(("forward-differs", "derivative-of-another-activation", None), ("A1", "(Z1, A1, Z2, A2)", "dW2", "Z1"), "    dW1, db1, dW2, db2 = backward_prop(", "    A1 = 1 / (1 + np.exp(-Z1))\n    dW1, db1, dW2, db2 = backward_prop("),
    Mistake("gradient-transposed", "dW1", "dZ1.dot(X.T)", "X.dot(dZ1.T)"),
    Mistake("wrong-tensor-in-weight-gradient", "dW2", "dZ2.dot(A1.T)", "dZ2.dot(Z1.T)"),
]
