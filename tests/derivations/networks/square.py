"""The seed's In[3]: as many hidden units as samples, inputs and outputs, so that every product runs."""

import numpy as np


def sigmoid(z):
    return 1/(1+np.exp(-z))

def sigmoid_prime(z):
    return sigmoid(z)*(1-sigmoid(z))


def grad_step(X, Y, W1, b1, W2):
    Z1 = X @ W1 + b1
    A1 = sigmoid(Z1)
    Z2 = A1 @ W2
    Y_hat = sigmoid(Z2)
    J = 0.5 * ((Y_hat - Y)**2).sum()

    delta_out = (Y_hat - Y) * sigmoid_prime(Z2)
    dJdW2 = A1.T @ delta_out
    delta_hid = delta_out @ W2.T * sigmoid_prime(Z1)
    dJdW1 = X.T @ delta_hid
    dJdb1 = delta_hid.sum(axis=0)
    return J, (dJdW1, dJdb1, dJdW2)


# Cases
from tests.derivations.planting import Mistake, Right
from tests.derivations.truth import call


def problem(user, rng):
    n = 3
    X, Y, W1, b1, W2 = rng.normal(size=(n, n)), rng.uniform(0.1, 0.9, (n, n)), rng.normal(size=(n, n)), rng.normal(size=n), rng.normal(size=(n, n))
    return call(user.grad_step, X, Y, W1, b1, W2, wrt=("W1", "b1", "W2"))


RIGHT = [
    Right("dJdW1 = X.T @ delta_hid", "dJdW1 = (delta_hid.T @ X).T"),
    Right("delta_out @ W2.T *", "(W2 @ delta_out.T).T *"),
    Right("(Y_hat - Y)**2).sum()", "(Y_hat - Y)**2).sum(axis=1).sum()"),
]

MISTAKES = [
    Mistake(("matmul-for-elementwise", None), "delta_hid", "delta_out @ W2.T * sigmoid_prime(Z1)", "delta_out @ W2.T @ sigmoid_prime(Z1)"),
    Mistake(("matmul-for-elementwise", None), "delta_out", "(Y_hat - Y) * sigmoid_prime(Z2)", "(Y_hat - Y).dot(sigmoid_prime(Z2))"),
    Mistake(("elementwise-after-matmul", None), ("dJdW2", "delta_out"), "    dJdW2 = A1.T @ delta_out\n", "    dJdW2 = A1.T @ (Y_hat - Y) * sigmoid_prime(Z2)\n"),
    Mistake(("elementwise-after-matmul", None), "dJdW1", "dJdW1 = X.T @ delta_hid", "dJdW1 = X.T @ (delta_out @ W2.T) * sigmoid_prime(Z1)"),
    Mistake(("weight-not-transposed", None), "delta_hid", "delta_out @ W2.T", "delta_out @ W2"),
    Mistake(("weight-not-transposed", "wrong-tensor-in-delta", None), "delta_hid", "delta_out @ W2.T", "W2.T @ delta_out"),
    Mistake(("gradient-transposed", None), "dJdW2", "A1.T @ delta_out", "delta_out.T @ A1"),
    Mistake(("wrong-tensor-in-weight-gradient", "gradient-transposed", None), "dJdW2", "A1.T @ delta_out", "A1 @ delta_out"),
    Mistake(("bias-wrong-axis", None), "dJdb1", "delta_hid.sum(axis=0)", "delta_hid.sum(axis=1)"),
    Mistake(("bias-wrong-axis", "factor-1/N", "factor-const", None), "dJdb1", "delta_hid.sum(axis=0)", "delta_hid.mean(axis=0)"),
    Mistake(("wrong-tensor-in-delta", "skipped-layer", None), "delta_hid", "delta_out @ W2.T", "delta_out @ W1.T"),
    Mistake(("wrong-tensor-in-weight-gradient", None), "dJdW1", "X.T @ delta_hid", "A1.T @ delta_hid"),
    Mistake(("wrong-tensor-in-weight-gradient", None), "dJdW2", "dJdW2 = A1.T @ delta_out", "dJdW2 = X.T @ delta_out"),
    Mistake(("activation-derivative-of-wrong-layer", None), "delta_hid", "W2.T * sigmoid_prime(Z1)", "W2.T * sigmoid_prime(Z2)"),
    Mistake(("missing-weight-factor", "skipped-layer", None), "delta_hid", "delta_out @ W2.T * sigmoid_prime(Z1)", "delta_out * sigmoid_prime(Z1)"),
    Mistake(("factor-N", "factor-K", "factor-const", None), ("J", "delta_out"), "0.5 * ((Y_hat - Y)**2).sum()", "0.5 * ((Y_hat - Y)**2).sum(axis=1).mean()"),
    Mistake(("sign", None), "delta_hid", "delta_hid = delta_out", "delta_hid = -delta_out"),
]
