"""What a line of a derivation can speak of: the values in reach of it, and what they are."""

from __future__ import annotations

import contextlib
import dis
import functools
import inspect
import itertools
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import FunctionType
from typing import Any

import numpy as np

from .activations import ACTIVATIONS, PARTS, SMOOTH, Activation
from .compare import direction, ratio, same
from .instrument import compiled, is_users
from .pure import only_computes

MOST_ENTRIES = 10_000  # of an array whose rows are looked up
NAMED = 3  # names of one value that are tried
MOST = 60  # values in which activations are looked for


@dataclass(frozen=True)
class Applied:
    """An activation that the program applies: to which value, with which result, both as the line can write them."""

    activation: Activation
    z: str | None
    a: str | None
    z_value: Any
    slope: Any  # its derivative, entry by entry
    own: tuple[str, ...]  # ways to write that derivative with functions of the user's
    plain: tuple[str, ...]  # and without

    @property
    def is_slope_only(self) -> bool:
        """Whether the derivative is nothing that stands there for another reason, as that of exp does."""
        return self.activation.name not in PARTS

    @property
    def ways(self) -> tuple[str, ...]:
        """How the user would write it: with functions of his own, if there are some."""
        return self.own or self.plain


class Scope:
    """The variables in reach of a statement, with the values that they had before it ran."""

    def __init__(
        self,
        variables: Mapping[str, Any],
        texts: Iterable[str] = (),
        parameters: Mapping[str, Any] | None = None,
        counters: Iterable[str] = (),
        varying: Iterable[str] = (),
        behind: Iterable[Any] = (),
    ) -> None:
        self.variables = variables
        self.counters: set[str] = set(counters)  # names that loops count with
        self.varying: set[str] = set(varying)  # numbers that are others in another run of the statement
        self.behind: tuple[Any, ...] = tuple(behind)  # activations of the graph that a derivative passes here
        self.texts: tuple[str, ...] = tuple(texts)  # items that the function itself speaks of: `hs[t - 1]`
        self.compared: Sequence[Any] = ()  # what the loss compares with
        self.deltas: Mapping[Any, tuple[Any, int]] = {}  # derivatives of the loss, and by the how manieth value
        self.slopes: Sequence[tuple[Any, Any]] = ()  # of the activations of the graph, and what those are of
        self.repeats: bool = False  # whether the statement runs more than once
        self.updates: dict[str, str] = {}  # how to write the value that a name had before it was updated
        self.parameters: Mapping[str, Any] = parameters or {}

    def at(self, variables: Mapping[str, Any]) -> Scope:
        """The same where the variables have other values."""
        new = Scope(variables, self.texts, self.parameters, self.counters, self.varying)
        new.compared, new.deltas, new.slopes = self.compared, self.deltas, self.slopes
        return new

    def evaluated(self, text: str) -> Any:
        """The value of an expression here."""
        return eval(compiled(text), dict(self.variables))

    def is_parameter(self, value: Any) -> bool:
        """Whether it is the value of a parameter."""
        return any(same(value, parameter) or _is_part(value, parameter) for parameter in self.parameters.values())

    @functools.cached_property
    def values(self) -> dict[str, Any]:
        """Everything numeric, by the text that reaches it: names, attributes, items of dicts and lists."""
        found: dict[str, Any] = {}
        for name, value in self.variables.items():
            if not name.startswith("__"):
                found.update(_reached(name, value))
        for text in self.texts:
            with contextlib.suppress(Exception):
                value = self.evaluated(text)
                if isinstance(value, (np.ndarray, np.generic, float, int)) and not isinstance(value, bool):
                    found[text] = value
        return found

    def is_compared(self, value: Any) -> bool:
        """Whether it is a target, that the loss compares with."""
        return np.size(value) > 1 and any(ratio(value, target) is not None for target in self.compared)

    def has_target(self, text: str) -> bool:
        """Whether a text speaks of what the loss compares with; where that is not known, of what is called so."""
        words = self.words(text)
        known = {word: np.asarray(self.values[word]) for word in words if word in self.values}
        labels = any(is_target(word) and value.dtype.kind in "iub" for word, value in known.items())
        if self.compared and not labels:
            return any(self.is_compared(value) for value in known.values())
        return any(is_target(word) for word in words - self.varying)

    def delta_of(self, value: Any) -> int | None:
        """The position of the value by which it is a derivative of the loss, but for a factor; None if it is none."""
        if getattr(value, "dtype", None) != np.float32:
            return self.deltas.get(direction(value)[0], (None, None))[1]
        some = (i for g, i in self.deltas.values() if g.shape == value.shape and ratio(value, g) is not None)
        return next(some, None)

    def words(self, text: str) -> set[str]:
        """The names in a text, and the values in reach that stand in it."""
        return set(re.findall(r"(?<![\w.])[^\W\d]\w*", text)) | {name for name in self.values if name in text}

    def addends(self, shape: tuple[int, ...]) -> Iterator[tuple[str, Any]]:
        """What could be a term beside a value of a shape: arrays, numbers, and labels, one hot."""
        if shape == ():
            yield from self.numbers.items()
        else:
            yield from ((name, value) for name, value in self.arrays.items() if value.shape == shape)
            yield from self.one_hot(shape)

    def one_hot(self, shape: tuple[int, ...]) -> Iterator[tuple[str, Any]]:
        """Integer labels as rows of a unit matrix."""
        for name, value in self.values.items():
            labels = np.asarray(value)
            if labels.dtype.kind != "i" or labels.ndim > 1 or not labels.size or labels.min() < 0:
                continue
            if not labels.ndim and (name in self.counters or int(labels) in self.extents):
                continue
            for axis, size in enumerate(shape):
                if labels.max() < size and shape[:axis] + shape[axis + 1 :] in (labels.shape, (*labels.shape, 1)[-1:]):
                    count = self.sizes.get(size, str(size))
                    text = {0: f"np.eye({count})[{name}]", 1: f"np.eye({count})[{name}]"}[labels.ndim]
                    hot = np.eye(size)[labels]
                    if hot.shape == shape:
                        yield text, hot
                    elif hot.T.shape == shape:
                        yield f"{text}.T", hot.T
                    elif (*hot.shape, 1) == shape:
                        yield f"{text}[:, None]", hot[:, None]

    @functools.cached_property
    def extents(self) -> set[int]:
        """The sizes of arrays, along all axes."""
        return {size for value in self.arrays.values() for size in value.shape}

    @functools.cached_property
    def arrays(self) -> dict[str, Any]:
        """Those that are arrays of floats."""
        return {n: v for n, v in self.values.items() if np.ndim(v) and np.asarray(v).dtype.kind in "fiub"}

    @functools.cached_property
    def functions(self) -> dict[str, Any]:
        """The user's functions of one argument that change nothing, by name."""
        found = {name: value for name, value in self.variables.items() if isinstance(value, FunctionType)}
        found = {name: value for name, value in found.items() if _takes_one(value)}
        owner = self.variables.get("self")
        if owner is not None and hasattr(owner, "__dict__") and not isinstance(owner, type):
            methods = inspect.getmembers(type(owner), inspect.isfunction)
            names = [name for name, method in methods if not name.startswith("__") and _takes_one(method, 2)]
            found |= {f"self.{name}": getattr(owner, name) for name in names}
        return {name: f for name, f in found.items() if only_computes(f) and _changes_nothing(f)}

    @functools.cached_property
    def floats(self) -> dict[str, Any]:
        """Arrays and numbers that are no counts, as arrays."""
        found = {name: np.asarray(value) for name, value in self.values.items() if not isinstance(value, int)}
        return dict(itertools.islice(((n, v) for n, v in found.items() if v.dtype.kind == "f" and v.size), MOST))

    @functools.cached_property
    def applied(self) -> list[Applied]:
        """The activations of the program: pairs of values in reach, one a known function of the other."""
        found: list[Applied] = []
        first = {name: value.flat[0] for name, value in self.floats.items()}
        for z, z_value in self.floats.items():
            with np.errstate(all="ignore"):
                for activation in ACTIVATIONS if z_value.ndim else SMOOTH:
                    expected = np.asarray(activation.value(z_value))
                    near = 1e-3 * abs(expected.flat[0])
                    for a, a_value in self.floats.items():
                        if abs(first[a] - expected.flat[0]) > near or a == z or not same(a_value, expected):
                            continue
                        if not same(a_value, z_value):
                            slope = np.asarray(activation.slope(z_value))
                            texts = (activation.from_a.format(a=a), activation.from_z.format(z=z))
                            own = tuple(self._own((z, a), slope))
                            found.append(Applied(activation, z, a, z_value, slope, own, texts))
        return found + [x for x in self._behind() if not any(same(x.slope, other.slope) for other in found)]

    def _behind(self) -> Iterator[Applied]:
        """Those of the graph of which the line can speak of the argument, or of the result."""
        for x in self.behind:
            a, z = ([name for name, value in self.floats.items() if same(value, one)] for one in (x.a, x.z))
            own = tuple(self._own((*z, *a), x.slope))
            for one, other in itertools.islice(itertools.zip_longest(z, a), NAMED):
                texts = [x.activation.from_a.format(a=other)] if other and x.activation.from_a else []
                texts += [x.activation.from_z.format(z=one)] if one and x.activation.from_z else []
                if own or texts:
                    yield Applied(x.activation, one, other, x.z, x.slope, own, tuple(texts))

    def guessed(self, shape: tuple[int, ...]) -> list[str]:
        """What could be the derivative of an activation whose argument or result is a value of some shape."""
        known = {name for applied in self.applied for name in (applied.z, applied.a)}
        found: list[str] = []
        for name, value in self.floats.items():
            if value.shape == shape and name not in known and not self.is_compared(value):
                low, high = float(value.min()), float(value.max())
                found += [f"{name} * (1 - {name})"] * (0 < low <= high < 1)
                found += [f"(1 - {name}**2)"] * (-1 < low <= high < 1)
                found += [f"({name} > 0)"] * (low <= 0 < high)
                found += [f"{f}({name})" for f in self.functions]
        return found

    def _own(self, arguments: Iterable[str], slope: Any) -> Iterator[str]:
        """The user's functions that give a derivative."""
        for name, f in self.functions.items():
            for argument in arguments:
                if (value := self.applied_to(f, argument)) is not None and same(value, slope * 1.0):
                    yield f"{name}({argument})"

    def applied_to(self, f: Callable[[Any], Any], argument: str) -> Any:
        """The value of one of the user's functions at a value in reach; None where it does not take it."""
        try:
            value = np.asarray(f(self.floats[argument].copy()[()]))
        except Exception:
            return None
        return value.astype(float) if value.dtype.kind in "fiub" else None

    @functools.cached_property
    def sizes(self) -> dict[int, str]:
        """How to write a size: a name that has it as its value, or the shape of an array."""
        found: dict[int, str] = {}
        for name, value in self.values.items():
            counts = isinstance(value, (int, np.integer)) and not isinstance(value, bool) and value > 1
            if counts and name not in self.counters and "[" not in name:
                found.setdefault(int(value), name)
        for name, value in self.variables.items():
            if isinstance(value, (list, tuple)) and len(value) > 1 and not name.startswith("_"):
                found.setdefault(len(value), f"len({name})")
        for name, value in self.arrays.items():
            if name.isidentifier():
                for axis, size in enumerate(value.shape):
                    if size > 1:
                        found.setdefault(size, f"{name}.shape[{axis}]")
        for name, value in self.arrays.items():
            if name.isidentifier() and value.ndim > 1 and value.size > 1:
                found.setdefault(value.size, f"{name}.size")
        return found

    @functools.cached_property
    def numbers(self) -> dict[str, float]:
        """Constants with a name that are no sizes: rates, strengths."""
        return {n: float(v) for n, v in self.values.items() if isinstance(v, (float, np.floating)) and v not in (0, 1)}


def is_target(name: str) -> bool:
    """Whether a value is called as targets are, and not as what is predicted."""
    word = name.split(".")[-1]
    return bool(re.match(r"^([yY](?!_?(hat|pred|p$|out))\w*|[tT]\d*|target\w*|label\w*|one_?hot\w*)$", word))


def _is_part(value: Any, whole: Any) -> bool:
    """Whether an array is cut out of a flat vector, or is a row or a column of a matrix, or some of its rows."""
    value, whole = np.asarray(value), np.asarray(whole)
    if value.ndim == whole.ndim == 2 and value.shape[1] == whole.shape[1] and 0 < value.size <= MOST_ENTRIES:
        return {row.tobytes() for row in value} <= {row.tobytes() for row in whole}
    if value.ndim == 1 and whole.ndim == 2:
        return any(value.shape == m.shape[1:] and bool((m == value).all(axis=1).any()) for m in (whole, whole.T))
    if not value.ndim or whole.ndim != 1 or not 1 < value.size < whole.size:
        return False
    return any(np.array_equal(whole[i : i + value.size], value.ravel()) for i in np.flatnonzero(whole == value.flat[0]))


def _reached(name: str, value: Any, depth: int = 0) -> Iterator[tuple[str, Any]]:
    if isinstance(value, (np.ndarray, np.generic, int, float)) and not isinstance(value, bool):
        yield name, value
    elif depth < 2 and isinstance(value, dict) and len(value) < 100:
        for key, item in value.items():
            if isinstance(key, str):
                yield from _reached(f'{name}["{key}"]', item, depth + 1)
    elif depth < 2 and isinstance(value, tuple) and len(value) < 30:
        for i, item in enumerate(value):
            yield from _reached(f"{name}[{i}]", item, depth + 1)
    elif depth < 1 and hasattr(value, "__dict__") and _is_users(type(value)):
        for key, item in vars(value).items():
            yield from _reached(f"{name}.{key}", item, depth + 1)


def _is_users(kind: type) -> bool:
    """Whether a class is a user's: one that holds weights, say."""
    return not issubclass(kind, type) and is_users("a cell", kind.__module__) and kind.__module__ != "builtins"


def _changes_nothing(function: Any) -> bool:
    """Whether a function neither sets attributes or globals nor writes to its argument."""
    names = {instruction.opname for instruction in dis.get_instructions(function)}
    if names & {"STORE_ATTR", "STORE_GLOBAL"}:
        return False
    argument = np.array([[-1.5, 2.5], [0.5, -0.25]])
    before = argument.copy()
    with contextlib.suppress(Exception), np.errstate(all="ignore"):
        function(argument)
    return np.array_equal(argument, before)


def _takes_one(function: Any, count: int = 1) -> bool:
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return False
    needed = [p for p in parameters if p.default is p.empty and p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    return len(needed) == count
