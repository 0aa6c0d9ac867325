"""Weights and biases in lists, one sample at a time as a column, nabla_b[-l] from the last layer to the first."""

import numpy as np

sizes = [3, 5, 4, 2]
training_data = []


class QuadraticCost(object):

    @staticmethod
    def fn(a, y):
        return 0.5*np.linalg.norm(a-y)**2

    @staticmethod
    def delta(z, a, y):
        return (a-y) * sigmoid_prime(z)


def sigmoid(z):
    """The sigmoid function."""
    return 1.0/(1.0+np.exp(-z))

def sigmoid_prime(z):
    """Derivative of the sigmoid function."""
    return sigmoid(z)*(1-sigmoid(z))


def backprop(weights, biases, x, y, cost=QuadraticCost):
    """Return the cost, nabla_w and nabla_b of one training example."""
    nabla_b = [np.zeros(b.shape) for b in biases]
    nabla_w = [np.zeros(w.shape) for w in weights]
    # feedforward
    activation = x
    activations = [x] # list to store all the activations, layer by layer
    zs = [] # list to store all the z vectors, layer by layer
    for b, w in zip(biases, weights):
        z = np.dot(w, activation)+b
        zs.append(z)
        activation = sigmoid(z)
        activations.append(activation)
    # backward pass
    delta = cost.delta(zs[-1], activations[-1], y)
    nabla_b[-1] = delta
    nabla_w[-1] = np.dot(delta, activations[-2].transpose())
    for l in range(2, len(sizes)):
        z = zs[-l]
        sp = sigmoid_prime(z)
        delta = np.dot(weights[-l+1].transpose(), delta) * sp
        nabla_b[-l] = delta
        nabla_w[-l] = np.dot(delta, activations[-l-1].transpose())
    return (cost.fn(activations[-1], y), nabla_w, nabla_b)


def update_mini_batch(weights, biases):
    """Sums the gradients of all training examples."""
    total = 0.0
    nabla_b = [np.zeros(b.shape) for b in biases]
    nabla_w = [np.zeros(w.shape) for w in weights]
    for x, y in training_data:
        c, delta_nabla_w, delta_nabla_b = backprop(weights, biases, x, y)
        total += c
        nabla_b = [nb+dnb for nb, dnb in zip(nabla_b, delta_nabla_b)]
        nabla_w = [nw+dnw for nw, dnw in zip(nabla_w, delta_nabla_w)]
    return total, (nabla_w, nabla_b)


# Cases
from tests.derivations.planting import Mistake, Right
from tests.derivations.truth import call


def problem(user, rng):
    weights = [rng.normal(size=(m, n)) for n, m in zip(user.sizes[:-1], user.sizes[1:])]
    biases = [rng.normal(size=(n, 1)) for n in user.sizes[1:]]
    user.training_data[:] = [(rng.normal(size=(3, 1)), rng.uniform(0.1, 0.9, size=(2, 1))) for _ in range(7)]
    return call(user.update_mini_batch, weights, biases)


RIGHT = [
    Right("return 0.5*np.linalg.norm(a-y)**2", "return 0.5*((a-y).T @ (a-y)).item()"),
    Right("        delta = np.dot(weights[-l+1].transpose(), delta) * sp", "        delta = (delta.transpose() @ weights[-l+1]).transpose() * sp"),
    Right("    for l in range(2, len(sizes)):\n        z = zs[-l]\n", "    for l in range(2, len(sizes)):\n        z = np.dot(weights[-l], activations[-l-1]) + biases[-l]\n"),
    Right(
        "        nabla_b = [nb+dnb for nb, dnb in zip(nabla_b, delta_nabla_b)]\n",
        "        for nb, dnb in zip(nabla_b, delta_nabla_b):\n            nb += dnb\n",
    ),
]

MISTAKES = [
    Mistake("sign", ("delta", "QuadraticCost.delta"), "return (a-y) * sigmoid_prime(z)", "return (y-a) * sigmoid_prime(z)"),
    Mistake("factor-half", ("delta", "total", "c", "fn", "QuadraticCost.fn"), "return 0.5*np.linalg.norm(a-y)**2", "return np.linalg.norm(a-y)**2"),
    Mistake("missing-activation-derivative", ("delta", "QuadraticCost.delta"), "return (a-y) * sigmoid_prime(z)", "return (a-y)"),
    Mistake("missing-activation-derivative", "delta", "delta = np.dot(weights[-l+1].transpose(), delta) * sp", "delta = np.dot(weights[-l+1].transpose(), delta)"),
    Mistake("activation-derivative-at-activation", "sp", "        z = zs[-l]\n        sp = sigmoid_prime(z)", "        z = zs[-l]\n        sp = sigmoid_prime(activations[-l])"),
    Mistake("output-form-on-preactivation", "sp", "sp = sigmoid_prime(z)", "sp = z*(1-z)"),
    Mistake(("wrong-local-derivative", None), ("sp", "delta", "sigmoid_prime"), "return sigmoid(z)*(1-sigmoid(z))", "return sigmoid(z)*(1+sigmoid(z))"),
    Mistake(("overwritten-not-accumulated", "missing-branch"), "nabla_w", "nabla_w = [nw+dnw for nw, dnw in zip(nabla_w, delta_nabla_w)]", "nabla_w = [dnw for nw, dnw in zip(nabla_w, delta_nabla_w)]"),
    Mistake(("overwritten-not-accumulated", "missing-branch"), "nabla_b", "nabla_b = [nb+dnb for nb, dnb in zip(nabla_b, delta_nabla_b)]", "nabla_b = delta_nabla_b"),
    Mistake("accumulated-twice", "nabla_b", "[nb+dnb for", "[nb+nb+dnb for"),
    Mistake(("off-by-one-index", "missing-branch", "detached-branch"), ("nabla_w[-l]", "nabla_w[-3]", "nabla_b[-l]", "nabla_b[-3]", "nabla_w", "nabla_b"), "range(2, len(sizes))", "range(2, len(sizes)-1)"),
    Mistake("sign", ("nabla_b[-l]", "nabla_b[-2]"), "nabla_b[-l] = delta", "nabla_b[-l] = -delta"),
    Mistake("wrong-tensor-in-weight-gradient", "nabla_w[-1]", "nabla_w[-1] = np.dot(delta, activations[-2].transpose())", "nabla_w[-1] = np.dot(delta, zs[-2].transpose())"),
    Mistake("factor-2", ("nabla_w[-l]", "nabla_w[-2]"), "nabla_w[-l] = np.dot(delta,", "nabla_w[-l] = 2*np.dot(delta,"),
    Mistake("factor-1/N", "nabla_w", "[nw+dnw for", "[nw+dnw/len(training_data) for"),
    Mistake("wrong-loss-derivative", ("delta", "QuadraticCost.delta"), "return (a-y) * sigmoid_prime(z)", "return (a-y)**2 * sigmoid_prime(z)"),
]
