"""Functions that reduce an array along some of its axes.

    linear(function, formula, the transpose applied to g)        special(function, formula, the vector-Jacobian product)

`spread` undoes the reduction of a shape: it puts the reduced axes back and repeats along them.
"""
# ruff: noqa: E501

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..primitive import ALIASES, constant, linear, special

Axis = int | tuple[int, ...] | None


def kept(shape: tuple[int, ...], axis: Axis) -> tuple[int, ...]:
    """The shape after a reduction over `axis` with keepdims: reduced axes have size 1."""
    reduced = _positions(shape, axis)
    return tuple(1 if i in reduced else size for i, size in enumerate(shape))


def left(shape: tuple[int, ...], axis: Axis) -> tuple[int, ...]:
    """The shape after a reduction over `axis` without keepdims."""
    reduced = _positions(shape, axis)
    return tuple(size for i, size in enumerate(shape) if i not in reduced)


def _positions(shape: tuple[int, ...], axis: Axis) -> set[int]:
    axes = range(len(shape)) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    return {i % len(shape) for i in axes} if shape else set()


def count(shape: tuple[int, ...], axis: Axis) -> int:
    """How many elements each result is made of; a Python int, so that it stays weak."""
    return math.prod(shape) // max(math.prod(kept(shape, axis)), 1)


def spread(g: Any, shape: tuple[int, ...], axis: Axis, keepdims: bool) -> Any:
    """Repeat g along the axes that a reduction of `shape` over `axis` removed."""
    if g.shape == () and isinstance(g, (np.ndarray, np.generic)):  # np.broadcast_to takes ten times longer
        filled = np.empty(shape, g.dtype)
        filled.fill(g)
        return filled
    return np.broadcast_to(g if keepdims else g.reshape(kept(shape, axis)), shape)


def to_selected(g: Any, x: Any, out: Any, axis: Axis, keepdims: bool) -> Any:
    """g to the elements of x that were selected; ties share equally."""
    selected = (x == spread(out, x.shape, axis, keepdims)) | (x != x)  # a nan is selected, too
    many = spread(selected.sum(axis=axis, dtype=g.dtype, keepdims=True), x.shape, axis, True)
    return np.where(selected, spread(g, x.shape, axis, keepdims) / many, 0)


def others(x: Any, axis: Axis) -> Any:
    """For each element, the product of all others along `axis`: right also where some are zero."""
    axes = tuple(range(x.ndim)) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    ends = tuple(range(-len(axes), 0))
    moved = np.moveaxis(x, axes, ends)
    flat = moved.reshape((*moved.shape[: moved.ndim - len(axes)], math.prod(moved.shape[moved.ndim - len(axes) :])))
    one = np.ones_like(flat[..., :1])
    left = np.cumprod(np.concatenate([one, flat[..., :-1]], axis=-1), axis=-1)
    right = np.cumprod(np.concatenate([one, flat[..., :0:-1]], axis=-1), axis=-1)[..., ::-1]
    return np.moveaxis((left * right).reshape(moved.shape), ends, axes)


def cumprod_pull(g: Any, x: Any, axis: int | None) -> Any:
    """Each x_i is a factor of all later products: the sum over them of g times the product without x_i."""
    flat = x.reshape(-1) if axis is None else np.swapaxes(x, axis, -1)
    moved = g if axis is None else np.swapaxes(g, axis, -1)
    n = flat.shape[-1]
    without = np.cumprod(np.where(np.eye(n, dtype=bool), 1, flat[..., None, :]), axis=-1)  # [..., i, j]: without x_i, up to j
    pulled = np.where(np.tri(n, dtype=bool).T, without * moved[..., None, :], 0).sum(axis=-1)
    return pulled.reshape(x.shape) if axis is None else np.swapaxes(pulled, axis, -1)


def reverse_cumsum(g: Any, shape: tuple[int, ...], axis: int | None) -> Any:
    """The transpose of cumsum: the sum of all later g."""
    along = 0 if axis is None else axis
    return np.flip(np.cumsum(np.flip(g, along), axis=along), along).reshape(shape)


def centred(x: Any, axis: Axis) -> Any:
    """x minus its mean."""
    return x - x.mean(axis=axis, keepdims=True)


def over(g: Any, out: Any) -> Any:
    """g / out, and 0 where out is 0: the convention for the tip of a cone."""
    return np.where(out == 0, 0, g / np.where(out == 0, 1, out))


def count_nonzero(x: Any, **keywords: Any) -> Any:
    """np.count_nonzero, as an array: it gave a Python int before NumPy 2.3."""
    return np.asarray(np.count_nonzero(x, **keywords))[()]


# fmt: off
linear(np.sum,      "sum(x, axis=None, dtype=None, out=None, keepdims=False)",          "spread(g, x.shape, axis, keepdims)",                             method=True)
linear(np.mean,     "mean(x, axis=None, dtype=None, out=None, keepdims=False)",         "spread(g / max(count(x.shape, axis), 1), x.shape, axis, keepdims)", method=True)
special(np.max,     "max(x, axis=None, out=None, keepdims=False)",                      "to_selected(g, x, out, axis, keepdims)",                              method=True, kinks={((1, 1),): ((0.5, 0.5),)})
special(np.min,     "min(x, axis=None, out=None, keepdims=False)",                      "to_selected(g, x, out, axis, keepdims)",                              method=True, kinks={((1, 1),): ((0.5, 0.5),)})
special(np.prod,    "prod(x, axis=None, dtype=None, out=None, keepdims=False)",         "spread(g, x.shape, axis, keepdims) * others(x, axis)",           method=True)
special(np.var,     "var(x, axis=None, dtype=None, out=None, ddof=0, keepdims=False)",  "spread(g * 2 / (count(x.shape, axis) - ddof), x.shape, axis, keepdims) * centred(x, axis)", method=True)
special(np.std,     "std(x, axis=None, dtype=None, out=None, ddof=0, keepdims=False)",  "spread(over(g, out) / (count(x.shape, axis) - ddof), x.shape, axis, keepdims) * centred(x, axis)", method=True, kinks={((1, 1),): ((0, 0),)})
linear(np.cumsum,   "cumsum(x, axis=None, dtype=None, out=None)",                       "reverse_cumsum(g, x.shape, axis)",                               method=True)
special(np.cumprod, "cumprod(x, axis=None, dtype=None, out=None)",                      "cumprod_pull(g, x, axis)",                                       method=True)
constant(np.argmax, "argmax(x, axis=None, out=None, keepdims=False)",                   method=True)
constant(np.argmin, "argmin(x, axis=None, out=None, keepdims=False)",                   method=True)
constant(np.all,    "all(x, axis=None, out=None, keepdims=False)",                      method=True)
constant(np.any,    "any(x, axis=None, out=None, keepdims=False)",                      method=True)
constant(np.round,  "round(x, decimals=0, out=None)",                                   method=True)
constant(np.count_nonzero, "count_nonzero(x, axis=None, keepdims=False)", forward=count_nonzero)
# fmt: on

ALIASES |= {np.amax: np.max, np.amin: np.min, np.around: np.round}
