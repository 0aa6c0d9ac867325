"""What is taken in: operands of every kind, as values and nodes, and copies that no later write can reach."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any, cast

import numpy as np

from .errors import GradientError, TracedValueError
from .graph import Node, leaf
from .modes import tracing

_WEAK = (float, int, bool, complex, type(None))  # Python scalars keep NumPy's weak promotion: they stay what they are


class Number(float):
    """A Python number that stands for others in a program that is recorded: weak, as all of them are.

    Its arithmetic is remembered in `made`: a template, and what stands in its places. It decides nothing.
    """

    made: tuple[str, tuple[Any, ...]]

    @classmethod
    def of(cls, value: float, template: str, *operands: Any) -> Number:
        """A number that is made of others, or, without any, one that is given."""
        number = cls(value)
        number.made = template, operands
        return number

    def __bool__(self) -> bool:
        raise TracedValueError("the truth of a number that differs from call to call")

    def __eq__(self, other: object) -> bool:
        raise TracedValueError("a comparison with a number that differs from call to call")

    def __ne__(self, other: object) -> bool:
        return self == other

    def __lt__(self, other: object) -> bool:
        return self == other

    def __le__(self, other: object) -> bool:
        return self == other

    def __gt__(self, other: object) -> bool:
        return self == other

    def __ge__(self, other: object) -> bool:
        return self == other

    def __hash__(self) -> int:
        return float.__hash__(self)

    def __add__(self, other: Any) -> Any:
        return _arithmetic(operator.add, "{0} + {1}", self, other)

    def __radd__(self, other: Any) -> Any:
        return _arithmetic(operator.add, "{0} + {1}", other, self)

    def __sub__(self, other: Any) -> Any:
        return _arithmetic(operator.sub, "{0} - {1}", self, other)

    def __rsub__(self, other: Any) -> Any:
        return _arithmetic(operator.sub, "{0} - {1}", other, self)

    def __mul__(self, other: Any) -> Any:
        return _arithmetic(operator.mul, "{0} * {1}", self, other)

    def __rmul__(self, other: Any) -> Any:
        return _arithmetic(operator.mul, "{0} * {1}", other, self)

    def __truediv__(self, other: Any) -> Any:
        return _arithmetic(operator.truediv, "{0} / {1}", self, other)

    def __rtruediv__(self, other: Any) -> Any:
        return _arithmetic(operator.truediv, "{0} / {1}", other, self)

    def __pow__(self, other: Any, modulo: None = None) -> Any:
        return _arithmetic(operator.pow, "{0} ** {1}", self, other)

    def __rpow__(self, other: Any, modulo: None = None) -> Any:
        return _arithmetic(operator.pow, "{0} ** {1}", other, self)


def _arithmetic(compute: Callable[[Any, Any], Any], template: str, x: Any, y: Any) -> Any:
    if type(x) not in (int, float, Number) or type(y) not in (int, float, Number):
        return NotImplemented
    plain = [float(v) if isinstance(v, Number) else v for v in (x, y)]
    return Number.of(compute(*plain), template, x, y)


def plain_operand(operand: Any, operation: str, other: Any = None) -> Any:
    """An operand that is neither Tensor, array nor float, as NumPy will take it; what could go wrong is refused."""
    if type(operand) is complex and type(other) is np.float64:  # which Python takes for a float, and keeps to itself
        return np.complex128(operand)
    if type(operand) in _WEAK or isinstance(operand, np.generic):
        return operand
    if isinstance(operand, Number):
        return float(operand)
    if isinstance(operand, np.ma.MaskedArray):
        raise GradientError(f"{operation}: a masked array would lose its mask; fill it first: array.filled(0)")
    if isinstance(operand, np.matrix):
        raise GradientError(f"{operation}: np.matrix multiplies by rules of its own; take np.asarray(matrix)")
    if isinstance(operand, np.ndarray):
        return operand.view(np.ndarray)
    if hasattr(operand, "toarray"):
        raise GradientError(f"{operation}: a sparse {type(operand).__name__} is no array; take its .toarray()")
    return operand if hasattr(operand, "__array_function__") else np.asarray(operand)  # CuPy's, Dask's: never coerced


def constant_operand(value: Any, operation: str) -> tuple[Any, Any]:
    """The value and node of a plain operand; an array is copied, so that no later write is seen."""
    if type(value) in _WEAK:
        return value, value
    copy = snapshot(value, operation)
    node = leaf(copy, None, False)
    if tape := tracing():
        tape.operands.append((node, value))
    return copy, node


def starred_operands(operands: Sequence[Any], operation: str, tensor: type) -> tuple[tuple[Any, ...], list[Node], bool]:
    """The values and nodes of a sequence of operands, and whether any needs a gradient."""
    pairs = [
        operand._current()
        if isinstance(operand, tensor)
        else constant_operand(_array(plain_operand(operand, operation)), operation)
        for operand in operands
    ]
    nodes = [node for _, node in pairs]
    return tuple(value for value, _ in pairs), nodes, any(node.needs for node in nodes)


def own_array(value: Any) -> Any:
    """A writable array that nobody else holds; of another kind than NumPy's it stays what it is."""
    return np.array(value) if isinstance(value, (np.ndarray, np.generic)) else value


def numbers(data: Any, operation: str, dtype: Any = None) -> Any:
    """A private copy of data that a user gives, as an array of numbers."""
    array = plain_operand(data, operation)
    value = snapshot(_array(array), operation)
    return value if dtype is None or value.dtype == dtype else value.astype(dtype)


def _array(value: Any) -> Any:
    """Numbers as an array."""
    return np.asarray(value) if type(value) in _WEAK or isinstance(value, np.generic) else value


def snapshot(array: Any, operation: str) -> Any:
    """A private copy with the same kind of strides: NumPy takes the same path through it, to the same bits."""
    if type(array) is not np.ndarray:
        if isinstance(array, np.generic):
            return array
        array = plain_operand(array, operation)
        if not isinstance(array, np.ndarray):
            return array.copy()
    if array.dtype.kind not in "fiubc":
        raise GradientError(f"{operation}: an array of dtype {array.dtype} cannot be differentiated; use numbers")
    copy = cast(Any, array).copy("K")
    return copy if array.base is None or copy.strides == array.strides or not array.size else _strided_copy(array)


def _strided_copy(array: Any) -> Any:
    """A copy whose axes have the order, the signs and the gaps of the array's, gaps made small."""
    strides = list(array.strides)  # kept where an axis has one element, or repeats one
    packed = array.itemsize  # what the next axis would step by, were there no gap
    for axis in sorted(range(array.ndim), key=lambda axis: abs(array.strides[axis])):
        if array.shape[axis] > 1 and array.strides[axis]:
            step = packed + array.itemsize * (abs(array.strides[axis]) > packed)
            strides[axis] = step if array.strides[axis] > 0 else -step
            packed = step * array.shape[axis]
    low = -sum((size - 1) * stride for size, stride in zip(array.shape, strides, strict=True) if stride < 0)
    copy = np.ndarray(array.shape, array.dtype, np.empty(packed, np.uint8), low, strides)
    copy[...] = array
    return copy
