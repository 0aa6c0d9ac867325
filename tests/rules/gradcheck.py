"""What each row of the table has to satisfy, for one call of its function.

No derivative is tested with another derivation here: gradients are held against central differences of NumPy's own
function, and second derivatives against central differences of gradients that passed.

Of complex numbers the loss is Re(sum(conj(c) * out)), and the gradient dL/da + i dL/db at a + ib, as PyTorch has it.
"""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

import autodiff as ad
from autodiff.graph import Graph
from autodiff.primitive import COMPOSED, TABLE, Primitive
from autodiff.rules.shape import identity
from autodiff.testing.rules import cotangent, cotangents, inner

STEP = 1e-3  # of a fourth-order difference, at values of about 1: truncation and rounding both stay near 1e-12
RELATIVE, ABSOLUTE = 1e-6, 1e-8  # the latter of the largest element: what cancels is small by chance
SINGLE = 1e-3  # float32 against float64
JITTER = 1e-9  # too small to meet a jump
MANY = 27  # elements: in an array of more only some are moved, each by itself and all together
SIZES = {"f": (np.float32, np.float64), "c": (np.complex64, np.complex128)}  # single and double


@dataclass(frozen=True)
class Call:
    """One call of a function, whose arrays are numbered in their order among arguments and keywords.

    They may stand in lists, tuples and dicts. `constant`: which of them have no derivative, where the row does not say
    it. `written`: the first argument is written to, and is the result. `post` makes of outputs that are determined but
    for a gauge what is determined.
    """

    function: Callable[..., Any]
    arguments: tuple[Any, ...]
    keywords: dict[str, Any] = field(default_factory=dict)
    constant: tuple[int, ...] = ()
    written: bool = False
    post: Callable[[Any], Any] | None = None

    @property
    def row(self) -> Primitive:
        return TABLE.get(self.function) or COMPOSED[self.function]

    @cached_property
    def arrays(self) -> list[np.ndarray]:
        return [x for x in leaves((self.arguments, self.keywords)) if isinstance(x, np.ndarray)]

    @property
    def floating(self) -> list[int]:
        """The numbers of the arrays that could be moved a little."""
        return [i for i, x in enumerate(self.arrays) if x.dtype.kind in "fc"]

    @cached_property
    def differentiable(self) -> list[int]:
        """The numbers of the arrays that have a derivative."""
        if self.row.kind == "constant":
            return []
        symbols = [k for k, x in enumerate(self.arguments) for y in leaves(x) if isinstance(y, np.ndarray)]
        stated = TABLE[self.function].differentiable if self.function in TABLE else ()
        without = {i for i, k in enumerate(symbols) if k < len(stated) and not stated[k]}
        return [i for i in self.floating if i not in without and i not in self.constant]

    def filled(self, values: Mapping[int, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Arguments and keywords, with others in the places of some arrays."""
        numbers = itertools.count()
        each = lambda x: values.get(next(numbers), x) if isinstance(x, np.ndarray) else x  # noqa: E731
        return mapped((self.arguments, self.keywords), each)

    def evaluate(self, values: Mapping[int, Any] | None = None) -> Any:
        """What the function returns, with Tensors in the places of some arrays."""
        arguments, keywords = self.filled(values or {})
        if not self.written:
            return self.function(*arguments, **keywords)
        first, *rest = arguments
        first = (ad.constant(first) if values and isinstance(first, np.ndarray) else first).copy()
        self.function(first, *rest, **keywords)
        return first

    def outputs(self, values: Mapping[int, Any] | None = None) -> list[Any]:
        """The floating arrays in what the function returns."""
        result = self.evaluate(values)
        return [x for x in leaves(self.post(result) if self.post else result) if kind(x) in "fc"]

    def tensors(self, positions: Iterable[int]) -> dict[int, ad.Tensor]:
        """New Tensors for the arrays of these numbers."""
        return {i: ad.Tensor(self.arrays[i]) for i in positions}

    def dispatches(self, positions: Iterable[int]) -> bool:
        """Whether NumPy asks an object in the places of these arrays (`np.sum` does not ask its `initial`)."""
        asked = {*positions, 0} if self.written else positions  # a Tensor is written to
        try:
            return isinstance(self.evaluate(dict.fromkeys(asked, _Asked())), _Asked)
        except Exception:
            return False

    @property
    def reached(self) -> bool:
        """Whether NumPy asks any of the arrays: it does not look into most lists."""
        return self.dispatches(range(len(self.arrays)))

    def others(self, positions: Collection[int]) -> dict[int, ad.Tensor]:
        """Constants for the other arrays, where NumPy would not ask those at these positions."""
        if self.dispatches(positions):
            return {}
        return {i: ad.constant(x) for i, x in enumerate(self.arrays) if i not in positions}

    @property
    def accepted(self) -> bool:
        """Whether NumPy computes it without a word (and not, say, the maximum of nothing)."""
        with warnings.catch_warnings(action="error"):
            try:
                self.evaluate()
            except Exception:
                return False
        return True

    def at(self, values: Mapping[int, Any]) -> Call:
        """The same call of other arrays."""
        arguments, keywords = self.filled(values)
        return replace(self, arguments=arguments, keywords=keywords)

    def cast(self, dtypes: Mapping[int, Any]) -> Call:
        """The same call of arrays of other dtypes."""
        return self.at({i: rounded(self.arrays[i], dtype) for i, dtype in dtypes.items()})

    def of_size(self, double: bool) -> Call:
        """The same call in double or in single precision."""
        return self.cast({i: SIZES[self.arrays[i].dtype.kind][double] for i in self.floating})


class _Asked:
    """What NumPy's protocols, our own functions and Python's ** ask."""

    requires_grad = True

    def __array_function__(self, *_: Any) -> _Asked:
        return self

    def __array_ufunc__(self, *_: Any, **__: Any) -> _Asked:
        return self

    def __pow__(self, _: Any) -> _Asked:
        return self

    def copy(self) -> _Asked:
        return self


def rounded(x: np.ndarray, dtype: Any) -> np.ndarray:
    """x as another dtype; as integers it keeps its sign, and becomes no new zero."""
    x = np.sign(x) * np.ceil(np.abs(x)) if np.dtype(dtype).kind in "iu" else x
    return read_only(x.astype(dtype))


def read_only(x: Any) -> np.ndarray:
    """x, protected: no test may depend on a function that writes to its arguments."""
    x = np.asarray(x)
    x.flags.writeable = False
    return x


# --- structures -------------------------------------------------------------------------------------------------------


def mapped(structure: Any, change: Callable[[Any], Any]) -> Any:
    """Lists, tuples and dicts of the same kinds, `change` of each item in its place."""
    match structure:
        case dict():
            return {key: mapped(item, change) for key, item in structure.items()}
        case list():
            return [mapped(item, change) for item in structure]
        case tuple():
            items = [mapped(item, change) for item in structure]
            return type(structure)(*items) if hasattr(structure, "_fields") else tuple(items)
        case _:
            return change(structure)


def leaves(structure: Any) -> list[Any]:
    """The items of a structure, in order."""
    found: list[Any] = []
    mapped(structure, found.append)
    return found


def kind(x: Any) -> str:
    """That of its dtype, O for what is no array."""
    return x.dtype.kind if isinstance(x, (np.ndarray, np.generic, ad.Tensor)) else "O"


# --- differences ------------------------------------------------------------------------------------------------------


def difference(f: Callable[[float], Any]) -> Any:
    """f'(0): central differences at two steps, extrapolated to fourth order."""
    return (8 * (f(STEP) - f(-STEP)) - (f(2 * STEP) - f(-2 * STEP))) / (12 * STEP)


def moved(x: np.ndarray, direction: Any, step: float) -> np.ndarray:
    """x + step * direction, in the memory layout of x."""
    y = np.copy(x, order="K")
    y += step * direction
    return y


def directions(x: np.ndarray) -> np.ndarray:
    """The ways in which an array is moved: along each element, in the imaginary direction too."""
    found = np.eye(x.size)
    if x.size > MANY:
        rng = np.random.default_rng(x.size)
        found = np.concatenate([found[rng.choice(x.size, MANY // 2)], rng.uniform(-1, 1, (2, x.size))])
    found = found.reshape(len(found), *x.shape)
    return np.concatenate([found, 1j * found]) if x.dtype.kind == "c" else found


def slopes(call: Call, position: int, g: Sequence[Any]) -> Any:
    """Of <g, outputs> along the directions of one array."""
    x = call.arrays[position]

    def loss(v: np.ndarray, step: float) -> Any:
        return sum(map(inner, g, call.outputs({position: moved(x, v, step)})))

    return np.array([difference(lambda step, v=v: loss(v, step)) for v in directions(x)])


def pulled(outputs: Sequence[Any], wrt: Sequence[ad.Tensor], g: Sequence[Any], record: bool = False) -> list[Any]:
    """The gradients of <g, outputs>; zeros also where no output depends on any of `wrt`."""
    pairs = [(x, w) for x, w in zip(outputs, g, strict=True) if isinstance(x, ad.Tensor) and x.requires_grad]
    if not pairs:
        return [ad.constant(np.zeros(w.shape, w.dtype)) if record else np.zeros(w.shape, w.dtype) for w in wrt]
    if len(pairs) == 1:
        return ad.gradients(pairs[0][0], wrt, gradient=pairs[0][1], record=record)
    total = sum(np.sum(np.real(np.conj(w) * x) if "c" in (kind(w), kind(x)) else w * x) for x, w in pairs)
    return ad.gradients(total, wrt, record=record)


# --- comparisons ------------------------------------------------------------------------------------------------------


def plain(x: Any) -> Any:
    """The value of a Tensor."""
    return x.numpy() if isinstance(x, ad.Tensor) else x


def assert_same(actual: Any, expected: Any, *what: object) -> None:
    """Equal to the bit: dtype, shape, bytes; of several results each, in the same structure."""
    actual, expected = plain(actual), plain(expected)
    if isinstance(expected, (list, tuple)):
        assert type(actual) is type(expected), f"{what}: {type(actual)} instead of {type(expected)}"
        assert len(actual) == len(expected), what
        for one, other in zip(actual, expected, strict=True):
            assert_same(one, other, *what)
    elif not isinstance(expected, (np.ndarray, np.generic)):
        assert actual == expected, f"{what}: {actual!r} instead of {expected!r}"
    else:
        actual, expected = np.asarray(actual), np.asarray(expected)
        assert (actual.dtype, actual.shape) == (expected.dtype, expected.shape), what
        assert actual.tobytes() == expected.tobytes(), f"{what}: {actual!r} is not, to the bit, {expected!r}"


def assert_close(
    actual: Any, expected: Any, *what: object, relative: float = RELATIVE, absolute: float = ABSOLUTE
) -> None:
    """Equal in shape, and in value up to the error of differences."""
    actual, expected = np.asarray(actual), np.asarray(expected)
    assert actual.shape == expected.shape, f"{what}: shape {actual.shape} instead of {expected.shape}"
    size = 1 + np.max(np.abs(expected), initial=0)
    good = np.abs(actual - expected) <= relative * np.abs(expected) + absolute * size
    assert good.all(), f"{what}: {actual!r} instead of {expected!r}"


# --- what holds for each call -----------------------------------------------------------------------------------------


def check_value(call: Call) -> None:
    """The value is NumPy's to the bit, in each floating dtype, and a node of this row."""
    row = TABLE.get(call.function)
    for again in (call, call.of_size(double=False)):
        tensors = {i: ad.Tensor(x) if i in again.floating else ad.constant(x) for i, x in enumerate(again.arrays)}
        out, expected = again.evaluate(tensors), again.evaluate()
        assert_same(out, expected, "value of", again)
        for x, value in zip(leaves(out), leaves(expected), strict=True):
            assert kind(value) == "O" or isinstance(x, ad.Tensor), f"{call} gives {x!r}"
            assert kind(value) in "fcO" or not x.requires_grad, f"{call}: gradient of {x!r}"
        if row and isinstance(out, ad.Tensor) and call.keywords.keys() <= row.formula.keywords.keys():
            assert out._node.primitive is row
            nodes = [x._node for x in tensors.values()]
            assert [x for x in out._node.inputs if x in nodes] == nodes, f"{call}: an argument is missing in the graph"


def check_gradient(call: Call) -> None:
    """Each gradient is that of central differences, whichever of the arguments are Tensors."""
    positions = call.differentiable
    for i in set(call.floating) - set(positions):
        check_constant(call, i)
    value, g = call.evaluate(), cotangents(call.outputs())
    expected = {i: slopes(call, i, g) for i in positions}
    for wanted in subsets(positions):
        tensors = call.tensors(wanted)
        told = call.others(wanted) | tensors
        assert_same(call.evaluate(told), value, "value of", call, "Tensors:", wanted)
        gradients = pulled(call.outputs(told), [*tensors.values()], g)
        for i, gradient in zip(wanted, gradients, strict=True):
            what = ("gradient of", call, "in array", i, "Tensors:", wanted, gradient)
            assert type(gradient) is np.ndarray, what
            assert (gradient.dtype, gradient.shape) == (call.arrays[i].dtype, call.arrays[i].shape), what
            assert_close([inner(v, gradient) for v in directions(gradient)], expected[i], *what)


def check_constant(call: Call, position: int) -> None:
    """An array without a derivative: its Tensor needs none, and the value does not follow it."""
    x = call.arrays[position]
    for sign in (1, -1):
        near = call.evaluate({position: moved(x, sign * x, JITTER)})
        assert_same(near, call.evaluate(), call, "depends on array", position)
    for out in leaves(call.evaluate(call.others([position]) | call.tensors([position]))):
        assert not (kind(out) in "fc" and out.requires_grad), f"{call} has a gradient in array {position}"


def check_second_order(call: Call) -> None:
    """A recorded gradient is the gradient; its own gradients are its differences, in arguments and in cotangents."""
    positions = call.differentiable
    if not positions:
        return
    others = call.others(positions)

    def first(call: Call, g: Sequence[Any]) -> list[Any]:
        tensors = call.tensors(positions)
        return pulled(call.outputs(others | tensors), [*tensors.values()], g)

    tensors = call.tensors(positions)
    outputs = call.outputs(others | tensors)
    g = cotangents(outputs)
    recorded = pulled(outputs, [*tensors.values()], sources := [*map(ad.Tensor, g)], record=True)
    gradients = first(call, g)
    for gradient, same in zip(recorded, gradients, strict=True):
        assert_close(gradient.numpy(), same, "recorded gradient of", call, relative=1e-12, absolute=1e-13)
    weights = cotangents(gradients, seed=10)
    second = pulled(recorded, [*tensors.values(), *sources], weights)

    def along(k: int, v: np.ndarray, step: float) -> Any:
        if k < len(positions):
            i = positions[k]
            found = first(call.at({i: moved(call.arrays[i], v, step)}), g)
        else:
            k -= len(positions)
            found = first(call, [*g[:k], moved(g[k], v, step), *g[k + 1 :]])
        return sum(map(inner, weights, found))

    for k, gradient in enumerate(second):
        v = cotangent(gradient.shape, gradient.dtype, seed=99)
        expected = difference(lambda step, k=k, v=v: along(k, v, step))
        size = np.sum(np.abs(gradient * v)) + sum(np.sum(np.abs(first_order)) for first_order in gradients)
        what = ("second derivative of", call, "in", [*positions, *("g" for _ in g)][k])
        assert_close(inner(gradient, v), expected, *what, absolute=RELATIVE * (1 + size))


def check_float32(call: Call) -> None:
    """float32 stays float32, from the result through interior gradients, each step of the rule, to the leaves."""
    single = call.of_size(double=False)
    tensors = single.tensors(single.differentiable)
    if not tensors or not single.accepted:
        return
    middle = {i: identity(tensor) for i, tensor in tensors.items()}
    outputs, between = single.outputs(single.others(middle) | middle), [*middle.values(), *tensors.values()]
    g = cotangents(outputs)
    for gradient, x in zip(pulled(outputs, between, g), between, strict=True):
        assert gradient.dtype == x.dtype, f"gradient of {single} is {gradient.dtype}"
    if any(x.dtype.char not in "fF" or not x.requires_grad for x in outputs):  # as of np.float_power, or with dtype=
        return
    node = outputs[0]._node if outputs else None
    if node and node.primitive is TABLE.get(call.function):
        for _, gradient in node.rule.pull(node, node.saved, g[0]):  # before the engine casts it
            assert gradient.dtype.char in "fF", f"the rule of {single} gives {gradient.dtype}"
    recorded = pulled(outputs, [*tensors.values()], g, record=True)
    for node in Graph([gradient._node for gradient in recorded]).nodes:  # (what only finds an index may be double)
        narrow = any(getattr(x, "dtype", None) in (np.float32, np.complex64) for x in node.inputs or ())
        wide = node.dtype in (np.float64, np.complex128)
        assert not (narrow and wide), f"the rule of {single} computes {node} in {node.dtype}"
    exact = single.of_size(double=True)
    doubles = exact.tensors(exact.differentiable)
    wide = [x.astype((x.dtype.char.lower() == x.dtype.char and np.float64) or np.complex128) for x in g]
    expected = pulled(exact.outputs(exact.others(doubles) | doubles), [*doubles.values()], wide)
    for gradient, same in zip(recorded, expected, strict=True):
        assert_close(gradient.numpy(), same, "float32 gradient of", call, relative=SINGLE, absolute=SINGLE)


def check_promotion(call: Call) -> None:
    """Beside arrays of another dtype the value has NumPy's dtype, and the gradient its leaf's."""
    if len(call.floating) < 2 or any(call.arrays[i].dtype.kind == "c" for i in call.floating):
        return
    for i, other in itertools.product(call.differentiable, (np.float64, np.int64)):
        mixed = call.cast({k: other for k in call.floating if k != i} | {i: np.float32})
        if mixed.accepted:
            tensors = mixed.others([i]) | mixed.tensors([i])
            assert_same(mixed.evaluate(tensors), mixed.evaluate(), "value of", mixed)
            outputs = mixed.outputs(tensors)
            (gradient,) = pulled(outputs, [tensors[i]], cotangents(outputs))
            assert (gradient.dtype, gradient.shape) == (np.float32, tensors[i].shape), f"gradient of {mixed}"


def check_linear(call: Call) -> None:
    """A linear row is affine in each argument, and its gradient is the same everywhere."""
    if call.row.kind != "linear":
        return
    for i in filter(lambda i: call.dispatches([i]), call.differentiable):
        x, y = call.arrays[i], cotangent(call.arrays[i].shape, call.arrays[i].dtype, seed=7)
        there = [call.at({i: point}) for point in (x, y, 3 * x - 2 * y)]
        values = [each.evaluate() for each in there]
        assert_close(values[2], 3 * values[0] - 2 * values[1], call, "in array", i)
        gradients = []
        for each in there[:2]:
            tensors = each.tensors([i])
            outputs = each.outputs(each.others([i]) | tensors)
            gradients += pulled(outputs, [*tensors.values()], cotangents(outputs))
        assert_close(*gradients, "gradient of", call, "in array", i, relative=1e-12, absolute=1e-12)


def subsets(positions: Sequence[int]) -> Iterator[tuple[int, ...]]:
    """All but the empty one; of many only each alone, and all together."""
    sizes = range(1, len(positions) + 1) if len(positions) < 4 else (1, len(positions))
    return (s for size in sizes for s in itertools.combinations(positions, size))


def check_call(call: Call) -> None:
    """All of the above."""
    if not call.reached:
        return
    for check in (check_value, check_gradient, check_linear, check_second_order, check_float32, check_promotion):
        check(call)


# --- what holds for each row ------------------------------------------------------------------------------------------


def check_kinks(function: Callable[..., Any]) -> None:
    """At each kink the gradient is the stated one: in 0-d, repeated in an array, of one Tensor or of several."""
    row = TABLE.get(function) or COMPOSED[function]
    for (point, stated), copies in itertools.product(row.kinks.items(), ((), (3,), (2, 1))):
        whole = any(isinstance(p, tuple) for p in point)  # the point is one array, not one number for each argument
        if whole and copies:
            continue
        arguments = tuple(read_only(np.asarray(np.broadcast_to(p, np.shape(p) + copies), float).copy()) for p in point)
        expected = [np.broadcast_to(np.asarray(s, float), np.shape(s) + copies) for s in stated]
        for double, factor in itertools.product((True, False), (1.0, -2.0)):
            call = Call(function, arguments).of_size(double)
            for wanted in subsets(call.differentiable):
                tensors = call.tensors(wanted)
                outputs = call.outputs(tensors)
                g = [np.full(x.shape, factor, x.dtype) for x in outputs]
                for i, gradient in zip(wanted, pulled(outputs, [*tensors.values()], g), strict=True):
                    what = f"kink {point} of {row}, argument {i}: {gradient!r}"
                    assert gradient.dtype == call.arrays[i].dtype, what
                    assert np.array_equal(gradient, factor * expected[i]), what


def check_row(function: Callable[..., Any], calls: Iterable[Call]) -> None:
    """All of this, for a row as it stands in the table, at some calls."""
    check_kinks(function)
    for call in calls:
        check_call(call)
