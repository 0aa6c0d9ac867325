"""Forward mode: `push` tangents through a graph, by the rows that reverse mode has.

Of an elementwise row the partial derivative serves both ways; a linear row is applied to the tangents themselves. Any
other row's vector-Jacobian product is linear in what comes in: its transpose is the Jacobian-vector product.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from .composition import expressed, tensor_of
from .cotangents import SEVERAL, Parts, unmasked
from .derivative import pull, recorded
from .graph import Graph, Node, Variable, leaf
from .modes import resumed
from .record import recorder
from .storage import Stored
from .structures import filled, leaves, results

Tangents = Sequence[Any]  # one for each input, None where it does not move


def push(outputs: Sequence[Node], tangents: Mapping[Node | Variable, Any], record: bool = False) -> list[Any]:
    """How fast the outputs move where leaves (or other nodes) move as `tangents` say; None where they do not.

    With `record` the tangents are Tensors, and how they follow from values is recorded.
    """
    found: dict[Node, Any] = {}
    for node in Graph(outputs, carrying=True).nodes:
        given = tangents.get((node.variable or node) if node.is_leaf else node)
        if given is None and node.needs and not node.is_leaf:
            inputs = [found.get(x) if isinstance(x, Node) else None for x in node.inputs]
            if any(tangent is not None for tangent in inputs):
                saved: Any = node.saved
                while saved is None:
                    Graph([node]).restore()
                    saved = node.saved
                if record:
                    saved = recorded(node, saved, tensor_of)
                given = _fitted(_step(node, saved, inputs, record), node)
        if given is not None:
            found[node] = given
    return [found.get(output) for output in outputs]


def _step(node: Node, saved: tuple[Any, ...], tangents: Tangents, record: bool) -> Any:
    kind = node.primitive.kind
    if kind in ("elementwise", "selecting"):
        return node.rule.push(node, saved, tangents)
    if kind == "linear":
        return _applied(node, saved, tangents)
    if kind == "composed":
        return _through_expression(node, saved, tangents, record)
    return _transposed(node, saved, tangents, record)


def _fitted(tangent: Any, node: Node) -> Any:
    """The tangent in the shape and dtype of its value; a real value moves along the real axis."""
    if node.shape is SEVERAL or tangent is None:
        return tangent
    tangent = unmasked(tangent)
    if tangent.dtype.kind == "c" and node.dtype.kind != "c":
        tangent = np.real(tangent)
    if tangent.dtype != node.dtype:
        tangent = tangent.astype(node.dtype)
    return tangent if tangent.shape == node.shape else np.broadcast_to(tangent, node.shape)


def _applied(node: Node, saved: tuple[Any, ...], tangents: Tangents) -> Any:
    """A linear row of the tangents: of all at once, or, where it is a product, of each with the other factors."""
    row = node.primitive
    formula, values = row.formula, dict(zip(node.rule.saves, saved, strict=True))
    symbols = [formula.starred if i >= len(formula.arrays) else formula.arrays[i] for i in range(len(node.inputs))]
    moving = [i for i, tangent in enumerate(tangents) if tangent is not None]
    linear = {symbol for symbol, d in zip(formula.arrays, row.differentiable, strict=True) if d}
    product = bool(linear & set(values))

    def argument(i: int, now: Sequence[int]) -> Any:
        if i in now:
            return tangents[i]
        value = values.get(symbols[i])
        if symbols[i] == formula.starred and value is not None:
            value = value[i - formula.arrays.index(symbols[i])]
        if value is None or (symbols[i] in linear and not product):
            x = node.inputs[i]
            return np.zeros(x.shape, x.dtype) if isinstance(x, Node) else 0.0
        return value

    rounds = [[i] for i in moving] if product else [moving]
    terms = [evaluated(row, [argument(i, now) for i in range(len(node.inputs))], node.keywords) for now in rounds]
    return sum(terms[1:], terms[0])


def evaluated(row: Any, arguments: list[Any], keywords: Mapping[str, Any]) -> Any:
    """The row's function, of arrays or of Tensors."""
    if not any(isinstance(x, Stored) for x in leaves(arguments)):
        return row.evaluate(tuple(arguments), keywords)
    if "call" in keywords:
        positional, options = filled(keywords["call"], arguments)
        return results(row.function(*positional, **options))
    if row.formula.starred:
        position = row.formula.arrays.index(row.formula.starred)
        arguments = [*arguments[:position], tuple(arguments[position:])]
    return recorder(row.function, Stored._kind)(*arguments, **keywords)


def _through_expression(node: Node, saved: tuple[Any, ...], tangents: Tangents, record: bool) -> Any:
    (values,) = saved
    inputs, outputs = expressed(node, values)
    several = isinstance(outputs, tuple)
    nodes = [x._current()[1] if isinstance(x, Stored) else None for x in (outputs if several else (outputs,))]
    moved = {t._source: tangent for t, tangent in zip(inputs, tangents, strict=True) if tangent is not None}
    wanted = [x for x in nodes if x is not None]
    found = dict(zip(wanted, push(wanted, moved, record), strict=True))
    each = [None if x is None else found[x] for x in nodes]
    return tuple(each) if several else each[0]


def _transposed(node: Node, saved: tuple[Any, ...], tangents: Tangents, record: bool) -> Any:
    """The derivative, with respect to what comes in, of the tangents' product with what the rule makes of it."""
    several = node.shape is SEVERAL
    shapes = [(x.shape, x.dtype) for x in Graph([node]).evaluate()[node]] if several else [(node.shape, node.dtype)]
    zeros = [np.zeros(shape, dtype if dtype.kind in "fc" else np.float64) for shape, dtype in shapes]
    incoming = [Stored._of(leaf(zero, Variable(), True), zero) for zero in zeros]
    values = tuple(_constant(value) for value in saved)
    with resumed():
        pairs = node.rule.pull(node, values, Parts(incoming) if several else incoming[0])
        moving = dict(zip(node.inputs, tangents, strict=True))
        terms = [np.sum(gx * moving[x]) for x, gx in pairs if moving[x] is not None]
        total: Any = sum(terms[1:], terms[0])
    sources = [t._source for t in incoming]
    start = total._node.dtype.type(1)
    found = pull(total._node, Stored._plain(start) if record else start, set(sources), tensor_of if record else None)
    each = tuple(found.get(source, zero) for source, zero in zip(sources, zeros, strict=True))
    return each if several else each[0]


def _constant(value: Any) -> Any:
    if isinstance(value, tuple):
        return tuple(map(_constant, value))
    return Stored._plain(value) if hasattr(value, "dtype") and not isinstance(value, Stored) else value
