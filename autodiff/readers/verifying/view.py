"""The graph of a point, and what one can ask it: which activations there are, what comes to a value from each use."""

from __future__ import annotations

import functools
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...composition import tensor_of
from ...derivative import pull
from ...graph import Graph, Node
from ...tensor import Tensor
from ...transforms import gradients
from .activations import ACTIVATIONS, SMOOTH, Activation
from .compare import same
from .program import node_places
from .truth import Look, is_piece, rounding

DEPTH = 8  # operations that an activation may be written in
STARTS = ("add", "subtract", "matmul", "dot", "einsum", "identity", "multiply", "getitem")  # what activations are of
MOST = 60  # values that are looked through for the one that was mistaken for another


@dataclass(frozen=True)
class Applied:
    """An activation behind a value: a = activation(z), the derivative that arrives at a, and the local one."""

    activation: Activation
    start: Node  # of z
    node: Node  # of a
    z: Any
    a: Any
    arriving: Any
    slope: Any


class View:
    """The graph of a point, with what the equations ask for."""

    def __init__(self, look: Look) -> None:
        self.look: Look = look
        self._of_shape: dict[Any, list[Applied]] = {}
        self.dtype: Any = np.float32 if rounding(look.plain) > 1e-12 else np.float64  # in which the user computes
        self.values: dict[Node, Any] = {n: self.own(v) for n, v in look.values.items() if not isinstance(v, tuple)}
        self.adjoints: dict[Node, Any] = {n: self.own(v) for n, v in look.adjoints.items()}

    @functools.cached_property
    def places(self) -> dict[Node, tuple[Any, ...]]:
        """Where in the program each value was made: in a loop several at one place."""
        made = sorted((node for node in self.look.adjoints if not node.is_leaf), key=lambda node: node.index)
        return node_places(self.look.traced.run, made)

    def own(self, value: Any) -> Any:
        """A value as the user's program would hold it."""
        value = np.asarray(value)
        return value.astype(self.dtype) if value.dtype.kind == "f" else value

    @functools.cached_property
    def users(self) -> dict[Node, list[Node]]:
        """The operations that use each value."""
        found: dict[Node, list[Node]] = defaultdict(list)
        for node in self.look.forward:
            for x in dict.fromkeys(x for x in node.inputs if isinstance(x, Node)):
                found[x].append(node)
        return found

    def of_itself(self, v: Node) -> list[Node]:
        """What is computed from a value alone, of its shape, and then goes elsewhere: its activations, or softmax."""
        inside: dict[Node, None] = {v: None}
        level = [v]
        for _ in range(DEPTH):
            level = [u for node in level for u in self.users[node] if u not in inside and not self.compares(u)]
            level = [
                u for u in level if all(x in inside or x in level for x in u.inputs if isinstance(x, Node) and x.needs)
            ]
            inside |= dict.fromkeys(level)
        ends = (u for u in inside if u is not v and u.shape == v.shape)
        return [u for u in ends if any(user not in inside for user in self.users[u])]

    def compares(self, u: Node) -> bool:
        """Whether an operation brings an array of data in: a target, say."""
        if not u.is_leaf and u.primitive.name == "where" and self._chooses_by_sign(u):
            return False
        return any(isinstance(x, Node) and not x.needs and self.values[x].size > 1 for x in u.inputs)

    def _chooses_by_sign(self, u: Node) -> bool:
        """Whether it is `where(z > 0, ..., ...)`, as an activation is."""
        mask, *values = (self.values[x] if isinstance(x, Node) else x for x in u.inputs)
        return any(np.array_equal(mask, sign) for value in values for sign in (value > 0, value >= 0, value < 0))

    def is_tail(self, v: Node) -> bool:
        """Whether nothing but the loss lies behind a value: no parameter comes in any more."""
        if v not in self.made_of:  # no parameter comes in
            return False
        level, seen = [v], {v}
        while level:
            level = [u for node in level for u in self.users[node] if u not in seen]
            seen.update(level)
        inputs = (x for u in seen - {v} if u.shape != () for x in u.inputs)
        others = (x for x in inputs if isinstance(x, Node) and x.needs and x not in seen)
        return all(self.made_of[x] <= self.made_of[v] for x in others)

    @functools.cached_property
    def made_of(self) -> dict[Node, frozenset[Node]]:
        """The parameters that each value is computed from."""
        found: dict[Node, frozenset[Node]] = {}
        for node in self.look.forward:
            behind = (found[x] for x in node.inputs if isinstance(x, Node) and x.needs)
            found[node] = frozenset({node}) if is_piece(node) else frozenset[Node]().union(*behind)
        return found

    def along(self, v: Node, until: Callable[[Node], bool] | None = None) -> Iterator[Node]:
        """The values of the same shape that a value becomes, entry by entry or not."""
        level, seen = [v], {v}
        for _ in range(DEPTH):
            level = [u for node in level for u in self.users[node] if u.shape == v.shape and u not in seen]
            level = [u for u in dict.fromkeys(level) if until is None or not until(u)]
            seen.update(level)
            yield from level

    def activated(self, v: Node) -> list[Applied]:
        """The activations that are applied to a value."""
        chain = [v, *self.along(v)]
        last = max((u for u in chain if self._equal(u, v)), key=lambda u: u.index)  # of `z = s1 + s2 + b`
        found: list[Applied] = []
        for start in dict.fromkeys((v, last)):
            if (z := self.values.get(start)) is not None and z.dtype.kind == "f":
                found += self._activations(start, z)
        known = {applied.node for applied in found}
        return found + [applied for applied in self._found(v) if applied.node not in known]

    def _found(self, v: Node) -> Iterator[Applied]:
        """Activations that are in no table: whatever is computed of a value alone, entry by entry."""
        if v.is_leaf or not v.shape or _is_of_one(v):
            return
        for u in self.of_itself(v):
            if u in self.adjoints and (slope := self.local(v, u)) is not None and not np.allclose(slope, slope.flat[0]):
                activation = Activation("", *_replayed(self.between(v, u), v, self.look.values))
                yield Applied(activation, v, u, self.values[v], self.values[u], self.adjoints[u], self.own(slope))

    def between(self, v: Node, u: Node) -> list[Node]:
        """The operations that make u of v."""
        after = {v: None}
        for node in Graph([u]).nodes:
            if any(x in after for x in node.inputs if isinstance(x, Node)):
                after[node] = None
        return list(after)[1:]

    def local(self, v: Node, u: Node) -> Any:
        """The derivative of u by v, where it is one of each entry alone."""
        mixed = np.random.default_rng(0).uniform(1, 2, v.shape)
        with np.errstate(all="ignore"):
            slope, other = (pull(u, g, {v}, within=True).get(v) for g in (np.ones(v.shape), mixed))
        return slope if slope is not None and same(other, slope * mixed) else None

    def _equal(self, u: Node, v: Node) -> bool:
        """Whether two values have one derivative: one is the other, and something added to it."""
        a, b = self.adjoints.get(u), self.adjoints.get(v)
        return u is v or (a is not None and b is not None and np.array_equal(a, b))

    def _activations(self, start: Node, z: Any) -> Iterator[Applied]:
        with np.errstate(all="ignore"):
            expected = [
                (activation, np.asarray(activation.value(z))) for activation in (ACTIVATIONS if z.ndim else SMOOTH)
            ]
            first = [float(value.flat[0]) for _, value in expected] if z.size else []
            for u in self.along(start):
                a, arriving = self.values.get(u), self.adjoints.get(u)
                if a is not None and arriving is not None and not same(a, z):
                    near = float(a.flat[0])
                    for (activation, value), one in zip(expected, first, strict=True):
                        if abs(near - one) <= 1e-3 * abs(one) and same(a, value):
                            yield Applied(activation, start, u, z, a, arriving, activation.slope(z) * 1.0)

    def derivation(self, applied: Applied) -> Node | None:
        """The graph of the derivative of an activation."""
        ones = Tensor._plain(np.ones(applied.start.shape))
        found: Any = pull(applied.node, ones, {applied.start}, record=tensor_of, within=True).get(applied.start)
        return found._current()[1] if isinstance(found, Tensor) else None

    @functools.cached_property
    def every(self) -> list[Applied]:
        """The activations of the whole forward pass."""
        nodes = [node for node in self.look.forward if self._starts_an_activation(node)]
        return self._all_activated(nodes[:MOST])

    def of_shape(self, shape: Any) -> list[Applied]:
        """Those of a shape: of a loop all of them, so that they can be dealt out."""
        if shape not in self._of_shape:
            nodes = [node for node in self.look.forward if node.shape == shape and self._starts_an_activation(node)]
            self._of_shape[shape] = self._all_activated(nodes[: 4 * MOST])
        return self._of_shape[shape]

    def _all_activated(self, nodes: Iterable[Node]) -> list[Applied]:
        """Each once, though a sum and its terms lead to the same."""
        return list({(x.activation, x.node): x for node in nodes for x in self.activated(node)}.values())

    def _starts_an_activation(self, node: Node) -> bool:
        name = getattr(node.primitive, "name", "")
        return not node.is_leaf and name in STARTS

    def contributions(self, v: Node) -> list[tuple[Node, Any]]:
        """What comes to the derivative of a value from each of its uses."""
        found: list[tuple[Node, Any]] = []
        for user in self.users[v]:
            if user.saved is not None and user in self.adjoints:
                pulled = user.rule.pull(user, user.saved, self.adjoints[user])
                parts = [self.own(g) for x, g in pulled if x is v]
                found += [(user, sum(parts[1:], parts[0]))] if parts else []
        return found

    def has_constant(self, number: float) -> bool:
        """Whether the forward pass multiplies by a number, or divides by it, that it has computed: no literal."""
        scales = (u for u in self.look.forward if not u.is_leaf and u.primitive.name in ("multiply", "divide"))
        given = (x for u in scales for x in u.inputs if isinstance(x, Node) and not x.needs and x.shape == ())
        return any(self.values[x] in (number, 1 / number) for x in given)

    @functools.cached_property
    def constants(self) -> list[Any]:
        """The arrays that are given and not differentiated by: data, targets, masks."""
        return [
            v * 1.0
            for n, v in self.values.items()
            if n.is_leaf and not n.needs and v.ndim and v.dtype.kind in "fiub" and v.size
        ]

    @functools.cached_property
    def matrices(self) -> list[Any]:
        """The values and derivatives that a product of matrices could have been made of."""
        values = [v for v in self.values.values() if 0 < v.ndim < 3 and v.size > 1 and v.dtype.kind == "f"]
        adjoints = [g for g in self.adjoints.values() if 0 < g.ndim < 3 and g.size > 1]
        found: dict[bytes, Any] = {}
        for array in (*values[-MOST:], *adjoints[:MOST]):
            found.setdefault(repr(array.shape).encode() + array.tobytes(), array)
        return list(found.values())


def _is_of_one(node: Node) -> bool:
    """Whether a value is made of another alone, entry by entry, as what stands inside an activation is."""
    arrays = [x for x in node.inputs if isinstance(x, Node) and x.shape]
    return len(set(arrays)) == 1 and arrays[0].shape == node.shape and node.primitive.name not in STARTS[2:]


def _replayed(
    made: Sequence[Node], v: Node, known: Mapping[Node, Any]
) -> tuple[Callable[[Any], Any], Callable[[Any], Any]]:
    """The function that some operations are of a value, and its derivative; `known`: what else they use."""

    def value(z: Any) -> Any:
        values: dict[Any, Any] = {v: z}
        for node in made:
            inputs = tuple(values.get(x, known.get(x)) if isinstance(x, Node) else x for x in node.inputs)
            values[node] = node.primitive.evaluate(inputs, node.keywords)
        return values[made[-1]]

    def slope(z: Any) -> Any:
        at = Tensor(z)
        return gradients(np.sum(value(at)), [at])[0]

    return value, slope
