"""The engine's own rows: what no user writes, but gradients and compositions are made of.

    taken(x, y)             y where x is true; elsewhere a zero that stays zero, whatever it is multiplied by
    dropped(x, y)           the same, where x is false
    detached(x)             x as a constant
    part(x, index, count)   one of the results of a function that has several
"""

from __future__ import annotations

from typing import Any

from ..cotangents import Parts
from ..primitive import constant, dropped, linear, own, selecting, taken


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


def only_part(g: Any, index: int, count: int) -> Parts:
    """What comes in to a function with several results, from one of them."""
    return Parts.only(g, index, count)


# fmt: off
selecting(taken,   "taken(x, y)",                  None, "taken(x, g)")
selecting(dropped, "dropped(x, y)",                None, "dropped(x, g)")
linear(part,   "part(x, index=..., count=...)",    "only_part(g, index, count)")
constant(detached, "detached(x)")
# fmt: on
