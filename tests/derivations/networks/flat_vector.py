"""The video course's class: weights rolled into one vector, costFunctionPrime, sums over samples averaged, L2."""

import numpy as np


class Neural_Network(object):
    def __init__(self, Lambda=0.01):
        # Define Hyperparameters
        self.inputLayerSize = 2
        self.outputLayerSize = 1
        self.hiddenLayerSize = 3
        self.Lambda = Lambda

    def setParams(self, params):
        # Set W1 and W2 using single parameter vector:
        W1_start = 0
        W1_end = self.hiddenLayerSize*self.inputLayerSize
        self.W1 = np.reshape(params[W1_start:W1_end], (self.inputLayerSize, self.hiddenLayerSize))
        W2_end = W1_end + self.hiddenLayerSize*self.outputLayerSize
        self.W2 = np.reshape(params[W1_end:W2_end], (self.hiddenLayerSize, self.outputLayerSize))

    def forward(self, X):
        # Propogate inputs though network
        self.z2 = np.dot(X, self.W1)
        self.a2 = self.sigmoid(self.z2)
        self.z3 = np.dot(self.a2, self.W2)
        yHat = self.sigmoid(self.z3)
        return yHat

    def sigmoid(self, z):
        # Apply sigmoid activation function to scalar, vector, or matrix
        return 1/(1+np.exp(-z))

    def sigmoidPrime(self, z):
        # Gradient of sigmoid
        return np.exp(-z)/((1+np.exp(-z))**2)

    def costFunction(self, X, y):
        # Compute cost for given X,y, use weights already stored in class.
        self.yHat = self.forward(X)
        J = 0.5*sum((y-self.yHat)**2)/X.shape[0] + (self.Lambda/2)*(np.sum(self.W1**2)+np.sum(self.W2**2))
        return J

    def costFunctionPrime(self, X, y):
        # Compute derivative with respect to W1 and W2
        self.yHat = self.forward(X)

        delta3 = np.multiply(-(y-self.yHat), self.sigmoidPrime(self.z3))
        # Add gradient of regularization term:
        dJdW2 = np.dot(self.a2.T, delta3)/X.shape[0] + self.Lambda*self.W2

        delta2 = np.dot(delta3, self.W2.T)*self.sigmoidPrime(self.z2)
        # Add gradient of regularization term:
        dJdW1 = np.dot(X.T, delta2)/X.shape[0] + self.Lambda*self.W1

        return dJdW1, dJdW2

    def computeGradients(self, X, y):
        dJdW1, dJdW2 = self.costFunctionPrime(X, y)
        return np.concatenate((dJdW1.ravel(), dJdW2.ravel()))


def make(X, y):
    NN = Neural_Network()

    def cost(params):
        NN.setParams(params)
        return NN.costFunction(X, y)

    def prime(params):
        NN.setParams(params)
        return NN.computeGradients(X, y)

    return cost, prime


# Cases
from tests.derivations.planting import Mistake, Right
from tests.derivations.truth import call


def problem(user, rng):
    X, y = rng.uniform(size=(7, 2)), rng.uniform(0.1, 0.9, size=(7, 1))
    cost, prime = user.make(X, y)
    return call(cost, rng.normal(size=9), by_hand=prime)


RIGHT = [
    Right("np.concatenate((dJdW1.ravel(), dJdW2.ravel()))", "np.hstack([dJdW1.flatten(), dJdW2.flatten()])"),
    Right("0.5*sum((y-self.yHat)**2)/X.shape[0]", "np.mean((y-self.yHat)**2)/2"),
    Right("    def prime(params):\n", "    def prime(params):\n        cost(params)\n"),
    Right("        delta2 = np.dot(delta3, self.W2.T)*self.sigmoidPrime(self.z2)\n", "        delta2 = np.outer(delta3, self.W2)*self.sigmoidPrime(self.z2)\n"),
]

MISTAKES = [
    Mistake("sign", "delta3", "np.multiply(-(y-self.yHat),", "np.multiply((y-self.yHat),"),
    Mistake("regulariser-forgotten", "dJdW1", "np.dot(X.T, delta2)/X.shape[0] + self.Lambda*self.W1", "np.dot(X.T, delta2)/X.shape[0]"),
    Mistake("regulariser-forgotten", "dJdW2", "/X.shape[0] + self.Lambda*self.W2", "/X.shape[0]"),
    Mistake("regulariser-scale", "dJdW2", "+ self.Lambda*self.W2", "+ 2*self.Lambda*self.W2"),
    Mistake("regulariser-scale", "dJdW1", "+ self.Lambda*self.W1", "+ self.Lambda*self.W1/X.shape[0]"),
    Mistake(("regulariser-scale", "factor-half"), ("J", "dJdW2", "return"), "(self.Lambda/2)*", "self.Lambda*"),
    Mistake("factor-N", "dJdW1", "np.dot(X.T, delta2)/X.shape[0]", "np.dot(X.T, delta2)"),
    Mistake(("factor-half", None), ("J", "delta3"), "J = 0.5*sum((y", "J = sum((y"),
    Mistake("missing-activation-derivative", "delta3", "delta3 = np.multiply(-(y-self.yHat), self.sigmoidPrime(self.z3))", "delta3 = -(y-self.yHat)"),
    Mistake("missing-activation-derivative", "delta2", "np.dot(delta3, self.W2.T)*self.sigmoidPrime(self.z2)", "np.dot(delta3, self.W2.T)"),
    Mistake("activation-derivative-of-wrong-layer", "delta2", "*self.sigmoidPrime(self.z2)", "*self.sigmoidPrime(self.z3)"),
    Mistake("activation-derivative-at-activation", "delta2", "*self.sigmoidPrime(self.z2)", "*self.sigmoidPrime(self.a2)"),
    Mistake(("off-by-one-index", "wrong-shape", "gradient-transposed", None), ("return", "dJdW1", "computeGradients"), "(dJdW1.ravel(), dJdW2.ravel())", "(dJdW2.ravel(), dJdW1.ravel())", fix=True),
    Mistake("gradient-transposed", ("return", "dJdW1", "computeGradients"), "dJdW1.ravel(),", "dJdW1.T.ravel(),"),
    Mistake(("wrong-tensor-in-delta", None), "delta2", "np.dot(delta3, self.W2.T)", "np.dot(delta3, self.W1[:1])"),
    Mistake("updated-weights", ("delta2", "self.W2"), "        delta2 =", "        self.W2 = self.W2 - dJdW2\n        delta2 ="),
    Mistake(("accidental-broadcast", None), "delta3", "delta3 = np.multiply(-(y-self.yHat), self.sigmoidPrime(self.z3))", "delta3 = np.mean(-(y.ravel()-self.yHat), axis=1, keepdims=True) * self.sigmoidPrime(self.z3)"),
]
