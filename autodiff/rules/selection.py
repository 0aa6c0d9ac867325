"""Choosing among arrays, and putting elements in order: expressions that np.where, or an order of indices, says.

    composed(function, signature, an equal expression)
"""
# ruff: noqa: E501

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..primitive import composed, constant, inlined, own
from ..sites import __library__  # noqa: F401
from .indexing import within
from .shape import array


def chosen(cases: Sequence[tuple[Any, Any]]) -> Any:
    """Of pairs of a condition and a value the last whose condition holds."""
    start = np.zeros((), np.result_type(*(value for _, value in cases)))
    return functools.reduce(lambda rest, case: np.where(*case, rest), cases, start)


def select(condlist: Sequence[Any], choicelist: Sequence[Any], default: Any = 0) -> Any:
    """np.select."""
    cases = zip(condlist, map(array, choicelist), strict=True)
    return chosen([*cases, (True, array(default))][::-1])


def choose(a: Any, choices: Any, out: Any = None, mode: str = "raise") -> Any:
    """np.choose."""
    number = within(a, len(choices), mode)
    return chosen([(number == i, choice) for i, choice in enumerate(map(array, choices))])


def of_numbers(conditions: Any) -> bool:
    """Whether these are the truth values of one condition, and no list of conditions."""
    first = conditions[0]
    return np.ndim(first) == 0 if hasattr(conditions, "shape") else np.isscalar(first)


def piecewise(x: Any, condlist: Any, funclist: Sequence[Any], *args: Any, **kw: Any) -> Any:
    """np.piecewise: each function sees just the elements that it is for; later ones win."""
    x = x if hasattr(x, "shape") else np.asarray(x)
    if np.isscalar(condlist) or np.shape(condlist) == () or (x.ndim and of_numbers(condlist)):
        condlist = [condlist]
    conditions = [np.not_equal(condition, 0) for condition in condlist]
    if len(conditions) == len(funclist) - 1:
        conditions.append(np.logical_not(functools.reduce(np.logical_or, conditions)))
    if len(conditions) != len(funclist):
        raise ValueError(f"with {len(conditions)} condition(s), as many functions are expected, or one more")
    out = np.zeros_like(x)
    for condition, piece in zip(conditions, funclist, strict=True):
        if not callable(piece):
            out[condition] = piece
        elif (chosen := x[condition]).size:
            out[condition] = piece(chosen, *args, **kw)
    return out


@own
def partition_ranks(x: Any, kth: Any, axis: int | None = -1) -> Any:
    """For each element of `np.partition(x, kth)` its place in order (which np.argpartition may well leave elsewhere).

    >>> partition_ranks(np.array([3.0, 9.0, 1.0]), kth=1)
    array([0, 1, 2])
    """
    return np.argsort(np.argsort(np.partition(x, kth, axis), axis), axis)


# fmt: off
composed(np.select,       "select(condlist, choicelist, default=0)",                    select)
composed(np.choose,       "choose(a, choices, out=None, mode='raise')",                 choose)
inlined(np.piecewise,     "piecewise(x, condlist, funclist, *args, **kw)",              piecewise)
composed(np.sort,         "sort(a, axis=-1, kind=None, order=None, *, stable=None)",    "np.take_along_axis(a, np.argsort(a, axis), axis)")
composed(np.sort_complex, "sort_complex(a)",                                            "np.sort(a)")
composed(np.partition,    "partition(a, kth, axis=-1, kind='introselect', order=None)", "np.take_along_axis(np.sort(a, axis), partition_ranks(a, kth=kth, axis=axis), axis)")
constant(partition_ranks, "partition_ranks(x, kth=..., axis=-1)")
# fmt: on
