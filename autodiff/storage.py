"""Storage: how Tensors that share memory, as NumPy's views do, live on values that are never written.

A Tensor normally keeps its value and node itself. Some kinds ask each time that they are read, through a link:

- `Exposed`: a leaf whose array the user holds, by `w.data`, and may write to at any time: each recording copies it.
- `View`: what `x[1:]`, `x.T` or `x.reshape(...)` made. A write to any member of the family gives the *root* a new
  value; a view that finds another node under its root than it was made from (its `origin`) is made again from there.
- `Lent`: a leaf whose array a compiled step writes to, until somebody looks at it.

So a write never changes an array that a graph holds: it makes new nodes, and gradients flow as the program was written.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from sys import getrefcount
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from .errors import GradientError, InPlaceError, ShapeError, describe, leaves_the_graph
from .graph import Node, Variable, leaf
from .guards import read_only
from .modes import may_leave, paused, resumed, tracing
from .operands import numbers, plain_operand, snapshot
from .record import recorder
from .rules.indexing import ARRAY, join, put, split
from .rules.shape import cast
from .sites import __library__  # noqa: F401

if TYPE_CHECKING:
    from .tensor import Tensor


Step = tuple[Any, Mapping[str, Any]]  # a primitive and the keywords of its call


class Exposed:
    """A leaf's array in the user's hands."""

    __slots__ = ("array",)

    array: Any

    def __init__(self, array: Any) -> None:
        self.array = array

    def settle(self, tensor: Stored) -> Any:
        """A copy of the array as it is now, as a new version of the leaf."""
        value = snapshot(self.array, "data")
        tensor._node = leaf(value, tensor._node.variable, tensor._node.needs)
        return value


class Loan:
    """Whether leaves that were lent together are still with the one who writes to their arrays."""

    __slots__ = ("open",)

    open: bool

    def __init__(self) -> None:
        self.open = True


class Lent:
    """A leaf's array while somebody writes to it; the first one who looks ends the loan."""

    __slots__ = ("array", "loan")

    array: Any
    loan: Loan

    def __init__(self, array: Any, loan: Loan) -> None:
        self.array, self.loan = array, loan

    def settle(self, tensor: Stored) -> Any:
        """The array, as it is now."""
        self.loan.open = False
        tensor._value, tensor._link = self.array, None
        return self.array


class View:
    """A view of `root`: the `path` of operations from it; and the root's node that it was `made` from, and its value.

    These two are replaced together, after the Tensor's node, so that threads may read a view at the same time.
    """

    __slots__ = ("made", "path", "remade", "root")

    made: tuple[Node, Any]
    path: tuple[Step, ...]
    remade: bool  # whether it was made again
    root: Stored

    def __init__(self, root: Stored, origin: Node, path: tuple[Step, ...], value: Any) -> None:
        self.remade = False
        self.root = root
        self.path = path
        self.made = origin, value

    def settle(self, tensor: Stored) -> Any:
        """The value; made again from the root where that was written since."""
        root, node = self.root._current()
        origin, value = self.made
        if node is origin:
            return value
        if not isinstance(value, np.ndarray):
            name = describe(tensor, "a part")
            raise InPlaceError(
                f"{name} of {_kind(value)}, which was written to since, does not show it: take it after that"
            )
        return self._remake(tensor, Stored._of(node, root))

    def places(self, tensor: Stored, index: Any) -> tuple[Any, str | None]:
        """For each element at an index of the view, its position in the flattened root; and the part of it, if one."""
        origin = self.root._current()[1]
        size = math.prod(origin.shape)
        places: Any = np.arange(size).reshape(origin.shape)
        in_parts = origin.dtype.kind == "c" != tensor._node.dtype.kind
        if in_parts:
            places = places + 1j * (places + size)
        for primitive, keywords in self.path:
            places = primitive.evaluate((places,), keywords)
        found = places[index]  # a single element, or an array, also of none
        found = np.atleast_1d(found) if isinstance(found, np.ndarray) else found
        part, where = np.divmod(found.astype(np.intp), size or 1)
        return where, None if not in_parts else "imag" if np.any(part) else "real"

    def _remake(self, tensor: Stored, root: Stored) -> Any:
        cut_off = self.made[0].needs and not tensor._node.needs  # made inside no_grad()
        made = root
        with resumed(paused_now=int(cut_off)):
            for primitive, keywords in self.path:
                starred = [()] * bool(primitive.formula.starred)
                made = recorder(primitive.function, Stored._kind)(made, *starred, **keywords)
        value, node = made._current()
        node.name = tensor._node.name
        tensor._node = node
        self.made, self.remade = (root._node, value), True
        return value


WRITTEN = object()  # the link of a computed Tensor that was written to: its node is not the one that older graphs hold


class Stored:
    """What a Tensor is inside: a value, the node that remembers how it was made, or a link that knows them."""

    __slots__ = ("__weakref__", "_link", "_node", "_value")

    _kind: ClassVar[type]  # Tensor, said by its module
    _value: Any  # None where the link has to be asked
    _node: Node
    _link: Any  # an Exposed, a View, WRITTEN; mostly not set

    @property
    def is_leaf(self) -> bool:
        """Whether it was given, not computed."""
        return self._node.primitive is None

    def _read(self) -> Any:
        """The value, as it is held: to be looked at only."""
        value = self._value
        return self._settle() if value is None else value

    def _settle(self) -> Any:
        """The value of a Tensor that keeps none itself; brings its node up to date."""
        return self._link.settle(self)

    def _current(self) -> tuple[Any, Node]:
        """The value and its node, up to date."""
        value = self._read()
        return value, self._node

    @property
    def _source(self) -> Node | Variable:
        """What gradients are found by: the variable of a leaf, else the node."""
        node = self._node
        return node if node.primitive is not None else node.variable or node

    @classmethod
    def _of(cls, node: Node, value: Any) -> Tensor:
        """The Tensor of a node and its value."""
        tensor: Any = object.__new__(cls._kind)
        tensor._node, tensor._value = node, value
        return tensor

    @classmethod
    def _plain(cls, value: Any) -> Tensor:
        """A Tensor without gradient around a value that nobody else writes."""
        return cls._of(leaf(value, None, False), value)

    @classmethod
    def _view_of(cls, result: Any, out: Any, x: Any, x_value: Any) -> Tensor:
        """Finish the record of an operation whose result `out` may share the memory of x."""
        if not isinstance(x, Stored) or not _same_memory(out, x_value) or len(result._node.inputs) > 1:
            if paused():
                return cls._plain(out)
            result._value = out
            return result
        link, node = x._link if x._value is None else None, result._node
        step = (node.primitive, node.keywords)
        if isinstance(link, View):
            view = View(link.root, link.made[0], (*link.path, step), out)
        else:
            view = View(x, node.inputs[0], (step,), out)
        result._value, result._link = None, view
        return result

    @staticmethod
    def _into(out: Any, result: Stored, operation: str, cast: bool = False) -> Any:
        """NumPy's `out=`. With `cast` its dtype has no part in the computation; it may be another one."""
        if isinstance(out, tuple):
            (out,) = out
        dtype = result._node.dtype
        if not cast and getattr(out, "dtype", dtype) != dtype:
            remedy = f"as NumPy does for out= of {out.dtype}: write out[...] = {operation}(...)"
            raise GradientError(f"{operation} with out=: does not compute in another precision than {dtype}, {remedy}")
        if isinstance(out, Stored):
            return out._update(result, f"{operation} with out")
        if any(getattr(x, "needs", False) for x in (result._node, *result._node.inputs)):
            name = describe(result, "the result")
            remedy = "the result without out=, or give out= a Tensor: np.zeros(n, like=t), np.full(n, value, like=t)"
            raise leaves_the_graph(name, f"{operation} with out= a plain array", remedy)
        value = result._read()
        if value.shape != out.shape:
            raise ShapeError(f"{operation}: the result has shape {value.shape}, out= has {out.shape}")
        np.copyto(out, np.asarray(value), casting="same_kind")
        return out

    # --- the array in the user's hands ---

    @property
    def data(self) -> Any:
        """The array. A leaf's may be written to, a graph that holds the value keeps its own; else it is read-only.

        Assigning gives a leaf another value, copied, of the same shape; its dtype stays.

        >>> from autodiff import Tensor
        >>> w = Tensor([1.0, 2.0])
        >>> w.data -= 0.5
        >>> w
        Tensor([0.5, 1.5])
        """
        if tracing():
            may_leave(self._current()[1], ".data")
        if not self._writable_leaf():
            return read_only(self._read())
        if not (self._value is None and isinstance(self._link, Exposed)):
            value = snapshot(self._read(), "data")
            self._link = Exposed(np.array(value) if isinstance(value, np.generic) else value)
            self._value = None
        return self._link.array

    @data.setter
    def data(self, array: Any) -> None:
        if self._value is None and isinstance(self._link, Exposed) and array is self._link.array:
            return  # `w.data -= step` has written it already
        if not self._writable_leaf():
            kind = "a constant" if self.is_leaf else "computed"
            name = describe(self, "this Tensor")
            raise InPlaceError(f"{name} is {kind}: assign .data of a leaf, or make a new Tensor")
        value = numbers(_unwrapped(array), "data", self._node.dtype)
        if value.shape != self._node.shape:
            raise ShapeError(f"data: {describe(self, 'Tensor')} takes an array of its shape, got {value.shape}")
        self._replace(value)

    # --- writing in place: nothing is written, what the names stand for is replaced ---

    def __setitem__(self, index: Any, value: Any) -> None:
        self._may_write("t[...] = value")
        bare, arrays = split(index)
        link = self._link if self._value is None else None
        if not isinstance(link, View):
            self._become(put(self, value, arrays, index=bare))
            return
        root = link.root
        for array in arrays:
            if isinstance(array, Stored):
                may_leave(array._current()[1], "an index, in a write to a view,")
        where, part = link.places(self, join(bare, [np.asarray(_unwrapped(array)) for array in arrays]))
        shape = root._node.shape
        if shape:
            root._become(put(root, value, np.unravel_index(where, shape), index=(ARRAY,) * len(shape), part=part))
        else:
            root._become(np.reshape(put(np.reshape(root, 1), value, [where], index=ARRAY, part=part), ()))  # type: ignore[call-overload]

    def _update(self, new: Stored, operator: str) -> Self:
        """`self op= other`, where `new` is `self op other`."""
        self._may_write(f"{operator}=")
        if new._node.shape != self._node.shape or new._node.dtype != self._node.dtype:
            new = cast(new, dtype=fitting(new._node, self._node, operator))
        value, made = self._value, new._read()
        if value is None or isinstance(made, np.generic) or getattr(value, "strides", 0) != getattr(made, "strides", 0):
            self[...] = new  # a view, or an array that stays one, and keeps the order of its axes
        else:
            self._become(new)
        return self

    def _become(self, new: Stored) -> None:
        """Take the value and the past of `new`."""
        value, node = new._current()
        if self._node.primitive is None and not node.needs and not tracing():
            self._replace(value)
        else:
            self._node, self._value, self._link = node, value, WRITTEN

    def _replace(self, value: Any) -> None:
        """Give a leaf another value; graphs keep the old one."""
        self._end_loan()
        node = self._node
        self._value = value = np.array(value) if isinstance(value, np.generic) else value
        self._node = leaf(value, node.variable or Variable(), node.needs)

    def _give_away(self) -> Any:
        """A leaf's array, for somebody who writes to it what becomes this leaf's value: its own, or a copy where a
        graph, a view or the user holds it."""
        self._end_loan()
        node, value = self._node, self._value
        if value is None or getrefcount(node) > 3 or getrefcount(value) > 4 or value.base is not None:
            value = self._read()
            del node
            self._replace(np.array(value, order="K"))
        return self._value

    def _lend(self, array: Any, loan: Loan) -> None:
        """Have `array`, which is given away or becomes this leaf's value, written to until somebody looks."""
        if self._value is not array:
            self._replace(array)
        self._value, self._link = None, Lent(array, loan)

    def _end_loan(self) -> None:
        """Have the array back, if it is lent."""
        if self._value is None and isinstance(self._link, Lent):
            self._link.settle(self)

    def _was_written(self) -> bool:
        """Whether it has another node than the one that older graphs hold."""
        link = getattr(self, "_link", None)
        return link is WRITTEN or (isinstance(link, View) and link.remade)

    def _writable_leaf(self) -> bool:
        """Whether it is a leaf that may be given another value."""
        node = self._node
        return node.primitive is None and not (node.variable and node.variable.immutable)

    def _may_write(self, action: str) -> None:
        """Raise where a write could not be given the right gradient."""
        node, value = self._node, self._read()
        if node.primitive is None and not self._writable_leaf():
            raise InPlaceError(f"{action}: {describe(self, 'this Tensor')} is a constant; make a Tensor to write to")
        if node.primitive is None and node.needs and not paused():
            raise InPlaceError(
                f"{action} on {describe(self, 'a leaf')}, a leaf that carries gradient, would chain this step to the "
                "next: write it inside `with autodiff.no_grad():`"
            )
        if isinstance(value, np.generic) and node.primitive is not None:
            raise TypeError(f"{action}: {describe(self, 'this Tensor')} is a scalar, which NumPy does not write to")
        if isinstance(value, np.ndarray) and not value.flags.writeable:
            raise ValueError(f"{action}: {describe(self, 'this Tensor')} is read-only, as NumPy's: write to a copy")
        if self._value is None and isinstance(self._link, View):
            if not isinstance(value, np.ndarray):
                name, remedy = describe(self, "this Tensor"), "write t[i] = t[i] + x for t[i] += x, or take a .copy()"
                raise InPlaceError(
                    f"{action}: {name} is a part of {_kind(value)}, which this would not reach: {remedy}"
                )
            self._link.root._may_write(f"{action} on a view of it")


def fitting(new: Any, old: Any, operator: str) -> Any:
    """The dtype of the value that is updated, if the new one fits into it."""
    if new.shape != old.shape:
        raise ShapeError(f"{operator}=: the result has shape {new.shape}, {old.shape} cannot grow to it")
    if not np.can_cast(new.dtype, old.dtype, "same_kind"):
        raise GradientError(f"{operator}=: cannot cast the result from {new.dtype} to {old.dtype}")
    return old.dtype


def _same_memory(out: Any, x: Any) -> bool:
    """Whether `out`, made from x by an operation that moves elements, looks at the same memory."""
    if not isinstance(out, np.ndarray) or not isinstance(x, np.ndarray):
        return not isinstance(out, (np.ndarray, np.generic))  # of another kind of array we do not know: NumPy's would
    return out is x or (out.base is not None and (out.base is x or out.base is x.base))


def _kind(value: Any) -> str:
    """`a dask.array.core.Array`: of an array that is not NumPy's."""
    return f"a {type(value).__module__}.{type(value).__qualname__}"


def _unwrapped(value: Any) -> Any:
    return value._read() if isinstance(value, Stored) else plain_operand(value, "t[...] = value")
