"""Functions that make arrays of others: nested lists, ends, borders of each mode, users' functions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import strategies as st

from ..gradcheck import Call, read_only
from .common import FLAG, FLOAT64, Factory, Shape, axis, listed, narrowed, numbers, optional, shapes

MAKERS = (np.array, np.asarray, np.asanyarray, np.ascontiguousarray, np.asfortranarray, np.require)
REQUIREMENTS = st.lists(st.sampled_from("AOWE"), unique=True)
OPTIONS: dict[Any, dict[str, Any]] = {
    np.array: {"copy": st.sampled_from((True, None)), "ndmin": st.integers(0, 3), "order": st.sampled_from("CFAK")},
    np.asarray: {"order": st.sampled_from("CFAK")},
    np.asanyarray: {"order": st.sampled_from("CFAK")},
    np.require: {"requirements": REQUIREMENTS | st.builds(list.__add__, REQUIREMENTS, st.sampled_from((["C"], ["F"])))},
}


@st.composite
def nested(draw: Any, size: Shape, scalars: bool = True) -> Any:
    """An array of some shape, or the list of what it has in its rows."""
    if size and size[0] and draw(FLAG):
        return [draw(nested(size[1:], scalars)) for _ in range(size[0])]
    return draw(st.sampled_from((1.5, 2, -0.5))) if not size and scalars and draw(FLAG) else draw(numbers(size))


@st.composite
def making(draw: Any, function: Callable[..., Any]) -> Call:
    """np.array and its like: they ask the protocol for `like=` only."""
    size, complex = draw(shapes(max_dims=2)), draw(FLAG)
    x = draw(numbers(size, complex=complex) if complex else nested(size))
    keywords = draw(optional(**OPTIONS.get(function, {}), **({} if complex else {"dtype": FLOAT64}))(size))
    return Call(function, (x,), keywords | {"like": draw(numbers(()))})


@st.composite
def filling(draw: Any, function: Callable[..., Any]) -> Call:
    size = draw(shapes())
    value = draw(narrowed(size).flatmap(lambda part: nested(part, scalars=False)))
    if function is np.full:
        return Call(function, (size, value), draw(optional(dtype=FLOAT64)(size)) | {"like": draw(numbers(()))})
    return Call(function, (draw(numbers(size)), value), draw(optional(dtype=FLOAT64, shape=st.just(size))(size)))


@st.composite
def between(draw: Any, function: Callable[..., Any]) -> Call:
    """np.linspace and its like: ends that broadcast, from each side; one of them may be a Python number."""
    full = draw(shapes(max_dims=2))
    sign = draw(st.sampled_from((1, -1)))
    complex = function is np.geomspace and draw(FLAG)
    low, high = sorted((0.3 * sign, 2.0 * sign)) if function is np.geomspace else (-1.0, 1.0)
    ends = [draw(narrowed(full).flatmap(lambda size, k=k: numbers(size, k, low, high))) for k in (0, 1)]
    if complex:
        ends = [read_only(end + 1j * np.abs(end) * part) for end, part in zip(ends, (0.5, -0.5), strict=True)]
    k = draw(st.integers(0, 1))
    if draw(FLAG) and not complex:
        ends[k] = draw(st.sampled_from((0.5 * sign, listed(ends[k]) if ends[k].size and ends[k].ndim else ends[k])))
    keywords = {"num": draw(st.sampled_from((0, 1, 2, 5)))} if draw(FLAG) else {"num": 3}
    dims = len(np.broadcast_shapes(*map(np.shape, ends)))
    if function is np.logspace and draw(FLAG):
        keywords["base"] = draw(narrowed(full).flatmap(lambda size: numbers(size, 2, 0.5, 2.0)))
        dims = max(dims, keywords["base"].ndim)
        if keywords["base"].ndim and keywords["base"].size and draw(FLAG):
            keywords["base"] = listed(keywords["base"])
    if function is np.linspace and keywords["num"] > 1 and draw(FLAG):
        keywords["retstep"] = True
    options = {"endpoint": FLAG, "axis": st.integers(-1 - dims, dims)} | ({} if complex else {"dtype": FLOAT64})
    return Call(function, tuple(ends), keywords | draw(optional(**options)(full)))


@st.composite
def edging(draw: Any, function: Callable[..., Any]) -> Call:
    """np.histogram_bin_edges: so many bins, as many as a rule says, or the edges themselves."""
    edges = numbers((4,), 1).map(lambda x: np.sort(x))
    bins = {"bins": st.sampled_from((1, 3, "sturges", "sqrt")) | edges}
    limits = {"range": st.sampled_from(((-2.5, 2.5), None)), "weights": st.none()}
    return Call(function, (draw(shapes().flatmap(numbers)),), draw(optional(**bins, **limits)(())))


@st.composite
def vandermonde(draw: Any, function: Callable[..., Any]) -> Call:
    return Call(
        function, (draw(numbers((draw(st.integers(0, 3)),))),), draw(optional(N=st.integers(0, 4), increasing=FLAG)(()))
    )


@st.composite
def opening(draw: Any, function: Callable[..., Any]) -> Call:
    lengths = draw(st.lists(st.integers(0, 3), min_size=1, max_size=3))
    return Call(function, tuple(draw(numbers((n,), part)) for part, n in enumerate(lengths)))


# --- borders ----------------------------------------------------------------------------------------------------------


def write_border(vector: Any, width: tuple[int, int], axis: int, options: dict[str, Any]) -> None:
    """A user's mode of np.pad."""
    vector[: width[0]] = options.get("value", 1.0) * (axis + 1)
    vector[len(vector) - width[1] :] = vector[width[0]] ** 2


def pairs(draw: Any, size: Shape, each: Any) -> Any:
    """One for all, one before and one after, a pair in a list, one or two for each axis."""
    match draw(st.integers(0, 4)):
        case 0:
            return draw(each)
        case 1:
            return (draw(each), draw(each))
        case 2:
            return [(draw(each), draw(each))]
        case 3:
            return [(draw(each),) for _ in size]
        case _:
            return [[draw(each), draw(each)] for _ in size]


NUMBER = numbers((), 1)
MODES: dict[Any, tuple[str, Any]] = {
    **dict.fromkeys(("reflect", "symmetric"), ("reflect_type", st.sampled_from(("even", "odd")))),
    **dict.fromkeys(("maximum", "mean", "median", "minimum"), ("stat_length", st.integers(1, 4))),
    **dict.fromkeys(("edge", "wrap"), ("", None)),
    "constant": ("constant_values", NUMBER),
    "linear_ramp": ("end_values", NUMBER),
    write_border: ("value", NUMBER),
}


@st.composite
def bordering(draw: Any, function: Callable[..., Any]) -> Call:
    """np.pad: each mode, widths that go round more than once."""
    size = draw(shapes(max_dims=2))
    width = pairs(draw, size, st.sampled_from((1, 2, 0, 5)))
    mode = draw(st.sampled_from(list(MODES)))
    name, option = MODES[mode]
    keywords = {}
    if name and draw(FLAG):
        option = st.just(1.5) if option is NUMBER and draw(FLAG) else option
        keywords[name] = draw(option) if name in ("reflect_type", "value") else pairs(draw, size, option)
    x = draw(numbers(size, complex=name in ("", "reflect_type", "constant_values") and draw(FLAG)))
    return Call(function, (x, width, mode) if keywords or mode != "constant" or draw(FLAG) else (x, width), keywords)


# --- users' functions -------------------------------------------------------------------------------------------------

OF_VECTORS = (
    (np.sum, ()),
    (np.cumsum, ()),
    (lambda x: x * x[::-1], ()),
    (lambda x: np.multiply.outer(x, x), ()),
    (lambda x: [x[:1].sum(), 2.5, x.sum()], ()),
    (lambda x, y, power=2: (x * y) ** power, (numbers((), 1),)),
)


@st.composite
def along_axis(draw: Any, function: Callable[..., Any]) -> Call:
    size = draw(shapes(min_dims=1))
    called, others = draw(st.sampled_from(OF_VECTORS))
    return Call(function, (called, draw(axis(size)), draw(numbers(size)), *map(draw, others)))


@st.composite
def over_axes(draw: Any, function: Callable[..., Any]) -> Call:
    size = draw(shapes(min_dims=1))
    called = draw(st.sampled_from((np.sum, np.cumsum, np.max, lambda x, axis: np.mean(x, axis=axis, keepdims=True))))
    axes = draw(axis(size) | st.lists(axis(size), min_size=1, unique_by=lambda k: k % len(size)))
    return Call(function, (called, draw(numbers(size)), axes))


@st.composite
def of_indices(draw: Any, function: Callable[..., Any]) -> Call:
    size = draw(shapes(max_dims=2))
    keywords = {"scale": draw(numbers(())), "like": draw(numbers((), 1))} | draw(optional(dtype=st.just(int))(size))
    return Call(function, (lambda *indices, scale: sum(indices, scale) * scale, size), keywords)


ARGUMENTS: dict[Callable[..., Any], Factory] = {
    **dict.fromkeys(MAKERS, making),
    **dict.fromkeys((np.full, np.full_like), filling),
    **dict.fromkeys((np.linspace, np.logspace, np.geomspace), between),
    np.histogram_bin_edges: edging,
    np.vander: vandermonde,
    np.ix_: opening,
    np.pad: bordering,
    np.apply_along_axis: along_axis,
    np.apply_over_axes: over_axes,
    np.fromfunction: of_indices,
}
COMPLEX = {np.linspace, np.logspace, np.vander, np.ix_, np.full_like, np.apply_along_axis, np.apply_over_axes}
