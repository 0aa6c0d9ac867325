"""Functions that move elements and change none."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from hypothesis import strategies as st

from autodiff.rules import shape

from ..gradcheck import Call, read_only
from .common import (
    FLAG,
    FLOAT64,
    SIZES,
    Factory,
    Shape,
    Strategy,
    any_axes,
    argument,
    axes,
    axis,
    narrowed,
    one_axis,
    optional,
    required,
    shapes,
    single,
)


@st.composite
def new_shape(draw: Any, size: Shape) -> Any:
    """A shape with as many elements; an int where it is 1-D; perhaps a -1."""
    count = math.prod(size)
    if count == 0:
        return draw(st.sampled_from(((0,), 0, -1, (2, 0), (0, 3, 1))))
    sizes: list[int] = []
    while count > 1:
        sizes.append(draw(st.sampled_from([n for n in range(2, count + 1) if count % n == 0])))
        count //= sizes[-1]
    sizes.insert(draw(st.integers(0, len(sizes))), 1)
    if draw(FLAG):
        sizes[draw(st.integers(0, len(sizes) - 1))] = -1
    return draw(st.sampled_from((tuple(sizes), tuple(sizes), -1)))


@st.composite
def reshaping(draw: Any, size: Shape) -> dict[str, Any]:
    copy = {"copy": st.sampled_from((None, True))} if NEW else {}
    return {"shape" if NEW else "newshape": draw(new_shape(size))} | draw(
        optional(order=st.sampled_from("CF"), **copy)(size)
    )


def squeezing(size: Shape) -> Strategy:
    ones = [i - len(size) * back for i, n in enumerate(size) if n == 1 for back in (0, 1)]
    some = st.lists(st.sampled_from(ones), unique_by=lambda i: i % len(size)).map(tuple) if ones else st.just(())
    return st.fixed_dictionaries({}, optional={"axis": st.none() | some | (st.sampled_from(ones) if ones else some)})


def expanding(size: Shape) -> Strategy:
    one = st.integers(-len(size) - 1, len(size))
    return st.fixed_dictionaries({"axis": one | axes((1,) * (len(size) + 2), min_size=2, max_size=2)})


def permuting(size: Shape) -> Strategy:
    everything = axes(size, min_size=len(size), max_size=len(size))
    return st.fixed_dictionaries({}, optional={"axes": st.none() | everything})


@st.composite
def moving(draw: Any, size: Shape) -> dict[str, Any]:
    if draw(FLAG):
        return {"source": draw(axis(size)), "destination": draw(axis(size))}
    source = draw(axes(size))
    return {"source": source, "destination": draw(axes(size, min_size=len(source), max_size=len(source)))}


@st.composite
def spreading(draw: Any, size: Shape) -> dict[str, Any]:
    added = draw(shapes(max_dims=2))
    shape = added + tuple(draw(st.sampled_from((2, 3))) if n == 1 and draw(FLAG) else n for n in size)
    return {"shape": shape} | draw(optional(subok=FLAG)(size))


@st.composite
def joining(draw: Any, function: Callable[..., Any]) -> Call:
    """np.concatenate and np.stack: any number of arrays."""
    stacking = function is np.stack
    size = draw(shapes(min_dims=1 - stacking, max_dims=3 - stacking))
    along = draw(axis((1, *size) if stacking else size))
    sizes = [size] * draw(st.integers(1, 3))
    keywords = {"axis": along} | draw(JOINED(size))
    if not stacking:
        i = along % len(size)
        sizes = [(*size[:i], draw(SIZES), *size[i + 1 :]) for _ in sizes]
        if draw(st.integers(0, 3)) == 3:
            keywords["axis"], sizes = None, [draw(shapes(max_dims=2)) for _ in sizes]
        elif along == 0 and draw(FLAG):
            del keywords["axis"]
    return Call(function, ([draw(argument(function, "x", size)) for size in sizes],), keywords)


def rolling(size: Shape) -> Strategy:
    steps = st.integers(-4, 4)
    several = axes(size).flatmap(lambda along: st.tuples(*[steps] * len(along)).map(lambda by: (by, along)))
    pairs = st.tuples(steps, one_axis(size)) | st.tuples(steps, axes(size)) | several.filter(lambda pair: pair[0])
    return pairs.map(lambda pair: {"shift": pair[0], "axis": pair[1]})


def diagonals(size: Shape) -> Strategy:
    two = axes(size, min_size=2, max_size=2)
    offsets = st.fixed_dictionaries({}, optional={"offset": st.integers(-2, 2)})
    return st.builds(lambda axes, rest: {"axis1": axes[0], "axis2": axes[1]} | rest, two, offsets) | offsets


@st.composite
def from_diagonal(draw: Any, function: Callable[..., Any]) -> Call:
    """The transpose of np.diagonal, for an array of the shape of a diagonal."""
    size = draw(shapes(min_dims=2))
    keywords = draw(diagonals(size))
    x = draw(argument(function, "x", np.diagonal(np.zeros(size), **keywords).shape))
    return Call(function, (x,), {"shape": size} | keywords)


def turning(size: Shape) -> Strategy:
    return optional(k=st.integers(-5, 5), axes=axes(size, min_size=2, max_size=2))(size)


def rolling_axis(size: Shape) -> Strategy:
    return st.fixed_dictionaries({"axis": axis(size)}, optional={"start": st.integers(-len(size), len(size))})


@st.composite
def cutting(draw: Any, function: Callable[..., Any]) -> Call:
    """np.split and its like: into equal parts, or at some places."""
    along = {np.hsplit: 1, np.vsplit: 0, np.dsplit: 2}.get(function)
    size = draw(shapes(min_dims=1 if along is None or function is np.hsplit else max(along + 1, 2)))
    keywords = {"axis": draw(axis(size))} if along is None and draw(FLAG) else {}
    n = size[keywords.get("axis", min(along or 0, len(size) - 1))]
    counts = [k for k in range(1, 5) if function is np.array_split or n % k == 0]
    cuts = draw(st.sampled_from(counts) | st.lists(st.integers(-1, 4), max_size=3).map(sorted))
    return Call(function, (draw(argument(function, "x", size)), cuts), keywords)


@st.composite
def several(draw: Any, function: Callable[..., Any]) -> Call:
    """np.atleast_1d and its like: any number of arrays."""
    sizes = draw(st.lists(shapes(), min_size=1, max_size=3))
    return Call(function, tuple(draw(argument(function, "xyz"[i], size)) for i, size in enumerate(sizes)))


@st.composite
def broadcasting(draw: Any, function: Callable[..., Any]) -> Call:
    full = draw(shapes())
    sizes = [draw(narrowed(full)) for _ in range(draw(st.integers(1, 3)))]
    return Call(function, tuple(draw(argument(function, "xyz"[i], size)) for i, size in enumerate(sizes)))


@st.composite
def gridding(draw: Any, function: Callable[..., Any]) -> Call:
    """np.meshgrid: vectors, or numbers in their places."""
    sizes = draw(st.lists(shapes(max_dims=1), min_size=1, max_size=3))
    xi = tuple(draw(argument(function, "xyz"[i], size)) for i, size in enumerate(sizes))
    return Call(function, xi, draw(optional(copy=FLAG, sparse=FLAG, indexing=st.sampled_from(("xy", "ij")))(())))


@st.composite
def appending(draw: Any, function: Callable[..., Any]) -> Call:
    """np.append: an array, or a list of them, along an axis or of any shape."""
    size = draw(shapes())
    keywords = {"axis": draw(axis(size))} if size and draw(FLAG) else {}
    other = list(size) if keywords else draw(shapes())
    if keywords:
        other[keywords["axis"]] = draw(SIZES)
    values = draw(argument(function, "y", tuple(other)))
    return Call(
        function, (draw(argument(function, "x", size)), draw(as_list(values)) if values.size else values), keywords
    )


def as_list(x: np.ndarray) -> Strategy:
    """An array, or the list of its parts."""
    return st.sampled_from((x, x, [read_only(part) for part in x])) if x.ndim and len(x) else st.just(x)


@st.composite
def blocks(draw: Any, function: Callable[..., Any]) -> Call:
    """np.block: an array, a row of blocks, or rows of them."""
    heights, widths = draw(st.tuples(*[st.lists(SIZES, min_size=1, max_size=2)] * 2))
    front = draw(st.sampled_from(((), (), (2,))))
    block = lambda *size: draw(argument(function, "x", front + size))  # noqa: E731
    kind = draw(st.sampled_from(("array", "row", "rows", "rows", "numbers")))
    if kind == "array":
        return Call(function, (block(2, 3),))
    if kind == "numbers":
        return Call(function, ([draw(argument(function, "x", (n,))) for n in widths] + [2.5],))
    rows = [[block(height, width) for width in widths] for height in heights]
    return Call(function, (rows if kind == "rows" else rows[0],))


@st.composite
def columns(draw: Any, function: Callable[..., Any]) -> Call:
    """np.column_stack: vectors and matrices with as many rows; numbers."""
    n = draw(SIZES)
    sizes = draw(st.lists(st.sampled_from(((n,), (n, 2), (n, 1)) + ((),) * (n == 1)), min_size=1, max_size=3))
    return Call(function, ([draw(argument(function, "x", size)) for size in sizes],))


@st.composite
def stacking(draw: Any, function: Callable[..., Any]) -> Call:
    """np.hstack, np.vstack, np.dstack: arrays of one shape, or one array of more dimensions."""
    size = draw(shapes())
    xs = [draw(argument(function, "x", size)) for _ in range(draw(st.integers(1, 3)))]
    stacked = read_only(np.stack(xs)) if draw(st.integers(0, 3)) == 3 else xs
    return Call(function, (stacked,), {} if function is np.dstack else draw(JOINED(size)))


NEW = hasattr(np, "unstack")  # NumPy 2.1
NOTHING = optional()
JOINED = optional(dtype=st.just(np.complex128), casting=st.sampled_from(("same_kind", "unsafe")))
OFFSET = optional(k=st.integers(-3, 3))
TRIMMED = {"trim": st.sampled_from(("fb", "f", "B"))}
if "axis" in inspect.signature(np.trim_zeros).parameters:  # NumPy 2.2
    TRIMMED |= {"axis": any_axes}

ARGUMENTS: dict[Callable[..., Any], Factory] = {
    np.reshape: single(reshaping),
    np.ravel: single(optional(order=st.sampled_from("CF"))),
    np.copy: single(optional(order=st.sampled_from("CFAK"), subok=FLAG)),
    np.squeeze: single(squeezing, sizes=st.sampled_from((1, 2, 1, 3))),
    np.expand_dims: single(expanding),
    np.transpose: single(permuting),
    np.swapaxes: single(required(axis1=axis, axis2=axis), min_dims=1),
    np.moveaxis: single(moving, min_dims=1),
    np.flip: single(optional(axis=any_axes)),
    np.broadcast_to: single(spreading),
    np.roll: single(rolling),
    np.diagonal: single(diagonals, min_dims=2),
    shape.on_diagonal: from_diagonal,
    shape.identity: single(lambda size: st.just({})),
    shape.cast: single(required(dtype=FLOAT64)),
    **dict.fromkeys((np.concatenate, np.stack), joining),
    np.fliplr: single(NOTHING, min_dims=2),
    np.flipud: single(NOTHING, min_dims=1),
    np.matrix_transpose: single(NOTHING, min_dims=2),
    np.rot90: single(turning, min_dims=2),
    np.rollaxis: single(rolling_axis, min_dims=1),
    np.diag: single(OFFSET, min_dims=1, max_dims=2),
    np.diagflat: single(OFFSET),
    **dict.fromkeys((np.tril, np.triu), single(OFFSET, min_dims=1)),
    np.resize: single(required(new_shape=st.integers(0, 9) | shapes())),
    np.trim_zeros: single(optional(**TRIMMED), min_dims=1, max_dims=3 if "axis" in TRIMMED else 1),
    **dict.fromkeys((np.atleast_1d, np.atleast_2d, np.atleast_3d), several),
    np.broadcast_arrays: broadcasting,
    np.meshgrid: gridding,
    **dict.fromkeys((np.split, np.array_split, np.hsplit, np.vsplit, np.dsplit), cutting),
    np.append: appending,
    np.block: blocks,
    np.column_stack: columns,
    **dict.fromkeys((np.hstack, np.vstack, np.dstack), stacking),
}
if NEW:
    ARGUMENTS |= {
        np.unstack: single(optional(axis=axis), min_dims=1),
        np.astype: lambda f: single(optional(copy=FLAG))(f).map(
            lambda call: replace(call, arguments=(*call.arguments, float))
        ),
    }
COMPLEX = set(ARGUMENTS)
