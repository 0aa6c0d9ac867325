"""Polynomials by their coefficients: arrays, lists of numbers and arrays, numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import strategies as st

from autodiff.rules import polynomial

from ..gradcheck import Call, read_only
from .common import FLAG, Factory, Shape, Strategy, listed, numbers, optional, shapes


def coefficients(part: int = 0) -> Strategy:
    """The first of them is not 0: so it stays, a little moved."""
    return st.integers(1, 4).flatmap(lambda n: numbers((n,), part, avoided=(0,)))


def either_way(p: np.ndarray) -> Strategy:
    """An array, or the list of its elements."""
    return st.sampled_from((p, listed(p)))


@st.composite
def combining(draw: Any, function: Callable[..., Any]) -> Call:
    """Of two polynomials, or of one and what to evaluate it at, one may be a list or a number."""
    other = shapes(max_dims=2).flatmap(lambda size: numbers(size, 1)) if function is np.polyval else coefficients(1)
    p, q = draw(coefficients()), draw(other)
    match draw(st.integers(0, 7)):
        case 5:
            return Call(function, (p.tolist() if function is np.polyval else listed(p), q))
        case 6:
            return Call(function, (p, listed(q) if q.ndim and q.size else q))
        case 7:
            return Call(function, (p, draw(st.sampled_from((1.5, 2)))))
    return Call(function, (p, q))


@st.composite
def dividing(draw: Any, function: Callable[..., Any]) -> Call:
    """np.polydiv: by a leading coefficient that divides without rounding, since NumPy keeps what does not cancel."""
    complex = draw(FLAG)
    p = draw(numbers((draw(st.integers(1, 4)),), complex=complex))
    rest = draw(numbers((draw(st.integers(0, 2)),), 1, complex=complex))
    return Call(function, (p, read_only(np.append(draw(st.sampled_from((1.0, -2.0, 0.5))), rest))))


@st.composite
def integrating(draw: Any, function: Callable[..., Any]) -> Call:
    m = draw(st.sampled_from((1, 2, 3, 0)))
    k = numbers((), 1) | st.sampled_from((1, m)).flatmap(lambda n: numbers((n,), 1)).flatmap(either_way)
    return Call(function, (draw(coefficients()),), draw(optional(m=st.just(m), k=st.just(0.5) | k | k)(())))


@st.composite
def multiplying_out(draw: Any, function: Callable[..., Any]) -> Call:
    """np.poly: of roots, or of a matrix."""
    n = draw(st.integers(1, 3))
    return Call(function, (draw(coefficients() | coefficients().map(listed) | numbers((n, n))),))


ROOTS = (1.5, -0.5, 0.6, -1.4)


def in_order(roots: Any) -> Any:
    """The eigenvalues that they are of come in an order that a small step may change."""
    return roots[np.argsort(np.real(roots) + 0.3 * np.imag(roots))]


@st.composite
def solving(draw: Any, function: Callable[..., Any]) -> Call:
    """np.roots: real ones, conjugate pairs, and others, far from each other."""
    roots: list[Any] = draw(st.lists(st.sampled_from(ROOTS), unique=True, max_size=3))
    kind = draw(st.sampled_from(("real", "pair", "complex")))
    roots += {"real": [], "pair": [0.2 + 1.1j, 0.2 - 1.1j], "complex": [0.3 - 0.9j]}[kind]
    p = read_only(np.atleast_1d(np.poly(roots)) * draw(st.sampled_from((0.8, -1.2))))
    return Call(function, ([np.asarray(c) for c in p] if function is np.roots and draw(FLAG) else p,), post=in_order)


@st.composite
def fitting(draw: Any, function: Callable[..., Any]) -> Call:
    n = draw(st.integers(4, 6))
    x = read_only(np.linspace(-1, 1, n) + 0.05 * draw(numbers((n,))))
    size: Shape = (n, 2) if draw(FLAG) else (n,)
    w = numbers((n,), 2, 0.5, 2.0)
    keywords = draw(
        optional(w=w.flatmap(either_way), rcond=st.just(1e-9), full=FLAG, cov=st.sampled_from((True, "unscaled")))(())
    )
    return Call(function, (x, draw(numbers(size, 1)), draw(st.integers(0, 2))), keywords)


ARGUMENTS: dict[Callable[..., Any], Factory] = {
    **dict.fromkeys((np.polyadd, np.polysub, np.polymul, np.polyval), combining),
    np.polydiv: dividing,
    np.polyder: lambda f: st.builds(
        lambda p, keywords: Call(f, (p,), keywords), coefficients(), optional(m=st.integers(0, 3))(())
    ),
    np.polyint: integrating,
    np.poly: multiplying_out,
    **dict.fromkeys((np.roots, polynomial.zeros_of), solving),
    np.polyfit: fitting,
}
COMPLEX = {np.polyadd, np.polysub, np.polymul, np.polyval, np.polyder, np.polyint, np.poly, np.polyfit}
