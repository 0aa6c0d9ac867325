"""Arrays that have a shape and a dtype, and whose elements nobody computes: a large function is recorded in no time.

Results are zeros that the operating system has not yet given memory. A call that is not known here is computed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ...graph import Node
from ...primitive import Composed
from ...rules.indexing import getitem
from ...rules.reduction import kept, left
from .draws import Draw

LARGE = 1 << 15  # elements among the arguments from which on values are not computed while recording


class Shaped(np.ndarray):
    """An array in whose elements nobody is interested."""

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, out: Any = None, **keywords: Any) -> Any:
        if out is not None:
            return out[0]
        if method == "__call__" and not keywords and ufunc.nout == 1:
            if ufunc is np.matmul:
                return _product(*inputs)
            if ufunc.signature is None:
                kinds = [getattr(x, "dtype", None) or type(x) for x in inputs]
                dtype = ufunc.resolve_dtypes((*kinds, None))[-1]  # type: ignore[arg-type]
                return shaped(np.broadcast_shapes(*(np.shape(x) for x in inputs)), dtype)
        if method == "reduce" and keywords.keys() <= {"axis", "dtype", "keepdims"} and keywords.get("dtype") is None:
            (x, *_), axis = inputs, keywords.get("axis", 0)
            dtype = getattr(ufunc.reduce(np.ones(1, x.dtype)), "dtype", x.dtype)
            return shaped((kept if keywords.get("keepdims") else left)(x.shape, axis), dtype)
        return getattr(ufunc, method)(*map(plain, inputs), **keywords)

    def __array_function__(self, function: Callable[..., Any], types: Any, arguments: Any, keywords: Any) -> Any:
        if function is np.dot and len(arguments) == 2 and all(np.ndim(x) == 2 for x in arguments):
            return _product(*arguments)
        return super().__array_function__(function, types, arguments, keywords)


def shaped(shape: Sequence[int], dtype: Any) -> Any:
    """A result of this shape and dtype; a scalar as NumPy's functions give it."""
    found = np.zeros(shape, dtype)
    return found.view(Shaped) if found.ndim else found[()]


def plain(x: Any) -> Any:
    """The same as a plain array."""
    return x.view(np.ndarray) if isinstance(x, Shaped) else x


def _product(x: Any, y: Any) -> Any:
    if x.ndim != 2 or y.ndim != 2 or x.shape[1] != y.shape[0]:
        return np.matmul(plain(x), plain(y))
    return shaped((x.shape[0], y.shape[1]), np.result_type(x, y))


def worth_it(arrays: Sequence[Any]) -> bool:
    """Whether arguments are so large that computing with them would take longer than recording."""
    arrays = [x for x in arrays if isinstance(x, np.ndarray)]
    return sum(x.size for x in arrays) >= LARGE and all(x.flags.c_contiguous for x in arrays)


def trusted(nodes: Sequence[Node]) -> bool:
    """Whether no shape of these nodes can depend on values."""
    for node in nodes:
        row = node.primitive
        if row is not None and not isinstance(row, Draw):
            masked = any(getattr(x, "dtype", None) == np.bool_ for x in node.inputs[1:])
            if isinstance(row, Composed) or row.foreign or row.several or (row.function is getitem and masked):
                return False
    return True
