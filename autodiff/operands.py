"""What is taken in: operands of every kind, as values and nodes, and copies that no later write can reach."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import numpy as np

from .errors import GradientError
from .graph import Node, leaf

_WEAK = (float, int, bool, complex, type(None))  # Python scalars keep NumPy's weak promotion: they stay what they are


def plain_operand(operand: Any, operation: str, other: Any = None) -> Any:
    """An operand that is neither Tensor, array nor float, as NumPy will take it; what could go wrong is refused."""
    if type(operand) is complex and type(other) is np.float64:  # which Python takes for a float, and keeps to itself
        return np.complex128(operand)
    if type(operand) in _WEAK or isinstance(operand, np.generic):
        return operand
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
    value = snapshot(value, operation)
    return value, leaf(value, None, False)


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
