"""Equations that hold where a sum is wrong: a term forgotten or counted twice, an axis, a penalty, the target."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from ....graph import Node
from ..compare import EXACT, penalises, ratio, same
from ..truth import is_piece, largest
from ..view import Applied
from .factors import left_out
from .pair import Pair, products

SMALL = 0.03  # a constant that is there to avoid a division by 0, and what it changes


def detached(p: Pair) -> bool:
    return not np.any(p.hand) and np.shape(p.hand) in ((), np.shape(p.true))


def not_reduced(p: Pair) -> bool:
    """The rows of a derivative that should be added up."""
    hand = np.asarray(p.hand)
    if hand.size <= p.true.size or hand.dtype.kind != "f":
        return False
    axes = [a for n in range(1, hand.ndim + 1) for a in itertools.combinations(range(hand.ndim), n)]
    return any(same(np.ravel(hand.sum(axis=a)), p.true.ravel()) for a in axes)


def wrong_axis(p: Pair) -> bool:
    """The sum over another axis of that of which it should be the sum."""
    if p.node is None or not p.is_parameter:
        return False
    hand = np.ravel(p.hand)
    for user in p.view.users[p.node]:
        arriving = p.view.adjoints.get(user)
        if arriving is None or arriving.ndim < 2 or arriving.size == p.true.size:
            continue
        arriving = p.factor * arriving
        reductions = [arriving.sum(axis=a) for a in range(arriving.ndim)] + [arriving.sum()]
        if any(same(np.ravel(r), p.true.ravel()) for r in reductions):
            return any(
                same(np.broadcast_to(np.ravel(r), hand.shape) if np.size(r) == 1 else np.ravel(r), hand)
                for r in reductions
            )
    return False


def wrong_shape(p: Pair) -> bool:
    hand = np.asarray(p.hand)
    return hand.shape != p.true.shape and hand.size == p.true.size and same(hand.ravel(), p.true.ravel())


def integer(p: Pair) -> bool:
    return np.asarray(p.computed).dtype.kind in "iu" and not same(np.round(p.true), p.true)


def _of_prediction(p: Pair, rest: Any) -> bool:
    """Whether something is a constant times the prediction, with or without a local derivative."""
    if p.node is None or p.true.size < 2:
        return False
    slopes = [1.0, *(x.slope for x in p.applied)]
    nodes = [p.node, *p.view.along(p.node, p.view.compares)]
    values = [p.view.values[u] for u in nodes if u in p.view.values]
    return any(ratio(rest, value * slope) is not None for value in values for slope in slopes)


def missing_target(p: Pair) -> bool:
    """What is left is a multiple of the prediction alone."""
    if p.node is None or p.is_parameter:
        return False
    if p.view.compares(p.node):  # the target is in the value already
        inputs = (x for x in p.node.inputs if isinstance(x, Node) and x.needs)
        return p.true.size > 1 and any(ratio(p.hand, p.view.values[x]) is not None for x in inputs)
    if p.view.is_tail(p.node) and any(product.is_data and left_out(p, product) for product in products(p)):
        return True
    return _of_prediction(p, p.hand) and not _of_prediction(p, p.true)


def target_added(p: Pair) -> bool:
    """Prediction plus target, for prediction minus target."""
    return _of_prediction(p, p.hand + p.true) and not _of_prediction(p, p.true) and not _of_prediction(p, p.hand)


def twice(p: Pair) -> bool:
    penalised = _regularised(p)
    weights = penalised[1] if penalised else p.weights
    return weights is not None and set(weights) == {1.0, 2.0} and not _in_pieces(p)


def _in_pieces(p: Pair) -> bool:
    """Whether each entry has but one of the uses, as where a function is made of pieces."""
    used = sum((np.abs(part) > 0) * 1 for _, part in p.parts)
    return len(p.parts) > 1 and p.true.size > 1 and bool(np.all(used <= 1))


def overwritten(p: Pair) -> bool:
    """The line writes over what an earlier one has put there: in a loop, over its own."""
    if p.earlier is None or not branch_missing(p):
        return False
    return p.earlier is ... or any(same(p.true - p.hand, value) for value in p.earlier)


def sign_of_a_part(p: Pair) -> bool:
    return p.weights is not None and set(p.weights) == {1.0, -1.0}


def branch_missing(p: Pair) -> bool:
    if _only_activation(p) or _in_pieces(p):
        return False  # z / (1 + abs(z)) uses z twice, and is one function
    return p.weights is not None and set(p.weights) == {0.0, 1.0}


def part_of_formula(p: Pair) -> bool:
    """Without one of the terms of a product that is computed of the value alone, entry by entry: h (1 - h^2)."""
    if p.node is None or p.true.size < 2 or not branch_missing(p):
        return False
    left_out, counted = ({u for (u, _), w in zip(p.parts, p.weights or (), strict=True) if w == own} for own in (0, 1))
    for end in p.view.of_itself(p.node):
        made = set(p.view.between(p.node, end))
        if left_out <= made and made & counted and p.view.local(p.node, end) is not None:
            return True
    return False


def _regularised(p: Pair) -> tuple[list[float], list[float]] | None:
    """How often a penalty on the parameter itself is counted, and how often everything else."""
    weights, value = p.weights, p.view.values.get(p.node) if p.node is not None else None
    if weights is None or value is None or value.size < 2 or p.node is None or not is_piece(p.node, looked_up=True):
        return None
    own = [_is_multiple(part, value) for _, part in p.parts]
    penalty = [w for w, mine in zip(weights, own, strict=True) if mine]
    return (penalty, [w for w, mine in zip(weights, own, strict=True) if not mine]) if penalty else None


def penalty_forgotten(p: Pair) -> bool:
    found = _regularised(p)
    return found is not None and set(found[0]) == {0.0} and set(found[1]) == {1.0}


def penalty_scale(p: Pair) -> bool:
    found = _regularised(p)
    return found is not None and set(found[1]) == {1.0} and not set(found[0]) & {0.0, 1.0}


def penalty_elsewhere(p: Pair) -> bool:
    value = p.view.values.get(p.node) if p.node is not None else None
    if not p.is_parameter or p.node is None or value is None or value.size < 2 or np.shape(p.hand) != p.true.shape:
        return False
    if value.ndim == 1 and any(user.primitive.name in ("getitem", "reshape", "ravel") for user in p.view.users[p.node]):
        return False  # several parameters in one
    extra = np.asarray(p.hand - p.true)
    there = np.abs(extra) > EXACT * largest(p.true)
    if any(_is_multiple(part, value) and np.any(part[there]) for _, part in p.parts) or _is_penalised_in_parts(p):
        return False  # it is on the right parameter, with another strength
    return bool(np.sum(there) > 1) and ratio(extra[there], value[there]) is not None


def penalty_of_another(p: Pair) -> bool:
    """The penalty is that of another parameter."""
    value = p.view.values.get(p.node) if p.node is not None else None
    if value is None or value.size < 2 or not p.is_parameter or np.shape(p.hand) != p.true.shape:
        return False
    penalties = [part for _, part in p.parts if _is_multiple(part, value)]
    rest = p.hand - (p.true - sum(penalties))
    others = (v for u, v in p.view.values.items() if u is not p.node and is_piece(u) and v.shape == np.shape(rest))
    return bool(penalties) and any(ratio(rest, other) is not None for other in others if not same(other, value))


def _is_penalised_in_parts(p: Pair) -> bool:
    """Whether the loss has a penalty on parts of the parameter, row by row."""
    assert p.node is not None
    pieces = (user for user in p.view.users[p.node] if is_piece(user))
    return any(_is_multiple(part, p.view.values[x]) for x in pieces for _, part in p.view.contributions(x))


def _is_multiple(part: Any, value: Any) -> bool:
    """Whether what a use adds is a constant times the value, or times its sign, in some of its entries."""
    own = part != 0
    return bool(np.sum(own) > 1) and penalises(part[own], value[own])


def epsilon(p: Pair) -> bool:
    """What is nearly right, where the forward pass adds a small constant."""
    if np.shape(p.hand) != p.true.shape or p.true.size < 2 or p.node is None:
        return False
    near = largest(p.hand - p.true) <= SMALL * largest(p.true)
    adds = (u for u in p.view.look.forward if not u.is_leaf and u.primitive.name in ("add", "maximum"))
    constants = (x for u in adds for x in u.inputs if not isinstance(x, Node))
    return near and any(0 < abs(x) <= SMALL for x in constants)


def wrong_slope(p: Pair) -> bool:
    """Anything else, where an activation of the user's own is all that is made of the value, entry by entry."""
    return any(not x.activation.name for x in _only_activation(p))


def _only_activation(p: Pair) -> list[Applied]:
    """The activation, where nothing else is made of the value."""
    ends = p.view.of_itself(p.node) if p.node is not None and not p.view.compares(p.node) else []
    return [x for x in p.applied if [x.node] == ends]


def wrong_loss(p: Pair) -> bool:
    """Anything else, where the loss compares the value with the targets, or has done so."""
    if p.node is None or p.is_parameter or p.true.size < 2 or np.shape(p.hand) != p.true.shape:
        return False
    compares = all(map(p.view.compares, p.view.users[p.node])) or p.view.compares(p.node)
    return p.view.is_tail(p.node) and compares
