"""What is called in the place of functions that were written for arrays and numbers, where Tensors come."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Sequence
from types import BuiltinMethodType
from typing import Any

import numpy as np

from ...custom import primitive
from ...rules.activation import log_softmax, logsumexp, sigmoid, softmax, softplus
from ...tensor import Tensor

BUFFERS = (np.zeros, np.zeros_like, np.empty, np.empty_like, np.full, np.full_like, np.ones, np.ones_like)
GREEDY = (np.fromiter, math.fsum)  # they go through an iterator, and know no Tensors
FAR = 700.0  # of which exp is finite
_NUMBERS = (float, np.float64, np.float32)
_REDUCING = (np.sum, np.mean, np.prod, np.max, np.min, np.std, np.var, np.cumsum)  # of lists, too
_JOINING = (np.concatenate, np.stack, np.hstack, np.vstack, np.dstack, np.column_stack)
_ARRAYS = (np.array, np.asarray, np.asanyarray, np.ascontiguousarray, np.fromiter)
_COPYING = (copy.copy, copy.deepcopy)


def for_tensors(function: Any, owner: Any, arguments: Sequence[Any]) -> Any:
    """The function to call instead, where Python or NumPy would ask for a number or an array."""
    name = getattr(function, "__name__", "")
    if isinstance(owner, np.ndarray) and isinstance(function, BuiltinMethodType):
        return getattr(Tensor._plain(owner), name)
    if isinstance(owner, Tensor) and name == "item":
        return lambda *index: np.reshape(owner, ()) if not index else owner[index]
    if isinstance(owner, Tensor) and name == "tolist":
        return lambda: _listed(owner)
    if isinstance(function, np.vectorize):
        return lambda *values: _each(function.pyfunc, np.broadcast_arrays(*values))
    if name in _SPECIAL and (function is math.erf or not hasattr(np, name)):
        return _SPECIAL[name]
    if getattr(function, "__module__", None) == "math" and function is not math.fsum:
        return getattr(np, name, function)
    for functions, instead in _INSTEAD:
        if function in functions:
            return instead(function)
    return function


def erf(x: Any) -> Any:
    """The error function, entry by entry."""
    return np.vectorize(math.erf, [float])(x)[()]


_SPECIAL: dict[str, Callable[..., Any]] = {  # of SciPy
    "erf": primitive(erf, "g * 2 / np.sqrt(np.pi) * np.exp(-(x**2))"),
    "expit": sigmoid,
    "log_expit": lambda x: -softplus(-x),
    "log_softmax": lambda x, axis=None: log_softmax(x, axis),
    "logit": lambda x: np.log(x) - np.log1p(-x),
    "logsumexp": logsumexp,
    "softmax": lambda x, axis=None: softmax(x, axis),
    "xlogy": lambda x, y: x * np.log(np.where(x == 0, 1, y)),
}
_INSTEAD: tuple[tuple[Sequence[Any], Callable[[Any], Any]], ...] = (
    (_NUMBERS, lambda f: lambda t: np.reshape(t, ())),
    (_ARRAYS, lambda f: lambda data, *_, **__: stacked(data)),
    (_REDUCING, lambda f: lambda data, *others, **options: f(array_of(data), *others, **options)),
    (_JOINING, lambda f: lambda parts, *others, **options: f([array_of(part) for part in parts], *others, **options)),
    (_COPYING, lambda f: _copied),
    ((math.fsum,), lambda f: sum),
    ((np.full,), lambda f: lambda shape, value, **_: np.zeros(shape) + value),
    ((np.ndenumerate,), lambda f: lambda t: ((index, t[index]) for index in np.ndindex(t.shape))),
    ((isinstance,), lambda f: lambda t, kinds: isinstance(np.empty(0) if isinstance(t, Tensor) else t, kinds)),
    ((type,), lambda f: lambda t: np.ndarray if t.ndim else np.float64),
)


def bounded(value: Any) -> Any:
    """Numbers far out in the place of infinite ones: 0 times them is 0."""
    if isinstance(value, (list, tuple)) and not hasattr(value, "_fields"):
        return type(value)(map(bounded, value))
    if isinstance(value, float) and math.isinf(value):
        return math.copysign(FAR, value)
    if isinstance(value, np.ndarray) and value.dtype.kind == "f":
        return np.nan_to_num(value, copy=True, nan=np.nan, posinf=FAR, neginf=-FAR)
    return value


def stacked(data: Any) -> Any:
    """What np.array makes of nested lists that hold Tensors."""
    if isinstance(data, (list, tuple)):
        return np.stack([stacked(item) for item in data])
    return data.copy() if isinstance(data, Tensor) else Tensor._plain(np.array(data, float))


def array_of(value: Any) -> Any:
    """An array in the place of a list that holds Tensors."""
    return stacked(value) if isinstance(value, (list, tuple)) else value


def _each(function: Callable[..., Any], arrays: Sequence[Any]) -> Any:
    """The values of a function of numbers at the entries of arrays."""
    found = [function(*(array[index] for array in arrays)) for index in np.ndindex(arrays[0].shape)]
    return np.reshape(stacked(found), arrays[0].shape)


def _listed(t: Any) -> Any:
    return [_listed(part) for part in t] if t.ndim else t


def _copied(value: Any) -> Any:
    """A copy of a structure that holds Tensors."""
    if isinstance(value, Tensor):
        return value.copy()
    if isinstance(value, dict):
        return {key: _copied(item) for key, item in value.items()}
    return type(value)(map(_copied, value)) if type(value) in (list, tuple) else copy.copy(value)
