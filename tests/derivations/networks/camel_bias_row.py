"""Assignment 4, part B. Two-layer network with the bias in the LAST ROW of each Theta, multi-class squared hinge loss."""

import numpy as np


def sigmoid(t):
    return 1.0 / (1.0 + np.exp(-t))


def addOnes(M):
    return np.hstack([M, np.ones((M.shape[0], 1))])


def withoutBias(Theta):
    """The bias must not be regularised."""
    M = Theta.copy()
    M[-1] = 0
    return M


def costFunction(Theta1, Theta2, X, y, lam):
    nSamples = X.shape[0]
    rows = np.arange(nSamples)
    regLoss = 0.5 * lam * (np.sum(withoutBias(Theta1) ** 2) + np.sum(withoutBias(Theta2) ** 2))

    # forward
    aIn = addOnes(X)
    zHid = aIn @ Theta1
    aHid = sigmoid(zHid)
    aHidOnes = addOnes(aHid)
    scores = aHidOnes @ Theta2

    # loss: every wrong class must stay one below the right one
    margins = np.maximum(0, scores - scores[rows, y][:, None] + 1)
    margins[rows, y] = 0
    dataLoss = np.sum(margins ** 2) / nSamples
    J = dataLoss + regLoss

    # backward
    dScores = 2 * margins / nSamples
    dScores[rows, y] = -np.sum(dScores, axis=1)
    gradTheta2 = aHidOnes.T @ dScores + lam * withoutBias(Theta2)
    dHid = dScores @ Theta2[:-1].T
    dzHid = dHid * aHid * (1 - aHid)
    gradTheta1 = aIn.T @ dzHid + lam * withoutBias(Theta1)
    return J, (gradTheta1, gradTheta2)


# Cases
from tests.derivations.planting import Mistake, Right
from tests.derivations.truth import call


def problem(user, rng):
    nFeatures, nHidden, nClasses, nSamples = 3, 5, 4, 7
    Theta1, Theta2 = rng.normal(size=(nFeatures + 1, nHidden)), rng.normal(size=(nHidden + 1, nClasses))
    X, y = rng.normal(size=(nSamples, nFeatures)), rng.integers(0, nClasses, size=nSamples)
    return call(user.costFunction, Theta1, Theta2, X, y, 0.15, wrt=("Theta1", "Theta2"))


RIGHT = [
    Right("    margins[rows, y] = 0\n    dataLoss = np.sum(margins ** 2) / nSamples\n", "    dataLoss = np.sum(margins ** 2) / nSamples - 1  # the right class counts 1 each\n    margins[rows, y] = 0\n"),
    Right("    dHid = dScores @ Theta2[:-1].T\n    dzHid = dHid * aHid * (1 - aHid)\n", "    dHid = dScores @ Theta2.T\n    dzHid = (dHid * aHidOnes * (1 - aHidOnes))[:, :-1]\n"),
    Right(
        "    gradTheta2 = aHidOnes.T @ dScores + lam * withoutBias(Theta2)\n",
        "    gradTheta2 = np.zeros_like(Theta2)\n    gradTheta2[:-1] = aHid.T @ dScores + lam * Theta2[:-1]\n    gradTheta2[-1] = dScores.sum(axis=0)\n",
    ),
    Right("    M = Theta.copy()\n    M[-1] = 0\n    return M\n", "    mask = np.ones(Theta.shape)\n    mask[-1] = 0\n    return Theta * mask\n"),
    Right("    dScores[rows, y] = -np.sum(dScores, axis=1)\n", "    dScores[rows, y] -= dScores.sum(axis=1)\n"),
]

DS = ("dScores", "dScores[rows, y]")

MISTAKES = [
    Mistake("factor-half", ("dScores", "dataLoss", "J"), "dScores = 2 * margins / nSamples", "dScores = margins / nSamples"),
    Mistake("factor-N", ("dScores", "dataLoss", "J"), "dScores = 2 * margins / nSamples", "dScores = 2 * margins"),
    Mistake(("wrong-loss-derivative", "derivative-of-another-activation", None), "dScores", "dScores = 2 * margins / nSamples", "dScores = (margins > 0) / nSamples"),
    Mistake("sign", DS, "    dScores[rows, y] = -np.sum(dScores, axis=1)", "    dScores[rows, y] = np.sum(dScores, axis=1)"),
    Mistake(("missing-branch", "missing-target", "detached-branch", "wrong-loss-derivative"), DS, "    dScores[rows, y] = -np.sum(dScores, axis=1)\n", "", fix=False),
    Mistake(("reduced-too-early", "accidental-broadcast", None), DS, "    dScores[rows, y] = -np.sum(dScores, axis=1)", "    dScores[rows, y] = -np.sum(dScores)"),
    Mistake(("off-by-one-index", "missing-target", "wrong-loss-derivative", None), ("dScores", "dScores[rows, y - 1]"), "    dScores[rows, y] = -np.sum(dScores, axis=1)", "    dScores[rows, y - 1] = -np.sum(dScores, axis=1)"),
    Mistake("integer-dtype", ("dScores", "dScores[:]"), "    dScores = 2 * margins / nSamples\n", "    dScores = np.zeros(scores.shape, dtype=int)\n    dScores[:] = 2 * margins / nSamples\n"),
    Mistake(("input-mutated", "aliasing"), ("M", "M[-1]", "regLoss", "withoutBias"), "    M = Theta.copy()\n", "    M = Theta\n"),
    Mistake(("regulariser-forgotten", "missing-branch"), "gradTheta2", "gradTheta2 = aHidOnes.T @ dScores + lam * withoutBias(Theta2)", "gradTheta2 = aHidOnes.T @ dScores"),
    Mistake("regulariser-scale", "gradTheta1", "gradTheta1 = aIn.T @ dzHid + lam * withoutBias(Theta1)", "gradTheta1 = aIn.T @ dzHid + lam / nSamples * withoutBias(Theta1)"),
    Mistake(("regulariser-on-wrong-parameter", "regulariser-scale", None), "gradTheta2", "gradTheta2 = aHidOnes.T @ dScores + lam * withoutBias(Theta2)", "gradTheta2 = aHidOnes.T @ dScores + lam * Theta2"),
    Mistake(("off-by-one-index", "wrong-tensor-in-delta", None), "dHid", "dScores @ Theta2[:-1].T", "dScores @ Theta2[1:].T"),
    Mistake(("off-by-one-index", "wrong-tensor-in-delta", "activation-derivative-of-wrong-layer", None), "dzHid", "dHid * aHid * (1 - aHid)", "dHid * aHidOnes[:, 1:] * (1 - aHidOnes[:, 1:])"),
    Mistake("missing-activation-derivative", "dzHid", "dHid * aHid * (1 - aHid)", "dHid"),
    Mistake("output-form-on-preactivation", "dzHid", "dHid * aHid * (1 - aHid)", "dHid * zHid * (1 - zHid)"),
    Mistake("activation-derivative-at-activation", "dzHid", "dHid * aHid * (1 - aHid)", "dHid * sigmoid(aHid) * (1 - sigmoid(aHid))"),
    Mistake(("updated-weights", "input-mutated"), ("dHid", "Theta2"), "    dHid = dScores", "    Theta2 -= 0.3 * gradTheta2\n    dHid = dScores"),
    Mistake("wrong-tensor-in-weight-gradient", "gradTheta2", "gradTheta2 = aHidOnes.T @ dScores", "gradTheta2 = addOnes(zHid).T @ dScores"),
    Mistake("factor-2", ("dScores", "dataLoss", "J"), "dataLoss = np.sum(margins ** 2) / nSamples", "dataLoss = 0.5 * np.sum(margins ** 2) / nSamples"),
]
