"""Choosing among values: select, choose, sorting."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from hypothesis import strategies as st

from autodiff.rules import selection

from ..gradcheck import Call
from .common import (
    FLAG,
    Factory,
    Shape,
    argument,
    axis,
    narrowed,
    one_axis,
    optional,
    points_of,
    scalars,
    shapes,
    single,
)
from .indexing import masks, whole_numbers


@st.composite
def choices(draw: Any, function: Callable[..., Any], full: Shape, count: int) -> list[Any]:
    """Arrays that broadcast to a shape, and Python numbers among them."""
    kinds = ["array", *(draw(st.sampled_from(("array", "array", "number"))) for _ in range(count - 1))]
    kinds = draw(st.permutations(kinds))
    symbols = ["xyz"[i % 3] for i in range(count)]
    return [
        draw(
            argument(function, symbol, draw(narrowed(full)))
            if kind == "array"
            else scalars(points_of(function, symbol))
        )
        for kind, symbol in zip(kinds, symbols, strict=True)
    ]


@st.composite
def selecting(draw: Any, function: Callable[..., Any]) -> Call:
    """np.select: conditions, some choice for each, and perhaps another one."""
    full, count = draw(shapes()), draw(st.integers(1, 3))
    conditions = [draw(masks(draw(narrowed(full)))) for _ in range(count)]
    (default,) = draw(choices(function, full, 1))
    return Call(
        function, (conditions, draw(choices(function, full, count))), {"default": default} if draw(FLAG) else {}
    )


@st.composite
def choosing(draw: Any, function: Callable[..., Any]) -> Call:
    """np.choose: numbers of choices, beyond the ends where `mode` knows what to do."""
    full, count = draw(shapes()), draw(st.integers(1, 3))
    keywords = draw(optional(mode=st.sampled_from(("raise", "wrap", "clip")))(full))
    beyond = 4 * (keywords.get("mode", "raise") != "raise")
    chosen = draw(whole_numbers(draw(narrowed(full)), -beyond, count + beyond))
    return Call(function, (chosen, draw(choices(function, full, count))), keywords)


@st.composite
def piecing(draw: Any, function: Callable[..., Any]) -> Call:
    """np.piecewise: functions and numbers, for each condition and perhaps for the rest; further arguments."""
    size, count = draw(shapes()), draw(st.integers(1, 3))
    pieces = [np.sin, np.exp, 2.5, lambda x: x * x, -1.0]
    further, named = draw(st.sampled_from((((), {}), ((2.0,), {}), ((), {"power": 2.0}))))
    if further or named:
        pieces = [lambda x, power: x**power, lambda x, power: power * x]
    chosen = [draw(st.sampled_from(pieces)) for _ in range(count + draw(FLAG))]
    conditions: Any = [draw(masks(size)) for _ in range(count)]
    if count == 1 and len(size) == 1 and size[0] and draw(FLAG):
        (conditions,) = conditions
    return Call(function, (draw(argument(function, "x", size)), conditions, chosen, *further), named)


def parting(size: Shape) -> Any:
    """np.partition: about one place, or several."""
    least = min(size, default=0)
    place = st.integers(-least, least - 1) if least else st.nothing()
    keywords = optional(axis=one_axis, kind=st.just("introselect"), order=st.none())(size)
    places = place | st.lists(place, min_size=1, max_size=2) if least else st.just(0)
    return st.builds(lambda kth, rest: {"kth": kth} | rest, places, keywords)


def as_ranks(call: Call) -> Call:
    """The call of `partition_ranks`, which has fewer keywords."""
    return replace(call, keywords={name: value for name, value in call.keywords.items() if name in ("kth", "axis")})


KIND = st.sampled_from((None, "quicksort", "stable"))

ARGUMENTS: dict[Callable[..., Any], Factory] = {
    np.select: selecting,
    np.choose: choosing,
    np.piecewise: piecing,
    np.sort: lambda f: (
        single(optional(axis=one_axis, kind=KIND, order=st.none()))(f) | single(optional(axis=axis, stable=FLAG))(f)
    ),
    np.partition: single(parting, min_dims=1),
    selection.partition_ranks: lambda f: single(parting, min_dims=1)(f).map(as_ranks),
    np.sort_complex: single(optional(), min_dims=1),
}
COMPLEX = set(ARGUMENTS) - {selection.partition_ranks}
