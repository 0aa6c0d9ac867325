"""Programs as machine code: compiled by numba, kept for the next process, and called."""

from __future__ import annotations

import functools
import itertools
import sys
import time
from collections.abc import Callable, Mapping, Sequence
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
        machine = Machine([*inputs, *draws], lines, outputs, renewed, steady)
        self.text: str = module_text(machine, self.moving, [*low.helpers.values()])
        self.module: ModuleType = kept.load(self.text)
        self.constants: list[Any] = [_ordered(np.asarray(value)) for value in machine.constants.values()]
        self.work: dict[str, int] = machine.work
        self.inside: list[tuple[int, str, int]] = [(inputs.index(x), *place) for x, place in machine.inside.items()]
        self.scalars: list[bool] = [line.shape == () for line in inputs]
        self.places: list[int | None] = [
            inputs.index(machine.written[x]) if x in machine.written else None for x in outputs
        ]
        self.idle: list[list[Any]] = []

    def call(self, *given: Any) -> tuple[Any, ...]:
        """The results for these arguments."""
        return self._results("step", self._arguments(given))

    def repeat(self, times: int, *given: Any) -> tuple[Any, tuple[Any, ...]]:
        """As many steps on the same X and y: the first result of each, and all results of the last."""
        losses = np.empty(times)
        return losses, self._results("repeat", self._arguments(given), losses)

    def sweep(self, order: Any, X: Any, y: Any, *given: Any) -> tuple[Any, tuple[Any, ...]]:
        """A step on each minibatch of X and y, rows in this order: as `repeat`."""
        losses, batches = np.empty(len(order) // len(given[0])), map(np.empty_like, given[:2])
        arguments = self._arguments([*batches, *given[2:]])  # the minibatch is put together there
        return losses, self._results("sweep", arguments, losses, order, _ordered(X), _ordered(y))

    @property
    def loops(self) -> bool:
        """Whether many steps can be one call: each takes what the last one gave."""
        return hasattr(self.module, "repeat") and not self.draws

    def bound(self, given: Sequence[Any]) -> tuple[Callable[..., tuple[Any, ...]], list[Any]]:
        """The function of the inputs that move, with room of its own, and the rest of `given` as it takes them."""
        assert self.moving is not None
        room, inputs = self._arguments(given)
        arguments = self._ordered(room, inputs)
        self._compiled("step", arguments)
        return functools.partial(self.module.step, *arguments[: -self.moving]), inputs[: len(given)]

    # --- arguments and results ----------------------------------------------------------------------------------------

    def _arguments(self, given: Sequence[Any]) -> tuple[list[Any], list[Any]]:
        """Room to work in that no other call is using, with constants; and inputs as machine code takes them: in C
        order, scalars as numbers, little ones inside that room; and what is drawn."""
        room = self.idle.pop() if self.idle else [*(np.empty(n, kind) for kind, n in self.work.items()), *self.constants]
        drawn = [row.function(*arguments, **options) for row, arguments, options in self.draws]
        arrays = [x if scalar else _ordered(x) for x, scalar in zip(given, self.scalars, strict=True)]
        inputs = [x[()] if isinstance(x, np.ndarray) and x.ndim == 0 else x for x in [*arrays, *drawn]]
        memory = dict(zip(self.work, room, strict=False))
        for i, kind, start in self.inside:
            shape, size = inputs[i].shape, inputs[i].size
            memory[kind][start : start + size] = inputs[i].reshape(size)
            inputs[i] = memory[kind][start : start + size].reshape(shape)
        return room, inputs

    def _ordered(self, room: Sequence[Any], inputs: Sequence[Any]) -> list[Any]:
        """Arguments in the order of the function `step`."""
        inside, moving = {i for i, *_ in self.inside}, self.moving or 0
        return [*room, *(x for i, x in enumerate(inputs[moving:], moving) if i not in inside), *inputs[:moving]]

    def _results(self, name: str, taken: tuple[list[Any], list[Any]], *first: Any) -> tuple[Any, ...]:
        """All results of the program, by a function of its module."""
        room, inputs = taken
        arguments = [*first, *self._ordered(room, inputs)]
        if not getattr(self.module, name).overloads:
            self._compiled(name, arguments)
        try:
            found = getattr(self.module, name)(*arguments)
        except TypeError:
            if not self._compiled(name, arguments):
                raise
            found = getattr(self.module, name)(*arguments)
        if not self.inside:
            self.idle.append(room)
        rest = iter(found)
        return tuple(next(rest) if i is None else inputs[i] for i in self.places)

    # --- compiling ----------------------------------------------------------------------------------------------------

    def _compiled(self, name: str, arguments: Sequence[Any]) -> bool:
        """Compile a function for these arguments, or load what was kept, and say so if it takes a while; False where
        that was done before."""
        from numba import typeof

        function, signature = getattr(self.module, name), tuple(map(typeof, arguments))
        if signature in function.signatures:
            return False
        start = time.perf_counter()
        try:
            self._compile(name, signature)
        except Exception:  # what was kept is damaged, or nothing more can be: the disk is full
            kept.forget(self.module)
            self.module = kept.in_memory(self.text)
            self._compile(name, signature)
        seconds, function = time.perf_counter() - start, getattr(self.module, name)
        if not function.stats.cache_hits:
            kept.seal(self.module)
            if seconds > 1:
                message = f"autodiff: compiled {self.name} to machine code in {seconds:.1f} s, kept for next time\n"
                sys.stderr.write(message)
        return True

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

TAKEN = frozenset({*HELPERS, *"math np njit objmode OPTIONS found fits step repeat sweep losses order row i j k p e".split()})
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
