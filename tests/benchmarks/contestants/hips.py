"""HIPS autograd: a loss in autograd.numpy and value_and_grad. It has no sigmoid of its own."""

import autograd.numpy as np
from autograd import value_and_grad

from tests.benchmarks.workloads import Array, Problem


class Hips:
    def __init__(self, problem: Problem) -> None:
        self.X, self.y, self.W, self.rate = problem
        self.loss_and_gradients = value_and_grad(self.loss)

    def loss(self, weights: list[Array]) -> float:
        a = self.X
        for W in weights:
            a = 1 / (1 + np.exp(-np.dot(a, W)))
        return np.sum((a - self.y) ** 2) / 2

    def step(self) -> float:
        loss, gradients = self.loss_and_gradients(self.W)
        for W, gradient in zip(self.W, gradients, strict=True):
            W -= self.rate * gradient
        return loss

    def weights(self) -> list[Array]:
        return self.W
