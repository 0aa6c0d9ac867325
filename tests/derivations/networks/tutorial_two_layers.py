"""The tutorial's warm-up: a two-layer ReLU net without biases, sum of squares, one gradient a line."""

import numpy as np

# N is batch size; D_in is input dimension;
# H is hidden dimension; D_out is output dimension.
N, D_in, H, D_out = 11, 3, 7, 5


def one_iteration(x, y, w1, w2):
    # Forward pass: compute predicted y
    h = x.dot(w1)
    h_relu = np.maximum(h, 0)
    y_pred = h_relu.dot(w2)

    # Compute and print loss
    loss = np.square(y_pred - y).sum()

    # Backprop to compute gradients of w1 and w2 with respect to loss
    grad_y_pred = 2.0 * (y_pred - y)
    grad_w2 = h_relu.T.dot(grad_y_pred)
    grad_h_relu = grad_y_pred.dot(w2.T)
    grad_h = grad_h_relu.copy()
    grad_h[h < 0] = 0
    grad_w1 = x.T.dot(grad_h)

    return loss, (grad_w1, grad_w2)


# Cases
from tests.derivations.planting import Mistake, Right
from tests.derivations.truth import call


def problem(user, rng):
    N, D_in, H, D_out = user.N, user.D_in, user.H, user.D_out
    return call(
        user.one_iteration, rng.normal(size=(N, D_in)), rng.normal(size=(N, D_out)),
        rng.normal(size=(D_in, H)), rng.normal(size=(H, D_out)), wrt=("w1", "w2"),
    )  # fmt: skip


RIGHT = [
    Right("    grad_h = grad_h_relu.copy()\n", "    grad_h = grad_h_relu\n"),
    Right("    grad_h = grad_h_relu.copy()\n    grad_h[h < 0] = 0\n", "    grad_h = np.zeros((N, H))\n    grad_h[h > 0] = grad_h_relu[h > 0]\n"),
    Right("    grad_h = grad_h_relu.copy()\n    grad_h[h < 0] = 0\n", "    grad_h = grad_h_relu * np.sign(h_relu)\n"),
    Right("grad_y_pred = 2.0 * (y_pred - y)", "grad_y_pred = -2 * y + 2 * y_pred"),
    Right("    return loss, (grad_w1, grad_w2)", "    w1 = w1 - 1e-6 * grad_w1\n    w2 = w2 - 1e-6 * grad_w2\n    return loss, (grad_w1, grad_w2)"),
    Right("    return loss, (grad_w1, grad_w2)", "    w1 -= 1e-6 * grad_w1\n    w2 -= 1e-6 * grad_w2\n    return loss, (grad_w1, grad_w2)", note="w1"),
]

MISTAKES = [
    Mistake("factor-half", ("grad_y_pred", "loss"), "grad_y_pred = 2.0 * (y_pred - y)", "grad_y_pred = (y_pred - y)"),
    Mistake("factor-N", ("loss", "grad_y_pred"), "np.square(y_pred - y).sum()", "np.square(y_pred - y).sum() / len(x)"),
    Mistake(("factor-const", None), ("loss", "grad_y_pred"), "np.square(y_pred - y).sum()", "np.square(y_pred - y).mean()"),
    Mistake("sign", "grad_y_pred", "2.0 * (y_pred - y)", "2.0 * (y - y_pred)"),
    Mistake("relu-mask-inverted", ("grad_h[h > 0]", "grad_h"), "grad_h[h < 0] = 0", "grad_h[h > 0] = 0"),
    Mistake("relu-mask-from-wrong-tensor", ("grad_h[grad_h < 0]", "grad_h"), "grad_h[h < 0] = 0", "grad_h[grad_h < 0] = 0"),
    Mistake(("relu-mask-from-wrong-tensor", "missing-activation-derivative"), ("grad_h[h_relu < 0]", "grad_h"), "grad_h[h < 0] = 0", "grad_h[h_relu < 0] = 0"),
    Mistake("missing-activation-derivative", ("grad_h", "grad_h_relu"), "    grad_h[h < 0] = 0\n", ""),
    Mistake(("wrong-tensor-in-delta", "updated-weights"), "grad_h_relu", "grad_y_pred.dot(w2.T)", "grad_y_pred.dot(grad_w2.T)"),
    Mistake("updated-weights", ("w2", "grad_h_relu"), "    grad_h_relu =", "    w2 = w2 - 0.01 * grad_w2\n    grad_h_relu ="),
    Mistake(("updated-weights", "input-mutated"), ("w2", "grad_h_relu"), "    grad_h_relu =", "    w2 -= 0.001 * grad_w2\n    grad_h_relu ="),
    Mistake("wrong-tensor-in-weight-gradient", "grad_w2", "h_relu.T.dot(grad_y_pred)", "h.T.dot(grad_y_pred)"),
    Mistake(("wrong-tensor-in-delta", "wrong-tensor-in-weight-gradient", "missing-activation-derivative"), "grad_w1", "x.T.dot(grad_h)", "x.T.dot(grad_h_relu)"),
    Mistake("derivative-of-another-activation", ("grad_h", "grad_h_relu"), "    grad_h = grad_h_relu.copy()\n    grad_h[h < 0] = 0\n", "    grad_h = grad_h_relu * (1 - np.tanh(h)**2)\n"),
    Mistake("gradient-transposed", "grad_w2", "h_relu.T.dot(grad_y_pred)", "grad_y_pred.T.dot(h_relu)"),
    Mistake("wrong-loss-derivative", ("grad_y_pred", "loss"), "np.square(y_pred - y).sum()", "np.linalg.norm(y_pred - y)"),
    Mistake("integer-dtype", ("grad_h", "grad_h[h > 0]"), "    grad_h = grad_h_relu.copy()\n    grad_h[h < 0] = 0\n", "    grad_h = np.zeros((N, H), dtype=int)\n    grad_h[h > 0] = grad_h_relu[h > 0]\n"),
    Mistake("wrong-loss-derivative", "grad_y_pred", "2.0 * (y_pred - y)", "2.0 * np.abs(y_pred - y)"),
]
