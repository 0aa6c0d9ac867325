"""Random numbers: drawn afresh in each call of a program, by the generator and in the order of eager code.

While a function is recorded, its generators are replaced by ones that record what is drawn: those among its arguments,
in its closure, among its globals, and in attributes of the objects that it uses.
"""

from __future__ import annotations

import contextlib
import functools
import gc
import operator
import pickle
import sys
import types
from collections.abc import Callable, Generator
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
        for generator, put, owner, key in _places(f, places, tensors):
            if isinstance(generator, Recorder):
                continue
            states[id(generator)] = generator.bit_generator, generator.bit_generator.state
            if put is None:
                fixed.append((generator, _stands(generator)))
                continue
            recorder = made.get(id(generator)) or Recorder.of(generator, draws)
            made[id(generator)] = recorder
            put(owner, key, recorder)
            undo.append(functools.partial(put, owner, key, generator))
        yield draws, tensors
        if any(_stands(generator) != state for generator, state in fixed):
            raise TracedValueError(
                "compile: numbers are drawn from a generator in a tuple, or by a method that was taken from it, and "
                "would be the same in each call: keep the generator in a list, a dict or an attribute"
            )
    finally:
        for restore in reversed(undo):
            restore()
        for bits, state in states.values():
            bits.state = state


def _stands(generator: np.random.Generator) -> bytes:
    """Where a generator stands."""
    return pickle.dumps(generator.bit_generator.state)


Part = tuple[Any, Any, Any, Any]  # a value, and what puts another one in its place: `put(owner, key, other)`


def _places(f: Any, places: Any, tensors: list[Stored]) -> list[Part]:
    """The generators that a function can reach, where they are; and the Tensors."""
    found: list[Part] = []
    seen: set[int] = set()
    parts = _inside(f, places)
    for part in parts:  # what is near comes first
        thing = part[0]
        if isinstance(thing, np.random.Generator):
            found.append(part)
        elif isinstance(thing, Stored):
            tensors.append(thing)
        elif id(thing) not in seen and len(seen) < MANY and not isinstance(thing, _CLOSED):
            seen.add(id(thing))
            parts += [part for part in _parts(thing) if type(part[0]) not in _PLAIN]
    return found


_CLOSED = (str, bytes, int, float, complex, type(None), types.ModuleType, np.ndarray, np.generic, np.dtype)
_PLAIN = frozenset({bool, *_CLOSED})  # of these there are many


def _parts(thing: Any) -> list[Part]:
    """What a thing holds."""
    if isinstance(thing, dict):
        return [(x, operator.setitem, thing, key) for key, x in [*thing.items()][:1000]]
    if isinstance(thing, list):
        return [(x, operator.setitem, thing, i) for i, x in enumerate(thing[:1000])]
    if isinstance(thing, tuple):
        return _inside(*thing[:1000])
    if isinstance(thing, types.MethodType):
        return _inside(thing.__func__, thing.__self__)
    if isinstance(thing, types.FunctionType):
        return _parts_of_function(thing)
    if isinstance(thing, type):
        return [part for kind in thing.__mro__ for part in _parts_of_class(kind)]
    if isinstance(thing, types.BuiltinMethodType):
        return _inside(thing.__self__)
    if not (type(thing).__dictoffset__ or type(thing).__flags__ & HEAP):
        return []
    found: list[Part] = []
    for x in gc.get_referents(thing)[:1000]:  # to ask for its `__dict__` would make one, and attributes slower
        if type(x) is dict:  # perhaps it has one
            found += _parts(x)
        else:
            found += _attributes(thing, x) if isinstance(x, np.random.Generator) else _inside(x)
    return found


def _attributes(thing: Any, generator: np.random.Generator) -> list[Part]:
    """The attributes of a thing that are this generator."""
    own: dict[str, Any] = getattr(thing, "__dict__", {})
    found: list[Part] = [(x, operator.setitem, own, name) for name, x in own.items() if x is generator]
    slots = [name for kind in type(thing).__mro__ for name, x in vars(kind).items() if isinstance(x, _SLOT)]
    found += [(generator, object.__setattr__, thing, x) for x in slots if getattr(thing, x, None) is generator]
    return found or _inside(generator)


def _inside(*things: Any) -> list[Part]:
    """Things in whose places nothing else can be put."""
    return [(x, None, None, None) for x in things]


def _parts_of_function(function: types.FunctionType) -> list[Part]:
    found: list[Part] = []
    for cell in function.__closure__ or ():
        with contextlib.suppress(ValueError):  # empty
            found.append((cell.cell_contents, setattr, cell, "cell_contents"))
    if function.__defaults__:
        found += [(x, _put_default, function, i) for i, x in enumerate(function.__defaults__)]
    if function.__kwdefaults__:
        found += _parts(function.__kwdefaults__)
    names = function.__globals__
    if not _library(function.__module__):
        found += [(names[name], operator.setitem, names, name) for name in _used(function.__code__) if name in names]
    return found


def _parts_of_class(kind: type) -> list[Part]:
    if not kind.__flags__ & HEAP or _library(kind.__module__):
        return []
    return [(x, setattr, kind, name) for name, x in vars(kind).items() if isinstance(x, _MEMBERS)]


HEAP = 1 << 9  # of the flags of a class: it is written in Python
_SLOT = types.MemberDescriptorType
_MEMBERS = (types.FunctionType, np.random.Generator)


def _library(module: str | None) -> bool:
    """Whether a module is of a library whose generators are in objects: ours, or NumPy."""
    package = (module or "").partition(".")[0]
    return package == "numpy" or any("__library__" in vars(sys.modules.get(x or "", types)) for x in (package, module))


def _used(code: types.CodeType) -> list[str]:
    """The names that code asks for."""
    inner = [name for constant in code.co_consts if type(constant) is types.CodeType for name in _used(constant)]
    return [*code.co_names, *inner]


def _put_default(function: types.FunctionType, i: int, x: Any) -> None:
    defaults = list(function.__defaults__ or ())
    defaults[i] = x
    function.__defaults__ = tuple(defaults)
