"""Moves: equal, simpler expressions of what moves, repeats or adds up elements of arrays; see `identities`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from .cotangents import SEVERAL
from .graph import Node, node_of
from .primitive import COMPOSED
from .products import Operand, Product, is_real, shape_of
from .rules.indexing import getitem
from .rules.reduction import axes_of, kept, left
from .rules.shape import cast
from .structures import Slot

MOST_MOVES = 4  # that are looked at together
LARGEST = 10**8  # elements: moves of more are not tried, since a reshape may copy
_TRANSPOSES = (np.transpose, np.swapaxes, np.moveaxis)


def still(s: Any, node: Node) -> Operand | None:
    """Moves that together leave every element in its place: a transpose of a transpose, an axis added and removed."""
    moves: list[Node] = []
    x: Any = node
    while isinstance(x, Node) and _moves(x) and (x is node or x not in s.keep) and len(moves) < MOST_MOVES:
        moves.insert(0, x)
        x = x.inputs[0]
        if isinstance(x, Node) and (x.shape, x.dtype) == (node.shape, node.dtype) and _leave_all(moves, x.shape):
            return x
    return None


def _moves(node: Node) -> bool:
    row = node.primitive
    return row is not None and row.view and row.kind == "linear" and len(node.inputs) == 1


def _leave_all(moves: Sequence[Node], shape: tuple[int, ...]) -> bool:
    """Whether each element of an array is where it was: tried on one whose elements nobody looks at."""
    if math.prod(shape) > LARGEST:
        return False
    array = moved = np.empty(shape, np.int8)
    for move in moves:
        moved = move.primitive.evaluate((moved,), move.keywords)
    steps = [[x.strides[i] for i, size in enumerate(shape) if size > 1] for x in (array, moved)]
    return array.size <= 1 or (moved.ctypes.data == array.ctypes.data and steps[0] == steps[1])


def repeats(s: Any, x: Operand) -> bool:
    """Whether x is another value that broadcasting makes x of by itself."""
    if s.sees(x, np.broadcast_to):
        return True
    if not s.sees(x, np.reshape):
        return False
    inner = shape_of(x.inputs[0])
    return x.shape == (1,) * (len(x.shape) - len(inner)) + inner


def unchanged(s: Any, node: Node) -> Operand | None:
    """A sum over nothing, a copy, a cast to the same: what leaves all as it is."""
    x, function = node.inputs[0], node.primitive.function
    if not isinstance(x, Node) or x.shape is SEVERAL or x.shape != node.shape:
        return None
    if function is np.sum:
        return x if set(node.keywords) <= {"axis", "keepdims"} else None
    return x if function is not cast or x.dtype == node.dtype else None


def dtype_kept(s: Any, node: Node) -> Operand | None:
    """Between real floating dtypes a cast only rounds; of reals the conjugate and the real part are they themselves."""
    x = node.inputs[0]
    if isinstance(x, Node) and x.shape == node.shape and x.dtype.kind == node.dtype.kind == "f":
        return x
    return None


def twice(s: Any, node: Node) -> Operand | None:
    """A transpose of a transpose, a reshape of a reshape, a broadcast of a broadcast is one."""
    x, function = node.inputs[0], node.primitive.function
    if function in _TRANSPOSES and any(s.sees(x, f) for f in _TRANSPOSES):
        inner, outer = _order(x), _order(node)
        return s.make(np.transpose, x.inputs, node, node.shape, axes=tuple(inner[i] for i in outer))
    if not s.sees(x, function) or function in _TRANSPOSES:
        return None
    if (x.keywords.get("order", "C"), node.keywords.get("order", "C")) != ("C", "C"):
        return None
    return s.make(function, x.inputs, node, node.shape, **node.keywords)


def _order(node: Node) -> tuple[int, ...]:
    """Which axis of its input each axis of a transpose is: sizes that are different tell."""
    sizes = np.broadcast_to(0, tuple(range(len(node.shape))))
    return node.primitive.function(sizes, **node.keywords).shape


def swaps_the_last(node: Node) -> bool:
    """Whether a transpose swaps the last two axes, and no others."""
    n = len(node.shape)
    return n >= 2 and _order(node) == (*range(n - 2), n - 1, n - 2)


def of_a_number(s: Any, node: Node) -> Operand | None:
    """A number repeated to an array, moved, is the number repeated: broadcast_to(reshape(1, (1, 1)), (2, 3))."""
    x = node.inputs[0]
    if s.sees(x, np.broadcast_to):
        x = x.inputs[0]
    if not is_real(x):
        return None
    return s.make(np.broadcast_to, (x,), node, node.shape, shape=node.shape) if node.shape else x


def transposed_product(s: Any, node: Node) -> Operand | None:
    """The transpose of a @ b is that of b times that of a."""
    x = node.inputs[0]
    matrix = s.sees(x, np.matmul) or (s.sees(x, np.dot) and len(x.shape) == 2)
    if not matrix or not swaps_the_last(node):
        return None
    if any(len(shape_of(y)) < 2 for y in x.inputs) or len(x.shape) != len(x.inputs[0].shape):
        return None
    right, left_one = (_transposed(s, y) for y in x.inputs)
    return s.make(x.primitive.function, (left_one, right), node, node.shape)


def _transposed(s: Any, x: Node) -> Operand:
    shape = x.shape[:-2] + x.shape[:-3:-1]
    if len(shape) == 2:
        return s.make(np.transpose, (x,), x, shape, axes=None)
    return s.make(np.swapaxes, (x,), x, shape, axis1=-2, axis2=-1)


# --- sums ------------------------------------------------------------------------------------------------------------


def _plain_sum(node: Node) -> bool:
    return set(node.keywords) <= {"axis", "keepdims"}


def sum_of_ones(s: Any, node: Node) -> Operand | None:
    """The sum over axes of one element is a reshape. Over the first ones, the samples of a batch, it reads better."""
    x, axis = node.inputs[0], node.keywords.get("axis")
    if not isinstance(x, Node) or not _plain_sum(node) or x.shape[len(x.shape) - len(node.shape) :] == node.shape:
        return None
    if all(x.shape[i] == 1 for i in axes_of(x.shape, axis)):
        return s.make(np.reshape, (x,), node, node.shape, shape=node.shape)
    return None


def sum_of_a_number(s: Any, node: Node) -> Operand | None:
    """The sum of a number that is repeated is the number, that often."""
    x = node.inputs[0]
    if not (s.sees(x, np.broadcast_to) and is_real(x.inputs[0]) and _plain_sum(node)):
        return None
    many = x.inputs[0] * math.prod(x.shape[i] for i in axes_of(x.shape, node.keywords.get("axis")))
    return s.make(np.broadcast_to, (many,), node, node.shape, shape=node.shape) if node.shape else many


def kept_sum(s: Any, node: Node) -> Operand | None:
    """reshape(sum(x, axis=1), (3, 1)) is sum(x, axis=1, keepdims=True), and the reverse."""
    x = node.inputs[0]
    if not s.sees(x, np.sum) or not _plain_sum(x):
        return None
    inner, axis = x.inputs[0], x.keywords.get("axis")
    along: dict[str, Any] = {} if axis is None else {"axis": axis}
    if node.shape == left(inner.shape, axis) and node.shape != x.shape:
        return s.make(np.sum, (inner,), node, node.shape, **along)
    broadcast = node.shape == (1,) * (len(node.shape) - len(x.shape)) + x.shape
    if node.shape == kept(inner.shape, axis) and not broadcast:
        return s.make(np.sum, (inner,), node, node.shape, **along, keepdims=True)
    return None


# --- parts, and products of one-dimensional arrays -------------------------------------------------------------------


def one_of_a_stack(s: Any, node: Node) -> Operand | None:
    """stack([a, b])[1] is b."""
    x, index = node.inputs[0], node.keywords.get("index")
    if len(node.inputs) > 1 or type(index) is not int or not s.sees(x, np.stack) or x.keywords.get("axis", 0) != 0:
        return None
    part = x.inputs[index]
    return part if isinstance(part, Node) and part.dtype == node.dtype else None


def put_back(s: Any, node: Node) -> Operand | None:
    """A part of x written to where it is, as `x[0] *= 2` does at its end, is x."""
    x, part, *arrays = node.inputs
    if not s.sees(part, getitem) or part.inputs[0] is not x or [*part.inputs[1:]] != arrays:
        return None
    whole = node.keywords.get("part") is None and part.dtype == x.dtype
    return x if whole and node.keywords.get("index") == part.keywords.get("index") else None


def unscattered(s: Any, node: Node) -> Operand | None:
    """What goes back through an index that only adds axes is reshaped."""
    index, x = node.keywords.get("index"), node.inputs[0]
    parts = index if isinstance(index, tuple) else (index,)
    if len(node.inputs) > 1 or not isinstance(x, Node) or any(p not in (None, ..., slice(None)) for p in parts):
        return None
    return s.make(np.reshape, (x,), node, node.shape, shape=node.shape)


def by_one_number(s: Any, node: Node) -> Operand | None:
    """A matrix of one element, a number, times another matrix is the number times it."""
    for one, other in (node.inputs, node.inputs[::-1]):
        if shape_of(one) == (1, 1) and s.sees(one, np.broadcast_to) and is_real(one.inputs[0]):
            number = Product.of_number(one.inputs[0])
            return s.rebuilt(number.times(s.product(other)), node) if shape_of(other) == node.shape else None
    return None


def column(s: Any, node: Node) -> Operand | None:
    """(A @ v[..., None])[..., 0] is A @ v; (v[None, :] @ A)[..., 0, :] is v @ A."""
    x, index = node.inputs[0], node.keywords.get("index")
    if len(node.inputs) > 1 or not s.sees(x, np.matmul):
        return None
    a, b = x.inputs
    if index == (..., 0) and _added_axis(s, b, (..., None)):
        return s.make(np.matmul, (a, b.inputs[0]), node, node.shape)
    if index == (..., 0, slice(None)) and _added_axis(s, a, (None, slice(None)), (..., None, slice(None))):
        return s.make(np.matmul, (a.inputs[0], b), node, node.shape)
    return None


def outer(s: Any, node: Node) -> Operand | None:
    """u[:, None] @ v[None, :], and what the rules of 1-D products make of it, is outer(u, v)."""
    a, b = node.inputs
    if s.sees(a, np.swapaxes) and _added_axis(s, a.inputs[0], (None, slice(None)), (..., None, slice(None))):
        u = a.inputs[0].inputs[0]
    elif _added_axis(s, a, (..., None), (slice(None), None)):
        u = a.inputs[0]
    else:
        return None
    if s.sees(b, np.swapaxes) and _added_axis(s, b.inputs[0], (..., None), (slice(None), None)):
        v = b.inputs[0].inputs[0]
    elif _added_axis(s, b, (None, slice(None)), (..., None, slice(None))):
        v = b.inputs[0]
    else:
        return None
    found = node_of(COMPOSED[np.outer], (u, v), {"call": ((Slot(0), Slot(1)), {})}, None)
    found.shape, found.dtype = node.shape, node.dtype
    return found


def _added_axis(s: Any, x: Operand, *indices: Any) -> bool:
    return s.sees(x, getitem) and x.keywords.get("index") in indices and len(x.inputs[0].shape) == 1
