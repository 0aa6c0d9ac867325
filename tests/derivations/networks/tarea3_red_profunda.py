"""
Tarea 3 - Redes Neuronales (Ing. en Sistemas)
Red de L capas:  [LINEAL -> BATCHNORM -> RELU -> DROPOUT] x (L-1) -> LINEAL -> SOFTMAX
Cada columna de X es un ejemplo. Los parametros van en un diccionario, los gradientes en otro.
"""
import numpy as np

EPSILON = 0.01


def relu(Y):
    return np.maximum(0, Y)


def relu_derivada(Y):
    return (Y > 0).astype(float)


def softmax(Z):
    E = np.exp(Z - np.max(Z, axis=0, keepdims=True))
    return E / np.sum(E, axis=0, keepdims=True)


def batchnorm_adelante(Z, gamma, beta):
    mu = np.mean(Z, axis=1, keepdims=True)
    var = np.var(Z, axis=1, keepdims=True)
    Zn = (Z - mu) / np.sqrt(var + EPSILON)
    return gamma * Zn + beta, (Z, Zn, mu, var, gamma)


def batchnorm_atras(dY, memoria):
    Z, Zn, mu, var, gamma = memoria
    m = Z.shape[1]
    dgamma = np.sum(dY * Zn, axis=1, keepdims=True)
    dbeta = np.sum(dY, axis=1, keepdims=True)
    dZn = dY * gamma
    dvar = np.sum(dZn * (Z - mu) * -0.5 * (var + EPSILON) ** -1.5, axis=1, keepdims=True)
    dmu = np.sum(-dZn / np.sqrt(var + EPSILON), axis=1, keepdims=True)
    dZ = dZn / np.sqrt(var + EPSILON) + dvar * 2 * (Z - mu) / m + dmu / m
    return dZ, dgamma, dbeta


def propagacion(X, params, L, keep_prob):
    cache = {"A0": X}
    for l in range(1, L):
        Z = np.dot(params["W" + str(l)], cache["A" + str(l - 1)])
        Y, bn = batchnorm_adelante(Z, params["gamma" + str(l)], params["beta" + str(l)])
        D = (np.random.rand(*Y.shape) < keep_prob).astype(float)
        cache["Z" + str(l)] = Z
        cache["bn" + str(l)] = bn
        cache["Y" + str(l)] = Y
        cache["R" + str(l)] = relu(Y)
        cache["D" + str(l)] = D
        cache["A" + str(l)] = relu(Y) * D / keep_prob
    Z = np.dot(params["W" + str(L)], cache["A" + str(L - 1)]) + params["b" + str(L)]
    cache["A" + str(L)] = softmax(Z)
    return cache["A" + str(L)], cache


def calcular_costo(AL, Y, params, L, lambd):
    m = Y.shape[1]
    costo = -np.sum(Y * np.log(AL)) / m
    for l in range(1, L + 1):
        costo += lambd / (2 * m) * np.sum(params["W" + str(l)] ** 2)
    return costo


def retropropagacion(AL, Y, params, cache, L, keep_prob, lambd):
    m = Y.shape[1]
    grads = {nombre: np.zeros_like(valor) for nombre, valor in params.items()}

    # ultima capa
    dZ = (AL - Y) / m
    grads["W" + str(L)] = np.dot(dZ, cache["A" + str(L - 1)].T) + lambd / m * params["W" + str(L)]
    grads["b" + str(L)] = np.sum(dZ, axis=1, keepdims=True)
    dA = np.dot(params["W" + str(L)].T, dZ)

    # capas ocultas
    for l in range(L - 1, 0, -1):
        dR = dA * cache["D" + str(l)] / keep_prob
        dY = dR * relu_derivada(cache["Y" + str(l)])
        dZ, dgamma, dbeta = batchnorm_atras(dY, cache["bn" + str(l)])
        grads["gamma" + str(l)] = dgamma
        grads["beta" + str(l)] = dbeta
        grads["W" + str(l)] = np.dot(dZ, cache["A" + str(l - 1)].T) + lambd / m * params["W" + str(l)]
        dA = np.dot(params["W" + str(l)].T, dZ)
    return grads


def iteracion(params, X, Y, L, keep_prob, lambd):
    AL, cache = propagacion(X, params, L, keep_prob)
    costo = calcular_costo(AL, Y, params, L, lambd)
    grads = retropropagacion(AL, Y, params, cache, L, keep_prob, lambd)
    return costo, grads


# Cases
from tests.derivations.planting import Mistake, Right
from tests.derivations.truth import call


def problem(user, rng):
    sizes, m = (4, 7, 5, 3), 11
    params = {}
    for l in (1, 2, 3):
        params[f"W{l}"] = rng.normal(size=(sizes[l], sizes[l - 1])) / np.sqrt(sizes[l - 1])
        if l < 3:
            params[f"gamma{l}"] = rng.uniform(0.6, 1.4, size=(sizes[l], 1))
            params[f"beta{l}"] = 0.4 * rng.normal(size=(sizes[l], 1)) + 0.3
    params["b3"] = 0.3 * rng.normal(size=(3, 1))
    X, Y = rng.normal(size=(4, m)), np.eye(3)[:, rng.integers(0, 3, size=m)]
    return call(user.iteracion, params, X, Y, 3, 0.8, 0.7, loss="costo", gradients={"params": "grads"})


import numpy as np

RIGHT = [
    Right(
        """    dvar = np.sum(dZn * (Z - mu) * -0.5 * (var + EPSILON) ** -1.5, axis=1, keepdims=True)
    dmu = np.sum(-dZn / np.sqrt(var + EPSILON), axis=1, keepdims=True)
    dZ = dZn / np.sqrt(var + EPSILON) + dvar * 2 * (Z - mu) / m + dmu / m
""",
        """    desvio = np.sqrt(var + EPSILON)
    dZ = (m * dZn - np.sum(dZn, axis=1, keepdims=True) - Zn * np.sum(dZn * Zn, axis=1, keepdims=True)) / (m * desvio)
""",
    ),
    Right(
        """        dR = dA * cache["D" + str(l)] / keep_prob
        dY = dR * relu_derivada(cache["Y" + str(l)])
""",
        """        dY = dA / keep_prob
        dY[cache["A" + str(l)] == 0] = 0
""",
    ),
    Right(
        "    dZ = (AL - Y) / m\n",
        "    dAL = -Y / AL / m\n    dZ = AL * (dAL - np.sum(dAL * AL, axis=0, keepdims=True))\n",
    ),
    Right(
        '        dA = np.dot(params["W" + str(l)].T, dZ)\n    return grads\n',
        '        if l > 1:  # la entrada no necesita gradiente\n            dA = np.dot(dZ.T, params["W" + str(l)]).T\n    return grads\n',
    ),
    Right("    dmu = np.sum(-dZn / np.sqrt(var + EPSILON), axis=1, keepdims=True)\n", "    dmu = -np.sum(dZn, axis=1, keepdims=True) / np.sqrt(var + EPSILON) - 2 * dvar * np.mean(Z - mu, axis=1, keepdims=True)\n"),
]

DR = 'dR = dA * cache["D" + str(l)] / keep_prob'
DY = 'dY = dR * relu_derivada(cache["Y" + str(l)])'
DZ = "dZ = dZn / np.sqrt(var + EPSILON) + dvar * 2 * (Z - mu) / m + dmu / m"
DVAR = "dvar = np.sum(dZn * (Z - mu) * -0.5 * (var + EPSILON) ** -1.5, axis=1, keepdims=True)"
WL = 'grads["W" + str(L)] = np.dot(dZ, cache["A" + str(L - 1)].T) + lambd / m * params["W" + str(L)]'
W = 'grads["W" + str(l)] = np.dot(dZ, cache["A" + str(l - 1)].T) + lambd / m * params["W" + str(l)]'
AT_W, AT_WL, AT_BL = 'grads["W" + str(l)]', 'grads["W" + str(L)]', 'grads["b" + str(L)]'

MISTAKES = [
    Mistake("factor-const", "dR", DR, 'dR = dA * cache["D" + str(l)]'),
    Mistake(("missing-activation-derivative", "skipped-layer", "missing-weight-factor", None), "dR", DR, "dR = dA / keep_prob"),
    Mistake(("forward-differs", "stale-forward-values", "wrong-tensor-in-delta", None), ("D", "dR"), DR, "D = (np.random.rand(*dA.shape) < keep_prob).astype(float)\n        dR = dA * D / keep_prob"),
    Mistake("relu-mask-from-wrong-tensor", "dY", DY, 'dY = dR * relu_derivada(cache["Z" + str(l)])'),
    Mistake("relu-mask-from-wrong-tensor", "dY", DY, "dY = dR * relu_derivada(dR)"),
    Mistake("missing-activation-derivative", "dY", DY, "dY = dR"),
    Mistake(("wrong-local-derivative", "derivative-of-another-activation"), "dY", DY, 'dY = dR * relu(cache["Y" + str(l)])'),
    Mistake("wrong-tensor-in-weight-gradient", "dgamma", "dgamma = np.sum(dY * Zn, axis=1, keepdims=True)", "dgamma = np.sum(dY * Z, axis=1, keepdims=True)"),
    Mistake("factor-1/N", "dbeta", "dbeta = np.sum(dY, axis=1, keepdims=True)", "dbeta = np.mean(dY, axis=1, keepdims=True)"),
    Mistake(("missing-weight-factor", "skipped-layer"), "dZn", "dZn = dY * gamma", "dZn = dY"),
    Mistake(("wrong-local-derivative", None), "dvar", DVAR, "dvar = np.sum(dZn * (Z - mu) * -0.5 * (var + EPSILON) ** -0.5, axis=1, keepdims=True)"),
    Mistake(("missing-branch", "detached-branch"), "dZ", DZ, "dZ = dZn / np.sqrt(var + EPSILON) + dvar * 2 * (Z - mu) / m"),
    Mistake(("missing-branch", "detached-branch"), "dZ", DZ, "dZ = dZn / np.sqrt(var + EPSILON) + dmu / m"),
    Mistake("epsilon-ignored", "dZ", DZ, "dZ = dZn / np.sqrt(var) + dvar * 2 * (Z - mu) / m + dmu / m"),
    Mistake("ddof", ("var", "dvar", "dZ"), "    var = np.var(Z, axis=1, keepdims=True)\n", "    var = np.var(Z, axis=1, ddof=1, keepdims=True)\n"),
    Mistake("softmax-wrong-axis", ("E", "return", "dZ", 'cache["A" + str(L)]', "AL"), "return E / np.sum(E, axis=0, keepdims=True)", "return E / np.sum(E, axis=1, keepdims=True)"),
    Mistake("regulariser-forgotten", AT_WL, WL, 'grads["W" + str(L)] = np.dot(dZ, cache["A" + str(L - 1)].T)'),
    Mistake("regulariser-scale", AT_W, W, 'grads["W" + str(l)] = np.dot(dZ, cache["A" + str(l - 1)].T) + lambd * params["W" + str(l)]'),
    Mistake("regulariser-on-wrong-parameter", AT_BL, 'grads["b" + str(L)] = np.sum(dZ, axis=1, keepdims=True)', 'grads["b" + str(L)] = np.sum(dZ, axis=1, keepdims=True) + lambd / m * params["b" + str(L)]'),
    Mistake("wrong-tensor-in-weight-gradient", AT_WL, WL, 'grads["W" + str(L)] = np.dot(dZ, cache["R" + str(L - 1)].T) + lambd / m * params["W" + str(L)]'),
    Mistake(("updated-weights", "input-mutated"), ("dA", 'params["W" + str(l)]'), '        dA = np.dot(params["W" + str(l)].T, dZ)\n    return grads\n', '        params["W" + str(l)] -= 0.1 * grads["W" + str(l)]\n        dA = np.dot(params["W" + str(l)].T, dZ)\n    return grads\n', fix=False),
    Mistake(("off-by-one-index", "detached-branch", "missing-branch", None), (AT_W, "grads", 'grads["gamma" + str(l)]', 'grads["beta" + str(l)]', "l"), "for l in range(L - 1, 0, -1):", "for l in range(L - 1, 1, -1):"),
    Mistake(("factor-1/N", "factor-const"), AT_BL, 'grads["b" + str(L)] = np.sum(dZ, axis=1, keepdims=True)', 'grads["b" + str(L)] = np.sum(dZ, axis=1, keepdims=True) / m'),
    Mistake(("regulariser-scale", "factor-half", None), ("costo", AT_W, AT_WL), "costo += lambd / (2 * m) * np.sum", "costo += lambd / m * np.sum"),
]
