"""The assignment's multiclass hinge loss with explicit loops: columns of dW collected sample by sample."""

import numpy as np


def svm_loss_naive(W, X, y, reg):
    """
    - W: A numpy array of shape (D, C) containing weights.
    - X: A numpy array of shape (N, D) containing a minibatch of data.
    - y: A numpy array of shape (N,) containing training labels
    """
    dW = np.zeros(W.shape)  # initialize the gradient as zero

    # compute the loss and the gradient
    num_classes = W.shape[1]
    num_train = X.shape[0]
    loss = 0.0
    for i in range(num_train):
        scores = X[i].dot(W)
        correct_class_score = scores[y[i]]
        for j in range(num_classes):
            if j == y[i]:
                continue
            margin = scores[j] - correct_class_score + 1  # note delta = 1
            if margin > 0:
                loss += margin
                dW[:, j] += X[i]
                dW[:, y[i]] -= X[i]

    # Right now the loss is a sum over all training examples, but we want it
    # to be an average instead so we divide by num_train.
    loss /= num_train
    dW /= num_train

    # Add regularization to the loss.
    loss += reg * np.sum(W * W)
    dW += 2 * reg * W
    return loss, dW


# Cases
from tests.derivations.planting import Mistake, Right
from tests.derivations.truth import call


def problem(user, rng):
    N, D, C = 7, 3, 5
    return call(user.svm_loss_naive, rng.normal(size=(D, C)), rng.normal(size=(N, D)), rng.integers(0, C, N), 0.07, wrt=("W",))


LOOP = """                dW[:, j] += X[i]
                dW[:, y[i]] -= X[i]
"""

RIGHT = [
    Right(LOOP, "                dW[:, j] += X[i, :].T\n                dW[:, y[i]] = dW[:, y[i]] - X[i, :].T\n"),
    Right("    dW += 2 * reg * W\n", "    dW = dW + reg * W + reg * W\n"),
    Right("if margin > 0:", "if margin >= 0:"),
    Right("    loss /= num_train\n    dW /= num_train\n", "    loss = loss / num_train\n    dW = dW / num_train\n"),
    Right(
        LOOP + "\n",
        "\n    S = X @ W\n    M = ((S - S[range(num_train), y][:, None] + 1) > 0).astype(float)\n    M[range(num_train), y] = 0\n    M[range(num_train), y] = -M.sum(axis=1)\n    dW = X.T @ M\n",
    ),
]

J = ("dW[:, j]", "dW")
Y = ("dW[:, y[i]]", "dW")

MISTAKES = [
    Mistake(("missing-branch", "missing-target"), (*Y, "dW[:, j]"), "                dW[:, y[i]] -= X[i]\n", ""),
    Mistake("sign", Y, "dW[:, y[i]] -= X[i]", "dW[:, y[i]] += X[i]"),
    Mistake("overwritten-not-accumulated", J, "dW[:, j] += X[i]", "dW[:, j] = X[i]"),
    Mistake("overwritten-not-accumulated", Y, "dW[:, y[i]] -= X[i]", "dW[:, y[i]] = -X[i]"),
    Mistake("factor-N", (*J, *Y), "    dW /= num_train\n", ""),
    Mistake("factor-1/N", (*J, *Y), "    dW /= num_train\n", "    dW /= num_train**2\n"),
    Mistake("regulariser-forgotten", "dW", "    dW += 2 * reg * W\n", ""),
    Mistake("regulariser-scale", "dW", "dW += 2 * reg * W", "dW += reg * W"),
    Mistake("regulariser-scale", "dW", "    dW /= num_train\n\n    # Add regularization to the loss.\n    loss += reg * np.sum(W * W)\n    dW += 2 * reg * W\n", "    dW += 2 * reg * W\n    dW /= num_train\n\n    # Add regularization to the loss.\n    loss += reg * np.sum(W * W)\n"),
    Mistake(("regulariser-scale", "sign"), "dW", "dW += 2 * reg * W", "dW -= 2 * reg * W"),
    Mistake(("off-by-one-index", "missing-branch", None), (*Y,), "dW[:, y[i]] -= X[i]", "dW[:, y[i] - 1] -= X[i]"),
    Mistake(("off-by-one-index", "wrong-tensor-in-weight-gradient", None), J, "dW[:, j] += X[i]", "dW[:, j] += X[i - 1]"),
    Mistake(("off-by-one-index", "forward-differs", "wrong-loss-derivative", "missing-branch", None), (*J, *Y, "margin"), "if margin > 0:\n                loss += margin\n", "loss += max(0, margin)\n            if margin > 1:\n"),
    Mistake(("missing-branch", "wrong-loss-derivative", "forward-differs", None), (*J, *Y), "            if margin > 0:\n                loss += margin\n", "            loss += max(0, margin)\n            if True:\n", fix=False),
    Mistake(("wrong-loss-derivative", None), (*J, *Y), LOOP, "                dW[:, j] += margin * X[i]\n                dW[:, y[i]] -= margin * X[i]\n", fix=False),
    Mistake(("accumulated-twice", None), (*Y,), "                dW[:, y[i]] -= X[i]\n", "                dW[:, y[i]] -= X[i]\n            dW[:, y[i]] -= X[i]\n"),
]
