"""What each row of the table has to satisfy, for one call of its function.

No derivative is tested with another derivation here: gradients are held against central differences of NumPy's own
function, and second derivatives against central differences of gradients that passed.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

import autodiff as ad
from autodiff.graph import Graph
from autodiff.primitive import TABLE, Primitive
from autodiff.record import recorder
from autodiff.rules.shape import identity

STEP = 1e-3  # of a fourth-order difference, at values of about 1: truncation and rounding both stay near 1e-12
RELATIVE, ABSOLUTE = 1e-6, 1e-8  # the latter of the largest element: what cancels is small by chance
SINGLE = 1e-3  # float32 against float64
JITTER = 1e-9  # too small to meet a jump


@dataclass(frozen=True)
class Call:
    """One call of a row's function, with arrays and Python scalars; those from `starred` on are one sequence."""

    function: Callable[..., Any]
    arguments: tuple[Any, ...]
    keywords: dict[str, Any] = field(default_factory=dict)
    starred: int | None = None

    @property
    def row(self) -> Primitive:
        return TABLE[self.function]

    def evaluate(self, arguments: Sequence[Any], *unnamed: Any) -> Any:
        """NumPy's value for these arguments, which may be Tensors; its keywords may be given by place."""
        return self.function(*self._nested(arguments), *unnamed, **({} if unnamed else self.keywords))

    def record(self, arguments: Sequence[Any]) -> ad.Tensor:
        """The Tensor that the row's recorder makes for these arguments."""
        return recorder(self.function, ad.Tensor)(*self._nested(arguments), **self.keywords)

    def _nested(self, arguments: Sequence[Any]) -> tuple[Any, ...]:
        star = self.starred
        return tuple(arguments) if star is None else (*arguments[:star], tuple(arguments[star:]))

    @property
    def floating(self) -> list[int]:
        """The positions of the arguments that could be moved a little."""
        return [i for i, x in enumerate(self.arguments) if isinstance(x, np.ndarray) and x.dtype.kind == "f"]

    @property
    def differentiable(self) -> list[int]:
        """The positions of the arguments that have a derivative."""
        return [i for i in self.floating if self._derivative(i) is not None]

    def _derivative(self, position: int) -> Any:
        position = position if self.starred is None else min(position, self.starred)
        derivatives = self.row.derivatives
        return derivatives[position] if position < len(derivatives) else None

    def with_tensors(self, positions: Iterable[int]) -> tuple[list[Any], list[ad.Tensor]]:
        """The arguments, new Tensors in the place of those at `positions`; and these Tensors."""
        tensors = {i: ad.Tensor(self.arguments[i]) for i in positions}
        return [tensors.get(i, x) for i, x in enumerate(self.arguments)], list(tensors.values())

    def cast(self, dtypes: dict[int, Any]) -> Call:
        """The same call with other dtypes."""
        arguments = (rounded(x, dtypes[i]) if i in dtypes else x for i, x in enumerate(self.arguments))
        return replace(self, arguments=tuple(arguments))

    def at(self, position: int, x: Any) -> Call:
        """The same call with another argument."""
        return replace(self, arguments=(*self.arguments[:position], x, *self.arguments[position + 1 :]))


def rounded(x: np.ndarray, dtype: Any) -> np.ndarray:
    """x as another dtype; as integers it keeps its sign, and becomes no new zero."""
    x = np.sign(x) * np.ceil(np.abs(x)) if np.dtype(dtype).kind in "iu" else x
    return read_only(x.astype(dtype))


def read_only(x: Any) -> np.ndarray:
    """x, protected: no test may depend on a function that writes to its arguments."""
    x = np.asarray(x)
    x.flags.writeable = False
    return x


# --- differences ------------------------------------------------------------------------------------------------------


def difference(f: Callable[[float], Any]) -> Any:
    """f'(0): central differences at two steps, extrapolated to fourth order."""
    return (8 * (f(STEP) - f(-STEP)) - (f(2 * STEP) - f(-2 * STEP))) / (12 * STEP)


def moved(x: np.ndarray, direction: Any, step: float) -> np.ndarray:
    """x + step * direction, in the memory layout of x."""
    y = np.copy(x, order="K")
    y += step * direction
    return y


def differences(call: Call, position: int, g: np.ndarray) -> np.ndarray:
    """The gradient of <g, f(arguments)> in one argument, entry by entry."""
    x = call.arguments[position]
    found = np.empty(x.shape)
    for index in np.ndindex(x.shape):
        direction = np.zeros(x.shape)
        direction[index] = 1
        found[index] = difference(lambda step, v=direction: inner(g, evaluate_moved(call, position, v, step)))
    return found


def evaluate_moved(call: Call, position: int, direction: Any, step: float) -> Any:
    """NumPy's value with one argument moved."""
    return call.evaluate(call.at(position, moved(call.arguments[position], direction, step)).arguments)


def inner(a: Any, b: Any) -> Any:
    """The sum of the products of the elements."""
    return np.sum(np.multiply(a, b))


def cotangent(shape: tuple[int, ...], dtype: Any = np.float64, seed: int = 0) -> np.ndarray:
    """A random array of numbers of either sign, none near 0."""
    rng = np.random.default_rng([seed, *shape])
    return read_only(np.asarray(rng.uniform(0.5, 1.5, shape) * rng.choice([-1.0, 1.0], shape), dtype))


def pulled(output: ad.Tensor, wrt: Sequence[ad.Tensor], g: Any, record: bool = False) -> list[Any]:
    """The gradients of <g, output>; zeros also where output does not depend on any of `wrt`."""
    if not output.requires_grad:
        return [ad.constant(np.zeros(w.shape, w.dtype)) if record else np.zeros(w.shape, w.dtype) for w in wrt]
    return ad.gradients(output, wrt, gradient=g, record=record)


# --- comparisons ------------------------------------------------------------------------------------------------------


def assert_same(actual: Any, expected: Any, what: str) -> None:
    """Equal to the bit: dtype, shape, bytes."""
    actual, expected = np.asarray(actual), np.asarray(expected)
    assert (actual.dtype, actual.shape) == (expected.dtype, expected.shape), what
    assert actual.tobytes() == expected.tobytes(), f"{what}: {actual!r} is not, to the bit, {expected!r}"


def assert_close(actual: Any, expected: Any, what: str, relative: float = RELATIVE, absolute: float = ABSOLUTE) -> None:
    """Equal in shape, and in value up to the error of differences."""
    actual, expected = np.asarray(actual), np.asarray(expected)
    assert actual.shape == expected.shape, f"{what}: shape {actual.shape} instead of {expected.shape}"
    size = 1 + np.max(np.abs(expected), initial=0)
    good = np.abs(actual - expected) <= relative * np.abs(expected) + absolute * size
    assert good.all(), f"{what}: {actual!r} instead of {expected!r}"


# --- what holds for each call -----------------------------------------------------------------------------------------


def check_value(call: Call) -> None:
    """The value is NumPy's to the bit, in each floating dtype, and a node of this row."""
    for dtype in (np.float64, np.float32):
        again = call if dtype is np.float64 else call.cast(dict.fromkeys(call.floating, dtype))
        arguments = again.with_tensors(again.floating)[0]
        arguments = [ad.constant(x) if isinstance(x, np.ndarray) else x for x in arguments]
        out = again.record(arguments)
        assert isinstance(out, ad.Tensor)
        assert_same(out.numpy(), again.evaluate(again.arguments), f"value of {again}")
        assert out._node.primitive is call.row
        nodes = [x._node for x in arguments if isinstance(x, ad.Tensor)]
        assert [x for x in out._node.inputs if x in nodes] == nodes, f"{call}: an argument is missing in the graph"


def check_gradient(call: Call) -> None:
    """Each gradient is that of central differences, whichever of the arguments are Tensors."""
    positions = call.differentiable
    value = np.asarray(call.evaluate(call.arguments))
    for i in set(call.floating) - set(positions):
        check_constant(call, i)
    g = cotangent(value.shape)
    expected = {i: differences(call, i, g) for i in positions}
    for wanted in subsets(positions):
        arguments, tensors = call.with_tensors(wanted)
        out = call.record(arguments)
        assert_same(out.numpy(), value, f"value of {call} (Tensors: {wanted})")
        for i, gradient in zip(wanted, pulled(out, tensors, g), strict=True):
            what = f"gradient of {call} in argument {i} (Tensors: {wanted})"
            assert type(gradient) is np.ndarray, what
            assert gradient.dtype == np.float64, what
            assert_close(gradient, expected[i], what)


def check_constant(call: Call, position: int) -> None:
    """An argument without a derivative: its Tensor needs none, and the value does not follow it."""
    value = call.evaluate(call.arguments)
    x = call.arguments[position]
    for sign in (1, -1):
        assert_same(evaluate_moved(call, position, sign * x, JITTER), value, f"{call} depends on argument {position}")
    out = call.record(call.with_tensors([position])[0])
    assert not out.requires_grad, f"{call} has a gradient in argument {position}"


def check_second_order(call: Call) -> None:
    """A recorded gradient is the gradient, and its own gradients are its differences, in arguments and in cotangent."""
    positions = call.differentiable
    if not positions:
        return

    def first(call: Call, g: Any) -> list[Any]:
        arguments, tensors = call.with_tensors(positions)
        return pulled(call.record(arguments), tensors, g)

    arguments, tensors = call.with_tensors(positions)
    out = call.record(arguments)
    g = ad.Tensor(cotangent(out.shape))
    recorded = pulled(out, tensors, g, record=True)
    plain = first(call, g.numpy())
    for gradient, same in zip(recorded, plain, strict=True):
        assert_close(gradient.numpy(), same, f"recorded gradient of {call}", relative=1e-12, absolute=1e-13)

    weights = [cotangent(gradient.shape, seed=1 + k) for k, gradient in enumerate(recorded)]
    second = [np.zeros(w.shape) for w in (*tensors, g)]
    for gradient, weight in zip(recorded, weights, strict=True):
        for total, part in zip(second, pulled(gradient, [*tensors, g], weight), strict=True):
            total += part

    def along(position: int | None, v: np.ndarray, step: float) -> Any:
        if position is None:
            gradients = first(call, moved(g.numpy(), v, step))
        else:
            gradients = first(call.at(position, moved(call.arguments[position], v, step)), g.numpy())
        return sum(map(inner, weights, gradients))

    for position, gradient in zip([*positions, None], second, strict=True):
        v = cotangent(gradient.shape, seed=99)
        expected = difference(lambda step, position=position, v=v: along(position, v, step))
        size = np.sum(np.abs(gradient * v)) + sum(np.sum(np.abs(first_order)) for first_order in plain)
        what = f"second derivative of {call} in {'g' if position is None else f'argument {position}'}"
        assert_close(inner(gradient, v), expected, what, absolute=RELATIVE * (1 + size))


def check_float32(call: Call) -> None:
    """float32 stays float32, from the result through interior gradients, each step of the rule, to the leaves."""
    single = call.cast(dict.fromkeys(call.floating, np.float32))
    arguments, tensors = single.with_tensors(single.differentiable)
    if not tensors:
        return
    middle = {id(tensor): identity(tensor) for tensor in tensors}
    out = single.record([middle.get(id(x), x) for x in arguments])
    g = cotangent(out.shape, out.dtype)
    for gradient in pulled(out, [*middle.values(), *tensors], g):
        assert gradient.dtype == np.float32, f"gradient of {single} is {gradient.dtype}"
    if out.dtype != np.float32 or not out.requires_grad:  # as of np.float_power, or with dtype=
        return
    for _, gradient in out._node.rule.pull(out._node, out._node.saved, g):  # before the engine casts it
        assert gradient.dtype == np.float32, f"the rule of {single} gives {gradient.dtype}"
    recorded = ad.gradients(out, tensors, gradient=g, record=True)
    for node in Graph([gradient._node for gradient in recorded]).nodes:
        assert node.dtype != np.float64, f"the rule of {single} computes {node} in float64"
    exact = single.cast(dict.fromkeys(call.floating, np.float64))
    arguments, doubles = exact.with_tensors(exact.differentiable)
    expected = pulled(exact.record(arguments), doubles, g.astype(np.float64))
    for gradient, same in zip(recorded, expected, strict=True):
        assert_close(gradient.numpy(), same, f"float32 gradient of {call}", relative=SINGLE, absolute=SINGLE)


def check_promotion(call: Call) -> None:
    """Beside arrays of another dtype the value has NumPy's dtype, and the gradient its leaf's."""
    if len(call.floating) < 2:
        return
    for i, other in itertools.product(call.differentiable, (np.float64, np.int64)):
        mixed = call.cast({k: other for k in call.floating if k != i} | {i: np.float32})
        arguments, tensors = mixed.with_tensors([i])
        out = mixed.record(arguments)
        assert_same(out.numpy(), mixed.evaluate(mixed.arguments), f"value of {mixed}")
        (gradient,) = pulled(out, tensors, cotangent(out.shape, out.dtype))
        assert (gradient.dtype, gradient.shape) == (np.float32, tensors[0].shape), f"gradient of {mixed}"


def check_linear(call: Call) -> None:
    """A linear row is affine in each argument, and its gradient is the same everywhere."""
    if call.row.kind != "linear":
        return
    g = cotangent(np.shape(call.evaluate(call.arguments)))
    for i in call.differentiable:
        x, y = call.arguments[i], cotangent(call.arguments[i].shape, seed=7)
        there = [call.at(i, point) for point in (x, y, 3 * x - 2 * y)]
        values = [each.evaluate(each.arguments) for each in there]
        assert_close(values[2], 3 * values[0] - 2 * values[1], f"{call} in argument {i}")
        gradients = []
        for each in there[:2]:
            arguments, tensors = each.with_tensors([i])
            gradients += pulled(each.record(arguments), tensors, g)
        assert_close(*gradients, f"gradient of {call} in argument {i}", relative=1e-12, absolute=1e-12)


def subsets(positions: Sequence[int]) -> Iterator[tuple[int, ...]]:
    """All but the empty one."""
    return (s for size in range(1, len(positions) + 1) for s in itertools.combinations(positions, size))


def check_call(call: Call) -> None:
    """All of the above."""
    for check in (check_value, check_gradient, check_linear, check_second_order, check_float32, check_promotion):
        check(call)


# --- what holds for each row ------------------------------------------------------------------------------------------


def check_kinks(function: Callable[..., Any]) -> None:
    """At each kink the gradient is the stated one: in 0-d, repeated in an array, of one Tensor or of several."""
    row = TABLE[function]
    for (point, stated), copies in itertools.product(row.kinks.items(), ((), (3,), (2, 1))):
        whole = any(isinstance(p, tuple) for p in point)  # the point is one array, not one number for each argument
        if whole and copies:
            continue
        arguments = tuple(read_only(np.asarray(np.broadcast_to(p, np.shape(p) + copies), float).copy()) for p in point)
        expected = [np.broadcast_to(np.asarray(s, float), np.shape(s) + copies) for s in stated]
        for dtype, factor in itertools.product((np.float64, np.float32), (1.0, -2.0)):
            call = Call(function, arguments).cast(dict.fromkeys(range(len(arguments)), dtype))
            for wanted in subsets(call.differentiable):
                with_tensors, tensors = call.with_tensors(wanted)
                out = call.record(with_tensors)
                gradients = pulled(out, tensors, np.full(out.shape, factor, out.dtype))
                for i, gradient in zip(wanted, gradients, strict=True):
                    what = f"kink {point} of {row}, argument {i}: {gradient!r}"
                    assert gradient.dtype == dtype, what
                    assert np.array_equal(gradient, factor * expected[i]), what


def check_row(function: Callable[..., Any], calls: Iterable[Call]) -> None:
    """All of this, for a row as it stands in the table, at some calls."""
    check_kinks(function)
    for call in calls:
        check_call(call)
