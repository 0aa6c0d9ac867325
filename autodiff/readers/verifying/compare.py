"""Whether two values are one, but for rounding or for a constant factor."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from .truth import largest

TINY = 1e-300  # as good as 0
ROUGHLY = 1e-3  # how far two values are off each other that are surely two
EXACT = 1e-9  # how well two values must agree to be one
_ROUNDED = {np.dtype(np.float32): 2e-5, np.dtype(np.float16): 2e-2}  # the same, in fewer digits


def same(a: Any, b: Any) -> bool:
    """Whether two values are one, but for rounding: that of float32, where one of them was computed in it."""
    a, b = np.asarray(a), np.asarray(b)
    if a.shape != b.shape or a.dtype.kind not in "fiub":
        return False
    return largest(a * 1.0 - b) <= _exact(a, b) * max(largest(b), 1e-300)


def _exact(a: np.ndarray, b: np.ndarray) -> float:
    return (
        EXACT
        if a.dtype.itemsize == 8 == b.dtype.itemsize
        else max(EXACT, _ROUNDED.get(a.dtype, 0), _ROUNDED.get(b.dtype, 0))
    )


def ratio(a: Any, b: Any) -> float | None:
    """The constant c with a = c b, None where there is none."""
    a, b = np.asarray(a), np.asarray(b)
    if a.shape != b.shape or not a.size or "c" in a.dtype.kind + b.dtype.kind:
        return None
    where = np.argmax(np.abs(b))
    most, exact = float(b.flat[where]), _exact(a, b)
    factor = _factor(float(a.flat[where]), most, exact)
    if factor is None or a.shape == ():
        return factor
    first = abs(float(a.flat[0]) - factor * float(b.flat[0])) <= 2 * exact * abs(factor * most)  # most differ there
    return factor if first and same(a, factor * b) else None


def penalises(value: Any, weights: Any) -> bool:
    """Whether it is a constant times weights, or times their signs, as the derivative of a penalty on them is."""
    return any(ratio(value, of) is not None for of in (weights, np.sign(weights)))


def _factor(a: float, b: float, exact: float) -> float | None:
    """The constant c with a = c b of two numbers: n or 1/n, where it is nearly that."""
    factor = a / b if b else math.nan
    if not math.isfinite(factor) or abs(factor) < TINY:
        return None
    plain = float(round(factor)) if abs(factor) >= 1 else 1 / round(1 / factor)
    return plain if abs(factor - plain) < exact * abs(factor) else factor


def common_factor(a: Sequence[Any], b: Sequence[Any]) -> float | None:
    """The constant c with a = c b, for all of several values."""
    if len(a) != len(b) or any(x is None for x in a) or not all(map(_may_be_one, a, b)):
        return None
    if len(a) > 1 and not any(map(np.ndim, a)) and not any(map(np.ndim, b)):
        return _of_numbers(np.array(a), np.array(b))
    largest_first = max(range(len(b)), key=lambda i: largest(b[i]))
    factor = ratio(a[largest_first], b[largest_first])
    if factor is None or not all(same(x, factor * y) for x, y in zip(a, b, strict=True)):
        return None
    return factor


def _of_numbers(a: Any, b: Any) -> float | None:
    """The common factor of two rows of numbers, each of which has to have it by itself."""
    factor = ratio(a, b)
    if factor is None or np.any(np.abs(a - factor * b) > _exact(a, b) * np.maximum(np.abs(factor * b), TINY)):
        return None
    return factor


def telling_factor(a: Sequence[Any], b: Sequence[Any]) -> float | None:
    """The same, where it tells something: any two numbers have a ratio, so that of one number to one is 1 or -1."""
    if len(a) == len(b) and a and not _may_be_rows(a, b):
        return None
    factor = common_factor(a, b)
    alone = sum(np.size(x) for x in b) < 2
    return factor if factor is None or not alone or abs(factor) == 1.0 else None


def _may_be_rows(a: Sequence[Any], b: Sequence[Any]) -> bool:
    """Whether the first and the last of two rows of numbers do not say that they are no multiples: a quick look."""
    ends = (a[0], b[0], a[-1], b[-1])
    if any(x is None or getattr(x, "ndim", 0) for x in ends):
        return True
    first, other, last, end = map(float, ends)
    if len(a) == 1:
        return _roughly(abs(first), abs(other))
    return _roughly(first * end, last * other)


def _may_be_one(a: Any, b: Any) -> bool:
    """Whether the first and the last entries of two arrays do not say that they are no multiples: a quick look."""
    if not isinstance(a, np.ndarray) or not isinstance(b, np.ndarray) or not a.size or a.size != b.size:
        return True
    return _roughly(float(a.flat[0]) * float(b.flat[-1]), float(a.flat[-1]) * float(b.flat[0]))


def _roughly(one: float, other: float) -> bool:
    """Whether two numbers may be one; what is no number may be anything."""
    return not abs(one - other) > ROUGHLY * (abs(one) + abs(other))


def direction(value: Any) -> tuple[Any, float]:
    """A value but for a constant factor, as a key, and the factor."""
    value = np.asarray(value)
    if not value.size or value.dtype.kind not in "fiub":
        return None, 0.0
    flat = value.ravel() * 1.0
    sizes = np.abs(flat)
    scale = flat[np.argmax(sizes >= sizes.max() * (1 - EXACT))]  # of several that are largest, the first
    if not np.isfinite(scale) or scale == 0:
        return None, 0.0
    return (value.shape, (np.round(flat / scale, 7) + 0.0).tobytes()), float(scale)
