"""공부와 수면시간으로 성적 예측: one hidden layer, loss of shape (N, 1) that is never summed."""

import numpy as np

x = np.array([[3, 5], [5, 1], [10, 2]]) / 10
y = np.array([[0.75], [0.82], [0.93]])


def sigmoid(z):
    return 1/(1+np.exp(-z))

def sigmoid_prime(z):
    return np.exp(-z)/np.power(1+np.exp(-z),2)

def MSE(y, y_hat):
    return np.power(y-y_hat,2)/2


def step(w1, w2):
    z1 = x.dot(w1)
    a1 = sigmoid(z1)
    z2 = a1.dot(w2) 
    y_hat = sigmoid(z2)
    loss = MSE(y,y_hat)

    delta1 = (y_hat-y)*sigmoid_prime(z2)
    w2_gred = a1.T.dot(delta1)

    delta2 = np.dot(delta1, w2.T) * sigmoid_prime(z1)
    w1_gred = np.dot(x.T, delta2)
    return loss, (w1_gred, w2_gred)


# Cases
from tests.derivations.planting import Mistake, Right
from tests.derivations.truth import call

NOTE = "sum"  # of a loss that was never summed


def problem(user, rng):
    return call(user.step, rng.normal(size=(2, 5)), rng.normal(size=(5, 1)))


RIGHT = [
    Right("delta1 = (y_hat-y)*sigmoid_prime(z2)", "delta1 = np.multiply(-(y-y_hat), sigmoid_prime(z2))"),
    Right("return np.exp(-z)/np.power(1+np.exp(-z),2)", "return sigmoid(z)*(1-sigmoid(z))"),
    Right("np.dot(delta1, w2.T) * sigmoid_prime(z1)", "delta1 * w2.T * sigmoid_prime(z1)  # one output: the outer product"),
    Right("return np.power(y-y_hat,2)/2", "return 0.5*np.sum((y_hat-y)**2)"),
    Right("loss, (w1_gred, w2_gred)", "loss, {'w2': w2_gred, 'w1': w1_gred}"),
]

MISTAKES = [
    Mistake("factor-2", ("loss", "delta1"), "loss = MSE(y,y_hat)", "loss = MSE(y,y_hat)/2"),
    Mistake("factor-half", ("loss", "MSE", "delta1"), "return np.power(y-y_hat,2)/2", "return np.power(y-y_hat,2)"),
    Mistake("factor-N", ("loss", "MSE", "delta1"), "return np.power(y-y_hat,2)/2", "return np.mean(np.power(y-y_hat,2)/2)"),
    Mistake("sign", "delta1", "delta1 = (y_hat-y)*", "delta1 = (y-y_hat)*"),
    Mistake("missing-activation-derivative", "delta1", "(y_hat-y)*sigmoid_prime(z2)", "(y_hat-y)"),
    Mistake("missing-activation-derivative", "delta2", "w2.T) * sigmoid_prime(z1)", "w2.T)"),
    Mistake("activation-derivative-at-activation", "delta2", "w2.T) * sigmoid_prime(z1)", "w2.T) * sigmoid_prime(a1)"),
    Mistake("activation-derivative-at-activation", "delta1", "*sigmoid_prime(z2)", "*sigmoid_prime(y_hat)"),
    Mistake("output-form-on-preactivation", "delta2", "w2.T) * sigmoid_prime(z1)", "w2.T) * z1*(1-z1)"),
    Mistake("activation-derivative-of-wrong-layer", "delta2", "w2.T) * sigmoid_prime(z1)", "w2.T) * sigmoid_prime(z2)"),
    Mistake("activation-derivative-twice", "delta2", "w2.T) * sigmoid_prime(z1)", "w2.T) * sigmoid_prime(z1) * sigmoid_prime(z1)"),
    Mistake("derivative-of-another-activation", "delta2", "w2.T) * sigmoid_prime(z1)", "w2.T) * (1-a1**2)"),
    Mistake("missing-weight-factor", "delta2", "np.dot(delta1, w2.T) * sigmoid_prime(z1)", "delta1 * sigmoid_prime(z1)"),
    Mistake("wrong-tensor-in-weight-gradient", "w2_gred", "a1.T.dot(delta1)", "z1.T.dot(delta1)"),
    Mistake("missing-target", "delta1", "(y_hat-y)*", "y_hat*"),
    Mistake("updated-weights", ("delta2", "w2"), "    delta2 =", "    w2 = w2 - w2_gred\n    delta2 ="),
    Mistake(("wrong-local-derivative", None), ("delta1", "sigmoid_prime"), "np.power(1+np.exp(-z),2)", "(1+np.exp(-z))"),
    Mistake("accidental-broadcast", "loss", "MSE(y,y_hat)", "MSE(y[:,0],y_hat)"),
    Mistake(("stale-forward-values", "forward-differs"), ("a1", "w2_gred"), "    delta1 =", "    a1 = sigmoid(x.dot(w1 - 0.1))\n    delta1 ="),
]
