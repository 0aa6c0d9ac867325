"""Another value, or another place in it, where one stands."""

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
from .line import PLAIN, Candidate, Line, called, evaluated, is_numpy, parsed

MOST = 16  # values in a row of which two are exchanged


def renamed(line: Line, scope: Scope, final: bool) -> Iterator[Candidate]:
    """Another value in the place of one; of all of the same name in a factor, too."""
    for node in line.values:
        old = line.of(node)
        value = evaluated(old, scope)
        if value is None:
            continue
        for new, other in scope.arrays.items() if np.ndim(value) else scope.values.items():
            if new != old and not new.startswith("_") and not same(value, other):
                yield Candidate(
                    line.replaced(node, new), partial(_rename_cause, line, node, new, value, other, scope, final)
                )
        if old in scope.updates:
            before = scope.updates[old]
            is_weight = scope.is_parameter(evaluated(before, scope))
            yield Candidate(line.replaced(node, before), "updated-weights" if is_weight else "accumulated-twice")
        if isinstance(node, ast.Subscript):
            yield from shifted(line, node)
            yield Candidate(line.replaced(node, line.of(node.value)), None)
    for factor in [*line.factors, line.tree]:
        text = line.of(factor)
        for old in {line.of(n) for n in line.values if n in set(ast.walk(factor))} & set(scope.arrays):
            for new in scope.arrays if text.count(old) > 1 else ():
                if new != old:
                    everywhere = re.sub(rf"(?<![\w.]){re.escape(old)}(?!\w)", new.replace("\\", "\\\\"), text)
                    yield Candidate(line.replaced(factor, everywhere), partial(_form_cause, old, new, scope))


def swapped(line: Line, scope: Scope, final: bool) -> Iterator[Candidate]:
    """Two arguments, or two items of a tuple or a list, in the other order."""
    for node in line.nodes:
        items: list[Any] = node.args if isinstance(node, ast.Call) else getattr(node, "elts", [])
        if 2 <= len(items) <= (4 if isinstance(node, ast.Call) else MOST) and not line.is_index(node):
            for a, b in itertools.combinations(items, 2):
                first, second = line.span(a), line.span(b)
                between = line.text[first[1] : second[0]]
                text = line.text[: first[0]] + line.of(b) + between + line.of(a) + line.text[second[1] :]
                yield Candidate(text, None)


def indexed(line: Line, scope: Scope, final: bool) -> Iterator[Candidate]:
    """One more index, that a loop counts, where a row of an array stands."""
    for node in line.nodes:
        if isinstance(node, ast.Subscript) and np.ndim(evaluated(line.of(node), scope)):
            for name in sorted(scope.counters):
                index = f"{line.of(node.slice)}, {name}"
                yield Candidate(line.replaced(node, f"{line.of(node.value)}[{index}]"), "off-by-one-index")


def _rename_cause(line: Line, node: Any, new: str, value: Any, other: Any, scope: Scope, final: bool) -> str | None:
    if isinstance(value, int) and isinstance(other, int):
        return "ratio"  # of two counts
    if np.ndim(value) == 2 and same(np.transpose(value), other):
        return "gradient-transposed" if final else "weight-not-transposed" if scope.is_parameter(other) else None
    parent = line.parents.get(node)
    if isinstance(parent, ast.BinOp) and isinstance(parent.op, ast.Div) and node is parent.right:
        return None
    counted = isinstance(node, ast.Subscript) and not isinstance(node.slice, (ast.Constant, ast.JoinedStr))
    if counted and new.startswith(f"{line.of(node.value)}["):
        return _shift(line.of(node.slice))
    around = _enclosing(line, node, scope)
    if around in ("call", "factor"):
        for applied in scope.applied:
            a = scope.floats.get(applied.a or "")
            if a is not None and same(other, applied.z_value) and same(value, a):
                return "activation-derivative-at-activation"
            if a is not None and same(other, a) and same(value, applied.z_value):
                return "output-form-on-preactivation"
    if around == "mask":
        return "relu-mask-from-wrong-tensor"
    if around in ("call", "factor"):
        return "activation-derivative-of-wrong-layer" if _is_activation(value, scope) else None
    if scope.is_parameter(other):
        if _is_penalty(line, node, scope):
            return "regulariser-on-wrong-parameter"
        if np.shape(other) == np.shape(value) and _near(value, other):
            return "updated-weights"
    mine, wanted = scope.delta_of(value), scope.delta_of(other)
    if not final and mine is not None and wanted is not None:
        scaled = any(np.ndim(p) < 2 and _is_times(value, p, other) for p in scope.parameters.values())
        return "missing-weight-factor" if scaled else "skipped-layer" if mine > wanted else "wrong-tensor-in-delta"
    delta = wanted is not None or re.match(r"(d[A-Z_]|d[a-z]{0,3}\d*$|delta|grad|g_|err)", new.split(".")[-1])
    if not final:
        return "wrong-tensor-in-delta"
    return _instead_of_delta(value, other, scope) if delta else "wrong-tensor-in-weight-gradient"


def _instead_of_delta(value: Any, wanted: Any, scope: Scope) -> str:
    """Which mistake a gradient is of that was made of another derivative than the one it should be made of."""
    for slope in (*(slope for _, slope in scope.slopes), *(applied.slope for applied in scope.applied)):
        if np.shape(value) == np.shape(wanted) == slope.shape:
            if same(value * slope, wanted):
                return "missing-activation-derivative"
            if same(value, wanted * slope):
                return "activation-derivative-twice"
    return "wrong-tensor-in-weight-gradient"


def _is_penalty(line: Line, node: Any, scope: Scope) -> bool:
    """Whether a value stands in a sum, times numbers at most, as the gradient of a penalty does."""
    parent: Any = line.parents.get(node)
    while isinstance(parent, ast.BinOp) and isinstance(parent.op, (ast.Mult, ast.Div)):
        beside = parent.right if parent.left is node else parent.left
        if np.ndim(evaluated(line.of(beside), scope)):
            return False
        node, parent = parent, line.parents.get(parent)
    return isinstance(parent, ast.BinOp) and isinstance(parent.op, (ast.Add, ast.Sub))


def _is_activation(value: Any, scope: Scope) -> bool:
    applied = [x for x in scope.applied if x.is_slope_only]
    return any(same(value, x.z_value) or (x.a and same(value, scope.floats[x.a])) for x in applied)


def _is_times(a: Any, weights: Any, b: Any) -> bool:
    """Whether one is the other times weights, entry by entry."""
    try:
        return same(np.asarray(a) * weights, b)
    except ValueError:
        return False


def _near(a: Any, b: Any) -> bool:
    """Whether one is the other after a small step."""
    a, b = np.asarray(a, float), np.asarray(b, float)
    return float(np.linalg.norm(a - b)) < 0.5 * float(np.linalg.norm(b))


def _form_cause(old: str, new: str, scope: Scope) -> str | None:
    if shift := shift_between(old, new):
        return shift
    for applied in scope.applied:
        if (old, new) == (applied.z, applied.a):
            return "output-form-on-preactivation"
        if (old, new) == (applied.a, applied.z):
            return "activation-derivative-at-activation"
    if any(old in (x.z, x.a) for x in scope.applied) and any(new in (x.z, x.a) for x in scope.applied):
        return "activation-derivative-of-wrong-layer"
    return None


def _enclosing(line: Line, node: Any, scope: Scope) -> str:
    """What a value is used for: inside a user's function of one argument, a comparison, a factor a(1-a)."""
    parent: Any = line.parents.get(node)
    while parent is not None:
        if isinstance(parent, ast.Compare):
            return "mask"
        applied = isinstance(parent, ast.Call) and called(parent) not in PLAIN
        if applied and (len(parent.args) == 1 or not is_numpy(parent)):
            result = evaluated(line.of(parent), scope)
            return "call" if result is None or np.shape(result) == np.shape(evaluated(line.of(node), scope)) else ""
        if isinstance(parent, ast.BinOp) and isinstance(parent.op, ast.Sub) and isinstance(parent.left, ast.Constant):
            return "factor"
        parent = line.parents.get(parent)
    return ""


def shifted(line: Line, node: ast.Subscript) -> Iterator[Candidate]:
    """The neighbour in a list, in time or in an array: each index one more, or one less."""
    index: Any = node.slice
    for part in index.elts if isinstance(index, ast.Tuple) else [index]:
        text = line.of(part) if not isinstance(part, ast.Slice) else ""
        if isinstance(part, ast.Slice):
            bounds = [bound for bound in (part.lower, part.upper) if bound is not None]
            for bound in bounds:
                for new in _neighbours(bound, line.of(bound)):
                    yield Candidate(line.put(bound, new), "off-by-one-index")
            for bound in dict.fromkeys(_plain(line.of(bound)) for bound in bounds):
                for new in (f"{bound}:", f":{bound}", "1:", ":-1"):
                    yield Candidate(line.put(part, new), "off-by-one-index")
        else:
            for new in _neighbours(part, text):
                yield Candidate(line.put(part, new), _shift(line.of(index)))


def _neighbours(node: Any, text: str) -> list[str]:
    if isinstance(node, ast.Constant):
        return [f"{node.value + 1}", f"{node.value - 1}"] if isinstance(node.value, int) else []
    plain = _plain(text)
    return [t for t in (plain, f"{plain} + 1", f"{plain} - 1", f"{text} + 1", f"{text} - 1") if t != text]


def _plain(index: str) -> str:
    """`t` of `t - 1`."""
    return re.sub(r"\s*[+-]\s*1$", "", index)


def shift_between(old: str, new: str) -> str | None:
    """What is wrong where one item of a list stands for another."""
    trees = [parsed(old), parsed(new)]
    if not all(isinstance(tree, ast.Subscript) for tree in trees):
        return None
    (base, index), (other, _) = [(ast.unparse(tree.value), ast.unparse(tree.slice)) for tree in trees]  # type: ignore[union-attr]
    return _shift(index) if base == other else None


def _shift(index: str) -> str:
    """A list or dict is indexed by the time alone; an array by several things, which are no time."""
    if "," in index or ":" in index:
        return "off-by-one-index"
    return "off-by-one-time" if re.search(r"\bt\b|time", index) else "off-by-one-index"
