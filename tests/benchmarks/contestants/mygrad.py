"""MyGrad, with the sigmoid of its mygrad.nnet and memory guarding on, as it ships."""

import mygrad as mg
from mygrad.nnet.activations import sigmoid

from tests.benchmarks.workloads import Array, Problem


class MyGrad:
    def __init__(self, problem: Problem) -> None:
        self.X, self.y = mg.tensor(problem.X, constant=True), problem.y
        self.W = [mg.tensor(W) for W in problem.weights]
        self.rate = problem.rate

    def step(self) -> mg.Tensor:
        a = self.X
        for W in self.W:
            a = sigmoid(a @ W)
        loss = ((a - self.y) ** 2).sum() / 2

        loss.backward()
        for W in self.W:
            W.data -= self.rate * W.grad
        return loss

    def weights(self) -> list[Array]:
        return [W.data for W in self.W]
