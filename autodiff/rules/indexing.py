"""Reading and writing parts of an array.

    linear(function, formula, the transpose in x, the transpose in y, None for the arrays of the index)

An index is a keyword, but the arrays in it are inputs (they may depend on data, as in `x[x > 0]`): `split` takes them out of
the index and leaves `ARRAY` in their places, `join` puts them back.
"""
# ruff: noqa: E501

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..primitive import linear, own

Index = Any
ARRAY = type("ARRAY", (), {"__repr__": lambda self: "ARRAY", "__reduce__": lambda self: "ARRAY"})()


def split(index: Index) -> tuple[Index, list[Any]]:
    """An index without its arrays, and the arrays."""
    parts = index if isinstance(index, tuple) else (index,)
    arrays = [part for part in parts if _is_array(part)]
    if not arrays:
        return index, arrays
    bare = tuple(ARRAY if _is_array(part) else part for part in parts)
    return (bare if isinstance(index, tuple) else ARRAY), arrays


def join(index: Index, arrays: Sequence[Any]) -> Index:
    """The index with the arrays in their places."""
    if index is ARRAY:
        return arrays[0]
    if not arrays:
        return index
    rest = iter(arrays)
    return tuple(next(rest) if part is ARRAY else part for part in index)


def _is_array(part: Any) -> bool:
    return isinstance(part, (list, np.ndarray)) or hasattr(part, "__array_function__")


@own
def getitem(x: Any, y: Sequence[Any] = (), index: Index = ()) -> Any:
    """`x[index]`, the arrays of the index in `y`."""
    return x[join(index, y)]


@own
def scatter(x: Any, y: Sequence[Any], shape: tuple[int, ...], index: Index = ()) -> Any:
    """The transpose of `getitem`: zeros of `shape`, with x added at the index (where that repeats, more than once)."""
    out = np.zeros(shape, x.dtype)
    if _repeats(y):
        np.add.at(out, join(index, y), x)
    else:
        out[join(index, y)] = x
    return out


@own
def put(x: Any, y: Any, z: Sequence[Any] = (), index: Index = ()) -> Any:
    """A copy of x in which `x[index] = y`, the arrays of the index in `z`."""
    out = x.copy("K") if isinstance(x, np.ndarray) else np.array(x)
    out[join(index, z)] = y
    return out


def last_written(g: Any, z: Sequence[Any], index: Index) -> Any:
    """The gradient of what `put` wrote: g at the index; where that repeats, only the last write is seen."""
    read = getitem(g, z, index=index)
    if not _repeats(z):
        return read
    order = np.full(g.shape, -1)
    turns = np.arange(read.size).reshape(read.shape)
    order[join(index, z)] = turns
    return np.where(order[join(index, z)] == turns, read, 0)


def _repeats(arrays: Sequence[Any]) -> bool:
    """Whether an index with these arrays may name an element twice."""
    return any(array.dtype.kind != "b" for array in arrays)


# fmt: off
linear(getitem,  "getitem(x, *y, index=())",           "scatter(g, y, shape=x.shape, index=index)", None, view=True, title="t[...]")
linear(scatter,  "scatter(x, *y, shape=..., index=())", "getitem(g, y, index=index)",                None)
linear(put,      "put(x, y, *z, index=())",            "put(g, 0, z, index=index)",                 "last_written(g, z, index)", None, title="t[...] = value")
# fmt: on
