"""`Tensor`: an array that remembers how it was made. NumPy's protocols, operators and methods come from the table."""

from __future__ import annotations

import copy as copying
import functools
import inspect
from collections.abc import Callable, Iterator
from contextvars import Token
from typing import TYPE_CHECKING, Any, SupportsIndex

import numpy as np

from .derivative import pull, unbroadcast
from .errors import GradientError, InPlaceError, MissingRuleError, ShapeError, describe, leaves_the_graph
from .graph import Node, Variable, leaf
from .methods import TensorMethods
from .primitive import CREATES, INSPECTS, TABLE
from .record import _RECORDERS, recorder, recording, snapshot
from .rules.indexing import ARRAY, join, put, split
from .rules.shape import cast
from .storage import Exposed, View


class Tensor(TensorMethods):
    """A value to differentiate: an array, and how it was made.

    Parameters
    ----------
    data : array_like
        Numbers of any shape; copied. Integers and booleans become float64: a Tensor is what one differentiates.
    name : str, optional
        What pictures, derivations and errors call it.
    dtype : dtype, optional
        A floating or complex type.
    requires_grad : bool
        Whether `backward` fills `.grad`.

    It is a NumPy array to write with: operators, methods, `np.` functions. Comparisons give boolean Tensors.

    >>> x = Tensor([1.0, 2.0], name="x")
    >>> loss = np.sum(x**2)
    >>> loss.backward()
    >>> x.grad
    array([2., 4.])
    """

    __slots__ = ("__weakref__", "_link", "_node", "_value")

    _value: Any  # the value, or None where the link is asked for it (see storage.py)
    _node: Any
    _link: Exposed | View

    def __init__(self, data: Any, *, name: str | None = None, dtype: Any = None, requires_grad: bool = True) -> None:
        value = _numbers(data, dtype, "Tensor")
        if value.dtype.kind not in "fc":
            value = value.astype(np.float64)
        self._value = value
        self._node = leaf(value, Variable(name), bool(requires_grad))

    # --- what it holds ---

    @property
    def data(self) -> np.ndarray:
        """The array. A leaf's may be written to; a graph that holds the value keeps its own.

        >>> w = Tensor([1.0, 2.0])
        >>> w.data -= 0.5
        >>> w
        Tensor([0.5, 1.5])
        """
        if not self._writable_leaf():
            return self.numpy()
        if self._value is not None:
            self._expose(snapshot(self._value))
        return self._link.array  # type: ignore[union-attr]

    @data.setter
    def data(self, array: Any) -> None:
        if self._value is None and isinstance(self._link, Exposed) and array is self._link.array:
            return  # `w.data -= step` has written it already
        if not self._writable_leaf():
            kind = "a constant" if self.is_leaf else "computed"
            raise InPlaceError(f"{describe(self, 'this Tensor')} is {kind}: assign .data of a leaf, or make a new Tensor")
        value = _numbers(array, self.dtype, "data")
        if value.shape != self.shape:
            raise ShapeError(f"data: {describe(self, 'Tensor')} takes an array of its shape, got {value.shape}")
        self._replace(value)

    def numpy(self) -> np.ndarray:
        """The value as a read-only array, without gradient."""
        return read_only(self._read())

    @property
    def grad(self) -> np.ndarray | None:
        """The gradient that `backward` added up, an array of this shape and dtype; None before."""
        node = self._node
        if node.primitive is None:
            return None if node.variable is None else node.variable.grad
        raise GradientError(
            f".grad is kept for leaves only; for {describe(self, 'a computed Tensor')} use autodiff.gradients(output, [it])"
        )

    @grad.setter
    def grad(self, gradient: Any) -> None:
        if gradient is not None:
            gradient = np.array(gradient, dtype=self.dtype)
            if gradient.shape != self.shape:
                raise ShapeError(f"grad: {describe(self, 'Tensor')} takes a gradient of its shape, got {gradient.shape}")
        if not self._writable_leaf():
            raise GradientError(f".grad is kept for leaves only, and {describe(self, 'this Tensor')} is computed or a constant")
        if self._node.variable is None:
            self._replace(self._read())
        self._node.variable.grad = gradient

    @property
    def name(self) -> str | None:
        """What pictures, derivations and errors call it."""
        return self._node.name

    @name.setter
    def name(self, name: str | None) -> None:
        self._node.name = name
        if self._writable_leaf() and self._node.variable is not None:
            self._node.variable.name = name

    @property
    def requires_grad(self) -> bool:
        """Whether gradient flows to it. A leaf's may be set, to freeze it."""
        return self._node.needs

    @requires_grad.setter
    def requires_grad(self, needs: bool) -> None:
        if not self._writable_leaf():
            raise GradientError("requires_grad is set on leaves; of a computed value or a constant use .detach() or Tensor(...)")
        self._node = leaf(self._read(), self._node.variable or Variable(), bool(needs))

    @property
    def is_leaf(self) -> bool:
        """Whether it was given, not computed."""
        return self._node.primitive is None

    @property
    def shape(self) -> tuple[int, ...]:
        """As NumPy's."""
        return self._node.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """As NumPy's."""
        return self._node.dtype

    @property
    def ndim(self) -> int:
        """As NumPy's."""
        return len(self._node.shape)

    @property
    def size(self) -> int:
        """As NumPy's."""
        return int(np.prod(self._node.shape, dtype=int))

    @property
    def T(self) -> Tensor:
        """The transpose."""
        return self.transpose()

    def item(self, *index: int) -> Any:
        """The only element (or the one at `index`) as a Python number, without gradient."""
        value = self._read()
        return value.item(*index) if isinstance(value, np.generic) else np.asarray(value).item(*index)

    def tolist(self) -> Any:
        """The values as nested lists of Python numbers, without gradient."""
        return np.asarray(self._read()).tolist()

    def detach(self) -> Tensor:
        """The same value, cut off: a constant."""
        return Tensor._plain(self._read())

    def zero_grad(self) -> None:
        """Forget the gradient."""
        if self._node.variable is not None:
            self._node.variable.grad = None

    # --- derivatives ---

    def backward(self, gradient: Any = None) -> None:
        """Add d self / d leaf into `.grad` of every leaf that it was computed from.

        `gradient` is what comes in from above, of this shape; a scalar needs none. What the graph had saved is released,
        its structure and its leaves stay: a second call computes again what it needs, and adds again.

        >>> w = Tensor(3.0)
        >>> (w * w).backward()
        >>> w.grad
        array(6.)
        """
        for variable, g in pull(self._node, self._incoming(gradient), release=True).items():
            if variable.grad is not None:
                g = variable.grad + g
            variable.grad = np.array(g) if isinstance(g, np.generic) else g  # a writable array, also in 0 dimensions

    def _incoming(self, gradient: Any) -> Any:
        """The gradient to start from, checked."""
        node = self._node
        if not node.needs:
            raise GradientError(
                f"{describe(self, 'this Tensor')} carries no gradient: it was made from constants, or inside no_grad()"
            )
        if gradient is None:
            if node.shape != ():
                raise GradientError(
                    f"backward of {describe(self, 'a Tensor')}, which is no scalar: reduce it (.sum(), .mean()), or pass gradient="
                )
            return node.dtype.type(1)
        gradient = np.array(gradient, dtype=node.dtype)
        if gradient.shape != node.shape:
            raise ShapeError(f"backward: {describe(self, 'output')} takes a gradient of its shape, got {gradient.shape}")
        return gradient

    # --- NumPy's protocols ---

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, out: Any = None, **keywords: Any) -> Any:
        if method != "__call__" or keywords:
            what = f"np.{ufunc.__name__}" + (f".{method}" if method != "__call__" else f" with {', '.join(keywords)}")
            raise MissingRuleError(f"{what} has no rule yet")
        record = _RECORDERS.get(ufunc) or self._recorder(ufunc)
        result = record(*inputs)
        return result if out is None else _into(out[0], result, f"np.{ufunc.__name__}")

    def __array_function__(
        self, function: Callable[..., Any], types: Any, arguments: tuple[Any, ...], keywords: dict[str, Any]
    ) -> Any:
        record = _RECORDERS.get(function)
        if record is not None and not keywords:
            return record(*arguments)
        if record is None and (function in INSPECTS or function in CREATES):
            plain = function(*map(_plain_value, arguments), **{key: _plain_value(value) for key, value in keywords.items()})
            return plain if function in INSPECTS else Tensor._plain(plain)
        record = record or self._recorder(function)
        out = keywords.pop("out", None)
        if keywords:
            keywords = {record.names.get(key, key): value for key, value in keywords.items()}
            if unknown := keywords.keys() - record.accepts:
                raise MissingRuleError(f"np.{function.__name__}: its keyword {', '.join(sorted(unknown))} has no rule yet")
        result = record(*arguments, **keywords)
        return result if out is None else _into(out, result, f"np.{function.__name__}")

    @staticmethod
    def _recorder(function: Callable[..., Any]) -> Callable[..., Any]:
        if function not in TABLE:
            name = f"{function.__module__.replace('numpy', 'np')}.{function.__name__}"
            raise MissingRuleError(
                f"{name} has no rule: write it with functions that have, give it one (autodiff.primitive), "
                "or leave the graph on purpose (t.numpy())"
            )
        return recorder(function, Tensor)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        if self.requires_grad:
            name = self.name or "t"
            raise leaves_the_graph(
                describe(self, "a Tensor"),
                "making an array",
                f"X @ {name} for X.dot({name}), or autodiff.constant(X).dot({name}); np.zeros(n, like={name}) for a buffer to "
                f"write it into; np.stack([...]) for a list of Tensors; {name}.numpy() or {name}.detach() to let the gradient go",
            )
        value = self._read()
        return np.array(value, dtype=dtype) if copy else np.asarray(read_only(value), dtype=dtype)

    # --- Python's protocols ---

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError("len() of a 0-d Tensor")
        return self.shape[0]

    def __iter__(self) -> Iterator[Tensor]:
        if not self.shape:
            raise TypeError("iteration over a 0-d Tensor")
        return (self[i] for i in range(self.shape[0]))

    def __bool__(self) -> bool:
        return bool(self._read())

    def __float__(self) -> float:
        return float(self._number("float()"))

    def __int__(self) -> int:
        return int(self._number("int()"))

    def __complex__(self) -> complex:
        return complex(self._number("complex()"))

    def __index__(self) -> int:
        return self._number("an index").__index__()

    def _number(self, action: str) -> Any:
        if self.requires_grad:
            name = self.name or "t"
            raise leaves_the_graph(describe(self, "a Tensor"), action, f"{name}.item(), or the np. function for math's")
        return np.asarray(self._read())[()]

    def __contains__(self, value: Any) -> bool:
        return value in self.numpy()

    __hash__ = object.__hash__

    def __format__(self, spec: str) -> str:
        return format(self.item(), spec) if spec and not self.shape else format(str(self), spec)

    def __repr__(self) -> str:
        value = np.asarray(self._read())
        body = np.array2string(value, separator=", ", prefix="Tensor(")
        parts = [body] + [f"name={self.name!r}"] * bool(self.name) + [f"dtype={value.dtype}"] * (value.dtype != np.float64)
        if not self.is_leaf:
            parts.append(f"from={self._node.primitive.name}")
        elif not self.requires_grad:
            parts.append("requires_grad=False")
        return f"Tensor({', '.join(parts)})"

    def __str__(self) -> str:
        return str(np.asarray(self._read()))

    def __copy__(self) -> Tensor:
        return self.copy()

    def __deepcopy__(self, memo: dict[int, Any]) -> Tensor:
        return copying.copy(self) if not self.is_leaf else _rebuild(*self.__reduce__()[1])

    def __reduce__(self) -> Any:
        if not self.is_leaf:
            raise GradientError(f"{describe(self, 'this Tensor')} belongs to a graph, which is not pickled: use .detach()")
        state = (np.array(self._read()), self.name, self.requires_grad, not self._writable_leaf(), self.grad)
        return _rebuild, (type(self), *state)

    # --- the value and its storage ---

    def _read(self) -> Any:
        value = self._value
        return self._settle() if value is None else value

    def _settle(self) -> Any:
        """The value of a Tensor that keeps none itself; brings its node up to date."""
        return self._link.settle(self)

    def _version(self) -> tuple[Any, Node]:
        """The value and its node, up to date."""
        value = self._read()
        return value, self._node

    @staticmethod
    def _plain(value: Any) -> Tensor:
        """A Tensor without gradient around a value that nobody else writes."""
        return Tensor._of(leaf(value, None, False), value)

    @staticmethod
    def _of(node: Node, value: Any) -> Tensor:
        tensor = object.__new__(Tensor)
        tensor._node, tensor._value = node, value
        return tensor

    @staticmethod
    def _view(result: Tensor, out: Any, x: Any, x_value: Any) -> Tensor:
        """Finish the record of an operation whose result may share the memory of x."""
        base = getattr(out, "base", None)
        if base is None or not isinstance(x, Tensor) or (base is not x_value and base is not x_value.base):
            if not recording.get():
                return Tensor._plain(out)
            result._value = out
            return result
        link = getattr(x, "_link", None) if x._value is None else None
        root = link.root if isinstance(link, View) else x
        result._value, result._link = None, View(root, root._node, out)
        return result

    def _writable_leaf(self) -> bool:
        return self.is_leaf and not (self._node.variable and self._node.variable.immutable)

    def _expose(self, array: Any) -> None:
        self._value, self._link = None, Exposed(array)

    # --- writing in place: nothing is written, what the names stand for is replaced ---

    def __setitem__(self, index: Any, value: Any) -> None:
        self._may_write("t[...] = value")
        bare, arrays = split(index)
        link = self._link if self._value is None else None
        if isinstance(link, View):
            root = link.root
            root._may_write("writing to a view")
            positions = link.positions(self)[join(bare, [np.asarray(_plain_value(array)) for array in arrays])]
            root._become(put(root, value, np.unravel_index(positions, root.shape), index=(ARRAY,) * root.ndim))
        else:
            self._become(put(self, value, arrays, index=bare))

    def _update(self, new: Tensor, operator: str) -> Tensor:
        """`self op= other`, where `new` is `self op other`."""
        self._may_write(f"{operator}=")
        if new.shape != self.shape or new.dtype != self.dtype:
            new = cast(new, dtype=_fitting(new, self, operator))
        if self._value is None and isinstance(self._link, View):
            self[...] = new
        else:
            self._become(new)
        return self

    def _become(self, new: Tensor) -> None:
        """Take the value and the past of `new`."""
        value, node = new._version()
        if self._node.primitive is None and not node.needs:
            self._replace(value)
        else:
            self._node, self._value = node, value

    def _replace(self, value: Any) -> None:
        """Give a leaf another value; graphs keep the old one."""
        old = self._node
        self._node = leaf(value, old.variable or Variable(), old.needs)
        self._value = value

    def _may_write(self, action: str) -> None:
        node = self._node
        if node.primitive is not None:
            return
        if node.variable is not None and node.variable.immutable:
            raise InPlaceError(f"{action}: {describe(self, 'this Tensor')} is a constant; make a Tensor to write to")
        if node.needs and recording.get():
            raise InPlaceError(
                f"{action} on {describe(self, 'a leaf')}, a leaf that carries gradient, would chain this step to the next: "
                f"write it inside `with autodiff.no_grad():`"
            )


def _fitting(new: Any, old: Any, operator: str) -> Any:
    """The dtype of the Tensor that is updated, if the result fits into it."""
    if new.shape != old.shape:
        raise ShapeError(f"{operator}=: the result has shape {new.shape}, {describe(old, 'the Tensor')} cannot grow to it")
    if not np.can_cast(new.dtype, old.dtype, "same_kind"):
        raise GradientError(f"{operator}=: cannot cast the result from {new.dtype} to {old.dtype}")
    return old.dtype


class no_grad:
    """A context, or a decorator, in which nothing is recorded: for updates and for evaluation.

    Holds for its thread and its async task alone.

    >>> w = Tensor([1.0])
    >>> with no_grad():
    ...     w -= 0.25
    >>> w
    Tensor([0.75])
    """

    def __init__(self) -> None:
        self._tokens: list[Token[bool]] = []

    def __enter__(self) -> None:
        self._tokens.append(recording.set(False))

    def __exit__(self, *exception: object) -> None:
        recording.reset(self._tokens.pop())

    def __call__(self, function: Callable[..., Any]) -> Callable[..., Any]:
        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def call_async(*arguments: Any, **keywords: Any) -> Any:
                with no_grad():
                    return await function(*arguments, **keywords)

            return call_async

        @functools.wraps(function)
        def call(*arguments: Any, **keywords: Any) -> Any:
            with no_grad():
                return function(*arguments, **keywords)

        return call


_CONSTANT = Variable(immutable=True)  # the one variable of all constants: they have no gradient, and no second version


def constant(data: Any, name: str | None = None, *, copy: bool = True) -> Tensor:
    """A named, immutable value without gradient: data that is used again and again.

    It is copied once, here; a plain array among a graph's operands is copied at each use. With `copy=False` it is not copied:
    the caller promises not to write to the array while the graph lives. Integers and booleans keep their dtype.

    >>> X = constant([[3, 5], [5, 1], [10, 2]], name="X")
    >>> X.dot(Tensor([1.0, 0.5]))
    Tensor([ 5.5,  5.5, 11. ], from=dot)
    """
    if isinstance(data, Tensor):
        data = data.numpy()
    if copy or type(data) is not np.ndarray or data.dtype.kind not in "fiubc":
        data = _numbers(data, None, "constant")
    tensor: Tensor = object.__new__(Tensor)
    tensor._value = data
    tensor._node = node = leaf(data, _CONSTANT, False)
    node.name = name
    return tensor


def read_only(value: Any) -> Any:
    """A view that cannot be made writable again: its base is a read-only buffer, not the array."""
    if isinstance(value, (np.ndarray, np.generic)):
        array = np.asarray(value)
        return np.asarray(memoryview(array).toreadonly()) if array.size else array.copy()
    return value


def _numbers(data: Any, dtype: Any, operation: str) -> Any:
    if isinstance(data, Tensor):
        if data.requires_grad:
            name = data.name or "t"
            raise leaves_the_graph(describe(data, "a Tensor"), f"{operation}(...)", f"{name}.detach() for a new leaf, or use {name}")
        data = data._read()
    foreign = hasattr(data, "__array_function__") and not isinstance(data, (np.ndarray, np.generic))
    value = snapshot(data if foreign else np.asarray(data), operation)
    return value if dtype is None or value.dtype == dtype else value.astype(dtype)


def _plain_value(argument: Any) -> Any:
    if isinstance(argument, (list, tuple)):
        return type(argument)(map(_plain_value, argument))
    return argument._read() if isinstance(argument, Tensor) else argument


def _into(out: Any, result: Tensor, operation: str) -> Any:
    """NumPy's `out=`."""
    if isinstance(out, tuple):
        (out,) = out
    if isinstance(out, Tensor):
        return out._update(result, f"{operation}(out)")
    if result.requires_grad:
        raise leaves_the_graph(describe(result, "the result"), f"{operation} with out= a plain array", "the result, or out= a Tensor")
    out[...] = result._read()
    return out


def _rebuild(
    kind: type[Tensor], value: Any, name: str | None, requires_grad: bool, immutable: bool, grad: np.ndarray | None
) -> Tensor:
    tensor = object.__new__(kind)
    tensor._value = value
    tensor._node = leaf(value, Variable(name, immutable), requires_grad)
    tensor._node.variable.grad = grad
    return tensor


# --- operators and methods, from the table ---------------------------------------------------------------------------------

_BINARY = {"+": "add", "-": "sub", "*": "mul", "/": "truediv", "//": "floordiv", "%": "mod", "**": "pow", "@": "matmul", "&": "and", "|": "or", "^": "xor"}  # fmt: skip  # noqa: E501
_COMPARE = {"<": "lt", "<=": "le", ">": "gt", ">=": "ge", "==": "eq", "!=": "ne"}
_UNARY = {"-x": "neg", "+x": "pos", "~x": "invert"}


class _WhenFirstUsed:
    """An attribute of Tensor that is made when it is first asked for: generating all of them would slow the import."""

    def __init__(self, name: str, make: Callable[[], Callable[..., Any]]) -> None:
        self.name, self.make = name, make

    def __get__(self, instance: Any, owner: type) -> Any:
        function = self.make()
        setattr(Tensor, self.name, function)
        return function if instance is None else function.__get__(instance, owner)


def _install(primitive: Primitive) -> None:
    """Give Tensor the operator and the method that a row names."""
    record = functools.partial(recorder, primitive.function, Tensor)
    if hasattr(primitive.function, "shorten"):
        primitive.function.shorten(Tensor, lambda *arrays, **keywords: _shortened(primitive)(*arrays, **keywords))
    if primitive.text == "abs(x)":
        setattr(Tensor, "__abs__", _WhenFirstUsed("__abs__", record))
    if not primitive.text.endswith(")"):
        symbol = primitive.formula.operator
        if symbol in _BINARY:
            name = _BINARY[symbol]
            setattr(Tensor, f"__{name}__", _WhenFirstUsed(f"__{name}__", record))
            setattr(Tensor, f"__r{name}__", _WhenFirstUsed(f"__r{name}__", lambda: _reflected(record())))
            setattr(Tensor, f"__i{name}__", _WhenFirstUsed(f"__i{name}__", lambda: _in_place(primitive, record())))
        else:
            name = f"__{_COMPARE.get(symbol) or _UNARY[symbol]}__"
            setattr(Tensor, name, _WhenFirstUsed(name, record))
    elif primitive.method and not hasattr(Tensor, name := primitive.text.partition("(")[0]):
        setattr(Tensor, name, _WhenFirstUsed(name, record))


def _shortened(primitive: Primitive) -> Callable[..., Any]:
    record = recorder(primitive.function, Tensor)
    primitive.function.shorten(Tensor, record)
    return record


def _reflected(record: Callable[..., Any]) -> Callable[..., Any]:
    return lambda self, other: record(other, self)


def _in_place(primitive: Primitive, record: Callable[..., Any]) -> Callable[..., Any]:
    symbol, call, is_recording = primitive.formula.operator, primitive.call, recording.get

    def update(self: Tensor, other: Any) -> Tensor:
        node = self._node
        if node.primitive is not None or is_recording():
            return self._update(record(self, other), symbol)
        if node.variable is None or node.variable.immutable:
            self._may_write(symbol)
        old = self._value  # an optimizer's step
        value = call(self._settle() if old is None else old, other._read() if isinstance(other, Tensor) else other)
        if value.shape != node.shape or value.dtype is not node.dtype:
            value = value.astype(_fitting(value, self, symbol), copy=False)
        self._value = value
        self._node = leaf(value, node.variable or Variable(), node.needs)
        return self

    return update


for _primitive in TABLE.values():
    _install(_primitive)
