"""Averages, quantiles, histograms, interpolation, differences along an axis."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from hypothesis import assume
from hypothesis import strategies as st

from autodiff.rules.reduction import axes_of, count
from autodiff.rules.statistics import POSITIONS

from ..gradcheck import Call, read_only
from .common import FLAG, FLOAT64, Factory, any_axes, axis, listed, numbers, optional, required, shapes
from .reduction import with_nan


def rising(n: int, part: int) -> Any:
    """A one-dimensional array that increases in no small steps."""
    return numbers((n,), part, -1.0, 1.0).map(lambda x: read_only(np.sort(x) + 0.3 * np.arange(n)))


# --- averages ---------------------------------------------------------------------------------------------------------


@st.composite
def averaging(draw: Any, function: Callable[..., Any]) -> Call:
    size = draw(shapes())
    keywords = draw(optional(axis=any_axes, returned=FLAG, keepdims=FLAG)(size))
    if 0 not in size and draw(FLAG):
        along = keywords.get("axis")
        few = along is not None and draw(FLAG)
        axes = (along,) if isinstance(along, int) else along
        keywords["weights"] = draw(numbers(tuple(size[i] for i in axes) if few else size, 1, 0.5, 2.0))
    return Call(function, (draw(numbers(size)),), keywords)


@st.composite
def correlating(draw: Any, function: Callable[..., Any]) -> Call:
    """np.cov and np.corrcoef: of the rows or of the columns of one array or two."""
    n, rowvar = draw(st.integers(2, 4)), draw(FLAG)

    def samples(part: int) -> Any:
        size = draw(st.sampled_from(((n,), (1, n), (2, n))))
        return draw(numbers(size if rowvar or len(size) == 1 else size[::-1], part))

    keywords: dict[str, Any] = {} if rowvar and draw(FLAG) else {"rowvar": rowvar}
    keywords |= draw(optional(dtype=FLOAT64)(()))
    if draw(FLAG):
        keywords["y"] = samples(1)
    if function is np.cov:
        rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
        weights = {"fweights": st.just(read_only(rng.integers(1, 4, n))), "aweights": numbers((n,), 2, 0.5, 2.0)}
        keywords |= draw(optional(bias=FLAG, ddof=st.sampled_from((0, 1)), **weights)(()))
    return Call(function, (samples(0),), keywords)


# --- quantiles --------------------------------------------------------------------------------------------------------


def maybe_with_nan(function: Callable[..., Any], x: np.ndarray) -> Any:
    """Where nan does not count, there may be some."""
    return with_nan(x) | st.just(x) if function.__name__.startswith("nan") else st.just(x)


@st.composite
def halving(draw: Any, function: Callable[..., Any]) -> Call:
    size = draw(shapes())
    x = draw(numbers(size))
    keywords = draw(optional(axis=any_axes, keepdims=FLAG, overwrite_input=st.just(False))(size))
    return Call(function, (draw(maybe_with_nan(function, x)),), keywords)


@st.composite
def dividing(draw: Any, function: Callable[..., Any]) -> Call:
    """np.quantile and its like: each method, q a number, a list, or an array that may be moved."""
    size = draw(shapes(max_dims=2))
    x = draw(numbers(size))
    whole = 100 if "percentile" in function.__name__ else 1
    keywords = draw(optional(axis=any_axes, keepdims=FLAG)(size))
    along = keywords.get("axis")
    if draw(st.integers(0, 3)) == 3:
        q: Any = draw(numbers(draw(st.sampled_from(((), (2,), (2, 2)))), 1, 0.05, 0.95))
        keywords["method"] = method = draw(st.sampled_from(list(POSITIONS)))
        before, after = (np.floor(POSITIONS[method](count(size, along), q + step)) for step in (-0.005, 0.005))
        assume(np.array_equal(before, after) and (isinstance(along, int) or q.ndim < 2))
        return Call(function, (x, read_only(q * whole)), keywords)
    q = draw(st.sampled_from((0.3, 0, 1, 0.5, [0.25, 1.0], [0.1, 0.0, 0.75])))
    q = [each * whole for each in q] if isinstance(q, list) else q * whole
    if draw(FLAG):
        keywords["method"] = draw(st.sampled_from(list(POSITIONS)))
    elif draw(FLAG):
        rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
        few = along is not None and draw(FLAG)
        axes = (along,) if isinstance(along, int) else along
        weights = rng.integers(0, 3, tuple(size[i] for i in axes) if few else size)
        keywords |= {"method": "inverted_cdf", "weights": read_only(weights)}
    return Call(function, (draw(maybe_with_nan(function, x)), q), keywords)


# --- histograms and interpolation -------------------------------------------------------------------------------------


def clear(x: Any, edges: Any) -> bool:
    """Whether no number is near an edge, unless it makes one, and bins are not so narrow that densities are steep."""
    return bool(edges[-1] - edges[0] > 0.1 and np.all(np.abs(np.ravel(x) - edges[1:-1, None]) > 0.01))


@st.composite
def counting(draw: Any, function: Callable[..., Any]) -> Call:
    """np.histogram: of numbers, perhaps with weights."""
    size = draw(shapes(max_dims=2))
    bins = {"bins": st.sampled_from((1, 3)) | rising(4, 1) | rising(3, 1).map(list)}
    weights = numbers(size, 2, 0.5, 2.0) | numbers(size, 2, complex=True)
    limits = {"range": st.sampled_from(((-1.5, 1.5), None))}
    keywords = draw(optional(**bins, **limits, density=FLAG, weights=weights)(size))
    edges = partial(np.histogram_bin_edges, bins=keywords.get("bins", 10), range=keywords.get("range"))
    x = draw(numbers(size).filter(lambda x: clear(x, edges(x))))
    return Call(function, (listed(x) if x.size and x.ndim and draw(FLAG) else x,), keywords)


@st.composite
def counting_points(draw: Any, function: Callable[..., Any]) -> Call:
    """np.histogram2d and np.histogramdd: of points in a plane."""
    n = draw(st.integers(1, 4))
    x, y = draw(numbers((n,))), draw(numbers((n,)))
    each = st.sampled_from((1, 3)) | rising(3, 1)
    bins = {"bins": st.sampled_from((2, 3)) | st.tuples(each, each).map(list)}
    limits = {"range": st.sampled_from(([(-1.5, 1.5), (-2.5, 2.0)], None))}
    weights = {"weights": numbers((n,), 2, 0.5, 2.0)}
    keywords = draw(required(**bins)(())) | draw(optional(**limits, **weights, density=FLAG)(()))
    edges = np.histogramdd((x, y), keywords["bins"], keywords.get("range"))[1]
    assume(all(map(clear, (x, y), edges)))
    if function is np.histogram2d:
        return Call(function, (x, y), keywords)
    return Call(function, (read_only(np.stack([x, y], 1)) if draw(FLAG) else (x, y),), keywords)


@st.composite
def adding_up(draw: Any, function: Callable[..., Any]) -> Call:
    """np.bincount: of indices, which may repeat, with weights."""
    n = draw(st.integers(0, 4))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    weights = (draw(numbers((n,))),) if draw(st.integers(0, 3)) else ()
    if weights and draw(FLAG):
        weights = (listed(weights[0]),)
    x = read_only(rng.integers(0, 4, n))
    return Call(function, (x.tolist() if n and draw(FLAG) else x, *weights), draw(optional(minlength=st.just(5))(())))


@st.composite
def interpolating(draw: Any, function: Callable[..., Any]) -> Call:
    """np.interp: between points and beyond them, in periods, to complex values."""
    n = draw(st.integers(1, 4))
    x = draw(shapes(max_dims=2).flatmap(numbers) | st.just(0.3))
    fp = draw(numbers((n,), 2, complex=draw(FLAG)))
    beyond, period = st.just(0.5) | numbers((), 2), st.sampled_from((1.5, read_only(3.0)))
    keywords = draw(optional(left=beyond, right=beyond)(()) | required(period=period)(()))
    xp = draw(rising(n, 1))
    if "period" in keywords:  # in any order, but not near each other
        xp = read_only(xp[0] + 0.3 * np.array(draw(st.permutations(range(n)))))
    return Call(function, (x, xp, fp), keywords)


# --- along an axis ----------------------------------------------------------------------------------------------------


@st.composite
def differing(draw: Any, function: Callable[..., Any]) -> Call:
    size = draw(shapes(min_dims=1))
    keywords = draw(optional(n=st.integers(0, 3), axis=axis)(size))
    i = keywords.get("axis", -1) % len(size)
    end = st.just(0.5) | numbers((), 1) | numbers((*size[:i], 2, *size[i + 1 :]), 1)
    return Call(function, (draw(numbers(size)),), keywords | draw(optional(prepend=end, append=end)(size)))


@st.composite
def differing_flat(draw: Any, function: Callable[..., Any]) -> Call:
    end = numbers((), 1) | numbers((2,), 1) | numbers((2,), 1).map(listed) | st.just([0.5, 1.5])
    x = shapes().flatmap(numbers) | numbers((2, 3)).map(listed)
    return Call(function, (draw(x),), draw(optional(to_end=end, to_begin=end)(())))


@st.composite
def sloping(draw: Any, function: Callable[..., Any]) -> Call:
    """np.gradient: distances, or coordinates, for all axes alike or for each."""
    size = draw(shapes(1, 2, st.sampled_from((2, 3, 4))))
    keywords = draw(optional(axis=any_axes, edge_order=st.sampled_from((1, 2)))(size))
    sizes = [size[i] for i in axes_of(size, keywords.get("axis"))]
    step = st.just(0.5) | numbers((), 1, 0.5, 2.0)
    each = [step | rising(n, 1) for n in sizes]
    spacings = draw(st.sampled_from(([], [step], each)))
    return Call(function, (draw(numbers(size)), *map(draw, spacings)), keywords)


@st.composite
def integrating(draw: Any, function: Callable[..., Any]) -> Call:
    size = draw(shapes(min_dims=1))
    keywords = draw(optional(axis=axis)(size))
    n = size[keywords.get("axis", -1)]
    steps = optional(dx=st.just(0.5) | numbers((), 1))(size)
    keywords |= draw(required(x=rising(n, 1) | numbers(size, 1))(size) | steps)
    return Call(function, (draw(numbers(size)),), keywords)


@st.composite
def unwrapping(draw: Any, function: Callable[..., Any]) -> Call:
    size = draw(shapes(min_dims=1))
    period = st.sampled_from((2.49, read_only(2.49)))
    keywords = draw(optional(discont=st.just(1.515), axis=axis, period=period)(size))
    return Call(function, (draw(numbers(size)),), keywords)


ARGUMENTS: dict[Callable[..., Any], Factory] = {
    np.average: averaging,
    **dict.fromkeys((np.cov, np.corrcoef), correlating),
    **dict.fromkeys((np.median, np.nanmedian), halving),
    **dict.fromkeys((np.quantile, np.percentile, np.nanquantile, np.nanpercentile), dividing),
    np.histogram: counting,
    **dict.fromkeys((np.histogram2d, np.histogramdd), counting_points),
    np.bincount: adding_up,
    np.interp: interpolating,
    np.diff: differing,
    np.ediff1d: differing_flat,
    np.gradient: sloping,
    np.trapezoid: integrating,
    np.unwrap: unwrapping,
}
COMPLEX = {np.average, np.cov, np.corrcoef, np.median, np.nanmedian, np.diff, np.ediff1d, np.gradient, np.trapezoid}
