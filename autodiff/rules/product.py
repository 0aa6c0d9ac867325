"""Products of vectors, matrices and tensors: linear in each factor.

    linear(function, formula, the transpose in the left factor, the transpose in the right factor)
    composed(function, signature, an equal expression)

The transposes are written for matrices; a one-dimensional factor is made a row or a column here, once, and taken back.
All other products are made of these, and of products of elements.
"""
# ruff: noqa: E501

from __future__ import annotations

import math
import re
from collections.abc import Collection, Sequence
from typing import Any

import numpy as np

from ..primitive import INSPECTS, composed, linear
from .indexing import scatter

Shape = tuple[int, ...]
Labels = Sequence[Any]


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
        return g.dot(y.T) if type(g) is type(y) else g @ y.T
    g, y = _as_matrices(g, x, y.shape), y[:, None] if y.ndim == 1 else y
    pulled = g @ np.swapaxes(y, -1, -2)
    return pulled[..., 0, :] if len(x) == 1 else pulled


def matmul_right(g: Any, x: Any, y: Shape) -> Any:
    """The left factor transposed, times what comes in; `y` is the shape of the right factor."""
    if x.ndim == 2 and len(y) == 2:
        return x.T.dot(g) if type(g) is type(x) else x.T @ g
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


def kron(a: Any, b: Any) -> Any:
    """np.kron: each element of a, times all of b, side by side."""
    n = max(np.ndim(a), np.ndim(b))
    a, b = (np.reshape(x, (1,) * (n - np.ndim(x)) + np.shape(x)) for x in (a, b))
    product = np.expand_dims(a, tuple(range(1, 2 * n, 2))) * np.expand_dims(b, tuple(range(0, 2 * n, 2)))
    return np.reshape(product, [i * j for i, j in zip(a.shape, b.shape, strict=True)])


def cross(a: Any, b: Any, axisa: int = -1, axisb: int = -1, axisc: int = -1, axis: int | None = None) -> Any:
    """np.cross: where a vector has two components, the third is zero; where both have, only the third is of interest."""
    axisa, axisb, axisc = (axisa, axisb, axisc) if axis is None else (axis, axis, axis)
    a, b = np.moveaxis(a, axisa, 0), np.moveaxis(b, axisb, 0)
    (a0, a1, a2), (b0, b1, b2) = ([*x, 0][:3] for x in (a, b))
    last = a0 * b1 - a1 * b0
    return last if len(a) == len(b) == 2 else np.stack([a1 * b2 - a2 * b1, a2 * b0 - a0 * b2, last], axis=axisc)


def convolve_pull(g: Any, x: Shape, y: Any) -> Any:
    """g with each of the shifts of y. Any mode gives the middle of what mode="full" does, whose g is zero elsewhere."""
    size = math.prod(x) + y.size - 1
    start = (size - len(g)) // 2
    full = scatter(g, (), shape=(size,), index=slice(start, start + len(g)))
    return np.correlate(full, np.conj(np.ravel(y)), "valid")


# --- tensors whose axes have labels: equal ones are one axis of the product, and summed over if they are not kept -------


def tensordot(a: Any, b: Any, axes: Any = 2) -> Any:
    """np.tensordot: equal labels for the axes that are summed over."""
    first, second = axes if np.iterable(axes) else (range(-axes, 0), range(axes))
    i = list(range(np.ndim(a)))
    j = list(range(len(i), len(i) + np.ndim(b)))
    for p, q in zip(np.ravel(first).tolist(), np.ravel(second).tolist(), strict=True):
        j[q] = i[p]
    return contracted(a, i, b, j, {*i} ^ {*j})[0]


def einsum(*operands: Any, optimize: Any = False, **_: Any) -> Any:
    """np.einsum: its factors are multiplied in pairs, in the order that np.einsum_path finds."""
    arrays, inputs, output = labelled(operands)
    if len(arrays) == 1:
        return arranged(arrays[0], inputs[0], output)
    sizes = [pair for x, labels in zip(arrays, inputs, strict=True) for pair in zip(labels, np.shape(x), strict=True)]
    size = dict(sorted(sizes, key=lambda pair: pair[1] != 1))  # an axis of one element may be longer elsewhere
    factors: list[tuple[Any, Labels]]
    factors = [(np.broadcast_to(x, [size[k] for k in labels]), labels) for x, labels in zip(arrays, inputs, strict=True)]
    for step in [(0, 1)] if len(arrays) == 2 else np.einsum_path(*operands, optimize=optimize or "greedy")[0][1:]:
        chosen = [factors.pop(i) for i in sorted(step, reverse=True)]
        while len(chosen) > 1:
            x, y = chosen.pop(), chosen.pop()
            chosen.append(contracted(*x, *y, {*output}.union(*(labels for _, labels in factors + chosen))))
        factors += chosen
    return arranged(*factors[0], output)


def labelled(operands: Any) -> tuple[Any, list[str], str]:
    """The factors of np.einsum, the labels of their axes, and those of the result; all labels are characters."""
    if isinstance(operands[0], str):
        arrays, terms = operands[1:], re.split(",|->", operands[0].replace(" ", ""))
    else:
        arrays, lists = operands[: len(operands) - 1 : 2], [*operands[1::2], *[operands[-1]] * (len(operands) % 2)]
        terms = ["".join("..." if k is ... else chr(ord("A") + k) for k in labels) for labels in lists]
    if len(terms) == len(arrays):
        every = "".join(terms).replace(".", "")
        terms.append("..." + "".join(sorted(k for k in every if every.count(k) == 1)))
    dims = [np.ndim(x) - len(term.replace("...", "")) for x, term in zip(arrays, terms, strict=False)]
    dots = ["".join(map(chr, range(n, 0, -1))) for n in (*dims, max(dims))]  # counted from the last
    *inputs, output = [term.replace("...", axes) for term, axes in zip(terms, dots, strict=True)]
    return arrays, inputs, output


def contracted(x: Any, i: Labels, y: Any, j: Labels, kept: Collection[Any]) -> tuple[Any, Labels]:
    """The product of two factors with the labels i and j, as a stack of matrix products; and its labels."""
    rows, columns = ([k for k in dict.fromkeys(a) if k in kept and k not in b] for a, b in ((i, j), (j, i)))
    stack, summed = ([k for k in dict.fromkeys(i) if k in j and (k in kept) is keep] for keep in (True, False))
    x, y = arranged(x, i, stack + rows + summed), arranged(y, j, stack + summed + columns)
    shape = x.shape[: len(stack + rows)] + y.shape[len(stack + summed) :]
    x, y = as_matrices(x, len(stack), len(rows)), as_matrices(y, len(stack), len(summed))
    return np.reshape(x @ y if summed else x * y, shape), stack + rows + columns


def as_matrices(x: Any, stack: int, rows: int) -> Any:
    """x as a stack of matrices: `rows` of its axes are one, and so are all after them."""
    return np.reshape(x, (*x.shape[:stack], math.prod(x.shape[stack : stack + rows]), math.prod(x.shape[stack + rows :])))


def arranged(x: Any, labels: Labels, wanted: Labels) -> Any:
    """x with the wanted axes, in this order: the diagonal of axes with equal labels, the sum over all others."""
    labels = list(labels)
    for label in dict.fromkeys(labels):
        while labels.count(label) > 1:
            first, second = [axis for axis, k in enumerate(labels) if k == label][:2]
            x = np.diagonal(x, 0, first, second)
            labels = [*labels[:first], *labels[first + 1 : second], *labels[second + 1 :], label]
    order = [*wanted, *(label for label in labels if label not in wanted)]
    x = np.transpose(x, [labels.index(label) for label in order])
    return np.sum(x, axis=tuple(range(len(wanted), len(order)))) if len(order) > len(wanted) else x


# fmt: off
linear(np.matmul,      "x @ y",         "matmul_left(g, x.shape, y)",              "matmul_right(g, x, y.shape)",     forward=matmul)
linear(np.dot,         "dot(x, y)",     "dot_left(g, x.shape, y)",                 "dot_right(g, x, y.shape)",        method=True)
linear(np.vecdot,      "vecdot(x, y)",  "np.conj(g[..., None] * y)",               "g[..., None] * np.conj(x)")
if hasattr(np, "matvec"):  # since NumPy 2.2
    linear(np.matvec,  "matvec(x, y)",  "g[..., None] * y[..., None, :]",          "(g[..., None, :] @ x)[..., 0, :]")
    linear(np.vecmat,  "vecmat(x, y)",  "np.conj(y @ g[..., None])[..., 0]",       "np.conj(x)[..., None] * g[..., None, :]")
linear(np.convolve,    "convolve(x, y, mode='full')", "convolve_pull(g, x.shape, y)", "convolve_pull(g, y.shape, x)")

composed(np.correlate, "correlate(a, v, mode='valid')",                                 "np.convolve(a, np.conj(v)[::-1], mode) if len(a) >= len(v) else np.convolve(a[::-1], np.conj(v), mode)[::-1]")
composed(np.vdot,      "vdot(a, b, /)",                                                 "np.vecdot(np.ravel(a), np.ravel(b))")
composed(np.outer,     "outer(a, b, out=None)",                                         "np.ravel(a)[:, None] * np.ravel(b)")
composed(np.inner,     "inner(a, b, /)",                                                "tensordot(a, b, (-1, -1) if np.ndim(a) and np.ndim(b) else 0)")
composed(np.trace,     "trace(a, offset=0, axis1=0, axis2=1, dtype=None, out=None)",    "np.sum(np.diagonal(a, offset, axis1, axis2), axis=-1)", method=True)
composed(np.kron,      "kron(a, b)",                                                    kron)
composed(np.cross,     "cross(a, b, axisa=-1, axisb=-1, axisc=-1, axis=None)",          cross)
composed(np.tensordot, "tensordot(a, b, axes=2)",                                       tensordot)
composed(np.einsum,    "einsum(*operands, out=None, optimize=False)",                   einsum, view=True)
# fmt: on

INSPECTS |= {np.einsum_path}
