"""Functions that write into their argument."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from hypothesis import strategies as st

from autodiff.primitive import COMPOSED

from ..gradcheck import Call, read_only
from .common import FLAG, Factory, Shape, Strategy, argument, narrowed, one_axis, optional, shapes
from .indexing import conditions, masks, whole_numbers


@st.composite
def values(draw: Any, function: Callable[..., Any], size: Shape) -> Any:
    """An array, a list of arrays, or a Python number."""
    y = draw(argument(function, "y", size))
    return draw(st.sampled_from((y, y, y, [read_only(part) for part in y] if y.ndim and len(y) else 1.5)))


@st.composite
def copying(draw: Any, function: Callable[..., Any]) -> Call:
    size = draw(shapes())
    x, y = draw(argument(function, "x", size)), draw(values(function, (1,) * draw(FLAG) + draw(narrowed(size))))
    where = narrowed(size).flatmap(masks)
    return Call(function, (x, y), draw(optional(where=where, casting=st.sampled_from(("same_kind", "unsafe")))(size)))


@st.composite
def masking(draw: Any, function: Callable[..., Any]) -> Call:
    """np.putmask and np.place: values for the elements, or for those that are chosen; too few are taken again."""
    size = draw(shapes())
    x, mask = draw(argument(function, "x", size)), draw(conditions(size) | conditions((math.prod(size),)))
    count = draw(st.sampled_from(((), (1,), (2,), size, (x.size + 1,))))
    return Call(function, (x, mask, draw(values(function, count))))


@st.composite
def filling(draw: Any, function: Callable[..., Any]) -> Call:
    n = draw(st.sampled_from((2, 3, 1)))
    size = draw(st.sampled_from(((n, n, n), (n, n), (4, 2), (5, 2), (2, 3))))
    keywords = draw(optional(wrap=FLAG)(size))
    return Call(
        function, (draw(argument(function, "x", size)), draw(values(function, draw(shapes(max_dims=1))))), keywords
    )


@st.composite
def putting(draw: Any, function: Callable[..., Any]) -> Call:
    size = draw(shapes())
    n = math.prod(size)
    keywords = draw(optional(mode=st.sampled_from(("raise", "wrap", "clip")))(size))
    beyond = 5 * (keywords.get("mode", "raise") != "raise")
    where = draw(whole_numbers(draw(shapes(max_dims=2)) if n else (0,), -n - beyond, n + beyond))
    y = draw(values(function, draw(st.sampled_from(((), (2,), where.shape, (where.size + 1,))))))
    return Call(
        function, (draw(argument(function, "x", size)), draw(st.sampled_from((where, where.tolist()))), y), keywords
    )


@st.composite
def putting_along(draw: Any, function: Callable[..., Any]) -> Call:
    size = draw(shapes(min_dims=1))
    along = draw(one_axis(size))
    n = math.prod(size) if along is None else size[along]
    where = list(size) if along is not None else [0]
    where[along or 0] = draw(st.integers(0, 3)) if n else 0
    where = draw(whole_numbers(tuple(where), -n, n))
    y = draw(values(function, draw(narrowed(where.shape))))
    return Call(function, (draw(argument(function, "x", size)), where, y, along))


def in_place(factory: Factory) -> Factory:
    """Calls whose first argument is written to."""
    return lambda function: factory(function).map(lambda call: replace(call, written=True))


def returned(factory: Factory) -> Factory:
    """The same calls, of the function that returns what the first argument becomes."""

    def calls(function: Callable[..., Any]) -> Strategy:
        signature = inspect.signature(COMPOSED[function].composition)

        def of(call: Call) -> Call:
            bound = signature.bind(*call.arguments, **call.keywords)
            bound.apply_defaults()
            return Call(function, bound.args)

        return factory(function).map(of)

    return calls


CALLS: dict[Callable[..., Any], Factory] = {
    np.copyto: copying,
    np.putmask: masking,
    np.place: masking,
    np.fill_diagonal: filling,
    np.put: putting,
    np.put_along_axis: putting_along,
}
RETURNED = {function.forward.__wrapped__: function for function in COMPOSED if hasattr(function, "forward")}

ARGUMENTS: dict[Callable[..., Any], Factory] = {
    **{function: in_place(factory) for function, factory in CALLS.items()},
    **{RETURNED[function]: returned(factory) for function, factory in CALLS.items()},
}
COMPLEX = set(CALLS)
