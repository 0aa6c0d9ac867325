"""Edits of a statement beside its expression: its operator, its place in an array, the loop around it."""

from __future__ import annotations

import ast
import itertools
import re
from collections.abc import Iterator
from typing import Any

import numpy as np

from ..instrument import Patch, Source, Statement
from ..scope import Scope
from .edit import Edit, of_expression
from .line import Cause, Line, evaluated, parsed, product, tight
from .names import indexed, renamed, swapped
from .signs import factors, literals, signs
from .terms import masks, terms

MOST_NAMES = 4  # in a tuple, of which two are exchanged
OPERATORS: dict[str, tuple[tuple[str, str | None], ...]] = {
    "=": (("+=", "overwritten-not-accumulated"),),
    "+=": (("=", "accumulated-twice"), ("-=", "sign")),
    "-=": (("+=", "sign"), ("=", None)),
    "*=": (("/=", None),),
    "/=": (("*=", None),),
}


def instead(statement: Statement, scope: Scope) -> Iterator[Edit]:
    """Other statements in the place of one."""
    yield from rewritten(statement, scope)
    name, operator = statement.names[0], statement.kind
    if _is_single(statement) and operator != "=":
        line = Line(f"{name} {operator[:-1]} {product(statement.text)}")
        for text, cause in (*factors(line, scope, True), *terms(line, scope, True)):
            yield _of_statement(statement, f"{name} = {text}", cause)
        for size in scope.sizes.values() if operator in ("+=", "-=") else ():
            for inner in (f"{name} / {size}", f"{name} * {size}"):
                yield _of_statement(statement, f"{name} = {inner} {operator[0]} {product(statement.text)}", None)


def rewritten(statement: Statement, scope: Scope) -> Iterator[Edit]:
    """The same expression, written otherwise or to another place, or not at all."""
    if is_scatter(statement):
        yield from _scattered(statement, scope)
    if not _is_single(statement):
        yield from _renamed_parts(statement)
        return
    name, operator = statement.names[0], statement.kind
    held = evaluated(name, scope)
    again = scope.repeats or held is not None
    for other, cause in OPERATORS[operator]:
        cause = cause if again or cause == "sign" else None
        yield _of_statement(statement, f"{name} {other} {statement.text}", cause)
    target: Any = parsed(name)
    if isinstance(target, ast.Subscript):
        whole = Line(name)
        text = f"np.add.at({whole.of(target.value)}, {whole.of(target.slice)}, {statement.text})"
        yield _of_statement(statement, text, "overwritten-not-accumulated")  # an index may be there twice
        for text, cause in dict(_indices(whole, scope)).items():
            yield _of_statement(statement, text + statement.source[len(name) :], cause)
        yield from _twins(statement, whole, scope)
    cause = "accumulated-twice" if operator != "=" else "forward-differs"
    cause = "updated-weights" if scope.is_parameter(held) or _is_step(statement) else cause
    yield Edit(statement, f"# {statement.source}", statement.replaced("pass"), cause)


def _is_step(statement: Statement) -> bool:
    """Whether a statement takes a step along a gradient: `w -= lr * dw`."""
    moved = statement.kind == "-=" or re.match(rf"{re.escape(statement.names[0])}\s*-", statement.text)
    return bool(moved and re.search(r"\b(grad|nabla|lr\b|rate|learning|eta\b|d[A-Z_])", statement.text))


def is_scatter(statement: Statement) -> bool:
    """Whether a statement is `np.add.at(array, index, values)`."""
    return statement.kind == "call" and re.search(r"\b(add|subtract)\.at\(", statement.source) is not None


def _scattered(statement: Statement, scope: Scope) -> Iterator[Edit]:
    """Values that are added at other indices, or with the other sign, or again at others."""
    line = Line(statement.source)
    call: Any = line.tree
    method, index = line.of(call.func), line.of(call.args[1])
    opposite = method.replace("add", "subtract") if "add" in method else method.replace("subtract", "add")
    yield _of_statement(statement, line.replaced(call.func, opposite), "sign")
    for name, value in scope.values.items():
        if isinstance(value, np.ndarray) and value.dtype.kind == "i" and value.ndim and name != index:
            elsewhere = line.replaced(call.args[1], name)
            yield _of_statement(statement, elsewhere, "off-by-one-index")
            for twin in (elsewhere, elsewhere.replace(method, opposite)):
                yield _of_statement(statement, f"{statement.source}; {twin}", "missing-branch")


def exchanged(statement: Statement) -> Iterator[Edit]:
    """Two of the values of a tuple or a dict, in each other's places, or two of the names that they are given."""
    line = Line(statement.text)
    structures = ast.Tuple, ast.List, ast.Dict
    for text, _ in swapped(line, Scope({}), True) if isinstance(line.tree, structures) else ():
        yield of_expression(statement, text, None)
    yield from _renamed_parts(statement)


def _renamed_parts(statement: Statement) -> Iterator[Edit]:
    """Two of the names that a tuple is given, in each other's places."""
    left, equals, right = statement.source.partition("=")
    names = [name.strip() for name in left.split(",")]
    if equals and 2 <= len(names) <= MOST_NAMES and all(name.isidentifier() for name in names):
        for a, b in itertools.combinations(range(len(names)), 2):
            order = [*names]
            order[a], order[b] = names[b], names[a]
            yield _of_statement(statement, f"{', '.join(order)} ={right}", None)


def _is_single(statement: Statement) -> bool:
    """Whether a statement writes to one thing, and to nothing else."""
    single = statement.kind in OPERATORS and len(statement.names) == 1
    name, _, rest = statement.source.partition(statement.names[0])
    return single and not name and rest.lstrip().startswith(statement.kind)


def _twins(statement: Statement, line: Line, scope: Scope) -> Iterator[Edit]:
    """The same once more for the entry of a label, with the other sign: what a loop over classes leaves out."""
    target: Any = line.tree
    labels = [n for n, value in scope.values.items() if "[" in n and isinstance(value, (int, np.integer))]
    if statement.kind not in ("+=", "-=") or "\n" in statement.source:
        return
    parts = target.slice.elts if isinstance(target.slice, ast.Tuple) else [target.slice]
    for part, label in itertools.product(parts, labels[:4]):
        if not isinstance(part, ast.Slice):
            twin = f"{line.put(part, label)} {'-=' if statement.kind == '+=' else '+='} {statement.text}"
            yield _of_statement(statement, f"{statement.source}; {twin}", "missing-branch")


def after(statement: Statement, scope: Scope) -> Iterator[Edit]:
    """One more statement behind the loops around one, about what it writes to. `expression` is what that becomes."""
    loops = [node for node in enclosing(statement) if isinstance(node, (ast.For, ast.While))]
    target = parsed(statement.names[0]) if statement.kind in OPERATORS else None
    if target is None or not (loops or isinstance(target, ast.Subscript)):
        return  # the statement itself can say it
    outermost = min(loops, key=lambda node: node.lineno) if loops else statement_node(statement)
    _, end = statement.origin.span(outermost)
    name = ast.unparse(target.value) if isinstance(target, ast.Subscript) else statement.names[0]
    line = Line(name)
    for text, cause in (*signs(line, scope, True), *factors(line, scope, True), *terms(line, scope, True)):
        new = f"{name} = {text}  # {'after the loop' if loops else 'on the next line'}"
        patch = Patch(statement.origin.code, end, end, f"\n{' ' * outermost.col_offset}{new}")
        yield Edit(statement, new, patch, cause, text)


def _indices(line: Line, scope: Scope) -> Iterator[tuple[str, Cause]]:
    """What is written to, at another index."""
    target: Any = line.tree
    for kind in (renamed, indexed, literals, masks):
        for text, cause in kind(line, scope, False):
            if text.startswith(line.of(target.value)) and text != line.text:
                yield text, "off-by-one-index" if kind is renamed else cause
    parts = target.slice.elts if isinstance(target.slice, ast.Tuple) else [target.slice]
    for part, name in itertools.product(parts, sorted(scope.counters)):
        if not isinstance(part, (ast.Slice, ast.Compare)) and line.of(part) != name:
            yield line.put(part, name), "off-by-one-index"


def _of_statement(statement: Statement, text: str, cause: Cause) -> Edit:
    return Edit(statement, text, statement.replaced(text), cause)


def around(statement: Statement, caller: Source | None = None) -> Iterator[Edit]:
    """Edits of the loops and conditions around a statement, the innermost first; or of the loops of its caller."""
    source = caller or statement.origin
    loops = [node for node in ast.walk(source.tree) if isinstance(node, ast.For)]
    for node in sorted(loops if caller else enclosing(statement), key=lambda node: -node.lineno):
        expression: Any = node.iter if isinstance(node, ast.For) else node.test
        start, end = source.span(expression)
        first = source.span(node)[0]
        line = Line(source.text[start:end])
        header = _header(source, node)
        for text, cause in _bounds(line) if isinstance(node, ast.For) else _conditions(line):
            new = header[: start - first] + text + header[end - first :]
            yield Edit(statement, new, Patch(source.code, start, end, text), cause)


def statement_node(statement: Statement) -> Any:
    """The tree of a statement."""
    nodes = (node for node in ast.walk(statement.origin.tree) if isinstance(node, ast.stmt))
    return next(node for node in nodes if statement.origin.span(node)[0] == statement.at)


def enclosing(statement: Statement) -> list[Any]:
    """The loops and conditions around a statement."""
    nodes = [n for n in ast.walk(statement.origin.tree) if isinstance(n, (ast.For, ast.If, ast.While))]
    spans = [(node, statement.origin.span(node)) for node in nodes]
    return [node for node, (first, last) in spans if first < statement.at < last]


def _header(source: Source, node: Any) -> str:
    """The first line of a loop or a condition."""
    first = source.span(node)[0]
    return re.sub(r"\s*(#.*)?$", "", source.text[first : source.span(node.body[0])[0]].rstrip())


def _bounds(line: Line) -> Iterator[tuple[str, str | None]]:
    """The bounds of a range, one more or one less; what is gone through backwards, or all of it."""
    way = "off-by-one-time"
    yield f"reversed({line.text})", way
    yield f"{tight(line.text)}[::-1]", way
    for node in line.nodes:
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "reversed" and len(node.args) == 1:
            yield line.replaced(node, line.of(node.args[0])), way
        if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Slice):
            yield line.replaced(node, line.of(node.value)), way
            yield line.replaced(node, f"{line.of(node.value)}[::-1]"), way
    for node in line.nodes:
        if not isinstance(node, ast.Call) or getattr(node.func, "id", "") != "range":
            continue
        time = "off-by-one-time" if re.search(r"\bt\b|time|T\b", line.text) else "off-by-one-index"
        arguments = [line.of(argument) for argument in node.args]
        ways: list[list[str]] = []
        for i, text in enumerate(arguments):
            plain = re.sub(r"\s*[+-]\s*1$", "", text)
            number = parsed(text)
            if isinstance(number, ast.Constant) and isinstance(number.value, int):
                changed = [f"{number.value - 1}", f"{number.value + 1}"]
            else:
                changed = [plain, f"{plain} + 1", f"{plain} - 1"]
            ways += [[*arguments[:i], new, *arguments[i + 1 :]] for new in changed if new != text]
        if len(arguments) == 2:
            ways.append(arguments[1:])
        if len(arguments) == 1:
            ways.append(["1", *arguments])
        for way in ways:
            yield line.replaced(node, f"range({', '.join(way)})"), time


def _conditions(line: Line) -> Iterator[tuple[str, str | None]]:
    for node in line.nodes:
        if isinstance(node, ast.Compare) and len(node.ops) == 1:
            left, right = line.of(node.left), line.of(node.comparators[0])
            for sign in ("<", ">", "==", "!="):
                yield line.replaced(node, f"{left} {sign} {right}"), None
            for bound in ("0", "1"):
                yield line.replaced(node.comparators[0], bound), None
