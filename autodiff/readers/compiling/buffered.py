"""A program as Python runs it, with buffers that are kept from call to call."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from ...expressions import define
from .lines import Line
from .lower import Lowering
from .plan import Plan

Function = Callable[..., tuple[Any, ...]]


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
        self.make: Callable[[], Callable[..., Any]] = define(self.text, "with_buffers", dict(low.bound))

    def call(self, *given: Any) -> tuple[Any, ...]:
        """The results for these arguments."""
        with_buffers, arguments = self._idle(), self._arguments(given)
        if self.moving is None:
            found = with_buffers(*arguments)
        else:
            found = with_buffers(*arguments[self.moving :])(*arguments[: self.moving])
        self.idle.append(with_buffers)
        rest = iter(found)
        return tuple(next(rest) if i is None else arguments[i] for i in self.places)

    def bound(self, given: Sequence[Any]) -> tuple[Function, list[Any]]:
        """The function of the inputs that move, with buffers of its own, and the rest of `given` as it takes them."""
        assert self.moving is not None
        arguments = self._arguments(given)
        return self._idle()(*arguments[self.moving :]), arguments[: len(given)]

    def _arguments(self, given: Sequence[Any]) -> list[Any]:
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

    def _idle(self) -> Callable[..., Any]:
        """The function with buffers that no call is using."""
        try:
            return self.idle.pop()
        except IndexError:
            return self.make()
