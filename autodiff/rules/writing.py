"""Functions that write into their first argument.

    written(function, signature, an equal expression for what the argument becomes)

As always with Tensors, no array is written: a new one is made, and takes the place of the old.
"""
# ruff: noqa: E501

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from ..primitive import composed, inlined, own
from ..sites import __library__  # noqa: F401
from . import indexing
from .indexing import ARRAY
from .shape import array


def written(function: Callable[..., Any], formula: str, expression: Any) -> None:
    """A row of a function that writes: recorded as one that returns the new array, with `out=` the first argument."""

    @own
    @functools.wraps(function)
    def changed(a: Any, *arguments: Any) -> Any:
        new = np.copy(a)
        function(new, *arguments)
        return new

    row = composed(changed, formula, expression)

    def write(*arguments: Any, **keywords: Any) -> None:
        call = inspect.signature(row.composition).bind(*arguments, **keywords)
        call.apply_defaults()
        changed(*call.args, out=call.args[0])

    inlined(function, formula, write)


def put_at(a: Any, where: Any, values: Any) -> Any:
    """a with values at places in its flattened form."""
    return indexing.put(np.ravel(a), array(values), [where], index=ARRAY).reshape(a.shape)


def put(a: Any, ind: Any, v: Any, mode: str = "raise") -> Any:
    """np.put: the values, again and again."""
    v = array(v)
    return put_at(a, indexing.within(ind, a.size, mode), np.resize(v, np.shape(ind))) if np.size(v) else a


def putmask(a: Any, mask: Any, values: Any) -> Any:
    """np.putmask: the values, again and again, of which the mask chooses."""
    values = array(values)
    return np.where(np.not_equal(mask, 0).reshape(a.shape), np.resize(values, a.shape), a) if np.size(values) else a


def place(arr: Any, mask: Any, vals: Any) -> Any:
    """np.place: the values, again and again, where the mask is true."""
    vals, mask = array(vals), np.not_equal(mask, 0)
    return putmask(arr, mask, np.ravel(vals)[(np.cumsum(mask) - 1) % np.size(vals)]) if np.size(vals) else arr


def fill_diagonal(a: Any, val: Any, wrap: bool = False) -> Any:
    """np.fill_diagonal."""
    diagonal = np.zeros(a.shape, bool)
    np.fill_diagonal(diagonal, True, wrap)
    return place(a, diagonal, val)


# fmt: off
written(np.copyto,         "copyto(dst, src, casting='same_kind', where=True)", "np.where(where, array(src), dst).reshape(dst.shape)")
written(np.putmask,        "putmask(a, mask, values)",                          putmask)
written(np.place,          "place(arr, mask, vals)",                            place)
written(np.put,            "put(a, ind, v, mode='raise')",                      put)
written(np.put_along_axis, "put_along_axis(arr, indices, values, axis)",        "put_at(arr, np.take_along_axis(indexing.places(arr), indices, axis), values)")
written(np.fill_diagonal,  "fill_diagonal(a, val, wrap=False)",                 fill_diagonal)
# fmt: on
