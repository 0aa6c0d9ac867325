"""`explain`: a gradient as the derivation that a person would have written."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property

import numpy as np

from ..errors import GradientError, describe
from ..graph import Graph, Node
from ..modes import anonymous, resumed
from ..notation import names_of
from ..sites import __library__  # noqa: F401
from ..symbols import padded, width
from ..tensor import Tensor
from .explaining.derivation import Derivation, Line
from .explaining.layout import Row, folded, in_columns

COLUMN = 60  # characters: what is longer is not aligned


def explain(t: Tensor, wrt: Tensor | Iterable[Tensor] | None = None, *, rules: bool = False) -> Explanation:
    """The derivation of d t / d wrt: the formulas of the values, then the gradients, each line in terms of others.

    `wrt` is a Tensor or several, by default all leaves that carry gradient. Of an array `t` it is the gradient of the
    sum of its elements. With `rules`, each line says by which rules it follows. Works before and after `backward`.

    >>> X, y = np.array([[3.0, 5.0], [5.0, 1.0]]), np.array([[0.75], [0.82]])
    >>> W1 = Tensor(np.ones((2, 4)), name="W1")
    >>> z2 = X @ W1
    >>> loss = np.sum((y - z2) ** 2) / 2
    >>> print(explain(loss, W1))
    z₂ = X @ W₁
    loss = Σ (y − z₂)² / 2
    <BLANKLINE>
    δ₁ = −(y − z₂)      = ∂L/∂z₂    (2, 4)
    ∂L/∂W₁ = Xᵀ @ δ₁                (2, 4)
    """
    if not isinstance(t, Tensor):
        raise GradientError(f"explain: takes a Tensor, got {type(t).__name__}")
    given = None if wrt is None else [*wrt] if isinstance(wrt, Iterable) and not isinstance(wrt, Tensor) else [wrt]
    for w in given or ():
        if not isinstance(w, Tensor) or not w._current()[1].needs:
            raise GradientError(f"explain: wrt holds Tensors that carry gradient, got {describe(w, 'a Tensor')}")
    _, node = t._current()
    names = names_of([node, *(w._node for w in given or ())])
    with resumed(), anonymous():
        total = np.sum(t) if node.needs and node.shape != () else t
    total._incoming(None, "explain")  # raises where it has no gradient
    node = total._node
    leaves = [x for x in Graph([node]).leaves if x.needs]
    targets = leaves if given is None else [_target(w, leaves) for w in given]
    derivation = Derivation(node, targets, names)
    return Explanation(Derivation(node, targets, names, steps=True) if derivation.is_long else derivation, rules)


def _target(w: Tensor, leaves: list[Node]) -> Node:
    """The node of a Tensor in the graph: of a leaf the version that the graph knows."""
    node = w._current()[1]
    if node.is_leaf and node.variable is not None:
        return next((x for x in leaves if x.variable is node.variable), node)
    return node


class Explanation:
    """A derivation, to be printed: `str()` in Unicode, `.latex`, and as mathematics in a notebook."""

    def __init__(self, derivation: Derivation, rules: bool) -> None:
        self._derivation: Derivation = derivation
        self._rules: bool = rules

    def __repr__(self) -> str:
        return str(self)

    def __str__(self) -> str:
        return self._text

    @cached_property
    def _text(self) -> str:
        rows = self._rows("unicode")
        forward = folded(rows[0], "unicode")
        cells = [_cell(row, k) for group, k in forward for row in group]
        lines = [*in_columns(cells[:-1]), *cells[-1:]]  # the output has a line for itself
        backward = [(row, k) for group, k in folded(rows[1], "unicode") for row in group]
        formulas = [f"{row.left} = {row.right}" for row, _ in backward]
        meanings = [f"= {row.meaning}" if row.meaning else "" for row, _ in backward]
        shapes = [row.shape for row, _ in backward]
        first = max((width(x) for x in formulas if width(x) <= COLUMN), default=0)
        second = max((width(x) for x in meanings if width(x) <= COLUMN), default=0)
        lines += [""] if lines and formulas else []
        for formula, meaning, shape, (row, k) in zip(formulas, meanings, shapes, backward, strict=True):
            end = "    ".join(x for x in (shape, k) if x)
            if width(formula) > first:  # too long to stand in the columns
                lines.append("    ".join(x for x in (formula, meaning, end) if x))
            else:
                lines.append(f"{padded(formula, first)}    {padded(meaning, second)}    {end}".rstrip())
            lines += [f"        {rule}" for rule in row.rules]
        return "\n".join(lines)

    @cached_property
    def latex(self) -> str:
        """The derivation in LaTeX: an `aligned` environment, to stand between dollars or in an equation."""
        lines: list[str] = []
        for rows in self._rows("latex"):
            for group, k in folded(rows, "latex"):
                for row in group:
                    meaning = rf" = {row.meaning}" if row.meaning else ""
                    end = r" \quad ".join(x for x in (rf"\mathrm{{{row.shape}}}" if row.shape else "", k) if x)
                    lines.append(rf"{row.left} &= {row.right}{meaning} && {end}")
        body = " \\\\\n".join(lines)
        return f"\\begin{{aligned}}\n{body}\n\\end{{aligned}}"

    def _repr_latex_(self) -> str:
        return f"$\\displaystyle {self.latex}$"

    def _rows(self, style: str) -> tuple[list[Row], list[Row]]:
        both: tuple[list[Row], list[Row]] = ([], [])
        for line in self._derivation.lines:
            both[line.backward].append(self._row(line, style))
        return both

    def _row(self, line: Line, style: str) -> Row:
        d = self._derivation
        shape = str(line.shape)
        return Row(
            d.left(line, style),
            d.right(line, style),
            d.meaning(line, style),
            shape,
            d.rules(line) if self._rules else [],
        )


def _cell(row: Row, k: str) -> str:
    return f"{row.left} = {row.right}" + (f"   ({k})" if k else "")
