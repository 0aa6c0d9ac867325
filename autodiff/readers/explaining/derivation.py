"""The lines of a derivation: which values a person would write a line for, in which order, by which names.

Forward, every value that has a name. Backward, a `delta` for each product with a parameter (it is what the parameter's
gradient is made of), every term that is used twice, and the gradients that were asked for.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ...composition import tensor_of
from ...cotangents import SEVERAL
from ...derivative import pull
from ...forms import FEW, Text, expression, named, number
from ...graph import Graph, Node
from ...modes import anonymous, resumed
from ...naming import Names
from ...notation import partial
from ...simplify import Simplifier
from ...sites import __library__  # noqa: F401
from ...storage import Stored
from .reasons import Reasons

SHORT = 20  # characters: what is written twice without a name of its own
GLANCE = 100  # characters: a derivation with longer lines is written in smaller steps
MANY = 16  # terms: a sum of more is said term by term
LONG = 160  # characters: about where a line ends, and what it is made of has lines of its own


@dataclass
class Line:
    """One line: `name = formula`, and of what it is the gradient."""

    value: Any  # a node or a number
    symbol: Any  # a node whose name stands on the left
    shape: tuple[int, ...]
    of: Node | None = None  # the value whose gradient it is
    backward: bool = False


class Derivation:
    """The lines of d output / d wrt, and the names in them."""

    def __init__(self, output: Node, wrt: Sequence[Node], names: Names, steps: bool = False) -> None:
        """With `steps`, the gradient of every value that has a name has a line, too."""
        self._steps = steps
        self._simplifier = Simplifier([x for x in names if not x.is_leaf] + [output], copies=True)
        became = self._simplifier.all([output, *wrt])
        self.output: Node = became[output]
        self.wrt: list[Node] = [became[x] for x in wrt]
        self.names: Names = Names({became[x]: str(names.of(x)) for x in names if isinstance(became.get(x), Node)})
        self.order: dict[Any, int] = {}
        for old, new in became.items():
            self.order.setdefault(new, old.index)
        self._name_what_has_none()
        self.forward_nodes: tuple[Node, ...] = Graph([self.output]).nodes
        self._partials: dict[Any, Node] = {}  # gradients that are called by what they are the gradient of
        self._pull_back()
        self._name_shared_terms()
        self.lines: list[Line] = [*self._forward(), *self._backward()]

    @property
    def is_long(self) -> bool:
        """Whether a line, or a sum, is longer than one reads at a glance."""
        return bool(self._many) or any(
            len(self.right(line, "unicode")) > GLANCE for line in self.lines if line.backward
        )

    # --- names ---

    def text(self, node: Any, style: str = "unicode") -> str | None:
        """The name of a value, or of a gradient."""
        if node in self._partials:
            of = self.text(self._partials[node], style) or str(expression(self._partials[node], self.names, style))
            return partial(of, style, self.letter_in(style))
        return self.names.text(node, style)

    def letter_in(self, style: str) -> str:
        """What the output is called in ∂L."""
        name = self.names.of(self.output)
        return "L" if name in (None, "loss") else str(self.names.text(self.output, style))

    def _name_what_has_none(self) -> None:
        """The output, what is asked for, and leaves of more numbers than a formula shows."""
        for x in Graph([self.output]).leaves:
            if x not in self.names and (x.needs or (x.shape != () and self._is_large(x))):
                self.names.give(x, "w1" if x.needs else "x1")
        for x in self.wrt:
            if x not in self.names:
                self.names.give(x, "u1")
        if self.output not in self.names:
            self.names.give(self.output, "L")

    def _is_large(self, x: Node) -> bool:
        """Whether an array has more numbers, or longer ones, than a formula shows."""
        return _size(x) > FEW or len(expression(x, self.names)) > SHORT

    # --- the gradient graph ---

    def _pull_back(self) -> None:
        """The gradient of the output at each value, simplified."""
        sources = {
            x: x.variable or x if x.is_leaf else x for x in self.forward_nodes if x.needs and x.shape is not SEVERAL
        }
        start = Stored._plain(self.output.dtype.type(1))
        with resumed(), anonymous(), np.errstate(all="ignore"):
            found = pull(self.output, start, set(sources.values()), record=tensor_of, release=True)
        simplifier = self._simplifier
        simplifier.derivative = True
        recorded = {x: found[s]._node for x, s in sources.items() if s in found}
        self._deltas = {recorded[x]: x for x in self.forward_nodes if x in recorded and self._has_a_delta(x)}
        simplifier.became |= {x: x for x in self.forward_nodes}
        stepped = {recorded[x] for x in self.names if x in recorded} if self._steps else ()
        simplifier.keep |= {*self.names, *self._deltas, *stepped}
        became = simplifier.all(recorded.values())
        self.gradients: dict[Any, Any] = {x: became[g] for x, g in recorded.items()}
        for old, new in became.items():
            self.order.setdefault(new, old.index)
            if old.needs and not old.is_leaf:
                old.saved = None  # ours, and not needed any more

    def _has_a_delta(self, node: Node) -> bool:
        """Whether it is a product, linear in two arrays, with a parameter."""
        row = node.primitive
        if row is None or row.kind != "linear" or len(row.formula.arrays) != 2 or not all(row.differentiable):
            return False
        return any(isinstance(x, Node) and x.is_leaf and x.needs for x in node.inputs)

    # --- which gradients have a line ---

    def _name_shared_terms(self) -> None:
        """Deltas in the order of the backward pass; then what is used twice, and is more than a sign or a transpose."""
        roots = [self.gradients[x] for x in self.wrt if isinstance(self.gradients.get(x), Node)]
        reached = _above(roots, {*self.forward_nodes})
        self._of: dict[Any, Node] = {}  # of what a gradient is it, of a value with a name if it can be
        for x in sorted(self.forward_nodes, key=self._suits):
            if x in self.gradients:
                self._of.setdefault(self.gradients[x], x)
        deltas = {self.gradients[x] for x in self._deltas.values()} & reached
        wanted = [self.gradients[x] for x in self.wrt if self.gradients.get(x) in reached]
        chosen = self._chosen(reached, wanted, deltas)
        self._lines: list[Node] = sorted(chosen, key=lambda g: (self.order[g], g.index))
        for g in self._lines:
            self._name(g, g in deltas)
        self._name_long_forward(reached)

    def _chosen(self, reached: set[Node], wanted: Sequence[Node], deltas: set[Node]) -> list[Node]:
        """The gradients that have a line; and the place of each among the others, after what it is made of."""
        uses = Counter(y for x in reached for y in {*x.inputs} if y in reached)
        uses.update(wanted)
        recorded = {*self._simplifier.became.values()}
        ordered = sorted(reached, key=lambda g: g.index)  # what it is made of before it
        many = self._many = _sums_of_many(ordered)
        self._after: dict[Any, int] = {}  # the place of the last line that a gradient is made of
        length: dict[Any, int] = {}
        chosen: list[Node] = []
        for g in ordered:
            length[g] = _length(g, length)
            twice = uses[g] > 1 and g in recorded and (_operations(g, self.names) > 2 or length[g] > SHORT)
            step = self._steps and g in self._of and self._of[g] in self.names and _operations(g, self.names) > 1
            if g in deltas or twice or ((step or g in many or length[g] > LONG) and g not in wanted):
                chosen.append(g)
                length[g] = 0
            behind = [x for x in g.inputs if x in reached]
            self.order[g] = max([self.order.get(g, 0), *(self.order[x] for x in behind)])
            self._after[g] = self.order[g] if length[g] == 0 else max((self._after[x] for x in behind), default=0)
        return chosen

    def _suits(self, x: Node) -> tuple[bool, bool, int]:
        """Which of the values that have the same gradient is to be said: one with a name, computed, the first; or the
        last of those without a name."""
        return x not in self.names, x.is_leaf, x.index if x in self.names else -x.index

    def _name(self, g: Node, delta: bool) -> None:
        of = self._of.get(g)
        if of is not None and of.dtype.kind == "c":  # users have the conjugate
            self.names.give(g, "delta1" if delta else "t1")
        elif of in self.wrt and not of.is_leaf:
            self._partials[g] = of
        elif delta:
            self.names.give(g, "delta1")
        elif of is not None and of in self.names:
            self._partials[g] = of
        else:
            self.names.give(g, "t1")

    def _name_long_forward(self, reached: set[Node]) -> None:
        """What has no name, and is long, or is written more than once."""
        uses = Counter(y for x in {*reached, *self.forward_nodes} for y in {*x.inputs} if isinstance(y, Node))
        length: dict[Any, int] = {}
        for x in self.forward_nodes:
            if x in self.names or x.is_leaf:
                continue
            length[x] = _length(x, length)
            if length[x] > LONG or (uses[x] > 1 and _operations(x, self.names) > 3):
                self.names.give(x, "t1")
                length[x] = 0

    def _forward(self) -> list[Line]:
        shown = [x for x in self.forward_nodes if x in self.names and not x.is_leaf]
        shown.sort(key=lambda x: (x is self.output, self.order.get(x, x.index), x.index))
        return [Line(x, x, x.shape) for x in shown]

    def _backward(self) -> list[Line]:
        """Deltas, shared terms, and after each the gradients that are made of it."""
        lines = [Line(g, g, g.shape, self._partials.get(g) or self._of.get(g), True) for g in self._lines]
        values = {x: self._steepest(x) for x in self.wrt}
        asked = [x for x in dict.fromkeys(self.wrt) if self._partials.get(self.gradients.get(x)) is not x]
        lines += [Line(values[x], None, x.shape, x, True) for x in asked]
        return sorted(lines, key=lambda line: self._after.get(self.gradients.get(line.of, line.value), 0))

    def _steepest(self, x: Node) -> Any:
        """The gradient as users have it: of complex values the conjugate of what the rules carry."""
        g = self.gradients.get(x, 0)
        if not isinstance(g, Node) or g.dtype.kind != "c":
            return g
        if g not in self._lines:
            self._simplifier.keep.discard(g)
        return self._simplifier.make(np.conjugate, (g,), g, g.shape)

    # --- one line ---

    def rules(self, line: Line) -> list[str]:
        """By which rules it follows, in words."""
        if not line.backward or line.of is None:
            return []
        return self._reasons.between(line.of, {*self._lines} - {line.symbol})

    @cached_property
    def _reasons(self) -> Reasons:
        return Reasons(self.forward_nodes, self, self.gradients)

    def left(self, line: Line, style: str) -> str:
        """What stands before the equals sign."""
        if line.symbol is not None:
            return str(self.text(line.symbol, style))
        return partial(str(self.text(line.of, style)), style, self.letter_in(style))

    def right(self, line: Line, style: str) -> Text:
        """The formula."""
        value = line.value
        if not isinstance(value, Node):
            return number(value, style)
        name = None if value is line.symbol else self.text(value, style)
        return expression(value, self, style) if name is None else named(name, style)

    def meaning(self, line: Line, style: str) -> str:
        """`∂L/∂z₃`, for a line that is not called so."""
        if not line.backward or line.symbol is None or line.symbol in self._partials or line.of is None:
            return ""
        if line.of.dtype.kind == "c":
            return ""
        of = self.text(line.of, style)
        if of is None:
            inner = expression(line.of, self, style)
            if _operations(line.of, self.names) > 3:
                return ""
            of = f"({inner})" if style == "unicode" else rf"\left({inner}\right)"
        return partial(of, style, self.letter_in(style))


def _size(x: Node) -> int:
    return int(np.prod(x.shape, dtype=int))


def _above(roots: Iterable[Node], below: set[Node]) -> set[Node]:
    """The nodes of a gradient graph that are not of the forward graph."""
    found = {x for x in roots if x not in below and not x.is_leaf}
    stack = [*found]
    while stack:
        for x in stack.pop().inputs:
            if isinstance(x, Node) and x not in below and x not in found and not x.is_leaf:
                found.add(x)
                stack.append(x)
    return found


def _sums_of_many(ordered: Sequence[Node]) -> set[Node]:
    """The partial sums of sums of very many terms, as of a parameter's uses: each adds one term to the one before."""
    terms: dict[Any, int] = {}
    for g in ordered:
        if g.primitive.function is np.add:
            terms[g] = 1 + sum(terms.get(x, 1) for x in g.inputs)
    found = {g for g in terms if terms[g] > MANY}
    for g in reversed(ordered):
        if g in found:
            found.update(x for x in g.inputs if x in terms)
    return found


def _length(node: Node, length: dict[Any, int]) -> int:
    """About how many characters a formula has."""
    keywords = sum(len(str(value)) for value in node.keywords.values())
    return sum(length.get(x, 0) + 4 for x in node.inputs) + keywords + 4


def _operations(node: Node, names: Names) -> int:
    """How many operations a formula writes, up to a few."""
    count, stack = 0, [node]
    while stack and count < 5:
        count += 1
        stack += [x for x in stack.pop().inputs if isinstance(x, Node) and not x.is_leaf and x not in names]
    return count
