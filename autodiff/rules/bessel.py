"""Modified Bessel functions: NumPy has the one of order 0, whose derivatives are those of other orders.

The grammar is that of `elementwise.py`. Source: Abramowitz and Stegun, 9.6.18 and 9.6.26.
"""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np

from ..primitive import elementwise, own


@own
def bessel(x: Any, order: int = 1) -> Any:
    """The modified Bessel function I of an order: Poisson's integral, by the trapezoidal rule, whose error is far below
    that of rounding here.

    >>> bessel(np.array([0.0, 1.0])).round(4)
    array([0.    , 0.5652])
    """
    size = np.minimum(abs(x), 800)  # where exp(x) is infinite
    angles = [math.pi * (k + 0.5) / 144 for k in reversed(range(144))]
    terms = (math.sin(a) ** (2 * order) / 144 * np.exp(-2 * math.sin(a / 2) ** 2 * size) for a in angles)
    total = sum(sum(itertools.islice(terms, 12)) for _ in range(12))  # in parts, which rounds less often
    return x**order * (total / math.prod(range(1, 2 * order, 2))) * np.exp(abs(x))


def bessel_slope(x: Any, order: int) -> Any:
    """The mean of the orders beside it."""
    return (bessel(x, order=abs(order - 1)) + bessel(x, order=order + 1)) / 2


# fmt: off
elementwise(np.i0,  "i0(x)",              "bessel(x)")
elementwise(bessel, "bessel(x, order=1)", "bessel_slope(x, order)")
# fmt: on
