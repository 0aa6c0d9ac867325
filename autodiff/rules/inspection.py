"""Functions that ask something about arrays: positions, truth values, counts, shapes, texts; and those of sets.

    INSPECTS        plain answers, which are no part of a graph
    constants(...)  answers that depend on data, and are nodes therefore: baked into a graph they would be wrong on the next input

The numbers in a set are the arguments' own, and carry their gradient. Those that two sets have in common do not: a
little moved, they are not in common any more.
"""
# ruff: noqa: E501

from __future__ import annotations

from typing import Any

import numpy as np

from ..primitive import INSPECTS, composed, constant, constants, elementwise
from .engine import detached


def among(values: Any, x: Any) -> Any:
    """The values, as elements of x."""
    flat = np.ravel(x)
    order = np.argsort(flat, kind="stable")
    return flat[order[np.searchsorted(flat[order], values)]]


def without(x: Any, y: Any) -> Any:
    """The elements of x that are not in y."""
    return x[np.isin(x, y, invert=True)]


def unique(ar: Any, return_index: bool = False, return_inverse: bool = False, return_counts: bool = False, axis: int | None = None, **options: Any) -> Any:
    """np.unique, its numbers (or what lies along an axis) as elements of the array."""
    found = np.unique(detached(ar), return_index, return_inverse, return_counts, axis, **options)
    values, *others = found if isinstance(found, tuple) else (found,)
    first = None if axis is None else np.unique(detached(ar), return_index=True, axis=axis)[1]
    own = among(values, ar) if first is None else np.take(ar, first, axis)
    return (own, *others) if others else own


INSPECTS |= {np.shape, np.ndim, np.size, np.result_type, np.common_type, np.min_scalar_type, np.can_cast, np.may_share_memory, np.shares_memory}
INSPECTS |= {np.array2string, np.array_repr, np.array_str, np.save, np.savez, np.savez_compressed, np.savetxt}

# --- positions, counts, truth values ---
constants(np.argsort, np.argpartition, np.lexsort, np.nanargmax, np.nanargmin, np.argwhere, np.nonzero, np.flatnonzero)
constants(np.where, np.searchsorted, np.digitize, np.ravel_multi_index, np.unravel_index, np.linalg.matrix_rank)
constants(np.diag_indices_from, np.tril_indices_from, np.triu_indices_from)
constants(np.iscomplex, np.isreal, np.isneginf, np.isposinf, np.isin, np.intersect1d, np.packbits, np.unpackbits)

# fmt: off
# --- sets ---
composed(np.unique,         "unique(ar, return_index=False, return_inverse=False, return_counts=False, axis=None, *, equal_nan=True)", unique)
composed(np.unique_all,     "unique_all(x)")
composed(np.unique_counts,  "unique_counts(x)")
composed(np.unique_inverse, "unique_inverse(x)")
composed(np.unique_values,  "unique_values(x)")
composed(np.union1d,        "union1d(ar1, ar2)")
composed(np.setxor1d,       "setxor1d(ar1, ar2, assume_unique=False)")
composed(np.setdiff1d,      "setdiff1d(ar1, ar2, assume_unique=False)", "without(ar1 if assume_unique else np.unique(ar1), ar2)")

# --- numbers and their neighbours ---
constant(np.fix,            "fix(x)")
constant(np.spacing,        "spacing(x)")
elementwise(np.nextafter,   "nextafter(x, y)",      "1",    None)

# --- whole numbers ---
constant(np.gcd,            "gcd(x, y)")
constant(np.lcm,            "lcm(x, y)")
constant(np.left_shift,     "left_shift(x, y)")
constant(np.right_shift,    "right_shift(x, y)")
constant(np.bitwise_count,  "bitwise_count(x)")
# fmt: on
