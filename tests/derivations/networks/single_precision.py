"""In float32: a hidden layer standardised over the batch, tanh, mean of the summed squares."""

import numpy as np

EPS = np.float32(0.2)


def batch_loss(W, b, V, c, X, T):
    n = np.float32(X.shape[0])
    A = X @ W
    centred = A - A.mean(axis=0)
    var = (centred * centred).sum(axis=0) / n
    sd = np.sqrt(var + EPS)
    S = centred / sd
    H = np.tanh(S + b)
    E = H @ V + c - T
    loss = (E * E).sum() / n

    # E is (n, K)
    dO = 2 * E / n
    dV = H.T @ dO
    dc = dO.sum(axis=0)
    dH = dO @ V.T
    dS = dH * (1 - H * H)
    db = dS.sum(axis=0)
    # through the standardisation
    dsd = -(dS * centred).sum(axis=0) / (sd * sd)
    dvar = dsd / (2 * sd)
    dcentred = dS / sd + 2 * centred * dvar / n
    dA = dcentred - dcentred.mean(axis=0)
    dW = X.T @ dA
    return loss, (dW, db, dV, dc)


# Cases
from tests.derivations.planting import Mistake, Right
from tests.derivations.truth import call

FLOAT32 = True


def problem(user, rng):
    n, D, H, K = 7, 3, 5, 2
    arrays = [rng.normal(size=shape).astype("f4") for shape in ((D, H), H, (H, K), K, (n, D), (n, K))]
    return call(user.batch_loss, *arrays, wrt=("W", "b", "V", "c"))


SHORT = """    dsd = -(dS * centred).sum(axis=0) / (sd * sd)
    dvar = dsd / (2 * sd)
    dcentred = dS / sd + 2 * centred * dvar / n
    dA = dcentred - dcentred.mean(axis=0)
"""

RIGHT = [
    Right(SHORT, "    dA = (dS - dS.mean(axis=0) - S * (dS * S).mean(axis=0)) / sd\n"),
    Right("    dO = 2 * E / n\n", "    dO = E * np.float32(2 / 7)\n"),
    Right("    dS = dH * (1 - H * H)\n", "    dS = dH - dH * H ** 2\n"),
    Right("    dW = X.T @ dA\n", "    dW = X.T @ dcentred - np.outer(X.sum(axis=0), dcentred.mean(axis=0))\n"),
    Right("dvar = dsd / (2 * sd)", "dvar = np.float32(0.5) * (var + EPS) ** np.float32(-0.5) * dsd"),
]

MISTAKES = [
    Mistake("ddof", ("var", "dcentred", "dW"), "(centred * centred).sum(axis=0) / n\n", "(centred * centred).sum(axis=0) / (n - 1)\n"),
    Mistake(("epsilon-ignored", None), "dvar", "dvar = dsd / (2 * sd)", "dvar = dsd / (2 * np.sqrt(var))"),
    Mistake(("epsilon-ignored", None), "dcentred", "dcentred = dS / sd +", "dcentred = dS / np.sqrt(var) +"),
    Mistake("missing-branch", "dA", "dA = dcentred - dcentred.mean(axis=0)", "dA = dcentred"),
    Mistake(("missing-branch", "detached-branch"), "dcentred", "dcentred = dS / sd + 2 * centred * dvar / n", "dcentred = dS / sd"),
    Mistake(("skipped-layer", "wrong-tensor-in-weight-gradient"), "dW", "dW = X.T @ dA", "dW = X.T @ dS"),
    Mistake("matmul-for-elementwise", "dvar", "dvar = dsd / (2 * sd)", "dvar = np.dot(dsd, 1 / (2 * sd))"),
    Mistake(("reduced-too-early", "accidental-broadcast"), "dsd", "-(dS * centred).sum(axis=0) / (sd * sd)", "-(dS * centred).sum() / (sd * sd)"),
    Mistake("sign", "dsd", "dsd = -(dS", "dsd = (dS"),
    Mistake(("sign", None), "dA", "dcentred - dcentred.mean(axis=0)", "dcentred + dcentred.mean(axis=0)"),
    Mistake("factor-half", "dO", "dO = 2 * E / n", "dO = E / n"),
    Mistake("factor-2", ("loss", "dO"), "loss = (E * E).sum() / n", "loss = (E * E).sum() / (2 * n)"),
    Mistake("factor-N", "dO", "dO = 2 * E / n", "dO = 2 * E"),
    Mistake("factor-1/N", "db", "db = dS.sum(axis=0)", "db = dS.mean(axis=0)"),
    Mistake("wrong-tensor-in-delta", "dH", "dH = dO @ V.T", "dH = 2 * T / n @ V.T"),
    Mistake("wrong-tensor-in-weight-gradient", "dV", "dV = H.T @ dO", "dV = S.T @ dO"),
    Mistake("derivative-of-another-activation", "dS", "(1 - H * H)", "H * (1 - H)"),
    Mistake("wrong-local-derivative", "dS", "(1 - H * H)", "(1 - H)"),
    Mistake("activation-derivative-at-activation", "dS", "(1 - H * H)", "(1 - np.tanh(H) ** 2)"),
    Mistake("bias-wrong-axis", "dc", "dc = dO.sum(axis=0)", "dc = dO.sum(axis=1)"),
]
