"""Gradients that are right but for one factor: those of another loss than the one that is returned."""

from __future__ import annotations

import ast
import math
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from ...tensor import Tensor
from .compare import ratio
from .edits.line import Line, product
from .instrument import Statement
from .problem import Problem
from .scope import Scope
from .truth import Look, number

EXACTLY = 1e-9
FEW = 20  # edits of the loss that are tried
SUMS = {"mean": "sum", "sum": "mean", "average": "sum"}


def common_factor(looks: Sequence[Look]) -> float | None:
    """The constant c, not 1, with gradients = c * true gradients: at all points, in all parameters that matter."""
    factors: set[float | None] = set()
    for look in looks:
        for name, true in look.true.items():
            if np.any(true):
                hand = np.asarray(look.hand[name])
                factors.add(ratio(hand.reshape(true.shape), true) if hand.size == true.size else None)
    first = next(iter(factors), None)
    if first is None or None in factors or abs(first - 1) < EXACTLY:
        return None
    return first if all(abs(f - first) <= EXACTLY * abs(first) for f in factors if f is not None) else None


def loss_statements(problem: Problem, look: Look) -> list[Statement]:
    """The statements whose value is the loss, as it is returned."""
    node = look.traced.loss._current()[1] if isinstance(look.traced.loss, Tensor) else None
    numbers = dict.fromkeys(record.statement for record in look.traced.run.records if record.value is node)
    return [problem.program.statements[k] for k in numbers]


def other_losses(problem: Problem, looks: Sequence[Look], factor: float) -> Iterator[str]:
    """The lines that make the loss so many times as large, at all points."""
    sizes = Scope(looks[0].plain.run.locals).sizes
    for statement in reversed(loss_statements(problem, looks[0])):
        for text in list(dict.fromkeys(_edited(statement.text, factor, sizes)))[:FEW]:
            if all(_scales(problem, look, statement, text, factor) for look in looks):
                yield statement.with_expression(text)
                return


def negated_losses(problem: Problem, looks: Sequence[Look]) -> Iterator[tuple[str, Statement]]:
    """The line that turns the sign of the loss, at all points, and where it stands."""
    for statement in reversed(loss_statements(problem, looks[0])):
        text = f"-{product(statement.text)}"
        if statement.kind not in ("return", "argument") and all(
            _scales(problem, look, statement, text, -1.0) for look in looks
        ):
            yield statement.with_expression(text), statement


def _scales(problem: Problem, look: Look, statement: Statement, text: str, factor: float) -> bool:
    try:
        program = problem.program.patched([statement.replaced(statement.with_expression(text))])
    except SyntaxError:
        return False
    outcome = problem.run(look.point, program=program, record=False)
    before = number(look.plain.loss)
    return outcome.error is None and math.isclose(number(outcome.loss), factor * before, rel_tol=EXACTLY)


def _edited(text: str, factor: float, sizes: Mapping[int, str]) -> Iterator[str]:
    """An expression with one of its factors left out, or a sum for a mean, or one factor more; the simplest first."""
    line = Line(text)
    for node in line.nodes:
        if isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Mult, ast.Div)):
            yield line.replaced(node, line.of(node.left))
            if isinstance(node.op, ast.Mult):
                yield line.replaced(node, line.of(node.right))
        elif isinstance(node, ast.Attribute) and node.attr in SUMS:
            yield line.replaced(node, f"{line.of(node.value)}.{SUMS[node.attr]}")
    for operator, size in (("*", factor), ("/", 1 / factor)):
        if size > 1 and math.isclose(size, round(size)):
            yield f"{product(text)} {operator} {sizes.get(round(size), round(size))}"
            yield f"{product(text)} {operator} {round(size)}"
