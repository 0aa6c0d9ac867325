"""Averages, quantiles, histograms, differences along an axis.

    composed(function, signature, an equal expression)

Where a rule has to find elements first (the order of the data, the bin, the neighbours of a point), it does so by indices,
which are constant almost everywhere.
"""
# ruff: noqa: E501

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..primitive import composed, constants, linear
from .indexing import ARRAY, scatter
from .reduction import Axis, Shape, axes_of, kept, left, merged


def array(x: Any) -> Any:
    """x as one array: in a list there may be Tensors."""
    if isinstance(x, (list, tuple)):
        return np.stack([array(item) for item in x]) if x else np.zeros(0)
    return x if hasattr(x, "dtype") else np.asarray(x)


# --- averages ---------------------------------------------------------------------------------------------------------


def weights_for(weights: Any, shape: Shape, axis: Axis) -> Any:
    """Weights that broadcast to `shape`: they may be given for the axes of the average alone."""
    weights, axes = array(weights), axes_of(shape, axis)
    if weights.shape == shape:
        return weights
    ordered = np.transpose(weights, np.argsort(axes).tolist())
    return ordered.reshape(tuple(size if i in axes else 1 for i, size in enumerate(shape)))


def average(a: Any, axis: Axis = None, weights: Any = None, returned: bool = False, *, keepdims: bool = False) -> Any:
    a = array(a)
    if weights is None:
        mean = np.mean(a, axis, keepdims=keepdims)
        total = np.full_like(mean, a.size / max(mean.size, 1))
    else:
        weights = weights_for(weights, a.shape, axis)
        total = np.sum(weights, axis, keepdims=keepdims)
        mean = np.sum(a * weights, axis, keepdims=keepdims) / total
    return (mean, np.broadcast_to(total, mean.shape)) if returned else mean


def rows(m: Any, rowvar: bool, dtype: Any) -> Any:
    """Observations as a matrix with a row for each variable."""
    matrix = np.atleast_2d(m).astype(dtype)
    return matrix if rowvar or len(matrix) == 1 else matrix.T


def cov(
    m: Any, y: Any = None, rowvar: bool = True, bias: bool = False, ddof: int | None = None, fweights: Any = None,
    aweights: Any = None, *, dtype: Any = None,
) -> Any:  # fmt: skip
    m, y = array(m), m if y is None else array(y)
    ...


# --- quantiles --------------------------------------------------------------------------------------------------------

# Where in the sorted data, counted from 0, the quantile q of n numbers lies (Hyndman and Fan, 1996; and NumPy's own).
POSITIONS: dict[str, Callable[[Any, Any], Any]] = {
    "inverted_cdf": lambda n, q: np.ceil(n * q) - 1,
    "averaged_inverted_cdf": lambda n, q: (np.floor(n * q) + np.ceil(n * q) - 1) / 2,
    "closest_observation": lambda n, q: np.round(n * q) - 1,
    "interpolated_inverted_cdf": lambda n, q: n * q - 1,
    "hazen": lambda n, q: n * q - 1 / 2,
    "weibull": lambda n, q: (n + 1) * q - 1,
    "linear": lambda n, q: (n - 1) * q,
    "median_unbiased": lambda n, q: (n + 1 / 3) * q - 2 / 3,
    "normal_unbiased": lambda n, q: (n + 1 / 4) * q - 5 / 8,
    "lower": lambda n, q: np.floor((n - 1) * q),
    "higher": lambda n, q: np.ceil((n - 1) * q),
    "midpoint": lambda n, q: (np.floor((n - 1) * q) + np.ceil((n - 1) * q)) / 2,
    "nearest": lambda n, q: np.round((n - 1) * q),
}


def quantile(
    a: Any, q: Any, axis: Axis, keepdims: bool, method: str = "linear", weights: Any = None, whole: int = 1, nan: bool = True
) -> Any:
    """The quantiles q / whole: an element each, or something between two neighbours. Without `nan`, these do not count."""
    a, q = array(a), array(q) if isinstance(q, (list, tuple)) else q
    x, p = merged(a, axis), np.ravel(np.true_divide(q, whole))
    present = np.logical_or(nan, ~np.isnan(x))
    n = np.sum(present, axis=-1, dtype=p.dtype, keepdims=True)
    order = np.argsort(x, axis=-1)
    x = np.where(present, x, np.nan)
    ...
