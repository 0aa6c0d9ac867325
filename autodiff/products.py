"""Products, taken apart: numbers, factors and divisors; and what numbers there are."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from .graph import Node

Operand = Any  # a Node or a Python number


class Product:
    """ratio * scale * factors / divisors: the numbers of a product as a fraction, as far as they are simple."""

    __slots__ = ("divisors", "factors", "ratio", "scale")

    def __init__(
        self,
        ratio: Fraction = Fraction(1),
        scale: float = 1.0,
        factors: Sequence[Any] = (),
        divisors: Sequence[Any] = (),
    ) -> None:
        self.ratio: Fraction = ratio
        self.scale: float = scale
        self.factors: tuple[Any, ...] = tuple(factors)
        self.divisors: tuple[Any, ...] = tuple(divisors)

    @classmethod
    def of_number(cls, value: Any) -> Product:
        """A number: as a fraction where it is one, 0.1 as it is, what cannot be divided by as a factor."""
        if value == 0 or not math.isfinite(value):
            return cls(factors=(value,))
        if len(repr(value)) > 12:  # the quotient of two short numbers, unless it is 3.14159...
            near = Fraction(value).limit_denominator(10**6)
            return cls(near) if value in (float(near), float(np.float32(near))) else cls(scale=value)
        return cls(Fraction(value)) if value * 4096 == round(value * 4096) else cls(scale=value)

    def times(self, other: Product) -> Product:
        """The product of two."""
        ratio, scale = self.ratio * other.ratio, self.scale * other.scale
        return Product(ratio, scale, self.factors + other.factors, self.divisors + other.divisors)

    def inverse(self) -> Product:
        """One over it."""
        return Product(1 / self.ratio, 1 / self.scale, self.divisors, self.factors)


def is_real(x: Any) -> bool:
    return isinstance(x, (int, float)) and not isinstance(x, bool)


def is_the(x: Operand, value: float) -> bool:
    """Whether x is a certain number."""
    return is_real(x) and bool(x == value)


def is_a_root(x: float) -> bool:
    """Whether x is the square root of an integer, no integer itself."""
    return x != round(x) and 1 < x < 100 and abs(math.sqrt(round(x * x)) - x) <= 4e-16 * x


def shape_of(x: Operand) -> tuple[int, ...]:
    return x.shape if isinstance(x, Node) else ()


def as_number(x: Operand) -> Operand:
    """A single number without a name and gradient as a Python number."""
    if isinstance(x, Node) and x.is_leaf and x.variable is None and x.name is None and x.shape == ():
        return float(x.value) if x.dtype.kind == "f" else x
    return x
