"""A line that would be right with what one of its names stood for before; one that mixes rows and columns."""

from __future__ import annotations

import ast
import contextlib
import copy
from collections.abc import Iterator
from types import FrameType
from typing import Any

import numpy as np

from ..compare import ratio, same
from ..instrument import evaluated
from ..locate import Trail, is_careless
from ..targets import Healing


def changed_since(trail: Trail, healing: Healing) -> str | None:
    """The cause, where a line is right with the value that one of its names had in the forward pass."""
    statement = trail.problem.program.statements[healing.statement]
    wrong = [(place, true) for place, true in healing.values.items() if not same(trail.hand(place), true)]
    (number, occurrence, path), true = wrong[0]
    earlier = trail.earlier_values(wrong[0][0])
    found: list[str | None] = []
    count = 0

    def watch(running: int, frame: FrameType) -> None:
        nonlocal count
        count += running == number
        if running == number and count == abs(occurrence) and not found:
            variables = {**frame.f_globals, **frame.f_locals}
            found.append(None)
            for text in _mentioned(statement.expression):
                now = evaluated(text, variables)
                for before, cause in (*earlier.get(text, ()), *_before_update(trail, now)):
                    with contextlib.suppress(Exception), np.errstate(all="ignore"):
                        if np.shape(now) == np.shape(before) and not same(now, before):
                            tree = ast.fix_missing_locations(_Put(text).visit(copy.deepcopy(statement.expression)))
                            code = compile(ast.Expression(tree), "<verify>", "eval")
                            value = eval(code, {**variables, _BEFORE: np.array(before)})
                            for key in path if occurrence > 0 else ():
                                value = value[key]
                            if same(value, true):
                                found[0] = cause

    trail.problem.run(trail.look.point, heal=trail.healed, watch=watch)
    return found[0] if found else None


def _before_update(trail: Trail, value: Any) -> Iterator[tuple[Any, str]]:
    """The weights that a value is after a step along their gradient, whatever it is called."""
    for name, before in trail.look.point.items():
        same_shape = value is not None and np.shape(value) == np.shape(before)
        if same_shape and np.size(before) > 1 and ratio(value - before, trail.look.true[name]) is not None:
            yield before, "updated-weights"


_BEFORE = "__before__"


class _Put(ast.NodeTransformer):
    """Puts an earlier value in the place of a name."""

    def __init__(self, text: str) -> None:
        self.text: str = text

    def visit(self, node: ast.AST) -> Any:
        if isinstance(node, (ast.Name, ast.Attribute, ast.Subscript)) and ast.unparse(node) == self.text:
            return ast.Name(_BEFORE, ast.Load())
        return self.generic_visit(node)


def _mentioned(expression: ast.expr) -> list[str]:
    """The names, attributes and items that an expression speaks of."""
    kinds = (ast.Name, ast.Attribute, ast.Subscript)
    return list(dict.fromkeys(ast.unparse(node) for node in ast.walk(expression) if isinstance(node, kinds)))


def broadcasts(trail: Trail, healing: Healing) -> bool:
    """Whether a line brings (n,) and (n, 1) together."""
    statement = trail.problem.program.statements[healing.statement]
    operations = [node for node in ast.walk(statement.expression) if isinstance(node, ast.BinOp)]
    found: list[bool] = []

    def watch(running: int, frame: FrameType) -> None:
        if running == statement.number and not found:
            found.append(False)
            for node in operations:
                with contextlib.suppress(Exception), np.errstate(all="ignore"):
                    sides = (node.left, node.right)
                    a, b = (np.shape(eval(ast.unparse(x), frame.f_globals, dict(frame.f_locals))) for x in sides)
                    found[0] |= not isinstance(node.op, ast.MatMult) and (is_careless(a, b) or is_careless(b, a))

    trail.problem.run(trail.look.point, heal=trail.healed, watch=watch)
    return any(found)
