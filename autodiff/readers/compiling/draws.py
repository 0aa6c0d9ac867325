"""Random numbers: drawn afresh in each call of a program, by the generator and in the order of eager code.

While a function is recorded, its generators are replaced by ones that record what is drawn: those among its arguments,
in its closure, among its globals, and in attributes of the objects that it uses.
"""

from __future__ import annotations

import functools
import gc
import pickle
import sys
import types
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from ...errors import TracedValueError
from ...graph import node_of
from ...modes import tracing
from ...primitive import Composed
from ...storage import Stored

MANY = 10_000  # objects among which generators are found


class Draw(Composed):
    """The row of one method of one generator; each draw is a node of its own, and none is like another."""

    def __init__(self, generator: np.random.Generator, method: str) -> None:
        function = getattr(generator, method)
        super().__init__(function, f"{method}(...)", kind="constant", namespace={}, title=f"rng.{method}")
        self.generator = generator
        self.node: Any = None


class Recorder(np.random.Generator):
    """A generator whose draws are nodes while a function is recorded."""

    generator: np.random.Generator
    draws: list[Draw]

    @classmethod
    def of(cls, generator: np.random.Generator, draws: list[Draw]) -> Recorder:
        recorder = cls(generator.bit_generator)
        recorder.generator, recorder.draws = generator, draws
        return recorder

    def __getattribute__(self, name: str) -> Any:
        if name not in _METHODS:
            return super().__getattribute__(name)
        generator, draws = super().__getattribute__("generator"), super().__getattribute__("draws")
        method = getattr(generator, name)
        if not tracing():
            return method

        def draw(*arguments: Any, **keywords: Any) -> Any:
            if name == "shuffle":
                raise TypeError("compile: rng.shuffle writes to an array: write rng.permutation")
            row = Draw(generator, name)
            value = np.asarray(method(*arguments, **keywords))[()]
            node = node_of(row, (), {"call": (arguments, keywords)}, value)
            row.node = node
            draws.append(row)
            return Stored._of(node, value)

        return draw


_METHODS = frozenset(
    name
    for name in dir(np.random.Generator)
    if not name.startswith("_") and name not in ("bit_generator", "spawn", "bytes")
)


@contextmanager
def recording(f: Callable[..., Any], places: Any) -> Generator[tuple[list[Draw], list[Stored]]]:
    """A context in which the generators that f can reach record what they draw; what they drew is given back after.

    Known are, too, the Tensors that it can reach.
    """
    draws: list[Draw] = []
    tensors: list[Stored] = []
    undo: list[Callable[[], None]] = []
    states: dict[int, tuple[Any, Any]] = {}
    made: dict[int, Recorder] = {}
    fixed: list[tuple[np.random.Generator, Any]] = []  # in places where nothing else can be put
    try:
        for generator, put in _places(f, places, tensors):
            if isinstance(generator, Recorder):
                continue
            if put is None:
                fixed.append((generator, _stands(generator)))
                continue
            recorder = made.get(id(generator)) or Recorder.of(generator, draws)
            made[id(generator)] = recorder
            states[id(generator)] = generator.bit_generator, generator.bit_generator.state
            put(recorder)
            undo.append(lambda put=put, generator=generator: put(generator))
        yield draws, tensors
        if any(_stands(generator) != state for generator, state in fixed):
            raise TracedValueError(
                "compile: numbers are drawn from a generator in a tuple, and would be the same in each call: "
                "keep it in a list, a dict or an attribute"
            )
    finally:
        for restore in reversed(undo):
            restore()
        for bits, state in states.values():
            bits.state = state


def _stands(generator: np.random.Generator) -> bytes:
    """Where a generator stands."""
    return pickle.dumps(generator.bit_generator.state)


Place = tuple[np.random.Generator, Callable[[Any], None] | None]


def _places(f: Any, places: Any, tensors: list[Stored]) -> list[Place]:
    """The generators that a function can reach, each with what puts another in its place; and the Tensors."""
    found: list[Place] = []
    seen: set[int] = set()
    things: list[tuple[Any, Callable[[Any], None] | None]] = [(f, None), (places, None)]
    for thing, put in things:  # what is near comes first
        if isinstance(thing, np.random.Generator):
            found.append((thing, put))
        elif isinstance(thing, Stored):
            tensors.append(thing)
        elif id(thing) not in seen and len(seen) < MANY and not isinstance(thing, _CLOSED):
            seen.add(id(thing))
            things += [part for part in _parts(thing) if type(part[0]) not in _PLAIN]
    return found


def _library(names: dict[str, Any], module: str) -> bool:
    """Whether a module of these globals is ours, or NumPy's."""
    return "__library__" in names or module.partition(".")[0] in ("numpy", __name__.partition(".")[0])


_MEMBERS = (types.FunctionType, np.random.Generator)
HEAP = 1 << 9  # of the flags of a class: it is written in Python
_CLOSED = (str, bytes, int, float, complex, type(None), types.ModuleType, np.ndarray, np.generic, np.dtype)
_PLAIN = frozenset({bool, *_CLOSED})  # of these there are many


def _parts(thing: Any) -> Iterator[tuple[Any, Callable[[Any], None] | None]]:
    if isinstance(thing, types.MethodType):
        yield thing.__func__, None
        yield thing.__self__, None
    elif isinstance(thing, types.FunctionType):
        library = _library(thing.__globals__, thing.__module__ or "")
        for cell in thing.__closure__ or ():
            try:
                yield cell.cell_contents, lambda x, cell=cell: setattr(cell, "cell_contents", x)
            except ValueError:  # empty
                continue
        yield from ((item, functools.partial(_default, thing, i)) for i, item in enumerate(thing.__defaults__ or ()))
        yield from _parts(thing.__kwdefaults__ or {})
        for name in () if library else _globals_used(thing.__code__):
            if name in thing.__globals__:
                yield thing.__globals__[name], lambda x, g=thing.__globals__, name=name: g.__setitem__(name, x)
    elif isinstance(thing, dict):
        for key, item in list(thing.items())[:1000]:
            yield item, lambda x, key=key: thing.__setitem__(key, x)
    elif isinstance(thing, list):
        for i, item in enumerate(thing[:1000]):
            yield item, lambda x, i=i: thing.__setitem__(i, x)
    elif isinstance(thing, tuple):
        for item in thing[:1000]:
            yield item, None
    elif isinstance(thing, type):
        for kind in thing.__mro__:
            if kind.__flags__ & HEAP and not _library(vars(sys.modules.get(kind.__module__, types)), kind.__module__):
                members = [(name, x) for name, x in vars(kind).items() if isinstance(x, _MEMBERS)]
                yield from ((x, functools.partial(setattr, kind, name)) for name, x in members)
    elif type(thing).__dictoffset__:
        for item in gc.get_referents(thing)[:1000]:  # to ask for its `__dict__` would make one, and attributes slower
            if type(item) is dict:  # perhaps it has one
                yield from _parts(item)
            else:
                yield item, _attributes(thing, item) if isinstance(item, np.random.Generator) else None


def _default(function: types.FunctionType, i: int, x: Any) -> None:
    """Give another default to an argument."""
    defaults = list(function.__defaults__ or ())
    defaults[i] = x
    function.__defaults__ = tuple(defaults)


def _attributes(thing: Any, item: Any) -> Callable[[Any], None]:
    """What gives another value to the attributes that are this one."""
    names = [name for name, x in vars(thing).items() if x is item]
    return lambda x: vars(thing).update(dict.fromkeys(names, x))


def _globals_used(code: types.CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _globals_used(constant)
