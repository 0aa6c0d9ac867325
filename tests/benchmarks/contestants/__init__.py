"""Who takes part. Each contestant is a class in a module of its own, so that a process imports one library only.

Each is written as a user who cares for speed writes it with the library's own functions and its defaults (so
MyGrad guards its arrays against being written, which is a promise of ours too).
"""

from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from shutil import which
from typing import Any, Protocol

from tests.benchmarks.workloads import Array, Problem


class Contestant(Protocol):
    """One network in training."""

    def __init__(self, problem: Problem) -> None: ...

    def step(self) -> Any:
        """Forward, backward and SGD update; returns the loss before the update."""

    def weights(self) -> list[Array]:
        """The present weights, each of shape (n_in, n_out)."""


@dataclass(frozen=True)
class Entry:
    """A contestant by name: where it is and what it needs."""

    label: str
    module: str
    class_name: str
    package: str  # as it is imported
    install: str  # what pip is to install
    program: str = ""  # what has to be there beside it

    @property
    def installed(self) -> bool:
        return find_spec(self.package) is not None and (not self.program or which(self.program) is not None)

    def load(self) -> type[Contestant]:
        return getattr(import_module(f"{__name__}.{self.module}"), self.class_name)


CONTESTANTS = {
    "nn": Entry("ours, nn.TrainStep", "ours", "TrainStep", "nn", "."),
    "loop": Entry("ours, nn with the loop written out", "ours", "Loop", "nn", "."),
    "seed-style": Entry("ours, in the seed's own style", "ours", "SeedStyle", "autodiff", "."),
    "numpy": Entry("ours, compiled, NumPy", "ours", "CompiledNumPy", "nn", "."),
    "numba": Entry("ours, compiled, numba", "ours", "CompiledNumba", "numba", "numba scipy"),
    "numba-loop": Entry("ours, numba with the loop inside", "ours", "NumbaLoop", "numba", "numba scipy"),
    "c": Entry("generated C", "c", "C", "scipy", "scipy (and a C compiler)", "cc"),
    "c-loop": Entry("generated C with the loop inside", "c", "Loop", "scipy", "scipy (and a C compiler)", "cc"),
    "jax": Entry("jax.jit, donated buffers", "jax_", "Jax", "jax", "jax"),
    "jax-loop": Entry("JAX, fori_loop", "jax_", "Loop", "jax", "jax"),
    "torch-compile": Entry("torch.compile", "pytorch", "Compiled", "torch", "torch"),
    "pytorch": Entry("PyTorch, optim.SGD", "pytorch", "PyTorch", "torch", "torch"),
    "torch-style": Entry("PyTorch in the seed's style", "pytorch", "SeedStyle", "torch", "torch"),
    "mygrad": Entry("MyGrad", "mygrad", "MyGrad", "mygrad", "mygrad"),
    "hips": Entry("HIPS autograd", "hips", "Hips", "autograd", "autograd"),
    "real": Entry("ours, mnist-real", "ours", "RealNet", "nn", "."),
    "real-numpy": Entry("ours, compiled, mnist-real", "ours", "RealNumPy", "nn", "."),
    "real-numba": Entry("ours, numba, mnist-real", "ours", "RealNumba", "numba", "numba scipy"),
    "real-pytorch": Entry("PyTorch, mnist-real", "pytorch", "RealNet", "torch", "torch"),
    "real-jax": Entry("jax.jit, mnist-real", "jax_", "RealNet", "jax", "jax"),
    "by-hand": Entry("hand-derived NumPy", "by_hand", "ByHand", "numpy", "numpy"),
}
