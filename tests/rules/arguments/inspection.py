"""Functions that ask something about arrays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import strategies as st

from ..gradcheck import Call, read_only
from .common import FLAG, Factory, Keywords, Shape, Strategy, axis, numbers, one_axis, optional, required, shapes


def of_one(keywords: Keywords, sizes: Strategy | None = None, **points: Any) -> Factory:
    """One array, and keywords that depend on its shape."""

    @st.composite
    def call(draw: Any, function: Callable[..., Any]) -> Call:
        size = draw(shapes() if sizes is None else sizes)
        return Call(function, (draw(numbers(size, **points)),), draw(keywords(size)))

    return call


def of_two(**keywords: Strategy) -> Factory:
    """Two sets that have nothing in common."""

    @st.composite
    def call(draw: Any, function: Callable[..., Any]) -> Call:
        sets = [draw(shapes(max_dims=2).flatmap(lambda size, part=part: numbers(size, part))) for part in (0, 1)]
        return Call(function, tuple(sets), draw(optional(**keywords)(())))

    return call


def of_integers(low: int, high: int, dtype: Any = int, keywords: Keywords = optional(), count: int = 1) -> Factory:  # noqa: B008
    """Arrays of whole numbers."""

    @st.composite
    def call(draw: Any, function: Callable[..., Any]) -> Call:
        size, rng = draw(shapes()), np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
        arrays = tuple(read_only(rng.integers(low, high, size).astype(dtype)) for _ in range(count))
        return Call(function, arrays, draw(keywords(size)))

    return call


@st.composite
def seeking(draw: Any, function: Callable[..., Any]) -> Call:
    """np.searchsorted and np.digitize: numbers among sorted ones."""
    among = read_only(np.sort(draw(numbers((draw(st.integers(0, 4)),)))))
    sought = draw(shapes(max_dims=2).flatmap(lambda size: numbers(size, 1)))
    if function is np.digitize:
        return Call(function, (sought, among), draw(optional(right=FLAG)(())))
    keywords = draw(optional(side=st.sampled_from(("left", "right")))(()))
    if draw(FLAG):
        return Call(function, (among[::-1], sought), keywords | {"sorter": np.arange(len(among))[::-1]})
    return Call(function, (among, sought), keywords)


@st.composite
def by_keys(draw: Any, function: Callable[..., Any]) -> Call:
    size = draw(shapes(min_dims=1, max_dims=2))
    keys = tuple(draw(numbers(size, part)) for part in range(draw(st.integers(1, 3))))
    return Call(function, (keys,), draw(optional(axis=axis)(size)))


@st.composite
def numbering(draw: Any, function: Callable[..., Any]) -> Call:
    """np.ravel_multi_index."""
    size, rng = draw(shapes(max_dims=2)), np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    places = tuple(read_only(np.asarray(rng.integers(0, n, size))) for n in (2, 3))
    return Call(function, (places, (2, 3)), draw(optional(order=st.sampled_from("CF"))(size)))


@st.composite
def taking_apart(draw: Any, function: Callable[..., Any]) -> Call:
    """np.unique: with all that may be asked; of numbers, or of what lies along an axis."""
    size = draw(shapes())
    more = dict.fromkeys(("return_index", "return_inverse", "return_counts", "equal_nan"), FLAG)
    return Call(function, (draw(numbers(size)),), draw(optional(axis=one_axis, **more)(size)))


def kth(size: Shape) -> Strategy:
    return st.fixed_dictionaries({"kth": st.integers(0, size[-1] - 1)} if size and size[-1] else {"kth": st.just(0)})


NOTHING = optional()
SQUARE = st.sampled_from(((2, 2), (3, 3), (0, 0)))
MATRICES = shapes(min_dims=2, max_dims=2)

ARGUMENTS: dict[Callable[..., Any], Factory] = {
    np.argsort: of_one(optional(axis=one_axis, kind=st.just("stable")), shapes(min_dims=1)),
    np.argpartition: of_one(kth, shapes(min_dims=1)),
    np.lexsort: by_keys,
    **dict.fromkeys((np.nanargmax, np.nanargmin), of_one(optional(axis=one_axis, keepdims=FLAG), shapes(min_dims=1))),
    np.nonzero: of_one(NOTHING, shapes(min_dims=1)),
    **dict.fromkeys((np.argwhere, np.flatnonzero, np.iscomplex, np.isreal), of_one(NOTHING)),
    **dict.fromkeys((np.isneginf, np.isposinf, np.fix), of_one(NOTHING)),
    np.spacing: of_one(NOTHING, avoided=(0.125, -0.125)),
    **dict.fromkeys((np.searchsorted, np.digitize), seeking),
    np.ravel_multi_index: numbering,
    np.unravel_index: of_integers(0, 12, keywords=required(shape=st.just((3, 4)), order=st.sampled_from("CF"))),
    np.linalg.matrix_rank: of_one(
        optional(tol=st.just(1e-9), hermitian=st.just(False)), shapes(min_dims=2, sizes=st.integers(1, 3))
    ),
    np.diag_indices_from: of_one(NOTHING, SQUARE),
    **dict.fromkeys((np.tril_indices_from, np.triu_indices_from), of_one(optional(k=st.integers(-1, 1)), MATRICES)),
    np.packbits: of_integers(0, 2, bool, optional(axis=one_axis, bitorder=st.sampled_from(("big", "little")))),
    np.unpackbits: of_integers(0, 256, np.uint8, optional(bitorder=st.sampled_from(("big", "little")))),
    np.isin: of_two(invert=FLAG),
    np.intersect1d: of_two(return_indices=FLAG),
    np.union1d: of_two(),
    **dict.fromkeys((np.setxor1d, np.setdiff1d), of_two(assume_unique=FLAG)),
    np.unique: taking_apart,
    **dict.fromkeys((np.unique_all, np.unique_counts, np.unique_inverse, np.unique_values), of_one(NOTHING)),
    **dict.fromkeys((np.gcd, np.lcm), of_integers(1, 20, count=2)),
    **dict.fromkeys((np.left_shift, np.right_shift), of_integers(0, 9, count=2)),
    np.bitwise_count: of_integers(0, 256),
}
