"""What the rule of a function has to satisfy: for the author of a `primitive`.

A derivative is held against differences of values, whose bound is honest, and never against another formula. One of a
higher order is the derivative of a function, too: of the one that pulls a gradient back.
"""

from __future__ import annotations

import inspect
import itertools
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..differences import derivative, scale
from ..primitive import TABLE
from ..structures import leaves
from ..tensor import Tensor, constant
from ..transforms import grad, jvp
from .problems import generic

Array = np.ndarray[Any, np.dtype[Any]]

ROUNDING = 1e-9  # of a derivative that a rule computes, beside the largest of its terms
SINGLE = 1e-3  # the same in float32
KNOWN = 1e-3  # differences that are not known better than this judge nothing
NOTHING = 1e-200
FEW = 12  # entries: in an array of more, only some are moved, and all together
RANGES = ((0.2, 1.5, True), (0.2, 0.9, False), (1.2, 2.5, False))  # of numbers: least, largest, of either sign
SHAPES = ((2, 3), (3, 3), (3,), ())


def check_rule(f: Callable[..., Any], *examples: Any, wrt: Sequence[int] | None = None, orders: int = 2) -> None:
    """Check the derivatives of `f`, a `primitive` or any function of arrays; AssertionError says what is wrong.

    Each example is what f is called with: a tuple of arguments, or one array. Without examples some are drawn, for each
    array that the primitive has a derivative for. `wrt`: the positions of the arguments that f is differentiated in, by
    default all floating ones; one whose derivative is None must not matter then.

    At each example the value is the same with Tensors; derivatives of all orders up to `orders`, in reverse and in
    forward mode, are those of differences; and of the first order they are so in float32, which is kept in each step,
    for 0-d, empty and non-contiguous arrays, and where arguments are broadcast, as far as f takes them.

    >>> from autodiff import primitive
    >>> from autodiff.testing import check_rule
    >>> check_rule(primitive(lambda x: x**3, "g * 3 * x**2"))
    >>> check_rule(primitive(lambda x: x**3, "g * x**2"), np.array([2.0]))  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    AssertionError: check_rule: <lambda>(x): reverse mode, in x, along entry [0], ...
    """
    name = getattr(f, "__name__", type(f).__name__)
    for example in examples or _drawn(f, name):
        arguments = example if isinstance(example, tuple) else (example,)
        call = _Call(f, name, tuple(_array(x) for x in arguments), _names(f, len(arguments)))
        call = replace(call, wrt=tuple(wrt) if wrt is not None else call.differentiable())
        _check_value(call)
        _check_constant(call)
        _check_orders(call, orders)
        _check_float32(call, orders)
        for variant in _variants(call):
            _check_value(variant)
            _check_derivatives(variant)


@dataclass(frozen=True)
class _Call:
    """A call of f: its arguments, their names, and the positions of those to differentiate in."""

    f: Callable[..., Any]
    name: str
    arguments: tuple[Any, ...]
    names: tuple[str, ...]
    wrt: tuple[int, ...] = ()
    what: str = ""  # of the derivatives, or of the arguments, this is about

    def __str__(self) -> str:
        return f"check_rule: {self.name}({', '.join(self.names)}){self.what and ', '}{self.what}"

    def differentiable(self) -> tuple[int, ...]:
        """The positions of floating arguments for which the row, if there is one, states a derivative."""
        stated = TABLE[self.f].differentiable if self.f in TABLE else ()
        return tuple(i for i in self.floating if i >= len(stated) or stated[i])

    @property
    def floating(self) -> list[int]:
        return [i for i, x in enumerate(self.arguments) if _floating(x)]

    def points(self) -> list[Any]:
        """The arguments to differentiate in."""
        return [self.arguments[i] for i in self.wrt]

    def of(self, *values: Any) -> list[Any]:
        """The floating results, with other values for the arguments to differentiate in."""
        return self.evaluate(dict(zip(self.wrt, values, strict=True)))

    def evaluate(self, values: Mapping[int, Any]) -> list[Any]:
        """The same, with other values for some arguments."""
        result = self.f(*(values.get(i, x) for i, x in enumerate(self.arguments)))
        return [x for x in leaves(result) if _floating(x)]

    def with_arguments(self, what: str, change: Callable[[int, Any], Any]) -> _Call:
        """The same call of changed arrays."""
        changed = tuple(change(i, x) if i in self.floating else x for i, x in enumerate(self.arguments))
        return replace(self, arguments=changed, what=what)

    def accepted(self) -> bool:
        """Whether f computes it without a word, and finite numbers."""
        with warnings.catch_warnings(action="error"), np.errstate(all="raise"):
            try:
                return all(np.isfinite(x).all() for x in self.evaluate({}))
            except Exception:
                return False

    def trying(self, what: str, call: Callable[..., Any], *arguments: Any) -> Any:
        """The result of a call that must not fail."""
        try:
            return call(*arguments)
        except Exception as error:
            raise AssertionError(f"{self}: {what}: {type(error).__name__}: {error}") from error


# --- what is checked --------------------------------------------------------------------------------------------------


def _check_value(call: _Call) -> None:
    """With Tensors f computes the same numbers, in the same dtype."""
    tensors = {i: Tensor(call.arguments[i]) for i in call.wrt}
    found = call.trying("called with Tensors", call.evaluate, tensors)
    for value, plain in zip(found, call.evaluate({}), strict=True):
        same, plain = np.asarray(value.numpy() if isinstance(value, Tensor) else value), np.asarray(plain)
        good = same.dtype == plain.dtype and np.array_equal(same, plain, equal_nan=True)
        assert good, f"{call}: the value of Tensors is {same!r}, and of arrays {plain!r}"


def _check_constant(call: _Call) -> None:
    """What has no derivative must not matter."""
    for i in set(call.floating) - set(call.wrt):
        if i in call.differentiable():  # the user has left it out
            continue
        loss = replace(call, wrt=(i,))
        for v in directions(call.arguments[i]):
            slope, bound, _ = derivative(_loss(loss, 0), call.arguments[i], v)
            told = f"its derivative is None, and by differences it is {slope:.6g} along {_told(v)}"
            assert abs(slope) <= bound, f"{call}: in {call.names[i]}: {told}"


def _check_orders(call: _Call, orders: int) -> None:
    for order in range(1, orders + 1):
        _check_derivatives(call, entries=order == 1)
        call = _pulling(call, f"derivatives of order {order + 1} (orders={order} leaves them out)")


def _check_derivatives(call: _Call, entries: bool = True) -> None:
    """In reverse and in forward mode they are those of differences, of one argument or of all."""
    if not call.wrt:
        return
    weights = cotangents(call.evaluate({}))
    gradients = call.trying("reverse mode", _gradients, call, weights)
    for k, i in enumerate(call.wrt):
        x, gradient, where = call.arguments[i], gradients[k], f"in {call.names[i]}"
        form = f"of shape {gradient.shape} and {gradient.dtype} for an array of {x.shape} and {x.dtype}"
        assert (gradient.shape, gradient.dtype) == (x.shape, x.dtype), f"{call}: {where}: a gradient {form}"
        alone = replace(call, wrt=(i,))
        (same,) = alone.trying(f"reverse mode, {where} alone", _gradients, alone, weights)
        size = np.max(np.abs(gradient), initial=0)
        good = np.all(np.abs(same - gradient) <= ROUNDING * size)
        assert good, f"{call}: the gradient {where} alone is {same!r}, and among others {gradient!r}"
        for v in directions(x, entries):
            _check_slope(call, k, v, weights, gradient)


def _check_slope(call: _Call, k: int, v: Array, weights: Sequence[Array], gradient: Array) -> None:
    """Of <weights, f>, in one argument, along v."""
    i = call.wrt[k]
    x = call.arguments[i]
    value, bound, _ = derivative(_loss(call, k), x, v)
    terms = float(np.sum(np.abs(gradient * v)))
    sizes = sum(float(np.sum(np.abs(w * y))) for w, y in zip(weights, call.evaluate({}), strict=True))
    known = bound <= NOTHING + KNOWN * max(terms, sizes / scale(x, v))
    where = f"in {call.names[i]}, along {_told(v)}, at {x!r}"
    assert known, f"{call}: {where}: differences give {value:.6g} ± {bound:.1g}: is there a kink? Take another example"

    def held(mode: str, found: Any) -> None:
        told = f"the derivative is {found:.10g}, and by differences {value:.10g} ± {bound:.1g}"
        good = abs(found - value) <= bound + ROUNDING * terms
        assert good, f"{call}: {mode} mode, {where}: {told}"

    held("reverse", float(np.sum(gradient * v)))
    moves = [v if j == k else np.zeros_like(y) for j, y in enumerate(call.points())]
    tangents = call.trying(f"forward mode, in {call.names[i]}", jvp, call.of, call.points(), moves)[1]
    held("forward", float(sum(map(inner, weights, tangents))))


def _check_float32(call: _Call, orders: int) -> None:
    """It is kept: by f, by each step of a derivative, to its end; and the numbers are about the same."""
    single = call.with_arguments("of float32", lambda _, x: x.astype(np.float32))
    if not single.wrt or not single.accepted():
        return
    for value in single.evaluate({}):
        assert value.dtype == np.float32, f"{single}: the value is {value.dtype}"
    weights = [np.float32(w) for w in cotangents(single.evaluate({}))]
    found = single.trying("reverse mode", _gradients, single, weights)
    doubles = _gradients(call, [np.float64(w) for w in weights])
    for i, gradient, double in zip(single.wrt, found, doubles, strict=True):
        assert gradient.dtype == np.float32, f"{single}: the gradient in {single.names[i]} is {gradient.dtype}"
        good = np.all(np.abs(gradient - double) <= SINGLE * np.max(np.abs(double), initial=0))
        assert good, f"{single}: the gradient in {single.names[i]} is {gradient!r}, and of float64 {double!r}"
    _check_steps(single, weights)


def _check_steps(single: _Call, weights: Sequence[Any]) -> None:
    """What the derivatives themselves return, before the engine casts it."""
    outputs = single.evaluate({i: Tensor(single.arguments[i]) for i in single.wrt})
    node = outputs[0]._node if outputs and isinstance(outputs[0], Tensor) else None
    if node and single.f in TABLE and node.primitive is TABLE[single.f]:
        for x, gradient in node.rule.pull(node, node.saved, weights[0]):
            name = single.names[[*node.inputs].index(x)]
            assert gradient.dtype == x.dtype, f"{single}: the derivative in {name} returns {gradient.dtype}"


def _variants(call: _Call) -> Iterator[_Call]:
    """The same function of arrays of other forms, as far as it takes them."""
    some = [
        call.with_arguments("of 0-d arrays", lambda _, x: x.reshape(-1)[0:1].reshape(())),
        call.with_arguments("of empty arrays", lambda _, x: x[:0] if x.ndim else x),
        call.with_arguments(
            "of non-contiguous arrays", lambda _, x: np.repeat(x, 2, axis=-1)[..., ::2] if x.ndim else x
        ),
        call.with_arguments("of arrays in reverse", lambda _, x: x[::-1] if x.ndim else x),
        call.with_arguments("of Fortran's order", lambda _, x: np.asfortranarray(x)),
    ]
    for (i, x), form in itertools.product([(i, call.arguments[i]) for i in call.floating], (_single, _row, _column)):
        if len(call.floating) > 1 and x.ndim and x.size:
            given = call.with_arguments(f"{call.names[i]} broadcast from {form(x).shape}", _in_place(i, form(x)))
            full = call.with_arguments("", _in_place(i, np.broadcast_to(form(x), x.shape)))
            if given.accepted() and _same(given, full):  # and not, as of a matrix and its row, another function
                some.append(given)
    return (each for each in some if each.accepted())


def _single(x: Array) -> Array:
    return x.reshape(-1)[:1].reshape(())


def _row(x: Array) -> Array:
    return x[0]


def _column(x: Array) -> Array:
    return x[..., :1]


def _in_place(position: int, new: Array) -> Callable[[int, Array], Array]:
    return lambda i, x: new if i == position else x


def _same(one: _Call, other: _Call) -> bool:
    """Whether two calls have the same value."""
    pairs = zip(one.evaluate({}), other.evaluate({}), strict=True)
    return all(a.shape == b.shape and np.allclose(a, b) for a, b in pairs)


# --- examples ---------------------------------------------------------------------------------------------------------


def _drawn(f: Callable[..., Any], name: str) -> list[tuple[Any, ...]]:
    """Arguments that f takes: of the first shape that it does, in all ranges that it does."""
    count, rng = len(_names(f, None)), np.random.default_rng(0)
    for shape in SHAPES:
        found: list[tuple[Any, ...]] = []
        for low, high, signed in RANGES:
            arrays = [generic(shape, rng, low, high) for _ in range(count)]
            found.append(tuple(x if signed else np.abs(x) for x in arrays))
        if good := [example for example in found if _Call(f, name, example, ()).accepted()]:
            return good
    remedy = f"give examples of its arguments, as in check_rule({name}, (x, y))"
    raise ValueError(f"check_rule: {name} takes none of the arrays that were tried: {remedy}")


def _names(f: Callable[..., Any], count: int | None) -> tuple[str, ...]:
    """Of the arguments; without a count, of those that have a derivative, or no default."""
    if f in TABLE:
        stated = TABLE[f].formula.arrays
    else:
        try:
            parameters = inspect.signature(f).parameters.values()
        except (TypeError, ValueError):
            parameters = ()
        stated = tuple(p.name for p in parameters if p.default is p.empty and p.kind <= p.POSITIONAL_OR_KEYWORD)
    if count is None:
        return stated
    return (*stated, *(f"argument {i}" for i in range(len(stated), count)))[:count]


def _array(x: Any) -> Any:
    """An argument that may not be written to; numbers are arrays, and single is double at first."""
    if isinstance(x, (float, np.floating)) or (isinstance(x, np.ndarray) and x.dtype.kind == "f"):
        x = np.array(x, dtype=float)
        x.flags.writeable = False
    return x


def _floating(x: Any) -> bool:
    return hasattr(x, "dtype") and x.dtype.kind == "f"


# --- numbers ----------------------------------------------------------------------------------------------------------


def cotangents(outputs: Sequence[Any], seed: int = 0) -> list[Any]:
    """A random array for each, of numbers of either sign and none near 0."""
    return [cotangent(x.shape, x.dtype, seed + k) for k, x in enumerate(outputs)]


def cotangent(shape: tuple[int, ...], dtype: Any = np.float64, seed: int = 0) -> Any:
    """One."""
    rng = np.random.default_rng([seed, *shape])
    real, imaginary = (rng.uniform(0.5, 1.5, shape) * rng.choice([-1.0, 1.0], shape) for _ in range(2))
    made = np.asarray(real + 1j * imaginary if np.dtype(dtype).kind == "c" else real, dtype)
    made.flags.writeable = False
    return made


def inner(a: Any, b: Any) -> Any:
    """The sum of the products of the elements; of complex numbers as pairs of real ones."""
    product = np.multiply(np.conj(a), b)
    return np.sum(product.real if product.dtype.kind == "c" else product)


def directions(x: Array, entries: bool = True) -> Iterator[Array]:
    """The ways in which an array is moved: along some elements, and along all."""
    rng = np.random.default_rng(x.size)
    some = range(x.size) if x.size <= FEW else rng.choice(x.size, FEW // 3, replace=False)
    for i in some if entries else ():
        yield (np.arange(x.size) == i).astype(x.dtype).reshape(x.shape)
    if x.size > 1 or (x.size and not entries):
        yield rng.uniform(-1, 1, x.shape).astype(x.dtype)


def _told(v: Array) -> str:
    """`entry [1, 2]`, or `a random direction`."""
    places = np.argwhere(v)
    return f"entry {places[0].tolist()}" if len(places) == 1 else "a random direction"


def _loss(call: _Call, k: int) -> Callable[[Array], Any]:
    """<weights, f> as a function of one argument."""
    weights = cotangents(call.evaluate({}))
    return lambda y: sum(map(inner, weights, call.evaluate({call.wrt[k]: y})))


def _gradients(call: _Call, weights: Sequence[Any], points: Sequence[Any] | None = None) -> tuple[Any, ...]:
    """Of <weights, f>, in each argument."""

    def loss(*xs: Any) -> Any:
        total = sum(np.sum(w * y) for w, y in zip(weights, call.of(*xs), strict=True))
        return total if isinstance(total, Tensor) else constant(total)

    return grad(loss, tuple(range(len(call.wrt))))(*(call.points() if points is None else points))


def _pulling(call: _Call, what: str) -> _Call:
    """The function that pulls weights of f back to its arguments, which is differentiable in both."""
    weights, count = cotangents(call.evaluate({})), len(call.wrt)
    names = (*(call.names[i] for i in call.wrt), *("g" for _ in weights))
    arguments = (*call.points(), *weights)
    f = lambda *values: _gradients(call, values[count:], values[:count])  # noqa: E731
    return replace(call, f=f, arguments=arguments, names=names, wrt=tuple(range(len(arguments))), what=what)
