"""열(column) 하나가 표본 하나: 파라미터는 딕셔너리, leaky ReLU와 tanh, softmax 출력, L2 규제."""

import numpy as np

기울기 = 0.1  # leaky ReLU, z < 0


def leaky_relu(Z):
    return np.where(Z > 0, Z, 기울기 * Z)


def softmax(Z):
    E = np.exp(Z - np.max(Z, axis=0, keepdims=True))
    return E / np.sum(E, axis=0, keepdims=True)


def 정방향(X, params):
    # 입력 표준화
    Xn = (X - X.mean(axis=1, keepdims=True)) / X.std(axis=1, keepdims=True)
    Z1 = params['W1'] @ Xn + params['b1']
    A1 = leaky_relu(Z1)
    Z2 = params['W2'] @ A1 + params['b2']
    A2 = np.tanh(Z2)
    Z3 = params['W3'] @ A2 + params['b3']
    A3 = softmax(Z3)
    return A3, {'Xn': Xn, 'Z1': Z1, 'A1': A1, 'Z2': Z2, 'A2': A2, 'A3': A3}


def 비용함수(A3, Y, params, lambd):
    m = Y.shape[1]
    교차엔트로피 = -np.sum(Y * np.log(A3)) / m
    규제 = lambd / (2 * m) * sum(np.sum(np.square(params['W%d' % l])) for l in (1, 2, 3))
    return 교차엔트로피 + 규제


def 역방향(X, Y, params, cache, lambd):
    m = X.shape[1]
    grads = {}

    dZ3 = (cache['A3'] - Y) / m
    grads['W3'] = dZ3 @ cache['A2'].T + lambd / m * params['W3']
    grads['b3'] = np.sum(dZ3, axis=1, keepdims=True)

    dA2 = params['W3'].T @ dZ3
    dZ2 = dA2 * (1 - cache['A2'] ** 2)
    grads['W2'] = dZ2 @ cache['A1'].T + lambd / m * params['W2']
    grads['b2'] = np.sum(dZ2, axis=1, keepdims=True)

    dA1 = params['W2'].T @ dZ2
    dZ1 = dA1 * np.where(cache['Z1'] > 0, 1, 기울기)
    grads['W1'] = dZ1 @ cache['Xn'].T + lambd / m * params['W1']
    grads['b1'] = np.sum(dZ1, axis=1, keepdims=True)
    return grads


def 학습_한번(params, X, Y, lambd=0.3):
    A3, cache = 정방향(X, params)
    비용 = 비용함수(A3, Y, params, lambd)
    grads = 역방향(X, Y, params, cache, lambd)
    return 비용, grads


# Cases
from tests.derivations.planting import Mistake, Right
from tests.derivations.truth import call


def problem(user, rng):
    m, sizes = 11, (2, 5, 4, 3)
    params = {f"W{k}": rng.normal(size=(sizes[k], sizes[k - 1])) for k in (1, 2, 3)}
    params |= {f"b{k}": 0.5 * rng.normal(size=(sizes[k], 1)) for k in (1, 2, 3)}
    X, Y = 1 + 2 * rng.normal(size=(2, m)), np.eye(3)[rng.permutation([0, 1, 2, 0, 1, 2, 0, 1, 2, 1, 0])].T
    return call(user.학습_한번, params, X, Y, loss="비용", gradients={"params": "grads"})


import numpy as np

RIGHT = [
    Right("dA2 * (1 - cache['A2'] ** 2)", "dA2 / np.cosh(cache['Z2']) ** 2"),
    Right("    dZ1 = dA1 * np.where(cache['Z1'] > 0, 1, 기울기)\n", "    dZ1 = np.array(dA1)\n    dZ1[cache['A1'] < 0] *= 기울기\n"),
    Right(
        "    grads['b1'] = np.sum(dZ1, axis=1, keepdims=True)\n    return grads\n",
        "    grads['b1'] = np.sum(dZ1, axis=1).reshape(-1, 1)\n    return {key: value + 0 for key, value in grads.items()}\n",
    ),
    Right("    dZ3 = (cache['A3'] - Y) / m\n", "    # 음의 로그를 먼저 미분한다\n    dA3 = -Y / cache['A3'] / m\n    dZ3 = cache['A3'] * (dA3 - np.sum(dA3 * cache['A3'], axis=0))\n"),
]

DZ3 = "dZ3 = (cache['A3'] - Y) / m"
COST = "교차엔트로피 = -np.sum(Y * np.log(A3)) / m"
SOFTMAX = "np.max(Z, axis=0, keepdims=True))\n    return E / np.sum(E, axis=0, keepdims=True)"

MISTAKES = [
    Mistake("relu-mask-inverted", "dZ1", "cache['Z1'] > 0, 1", "cache['Z1'] < 0, 1"),
    Mistake("relu-mask-from-wrong-tensor", "dZ1", "cache['Z1'] > 0, 1", "dA1 > 0, 1"),
    Mistake(("derivative-of-another-activation", "wrong-local-derivative"), "dZ1", "np.where(cache['Z1'] > 0, 1, 기울기)", "(cache['Z1'] > 0)"),
    Mistake(("wrong-local-derivative", "derivative-of-another-activation", None), "dZ1", "np.where(cache['Z1'] > 0, 1, 기울기)", "np.where(cache['Z1'] > 0, cache['Z1'], 기울기)"),
    Mistake(("softmax-wrong-axis", "wrong-loss-derivative", None), ("dZ3", "A3", "softmax", "return", "(A3, cache)"), SOFTMAX, SOFTMAX.replace("axis=0", "axis=1")),
    Mistake("regulariser-forgotten", "grads['W2']", " + lambd / m * params['W2']", ""),
    Mistake(("regulariser-scale", "factor-N"), "grads['W3']", "lambd / m * params['W3']", "lambd * params['W3']"),
    Mistake(("regulariser-scale", "factor-half"), "grads['W1']", "lambd / m * params['W1']", "lambd / (2 * m) * params['W1']"),
    Mistake("regulariser-on-wrong-parameter", "grads['b2']", "np.sum(dZ2, axis=1, keepdims=True)", "np.sum(dZ2, axis=1, keepdims=True) + lambd / m * params['b2']"),
    Mistake(("regulariser-scale", "sign"), "grads['W2']", " + lambd / m * params['W2']", " - lambd / m * params['W2']"),
    Mistake(("wrong-tensor-in-weight-gradient", "forward-differs", "stale-forward-values"), "grads['W1']", "dZ1 @ cache['Xn'].T", "dZ1 @ X.T"),
    Mistake("missing-target", "dZ3", DZ3, "dZ3 = cache['A3'] / m"),
    Mistake("sign", ("비용", "교차엔트로피", "dZ3", "비용함수"), COST, COST.replace("-np.sum", "np.sum")),
    Mistake("output-form-on-preactivation", "dZ2", "1 - cache['A2'] ** 2", "1 - cache['Z2'] ** 2"),
    Mistake("wrong-local-derivative", "dZ2", "1 - cache['A2'] ** 2", "1 - cache['A2']"),
    Mistake(("factor-1/N", "bias-wrong-axis"), "grads['b2']", "np.sum(dZ2, axis=1", "np.mean(dZ2, axis=1"),
    Mistake("bias-wrong-axis", "grads['b3']", "np.sum(dZ3, axis=1, keepdims=True)", "np.sum(dZ3, axis=0, keepdims=True)"),
    Mistake(("factor-1/N", None), "grads['W1']", "dZ1 @ cache['Xn'].T + ", "1 / m * dZ1 @ cache['Xn'].T + "),
    Mistake("updated-weights", ("dA2", "params['W3']"), "    dA2 = ", "    params['W3'] = params['W3'] - 0.5 * grads['W3']\n    dA2 = "),
    Mistake(("activation-derivative-twice", "wrong-loss-derivative"), "dZ3", DZ3, "dZ3 = (cache['A3'] - Y) * cache['A3'] * (1 - cache['A3']) / m"),
]
