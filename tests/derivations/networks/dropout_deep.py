"""The course's L-layer model with inverted dropout: parameters and gradients in dicts by "W" + str(l), caches as tuples."""

import numpy as np


def relu(Z):
    A = np.maximum(0, Z)
    return A, Z

def sigmoid(Z):
    A = 1/(1+np.exp(-Z))
    return A, Z

def relu_backward(dA, cache):
    Z = cache
    dZ = np.array(dA, copy=True) # just converting dz to a correct object.
    dZ[Z <= 0] = 0
    return dZ

def sigmoid_backward(dA, cache):
    Z = cache
    s = 1/(1+np.exp(-Z))
    dZ = dA * s * (1-s)
    return dZ

def linear_backward(dZ, cache):
    A_prev, W, b = cache
    m = A_prev.shape[1]
    dW = 1./m * np.dot(dZ, A_prev.T)
    db = 1./m * np.sum(dZ, axis=1, keepdims=True)
    dA_prev = np.dot(W.T, dZ)
    return dA_prev, dW, db

def L_model_forward(X, parameters, keep_prob):
    caches, masks = [], {}
    A = X
    L = len(parameters) // 2
    for l in range(1, L):
        A_prev = A
        Z = np.dot(parameters['W' + str(l)], A_prev) + parameters['b' + str(l)]
        A, activation_cache = relu(Z)
        D = np.random.rand(A.shape[0], A.shape[1]) < keep_prob
        A = A * D
        A = A / keep_prob
        masks[l] = D
        caches.append(((A_prev, parameters['W' + str(l)], parameters['b' + str(l)]), activation_cache))
    Z = np.dot(parameters['W' + str(L)], A) + parameters['b' + str(L)]
    AL, activation_cache = sigmoid(Z)
    caches.append(((A, parameters['W' + str(L)], parameters['b' + str(L)]), activation_cache))
    return AL, caches, masks

def compute_cost(AL, Y):
    m = Y.shape[1]
    cost = -1/m * (np.dot(Y, np.log(AL).T) + np.dot(1-Y, np.log(1-AL).T))
    return np.squeeze(cost)

def L_model_backward(AL, Y, caches, masks, keep_prob):
    grads = {}
    L = len(caches)
    dAL = -(np.divide(Y, AL) - np.divide(1 - Y, 1 - AL))
    linear_cache, activation_cache = caches[L-1]
    dZ = sigmoid_backward(dAL, activation_cache)
    grads["dA" + str(L-1)], grads["dW" + str(L)], grads["db" + str(L)] = linear_backward(dZ, linear_cache)
    for l in reversed(range(1, L)):
        linear_cache, activation_cache = caches[l-1]
        dA = grads["dA" + str(l)] * masks[l]
        dA = dA / keep_prob
        dZ = relu_backward(dA, activation_cache)
        dA_prev_temp, dW_temp, db_temp = linear_backward(dZ, linear_cache)
        grads["dA" + str(l-1)] = dA_prev_temp
        grads["dW" + str(l)] = dW_temp
        grads["db" + str(l)] = db_temp
    return grads

def model_step(W1, b1, W2, b2, W3, b3, X, Y):
    np.random.seed(1)
    parameters = {'W1': W1, 'b1': b1, 'W2': W2, 'b2': b2, 'W3': W3, 'b3': b3}
    AL, caches, masks = L_model_forward(X, parameters, keep_prob=0.7)
    cost = compute_cost(AL, Y)
    grads = L_model_backward(AL, Y, caches, masks, keep_prob=0.7)
    return cost, tuple(grads['d' + name] for name in parameters)


# Cases
from tests.derivations.planting import Mistake, Right
from tests.derivations.truth import call


import numpy as np


def problem(user, rng):
    sizes, m = (3, 7, 5, 1), 11
    weights = [p for n, k in zip(sizes, sizes[1:]) for p in (rng.normal(size=(k, n)) / np.sqrt(n), rng.normal(size=(k, 1)))]
    return call(
        user.model_step, *weights, rng.normal(size=(3, m)), rng.integers(0, 2, size=(1, m)),
        wrt=("W1", "b1", "W2", "b2", "W3", "b3"),
    )  # fmt: skip


RIGHT = [
    Right("    np.random.seed(1)\n", "    # the mask is another one at each call\n"),
    Right("    dZ = np.array(dA, copy=True) # just converting dz to a correct object.\n    dZ[Z <= 0] = 0\n", "    dZ = dA * np.int64(Z > 0)\n"),
    Right("        dA = grads[\"dA\" + str(l)] * masks[l]\n        dA = dA / keep_prob\n", "        dA = grads[\"dA\" + str(l)]\n        dA *= masks[l]\n        dA /= keep_prob\n"),
    Right("    dZ = sigmoid_backward(dAL, activation_cache)\n", "    dZ = AL - Y\n"),
]

MISTAKES = [
    Mistake(("missing-weight-factor", "missing-branch", "missing-activation-derivative", "skipped-layer", None), "dA", 'dA = grads["dA" + str(l)] * masks[l]', 'dA = grads["dA" + str(l)]'),
    Mistake(("factor-const", "missing-weight-factor"), "dA", "        dA = dA / keep_prob\n", ""),
    Mistake(("wrong-local-derivative", "factor-const", None), "dA", "        dA = dA / keep_prob\n", "        dA = dA * keep_prob\n"),
    Mistake(("forward-differs", "stale-forward-values", "relu-mask-from-wrong-tensor", None), ("dA", "masks[l]"), '* masks[l]\n', '* (np.random.rand(*masks[l].shape) < keep_prob)\n', fix=False),
    Mistake(("wrong-tensor-in-delta", "activation-derivative-of-wrong-layer", "off-by-one-index", None), "dA", '* masks[l]\n', '* masks[1][:len(masks[l])]\n'),
    Mistake("sign", "dAL", "dAL = -(np.divide(Y, AL)", "dAL = (np.divide(Y, AL)"),
    Mistake("sign", "dAL", "- np.divide(1 - Y, 1 - AL))", "+ np.divide(1 - Y, 1 - AL))"),
    Mistake("missing-activation-derivative", "dZ", "    dZ = sigmoid_backward(dAL, activation_cache)\n", "    dZ = dAL\n"),
    Mistake("activation-derivative-at-activation", "dZ", "    dZ = sigmoid_backward(dAL, activation_cache)\n", "    dZ = sigmoid_backward(dAL, AL)\n"),
    Mistake("activation-derivative-twice", "dZ", "dZ = dA * s * (1-s)", "dZ = dA * (s * (1-s))**2"),
    Mistake("output-form-on-preactivation", "dZ", "dZ = dA * s * (1-s)", "dZ = dA * Z * (1-Z)"),
    Mistake("relu-mask-inverted", ("dZ", "dZ[Z > 0]"), "dZ[Z <= 0] = 0", "dZ[Z > 0] = 0"),
    Mistake("relu-mask-from-wrong-tensor", ("dZ", "dZ[dA <= 0]"), "dZ[Z <= 0] = 0", "dZ[dA <= 0] = 0"),
    Mistake("missing-activation-derivative", "dZ", "    dZ[Z <= 0] = 0\n", ""),
    Mistake("factor-N", "dW", "dW = 1./m * np.dot(dZ, A_prev.T)", "dW = np.dot(dZ, A_prev.T)"),
    Mistake("factor-N", "db", "db = 1./m * np.sum", "db = np.sum"),
    Mistake("factor-1/N", "dA_prev", "dA_prev = np.dot(W.T, dZ)", "dA_prev = 1./m * np.dot(W.T, dZ)"),
    Mistake("bias-not-reduced", "db", "db = 1./m * np.sum(dZ, axis=1, keepdims=True)", "db = 1./m * dZ"),
    Mistake(("bias-wrong-axis", "reduced-too-early", "wrong-shape"), "db", "db = 1./m * np.sum(dZ, axis=1, keepdims=True)", "db = 1./m * np.sum(dZ)"),
    Mistake("wrong-shape", "db", "np.sum(dZ, axis=1, keepdims=True)", "np.sum(dZ, axis=1)"),
    Mistake(("missing-activation-derivative", "skipped-layer"), "dZ", "        dZ = relu_backward(dA, activation_cache)\n", "        dZ = dA\n"),
    Mistake(("wrong-tensor-in-delta", "off-by-one-index", None), ("dA_prev_temp", "dW_temp", "dZ", "(dA_prev_temp, dW_temp, db_temp)"), "= linear_backward(dZ, linear_cache)\n        grads", "= linear_backward(dA, linear_cache)\n        grads"),
]
