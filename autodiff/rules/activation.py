"""Our own primitives: functions that NumPy lacks, and that stability or speed does not allow to compose.

The grammar is that of `elementwise.py`; a function of ours is written once, for arrays, and `own` lets Tensors record it.
"""
# ruff: noqa: E501

from __future__ import annotations

from typing import Any

import numpy as np

from ..primitive import elementwise, own, selecting, special
from . import reduction

# Where sigmoid(x) is 1 to the last bit and exp(x) does not overflow yet; and 1. NumPy takes 0-d arrays faster than floats.
_SATURATED = {char: (np.array(limit, char), np.array(1, char)) for char, limit in (("e", 11), ("f", 20), ("d", 40), ("g", 50))}

_DOUBLE = (40.0, 1.0)


@own
def sigmoid(x: Any) -> Any:
    """The logistic function 1 / (1 + exp(-x)), elementwise, without overflow: e / (1 + e) with e = exp(x).

    >>> sigmoid(np.array([-1e4, 0.0, 1e4]))
    array([0. , 0.5, 1. ])
    """
    limit, one = _SATURATED.get(x.dtype.char, _DOUBLE) if isinstance(x, (np.ndarray, np.generic)) else _DOUBLE
    e = np.minimum(x, limit)
    if type(e) is not np.ndarray:
        e = np.exp(e)
        return e / (e + one)
    np.exp(e, out=e)  # in place: of a large array, memory is what costs
    return np.divide(e, e + one, out=e)


@own
def relu(x: Any) -> Any:
    """max(x, 0), elementwise; its derivative at 0 is 0 (Nair and Hinton, 2010).

    >>> relu(np.array([-1.0, 0.0, 2.0]))
    array([0., 0., 2.])
    """
    return np.maximum(x, 0)


@own
def softplus(x: Any) -> Any:
    """log(1 + exp(x)), elementwise, without overflow (Dugas et al., 2001).

    >>> softplus(np.array([-1e4, 0.0, 1e4]))
    array([0.00000000e+00, 6.93147181e-01, 1.00000000e+04])
    """
    return np.logaddexp(x, 0)


@np.errstate(all="ignore")
def gap(x: Any, y: Any) -> Any:
    """x - y, and 0 for equal infinities: such a tie is shared equally."""
    return np.where((x == y) & np.isinf(x), 0, x - y)


def _floating(x: Any) -> Any:
    """Integers as floats: the maximum of nothing is -inf."""
    x = x if hasattr(x, "dtype") else np.asarray(x)
    return x if x.dtype.kind in "fc" else x.astype(np.float64)


def highest(x: Any, axis: Any) -> Any:
    """The maximum, of nothing -inf."""
    options: Any = {} if x.size else {"initial": -np.inf}
    return np.max(x, axis=axis, keepdims=True, **options)


@own
def logsumexp(x: Any, axis: int | tuple[int, ...] | None = None, keepdims: bool = False) -> Any:
    """log(sum(exp(x))) over `axis`, without overflow, as `scipy.special.logsumexp`.

    >>> float(logsumexp(np.array([1e4, 1e4])).round(4))
    10000.6931
    """
    x = _floating(x)
    top = highest(x, axis)
    shift = np.where(np.isfinite(top), top, 0)
    with np.errstate(divide="ignore"):  # the logarithm of an empty sum, or of a sum of zeros, is -inf
        out = np.log(np.sum(np.exp(x - shift), axis=axis, keepdims=True)) + shift
    return out if keepdims else np.reshape(out, reduction.left(np.shape(x), axis))[()]


@own
def softmax(x: Any, axis: int | tuple[int, ...] | None = -1) -> Any:
    """exp(x) / sum(exp(x)) over `axis`, without overflow (Bridle, 1990), as `scipy.special.softmax`.

    >>> softmax(np.array([1e4, 1e4]))
    array([0.5, 0.5])
    """
    x = _floating(x)
    e = np.exp(x - highest(x, axis))
    return e / np.sum(e, axis=axis, keepdims=True)


@own
def log_softmax(x: Any, axis: int | tuple[int, ...] | None = -1) -> Any:
    """log(softmax(x)) over `axis`, without overflow, as `scipy.special.log_softmax`.

    >>> log_softmax(np.array([1e4, 0.0]))
    array([     0., -10000.])
    """
    x = _floating(x)
    shifted = x - highest(x, axis)
    return shifted - np.log(np.sum(np.exp(shifted), axis=axis, keepdims=True))


# fmt: off
elementwise(sigmoid,  "sigmoid(x)",                               "out * (1 - out)")
elementwise(softplus, "softplus(x)",                              "sigmoid(x)")
selecting(relu,       "relu(x)",                                  "dropped(out <= 0, g)", kinks={(0,): (0,)})
special(logsumexp,    "logsumexp(x, axis=None, keepdims=False)",  "reduction.spread(g, x.shape, axis, keepdims) * softmax(x, axis=axis)")  # exact, where exp(x - out) is not
special(softmax,      "softmax(x, axis=-1)",                      "out * (g - (g * out).sum(axis=axis, keepdims=True))")
special(log_softmax,  "log_softmax(x, axis=-1)",                  "g - np.exp(out) * g.sum(axis=axis, keepdims=True)")
# fmt: on
