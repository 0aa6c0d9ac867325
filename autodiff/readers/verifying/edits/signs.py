"""Signs, constant factors and numbers."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import Any

import numpy as np

from ..scope import Scope, is_target
from .line import Candidate, Line, called, evaluated, product
from .slopes import is_slope, role_of

NUMBERS = (0, 1, 2, 3, 0.5, -0.5, 1.5, -1.5, -1, -2, 1e-5, 1e-8, 1e-7)


def signs(line: Line, scope: Scope, final: bool) -> Iterator[Candidate]:
    """The other sign, of all or of a term; a difference the other way round."""
    for node in line.nodes:
        is_axis = isinstance(line.parents.get(node), ast.keyword)
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub) and not is_axis:
            yield Candidate(line.replaced(node, line.of(node.operand)), None if line.is_index(node) else "sign")
        if isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Add, ast.Sub)):
            left, right = line.of(node.left), line.of(node.right)
            other = "+" if isinstance(node.op, ast.Sub) else "-"
            if isinstance(node.op, ast.Sub):
                yield Candidate(line.replaced(node, f"{right} - {product(left)}"), "sign")
            local = isinstance(node.left, ast.Constant)  # 1 + a**2
            cause = "off-by-one-index" if line.is_index(node) else "wrong-local-derivative" if local else "sign"
            yield Candidate(line.replaced(node, f"{left} {other} {product(right)}"), cause)
        if isinstance(node, ast.Call) and len(node.args) == 1:
            argument = line.of(node.args[0])
            yield Candidate(line.replaced(node.args[0], f"-{product(argument)}"), None)
    yield Candidate(f"-({line.text})" if isinstance(line.tree, ast.BinOp) else f"-{product(line.text)}", "sign")


def factors(line: Line, scope: Scope, final: bool) -> Iterator[Candidate]:
    """A constant, forgotten or too many: 2, 1/2, a size, a strength."""
    text = product(line.text)
    yield Candidate(f"2 * {text}", "factor-half")
    yield Candidate(f"{text} / 2", "factor-2")
    for size, name in scope.sizes.items():
        yield Candidate(f"{text} / {name}", f"size:{size}*")
        yield Candidate(f"{text} * {name}", f"size:{size}/")
    for number, name in {value: name for name, value in scope.numbers.items()}.items():
        if number not in (2.0, 0.5):
            learned = any(np.ndim(p) == 0 and float(p) == number for p in scope.parameters.values())
            cause = "missing-weight-factor" if learned else "factor-const" if name not in scope.varying else None
            if _is_of_target(name):
                cause = "missing-target"
            if number.is_integer() and int(number) in scope.sizes:
                yield Candidate(f"{text} / {name}", f"size:{int(number)}*")
                yield Candidate(f"{text} * {name}", f"size:{int(number)}/")
                continue
            yield Candidate(f"{text} / {name}", cause)
            yield Candidate(f"{name} * {text}", cause)
    for factor in line.factors:
        if line.parents.get(factor) is not None:
            yield Candidate(line.without(factor), dropped(line, factor, scope))
    for term in line.terms:
        yield from _scaled(line, term, scope)


def _is_of_target(name: str) -> bool:
    """Whether a number is an entry of what targets are called."""
    return any(map(is_target, re.findall(r"\w+", name)))


def _scaled(line: Line, term: Any, scope: Scope) -> Iterator[Candidate]:
    """One term of a sum, times or divided by a number."""
    text = product(line.of(term))
    penalty = any(scope.is_parameter(evaluated(word, scope)) for word in line.words(term))
    for size, name in {**scope.sizes, 2: "2"}.items():
        yield Candidate(line.put(term, f"{text} / {name}"), "regulariser-scale" if penalty else f"term:{size}")
        yield Candidate(line.put(term, f"{name} * {text}"), "regulariser-scale" if penalty else f"term:{1 / size}")


def dropped(line: Line, factor: Any, scope: Scope) -> str | None:
    """What is wrong with a gradient that is right without a factor."""
    value = evaluated(line.of(factor), scope)
    if value is None or np.size(value) != 1:
        return "activation-derivative-twice" if value is not None and role_of(value, scope) else None
    number, divided = float(np.ravel(value)[0]), line.is_divisor(factor)
    if isinstance(factor, ast.Constant) and number != -1 and line.is_in_sum(factor):
        return None  # of a formula, rather than of the whole
    if number in (2.0, 0.5):
        return "factor-half" if (number == 2.0) == divided else "factor-2"
    if number == int(number) and int(number) in scope.sizes:
        return f"size:{int(number)}{'/' if divided else '*'}"
    return "sign" if number == -1 else "factor-const"


def literals(line: Line, scope: Scope, final: bool) -> Iterator[Candidate]:
    """Another number in the place of one."""
    for node in line.nodes:
        if not isinstance(node, ast.Constant) or type(node.value) not in (int, float):
            continue
        value: Any = node.value
        parent = line.parents.get(node)
        counts = isinstance(parent, (ast.Subscript, ast.Slice, ast.Tuple, ast.keyword, ast.Compare))
        for new in NUMBERS:
            if new == value or not (new or counts) or not (abs(new) > 1e-3 or 0 < abs(value) < 1e-3 or counts):
                continue
            text = repr(new) if new >= 0 else f"({new})"
            place, base = (parent, _powered(line, parent)) if new == 1 else (node, None)
            if base is not None:  # to the power of 1
                yield Candidate(line.replaced(place, base), _literal_cause(line, parent, scope))
            elif new != 1 or not isinstance(parent, ast.BinOp) or isinstance(parent.op, (ast.Add, ast.Sub)):
                yield Candidate(line.replaced(node, text), _literal_cause(line, parent, scope))
        if not counts and not line.is_index(node):
            for name in (*scope.numbers, *scope.sizes.values()):
                is_one = _is_of_target(name)
                yield Candidate(line.replaced(node, name), "missing-target" if is_one else None)


def _literal_cause(line: Line, parent: Any, scope: Scope) -> str | None:
    if isinstance(parent, ast.keyword) and parent.arg == "ddof":
        return "ddof"
    if isinstance(parent, ast.Slice) and parent.step is not None:
        return None
    keyword = line.parents.get(parent)
    if isinstance(keyword, ast.keyword) and keyword.arg == "axis":
        return "bias-wrong-axis"
    if isinstance(parent, (ast.Subscript, ast.Slice, ast.Tuple)):
        return "off-by-one-index"
    base = _powered(line, parent)
    if base is None:
        return "ratio"
    if is_slope(base, scope):
        return "activation-derivative-twice"
    return "wrong-loss-derivative" if scope.has_target(base) else "wrong-local-derivative"


def _powered(line: Line, node: Any) -> str | None:
    """The base of a power."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow):
        return line.of(node.left)
    return line.of(node.args[0]) if isinstance(node, ast.Call) and called(node) == "power" else None


def exponents(line: Line, scope: Scope, final: bool) -> Iterator[Candidate]:
    """What differentiating a power brings in front of it, forgotten: 3 x**2, of x**3."""
    for node in line.nodes:
        exponent: Any = node.right if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow) else None
        if isinstance(exponent, ast.Constant) and type(exponent.value) is int:
            term, parent = node, line.parents.get(node)
            while isinstance(parent, ast.BinOp) and isinstance(parent.op, (ast.Mult, ast.Div)):
                term, parent = parent, line.parents.get(parent)
            text = product(line.of(term))
            for factor in (exponent.value + 1, exponent.value):
                yield Candidate(line.replaced(term, f"{factor} * {text}"), "wrong-local-derivative")


def counts(line: Line, scope: Scope, final: bool) -> Iterator[Candidate]:
    """N - 1 where N belongs, and the other way round; a small constant that is not added."""
    for node in line.nodes:
        value = evaluated(line.of(node), scope) if isinstance(node, (ast.Name, ast.Attribute)) else None
        if isinstance(value, int) and value in scope.sizes and not isinstance(line.parents.get(node), ast.Compare):
            yield Candidate(line.replaced(node, f"{line.of(node)} - 1"), "ddof")
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Sub) and line.of(node.right) == "1":
            count = line.of(node.left)
            if isinstance(line.parents.get(node), ast.Compare) or line.is_index(node):
                continue
            yield from [Candidate(line.replaced(node, count), "ddof")] * isinstance(evaluated(count, scope), int)
    operands = [node for node in line.nodes if isinstance(line.parents.get(node), ast.BinOp)]
    for node in operands:
        if node in line.values or (isinstance(node, ast.Call) and len(node.args) == 1):
            yield Candidate(line.replaced(node, f"{line.of(node)}**2"), "wrong-local-derivative")
    small = [name for name, value in scope.numbers.items() if 0 < value < 0.1 or "eps" in name.lower()]
    for node in line.values:
        for name in small:
            if not scope.words(line.of(node)) & {name}:
                yield Candidate(line.replaced(node, f"{line.of(node)} + {name}"), "epsilon-ignored")
