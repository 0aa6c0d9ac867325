"""A deep network with a sample in each column, caches of tuples, cost and gradients as two functions."""

import numpy as np


def linear_activation_forward(A_prev, W, b, activation):
    Z = np.dot(W, A_prev) + b
    if activation == "relu":
        A = np.maximum(0, Z)
    else:
        A = 1 / (1 + np.exp(-Z))
    return A, (A_prev, W, Z)


def model_forward(X, parameters):
    caches = []
    A = X
    L = len(parameters) // 2
    for l in range(1, L + 1):
        activation = "relu" if l < L else "sigmoid"
        A, cache = linear_activation_forward(A, parameters["W" + str(l)], parameters["b" + str(l)], activation)
        caches.append(cache)
    return A, caches


def compute_cost(parameters, X, Y):
    m = Y.shape[1]
    AL, caches = model_forward(X, parameters)
    cost = (-1 / m) * np.sum(Y * np.log(AL) + (1 - Y) * np.log(1 - AL))
    return np.squeeze(cost)


def linear_activation_backward(dA, cache, activation):
    A_prev, W, Z = cache
    m = A_prev.shape[1]
    if activation == "relu":
        dZ = np.array(dA, copy=True)
        dZ[Z <= 0] = 0
    else:
        s = 1 / (1 + np.exp(-Z))
        dZ = dA * s * (1 - s)
    dW = 1 / m * np.dot(dZ, A_prev.T)
    db = 1 / m * np.sum(dZ, axis=1, keepdims=True)
    dA_prev = np.dot(W.T, dZ)
    return dA_prev, dW, db


def model_backward(parameters, X, Y):
    grads = {}
    AL, caches = model_forward(X, parameters)
    L = len(caches)
    dA = -(np.divide(Y, AL) - np.divide(1 - Y, 1 - AL))
    for l in reversed(range(L)):
        activation = "sigmoid" if l == L - 1 else "relu"
        dA, dW, db = linear_activation_backward(dA, caches[l], activation)
        grads["W" + str(l + 1)] = dW
        grads["b" + str(l + 1)] = db
    return {"parameters": grads}


# Cases
from tests.derivations.planting import Mistake, Right
from tests.derivations.truth import call


def problem(user, rng):
    sizes, m = [2, 5, 4, 3], 7
    parameters = {}
    for l in range(1, 4):
        parameters[f"W{l}"] = rng.normal(size=(sizes[l], sizes[l - 1]))
        parameters[f"b{l}"] = 0.5 * rng.normal(size=(sizes[l], 1))
    X, Y = rng.normal(size=(2, m)), rng.uniform(0.1, 0.9, size=(3, m))
    return call(user.compute_cost, parameters, X, Y, by_hand=user.model_backward)


BACK = "linear_activation_backward"
W, B = ("dW", BACK, 'grads["W" + str(l + 1)]'), ("db", BACK, 'grads["b" + str(l + 1)]')

RIGHT = [
    Right("np.array(dA, copy=True)", "dA"),
    Right("A = np.maximum(0, Z)", "A = np.maximum(0, Z, out=Z)"),
    Right("        s = 1 / (1 + np.exp(-Z))\n        dZ = dA * s * (1 - s)\n", "        e = np.exp(-np.abs(Z))\n        dZ = dA * e / (1 + e) ** 2\n"),
    Right("        dZ = np.array(dA, copy=True)\n        dZ[Z <= 0] = 0\n", "        dZ = np.multiply(dA, np.int64(Z > 0))\n"),
    Right("dA = -(np.divide(Y, AL) - np.divide(1 - Y, 1 - AL))", "dA = (AL - Y) / (AL * (1 - AL))"),
    Right(
        "    dW = 1 / m * np.dot(dZ, A_prev.T)\n    db = 1 / m * np.sum(dZ, axis=1, keepdims=True)\n",
        "    dW = sum(np.outer(dZ[:, i], A_prev[:, i]) for i in range(m)) / m\n    db = np.mean(dZ, axis=1)[:, np.newaxis]\n",
    ),
]

MISTAKES = [
    Mistake("sign", "dA", "dA = -(np.divide(Y, AL)", "dA = (np.divide(Y, AL)"),
    Mistake(("wrong-loss-derivative", "missing-branch"), "dA", "dA = -(np.divide(Y, AL) - np.divide(1 - Y, 1 - AL))", "dA = -np.divide(Y, AL)"),
    Mistake(("wrong-loss-derivative", "sign"), "dA", "- np.divide(1 - Y, 1 - AL))", "+ np.divide(1 - Y, 1 - AL))"),
    Mistake(("activation-derivative-twice", "wrong-loss-derivative"), ("dA", "dZ"), "dA = -(np.divide(Y, AL) - np.divide(1 - Y, 1 - AL))", "dA = AL - Y"),
    Mistake("factor-K", ("cost", "compute_cost", "dA"), "(-1 / m) * np.sum(Y * np.log(AL)", "-np.mean(Y * np.log(AL)"),
    Mistake("factor-1/N", "dA", "dA = -(np.divide(Y, AL)", "dA = -1 / X.shape[1] * (np.divide(Y, AL)"),
    Mistake("factor-N", B, "db = 1 / m * np.sum(", "db = np.sum("),
    Mistake(("bias-wrong-axis", "wrong-shape"), B, "np.sum(dZ, axis=1, keepdims=True)", "np.sum(dZ, axis=0, keepdims=True)"),
    Mistake("bias-not-reduced", B, "db = 1 / m * np.sum(dZ, axis=1, keepdims=True)", "db = 1 / m * dZ"),
    Mistake("wrong-shape", B, "np.sum(dZ, axis=1, keepdims=True)", "np.sum(dZ, axis=1)"),
    Mistake(("bias-wrong-axis", "reduced-too-early", "wrong-shape"), B, "np.sum(dZ, axis=1, keepdims=True)", "np.sum(dZ)"),
    Mistake("relu-mask-inverted", ("dZ", "dZ[Z > 0]", BACK), "dZ[Z <= 0] = 0", "dZ[Z > 0] = 0"),
    Mistake("relu-mask-from-wrong-tensor", ("dZ", "dZ[dA <= 0]", BACK), "dZ[Z <= 0] = 0", "dZ[dA <= 0] = 0"),
    Mistake("missing-activation-derivative", ("dZ", BACK), "        dZ[Z <= 0] = 0\n", ""),
    Mistake("output-form-on-preactivation", ("dZ", BACK), "        dZ = dA * s * (1 - s)\n", "        dZ = dA * Z * (1 - Z)\n"),
    Mistake(("missing-activation-derivative", "wrong-tensor-in-delta", "skipped-layer"), ("dA_prev", "dA", BACK), "np.dot(W.T, dZ)", "np.dot(W.T, dA)"),
    Mistake(("updated-weights", "input-mutated"), ("W", "dA_prev", "dA", BACK), "    dA_prev = np.dot(W.T, dZ)", "    W -= 0.5 * dW\n    dA_prev = np.dot(W.T, dZ)"),
    Mistake(
        ("forward-differs", "stale-forward-values"), ("X", "AL", "caches", "A", "dA"), "    grads = {}\n    AL, caches",
        "    grads = {}\n    X = (X - X.mean(axis=1, keepdims=True)) / X.std(axis=1, keepdims=True)\n    AL, caches", fix=False,
    ),
    Mistake(("wrong-tensor-in-weight-gradient", "missing-activation-derivative"), W, "dW = 1 / m * np.dot(dZ, A_prev.T)", "dW = 1 / m * np.dot(dA, A_prev.T)"),
    Mistake("gradient-transposed", W, "np.dot(dZ, A_prev.T)", "np.dot(A_prev, dZ.T)"),
]
