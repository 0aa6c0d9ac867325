"""Multi-label classifier, any number of layers, helper functions and one dict for the parameters.

X is (n_x, m), one column per example. Inverted dropout: the masks come from outside so that I can gradient-check.
"""

import numpy as np

EPS = 1e-9
keep_prob = 0.75


def sigmoid(Z):
    return 1 / (1 + np.exp(-Z))


def relu(Z):
    return np.maximum(0, Z)


def forward(X, params, masks):
    L = len(params) // 2
    cache = {'A0': X}
    for l in range(1, L + 1):
        Z = np.dot(params['W' + str(l)], cache['A' + str(l - 1)]) + params['b' + str(l)]
        if l < L:
            A = relu(Z) * masks[l - 1] / keep_prob
        else:
            A = sigmoid(Z)
        cache['Z' + str(l)] = Z
        cache['A' + str(l)] = A
    return A, cache


def compute_cost(AL, Y, params, lambd):
    m = Y.shape[1]
    L = len(params) // 2
    P = np.clip(AL, EPS, 1 - EPS)
    cross_entropy = -np.sum(Y * np.log(P) + (1 - Y) * np.log(1 - P)) / m
    l2 = 0
    for l in range(1, L + 1):
        l2 += np.sum(np.square(params['W' + str(l)]))
    return cross_entropy + lambd / (2 * m) * l2


def relu_backward(dA, Z):
    dZ = np.array(dA, copy=True)
    dZ[Z <= 0] = 0
    return dZ


def sigmoid_backward(dA, A):
    return dA * A * (1 - A)


def linear_backward(dZ, A_prev, W, lambd):
    m = A_prev.shape[1]
    dW = np.dot(dZ, A_prev.T) / m + lambd / m * W
    db = np.sum(dZ, axis=1, keepdims=True) / m
    dA_prev = np.dot(W.T, dZ)
    return dA_prev, dW, db


def backward(AL, Y, cache, params, masks, lambd):
    L = len(params) // 2
    grads = {}
    dA = -(np.divide(Y, AL) - np.divide(1 - Y, 1 - AL))
    dZ = sigmoid_backward(dA, AL)
    for l in range(L, 0, -1):
        dA, dW, db = linear_backward(dZ, cache['A' + str(l - 1)], params['W' + str(l)], lambd)
        grads['W' + str(l)] = dW
        grads['b' + str(l)] = db
        if l > 1:
            dA = dA * masks[l - 2] / keep_prob
            dZ = relu_backward(dA, cache['Z' + str(l - 1)])
    return grads


def cost_and_grads(params, X, Y, masks, lambd):
    AL, cache = forward(X, params, masks)
    cost = compute_cost(AL, Y, params, lambd)
    grads = backward(AL, Y, cache, params, masks, lambd)
    return cost, {'params': grads}


# Cases
from tests.derivations.planting import Mistake, Right
from tests.derivations.truth import call


def problem(user, rng):
    sizes, m = (4, 6, 5, 3), 8
    params = {}
    for l, (n_in, n_out) in enumerate(zip(sizes, sizes[1:]), start=1):
        params[f"W{l}"] = 0.6 * rng.normal(size=(n_out, n_in))
        params[f"b{l}"] = 0.6 * rng.normal(size=(n_out, 1))
    masks = [(rng.uniform(size=(n, m)) < 0.75) * 1.0 for n in sizes[1:-1]]
    X, Y = rng.normal(size=(4, m)), rng.integers(0, 2, size=(3, m))
    return call(user.cost_and_grads, params, X, Y, masks, 0.3)


RIGHT = [
    Right("    dA = -(np.divide(Y, AL) - np.divide(1 - Y, 1 - AL))\n    dZ = sigmoid_backward(dA, AL)\n", "    dZ = AL - Y\n"),
    Right("    dZ = np.array(dA, copy=True)\n", "    dZ = dA\n"),
    Right("    dZ[Z <= 0] = 0\n", "    dZ[Z < 0] = 0\n"),
    Right("            dA = dA * masks[l - 2] / keep_prob\n            dZ = relu_backward(dA, cache['Z' + str(l - 1)])\n", "            dZ = (dA / keep_prob) * (cache['A' + str(l - 1)] > 0)\n"),
    Right("    dA = -(np.divide(Y, AL) - np.divide(1 - Y, 1 - AL))\n", "    P = np.clip(AL, EPS, 1 - EPS)\n    dA = (P - Y) / (P * (1 - P))\n"),
    Right("    cross_entropy = -np.sum(Y * np.log(P) + (1 - Y) * np.log(1 - P)) / m\n", "    cross_entropy = -np.mean(np.sum(np.log(np.where(Y == 1, P, 1 - P)), axis=0))\n"),
]

GW = ("dW", "grads['W' + str(l)]", 'grads["W3"]', "grads")
GB = ("db", "grads['b' + str(l)]", 'grads["b3"]', "grads")

MISTAKES = [
    Mistake("sign", "dA", "    dA = -(np.divide(Y, AL) - np.divide(1 - Y, 1 - AL))", "    dA = np.divide(Y, AL) - np.divide(1 - Y, 1 - AL)"),
    Mistake(("wrong-loss-derivative", "sign", None), "dA", "(np.divide(Y, AL) - np.divide(1 - Y, 1 - AL))", "(np.divide(Y, AL) + np.divide(1 - Y, 1 - AL))"),
    Mistake(("activation-derivative-twice", "wrong-loss-derivative"), ("dA", "dZ"), "    dA = -(np.divide(Y, AL) - np.divide(1 - Y, 1 - AL))", "    dA = AL - Y"),
    Mistake(("missing-branch", "wrong-loss-derivative"), "dA", "    dA = -(np.divide(Y, AL) - np.divide(1 - Y, 1 - AL))", "    dA = -np.divide(Y, AL)"),
    Mistake("factor-N", GW, "    dW = np.dot(dZ, A_prev.T) / m + lambd / m * W", "    dW = np.dot(dZ, A_prev.T) + lambd / m * W"),
    Mistake(("regulariser-forgotten", "missing-branch"), GW, "    dW = np.dot(dZ, A_prev.T) / m + lambd / m * W", "    dW = np.dot(dZ, A_prev.T) / m"),
    Mistake("regulariser-scale", GW, " / m + lambd / m * W", " / m + lambd * W"),
    Mistake("regulariser-scale", (*GW, "l2", "cost"), " / m + lambd / m * W", " / m + lambd / (2 * m) * W"),
    Mistake(("missing-activation-derivative", "wrong-local-derivative", "missing-weight-factor", "missing-branch", None), ("dA", "dZ"), "            dA = dA * masks[l - 2] / keep_prob", "            dA = dA / keep_prob"),
    Mistake(("factor-const", None), ("dA", "dZ"), "            dA = dA * masks[l - 2] / keep_prob", "            dA = dA * masks[l - 2]"),
    Mistake("relu-mask-from-wrong-tensor", ("dZ", "dZ[dA <= 0]", "relu_backward"), "    dZ[Z <= 0] = 0", "    dZ[dA <= 0] = 0"),
    Mistake("relu-mask-inverted", ("dZ", "dZ[Z > 0]", "relu_backward"), "    dZ[Z <= 0] = 0", "    dZ[Z > 0] = 0"),
    Mistake(("missing-activation-derivative", "wrong-local-derivative"), ("dZ", "return", "relu_backward"), "    dZ[Z <= 0] = 0\n    return dZ", "    dZ[Z <= 0] = 0\n    return dA"),
    Mistake(("output-form-on-preactivation", "wrong-tensor-in-delta"), "dZ", "    dZ = sigmoid_backward(dA, AL)", "    dZ = sigmoid_backward(dA, cache['Z' + str(L)])"),
    Mistake("wrong-local-derivative", ("dZ", "return", "sigmoid_backward"), "    return dA * A * (1 - A)", "    return dA * A * (1 + A)"),
    Mistake(("bias-wrong-axis", "wrong-shape"), GB, "    db = np.sum(dZ, axis=1, keepdims=True) / m", "    db = np.sum(dZ, axis=0, keepdims=True) / m"),
    Mistake("factor-1/N", (*GB, "m"), "    db = np.sum(dZ, axis=1, keepdims=True) / m", "    db = np.mean(dZ, axis=1, keepdims=True) / m"),
    Mistake("factor-1/N", ("dA_prev", "dA"), "    dA_prev = np.dot(W.T, dZ)", "    dA_prev = np.dot(W.T, dZ) / m"),
    Mistake("factor-K", ("cross_entropy", "cost", "dA", "dZ"), "cross_entropy = -np.sum(Y * np.log(P) + (1 - Y) * np.log(1 - P)) / m", "cross_entropy = -np.mean(Y * np.log(P) + (1 - Y) * np.log(1 - P))"),
    Mistake(("updated-weights", "input-mutated"), ("dA_prev", "W", "dA"), "    dA_prev = np.dot(W.T, dZ)", "    W -= 0.2 * dW\n    dA_prev = np.dot(W.T, dZ)"),
]
