"""Functions that make arrays of others: from nested lists, between ends, by padding, by a user's function.

    composed(function, NumPy's call, an equal expression)

`array`, `asarray`, `full` and their like ask no protocol but with `like=`: `np.array([[a, b], [c, d]], like=a)`.
"""
# ruff: noqa: E501

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ..primitive import composed, inlined, linear, own

Pair = tuple[int, int]


# --- from nested lists, as another kind of array ----------------------------------------------------------------------


def joined(x: Any) -> Any:
    """Nested lists as one array."""
    if not isinstance(x, (list, tuple)):
        return x
    return np.stack([joined(item) for item in x]) if len(x) else np.zeros(0)


def other(dtype: Any, x: Any) -> Any:
    """The dtype, but None where x has it."""
    return None if getattr(x, "dtype", None) == dtype else dtype


@own
def as_array(x: Any, function: Callable[..., Any], **keywords: Any) -> Any:
    """np.asarray and its like, as a view of x wherever NumPy makes no copy."""
    return function(x, **keywords)


# --- between ends -----------------------------------------------------------------------------------------------------


def progress(start: Any, stop: Any, num: int, endpoint: bool) -> Any:
    """How far from start to stop, from 0 to 1, each of the numbers lies: along a new first axis."""
    steps = np.linspace(0, 1, num, endpoint, dtype=np.result_type(start, stop, 1.0))
    return steps.reshape((-1,) + (1,) * max(np.ndim(start), np.ndim(stop)))


def linspace(start: Any, stop: Any, num: int = 50, endpoint: bool = True, retstep: bool = False, dtype: Any = None, axis: int = 0, *, device: Any = None) -> Any:
    start, stop, parts = joined(start), joined(stop), num - endpoint
    t = progress(start, stop, num, endpoint)
    between = np.moveaxis(start * (1 - t) + stop * t, 0, axis)
    step = (stop - start) / parts if parts > 0 else math.nan
    return (between, step) if retstep else between


def logspace(start: Any, stop: Any, num: int = 50, endpoint: bool = True, base: Any = 10.0, dtype: Any = None, axis: int = 0) -> Any:
    start, stop, base = joined(start), joined(stop), joined(base)
    if np.ndim(base):
        start, stop, base = np.broadcast_arrays(start, stop, base)
        base = np.expand_dims(base, axis)
    return base ** np.linspace(start, stop, num, endpoint, axis=axis)


def geomspace(start: Any, stop: Any, num: int = 50, endpoint: bool = True, dtype: Any = None, axis: int = 0) -> Any:
    start, stop = joined(start), joined(stop)
    t, sign = progress(start, stop, num, endpoint), np.sign(start)
    return np.moveaxis(sign * (start / sign) ** (1 - t) * (stop / sign) ** t, 0, axis)


# --- padding ----------------------------------------------------------------------------------------------------------

STATISTICS = {"maximum": np.max, "mean": np.mean, "median": np.median, "minimum": np.min}


def pad(array: Any, pad_width: Any, mode: Any = "constant", **kwargs: Any) -> Any:
    """One axis after the other, each moved to the front."""
    x, widths = joined(array), pairs(pad_width, np.ndim(array))
    if callable(mode):
        return padded_by(mode, np.pad(x, widths), widths, kwargs)
    odd = kwargs.pop("reflect_type", "even") == "odd"
    values = pairs(next(iter(kwargs.values()), None), x.ndim)
    for axis, (width, value) in enumerate(zip(widths, values, strict=True)):
        front = np.moveaxis(x, axis, 0)
        front = reflected(front, width, mode) if odd else extended(front, width, mode, value)
        x = np.moveaxis(front, 0, axis)
    return x


def pairs(values: Any, ndim: int) -> Any:
    """What belongs before and after each axis, of all the forms in which np.pad takes it."""
    if isinstance(values, dict):
        values = [np.broadcast_to(values.get(axis, values.get(axis - ndim, 0)), 2) for axis in range(ndim)]
    return [(None, None)] * ndim if values is None else list(np.broadcast_to(joined(values), (ndim, 2)))


def extended(x: Any, width: Any, mode: str, value: Any) -> Any:
    """x with `width` more rows before and after it."""
    if mode == "linear_ramp":
        before, after = (np.linspace(0 if end is None else end, edge, n, endpoint=False) for end, edge, n in zip(value, (x[0], x[-1]), width, strict=True))
        return np.concatenate([before, x, after[::-1]])
    if mode in ("constant", "empty"):
        ends = [np.zeros_like(x[:0].sum(axis=0)) if end is None else end for end in value]
    elif mode in STATISTICS:
        chosen = (x if value[0] is None else x[: value[0]], x if value[1] is None else x[max(len(x) - value[1], 0) :])
        ends = [STATISTICS[mode](part, axis=0) for part in chosen]
    else:
        return x[np.pad(np.arange(len(x)), width, mode)]
    before, after = (np.broadcast_to(end, (n, *x.shape[1:])).astype(x.dtype) for end, n in zip(ends, width, strict=True))
    return np.concatenate([before, x, after])
