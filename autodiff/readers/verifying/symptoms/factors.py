"""Equations that hold where a product is wrong: a factor forgotten, transposed, or another one."""

from __future__ import annotations

import numpy as np

from ..compare import ratio, same
from .pair import Pair, Product, dots, fits, products


def transposed(p: Pair) -> bool:
    return p.true.ndim == 2 and same(p.hand, p.true.T) and not same(p.true, p.true.T)


def matmul_for_elements(p: Pair) -> bool:
    """A product of matrices where the forward pass has one of elements."""
    return any(
        same(p.hand, dot)
        for product in products(p)
        if product.user.primitive.name == "multiply"
        for dot in dots(product.arriving, product.other)
    )


def weight_not_transposed(p: Pair) -> bool:
    """D @ W for D @ W.T, with or without the local derivative."""
    return any(
        same(p.hand, wrong * slope)
        for product in products(p)
        if product.user.primitive.name != "multiply"
        and product.other.ndim == 2
        and product.other.shape[0] == product.other.shape[1]
        and not p.is_parameter
        for wrong in dots(product.arriving, product.other)
        for slope in (1.0, product.slope)
    )


def missing_weight(p: Pair) -> bool:
    """The other factor of a product is left out, which is no mere number."""
    return any(left_out(p, product) for product in products(p) if not product.is_data or product.other.size > 1)


def left_out(p: Pair, product: Product) -> bool:
    for whole in (product.arriving, product.arriving * product.slope):
        if fits(whole, p.true) and same(p.hand, np.broadcast_to(whole, p.true.shape)):
            return True
        if same(p.hand, whole):
            return True
    return False


def skipped(p: Pair) -> bool:
    """The derivative of a value of a later layer, with the local derivative of this one or without."""
    slopes = [1.0, *(x.slope for x in p.applied)]
    if p.node is None or p.is_parameter or p.view.is_tail(p.node):
        return False
    entrywise = {*p.view.users[p.node], *p.view.along(p.node)}  # which is no layer
    here = {p.node, *(x.node for x in p.applied), *entrywise}
    if any(same(p.hand, p.factor * p.view.adjoints[u]) for u in entrywise if u in p.view.adjoints):
        return False
    later = [g for n, g in p.view.adjoints.items() if n not in here and g.shape == np.shape(p.hand) and g.size > 1]
    return any(same(p.hand, p.factor * g * slope) for g in later for slope in slopes)


def reduced_too_early(p: Pair) -> bool:
    """A product of sums, or means, for the sum of products."""
    if p.node is None or p.true.size < 2 or same(p.hand, p.true):
        return False
    pairs = [(x.other, x.arriving) for x in products(p)]
    pairs += [(a.T, d.T) for a, d in pairs]
    for a, d in pairs:
        for axis in range(min(a.ndim, d.ndim)):
            if a.shape[axis] == d.shape[axis]:
                left, right = a.sum(axis=axis), d.sum(axis=axis)
                made = [np.outer(left, right), np.outer(right, left)]
                made += [left * right] if left.shape == right.shape else []
                if any(ratio(np.ravel(p.hand), np.ravel(product)) is not None for product in made):
                    return True
    return False


def wrong_activations(p: Pair) -> bool:
    """A.T @ D, of another A than it should be, or another D."""
    return p.is_parameter and any(
        same(p.hand, dot)
        for product in products(p)
        for m in p.view.matrices
        for dot in (*dots(product.arriving, m), *dots(p.factor * m, product.other))
    )


def wrong_deltas(p: Pair) -> bool:
    """D @ W.T, of another D than it should be, or another W."""
    for product in () if p.is_parameter else products(p):
        factors = [(p.factor * m, product.other) for m in p.view.matrices]
        factors += [(product.arriving, m) for m in p.view.matrices]
        if any(same(p.hand, dot * product.slope) for a, b in factors for dot in dots(a, b)):
            return True
    return False
