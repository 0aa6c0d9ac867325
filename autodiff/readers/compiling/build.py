"""Programs as machine code: compiled by numba, kept for the next process, and called."""

from __future__ import annotations

import functools
import itertools
import sys
import threading
import weakref
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import numpy as np

from ...sites import __library__  # noqa: F401
from . import kept
from .lines import Line
from .lower import Lowering
from .machine import Machine, Unsupported
from .module import HELPERS, module_text
from .plan import names_given

PATIENCE = 1.0  # seconds after which a user is told what takes so long


@contextmanager
def later(seconds: float, do: Callable[[], Any]) -> Generator[None]:
    """Do something if what is done in the meantime takes longer than that."""
    timer = threading.Timer(seconds, do)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


class Native:
    """One program as machine code: `call` takes what the program takes, and gives its results.

    `bound` is the same with all given but the first `moving` inputs; it returns what is not written to those.
    """

    def __init__(
        self,
        name: str,
        low: Lowering,
        inputs: Sequence[Line],
        lines: Sequence[Line],
        outputs: Sequence[Line],
        renewed: Mapping[Line, Line],
        moving: int | None,
    ) -> None:
        generators = tuple(name for name in low.bound if name.startswith("rng"))
        others = [name for name in low.bound if not name.startswith(("rng", "constant"))]
        if others:
            raise Unsupported(f"{', '.join(others)} is a function of Python's")
        draws = [line for line in lines if generators and line.template.startswith(generators)]
        names_given(lines, ())
        _rename([*inputs, *lines])
        self.name: str = name
        self.draws: list[Any] = [(line.node.primitive, *line.node.keywords["call"]) for line in draws]
        self.moving: int | None = None if draws else moving
        steady = [x for x in inputs[self.moving :] if x in renewed.values()] if self.moving is not None else []
        machine = Machine([*inputs, *draws], lines, outputs, renewed, steady, kept.needed().LEAST)
        self.text: str = module_text(machine, self.moving, [*low.helpers.values()])
        self.module: ModuleType = kept.load(self.text)
        self.constants: list[Any] = [_ordered(np.asarray(value)) for value in machine.constants.values()]
        self.work: dict[str, int] = machine.work
        self.single: bool = machine.single
        self.inside: list[tuple[int, str, int]] = [(inputs.index(x), *place) for x, place in machine.inside.items()]
        self.scalars: list[bool] = [line.shape == () for line in inputs]
        self.places: list[int | None] = [
            inputs.index(machine.written[x]) if x in machine.written else None for x in outputs
        ]
        self.kinds: list[Any] = [x.dtype.type if x.shape == () and x.dtype is not None else None for x in outputs]
        self.idle: list[list[Any]] = []

    def call(self, *given: Any) -> tuple[Any, ...]:
        """The results for these arguments."""
        return self._results("step", self.arguments(given))

    @property
    def loops(self) -> bool:
        """Whether many steps can be one call: each takes what the last one gave."""
        return hasattr(self.module, "repeat") and not self.draws

    def bound(self, given: Sequence[Any]) -> BoundNative:
        """The same with all given but the inputs that move."""
        return BoundNative(self, given)

    def repeat(self, times: int, *given: Any) -> tuple[Any, tuple[Any, ...]]:
        """As many steps on the same X and y: the first result of each, and all results of the last."""
        losses = np.empty(times)
        return losses, self._results("repeat", self.arguments(given), losses)

    def sweep(self, order: Any, X: Any, y: Any, *given: Any) -> tuple[Any, tuple[Any, ...]]:
        """A step on each minibatch of X and y, rows in this order: as `repeat`."""
        losses, batches = np.empty(len(order) // len(given[0])), map(np.empty_like, given[:2])
        arguments = self.arguments([*batches, *given[2:]])  # the minibatch is put together there
        return losses, self._results("sweep", arguments, losses, order, _ordered(X), _ordered(y))

    # --- arguments and results ----------------------------------------------------------------------------------------

    def arguments(self, given: Sequence[Any]) -> tuple[list[Any], list[Any]]:
        """Room to work in that no other call is using, with constants; and inputs as machine code takes them: in C
        order, scalars as numbers, little ones inside that room; and what is drawn."""
        room = (
            self.idle.pop() if self.idle else [*(np.empty(n, kind) for kind, n in self.work.items()), *self.constants]
        )
        drawn = [row.function(*arguments, **options) for row, arguments, options in self.draws]
        arrays = [x if scalar else _ordered(x) for x, scalar in zip(given, self.scalars, strict=True)]
        inputs = [x[()] if isinstance(x, np.ndarray) and x.ndim == 0 else x for x in [*arrays, *drawn]]
        memory = dict(zip(self.work, room, strict=False))
        for i, kind, start in self.inside:
            shape, size = inputs[i].shape, inputs[i].size
            memory[kind][start : start + size] = inputs[i].reshape(size)
            inputs[i] = memory[kind][start : start + size].reshape(shape)
        return room, inputs

    def in_order(self, room: Sequence[Any], inputs: Sequence[Any]) -> list[Any]:
        """Arguments in the order of the function `step`."""
        inside, moving = {i for i, *_ in self.inside}, self.moving or 0
        return [*room, *(x for i, x in enumerate(inputs[moving:], moving) if i not in inside), *inputs[:moving]]

    def _results(self, name: str, taken: tuple[list[Any], list[Any]], *first: Any) -> tuple[Any, ...]:
        """All results of the program, by a function of its module."""
        room, inputs = taken
        arguments = [*first, *self.in_order(room, inputs)]
        found = self.run(name, arguments)
        rest = iter((found,) if self.single else found)
        if not self.inside:
            self.idle.append(room)
        every = (next(rest) if i is None else inputs[i] for i in self.places)
        return tuple(x if kind is None else kind(x) for x, kind in zip(every, self.kinds, strict=True))

    def run(self, name: str, arguments: Sequence[Any]) -> Any:
        """A function of the module, compiled for these arguments if need be."""
        if not getattr(self.module, name).overloads:
            self.compiled(name, arguments)
        try:
            return getattr(self.module, name)(*arguments)
        except TypeError:
            if not self.compiled(name, arguments):
                raise
            return getattr(self.module, name)(*arguments)

    # --- compiling ----------------------------------------------------------------------------------------------------

    def compiled(self, name: str, arguments: Sequence[Any]) -> bool:
        """Compile a function for these arguments, or load what was kept, and say so if it takes a while; False where
        that was done before."""
        from numba import typeof

        function, signature = getattr(self.module, name), tuple(map(typeof, arguments))
        if signature in function.signatures:
            return False
        message = f"autodiff: compiling {self.name} to machine code, which is kept for next time\n"
        with later(PATIENCE, lambda: sys.stderr.write(message)):
            try:
                self._compile(name, signature)
            except Exception:  # what was kept is damaged, or nothing more can be: the disk is full
                kept.forget(self.module)
                self.module = kept.in_memory(self.text)
                self._compile(name, signature)
        if not getattr(self.module, name).stats.cache_hits:
            kept.seal(self.module)
        return True

    def direct(self, name: str, arguments: Sequence[Any]) -> Callable[..., Any]:
        """A function of the module as machine code for arguments like these, which takes others for such."""
        from numba import typeof

        return getattr(self.module, name).overloads[tuple(map(typeof, arguments))].entry_point

    def _compile(self, name: str, signature: Any) -> None:
        self._closed(False)
        getattr(self.module, name).compile(signature)
        self._closed(True)

    def _closed(self, closed: bool) -> None:
        """Have functions that were compiled refuse arguments of other kinds, or compile for them, too."""
        functions = (getattr(self.module, name, None) for name in ("step", "repeat", "sweep"))
        for function in functions:
            if function is not None and function.overloads:
                function.disable_compile(closed)


class BoundNative:
    """Machine code with all given but X and y, and with room of its own.

    `step` gives the one result, for arrays of the kinds that were given first, and raises a TypeError or ValueError for
    others.
    `inputs`: what was given, as it is held here.
    """

    def __init__(self, native: Native, given: Sequence[Any]) -> None:
        assert native.moving is not None
        room, inputs = native.arguments(given)
        arguments = native.in_order(room, inputs)
        native.compiled("step", arguments)
        self.native: Native = native
        self.inputs: list[Any] = inputs[: len(given)]
        self.rest: list[Any] = arguments[: -native.moving]
        step = functools.partial(native.module.step, *self.rest)  # which asks of all arguments what they are
        direct = functools.partial(native.direct("step", arguments), *self.rest)  # which does not
        given_X, given_y = (weakref.ref(x if x is own else direct) for x, own in zip(given[:2], inputs, strict=False))

        def known(X: Any, y: Any) -> float:
            return direct(X, y) if X is given_X() and y is given_y() else step(X, y)

        self.step: Callable[..., float] = known

    def __call__(self, X: Any, y: Any) -> float:
        return self.native.run("step", [*self.rest, _ordered(X), _ordered(y)])

    def repeat(self, times: int, X: Any, y: Any) -> Any:
        """As many steps on the same X and y: the result of each."""
        losses = np.empty(times)
        self.native.run("repeat", [losses, *self.rest, _ordered(X), _ordered(y)])
        return losses

    def sweep(self, order: Any, X: Any, y: Any, rows: int) -> Any:
        """A step on each minibatch of X and y, rows in this order: the result of each."""
        losses = np.empty(len(order) // rows)
        batches = (np.empty((rows, *x.shape[1:]), x.dtype) for x in (X, y))  # the minibatch is put together there
        self.native.run("sweep", [losses, order, _ordered(X), _ordered(y), *self.rest, *batches])
        return losses


LOCALS = "math np njit objmode found fits step repeat sweep losses order row i j k p e"
TAKEN: frozenset[str] = frozenset({*LOCALS.split(), *(name for names in HELPERS.values() for name in names)})
PREFIXES = ("constant", "found_", "work_", "from_", "to_", "all_")


def _rename(lines: Sequence[Line]) -> None:
    """Give other names where machine code uses one itself: `x_` is the memory of x, `x_v` an element."""
    used = {line.name for line in lines}
    for line in lines:
        name = line.name or ""
        if name in TAKEN or name.endswith(("_", "_v")) or name.startswith(PREFIXES):
            numbered = (f"x{number}_{name.strip('_')}_{number}" for number in itertools.count())
            line.name = next(name for name in numbered if name not in used)
            used.add(line.name)


def _ordered(x: Any) -> Any:
    return x if not isinstance(x, np.ndarray) or x.flags.c_contiguous else np.ascontiguousarray(x)
