"""Where parameters begin: seeds, and the distributions that layers draw their first values from."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from nn._check import whole

Seed = int | np.random.Generator | None


def generator(rng: Seed = None) -> np.random.Generator:
    """A NumPy random generator: the one given, a new one from an int seed, or with None a different one each time.

    Errors: `TypeError` for anything else, `ValueError` for a negative seed. Source: `numpy.random.default_rng`.

    >>> generator(0).random() == generator(0).random()
    True
    """
    if rng is None or isinstance(rng, np.random.Generator):
        return np.random.default_rng(rng)
    try:
        return np.random.default_rng(whole("rng", rng, 0))
    except TypeError:
        message = f"rng must be None, an int seed or a numpy.random.Generator, not {type(rng).__name__}"
        raise TypeError(message) from None


def fan_in_uniform(shape: tuple[int, ...], n_in: int, dtype: DTypeLike = float, rng: Seed = None) -> NDArray[Any]:
    """Values of `shape`, uniform between -1/sqrt(n_in) and 1/sqrt(n_in): sums of n_in products keep their scale.

    float32 gets the rounded values of float64: one seed, one network. Errors: `TypeError` for a dtype that is not
    floating. Source: LeCun et al., "Efficient BackProp" (1998); what `torch.nn.Linear` does.

    >>> bool(np.all(abs(fan_in_uniform((4, 3), 4, rng=0)) <= 0.5))
    True
    """
    dtype = np.dtype(dtype)
    if dtype.kind != "f":
        raise TypeError(f"dtype must be a floating type such as float or numpy.float32, not {dtype}")
    limit = 1 / math.sqrt(n_in)
    return generator(rng).uniform(-limit, limit, shape).astype(dtype)
