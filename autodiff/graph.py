"""The graph: nodes that remember how a value was made, and `Graph`, what lies behind some of them.

A node holds structure, and just those values that its derivative asks for. Values are never written once a node
holds them; a value that was released is computed again, to the bit, from the leaves.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from .cotangents import SEVERAL

NOTHING: Mapping[str, Any] = {}

next_index: Callable[[], int] = itertools.count().__next__


class Node:
    """One value of a graph: `primitive(*inputs, **keywords)`, or a leaf, whose value was given from outside.

    Inputs are nodes or Python scalars (which keep NumPy's weak promotion). `needs` says whether a gradient is wanted;
    `saved` holds the values that `rule` asks for, or None after they were released. `index` grows in the order of
    recording, so that it sorts a graph topologically. A node with several results has `SEVERAL` as shape and dtype, and
    a node for each part of them. `site` says where in the user's code it was made (see `sites`), or is
    None; a leaf has none.

    A leaf has no primitive; it has its `value`, and the `variable` of which this is one version (None for a plain
    operand, which has neither name nor gradient). Both are one class, with no `__init__`: nodes are made in the
    hottest lines.
    """

    __slots__ = (
        "__weakref__", "dtype", "index", "inputs", "keywords", "name", "needs", "primitive", "rule", "saved", "shape",
        "site", "value", "variable",
    )  # fmt: skip

    primitive: Any  # a Primitive, or None for a leaf
    inputs: tuple[Any, ...]
    keywords: Mapping[str, Any]
    rule: Any  # a Rule of it, or None where no gradient is wanted
    saved: tuple[Any, ...] | None
    shape: Any  # a tuple of sizes, or SEVERAL
    dtype: Any
    needs: bool
    index: int
    name: str | None
    site: Any
    value: Any
    variable: Variable | None

    @property
    def is_leaf(self) -> bool:
        """Whether its value was given, not computed."""
        return self.primitive is None

    def __repr__(self) -> str:
        made_by = self.primitive.name if self.primitive else "leaf"
        return f"<node {self.index}: {made_by} {self.shape} {self.dtype}>"


class Variable:
    """What stays the same while a leaf's value is replaced: its gradient and its name.

    `immutable`: a constant's. `inner`: an argument of an expression that stands for a function. `closed`: an argument
    of a transform that has ended; nobody asks for its gradient again. `tracer`: it stands for other values, too.
    `hooks` see its gradient.
    """

    __slots__ = ("__weakref__", "closed", "hooks", "immutable", "index", "inner", "name", "parts", "tracer")

    name: str | None
    parts: list[Any]  # of the gradient: one, but while threads add to it
    immutable: bool
    closed: bool
    inner: bool
    tracer: bool
    hooks: tuple[Callable[[Any], Any], ...]
    index: int

    def __init__(
        self, name: str | None = None, immutable: bool = False, inner: bool = False, tracer: bool = False
    ) -> None:
        self.name = name
        self.parts = []
        self.immutable = immutable
        self.inner = inner
        self.tracer = tracer
        self.hooks = ()
        self.closed = False
        self.index = next_index()  # earlier than every version

    def add(self, gradient: Any) -> None:
        """Add to the gradient. It is taken out meanwhile: of what threads add at the same time, nothing is lost."""
        parts = self.parts
        try:
            while parts:
                gradient = parts.pop() + gradient
        except IndexError:  # another thread took it
            pass
        parts.append(np.array(gradient) if isinstance(gradient, np.generic) else gradient)  # writable, also where 0-d

    @property
    def grad(self) -> Any:
        """The sum of what was added, None before."""
        if len(self.parts) > 1:
            self.add(self.parts.pop())
        return self.parts[0] if self.parts else None

    @grad.setter
    def grad(self, gradient: Any) -> None:
        self.parts = [] if gradient is None else [gradient]


def leaf(value: Any, variable: Variable | None, needs: bool) -> Node:
    """A leaf: a version of a variable, or a plain operand."""
    node = Node()
    node.primitive = node.rule = None
    node.inputs = node.saved = ()
    node.keywords = NOTHING
    node.value = value
    node.variable = variable
    node.needs = needs
    node.shape = value.shape
    node.dtype = value.dtype
    node.index = next_index()
    node.name = variable.name if variable else None
    return node


def node_of(primitive: Any, inputs: tuple[Any, ...], keywords: Mapping[str, Any], value: Any) -> Node:
    """A node without gradient, of a value, or of the tuple or list of several."""
    node = Node()
    node.primitive, node.inputs, node.keywords = primitive, inputs, keywords
    node.shape, node.dtype = getattr(value, "shape", SEVERAL), getattr(value, "dtype", SEVERAL)
    node.rule, node.saved, node.name, node.site, node.needs = None, (), None, None, False
    node.index = next_index()
    return node


class Graph:
    """What lies behind some nodes: immutable, in topological order (inputs before the nodes that use them).

    `carrying`: just what gradient flows through.
    """

    def __init__(self, outputs: Sequence[Node], carrying: bool = False) -> None:
        self.outputs: tuple[Node, ...] = tuple(outputs)
        self.nodes: tuple[Node, ...] = tuple(sorted(_reachable(outputs, carrying), key=lambda node: node.index))

    @property
    def leaves(self) -> tuple[Node, ...]:
        """The values given from outside, in the order in which they were recorded."""
        return tuple(node for node in self.nodes if node.is_leaf)

    def evaluate(self, leaves: Mapping[Variable, Any] | None = None) -> dict[Node, Any]:
        """The value of every node, leaves replaced by the given ones: the same calls, hence the same bits."""
        values: dict[Node, Any] = {}
        for node in self.nodes:
            if node.is_leaf:
                values[node] = leaves.get(node.variable, node.value) if leaves and node.variable else node.value
            else:
                values[node] = node.primitive.evaluate(_value(node.inputs, values), node.keywords)
        return values

    def validate(self) -> None:
        """Raise AssertionError where the graph is not a graph of this kind: for tests and for readers."""
        seen: set[Node] = set()
        for node in self.nodes:
            inputs = [x for x in node.inputs if isinstance(x, Node)]
            assert all(x in seen for x in inputs), f"{node} uses a value that is recorded after it"
            assert node.is_leaf or node.needs <= any(x.needs for x in inputs), f"{node} needs what no input needs"
            seen.add(node)

    def restore(self) -> None:
        """Compute again, and keep, what released nodes had saved."""
        values = self.evaluate()
        for node in self.nodes:
            if node.saved is None:
                node.saved = tuple(_value(source_of(node, symbol), values) for symbol in node.rule.saves)

    def __len__(self) -> int:
        return len(self.nodes)


def source_of(node: Node, symbol: str) -> Any:
    """The node (or scalar, or tuple of them) that `x`, `y`, `z` or `out` stands for in the rule of `node`."""
    if symbol == "out":
        return node
    formula = node.primitive.formula
    position = formula.arrays.index(symbol)
    return node.inputs[position:] if symbol == formula.starred else node.inputs[position]


def _value(source: Any, values: Mapping[Node, Any]) -> Any:
    if isinstance(source, tuple):
        return tuple(_value(x, values) for x in source)
    return values[source] if isinstance(source, Node) else source


def _reachable(outputs: Iterable[Node], carrying: bool) -> set[Node]:
    found = {node for node in outputs if node.needs or not carrying}
    stack = list(found)
    while stack:
        for x in stack.pop().inputs:
            if isinstance(x, Node) and (x.needs or not carrying) and x not in found:
                found.add(x)
                stack.append(x)
    return found
