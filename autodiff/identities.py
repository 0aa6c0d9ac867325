"""The identities: each a function of a simplifier and a node that returns an equal, simpler node, or None.

A simplifier `s` makes nodes (`s.make`), says whether it may look into one (`s.sees`), and takes products apart.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from .cotangents import SEVERAL
from .graph import Node, node_of
from .primitive import COMPOSED, TABLE, Primitive, dropped, taken
from .products import Operand, Product, is_real, is_the, shape_of
from .rules.activation import relu, sigmoid
from .rules.indexing import getitem, scatter
from .rules.reduction import axes_of, kept
from .rules.shape import cast, identity
from .structures import Slot


def sigmoid_prime(x: Any) -> Any:
    """The derivative of the sigmoid.

    >>> float(sigmoid_prime(np.array(0.0)))
    0.25
    """
    out = sigmoid(x)
    return out * (1 - out)


SIGMOID_PRIME = Primitive(
    sigmoid_prime,
    "sigmoid_prime(x)",
    "sigmoid_prime(x) * (1 - 2 * sigmoid(x))",
    kind="elementwise",
    namespace=globals(),
)  # a row of the readers' own: no user writes it, and a derivation does
_OPPOSITES = {
    np.less: np.greater_equal, np.less_equal: np.greater, np.greater: np.less_equal, np.greater_equal: np.less,
    np.equal: np.not_equal, np.not_equal: np.equal,
}  # fmt: skip


# --- the identities --------------------------------------------------------------------------------------------------


def _product(s: Any, node: Node) -> Operand | None:
    """Numbers together, signs outside, divisors below: (a * 2) * (b / 2) is a * b."""
    product = s.product(node)
    if product.factors == (node,):
        return None
    found = s.rebuilt(product, node)
    return None if found is node or same_call(found, node) else found


def same_call(a: Operand, b: Operand) -> bool:
    """Whether two nodes are the same call."""
    return isinstance(a, Node) and a.primitive is b.primitive and a.inputs == b.inputs and a.keywords == b.keywords


def _logistic(s: Any, node: Node) -> Operand | None:
    """1 / (1 + exp(-z)), exp(z) / (1 + exp(z)): σ(z). exp(-z) / (1 + exp(-z))**2: σ'(z)."""
    over: Any
    under: Any
    over, under = (1, node.inputs[0]) if node.primitive.function is np.reciprocal else node.inputs
    prime = s.sees(under, np.square) or (
        (s.sees(under, operator.pow) or s.sees(under, np.power)) and under.inputs[1] == 2
    )
    if prime:
        under = under.inputs[0]
    if not s.sees(under, np.add):
        return None
    a, b = under.inputs
    one = b if isinstance(a, Node) else a
    e: Any = a if isinstance(a, Node) else b
    if not is_the(one, 1) or not s.sees(e, np.exp):
        return None
    inside = e.inputs[0]
    if prime:
        z = inside.inputs[0] if s.sees(inside, np.negative) else inside
        return s.make(sigmoid_prime, (z,), node) if over is e and shape_of(z) == node.shape else None
    if over is e:
        z = inside
    elif is_the(over, 1):
        z = inside.inputs[0] if s.sees(inside, np.negative) else s.make(np.negative, (inside,), node)
    else:
        return None
    return s.make(sigmoid, (z,), node) if shape_of(z) == node.shape else None


def _sum_of_two(s: Any, node: Node) -> Operand | None:
    """a + 0, a + -b, a - -b, a + a."""
    a, b = node.inputs
    plus = node.primitive.function is np.add
    if is_the(b, 0) and shape_of(a) == node.shape:
        return a
    if plus and is_the(a, 0) and shape_of(b) == node.shape:
        return b
    if s.sees(b, np.negative):
        return s.make(np.subtract if plus else np.add, (a, b.inputs[0]), node, node.shape)
    if plus and s.sees(a, np.negative):
        return s.make(np.subtract, (b, a.inputs[0]), node, node.shape)
    if plus and isinstance(a, Node) and a is b:
        return s.make(np.multiply, (2, a), node)
    wide = [_narrowed(s, x, other) for x, other in ((a, b), (b, a))]
    return s.make(node.primitive.function, wide, node) if (wide[0] is not a or wide[1] is not b) else None


def _narrowed(s: Any, x: Operand, other: Operand) -> Operand:
    """What is repeated along axes that the other operand has anyway need not be."""
    if repeats(s, x) and np.broadcast_shapes(shape_of(x), shape_of(other)) == shape_of(other):
        return _narrowed(s, x.inputs[0], other)
    return x


def _narrow(s: Any, node: Node) -> Operand | None:
    """In a comparison, or below a condition, too; what holds everywhere takes all."""
    a, b = node.inputs
    if a is True and node.primitive is TABLE[taken] and shape_of(b) == node.shape:
        return b
    inputs = [_narrowed(s, a, b) if node.primitive is not TABLE[taken] else a, _narrowed(s, b, a)]
    return None if inputs == [a, b] else s.make(node.primitive.function, inputs, node, node.shape)


def _not_nan(s: Any, node: Node) -> Operand | None:
    """c | (x != x) is c, nan apart."""
    c, rest = node.inputs
    return c if s.sees(rest, np.not_equal) and rest.inputs[0] is rest.inputs[1] else None


def repeats(s: Any, x: Operand) -> bool:
    """Whether x is another value that broadcasting makes x of by itself."""
    if s.sees(x, np.broadcast_to):
        return True
    if not s.sees(x, np.reshape):
        return False
    inner = shape_of(x.inputs[0])
    return x.shape == (1,) * (len(x.shape) - len(inner)) + inner


def _first_power(s: Any, node: Node) -> Operand | None:
    """x**1."""
    x, y = node.inputs
    return x if is_the(y, 1) and isinstance(x, Node) and x.dtype == node.dtype else None


def _unchanged(s: Any, node: Node) -> Operand | None:
    """A reshape, broadcast, transpose, sum, copy ... that leaves all as it is."""
    x = node.inputs[0]
    function, keywords = node.primitive.function, node.keywords
    if not isinstance(x, Node) or x.shape is SEVERAL or x.shape != node.shape:
        return None
    if function in (np.transpose, np.swapaxes):
        return x if sum(size != 1 for size in x.shape) == 0 or len(x.shape) < 2 else None
    if function is np.reshape:
        return x if keywords.get("order", "C") == "C" or len(x.shape) < 2 else None
    if function is np.sum:
        return x if set(keywords) <= {"axis", "keepdims"} else None
    if function is cast:
        return x if x.dtype == node.dtype else None
    return x


def _dtype_kept(s: Any, node: Node) -> Operand | None:
    """Between real floating dtypes a cast only rounds; of reals the conjugate and the real part are they themselves."""
    x = node.inputs[0]
    if isinstance(x, Node) and x.shape == node.shape and x.dtype.kind == node.dtype.kind == "f":
        return x
    return None


def _twice(s: Any, node: Node) -> Operand | None:
    """A transpose of a transpose, a reshape of a reshape, a broadcast of a broadcast."""
    x = node.inputs[0]
    function, keywords = node.primitive.function, node.keywords
    if not s.sees(x, function):
        return None
    inner = x.inputs[0]
    if function is np.transpose:
        axes = [_axes(n) for n in (x, node)]
        order = tuple(axes[0][i] for i in axes[1])
        if order == tuple(range(len(order))):
            return inner
        return s.make(np.transpose, (inner,), node, node.shape, axes=order)
    if function is np.swapaxes:
        n = len(node.shape)
        pairs = [{k.keywords["axis1"] % n, k.keywords["axis2"] % n} for k in (x, node)]
        return inner if pairs[0] == pairs[1] else None
    if function is np.reshape and (x.keywords.get("order", "C"), keywords.get("order", "C")) != ("C", "C"):
        return None
    return s.make(function, (inner,), node, node.shape, **keywords)


def _axes(node: Node) -> tuple[int, ...]:
    n = len(node.shape)
    axes = node.keywords.get("axes")
    return tuple(range(n))[::-1] if axes is None else tuple(i % n for i in axes)


def _of_a_number(s: Any, node: Node) -> Operand | None:
    """A number repeated to an array, moved, is the number repeated: broadcast_to(reshape(1, (1, 1)), (2, 3))."""
    x = node.inputs[0]
    if is_real(x) and node.primitive.function is np.reshape:
        return x if node.shape == () else s.make(np.broadcast_to, (x,), node, node.shape, shape=node.shape)
    if s.sees(x, np.broadcast_to) and is_real(x.inputs[0]):
        return s.make(np.broadcast_to, x.inputs, node, node.shape, shape=node.shape) if node.shape else x.inputs[0]
    return None


def _sum_of_ones(s: Any, node: Node) -> Operand | None:
    """The sum of a sum over axes of one element is a reshape."""
    x, keywords = node.inputs[0], node.keywords
    if not isinstance(x, Node) or not set(keywords) <= {"axis", "keepdims"}:
        return None
    if all(x.shape[i] == 1 for i in axes_of(x.shape, keywords.get("axis"))):
        return s.make(np.reshape, (x,), node, node.shape, shape=node.shape)
    return None


def _number_outside(s: Any, node: Node) -> Operand | None:
    """Of what is linear: (-a) @ b is -(a @ b), and sum(x / 3) is sum(x) / 3."""
    several = {np.matmul: (0, 1), np.dot: (0, 1), taken: (1,)}.get(node.primitive.function, (0,))
    inputs, outside = [*node.inputs], Product()
    for i in several:
        x = inputs[i]
        if isinstance(x, Node) and x.dtype.kind == "f":
            product = s.product(x)
            if (product.ratio, product.scale) != (1, 1.0):
                inputs[i] = s.rebuilt(Product(factors=product.factors, divisors=product.divisors), x)
                outside = outside.times(Product(product.ratio, product.scale))
    if inputs == [*node.inputs]:
        return None
    inner = s.make(node.primitive.function, inputs, node, node.shape, **node.keywords)
    return s.rebuilt(outside.times(s.product(inner)), node)


def _sum_of_a_number(s: Any, node: Node) -> Operand | None:
    """The sum of a number that is repeated is the number, that often."""
    x = node.inputs[0]
    if not (s.sees(x, np.broadcast_to) and is_real(x.inputs[0]) and set(node.keywords) <= {"axis", "keepdims"}):
        return None
    many = x.inputs[0] * math.prod(x.shape[i] for i in axes_of(x.shape, node.keywords.get("axis")))
    return s.make(np.broadcast_to, (many,), node, node.shape, shape=node.shape) if node.shape else many


def _transposed_product(s: Any, node: Node) -> Operand | None:
    """The transpose of a @ b is that of b times that of a."""
    x = node.inputs[0]
    matrix = _swaps_the_last(node) and (s.sees(x, np.matmul) or (s.sees(x, np.dot) and len(x.shape) == 2))
    if not matrix or any(len(shape_of(y)) < 2 for y in x.inputs) or len(x.shape) != len(x.inputs[0].shape):
        return None
    a, b = ((y.shape[:-2] + y.shape[:-3:-1], y) for y in x.inputs)
    keywords = dict(node.keywords)
    if node.primitive.function is np.swapaxes:
        keywords = {"axis1": -1, "axis2": -2}
    left, right = (s.make(node.primitive.function, (y,), y, shape, **keywords) for shape, y in (b, a))
    return s.make(x.primitive.function, (left, right), node, node.shape)


def _swaps_the_last(node: Node) -> bool:
    n = len(node.shape)
    if node.primitive.function is np.transpose:
        return n == 2 and _axes(node) == (1, 0)
    return n >= 2 and {node.keywords["axis1"] % n, node.keywords["axis2"] % n} == {n - 1, n - 2}


def _kept_sum(s: Any, node: Node) -> Operand | None:
    """reshape(sum(x, axis=1), (3, 1)) is sum(x, axis=1, keepdims=True)."""
    x = node.inputs[0]
    if not s.sees(x, np.sum) or set(x.keywords) > {"axis"} or len(node.shape) != len(x.inputs[0].shape):
        return None
    inner, axis = x.inputs[0], x.keywords.get("axis")
    if node.shape != kept(inner.shape, axis) or node.shape == (1,) * (len(node.shape) - len(x.shape)) + x.shape:
        return None
    return s.make(np.sum, (inner,), node, node.shape, **({} if axis is None else {"axis": axis}), keepdims=True)


def _column(s: Any, node: Node) -> Operand | None:
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


def _outer(s: Any, node: Node) -> Operand | None:
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


def _zero_elsewhere(s: Any, node: Node) -> Operand | None:
    """In a gradient, where(c, g, 0) is g times [c]."""
    condition, a, b = node.inputs
    if is_the(b, 0):
        return s.make(taken, (condition, a), node)
    return _dropped(s, node, condition, b) if is_the(a, 0) else None


def _where_it_has_a_value(s: Any, node: Node) -> Operand | None:
    """where(x < 0, nan, abs(x)), as the rules of logarithms have it, is x where these are numbers."""
    condition, a, b = node.inputs
    if is_real(a) and a != a and s.sees(b, np.abs) and s.sees(condition, np.less):
        return b.inputs[0] if condition.inputs == (b.inputs[0], 0) else None
    return None


def _not_dropped(s: Any, node: Node) -> Operand | None:
    """What is dropped where a ≤ b is taken where a > b (nan, which is neither, apart). Ties of a maximum count half."""
    return _dropped(s, node, *node.inputs)


def _dropped(s: Any, node: Node, condition: Operand, g: Operand) -> Operand | None:
    if not (isinstance(condition, Node) and not condition.is_leaf and condition not in s.keep):
        return None
    if isinstance(g, Node) and g.shape != node.shape:
        return None
    function, (a, b) = condition.primitive.function, (*condition.inputs, None)[:2]
    if function in (np.less, np.greater) and s.sees(g, np.where) and s.sees(g.inputs[0], np.equal):
        ties, half, full = g.inputs
        whole = s.product(half)
        if {*map(id, ties.inputs)} == {id(a), id(b)} and _half(s, whole, full):
            low, high = (b, a) if function is np.less else (a, b)
            distance = high if is_the(low, 0) else s.make(np.subtract, (high, low), node)
            step = s.make(np.heaviside, (distance, 0.5), node)
            return s.make(np.multiply, (full, step), node)
    opposite = _OPPOSITES.get(function)
    if opposite is None:
        return None
    return s.make(taken, (s.make(opposite, (a, b), condition, condition.shape), g), node, node.shape)


def _of_relu(s: Any, node: Node) -> Operand | None:
    """max(z, 0) > 0 is z > 0."""
    a, zero = node.inputs
    positive = isinstance(a, Node) and not a.is_leaf and a.primitive.function is relu
    return s.make(np.greater, (a.inputs[0], 0), node) if positive and is_the(zero, 0) else None


def _half(s: Any, half: Product, full: Operand) -> bool:
    whole = s.product(full)
    same = half.factors == whole.factors and half.divisors == whole.divisors and half.scale == whole.scale
    return same and 2 * half.ratio == whole.ratio


PATTERNS: dict[Any, tuple[Callable[[Any, Node], Operand | None], ...]] = {
    np.divide: (_logistic,),
    np.reciprocal: (_logistic,),
}
IDENTITIES: dict[Any, tuple[Callable[[Any, Node], Operand | None], ...]] = {
    np.multiply: (_product,),
    np.divide: (_logistic, _product),
    np.reciprocal: (_logistic,),
    np.negative: (_product,),
    np.add: (_sum_of_two,),
    np.subtract: (_sum_of_two,),
    np.square: (_product,),
    operator.pow: (_first_power, _product),
    np.power: (_first_power, _product),
    np.float_power: (_first_power,),
    np.reshape: (_of_a_number, _unchanged, _twice, _kept_sum, _number_outside),
    np.broadcast_to: (_unchanged, _twice),
    np.transpose: (_of_a_number, _unchanged, _twice, _number_outside, _transposed_product),
    np.swapaxes: (_of_a_number, _unchanged, _twice, _number_outside, _transposed_product),
    np.squeeze: (_of_a_number, _unchanged, _number_outside),
    np.expand_dims: (_of_a_number, _unchanged, _number_outside),
    np.sum: (_sum_of_a_number, _unchanged, _sum_of_ones, _number_outside),
    np.copy: (_unchanged,),
    identity: (_unchanged,),
    cast: (_dtype_kept, _unchanged),
    np.real: (_dtype_kept,),
    np.conjugate: (_dtype_kept,),
    np.matmul: (_number_outside, _outer),
    np.dot: (_number_outside,),
    getitem: (_column, _number_outside),
    scatter: (_number_outside,),
    np.where: (_zero_elsewhere, _where_it_has_a_value),
    np.greater: (_of_relu, _narrow),
    **dict.fromkeys((np.less, np.less_equal, np.greater_equal, np.equal, np.not_equal), (_narrow,)),
    np.bitwise_or: (_not_nan,),
    taken: (_narrow, _number_outside),
    dropped: (_not_dropped,),
}
