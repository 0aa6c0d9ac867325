"""Reading and writing parts of an array."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra.numpy import basic_indices

from autodiff.rules import indexing

from ..gradcheck import Call, read_only
from .common import (
    FLAG,
    Factory,
    Shape,
    Strategy,
    argument,
    narrowed,
    numbers,
    one_axis,
    optional,
    points_of,
    scalars,
    shapes,
)


@st.composite
def indices(draw: Any, size: Shape) -> Any:
    """Integers, slices, `...`, None, masks, arrays of integers (which may repeat), and their mixtures."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    kind = draw(st.sampled_from(("basic", "mask", "arrays", "mixed")))
    if kind == "basic":
        return draw(basic_indices(size, allow_newaxis=True))
    if kind == "mask":
        dims = draw(st.integers(0, len(size)))
        return rng.random(size[:dims]) < 0.5
    common = draw(st.sampled_from(((3,), (2, 2), (0,), ())))
    parts: list[Any] = []
    for n in size:
        part = rng.integers(-n, n, draw(st.sampled_from((common, common[1:])))) if n else slice(None)
        others = (slice(None), slice(None, None, -1), slice(1, None), slice(None, None, 2))
        parts.append(draw(st.sampled_from(others)) if kind == "mixed" and draw(FLAG) else part)
    if kind == "mixed":
        parts.insert(draw(st.integers(0, len(parts))), draw(st.sampled_from((None, ...))))
    return tuple(parts)


def element_arrays(index: Any) -> tuple[Any, list[np.ndarray]]:
    """The index as a keyword, and its arrays, as `x[index]` passes them on."""
    bare, found = indexing.split(index)
    return bare, [read_only(np.array(part)) for part in found]


@st.composite
def reading(draw: Any, function: Callable[..., Any]) -> Call:
    """getitem: x[index]."""
    size = draw(shapes())
    bare, found = element_arrays(draw(indices(size)))
    return Call(function, (draw(argument(function, "x", size)), found), {"index": bare})


@st.composite
def scattering(draw: Any, function: Callable[..., Any]) -> Call:
    """scatter: the transpose of x[index], for an array of the shape of x[index]."""
    size = draw(shapes())
    index = draw(indices(size))
    bare, found = element_arrays(index)
    x = draw(argument(function, "x", np.zeros(size)[index].shape))
    return Call(function, (x, found), {"shape": size, "index": bare})


@st.composite
def writing(draw: Any, function: Callable[..., Any]) -> Call:
    """put: x[index] = y, which broadcasts, or is a Python scalar."""
    size = draw(shapes())
    index = draw(indices(size))
    bare, found = element_arrays(index)
    array = narrowed(np.zeros(size)[index].shape).flatmap(lambda part: argument(function, "y", part))
    part = draw(st.sampled_from(({}, {}, {}, {"part": "real"}, {"part": "imag"})))  # of a complex array
    x = draw(numbers(size, complex=True) if part else argument(function, "x", size))
    y = draw(array | array | scalars(points_of(function, "y")))
    return Call(function, (x, y, found), {"index": bare} | part)


@st.composite
def whole_numbers(draw: Any, size: Shape, low: int, high: int) -> np.ndarray:
    """An array of integers below `high`."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    return read_only(rng.integers(low, max(high, low + 1), size))


@st.composite
def picking(draw: Any, function: Callable[..., Any]) -> Call:
    """np.take: at places that may repeat, and lie beyond the ends where `mode` knows what to do."""
    size = draw(shapes())
    keywords = draw(optional(axis=one_axis, mode=st.sampled_from(("raise", "wrap", "clip")))(size))
    along = keywords.get("axis")
    n = math.prod(size) if along is None else size[along]
    beyond = 5 * (keywords.get("mode", "raise") != "raise")
    where = draw(shapes(max_dims=2).flatmap(lambda shape: whole_numbers(shape if n else (0,), -n - beyond, n + beyond)))
    return Call(
        function, (draw(argument(function, "x", size)), draw(st.sampled_from((where, where.tolist())))), keywords
    )


@st.composite
def picking_along(draw: Any, function: Callable[..., Any]) -> Call:
    """np.take_along_axis: for each of the other axes, or for the flattened array."""
    size = draw(shapes(min_dims=1))
    along = draw(one_axis(size))
    where = [draw(st.sampled_from((n, n, 1))) for n in size] if along is not None else [0]
    n = math.prod(size) if along is None else size[along]
    where[along or 0] = draw(st.integers(0, 3)) if n else 0
    where = draw(whole_numbers(tuple(where), -n, n))
    named = {} if along == -1 and draw(FLAG) else {"axis": along}
    return Call(function, (draw(argument(function, "x", size)), where), named)


@st.composite
def masks(draw: Any, size: Shape) -> np.ndarray:
    """Truth values."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    return read_only(rng.random(size) < 0.6)


@st.composite
def conditions(draw: Any, size: Shape) -> Any:
    """Truth values: as such, as numbers, in lists."""
    condition = draw(masks(size))
    return draw(st.sampled_from((condition, condition, condition.astype(int), condition.tolist())))


@st.composite
def passing(draw: Any, function: Callable[..., Any]) -> Call:
    """np.compress along an axis, and np.extract: a condition, which may end early."""
    size = draw(shapes(min_dims=1))
    x = draw(argument(function, "x", size))
    if function is np.extract:
        return Call(function, (draw(conditions(size) | conditions((draw(st.integers(0, x.size)),))), x))
    along = draw(one_axis(size))
    n = x.size if along is None else size[along]
    condition = draw(conditions((draw(st.sampled_from((n, n, n // 2))),)))
    return Call(function, (condition, x), {} if along is None and draw(FLAG) else {"axis": along})


def some_places(n: int) -> Strategy:
    """An integer, a slice, a list or an array of integers: among n."""
    one = st.integers(-n, n - 1) if n else st.nothing()
    many = st.lists(one, max_size=3) if n else st.just([])
    return one | st.slices(n) | many | many.map(lambda found: read_only(np.array(found, int)))


@st.composite
def deleting(draw: Any, function: Callable[..., Any]) -> Call:
    size = draw(shapes(min_dims=1))
    along = draw(one_axis(size))
    n = math.prod(size) if along is None else size[along]
    where = draw(some_places(n) | masks((n,)))
    return Call(function, (draw(argument(function, "x", size)), where), {} if along is None else {"axis": along})


@st.composite
def inserting(draw: Any, function: Callable[..., Any]) -> Call:
    """np.insert: a number, an array that broadcasts, or a list of arrays, before some places."""
    size = draw(shapes(min_dims=1))
    along = draw(one_axis(size))
    n = math.prod(size) if along is None else size[along]
    where = draw(some_places(n + 1).filter(lambda where: not isinstance(where, int) or where >= -n))
    one = (*size[:along], *size[along:][1:]) if along is not None else ()
    count = draw(st.sampled_from((1, 2))) if isinstance(where, int) else len(np.r_[where])
    first = isinstance(where, int) or along is None
    many = (count, *one) if first or along % len(size) == 0 else (*size[:along], count, *size[along:][1:])
    y = draw(argument(function, "y", draw(st.sampled_from(((), one, many)))))
    values = draw(st.sampled_from((y, y, [read_only(part) for part in y] if y.ndim and len(y) else 1.5)))
    return Call(
        function, (draw(argument(function, "x", size)), where, values), {} if along is None else {"axis": along}
    )


@st.composite
def repeating(draw: Any, function: Callable[..., Any]) -> Call:
    size = draw(shapes())
    along = draw(one_axis(size))
    n = math.prod(size) if along is None else size[along]
    times = draw(st.integers(0, 3) | whole_numbers((n,), 0, 3) | st.lists(st.integers(0, 3), min_size=n, max_size=n))
    return Call(function, (draw(argument(function, "x", size)), times), {} if along is None else {"axis": along})


@st.composite
def tiling(draw: Any, function: Callable[..., Any]) -> Call:
    times = draw(
        st.integers(0, 3) | st.lists(st.integers(0, 2), max_size=4).flatmap(lambda r: st.sampled_from((r, tuple(r))))
    )
    return Call(function, (draw(argument(function, "x", draw(shapes()))), times))


ARGUMENTS: dict[Callable[..., Any], Factory] = {
    indexing.getitem: reading,
    indexing.scatter: scattering,
    indexing.put: writing,
    np.take: picking,
    np.take_along_axis: picking_along,
    **dict.fromkeys((np.compress, np.extract), passing),
    np.delete: deleting,
    np.insert: inserting,
    np.repeat: repeating,
    np.tile: tiling,
}
COMPLEX = set(ARGUMENTS)
