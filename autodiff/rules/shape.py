"""Functions that move elements and change none: each transpose moves them back.

    linear(function, formula, the transpose applied to g)
    composed(function, signature, an equal expression)      without one: NumPy's own code, run on Tensors

A `view` row may share the memory of its argument, as NumPy's does; what is `inlined` always does.
"""
# ruff: noqa: E501

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, pairwise
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple

from ..cotangents import Masked, unmasked
from ..errors import GradientError
from ..primitive import ALIASES, composed, inlined, linear, own
from ..sites import __library__  # noqa: F401


@own
def cast(x: Any, dtype: Any) -> Any:
    """x as another dtype (`x.astype(dtype)`).

    >>> cast(np.array([1.5]), dtype=np.float32)
    array([1.5], dtype=float32)
    """
    return x.astype(dtype)


@own
def identity(x: Any) -> Any:
    """x itself, as a node of its own.

    >>> identity(3.0)
    3.0
    """
    return x


@own
def on_diagonal(x: Any, shape: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    """The transpose of np.diagonal: zeros of `shape`, with x on a diagonal.

    >>> on_diagonal(np.array([1.0, 2.0]), shape=(2, 3), offset=1)
    array([[0., 1., 0.],
           [0., 0., 2.]])
    """
    if getattr(x, "mask", None) is not None:
        return Masked.of(*(on_diagonal(part, shape, offset, axis1, axis2) for part in (unmasked(x), x.mask)))
    if not isinstance(x, np.ndarray):  # another kind of array, whose diagonal is no view
        rows, columns = shape[axis1], shape[axis2]
        along = x[..., np.clip(np.arange(columns) - max(offset, 0), 0, max(x.shape[-1] - 1, 0))]
        found = np.where(np.eye(rows, columns, offset, dtype=bool), along[..., None, :], 0)
        return np.moveaxis(found, (-2, -1), (axis1, axis2))
    out = np.zeros(shape, x.dtype)
    diagonal = np.diagonal(out, offset, axis1, axis2)
    diagonal.flags.writeable = True
    diagonal[...] = x
    return out


def reshape(x: Any, shape: Any, order: Any = "C", **copy: Any) -> Any:
    """np.reshape, whose `shape` was called `newshape` until NumPy 2.1."""
    return x.reshape(shape) if order == "C" and not copy else x.reshape(shape, order=order, **copy)


def copied(x: Any, *order: Any, **keywords: Any) -> Any:
    """np.copy, also of other kinds of arrays."""
    return np.copy(x, *order, **keywords) if isinstance(x, (np.ndarray, np.generic)) else x.copy()


def fixed_order(order: str = "C", **_: Any) -> None:
    """Refuse an order of reading elements that depends on how they lie in memory."""
    if order not in ("C", "F"):
        raise GradientError(f"order={order!r} depends on how the elements lie in memory: write order='C' or order='F'")


def inverse(axes: Any) -> Any:
    """The permutation that undoes `axes`."""
    return None if axes is None else tuple(np.argsort([axis % len(axes) for axis in axes]).tolist())


def pieces(g: Any, shapes: list[tuple[int, ...]], axis: int | None) -> list[Any]:
    """What each of the concatenated arrays gave to g."""
    sizes = [int(np.prod(shape)) if axis is None else shape[axis] for shape in shapes]
    before = (slice(None),) * (0 if axis is None else axis % len(shapes[0]))
    parts = [g[(*before, slice(start, stop))] for start, stop in pairwise(accumulate(sizes, initial=0))]
    return [part.reshape(shape) for part, shape in zip(parts, shapes, strict=True)] if axis is None else parts


def array(nested: Any) -> Any:
    """Lists of arrays, and lists of such lists, as one array."""
    return np.stack([array(item) for item in nested]) if isinstance(nested, (list, tuple)) and nested else nested


NEW_AXES: dict[tuple[int, int], Any] = {(0, 1): 0, (0, 2): (0, 1), (1, 2): 0, (0, 3): (0, 1, 2), (1, 3): (0, 2), (2, 3): 2}


def at_least(ndim: int, arrays: Sequence[Any]) -> Any:
    """np.atleast_1d, np.atleast_2d, np.atleast_3d."""
    found = tuple(
        x if getattr(x, "ndim", 0) >= ndim else np.expand_dims(x, NEW_AXES.get((np.ndim(x), ndim), ())) for x in arrays
    )
    return found[0] if len(found) == 1 else found


def broadcast_arrays(*args: Any, subok: bool = False) -> Any:
    """np.broadcast_arrays."""
    shape = np.broadcast_shapes(*map(np.shape, args))
    return tuple(x if getattr(x, "shape", None) == shape else np.broadcast_to(x, shape) for x in args)


def meshgrid(*xi: Any, copy: bool = True, sparse: bool = False, indexing: str = "xy") -> Any:
    """np.meshgrid."""
    if indexing not in ("xy", "ij"):
        raise ValueError("Valid values for `indexing` are 'xy' and 'ij'.")
    axes = list(range(len(xi)))
    if indexing == "xy":
        axes[:2] = axes[:2][::-1]
    grid = [np.reshape(x, [-1 if i == axis else 1 for i in range(len(xi))]) for x, axis in zip(xi, axes, strict=True)]
    spread = grid if sparse else np.broadcast_arrays(*grid)
    return tuple(x.copy() for x in spread) if copy else spread


def rot90(m: Any, k: int = 1, axes: Any = (0, 1)) -> Any:
    """np.rot90."""
    first, second = axes
    flipped = np.flip(m, [(), (second,), (first, second), (first,)][k % 4])
    return np.swapaxes(flipped, first, second) if k % 2 else flipped


def trim_zeros(filt: Any, trim: str = "fb", axis: Any = None) -> Any:
    """np.trim_zeros."""
    axes = range(filt.ndim) if axis is None else normalize_axis_tuple(axis, filt.ndim)
    front, back = "f" in trim.lower(), "b" in trim.lower()
    cut = [slice(None)] * filt.ndim
    for i, found in enumerate(np.argwhere(filt).T):
        if i in axes:
            start, stop = (int(found.min()), int(found.max()) + 1) if found.size else (None, 0)
            cut[i] = slice(start if front else None, stop if back or not found.size else None)
    return filt[tuple(cut)]


def joined(arrays: Any) -> tuple[Any, int]:
    """np.block of nested lists, and how deep they are nested."""
    if not isinstance(arrays, list):
        return arrays, 0
    parts, depths = zip(*map(joined, arrays), strict=True)
    axis = depths[0] + 1
    ndim = max(axis, *map(np.ndim, parts))
    return np.concatenate([np.reshape(x, (1,) * (ndim - np.ndim(x)) + np.shape(x)) for x in parts], axis=-axis), axis


# fmt: off
linear(np.reshape,       "reshape(x, shape=..., order='C', copy=None)",                    "reshape(g, x.shape, order)",                view=True, check=fixed_order, forward=reshape, names={"newshape": "shape"})
linear(np.ravel,         "ravel(x, order='C')",                                            "reshape(g, x.shape, order)",                view=True, method=True, check=fixed_order)
linear(np.squeeze,       "squeeze(x, axis=None)",                                          "g.reshape(x.shape)",                        view=True, method=True)
linear(np.expand_dims,   "expand_dims(x, axis=...)",                                       "g.reshape(x.shape)",                        view=True)
linear(np.transpose,     "transpose(x, axes=None)",                                        "np.transpose(g, inverse(axes))",            view=True)
linear(np.swapaxes,      "swapaxes(x, axis1=..., axis2=...)",                              "np.swapaxes(g, axis1, axis2)",              view=True, method=True)
linear(np.moveaxis,      "moveaxis(x, source=..., destination=...)",                       "np.moveaxis(g, destination, source)",       view=True)
linear(np.flip,          "flip(x, axis=None)",                                             "np.flip(g, axis)",                          view=True)
linear(np.broadcast_to,  "broadcast_to(x, shape=..., subok=False)",                        "g",                                         view=True)
linear(np.diagonal,      "diagonal(x, offset=0, axis1=0, axis2=1)",                        "on_diagonal(g, shape=x.shape, offset=offset, axis1=axis1, axis2=axis2)", view=True)
linear(on_diagonal,      "on_diagonal(x, shape=..., offset=0, axis1=0, axis2=1)",          "np.diagonal(g, offset, axis1, axis2)")
linear(np.copy,          "copy(x, order='K', subok=False)",                                "g",                                         forward=copied)
linear(np.roll,          "roll(x, shift=..., axis=None)",                                  "np.roll(g, np.negative(shift), axis)")
linear(np.concatenate,   "concatenate(*x, axis=0, out=None, dtype=None, casting='same_kind')", "pieces(g, x.shape, axis)")
linear(np.stack,         "stack(*x, axis=0, out=None, dtype=None, casting='same_kind')",   "list(np.moveaxis(g, axis, 0))")
linear(identity,         "identity(x)",                                                    "g")
linear(cast,             "cast(x, dtype=...)",                                             "g")

# --- views, but for some calls ---
composed(np.fliplr,          "fliplr(m)",                                                  "np.flip(m, 1)",           view=True)
composed(np.flipud,          "flipud(m)",                                                  "np.flip(m, 0)",           view=True)
composed(np.rot90,           "rot90(m, k=1, axes=(0, 1))",                                 rot90,                     view=True)
composed(np.matrix_transpose, "matrix_transpose(x, /)",                                    "np.swapaxes(x, -1, -2)",  view=True)
composed(np.trim_zeros,      "trim_zeros(filt, trim='fb', axis=None)",                     trim_zeros,                view=True)
composed(np.diag,            "diag(v, k=0)",                                               "np.diagonal(v, k) if v.ndim == 2 else on_diagonal(v, shape=(v.size + abs(k),) * 2, offset=k)", view=True)
inlined(np.rollaxis,         "rollaxis(a, axis, start=0)")
inlined(np.atleast_1d,       "atleast_1d(*arys)",                                          "at_least(1, arys)")
inlined(np.atleast_2d,       "atleast_2d(*arys)",                                          "at_least(2, arys)")
inlined(np.atleast_3d,       "atleast_3d(*arys)",                                          "at_least(3, arys)")
inlined(np.broadcast_arrays, "broadcast_arrays(*args, subok=False)",                       broadcast_arrays)
inlined(np.meshgrid,         "meshgrid(*xi, copy=True, sparse=False, indexing='xy')",      meshgrid)
inlined(np.split,            "split(ary, indices_or_sections, axis=0)")
inlined(np.array_split,      "array_split(ary, indices_or_sections, axis=0)")
inlined(np.hsplit,           "hsplit(ary, indices_or_sections)")
inlined(np.vsplit,           "vsplit(ary, indices_or_sections)")
inlined(np.dsplit,           "dsplit(ary, indices_or_sections)")
if hasattr(np, "unstack"):  # since NumPy 2.1
    inlined(np.unstack,      "unstack(x, /, *, axis=0)")
    composed(np.astype,      "astype(x, dtype, /, *, copy=True, device=None)",             "x",                       view=True)

# --- copies ---
composed(np.append,          "append(arr, values, axis=None)",                             "np.concatenate((arr, array(values)), axis=axis)")
composed(np.block,           "block(arrays)",                                              "joined(arrays)[0]")
composed(np.column_stack,    "column_stack(tup)",                                          "np.concatenate([x if np.ndim(x) > 1 else np.reshape(x, (np.size(x), 1)) for x in tup], axis=1)")
composed(np.dstack,          "dstack(tup)")
composed(np.hstack,          "hstack(tup, *, dtype=None, casting='same_kind')")
composed(np.vstack,          "vstack(tup, *, dtype=None, casting='same_kind')")
composed(np.diagflat,        "diagflat(v, k=0)",                                           "np.diag(np.ravel(v), k)")
composed(np.tril,            "tril(m, k=0)",                                               "np.where(np.tri(*m.shape[-2:], k=k, dtype=bool), m, 0)")
composed(np.triu,            "triu(m, k=0)",                                               "np.where(np.tri(*m.shape[-2:], k=k - 1, dtype=bool), 0, m)")
composed(np.resize,          "resize(a, new_shape)")
# fmt: on

if "row_stack" in np.__all__:  # deprecated
    ALIASES[getattr(np, "row_stack")] = np.vstack  # noqa: B009
