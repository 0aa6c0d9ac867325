"""The operators and methods of `Tensor`: those that the table names come from it, the others are said with them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .rules.indexing import getitem, split
from .rules.shape import cast

if TYPE_CHECKING:
    from collections.abc import Callable

    from .tensor import Tensor


class TensorMethods:
    """What `Tensor` has of ndarray's methods beyond those that `install` takes from the table."""

    __slots__ = ()

    def __getitem__(self, index: Any) -> Tensor:
        bare, arrays = split(index)
        return getitem(self, arrays, index=bare)

    def reshape(self, *shape: Any, order: str = "C") -> Tensor:
        """As ndarray's: `t.reshape(2, 3)` or `t.reshape((2, 3))`."""
        return np.reshape(self, shape[0] if len(shape) == 1 else shape, order=order)  # type: ignore[call-overload]

    def transpose(self, *axes: Any) -> Tensor:
        """As ndarray's: `t.transpose()`, `t.transpose(1, 0)` or `t.transpose((1, 0))`."""
        return np.transpose(self, (axes[0] if len(axes) == 1 else axes) or None)  # type: ignore[call-overload]

    def flatten(self, order: str = "C") -> Tensor:
        """As ndarray's: a copy in one dimension."""
        return np.copy(np.ravel(self, order))  # type: ignore[call-overload]

    def astype(self, dtype: Any) -> Tensor:
        """As ndarray's; the gradient comes back in this dtype."""
        return cast(self, dtype=np.dtype(dtype))

    def copy(self, order: str = "C") -> Tensor:
        """As ndarray's; records, so that gradient flows through it."""
        return np.copy(self, order)  # type: ignore[call-overload]
