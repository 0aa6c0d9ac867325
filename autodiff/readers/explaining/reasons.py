"""By which rules a line follows: in words, from the table's own."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import numpy as np

from ...forms import expression
from ...graph import Node
from ...notation import rule_formula
from ...primitive import TABLE
from ...sites import __library__  # noqa: F401

COMING = "what comes in"
NOUNS: dict[str, tuple[str, ...]] = {
    "matmul": ("a matrix product", "left factor", "right factor"),
    "multiply": ("a product", "first factor", "second factor"), "divide": ("a quotient", "numerator", "denominator"),
    "pow": ("a power", "base", "exponent"), "power": ("a power", "base", "exponent"),
    "add": ("a sum", "first term", "second term"), "subtract": ("a difference", "first term", "second term"),
    "negative": ("a negative",), "sum": ("a sum of elements",), "mean": ("a mean",), "square": ("a square",),
    "transpose": ("a transpose",), "sigmoid": ("σ",),
}  # fmt: skip


class Reasons:
    """The rules between the values of a forward graph."""

    def __init__(self, nodes: Iterable[Node], names: Any, gradients: dict[Node, Any]) -> None:
        self._names, self._gradients = names, gradients
        self._users: dict[Node, list[tuple[Node, int]]] = defaultdict(list)
        for node in nodes:
            for position, x in enumerate(node.inputs):
                if isinstance(x, Node) and node in gradients:
                    self._users[x].append((node, position))

    def between(self, x: Node, lines: set[Any]) -> list[str]:
        """The rules by which the gradient of x follows from gradients that have lines of their own."""
        edges: dict[tuple[Node, int], None] = {}
        waiting, seen = [x], {x}
        while waiting:
            for user, position in self._users[waiting.pop()]:
                edges[user, position] = None
                if self._gradients[user] not in lines and user not in seen:
                    seen.add(user)
                    waiting.append(user)
        return [self._sentence(*edge) for edge in sorted(edges, key=lambda edge: (-edge[0].index, edge[1]))]

    def _sentence(self, node: Node, position: int) -> str:
        name, formula = self._names.text(node), expression(node, self._names)
        row = TABLE[np.matmul] if node.primitive.function is np.dot and len(node.shape) == 2 else node.primitive
        noun, *arguments = NOUNS.get(row.name, (row.name,))
        place = f" in its {arguments[position]}" if position < len(arguments) else ""
        what = f"{name} = {formula}" if name is not None else str(formula)
        how = self._how(node, row, position)
        return f"{what}: the derivative of {noun}{place}: {how}"

    def _how(self, node: Node, row: Any, position: int) -> str:
        if row.kind == "elementwise" and node.inputs[position].shape == node.shape:
            partial = rule_formula(node, position, _Shown(self._names, node), "1")
            if partial in ("1", "−1"):
                return COMING if partial == "1" else f"{COMING}, with a minus"
            if partial is not None:
                return f"{COMING}, times {partial:first}"
        said = _said_by_the_rule(row, position)
        if said:
            return said
        rule = rule_formula(node, position, _Shown(self._names, node), "g")
        return f"{rule}, where g is {COMING}"


class _Shown:
    """Names; and for inputs without one their formulas."""

    def __init__(self, names: Any, node: Node) -> None:
        self._names = names
        self._own = {x for x in node.inputs if isinstance(x, Node)}

    def text(self, node: Any, style: str = "unicode") -> str | None:
        name = self._names.text(node, style)
        if name is not None or node not in self._own:
            return name
        return expression(node, self._names, style)


def _said_by_the_rule(row: Any, position: int) -> str | None:
    """What the function that a row's derivative calls says that it does."""
    derivative = row.derivatives[position] if position < len(row.derivatives) else None
    if not isinstance(derivative, str):
        return None
    called = ast.parse(derivative, mode="eval").body
    if not (isinstance(called, ast.Call) and isinstance(called.func, ast.Name)):
        return None
    if not any(isinstance(argument, ast.Name) and argument.id == "g" for argument in called.args):
        return None
    text = getattr(row.namespace.get(called.func.id), "__doc__", None) or ""
    clause = text.split(";")[0].split(". ")[0].strip().rstrip(".").partition(":")[0]
    if not clause or "`" in clause:
        return None
    words = [COMING if word == "g" else word for word in clause.split()]
    return " ".join([words[0][:1].lower() + words[0][1:], *words[1:]])
