"""Equations that hold where a local derivative is wrong: forgotten, twice, of another function or value."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from ..activations import ACTIVATIONS, PARTS
from ..compare import ratio, same
from ..view import Applied
from .pair import Pair, dots, fits, products


def missing_slope(p: Pair) -> bool:
    ends = p.view.of_itself(p.node) if p.node is not None else []
    for x in p.applied:
        if x.activation.name in PARTS and x.node not in ends:
            continue  # exp is a part of softplus
        tells = np.all(x.slope != 0) or same(p.hand, x.arriving)  # a mask may stand there twice
        if tells and not same(x.slope, np.ones_like(x.slope)) and same(p.hand * x.slope, p.true):
            return True
    return _through(p, lambda x: x.arriving) or unknown_slope(p)


def unknown_slope(p: Pair) -> bool:
    """What arrives at the end of a formula of the value alone, softmax say, where nothing else is made of the value."""
    if p.node is None or p.true.size < 2 or p.is_parameter or len(ends := p.view.of_itself(p.node)) != 1:
        return False
    arriving = p.view.adjoints.get(ends[0])
    if any(same(p.hand, part) for _, part in p.parts) or ratio(p.hand, p.true) is not None:
        return False  # it is another use that is missing, or a sign
    return arriving is not None and same(p.hand, p.factor * arriving) and not same(p.hand, p.true)


def slope_twice(p: Pair) -> bool:
    """Also where a later line multiplies by it: the derivative by what the activation is of, not by its result."""
    made = [x for x in p.view.every if x.node is p.node]
    tail = p.node is not None and p.view.is_tail(p.node)  # what the loss itself is made of is no activation
    known = [x for x in (*p.applied, *made) if not tail or x.activation.name not in ("", *PARTS)]
    return any(same(p.hand, p.true * x.slope) for x in known) or _through(p, lambda x: x.arriving * x.slope**2)


def _through(p: Pair, changed: Callable[[Applied], Any]) -> bool:
    """Whether the derivative that the line multiplies by a matrix is another one than that before the activation."""
    for product in products(p):
        for x in p.view.activated(product.user):
            wrong, right = p.factor * changed(x), p.factor * x.arriving * x.slope
            changes = same(right, product.arriving) and not same(wrong, right)
            if changes and any(same(p.hand, dot * product.slope) for dot in dots(wrong, product.other)):
                return True
    return False


def slope_at_activation(p: Pair) -> bool:
    return p.times(lambda x: iter([x.activation.slope(x.a) * 1.0]))


def output_form(p: Pair) -> bool:
    return p.times(lambda x: iter([x.activation.of_output(x.z)] if x.activation.name != "exp" else []))


def slope_of_another_layer(p: Pair) -> bool:
    own = {x.node for x in p.applied}

    def factors(x: Applied) -> Iterator[Any]:
        for other in p.view.every:
            if other.node not in own and not same(other.z, x.z) and not _is_of_another_time(p, x, other):
                slopes = other.slope, x.activation.slope(other.z) * 1.0
                yield from (slope for slope in slopes if fits(slope, x.slope))

    return p.times(factors)


def _is_of_another_time(p: Pair, one: Applied, other: Applied) -> bool:
    """Whether the same line of a loop has made both: it is not the layer that is another."""
    return one.node in p.view.places and p.view.places[one.node] == p.view.places.get(other.node)


def another_activation(p: Pair) -> bool:
    def factors(x: Applied) -> Iterator[Any]:
        for activation in ACTIVATIONS if x.activation.name not in ("", *PARTS) else ():
            if activation.name not in (x.activation.name, "square") and not same(activation.slope(x.z) * 1.0, x.a):
                yield activation.slope(x.z) * 1.0
                if activation.name not in ("silu", "exp"):
                    yield activation.of_output(x.a)

    return p.times(factors)


def _is_relu(x: Applied) -> bool:
    return x.activation.name == "relu"


def mask_inverted(p: Pair) -> bool:
    return p.times(lambda x: iter([(x.z <= 0) * 1.0, (x.z < 0) * 1.0] if _is_relu(x) else []))


def mask_of_another(p: Pair) -> bool:
    """What arrives, let through at other entries than those where z > 0."""
    for x in p.applied:
        if _is_relu(x) and np.shape(p.hand) == x.arriving.shape:
            passed = (np.asarray(p.hand) != 0) & (x.arriving != 0)
            if same(p.hand, x.arriving * passed) and not passed[x.arriving != 0].all():
                return True
    return False


def diagonal_only(p: Pair) -> bool:
    """s(1 - s) for softmax."""
    if p.node is None or p.true.ndim == 0:
        return False
    for u in p.view.along(p.node):
        s, arriving = p.view.values.get(u), p.view.adjoints.get(u)
        if s is None or arriving is None or s.ndim == 0:
            continue
        sums = [s.sum(axis=axis) for axis in range(s.ndim)]
        if any(same(total, np.ones_like(total)) for total in sums):
            k = p.factor
            if same(p.hand, k * arriving * s * (1 - s)) or same(p.hand, k * arriving * s):
                return True
    return False
