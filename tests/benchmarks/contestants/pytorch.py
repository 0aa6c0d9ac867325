"""PyTorch: parameters, torch.sigmoid, mse_loss and optim.SGD, a little faster than nn.Sequential of nn.Linear."""

import torch
from torch.nn.functional import cross_entropy, mse_loss

from tests.benchmarks.workloads import Array, Problem, Real

torch.set_num_threads(1)


class PyTorch:
    def __init__(self, problem: Problem) -> None:
        self.X, self.y = torch.from_numpy(problem.X), torch.from_numpy(problem.y)
        self.W = [torch.tensor(W, requires_grad=True) for W in problem.weights]
        self.optimizer = torch.optim.SGD(self.W, lr=problem.rate)

    def step(self) -> torch.Tensor:
        a = self.X
        for W in self.W:
            a = self.sigmoid(a @ W)
        loss = mse_loss(a, self.y, reduction="sum") / 2

        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss

    @staticmethod
    def sigmoid(z: torch.Tensor) -> torch.Tensor:
        return torch.sigmoid(z)

    def weights(self) -> list[Array]:
        return [W.detach().numpy() for W in self.W]

    @staticmethod
    def scalar(value: float) -> torch.Tensor:
        return torch.tensor(value, dtype=torch.float64, requires_grad=True)


class Compiled(PyTorch):
    """The forward and backward pass as torch.compile makes them, and optim.SGD."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem)
        self.loss = torch.compile(self.forward)

    def forward(self, W: list[torch.Tensor]) -> torch.Tensor:
        a = self.X
        for each in W:
            a = torch.sigmoid(a @ each)
        return mse_loss(a, self.y, reduction="sum") / 2

    def step(self) -> torch.Tensor:
        loss = self.loss(self.W)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss


class RealNet:
    """mnist-real: shuffled minibatches of a network with biases, relu, softmax cross-entropy and Adam."""

    def __init__(self, problem: Real) -> None:
        self.X, self.labels = torch.from_numpy(problem.X), torch.from_numpy(problem.labels)
        self.order, self.t = torch.from_numpy(problem.order), 0
        self.parameters = [torch.tensor(p, requires_grad=True) for p in problem.parameters]
        self.optimizer = torch.optim.Adam(self.parameters)

    def step(self) -> None:
        rows = self.order[self.t % len(self.order)]
        self.t += 1
        W1, b1, W2, b2 = self.parameters
        logits = torch.relu(torch.addmm(b1, self.X[rows], W1)).matmul(W2) + b2
        loss = cross_entropy(logits, self.labels[rows])
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()

    def weights(self) -> list[Array]:
        return [p.detach().numpy() for p in self.parameters]


class SeedStyle(PyTorch):
    """With the sigmoid written out, which keeps more arrays for the backward pass."""

    @staticmethod
    def sigmoid(z: torch.Tensor) -> torch.Tensor:
        return 1 / (1 + torch.exp(-z))
