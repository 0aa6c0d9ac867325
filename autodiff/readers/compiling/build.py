"""Programs as machine code: written to a module, compiled by numba, and kept on disk for the next process."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import importlib.util
import os
import pickle
import platform
import sys
import tempfile
import time
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from ...sites import __library__  # noqa: F401
from .lines import Line
from .machine import Machine, Unsupported
from .module import module_text
from .program import names_given

VARIABLE = "AUTODIFF_CACHE_DIR"  # where compiled programs are kept; by default the user's cache


def directory() -> Path:
    """Where compiled programs are kept: for each kind of machine and version of what compiles a folder."""
    import llvmlite  # type: ignore[import-untyped]
    import numba

    default = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "autodiff"
    root = Path(os.environ.get(VARIABLE) or default)
    python = f"py{sys.version_info[0]}{sys.version_info[1]}"
    return root / f"{platform.machine()}-{python}-{numba.__version__}-{llvmlite.__version__}"


@functools.cache
def load(text: str, keep: bool = True) -> ModuleType:
    """The module of a program. Without a folder to write to, it is compiled for this process only."""
    try:
        from . import native
    except ImportError as error:
        if error.name in ("numba", "llvmlite"):
            raise ImportError('backend="numba" needs numba and SciPy: pip install "autodiff[fast]"') from error
        raise
    native.blas()
    digest = hashlib.sha256((text + Path(native.__file__).read_text()).encode()).hexdigest()[:24]
    with contextlib.suppress(OSError):
        if not keep:
            _forget(digest)
        folder = directory()
        folder.mkdir(parents=True, exist_ok=True)
        return _imported(_written(folder / f"step_{digest}.py", text))
    folder = Path(tempfile.mkdtemp(prefix="autodiff-"))
    return _imported(_written(folder / f"step_{digest}.py", text))


def _forget(digest: str) -> None:
    """Remove what was kept of a program."""
    for file in directory().rglob(f"step_{digest}*"):
        file.unlink(missing_ok=True)


def _written(file: Path, text: str) -> Path:
    """A file with this text: complete, or not there."""
    if not file.exists() or file.read_text() != text:
        descriptor, temporary = tempfile.mkstemp(dir=file.parent, prefix=file.stem, suffix=".tmp")
        with os.fdopen(descriptor, "w") as stream:
            stream.write(text)
        os.replace(temporary, file)
    return file


def _imported(file: Path) -> ModuleType:
    name = f"autodiff_{file.stem}"
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


class Native:
    """One program as machine code: `call` takes what the program takes, and gives its results."""

    def __init__(
        self, name: str, low: Any, inputs: list[Line], lines: list[Line], outputs: list[Line], renewed: Any
    ) -> None:
        draws = [
            line
            for line in lines
            if line.template.startswith(tuple(n for n in low.bound if n.startswith("rng")) or "\0")
        ]
        others = [n for n in low.bound if not n.startswith(("rng", "constant"))]
        if others:
            raise Unsupported(f"{', '.join(others)} is a function of Python's")
        names_given(lines, ())
        for line in lines:
            if line.name in TAKEN:
                line.name = f"{line.name}_0"
        machine = self.machine = Machine([*inputs, *draws], lines, outputs, renewed)
        self.name = name
        self.draws = [line.node.primitive for line in draws]
        self.calls = [line.node.keywords["call"] for line in draws]
        self.text = module_text(machine, [*low.helpers.values()])
        self.module = load(self.text)
        self.constants = [_ordered(np.asarray(value)) for value in machine.constants.values()]
        self.scalars = [line.shape == () for line in inputs]
        written = {x: inputs.index(machine.written[x]) for x in outputs if x in machine.written}
        self.places = [(True, written[x]) if x in written else (False, 0) for x in outputs]
        self.idle: list[list[Any]] = []
        self.compiled = False

    def arguments(self, given: Any) -> list[Any]:
        """What the machine takes for what the program takes."""
        drawn = [row.function(*call[0], **call[1]) for row, call in zip(self.draws, self.calls, strict=True)]
        arrays = [x if scalar else _ordered(x) for x, scalar in zip(given, self.scalars, strict=True)]
        arrays = [x[()] if isinstance(x, np.ndarray) and x.ndim == 0 else x for x in [*arrays, *drawn]]
        return [*arrays, *self.constants]

    def room(self) -> list[Any]:
        """Arrays to work in, that no other call is using."""
        try:
            return self.idle.pop()
        except IndexError:
            return [np.empty(size, kind) for kind, size in self.machine.work.items()]

    def call(self, *given: Any) -> tuple[Any, ...]:
        """The results for these arguments."""
        from . import native

        room, arguments = self.room(), self.arguments(given)
        if not self.compiled:
            self._compile([*native.blas(), *arguments, *room])
        found = iter(self.module.step(*native.blas(), *arguments, *room))
        self.idle.append(room)
        return tuple(arguments[i] if here else next(found) for here, i in self.places)

    def bound(self, *rest: Any) -> Any:
        """The step on all arguments but the first two, with room of its own: it returns what is not written."""
        from . import native

        addresses, room, step = native.blas(), self.room(), self.module.step
        tail = (*self.arguments((0, 0, *rest))[2:], *room)
        return lambda x, y: step(*addresses, x, y, *tail)

    @property
    def loops(self) -> bool:
        """Whether many steps can be one call: each takes what the last one gave."""
        return hasattr(self.module, "repeat") and not self.draws

    def repeat(self, times: int, *given: Any) -> tuple[Any, tuple[Any, ...]]:
        """As many steps on the same X and y: the first result of each, and all results of the last."""
        from . import native

        losses, room, arguments = np.empty(times), self.room(), self.arguments(given)
        found = iter(self.module.repeat(losses, *native.blas(), *arguments, *room))
        self.idle.append(room)
        return losses, tuple(arguments[i] if here else next(found) for here, i in self.places)

    def sweep(self, order: Any, X: Any, y: Any, *given: Any) -> tuple[Any, tuple[Any, ...]]:
        """A step on each minibatch of X and y, rows in this order: as `repeat`."""
        from . import native

        given = (np.empty_like(given[0]), np.empty_like(given[1]), *given[2:])  # the minibatch is put together there
        losses, room, arguments = np.empty(len(order) // len(given[0])), self.room(), self.arguments(given)
        found = iter(self.module.sweep(losses, order, _ordered(X), _ordered(y), *native.blas(), *arguments, *room))
        self.idle.append(room)
        return losses, tuple(arguments[i] if here else next(found) for here, i in self.places)

    def _compile(self, arguments: list[Any]) -> None:
        """Compile for these arguments, or load what was kept; says so if it takes a while."""
        from numba import typeof

        start, signature = time.perf_counter(), tuple(map(typeof, arguments))
        try:
            self.module.step.compile(signature)
        except (pickle.UnpicklingError, EOFError, OSError):  # what was kept is damaged, or nothing more can be
            load.cache_clear()
            self.module = load(self.text, keep=False)
            self.module.step.compile(signature)
        self.compiled = True
        seconds = time.perf_counter() - start
        if seconds > 1 and not self.module.step.stats.cache_hits:
            sys.stderr.write(f"autodiff: compiled {self.name} to machine code in {seconds:.1f} s, kept for next time\n")


TAKEN = {
    "math",
    "np",
    "njit",
    "objmode",
    "found",
    "step",
    "repeat",
    "sweep",
    "i",
    "j",
    "k",
    "e",
    "row",
    "losses",
    "order",
}


def _ordered(x: Any) -> Any:
    return x if not isinstance(x, np.ndarray) or x.flags.c_contiguous else np.ascontiguousarray(x)
