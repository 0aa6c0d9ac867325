"""Products of vectors, matrices and tensors."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import strategies as st

from ..gradcheck import Call
from .common import FLAG, FLOAT64, PARTS, SIZES, Factory, Shape, Strategy, argument, narrowed, numbers, optional, shapes


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


def of_sizes(sizes: Strategy, **keywords: Strategy) -> Factory:
    """Two arrays of such sizes; one of them may be a list."""

    @st.composite
    def call(draw: Any, function: Callable[..., Any]) -> Call:
        arguments = [draw(numbers(size, part)) for part, size in enumerate(draw(sizes))]
        position = draw(st.integers(0, 7))
        if position < 2 and arguments[position].size:
            arguments[position] = arguments[position].tolist()
        return Call(function, tuple(arguments), draw(optional(**keywords)(())))

    return call


@st.composite
def sizes(draw: Any, *forms: str) -> list[Shape]:
    """The shapes that one of some subscripts gives to two arrays, with other arrays before them."""
    size = {label: draw(SIZES) for label in "ijk"}
    x, y = draw(st.sampled_from(forms)).split(",")
    full = draw(shapes(max_dims=2))
    return [(*(draw(narrowed(full)) if "." in term else ()), *(size[k] for k in term.strip("."))) for term in (x, y)]


@st.composite
def crossing(draw: Any, function: Callable[..., Any]) -> Call:
    """np.cross: vectors along any axis of stacks that broadcast."""
    full = draw(shapes(max_dims=2))
    stacks = [draw(narrowed(full)) for _ in range(2)]
    if draw(FLAG):
        keywords = {
            name: draw(st.integers(-1 - len(n), len(n))) for name, n in zip(("axisa", "axisb"), stacks, strict=True)
        }
        keywords["axisc"] = draw(st.integers(-1 - len(np.broadcast_shapes(*stacks)), len(np.broadcast_shapes(*stacks))))
    else:
        stacks = [full, tuple(1 if draw(FLAG) else n for n in full)]
        keywords = {"axis": draw(st.integers(-1 - len(full), len(full)))} if draw(FLAG) else {}
    arguments = []
    for part, (stack, name) in enumerate(zip(stacks, ("axisa", "axisb"), strict=True)):
        at = keywords.get(name, keywords.get("axis", -1)) % (len(stack) + 1)
        arguments.append(draw(numbers((*stack[:at], 3, *stack[at:]), part)))
    return Call(function, tuple(arguments), keywords)


@st.composite
def contracting(draw: Any, function: Callable[..., Any]) -> Call:
    """np.tensordot: the number of axes, one of each, or lists of them."""
    common, before, after = (draw(shapes(max_dims=2)) for _ in range(3))
    x, y = before + common, common + after
    if draw(FLAG):
        axes: Any = len(common)
        keywords = {} if axes == 2 and draw(FLAG) else {"axes": axes}
    else:
        x_order, y_order = draw(st.permutations(range(len(x)))), draw(st.permutations(range(len(y))))
        first = [x_order.index(len(before) + k) - len(x) * draw(FLAG) for k in range(len(common))]
        second = [y_order.index(k) - len(y) * draw(FLAG) for k in range(len(common))]
        x, y = tuple(x[k] for k in x_order), tuple(y[k] for k in y_order)
        keywords = {"axes": (first[0], second[0]) if len(common) == 1 and draw(FLAG) else (first, second)}
    return Call(function, (draw(numbers(x)), draw(numbers(y, 1))), keywords)


@st.composite
def tracing(draw: Any, function: Callable[..., Any]) -> Call:
    size = draw(shapes(2))
    one, other = draw(st.permutations(range(len(size))))[:2]
    both = {"axis1": one - len(size) * draw(FLAG), "axis2": other - len(size) * draw(FLAG)} if draw(FLAG) else {}
    return Call(function, (draw(numbers(size)),), both | draw(optional(offset=st.integers(-3, 3), dtype=FLOAT64)(size)))


@st.composite
def summing(draw: Any, function: Callable[..., Any]) -> Call:
    """np.einsum: up to four factors, diagonals, ellipses, axes of one element, with and without the result's labels."""
    size, dots = {label: draw(SIZES) for label in "bAi"}, draw(shapes(max_dims=2, sizes=st.sampled_from((2, 1, 3))))
    terms = draw(st.lists(st.lists(st.sampled_from("bAi"), max_size=3), min_size=1, max_size=4))
    arrays = []
    for part, term in enumerate(terms):
        n = [size[k] if term.count(k) > 1 or draw(st.integers(0, 4)) else 1 for k in term]
        at = draw(st.integers(0, len(term)))
        if draw(FLAG):
            n[at:at] = draw(narrowed(dots)) if math.prod(n) < 9 else ()
            term.insert(at, ...)
        arrays.append(draw(numbers(tuple(n), part % PARTS)))
    used = sorted({k for term in terms for k in term if k is not ...})
    if draw(FLAG):
        wanted: list[Any] = draw(st.lists(st.sampled_from(used), unique=True)) if used else []
        wanted.insert(draw(st.integers(0, len(wanted))), ...)
        terms.append(wanted if any(... in term for term in terms) else [k for k in wanted if k is not ...])
    keywords = draw(optional(optimize=st.sampled_from((True, "optimal", "greedy")))(()))
    if draw(FLAG):
        lists = [[k if k is ... else ord(k) - ord("A") for k in term] for term in terms]
        operands = [item for pair in zip(arrays, lists, strict=False) for item in pair]
        return Call(function, (*operands, *lists[len(arrays) :]), keywords)
    words = ["".join("..." if k is ... else k for k in term) for term in terms]
    arrow = ["->" + word for word in words[len(arrays) :]]
    return Call(function, (", ".join(words[: len(arrays)]) + "".join(arrow), *arrays), keywords)


LENGTHS = st.tuples(st.integers(1, 5), st.integers(1, 5)).map(lambda both: [(n,) for n in both])
MODES = st.sampled_from(("full", "same", "valid"))

ARGUMENTS: dict[Callable[..., Any], Factory] = {
    **dict.fromkeys((np.matmul, np.dot), multiplying),
    np.inner: of_sizes(sizes("i,i", "ji,i", "i,ji", "ji,ki", "jki,i", ",ij", "ij,")),
    np.vdot: of_sizes(sizes("i,i", "ij,ij", ",", "ij,ji")),
    **dict.fromkeys((np.outer, np.kron), of_sizes(st.tuples(shapes(max_dims=2), shapes(max_dims=2)))),
    np.convolve: of_sizes(LENGTHS | LENGTHS | st.permutations([(), (3,)]), mode=MODES),
    np.correlate: of_sizes(LENGTHS, mode=MODES),
    np.cross: crossing,
    np.tensordot: contracting,
    np.trace: tracing,
    np.einsum: summing,
    np.vecdot: of_sizes(sizes("...i,...i")),
}
if hasattr(np, "matvec"):  # since NumPy 2.2
    ARGUMENTS |= {np.matvec: of_sizes(sizes("...ji,...i")), np.vecmat: of_sizes(sizes("...i,...ij"))}
COMPLEX = {*ARGUMENTS}
