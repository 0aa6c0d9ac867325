"""Two layers with ReLU, softmax and cross-entropy on integer labels, L2, as a course's assignment asks for it."""

import numpy as np


def loss(W1, b1, W2, b2, X, y, reg=0.05):
    """
    Inputs:
    - X: Input data of shape (N, D).
    - y: Vector of training labels; y[i] is an integer in the range 0 <= y[i] < C.

    Returns a tuple of loss, and gradients in a dictionary with the keys of the parameters.
    """
    N, D = X.shape
    grads = {}

    # forward
    hidden = X.dot(W1) + b1
    h = np.maximum(0, hidden)
    scores = h.dot(W2) + b2

    # loss
    shifted = scores - np.max(scores, axis=1, keepdims=True)
    exp_scores = np.exp(shifted)
    probs = exp_scores / np.sum(exp_scores, axis=1, keepdims=True)
    data_loss = -np.sum(np.log(probs[np.arange(N), y])) / N
    reg_loss = 0.5 * reg * np.sum(W1 * W1) + 0.5 * reg * np.sum(W2 * W2)
    loss = data_loss + reg_loss

    # backward
    dscores = probs.copy()
    dscores[np.arange(N), y] -= 1
    dscores /= N
    grads['W2'] = h.T.dot(dscores) + reg * W2
    grads['b2'] = np.sum(dscores, axis=0)
    dh = dscores.dot(W2.T)
    dhidden = dh * (hidden > 0)
    grads['W1'] = X.T.dot(dhidden) + reg * W1
    grads['b1'] = np.sum(dhidden, axis=0)

    return loss, grads


# Cases
from tests.derivations.planting import Mistake, Right
from tests.derivations.truth import call


def problem(user, rng):
    N, D, H, C = 11, 3, 7, 5
    X, y = rng.normal(size=(N, D)), rng.integers(0, C, size=N)
    weights = rng.normal(size=(D, H)), rng.normal(size=H), rng.normal(size=(H, C)), rng.normal(size=C)
    return call(user.loss, *weights, X, y)


RIGHT = [
    Right("dscores = probs.copy()", "dscores = np.array(probs)"),
    Right("dscores = probs.copy()", "dscores = probs  # not used again"),
    Right("    dhidden = dh * (hidden > 0)\n", "    dhidden = dh.copy()\n    dhidden[h <= 0] = 0\n"),
    Right("    dhidden = dh * (hidden > 0)\n", "    dh[hidden <= 0] = 0\n    dhidden = dh\n"),
    Right("dh * (hidden > 0)", "np.where(hidden >= 0, dh, 0.0)"),
    Right("dh * (hidden > 0)", "dh * np.heaviside(hidden, 0.5)"),
    Right("np.maximum(0, hidden)", "hidden * (hidden > 0)"),
    Right("data_loss = -np.sum(np.log(probs[np.arange(N), y])) / N", "data_loss = np.mean(np.log(np.exp(shifted).sum(1)) - shifted[range(N), y])"),
    Right("    shifted = scores - np.max(scores, axis=1, keepdims=True)\n", "    shifted = scores.copy()\n    shifted -= shifted.max()\n"),
    Right(
        "    dscores = probs.copy()\n    dscores[np.arange(N), y] -= 1\n    dscores /= N\n",
        "    onehot = np.eye(probs.shape[1])[y]\n    dscores = -(onehot - probs) / N\n",
    ),
    Right("    dhidden = dh * (hidden > 0)\n", "    h[h > 0] = 1\n    dhidden = dh * h\n"),
    Right("np.max(scores, axis=1, keepdims=True)", "np.max(scores, axis=-1)[:, None]"),
]

MISTAKES = [
    Mistake("missing-target", "dscores", "    dscores[np.arange(N), y] -= 1\n", ""),
    Mistake(("sign", "wrong-loss-derivative", None), ("dscores[np.arange(N), y]", "dscores"), "dscores[np.arange(N), y] -= 1", "dscores[np.arange(N), y] += 1"),
    Mistake("sign", ("dscores", "dscores[np.arange(N), y]"), "    dscores /= N", "    dscores /= -N"),
    Mistake("factor-N", ("dscores", "dscores[np.arange(N), y]"), "    dscores /= N\n", ""),
    Mistake("factor-1/N", "dscores", "    dscores /= N\n", "    dscores /= N\n    dscores = dscores / N\n"),
    Mistake(("off-by-one-index", "missing-target", None), ("dscores[np.arange(N), y]", "dscores"), "dscores[np.arange(N), y] -= 1", "dscores[np.arange(N), y - 1] -= 1"),
    Mistake("softmax-wrong-axis", ("probs", "dscores"), "np.sum(exp_scores, axis=1, keepdims=True)\n    data_loss = -np.sum(np.log(probs[np.arange(N), y])) / N", "np.sum(exp_scores, axis=0, keepdims=True)\n    data_loss = -np.sum(np.log((exp_scores / exp_scores.sum(1, keepdims=True))[np.arange(N), y])) / N"),
    Mistake("relu-mask-inverted", "dhidden", "(hidden > 0)", "(hidden < 0)"),
    Mistake("relu-mask-from-wrong-tensor", "dhidden", "dh * (hidden > 0)", "dh * (dh > 0)"),
    Mistake("missing-activation-derivative", "dhidden", "dhidden = dh * (hidden > 0)", "dhidden = dh"),
    Mistake("derivative-of-another-activation", "dhidden", "dh * (hidden > 0)", "dh * (1 - h ** 2)"),
    Mistake("regulariser-forgotten", "grads['W2']", "h.T.dot(dscores) + reg * W2", "h.T.dot(dscores)"),
    Mistake("regulariser-forgotten", "grads['W1']", "X.T.dot(dhidden) + reg * W1", "X.T.dot(dhidden)"),
    Mistake("regulariser-scale", "grads['W1']", "X.T.dot(dhidden) + reg * W1", "X.T.dot(dhidden) + 2 * reg * W1"),
    Mistake("regulariser-scale", "grads['W2']", "h.T.dot(dscores) + reg * W2", "h.T.dot(dscores) + reg / N * W2"),
    Mistake(("regulariser-scale", "sign"), "grads['W2']", "h.T.dot(dscores) + reg * W2", "h.T.dot(dscores) - reg * W2"),
    Mistake("regulariser-on-wrong-parameter", "grads['b1']", "grads['b1'] = np.sum(dhidden, axis=0)", "grads['b1'] = np.sum(dhidden, axis=0) + reg * b1"),
    Mistake("wrong-tensor-in-weight-gradient", "grads['W2']", "h.T.dot(dscores)", "hidden.T.dot(dscores)"),
    Mistake("bias-not-reduced", "grads['b2']", "np.sum(dscores, axis=0)", "dscores"),
    Mistake("bias-wrong-axis", "grads['b1']", "np.sum(dhidden, axis=0)", "np.sum(dhidden, axis=1)"),
    Mistake(("bias-wrong-axis", "reduced-too-early", "wrong-shape"), "grads['b2']", "np.sum(dscores, axis=0)", "np.sum(dscores)"),
    Mistake(("skipped-layer", "missing-activation-derivative", "wrong-tensor-in-weight-gradient", "wrong-tensor-in-delta"), "grads['W1']", "X.T.dot(dhidden)", "X.T.dot(dh)"),
    Mistake(
        ("input-mutated", "aliasing", "stale-forward-values", "wrong-tensor-in-weight-gradient"),
        ("h[h > 0]", "h", "grads['W2']"),
        "    grads['W2'] = h.T.dot(dscores) + reg * W2\n    grads['b2'] = np.sum(dscores, axis=0)\n    dh = dscores.dot(W2.T)\n    dhidden = dh * (hidden > 0)\n",
        "    dh = dscores.dot(W2.T)\n    h[h > 0] = 1\n    dhidden = dh * h\n    grads['W2'] = h.T.dot(dscores) + reg * W2\n    grads['b2'] = np.sum(dscores, axis=0)\n",
        fix=False,
    ),
]
