"""Calls of each function of the table, drawn by hypothesis: shapes, memory layouts, keywords, Python scalars.

Elementwise rows need nothing here. Any other row has an entry in `ARGUMENTS`; one without fails the tests.

Numbers stand on a lattice, each argument on its own part of it: all are different, and far enough from each other, from
integers and from the ends of their domain for a difference to meet no kink, tie or jump.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import basic_indices

import autodiff as ad
from autodiff.primitive import TABLE
from autodiff.rules import indexing, shape

from .gradcheck import Call, read_only

Shape = tuple[int, ...]
Strategy = st.SearchStrategy[Any]

inf = math.inf
REACH, MARGIN = 2, 0.2  # how far numbers go where the domain is infinite; how far they stay from its ends
SPACING, PARTS = 0.01, 3  # of the lattice, and its parts
NONZERO, STEEP = ((-inf, 0), (0, inf)), ((-inf, -0.3), (0.3, inf))

# Where a row is differentiable beyond the interval that it states.
DOMAINS: dict[Callable[..., Any], dict[str, tuple[tuple[float, float], ...]]] = {
    np.divide: {"y": NONZERO},
    np.remainder: {"y": STEEP},
    np.fmod: {"y": STEEP},
    np.floor_divide: {"y": STEEP},
    np.cbrt: {"x": NONZERO},
    np.reciprocal: {"x": NONZERO},
    np.arctan2: {"x": NONZERO, "y": NONZERO},
}

# Where zeros are worth trying: they make a false truth value, or a product without an inverse.
WITH_ZEROS = {np.prod, np.cumprod, np.all, np.any, np.count_nonzero}
WITH_ZEROS |= {np.logical_and, np.logical_or, np.logical_xor, np.logical_not}

# Functions that jump where x / y is an integer.
JUMPING = {np.remainder, np.fmod, np.floor_divide}


# --- arrays -----------------------------------------------------------------------------------------------------------

SIZES = st.sampled_from((2, 3, 1, 2, 3, 1, 2, 3, 2, 3, 0))


def shapes(min_dims: int = 0, max_dims: int = 3, sizes: Strategy = SIZES) -> Strategy:
    """Shapes, 0-d and empty ones among them."""
    dims = st.sampled_from([n for n in (0, 1, 2, 3, 2, 3) if min_dims <= n <= max_dims])
    return dims.flatmap(lambda n: st.tuples(*[sizes] * n))


@st.composite
def narrowed(draw: Any, full: Shape) -> Shape:
    """A shape that broadcasts to `full`."""
    kept = full[draw(st.integers(0, len(full))) :] if draw(st.booleans()) else full
    return tuple(1 if draw(st.integers(0, 3)) == 3 else size for size in kept)


LAYOUTS = {
    "contiguous": lambda x: x.copy(),
    "Fortran": lambda x: x.copy(order="F"),
    "strided": lambda x: np.repeat(x, 2, axis=-1)[..., ::2] if x.ndim else x.copy(),
    "reversed": lambda x: np.flip(np.flip(x).copy()),
    "transposed": lambda x: np.moveaxis(np.moveaxis(x, -1, 0).copy(), 0, -1) if x.ndim else x.copy(),
}


def lattice(intervals: tuple[tuple[float, float], ...], part: int, avoided: Any) -> np.ndarray:
    """The points of one part of the lattice that lie well inside open intervals, and not near some numbers."""
    points = []
    for low, high in intervals:
        low, high = (max(low, min(-REACH, high - 2 * REACH)), min(high, max(REACH, low + 2 * REACH)))
        margin = min(MARGIN, (high - low) / 20)
        steps = np.arange(math.ceil((low + margin) / SPACING), math.floor((high - margin) / SPACING))
        points.append(SPACING * (steps[steps % PARTS == part] + 0.5))
    found = np.concatenate(points)
    near = np.abs(found - np.reshape(avoided, (-1, 1))) < MARGIN / 2
    return found[~near.any(axis=0)]


@st.composite
def arrays(draw: Any, size: Shape, points: np.ndarray, zeros: bool = False) -> np.ndarray:
    """A read-only array in some memory layout, all of its numbers different (but for the zeros)."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    x = rng.choice(points, size, replace=False)
    if zeros and draw(st.booleans()):
        x = np.where(rng.random(size) < 0.4, 0.0, x)
    return read_only(LAYOUTS[draw(st.sampled_from(list(LAYOUTS)))](np.asarray(x)))


def points_of(function: Callable[..., Any], symbol: str) -> np.ndarray:
    """Where the numbers of an argument are drawn from."""
    row = TABLE[function]
    position = row.formula.arrays.index(symbol)
    intervals = DOMAINS.get(function, {}).get(symbol) or (row.domain.get(symbol, (-inf, inf)),)
    avoided = [number for point in row.kinks for number in np.ravel(point[position])]
    return lattice(intervals, position, avoided)


def argument(function: Callable[..., Any], symbol: str, size: Shape) -> Strategy:
    """An array for an argument of a row."""
    return arrays(size, points_of(function, symbol), function in WITH_ZEROS)


# --- calls ------------------------------------------------------------------------------------------------------------


def calls(function: Callable[..., Any]) -> Strategy:
    """Calls of the function of a row."""
    if function in ARGUMENTS:
        return ARGUMENTS[function](function).filter(numpy_accepts)
    row = TABLE[function]
    if row.kind == "elementwise" or (isinstance(function, np.ufunc) and function.signature is None):
        return elementwise(function)
    raise NotImplementedError(f"tests/rules/arguments.py has no arguments for {row}: add an entry to ARGUMENTS")


def numpy_accepts(call: Call) -> bool:
    """Whether NumPy computes it without a word (and not, say, the maximum of nothing)."""
    with warnings.catch_warnings(action="error"):
        try:
            call.evaluate(call.arguments)
        except (ValueError, RuntimeWarning):
            return False
    return True


BATCH = 8  # calls in one test case: hypothesis varies calls more within a case than between cases


@cache
def examples(function: Callable[..., Any], count: int) -> list[Call]:
    """The same few calls at each time, the largest first."""
    found: list[Call] = []

    @settings(
        max_examples=count // BATCH,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(st.tuples(*[calls(function)] * BATCH))
    def collect(batch: tuple[Call, ...]) -> None:
        found.extend(batch)

    collect()
    return sorted(found, key=lambda call: -sum(np.size(x) for x in call.arguments))


@st.composite
def elementwise(draw: Any, function: Callable[..., Any], **keywords: Strategy) -> Call:
    """Arrays that broadcast, from each side; one of several may be a Python scalar."""
    symbols = TABLE[function].formula.arrays
    full = draw(shapes())
    sizes = [draw(narrowed(full)) if len(symbols) > 1 else full for _ in symbols]
    arguments = [draw(argument(function, symbol, size)) for symbol, size in zip(symbols, sizes, strict=True)]
    if len(symbols) > 1 and draw(st.integers(0, 3)) == 3:
        position = draw(st.integers(0, len(symbols) - 1))
        arguments[position] = draw(scalars(points_of(function, symbols[position])))
    if function in JUMPING:
        quotient = np.divide(*arguments)
        assume(np.all(np.abs(quotient - np.round(quotient)) > PARTS * SPACING))
    return Call(function, tuple(arguments), draw(st.fixed_dictionaries({}, optional=keywords)))


def scalars(points: np.ndarray) -> Strategy:
    """Python numbers: those of the lattice, and integers among them."""
    floats = st.sampled_from(points.tolist())
    inside = [n for n in (2, 3, -1, 1, -2) if np.abs(points - n).min() < MARGIN]
    return st.sampled_from(inside) | floats if inside else floats


Keywords = Callable[[Shape], Strategy]


def single(keywords: Keywords, min_dims: int = 0, sizes: Strategy = SIZES) -> Callable[..., Strategy]:
    """Functions of one array, and of keywords that depend on its shape."""

    @st.composite
    def call(draw: Any, function: Callable[..., Any]) -> Call:
        size = draw(shapes(min_dims, sizes=sizes))
        return Call(function, (draw(argument(function, "x", size)),), draw(keywords(size)))

    return call


# --- keywords ---------------------------------------------------------------------------------------------------------

FLAG = st.booleans()
FLOAT64 = st.just(np.float64)


def axis(size: Shape) -> Strategy:
    """One axis, counted from either end."""
    return st.integers(-len(size), len(size) - 1) if size else st.nothing()


def axes(size: Shape, **limits: int) -> Strategy:
    """A tuple of different axes, each counted from either end."""
    ends = st.lists(FLAG, min_size=len(size), max_size=len(size))
    chosen = st.lists(st.sampled_from(range(len(size))), unique=True, **limits) if size else st.just([])
    return st.tuples(chosen, ends).map(lambda both: tuple(i - len(size) * both[1][i] for i in both[0]))


def any_axes(size: Shape) -> Strategy:
    """All forms of `axis`."""
    return axis(size) | axes(size) | axis(size) | st.none()


def optional(**strategies: Keywords | Strategy) -> Keywords:
    """Any of these keywords, each as often as not."""

    @st.composite
    def keywords(draw: Any, size: Shape) -> dict[str, Any]:
        chosen = draw(st.integers(0, 2 ** len(strategies) - 1))
        found = {name: at(strategy, size) for i, (name, strategy) in enumerate(strategies.items()) if chosen >> i & 1}
        return {name: draw(strategy) for name, strategy in found.items() if not strategy.is_empty}

    return keywords


def required(**strategies: Keywords | Strategy) -> Keywords:
    """All of these keywords."""
    return lambda size: st.fixed_dictionaries({name: at(strategy, size) for name, strategy in strategies.items()})


def at(strategy: Keywords | Strategy, size: Shape) -> Strategy:
    """A strategy that may depend on the shape."""
    return strategy(size) if callable(strategy) else strategy


def one_axis(size: Shape) -> Strategy:
    """`axis` of a function that takes one, or none at all."""
    return axis(size) | axis(size) | st.none()


@st.composite
def new_shape(draw: Any, size: Shape) -> Any:
    """A shape with as many elements; an int where it is 1-D; perhaps a -1."""
    count = math.prod(size)
    if count == 0:
        return draw(st.sampled_from(((0,), 0, -1, (2, 0), (0, 3, 1))))
    sizes: list[int] = []
    while count > 1:
        sizes.append(draw(st.sampled_from([n for n in range(2, count + 1) if count % n == 0])))
        count //= sizes[-1]
    sizes.insert(draw(st.integers(0, len(sizes))), 1)
    if draw(FLAG):
        sizes[draw(st.integers(0, len(sizes) - 1))] = -1
    return draw(st.sampled_from((tuple(sizes), tuple(sizes), -1)))


@st.composite
def reshaping(draw: Any, size: Shape) -> dict[str, Any]:
    return {"shape": draw(new_shape(size))} | draw(st.fixed_dictionaries({}, optional={"order": st.sampled_from("CF")}))


def squeezing(size: Shape) -> Strategy:
    ones = [i - len(size) * back for i, n in enumerate(size) if n == 1 for back in (0, 1)]
    some = st.lists(st.sampled_from(ones), unique_by=lambda i: i % len(size)).map(tuple) if ones else st.just(())
    return st.fixed_dictionaries({}, optional={"axis": st.none() | some | (st.sampled_from(ones) if ones else some)})


def expanding(size: Shape) -> Strategy:
    one = st.integers(-len(size) - 1, len(size))
    return st.fixed_dictionaries({"axis": one | axes((1,) * (len(size) + 2), min_size=2, max_size=2)})


def permuting(size: Shape) -> Strategy:
    everything = axes(size, min_size=len(size), max_size=len(size))
    return st.fixed_dictionaries({}, optional={"axes": st.none() | everything})


@st.composite
def moving(draw: Any, size: Shape) -> dict[str, Any]:
    if draw(FLAG):
        return {"source": draw(axis(size)), "destination": draw(axis(size))}
    source = draw(axes(size))
    return {"source": source, "destination": draw(axes(size, min_size=len(source), max_size=len(source)))}


@st.composite
def spreading(draw: Any, size: Shape) -> dict[str, Any]:
    added = draw(shapes(max_dims=2))
    return {"shape": added + tuple(draw(st.sampled_from((2, 3))) if n == 1 and draw(FLAG) else n for n in size)}


# --- several arrays ---------------------------------------------------------------------------------------------------


@st.composite
def choosing(draw: Any, function: Callable[..., Any]) -> Call:
    """np.where: a condition, and what to choose from."""
    call = draw(elementwise(function))
    condition = call.arguments[0]
    condition = read_only(condition > 0) if isinstance(condition, np.ndarray) else draw(FLAG)
    return Call(function, (condition, *call.arguments[1:]))


@st.composite
def clipping(draw: Any, function: Callable[..., Any]) -> Call:
    """np.clip: either bound may be missing."""
    call = draw(elementwise(function))
    missing = draw(st.sampled_from((None, 1, 2)))
    if not any(isinstance(x, np.ndarray) for i, x in enumerate(call.arguments) if i != missing):
        return call
    return Call(function, tuple(None if i == missing else x for i, x in enumerate(call.arguments)))


@st.composite
def whole_numbers(draw: Any, function: Callable[..., Any]) -> Call:
    """Functions of bits: arrays of integers, or of truth values."""
    call = draw(elementwise(function))
    dtype = draw(st.sampled_from((np.int64, np.uint8, np.bool_)))
    kinds = {np.int64: lambda x: np.ceil(x * 8), np.uint8: lambda x: np.ceil(np.abs(x) * 8), np.bool_: lambda x: x > 0}
    return Call(function, tuple(read_only(np.asarray(kinds[dtype](x), dtype)) for x in call.arguments))


@st.composite
def joining(draw: Any, function: Callable[..., Any]) -> Call:
    """np.concatenate and np.stack: any number of arrays."""
    stacking = function is np.stack
    size = draw(shapes(min_dims=1 - stacking, max_dims=3 - stacking))
    along = draw(axis((1, *size) if stacking else size))
    sizes = [size] * draw(st.integers(1, 3))
    keywords = {"axis": along} | draw(st.fixed_dictionaries({}, optional={"dtype": FLOAT64}))
    if not stacking:
        i = along % len(size)
        sizes = [(*size[:i], draw(SIZES), *size[i + 1 :]) for _ in sizes]
        if draw(st.integers(0, 3)) == 3:
            keywords["axis"], sizes = None, [draw(shapes(max_dims=2)) for _ in sizes]
        elif along == 0 and draw(FLAG):
            del keywords["axis"]
    return Call(function, tuple(draw(argument(function, "x", size)) for size in sizes), keywords, starred=0)


@st.composite
def multiplying(draw: Any, function: Callable[..., Any]) -> Call:
    """np.matmul and np.dot: every combination of vectors, matrices and stacks of matrices; for dot also numbers."""
    n, k, m = draw(st.tuples(SIZES, SIZES, SIZES)) if draw(FLAG) else [draw(st.sampled_from((3, 2)))] * 3
    x = draw(st.sampled_from(((k,), (n, k), (2, n, k), (1, 3, n, k))))
    y = draw(st.sampled_from(((k,), (k, m), (3, k, m), (2, 1, k, m))))
    if function is np.dot:
        x, y = draw(st.sampled_from(((x, y), (x, y), (x, y), ((), y), (x, ()))))
    elif len(x) == 3 and len(y) == 3:
        y = draw(st.sampled_from(((1, k, m), (2, k, m))))
    x, y = draw(argument(function, "x", x)), draw(argument(function, "y", y))
    if function is np.dot and draw(FLAG):
        x, y = x.item() if x.ndim == 0 < y.ndim else x, y.item() if y.ndim == 0 < x.ndim else y
    return Call(function, (x, y))


# --- indices ----------------------------------------------------------------------------------------------------------


@st.composite
def indices(draw: Any, size: Shape) -> Any:
    """Integers, slices, `...`, None, masks, arrays of integers (which may repeat), and their mixtures."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    kind = draw(st.sampled_from(("basic", "mask", "arrays", "mixed")))
    if kind == "basic":
        return draw(basic_indices(size, allow_newaxis=True))
    if kind == "mask":
        dims = draw(st.integers(0, len(size)))
        return rng.random(size[:dims]) < 0.5
    common = draw(st.sampled_from(((3,), (2, 2), (0,), ())))
    parts: list[Any] = []
    for n in size:
        part = rng.integers(-n, n, draw(st.sampled_from((common, common[1:])))) if n else slice(None)
        others = (slice(None), slice(None, None, -1), slice(1, None), slice(None, None, 2))
        parts.append(draw(st.sampled_from(others)) if kind == "mixed" and draw(FLAG) else part)
    if kind == "mixed":
        parts.insert(draw(st.integers(0, len(parts))), draw(st.sampled_from((None, ...))))
    return tuple(parts)


def element_arrays(index: Any) -> tuple[Any, list[np.ndarray]]:
    """The index as a keyword, and its arrays, as `x[index]` passes them on."""
    bare, found = indexing.split(index)
    return bare, [read_only(np.array(part)) for part in found]


@st.composite
def reading(draw: Any, function: Callable[..., Any]) -> Call:
    """getitem: x[index]."""
    size = draw(shapes())
    bare, found = element_arrays(draw(indices(size)))
    return Call(function, (draw(argument(function, "x", size)), *found), {"index": bare}, starred=1)


@st.composite
def scattering(draw: Any, function: Callable[..., Any]) -> Call:
    """scatter: the transpose of x[index], for an array of the shape of x[index]."""
    size = draw(shapes())
    index = draw(indices(size))
    bare, found = element_arrays(index)
    x = draw(argument(function, "x", np.zeros(size)[index].shape))
    return Call(function, (x, *found), {"shape": size, "index": bare}, starred=1)


@st.composite
def writing(draw: Any, function: Callable[..., Any]) -> Call:
    """put: x[index] = y, which broadcasts, or is a Python scalar."""
    size = draw(shapes())
    index = draw(indices(size))
    bare, found = element_arrays(index)
    array = narrowed(np.zeros(size)[index].shape).flatmap(lambda part: argument(function, "y", part))
    x, y = draw(argument(function, "x", size)), draw(array | array | scalars(points_of(function, "y")))
    return Call(function, (x, y, *found), {"index": bare}, starred=2)


REDUCTION = single(optional(axis=any_axes, dtype=FLOAT64, keepdims=FLAG))
EXTREMUM = single(optional(axis=any_axes, keepdims=FLAG))
SPREAD = single(optional(axis=any_axes, dtype=FLOAT64, ddof=st.sampled_from((0, 1)), keepdims=FLAG))
CUMULATIVE = single(optional(axis=one_axis, dtype=FLOAT64))
POSITION = single(optional(axis=one_axis, keepdims=FLAG))
NORMALIZED = single(optional(axis=any_axes))
ALONG_LAST = single(optional(axis=any_axes), min_dims=1)

ARGUMENTS: dict[Callable[..., Any], Callable[[Any], Strategy]] = {
    ad.relu: elementwise,
    np.where: choosing,
    np.clip: clipping,
    np.isclose: lambda f: elementwise(f, rtol=st.just(0.5), atol=st.just(0.1), equal_nan=FLAG),
    **dict.fromkeys((np.bitwise_and, np.bitwise_or, np.bitwise_xor, np.invert), whole_numbers),
    **dict.fromkeys((np.sum, np.mean, np.prod), REDUCTION),
    **dict.fromkeys((np.var, np.std), SPREAD),
    **dict.fromkeys((np.max, np.min, np.all, np.any, np.count_nonzero, ad.logsumexp), EXTREMUM),
    **dict.fromkeys((np.cumsum, np.cumprod), CUMULATIVE),
    **dict.fromkeys((np.argmax, np.argmin), POSITION),
    **dict.fromkeys((ad.softmax, ad.log_softmax), ALONG_LAST),
    np.round: single(optional(decimals=st.sampled_from((0, 1, -1)))),
    np.reshape: single(reshaping),
    np.ravel: single(optional(order=st.sampled_from("CF"))),
    np.copy: single(optional(order=st.sampled_from("CFAK"))),
    np.squeeze: single(squeezing, sizes=st.sampled_from((1, 2, 1, 3))),
    np.expand_dims: single(expanding),
    np.transpose: single(permuting),
    np.swapaxes: single(required(axis1=axis, axis2=axis), min_dims=1),
    np.moveaxis: single(moving, min_dims=1),
    np.flip: single(optional(axis=any_axes)),
    np.broadcast_to: single(spreading),
    shape.identity: single(lambda size: st.just({})),
    shape.cast: single(required(dtype=FLOAT64)),
    **dict.fromkeys((np.concatenate, np.stack), joining),
    **dict.fromkeys((np.matmul, np.dot), multiplying),
    indexing.getitem: reading,
    indexing.scatter: scattering,
    indexing.put: writing,
}
