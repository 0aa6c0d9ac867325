"""Functions of one element at a time: those with keywords, or with arguments of a kind of their own."""

from __future__ import annotations

import inspect
import operator
from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import strategies as st

from autodiff.primitive import TABLE
from autodiff.rules.bessel import bessel

from ..gradcheck import Call, read_only
from .common import FLAG, FLOAT64, Factory, argument, elementwise, numbers, shapes


@st.composite
def choosing(draw: Any, function: Callable[..., Any]) -> Call:
    """np.where: a condition, which may be of numbers, and what to choose from."""
    call = draw(elementwise(function))
    condition = call.arguments[0]
    if isinstance(condition, np.ndarray):
        condition = read_only(condition > 0 if draw(FLAG) else np.where(condition > 0, condition, 0))
    else:
        condition = draw(FLAG)
    return Call(function, (condition, *call.arguments[1:]))


@st.composite
def clipping(draw: Any, function: Callable[..., Any]) -> Call:
    """np.clip: either bound may be missing, or be given by one of its two names."""
    call = draw(elementwise(function, dtype=FLOAT64))
    missing = draw(st.sampled_from((None, 1, 2)))
    if not any(isinstance(x, np.ndarray) for i, x in enumerate(call.arguments) if i != missing):
        return call
    x, *bounds = (None if i == missing else x for i, x in enumerate(call.arguments))
    names = draw(st.sampled_from(NAMES_OF_BOUNDS))
    if names:
        return Call(function, (x,), dict(zip(names, bounds, strict=True)) | call.keywords)
    return Call(function, (x, *bounds), call.keywords)


NAMES_OF_BOUNDS = [(), ("a_min", "a_max")]
if "min" in inspect.signature(np.clip).parameters:  # since NumPy 2.1
    NAMES_OF_BOUNDS.append(("min", "max"))


@st.composite
def whole_numbers(draw: Any, function: Callable[..., Any]) -> Call:
    """Functions of bits: arrays of integers, or of truth values."""
    call = draw(elementwise(function))
    dtype = draw(st.sampled_from((np.int64, np.uint8, np.bool_)))
    kinds = {np.int64: lambda x: np.ceil(x * 8), np.uint8: lambda x: np.ceil(np.abs(x) * 8), np.bool_: lambda x: x > 0}
    return Call(function, tuple(read_only(np.asarray(kinds[dtype](x), dtype)) for x in call.arguments))


@st.composite
def scaling(draw: Any, function: Callable[..., Any]) -> Call:
    """np.ldexp and np.frexp: powers of two, far from their jumps."""
    size, rng = draw(shapes()), np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    exponents = read_only(np.asarray(rng.integers(-3, 4, size), np.int32))
    if function is np.ldexp:
        return Call(function, (draw(argument(function, "x", size)), exponents))
    return Call(function, (read_only(rng.choice((1, -1), size) * rng.uniform(0.6, 0.9, size) * 2.0**exponents),))


@st.composite
def with_parts(draw: Any, function: Callable[..., Any]) -> Call:
    """Numbers that are real or complex."""
    keywords = {"deg": FLAG} if function is np.angle else {}
    array = draw(numbers(draw(shapes()), complex=draw(FLAG)))
    return Call(function, (array,), draw(st.fixed_dictionaries({}, optional=keywords)))


@st.composite
def nearly_real(draw: Any, function: Callable[..., Any]) -> Call:
    """np.real_if_close: with imaginary parts that count, and such that do not."""
    x = draw(with_parts(function)).arguments[0]
    keywords = draw(st.fixed_dictionaries({}, optional={"tol": st.sampled_from((1000, 1e-4))}))
    return Call(function, (x,), keywords)


@st.composite
def filling(draw: Any, function: Callable[..., Any]) -> Call:
    """np.nan_to_num: into a copy, or in place."""
    x = draw(with_parts(function)).arguments[0]
    keywords = {"nan": st.just(2.5), "posinf": st.just(3.5), "neginf": st.just(-4.5), "copy": st.just(True)}
    return Call(function, (x,), draw(st.fixed_dictionaries({}, optional=keywords)))


# What NumPy computes of complex numbers, too, other than by comparing them.
ORDERED = {np.maximum, np.minimum, np.fmax, np.fmin, np.less, np.less_equal, np.greater, np.greater_equal}
UFUNCS = [f for f in TABLE if isinstance(f, np.ufunc) and f.signature is None]
COMPLEX = {f for f in UFUNCS if any("D" in types for types in f.types)} - ORDERED | {np.where, np.sinc, operator.pow}

ARGUMENTS: dict[Callable[..., Any], Factory] = {
    np.where: choosing,
    np.clip: clipping,
    **dict.fromkeys((np.ldexp, np.frexp), scaling),
    **dict.fromkeys((np.real, np.imag, np.angle), with_parts),
    np.real_if_close: nearly_real,
    np.nan_to_num: filling,
    bessel: lambda f: elementwise(f, order=st.sampled_from((0, 1, 2, 3))),
    np.isclose: lambda f: elementwise(f, rtol=st.just(0.5), atol=st.just(0.1), equal_nan=FLAG),
    **dict.fromkeys((np.bitwise_and, np.bitwise_or, np.bitwise_xor, np.invert), whole_numbers),
}
