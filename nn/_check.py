"""Arguments are taken in at the door; each error names the argument, what was passed and what is wanted."""

from __future__ import annotations

import operator
from collections.abc import Mapping
from typing import Any, SupportsIndex, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from autodiff import Tensor

T = TypeVar("T")


def whole(name: str, value: SupportsIndex, least: int) -> int:
    """`value` as an int that is at least `least`."""
    try:
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"{name} must be a whole number, not {value!r}") from None
    if number < least:
        raise ValueError(f"{name} must be at least {least}, not {number}")
    return number


def real(name: str, value: float, low: float, high: float) -> float:
    """`value` as a Python float in [low, high); a Python float is weak, so that float32 stays float32."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise TypeError(f"{name} must be a number, not {value!r}") from None
    if not low <= number < high:
        bounds = f"at least {low:g}" + (f" and less than {high:g}" if high < float("inf") else " and finite")
        raise ValueError(f"{name} must be {bounds}, not {number!r}")
    return number


def known(what: str, name: object, table: Mapping[str, T]) -> T:
    """The entry of `table` called `name`."""
    if not isinstance(name, str) or name not in table:
        raise ValueError(f"unknown {what} {name!r}: known are {', '.join(map(repr, sorted(table)))}")
    return table[name]


def shape(value: Any) -> tuple[int, ...]:
    """The shape of an array, a Tensor, or nested lists."""
    return value.shape if hasattr(value, "shape") else np.shape(value)


def plain(values: Any) -> NDArray[Any]:
    """An array, a Tensor or nested lists as a plain array, without a copy where there need be none."""
    if isinstance(values, np.ma.MaskedArray):
        raise TypeError("a masked array would lose its mask; fill it first: array.filled(0)")
    if isinstance(values, Tensor):
        return values.numpy()
    other = hasattr(values, "__array_function__") and not isinstance(values, np.ndarray)  # Dask's stay what they are
    return cast(Any, values) if other else np.asarray(values)
