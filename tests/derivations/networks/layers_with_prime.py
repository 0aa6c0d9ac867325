"""Tiny deep learning library for my blog post "Neural networks in 80 lines": layers, activations, losses.

Single precision because I want to port it to the GPU one day.
"""

import numpy as np

dtype = np.float32


class Tanh:
    def __call__(self, z):
        return np.tanh(z)

    def prime(self, z):
        return 1 - np.tanh(z) ** 2


class Softplus:
    def __call__(self, z):
        return np.log1p(np.exp(z))

    def prime(self, z):
        return 1 / (1 + np.exp(-z))


class Swish:
    def __call__(self, z):
        return z / (1 + np.exp(-z))

    def prime(self, z):
        sig = 1 / (1 + np.exp(-z))
        return sig + z * sig * (1 - sig)


class Identity:
    def __call__(self, z):
        return z

    def prime(self, z):
        return np.ones_like(z)


class Dense:
    def __init__(self, W, b, activation):
        self.W = W  # (n_out, n_in), like torch.nn.Linear
        self.b = b
        self.activation = activation

    def forward(self, x):
        self.x = x
        self.z = x @ self.W.T + self.b
        self.a = self.activation(self.z)
        return self.a

    def backward(self, grad):
        dz = grad * self.activation.prime(self.z)
        self.dW = dz.T @ self.x
        self.db = dz.sum(axis=0)
        return dz @ self.W


class Huber:
    delta = dtype(1.2)

    def __call__(self, pred, target):
        r = pred - target
        small = np.abs(r) <= self.delta
        each = np.where(small, r ** 2 / 2, self.delta * (np.abs(r) - self.delta / 2))
        return each.sum() / len(pred)

    def prime(self, pred, target):
        r = pred - target
        small = np.abs(r) <= self.delta
        return np.where(small, r, self.delta * np.sign(r)) / len(pred)


def build(Ws, bs):
    activations = [Swish(), Tanh(), Softplus(), Identity()]
    return [Dense(W, b, act) for W, b, act in zip(Ws, bs, activations)]


def train_batch(W1, W2, W3, W4, b1, b2, b3, b4, x, target):
    layers = build([W1, W2, W3, W4], [b1, b2, b3, b4])
    criterion = Huber()

    out = x
    for layer in layers:
        out = layer.forward(out)
    loss = criterion(out, target)

    grad = criterion.prime(out, target)
    for layer in reversed(layers):
        grad = layer.backward(grad)

    dWs = [layer.dW for layer in layers]
    dbs = [layer.db for layer in layers]
    return loss, dWs + dbs


# Cases
import numpy as np

from tests.derivations.planting import Mistake, Right
from tests.derivations.truth import call

FLOAT32 = True


def problem(user, rng):
    sizes = 3, 5, 4, 6, 2
    Ws = [(0.8 * rng.normal(size=(n, m))).astype("float32") for m, n in zip(sizes, sizes[1:])]
    bs = [(0.8 * rng.normal(size=n)).astype("float32") for n in sizes[1:]]
    x = np.repeat(rng.normal(size=(4, 3)), 3, axis=0).astype("float32")  # each measured three times
    target = (1.5 * rng.normal(size=(12, 2))).astype("float32")
    return call(user.train_batch, *Ws, *bs, x, target, wrt=("W1", "W2", "W3", "W4", "b1", "b2", "b3", "b4"))


RIGHT = [
    Right("        return 1 - np.tanh(z) ** 2", "        return 1 / np.cosh(z) ** 2"),
    Right("        return sig + z * sig * (1 - sig)", "        return sig * (1 + z * (1 - sig))"),
    Right("        return np.where(small, r, self.delta * np.sign(r)) / len(pred)", "        return np.clip(r, -self.delta, self.delta) / len(pred)"),
    Right("        self.dW = dz.T @ self.x\n        self.db = dz.sum(axis=0)\n", "        self.dW = np.einsum('ni,nj->ij', dz, self.x)\n        self.db = np.ones(len(dz), dtype) @ dz\n"),
    Right("        return each.sum() / len(pred)", "        return np.mean(each.sum(axis=1))"),
]

PRIME = ("dz", "prime", "grad", "return", "sig")
LOSS = ("grad", "prime", "Huber.prime", "criterion.prime", "loss", "return")

MISTAKES = [
    Mistake("output-form-on-preactivation", (*PRIME, "Tanh.prime"), "        return 1 - np.tanh(z) ** 2", "        return 1 - z ** 2"),
    Mistake("wrong-local-derivative", (*PRIME, "Tanh.prime"), "        return 1 - np.tanh(z) ** 2", "        return 1 - np.tanh(z)"),
    Mistake("activation-derivative-at-activation", "dz", "self.activation.prime(self.z)", "self.activation.prime(self.a)"),
    Mistake(("derivative-of-another-activation", "wrong-local-derivative"), (*PRIME, "Softplus.prime"), "    def prime(self, z):\n        return 1 / (1 + np.exp(-z))\n", "    def prime(self, z):\n        s = 1 / (1 + np.exp(-z))\n        return s * (1 - s)\n"),
    Mistake(("wrong-local-derivative", "sign", None), (*PRIME, "Softplus.prime"), "    def prime(self, z):\n        return 1 / (1 + np.exp(-z))\n", "    def prime(self, z):\n        return 1 / (1 + np.exp(z))\n"),
    Mistake(("wrong-local-derivative", "missing-weight-factor", None), (*PRIME, "Swish.prime"), "        return sig + z * sig * (1 - sig)", "        return sig + sig * (1 - sig)"),
    Mistake(("missing-branch", "wrong-local-derivative", "derivative-of-another-activation", None), (*PRIME, "Swish.prime"), "        return sig + z * sig * (1 - sig)", "        return z * sig * (1 - sig)"),
    Mistake("missing-activation-derivative", "dz", "        dz = grad * self.activation.prime(self.z)", "        dz = grad"),
    Mistake(("missing-activation-derivative", "wrong-tensor-in-delta"), ("return", "grad", "backward", "layer.backward"), "        return dz @ self.W", "        return grad @ self.W"),
    Mistake(("wrong-tensor-in-weight-gradient", "wrong-shape"), ("self.dW", "dWs"), "        self.dW = dz.T @ self.x", "        self.dW = dz.T @ self.a"),
    Mistake(("missing-activation-derivative", "wrong-tensor-in-weight-gradient", "wrong-tensor-in-delta"), ("self.dW", "dWs"), "        self.dW = dz.T @ self.x", "        self.dW = grad.T @ self.x"),
    Mistake("gradient-transposed", ("self.dW", "dWs"), "        self.dW = dz.T @ self.x", "        self.dW = self.x.T @ dz"),
    Mistake(("factor-1/N", "bias-wrong-axis"), ("self.db", "dbs"), "        self.db = dz.sum(axis=0)", "        self.db = dz.mean(axis=0)"),
    Mistake("factor-N", LOSS, "self.delta * np.sign(r)) / len(pred)", "self.delta * np.sign(r))"),
    Mistake("sign", (*LOSS, "r"), "    def prime(self, pred, target):\n        r = pred - target", "    def prime(self, pred, target):\n        r = target - pred"),
    Mistake(("wrong-loss-derivative", "sign", None), LOSS, "np.where(small, r, self.delta * np.sign(r))", "np.where(small, r, self.delta)"),
    Mistake(("wrong-loss-derivative", "factor-const", None), LOSS, "np.where(small, r, self.delta * np.sign(r))", "np.where(small, r, np.sign(r))"),
    Mistake(("wrong-loss-derivative", "factor-half", "forward-differs", None), (*LOSS, "each"), "np.where(small, r ** 2 / 2,", "np.where(small, r ** 2,"),
    Mistake(("updated-weights", "input-mutated"), ("return", "grad", "self.W", "backward", "layer.backward"), "        return dz @ self.W", "        self.W -= dtype(0.1) * self.dW\n        return dz @ self.W"),
    Mistake(("wrong-shape", None), ("dbs", "return"), "    dbs = [layer.db for layer in layers]", "    dbs = [layer.db for layer in reversed(layers)]"),
]
