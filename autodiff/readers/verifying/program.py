"""A user's program, run unchanged in a world of its own: on copies, with every assigned value seen.

A `Program` holds the instrumented code of the functions that were met; a `Run` is one call of them. What a run changes
(arguments, attributes, globals, closures, random state) is changed in copies that are thrown away.

A run that is traced computes on Tensors, so that the loss comes with its graph: float arrays become constants without
gradient, a parameter a Tensor with it. Where Tensors cannot stand for arrays in plain Python code (`X.dot(W)` with X an
array, `float(loss)`, `np.array([a, b])`), the call is made in a way in which they can.
"""

from __future__ import annotations

import contextlib
import copy
import functools
import math
import random
import sys
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import BuiltinMethodType, CellType, CodeType, FrameType, FunctionType, MethodType, ModuleType
from typing import Any

import numpy as np

from ...errors import AutodiffError
from ...graph import Node, next_index
from ...rules.shape import identity
from ...structures import leaves
from ...tensor import Tensor, plain_value
from .instrument import FILENAME, HOOK, Patch, Source, Statement, instrumented, is_users, source_of
from .quiet import Keeper, global_names, silent
from .stand_ins import BUFFERS, GREEDY, array_of, bounded, for_tensors, stacked

LARGE = 100_000  # elements of an array that is written to in parts, and still looked at each time


class Program:
    """The functions of a user's program, instrumented when they are first called."""

    def __init__(self) -> None:
        self.statements: list[Statement] = []
        self.sources: dict[CodeType, Source] = {}
        self._codes: dict[CodeType, CodeType | None] = {}

    def code(self, function: FunctionType) -> CodeType | None:
        """The code of a user's function, instrumented where its source is there; None for any other function."""
        key = function.__code__
        if key not in self._codes:
            users = is_users(key.co_filename, function.__globals__.get("__name__", ""))
            if users and (source := source_of(function)):
                self.sources[key] = source
            self._codes[key] = self._instrumented(key) or key if users else None
        return self._codes[key]

    def _instrumented(self, key: CodeType) -> CodeType | None:
        return instrumented(self.sources[key], self.statements) if key in self.sources else None

    def patched(self, patches: Sequence[Patch], seen: bool = True) -> Program:
        """The program with other texts, whose values are `seen` or not. Raises SyntaxError where they are none."""
        new = Program()
        new.statements, new.sources, new._codes = self.statements.copy(), self.sources.copy(), self._codes.copy()
        for key in {patch.code for patch in patches}:
            new.sources[key] = self.sources[key].patched(patch for patch in patches if patch.code == key)
            new._codes[key] = instrumented(new.sources[key], new.statements if seen else None)
        return new

    def line_of(self, error: BaseException) -> str:
        """`grades.py:12, in backprop`: the user's line that raised an error; "" where it is not known."""
        found, traceback = "", error.__traceback__
        while traceback is not None:
            code = traceback.tb_frame.f_code
            for key, source in self.sources.items():
                if code.co_filename == FILENAME and self._codes[key] is code:
                    found = f"{source.file}:{source.first + traceback.tb_lineno - 1}, in {code.co_name}"
            traceback = traceback.tb_next
        return found

    def sees(self, followed: Any) -> bool:
        """Whether the source of a function that a run follows was there."""
        while isinstance(followed, (MethodType, functools.partial)):
            followed = followed.__func__ if isinstance(followed, MethodType) else followed.func
        return isinstance(followed, FunctionType) and followed.__code__.co_filename == FILENAME


@dataclass(slots=True)
class Record:
    """A value that was assigned: by which statement, for the how manieth time, and where it is in what was assigned."""

    statement: int
    occurrence: int
    path: tuple[Any, ...]
    value: Any  # a copy, or in a traced run the node
    name: str
    stamp: int
    stack: tuple[int, ...]

    @property
    def place(self) -> tuple[int, int, tuple[Any, ...]]:
        """What is the same in another run of the program."""
        return self.statement, self.occurrence, self.path


class Run:
    """One call of a program: its world, and what was seen."""

    def __init__(
        self,
        program: Program,
        traced: bool = False,
        heal: Mapping[Any, Any] | None = None,
        watch: Callable[[int, FrameType], None] | None = None,
        noise: float = 0.0,
        seed: int = 0,
        copies: bool = False,
        record: bool = True,
        widen: bool = False,
        apart: bool = False,
        bounded: bool = False,
    ) -> None:
        self.program: Program = program
        self.traced: bool = traced
        self.heal: Mapping[Any, Any] = heal or {}
        self.noise: float = noise  # how far, relatively, each value is rounded up or down
        self.copies: bool = copies  # every assigned value is copied: aliases are cut
        self.apart: bool = apart  # every assigned Tensor is a node of its own, and carries gradient
        self.bounded: bool = bounded  # numbers far out stand in the place of infinity
        self.records: list[Record] = []
        self.widen: bool = widen  # buffers of integers become such of floats, into which a Tensor can be written
        self.recording: bool = record
        self.tainted: float = math.inf  # from which node on values were computed in a way that no gradient passes
        self.marks: list[tuple[int, tuple[Any, ...]]] = []  # which nodes were made where
        self.locals: dict[str, Any] = {}  # of the outermost function, at its end
        self._seen: dict[int, int] = {}
        self._owners: dict[int, tuple[int, ...]] = {}  # the calls of functions that have given an array a name
        self._stack: tuple[int, ...] = ()
        self._memo: dict[int, Any] = {}
        self._kept: list[Any] = []  # the originals, so that an id stays one object's
        self._globals: dict[int, dict[str, Any]] = {}
        self._functions: dict[Any, Any] = {}
        self._signs: np.random.Generator | None = np.random.default_rng(seed) if noise else None
        self._watch = watch  # sees a statement, and the frame that it runs in, before its value is assigned
        self.keeper: Keeper = Keeper()
        self.changing: set[str] = set()  # functions that changed an argument in place
        self.returning_globals: set[str] = set()  # functions whose result is none of their own values
        self.computed: dict[Any, Any] = {}  # what stood where a value was healed
        self.given: dict[str, Any] = {}  # values for local names, in the place of the first ones assigned

    # --- what the instrumented code calls ---

    def step(self, number: int, value: Any) -> Any:
        """See a value on its way to a name."""
        if not (self.looks(number) or self.copies or self.apart or self.given or self._watch):
            return value
        if self._watch is not None:
            self._watch(number, sys._getframe(1))
        return self._met(number, value, self._next(number))

    def rest(self) -> None:
        """See nothing more: functions of this world may still be called."""
        self.recording, self.heal, self._watch = False, {}, None

    def lend(self, variables: dict[str, Any]) -> None:
        """Put this world's functions in the places of the user's, methods of his objects among them."""
        for name, value in variables.items():
            if isinstance(value, FunctionType):
                variables[name] = self.function(value) or value
            elif _is_users_object(value):
                self._bind(value)

    def _bind(self, owner: Any, depth: int = 3) -> None:
        """Give an object, and the objects that it has, this world's methods."""
        own = dict(getattr(owner, "__dict__", {}))
        for name, item in own.items():
            if isinstance(item, FunctionType):
                object.__setattr__(owner, name, self.function(item) or item)
        for method in dir(type(owner)):
            function = getattr(type(owner), method, None)
            if isinstance(function, FunctionType) and not method.startswith("__"):
                with contextlib.suppress(AttributeError):  # slots
                    object.__setattr__(owner, method, MethodType(self.function(function) or function, owner))
        for item in own.values() if depth else ():
            for part in item if isinstance(item, (list, tuple)) else (item,):
                if _is_users_object(part):
                    self._bind(part, depth - 1)

    def looks(self, number: int) -> bool:
        """Whether a value, that an augmented assignment leaves or any other, is to be seen or changed."""
        return self.recording or self.copies or bool(self.heal) or bool(self.noise)

    def alone(self, value: Any) -> Any:
        """An array to which nothing else writes, where aliases are cut."""
        return value.copy() if self.copies and isinstance(value, np.ndarray) else value

    def after(self, number: int, value: Any) -> Any:
        """See the value that an augmented assignment leaves."""
        return self._met(number, value, -self._seen[number])

    def _next(self, number: int) -> int:
        self._seen[number] = seen = self._seen.get(number, 0) + 1
        return seen

    def _met(self, number: int, value: Any, occurrence: int) -> Any:
        if isinstance(value, (tuple, list, dict)):
            names = self.program.statements[number].names
            return self._met_parts(number, value, occurrence, names)
        if not isinstance(value, (np.ndarray, np.generic, Tensor, float)):
            return value
        return self._passed(number, value, occurrence, (), self.program.statements[number].names[0])

    def _met_parts(self, number: int, value: Any, occurrence: int, names: tuple[str, ...]) -> Any:
        """Each array in a structure that is assigned at once."""
        places = list(value) if isinstance(value, dict) else range(len(value))
        changed = {}
        for place in places:
            part = value[place]
            if isinstance(part, (np.ndarray, np.generic, Tensor)) or (self.noise and type(part) is float):
                name = names[place] if len(names) == len(places) > 1 else names[0]
                new = self._passed(number, part, occurrence, (place,), name)
                if new is not part:
                    changed[place] = new
        if not changed:
            return value
        if self.noise and isinstance(value, (dict, list)):  # which others may know, too
            for place, new in changed.items():
                value[place] = new
            return value
        if isinstance(value, dict):
            return {**value, **changed}
        items = [changed.get(place, value[place]) for place in places]
        return tuple(items) if isinstance(value, tuple) else items

    def _passed(self, number: int, value: Any, occurrence: int, path: tuple[Any, ...], name: str) -> Any:
        if name in self.given and not self._stack:
            value = self.given.pop(name)
        if self.heal and occurrence > 0:
            self._owners[id(value)] = self._stack
        healed = self.heal.get((number, occurrence, path))
        if healed is not None:
            self.computed[number, occurrence, path] = np.array(plain_value(value))
            value = _healed(value, healed, in_place=occurrence < 0 and self._owners.get(id(value)) == self._stack)
        elif self.noise and (_is_float(value) or type(value) is float or isinstance(value, Tensor)):
            value = self._noisy(value)
        elif self.copies and isinstance(value, np.ndarray):
            value = value.copy()
        elif self.apart and isinstance(value, Tensor) and not (occurrence < 0 and value.requires_grad):
            value = _set_apart(value)
        if self.recording:
            seen = value._current()[1] if isinstance(value, Tensor) else np.array(value)
            stamp = next_index() if self.traced else 0
            if self.traced:
                self.marks.append((stamp, (*self._stack, number)))
            self.records.append(Record(number, occurrence, path, seen, name, stamp, self._stack))
        return value

    def _noisy(self, value: Any) -> Any:
        """A value rounded up or down, by one unit; an array stays the same object, which others may know, too."""
        assert self._signs is not None
        factor = 1 + self.noise * (2 * self._signs.integers(2, size=np.shape(value)) - 1)
        if type(value) is float:
            return value * float(factor)
        factor = factor.astype(value.dtype)
        if value.ndim and (isinstance(value, Tensor) or (isinstance(value, np.ndarray) and value.flags.writeable)):
            value *= factor
            return value
        return value * factor

    def base(self, number: int, array: Any) -> Any:
        """See the array of which a statement wrote a part."""
        if not isinstance(array, (np.ndarray, Tensor)) or not self.looks(number) or array.size > LARGE:
            return array
        name = self.program.statements[number].names[0]
        return self._passed(number, array, -self._seen[number], ("base",), name)

    def filled(self, number: int, array: Any) -> None:
        """The same of an array that is no variable of the function, and stays the object that it is."""
        new = self.base(number, array)
        if new is not array:
            array[...] = new

    def call(self, site: int, function: Any, *arguments: Any, **keywords: Any) -> Any:
        """Call a function: a user's own is followed, NumPy's gets what it can take."""
        followed = self._followed(function)
        if followed is None:
            return self._foreign(function, arguments, keywords) if self.traced else function(*arguments, **keywords)
        if self.traced and self.recording:
            self.marks.append((next_index(), (*self._stack, -site)))
        if self.copies:
            arguments = tuple(a.copy() if isinstance(a, np.ndarray) else a for a in arguments)
        self._stack = (*self._stack, site)
        before = [_small_copy(argument) for argument in arguments] if self.recording else []
        try:
            return followed(*arguments, **keywords)
        finally:
            self._stack = self._stack[:-1]
            for old, new in zip(before, arguments, strict=False):
                if old is not None and not np.array_equal(old, new, equal_nan=old.dtype.kind == "f"):
                    self.changing.add(getattr(function, "__name__", type(function).__name__))

    def left(self, value: Any, variables: Mapping[str, Any]) -> Any:
        """A function returns: of the outermost, the names at its end are kept; of others, whether it is their own."""
        frame = sys._getframe(1)
        if not self._stack:
            self.locals = dict(variables)
        elif self.recording and isinstance(value, (np.ndarray, np.generic, Tensor)) and variables:
            own, shared = variables.values(), frame.f_globals.values()
            if any(v is value for v in shared) and not any(v is value for v in own):
                self.returning_globals.add(frame.f_code.co_name)
        return value

    def joined(self, kind: Any, *parts: Any) -> Any:
        """`np.c_[a, b]` and `np.r_[a, b]`, which are no calls."""
        if not any(isinstance(part, Tensor) for part in leaves(parts)):
            return kind[parts]
        parts = tuple(part if isinstance(part, Tensor) else stacked(part) for part in parts)
        if kind is np.r_:
            return np.concatenate([np.atleast_1d(part) for part in parts])
        return np.concatenate([part[:, None] if part.ndim == 1 else part for part in parts], axis=-1)

    # --- functions ---

    def followed(self, function: Any) -> Any:
        """The user's function to call from outside: bound to a copy of its object; None for what is called as it is."""
        if isinstance(function, MethodType):
            function = MethodType(function.__func__, self.copied(function.__self__))
        elif not isinstance(function, (FunctionType, functools.partial)):
            function = self.copied(function)
        return self._followed(function)

    def _followed(self, function: Any) -> Any:
        """The instrumented function, bound as it was: objects that it meets are copies, or made in this world."""
        if type(function) in (BuiltinMethodType, np.ufunc):
            return None
        if isinstance(function, FunctionType):
            return self.function(function)
        if isinstance(function, MethodType) and isinstance(function.__func__, FunctionType):
            inner = self.function(function.__func__)
            return MethodType(inner, function.__self__) if inner is not None else None
        if isinstance(function, functools.partial):
            inner = self._followed(function.func)
            return functools.partial(inner, *function.args, **function.keywords) if inner is not None else None
        call: Any = vars(type(function)).get("__call__")
        if isinstance(call, FunctionType):  # an object that is called
            inner = self.function(call)
            return MethodType(inner, function) if inner is not None else None
        return None

    def function(self, function: FunctionType) -> Any:
        """A user's function in this world: instrumented, with copies of the globals and cells that it uses."""
        if function not in self._functions:
            code = self.program.code(function)
            self._functions[function] = self._here(function, code) if code is not None else None
        return self._functions[function]

    def _here(self, function: FunctionType, code: CodeType) -> FunctionType:
        """A function of this world, that does what instrumented code says."""
        cells = dict(zip(function.__code__.co_freevars, function.__closure__ or (), strict=True))
        closure = tuple(self._cell(cells[name]) for name in code.co_freevars)
        here = FunctionType(code, self._world(function), function.__name__, self.copied(function.__defaults__), closure)
        here.__kwdefaults__ = self.copied(function.__kwdefaults__)
        here.__wrapped__ = function  # type: ignore[attr-defined]
        return here

    def _world(self, function: FunctionType) -> dict[str, Any]:
        """The globals of a function; those that its code names are copied."""
        real = function.__globals__
        world = self._globals.setdefault(id(real), {**real, HOOK: self})
        for name in global_names(function.__code__):
            if name in real:
                world[name] = self.copied(real[name]) if world[name] is real[name] else world[name]
        world.setdefault("print", silent)
        return world

    def _cell(self, cell: CellType) -> CellType:
        if id(cell) not in self._memo:
            self._kept.append(cell)
            self._memo[id(cell)] = new = CellType()
            with contextlib.suppress(ValueError):  # empty
                new.cell_contents = self.copied(cell.cell_contents)
        return self._memo[id(cell)]

    # --- values ---

    def copied(self, value: Any) -> Any:
        """A value of this world: arrays, containers and the user's own objects are copied, once each."""
        if type(value) in _NEVER_COPIED:
            return value
        if id(value) in self._memo:
            return self._memo[id(value)]
        new: Any = value
        if isinstance(value, np.ndarray):
            new = self._array(value)
        elif isinstance(value, list):
            self._memo[id(value)] = new = type(value)()
            new.extend(self.copied(item) for item in value)
        elif isinstance(value, dict):
            self._memo[id(value)] = new = copy.copy(value)
            new.update({key: self.copied(item) for key, item in value.items()})
        elif isinstance(value, set):
            new = set(value)
        elif isinstance(value, tuple):
            items = [self.copied(item) for item in value]
            new = type(value)(*items) if hasattr(value, "_fields") else tuple(items)
        elif isinstance(value, (np.random.Generator, np.random.RandomState, random.Random)):
            new = copy.deepcopy(value)
        elif isinstance(value, (type, ModuleType)):
            self.keeper.keep(value)
        elif _is_users_object(value):
            self.keeper.keep(type(value))
            new = copy.copy(value)
            self._memo[id(value)] = self._memo[id(new)] = new
            for name, item in vars(value).items():
                object.__setattr__(new, name, self.copied(item))
        if new is not value:
            self._memo[id(value)] = new
            self._memo[id(new)] = new
            self._kept += [value, new]
        return new

    def _array(self, array: np.ndarray) -> Any:
        if self.traced and array.dtype.kind == "f":
            return Tensor._plain(np.array(bounded(array) if self.bounded else array, np.float64))
        return array.copy("K")

    # --- NumPy's functions and Python's, on Tensors ---

    def _foreign(self, function: Any, arguments: Any, keywords: Any) -> Any:
        """The result of a function that was written for arrays."""
        owner = getattr(function, "__self__", None)
        owned = [owner] if isinstance(owner, Tensor) else []
        if self.bounded:
            arguments = [bounded(argument) for argument in arguments]
        if function in GREEDY:
            arguments = [list(a) if isinstance(a, Iterator) else a for a in arguments]
        tensors = [item for item in leaves([*owned, *arguments, *keywords.values()]) if isinstance(item, Tensor)]
        if not tensors:
            return self._wrapped(function(*arguments, **keywords), function)
        new, carries = for_tensors(function, owner, arguments), any(t.requires_grad for t in tensors)
        for prepared in (lambda argument: argument, array_of):  # lists of numbers are arrays to most functions
            with contextlib.suppress(AutodiffError, TypeError, ValueError):
                result = new(*map(prepared, arguments), **keywords)
                if not (carries and _is_cut_off(result)):
                    return self._wrapped(result, new)
        self._taint()  # `round` and others know no Tensors
        plain = getattr(plain_value(owner), function.__name__) if owned else function
        return self._wrapped(plain(*plain_value(arguments), **{k: plain_value(v) for k, v in keywords.items()}), plain)

    def _taint(self) -> None:
        self.tainted = min(self.tainted, next_index())

    def _wrapped(self, result: Any, function: Any = None) -> Any:
        if self.widen and isinstance(result, np.ndarray) and result.dtype.kind in "iu" and function in BUFFERS:
            result = result.astype(np.float64)
        if isinstance(result, np.ndarray) and result.dtype.kind == "f":
            return Tensor._plain(result)
        if type(result) is tuple:
            return tuple(map(self._wrapped, result))
        return result


def _is_cut_off(result: Any) -> bool:
    """Whether a result holds numbers, and no gradient passes it."""
    found = list(leaves(result))
    numbers = any(isinstance(item, float) or _is_float(item) for item in found)
    return numbers and not any(isinstance(item, Tensor) for item in found)


_NEVER_COPIED = frozenset((FunctionType, BuiltinMethodType, np.ufunc, type(None), bool, int, float, str, range, slice))


def _set_apart(value: Tensor) -> Tensor:
    """A value as a node of its own that carries gradient; an empty buffer, which others may know, stays the object."""
    node = value if value.requires_grad else Tensor(value.numpy())
    if not value.ndim:
        return node[()]  # a scalar is not written to
    if np.any(value.numpy()) or value.dtype.kind != "f":
        return identity(node)
    if node is not value:
        value[...] = node
    return value


def _healed(value: Any, healed: Any, in_place: bool) -> Any:
    """A healed value; in the array that a statement writes to, which others may know, if it is the function's own."""
    known = isinstance(value, Tensor) or (isinstance(value, np.ndarray) and value.flags.writeable)
    if in_place and known and value.shape == np.shape(healed) and value.dtype.kind == "f":
        value[...] = healed
        return value
    return healed.copy() if isinstance(healed, np.ndarray) else healed


def _small_copy(argument: Any) -> Any:
    return argument.copy() if isinstance(argument, np.ndarray) and argument.size <= LARGE else None


def _is_float(value: Any) -> bool:
    return isinstance(value, (np.ndarray, np.floating)) and value.dtype.kind == "f"


def _is_users_object(value: Any) -> bool:
    """Whether it is an object of a class that the user wrote, with attributes."""
    if isinstance(value, (type, ModuleType, FunctionType, MethodType, Tensor)) or not hasattr(value, "__dict__"):
        return False
    module = sys.modules.get(type(value).__module__)
    builtin = module is not None and type(value).__module__ in sys.builtin_module_names
    return not builtin and is_users(getattr(module, "__file__", None) or "a cell", type(value).__module__)


def node_places(run: Run, nodes: Sequence[Node]) -> dict[Node, tuple[Any, ...]]:
    """For each node the place in the program that made it: call sites, statement, and which of its operations it is.

    The last one is counted first: a loop's first run may do less, with what is no parameter's yet.
    """
    found: list[tuple[Node, tuple[Any, ...]]] = []
    marks = sorted(run.marks)
    stamps, last, count = [stamp for stamp, _ in marks], -1, Counter[str]()
    for node in reversed(nodes):
        mark = bisect_left(stamps, node.index)
        if mark != last:
            last, count = mark, Counter()
        place, name = marks[mark][1] if mark < len(marks) else ("end",), node.primitive.name
        found.append((node, (*place, (name, count[name]))))
        count[name] += 1
    return dict(reversed(found))
