"""The first famous course, ported: Theta matrices with a column for the bias, Delta accumulators, lambda / m."""

import numpy as np


def sigmoid(z):
    return 1.0 / (1.0 + np.exp(-z))


def sigmoidGradient(z):
    return sigmoid(z) * (1 - sigmoid(z))


def nnCostFunction(Theta1, Theta2, X, y, num_labels, lam):
    m = X.shape[0]
    # Part 1: feedforward
    a1 = np.c_[np.ones((m, 1)), X]
    z2 = a1 @ Theta1.T
    a2 = np.c_[np.ones((m, 1)), sigmoid(z2)]
    z3 = a2 @ Theta2.T
    h = sigmoid(z3)
    Y = (np.arange(num_labels) == y[:, None]).astype(int)
    J = -(Y * np.log(h) + (1 - Y) * np.log(1 - h)).sum() / m
    J = J + lam / (2 * m) * ((Theta1[:, 1:] ** 2).sum() + (Theta2[:, 1:] ** 2).sum())

    # Part 2: backpropagation
    Delta1 = np.zeros_like(Theta1)
    Delta2 = np.zeros_like(Theta2)
    for t in range(m):
        delta3 = h[t] - Y[t]
        delta2 = (Theta2.T @ delta3)[1:] * sigmoidGradient(z2[t])
        Delta2 += np.outer(delta3, a2[t])
        Delta1 += np.outer(delta2, a1[t])
    Theta1_grad = Delta1 / m
    Theta2_grad = Delta2 / m

    # Part 3: regularization
    Theta1_grad[:, 1:] += lam / m * Theta1[:, 1:]
    Theta2_grad[:, 1:] += lam / m * Theta2[:, 1:]
    return J, (Theta1_grad, Theta2_grad)


# Cases
from tests.derivations.planting import Mistake, Right
from tests.derivations.truth import call


def problem(user, rng):
    m, n, hidden, labels = 11, 2, 5, 3
    Theta1, Theta2 = rng.normal(size=(hidden, n + 1)), rng.normal(size=(labels, hidden + 1))
    return call(user.nnCostFunction, Theta1, Theta2, rng.normal(size=(m, n)), rng.integers(0, labels, m), labels, 0.7, wrt=("Theta1", "Theta2"))


LOOP = """    Delta1 = np.zeros_like(Theta1)
    Delta2 = np.zeros_like(Theta2)
    for t in range(m):
        delta3 = h[t] - Y[t]
        delta2 = (Theta2.T @ delta3)[1:] * sigmoidGradient(z2[t])
        Delta2 += np.outer(delta3, a2[t])
        Delta1 += np.outer(delta2, a1[t])
"""

RIGHT = [
    Right(LOOP, "    delta3 = h - Y\n    delta2 = (delta3 @ Theta2)[:, 1:] * sigmoidGradient(z2)\n    Delta2 = delta3.T @ a2\n    Delta1 = delta2.T @ a1\n"),
    Right("delta2 = (Theta2.T @ delta3)[1:] * sigmoidGradient(z2[t])", "delta2 = (Theta2.T @ delta3 * a2[t] * (1 - a2[t]))[1:]"),
    Right("    Theta1_grad[:, 1:] += lam / m * Theta1[:, 1:]\n", "    R = lam / m * Theta1\n    R[:, 0] = 0\n    Theta1_grad = Theta1_grad + R\n"),
    Right("    Theta2_grad[:, 1:] += lam / m * Theta2[:, 1:]\n", "    Theta2_grad += np.c_[np.zeros(len(Theta2)), Theta2[:, 1:]] * lam / m\n"),
]

MISTAKES = [
    Mistake("regulariser-on-wrong-parameter", ("Theta1_grad", "Theta1_grad[:, 1:]"), "Theta1_grad[:, 1:] += lam / m * Theta1[:, 1:]", "Theta1_grad += lam / m * Theta1"),
    Mistake("regulariser-forgotten", ("Theta2_grad", "Theta2_grad[:, 1:]"), "    Theta2_grad[:, 1:] += lam / m * Theta2[:, 1:]\n", ""),
    Mistake("regulariser-scale", ("Theta2_grad[:, 1:]", "Theta2_grad"), "Theta2_grad[:, 1:] += lam / m *", "Theta2_grad[:, 1:] += lam *"),
    Mistake("regulariser-scale", ("Theta1_grad[:, 1:]", "Theta1_grad"), "Theta1_grad[:, 1:] += lam / m *", "Theta1_grad[:, 1:] += lam / (2 * m) *"),
    Mistake(("off-by-one-index", "regulariser-on-wrong-parameter", None), ("Theta1_grad[:, :-1]", "Theta1_grad"), "Theta1_grad[:, 1:] += lam / m * Theta1[:, 1:]", "Theta1_grad[:, :-1] += lam / m * Theta1[:, :-1]"),
    Mistake("off-by-one-index", "delta2", "(Theta2.T @ delta3)[1:]", "(Theta2.T @ delta3)[:-1]"),
    Mistake("missing-activation-derivative", "delta2", "(Theta2.T @ delta3)[1:] * sigmoidGradient(z2[t])", "(Theta2.T @ delta3)[1:]"),
    Mistake("activation-derivative-at-activation", "delta2", "sigmoidGradient(z2[t])", "sigmoidGradient(a2[t][1:])"),
    Mistake("output-form-on-preactivation", "delta2", "sigmoidGradient(z2[t])", "z2[t] * (1 - z2[t])"),
    Mistake("activation-derivative-twice", "delta3", "delta3 = h[t] - Y[t]", "delta3 = (h[t] - Y[t]) * sigmoidGradient(z3[t])"),
    Mistake("sign", "delta3", "delta3 = h[t] - Y[t]", "delta3 = Y[t] - h[t]"),
    Mistake("missing-target", "delta3", "delta3 = h[t] - Y[t]", "delta3 = h[t]"),
    Mistake("overwritten-not-accumulated", "Delta1", "Delta1 += np.outer", "Delta1 = np.outer"),
    Mistake("overwritten-not-accumulated", "Delta2", "Delta2 += np.outer", "Delta2 = np.outer"),
    Mistake("off-by-one-index", ("delta3", "delta2", "Delta2", "t"), "for t in range(m):", "for t in range(m - 1):"),
    Mistake("off-by-one-index", "delta2", "sigmoidGradient(z2[t])", "sigmoidGradient(z2[t - 1])"),
    Mistake(("off-by-one-index", "wrong-tensor-in-weight-gradient"), "Delta2", "np.outer(delta3, a2[t])", "np.outer(delta3, a2[t - 1])"),
    Mistake("factor-N", "Theta2_grad", "Theta2_grad = Delta2 / m", "Theta2_grad = Delta2"),
    Mistake("factor-K", ("J", "delta3"), "np.log(1 - h)).sum() / m", "np.log(1 - h)).mean()", fix=True),
    Mistake("integer-dtype", "delta3", "delta3 = h[t] - Y[t]", "delta3 = (h[t] - Y[t]).astype(Y.dtype)"),
    Mistake("aliasing", ("Theta1_grad", "Theta1_grad[:, 1:]", "R", "Theta2_grad[:, 1:]"), "    Theta1_grad[:, 1:] += lam / m * Theta1[:, 1:]\n", "    R = Theta1_grad\n    R[:, 0] = 0\n    R[:, 1:] += lam / m * Theta1[:, 1:]\n", fix=False),
]
