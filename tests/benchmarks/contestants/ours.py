"""Ours, in three styles: nn.TrainStep, the same loop written out, and the seed's own formulas."""

import numpy as np

import autodiff as ad
import nn
from tests.benchmarks.workloads import Array, Problem


class _Network:
    """The network through the `nn` API, set to the problem's first weights."""

    def __init__(self, problem: Problem) -> None:
        self.X, self.y, weights, rate = problem
        sizes = [self.X.shape[1], *(W.shape[1] for W in weights)]
        self.model = nn.MLP(sizes, activation="sigmoid", output="sigmoid", bias=False, dtype=self.X.dtype)
        for parameter, W in zip(self.model.parameters(), weights, strict=True):
            parameter.data = W
        self.optimizer = nn.SGD(self.model.parameters(), lr=rate)

    def weights(self) -> list[Array]:
        return [parameter.numpy() for parameter in self.model.parameters()]

    @staticmethod
    def scalar(value: float) -> ad.Tensor:
        return ad.Tensor(value)


class TrainStep(_Network):
    def __init__(self, problem: Problem) -> None:
        super().__init__(problem)
        self.train_step = nn.TrainStep(self.model, nn.squared_error, self.optimizer)

    def step(self) -> object:
        return self.train_step(self.X, self.y)


class Loop(_Network):
    def step(self) -> ad.Tensor:
        loss = nn.squared_error(self.model(self.X), self.y)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss


class SeedStyle:
    """As the seed's notebook writes it, with plain arrays X and y."""

    def __init__(self, problem: Problem) -> None:
        self.X, self.y, weights, self.rate = problem
        self.W = [ad.Tensor(W) for W in weights]

    def step(self) -> ad.Tensor:
        a = self.X
        for W in self.W:
            z = np.dot(a, W)
            a = 1 / (1 + np.exp(-z))
        loss = (np.power(self.y - a, 2) / 2).sum()

        for W in self.W:
            W.zero_grad()
        loss.backward()
        with ad.no_grad():
            for W in self.W:
                W -= self.rate * W.grad
        return loss

    def weights(self) -> list[Array]:
        return [W.numpy() for W in self.W]
