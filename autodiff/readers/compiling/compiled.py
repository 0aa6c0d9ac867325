"""`compile`: a function as the straight-line NumPy program that it is for arguments of given shapes and dtypes."""

from __future__ import annotations

import functools
import inspect
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import numpy as np

from ...errors import BackendError
from ...expressions import define
from ...graph import Node
from ...naming import names_of
from ...primitive import TABLE
from ...rules.shape import identity
from ...sites import __library__  # noqa: F401
from ...storage import Stored
from ...structures import Slot, leaves, mapped
from . import rows
from .build import Native
from .lines import Line
from .lower import Lowering
from .machine import Unsupported
from .program import UFUNCS, Plan, early, names_given
from .source import Source
from .trace import Trace, identifier, present, recorded, refuse_tensors

assert rows.ROWS  # filled by its import

LIMIT = 32  # programs that one function keeps; the one that was made first goes first

RESERVED = ("np", "with_buffers", *UFUNCS)
NOTHING: Mapping[int, int] = {}
GUARD = "this program is for"  # how the message of a check begins that another program would pass


class Program:
    """A function, recorded for arguments of given kinds: its text, and how to run it.

    Called with the arrays (and changing numbers) among the arguments, in order, it gives those among the results.
    """

    def __init__(self, trace: Trace, name: str, backend: str = "numpy", written: Mapping[int, int] = NOTHING) -> None:
        self.trace, self.written = trace, written
        self.name = identifier(name)
        self.captured = list(trace.captured.values())
        self.kinds = [_kind(present(source)) for source in self.captured]
        self.generators = list({id(row.generator): row.generator for row in trace.draws}.values())
        low, inputs, outputs = self._lowered(expand=True)
        lines = low.live([*outputs, *self._effects(low)])
        lines = early(lines, {outputs[j]: inputs[i] for i, j in written.items()})
        self.guarded = any(GUARD in text for line in lines for text in line.before)
        self.idle: list[Callable[..., Any]] = []  # functions with buffers that no call is using
        self.native: Native | None = None
        if backend == "numba":
            self._compile(low, inputs, lines, outputs)
            return
        plan = Plan(self.name, inputs, lines, outputs, {outputs[j]: inputs[i] for i, j in written.items()})
        self.text = "\n\n".join([plan.text, *low.helpers.values()])
        self.numbers = [(i, plan.arrays[line]) for i, line in enumerate(inputs) if line in plan.arrays]
        self.make: Callable[[], Callable[..., Any]] = define(self.text, "with_buffers", dict(low.bound))

    def _compile(self, low: Lowering, inputs: list[Line], lines: list[Line], outputs: list[Line]) -> None:
        """The program as machine code."""
        renewed = {outputs[j]: inputs[i] for i, j in self.written.items()}
        try:
            self.native = Native(self.name, low, inputs, lines, outputs, renewed)
        except Unsupported as error:
            raise BackendError(
                f'compile: backend="numba" has no form of {self.name}: {error}; backend="numpy" has one'
            ) from error
        self.text, self.numbers, self.run = self.native.text, [], self.native.call  # type: ignore[method-assign]

    def _effects(self, low: Lowering) -> list[Line]:
        """What happens whether or not its value is used."""
        drawn = [low.found[row.node] for row in self.trace.draws]
        checks = [line for line in low.lines if any(text.lstrip().startswith("raise ") for text in line.before)]
        return [*drawn, *checks]

    def _lowered(self, expand: bool) -> tuple[Lowering, list[Line], list[Line]]:
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
            line.ordered = array and _ordered(source.value)
            line.name, line.node = name, source
            given.append((source, line))
        low = Lowering(given, expand, trace.tape.gradients)
        guards = dict(trace.tape.guards)
        outputs = low.run([*trace.outputs, *guards, *(row.node for row in trace.draws)])[: len(trace.outputs)]
        for node, value in guards.items():
            low.guard(node, value)
        lines = [line for _, line in given]
        self._name(low, outputs, {line.name for line in lines})
        return low, lines, outputs

    def _name(self, low: Lowering, outputs: Sequence[Line], taken: Collection[str | None]) -> None:
        """The user's names, for the values that have one."""
        names = names_of([node for node in self.trace.outputs if isinstance(node, Node)], variables=[])
        used = {*taken, *low.bound, *low.helpers, *RESERVED}
        noted = self.trace.tape.cotangents
        gradients = {gradient._node: _lifted(node) for node, gradient in noted if isinstance(gradient, Stored)}
        for node, line in low.found.items():
            if line.name is None and line.value is None:
                of = gradients.get(node)
                name = names.of(node) or (f"{names.of(of)}_grad" if of is not None and names.of(of) else None)
                if name and (name := identifier(name)) not in used:
                    line.name = name
                    used.add(name)
        names_given(low.lines, used)

    @functools.cached_property
    def source(self) -> str:
        """The program as one reads it."""
        low, inputs, outputs = self._lowered(expand=False)
        noted = [(g._node, _lifted(x)) for x, g in self.trace.tape.cotangents if isinstance(g, Stored)]
        of = {low.found[g]: low.found[x] for g, x in noted if g in low.found and x in low.found}
        renewed = {outputs[j]: inputs[i] for i, j in self.written.items()}
        return Source(self.name, low, inputs, outputs, renewed).text(self._effects(low), of)

    def __call__(self, *arrays: Any) -> tuple[Any, ...]:
        given = [*arrays, *map(present, self.captured)]
        for i, dtype in self.numbers:
            given[i] = np.array(given[i], dtype)
        return self.run(*given)

    def run(self, *given: Any) -> tuple[Any, ...]:
        """The same, of what it captured too, and of numbers as arrays."""
        run = self._idle()
        found = run(*given)
        self.idle.append(run)
        return found

    def bound(self, *rest: Any) -> Callable[..., tuple[Any, ...]]:
        """The program with all arguments given but the first ones, and with buffers of its own: for one thread."""
        if self.native is not None:
            return self.native.bound(*rest)
        run = self._idle()
        return lambda x, y: run(x, y, *rest)

    def _idle(self) -> Callable[..., Any]:
        """The function with buffers that no call is using."""
        try:
            return self.idle.pop()
        except IndexError:
            return self.make()

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
        _ = self.source
        self.trace.forget()

    def fits(self) -> bool:
        """Whether what it captured is still of the kinds that it was made for."""
        return all(_kind(present(source)) == kind for source, kind in zip(self.captured, self.kinds, strict=True))

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


def _ordered(value: Any) -> bool:
    return not isinstance(value, np.ndarray) or value.flags.c_contiguous


def _kind(array: Any) -> Any:
    return array.shape, array.dtype, getattr(array, "strides", None)


RECORDING = threading.RLock()  # one function at a time: random generators are replaced meanwhile


class Compiled:
    """A function that runs as a program; see `compile`."""

    def __init__(self, f: Callable[..., Any], backend: str = "numpy", numbers: Collection[str] = ()) -> None:
        self.function, self.backend = f, backend
        self.numbers = numbers
        self.programs: dict[Any, Program] = {}
        self.latest: Program | None = None
        self.written: Callable[[Trace], Mapping[int, int]] = lambda _: NOTHING
        functools.update_wrapper(self, f)

    def __call__(self, *arguments: Any, **keywords: Any) -> Any:
        items = list(leaves((arguments, keywords)))
        if refuse_tensors(items):
            return self.function(*arguments, **keywords)
        program, given = self._program(arguments, keywords)
        found = program.guarded_call(given) if program.guarded else program(*given)
        if found is None:
            program, given = self._program(arguments, keywords, again=True)
            found = program(*given)
        return program.structured(found)

    def prepare(self, *arguments: Any, **keywords: Any) -> Program:
        """The program for arguments like these, for hot loops: it is called with the arrays (and changing numbers)
        among them, in order, checks nothing, and returns the flat tuple of results."""
        return self._program(arguments, keywords)[0]

    def _program(self, arguments: Any, keywords: Any, again: bool = False) -> tuple[Program, list[Any]]:
        """The program for these arguments, and what it is called with."""
        arguments, keywords = mapped((arguments, keywords), _value)
        told = self._told(arguments, keywords)
        key, given = _key(arguments, keywords, told)
        program = self.programs.get(key)
        if program is None or again or not program.fits():
            with RECORDING:
                trace = recorded(self.function, arguments, keywords, told)
                name = getattr(self.function, "__name__", "function")
                program = Program(trace, name, self.backend, self.written(trace))
                if not trace.values:
                    program.forget()
                while len(self.programs) >= LIMIT:
                    self.programs.pop(next(iter(self.programs)))
                self.programs[key] = program
        self.latest = program
        return program, given

    def _told(self, arguments: Any, keywords: Any) -> list[bool]:
        """For each item among the arguments, whether it is a number that may be another in each call."""
        if not self.numbers:
            return []
        bound = inspect.signature(self.function).bind(*arguments, **keywords).arguments
        return [name in self.numbers for name, value in bound.items() for _ in leaves(value)]

    @property
    def source(self) -> str:
        """The program of the latest call, as readable NumPy."""
        return self._called().source

    @property
    def program(self) -> str:
        """The program of the latest call, as it runs: the same operations, with buffers."""
        return self._called().text

    def _called(self) -> Program:
        if self.latest is None:
            name = getattr(self.function, "__name__", "the function")
            raise RuntimeError(f"compile: {name} was not called yet, so nobody knows the shapes of its arguments")
        return self.latest

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        """As a method: the instance is the first argument."""
        return self if instance is None else functools.partial(self, instance)

    def __repr__(self) -> str:
        return f"<compiled {getattr(self.function, '__name__', self.function)}, {len(self.programs)} programs>"


def _value(x: Any) -> Any:
    return x._read() if hasattr(x, "_node") else x


def _key(arguments: Any, keywords: Any, told: Sequence[bool]) -> tuple[Any, list[Any]]:
    """What a program is made for: structure, shapes, dtypes, strides, and all that is no array. And the rest."""
    kinds: list[Any] = []
    given: list[Any] = []

    def described(x: Any) -> Any:
        if isinstance(x, (np.ndarray, np.generic)):
            kinds.append(_kind(x))
            given.append(x)
        elif told and told[len(kinds)] and type(x) in (int, float):
            kinds.append(type(x))
            given.append(x)
        else:
            kinds.append((type(x), x) if x.__hash__ else (type(x), id(x)))
        return ...

    structure = mapped((arguments, keywords), described)
    return (repr(structure), tuple(kinds)), given


def compile(f: Callable[..., Any], backend: str = "numpy", *, numbers: Collection[str] = ()) -> Compiled:
    """f as a straight-line program of NumPy calls, made when it is first called with arguments of such shapes.

    Arrays among the arguments (also in lists, tuples, dicts, dataclasses) may have other values in each call; for other
    shapes, dtypes or strides another program is made, and up to 32 are kept. All else that is passed is part of the
    program: a Python number, too, is another program for another value, unless `numbers` names the argument. Tensors
    and arrays that f finds outside are read at each call; random numbers are drawn afresh. f may be a `grad` or
    `value_and_grad`: of its gradient the program holds just what is asked for.

    `.source` is the latest program as one would write it by hand, `.program` the code that runs: the same bits, with
    buffers. Results are fresh arrays. Threads may call it at the same time.
    `backend="numba"` makes machine code of it (`pip install "autodiff[fast]"`), kept on disk in `AUTODIFF_CACHE_DIR`,
    by default the user's cache; `autodiff/NUMBA.md` lists what has a form there, all else is called as NumPy.
    Errors: `TracedValueError` where f decides by the value of an array (`if x > 0`), or takes one out (`x.item()`);
    `BackendError` for what machine code cannot do.

    >>> import numpy as np
    >>> from autodiff import value_and_grad
    >>> step = compile(value_and_grad(lambda w, x: np.sum((x @ w) ** 2)))
    >>> step(np.array([1.0, 2.0]), np.eye(2))
    (array(5.), array([2., 4.]))
    """
    if backend not in ("numpy", "numba"):
        raise ValueError(f"compile: backend must be 'numpy' or 'numba', not {backend!r}")
    return Compiled(f, backend, frozenset(numbers))
