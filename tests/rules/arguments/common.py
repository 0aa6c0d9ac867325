"""What calls are drawn from: shapes, memory layouts, numbers, keywords, Python scalars.

Numbers stand on a lattice, each argument on its own part of it: all are different, and far enough from each other, from
integers and from the ends of their domain for a difference to meet no kink, tie or jump.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from hypothesis import assume
from hypothesis import strategies as st

from autodiff.expressions import SYMBOLS
from autodiff.primitive import TABLE

from ..gradcheck import Call, read_only

Shape = tuple[int, ...]
Strategy = st.SearchStrategy[Any]
Factory = Callable[[Any], Strategy]  # a function's calls

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
    np.divmod: {"y": STEEP},
    np.cbrt: {"x": NONZERO},
    np.reciprocal: {"x": NONZERO},
    np.arctan2: {"x": NONZERO, "y": NONZERO},
}

# Where zeros are worth trying: they make a false truth value, or a product without an inverse.
WITH_ZEROS = {np.prod, np.cumprod, np.all, np.any, np.count_nonzero}
WITH_ZEROS |= {np.logical_and, np.logical_or, np.logical_xor, np.logical_not}

# Functions that jump where x / y is an integer.
JUMPING = {np.remainder, np.fmod, np.floor_divide, np.divmod}


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


def numbers(
    size: Shape, part: int = 0, low: float = -inf, high: float = inf, avoided: Any = (), complex: bool = False
) -> Strategy:
    """An array on one part of the lattice (0, 1 or 2): between two bounds, complex of two such parts, without 0."""
    real = arrays(size, lattice(((low, high),), part, (*avoided, 0) if complex else avoided))
    return st.builds(lambda x, y: read_only(x + 1j * y), real, real) if complex else real


def listed(x: np.ndarray) -> list[np.ndarray]:
    """What an array has in its rows."""
    return [read_only(row) for row in x]


@cache
def points_of(function: Callable[..., Any], symbol: str) -> np.ndarray:
    """Where the numbers of an argument are drawn from."""
    if function not in TABLE:
        return lattice(((-inf, inf),), SYMBOLS.index(symbol), ())
    row = TABLE[function]
    position = row.formula.arrays.index(symbol)
    intervals = DOMAINS.get(function, {}).get(symbol) or (row.domain.get(symbol, (-inf, inf)),)
    avoided = [number for point in row.kinks for number in np.ravel(point[position])]
    return lattice(intervals, position, avoided)


def argument(function: Callable[..., Any], symbol: str, size: Shape) -> Strategy:
    """An array for an argument of a row."""
    return arrays(size, points_of(function, symbol), function in WITH_ZEROS)


# --- calls ------------------------------------------------------------------------------------------------------------


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


def single(
    keywords: Keywords, min_dims: int = 0, max_dims: int = 3, sizes: Strategy = SIZES
) -> Callable[..., Strategy]:
    """Functions of one array, and of keywords that depend on its shape."""

    @st.composite
    def call(draw: Any, function: Callable[..., Any]) -> Call:
        size = draw(shapes(min_dims, max_dims, sizes))
        return Call(function, (draw(argument(function, "x", size)),), draw(keywords(size)))

    return call


@st.composite
def made_complex(draw: Any, call: Call) -> Call:
    """The call with imaginary parts in some of its arrays, away from the real axis."""
    real = [i for i in call.floating if call.arrays[i].dtype.kind == "f"]
    chosen = [i for i in real if draw(st.booleans())] or real
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))

    def with_imaginary(x: np.ndarray) -> np.ndarray:
        y = x.ravel()[rng.permutation(x.size)].reshape(x.shape)
        return read_only(x + 1j * (y + np.copysign(0.3, y)))

    return call.at({i: with_imaginary(call.arrays[i]) for i in chosen})


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
    return lambda size: some_of(strategies, size)


@st.composite
def some_of(draw: Any, strategies: dict[str, Keywords | Strategy], size: Shape) -> dict[str, Any]:
    chosen = draw(st.integers(0, 2 ** len(strategies) - 1))
    found = {name: at(strategy, size) for i, (name, strategy) in enumerate(strategies.items()) if chosen >> i & 1}
    return {name: draw(strategy) for name, strategy in found.items() if not strategy.is_empty}


def required(**strategies: Keywords | Strategy) -> Keywords:
    """All of these keywords."""
    return lambda size: st.fixed_dictionaries({name: at(strategy, size) for name, strategy in strategies.items()})


def at(strategy: Keywords | Strategy, size: Shape) -> Strategy:
    """A strategy that may depend on the shape."""
    return strategy(size) if callable(strategy) else strategy


def one_axis(size: Shape) -> Strategy:
    """`axis` of a function that takes one, or none at all."""
    return axis(size) | axis(size) | st.none()
