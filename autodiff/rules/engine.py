"""The engine's own rows: what no user writes, but gradients and compositions are made of.

    taken(x, y)             y where x is true; elsewhere a zero that stays zero, whatever it is multiplied by
    detached(x)             x as a constant
    part(x, index, count)   one of the results of a function that has several
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import cotangents
from ..cotangents import Masked
from ..primitive import constant, linear, own, selecting


@own
def taken(x: Any, y: Any) -> Any:
    """y where x is true; elsewhere a zero that stays zero, whatever it is multiplied by.

    >>> taken(np.array([True, False]), np.array([1.0, 2.0])) * np.array([3.0, np.inf])
    Masked([3., 0.])
    """
    mask = x if not isinstance(y, Masked) or y.mask is None else np.logical_and(x, y.mask)
    return Masked.of(np.where(x, y, 0), mask)


@own
def detached(x: Any) -> Any:
    """x without its gradient: `.detach()` of a value that stands for others.

    >>> detached(3.0)
    3.0
    """
    return x


def part(x: Any, index: int, count: int) -> Any:
    """One of the results of a function that has several."""
    return x[index]


# fmt: off
selecting(taken, "taken(x, y)",                      None, "taken(x, g)")
linear(part,   "part(x, index=..., count=...)",    "cotangents.Parts.only(g, index, count)")
constant(detached, "detached(x)")
# fmt: on
