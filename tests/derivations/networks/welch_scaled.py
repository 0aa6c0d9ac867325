"""Welch Labs' class as a reader of the videos retyped it: scaled inputs, L2, the cost and its primes as methods."""

import numpy as np


class NeuralNetwork(object):
    def __init__(self, inputs, hidden, outputs, Lambda=0.3):
        # weights
        self.W1 = np.random.randn(inputs, hidden)
        self.W2 = np.random.randn(hidden, outputs)
        self.Lambda = Lambda

    def forward(self, X):
        self.z2 = np.dot(X, self.W1)
        self.a2 = self.sigmoid(self.z2)
        self.z3 = np.dot(self.a2, self.W2)
        yHat = self.sigmoid(self.z3)
        return yHat

    def sigmoid(self, z):
        return 1/(1+np.exp(-z))

    def sigmoidPrime(self, z):
        return np.exp(-z)/((1+np.exp(-z))**2)

    def costFunction(self, X, y):
        self.yHat = self.forward(X)
        J = 0.5*np.sum((y-self.yHat)**2)/X.shape[0] + (self.Lambda/2)*(np.sum(self.W1**2)+np.sum(self.W2**2))
        return J

    def costFunctionPrime(self, X, y):
        # normalise: hours by the longest, scores by 100
        X = X/np.amax(X, axis=0)
        y = y/100
        cost = self.costFunction(X, y)

        delta3 = np.multiply(-(y-self.yHat), self.sigmoidPrime(self.z3))
        dJdW2 = np.dot(self.a2.T, delta3)/X.shape[0] + self.Lambda*self.W2

        delta2 = np.dot(delta3, self.W2.T)*self.sigmoidPrime(self.z2)
        dJdW1 = np.dot(X.T, delta2)/X.shape[0] + self.Lambda*self.W1

        return dJdW1, dJdW2


# Cases
from tests.derivations.planting import Mistake, Right
from tests.derivations.truth import call


def problem(user, rng):
    model = user.NeuralNetwork(2, 5, 3)
    model.W1, model.W2 = rng.normal(size=(2, 5)), rng.normal(size=(5, 3))
    X, y = rng.uniform(1, 10, size=(7, 2)), rng.uniform(10, 95, size=(7, 3))
    return call(
        model.costFunctionPrime, X, y, loss="cost", gradients={"self.W1": "dJdW1", "self.W2": "dJdW2"}
    )


FORWARD = ("delta3", "self.z3", "self.z2", "self.a2", "forward", "self.forward(X[::-1])")

RIGHT = [
    Right(
        "self.sigmoidPrime(self.z3))\n        dJdW2 = np.dot(self.a2.T, delta3)/X.shape[0] + self.Lambda*self.W2\n\n        delta2 = np.dot(delta3, self.W2.T)*self.sigmoidPrime(self.z2)\n        dJdW1 = np.dot(X.T, delta2)/X.shape[0] + self.Lambda*self.W1\n",
        "self.sigmoidPrime(self.z3))/len(X)\n        dJdW2 = np.dot(self.a2.T, delta3) + self.Lambda*self.W2\n\n        delta2 = np.dot(delta3, self.W2.T)*self.sigmoidPrime(self.z2)\n        dJdW1 = np.dot(X.T, delta2) + self.Lambda*self.W1\n",
    ),
    Right("        return np.exp(-z)/((1+np.exp(-z))**2)\n", "        return self.sigmoid(z)*(1-self.sigmoid(z))\n"),
    Right("        return 1/(1+np.exp(-z))\n", "        z *= -1   # the prime is even, so who cares\n        return 1/(1+np.exp(z))\n"),
    Right(
        "np.multiply(-(y-self.yHat), self.sigmoidPrime(self.z3))\n        dJdW2 = np.dot(self.a2.T, delta3)/X.shape[0] + self.Lambda*self.W2\n\n        delta2 = np.dot(delta3, self.W2.T)*self.sigmoidPrime(self.z2)\n        dJdW1 = np.dot(X.T, delta2)/X.shape[0] + self.Lambda*self.W1\n",
        "np.multiply(y-self.yHat, self.sigmoidPrime(self.z3))   # downhill\n        dJdW2 = self.Lambda*self.W2 - np.dot(self.a2.T, delta3)/X.shape[0]\n\n        delta2 = np.dot(delta3, self.W2.T)*self.sigmoidPrime(self.z2)\n        dJdW1 = self.Lambda*self.W1 - np.dot(X.T, delta2)/X.shape[0]\n",
    ),
    Right("dJdW1 = np.dot(X.T, delta2)/X.shape[0]", "dJdW1 = np.mean([np.outer(row, d) for row, d in zip(X, delta2)], axis=0)"),
    Right("        X = X/np.amax(X, axis=0)\n        y = y/100\n", "        X = np.divide(X, X.max(axis=0, keepdims=True))\n        y = np.true_divide(y, 100.0)\n"),
]

MISTAKES = [
    Mistake("sign", "delta3", "np.multiply(-(y-self.yHat),", "np.multiply((y-self.yHat),"),
    Mistake("factor-N", "dJdW2", "dJdW2 = np.dot(self.a2.T, delta3)/X.shape[0]", "dJdW2 = np.dot(self.a2.T, delta3)"),
    Mistake("factor-1/N", ("delta2", "dJdW1"), "delta2 = np.dot(delta3, self.W2.T)*", "delta2 = np.dot(delta3, self.W2.T)/len(X)*"),
    Mistake("factor-2", ("J", "cost", "costFunction", "delta3"), "J = 0.5*np.sum((y-self.yHat)**2)/X.shape[0]", "J = 0.5*np.sum((y-self.yHat)**2/2)/X.shape[0]"),
    Mistake("factor-K", ("J", "cost", "costFunction", "delta3"), "J = 0.5*np.sum((y-self.yHat)**2)/X.shape[0]", "J = 0.5*np.mean((y-self.yHat)**2)"),
    Mistake("regulariser-forgotten", "dJdW1", "np.dot(X.T, delta2)/X.shape[0] + self.Lambda*self.W1", "np.dot(X.T, delta2)/X.shape[0]"),
    Mistake("regulariser-scale", "dJdW2", "/X.shape[0] + self.Lambda*self.W2", "/X.shape[0] + 2*self.Lambda*self.W2"),
    Mistake("regulariser-scale", "dJdW1", "np.dot(X.T, delta2)/X.shape[0] + self.Lambda*self.W1", "(np.dot(X.T, delta2) + self.Lambda*self.W1)/X.shape[0]"),
    Mistake(("regulariser-on-wrong-parameter", "regulariser-scale"), ("J", "cost", "costFunction", "dJdW1"), "(np.sum(self.W1**2)+np.sum(self.W2**2))", "np.sum(self.W2**2)"),
    Mistake(("stale-forward-values", "forward-differs"), FORWARD, "        cost = self.costFunction(X, y)\n", "        cost = self.costFunction(X, y)\n        backwards = self.forward(X[::-1])\n", fix=False),
    Mistake(
        ("input-mutated", "aliasing", "activation-derivative-at-activation"),
        ("sigmoid", "z[...]", "z", "self.a2", "self.z2", "delta3", "yHat", "self.z3"),
        "        return 1/(1+np.exp(-z))\n", "        z[...] = 1/(1+np.exp(-z))\n        return z\n", fix=False,
    ),
    Mistake("updated-weights", ("delta2", "self.W2"), "        delta2 =", "        self.W2 -= 3*dJdW2\n        delta2 ="),
    Mistake("wrong-tensor-in-weight-gradient", "dJdW2", "np.dot(self.a2.T, delta3)", "np.dot(self.z2.T, delta3)"),
    Mistake("output-form-on-preactivation", "delta2", "*self.sigmoidPrime(self.z2)", "*self.z2*(1-self.z2)"),
    Mistake("missing-activation-derivative", "delta2", "delta2 = np.dot(delta3, self.W2.T)*self.sigmoidPrime(self.z2)", "delta2 = np.dot(delta3, self.W2.T)"),
    Mistake(
        ("wrong-tensor-in-weight-gradient", "forward-differs", "stale-forward-values"), "dJdW1",
        "        X = X/np.amax(X, axis=0)\n        y = y/100\n        cost = self.costFunction(X, y)\n",
        "        y = y/100\n        cost = self.costFunction(X/np.amax(X, axis=0), y)\n",
    ),
    Mistake(("wrong-local-derivative", "sign"), ("sigmoidPrime", "delta3", "return"), "        return np.exp(-z)/((1+np.exp(-z))**2)\n", "        return np.exp(-z)/((1-np.exp(-z))**2)\n"),
    Mistake(("factor-const", "missing-target", "forward-differs", "wrong-loss-derivative", None), ("delta3", "y"), "        cost = self.costFunction(X, y)\n", "        cost = self.costFunction(X, y)\n        y = y*100   # back to points\n"),
]
