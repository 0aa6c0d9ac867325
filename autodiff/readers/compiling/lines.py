"""The lines of a program: what a graph is turned into before it is printed, one NumPy call each.

A line is a template, `np.tanh({0})` or `{0} * {1}`, and what stands in its places: other lines, or numbers. That is all
that a printer needs; the rest is what a planner of memory asks (shape, dtype, order, whether the result is a view).
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, cast

import numpy as np

Operand = Any  # a Line, or a Python number


UNKNOWN = object()


def _uniform(value: Any) -> Any:
    """The number that all elements are, to the bit; None where they differ."""
    if not value.size or value.dtype.kind not in "fiu":
        return None
    if not isinstance(value, np.ndarray) or not value.ndim:
        return value.item()
    first: Any = value.flat[0]
    if first != value.flat[-1] or not (value == first).all():
        return None
    return None if first == 0 and np.signbit(value).any() else cast(Any, value).flat[0].item()


class Line:
    """One value of a program, and the call that makes it.

    `ufunc` is set where the call is one of a ufunc, of all operands in order, and so may be told where to write; `into`
    is the template for any other call that may. `before` are statements that stand in front of the call, which then is
    `{out}` itself. `inputs`: the operands that are lines. `view`: the result may share memory with the first operand,
    and so with `base`. `ordered`: it is known to be in C order. `mask`: where the value is exactly zero since a branch
    was not taken, whatever it is multiplied by.
    """

    __slots__ = (
        "_number", "base", "before", "dtype", "gradient", "inputs", "into", "mask", "name", "node", "operands",
        "ordered", "shape", "size", "template", "ufunc", "value", "view",
    )  # fmt: skip

    def __init__(
        self,
        template: str,
        operands: Iterable[Operand] = (),
        *,
        shape: Any,
        dtype: Any,
        ufunc: np.ufunc | None = None,
        into: str | None = None,
        before: tuple[str, ...] = (),
        view: bool = False,
        ordered: bool = False,
        value: Any = None,
    ) -> None:
        self.template: str = template
        self.operands: tuple[Operand, ...] = tuple(operands)
        self.inputs: tuple[Line, ...] = tuple([x for x in self.operands if isinstance(x, Line)])
        self.shape: Any = shape
        self.size: int = math.prod(shape) if isinstance(shape, tuple) else 0  # 0, too, where it is not known
        self.dtype: Any = dtype
        self.ufunc: np.ufunc | None = ufunc
        self.into: str | None = into
        self.before: tuple[str, ...] = before
        self.view: bool = view
        owner = self.operands[0] if view and self.operands else None
        self.base: Line | None = owner.base or owner if isinstance(owner, Line) else None
        self.ordered: bool = ordered
        self.value: Any = value  # of a constant
        self._number: Any = UNKNOWN
        self.mask: Line | None = None
        self.name: str | None = None
        self.node: Any = None
        self.gradient: bool = False  # whether it belongs to a derivative

    @property
    def number(self) -> Any:
        """The number that all elements of a constant are, None where that is not so."""
        if self.value is None:
            return None
        if self._number is UNKNOWN:
            self._number = _uniform(self.value)
        return self._number

    def key(self) -> Any:
        """Equal for lines that compute the same."""
        operands = tuple([id(x) if isinstance(x, Line) else (type(x), repr(x)) for x in self.operands])
        return self.template, self.before, operands

    def __repr__(self) -> str:
        operands = [x.name or "..." if isinstance(x, Line) else repr(x) for x in self.operands]
        return f"<line {self.name}: {self.template} of {operands}>"


def kind_of(array: Any) -> Any:
    """What a program is made for."""
    return type(array), array.shape, array.dtype, getattr(array, "strides", None)


def needed(outputs: Iterable[Line]) -> set[Line]:
    """All lines that some are computed from."""
    found: set[Line] = set()
    stack = list(outputs)
    while stack:
        line = stack.pop()
        if line not in found:
            found.add(line)
            stack += line.inputs
    return found


# --- how values are written -------------------------------------------------------------------------------------------

PYTHON = frozenset({bool, int, float, complex, str, bytes, type(None)})
NOT_FINITE = {"nan": "np.nan", "inf": "np.inf", "-inf": "-np.inf"}


def literal(value: Any) -> str:
    """A value as Python source, for what `np.` and Python's own names can say; else a ValueError."""
    if type(value) in PYTHON:
        return NOT_FINITE.get(repr(value), repr(value))
    if isinstance(value, np.dtype):
        return f"np.dtype({value.str!r})" if value.byteorder not in "=|" else f"np.{value.type.__name__}"
    if isinstance(value, type) and issubclass(value, np.generic):
        return f"np.{value.__name__}"
    if isinstance(value, type) and value in (bool, int, float, complex):
        return value.__name__
    if isinstance(value, np.generic):
        number = literal(value.item())
        return f"np.{type(value).__name__}{number if number.startswith('(') else f'({number})'}"
    if isinstance(value, slice):
        return f"slice({literal(value.start)}, {literal(value.stop)}, {literal(value.step)})"
    if value is Ellipsis:
        return "..."
    if isinstance(value, dict):
        return "{" + ", ".join(f"{literal(k)}: {literal(v)}" for k, v in value.items()) + "}"
    if type(value) is list:
        return "[" + ", ".join(map(literal, value)) + "]"
    if isinstance(value, tuple):
        return "(" + ", ".join(map(literal, value)) + ("," if len(value) == 1 else "") + ")"
    held: Any = value
    if isinstance(value, np.ufunc) or getattr(value, "__module__", "").startswith("numpy"):
        return f"{held.__module__.replace('numpy', 'np', 1)}.{held.__name__}"
    raise ValueError(f"{value!r} cannot be written as source")


def subscript(index: Any) -> str:
    """An index as it stands in brackets; `{}` where an array of it is."""
    parts = index if isinstance(index, tuple) else (index,)
    written = ", ".join(map(_subscript, parts))
    return written + "," * (isinstance(index, tuple) and len(index) == 1) if parts else "()"


def _subscript(part: Any) -> str:
    if repr(part) == "ARRAY":
        return "{}"
    if isinstance(part, slice):
        ends = ["" if end is None else literal(end) for end in (part.start, part.stop)]
        return ":".join(ends) + (f":{literal(part.step)}" if part.step is not None else "")
    return literal(part)


def escaped(text: str) -> str:
    """Text that stands in a template for itself."""
    return text.replace("{", "{{").replace("}", "}}")
