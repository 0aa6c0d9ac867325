"""Functions of one element at a time: those with keywords, or with arguments of a kind of their own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import strategies as st

from autodiff.primitive import TABLE

from ..gradcheck import Call, read_only
from .common import FLAG, Factory, elementwise


@st.composite
def choosing(draw: Any, function: Callable[..., Any]) -> Call:
    """np.where: a condition, and what to choose from."""
    call = draw(elementwise(function))
    condition = call.arguments[0]
    condition = read_only(condition > 0) if isinstance(condition, np.ndarray) else draw(FLAG)
    return Call(function, (condition, *call.arguments[1:]))


@st.composite
def clipping(draw: Any, function: Callable[..., Any]) -> Call:
    """np.clip: either bound may be missing."""
    call = draw(elementwise(function))
    missing = draw(st.sampled_from((None, 1, 2)))
    if not any(isinstance(x, np.ndarray) for i, x in enumerate(call.arguments) if i != missing):
        return call
    return Call(function, tuple(None if i == missing else x for i, x in enumerate(call.arguments)))


@st.composite
def whole_numbers(draw: Any, function: Callable[..., Any]) -> Call:
    """Functions of bits: arrays of integers, or of truth values."""
    call = draw(elementwise(function))
    dtype = draw(st.sampled_from((np.int64, np.uint8, np.bool_)))
    kinds = {np.int64: lambda x: np.ceil(x * 8), np.uint8: lambda x: np.ceil(np.abs(x) * 8), np.bool_: lambda x: x > 0}
    return Call(function, tuple(read_only(np.asarray(kinds[dtype](x), dtype)) for x in call.arguments))


# What NumPy computes of complex numbers, too, other than by comparing them.
ORDERED = {np.maximum, np.minimum, np.fmax, np.fmin, np.less, np.less_equal, np.greater, np.greater_equal}
UFUNCS = [f for f in TABLE if isinstance(f, np.ufunc) and f.signature is None]
COMPLEX = {f for f in UFUNCS if any("D" in types for types in f.types)} - ORDERED | {np.where}

ARGUMENTS: dict[Callable[..., Any], Factory] = {
    np.where: choosing,
    np.clip: clipping,
    np.isclose: lambda f: elementwise(f, rtol=st.just(0.5), atol=st.just(0.1), equal_nan=FLAG),
    **dict.fromkeys((np.bitwise_and, np.bitwise_or, np.bitwise_xor, np.invert), whole_numbers),
}
