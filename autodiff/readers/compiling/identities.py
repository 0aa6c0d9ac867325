"""Identities that leave every bit as it is, for the calls that derivatives are made of.

    1 * x = x / 1 = x            x ** 1 = x              --x = x
    -x * y = -(x * y)            -x / y = -(x / y)       a * (b * x) = x where a, b are powers of two, a * b = 1
    x + -y = x - y               x - -y = x + y

The last of the second line holds unless b * x overflows.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .lines import Line, Operand

if TYPE_CHECKING:
    from .lower import Lowering

Call = Callable[..., Line]  # of a ufunc and its operands, simplified, where the shape and dtype are the same


def simplified(low: Lowering, ufunc: np.ufunc, operands: Sequence[Operand], shape: Any, dtype: Any) -> Line:
    """A call of a ufunc, or a simpler one that gives the same."""
    if dtype.kind == "f" and ufunc in IDENTITIES:

        def call(f: np.ufunc, *given: Operand) -> Line:
            return simplified(low, f, given, shape, dtype)

        found = IDENTITIES[ufunc](call, (shape, dtype), *operands)
        if found is not None:
            return found
    return low.ufunc(ufunc, *operands, shape=shape, dtype=dtype)


def _multiply(call: Call, kind: Any, x: Operand, y: Operand) -> Line | None:
    for one, other in ((x, y), (y, x)):
        if type(one) in (int, float):
            inner = other if one == 1 else _factor(other, 1 / one) if _power_of_two(one) else None
            if isinstance(inner, Line) and (inner.shape, inner.dtype) == kind:
                return inner
    a, b = _negated(x, kind), _negated(y, kind)
    if a is None and b is None:
        return None
    product = call(np.multiply, a or x, b or y)
    return product if a and b else call(np.negative, product)


def _divide(call: Call, kind: Any, x: Operand, y: Operand) -> Line | None:
    if type(y) in (int, float) and y == 1 and isinstance(x, Line) and (x.shape, x.dtype) == kind:
        return x
    inner = _negated(x, kind)
    return call(np.negative, call(np.divide, inner, y)) if inner else None


def _negative(call: Call, kind: Any, x: Operand) -> Line | None:
    return _negated(x, kind)


def _add(call: Call, kind: Any, x: Operand, y: Operand) -> Line | None:
    for one, other in ((x, y), (y, x)):
        if inner := _negated(other, kind):
            return call(np.subtract, one, inner)
    return None


def _subtract(call: Call, kind: Any, x: Operand, y: Operand) -> Line | None:
    inner = _negated(y, kind)
    return call(np.add, x, inner) if inner else None


IDENTITIES: dict[Any, Callable[..., Line | None]] = {
    np.multiply: _multiply, np.divide: _divide, np.negative: _negative, np.add: _add, np.subtract: _subtract,
}  # fmt: skip


def _power_of_two(number: float) -> bool:
    return number > 0 and math.frexp(number)[0] == 0.5


def _factor(operand: Operand, number: float) -> Line | None:
    """What is multiplied by this number."""
    if isinstance(operand, Line) and operand.ufunc is np.multiply:
        for one, other in (operand.operands, operand.operands[::-1]):
            if type(one) in (int, float) and one == number and isinstance(other, Line):
                return other
    return None


def _negated(operand: Operand, kind: Any) -> Line | None:
    """What is negated."""
    if isinstance(operand, Line) and operand.ufunc is np.negative and operand.dtype == kind[1]:
        (inner,) = operand.operands
        return inner if isinstance(inner, Line) and inner.mask is None else None
    return None
