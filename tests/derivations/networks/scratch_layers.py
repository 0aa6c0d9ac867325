"""밑바닥부터: layers as classes with forward and backward, kept in an ordered dictionary, gradients in attributes."""

from collections import OrderedDict

import numpy as np


class Sigmoid:
    def __init__(self):
        self.out = None

    def forward(self, x):
        out = 1 / (1 + np.exp(-x))
        self.out = out
        return out

    def backward(self, dout):
        dx = dout * (1.0 - self.out) * self.out
        return dx


class Relu:
    def __init__(self):
        self.mask = None

    def forward(self, x):
        self.mask = (x <= 0)
        out = x.copy()
        out[self.mask] = 0
        return out

    def backward(self, dout):
        dout[self.mask] = 0
        dx = dout
        return dx


class Affine:
    def __init__(self, W, b):
        self.W = W
        self.b = b
        self.x = None
        self.dW = None
        self.db = None

    def forward(self, x):
        self.x = x
        out = np.dot(self.x, self.W) + self.b
        return out

    def backward(self, dout):
        dx = np.dot(dout, self.W.T)
        self.dW = np.dot(self.x.T, dout)
        self.db = np.sum(dout, axis=0)
        return dx


class SoftmaxWithLoss:
    def __init__(self):
        self.loss = None
        self.y = None
        self.t = None

    def forward(self, x, t):
        self.t = t
        x = x - np.max(x, axis=1, keepdims=True)
        self.y = np.exp(x) / np.sum(np.exp(x), axis=1, keepdims=True)
        self.loss = -np.sum(t * np.log(self.y + 1e-9)) / t.shape[0]
        return self.loss

    def backward(self, dout=1):
        batch_size = self.t.shape[0]
        # 손실함수에 더한 1e-9 까지 미분한다
        dy = -self.t / (self.y + 1e-9) / batch_size
        dx = self.y * (dy - np.sum(dy * self.y, axis=1, keepdims=True))
        return dx * dout


class ThreeLayerNet:
    def __init__(self, params):
        self.W1, self.b1 = params["W1"], params["b1"]
        self.W2, self.b2 = params["W2"], params["b2"]
        self.W3, self.b3 = params["W3"], params["b3"]

    def gradient(self, x, t):
        # 계층 생성
        layers = OrderedDict()
        layers['Affine1'] = Affine(self.W1, self.b1)
        layers['Relu1'] = Relu()
        layers['Affine2'] = Affine(self.W2, self.b2)
        layers['Sigmoid2'] = Sigmoid()
        layers['Affine3'] = Affine(self.W3, self.b3)
        last = SoftmaxWithLoss()
        # 순전파
        out = x
        for layer in layers.values():
            out = layer.forward(out)
        loss = last.forward(out, t)
        # 역전파
        dout = last.backward(1)
        for layer in reversed(list(layers.values())):
            dout = layer.backward(dout)
        # 결과 저장
        grads = {}
        grads['W1'], grads['b1'] = layers['Affine1'].dW, layers['Affine1'].db
        grads['W2'], grads['b2'] = layers['Affine2'].dW, layers['Affine2'].db
        grads['W3'], grads['b3'] = layers['Affine3'].dW, layers['Affine3'].db
        return grads


# Cases
from tests.derivations.planting import Mistake, Right
from tests.derivations.truth import call


def problem(user, rng):
    N, sizes = 11, (2, 7, 5, 3)
    params = {f"W{k}": rng.normal(size=sizes[k - 1 : k + 1]) for k in (1, 2, 3)}
    params |= {f"b{k}": rng.normal(size=sizes[k]) for k in (1, 2, 3)}
    x, t = rng.normal(size=(N, 2)), np.eye(3)[rng.integers(0, 3, size=N)]
    return call(user.ThreeLayerNet(params).gradient, x, t, loss="loss", gradients={f"self.{k}": f"grads['{k}']" for k in params})


import numpy as np

RIGHT = [
    Right("        dout[self.mask] = 0\n        dx = dout\n", "        dx = dout * ~self.mask\n"),
    Right("dx = dout * (1.0 - self.out) * self.out", "dx = dout * (0.25 - (self.out - 0.5)**2)"),
    Right("        out = x.copy()\n", "        out = x\n"),
    Right("        self.mask = (x <= 0)\n", "        self.mask = (x < 0)\n"),
    Right("        self.db = np.sum(dout, axis=0)\n", "        self.db = dout.T.sum(axis=-1)\n"),
]

MISTAKES = [
    Mistake("missing-activation-derivative", ("dx", "dout"), "dx = dout * (1.0 - self.out) * self.out", "dx = dout"),
    Mistake("output-form-on-preactivation", ("dx", "self.out", "dout"), "        self.out = out\n", "        self.out = x\n"),
    Mistake("wrong-local-derivative", ("dx", "dout"), "dout * (1.0 - self.out) * self.out", "dout * (1.0 + self.out) * self.out"),
    Mistake("derivative-of-another-activation", ("dx", "dout"), "dout * (1.0 - self.out) * self.out", "dout * (1.0 - self.out**2)"),
    Mistake("relu-mask-inverted", ("dout[self.mask]", "dout", "dx"), "dout[self.mask] = 0", "dout[~self.mask] = 0"),
    Mistake("relu-mask-from-wrong-tensor", ("dout[dout <= 0]", "dout", "dx"), "dout[self.mask] = 0", "dout[dout <= 0] = 0"),
    Mistake("missing-activation-derivative", ("dx", "dout"), "        dout[self.mask] = 0\n        dx = dout\n", "        dx = dout\n"),
    Mistake("gradient-transposed", "self.dW", "self.dW = np.dot(self.x.T, dout)", "self.dW = np.dot(dout.T, self.x)"),
    Mistake("factor-1/N", "self.dW", "np.dot(self.x.T, dout)", "np.dot(self.x.T, dout) / self.x.shape[0]"),
    Mistake("bias-not-reduced", "self.db", "np.sum(dout, axis=0)", "dout"),
    Mistake("bias-wrong-axis", "self.db", "np.sum(dout, axis=0)", "np.sum(dout, axis=1)"),
    Mistake("updated-weights", ("dx", "self.W", "dout"), "        dx = np.dot(dout, self.W.T)\n        self.dW = np.dot(self.x.T, dout)\n", "        self.dW = np.dot(self.x.T, dout)\n        self.W = self.W - 0.1 * self.dW\n        dx = np.dot(dout, self.W.T)\n"),
    Mistake("softmax-diagonal-only", ("dx", "dout"), "dx = self.y * (dy - np.sum(dy * self.y, axis=1, keepdims=True))", "dx = self.y * (1 - self.y) * dy"),
    Mistake("softmax-wrong-axis", ("dx", "dout"), "np.sum(dy * self.y, axis=1, keepdims=True))", "np.sum(dy * self.y, axis=0, keepdims=True))"),
    Mistake("factor-N", ("dy", "dx", "dout", "self.loss"), "/ (self.y + 1e-9) / batch_size", "/ (self.y + 1e-9)"),
    Mistake(("missing-activation-derivative", "skipped-layer", None), ("dx", "dout"), "dx = self.y * (dy - np.sum(dy * self.y, axis=1, keepdims=True))", "dx = dy"),
    Mistake("sign", ("dy", "dx", "dout"), "dy = -self.t / ", "dy = self.t / "),
    Mistake(("off-by-one-index", "wrong-tensor-in-weight-gradient", "wrong-shape", None), ("grads['W2']", "(grads['W2'], grads['b2'])", "grads['b2']"), "layers['Affine2'].dW, layers['Affine2'].db", "layers['Affine2'].dW, layers['Affine3'].db"),
    Mistake("wrong-tensor-in-weight-gradient", ("self.x", "self.dW"), "        self.x = x\n        out = np.dot(self.x, self.W) + self.b\n", "        self.x = np.tanh(x)\n        out = np.dot(x, self.W) + self.b\n"),
]
