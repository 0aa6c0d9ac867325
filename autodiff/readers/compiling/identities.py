"""Identities that leave every bit as it is, for the calls that derivatives are made of.

    1 * x = x / 1 = x            x ** 1 = x              --x = x
    -x * y = -(x * y)            -x / y = -(x / y)       a * (b * x) = x where a, b are powers of two, a * b = 1
    x + -y = x - y               x - -y = x + y

The last of the second line holds unless b * x overflows.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .lines import Line, Operand

if TYPE_CHECKING:
    from .lower import Lowering


def simplified(low: Lowering, ufunc: np.ufunc, operands: Sequence[Operand], shape: Any, dtype: Any) -> Line:
    """A call of a ufunc, or a simpler one that gives the same."""

    def call(f: np.ufunc, *given: Operand) -> Line:
        return simplified(low, f, given, shape, dtype)

    if dtype.kind == "f":
        match ufunc, operands:
            case (np.multiply, (x, y)):
                for one, other in ((x, y), (y, x)):
                    if _is(one, 1) and _like(other, shape, dtype):
                        return other
                    if _number(one) and (inner := _factor(other, 1 / one)) is not None and _like(inner, shape, dtype):
                        return inner
                if _negated(x, dtype) is not None or _negated(y, dtype) is not None:
                    inner = call(np.multiply, _or(_negated(x, dtype), x), _or(_negated(y, dtype), y))
                    both = _negated(x, dtype) is not None and _negated(y, dtype) is not None
                    return inner if both else call(np.negative, inner)
            case (np.divide, (x, y)):
                if _is(y, 1) and _like(x, shape, dtype):
                    return x
                if _negated(x, dtype) is not None:
                    return call(np.negative, call(np.divide, _negated(x, dtype), y))
            case (np.negative, (x,)) if _negated(x, dtype) is not None:
                return _negated(x, dtype)  # type: ignore[return-value]
            case (np.add, (x, y)):
                if (inner := _negated(y, dtype)) is not None:
                    return call(np.subtract, x, inner)
                if (inner := _negated(x, dtype)) is not None:
                    return call(np.subtract, y, inner)
            case (np.subtract, (x, y)) if (inner := _negated(y, dtype)) is not None:
                return call(np.add, x, inner)
            case _:
                pass
    return low.ufunc(ufunc, *operands, shape=shape, dtype=dtype)


def _is(operand: Operand, number: float) -> bool:
    return type(operand) in (int, float) and operand == number


def _number(operand: Operand) -> bool:
    """Whether it is a power of two."""
    return type(operand) in (int, float) and operand > 0 and math.frexp(operand)[0] == 0.5


def _factor(operand: Operand, number: float) -> Line | None:
    """What is multiplied by this number."""
    if isinstance(operand, Line) and operand.ufunc is np.multiply:
        for one, other in (operand.operands, operand.operands[::-1]):
            if _is(one, number) and isinstance(other, Line):
                return other
    return None


def _negated(operand: Operand, dtype: Any) -> Line | None:
    """What is negated."""
    if isinstance(operand, Line) and operand.ufunc is np.negative and operand.dtype == dtype:
        (inner,) = operand.operands
        return inner if isinstance(inner, Line) and inner.mask is None else None
    return None


def _or(line: Line | None, otherwise: Operand) -> Operand:
    return otherwise if line is None else line


def _like(operand: Operand, shape: Any, dtype: Any) -> bool:
    return isinstance(operand, Line) and operand.shape == shape and operand.dtype == dtype
