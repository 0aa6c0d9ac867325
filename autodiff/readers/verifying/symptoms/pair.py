"""One time that a line runs: what it computes, what it should, and what the graph says of that."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from ....graph import Node
from ..compare import ratio, same
from ..truth import is_piece
from ..view import Applied, View

FEW = 6  # uses of a value of which some are chosen
PRODUCTS = ("matmul", "dot", "multiply", "inner", "outer", "einsum")


@dataclass(eq=False)
class Pair:
    """One time that a line runs: what it computes, what it should, and the value whose derivative that is."""

    hand: Any
    true: Any
    node: Node | None
    view: View
    computed: Any = None  # as the line gave it: of its own kind of number
    earlier: Any = None  # what stood there before the line wrote over it, ... for its own values
    factor: float = 1.0  # that the derivation carries along

    @property
    def is_parameter(self) -> bool:
        """Whether the value is a parameter."""
        return self.node is not None and is_piece(self.node)

    @property
    def is_penalty(self) -> bool:
        """Whether the derivative is that of a penalty: the parameter itself, but for a constant."""
        value = self.view.values.get(self.node) if self.node is not None else None
        return self.is_parameter and value is not None and value.size > 1 and ratio(self.true, value) is not None

    @functools.cached_property
    def applied(self) -> list[Applied]:
        found = self.view.activated(self.node) if self.node is not None else []
        k = self.factor
        return [replace(x, arriving=k * x.arriving) for x in found]

    @functools.cached_property
    def parts(self) -> list[tuple[Node, Any]]:
        """What each use of the value adds to its derivative; uses that add multiples of one another count as one."""
        found: list[tuple[Node, Any]] = []
        for user, part in self.view.contributions(self.node) if self.node is not None else ():
            if part.shape == np.shape(self.true):
                like = next((i for i, (_, other) in enumerate(found) if ratio(part, other) is not None), None)
                if like is not None and part.size > 1:
                    found[like] = found[like][0], found[like][1] + self.factor * part
                else:
                    found.append((user, self.factor * part))
        return self._of_the_true(found)

    def _of_the_true(self, parts: list[tuple[Node, Any]]) -> list[tuple[Node, Any]]:
        """Those that the right value is the sum of: what a loop carries on is not all."""
        if not 2 < len(parts) <= FEW or same(sum(part for _, part in parts), self.true):
            return parts
        some = (chosen for k in range(len(parts) - 1, 0, -1) for chosen in itertools.combinations(parts, k))
        return next((list(chosen) for chosen in some if same(sum(part for _, part in chosen), self.true)), parts)

    @functools.cached_property
    def apart(self) -> list[Pair]:
        """For each use of the value: what the line adds for it, where it is right in all others."""
        if not 1 < len(self.parts) <= 4 or np.shape(self.hand) != self.true.shape:
            return []
        if self.weights is not None and set(self.weights) <= {-1.0, 0.0, 1.0, 2.0}:
            return []  # each is there or not: none is wrong by itself
        new = [
            Pair(self.hand - (self.true - part), part, self.node, self.view, factor=self.factor)
            for _, part in self.parts
        ]
        for pair in new:
            pair.parts = []
        return new

    def times(self, factors: Callable[[Applied], Iterator[Any]]) -> bool:
        """Whether the line computes what arrives at the activation, times one of some factors."""
        with np.errstate(all="ignore"):
            return any(same(self.hand, x.arriving * factor) for x in self.applied for factor in factors(x))

    @functools.cached_property
    def weights(self) -> list[float] | None:
        """How often each use is counted, where the line computes a sum of them."""
        parts = [part.ravel() for _, part in self.parts]
        if not 1 < len(parts) <= 400 or np.shape(self.hand) != np.shape(self.true) or not parts[0].size:
            return None
        columns = np.array(parts).T
        hand = np.ravel(self.hand)
        if columns.shape[0] < columns.shape[1]:
            return self._counted(columns, hand)
        solution, _, rank, _ = np.linalg.lstsq(columns, hand, rcond=None)
        if rank < len(parts) or not same(columns @ solution, hand):
            return None
        return [float(round(c)) if abs(c - round(c)) < 1e-7 else float(round(c, 9)) for c in solution]

    def _counted(self, columns: Any, hand: Any) -> list[float] | None:
        """As `weights`, where uses are more than entries: one left out or counted twice, or only the last ones."""
        total, n = columns.sum(axis=1), columns.shape[1]
        upto = np.cumsum(columns, axis=1)
        for k in range(n):
            for count in (0.0, 2.0):
                if same(total + (count - 1) * columns[:, k], hand):
                    return [count if i == k else 1.0 for i in range(n)]
            if k < n - 1 and np.any(hand):
                if same(total - upto[:, k], hand):
                    return [float(i > k) for i in range(n)]
                if same(upto[:, k], hand):
                    return [float(i <= k) for i in range(n)]
        return None


class Product(NamedTuple):
    """A product that uses a value, or what an activation makes of it: what arrives there, and the other factor."""

    user: Node
    arriving: Any
    other: Any
    is_data: bool  # whether the other factor is given
    slope: Any  # of the activation in between


def products(p: Pair) -> Iterator[Product]:
    nodes = {p.node: 1.0, **{x.node: x.slope for x in p.applied}} if p.node is not None else {}
    for node, slope in nodes.items():
        for user in p.view.users[node]:
            if user.primitive.name in PRODUCTS and len(user.inputs) == 2 and user in p.view.adjoints:
                arriving = p.factor * p.view.adjoints[user]
                for x in user.inputs:
                    if isinstance(x, Node) and x is not node:
                        yield Product(user, arriving, p.view.values[x], not x.needs, slope)


def dots(a: Any, b: Any) -> Iterator[Any]:
    for x, y in ((a, b), (b, a), (a, b.T), (b.T, a)):
        if 0 < x.ndim < 3 and 0 < y.ndim < 3 and x.shape[-1] == y.shape[0]:
            yield x @ y


def fits(a: Any, b: Any) -> bool:
    try:
        return np.broadcast_shapes(a.shape, b.shape) == b.shape
    except ValueError:
        return False
