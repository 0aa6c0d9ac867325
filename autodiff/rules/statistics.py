"""Averages, quantiles, histograms, differences along an axis.

    composed(function, signature, an equal expression)

Where elements have to be found first (the order of the data, the bin of a number, its neighbours), it is by indices, which
are constant almost everywhere.
"""
# ruff: noqa: E501

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..errors import GradientError
from ..primitive import composed
from ..structures import mapped
from .engine import detached
from .indexing import ARRAY, scatter
from .reduction import Axis, Shape, axes_of, kept, left, merged
from .shape import array

# --- averages ---------------------------------------------------------------------------------------------------------


def weights_for(weights: Any, shape: Shape, axis: Axis) -> Any:
    """Weights that broadcast to `shape`: they may be given for the axes of the average alone."""
    weights, axes = array(weights), axes_of(shape, axis)
    if weights.shape == shape:
        return weights
    ordered = np.transpose(weights, np.argsort(axes).tolist())
    return ordered.reshape(tuple(size if i in axes else 1 for i, size in enumerate(shape)))


def weighted(a: Any, axis: Axis, weights: Any, returned: bool, keepdims: bool) -> Any:
    """The mean, or the sum with weights by the sum of the weights; and that, too, if it is to be returned."""
    a = array(a)
    if weights is None:
        mean = np.mean(a, axis, keepdims=keepdims)
        total = np.full_like(mean, a.size / max(mean.size, 1))
    else:
        weights = weights_for(weights, a.shape, axis)
        total = np.sum(weights, axis, keepdims=keepdims)
        mean = np.sum(a * weights, axis, keepdims=keepdims) / total
    return (mean, np.broadcast_to(total, mean.shape)) if returned else mean


def covariance(m: Any, y: Any, rowvar: bool, ddof: float, fweights: Any, aweights: Any, dtype: Any) -> Any:
    """The products of all pairs of variables, the rows, about their means."""
    m, y, repeats, importance = array(m), array(y), array(fweights), array(aweights)
    dtype = dtype or np.result_type(m, np.float64 if y is None else y, np.float64)
    x = np.atleast_2d(m).astype(dtype)
    x = x if rowvar or m.ndim == 1 else x.T
    if y is not None:
        y = np.atleast_2d(y).astype(dtype)
        x = np.concatenate([x, y if rowvar or len(y) == 1 else y.T])
    repeats, importance = 1 if repeats is None else repeats, 1 if importance is None else importance
    weights = np.ones_like(np.real(x), shape=x.shape[1:]) * repeats * importance
    total = np.sum(weights)
    x = x - np.sum(x * weights, axis=1, keepdims=True) / total
    freedom = np.maximum(total - ddof * np.sum(weights * importance) / total, 0)
    return np.squeeze((x * weights) @ np.conj(x).T / freedom)


def correlation(c: Any) -> Any:
    """A covariance by the deviations of both variables."""
    if c.ndim == 0:
        return c / c
    deviation = np.sqrt(np.real(np.diagonal(c)))
    return c / deviation[:, None] / deviation


# --- quantiles --------------------------------------------------------------------------------------------------------

# Where in n sorted numbers, counted from 0, the quantile q lies: Hyndman and Fan (1996), and NumPy's own methods.
POSITIONS: dict[str, Callable[[Any, Any], Any]] = {
    "inverted_cdf": lambda n, q: np.ceil(n * q) - 1,
    "averaged_inverted_cdf": lambda n, q: (np.floor(n * q) + np.ceil(n * q) - 1) / 2,
    "closest_observation": lambda n, q: np.round(n * q) - 1,
    "interpolated_inverted_cdf": lambda n, q: n * q - 1,
    "hazen": lambda n, q: n * q - 1 / 2,
    "weibull": lambda n, q: (n + 1) * q - 1,
    "linear": lambda n, q: (n - 1) * q,
    "median_unbiased": lambda n, q: (n + 1 / 3) * q - 2 / 3,
    "normal_unbiased": lambda n, q: (n + 1 / 4) * q - 5 / 8,
    "lower": lambda n, q: np.floor((n - 1) * q),
    "higher": lambda n, q: np.ceil((n - 1) * q),
    "midpoint": lambda n, q: (np.floor((n - 1) * q) + np.ceil((n - 1) * q)) / 2,
    "nearest": lambda n, q: np.round((n - 1) * q),
}


def quantiles(
    a: Any, q: Any, axis: Axis, keepdims: bool, method: str = "linear", weights: Any = None, whole: int = 1,
    skip: bool = False,
) -> Any:  # fmt: skip
    """The quantiles q / whole, each an element or a point between two neighbours; `skip`: of all but nan."""
    a, q = array(a), array(q)
    x, share = merged(a, axis), np.ravel(np.true_divide(q, whole))
    if not (a.size if skip else x.shape[-1]):
        return np.sum(a, axis, keepdims=keepdims)  # of nothing: what counts is the shape
    if skip and np.ndim(q) == 2 and x.ndim > 1 and isinstance(axis, tuple) and len(axis) > 1:
        raise GradientError(f"np.nanquantile of q {np.shape(q)} over {axis}: NumPy mixes up the axes; give a flat q")
    missing = np.isnan(x)
    if skip:
        x = np.where(missing, np.nan, x)  # of which nothing comes back
    order = np.argsort(x, axis=-1)
    n = np.sum(~missing | (not skip), axis=-1, dtype=share.dtype, keepdims=True)

    def element(i: Any) -> Any:
        place = np.take_along_axis(order, np.clip(i, 0, n - 1).astype(int), axis=-1)
        return np.take_along_axis(x, place, axis=-1)

    if weights is None:
        position = POSITIONS[method](n, share)
        before = np.floor(position)
        part = (position - before).astype(np.result_type(x, 0.5))
        out = element(before) * (1 - part) + element(before + 1) * part
    else:
        weights = merged(np.broadcast_to(weights_for(weights, a.shape, axis), a.shape), axis)
        out = reached(x, share, weights, skip)
    if not skip:
        out = np.where(np.any(missing, axis=-1, keepdims=True), element(n - 1), out)
    return np.moveaxis(out, -1, 0).reshape((*np.shape(q), *(kept if keepdims else left)(a.shape, axis)))


def reached(x: Any, share: Any, weights: Any, skip: bool) -> Any:
    """The elements that NumPy finds by the sums of the weights up to them."""
    function: Any = np.nanquantile if skip else np.quantile
    found = function(detached(x), share, -1, method="inverted_cdf", weights=detached(weights))
    place = np.argmax(x[..., None, :] == np.moveaxis(found, 0, -1)[..., None], axis=-1)
    return np.take_along_axis(x, place, axis=-1)


def reading(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function without `overwrite_input`: what a graph holds is never written to."""
    signature = inspect.signature(function)

    def call(*arguments: Any, **keywords: Any) -> Any:
        bound = signature.bind(*arguments, **keywords)
        bound.arguments.pop("overwrite_input", None)
        return function(*bound.args, **bound.kwargs)

    return call


# --- histograms and interpolation -------------------------------------------------------------------------------------


def apart(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, which gives none of its arguments back, as NumPy does with edges."""
    return lambda *arguments, **keywords: mapped(function(*arguments, **keywords), np.copy)


def binned(samples: Sequence[Any], edges: Sequence[Any], density: bool | None, weights: Any) -> tuple[Any, ...]:
    """The weights that fall between edges, along each axis; the last bin has both of its edges. And the edges."""
    weights = np.ones_like(samples[0]) if weights is None else np.ravel(array(weights))
    bins = [np.searchsorted(edge, x, side="right") - (x == edge[-1]) for x, edge in zip(samples, edges, strict=True)]
    sums = scatter(weights, bins, shape=tuple(len(edge) + 1 for edge in edges), index=(ARRAY,) * len(edges))
    inner = sums[(slice(1, -1),) * len(edges)]
    if density:
        inner = inner / np.sum(inner)
        for axis, edge in enumerate(edges):
            inner = np.swapaxes(np.swapaxes(inner, axis, -1) / np.diff(edge), axis, -1)
    return inner, *edges


def points_between(sample: Any, bins: Any, range: Any, density: bool | None, weights: Any) -> tuple[Any, ...]:
    """Of points, which stand in rows, or are a sequence of all the first coordinates, the second ones, ..."""
    rows = [*(sample.T if not isinstance(sample, (list, tuple)) and sample.ndim == 2 else np.atleast_2d(array(sample)))]
    bins = bins if hasattr(bins, "__len__") else [bins] * len(rows)
    ranges = [None] * len(rows) if range is None else range
    return binned(rows, [*map(np.histogram_bin_edges, rows, bins, ranges)], density, weights)


def interpolated(x: Any, xp: Any, fp: Any, left: Any, right: Any, period: Any) -> Any:
    """On the line between the two points on either side of x."""
    x, xp, fp = array(x), array(xp), array(fp)
    if period is not None:
        x, xp, left, right = x % abs(period), xp % abs(period), None, None
        order = np.argsort(xp)
        xp = np.concatenate([xp[order[-1:]] - abs(period), xp[order], xp[order[:1]] + abs(period)])
        fp = np.concatenate([fp[order[-1:]], fp[order], fp[order[:1]]])
    after = np.clip(np.searchsorted(xp, x, side="right"), 1, len(xp) - 1)
    start, end = xp[after - 1], xp[after]
    part = (x - start) / np.where(start == end, 1, end - start)
    out = fp[after - 1] * (1 - part) + fp[after] * part
    out = np.where(x < xp[0], fp[0] if left is None else left, out)
    return np.where(x > xp[-1], fp[-1] if right is None else right, out)


# --- along an axis ----------------------------------------------------------------------------------------------------


def difference(a: Any, n: int, axis: int, prepend: Any, append: Any) -> Any:
    """From each element to the next one, n times."""
    if n == 0:
        return a
    a, ends = np.moveaxis(array(a), axis, 0), [array(x) for x in (prepend, append) if x is not None]
    ends = [np.moveaxis(x, axis, 0) if np.ndim(x) else np.broadcast_to(x, (1, *a.shape[1:])) for x in ends]
    a = np.concatenate([*ends[: prepend is not None], a, *ends[prepend is not None :]])
    for _ in range(n):
        a = a[1:] - a[:-1]
    return np.moveaxis(a, 0, axis)


def slopes(f: Any, spacing: Any, axis: int, edge_order: int) -> Any:
    """Of the parabola through each element and its neighbours; at the ends of a line, or of the nearest parabola."""
    f = np.moveaxis(f, axis, 0)
    d = np.diff(spacing) if np.ndim(spacing) else np.zeros_like(f, shape=len(f) - 1) + spacing
    d = d.reshape((-1, *[1] * (f.ndim - 1)))
    slope = (f[1:] - f[:-1]) / d
    bend = (slope[1:] - slope[:-1]) / (d[1:] + d[:-1])
    first, last = slope[:1], slope[-1:]
    if edge_order == 2:
        first, last = first - d[:1] * bend[:1], last + d[-1:] * bend[-1:]
    return np.moveaxis(np.concatenate([first, slope[:-1] + d[:-1] * bend, last]), 0, axis)


def all_slopes(f: Any, spacings: Sequence[Any], axis: Axis, edge_order: int) -> Any:
    """The slopes along each axis."""
    f, axes = array(f), axes_of(np.shape(f), axis)
    spacings = [array(spacing) for spacing in spacings or (1,)]
    if len(spacings) != len(axes):
        spacings = spacings * len(axes)
    found = tuple(slopes(f, spacing, i, edge_order) for i, spacing in zip(axes, spacings, strict=True))
    return found[0] if len(found) == 1 else found


def area(y: Any, x: Any, dx: Any, axis: int) -> Any:
    """The mean of neighbours times the step between them, summed."""
    y, x = np.moveaxis(array(y), axis, -1), array(x)
    step = dx if x is None else np.diff(x) if x.ndim == 1 else np.diff(np.moveaxis(x, axis, -1))
    return np.sum(step * (y[..., 1:] + y[..., :-1]) / 2, axis=-1)


def unwrapped(p: Any, discont: Any, axis: int, period: Any) -> Any:
    """p, and as many periods as NumPy adds."""
    return p + period * np.rint((np.unwrap(detached(p), discont, axis, period=period) - p) / period)


# fmt: off
composed(np.average,        "average(a, axis=None, weights=None, returned=False, *, keepdims=False)",    "weighted(a, axis, weights, returned, keepdims)")
composed(np.cov,            "cov(m, y=None, rowvar=True, bias=False, ddof=None, fweights=None, aweights=None, *, dtype=None)", "covariance(m, y, rowvar, 1 - bool(bias) if ddof is None else ddof, fweights, aweights, dtype)")
composed(np.corrcoef,       "corrcoef(x, y=None, rowvar=True, *, dtype=None)",                           "correlation(covariance(x, y, rowvar, 1, None, None, dtype))")

composed(np.median,         "median(a, axis=None, out=None, overwrite_input=False, keepdims=False)",     "quantiles(a, 0.5, axis, keepdims)", forward=reading(np.median))
composed(np.nanmedian,      "nanmedian(a, axis=None, out=None, overwrite_input=False, keepdims=False)",  "quantiles(a, 0.5, axis, keepdims, skip=True)", forward=reading(np.nanmedian))
composed(np.quantile,       "quantile(a, q, axis=None, out=None, overwrite_input=False, method='linear', keepdims=False, *, weights=None)",      "quantiles(a, q, axis, keepdims, method, weights)", forward=reading(np.quantile))
composed(np.nanquantile,    "nanquantile(a, q, axis=None, out=None, overwrite_input=False, method='linear', keepdims=False, *, weights=None)",   "quantiles(a, q, axis, keepdims, method, weights, skip=True)", forward=reading(np.nanquantile))
composed(np.percentile,     "percentile(a, q, axis=None, out=None, overwrite_input=False, method='linear', keepdims=False, *, weights=None)",    "quantiles(a, q, axis, keepdims, method, weights, 100)", forward=reading(np.percentile))
composed(np.nanpercentile,  "nanpercentile(a, q, axis=None, out=None, overwrite_input=False, method='linear', keepdims=False, *, weights=None)", "quantiles(a, q, axis, keepdims, method, weights, 100, skip=True)", forward=reading(np.nanpercentile))

composed(np.bincount,       "bincount(x, weights=None, minlength=0)",                                    "scatter(array(weights), [array(x)], shape=np.shape(np.bincount(x, None, minlength)), index=(ARRAY,))")
composed(np.histogram,      "histogram(a, bins=10, range=None, density=None, weights=None)",             "binned([np.ravel(array(a))], [np.histogram_bin_edges(array(a), bins, range)], density, weights)", forward=apart(np.histogram))
composed(np.histogram2d,    "histogram2d(x, y, bins=10, range=None, density=None, weights=None)", forward=apart(np.histogram2d))
composed(np.histogramdd,    "histogramdd(sample, bins=10, range=None, density=None, weights=None)",      "points_between(sample, bins, range, density, weights)", forward=apart(np.histogramdd))
composed(np.interp,         "interp(x, xp, fp, left=None, right=None, period=None)",                     "interpolated(x, xp, fp, left, right, period)")

composed(np.diff,           "diff(a, n=1, axis=-1, prepend=None, append=None)",                          "difference(a, n, axis, prepend, append)")
composed(np.ediff1d,        "ediff1d(ary, to_end=None, to_begin=None)",                                  "np.concatenate([np.ravel(array(x)) for x in (to_begin, np.diff(np.ravel(array(ary))), to_end) if x is not None])")
composed(np.gradient,       "gradient(f, *varargs, axis=None, edge_order=1)",                            "all_slopes(f, varargs, axis, edge_order)")
composed(np.trapezoid,      "trapezoid(y, x=None, dx=1.0, axis=-1)",                                     "area(y, x, dx, axis)")
composed(np.unwrap,         "unwrap(p, discont=None, axis=-1, *, period=6.283185307179586)",             "unwrapped(p, discont, axis, period)")
# fmt: on
