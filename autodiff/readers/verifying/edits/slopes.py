"""The derivative of an activation: forgotten, twice, of another one, at another value."""

from __future__ import annotations

import ast
import itertools
import re
from collections.abc import Iterator
from typing import Any

import numpy as np

from ..activations import ACTIVATIONS, Activation
from ..compare import same
from ..scope import Applied, Scope
from .line import Candidate, Line, evaluated, parsed, product
from .names import shift_between


def slopes(line: Line, scope: Scope, final: bool) -> Iterator[Candidate]:
    """The derivative of an activation: forgotten, twice, of another one, at another value."""
    for factor in line.factors:
        text = line.of(factor)
        value = evaluated(text, scope)
        if is_slope(text, scope) or re.search(r"prime|deriv|slope|grad|_d\b|\bd_", text):
            yield Candidate(line.without(factor), "activation-derivative-twice")
        if value is None or not isinstance(line.parents.get(factor), (ast.BinOp, ast.Call)):
            continue
        for applied in scope.applied:
            if applied.slope.shape == np.shape(value):
                cause = _slope_cause(text, value, applied, scope)
                for way in applied.ways:
                    yield Candidate(line.replaced(factor, product(way)), cause)
        for way in (*scope.guessed(np.shape(value)), *_of_the_same(text, value, scope)):
            yield Candidate(line.replaced(factor, product(way)), None)
    yield from _pairs(line, scope)
    for node in [line.tree, *(chain.node for chain in line.chains if chain.node is not line.tree)]:
        value = evaluated(line.of(node), scope)
        for applied in scope.applied:
            if value is not None and applied.slope.shape == np.shape(value):
                cause = _slope_cause(line.of(node), value, applied, scope)
                yield from (Candidate(line.replaced(node, way), cause) for way in applied.ways)
    for node in line.linear:
        text = line.of(node)
        ways = {way: applied.is_slope_only for applied in scope.applied for way in applied.ways}
        ways |= dict.fromkeys(scope.guessed(np.shape(evaluated(text, scope))), True)
        for way, tells in ways.items():
            new = f"{product(text)} * {product(way)}"
            yield Candidate(line.replaced(node, new), "missing-activation-derivative" if tells else None)


def _of_the_same(text: str, value: Any, scope: Scope) -> Iterator[str]:
    """The derivatives of all activations at the values that a factor speaks of."""
    for name in scope.words(text) & set(scope.floats):
        if scope.floats[name].shape == np.shape(value):
            for activation in ACTIVATIONS:
                yield activation.from_z.format(z=name)
                yield activation.from_a.format(a=name)


def _pairs(line: Line, scope: Scope) -> Iterator[Candidate]:
    """Two factors of a product at once, as in `delta * a * (1 - a)`."""
    for root in line.chains:
        parts = [line.of(node) for node in root.factors]
        for i, j in itertools.combinations(range(len(parts)), 2):
            rest = [part for k, part in enumerate(parts) if k not in (i, j)]
            value = evaluated(f"({parts[i]}) * ({parts[j]})", scope)
            if not rest or not np.ndim(value):
                continue
            text = f"({parts[i]}) * ({parts[j]})"
            cause = "activation-derivative-twice" if is_slope(text, scope) else None
            yield Candidate(line.replaced(root.node, " * ".join(rest)), cause)
            ways: dict[str, str | None] = dict.fromkeys(scope.guessed(np.shape(value)))
            for applied in scope.applied:
                if applied.slope.shape == np.shape(value):
                    ways |= dict.fromkeys(applied.ways, _slope_cause(text, value, applied, scope))
            for way, cause in ways.items():
                yield Candidate(line.replaced(root.node, " * ".join(map(product, [*rest, way]))), cause)


def _slope_cause(text: str, value: Any, applied: Applied, scope: Scope) -> str | None:
    """What is wrong with a factor that stands where an activation's derivative should."""
    if _is_of_another_time(text, applied):
        return "off-by-one-time"
    passed = [x.slope for x in scope.behind]  # parts of the same formula
    with np.errstate(all="ignore"):
        for other in scope.applied:
            another = other is not applied and not any(same(other.slope, own) for own in (applied.slope, *passed))
            if another and other.is_slope_only and same(value, other.slope):
                return "activation-derivative-of-wrong-layer"
        if applied.a is not None and same(value, applied.activation.slope(scope.floats[applied.a])):
            return "activation-derivative-at-activation"
        if applied.z is not None and same(value, applied.activation.of_output(scope.floats[applied.z])):
            return "output-form-on-preactivation"
        itself = applied.a is not None and same(value, scope.floats[applied.a])  # softplus' derivative is the sigmoid
        for activation in ACTIVATIONS if not itself else ():
            if activation.name != applied.activation.name and any(
                same(value, form) for form in _forms(activation, applied, scope)
            ):
                return "derivative-of-another-activation"
    if any(way.split("(")[0] == text.split("(")[0] for way in applied.own):
        is_mask = applied.activation.name in ("relu", "leaky")
        of_delta = any(scope.delta_of(scope.floats[name]) is not None for name in scope.words(text) & set(scope.floats))
        return "relu-mask-from-wrong-tensor" if is_mask and of_delta else "activation-derivative-of-wrong-layer"
    if {applied.a, applied.z} & scope.words(text):
        return "wrong-local-derivative"
    layers = [(z, slope) for z, slope in scope.slopes if not any(same(slope, own) for own in passed)]
    elsewhere = any(same(value, slope) and not same(z, applied.z_value) for z, slope in layers)
    return "activation-derivative-of-wrong-layer" if elsewhere else None


def _is_of_another_time(text: str, applied: Applied) -> bool:
    """Whether it speaks of `h[t - 1]` where `h[t]` belongs."""
    tree = parsed(text)
    nodes = ast.walk(tree) if tree is not None else ()
    spoken = {ast.unparse(node) for node in nodes if isinstance(node, ast.Subscript)}
    right = {name for name in (applied.a, applied.z) if name}
    shifts = (shift_between(word, name) for word in spoken for name in right)
    return not spoken & right and "off-by-one-time" in shifts


def _forms(activation: Activation, applied: Applied, scope: Scope) -> Iterator[Any]:
    yield activation.slope(applied.z_value) * 1.0
    if applied.a is not None:
        yield activation.of_output(scope.floats[applied.a])
        yield activation.slope(scope.floats[applied.a]) * 1.0


def role_of(value: Any, scope: Scope) -> Applied | None:
    """The activation whose derivative a value is."""
    if value is None:
        return None
    return next((applied for applied in scope.applied if same(value, applied.slope)), None)


def is_slope(text: str, scope: Scope) -> bool:
    """Whether a text is the derivative of an activation, of values in reach or of any of them."""
    value = evaluated(text, scope)
    if value is None or role_of(value, scope) or any(same(value, slope) for _, slope in scope.slopes):
        return value is not None
    arrays = [scope.floats[n] for n in scope.words(text) & set(scope.floats)]
    forms = [form for a in arrays if a.shape == np.shape(value) for form in (a * (1 - a), 1 - a**2)]
    return any(same(value, form) for form in forms)
