"""One program: a function that was recorded for arguments of given kinds, its text, and how to run it."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from ...errors import BackendError
from ...graph import Node
from ...naming import names_of
from ...primitive import TABLE
from ...rules.shape import identity
from ...sites import __library__  # noqa: F401
from ...storage import Loan, Stored
from ...structures import Slot, mapped
from .buffered import BoundBuffered, Buffered
from .build import BoundNative, Native
from .lines import Line, kind_of
from .lower import Lowering, in_order
from .machine import Unsupported
from .plan import UFUNCS, early, names_given
from .signature import signature
from .source import Source
from .trace import Trace, identifier, present

RESERVED = ("np", "with_buffers", "given", *UFUNCS)
GUARD = "this program is for"  # how the message of a check begins that another program would pass


class Renewal(NamedTuple):
    """What a step is: inputs, by number, whose new values are outputs; and how many inputs change from step to step."""

    written: Mapping[int, int] = {}
    moving: int | None = None


ONCE = Renewal()
KNOWN: dict[Any, Buffered] = {}  # programs by what they were made from; under the lock that recording needs
REMEMBERED = 256


class Program:
    """A function, recorded for arguments of given kinds: its text, and how to run it.

    Called with the arrays (and changing numbers) among the arguments, in order, it gives those among the results.
    """

    def __init__(self, trace: Trace, name: str, backend: str = "numpy", renewal: Renewal = ONCE) -> None:
        self.trace: Trace = trace
        self.renewal: Renewal = renewal
        self.name: str = identifier(name)
        self.count: int = len(trace.inputs)
        self.captured: list[Any] = list(trace.captured.values())
        self.kinds: list[Any] = [kind_of(present(source)) for source in self.captured]
        self.generators: list[np.random.Generator] = [
            *{id(row.generator): row.generator for row in trace.draws}.values()
        ]
        self.guarded: bool = False  # whether it is for some values only
        try:
            self.code: Native | Buffered = self._native() if backend == "numba" else self._buffered()
        except Unsupported as error:
            raise BackendError(
                f'compile: backend="numba" has no form of {self.name}: {error}; backend="numpy" has one'
            ) from error

    def _native(self) -> Native:
        return self._written(Native, named=True)

    def _buffered(self) -> Buffered:
        """The program with buffers of its own; the text may be that of another one."""
        found = signature(self.trace)
        key = found and (self.name, *self.renewal.written.items(), self.renewal.moving, *found)
        if key in KNOWN:
            return KNOWN[key].again()
        code = self._written(Buffered, named=False)
        if key and not self.guarded and not code.outside:
            while len(KNOWN) >= REMEMBERED:
                KNOWN.pop(next(iter(KNOWN)))
            KNOWN[key] = code.again()
        return code

    def _written(self, make: Callable[..., Any], named: bool) -> Any:
        """The program as code; to find the user's names for its values takes a while."""
        low, inputs, outputs = self._lowered(True, named)
        renewed = self._renewed(inputs, outputs)
        lines = early(low.live([*outputs, *self._effects(low)]), renewed)
        self.guarded = any(GUARD in text for line in lines for text in line.before)
        return make(self.name, low, inputs, lines, outputs, renewed, self.renewal.moving)

    def _renewed(self, inputs: Sequence[Line], outputs: Sequence[Line]) -> dict[Line, Line]:
        """For outputs that are the new values of inputs, these."""
        return {outputs[j]: inputs[i] for i, j in self.renewal.written.items()}

    def _effects(self, low: Lowering) -> list[Line]:
        """What happens whether or not its value is used."""
        drawn = [low.found[row.node] for row in self.trace.draws]
        checks = [line for line in low.lines if line.before and any("raise " in text for text in line.before)]
        return [*drawn, *checks]

    def _lowered(self, expand: bool, named: bool = True) -> tuple[Lowering, list[Line], list[Line]]:
        """The lines of the program."""
        trace, used = self.trace, set(RESERVED)
        sources: list[Any] = [*trace.inputs, *trace.captured]
        names = [*trace.names, *(node.name or f"array{i}" for i, node in enumerate(trace.captured))]
        given: list[tuple[Any, Line]] = []
        for source, name in zip(sources, map(identifier, names), strict=True):
            while name in used:
                name += "_"
            used.add(name)
            array = isinstance(source, Node)
            line = Line(name, shape=source.shape if array else (), dtype=source.dtype if array else None)
            line.ordered = array and in_order(source.value)
            line.name, line.node = name, source
            given.append((source, line))
        low = Lowering(given, expand, trace.tape.gradients)
        guards = dict(trace.tape.guards)
        outputs = low.run(trace.graph.nodes, trace.outputs)
        for node, value in guards.items():
            low.guard(node, value)
        lines = [line for _, line in given]
        used = {*(line.name for line in lines), *low.bound, *low.helpers, *RESERVED}
        if named:
            self._name(low, used)
        names_given(low.lines, used)
        return low, lines, outputs

    def _name(self, low: Lowering, used: set[str | None]) -> None:
        """The user's names, for the values that have one."""
        names = names_of([node for node in self.trace.outputs if isinstance(node, Node)], variables=[])
        noted = self.trace.tape.cotangents
        gradients = {gradient._node: _lifted(node) for node, gradient in noted if isinstance(gradient, Stored)}
        for node, line in low.found.items():
            if line.name is None and line.value is None:
                of = gradients.get(node)
                name = names.of(node) or (f"{names.of(of)}_grad" if of is not None and names.of(of) else None)
                if name and (name := identifier(name)) not in used:
                    line.name = name
                    used.add(name)

    @functools.cached_property
    def text(self) -> str:
        """The program as it runs, with the user's names."""
        return self.code.text if isinstance(self.code, Native) else self._written(Buffered, named=True).text

    @functools.cached_property
    def source(self) -> str:
        """The program as one reads it."""
        low, inputs, outputs = self._lowered(expand=False)
        noted = [(g._node, _lifted(x)) for x, g in self.trace.tape.cotangents if isinstance(g, Stored)]
        of = {low.found[g]: low.found[x] for g, x in noted if g in low.found and x in low.found}
        renewed = self._renewed(inputs, outputs)
        return Source(self.name, low, inputs, outputs, renewed).text(self._effects(low), of)

    def __call__(self, *arrays: Any) -> tuple[Any, ...]:
        return self.code.call(*arrays, *self.found_outside())

    def found_outside(self) -> list[Any]:
        """The present values of what it captured; arrays that it writes to are given away."""
        first = self.count
        return [
            source._give_away() if first + i in self.renewal.written else present(source)
            for i, source in enumerate(self.captured)
        ]

    @property
    def borrows(self) -> bool:
        """Whether it can be given all but its first inputs, for many calls that give one result each."""
        return self.code.moving is not None and self.code.places.count(None) == 1

    def borrow(self, *given: Any) -> tuple[BoundBuffered | BoundNative, Loan]:
        """The program of the inputs that move, for many calls: it writes to the arrays of what was captured, until the
        loan ends."""
        bound, loan = self.code.bound([*given, *self.found_outside()]), Loan()
        for source, array in zip(self.captured, bound.inputs[self.count :], strict=True):
            source._lend(array, loan)
        return bound, loan

    def guarded_call(self, arrays: Sequence[Any]) -> tuple[Any, ...] | None:
        """The same, of a program that is for some values only; None where these are others."""
        states = [(generator.bit_generator, generator.bit_generator.state) for generator in self.generators]
        try:
            return self(*arrays)
        except ValueError as error:
            if not str(error).startswith(GUARD):
                raise
        for bits, state in states:
            bits.state = state
        return None

    def forget(self) -> None:
        """Let go of the graph, which keeps large arrays alive; the source is written before."""
        _ = self.source, self.text
        self.trace.forget()

    def fits(self) -> bool:
        """Whether what it captured is still of the kinds that it was made for."""
        return all(kind_of(present(source)) == kind for source, kind in zip(self.captured, self.kinds, strict=True))

    def structured(self, found: Sequence[Any]) -> Any:
        """The results as the function returns them."""
        return mapped(self.trace.results, lambda x: _array(found[x]) if isinstance(x, Slot) else _fresh(x))


def _lifted(node: Node) -> Node:
    """The argument that a node of a differentiation stands for."""
    return node.inputs[0] if node.primitive is TABLE[identity] else node


def _array(result: Any) -> Any:
    return np.array(result) if isinstance(result, np.generic) else result


def _fresh(item: Any) -> Any:
    return item.copy() if isinstance(item, np.ndarray) else item
