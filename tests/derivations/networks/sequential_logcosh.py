"""Layer objects in a Sequential, backwards through reversed(layers): swish, softplus and ELU, log-cosh loss, weight decay."""

from __future__ import annotations

import numpy as np

WEIGHT_DECAY = 0.02


class Dense:
    def __init__(self, W, b):
        self.W, self.b = W, b
        self.dW, self.db = np.zeros_like(W), np.zeros_like(b)

    def forward(self, x):
        self.x = x
        return x @ self.W + self.b

    def backward(self, grad):
        self.dW += self.x.T @ grad + WEIGHT_DECAY * self.W
        self.db += grad.sum(axis=0)
        return grad @ self.W.T


class Swish:
    def forward(self, x):
        self.x = x
        self.sig = 1 / (1 + np.exp(-x))
        return x * self.sig

    def backward(self, grad):
        return grad * (self.sig + self.x * self.sig * (1 - self.sig))


class Softplus:
    def forward(self, x):
        self.out = np.log1p(np.exp(x))
        return self.out

    def backward(self, grad):
        return grad * (1 - np.exp(-self.out))


class ELU:
    alpha = 0.7

    def forward(self, x):
        self.x = x
        return np.where(x > 0, x, self.alpha * (np.exp(x) - 1))

    def backward(self, grad):
        slope = np.where(self.x > 0, 1, self.alpha * np.exp(self.x))
        return grad * slope


class LogCosh:
    def forward(self, prediction, target):
        self.residual = prediction - target
        return np.mean(np.log(np.cosh(self.residual)))

    def backward(self):
        return np.tanh(self.residual) / self.residual.size


class Sequential:
    def __init__(self, *layers):
        self.layers = layers

    def forward(self, x):
        for layer in self.layers:
            x = layer.forward(x)
        return x

    def backward(self, grad):
        for layer in reversed(self.layers):
            grad = layer.backward(grad)
        return grad

    @property
    def dense(self) -> list[Dense]:
        return [layer for layer in self.layers if isinstance(layer, Dense)]


def objective(params: list[tuple[np.ndarray, np.ndarray]], x: np.ndarray, t: np.ndarray):
    """The loss and, like params, a list of (dW, db)."""
    dense = [Dense(W, b) for W, b in params]
    net = Sequential(dense[0], Swish(), dense[1], Softplus(), dense[2], ELU(), dense[3])
    criterion = LogCosh()
    penalty = WEIGHT_DECAY / 2 * sum(np.sum(W ** 2) for W, b in params)
    loss = criterion.forward(net.forward(x), t) + penalty
    net.backward(criterion.backward())
    return loss, [(layer.dW, layer.db) for layer in net.dense]


# Cases
from tests.derivations.planting import Mistake, Right
from tests.derivations.truth import call


def problem(user, rng):
    sizes = 2, 7, 5, 4, 3
    params = [(rng.normal(size=(m, n)), rng.normal(size=n)) for m, n in zip(sizes, sizes[1:])]
    return call(user.objective, params, rng.normal(size=(6, 2)), rng.normal(size=(6, 3)), wrt=("params",))


RIGHT = [
    Right("        return grad * (self.sig + self.x * self.sig * (1 - self.sig))\n", "        out = self.x * self.sig\n        return grad * (out + self.sig * (1 - out))\n"),
    Right("        return grad * (1 - np.exp(-self.out))\n", "        return grad - grad / np.exp(self.out)\n"),
    Right("        slope = np.where(self.x > 0, 1, self.alpha * np.exp(self.x))\n        return grad * slope\n", "        grad = grad.copy()\n        grad[self.x <= 0] *= self.alpha * np.exp(self.x[self.x <= 0])\n        return grad\n"),
    Right("        return np.tanh(self.residual) / self.residual.size\n", "        up, down = np.exp(self.residual), np.exp(-self.residual)\n        return (up - down) / (up + down) / np.prod(self.residual.shape)\n"),
    Right("        self.dW += self.x.T @ grad + WEIGHT_DECAY * self.W\n", "        for sample, g in zip(self.x, grad):\n            self.dW += np.outer(sample, g)\n        self.dW += WEIGHT_DECAY * self.W\n"),
    Right("        for layer in reversed(self.layers):\n            grad = layer.backward(grad)\n        return grad\n", "        todo = list(self.layers)\n        while todo:\n            grad = todo.pop().backward(grad)\n        return grad\n"),
]

IN_LAYER = ("return", "grad", "backward", "layer.backward")
SWISH = (*IN_LAYER, "Swish.backward")
SOFTPLUS = (*IN_LAYER, "Softplus.backward")
ELU = (*IN_LAYER, "slope", "ELU.backward")
LOSS = ("return", "loss", "backward", "criterion.backward", "criterion.backward()", "forward", "grad")

MISTAKES = [
    Mistake(("wrong-local-derivative", "missing-branch", None), SWISH, "(self.sig + self.x * self.sig * (1 - self.sig))", "(self.x * self.sig * (1 - self.sig))"),
    Mistake(("derivative-of-another-activation", "wrong-local-derivative"), SWISH, "(self.sig + self.x * self.sig * (1 - self.sig))", "(self.sig * (1 - self.sig))"),
    Mistake(("wrong-local-derivative", "derivative-of-another-activation", "missing-branch", None), SWISH, "(self.sig + self.x * self.sig * (1 - self.sig))", "self.sig"),
    Mistake("activation-derivative-at-activation", SOFTPLUS, "return grad * (1 - np.exp(-self.out))", "return grad / (1 + np.exp(-self.out))"),
    Mistake("output-form-on-preactivation", SOFTPLUS, "        self.out = np.log1p(np.exp(x))\n        return self.out\n", "        self.out = x\n        return np.log1p(np.exp(x))\n"),
    Mistake("activation-derivative-twice", SOFTPLUS, "return grad * (1 - np.exp(-self.out))", "return grad * (1 - np.exp(-self.out)) * (1 - np.exp(-self.out))"),
    Mistake("missing-activation-derivative", SOFTPLUS, "return grad * (1 - np.exp(-self.out))", "return grad"),
    Mistake(("wrong-local-derivative", "derivative-of-another-activation", None), ELU, "np.where(self.x > 0, 1, self.alpha * np.exp(self.x))", "np.where(self.x > 0, 1, np.exp(self.x))"),
    Mistake(("wrong-local-derivative", None), ELU, "np.where(self.x > 0, 1, self.alpha * np.exp(self.x))", "np.where(self.x > 0, 1, self.alpha * (np.exp(self.x) - 1))"),
    Mistake(("relu-mask-inverted", None), ELU, "np.where(self.x > 0, 1, self.alpha * np.exp(self.x))", "np.where(self.x < 0, 1, self.alpha * np.exp(self.x))"),
    Mistake("relu-mask-from-wrong-tensor", ELU, "np.where(self.x > 0, 1, self.alpha * np.exp(self.x))", "np.where(grad > 0, 1, self.alpha * np.exp(self.x))"),
    Mistake("integer-dtype", ELU, "np.where(self.x > 0, 1, self.alpha * np.exp(self.x))", "np.where(self.x > 0, 1, self.alpha * np.exp(self.x)).astype(int)"),
    Mistake(("input-mutated", "aliasing", "activation-derivative-at-activation"), (*ELU, "x", "x[low]", "self.x"), "        return np.where(x > 0, x, self.alpha * (np.exp(x) - 1))\n", "        low = x <= 0\n        x[low] = self.alpha * (np.exp(x[low]) - 1)\n        return x\n"),
    Mistake("factor-K", LOSS, "return np.tanh(self.residual) / self.residual.size", "return np.tanh(self.residual) / len(self.residual)"),
    Mistake("factor-N", LOSS, "return np.tanh(self.residual) / self.residual.size", "return np.tanh(self.residual) / self.residual.shape[1]"),
    Mistake("wrong-loss-derivative", LOSS, "return np.tanh(self.residual) / self.residual.size", "return self.residual / self.residual.size"),
    Mistake("wrong-loss-derivative", LOSS, "return np.tanh(self.residual) / self.residual.size", "return np.sinh(self.residual) / self.residual.size"),
    Mistake("regulariser-forgotten", ("self.dW", "Dense.backward", "backward"), "self.x.T @ grad + WEIGHT_DECAY * self.W", "self.x.T @ grad"),
    Mistake("regulariser-scale", ("self.dW", "Dense.backward", "backward", "penalty"), "penalty = WEIGHT_DECAY / 2 *", "penalty = WEIGHT_DECAY *"),
    Mistake("regulariser-scale", ("self.dW", "Dense.backward", "backward", "penalty"), "self.x.T @ grad + WEIGHT_DECAY * self.W", "self.x.T @ grad + WEIGHT_DECAY * self.W / len(grad)"),
    Mistake(("regulariser-forgotten", "regulariser-on-wrong-parameter"), ("self.db", "Dense.backward", "backward", "penalty"), "sum(np.sum(W ** 2) for W, b in params)", "sum(np.sum(W ** 2) + np.sum(b ** 2) for W, b in params)"),
    Mistake("regulariser-on-wrong-parameter", ("self.db", "Dense.backward", "backward", "penalty"), "self.db += grad.sum(axis=0)", "self.db += grad.sum(axis=0) + WEIGHT_DECAY * self.b"),
    Mistake(("accumulated-twice", "factor-2"), ("net.backward", "self.dW", "self.db", "backward", "net.backward(criterion.backward())"), "    net.backward(criterion.backward())\n", "    net.backward(criterion.backward())\n    net.backward(criterion.backward())\n"),
    Mistake(("off-by-one-index", "detached-branch", "missing-branch", "skipped-layer"), ("grad", "layer", "self.dW", "backward", "reversed(self.layers[1:])"), "in reversed(self.layers):", "in reversed(self.layers[1:]):"),
    Mistake("updated-weights", ("self.W", *IN_LAYER, "Dense.backward"), "        return grad @ self.W.T\n", "        self.W = self.W - 0.5 * self.dW\n        return grad @ self.W.T\n"),
    Mistake(("skipped-layer", "missing-activation-derivative"), ("grad", "layer", "backward", "return"), "            grad = layer.backward(grad)\n", "            grad = grad if isinstance(layer, ELU) else layer.backward(grad)\n"),
    Mistake("factor-2", LOSS, "return np.tanh(self.residual) / self.residual.size", "return 2 * np.tanh(self.residual) / self.residual.size"),
]
