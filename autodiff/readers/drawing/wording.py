"""The words of a picture: names, formulas, and the rule by which gradient flows back through a card."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from ...graph import SEVERAL, Node
from ...notation import Names, formula, names_of, partial, rule_formula
from ...sites import __library__  # noqa: F401
from .values import Value

LONGEST = 12  # operations: a formula of more is not written out, and neither is its rule


class Words:
    """What cards and arrows say. A value that the user gave no name is given one when it is first spoken of."""

    def __init__(self, outputs: Sequence[Node]) -> None:
        self.names: Names = names_of(outputs)
        self._outputs = outputs
        self._numbers: Counter[str] = Counter()
        self._rules: dict[tuple[Value, Value], str] = {}
        only = self.names.text(outputs[0]) if len(outputs) == 1 and outputs[0].shape == () else None
        self.letter: str = only if only not in (None, "loss") else "L"

    def named(self, node: Node) -> bool:
        """Whether the user has a name for it."""
        return node in self.names

    def name(self, value: Value) -> str:
        """The user's name, or one that we give: z before an activation, a after it, as books say."""
        if value.node not in self.names:
            letter = _letter(value)
            self._numbers[letter] += 1
            self.names.give(value.node, f"{letter}{self._numbers[letter]}")
        return self.names.text(value.node) or ""

    def formula(self, value: Value) -> str:
        """The operation inside a card: `X @ W₁`."""
        if value.is_leaf:
            return ""
        if max(len(value.inside), len(value.inputs)) > LONGEST:
            return _summary(value)
        for x in value.inputs:
            self.name(x)
        return formula(value.node, self.names)

    def layer(self, values: Sequence[Value]) -> str:
        """What a layer computes, of anything: `σ(· @ W₁)`."""
        computed = [value for value in values if not value.is_leaf]
        if not computed or sum(max(len(value.inside), len(value.inputs)) for value in computed) > LONGEST:
            return ""
        for value in computed:
            self.formula(value)
        inside = {value.node for value in computed}
        outside = {x.node for value in computed for x in value.inputs if not x.is_parameter} - inside
        return formula(computed[-1].node, _Layer(self.names, inside, outside if len(outside) == 1 else set()))

    def derivative(self, value: Value) -> str:
        """`∂L/∂W₁`."""
        return partial(self.name(value), of=self.letter)

    def rule(self, value: Value, source: Value, partly: bool) -> str:
        """How the gradient of an input of a card is made of that of the card: `∂L/∂a₂ = ∂L/∂z₃ @ W₂ᵀ`.

        `partly`: that of its other users is added, `∂L/∂x += ...`.
        """
        if (value, source) not in self._rules:
            self._rules[value, source] = self._rule(value, source)
        rule = self._rules[value, source]
        return f"{self.derivative(source)} {'+=' if partly else '='} {rule}" if rule else ""

    def _rule(self, value: Value, source: Value) -> str:
        node = value.node
        if (
            max(len(value.inside), len(value.inputs)) > LONGEST
            or not node.needs
            or SEVERAL in (node.shape, source.node.shape)
        ):
            return ""
        last = node in self._outputs and node.shape == ()
        rule = rule_formula(node, source.node, self.names, "1" if last else self.derivative(value))
        return "" if rule is None else str(rule)


class _Layer:
    """Names as they are said inside a layer: what it is given is anything."""

    def __init__(self, names: Any, inside: set[Node], outside: set[Node]) -> None:
        self._names, self._inside, self._outside = names, inside, outside

    def text(self, node: Any, style: str = "unicode") -> str | None:
        """As `Names.text`."""
        return None if node in self._inside else "·" if node in self._outside else self._names.text(node, style)


def _summary(value: Value) -> str:
    """`1,000 operations: multiply, add, …`, `stack of 1,000 values`."""
    names = list(dict.fromkeys(node.primitive.name for node in value.inside if node.primitive))
    said = f"{', '.join(names[:4])}{', …' * (len(names) > 4)}"
    if len(value.inside) > LONGEST:
        return f"{len(value.inside):,} operations: {said}"
    return f"{said} of {len(value.inputs):,} values"


def _letter(value: Value) -> str:
    if value.is_leaf:
        return "w" if value.node.needs else "x"
    if any(x.is_parameter for x in value.inputs):
        return "z"
    return "a" if value.is_elementwise and value.path else "v"
