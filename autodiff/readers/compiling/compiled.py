"""`compile`: a function as the straight-line NumPy program that it is for arguments of given shapes and dtypes."""

from __future__ import annotations

import functools
import inspect
import threading
from collections.abc import Callable, Collection, Sequence
from typing import Any

import numpy as np

from ...sites import __library__  # noqa: F401
from ...structures import leaves, mapped
from . import rows
from .lines import kind_of
from .program import Program, Renewal
from .trace import Trace, recorded, refuse_tensors

assert rows.ROWS  # filled by its import

LIMIT = 32  # programs that one function keeps; the one that was made first goes first
RECORDING = threading.RLock()  # one function at a time: random generators are replaced meanwhile


class Compiled:
    """A function that runs as a program; see `compile`."""

    def __init__(self, f: Callable[..., Any], backend: str = "numpy", numbers: Collection[str] = ()) -> None:
        self.function: Callable[..., Any] = f
        self.backend: str = backend
        self.numbers: Collection[str] = numbers
        self.programs: dict[Any, Program] = {}
        self.latest: Program | None = None
        self.renewal: Callable[[Trace], Any] = lambda _: ()  # what a `Renewal` is made of
        functools.update_wrapper(self, f)

    def __call__(self, *arguments: Any, **keywords: Any) -> Any:
        if refuse_tensors(leaves((arguments, keywords))):
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
                trace = recorded(self.function, arguments, keywords, self.signature, told)
                name = getattr(self.function, "__name__", "function")
                program = Program(trace, name, self.backend, Renewal(*self.renewal(trace)))
                if not trace.values:
                    program.forget()
                while len(self.programs) >= LIMIT:
                    self.programs.pop(next(iter(self.programs)))
                self.programs[key] = program
        self.latest = program
        return program, given

    def _told(self, arguments: Any, keywords: Any) -> list[bool]:
        """For each item among the arguments, whether it is a number that may be another in each call."""
        if not self.numbers or self.signature is None:
            return []
        bound = self.signature.bind(*arguments, **keywords).arguments
        return [name in self.numbers for name, value in bound.items() for _ in leaves(value)]

    @functools.cached_property
    def signature(self) -> inspect.Signature | None:
        """How the function is called, if it says so."""
        try:
            return inspect.signature(self.function)
        except (TypeError, ValueError):
            return None

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
            kinds.append(kind_of(x))
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
    and arrays that f finds outside are read at each call; random numbers are drawn afresh. Python numbers that f finds
    outside (a global `scale = 2`, an attribute) are those of the call that was recorded. f may be a `grad` or
    `value_and_grad`: of its gradient the program holds just what is asked for.

    `.source` is the latest program as one would write it by hand, `.program` the code that runs: the same bits, with
    buffers. Results are fresh arrays. Threads may call it at the same time.
    `backend="numba"` makes machine code of it (`pip install "autodiff[fast]"`), kept on disk in `AUTODIFF_CACHE_DIR`,
    by default the user's cache; `autodiff/NUMBA.md` lists what has a form there, all else is called as NumPy.
    Errors: `TracedValueError` where f decides by the value of an array (`if x > 0`), takes one out (`x.item()`), or
    draws from `np.random` or a generator that cannot be replaced while f is recorded (one in a tuple); `BackendError`
    for what machine code cannot do.

    >>> import numpy as np
    >>> from autodiff import value_and_grad
    >>> step = compile(value_and_grad(lambda w, x: np.sum((x @ w) ** 2)))
    >>> step(np.array([1.0, 2.0]), np.eye(2))
    (array(5.), array([2., 4.]))
    """
    if backend not in ("numpy", "numba"):
        raise ValueError(f"compile: backend must be 'numpy' or 'numba', not {backend!r}")
    return Compiled(f, backend, frozenset(numbers))
