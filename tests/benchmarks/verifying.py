"""How long a verdict takes: `python -m tests.benchmarks.verifying`, on a quiet machine."""

import time

import numpy as np

import autodiff as ad
from examples import verify_by_hand as seed

rng = np.random.default_rng(0)
X = rng.random((128, 784))
Y = np.eye(10)[rng.integers(0, 10, 128)]
WEIGHTS = rng.normal(size=(784, 256)) / 28, np.zeros(256), rng.normal(size=(256, 10)) / 16, np.zeros(10)


def digits(W1, b1, W2, b2):
    """784-256-10, with relu and softmax: 203,530 parameters at batch 128."""
    z1 = X @ W1 + b1
    a1 = np.maximum(z1, 0)
    z2 = a1 @ W2 + b2
    e = np.exp(z2 - z2.max(axis=1, keepdims=True))
    p = e / e.sum(axis=1, keepdims=True)
    loss = -np.sum(Y * np.log(p)) / len(X)
    dz2 = (p - Y) / len(X)
    da1 = dz2 @ W2.T
    dz1 = da1 * (z1 > 0)
    return loss, (X.T @ dz1, dz1.sum(axis=0), a1.T @ dz2, dz2.sum(axis=0))


def digits_without_slope(W1, b1, W2, b2):
    z1 = X @ W1 + b1
    a1 = np.maximum(z1, 0)
    z2 = a1 @ W2 + b2
    e = np.exp(z2 - z2.max(axis=1, keepdims=True))
    p = e / e.sum(axis=1, keepdims=True)
    loss = -np.sum(Y * np.log(p)) / len(X)
    dz2 = (p - Y) / len(X)
    dz1 = dz2 @ W2.T
    return loss, (X.T @ dz1, dz1.sum(axis=0), a1.T @ dz2, dz2.sum(axis=0))


SMALL = (seed.w1, seed.w2)
CASES = [  # what, the function, its weights, the verdict, at most so many milliseconds
    ("a verdict on the seed", seed.one_hidden_layer, SMALL, "right", 20),
    ("its forgotten derivative, explained", seed.forgotten, SMALL, "wrong", 300),
    ("its loss that is halved twice, explained", seed.halved_twice, SMALL, "wrong", 300),
    ("200,000 parameters at batch 128, right", digits, WEIGHTS, "right", 3000),
    ("200,000 parameters at batch 128, wrong", digits_without_slope, WEIGHTS, "wrong", 3000),
]


def milliseconds(step, weights, verdict, repeats=5):
    """The median time of a report, after a first one."""
    taken = []
    for _ in range(1 + repeats):
        start = time.perf_counter()
        assert ad.verify(step, *weights).verdict == verdict
        taken.append(1000 * (time.perf_counter() - start))
    return float(np.median(taken[1:]))


def main():
    for what, step, weights, verdict, goal in CASES:
        print(f"{what:42}{milliseconds(step, weights, verdict):8.0f} ms    at most {goal}")


if __name__ == "__main__":
    main()
