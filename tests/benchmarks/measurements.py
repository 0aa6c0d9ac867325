"""What is measured: medians over rounds in which the contestants alternate, so that a busy machine is busy for all."""

import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from statistics import median
from typing import NamedTuple

import numpy as np

from tests.benchmarks.worker import ROOT, Worker, environment
from tests.benchmarks.workloads import WIDE, Array, Workload

CHAIN = 100_000  # operations
MEMORY_ROUNDS, CHAIN_ROUNDS, IMPORT_ROUNDS = 3, 7, 15

FIRST_BACKWARD = """
import numpy as np
from time import perf_counter
start = perf_counter()
import autodiff as ad
W1, W2 = ad.Tensor(np.ones((2, 4))), ad.Tensor(np.ones((4, 1)))
a = 1 / (1 + np.exp(-np.dot(np.ones((3, 2)), W1)))
(np.power(1 - 1 / (1 + np.exp(-np.dot(a, W2))), 2) / 2).sum().backward()
print(perf_counter() - start)
"""


class Race(NamedTuple):
    """By contestant: seconds a step, and how far its weights end from the last contestant's."""

    medians: dict[str, float]
    apart: dict[str, float]


@contextmanager
def workers(contestants: Iterable[str]) -> Iterator[list[Worker]]:
    with ExitStack() as stack:
        yield [stack.enter_context(Worker(name)) for name in contestants]


def race(contestants: Sequence[str], workload: Workload, rounds: int, clock: str) -> Race:
    """In fresh processes, because what a process has allocated before changes the speed of large arrays."""
    with workers(contestants) as runners:
        for runner in runners:
            runner.call("age")
            runner.call("build", workload)
        medians = _alternate(runners, rounds, "time", workload.steps, clock)
        weights = {runner.contestant: runner.call("weights") for runner in runners}
    reference = weights[contestants[-1]]
    return Race(medians, {name: _apart(each, reference) for name, each in weights.items()})


def race_real(contestants: Sequence[str], rounds: int, clock: str, steps: int = 12) -> Race:
    """The same, of mnist-real."""
    with workers(contestants) as runners:
        for runner in runners:
            runner.call("age")
            runner.call("build_real")
        medians = _alternate(runners, rounds, "time", steps, clock)
        weights = {runner.contestant: runner.call("weights") for runner in runners}
    return Race(medians, {name: _apart(each, weights[contestants[-1]]) for name, each in weights.items()})


def peak_growth(contestant: str) -> float:
    """Bytes over three steps; fresh processes differ, because glibc's heap leaves other gaps in each."""
    with workers([contestant] * MEMORY_ROUNDS) as runners:
        return median(runner.call("peak_growth", WIDE, 3) for runner in runners)


def chain_times(contestants: Iterable[str]) -> dict[str, float]:
    with workers(contestants) as runners:
        return _alternate(runners, CHAIN_ROUNDS, "chain_time", CHAIN)


def chain_bytes(contestant: str) -> tuple[float, float]:
    """Bytes an operation at the peak, and those left afterwards."""
    with Worker(contestant) as worker:
        return worker.call("chain_bytes", CHAIN)


def import_time() -> float:
    """Seconds that fresh processes take after `import numpy`; the first one only compiles to bytecode."""
    with tempfile.TemporaryDirectory() as cache:
        env = environment() | {"PYTHONPYCACHEPREFIX": cache}
        env.pop("PYTHONDONTWRITEBYTECODE", None)
        command = [sys.executable, "-c", FIRST_BACKWARD]
        times = [float(subprocess.check_output(command, cwd=ROOT, env=env)) for _ in range(1 + IMPORT_ROUNDS)]
    return median(times[1:])


def _alternate(runners: Sequence[Worker], rounds: int, method: str, *args: object) -> dict[str, float]:
    """The median of what each runner's method returns, one at a time."""
    samples: dict[str, list[float]] = {runner.contestant: [] for runner in runners}
    for _ in range(rounds):
        for runner in runners:
            samples[runner.contestant].append(runner.call(method, *args))
    return {contestant: median(values) for contestant, values in samples.items()}


def _apart(weights: list[Array], reference: list[Array]) -> float:
    """The largest difference between weights, relative to the largest weight of the layer; nan stays nan."""
    assert [(W.shape, W.dtype) for W in weights] == [(R.shape, R.dtype) for R in reference]
    return float(np.max([np.max(abs(W - R)) / np.max(abs(R)) for W, R in zip(weights, reference, strict=True)]))
