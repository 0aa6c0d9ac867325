"""Functions that reduce an array along some of its axes.

    linear(function, formula, the transpose applied to g)        special(function, formula, the vector-Jacobian product)
    composed(function, signature, an equal expression)           for the calls with `where`, `initial`, `mean` ...

`spread` undoes the reduction of a shape: it puts the reduced axes back and repeats along them.
"""
# ruff: noqa: E501

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..primitive import ALIASES, composed, constant, constants, linear, special

Shape = tuple[int, ...]
Axis = int | Shape | None


def axes_of(shape: Shape, axis: Axis) -> Shape:
    """The axes of a reduction, counted from the front."""
    if axis is None or not shape:
        return tuple(range(len(shape)))
    return tuple([i % len(shape) for i in (axis if isinstance(axis, tuple) else (axis,))])


def kept(shape: Shape, axis: Axis) -> Shape:
    """The shape after a reduction over `axis` with keepdims: reduced axes have size 1."""
    reduced = axes_of(shape, axis)
    return tuple(1 if i in reduced else size for i, size in enumerate(shape))


def left(shape: Shape, axis: Axis) -> Shape:
    """The shape after a reduction over `axis` without keepdims."""
    reduced = axes_of(shape, axis)
    return tuple(size for i, size in enumerate(shape) if i not in reduced)


def count(shape: Shape, axis: Axis) -> int:
    """How many elements each result is made of; a Python int, so that it stays weak."""
    return math.prod(shape[i] for i in axes_of(shape, axis))


def spread(g: Any, shape: Shape, axis: Axis, keepdims: bool) -> Any:
    """Repeat g along the axes that were reduced; `shape` is that before."""
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


def merged(x: Any, axis: Axis) -> Any:
    """x with the axes of a reduction made one, the last."""
    axes = axes_of(x.shape, axis)
    moved, dims = np.moveaxis(x, axes, tuple(range(-len(axes), 0))), x.ndim - len(axes)
    return moved.reshape((*moved.shape[:dims], math.prod(moved.shape[dims:])))


def others(x: Any, axis: Axis) -> Any:
    """For each element, the product of all others along `axis`: right also where some are zero."""
    axes, flat = axes_of(x.shape, axis), merged(x, axis)
    one = np.ones_like(flat[..., :1])
    before = np.cumprod(np.concatenate([one, flat[..., :-1]], axis=-1), axis=-1)
    after = np.cumprod(np.concatenate([one, flat[..., :0:-1]], axis=-1), axis=-1)[..., ::-1]
    apart = (before * after).reshape((*flat.shape[:-1], *[x.shape[i] for i in axes]))
    return np.moveaxis(apart, tuple(range(-len(axes), 0)), axes)


def cumprod_pull(g: Any, x: Any, axis: int | None) -> Any:
    """Each x_i is a factor of all later products: the sum over them of g times the product without x_i."""
    flat = x.reshape(-1) if axis is None else np.swapaxes(x, axis, -1)
    moved = g if axis is None else np.swapaxes(g, axis, -1)
    n = flat.shape[-1]
    without = np.cumprod(np.where(np.eye(n, dtype=bool), 1, flat[..., None, :]), axis=-1)  # [..., i, j]: without x_i, up to j
    pulled = np.where(np.tri(n, dtype=bool).T, without * moved[..., None, :], 0).sum(axis=-1)
    return pulled.reshape(x.shape) if axis is None else np.swapaxes(pulled, axis, -1)


def reverse_cumsum(g: Any, shape: Shape, axis: int | None) -> Any:
    """The transpose of cumsum: the sum of all later g."""
    along = 0 if axis is None else axis
    return np.flip(np.cumsum(np.flip(g, along), axis=along), along).reshape(shape)


def centred(x: Any, axis: Axis) -> Any:
    """x minus its mean; its conjugate, as the derivative of |x - mean|^2 has it."""
    y = x - x.mean(axis=axis, keepdims=True)
    return np.conj(y) if y.dtype.kind == "c" else y


def over(g: Any, out: Any) -> Any:
    """g / out, and 0 where out is 0: the convention for the tip of a cone."""
    return np.where(out == 0, 0, g / np.where(out == 0, 1, out))


def present(a: Any, where: Any) -> Any:
    """Which elements `where` lets in and are no nan."""
    return np.logical_and(where, ~np.isnan(a))


def extreme(function: Any, rest: float, a: Any, axis: Axis, keepdims: bool, initial: Any, where: Any) -> Any:
    """np.max or np.min of `initial` and of the elements that `where` lets in; `rest` is beyond none of them."""
    x = merged(a if where is True else np.where(where, a, rest), axis)
    if initial is not None:
        x = np.concatenate([x, np.zeros_like(x, shape=(*x.shape[:-1], 1)) + initial], axis=-1)
    return function(x, axis=-1).reshape((kept if keepdims else left)(a.shape, axis))


def number(x: Any, axis: Axis, keepdims: bool, where: Any) -> Any:
    """How many elements `where` lets into each result, as numbers of the dtype of x."""
    return np.sum(np.where(where, np.ones_like(x), 0), axis, keepdims=keepdims)


def average(a: Any, axis: Axis, dtype: Any, keepdims: bool, where: Any) -> Any:
    """np.mean of what `where` lets in."""
    return np.sum(np.where(where, a, 0), axis, dtype, keepdims=keepdims) / number(a, axis, keepdims, where)


def variance(a: Any, axis: Axis, dtype: Any, ddof: Any, keepdims: bool, where: Any, mean: Any, correction: Any) -> Any:
    """np.var of what `where` lets in, about a `mean` that may be given."""
    centre = average(a, axis, dtype, True, where) if mean is None else mean
    distance = np.where(where, a - centre, 0)
    square = np.real(distance * np.conj(distance)) if np.iscomplexobj(a) else distance * distance
    freedom = np.maximum(number(square, axis, keepdims, where) - ddof - correction, 0)
    return np.sum(square, axis, dtype, keepdims=keepdims) / freedom


def root(x: Any) -> Any:
    """The square root, whose derivative we take as 0 at 0: the tip of a cone."""
    return np.where(x == 0, 0, np.sqrt(np.where(x == 0, 1, x)))


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

# --- calls of other forms: which elements, from which value on, about which mean ---
composed(np.sum,    "sum(a, axis=None, dtype=None, out=None, keepdims=False, initial=0, where=True)",    "np.sum(np.where(where, a, 0), axis, dtype, keepdims=keepdims) + (0 if initial is None else initial)")
composed(np.prod,   "prod(a, axis=None, dtype=None, out=None, keepdims=False, initial=1, where=True)",   "np.prod(np.where(where, a, 1), axis, dtype, keepdims=keepdims) * (1 if initial is None else initial)")
composed(np.mean,   "mean(a, axis=None, dtype=None, out=None, keepdims=False, *, where=True)",           "average(a, axis, dtype, keepdims, where)")
composed(np.max,    "max(a, axis=None, out=None, keepdims=False, initial=None, where=True)",             "extreme(np.max, -np.inf, a, axis, keepdims, initial, where)")
composed(np.min,    "min(a, axis=None, out=None, keepdims=False, initial=None, where=True)",             "extreme(np.min, np.inf, a, axis, keepdims, initial, where)")
composed(np.var,    "var(a, axis=None, dtype=None, out=None, ddof=0, keepdims=False, *, where=True, mean=None, correction=0)", "variance(a, axis, dtype, ddof, keepdims, where, mean, correction)")
composed(np.std,    "std(a, axis=None, dtype=None, out=None, ddof=0, keepdims=False, *, where=True, mean=None, correction=0)", "root(variance(a, axis, dtype, ddof, keepdims, where, mean, correction))")
composed(np.ptp,    "ptp(a, axis=None, out=None, keepdims=False)",                                       "np.max(a, axis, keepdims=keepdims) - np.min(a, axis, keepdims=keepdims)")
constants(np.all, np.any)

# --- nan counts as nothing, and its gradient is exactly 0 ---
composed(np.nansum,     "nansum(a, axis=None, dtype=None, out=None, keepdims=False, initial=0, where=True)",    "np.sum(np.where(present(a, where), a, 0), axis, dtype, keepdims=keepdims) + (0 if initial is None else initial)")
composed(np.nanprod,    "nanprod(a, axis=None, dtype=None, out=None, keepdims=False, initial=1, where=True)",   "np.prod(np.where(present(a, where), a, 1), axis, dtype, keepdims=keepdims) * (1 if initial is None else initial)")
composed(np.nanmean,    "nanmean(a, axis=None, dtype=None, out=None, keepdims=False, *, where=True)",           "average(a, axis, dtype, keepdims, present(a, where))")
composed(np.nanmax,     "nanmax(a, axis=None, out=None, keepdims=False, initial=None, where=True)",             "extreme(np.max, -np.inf, a, axis, keepdims, initial, present(a, where))")
composed(np.nanmin,     "nanmin(a, axis=None, out=None, keepdims=False, initial=None, where=True)",             "extreme(np.min, np.inf, a, axis, keepdims, initial, present(a, where))")
composed(np.nanvar,     "nanvar(a, axis=None, dtype=None, out=None, ddof=0, keepdims=False, *, where=True, mean=None, correction=0)", "variance(a, axis, dtype, ddof, keepdims, present(a, where), mean, correction)")
composed(np.nanstd,     "nanstd(a, axis=None, dtype=None, out=None, ddof=0, keepdims=False, *, where=True, mean=None, correction=0)", "root(variance(a, axis, dtype, ddof, keepdims, present(a, where), mean, correction))")
composed(np.nancumsum,  "nancumsum(a, axis=None, dtype=None, out=None)",                                        "np.cumsum(np.where(np.isnan(a), 0, a), axis, dtype)")
composed(np.nancumprod, "nancumprod(a, axis=None, dtype=None, out=None)",                                       "np.cumprod(np.where(np.isnan(a), 1, a), axis, dtype)")
if hasattr(np, "cumulative_sum"):  # since NumPy 2.1
    composed(np.cumulative_sum,  "cumulative_sum(x, /, *, axis=None, dtype=None, out=None, include_initial=False)")
    composed(np.cumulative_prod, "cumulative_prod(x, /, *, axis=None, dtype=None, out=None, include_initial=False)")
# fmt: on

ALIASES |= {np.amax: np.max, np.amin: np.min, np.around: np.round}
