"""Gradients that are right but for one factor: those of another loss than the one that is returned."""

from __future__ import annotations

import ast
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from ...derivative import pull
from ...graph import Node
from ...tensor import Tensor
from .compare import ratio
from .edits.line import Line, product
from .instrument import Statement
from .problem import Problem
from .program import Record
from .scope import Scope
from .truth import Look, number, source

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
        for text in scaled_texts(statement.text, factor, sizes):
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


def scaled_terms(problem: Problem, looks: Sequence[Look]) -> Iterator[tuple[Statement, float, bool]]:
    """The terms of the loss that have a factor c, at all points, in that for which the gradients are right.

    And whether it is a penalty: its gradients are multiples of the parameters.
    """
    numbers = dict.fromkeys(r.statement for r in looks[0].traced.run.records if _is_term(r, looks[0]))
    for term in reversed(numbers):
        parts, first = list[tuple[Look, dict[str, Any]]](), None
        for look in (look for look in looks if look.wrong):
            parts.append((look, _part(look, term)))
            factor = _factor_of(*parts[-1])
            first = factor if len(parts) == 1 else first
            if factor is None or first is None or not math.isclose(factor, first, rel_tol=1e-6):
                break
        else:
            assert first is not None
            pairs = ((part[name], look.point[name]) for look, part in parts for name in part if np.any(part[name]))
            yield problem.program.statements[term], first, all(ratio(g, w) is not None for g, w in pairs)


def _is_term(record: Record, look: Look) -> bool:
    """Whether a number is computed there on the way to the loss: of a total, what is added to it."""
    node = record.value
    return isinstance(node, Node) and node.shape == () and node in look.adjoints and record.occurrence > 0


def _part(look: Look, number: int) -> dict[str, Any]:
    """What a term adds to the gradients."""
    nodes = {r.value for r in look.traced.run.records if r.statement == number and _is_term(r, look)}
    leaves = {source(x): x.variable.name or "" for x in look.forward if x.is_leaf and x.variable}
    part = {name: np.zeros(np.shape(true)) for name, true in look.true.items()}
    terms = [Tensor._of(node, look.values[node]) * look.adjoints[node] for node in nodes]
    total: Any = np.sum(np.stack(terms)) if terms else None
    found: Any = pull(total._node, np.float64(1), set(leaves)) if terms else {}
    return part | {leaves[leaf]: np.asarray(value) for leaf, value in found.items()}


def _factor_of(look: Look, part: Mapping[str, Any]) -> float | None:
    """The factor c with gradient by hand = true gradient + (c - 1) * a part of it."""
    if any(np.shape(look.hand[name]) != np.shape(true) for name, true in look.true.items()):
        return None
    off = np.concatenate([np.ravel(look.hand[name] - true) for name, true in look.true.items()])
    factor = ratio(off, np.concatenate([np.ravel(part[name]) for name in look.true]))
    return None if factor is None or abs(1 + factor) < EXACTLY else 1 + factor  # 0: of another loss, no scaled one


def scaled_texts(text: str, factor: float, sizes: Mapping[int, str]) -> list[str]:
    """An expression with one of its factors left out, or a sum for a mean, or one factor more; the simplest first."""
    return list(dict.fromkeys(_scaled(text, factor, sizes)))[:FEW]


def _scaled(text: str, factor: float, sizes: Mapping[int, str]) -> Iterator[str]:
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
            count = sizes.get(round(size), f"{round(size)}")
            for number in (count, f"{round(size)}") if round(size) > 2 else ("2", count):  # 2 is no number of samples
                yield f"{product(text)} {operator} {number}"
