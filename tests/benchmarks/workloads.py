"""The networks, their data and their first weights."""

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]


class Problem(NamedTuple):
    """What every contestant starts from, alike to the bit."""

    X: Array
    y: Array
    weights: list[Array]
    rate: float


class Real(NamedTuple):
    """A network with biases, and the rows of each minibatch; parameters in the order W1, b1, W2, b2."""

    X: Array
    labels: NDArray[np.integer]
    order: NDArray[np.integer]
    parameters: list[Array]


def real() -> Real:
    """784-256-10, relu, softmax cross-entropy, Adam, minibatches of 128 of 4096 samples."""
    rng = np.random.default_rng(0)
    X, labels = rng.random((4096, 784), np.float32), rng.integers(0, 10, 4096)
    order = np.concatenate([rng.permutation(4096).reshape(-1, 128) for _ in range(8)])
    W1, W2 = (rng.uniform(-b, b, s).astype(np.float32) for b, s in ((0.036, (784, 256)), (0.0625, (256, 10))))
    return Real(X, labels, order, [W1, np.zeros(256, np.float32), W2, np.zeros(10, np.float32)])


@dataclass(frozen=True)
class Workload:
    """A sigmoid MLP without biases; `steps` of them make a round of a few dozen milliseconds for the slowest."""

    name: str
    batch: int
    sizes: tuple[int, ...]
    dtype: str = "float32"
    steps: int = 1

    def problem(self) -> Problem:
        """Random data, and Glorot's weights for sigmoid, under which deep layers learn too."""
        rng = np.random.default_rng(0)

        def uniform(low: float, high: float, *shape: int) -> Array:
            """Written in place, so that no memory freed here hides what training takes."""
            array = rng.random(shape, dtype=np.dtype(self.dtype))
            array *= high - low
            array += low
            return array

        X, y = uniform(-1, 1, self.batch, self.sizes[0]), uniform(0.1, 0.9, self.batch, self.sizes[-1])
        bounds = [4 * (6 / (n_in + n_out)) ** 0.5 for n_in, n_out in pairwise(self.sizes)]
        weights = [uniform(-b, b, *shape) for b, shape in zip(bounds, pairwise(self.sizes), strict=True)]
        return Problem(X, y, weights, rate=0.1 / self.batch)

    @property
    def tolerance(self) -> float:
        """How far rounding may drive the contestants' weights apart, relative to the largest weight."""
        return 1e-10 if self.dtype == "float64" else 1e-4

    def with_batch(self, batch: int) -> "Workload":
        return replace(self, batch=batch)


WORKLOADS = {
    workload.name: workload
    for workload in (
        Workload("seed", 3, (2, 4, 1), dtype="float64", steps=150),
        Workload("small", 64, (64, 64, 10), steps=100),
        Workload("deep10", 32, (32,) * 11 + (10,), steps=30),
        Workload("mnist", 128, (784, 256, 10), steps=15),
        Workload("big", 256, (1024, 1024, 1024, 10), steps=1),
    )
}

WIDE = Workload("wide", 4096, (512,) * 11)
