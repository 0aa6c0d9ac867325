"""Terms: forgotten, or too many; masks; functions, copies and kinds of number."""

from __future__ import annotations

import ast
import itertools
import re
from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np

from ..compare import same
from ..scope import Scope
from .line import UNARY, Candidate, Line, called, evaluated, has_word, product, tight


def terms(line: Line, scope: Scope, final: bool) -> Iterator[Candidate]:
    """A term: forgotten, or too much."""
    for node in line.nodes:
        if isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Add, ast.Sub)):
            left, right = line.of(node.left), line.of(node.right)
            negated = right if isinstance(node.op, ast.Add) else f"-{product(right)}"
            yield Candidate(line.replaced(node, left), _dropped_cause(line, right, scope))
            yield Candidate(line.replaced(node, negated), _dropped_cause(line, left, scope))
    for node in [line.tree, *(n for n in line.values if n is not line.tree)][:12]:
        text, value = line.of(node), evaluated(line.of(node), scope)
        if value is None:
            continue
        for name, other in scope.addends(np.shape(value)):
            if not has_word(name, text) and not same(other, value):
                for sign in "+-":
                    cause = partial(_added_cause, sign, name, value, other, scope)
                    yield Candidate(line.replaced(node, f"{text} {sign} {name}"), cause)
                if scope.is_parameter(other):
                    for penalty in _penalties(name, scope):
                        yield Candidate(line.replaced(node, f"{text} + {penalty}"), "regulariser-forgotten")


def _penalties(name: str, scope: Scope) -> Iterator[str]:
    """The gradient of a penalty on a parameter, in the ways in which it is written."""
    constant = (number for number in scope.numbers if number not in scope.varying)
    strengths = [number for number in constant if not re.search(r"\[[^\"\']", number)]  # items of lists are data
    for number, size in itertools.product(strengths, ("", *scope.sizes.values())):
        for factor in (number, f"2 * {number}", f"{number} / 2"):
            yield f"{factor}{f' / {size}' * bool(size)} * {name}"


def _added_cause(sign: str, name: str, value: Any, other: Any, scope: Scope) -> str | None:
    total = value + other * 1.0 if sign == "+" else value - other * 1.0
    if scope.is_parameter(total):
        return "updated-weights"
    is_one = scope.is_compared(other) or scope.has_target(name)
    branch = "missing-branch" if np.ndim(value) else None  # any number is what another lacks
    return "missing-target" if sign == "-" and is_one else branch


def _dropped_cause(line: Line, text: str, scope: Scope) -> str | None:
    if "*" in text and any(has_word(number.split(".")[-1], text) for number in scope.numbers):
        return "regulariser-on-wrong-parameter"
    return "accumulated-twice" if [line.of(term) for term in line.terms].count(text) > 1 else None


def masks(line: Line, scope: Scope, final: bool) -> Iterator[Candidate]:
    """A comparison the other way round, or of another value; what a mask lets through and what it stops."""
    for node in line.nodes:
        if isinstance(node, ast.Compare) and len(node.ops) == 1:
            left, right = line.of(node.left), line.of(node.comparators[0])
            cause = "relu-mask-inverted" if np.ndim(evaluated(left, scope)) else None
            for sign in ("<", ">", "<=", ">="):
                yield Candidate(line.replaced(node, f"{left} {sign} {right}"), cause)
        if isinstance(node, ast.IfExp):
            yield Candidate(line.replaced(node, line.of(node.body)), None)
            yield Candidate(line.replaced(node, line.of(node.orelse)), None)
        if isinstance(node, ast.Call) and called(node) == "where" and len(node.args) == 3:
            c, a, b = map(line.of, node.args)
            yield Candidate(line.replaced(node, f"np.where({c}, {b}, {a})"), "relu-mask-inverted")
            for z, part in itertools.product(node.args[1:], node.args[1:]):
                if z is not part and line.of(z) in ("0", "0.0"):  # the slope of a leaky one
                    for slope in (0.01, 0.1, 0.2):
                        new = f"{slope} * {product(line.of(part))}" if line.of(part) != "1" else f"{slope}"
                        yield Candidate(line.replaced(z, new), "wrong-local-derivative")


def functions(line: Line, scope: Scope, final: bool) -> Iterator[Candidate]:
    """Functions in the place of others."""
    for node in line.nodes:
        if isinstance(node, ast.Call) and len(node.args) == 1 and not node.keywords:
            argument, old = line.of(node.args[0]), line.of(node.func)
            if old in scope.functions or called(node) in UNARY:
                for name in (*scope.functions, *_unary(evaluated(argument, scope))):
                    if name != old:
                        yield Candidate(line.replaced(node, f"{name}({argument})"), _function_cause(old, name))
                yield Candidate(line.replaced(node, argument), None)


def wrapped(line: Line, scope: Scope, final: bool) -> Iterator[Candidate]:
    """A function that is missing."""
    for node in [*line.values, *(node for node in line.nodes if isinstance(node, ast.BinOp))]:
        if np.ndim(value := evaluated(line.of(node), scope)):
            for name in (*scope.functions, *_unary(value)):
                yield Candidate(line.replaced(node, f"{name}({line.of(node)})"), None)


def _unary(value: Any) -> Iterator[str]:
    """NumPy's functions of one value that make something else of this one: the sign of what is positive is nothing."""
    one_sign = value is not None and (np.all(np.asarray(value) >= 0) or np.all(np.asarray(value) <= 0))
    yield from (f"np.{name}" for name in UNARY if not one_sign or name not in ("sign", "abs"))


def summed(line: Line, scope: Scope, final: bool) -> Iterator[Candidate]:
    """What a list is made of, item by item: a term that is missing."""
    for node in line.nodes:
        if isinstance(node, (ast.ListComp, ast.GeneratorExp)):
            item = line.of(node.elt)
            names = [n.id for loop in node.generators for n in ast.walk(loop.target) if isinstance(n, ast.Name)]
            for name, sign in itertools.product(names, "+-"):
                yield Candidate(line.put(node.elt, f"{name} {sign} {product(item)}"), "missing-branch")
            for name in names:
                yield Candidate(line.put(node.elt, name), None)


def _function_cause(old: str, new: str) -> str | None:
    derivative = [bool(re.search(r"prime|deriv|grad|^d|_d|back", name.split(".")[-1])) for name in (old, new)]
    return "derivative-of-another-activation" if all(derivative) else None


def buffers(line: Line, scope: Scope, final: bool) -> Iterator[Candidate]:
    """Copies, and kinds of number."""
    for node in line.nodes:
        if isinstance(node, ast.Name) and not line.is_function(node) and np.ndim(evaluated(node.id, scope)):
            yield Candidate(line.replaced(node, f"{node.id}.copy()"), "aliasing")
    whole = tight(line.text)
    yield Candidate(f"{whole}.copy()", "aliasing")
    yield Candidate(f"{whole}.astype(float)", "integer-dtype")
    for node in line.nodes:
        if isinstance(node, ast.Call):
            kinds = [keyword.value for keyword in node.keywords if keyword.arg == "dtype"]
            kinds += [part for part in node.args if line.of(part) in ("int", "np.int32", "np.int64")]
            yield from (Candidate(line.replaced(kind, "float"), "integer-dtype") for kind in kinds)
            if called(node) in ("array", "asarray", "full") and not kinds:
                yield Candidate(line.replaced(node, f"{line.of(node)[:-1]}, dtype=float)"), "integer-dtype")
    for like in re.findall(r"np\.(?:zeros|empty|ones)_like\((\w+)\)", line.text):
        yield Candidate(line.text.replace(f"_like({like})", f"_like({like}, dtype=float)"), "integer-dtype")
