"""Functions that move elements and change none: each transpose moves them back.

    linear(function, formula, the transpose applied to g)

A `view` row may share the memory of its argument, as NumPy's does.
"""
# ruff: noqa: E501

from __future__ import annotations

from itertools import accumulate, pairwise
from typing import Any

import numpy as np

from ..errors import GradientError
from ..primitive import CREATES, INSPECTS, linear, own


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


def reshape(x: Any, shape: Any, order: Any = "C") -> Any:
    """np.reshape, whose `shape` was called `newshape` until NumPy 2.1."""
    return x.reshape(shape, order=order)


def fixed_order(order: str = "C", **keywords: Any) -> None:
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


# fmt: off
linear(np.reshape,      "reshape(x, shape=..., order='C')",                        "g.reshape(x.shape, order=order)",          view=True, check=fixed_order, forward=reshape)
linear(np.ravel,        "ravel(x, order='C')",                                      "g.reshape(x.shape, order=order)",          view=True, method=True, check=fixed_order)
linear(np.squeeze,      "squeeze(x, axis=None)",                                    "g.reshape(x.shape)",                       view=True, method=True)
linear(np.expand_dims,  "expand_dims(x, axis=...)",                                   "g.reshape(x.shape)",                       view=True)
linear(np.transpose,    "transpose(x, axes=None)",                                  "np.transpose(g, inverse(axes))",           view=True)
linear(np.swapaxes,     "swapaxes(x, axis1=..., axis2=...)",                            "np.swapaxes(g, axis1, axis2)",             view=True, method=True)
linear(np.moveaxis,     "moveaxis(x, source=..., destination=...)",                     "np.moveaxis(g, destination, source)",      view=True)
linear(np.flip,         "flip(x, axis=None)",                                       "np.flip(g, axis)",                         view=True)
linear(np.broadcast_to, "broadcast_to(x, shape=...)",                                "g",                                        view=True)
linear(np.copy,         "copy(x, order='K')",                                       "g")
linear(np.concatenate,  "concatenate(*x, axis=0, out=None, dtype=None)",            "pieces(g, x.shape, axis)")
linear(np.stack,        "stack(*x, axis=0, out=None, dtype=None)",                  "list(np.moveaxis(g, axis, 0))")
linear(identity,        "identity(x)",                                              "g")
linear(cast,            "cast(x, dtype=...)",                                      "g")
# fmt: on

INSPECTS |= {np.shape, np.ndim, np.size, np.result_type, np.may_share_memory, np.shares_memory, np.array2string, np.array_repr, np.array_str}
CREATES |= {np.zeros_like, np.ones_like, np.empty_like, np.full_like, np.zeros, np.ones, np.empty, np.full, np.eye, np.identity, np.arange}
