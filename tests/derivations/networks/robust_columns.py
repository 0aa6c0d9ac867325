"""Huber regression with one hidden layer; biases are a column of ones, inputs standardised, the penalty spares them."""

import numpy as np


def with_ones(M):
    return np.hstack([np.ones((len(M), 1)), M])


def huber(r, d):
    return np.where(np.abs(r) <= d, 0.5 * r ** 2, d * (np.abs(r) - 0.5 * d))


def huber_slope(r, d):
    return np.clip(r, -d, d)


def objective(A, B, X, Y, d=0.8, lam=0.2, leak=0.1):
    N = len(X)
    mean, spread = X.mean(axis=0), X.std(axis=0)
    Xb = with_ones((X - mean) / spread)
    Z = Xb @ A
    G = np.where(Z > 0, Z, leak * Z)
    Gb = with_ones(G)
    R = Gb @ B - Y
    fit = huber(R, d).sum() / N
    penalty = lam * (np.sum(A[1:] ** 2) + np.sum(B[1:] ** 2))
    value = fit + penalty

    dR = huber_slope(R, d) / N
    dB = Gb.T @ dR
    dB[1:] += 2 * lam * B[1:]
    dG = (dR @ B.T)[:, 1:]
    dZ = dG * np.where(Z > 0, 1, leak)
    dA = Xb.T @ dZ
    dA[1:] += 2 * lam * A[1:]
    return value, (dA, dB)


# Cases
from tests.derivations.planting import Mistake, Right
from tests.derivations.truth import call


def problem(user, rng):
    N, D, H, K = 7, 3, 5, 2
    return call(
        user.objective, rng.normal(size=(D + 1, H)), rng.normal(size=(H + 1, K)),
        rng.uniform(2, 9, size=(N, D)), rng.normal(size=(N, K)), wrt=("A", "B"),
    )  # fmt: skip


HUBER = "    return np.where(np.abs(r) <= d, 0.5 * r ** 2, d * (np.abs(r) - 0.5 * d))\n"

RIGHT = [
    Right("    return np.clip(r, -d, d)\n", "    return np.where(np.abs(r) <= d, r, d * np.sign(r))\n"),
    Right("    G = np.where(Z > 0, Z, leak * Z)\n", "    Z[Z < 0] *= leak   # the sign stays\n    G = Z\n"),
    Right("    dA[1:] += 2 * lam * A[1:]\n", "    no_bias = np.ones_like(A)\n    no_bias[0] = 0\n    dA = dA + 2 * lam * no_bias * A\n"),
    Right("    dG = (dR @ B.T)[:, 1:]\n    dZ = dG * np.where(Z > 0, 1, leak)\n", "    dG = dR @ B.T\n    dZ = (dG * np.where(with_ones(Z) > 0, 1, leak))[:, 1:]\n"),
    Right("dR = huber_slope(R, d) / N", "dR = -huber_slope(-R, d) / N"),
    Right("np.where(Z > 0, Z, leak * Z)", "np.maximum(leak * Z, Z)"),
]

MISTAKES = [
    Mistake("off-by-one-index", "dG", "(dR @ B.T)[:, 1:]", "(dR @ B.T)[:, :-1]"),
    Mistake(("regulariser-on-wrong-parameter", "off-by-one-index"), ("dA", "dA[:-1]"), "dA[1:] += 2 * lam * A[1:]", "dA[:-1] += 2 * lam * A[:-1]"),
    Mistake("regulariser-on-wrong-parameter", "dB", "dB[1:] += 2 * lam * B[1:]", "dB += 2 * lam * B"),
    Mistake("regulariser-scale", ("dB", "dB[1:]"), "dB[1:] += 2 * lam * B[1:]", "dB[1:] += lam * B[1:]"),
    Mistake(("regulariser-scale", "sign"), ("dA", "dA[1:]"), "dA[1:] += 2 * lam * A[1:]", "dA[1:] -= 2 * lam * A[1:]"),
    Mistake("regulariser-forgotten", "dA", "    dA[1:] += 2 * lam * A[1:]\n", "", fix=False),
    Mistake("relu-mask-from-wrong-tensor", "dZ", "np.where(Z > 0, 1, leak)", "np.where(dG > 0, 1, leak)"),
    Mistake("relu-mask-inverted", "dZ", "np.where(Z > 0, 1, leak)", "np.where(Z > 0, leak, 1)"),
    Mistake("derivative-of-another-activation", "dZ", "np.where(Z > 0, 1, leak)", "np.where(Z > 0, 1, 0)"),
    Mistake("wrong-loss-derivative", ("huber_slope", "dR", "return"), "return np.clip(r, -d, d)", "return d * np.sign(r)"),
    Mistake("wrong-loss-derivative", ("huber_slope", "dR", "return"), "return np.clip(r, -d, d)", "return np.clip(r, -1, 1)"),
    Mistake("wrong-loss-derivative", ("dR",), "dR = huber_slope(R, d) / N", "dR = R / N"),
    Mistake(("ddof", "forward-differs", "wrong-tensor-in-weight-gradient"), "dA", "dA = Xb.T @ dZ", "dA = with_ones((X - mean) / X.std(axis=0, ddof=1)).T @ dZ"),
    Mistake(("wrong-tensor-in-weight-gradient", "forward-differs"), "dA", "dA = Xb.T @ dZ", "dA = with_ones(X).T @ dZ"),
    Mistake("wrong-tensor-in-weight-gradient", "dB", "dB = Gb.T @ dR", "dB = with_ones(Z).T @ dR"),
    Mistake(
        ("input-mutated", "aliasing"), ("huber", "R", "r[big]", "r[~big]", "fit", "dR"), HUBER,
        "    big = np.abs(r) > d\n    r[big] = d * (np.abs(r[big]) - 0.5 * d)\n    r[~big] = 0.5 * r[~big] ** 2\n    return r\n", fix=False,
    ),
    Mistake("factor-K", ("dR", "fit", "value"), "fit = huber(R, d).sum() / N", "fit = huber(R, d).mean()"),
    Mistake(("sign", "wrong-loss-derivative"), ("R", "dR"), "R = Gb @ B - Y", "R = Y - Gb @ B"),
    Mistake(("wrong-shape", None), ("return", "dA"), "    return value, (dA, dB)\n", "    return value, (dA[1:], dB)\n"),
]
