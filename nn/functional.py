"""Activations as functions, of arrays and Tensors alike; the modules of `nn.layers` call them.

    identity(x)              x
    relu(x)                  max(x, 0)
    sigmoid(x)               1 / (1 + exp(-x))
    softplus(x)              log(1 + exp(x))
    tanh(x)                  (exp(x) - exp(-x)) / (exp(x) + exp(-x))
    softmax(x, axis=-1)      exp(x) / sum(exp(x)), along an axis
    log_softmax(x, axis=-1)  x - log(sum(exp(x))), along an axis

All are finite and free of warnings for arguments of any size.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

from autodiff import log_softmax, relu, sigmoid, softmax, softplus

__library__ = True  # its variables are no names that a user knows

__all__ = ["identity", "log_softmax", "relu", "sigmoid", "softmax", "softplus", "tanh"]

T = TypeVar("T")

tanh: Callable[[Any], Any] = np.tanh


def identity(x: T) -> T:
    """x itself, of any shape. Source: `torch.nn.Identity`.

    >>> identity(3)
    3
    """
    return x
