"""Polynomials by their coefficients, the highest power first.

    composed(function, NumPy's call, an equal expression)
"""
# ruff: noqa: E501

from __future__ import annotations

from typing import Any

import numpy as np

from ..primitive import composed, inlined, own, special
from ..sites import __library__  # noqa: F401
from .shape import array as joined


def trimmed(p: Any) -> Any:
    """The coefficients without leading zeros; of zero itself one."""
    p = np.atleast_1d(joined(p))
    powers = np.flatnonzero(p)
    return p[int(powers[0]) :] if len(powers) else np.zeros(1, p.dtype)


def divided(u: Any, v: Any) -> Any:
    """Quotient and remainder, by long division; the same numbers as NumPy's, since they decide where the remainder begins."""
    u, v = np.atleast_1d(joined(u)) + 0.0, np.atleast_1d(joined(v)) + 0.0
    n, quotient, rest = len(v), [], u.astype(np.result_type(u, v))
    for k in range(len(u) - n + 1):
        quotient.append(1.0 / v[0] * rest[k])
        rest = np.concatenate([rest[:k], rest[k : k + n] - quotient[-1] * v, rest[k + n :]])
    while len(rest) > 1 and np.allclose(rest[0], 0, rtol=1e-14):
        rest = rest[1:]
    return (np.stack(quotient) if quotient else np.zeros(1, rest.dtype)), rest


def value(p: Any, x: Any) -> Any:
    """The value at x, by Horner's rule."""
    y = np.zeros_like(x)
    for coefficient in p:
        y = y * x + coefficient
    return y


def derivative(p: Any, m: int) -> Any:
    """The coefficients of the m-th derivative."""
    for _ in range(m):
        p = p[:-1] * np.arange(len(p) - 1, 0, -1)
    return p


def integral(p: Any, m: int, k: Any) -> Any:
    """The coefficients of the m-th antiderivative, with k as constants of integration."""
    k = np.broadcast_to(k, m) if np.size(k) == 1 else k
    for i in range(m):
        p = np.concatenate([p / np.arange(len(p), 0, -1), k[i : i + 1]])
    return p


@own
def zeros_of(x: Any) -> Any:
    """np.roots of an array.

    >>> zeros_of(np.array([1.0, -3.0, 2.0]))
    array([2., 1.])
    """
    return np.roots(x)


def zeros_pull(g: Any, p: Any, roots: Any) -> Any:
    """With the coefficients a root moves so that p stays 0 there: 0 = dp(root) + p'(root) d root."""
    powers = np.arange(len(p) - 1, -1, -1, dtype=p.dtype)
    slopes = np.polyval(p[:-1] * powers[:-1], roots)
    return -(g / slopes) @ roots[:, None] ** powers


def from_roots(roots: Any) -> Any:
    """The product of all x - root; of a matrix its characteristic polynomial."""
    if np.ndim(roots) == 2:
        return characteristic(roots)
    p = np.ones(1, roots.dtype)
    for root in roots:
        p = np.convolve(p, np.stack([np.ones_like(root), -root]))
    return p if len(roots) else np.prod(roots)


def characteristic(a: Any) -> Any:
    """The coefficients of det(x - a), by the method of Faddeev and LeVerrier: right also where eigenvalues repeat."""
    one = np.eye(len(a), dtype=a.dtype)
    coefficients, m = [one[0, 0]], one
    for k in range(1, len(a) + 1):
        m = a @ m
        coefficients.append(-np.trace(m) / k)
        m = m + coefficients[-1] * one
    return np.stack(coefficients)


def fitted(x: Any, y: Any, deg: int, rcond: float | None, full: bool, w: Any, cov: bool | str) -> Any:
    """As np.polyfit: least squares in columns scaled to length 1."""
    powers, weights = np.vander(x, deg + 1), 1.0 if w is None else w
    powers, y = (powers.T * weights).T, (y.T * weights).T
    scale = np.sqrt(np.sum(powers * powers, axis=0))
    powers = powers / scale
    rcond = len(x) * np.finfo((x + 0.0).dtype).eps if rcond is None else rcond
    c, residuals, rank, singular = np.linalg.lstsq(powers, y, rcond)
    c = (c.T / scale).T
    if full:
        return c, residuals, rank, singular, rcond
    if not cov:
        return c
    covariance = np.linalg.inv(powers.T @ powers) / np.outer(scale, scale)
    factor = 1.0 if cov == "unscaled" else residuals / (len(x) - deg - 1)
    return c, covariance * factor if y.ndim == 1 else covariance[..., None] * factor


# fmt: off
composed(np.polyadd, "polyadd(a1, a2)",     "np.polyadd._implementation(joined(a1), joined(a2))")
composed(np.polysub, "polysub(a1, a2)",     "np.polysub._implementation(joined(a1), joined(a2))")
composed(np.polymul, "polymul(a1, a2)",     "np.convolve(trimmed(a1), trimmed(a2))")
composed(np.polydiv, "polydiv(u, v)",       "divided(u, v)")
composed(np.polyval, "polyval(p, x)",       "value(p, joined(x))")
composed(np.polyder, "polyder(p, m=1)",     "derivative(p, m)")
composed(np.polyint, "polyint(p, m=1, k=None)", "integral(p, m, 0.0 if k is None else np.ravel(joined(k)))")
composed(np.poly,    "poly(seq_of_zeros)",  "from_roots(joined(seq_of_zeros))")
composed(np.polyfit, "polyfit(x, y, deg, rcond=None, full=False, w=None, cov=False)", "fitted(joined(x), joined(y), deg, rcond, full, joined(w), cov)")
special(zeros_of,    "zeros_of(x)",         "zeros_pull(g, x, out)")
inlined(np.roots,    "roots(p)",            "zeros_of(joined(p))")
# fmt: on
