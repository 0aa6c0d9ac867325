"""A small library with type hints: layers hold params and grads in dicts, activations are built from f and f_prime."""

from typing import Callable, Dict, Iterator, Sequence, Tuple

import numpy as np
from numpy import ndarray as Tensor

F = Callable[[Tensor], Tensor]


class MSE:
    """MSE is mean squared error, although we're just going to do total squared error"""
    def loss(self, predicted: Tensor, actual: Tensor) -> float:
        return np.sum((predicted - actual) ** 2)

    def grad(self, predicted: Tensor, actual: Tensor) -> Tensor:
        return 2 * (predicted - actual)


class Layer:
    def __init__(self) -> None:
        self.params: Dict[str, Tensor] = {}
        self.grads: Dict[str, Tensor] = {}

    def forward(self, inputs: Tensor) -> Tensor:
        raise NotImplementedError

    def backward(self, grad: Tensor) -> Tensor:
        raise NotImplementedError


class Linear(Layer):
    """computes output = inputs @ w + b"""
    def __init__(self, w: Tensor, b: Tensor) -> None:
        # inputs will be (batch_size, input_size)
        # outputs will be (batch_size, output_size)
        super().__init__()
        self.params["w"] = w
        self.params["b"] = b

    def forward(self, inputs: Tensor) -> Tensor:
        self.inputs = inputs
        return inputs @ self.params["w"] + self.params["b"]

    def backward(self, grad: Tensor) -> Tensor:
        """
        if y = f(x) and x = a * b + c
        then dy/da = f'(x) * b, dy/db = f'(x) * a and dy/dc = f'(x)
        """
        self.grads["b"] = np.sum(grad, axis=0)
        self.grads["w"] = self.inputs.T @ grad
        return grad @ self.params["w"].T


class Activation(Layer):
    """An activation layer just applies a function elementwise to its inputs"""
    def __init__(self, f: F, f_prime: F) -> None:
        super().__init__()
        self.f = f
        self.f_prime = f_prime

    def forward(self, inputs: Tensor) -> Tensor:
        self.inputs = inputs
        return self.f(inputs)

    def backward(self, grad: Tensor) -> Tensor:
        """if y = f(x) and x = g(z) then dy/dz = f'(x) * g'(z)"""
        return self.f_prime(self.inputs) * grad


def tanh(x: Tensor) -> Tensor:
    return np.tanh(x)


def tanh_prime(x: Tensor) -> Tensor:
    y = np.tanh(x)
    return 1 - y ** 2


def gaussian(x: Tensor) -> Tensor:
    return np.exp(-x ** 2)


def gaussian_prime(x: Tensor) -> Tensor:
    return -2 * x * np.exp(-x ** 2)


class Tanh(Activation):
    def __init__(self):
        super().__init__(tanh, tanh_prime)


class Bump(Activation):
    def __init__(self):
        super().__init__(gaussian, gaussian_prime)


class Skip(Layer):
    """inputs + inner(inputs)"""
    def __init__(self, inner: Sequence[Layer]) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, inputs: Tensor) -> Tensor:
        out = inputs
        for layer in self.inner:
            out = layer.forward(out)
        return inputs + out

    def backward(self, grad: Tensor) -> Tensor:
        inner_grad = grad
        for layer in reversed(self.inner):
            inner_grad = layer.backward(inner_grad)
        return grad + inner_grad


class NeuralNet:
    def __init__(self, layers: Sequence[Layer]) -> None:
        self.layers = layers

    def forward(self, inputs: Tensor) -> Tensor:
        for layer in self.layers:
            inputs = layer.forward(inputs)
        return inputs

    def backward(self, grad: Tensor) -> Tensor:
        for layer in reversed(self.layers):
            grad = layer.backward(grad)
        return grad


def train_step(w1: Tensor, b1: Tensor, w2: Tensor, b2: Tensor, w3: Tensor, b3: Tensor,
               inputs: Tensor, targets: Tensor) -> Tuple[float, Dict[str, Tensor]]:
    first, inside, last = Linear(w1, b1), Linear(w2, b2), Linear(w3, b3)
    net = NeuralNet([first, Tanh(), Skip([inside, Bump()]), last])
    criterion = MSE()
    predicted = net.forward(inputs)
    epoch_loss = criterion.loss(predicted, targets)
    net.backward(criterion.grad(predicted, targets))
    return epoch_loss, {
        "w1": first.grads["w"], "b1": first.grads["b"],
        "w2": inside.grads["w"], "b2": inside.grads["b"],
        "w3": last.grads["w"], "b3": last.grads["b"],
    }


# Cases
from tests.derivations.planting import Mistake, Right
from tests.derivations.truth import call


def problem(user, rng):
    N, D, H, K = 7, 3, 5, 2
    weights = []
    for a, b in ((D, H), (H, H), (H, K)):
        weights += [rng.normal(size=(a, b)), rng.normal(size=b)]
    return call(user.train_step, *weights, rng.normal(size=(N, D)), rng.normal(size=(N, K)))


RIGHT = [
    Right("    y = np.tanh(x)\n    return 1 - y ** 2\n", "    return 1 / np.cosh(x) ** 2\n"),
    Right("    return -2 * x * np.exp(-x ** 2)\n", "    return -2 * x * gaussian(x)\n"),
    Right("        return grad + inner_grad\n", "        inner_grad += grad\n        return inner_grad\n"),
    Right("        return 2 * (predicted - actual)\n", "        return -2 * (actual - predicted)\n"),
    Right("        self.grads[\"w\"] = self.inputs.T @ grad\n", "        self.grads[\"w\"] = sum(np.outer(i, g) for i, g in zip(self.inputs, grad))\n"),
]

BACK = ("return", "grad", "inner_grad")

MISTAKES = [
    Mistake("sign", (*BACK[:2], "criterion.grad"), "return 2 * (predicted - actual)", "return 2 * (actual - predicted)"),
    Mistake("factor-half", (*BACK[:2], "epoch_loss", "criterion.grad"), "return 2 * (predicted - actual)", "return predicted - actual"),
    Mistake("factor-1/N", (*BACK[:2], "epoch_loss", "criterion.grad"), "return 2 * (predicted - actual)", "return 2 * (predicted - actual) / len(actual)"),
    Mistake(("factor-const", None, "factor-N", "factor-K"), ("return", "epoch_loss", "grad", "loss"), "return np.sum((predicted - actual) ** 2)", "return np.mean((predicted - actual) ** 2)", fix=True),
    Mistake("missing-activation-derivative", BACK, "return self.f_prime(self.inputs) * grad", "return grad"),
    Mistake(("activation-derivative-at-activation", "wrong-local-derivative"), BACK, "return self.f_prime(self.inputs) * grad", "return self.f_prime(self.f(self.inputs)) * grad"),
    Mistake(("wrong-local-derivative", "wrong-tensor-in-delta", "missing-activation-derivative", None), BACK, "return self.f_prime(self.inputs) * grad", "return self.f(self.inputs) * grad"),
    Mistake(("wrong-tensor-in-delta", "wrong-local-derivative", None), BACK, "return self.f_prime(self.inputs) * grad", "return self.f_prime(grad) * grad"),
    Mistake(("output-form-on-preactivation", "wrong-local-derivative"), (*BACK, "tanh_prime"), "    y = np.tanh(x)\n    return 1 - y ** 2\n", "    return 1 - x ** 2\n"),
    Mistake("wrong-local-derivative", (*BACK, "tanh_prime"), "    return 1 - y ** 2\n", "    return 1 - y\n"),
    Mistake(("wrong-local-derivative", "factor-half"), (*BACK, "gaussian_prime"), "return -2 * x * np.exp(-x ** 2)", "return -x * np.exp(-x ** 2)"),
    Mistake(("wrong-local-derivative", "sign"), (*BACK, "gaussian_prime"), "return -2 * x * np.exp(-x ** 2)", "return 2 * x * np.exp(-x ** 2)"),
    Mistake(("wrong-local-derivative", "derivative-of-another-activation"), (*BACK, "gaussian_prime"), "return -2 * x * np.exp(-x ** 2)", "return np.exp(-x ** 2)"),
    Mistake("derivative-of-another-activation", (*BACK, "Bump", "super().__init__"), "super().__init__(gaussian, gaussian_prime)", "super().__init__(gaussian, tanh_prime)"),
    Mistake("missing-branch", BACK, "return grad + inner_grad", "return inner_grad"),
    Mistake(("missing-branch", "skipped-layer", "detached-branch"), BACK, "return grad + inner_grad", "return grad"),
    Mistake(("off-by-one-index", "missing-activation-derivative", "skipped-layer", "wrong-tensor-in-delta", None), (*BACK, "layer", "self.grads['w']"), "for layer in reversed(self.inner):", "for layer in self.inner:"),
    Mistake(("input-mutated", "activation-derivative-at-activation", "aliasing", "stale-forward-values", "forward-differs", None), ("inputs", "out", "self.inputs", "return", "self.grads['w']"), "        return self.f(inputs)\n", "        inputs[...] = self.f(inputs)\n        return inputs\n", fix=False),
    Mistake("weight-not-transposed", BACK, "return grad @ self.params[\"w\"].T", "return grad @ self.params[\"w\"].reshape(self.params[\"w\"].T.shape)"),
    Mistake("updated-weights", (*BACK, "self.params['w']"), "        return grad @ self.params[\"w\"].T\n", "        self.params[\"w\"] = self.params[\"w\"] - 0.01 * self.grads[\"w\"]\n        return grad @ self.params[\"w\"].T\n"),
    Mistake(("wrong-shape", "bias-wrong-axis", "bias-not-reduced"), "self.grads['b']", "self.grads[\"b\"] = np.sum(grad, axis=0)", "self.grads[\"b\"] = np.sum(grad, axis=0, keepdims=True)"),
    Mistake("gradient-transposed", "self.grads['w']", "self.grads[\"w\"] = self.inputs.T @ grad", "self.grads[\"w\"] = grad.T @ self.inputs"),
]
