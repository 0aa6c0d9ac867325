"""An autoencoder whose decoder is the encoder's transpose, with a sparsity penalty: one weight, two branches."""

import numpy as np


def sigmoid(z):
    return 1. / (1. + np.exp(-z))


def KL(rho, rho_hat):
    return rho * np.log(rho / rho_hat) + (1 - rho) * np.log((1 - rho) / (1 - rho_hat))


def sparse_autoencoder_cost(W, b, c, data, rho=0.1, beta=0.3, lambda_=0.01):
    # data: one example per column
    m = data.shape[1]
    a2 = sigmoid(W.dot(data) + b[:, None])
    rho_hat = a2.mean(axis=1)
    a3 = W.T.dot(a2) + c[:, None]
    diff = a3 - data

    cost = 0.5 * np.sum(diff ** 2) / m
    cost += 0.5 * lambda_ * np.sum(W ** 2)
    cost += beta * np.sum(KL(rho, rho_hat))

    delta3 = diff
    sparsity_delta = -rho / rho_hat + (1 - rho) / (1 - rho_hat)
    delta2 = (W.dot(delta3) + beta * sparsity_delta[:, None]) * a2 * (1 - a2)

    grad_dec = a2.dot(delta3.T) / m
    grad_enc = delta2.dot(data.T) / m
    grad_W = grad_dec + grad_enc + lambda_ * W
    grad_b = delta2.sum(axis=1) / m
    grad_c = delta3.sum(axis=1) / m
    return cost, [grad_W, grad_b, grad_c]


# Cases
from tests.derivations.planting import Mistake, Right
from tests.derivations.truth import call


def problem(user, rng):
    n, h, m = 5, 3, 11
    return call(user.sparse_autoencoder_cost, rng.normal(size=(h, n)), rng.normal(size=h), rng.normal(size=n), rng.normal(size=(n, m)), wrt=("W", "b", "c"))


RIGHT = [
    Right("delta3 = diff\n", "delta3 = -(data - a3)\n"),
    Right("    grad_W = grad_dec + grad_enc + lambda_ * W\n", "    grad_W = np.zeros(W.shape)\n    grad_W += grad_enc\n    grad_W += lambda_ * W\n    grad_W += grad_dec\n"),
    Right("sparsity_delta = -rho / rho_hat + (1 - rho) / (1 - rho_hat)", "sparsity_delta = (rho_hat - rho) / (rho_hat * (1 - rho_hat))"),
    Right("grad_b = delta2.sum(axis=1) / m", "grad_b = np.average(delta2, axis=1)"),
]

MISTAKES = [
    Mistake("missing-branch", "grad_W", "grad_W = grad_dec + grad_enc + lambda_ * W", "grad_W = grad_enc + lambda_ * W"),
    Mistake("missing-branch", "grad_W", "grad_W = grad_dec + grad_enc + lambda_ * W", "grad_W = grad_dec + lambda_ * W"),
    Mistake("accumulated-twice", "grad_W", "grad_W = grad_dec + grad_enc + lambda_ * W", "grad_W = grad_dec + grad_enc + grad_enc + lambda_ * W"),
    Mistake("regulariser-forgotten", "grad_W", "grad_dec + grad_enc + lambda_ * W", "grad_dec + grad_enc"),
    Mistake("regulariser-scale", "grad_W", "+ lambda_ * W", "+ lambda_ / m * W"),
    Mistake(("regulariser-scale", "sign"), "grad_W", "+ lambda_ * W", "- lambda_ * W"),
    Mistake("regulariser-on-wrong-parameter", "grad_c", "grad_c = delta3.sum(axis=1) / m", "grad_c = delta3.sum(axis=1) / m + lambda_ * c"),
    Mistake(("missing-branch", "regulariser-forgotten"), "delta2", "(W.dot(delta3) + beta * sparsity_delta[:, None])", "W.dot(delta3)"),
    Mistake(("regulariser-scale", "missing-weight-factor", "factor-const", None), "delta2", "beta * sparsity_delta[:, None]", "sparsity_delta[:, None]"),
    Mistake(("sign", "wrong-loss-derivative", None), "sparsity_delta", "-rho / rho_hat + (1 - rho) / (1 - rho_hat)", "-rho / rho_hat - (1 - rho) / (1 - rho_hat)"),
    Mistake("sign", "sparsity_delta", "-rho / rho_hat + (1 - rho) / (1 - rho_hat)", "rho / rho_hat - (1 - rho) / (1 - rho_hat)"),
    Mistake(("regulariser-scale", "factor-const", None), "delta2", "beta * sparsity_delta[:, None]", "beta / m * sparsity_delta[:, None]"),
    Mistake(("activation-derivative-twice", "derivative-of-another-activation", "wrong-loss-derivative", None), "delta3", "delta3 = diff\n", "delta3 = diff * a3 * (1 - a3)\n"),
    Mistake("missing-activation-derivative", "delta2", "sparsity_delta[:, None]) * a2 * (1 - a2)", "sparsity_delta[:, None])"),
    Mistake("derivative-of-another-activation", "delta2", "* a2 * (1 - a2)", "* (1 - a2 * a2)"),
    Mistake("factor-N", "grad_dec", "grad_dec = a2.dot(delta3.T) / m", "grad_dec = a2.dot(delta3.T)"),
    Mistake("gradient-transposed", ("grad_dec", "grad_W"), "    grad_W = grad_dec + grad_enc + lambda_ * W", "    grad_W = (grad_dec + grad_enc + lambda_ * W).T"),
    Mistake("bias-wrong-axis", "grad_b", "grad_b = delta2.sum(axis=1) / m", "grad_b = delta2.sum(axis=0) / m"),
    Mistake(("reduced-too-early", None), "grad_enc", "grad_enc = delta2.dot(data.T) / m", "grad_enc = np.outer(delta2.sum(1), data.mean(1)) / m"),
    Mistake("wrong-shape", "grad_b", "grad_b = delta2.sum(axis=1) / m", "grad_b = delta2.sum(axis=1, keepdims=True) / m"),
    Mistake("wrong-shape", "grad_W", "grad_W = grad_dec + grad_enc + lambda_ * W", "grad_W = (grad_dec + grad_enc + lambda_ * W).ravel()"),
]
