"""Edits of statements that share an array with others, or write to one that is needed later."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator
from typing import Any

from ..instrument import Statement
from .edit import Edit, of_expression
from .line import Line, called, parsed, product, tight

VIEWS = ("reshape", "ravel", "transpose", "T", "asarray", "squeeze", "view")


def unshared(statement: Statement, changing: Collection[str]) -> Iterator[Edit]:
    """A statement that works on arrays of its own. `changing`: functions that write to their argument."""
    line = Line(statement.text)
    if statement.kind == "=" and _is_alias(line.tree):
        yield of_expression(statement, f"{tight(statement.text)}.copy()", "aliasing")
    yield from _apart(statement, line)
    for node in line.nodes:
        if isinstance(node, ast.Call) and called(node) in changing:
            for argument in node.args:
                new = line.replaced(argument, f"{tight(line.of(argument))}.copy()")
                yield of_expression(statement, new, "input-mutated")
    if len(statement.names) != 1 or not statement.source.startswith(statement.names[0]):
        return
    name = statement.names[0]
    target: Any = parsed(name)
    if statement.kind in ("+=", "-=", "*=", "/="):
        text = f"{name} = {name} {statement.kind[0]} {product(statement.text)}"
        yield Edit(statement, text, statement.replaced(text), "aliasing")
    elif statement.kind == "=" and isinstance(target, ast.Subscript):
        base, index = Line(name).of(target.value), Line(name).of(target.slice)
        if index in (":", "..."):
            text = f"{base} = {statement.text}"
        else:
            text = f"{base} = np.where({index}, {statement.text}, {base})"
        yield Edit(statement, text, statement.replaced(text), "input-mutated")


def _apart(statement: Statement, line: Line) -> Iterator[Edit]:
    """An array for each item of a list, and for each of several names, that were given one."""
    for node in line.nodes:
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult):
            for one, count in ((node.left, node.right), (node.right, node.left)):
                if isinstance(one, ast.List) and len(one.elts) == 1:
                    each = f"[{line.of(one.elts[0])} for _ in range({line.of(count)})]"
                    yield of_expression(statement, line.put(node, each), "aliasing")
    names = statement.names
    if len(names) > 1 and statement.source.startswith(" = ".join(names)):
        text = f"{', '.join(names)} = {', '.join([statement.text] * len(names))}"
        yield Edit(statement, text, statement.replaced(text), "aliasing")


def _is_alias(node: ast.expr) -> bool:
    """Whether an expression is another name for an array, or a view of it."""
    if isinstance(node, ast.Call):
        return called(node) in VIEWS
    return isinstance(node, (ast.Name, ast.Attribute, ast.Subscript))
