"""`Tensor`: an array that remembers how it was made, through NumPy's own two protocols."""

from __future__ import annotations

import copy as copying
import operator
from collections.abc import Callable, Iterator
from typing import Any, cast

import numpy as np

from .composition import record_call
from .derivative import Hooked, ascent, pull, seen
from .errors import GradientError, MissingRuleError, ShapeError, describe, leaves_the_graph, user_line
from .graph import Variable, leaf
from .guards import read_only
from .methods import Methods, install
from .modes import decided, may_leave, tracing
from .operands import numbers, own_array
from .primitive import ALIASES, COMPOSED, CREATES, INSPECTS, TABLE
from .record import RECORDERS, keyword_names, recorder
from .rules.engine import detached
from .rules.ufunc import ufunc_row
from .sites import __library__  # noqa: F401

_NUMBER_REMEDY = (
    "{t}.item() or {t}.detach() to let the gradient go, np.exp({t}) for math.exp({t}), "
    "np.zeros(n, like={t}) for a buffer to write it into"
)


class Tensor(Methods):
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

    __slots__ = ()

    def __init__(self, data: Any, *, name: str | None = None, dtype: Any = None, requires_grad: bool = True) -> None:
        if dtype is not None and np.dtype(dtype).kind not in "fc":
            raise GradientError(f"Tensor: dtype {np.dtype(dtype)} has no derivatives: take a floating or complex one")
        value = numbers(_let_go(data, "Tensor(...)"), "Tensor", dtype)
        if value.dtype.kind not in "fc":
            value = value.astype(np.float64)
        self._value = value
        self._node = leaf(value, Variable(name), bool(requires_grad))

    # --- what it holds -----------------------------------------------------------------------------------------------

    def numpy(self) -> np.ndarray:
        """The value as a read-only array, without gradient."""
        may_leave(self._current()[1], ".numpy()")
        return read_only(self._read())

    @property
    def grad(self) -> np.ndarray | None:
        """The gradient that `backward` added up, an array of this shape and dtype; None before.

        Only leaves keep one: for a computed Tensor call `gradients(output, [it])`. It may be set, also to None.
        """
        node = self._node
        if node.primitive is None:
            variable = node.variable
            if variable is None:
                return None
            return variable.parts[0] if len(variable.parts) == 1 else variable.grad
        name = describe(self, "a computed Tensor")
        raise GradientError(f".grad is kept for leaves only; for {name} call autodiff.gradients(output, [it])")

    @grad.setter
    def grad(self, gradient: Any) -> None:
        if not self._writable_leaf():
            name = describe(self, "this Tensor")
            raise GradientError(f".grad is kept for leaves only; {name} is computed or constant")
        if gradient is not None:
            gradient = self._gradient("grad", _let_go(gradient, "setting .grad"))
        variable = self._node.variable
        if variable is None:
            self._node.variable = variable = Variable(self.name)
        variable.grad = gradient

    @property
    def name(self) -> str | None:
        """What pictures, derivations and errors call it."""
        return self._node.name

    @name.setter
    def name(self, name: str | None) -> None:
        node = self._node
        node.name = name
        if self._writable_leaf() and node.variable is not None:
            node.variable.name = name

    @property
    def requires_grad(self) -> bool:
        """Whether gradient flows to it. A leaf's may be set, to freeze it."""
        return self._current()[1].needs

    @requires_grad.setter
    def requires_grad(self, needs: bool) -> None:
        if not self._writable_leaf():
            raise GradientError(
                f"requires_grad is set on leaves, and {describe(self, 'this Tensor')} is computed or constant: "
                "use .detach() to cut it off, or make a Tensor of its .numpy()"
            )
        value, node = self._current()
        self._node = leaf(value, node.variable or Variable(), bool(needs))

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

    def item(self, *index: int) -> Any:
        """The only element (or the one at `index`) as a Python number, without gradient."""
        may_leave(self._current()[1], ".item()")
        value = self._read()
        return value.item(*index) if isinstance(value, np.generic) else np.asarray(value).item(*index)

    def tolist(self) -> Any:
        """The values as nested lists of Python numbers, without gradient."""
        may_leave(self._current()[1], ".tolist()")
        return np.asarray(self._read()).tolist()

    def detach(self) -> Tensor:
        """The same value, cut off: without gradient."""
        return recorder(detached, Tensor)(self) if tracing() else self._plain(self._read())

    def zero_grad(self) -> None:
        """Forget the gradient."""
        if self.is_leaf and self._node.variable is not None:
            self._node.variable.parts = []

    # --- derivatives -------------------------------------------------------------------------------------------------

    def backward(self, gradient: Any = None) -> None:
        """Add d self / d leaf into `.grad` of every leaf that it was computed from.

        `gradient` is what comes in from above, of this shape; a scalar needs none. What the graph had saved is
        released, its structure and its leaves stay: a second call computes again what it needs, and adds again.

        >>> w = Tensor(3.0)
        >>> (w * w).backward()
        >>> w.grad
        array(6.)
        """
        if gradient is not None:
            gradient = _let_go(gradient, "backward(gradient)", "gradients(..., record=True), or {t}.detach()")
        start = self._incoming(gradient)
        if tracing():
            may_leave(self._node, ".backward(), into .grad,")
        variable: Any
        for variable, g in pull(self._node, start, release=True).items():
            if type(g) is not np.ndarray or g.dtype.kind == "c":
                g = ascent(g)
            if variable.hooks:
                g = ascent(seen(variable.hooks, ascent(g)))
            if variable.parts or type(g) is not np.ndarray:
                variable.add(g)
            else:
                variable.parts.append(g)

    def on_gradient(self, see: Callable[[Any], Any]) -> Callable[[], None]:
        """Let a function see the gradient that arrives here in each backward pass, or replace it by what it returns.

        It is called once a pass, with the whole gradient, as a read-only array (or a Tensor, where the pass is
        recorded); what it returns goes on in its place, unless that is None. Returned is a function that removes it.

        >>> x = Tensor([3.0, -4.0])
        >>> remove = x.on_gradient(lambda g: np.clip(g, -1, 1))
        >>> np.sum(x**2).backward()
        >>> x.grad
        array([ 1., -1.])
        """
        _, node = self._current()
        if not node.needs:
            raise GradientError(f"on_gradient: {describe(self, 'this Tensor')} carries no gradient")
        holder: Any = None
        if self.is_leaf:
            holder = node.variable
        else:
            holder = node.rule = node.rule if isinstance(node.rule, Hooked) else Hooked(node.rule)
        holder.hooks = (*holder.hooks, see)

        def remove() -> None:
            holder.hooks = tuple(hook for hook in holder.hooks if hook is not see)

        return remove

    def _incoming(self, gradient: Any, operation: str = "backward") -> Any:
        """The cogradient to start from, checked."""
        node = self._current()[1]
        if not node.needs:
            name = describe(self, "this Tensor")
            raise GradientError(
                f"{operation} of {name}, which carries no gradient: it was made from constants, inside no_grad() or by "
                "a function whose derivative is zero"
            )
        if gradient is not None:
            return ascent(self._gradient(operation, gradient))
        if node.dtype.kind == "c":
            name = describe(self, "a Tensor")
            remedy = "take np.real or np.abs of it (only a real loss has a steepest ascent), or pass gradient="
            raise GradientError(f"{operation} of {name}, which is complex: {remedy}")
        if node.shape != ():
            name = describe(self, "a Tensor")
            raise GradientError(f"{operation} of {name}, no scalar: .sum() or .mean() it, or pass gradient=")
        value = self._read()
        return node.dtype.type(1) if isinstance(value, (np.ndarray, np.generic)) else np.ones_like(value)

    def _gradient(self, operation: str, gradient: Any) -> Any:
        """A gradient that a user gives, as an array of this dtype and shape."""
        if not isinstance(gradient, Tensor):
            gradient = numbers(gradient, operation, self.dtype)
        if gradient.shape != self.shape:
            name = describe(self, "the Tensor")
            raise ShapeError(f"{operation}: {name} takes a gradient of its shape, got {gradient.shape}")
        return gradient

    # --- NumPy's protocols -------------------------------------------------------------------------------------------

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, out: Any = None, **keywords: Any) -> Any:
        if keywords or method != "__call__":
            result = record_call(ufunc_row(ufunc, method), inputs, keywords)
            if out is not None and method == "__call__" and "where" in keywords:
                result = np.where(keywords["where"], result, out[0])
        else:
            result = (RECORDERS.get(ufunc) or _recorder(ufunc))(*inputs)
        name = f"np.{ufunc.__name__}"
        if out is not None and isinstance(result, tuple):
            return tuple(
                one if o is None else self._into(o, one, name, cast=True) for o, one in zip(out, result, strict=True)
            )
        if out is None:
            return result
        if method == "__call__" and not ufunc.signature and result.shape != out[0].shape:
            result: Any = np.broadcast_to(result, out[0].shape).copy()  # it fills an `out` that is larger
        return self._into(out, result, name, cast=method == "__call__")

    def __array_function__(
        self, function: Callable[..., Any], types: Any, arguments: tuple[Any, ...], keywords: dict[str, Any]
    ) -> Any:
        record = RECORDERS.get(function)
        if record is not None and not keywords:
            try:
                return record(*arguments)
            except TypeError as error:
                return self._call_of_another_form(error, function, arguments, keywords)
        function = ALIASES.get(function, function)
        if function in INSPECTS:
            return _on_values(function, arguments, keywords)
        if function in CREATES:
            if not function.__name__.endswith("_like"):  # of a prototype just the shape and the dtype are taken
                for value in (*arguments, *keywords.values()):
                    _let_go(value, f"np.{function.__name__}(...)")
            return self._plain(_on_values(function, arguments, keywords))
        if function in COMPOSED and function not in TABLE:
            return record_call(COMPOSED[function], arguments, keywords)
        record = _recorder(function)
        row = TABLE[function]
        names, out = keyword_names(row), None
        if "out" not in names:
            out = keywords.pop("out", None)
        ours = {names.get(key, key): value for key, value in keywords.items()}
        try:
            result = record(*arguments, **ours)
        except TypeError as error:
            result = self._call_of_another_form(error, function, arguments, keywords)
        return result if out is None else self._into(out, result, row.call_name)

    @staticmethod
    def _call_of_another_form(error: TypeError, function: Any, arguments: Any, keywords: Any) -> Any:
        """What to do where a call does not fit a row's fast function: NumPy may know it all the same."""
        if error.__traceback__ is None or error.__traceback__.tb_next is not None:
            raise error  # it was raised inside
        if function in COMPOSED:
            return record_call(COMPOSED[function], arguments, keywords)
        reason = str(error).partition("() ")[2]
        raise MissingRuleError(f"{TABLE[function].call_name} has no rule for such a call: {reason}") from None

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        value = np.asarray(_let_go(self, "making an array", _ARRAY_REMEDY))
        return np.array(value, dtype=dtype) if copy else np.asarray(read_only(value), dtype=dtype)

    # --- Python's protocols ------------------------------------------------------------------------------------------

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError("len() of a 0-d Tensor")
        return self.shape[0]

    def __iter__(self) -> Iterator[Tensor]:
        if not self.shape:
            raise TypeError("iteration over a 0-d Tensor")
        return (self[i] for i in range(self.shape[0]))

    def __contains__(self, value: Any) -> bool:
        return bool((self == value).numpy().any())

    def __bool__(self) -> bool:
        value, node = self._current()
        return decided(node, bool(value), "the truth") if tracing() else bool(value)

    def __float__(self) -> float:
        return float(_let_go(self, "float()"))

    def __int__(self) -> int:
        if tracing() and not self.requires_grad:
            return decided(self._node, int(self._read()), "int()")
        return int(_let_go(self, "int()"))

    def __complex__(self) -> complex:
        return complex(_let_go(self, "complex()"))

    def __index__(self) -> int:
        return operator.index(np.asarray(_let_go(self, "an index"))[()])

    __hash__: Callable[[Tensor], int] = object.__hash__  # type: ignore[assignment]

    def __format__(self, spec: str) -> str:
        if spec and self.shape:
            raise TypeError(f"a format is for one number, and {describe(self, 'this Tensor')} holds {self.size}")
        return format(self.item(), spec) if spec else str(self)

    def __repr__(self) -> str:
        value = self._read()
        known = isinstance(value, (np.ndarray, np.generic))  # of another kind, a look would compute it
        parts = [np.array2string(np.asarray(value), separator=", ", prefix="Tensor(") if known else repr(value)]
        parts += [f"name={self.name!r}"] * bool(self.name) + [f"dtype={value.dtype}"] * (value.dtype != np.float64)
        if self._node.primitive is not None:
            parts.append(f"from={self._node.primitive.name}")
            if known and value.dtype.kind in "fc" and not np.isfinite(value).all():
                parts.append("not finite: run it inside autodiff.anomaly()")
        elif not self.requires_grad:
            parts.append("requires_grad=False")
        return f"Tensor({', '.join(parts)})"

    def __str__(self) -> str:
        return str(self._read())

    _picture: Callable[[Tensor], dict[str, str]] = staticmethod(lambda _: {})  # `readers.draw` puts its own here

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        """What a notebook shows: the picture of the graph, where it can be drawn, and the text."""
        return {"text/plain": repr(self)} | Tensor._picture(self)

    def __copy__(self) -> Tensor:
        return self.__deepcopy__({}) if self.is_leaf else self.copy()

    def __deepcopy__(self, memo: dict[int, Any]) -> Tensor:
        rebuild, state = self.__reduce__()
        return rebuild(*copying.deepcopy(state, memo))

    def __reduce__(self) -> tuple[Callable[..., Tensor], tuple[Any, ...]]:
        if not self.is_leaf:
            name = describe(self, "this Tensor")
            raise GradientError(f"{name} belongs to a graph, which is neither pickled nor deep-copied: use .detach()")
        value = own_array(self._read())
        return _rebuild, (type(self), value, self.name, self.requires_grad, not self._writable_leaf(), self.grad)


install(Tensor)


def constant(data: Any, name: str | None = None, *, copy: bool = True) -> Tensor:
    """A named, immutable value without gradient: data that is used again and again.

    It is copied once, here; a plain array among a graph's operands is copied at each use. With `copy=False` it is not:
    the caller promises not to write to the array while the graph lives. Integers and booleans keep their dtype.

    >>> X = constant([[3, 5], [5, 1], [10, 2]], name="X")
    >>> X.dot(Tensor([1.0, 0.5]))
    Tensor([ 5.5,  5.5, 11. ], from=dot)
    """
    if copy or type(data) is not np.ndarray or data.dtype.kind not in "fiubc":
        data = numbers(_let_go(data, "constant(...)"), "constant")
    tensor: Tensor = object.__new__(Tensor)
    tensor._value = data
    tensor._node = node = leaf(data, _CONSTANT, False)
    node.name = name
    return tensor


_CONSTANT = Variable(immutable=True)  # one for all constants: they have neither gradient nor versions

_ARRAY_REMEDY = (
    "{t}.numpy() or {t}.detach() to let the gradient go; to keep it, X @ {t} for X.dot({t}), or "
    "autodiff.constant(X).dot({t}); np.stack([...]) for a list of Tensors; np.zeros(n, like={t}) for a buffer, or "
    "np.full(n, {t}, like={t})"
)


def _let_go(value: Any, action: str, remedy: str = _NUMBER_REMEDY) -> Any:
    """The value of a Tensor without gradient; for one with gradient an error, since that would be lost."""
    if not isinstance(value, Tensor):
        return value
    may_leave(value._node, action)
    if value.requires_grad:
        raise leaves_the_graph(describe(value, "a Tensor"), action, remedy.format(t=value.name or "t"))
    return value._read()


def _recorder(function: Callable[..., Any]) -> Callable[..., Any]:
    if function not in TABLE:
        own = isinstance(function, np.ufunc) and getattr(np, function.__name__, None) is not function
        module = "" if own else getattr(function, "__module__", "numpy").replace("numpy", "np") + "."
        raise MissingRuleError(
            f"{module}{function.__name__} has no rule, at {user_line()}: write it with functions that have, "
            "give it one (autodiff.primitive), or leave the graph on purpose (t.numpy())"
        )
    return recorder(function, Tensor)


def _on_values(function: Callable[..., Any], arguments: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
    return function(*map(plain_value, arguments), **{key: plain_value(value) for key, value in keywords.items()})


def plain_value(argument: Any) -> Any:
    """An argument, or a sequence of them, with the values of Tensors in their places."""
    if isinstance(argument, (list, tuple)):
        return type(cast(Any, argument))(map(plain_value, cast(Any, argument)))
    return argument._read() if isinstance(argument, Tensor) else argument


def _rebuild(
    kind: type[Tensor], value: Any, name: str | None, requires_grad: bool, immutable: bool, grad: np.ndarray | None
) -> Tensor:
    tensor: Tensor = object.__new__(kind)
    tensor._value = value
    tensor._node = leaf(value, Variable(name, immutable), requires_grad)
    cast(Variable, tensor._node.variable).grad = grad
    return tensor
