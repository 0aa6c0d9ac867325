"""Weights in a frozen dataclass, layers from a generator, an object that is called, a softmax through its Jacobian."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Weights:
    first: np.ndarray
    second: np.ndarray
    third: np.ndarray


def matrices(w):
    yield w.first
    yield w.second
    yield w.third


def act(z):
    return np.arctan(z)


def act_prime(z):
    return 1.0 / (1.0 + z**2)


def jacobian_of_softmax(p):
    """(N, K) -> (N, K, K)"""
    eye = np.eye(p.shape[1])
    return p[:, :, None] * (eye[None] - p[:, None, :])


class Model:
    def __init__(self, inputs, onehot):
        self.inputs = inputs
        self.onehot = onehot

    def __call__(self, w):
        signals, sums = [self.inputs], []
        for m in matrices(w):
            padded = np.hstack([signals[-1], np.ones((len(signals[-1]), 1))])
            signals[-1] = padded
            sums.append(padded @ m)
            signals.append(act(sums[-1]))
        logits = sums[-1]
        p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
        value = ((p - self.onehot) ** 2).sum() / len(p)

        dp = 2 * (p - self.onehot) / len(p)
        dlogits = np.einsum("nk,nkl->nl", dp, jacobian_of_softmax(p))
        d_third = signals[2].T @ dlogits
        back = dlogits @ w.third[:-1].T
        d2 = back * act_prime(sums[1])
        d_second = signals[1].T @ d2
        back = d2 @ w.second[:-1].T
        d1 = back * act_prime(sums[0])
        d_first = signals[0].T @ d1
        return value, (Weights(d_first, d_second, d_third),)


# Cases
from tests.derivations.planting import Mistake, Right
from tests.derivations.truth import call


def problem(user, rng):
    N, sizes = 11, (2, 5, 7, 3)
    w = user.Weights(*(rng.normal(size=(n + 1, m)) for n, m in zip(sizes, sizes[1:])))
    return call(user.Model(rng.normal(size=(N, 2)), np.eye(3)[rng.integers(0, 3, N)]), w)


import numpy as np

RIGHT = [
    Right('dlogits = np.einsum("nk,nkl->nl", dp, jacobian_of_softmax(p))', "dlogits = p * (dp - (dp * p).sum(1)[:, None])"),
    Right("    eye = np.eye(p.shape[1])\n    return p[:, :, None] * (eye[None] - p[:, None, :])", "    return np.array([np.diag(row) - np.outer(row, row) for row in p])"),
    Right("d2 = back * act_prime(sums[1])", "d2 = back * np.cos(signals[2][:, :-1])**2"),
    Right("        back = dlogits @ w.third[:-1].T\n", "        back = (dlogits @ w.third.T)[:, :-1]\n"),
]

MISTAKES = [
    Mistake("softmax-diagonal-only", "dlogits", 'np.einsum("nk,nkl->nl", dp, jacobian_of_softmax(p))', "dp * p * (1 - p)"),
    Mistake("wrong-loss-derivative", ("dlogits", "dp"), 'np.einsum("nk,nkl->nl", dp, jacobian_of_softmax(p))', "(p - self.onehot) / len(p)"),
    Mistake(("missing-activation-derivative", "skipped-layer"), "dlogits", 'np.einsum("nk,nkl->nl", dp, jacobian_of_softmax(p))', "dp"),
    Mistake("softmax-wrong-axis", ("p", "dp", "dlogits"), "np.exp(logits) / np.exp(logits).sum(1, keepdims=True)\n        value = ((p - self.onehot) ** 2).sum() / len(p)", "np.exp(logits) / np.exp(logits).sum(0, keepdims=True)\n        q = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)\n        value = ((q - self.onehot) ** 2).sum() / len(p)"),
    Mistake("factor-half", ("dp", "value"), "dp = 2 * (p - self.onehot)", "dp = (p - self.onehot)"),
    Mistake("factor-N", ("dp", "value"), "dp = 2 * (p - self.onehot) / len(p)", "dp = 2 * (p - self.onehot)"),
    Mistake("factor-1/N", "d_second", "d_second = signals[1].T @ d2", "d_second = signals[1].T @ d2 / len(p)"),
    Mistake("missing-target", "dp", "dp = 2 * (p - self.onehot) / len(p)", "dp = 2 * p / len(p)"),
    Mistake("missing-activation-derivative", "d2", "d2 = back * act_prime(sums[1])", "d2 = back"),
    Mistake("activation-derivative-at-activation", "d1", "act_prime(sums[0])", "act_prime(signals[1][:, :-1])"),
    Mistake("activation-derivative-twice", "d1", "d1 = back * act_prime(sums[0])", "d1 = back * act_prime(sums[0])**2"),
    Mistake(("derivative-of-another-activation", "wrong-local-derivative", None), ("d2", "act_prime"), "return 1.0 / (1.0 + z**2)", "return 1.0 / np.sqrt(1.0 + z**2)"),
    Mistake(("wrong-local-derivative", None), ("d2", "act_prime"), "return 1.0 / (1.0 + z**2)", "return 1.0 / (1.0 + z)**2"),
    Mistake(("off-by-one-index", None), "back", "back = dlogits @ w.third[:-1].T", "back = dlogits @ w.third[1:].T"),
    Mistake(("off-by-one-index", None), "back", "back = d2 @ w.second[:-1].T", "back = d2 @ w.second[1:].T"),
    Mistake(("wrong-tensor-in-weight-gradient", "off-by-one-index", None), "d_third", "signals[2].T @ dlogits", "np.hstack([sums[1], np.ones((len(p), 1))]).T @ dlogits"),
    Mistake("wrong-tensor-in-delta", "d_first", "d_first = signals[0].T @ d1", "d_first = signals[0].T @ back"),
    Mistake("sign", "d_third", "d_third = signals[2].T @ dlogits", "d_third = -signals[2].T @ dlogits"),
]
