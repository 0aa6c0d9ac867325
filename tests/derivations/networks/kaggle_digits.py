"""Simple MNIST NN from scratch (numpy, no TF/Keras!) -- the notebook that goes with the video."""

import numpy as np

num_classes = 4


def ReLU(Z):
    return np.maximum(Z, 0)

def ReLU_deriv(Z):
    return Z > 0

def softmax(Z):
    Z = Z - np.max(Z, axis=0, keepdims=True)  # otherwise exp overflows
    A = np.exp(Z) / np.sum(np.exp(Z), axis=0, keepdims=True)
    return A

def forward_prop(W1, b1, W2, b2, X):
    Z1 = W1.dot(X) + b1
    A1 = ReLU(Z1)
    Z2 = W2.dot(A1) + b2
    A2 = softmax(Z2)
    return Z1, A1, Z2, A2

def one_hot(Y):
    one_hot_Y = np.zeros((Y.size, num_classes))
    one_hot_Y[np.arange(Y.size), Y] = 1
    one_hot_Y = one_hot_Y.T
    return one_hot_Y

def get_loss(A2, Y):
    picked = A2[Y, np.arange(Y.size)]
    return -np.sum(np.log(picked)) / Y.size

def backward_prop(Z1, A1, Z2, A2, W1, W2, X, Y):
    m = X.shape[1]
    one_hot_Y = one_hot(Y)
    dZ2 = A2 - one_hot_Y
    dW2 = 1 / m * dZ2.dot(A1.T)
    db2 = 1 / m * np.sum(dZ2, axis=1, keepdims=True)
    dZ1 = W2.T.dot(dZ2) * ReLU_deriv(Z1)
    dW1 = 1 / m * dZ1.dot(X.T)
    db1 = 1 / m * np.sum(dZ1, axis=1, keepdims=True)
    return dW1, db1, dW2, db2

def train_step(W1, b1, W2, b2, X, Y):
    Z1, A1, Z2, A2 = forward_prop(W1, b1, W2, b2, X)
    loss = get_loss(A2, Y)
    dW1, db1, dW2, db2 = backward_prop(Z1, A1, Z2, A2, W1, W2, X, Y)
    return loss, (dW1, db1, dW2, db2)


# Cases
from tests.derivations.planting import Mistake, Right
from tests.derivations.truth import call


def problem(user, rng):
    pixels, hidden, classes, m = 6, 5, user.num_classes, 7
    X, Y = rng.uniform(0, 1, size=(pixels, m)), rng.integers(0, classes, size=m)
    W1, b1 = rng.normal(size=(hidden, pixels)), rng.normal(size=(hidden, 1))
    W2, b2 = rng.normal(size=(classes, hidden)), rng.normal(size=(classes, 1))
    return call(user.train_step, W1, b1, W2, b2, X, Y, wrt=("W1", "b1", "W2", "b2"))


RIGHT = [
    Right("W2.T.dot(dZ2) * ReLU_deriv(Z1)", "W2.T.dot(dZ2) * ReLU_deriv(A1)"),
    Right("    one_hot_Y = one_hot(Y)\n    dZ2 = A2 - one_hot_Y\n", "    dZ2 = A2\n    dZ2[Y, np.arange(m)] -= 1\n"),
    Right("    db2 = 1 / m * np.sum(dZ2, axis=1, keepdims=True)", "    db2 = np.average(dZ2, 1).reshape(-1, 1)"),
    Right("    dZ1 = W2.T.dot(dZ2) * ReLU_deriv(Z1)\n", "    dZ1 = W2.T.dot(dZ2)\n    dZ1[Z1 <= 0] = 0\n"),
    Right(
        "    dZ2 = A2 - one_hot_Y\n    dW2 = 1 / m * dZ2.dot(A1.T)\n    db2 = 1 / m * np.sum(dZ2, axis=1, keepdims=True)\n"
        "    dZ1 = W2.T.dot(dZ2) * ReLU_deriv(Z1)\n    dW1 = 1 / m * dZ1.dot(X.T)\n    db1 = 1 / m * np.sum(dZ1, axis=1, keepdims=True)\n",
        "    dZ2 = (A2 - one_hot_Y) / m\n    dW2 = dZ2.dot(A1.T)\n    db2 = np.sum(dZ2, axis=1, keepdims=True)\n"
        "    dZ1 = W2.T.dot(dZ2) * ReLU_deriv(Z1)\n    dW1 = dZ1.dot(X.T)\n    db1 = np.sum(dZ1, axis=1, keepdims=True)\n",
    ),
]

DZ2 = ("dZ2", "one_hot_Y", "one_hot")

MISTAKES = [
    Mistake(("bias-wrong-axis", "reduced-too-early", "wrong-shape"), "db1", "db1 = 1 / m * np.sum(dZ1, axis=1, keepdims=True)", "db1 = 1 / m * np.sum(dZ1)"),
    Mistake(("wrong-shape", "accidental-broadcast", "bias-wrong-axis"), "db2", "db2 = 1 / m * np.sum(dZ2, axis=1, keepdims=True)", "db2 = 1 / m * np.sum(dZ2, axis=1)"),
    Mistake("missing-activation-derivative", "dZ1", "W2.T.dot(dZ2) * ReLU_deriv(Z1)", "W2.T.dot(dZ2)"),
    Mistake(("relu-mask-inverted", "wrong-local-derivative"), ("dZ1", "ReLU_deriv", "return"), "    return Z > 0", "    return Z < 0"),
    Mistake(("relu-mask-from-wrong-tensor", "wrong-local-derivative"), "dZ1", "    dZ1 = W2.T.dot(dZ2) * ReLU_deriv(Z1)\n", "    dZ1 = W2.T.dot(dZ2)\n    dZ1 = dZ1 * ReLU_deriv(dZ1)\n"),
    Mistake(("wrong-tensor-in-delta", "missing-target"), "dZ1", "dZ1 = W2.T.dot(dZ2)", "dZ1 = W2.T.dot(A2)"),
    Mistake(("wrong-tensor-in-delta", "missing-target", "accidental-broadcast", "wrong-loss-derivative", None), "dZ2", "dZ2 = A2 - one_hot_Y", "dZ2 = A2 - Y"),
    Mistake("sign", "dZ2", "dZ2 = A2 - one_hot_Y", "dZ2 = one_hot_Y - A2"),
    Mistake("wrong-tensor-in-weight-gradient", "dW2", "dZ2.dot(A1.T)", "dZ2.dot(Z1.T)"),
    Mistake("factor-N", "dW1", "dW1 = 1 / m * dZ1.dot(X.T)", "dW1 = dZ1.dot(X.T)"),
    Mistake("gradient-transposed", "dW1", "dZ1.dot(X.T)", "X.dot(dZ1.T)"),
    Mistake(("factor-const", "factor-N", None), ("m", "dW2", "dZ2", "loss"), "    m = X.shape[1]", "    m = X.shape[0]", fix=False),
    Mistake(
        ("softmax-wrong-axis", "forward-differs", "wrong-loss-derivative", None),
        ("A", "A2", "softmax", "dZ2"),
        "    A = np.exp(Z) / np.sum(np.exp(Z), axis=0, keepdims=True)",
        "    A = np.exp(Z) / np.sum(np.exp(Z), axis=1, keepdims=True)",
    ),
    Mistake("updated-weights", ("dZ1", "W2"), "    dZ1 = W2.T", "    W2 = W2 - 0.1 * dW2\n    dZ1 = W2.T"),
    Mistake((None, "missing-target", "wrong-tensor-in-delta", "wrong-loss-derivative"), DZ2, "one_hot_Y = one_hot_Y.T", "one_hot_Y = one_hot_Y.reshape(num_classes, Y.size)", fix=False),
    Mistake(("off-by-one-index", "missing-target", "wrong-tensor-in-delta", "wrong-loss-derivative", None), (*DZ2, "one_hot_Y[np.arange(Y.size), Y - 1]"), "one_hot_Y[np.arange(Y.size), Y] = 1", "one_hot_Y[np.arange(Y.size), Y - 1] = 1"),
    Mistake(("activation-derivative-twice", "softmax-diagonal-only", "wrong-loss-derivative"), "dZ2", "dZ2 = A2 - one_hot_Y", "dZ2 = (A2 - one_hot_Y) * A2 * (1 - A2)"),
    Mistake(("wrong-shape", None), ("return", "dW1", "dW2", "db1", "db2"), "    return dW1, db1, dW2, db2", "    return dW2, db2, dW1, db1"),
    Mistake("bias-not-reduced", "db1", "db1 = 1 / m * np.sum(dZ1, axis=1, keepdims=True)", "db1 = 1 / m * dZ1"),
    Mistake("softmax-diagonal-only", "dZ2", "    dZ2 = A2 - one_hot_Y\n", "    dA2 = -one_hot_Y / A2\n    dZ2 = dA2 * A2 * (1 - A2)\n"),
]
