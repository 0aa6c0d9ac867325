"""The seed's class: weights and forward values in attributes, the loss and the gradients in local names."""

import numpy as np


class Neural_Network(object):
    def __init__(self, input_layer_size, output_layer_size, hidden_layer_size):
        self.input_layer_size = input_layer_size
        self.output_layer_size = output_layer_size
        self.hidden_layer_size = hidden_layer_size
        self.W1 = np.random.randn(self.input_layer_size, self.hidden_layer_size)
        self.W2 = np.random.randn(self.hidden_layer_size, self.output_layer_size)

    def forward(self, X):
        lr = 3
        ### forward propagation
        self.z2 = X.dot(self.W1)
        self.a2 = self.sigmoid(self.z2)
        self.z3 = self.a2.dot(self.W2)
        y_hat = self.sigmoid(self.z3)

        return y_hat

    def cost_function_prime(self, X, y):
        y_hat = self.forward(X)
        loss = self.MSE(y, y_hat)

        delta1 = np.multiply(-(y-y_hat), self.sigmoid_prime(self.z3))
        w2_grad = np.dot(self.a2.T, delta1)

        delta2 = np.multiply(np.dot(delta1, self.W2.T), sigmoid_prime(self.z2))
        w1_grad = np.dot(X.T, delta2)
        return w1_grad, w2_grad

    def sigmoid(self, z):
        return 1/(1+np.exp(-z))

    def MSE(self, y, y_hat):
        return np.power((y-y_hat),2)/2

    def sigmoid_prime(self, z):
        return np.exp(-z)/np.power(1+np.exp(-z),2)


def sigmoid_prime(z):
    return np.exp(-z)/np.power(1+np.exp(-z),2)


# Cases
from tests.derivations.planting import Mistake, Right
from tests.derivations.truth import call

NOTE = "sum"  # of a loss that was never summed


def problem(user, rng):
    model = user.Neural_Network(2, 3, 5)
    model.W1, model.W2 = rng.normal(size=(2, 5)), rng.normal(size=(5, 3))
    X, y = rng.normal(size=(7, 2)), rng.uniform(0.1, 0.9, size=(7, 3))
    return call(
        model.cost_function_prime, X, y, loss="loss", gradients={"self.W1": "w1_grad", "self.W2": "w2_grad"}
    )


RIGHT = [
    Right("sigmoid_prime(self.z2))\n", "self.a2 - self.a2**2)\n"),
    Right(
        "        delta2 = np.multiply(np.dot(delta1, self.W2.T), sigmoid_prime(self.z2))\n        w1_grad = np.dot(X.T, delta2)\n",
        "        delta2 = np.einsum('nk,hk,nh->nh', delta1, self.W2, self.a2 * (1 - self.a2))\n        w1_grad = np.einsum('ni,nh->ih', X, delta2)\n",
    ),
    Right(
        "        delta1 = np.multiply(-(y-y_hat), self.sigmoid_prime(self.z3))\n        w2_grad = np.dot(self.a2.T, delta1)\n",
        "        delta1 = (y - y_hat) * y_hat * (1 - y_hat)   # negative\n        w2_grad = -np.dot(self.a2.T, delta1)\n        delta1 = -delta1\n",
    ),
    Right("        loss = self.MSE(y, y_hat)\n", "        loss = self.MSE(y, y_hat).sum()\n"),
]

MISTAKES = [
    Mistake("sign", "delta1", "np.multiply(-(y-y_hat),", "np.multiply((y-y_hat),"),
    Mistake("sign", "w2_grad", "w2_grad = np.dot(self.a2.T, delta1)", "w2_grad = -np.dot(self.a2.T, delta1)"),
    Mistake("factor-half", ("loss", "MSE", "delta1"), "np.power((y-y_hat),2)/2", "np.power((y-y_hat),2)"),
    Mistake("factor-2", "delta2", "delta2 = np.multiply(", "delta2 = 2 * np.multiply("),
    Mistake("factor-1/N", "w1_grad", "w1_grad = np.dot(X.T, delta2)", "w1_grad = np.dot(X.T, delta2) / X.shape[0]"),
    Mistake("factor-N", ("loss", "delta1"), "loss = self.MSE(y, y_hat)", "loss = self.MSE(y, y_hat).sum(axis=1).mean()"),
    Mistake("missing-activation-derivative", "delta1", "np.multiply(-(y-y_hat), self.sigmoid_prime(self.z3))", "-(y-y_hat)"),
    Mistake("missing-activation-derivative", "delta2", "np.multiply(np.dot(delta1, self.W2.T), sigmoid_prime(self.z2))", "np.dot(delta1, self.W2.T)"),
    Mistake("activation-derivative-at-activation", "delta2", "sigmoid_prime(self.z2))\n", "sigmoid_prime(self.a2))\n"),
    Mistake("activation-derivative-at-activation", "delta1", "self.sigmoid_prime(self.z3))", "self.sigmoid_prime(y_hat))"),
    Mistake("output-form-on-preactivation", "delta1", "self.sigmoid_prime(self.z3))", "self.z3*(1-self.z3))"),
    Mistake("derivative-of-another-activation", "delta2", "sigmoid_prime(self.z2))\n", "(self.z2 > 0))\n"),
    Mistake("activation-derivative-twice", "w1_grad", "np.dot(X.T, delta2)", "np.dot(X.T, delta2 * sigmoid_prime(self.z2))"),
    Mistake("gradient-transposed", "w1_grad", "np.dot(X.T, delta2)", "np.dot(delta2.T, X)"),
    Mistake("wrong-tensor-in-weight-gradient", "w2_grad", "np.dot(self.a2.T, delta1)", "np.dot(self.z2.T, delta1)"),
    Mistake("updated-weights", ("delta2", "self.W2"), "        delta2 =", "        self.W2 -= 0.1 * w2_grad\n        delta2 ="),
    Mistake("updated-weights", ("self.W2", "delta2"), "        delta2 =", "        self.W2 = self.W2 - w2_grad\n        delta2 ="),
    Mistake(("reduced-too-early", None), "w2_grad", "np.dot(self.a2.T, delta1)", "np.outer(self.a2.sum(axis=0), delta1.mean(axis=0))"),
    Mistake("wrong-loss-derivative", "delta1", "np.multiply(-(y-y_hat),", "np.multiply(np.sign(y_hat-y),"),
    Mistake(("stale-forward-values", "forward-differs"), ("self.z2", "self.a2", "self.z3", "delta1", "forward"), "        delta1 =", "        self.forward(X / 2)\n        delta1 =", fix=False),
]
