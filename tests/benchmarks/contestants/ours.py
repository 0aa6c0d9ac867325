"""Ours, in three styles: nn.TrainStep, the same loop written out, and the seed's own formulas."""

import numpy as np

import autodiff as ad
import nn
from tests.benchmarks.workloads import Array, Problem, Real


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


class CompiledNumPy(_Network):
    backend = "numpy"

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem)
        self.train_step = nn.TrainStep(self.model, nn.squared_error, self.optimizer, compile=self.backend)

    def step(self) -> object:
        return self.train_step(self.X, self.y)


class CompiledNumba(CompiledNumPy):
    backend = "numba"


class NumbaLoop(CompiledNumba):
    def steps(self, n: int) -> None:
        self.train_step.run(self.X, self.y, n)

    def step(self) -> None:
        self.steps(1)


class RealNet:
    """mnist-real: shuffled minibatches of a network with biases, relu, softmax cross-entropy and Adam."""

    backend: str | None = None

    def __init__(self, problem: Real) -> None:
        self.X, self.labels, self.order, parameters = problem
        self.t = 0
        self.model = nn.MLP([784, 256, 10], activation="relu", dtype=np.float32)
        for parameter, value in zip(self.model.parameters(), parameters, strict=True):
            parameter.data = value
        optimizer = nn.Adam(self.model.parameters())
        self.train_step = nn.TrainStep(self.model, nn.cross_entropy, optimizer, compile=self.backend)

    def step(self) -> None:
        rows = self.order[self.t % len(self.order)]
        self.t += 1
        self.train_step(self.X[rows], self.labels[rows])

    def weights(self) -> list[Array]:
        return [parameter.numpy() for parameter in self.model.parameters()]


class RealNumPy(RealNet):
    backend = "numpy"


class RealNumba(RealNet):
    backend = "numba"


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
