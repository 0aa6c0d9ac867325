"""The identities: each a function of a simplifier and a node that returns an equal, simpler node, or None.

A simplifier `s` makes nodes (`s.make`), says whether it may look into one (`s.sees`), and takes products apart.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from . import moves
from .graph import Node
from .moves import repeats
from .primitive import TABLE, Primitive, dropped, taken
from .products import Operand, Product, is_real, is_the, shape_of
from .rules.activation import log_softmax, relu, sigmoid, softmax
from .rules.indexing import ARRAY, getitem, put, scatter
from .rules.shape import cast, identity


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
    """a + 0, a + -b, a - -b, a + a, 2 + 3."""
    a, b = node.inputs
    plus = node.primitive.function is np.add
    numbers = [x.inputs[0] if s.sees(x, np.broadcast_to) else x for x in (a, b)]
    if all(map(is_real, numbers)):
        total = sum(numbers) if plus else numbers[0] - numbers[1]
        return s.make(np.broadcast_to, (total,), node, node.shape, shape=node.shape) if node.shape else total
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
    """c | (x != x) is c, and so is c & (x == x), nan apart."""
    c, rest = node.inputs
    never = np.not_equal if node.primitive.function is np.bitwise_or else np.equal
    return c if s.sees(rest, never) and rest.inputs[0] is rest.inputs[1] else None


def _first_power(s: Any, node: Node) -> Operand | None:
    """x**1."""
    x, y = node.inputs
    return x if is_the(y, 1) and isinstance(x, Node) and x.dtype == node.dtype else None


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


def _outside_a_mask(s: Any, node: Node) -> Operand | None:
    """g times [True but where a mask is], as writing to `z[mask]` has it, is g times [not the mask]."""
    written, g = node.inputs
    if not s.sees(written, put) or written.keywords.get("index") is not ARRAY or len(written.inputs) != 3:
        return None
    before, value, mask = written.inputs
    whole = isinstance(before, Node) and before.is_leaf and before.variable is None and bool(np.all(before.value))
    if value is not False or not whole or mask.shape != node.shape:
        return None
    return s.make(dropped, (mask, g), node, node.shape)


def _softmax(s: Any, node: Node) -> Operand | None:
    """exp(log_softmax(x)) is softmax(x)."""
    x = node.inputs[0]
    ours = isinstance(x, Node) and not x.is_leaf and x.primitive.function is log_softmax
    return s.make(softmax, x.inputs, node, node.shape, **x.keywords) if ours else None


_CONJUGATE = {
    np.add, np.subtract, np.negative, np.multiply, np.divide, np.matmul, np.sum, np.reshape, np.transpose, np.swapaxes,
    np.broadcast_to,
}  # fmt: skip


def _conjugate(s: Any, node: Node) -> Operand | None:
    """The conjugate of a conjugate; that of a product, a sum ... is made of those of its parts."""
    x = node.inputs[0]
    if s.sees(x, np.conjugate):
        return x.inputs[0]
    if not any(s.sees(x, function) for function in _CONJUGATE):
        return None
    return s.make(x.primitive.function, [_conjugated(s, y) for y in x.inputs], node, node.shape, **x.keywords)


def _conjugated(s: Any, x: Operand) -> Operand:
    if isinstance(x, Node):
        return s.make(np.conjugate, (x,), x, x.shape) if x.dtype.kind == "c" else x
    return x.conjugate()


Identity = Callable[[Any, Node], Operand | None]
PATTERNS: dict[Any, tuple[Identity, ...]] = {
    np.divide: (_logistic,),
    np.reciprocal: (_logistic,),
    np.swapaxes: (moves.still,),
    np.moveaxis: (moves.still,),
    put: (moves.put_back,),
}
_TRANSPOSE = (moves.of_a_number, moves.still, moves.twice, _number_outside, moves.transposed_product)
_COMPARISONS = (np.less, np.less_equal, np.greater_equal, np.equal, np.not_equal)
IDENTITIES: dict[Any, tuple[Identity, ...]] = {
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
    np.exp: (_softmax,),
    np.reshape: (moves.of_a_number, moves.still, moves.twice, moves.kept_sum, _number_outside),
    np.broadcast_to: (moves.still, moves.twice),
    **dict.fromkeys((np.transpose, np.swapaxes, np.moveaxis), _TRANSPOSE),
    np.squeeze: (moves.of_a_number, moves.still, _number_outside),
    np.expand_dims: (moves.of_a_number, moves.still, _number_outside),
    np.sum: (moves.sum_of_a_number, moves.unchanged, moves.sum_of_ones, _number_outside),
    np.copy: (moves.unchanged,),
    identity: (moves.unchanged,),
    cast: (moves.of_a_number, moves.dtype_kept, moves.unchanged),
    np.real: (moves.dtype_kept,),
    np.conjugate: (moves.dtype_kept, _conjugate),
    np.matmul: (moves.by_one_number, _number_outside, moves.outer),
    np.dot: (_number_outside,),
    getitem: (moves.of_a_number, moves.still, moves.one_of_a_stack, moves.column, _number_outside),
    put: (moves.put_back,),
    scatter: (moves.unscattered, _number_outside),
    np.where: (_zero_elsewhere, _where_it_has_a_value),
    np.greater: (_of_relu, _narrow),
    **dict.fromkeys(_COMPARISONS, (_narrow,)),
    np.bitwise_or: (_not_nan,),
    np.bitwise_and: (_not_nan,),
    taken: (_outside_a_mask, _narrow, _number_outside),
    dropped: (_not_dropped,),
}
