"""Functions that reduce an array along some of its axes: over parts of it, from an initial value on, with nan in it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import strategies as st

from autodiff.rules.reduction import kept

from ..gradcheck import Call, read_only
from .common import (
    FLAG,
    FLOAT64,
    Factory,
    Keywords,
    Shape,
    Strategy,
    any_axes,
    argument,
    narrowed,
    numbers,
    one_axis,
    optional,
    shapes,
    single,
)


@st.composite
def parts(draw: Any, size: Shape) -> Any:
    """What `where` may be: truth values, of which most are true."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    return read_only(rng.random(draw(narrowed(size))) < 0.8)


@st.composite
def with_nan(draw: Any, x: np.ndarray) -> np.ndarray:
    """x, some of its elements nan."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    y = np.copy(x, order="K")
    y[rng.random(x.shape) < 0.3] = np.nan
    return read_only(y)


def reducing(**keywords: Keywords | Strategy) -> Factory:
    """Functions of one array; those that leave nan out are given some, unless another array is moved with it."""

    @st.composite
    def call(draw: Any, function: Callable[..., Any]) -> Call:
        size = draw(shapes())
        x, options = draw(argument(function, "x", size)), draw(optional(**keywords)(size))
        skips = function.__name__.startswith("nan")
        scale = 10 if function in (np.std, np.nanstd) else 1  # their derivatives change fast near a tie
        if options.get("mean") is ...:
            options["mean"] = 0.25 if skips else read_only(scale * draw(numbers(kept(size, options.get("axis")), 1)))
        if scale > 1:
            x = read_only(scale * x)
        if skips and not isinstance(options.get("initial"), np.ndarray):
            x = draw(with_nan(x))
        return Call(function, (x,), options)

    return call


INITIAL = st.just(0.5) | numbers((), 1) | st.none()
DEVIATION: dict[str, Any] = {
    "axis": any_axes, "dtype": FLOAT64, "ddof": st.just(1), "keepdims": FLAG, "where": parts, "mean": st.just(...),
    "correction": st.just(0.5),
}  # fmt: skip
TOTAL = reducing(axis=any_axes, dtype=FLOAT64, keepdims=FLAG, initial=INITIAL, where=parts)
MEAN = reducing(axis=any_axes, dtype=FLOAT64, keepdims=FLAG, where=parts)
EXTREMUM = reducing(axis=any_axes, keepdims=FLAG, initial=INITIAL, where=parts)
SPREAD = reducing(**DEVIATION)
RANGE = reducing(axis=any_axes, keepdims=FLAG)
TRUTH = reducing(axis=any_axes, keepdims=FLAG, where=parts)
CUMULATIVE = reducing(axis=one_axis, dtype=FLOAT64)
CUMULATIVE_ARRAY = reducing(axis=one_axis, dtype=FLOAT64, include_initial=FLAG)
POSITION = single(optional(axis=one_axis, keepdims=FLAG))

ARGUMENTS: dict[Callable[..., Any], Factory] = {
    **dict.fromkeys((np.sum, np.prod, np.nansum, np.nanprod), TOTAL),
    **dict.fromkeys((np.mean, np.nanmean), MEAN),
    **dict.fromkeys((np.var, np.std, np.nanvar, np.nanstd), SPREAD),
    **dict.fromkeys((np.max, np.min, np.nanmax, np.nanmin), EXTREMUM),
    **dict.fromkeys((np.ptp, np.count_nonzero), RANGE),
    **dict.fromkeys((np.all, np.any), TRUTH),
    **dict.fromkeys((np.cumsum, np.cumprod, np.nancumsum, np.nancumprod), CUMULATIVE),
    **dict.fromkeys((np.argmax, np.argmin), POSITION),
    np.round: single(optional(decimals=st.sampled_from((0, 1, -1)))),
}
COMPLEX = {np.sum, np.prod, np.nansum, np.nanprod, np.mean, np.nanmean, np.var, np.std, np.nanvar, np.nanstd}
COMPLEX |= {np.max, np.min, np.ptp, np.cumsum, np.cumprod, np.nancumsum, np.nancumprod}
if hasattr(np, "cumulative_sum"):  # since NumPy 2.1
    ARGUMENTS |= dict.fromkeys((np.cumulative_sum, np.cumulative_prod), CUMULATIVE_ARRAY)
    COMPLEX |= {np.cumulative_sum, np.cumulative_prod}
