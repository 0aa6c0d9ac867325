"""A process with one contestant in it, and its parent's end of the pipe. It works only while it is asked."""

import gc
import os
import pickle
import subprocess
import sys
import traceback
import tracemalloc
from pathlib import Path
from time import perf_counter, process_time
from typing import Any, BinaryIO

import numpy as np

from tests.benchmarks.contestants import CONTESTANTS
from tests.benchmarks.workloads import Array, Workload, real

PINNED = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")  # some machines pin old kernels with these
THREADS = (
    "OPENBLAS_NUM_THREADS",
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NPROC",
)  # fmt: skip; the last one is what JAX asks

CLOCKS = {"wall": perf_counter, "cpu": process_time}

ROOT = Path(__file__).parents[2]


def environment() -> dict[str, str]:
    """One thread, and the kernels that the BLAS itself chooses for this machine."""
    return {k: v for k, v in os.environ.items() if k not in PINNED} | dict.fromkeys(THREADS, "1")


class Worker:
    """The parent's end: `worker.call("time", 10)` is `Bench.time(10)` over there."""

    def __init__(self, contestant: str) -> None:
        self.contestant = contestant
        self.process = subprocess.Popen(
            [sys.executable, "-m", __name__, contestant],
            cwd=ROOT,
            env=environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    def call(self, method: str, *args: Any) -> Any:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        try:
            _send(self.process.stdin, (method, args))
            ok, value = pickle.load(self.process.stdout)
        except (EOFError, BrokenPipeError):
            raise RuntimeError(f"{self.contestant}: the process ended with status {self.process.wait()}") from None
        if not ok:
            raise RuntimeError(f"{self.contestant}: {method} failed\n{value}")
        return value

    def __enter__(self) -> "Worker":
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.communicate()


class Bench:
    """The child's end: one contestant and what can be asked of it."""

    def __init__(self, contestant: str) -> None:
        self.contestant = CONTESTANTS[contestant].load()

    def age(self) -> None:
        """Frees a large array, as a program that loads data does: malloc then reuses memory for all smaller ones."""
        np.ones(31 << 20, dtype=np.int8)

    def build(self, workload: Workload) -> None:
        self.network = self.contestant(workload.problem())

    def build_real(self) -> None:
        self.network = self.contestant(real())

    def time(self, steps: int, clock: str) -> float:
        """Seconds a step, after one step to warm the caches up."""
        self.network.step()
        many, now = getattr(self.network, "steps", None), CLOCKS[clock]
        start = now()
        if many:
            many(steps)
        else:
            for _ in range(steps):
                self.network.step()
        return (now() - start) / steps

    def weights(self) -> list[Array]:
        return self.network.weights()

    def peak_growth(self, workload: Workload, steps: int) -> int:
        """Bytes by which the process grows at most in training; the loss lives on in the next step, as in a loop."""
        self.build(workload.with_batch(32))
        self.network.step()  # the library's own one-time buffers are none of the network's
        self.build(workload)
        gc.collect()
        start = _reset_peak_memory()
        for _ in range(steps):
            loss = self.network.step()  # noqa: F841
        return _memory("VmHWM") - start

    def chain_time(self, operations: int) -> float:
        """Seconds to record a chain of scalar operations and to differentiate it."""
        start = perf_counter()
        chain = self._chain(operations)
        elapsed = perf_counter() - start
        del chain  # freed outside of the time
        return elapsed

    def chain_bytes(self, operations: int) -> tuple[float, float]:
        """Bytes an operation at the peak, and those left when the chain is dropped, without the garbage collector."""
        self._chain(10)
        gc.collect()
        gc.disable()
        tracemalloc.start()
        chain = self._chain(operations)
        peak = tracemalloc.get_traced_memory()[1]
        del chain
        left = tracemalloc.get_traced_memory()[0]
        tracemalloc.stop()
        gc.enable()
        return peak / operations, left / operations

    def _chain(self, operations: int) -> Any:
        x = y = self.contestant.scalar(1.0)
        for _ in range(operations):
            y = y * 1.000001
        y.backward()
        assert abs(float(x.grad) - 1.000001**operations) < 1e-9
        return y


def _memory(field: str) -> int:
    status = Path("/proc/self/status").read_text()
    return int(status.split(f"{field}:")[1].split()[0]) * 1024


def _reset_peak_memory() -> int:
    """Makes Linux count the peak from now on; returns what is in use now."""
    Path("/proc/self/clear_refs").write_text("5")
    return _memory("VmRSS")


def _send(pipe: BinaryIO, message: object) -> None:
    pickle.dump(message, pipe)
    pipe.flush()


def serve(contestant: str) -> None:
    requests, replies = sys.stdin.buffer, sys.stdout.buffer
    sys.stdout = sys.stderr  # nothing that a library prints gets into the pipe
    bench = Bench(contestant)
    while True:
        try:
            method, args = pickle.load(requests)
        except EOFError:
            return
        try:
            reply = True, getattr(bench, method)(*args)
        except Exception:
            reply = False, traceback.format_exc()
        _send(replies, reply)


if __name__ == "__main__":
    serve(sys.argv[1])
