"""A notebook run out of order: globals of earlier cells, helpers that share their names, buffers made once."""

import numpy as np

# In[2]: hyperparameters
n_hidden, alpha = 5, 0.3

# In[3]: a first try, whose variables are still there
inputs = np.array([[2, 1, 3], [0, 1, 2], [1, 4, 1], [3, 0, 2], [1, 1, 1], [2, 2, 5], [0, 3, 1]])
H = np.linspace(-1, 1, 35).reshape(7, 5)
residual = np.linspace(0, 1, 7)
total = 0.25


# In[7]
def activate(s):
    H = np.log(1 + np.exp(s))
    return H

# In[8]
def activate_derivative(s):
    return 1 / (1 + np.exp(-s))

# In[9]
def cost(prediction, labels):
    residual = prediction - labels
    return np.sum(residual * residual)

# In[11]
def penalty(w):
    return alpha * np.sum(w ** 2)

# In[14]
def derivatives(w_in, w_out, offset, labels):
    S = inputs @ w_in
    H = activate(S)
    prediction = H @ w_out + offset
    J = cost(prediction, labels) + penalty(w_in)

    error = 2 * (prediction - labels)
    d_offset = error.sum()
    d_w_out = error @ H
    dS = np.outer(error, w_out) * activate_derivative(S)
    d_w_in = inputs.T @ dS
    d_w_in = d_w_in + 2 * alpha * w_in
    return J, d_w_in, d_w_out, d_offset

# In[15]
def step(w_in, w_out, offset, labels):
    J, *gradients = derivatives(w_in, w_out, offset, labels)
    return J, gradients


# Cases
from tests.derivations.planting import Mistake, Right
from tests.derivations.truth import call


def problem(user, rng):
    return call(
        user.step, rng.normal(size=(3, 5)), rng.normal(size=5), np.float64(rng.normal()), rng.normal(size=7),
        wrt=("w_in", "w_out", "offset"),
    )  # fmt: skip


import numpy as np

BACKWARD = """    error = 2 * (prediction - labels)
    d_offset = error.sum()
    d_w_out = error @ H
    dS = np.outer(error, w_out) * activate_derivative(S)
"""
ACTIVATE = "    H = np.log(1 + np.exp(s))\n    return H\n"

RIGHT = [
    Right("    return 1 / (1 + np.exp(-s))\n", "    s *= -1\n    np.exp(s, out=s)\n    s += 1\n    return 1 / s\n", note="activate_derivative"),
    Right("    error = 2 * (prediction - labels)\n", "    prediction -= labels\n    prediction *= 2\n    error = prediction\n"),
    Right("    error = 2 * (prediction - labels)\n", "    prediction -= labels\n    error = prediction + prediction\n"),
    Right("    d_w_in = d_w_in + 2 * alpha * w_in\n", "    d_w_in += 2 * alpha * w_in\n"),
    Right("dS = np.outer(error, w_out)", "dS = error[:, None] * w_out[None, :]"),
    Right("    d_w_out = error @ H\n", "    d_w_out = (H * error.reshape(-1, 1)).sum(axis=0)\n"),
]

MISTAKES = [
    Mistake("function-returns-global", ("activate", "H", "return"), "    H = np.log(1 + np.exp(s))\n    return H\n", "    h = np.log(1 + np.exp(s))\n    return H\n", fix=True),
    Mistake("function-returns-global", ("cost", "J", "return"), "    residual = prediction - labels\n    return np.sum(residual * residual)", "    r = prediction - labels\n    return total"),
    Mistake("function-returns-global", ("activate_derivative", "dS", "return"), "    return 1 / (1 + np.exp(-s))\n", "    h = 1 / (1 + np.exp(-s))\n    return H\n", fix=True),
    Mistake(("input-mutated", "aliasing"), ("dS", "slope", "h", "d_w_out"), BACKWARD, "    def slope(h):\n        h *= -1\n        np.exp(h, out=h)\n        return np.subtract(1, h, out=h)\n\n    error = 2 * (prediction - labels)\n    dS = np.outer(error, w_out) * slope(H)\n    d_offset = error.sum()\n    d_w_out = error @ H\n", fix=False),
    Mistake(("input-mutated", "aliasing", "stale-forward-values"), ("activate", "H", "S", "s", "dS"), ACTIVATE, "    np.exp(s, out=s)\n    s += 1\n    H = np.log(s)\n    return H\n", fix=False),
    Mistake(("missing-target", "input-mutated", None), ("prediction", "error"), "    error = 2 * (prediction - labels)\n", "    prediction -= labels\n    error = 2 * (prediction - labels)\n", fix=True),
    Mistake(("factor-2", "input-mutated"), ("error", "d_w_out", "dS"), "    d_w_out = error @ H\n", "    error *= 2\n    d_w_out = error @ H\n"),
    Mistake(("input-mutated", "updated-weights"), ("w_out", "dS"), "    d_w_out = error @ H\n", "    d_w_out = error @ H\n    w_out -= 0.01 * d_w_out\n"),
    Mistake(("input-mutated", "updated-weights", "regulariser-scale"), ("w_in", "d_w_in"), "    d_w_in = d_w_in + 2 * alpha * w_in\n", "    w_in -= 0.1 * d_w_in\n    d_w_in = d_w_in + 2 * alpha * w_in\n"),
    Mistake(("aliasing", "input-mutated", "activation-derivative-at-activation", None), ("slope[:]", "slope", "S", "dS"), "    dS = np.outer(error, w_out) * activate_derivative(S)\n", "    slope = S\n    slope[:] = activate_derivative(slope)\n    dS = np.outer(error, w_out) * activate_derivative(S)\n", fix=False),
    Mistake(("stale-forward-values", "forward-differs", "wrong-tensor-in-weight-gradient"), "d_w_out", "d_w_out = error @ H\n", "d_w_out = error @ globals()['H']\n"),
    Mistake(("stale-forward-values", "forward-differs", None), ("S", "dS"), "    dS = np.outer", "    S = inputs @ (w_in - 0.1 * w_in)\n    dS = np.outer"),
    Mistake(("stale-forward-values", "forward-differs", "wrong-tensor-in-weight-gradient", None), ("H", "d_w_out"), "    d_w_out = error @ H\n", "    H = activate(inputs @ w_in + offset)\n    d_w_out = error @ H\n"),
    Mistake(("forward-differs", "missing-branch", None), "error", "error = 2 * (prediction - labels)", "error = 2 * (H @ w_out - labels)"),
    Mistake(("forward-differs", "derivative-of-another-activation", None), ("H", "d_w_out", "dS"), "    d_w_out = error @ H\n", "    H = np.maximum(S, 0)\n    d_w_out = error @ H\n"),
    Mistake("integer-dtype", ("d_w_in", "d_w_in[...]"), "    d_w_in = inputs.T @ dS\n", "    d_w_in = np.zeros((3, n_hidden), dtype=inputs.dtype)\n    d_w_in[...] = inputs.T @ dS\n"),
    Mistake("regulariser-forgotten", "d_w_in", "    d_w_in = d_w_in + 2 * alpha * w_in\n", ""),
    Mistake("regulariser-on-wrong-parameter", "d_w_out", "    d_w_out = error @ H\n", "    d_w_out = error @ H + 2 * alpha * w_out\n"),
    Mistake("derivative-of-another-activation", ("dS", "activate_derivative"), "    return 1 / (1 + np.exp(-s))\n", "    return np.exp(-s) / (1 + np.exp(-s)) ** 2\n"),
]
