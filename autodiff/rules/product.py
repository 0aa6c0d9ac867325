"""Matrix products: linear in each factor.

    linear(function, formula, the transpose in the left factor, the transpose in the right factor)

The transposes are written for matrices; a one-dimensional factor is made a row or a column here, once, and taken back.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..primitive import linear

Shape = tuple[int, ...]


def matmul(x: Any, y: Any) -> Any:
    """np.matmul. Of two matrices in C order np.dot makes the same BLAS call, hence the same bits, in half the time."""
    if type(x) is np.ndarray and type(y) is np.ndarray and x.ndim == 2 and y.ndim == 2:
        dtype = x.dtype
        if dtype is y.dtype and dtype.char in "df" and x.flags.c_contiguous and y.flags.c_contiguous:
            return x.dot(y)
    return np.matmul(x, y)


def matmul_left(g: Any, x: Shape, y: Any) -> Any:
    """What comes in, times the right factor transposed; `x` is the shape of the left factor."""
    if len(x) == 2 and y.ndim == 2:
        return g.dot(y.T)
    g, y = _as_matrices(g, x, y.shape), y[:, None] if y.ndim == 1 else y
    pulled = g @ np.swapaxes(y, -1, -2)
    return pulled[..., 0, :] if len(x) == 1 else pulled


def matmul_right(g: Any, x: Any, y: Shape) -> Any:
    """The left factor transposed, times what comes in; `y` is the shape of the right factor."""
    if x.ndim == 2 and len(y) == 2:
        return x.T.dot(g)
    g, x = _as_matrices(g, x.shape, y), x[None, :] if x.ndim == 1 else x
    pulled = np.swapaxes(x, -1, -2) @ g
    return pulled[..., 0] if len(y) == 1 else pulled


def _as_matrices(g: Any, x: Shape, y: Shape) -> Any:
    """g with the axes that one-dimensional factors did not give it."""
    if len(y) == 1:
        g = g[..., None]
    return g[..., None, :] if len(x) == 1 else g


def dot_left(g: Any, x: Shape, y: Any) -> Any:
    """As `matmul_left`, for np.dot: the last axis of x with the last but one of y, and all others in pairs."""
    if len(x) == 0 or y.ndim == 0:
        return g * y
    if y.ndim <= 2:
        return matmul_left(g, x, y)
    columns = np.moveaxis(y, -2, 0).reshape((y.shape[-2], math.prod(y.shape[:-2]) * y.shape[-1]))
    return (g.reshape((math.prod(x[:-1]), columns.shape[1])) @ columns.T).reshape(x)


def dot_right(g: Any, x: Any, y: Shape) -> Any:
    """As `matmul_right`, for np.dot."""
    if x.ndim == 0 or len(y) == 0:
        return g * x
    if x.ndim <= 2 and len(y) <= 2:
        return matmul_right(g, x, y)
    rows = x.reshape((math.prod(x.shape[:-1]), x.shape[-1]))
    pulled = rows.T @ g.reshape((rows.shape[0], math.prod(g.shape[x.ndim - 1 :])))
    return pulled.reshape(y) if len(y) == 1 else np.moveaxis(pulled.reshape((y[-2], *y[:-2], y[-1])), 0, -2)


# fmt: off
linear(np.matmul, "x @ y",     "matmul_left(g, x.shape, y)", "matmul_right(g, x, y.shape)", forward=matmul)
linear(np.dot,    "dot(x, y)", "dot_left(g, x.shape, y)",    "dot_right(g, x, y.shape)",    method=True)
# fmt: on
