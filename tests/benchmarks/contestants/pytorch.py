"""PyTorch: parameters, torch.sigmoid, mse_loss and optim.SGD, a little faster than nn.Sequential of nn.Linear."""

import torch
from torch.nn.functional import mse_loss

from tests.benchmarks.workloads import Array, Problem

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


class SeedStyle(PyTorch):
    """With the sigmoid written out, which keeps more arrays for the backward pass."""

    @staticmethod
    def sigmoid(z: torch.Tensor) -> torch.Tensor:
        return 1 / (1 + torch.exp(-z))
