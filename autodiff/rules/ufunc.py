"""The methods and keywords that all ufuncs have, said with the ufunc itself, for any of them.

    np.add.reduce(x, axis, initial=, where=)   accumulate   outer   reduceat   at   np.add(x, y, where=, dtype=, axes=)
"""
# ruff: noqa: E501

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ..errors import MissingRuleError, leaves_the_graph
from ..primitive import Composed
from .shape import array as joined
from .shape import cast

_REDUCTIONS: dict[Any, Callable[..., Any]] = {np.add: np.sum, np.multiply: np.prod, np.maximum: np.max, np.minimum: np.min}
_ACCUMULATIONS: dict[Any, Callable[..., Any]] = {np.add: np.cumsum, np.multiply: np.cumprod}


@functools.cache
def ufunc_row(ufunc: np.ufunc, method: str) -> Composed:
    """The row of a ufunc's method, or of calling it with keywords."""
    if ufunc in (np.power, np.arctan2) and method.startswith("reduce"):
        raise MissingRuleError(f"np.{ufunc.__name__}.{method} has no rule: of more than two, NumPy skips those between")
    function = functools.partial(ufunc, out=None) if method == "__call__" else getattr(ufunc, method)  # (without: NumPy warns)
    name = ufunc.__name__ if method == "__call__" else f"{ufunc.__name__}.{method}"
    composition = functools.partial(_METHODS[method], ufunc)
    row = Composed(function, f"{ufunc.__name__}(...)", composition, kind="composed", namespace={}, title=name)
    row.inlined = method == "at"
    return row


def call(ufunc: Any, *arrays: Any, where: Any = True, dtype: Any = None, signature: Any = None, **keywords: Any) -> Any:
    """With `where`, elements that are not computed carry no gradient."""
    if signature is not None and not isinstance(signature, str):
        dtype = signature if isinstance(signature, type) else signature[-1]
    if dtype is not None:
        arrays = tuple(cast(x, dtype=np.dtype(dtype)) if np.result_type(x).kind in "fc" else x for x in arrays)
    if ufunc.signature is not None:
        return _along_axes(ufunc, arrays, **keywords)
    out = ufunc(*arrays)
    return out if where is True else np.where(where, out, 0)


def _along_axes(ufunc: Any, arrays: Any, axis: Any = None, axes: Any = None, keepdims: bool = False, **_: Any) -> Any:
    """A generalized ufunc whose core dimensions stand elsewhere than last (NEP 20)."""
    inputs, result = ufunc.signature.split("->")
    sizes = [len([name for name in core.strip("()").split(",") if name]) for core in (*inputs.split("),("), result)]
    if axis is not None:
        axes = [(axis,) if size else () for size in sizes]
    if axes is None:
        axes = [tuple(range(-size, 0)) for size in sizes]
    axes = [(one,) if isinstance(one, int) else tuple(one) for one in axes]
    axes = [*axes[: len(sizes) - 1], axes[0] if keepdims else (axes[len(sizes) - 1 :] or [()])[0]]
    moved = [np.moveaxis(x, at, range(-len(at), 0)) for x, at in zip(arrays, axes, strict=False)]
    out = ufunc(*moved)
    if keepdims:
        out = out[(..., *[None] * sizes[0])]
    return np.moveaxis(out, range(-len(axes[-1]), 0), axes[-1])


def reduce(
    ufunc: Any, array: Any, axis: Any = 0, dtype: Any = None, keepdims: bool = False, initial: Any = None, where: Any = True
) -> Any:
    """Folded from the left, slice by slice, where NumPy has no function for it."""
    array = joined(array)
    if ufunc in _REDUCTIONS and dtype is None:
        given = {} if initial is None else {"initial": initial}
        given |= {} if where is True else {"where": where}
        return _REDUCTIONS[ufunc](array, axis=axis, keepdims=keepdims, **given)
    if dtype is not None:
        array = cast(array, dtype=np.dtype(dtype))
    axes = range(array.ndim) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    axes = tuple(i % array.ndim for i in axes)
    first = np.moveaxis(array, axes, range(len(axes)))
    used = np.moveaxis(np.broadcast_to(where, array.shape), axes, range(len(axes)))
    rest = first.shape[len(axes) :]
    flat = (math.prod(first.shape[: len(axes)]), *rest)
    slices = first.reshape(flat)
    total = ufunc.identity if initial is None and (where is not True or not len(slices)) else initial
    for item, use in zip(slices, used.reshape(flat), strict=True):
        total: Any = item if total is None else ufunc(total, item) if where is True else np.where(use, ufunc(total, item), total)
    total = np.broadcast_to(total, rest)
    return np.expand_dims(total, axes) if keepdims else total


def accumulate(ufunc: Any, array: Any, axis: int = 0, dtype: Any = None) -> Any:
    """All results on the way of `reduce`."""
    if ufunc in _ACCUMULATIONS:
        return _ACCUMULATIONS[ufunc](array, axis=axis, dtype=dtype)
    array = array if dtype is None else cast(array, dtype=np.dtype(dtype))
    steps = []
    for item in np.moveaxis(array, axis, 0):
        steps.append(ufunc(steps[-1], item) if steps else item)
    return np.stack(steps, axis=axis) if steps else array


def outer(ufunc: Any, A: Any, B: Any, **keywords: Any) -> Any:
    """Each element of A with each of B."""
    return ufunc(np.reshape(A, np.shape(A) + (1,) * np.ndim(B)), B, **keywords)


def reduceat(ufunc: Any, array: Any, indices: Any, axis: int = 0, dtype: Any = None) -> Any:
    """From each index up to the next one; where that is not larger, the element itself."""
    first = np.moveaxis(array, axis, 0)
    starts = [int(i) for i in indices]
    ends = [*starts[1:], len(first)]
    parts = [reduce(ufunc, first[i : max(i + 1, end)], 0, dtype) for i, end in zip(starts, ends, strict=True)]
    return np.stack(parts, axis=axis) if parts else array[:0]


def at(ufunc: Any, a: Any, indices: Any, *operands: Any) -> None:
    """In place, an index that repeats more than once: in as many rounds."""
    if type(a) is np.ndarray:
        raise leaves_the_graph("a Tensor", f"np.{ufunc.__name__}.at on a plain array", "it with a Tensor to write to")
    positions = np.arange(a.size).reshape(a.shape)[indices]
    flat = positions.ravel()
    order = np.argsort(flat, kind="stable")
    turns = np.empty_like(flat)
    turns[order] = np.arange(flat.size) - np.searchsorted(flat[order], flat[order])
    values = [np.broadcast_to(x, positions.shape).reshape(-1) for x in operands]
    for turn in range(int(turns.max(initial=-1)) + 1):
        now = np.flatnonzero(turns == turn)
        where = np.unravel_index(flat[now], a.shape) if a.ndim else None
        a[where] = ufunc(a[where], *(x[now] for x in values))


_METHODS: dict[str, Callable[..., Any]] = {
    "__call__": call, "reduce": reduce, "accumulate": accumulate, "outer": outer, "reduceat": reduceat, "at": at,
}  # fmt: skip
