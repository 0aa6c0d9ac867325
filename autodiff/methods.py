"""The operators and methods of `Tensor`: what a row of the table names comes from it, the rest is said with NumPy."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from .composition import otherwise, plainly, unpacked
from .errors import describe
from .expressions import COMPARISONS, OPERATORS
from .graph import Variable, leaf
from .modes import paused
from .primitive import TABLE, Primitive
from .record import generate, recorder
from .rules.indexing import getitem, split
from .rules.shape import cast
from .sites import __library__  # noqa: F401
from .storage import Stored

if TYPE_CHECKING:
    from .tensor import Tensor


class Methods(Stored):
    """What `Tensor` has of ndarray's operators and methods."""

    __slots__ = ()
    _otherwise = staticmethod(otherwise)
    _plainly = staticmethod(plainly)
    _unpacked = staticmethod(unpacked)

    def __getitem__(self, index: Any) -> Tensor:
        bare, arrays = split(index)
        return getitem(self, arrays, index=bare)

    def reshape(self, *shape: Any, order: str = "C") -> Tensor:
        """As ndarray's: `t.reshape(2, 3)` or `t.reshape((2, 3))`."""
        return call(np.reshape, self, shape[0] if len(shape) == 1 else shape, order=order)

    def transpose(self, *axes: Any) -> Tensor:
        """As ndarray's: `t.transpose()`, `t.transpose(1, 0)` or `t.transpose((1, 0))`."""
        return call(np.transpose, self, (axes[0] if len(axes) == 1 else axes) or None)

    @property
    def T(self) -> Tensor:
        """The transpose."""
        return call(np.transpose, self)

    def flatten(self, order: str = "C") -> Tensor:
        """As ndarray's: a copy in one dimension."""
        return call(np.copy, call(np.ravel, self, order))

    def astype(
        self, dtype: Any, order: str = "K", casting: Any = "unsafe", subok: bool = True, copy: bool = True
    ) -> Tensor:
        """As ndarray's; the gradient comes back in this dtype."""
        old, new = self._node.dtype, np.dtype(dtype)
        if not np.can_cast(old, new, casting):
            raise TypeError(f"Cannot cast {describe(self, 'a Tensor')} from {old} to {new} by the rule {casting!r}")
        return cast(self, dtype=new) if copy or old != new else self  # type: ignore[return-value]

    def copy(self, order: str = "C") -> Tensor:
        """As ndarray's; recorded, so that gradient flows through it."""
        return self[()] if isinstance(self._read(), np.generic) else call(np.copy, self, order)

    def clip(self, min: Any = None, max: Any = None, out: Any = None, **keywords: Any) -> Tensor:
        """As ndarray's: at a bound the gradient passes."""
        return np.clip(self, min, max, out=out, **keywords)  # type: ignore[call-overload]

    @property
    def mT(self) -> Tensor:
        """The transpose of each matrix."""
        return call(np.swapaxes, self, -1, -2)

    @property
    def real(self) -> Tensor:
        """The real part: a view, as ndarray's."""
        return np.real(self)  # type: ignore[return-value]

    @real.setter
    def real(self, value: Any) -> None:
        self.real[...] = value

    @property
    def imag(self) -> Tensor:
        """The imaginary part."""
        return np.imag(self)  # type: ignore[return-value]

    @imag.setter
    def imag(self, value: Any) -> None:
        if self._node.dtype.kind != "c":
            raise TypeError("array does not have imaginary part to set")
        self.imag[...] = value

    def compress(self, condition: Any, axis: int | None = None, out: Any = None) -> Tensor:
        """As ndarray's."""
        return np.compress(condition, self, axis, out)  # type: ignore[arg-type, return-value]

    def fill(self, value: Any) -> None:
        """As ndarray's: in place."""
        self[...] = value

    def put(self, indices: Any, values: Any, mode: Any = "raise") -> None:
        """As ndarray's: in place."""
        np.put(self, indices, values, mode)  # type: ignore[arg-type]

    def sort(self, axis: int = -1, kind: Any = None, order: Any = None, *, stable: bool | None = None) -> None:
        """As ndarray's: in place."""
        self[...] = np.sort(self, axis, kind, order, stable=stable)  # type: ignore[arg-type, call-overload]

    def partition(self, kth: Any, axis: int = -1, kind: Any = "introselect", order: Any = None) -> None:
        """As ndarray's: in place."""
        self[...] = np.partition(self, kth, axis, kind, order)  # type: ignore[arg-type]

    if TYPE_CHECKING:  # what `install` takes from the table; a test holds the two together
        # fmt: off
        def __add__(self, other: Any) -> Tensor: ...
        def __radd__(self, other: Any) -> Tensor: ...
        def __sub__(self, other: Any) -> Tensor: ...
        def __rsub__(self, other: Any) -> Tensor: ...
        def __mul__(self, other: Any) -> Tensor: ...
        def __rmul__(self, other: Any) -> Tensor: ...
        def __truediv__(self, other: Any) -> Tensor: ...
        def __rtruediv__(self, other: Any) -> Tensor: ...
        def __floordiv__(self, other: Any) -> Tensor: ...
        def __rfloordiv__(self, other: Any) -> Tensor: ...
        def __mod__(self, other: Any) -> Tensor: ...
        def __rmod__(self, other: Any) -> Tensor: ...
        def __pow__(self, other: Any) -> Tensor: ...
        def __rpow__(self, other: Any) -> Tensor: ...
        def __matmul__(self, other: Any) -> Tensor: ...
        def __rmatmul__(self, other: Any) -> Tensor: ...
        def __and__(self, other: Any) -> Tensor: ...
        def __rand__(self, other: Any) -> Tensor: ...
        def __or__(self, other: Any) -> Tensor: ...
        def __ror__(self, other: Any) -> Tensor: ...
        def __xor__(self, other: Any) -> Tensor: ...
        def __rxor__(self, other: Any) -> Tensor: ...
        def __lt__(self, other: Any) -> Tensor: ...
        def __le__(self, other: Any) -> Tensor: ...
        def __gt__(self, other: Any) -> Tensor: ...
        def __ge__(self, other: Any) -> Tensor: ...
        def __eq__(self, other: Any) -> Tensor: ...  # type: ignore[override]
        def __ne__(self, other: Any) -> Tensor: ...  # type: ignore[override]
        def __neg__(self) -> Tensor: ...
        def __pos__(self) -> Tensor: ...
        def __invert__(self) -> Tensor: ...
        def __abs__(self) -> Tensor: ...
        def sum(self, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: bool = False) -> Tensor: ...
        def mean(self, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: bool = False) -> Tensor: ...
        def prod(self, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: bool = False) -> Tensor: ...
        def max(self, axis: Any = None, out: Any = None, keepdims: bool = False) -> Tensor: ...
        def min(self, axis: Any = None, out: Any = None, keepdims: bool = False) -> Tensor: ...
        def var(self, axis: Any = None, dtype: Any = None, out: Any = None, ddof: float = 0, keepdims: bool = False) -> Tensor: ...  # noqa: E501
        def std(self, axis: Any = None, dtype: Any = None, out: Any = None, ddof: float = 0, keepdims: bool = False) -> Tensor: ...  # noqa: E501
        def cumsum(self, axis: Any = None, dtype: Any = None, out: Any = None) -> Tensor: ...
        def cumprod(self, axis: Any = None, dtype: Any = None, out: Any = None) -> Tensor: ...
        def argmax(self, axis: Any = None, out: Any = None, keepdims: bool = False) -> Tensor: ...
        def argmin(self, axis: Any = None, out: Any = None, keepdims: bool = False) -> Tensor: ...
        def all(self, axis: Any = None, out: Any = None, keepdims: bool = False) -> Tensor: ...
        def any(self, axis: Any = None, out: Any = None, keepdims: bool = False) -> Tensor: ...
        def round(self, decimals: int = 0, out: Any = None) -> Tensor: ...
        def dot(self, other: Any) -> Tensor: ...
        def ravel(self, order: str = "C") -> Tensor: ...
        def squeeze(self, axis: Any = None) -> Tensor: ...
        def swapaxes(self, axis1: int, axis2: int) -> Tensor: ...
        def argpartition(self, kth: Any, axis: Any = -1, kind: Any = "introselect") -> Tensor: ...
        def argsort(self, axis: Any = -1, kind: Any = None) -> Tensor: ...
        def choose(self, choices: Any, out: Any = None, mode: Any = "raise") -> Tensor: ...
        def conj(self) -> Tensor: ...
        def conjugate(self) -> Tensor: ...
        def diagonal(self, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Tensor: ...
        def nonzero(self) -> tuple[Tensor, ...]: ...
        def repeat(self, repeats: Any, axis: int | None = None) -> Tensor: ...
        def searchsorted(self, v: Any, side: Any = "left", sorter: Any = None) -> Tensor: ...
        def take(self, indices: Any, axis: int | None = None, out: Any = None, mode: Any = "raise") -> Tensor: ...
        def trace(self, offset: int = 0, axis1: int = 0, axis2: int = 1, dtype: Any = None, out: Any = None) -> Tensor: ...  # noqa: E501
        def __divmod__(self, other: Any) -> tuple[Tensor, Tensor]: ...
        def __rdivmod__(self, other: Any) -> tuple[Tensor, Tensor]: ...
        # fmt: on


def call(function: Callable[..., Any], *arguments: Any, **keywords: Any) -> Any:
    """Record a call of a NumPy function."""
    return recorder(function, Stored._kind)(*arguments, **keywords)


_AS_FUNCTIONS = (
    "argpartition", "argsort", "choose", "conj", "conjugate", "diagonal", "nonzero", "repeat", "searchsorted", "take",
    "trace",
)  # fmt: skip


def install(tensor: Any) -> None:
    """Give Tensor the operators and the methods that rows of the table name."""
    Stored._kind = tensor
    for name in _AS_FUNCTIONS:
        setattr(tensor, name, _as_function(getattr(np, name)))
    tensor.__divmod__ = lambda self, other: np.divmod(self, other)
    tensor.__rdivmod__ = lambda self, other: np.divmod(other, self)
    for row in TABLE.values():
        for name, make in _attributes(row):
            if name not in vars(Methods):
                setattr(tensor, name, _WhenFirstUsed(tensor, name, make))
        if hasattr(row.function, "shorten"):
            row.function.shorten(tensor, functools.partial(_first_call, row.function))  # type: ignore[attr-defined]


def _as_function(function: Any) -> Callable[..., Any]:
    """The method that is NumPy's function of the same arguments."""
    return lambda self, *arguments, **keywords: function(self, *arguments, **keywords)


def _first_call(function: Any, *arguments: Any, **keywords: Any) -> Any:
    """Make the recording function of one of our own functions, which from now on calls it directly."""
    record = recorder(function, Stored._kind)
    function.shorten(Stored._kind, record)
    return record(*arguments, **keywords)


class _WhenFirstUsed:
    """An attribute that is made when it is first asked for: generating all of them would slow the import."""

    def __init__(self, tensor: type, name: str, make: Callable[[], Callable[..., Any]]) -> None:
        self.tensor, self.name, self.make = tensor, name, make

    def __get__(self, instance: Any, owner: type) -> Any:
        function: Any = self.make()
        setattr(self.tensor, self.name, function)
        return function if instance is None else function.__get__(instance, owner)


def _attributes(row: Primitive) -> list[tuple[str, Callable[[], Callable[..., Any]]]]:
    """The names that a row gives to Tensor, each with what makes it."""
    record = functools.partial(recorder, row.function, Stored._kind)
    if row.is_operator:
        name = OPERATORS[str(row.formula.operator)].__name__.rstrip("_")  # add, and_, matmul, ...
        if row.formula.arrays == ("x",) or row.formula.operator in COMPARISONS:  # Python reflects comparisons itself
            return [(f"__{name}__", record)]
        reflected = functools.partial(generate, row, Stored._kind, reflected=True)
        in_place = functools.partial(_in_place, row, record)
        return [(f"__{name}__", record), (f"__r{name}__", reflected), (f"__i{name}__", in_place)]
    if isinstance(row.method, str):
        return [(row.method, record)]
    return [(row.text.partition("(")[0], record)] if row.method else []


def _in_place(row: Primitive, make: Callable[[], Callable[..., Any]]) -> Callable[..., Any]:
    record, compute, symbol, is_paused, array = make(), row.call, str(row.formula.operator), paused, np.ndarray

    def update(self: Stored, other: Any) -> Stored:
        node = self._node
        if node.primitive is not None or not is_paused():
            new = record(self, other)
            return new if isinstance(self._value, np.generic) else self._update(new, symbol)
        if node.variable is None or node.variable.immutable:
            if isinstance(self._value, np.generic):
                return record(self, other)  # NumPy's scalars are not written to
            self._may_write(f"{symbol}=")
        old: Any = self._value  # an optimizer's step: nothing is recorded, the value is replaced
        if old is None:
            old = self._settle()
        value = compute(old, other._read() if isinstance(other, Stored) else other)
        new = leaf(value, node.variable or Variable(), node.needs)
        same = new.shape == node.shape and new.dtype is node.dtype
        if not same or type(value) is not array or value.strides != old.strides:
            return self._update(self._plain(value), symbol)
        self._value, self._node = value, new
        return self

    return update
