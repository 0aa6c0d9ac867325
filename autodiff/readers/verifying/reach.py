"""What a statement of a derivation can speak of: its variables, and what trail and graph know of them."""

from __future__ import annotations

import ast
import itertools
from collections.abc import Sequence

from .edits.line import Line, parsed, product
from .instrument import Statement
from .locate import Trail
from .moments import Bench
from .scope import Scope
from .targets import Healing

MOST_ITEMS = 40  # items of lists that may be meant


def reach(trail: Trail, healing: Healing, bench: Bench) -> Scope:
    """What a statement can speak of, where it is most wrong."""
    statement, statements = bench.statement, trail.problem.program.statements
    counters, behind = _counters(statement), trail.activated(healing, bench.telling)
    scope = Scope(bench.space, _texts(statements, statement), trail.look.point, counters, bench.varying, behind)
    scope.varying |= _computed(statements, statement)
    scope.compared, scope.deltas = trail.compared, trail.deltas
    scope.slopes = [(applied.z, applied.slope) for applied in trail.view.every]
    scope.repeats = len(bench.moments) > 1
    scope.updates = _updates(statements, statement)
    return scope


def _computed(statements: Sequence[Statement], statement: Statement) -> set[str]:
    """The names that a function assigns something to that is no literal."""
    beside = [s for s in statements if s.origin is statement.origin]
    return {name for s in beside if not isinstance(s.expression, ast.Constant) for name in s.names}


def _texts(statements: Sequence[Statement], statement: Statement) -> list[str]:
    """The items and attributes that the function speaks of; items of its lists at this statement's indices."""
    found, lists, indices = set[str](), set[str](), dict[str, bool]()
    for other in statements:
        if other.function == statement.function:
            for tree in (other.expression, *map(parsed, other.names)):
                for node in ast.walk(tree) if tree else ():
                    if isinstance(node, (ast.Subscript, ast.Attribute)):
                        found.add(ast.unparse(node))
                    if isinstance(node, ast.Subscript) and not isinstance(node.slice, (ast.Slice, ast.Tuple)):
                        lists.add(ast.unparse(node.value))
                        index = ast.unparse(node.slice)
                        indices[index] = indices.get(index, False) or other is statement
    ordered = sorted(indices, key=lambda index: (not indices[index], index))  # the statement's own first
    pairs = (f"{values}[{index}]" for index in ordered for values in sorted(lists))
    own = sorted(found, key=lambda text: (text not in statement.text, text))
    return own + [text for text in itertools.islice(pairs, MOST_ITEMS) if text not in found]


def _updates(statements: Sequence[Statement], statement: Statement) -> dict[str, str]:
    """For what the function updates, `w -= step`, how to write the value that it had before."""
    found: dict[str, str] = {}
    opposite = {"-=": "+", "+=": "-"}
    for other in statements:
        if other.origin is statement.origin and len(other.names) == 1:
            name, tree = other.names[0], other.expression
            if other.kind in opposite:
                found[name] = f"{name} {opposite[other.kind]} {product(other.text)}"
            elif other.kind == "=" and isinstance(tree, ast.BinOp) and isinstance(tree.op, (ast.Add, ast.Sub)):
                line = Line(other.text)
                if line.of(line.tree.left) == name:  # type: ignore[attr-defined]
                    sign = "+" if isinstance(tree.op, ast.Sub) else "-"
                    found[name] = f"{name} {sign} {product(line.of(line.tree.right))}"  # type: ignore[attr-defined]
    return found


def _counters(statement: Statement) -> set[str]:
    """The names that the loops of a function count with."""
    loops = [node.target for node in ast.walk(statement.origin.tree) if isinstance(node, (ast.For, ast.comprehension))]
    return {node.id for target in loops for node in ast.walk(target) if isinstance(node, ast.Name)}
