"""Functions that make arrays of others: from nested lists, between two ends, with a border, by a user's function.

    composed(function, NumPy's call, an equal expression)        inlined(function, NumPy's call, what is recorded in its place)

`array`, `asarray`, `full` and their like reach us with `like=` only: `np.array([[a, b], [c, d]], like=a)`.
"""
# ruff: noqa: E501

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ..primitive import CREATES, composed, inlined
from ..sites import __library__  # noqa: F401
from .shape import array as joined

# --- of nested lists, and as another kind of array --------------------------------------------------------------------


def with_axes(x: Any, ndmin: int) -> Any:
    """x, with as many axes before its own as it takes."""
    return np.reshape(x, (1,) * (ndmin - np.ndim(x)) + np.shape(x))


# --- between two ends -------------------------------------------------------------------------------------------------


def progress(start: Any, stop: Any, num: int, endpoint: bool) -> Any:
    """How far from start to stop each of the numbers is, from 0 to 1, along a new first axis."""
    t = np.linspace(0, 1, num, endpoint, dtype=np.result_type(start, stop, 1.0))
    return t.reshape((-1,) + (1,) * max(np.ndim(start), np.ndim(stop)))


def between(start: Any, stop: Any, num: int, endpoint: bool) -> Any:
    """np.linspace, along the first axis."""
    t = progress(start, stop, num, endpoint)
    return start * (1 - t) + stop * t


def step(start: Any, stop: Any, count: int) -> Any:
    """The distance of neighbours of np.linspace."""
    return (stop - start) / count if count > 0 else math.nan


def between_powers(start: Any, stop: Any, num: int, endpoint: bool, base: Any, axis: int) -> Any:
    """np.logspace."""
    if np.ndim(base):
        start, stop, base = np.broadcast_arrays(start, stop, base)
        base = np.expand_dims(base, axis)
    return np.power(base, np.linspace(start, stop, num, endpoint, axis=axis))


def between_in_ratio(start: Any, stop: Any, num: int, endpoint: bool) -> Any:
    """np.geomspace, along the first axis. In the complex plane it takes the shorter way round from start to stop."""
    t, sign = progress(start, stop, num, endpoint), np.sign(start)
    return sign * (start / sign) ** (1 - t) * (stop / sign) ** t


def bin_edges(a: Any, bins: Any, limits: Any, weights: Any) -> Any:
    """np.histogram_bin_edges: from the least number to the greatest in equal steps, if nothing else is said."""
    if np.ndim(edges := joined(bins)):
        return edges
    if limits is None:
        limits = (np.min(a), np.max(a)) if np.size(a) else (0.0, 1.0)
    low, high = limits if limits[0] != limits[1] else (limits[0] - 0.5, limits[1] + 0.5)
    return np.linspace(low, high, len(np.histogram_bin_edges(a, bins, limits, weights)))


# --- with a border ----------------------------------------------------------------------------------------------------

STATISTICS: dict[str, Callable[..., Any]] = {"maximum": np.max, "mean": np.mean, "median": np.median, "minimum": np.min}


def padded(x: Any, pad_width: Any, mode: Any, options: dict[str, Any]) -> Any:
    """np.pad: one axis after the other, each in its turn the first."""
    widths = pairs(pad_width, x.ndim).tolist()
    if callable(mode):
        return padded_by(mode, np.pad(x, widths) if widths else x, widths, options)
    extend = reflected if options.pop("reflect_type", "even") == "odd" else extended
    values = next(iter(options.values()), None)
    if mode in STATISTICS:
        values = pairs(sum(x.shape) if values is None else values, x.ndim).tolist()
    else:
        values = pairs(0 if values is None else values, x.ndim).astype(x.dtype)
    for axis, (width, value) in enumerate(zip(widths, values, strict=True)):
        if any(width):
            x = np.moveaxis(extend(np.moveaxis(x, axis, 0), width, mode, value), 0, axis)
    return x


def pairs(values: Any, ndim: int) -> Any:
    """What stands before and what after each axis, from any of the forms that np.pad takes."""
    if isinstance(values, dict):
        values = [np.broadcast_to(values.get(axis, values.get(axis - ndim, 0)), 2) for axis in range(ndim)]
    return np.broadcast_to(joined(values), (ndim, 2))


def extended(x: Any, width: list[int], mode: Any, value: Any) -> Any:
    """x with as many more rows before and after it as `width` says."""
    before, after = width
    if mode in STATISTICS:
        first, last = STATISTICS[mode](x[: value[0]], axis=0), STATISTICS[mode](x[::-1][: value[1]], axis=0)
    elif mode == "linear_ramp":
        first = np.linspace(value[0], x[0], before, endpoint=False)
        last = np.linspace(value[1], x[-1], after, endpoint=False)[::-1]
    elif mode in ("constant", "empty"):
        first, last = value
    else:
        return x[np.pad(np.arange(len(x)), width, mode)]
    size = x.shape[1:]
    return np.concatenate([np.broadcast_to(first, (before, *size)), x, np.broadcast_to(last, (after, *size))])


def reflected(x: Any, width: list[int], mode: str, value: Any) -> Any:
    """As `extended`, turned about the first and the last row, and again about those of the result, as often as it takes."""
    (before, after), period = width, max(len(x) - (mode == "reflect"), 1)
    while before or after:
        turn = [min(before, period), min(after, period)]
        x = 2 * extended(x, turn, "edge", value) - extended(x, turn, mode, value)
        before, after = before - turn[0], after - turn[1]
    return x


def padded_by(function: Callable[..., Any], x: Any, widths: list[list[int]], options: dict[str, Any]) -> Any:
    """x, after a user's function wrote the border of each vector in it."""
    for axis, width in enumerate(widths):
        vectors = np.moveaxis(x, axis, -1)
        for index in np.ndindex(vectors.shape[:-1]):
            function(vectors[(*index, ...)], tuple(width), axis, options)
    return x


# --- by a user's function ---------------------------------------------------------------------------------------------


def apply_along_axis(func1d: Callable[..., Any], axis: int, arr: Any, *args: Any, **kwargs: Any) -> Any:
    """As NumPy's: the first result decides the dtype."""
    axis = axis % arr.ndim if -arr.ndim <= axis < 0 else axis
    rows = np.moveaxis(arr, axis, -1)
    results = [joined(func1d(rows[(*index, ...)], *args, **kwargs)) for index in np.ndindex(rows.shape[:-1])]
    if not results:
        raise ValueError("Cannot apply_along_axis when any iteration dimensions are 0")
    size, dtype = np.shape(results[0]), np.result_type(results[0])
    results = [result if np.shape(result) == size else np.broadcast_to(result, size) for result in results]
    table = np.stack(results).reshape((*rows.shape[:-1], *size))
    table = np.moveaxis(table, tuple(range(-len(size), 0)), tuple(range(axis, axis + len(size))))
    return table if table.dtype == dtype else table.astype(dtype)


def apply_over_axes(func: Callable[..., Any], a: Any, axes: Any) -> Any:
    """As NumPy's own, which begins by making an array of a."""
    ndim = a.ndim
    for axis in axes if np.ndim(axes) else (axes,):
        axis = axis + ndim if axis < 0 else axis
        result = func(a, axis)
        a = result if result.ndim == ndim else np.expand_dims(result, axis)
        if a.ndim != ndim:
            raise ValueError("function is not returning an array of the correct shape")
    return a


# fmt: off
composed(np.array,               "array(object, dtype=None, *, copy=True, order='K', subok=False, ndmin=0, **options)", "with_axes(joined(object), ndmin)", view=True)
composed(np.asarray,             "asarray(a, dtype=None, order=None, *, device=None, copy=None)",     "joined(a)",  view=True)
composed(np.asanyarray,          "asanyarray(a, dtype=None, order=None, *, device=None, copy=None)",  "joined(a)",  view=True)
composed(np.ascontiguousarray,   "ascontiguousarray(a, dtype=None)",                                  "with_axes(joined(a), 1)",  view=True)
composed(np.asfortranarray,      "asfortranarray(a, dtype=None)",                                     "with_axes(joined(a), 1)",  view=True)
composed(np.require,             "require(a, dtype=None, requirements=None)",                         "joined(a)",  view=True)
composed(np.full,                "full(shape, fill_value, dtype=None, order='C', *, device=None)",    "np.broadcast_to(joined(fill_value), shape)")
composed(np.full_like,           "full_like(a, fill_value, dtype=None, order='K', subok=True, shape=None, *, device=None)", "np.broadcast_to(joined(fill_value), np.shape(a) if shape is None else shape)")

composed(np.linspace,            "linspace(start, stop, num=50, endpoint=True, retstep=False, dtype=None, axis=0, *, device=None)",
                                 "(np.moveaxis(between(joined(start), joined(stop), num, endpoint), 0, axis), step(joined(start), joined(stop), num - endpoint))[slice(2) if retstep else 0]")
composed(np.logspace,            "logspace(start, stop, num=50, endpoint=True, base=10.0, dtype=None, axis=0)", "between_powers(joined(start), joined(stop), num, endpoint, joined(base), axis)")
composed(np.geomspace,           "geomspace(start, stop, num=50, endpoint=True, dtype=None, axis=0)", "np.moveaxis(between_in_ratio(joined(start), joined(stop), num, endpoint), 0, axis)")
composed(np.histogram_bin_edges, "histogram_bin_edges(a, bins=10, range=None, weights=None)",         "bin_edges(a, bins, range, weights)")
composed(np.vander,              "vander(x, N=None, increasing=False)",                               "x[:, None] ** np.arange(len(x) if N is None else N)[:: 1 if increasing else -1]")
composed(np.ix_,                 "ix_(*args)",                                                        "tuple(np.reshape(x, (1,) * i + (-1,) + (1,) * (len(args) - i - 1)) for i, x in enumerate(args))")
composed(np.pad,                 "pad(array, pad_width, mode='constant', **kwargs)",                  "padded(array, pad_width, mode, kwargs)")

inlined(np.apply_along_axis,     "apply_along_axis(func1d, axis, arr, *args, **kwargs)",              apply_along_axis)
inlined(np.apply_over_axes,      "apply_over_axes(func, a, axes)",                                    apply_over_axes)
inlined(np.fromfunction,         "fromfunction(function, shape, *, dtype=float, **kwargs)",           "function(*np.indices(shape, dtype=dtype), **kwargs)")
# fmt: on

CREATES |= {np.zeros_like, np.ones_like, np.empty_like, np.zeros, np.ones, np.empty, np.eye, np.identity, np.tri, np.arange}
CREATES |= {np.fromiter, np.frombuffer, np.fromstring, np.fromfile, np.loadtxt, np.genfromtxt}
