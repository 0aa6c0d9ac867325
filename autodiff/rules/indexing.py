"""Reading and writing parts of an array.

    linear(function, formula, the transpose in x, the transpose in y, None for the arrays of the index)

An index is a keyword, but the arrays in it are inputs (they may depend on data, as in `x[x > 0]`): `split` takes them out of
the index and leaves `ARRAY` in their places, `join` puts them back.
"""
# ruff: noqa: E501

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..cotangents import Masked, unmasked
from ..errors import GradientError
from ..primitive import composed, linear, own
from .engine import taken
from .shape import array

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
    found = x[join(index, y)]
    if y and any(size != size for size in found.shape):
        raise GradientError("t[mask] of a Dask array: its shape is not known before it is computed; write np.where(mask, t, 0)")
    return found


@own
def scatter(x: Any, y: Sequence[Any], shape: tuple[int, ...], index: Index = ()) -> Any:
    """The transpose of `getitem`: zeros of `shape`, with x added at the index (where that repeats, more than once).

    What a mask as the index lets no one read was not taken.
    """
    mask = getattr(x, "mask", None)
    if mask is None and not (y and _selects(y)):
        return _scattered(x, y, shape, index)
    mask = np.ones(x.shape, bool) if mask is None else mask
    return Masked.of(_scattered(unmasked(x), y, shape, index), _scattered(mask, y, shape, index))


def _scattered(x: Any, y: Sequence[Any], shape: tuple[int, ...], index: Index) -> Any:
    out = np.zeros(shape, x.dtype) if isinstance(x, (np.ndarray, np.generic)) else np.zeros_like(x, shape=shape)
    if not isinstance(out, np.ndarray) and isinstance(index, tuple):  # Dask writes to no new axes
        index = tuple(part for part in index if part is not None)
        x = x.reshape(out[join(index, y)].shape)
    if _repeats(y) and not isinstance(out, np.ndarray):
        return _added(x, y, shape, index)
    if _repeats(y):
        np.add.at(out, join(index, y), x)
    else:
        out[join(index, y)] = x
    return out


def _added(x: Any, y: Sequence[Any], shape: tuple[int, ...], index: Index) -> Any:
    """`np.add.at`, for arrays that lack it: the product with a matrix of ones where an index along one axis points."""
    parts = index if isinstance(index, tuple) else (index,)
    if len(y) > 1 or y[0].ndim > 1 or any(part is not ARRAY and part != slice(None) for part in parts):
        raise GradientError(f"t[...] of a {type(x).__name__} that is not NumPy's: take one list of indices, along one axis")
    axis = parts.index(ARRAY)
    points = np.arange(shape[axis])[:, None] == np.mod(y[0], shape[axis])
    return np.moveaxis(np.tensordot(points.astype(x.dtype), x, (1, axis)), 0, axis)


@own
def put(x: Any, y: Any, z: Sequence[Any] = (), index: Index = (), part: str | None = None) -> Any:
    """A copy of x in which `x[index] = y`, the arrays of the index in `z`; `part` is "real" or "imag" for `x.real[index] = y`."""
    out = x.copy("K") if isinstance(x, np.ndarray) else np.array(x) if isinstance(x, np.generic) else x.copy()
    target = out if part is None else getattr(out, part)
    target[join(index, z)] = y
    return out


def unwritten(g: Any, z: Sequence[Any], index: Index, part: str | None) -> Any:
    """The gradient of what `put` left as it was."""
    if part is None and (isinstance(g, Masked) or _selects(z)):
        return taken(put(np.ones_like(g, dtype=bool), False, z, index=index), g)
    return put(g, 0, z, index=index, part=part)


def last_written(g: Any, z: Sequence[Any], index: Index, part: str | None) -> Any:
    """The gradient of what `put` wrote: g at the index; where that repeats, only the last write is seen."""
    read = getitem(g if part is None else np.real(g) if part == "real" else -np.imag(g), z, index=index)
    if not _repeats(z):
        return read
    turns = places(read)
    last = put(np.zeros_like(g, dtype=int), turns, z, index=index)
    return np.where(getitem(last, z, index=index) == turns, read, 0)


def _selects(arrays: Sequence[Any]) -> bool:
    """Whether an index with these arrays is a mask."""
    return any(array.dtype.kind == "b" for array in arrays)


def _repeats(arrays: Sequence[Any]) -> bool:
    """Whether an index with these arrays may name an element twice."""
    return any(array.dtype.kind != "b" for array in arrays)


def places(x: Any) -> Any:
    """For each element the place where it stands in x: a function that moves elements moves their places as well."""
    return np.arange(math.prod(np.shape(x))).reshape(np.shape(x))


def along(x: Any, axis: int | None, index: Callable[[int], Any]) -> Any:
    """x at an index along one axis, or of the flattened x, that depends on how many elements there are."""
    x = array(x)
    if axis is None or not x.ndim:
        x, axis = np.ravel(x), 0
    return x[(slice(None),) * (axis % x.ndim) + (index(x.shape[axis]),)]


def within(indices: Any, size: int, mode: str) -> Any:
    """Indices as `mode` means them where they are beyond the ends."""
    return (np.clip(indices, 0, size - 1) if mode == "clip" else np.mod(indices, size)).astype(np.intp)


def passing(condition: Any, size: int) -> Any:
    """Which of so many elements a condition lets pass: what it does not reach, it does not."""
    passed = np.ravel(np.not_equal(condition, 0))[:size]
    return np.concatenate([passed, np.zeros(size - passed.size, bool)])


def insert(arr: Any, obj: Any, values: Any, axis: int | None = None) -> Any:
    """np.insert."""
    arr, values = array(arr), array(values)
    where = np.insert(places(arr), obj, places(values) + arr.size, axis)
    return np.concatenate((arr, values), axis=None, dtype=arr.dtype, casting="unsafe")[where]


# fmt: off
linear(getitem,  "getitem(x, *y, index=())",            "scatter(g, y, shape=x.shape, index=index)", None, view=True, title="t[...]")
linear(scatter,  "scatter(x, *y, shape=..., index=())", "getitem(g, y, index=index)",                None)
linear(put,      "put(x, y, *z, index=(), part=None)",  "unwritten(g, z, index, part)",              "last_written(g, z, index, part)", None, title="t[...] = value")

composed(np.take,            "take(a, indices, axis=None, out=None, mode='raise')",  "along(a, axis, lambda n: within(indices, n, mode))")
composed(np.compress,        "compress(condition, a, axis=None, out=None)",          "along(a, axis, lambda n: passing(condition, n))")
composed(np.extract,         "extract(condition, arr)",                              "along(arr, None, lambda n: passing(condition, n))")
composed(np.delete,          "delete(arr, obj, axis=None)",                          "along(arr, axis, lambda n: np.isin(np.arange(n), np.delete(np.arange(n), obj)))")
composed(np.take_along_axis, "take_along_axis(arr, indices, axis=-1)",               "np.ravel(arr)[np.take_along_axis(places(arr), indices, axis)]")
composed(np.repeat,          "repeat(a, repeats, axis=None)",                        "np.ravel(a)[np.repeat(places(a), repeats, axis)]")
composed(np.tile,            "tile(A, reps)",                                        "np.ravel(A)[np.tile(places(A), reps)]")
composed(np.insert,          "insert(arr, obj, values, axis=None)",                  insert)
# fmt: on
