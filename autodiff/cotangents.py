"""What comes in to a rule where it is no plain array: `Masked`, with elements that nothing came in to, and `Parts`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from .structures import mapped

SEVERAL = "several"  # in the place of shape and dtype: of a node with several results, and of what comes in to it


class Parts(tuple[Any, ...]):
    """For each result of a function that has several its gradient, or None where nothing came in."""

    __slots__ = ()
    shape = dtype = SEVERAL

    @classmethod
    def only(cls, gradient: Any, index: int, count: int) -> Parts:
        """The gradient of one result."""
        return cls(gradient if i == index else None for i in range(count))

    def __add__(self, other: Iterable[Any]) -> Parts:  # type: ignore[override]
        pairs = zip(self, other, strict=True)
        return Parts(b if a is None else a if b is None else a + b for a, b in pairs)


class Masked(np.ndarray):
    """A gradient that is exactly zero where `mask` is False, since that branch was not taken: also times inf or nan.

    Elementwise operations and those that move elements carry the mask on; all others see zeros.
    """

    mask: Any = None

    @staticmethod
    def of(value: Any, mask: Any, origin: Any = None) -> Any:
        """The value, zero where the mask is False, and where that of its `origin` was."""
        if not isinstance(value, (np.ndarray, np.generic)):
            return value
        if isinstance(origin, Masked) and origin.mask is not None:
            mask = np.logical_and(mask, origin.mask)
        result = np.asarray(value).view(Masked)
        result.mask = mask if getattr(mask, "shape", None) == result.shape else np.broadcast_to(mask, result.shape)
        return result

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, out: Any = None, **keywords: Any) -> Any:
        plain = [unmasked(x) for x in inputs]
        masks = [x.mask for x in inputs if isinstance(x, Masked) and x.mask is not None]
        if ufunc is np.add and method == "reduce" and masks:
            mask = np.logical_or.reduce(
                masks[0], **{key: keywords[key] for key in ("axis", "keepdims") if key in keywords}
            )
            return Masked.of(np.add.reduce(*plain, **keywords), mask)
        if method == "__call__" and out is None and not keywords:
            if ufunc in _SUMS and len(masks) == len(inputs):
                return Masked.of(ufunc(*plain), np.logical_or(*masks))
            if ufunc in _FACTORS and masks:
                mask = masks[0] if len(masks) == 1 else masks[0] & masks[1]
                result = np.asarray(ufunc(*plain, out=None, where=mask))
                result[~np.broadcast_to(mask, result.shape)] = 0
                return Masked.of(result, mask)
        return getattr(ufunc, method)(*plain, **keywords if out is None else keywords | {"out": out})

    def __array_function__(self, function: Callable[..., Any], types: Any, arguments: Any, keywords: Any) -> Any:
        plain = function(*mapped(arguments, unmasked), **mapped(keywords, unmasked))
        if function in _MOVES and self is arguments[0] and self.mask is not None:
            return Masked.of(plain, function(self.mask, *arguments[1:], **keywords))
        return plain

    def _moved(self, name: str, *arguments: Any, **keywords: Any) -> Any:
        plain = getattr(self.view(np.ndarray), name)(*arguments, **keywords)
        return plain if self.mask is None else Masked.of(plain, getattr(self.mask, name)(*arguments, **keywords))

    def reshape(self, *shape: Any, **keywords: Any) -> Any:
        return self._moved("reshape", *shape, **keywords)

    def transpose(self, *axes: Any) -> Any:
        return self._moved("transpose", *axes)

    def swapaxes(self, *axes: Any) -> Any:
        return self._moved("swapaxes", *axes)

    def copy(self, order: Any = "C") -> Any:
        return self._moved("copy", order)

    def __getitem__(self, index: Any) -> Any:
        return self._moved("__getitem__", index)

    def astype(self, dtype: Any, **keywords: Any) -> Any:  # type: ignore[override]
        return Masked.of(self.view(np.ndarray).astype(dtype, **keywords), self.mask)

    def dot(self, other: Any, out: Any = None) -> Any:
        return self.view(np.ndarray).dot(other)

    @property
    def T(self) -> Any:
        return self.transpose()

    def __iter__(self) -> Iterator[Any]:
        return (self[i] for i in range(len(self)))


_SUMS = {np.add, np.subtract}
_FACTORS = {np.multiply, np.divide, np.negative, np.positive, np.conjugate}
_MOVES = {
    np.reshape, np.transpose, np.swapaxes, np.moveaxis, np.flip, np.broadcast_to, np.ravel, np.squeeze, np.expand_dims,
    np.copy, np.real, np.roll, np.diagonal,
}  # fmt: skip


def unmasked(value: Any) -> Any:
    """The same as a plain array."""
    return value.view(np.ndarray) if isinstance(value, Masked) else value
