"""What a user's own function is given, and gives back."""

from __future__ import annotations

from typing import Any

import numpy as np


def read_only(value: Any) -> Any:
    """A view that cannot be made writable again: its base is a read-only buffer, not the array."""
    if not isinstance(value, (np.ndarray, np.generic)):
        return value
    array: Any = np.asarray(value)
    return np.asarray(memoryview(array).toreadonly()) if array.size else array.copy()


def handed_out(values: Any) -> Any:
    """Values of a graph in the hands of a user's function: read-only."""
    return tuple(map(handed_out, values)) if isinstance(values, tuple) else read_only(values)


def checked(result: Any, name: str) -> Any:
    """What a user's function returned, as an array that nobody else holds."""
    if isinstance(result, (bool, int, float, complex)):
        return np.array(result)[()]
    if not hasattr(result, "dtype"):
        raise TypeError(f"{name} returned {type(result).__name__}: a function or a derivative returns one array")
    if result.dtype.kind not in "fiubc":
        raise TypeError(f"{name} returned an array of dtype {result.dtype}: numbers are wanted")
    return result.copy() if isinstance(result, np.ndarray) else result
