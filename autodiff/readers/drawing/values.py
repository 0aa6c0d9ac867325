"""Which values of a graph are drawn. Each has a card; what has no name of its own may share that of its user."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np

from ...graph import Graph, Node, source_of


class Value:
    """A value that is drawn: `node`, and all nodes of its formula (`inside`, in the order of recording, it last).

    `inputs` are the values that its formula mentions, once each; `path` says which boxes it stands in, from outside.
    `is_leaf`: it was given, not computed; `is_parameter`: and a gradient is wanted for it; `is_elementwise`: its
    formula computes element by element.
    """

    __slots__ = ("inputs", "inside", "is_elementwise", "is_leaf", "is_parameter", "node", "path")

    def __init__(self, node: Node) -> None:
        self.node: Node = node
        self.inside: list[Node] = [node]
        self.inputs: list[Value] = []
        self.path: tuple[str, ...] = ()
        self.is_elementwise: bool = _elementwise(node)
        self.is_leaf: bool = node.primitive is None
        self.is_parameter: bool = self.is_leaf and node.needs

    @property
    def has_product(self) -> bool:
        """Whether its formula multiplies arrays other than element by element: a matrix product, a convolution."""
        return any(map(_is_product, self.inside))


def values_of(graph: Graph, named: Callable[[Node], bool]) -> list[Value]:
    """The values of a graph that are drawn, each after its inputs; a leaf comes just before its first use.

    A value without a name and with one use only is drawn as a part of its user's formula, if
    - both compute element by element, or
    - the user only moves, adds or scales it (the product in `X @ W + b`, the squares in a sum of squares), or
    - it only moves data itself (the transpose in `Q @ K.T`), or is a single number;
    but not where data come in: `prediction - target` begins a card; and the sign of an exponent is a part of what is
    computed of it: a sigmoid's card says σ(z), not σ(−z).
    """
    uses = Counter(x for node in graph.nodes for x in node.inputs if isinstance(x, Node))
    uses.update(graph.outputs)
    home: dict[Node, Value] = {}  # of each node the value that it is drawn with
    exponents = {node.inputs[0] for node in graph.nodes if not node.is_leaf and node.primitive.function is np.exp}
    for node in graph.nodes:
        home[node] = Value(node)
        signed = node in exponents and not named(node)
        for position, x in enumerate(node.inputs):
            joins = isinstance(x, Node) and uses[x] == 1 and not named(x) and _joins(home[x], node, position)
            if joins and (home[x].is_elementwise or not signed):
                _unite(home, home[x], home[node])
    return _linked(graph, home)


def _unite(home: dict[Node, Value], one: Value, other: Value) -> None:
    """Draw two values as one: the longer one grows, so that a chain of n operations takes n steps."""
    if len(one.inside) < len(other.inside):
        one, other = other, one
    one.inside.extend(other.inside)
    one.is_elementwise &= other.is_elementwise
    one.is_leaf = False
    home.update(dict.fromkeys(other.inside, one))


def _joins(value: Value, user: Node, position: int) -> bool:
    x = user.inputs[position]
    if x.is_leaf:
        return not x.needs and x.shape == ()
    if any(isinstance(other, Node) and other.is_leaf and not other.needs and other.shape for other in user.inputs):
        return False
    if value.is_elementwise and _elementwise(user):
        return True
    return _moves(x) or user.primitive.passes_on or _scales(user, position)


def _elementwise(node: Node) -> bool:
    """Whether a node computes element by element, with a derivative (or, as comparisons, without)."""
    row = node.primitive
    if row is None or row.kind in ("elementwise", "selecting"):
        return True
    return isinstance(row.function, np.ufunc) and not row.function.signature


def _is_product(node: Node) -> bool:
    several = sum(isinstance(x, Node) for x in node.inputs) > 1
    return several and not _elementwise(node) and not node.primitive.passes_on


def _moves(node: Node) -> bool:
    return node.primitive.kind == "linear" and node.primitive.passes_on


def _scales(user: Node, position: int) -> bool:
    """Whether `user` multiplies an input by a number: its derivative there asks for numbers only."""
    row = user.primitive
    if row.kind != "elementwise" or not row.differentiable[position]:
        return False
    return all(_is_number(source_of(user, symbol)) for symbol in _asked(row, position))


def _is_number(source: Any) -> bool:
    return not isinstance(source, Node) or (source.is_leaf and not source.needs and source.shape == ())


@functools.cache
def _asked(row: Any, position: int) -> tuple[str, ...]:
    """The values that the derivative of one argument asks for."""
    return row.rule(tuple(i == position for i in range(len(row.differentiable)))).saves


def _linked(graph: Graph, home: dict[Node, Value]) -> list[Value]:
    """The values in the order of recording, leaves moved to their first use, and each with its inputs."""
    for value in dict.fromkeys(home.values()):
        if len(value.inside) > 1:
            value.inside.sort(key=lambda node: node.index)
            value.node = value.inside[-1]
    ordered: dict[Value, None] = {}
    for node in graph.nodes:
        value = home[node]
        if value.node is not node or (node.is_leaf and node not in graph.outputs):
            continue
        inputs = dict.fromkeys(home[x] for part in value.inside for x in part.inputs if isinstance(x, Node))
        value.inputs = [x for x in inputs if x is not value]
        ordered.update(dict.fromkeys(x for x in value.inputs if x.is_leaf))
        ordered[value] = None
    return list(ordered)
