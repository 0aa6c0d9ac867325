"""Backpropagation derived by hand, in NumPy, by a good programmer: the floor for everything eager."""

import numpy as np

from tests.benchmarks.workloads import Array, Problem


def sigmoid(z: Array) -> Array:
    """1 / (1 + exp(-z)), written over z."""
    np.negative(z, out=z)
    np.exp(z, out=z)
    z += 1
    return np.reciprocal(z, out=z)


class ByHand:
    def __init__(self, problem: Problem) -> None:
        self.X, self.y, self.W, self.rate = problem

    def step(self) -> float:
        values = [self.X]
        for W in self.W:
            values.append(sigmoid(values[-1].dot(W)))

        delta = values[-1] - self.y
        loss = np.vdot(delta, delta) / 2

        for layer in reversed(range(len(self.W))):
            out = values.pop()
            delta *= out
            delta *= 1 - out
            gradient = values[-1].T.dot(delta)
            if layer > 0:
                delta = delta.dot(self.W[layer].T)
            gradient *= self.rate
            self.W[layer] -= gradient
        return loss

    def weights(self) -> list[Array]:
        return self.W
