"""A program as Python runs it, with buffers that are kept from call to call."""

from __future__ import annotations

import copy
import weakref
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from ...expressions import define
from .lines import Line, kind_of
from .lower import Lowering
from .plan import Plan


class Buffered:
    """A program of NumPy: `call` takes what the program takes, and gives its results.

    `bound` is the same with all given but the first `moving` inputs; it returns what is not written to those.
    """

    loops = False  # whether many steps can be one call

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
        plan = Plan(name, inputs, lines, outputs, renewed, moving)
        self.moving: int | None = moving
        self.text: str = "\n\n".join([plan.text, *low.helpers.values()])
        self.numbers: list[tuple[int, Any]] = [(i, plan.arrays[x]) for i, x in enumerate(inputs) if x in plan.arrays]
        self.places: list[int | None] = [inputs.index(plan.written[x]) if x in plan.written else None for x in outputs]
        self.wide: list[list[int]] = [[inputs.index(x) for x in wide.lines] for wide in plan.wide_inputs]
        self.idle: list[Callable[..., Any]] = []  # functions with buffers that no call is using
        self.outside: dict[str, Any] = dict(low.bound)
        self._make: Callable[[], Callable[..., Any]] = define(self.text, "with_buffers", dict(self.outside))

    def again(self) -> Buffered:
        """The same, with other buffers."""
        other = copy.copy(self)
        other.idle = []
        return other

    def call(self, *given: Any) -> tuple[Any, ...]:
        """The results for these arguments."""
        function, arguments = self.with_buffers(), self.arguments(given)
        if self.moving is None:
            found = function(*arguments)
        else:
            found = function(*arguments[self.moving :])(*arguments[: self.moving])
        self.idle.append(function)
        rest = iter(found)
        return tuple(next(rest) if i is None else arguments[i] for i in self.places)

    def bound(self, given: Sequence[Any]) -> BoundBuffered:
        """The same with all given but the inputs that move."""
        return BoundBuffered(self, given)

    def arguments(self, given: Sequence[Any]) -> list[Any]:
        """What the function takes: numbers as arrays; arrays that lie side by side, and their common memory."""
        arguments = list(given)
        for i, dtype in self.numbers:
            arguments[i] = np.array(arguments[i], dtype)
        for places in self.wide:
            memory = np.concatenate([arguments[i].reshape(-1) for i in places])
            end = 0
            for i in places:
                array = arguments[i]
                start, end = end, end + array.size
                arguments[i] = memory[start:end].reshape(array.shape)
            arguments.append(memory)
        return arguments

    def with_buffers(self) -> Callable[..., Any]:
        """The function with buffers that no call is using."""
        try:
            return self.idle.pop()
        except IndexError:
            return self._make()


class BoundBuffered:
    """A program of NumPy with all given but X and y, and with buffers of its own.

    `step` gives the one result, for arrays of the kinds that were given first, and raises a ValueError for others.
    `inputs`: what was given, as it is held here.
    """

    def __init__(self, program: Buffered, given: Sequence[Any]) -> None:
        assert program.moving is not None
        arguments = program.arguments(given)
        self.inputs: list[Any] = arguments[: len(given)]
        self.run: Callable[..., tuple[Any, ...]] = program.with_buffers()(*arguments[program.moving :])
        run = self.run
        given_X, given_y = map(weakref.ref, given[:2])
        kinds = [kind_of(x) for x in given[:2]]

        def step(X: Any, y: Any) -> float:
            if (X is not given_X() or y is not given_y()) and [kind_of(X), kind_of(y)] != kinds:
                raise ValueError("this program is for X and y of other kinds")
            return float(run(X, y)[0])

        self.step: Callable[..., float] = step

    def __call__(self, X: Any, y: Any) -> float:
        return float(self.run(X, y)[0])
