"""A loop of any length takes the memory of one step: without the garbage collector, nothing is left behind.

`pytest tests/engine/test_memory.py --exhaustive` takes 100,000 steps instead of 1,000.
"""

import contextlib
import gc
import os
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings

import autodiff as ad
import nn

STEPS = 100_000 if settings().max_examples > 1000 else 1_000  # of training; a tenth of loops that do more in a step
WARM_UP = 100  # steps in which functions are generated and caches filled
SLACK, RESIDENT = 100_000, 4_000_000  # bytes: a step takes 10,000 and more; NumPy, Python and the allocator keep some

RNG = np.random.default_rng(0)
X, Y = RNG.standard_normal((16, 4)), RNG.standard_normal((16, 2))


def network(W, V, x=X, y=Y):
    return np.mean((np.tanh(x @ W) @ V - y) ** 2)


def leaves():
    return ad.Tensor(RNG.standard_normal((4, 8))), ad.Tensor(RNG.standard_normal((8, 2)))


def written_out():
    W, V = leaves()

    def step():
        network(W, V).backward()
        with ad.no_grad():
            for w in (W, V):
                w -= 0.01 * w.grad
                w.zero_grad()

    return step


def by_data():
    W, V = leaves()

    def step():
        network(W, V).backward()
        for w in (W, V):
            w.data -= 0.01 * w.grad
            w.grad = None

    return step


def module():
    model = nn.MLP([4, 8, 2], rng=0)
    step = nn.TrainStep(model, "mse", nn.Adam(model.parameters(), lr=0.01))
    return lambda: step(X, Y)


def views_and_writes():
    W, V = leaves()
    rows = W.T[1:]

    def step():
        z = np.tanh(X @ W)
        part = z[:, 1:]
        part *= 0.5
        z[z > 0.3] = 0.3
        z[0] += z[1]
        np.sum(network(W, V) + np.sum(z * z) * 0.01 + np.sum(rows**2) * 0.01 + np.sum(part)).backward()
        with ad.no_grad():
            rows[0] *= 0.99
            np.subtract(W, 0.01 * W.grad, out=W)
        W.zero_grad()
        V.zero_grad()

    return step


def transforms():
    W, V = (w.numpy() for w in leaves())
    per_sample = ad.vmap(ad.grad(network, (0, 1)), (None, None, 0, 0))

    def step():
        nonlocal W, V
        W, V = (w - 0.01 * np.mean(g, axis=0) for w, g in zip((W, V), per_sample(W, V, X[:4], Y[:4]), strict=True))
        ad.hvp(lambda w: network(w, V), (W,), (W,))
        ad.grad(ad.checkpoint(lambda w: network(w, V)))(W)

    return step


def watched():
    W, V = leaves()

    def step():
        with ad.anomaly():
            remove = W.on_gradient(lambda g: g * 0.5)
            ad.gradients(np.linalg.norm(np.add.reduce(W, 0)) + network(W, V), [W], record=True)
            remove()
        with contextlib.suppress(ValueError):
            W @ W

    return step


@pytest.mark.parametrize("loop", [written_out, by_data, module, views_and_writes, transforms, watched])
def test_a_loop_does_not_grow(loop):
    step = loop()
    steps = STEPS if loop in (written_out, by_data, module) else STEPS // 10
    gc.disable()
    tracemalloc.start()
    try:
        for _ in range(WARM_UP):
            step()
        gc.collect()  # also Python's lists of free objects
        traced, resident = tracemalloc.get_traced_memory()[0], resident_memory()
        for _ in range(steps):
            step()
        assert resident_memory() - resident < RESIDENT
        assert gc.collect() == 0
        assert tracemalloc.get_traced_memory()[0] - traced < SLACK
    finally:
        tracemalloc.stop()
        gc.enable()


def resident_memory():
    """In bytes, where the system tells."""
    statm = Path("/proc/self/statm")
    return int(statm.read_text().split()[1]) * os.sysconf("SC_PAGESIZE") if statm.exists() else 0
