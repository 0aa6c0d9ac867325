"""Products and sums: their kind, their order, their axes, and factors that are missing."""

from __future__ import annotations

import ast
import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np

from ..scope import Scope, is_target
from .line import (
    REDUCTIONS,
    Candidate,
    Line,
    called,
    evaluated,
    has_word,
    is_matrix,
    is_numpy,
    operands,
    product,
    tight,
)
from .signs import dropped
from .slopes import is_slope

AXES = (0, 1, -1, (0, 1), None)


def transposed(line: Line, scope: Scope, final: bool) -> Iterator[Candidate]:
    """A matrix the other way round."""
    for node in line.nodes:
        value: Any = evaluated(line.of(node), scope) if not line.is_function(node) else None
        weight = np.ndim(value) == 2 and (scope.is_parameter(value) or scope.is_parameter(np.transpose(value)))
        cause = "gradient-transposed" if node is line.tree else "weight-not-transposed" if weight else None
        reduces = "sum" in line.text or "mean" in line.text
        if reduces and isinstance(line.parents.get(node), (ast.Call, ast.Attribute)):
            cause = "bias-wrong-axis"
        if isinstance(node, ast.Attribute) and node.attr == "T":
            yield Candidate(line.replaced(node, line.of(node.value)), cause)
        elif isinstance(node, ast.Call) and called(node) == "transpose":
            inner = node.args[0] if node.args else node.func.value if isinstance(node.func, ast.Attribute) else None
            if inner is not None:
                yield Candidate(line.replaced(node, line.of(inner)), cause)
        elif np.ndim(value) == 2:
            yield Candidate(line.replaced(node, f"{tight(line.of(node))}.T"), cause)


def products(line: Line, scope: Scope, final: bool) -> Iterator[Candidate]:
    """Matrix products and elementwise ones, their order, and a factor too many."""
    for node in line.nodes:
        parts = operands(node)
        if parts is None:
            continue
        left, right = map(line.of, parts)
        yield from _matrices(line, node, left, right) if is_matrix(node) else _elements(line, node, parts, final)
        by_elements = not is_matrix(node)
        yield Candidate(line.replaced(node, left), dropped(line, parts[1], scope) if by_elements else None)
        yield Candidate(line.replaced(node, right), dropped(line, parts[0], scope) if by_elements else None)


def _matrices(line: Line, node: Any, left: str, right: str) -> Iterator[Candidate]:
    yield Candidate(line.replaced(node, f"{product(left)} * {product(right)}"), "matmul-for-elementwise")
    if called_outer(node):
        yield Candidate(line.replaced(node, f"np.outer({right}, {left})"), "gradient-transposed")
        return
    lt, rt = f"{tight(left)}.T", f"{tight(right)}.T"
    for a, b in ((right, left), (rt, lt), (lt, right), (left, rt)):
        cause = "gradient-transposed" if a != left else "weight-not-transposed"
        yield Candidate(line.replaced(node, _dot(node, a, b)), cause)


def called_outer(node: Any) -> bool:
    """Whether it is np.outer(a, b)."""
    return isinstance(node, ast.Call) and called(node) == "outer"


def _dot(node: Any, left: str, right: str) -> str:
    """A matrix product as the user writes them."""
    if isinstance(node, ast.BinOp):
        return f"{tight(left)} @ {tight(right)}"
    if not is_numpy(node):
        return f"{tight(left)}.dot({right})"
    return f"np.{called(node)}({left}, {right})"


def _elements(line: Line, node: Any, parts: tuple[Any, Any], final: bool) -> Iterator[Candidate]:
    left, right = map(line.of, parts)
    cause = "elementwise-after-matmul" if final else "matmul-for-elementwise"
    for a, b in ((left, right), (right, left), (left, f"{tight(right)}.T"), (f"{tight(left)}.T", right)):
        yield Candidate(line.replaced(node, f"np.dot({a}, {b})"), cause)
    for matrix, slope in ((parts[0], right), (parts[1], left)):
        inner = operands(matrix)
        if inner is not None and is_matrix(matrix):  # `aT @ d * s` for `aT @ (d * s)`, `d @ wT * s` for `(d * s) @ wT`
            a, d = map(line.of, inner)
            for text in (
                _dot(matrix, a, f"{product(d)} * {product(slope)}"),
                _dot(matrix, f"{product(a)} * {product(slope)}", d),
            ):
                yield Candidate(line.replaced(node, text), "elementwise-after-matmul")


def multiplied(line: Line, scope: Scope, final: bool) -> Iterator[Candidate]:
    """A factor that is missing: weights, or any value."""
    for node in line.linear:
        text = line.of(node)
        for name, value in scope.arrays.items():
            if value.ndim == 2:
                for a, b in ((text, f"{name}.T"), (f"{name}.T", text), (text, name), (name, text)):
                    yield Candidate(line.replaced(node, f"np.dot({a}, {b})"), "missing-weight-factor")
            if name != text:
                is_one = scope.is_compared(value) and any(map(is_target, scope.words(name)))
                cause = "missing-target" if is_one else _lacking(line, name, scope)
                yield Candidate(line.replaced(node, f"{product(text)} * {name}"), cause)
                yield Candidate(line.replaced(node, f"{product(text)} / {name}"), None)
        if np.ndim(evaluated(text, scope)) == 0:
            for name, value in scope.numbers.items():
                if name != text:
                    cause = "missing-weight-factor" if scope.is_parameter(value) else None
                    yield Candidate(line.replaced(node, f"{product(text)} * {name}"), cause)


def _lacking(line: Line, name: str, scope: Scope) -> str | None:
    """What is wrong without a factor: an activation's derivative, or a part of a formula that speaks of it already."""
    if is_slope(name, scope):
        return "missing-activation-derivative"
    applied = any(name in (x.a, x.z) for x in scope.applied)
    return "wrong-local-derivative" if applied and has_word(name, line.text) else None


def reductions(line: Line, scope: Scope, final: bool) -> Iterator[Candidate]:
    """Sums: forgotten, along another axis, a mean in their place."""
    for axis, keep in itertools.product(AXES, (False, True)):
        yield Candidate(f"np.sum({line.text}{_axis(axis, keep)})", "bias-not-reduced")
    for node in line.nodes:
        if not isinstance(node, ast.Call) or called(node) not in REDUCTIONS or not (node.args or not is_numpy(node)):
            continue
        array: Any = node.args[0] if is_numpy(node) else getattr(node.func, "value", None)
        if array is None:
            continue
        inner, name = line.of(array), called(node)
        keeps = any(k.arg == "keepdims" for k in node.keywords)
        softmax = "exp" in line.text or any(_sums_to_one(evaluated(line.of(n), scope)) for n in line.nodes)
        of_all = not any(k.arg == "axis" for k in node.keywords) and len(node.args) < 1 + is_numpy(node)
        cause = (
            "softmax-wrong-axis" if softmax else "bias-wrong-axis" if final else "reduced-too-early" * of_all or None
        )
        for axis, keep in itertools.product(AXES, (keeps, not keeps)):
            start = f"np.{name}({inner}" if is_numpy(node) else f"{tight(inner)}.{name}("
            options = _axis(axis, keep) if is_numpy(node) else _axis(axis, keep).removeprefix(", ")
            yield Candidate(line.replaced(node, f"{start}{options})"), cause)
        if name in ("mean", "sum"):
            other = "sum" if name == "mean" else "mean"
            yield Candidate(line.replaced(node, line.of(node).replace(name, other, 1)), name)
        yield Candidate(line.replaced(node, inner), "reduced-too-early")
    yield Candidate(f"{tight(line.text)}.T.sum(axis=0)", "bias-wrong-axis")


def _axis(axis: Any, keep: bool) -> str:
    return ("" if axis is None else f", axis={axis}") + ", keepdims=True" * keep


def _sums_to_one(value: Any) -> bool:
    """Whether an array holds probabilities, along one of its axes."""
    if np.ndim(value) < 2 or value.dtype.kind != "f" or not np.all(value >= 0):
        return False
    return any(np.allclose(value.sum(axis=axis), 1.0, rtol=1e-6) for axis in range(value.ndim))
