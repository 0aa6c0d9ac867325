"""Column convention (features, samples), dictionaries of parameters, caches and gradients, helpers for each half."""

import numpy as np


def layer_sizes(X, Y):
    return X.shape[0], Y.shape[0]

def sigmoid(Z):
    return 1 / (1 + np.exp(-Z))

def forward_propagation(X, parameters):
    W1 = parameters["W1"]
    b1 = parameters["b1"]
    W2 = parameters["W2"]
    b2 = parameters["b2"]

    Z1 = np.dot(W1, X) + b1
    A1 = np.tanh(Z1)
    Z2 = np.dot(W2, A1) + b2
    A2 = sigmoid(Z2)

    cache = {"Z1": Z1, "A1": A1, "Z2": Z2, "A2": A2}
    return A2, cache

def compute_cost(A2, Y):
    m = Y.shape[1]
    logprobs = np.multiply(np.log(A2), Y) + np.multiply(np.log(1 - A2), 1 - Y)
    cost = -np.sum(logprobs) / m
    return np.squeeze(cost)

def backward_propagation(parameters, cache, X, Y):
    m = X.shape[1]
    W1 = parameters["W1"]
    W2 = parameters["W2"]
    A1 = cache["A1"]
    A2 = cache["A2"]

    dZ2 = A2 - Y
    dW2 = 1 / m * np.dot(dZ2, A1.T)
    db2 = 1 / m * np.sum(dZ2, axis=1, keepdims=True)
    dZ1 = np.multiply(np.dot(W2.T, dZ2), 1 - np.power(A1, 2))
    dW1 = 1 / m * np.dot(dZ1, X.T)
    db1 = 1 / m * np.sum(dZ1, axis=1, keepdims=True)

    grads = {"dW1": dW1, "db1": db1, "dW2": dW2, "db2": db2}
    return grads

def nn_step(W1, b1, W2, b2, X, Y):
    parameters = {"W1": W1, "b1": b1, "W2": W2, "b2": b2}
    A2, cache = forward_propagation(X, parameters)
    cost = compute_cost(A2, Y)
    grads = backward_propagation(parameters, cache, X, Y)
    return cost, (grads["dW1"], grads["db1"], grads["dW2"], grads["db2"])


# Cases
from tests.derivations.planting import Mistake, Right
from tests.derivations.truth import call


def problem(user, rng):
    n_x, n_h, n_y, m = 2, 5, 3, 7
    X, Y = rng.normal(size=(n_x, m)), rng.integers(0, 2, size=(n_y, m))
    weights = rng.normal(size=(n_h, n_x)), rng.normal(size=(n_h, 1)), rng.normal(size=(n_y, n_h)), rng.normal(size=(n_y, 1))
    return call(user.nn_step, *weights, X, Y, wrt=("W1", "b1", "W2", "b2"))


RIGHT = [
    Right("    dZ2 = A2 - Y\n", "    dA2 = - (np.divide(Y, A2) - np.divide(1 - Y, 1 - A2))\n    dZ2 = dA2 * A2 * (1 - A2)\n"),
    Right("    return np.squeeze(cost)\n", "    cost = float(np.squeeze(cost))  # makes sure cost is the dimension we expect\n    return cost\n"),
    Right("1 - np.power(A1, 2))", "1 - np.tanh(cache['Z1'])**2)"),
    Right("1 - np.power(A1, 2))", "(1 - A1) * (1 + A1))"),
    Right("1 - np.power(A1, 2))", "1 / np.cosh(cache['Z1'])**2)"),
    Right("    db2 = 1 / m * np.sum(dZ2, axis=1, keepdims=True)", "    db2 = np.mean(dZ2, axis=1, keepdims=True)"),
    Right("    db1 = 1 / m * np.sum(dZ1, axis=1, keepdims=True)", "    db1 = dZ1 @ np.ones((m, 1)) / m"),
    Right("    dW1 = 1 / m * np.dot(dZ1, X.T)\n", "    dW1 = np.dot(X, dZ1.T).T\n    dW1 /= m\n"),
]

MISTAKES = [
    Mistake("sign", "dZ2", "dZ2 = A2 - Y", "dZ2 = Y - A2"),
    Mistake("sign", "cost", "cost = -np.sum(logprobs) / m", "cost = np.sum(logprobs) / m"),
    Mistake("factor-N", "dW2", "dW2 = 1 / m * np.dot(dZ2, A1.T)", "dW2 = np.dot(dZ2, A1.T)"),
    Mistake("factor-N", "db1", "db1 = 1 / m * np.sum(dZ1, axis=1, keepdims=True)", "db1 = np.sum(dZ1, axis=1, keepdims=True)"),
    Mistake("factor-1/N", "dW1", "    db1 =", "    dW1 = dW1 / m\n    db1 ="),
    Mistake(("factor-1/N", "bias-wrong-axis"), "db2", "db2 = 1 / m * np.sum(dZ2", "db2 = 1 / m * np.mean(dZ2"),
    Mistake(("factor-const", "factor-N", None), "dW1", "dW1 = 1 / m * np.dot(dZ1, X.T)", "dW1 = m * np.dot(dZ1, X.T)"),
    Mistake("factor-K", ("cost", "dZ2"), "cost = -np.sum(logprobs) / m", "cost = -np.mean(logprobs)"),
    Mistake("missing-activation-derivative", "dZ1", "np.multiply(np.dot(W2.T, dZ2), 1 - np.power(A1, 2))", "np.dot(W2.T, dZ2)"),
    Mistake("output-form-on-preactivation", "dZ1", "1 - np.power(A1, 2))", "1 - np.power(cache['Z1'], 2))"),
    Mistake("activation-derivative-at-activation", "dZ1", "1 - np.power(A1, 2))", "1 - np.tanh(A1)**2)"),
    Mistake("derivative-of-another-activation", "dZ1", "1 - np.power(A1, 2))", "A1 * (1 - A1))"),
    Mistake("wrong-local-derivative", "dZ1", "1 - np.power(A1, 2))", "1 + np.power(A1, 2))"),
    Mistake("wrong-local-derivative", "dZ1", "1 - np.power(A1, 2))", "1 - A1)"),
    Mistake("activation-derivative-twice", "dZ1", "1 - np.power(A1, 2))", "(1 - np.power(A1, 2))**2)"),
    Mistake("activation-derivative-twice", "dZ2", "dZ2 = A2 - Y", "dZ2 = (A2 - Y) * A2 * (1 - A2)"),
    Mistake("missing-target", "dZ2", "dZ2 = A2 - Y", "dZ2 = A2"),
    Mistake("wrong-tensor-in-weight-gradient", "dW2", "np.dot(dZ2, A1.T)", "np.dot(dZ2, cache['Z1'].T)"),
    Mistake(("wrong-tensor-in-delta", "wrong-tensor-in-weight-gradient"), "dW2", "np.dot(dZ2, A1.T)", "np.dot(cache['Z2'], A1.T)"),
    Mistake(("reduced-too-early", None), "dW1", "np.dot(dZ1, X.T)", "np.outer(dZ1.sum(axis=1), X.mean(axis=1))"),
    Mistake(None, "dZ1", "1 - np.power(A1, 2))", "A1 * (1 + A1)) / m", fix=False),
    Mistake(None, "dW2", "1 / m * np.dot(dZ2, A1.T)", "np.dot(A2 - 2 * Y, cache['Z1'].T)", fix=False),
    Mistake("gradient-transposed", "dW1", "np.dot(dZ1, X.T)", "np.dot(X, dZ1.T)"),
    Mistake("bias-wrong-axis", "db1", "np.sum(dZ1, axis=1, keepdims=True)", "np.sum(dZ1, axis=0, keepdims=True)", fix=True),
    Mistake("bias-not-reduced", "db2", "1 / m * np.sum(dZ2, axis=1, keepdims=True)", "1 / m * dZ2"),
    Mistake(("bias-wrong-axis", "reduced-too-early", "wrong-shape"), "db2", "np.sum(dZ2, axis=1, keepdims=True)", "np.sum(dZ2)"),
    Mistake("updated-weights", ("dZ1", "W2"), "    dZ1 =", "    W2 = W2 - 1.2 * dW2\n    dZ1 ="),
    Mistake(("wrong-tensor-in-delta", "updated-weights"), "dZ1", "np.dot(W2.T, dZ2)", "np.dot(dW2.T, dZ2)"),
    Mistake("integer-dtype", "db2", "db2 = 1 / m * np.sum(dZ2, axis=1, keepdims=True)", "db2 = (1 / m * np.sum(dZ2, axis=1, keepdims=True)).astype(int)"),
]
