"""Logistic regression with a bias that is one number, vectors of shape (n,), as a first week of homework."""

import numpy as np


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def propagate(w, b, X, Y, lam=0.1):
    """
    w -- weights, of shape (n_features,)
    b -- bias, a scalar
    """
    m = X.shape[0]
    z = X.dot(w) + b
    A = sigmoid(z)
    cost = -1/m * np.sum(Y * np.log(A) + (1 - Y) * np.log(1 - A))
    cost = cost + lam / (2*m) * np.sum(w**2)

    error = A - Y
    dw = 1/m * X.T.dot(error) + lam/m * w
    db = 1/m * np.sum(error)
    return cost, (dw, db)


# Cases
from tests.derivations.planting import Mistake, Right
from tests.derivations.truth import call


def problem(user, rng):
    m, n = 11, 3
    X, w = rng.normal(size=(m, n)), rng.normal(size=n)
    Y = (X @ rng.normal(size=n) > 0.1).astype(int)
    return call(user.propagate, w, rng.normal(), X, Y, wrt=("w", "b"))


RIGHT = [
    Right("db = 1/m * np.sum(error)", "db = error.mean()"),
    Right("    error = A - Y\n", "    error = (-Y/A + (1-Y)/(1-A)) * A * (1-A)\n"),
    Right("    error = A - Y\n", "    error = np.where(Y == 1, A - 1, A)\n"),
    Right("-1/m * np.sum(Y * np.log(A) + (1 - Y) * np.log(1 - A))", "np.mean(np.logaddexp(0, z) - Y * z)"),
    Right("    dw = 1/m * X.T.dot(error) + lam/m * w\n", "    dw = np.zeros(w.shape[0])\n    for i in range(m):\n        dw += X[i] * error[i]\n    dw += lam * w\n    dw /= m\n"),
    Right("    dw = 1/m * X.T.dot(error) + lam/m * w\n", "    dw = [0.0] * len(w)\n    for j in range(len(w)):\n        dw[j] = sum(error[i] * X[i, j] for i in range(m)) / m + lam * w[j] / m\n    dw = np.array(dw)\n"),
]

MISTAKES = [
    Mistake("sign", "error", "error = A - Y", "error = Y - A"),
    Mistake("sign", ("cost", "error"), "cost = -1/m * np.sum(Y * np.log(A)", "cost = 1/m * np.sum(Y * np.log(A)"),
    Mistake("missing-target", "error", "error = A - Y", "error = A"),
    Mistake("activation-derivative-twice", "error", "error = A - Y", "error = (A - Y) * A * (1 - A)"),
    Mistake("factor-N", "db", "db = 1/m * np.sum(error)", "db = np.sum(error)"),
    Mistake("factor-1/N", "db", "db = 1/m * np.sum(error)", "db = 1/m * np.mean(error)"),
    Mistake("bias-not-reduced", "db", "db = 1/m * np.sum(error)", "db = 1/m * error"),
    Mistake("regulariser-forgotten", "dw", "X.T.dot(error) + lam/m * w", "X.T.dot(error)"),
    Mistake("regulariser-scale", "dw", "lam/m * w\n", "lam * w\n"),
    Mistake("regulariser-scale", "dw", "lam/m * w\n", "lam/(2*m) * w\n"),
    Mistake(("regulariser-scale", "sign"), "dw", "+ lam/m * w\n", "- lam/m * w\n"),
    Mistake("regulariser-on-wrong-parameter", "db", "db = 1/m * np.sum(error)", "db = 1/m * np.sum(error) + lam/m * b"),
    Mistake(("regulariser-scale", "regulariser-forgotten", "wrong-local-derivative", None), "dw", "lam/m * w\n", "lam/m * np.sign(w)\n"),
    Mistake("wrong-tensor-in-weight-gradient", "dw", "X.T.dot(error)", "X.T.dot(A)"),
    Mistake("output-form-on-preactivation", "error", "error = A - Y\n", "error = (A - Y) / (A * (1 - A)) * z * (1 - z)\n"),
    Mistake("accidental-broadcast", ("error", "dw"), "error = A - Y\n", "error = (A - Y.reshape(-1, 1)).mean(axis=1)\n"),
    Mistake("accidental-broadcast", "cost", "-1/m * np.sum(Y * np.log(A) + (1 - Y) * np.log(1 - A))", "-np.mean(Y[:, None] * np.log(A) + (1 - Y[:, None]) * np.log(1 - A))"),
    Mistake("integer-dtype", ("dw", "error", "error[:]"), "    error = A - Y\n", "    error = np.empty_like(Y)\n    error[:] = A - Y\n"),
    Mistake("wrong-loss-derivative", ("error", "cost"), "error = A - Y\n", "error = (A - Y)**2\n"),
    Mistake("factor-half", ("error", "cost"), "error = A - Y\n", "error = 0.5 * (A - Y)\n"),
]
