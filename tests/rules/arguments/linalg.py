"""Linear algebra: matrices with singular values, or eigenvalues, of about 1 that are well apart.

Of what is determined but for a phase, or for a basis of a null space, `post` takes what is determined.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
from hypothesis import assume
from hypothesis import strategies as st

from ..gradcheck import STEP, Call, cotangent, directions, moved, read_only
from .common import FLAG, LAYOUTS, Factory, Shape, Strategy, axes, axis, inf, numbers

SIZE = st.sampled_from((2, 3, 1, 3, 2, 0))
STACK = st.sampled_from(((), (2,), (), (1, 2)))
ORDERS = st.sampled_from((2, 1, 3, inf, -inf, 0, -1, 1.5, -2, 0.5))
MATRIX_ORDERS = st.sampled_from(("fro", "nuc", 2, 1, inf, -2, -1, -inf))
CUT = 0.6  # of the largest singular value
RCONDS = {"rcond": st.sampled_from((1e-10, 0.0, None, -1))}


# --- matrices ---------------------------------------------------------------------------------------------------------


def adjoint(x: Any) -> Any:
    return np.conj(np.swapaxes(x, -1, -2))


def basis(rng: Any, shape: Shape, complex: bool) -> np.ndarray:
    """Orthonormal columns."""
    x = rng.standard_normal(shape) + (1j * rng.standard_normal(shape) if complex else 0)
    return np.linalg.qr(x)[0]


@st.composite
def matrices(draw: Any, shape: Shape, hermitian: bool = False, positive: bool = False, complex: bool = False) -> Any:
    """A stack of matrices of this shape, in some memory layout."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    *stack, m, n = shape
    k = min(m, n)
    values = rng.permuted(1 + 0.5 * np.arange(k) + rng.uniform(0, 0.2, (*stack, k)), axis=-1)
    values = values if positive else values * rng.choice((-1, 1), values.shape)
    u, v = basis(rng, (*stack, m, k), complex), basis(rng, (*stack, n, k), complex)
    x = (u * values[..., None, :]) @ adjoint(u if hermitian or positive else v)
    return read_only(LAYOUTS[draw(st.sampled_from(list(LAYOUTS)))](x))


@st.composite
def any_shape(draw: Any, wide: bool = True) -> Shape:
    """Of square, tall and wide matrices, and stacks of them."""
    m = draw(SIZE)
    return (*draw(STACK), m, draw(SIZE) if wide else m)


def of_one(shape: Strategy, post: Any = None, **keywords: Strategy) -> Factory:
    """Functions of one matrix."""

    @st.composite
    def call(draw: Any, function: Callable[..., Any], **kinds: bool) -> Call:
        complex = draw(FLAG)
        x = draw(matrices(draw(shape), complex=complex, **kinds))
        found = Call(function, (x,), draw(st.fixed_dictionaries({}, optional=keywords)), post=post)
        assume(post is None or steady(found))
        return found

    return call


def steady(call: Call) -> bool:
    """Whether no sign and no order of the results changes where gradients are tested."""
    for i in call.floating:
        x = call.arrays[i]
        for v in [*directions(x), cotangent(x.shape, x.dtype, seed=99)]:
            for step in (-2 * STEP, 2 * STEP):
                near = call.outputs({i: moved(x, v, step)})
                if any(np.any(np.abs(a - b) > 0.1) for a, b in zip(near, call.outputs(), strict=True)):
                    return False
    return True


def kind(factory: Factory, **kinds: bool) -> Factory:
    """With matrices of this kind."""
    return lambda function: factory(function, **kinds)


square, rectangular = any_shape(wide=False), any_shape()


# --- what is determined -----------------------------------------------------------------------------------------------


def projections(v: Any) -> Any:
    """v_i v_i^H of each column: the phase falls out."""
    return v[..., :, None, :] * np.conj(v)[..., None, :, :]


def of_eigenvectors(result: Any) -> Any:
    return (result[0], projections(result[1]) if result[1].dtype.kind == "c" else result[1])


def of_singular_vectors(result: Any) -> Any:
    """Pairs of vectors, and the projections on the null spaces."""
    if not isinstance(result, tuple):
        return result
    u, s, vh = result
    k, v = s.shape[-1], adjoint(vh)
    pairs = (u[..., :, None, :k] * np.conj(v)[..., None, :, :k], projections(u[..., :k]), projections(v[..., :k]))
    pairs = pairs if u.dtype.kind == "c" else (u[..., :k], vh[..., :k, :])
    return (s, *pairs, *(x[..., k:] @ adjoint(x[..., k:]) for x in (u, v)))


def of_bases(result: Any) -> Any:
    """Q and R; of what fills up the basis the projection."""
    if not isinstance(result, tuple):
        return result
    q, r = result
    k = min(q.shape[-2], r.shape[-1])
    return q[..., :k], r, q[..., k:] @ adjoint(q[..., k:])


# --- calls ------------------------------------------------------------------------------------------------------------


@st.composite
def solving(draw: Any, function: Callable[..., Any]) -> Call:
    """With one right-hand side or several, stacks on either side."""
    n, k = draw(SIZE), draw(SIZE)
    left = draw(st.sampled_from(((n, n), (2, n, n), (1, 2, n, n))))
    right = draw(st.sampled_from(((n,), (n, k), (2, n, k))))
    a = draw(matrices(left, complex=draw(FLAG)))
    return Call(function, (a, draw(numbers(right, complex=draw(FLAG)))))


@st.composite
def eigenvalues(draw: Any, function: Callable[..., Any]) -> Call:
    """General matrices, some with complex eigenvalues."""
    shape, complex = draw(square), draw(FLAG)
    a = draw(numbers(shape, complex=complex))
    w, v = np.linalg.eig(a)
    gap = np.abs(w[..., None, :] - w[..., :, None]) + 9 * np.eye(shape[-1])
    assume(np.all(gap > 0.5) and np.all(np.linalg.svdvals(v) > 0.2))
    call = Call(function, (a,), post=of_eigenvectors if function is np.linalg.eig else None)
    assume(steady(call))
    return call


def decomposing(function: Callable[..., Any]) -> Strategy:
    """Any matrices, or Hermitian ones."""
    flags = dict.fromkeys(("full_matrices", "compute_uv"), FLAG)
    hermitian = of_one(square, of_singular_vectors, **flags, hermitian=st.just(True))
    return of_one(rectangular, of_singular_vectors, **flags)(function) | kind(hermitian, hermitian=True)(function)


@st.composite
def least_squares(draw: Any, function: Callable[..., Any]) -> Call:
    m, n, k = draw(SIZE), draw(SIZE), draw(SIZE)
    complex = draw(FLAG)
    a = draw(matrices((m, n), complex=complex))
    b = draw(numbers(draw(st.sampled_from(((m,), (m, k)))), complex=complex))
    return Call(function, (a, b), draw(st.fixed_dictionaries({}, optional=RCONDS)))


@st.composite
def norms(draw: Any, function: Callable[..., Any]) -> Call:
    """Of vectors and of matrices, along any axes; no ties."""
    shapes = ((2, 3), (3, 2), (2, 2, 3), (3, 1), (3,), (1,))
    shape = draw(st.sampled_from(shapes[: 4 if function is np.linalg.matrix_norm else None]))
    keywords = {"keepdims": True} if draw(FLAG) else {}
    if function is np.linalg.matrix_norm:
        along, order = (-2, -1), draw(MATRIX_ORDERS)
        keywords |= {"ord": order} if draw(FLAG) else {}
    elif function is np.linalg.vector_norm:
        along, order = draw(st.none() | axis(shape) | axes(shape, min_size=1)), draw(ORDERS)
        keywords |= {"ord": order} if draw(FLAG) else {}
        keywords |= {"axis": along} if along is not None else {}
    elif draw(st.integers(0, 3)) == 0:
        along, order = None, None
    else:
        along = draw(axis(shape) | axes(shape, min_size=1, max_size=2))
        pair = isinstance(along, tuple) and len(along) == 2
        order = draw((MATRIX_ORDERS if pair else ORDERS) | st.none())
        keywords |= {"axis": along, "ord": order}

    def without_ties(x: np.ndarray) -> bool:
        if not isinstance(along, tuple) or len(along) != 2 or function is np.linalg.vector_norm:
            return apart(np.abs(x))
        matrix = np.moveaxis(x, along, (-2, -1))
        sums = [np.abs(matrix).sum(i) for i in (-1, -2)]
        return all(map(apart, (np.abs(x), np.linalg.svdvals(matrix), *sums)))

    return Call(function, (draw(numbers(shape, avoided=(0,), complex=draw(FLAG)).filter(without_ties)),), keywords)


def apart(x: np.ndarray) -> bool:
    """Whether all numbers are far from each other and from 0."""
    return bool(np.all(np.diff(np.sort(np.append(x, 0), axis=None)) > 0.02))


@st.composite
def conditions(draw: Any, function: Callable[..., Any]) -> Call:
    p = draw(st.sampled_from((None, 2, -2, 1, -1, inf, -inf, "fro", "nuc")))
    shape = draw(rectangular if p in (None, 2, -2) else square)

    def without_ties(x: np.ndarray) -> bool:
        sums = [np.abs(y).sum(i) for y in (x, np.linalg.inv(x)) for i in (-1, -2)]
        return all(map(apart, (np.abs(x), np.abs(np.linalg.inv(x)), *sums)))

    found = matrices(shape, complex=draw(FLAG))
    x = draw(found.filter(without_ties) if p in (1, -1, inf, -inf) else found)
    return Call(function, (x,), {} if p is None else {"p": p})


@st.composite
def pseudo_inverses(draw: Any, function: Callable[..., Any]) -> Call:
    """Also of what is left where singular values are cut off."""
    hermitian, complex = draw(FLAG), draw(FLAG)
    x = draw(matrices(draw(square if hermitian else rectangular), hermitian=hermitian, complex=complex))
    name = draw(st.sampled_from(("rcond", "rtol", None)))
    keywords = {name: draw(st.sampled_from((1e-10, 0.0, None, CUT)))} if name else {}
    values = np.linalg.svdvals(x)
    assume(np.all(np.abs(values - CUT * np.max(values, axis=-1, keepdims=True, initial=0)) > 0.02))
    return Call(function, (x,), keywords | ({"hermitian": True} if hermitian else {}))


@st.composite
def powers(draw: Any, function: Callable[..., Any]) -> Call:
    x = draw(matrices(draw(square), complex=draw(FLAG)))
    return Call(function, (x, draw(st.integers(-3, 6))))


@st.composite
def chains(draw: Any, function: Callable[..., Any]) -> Call:
    """Two to five factors, vectors at the ends."""
    sizes = draw(st.lists(SIZE, min_size=3, max_size=6))
    shapes = [*pairwise(sizes)]
    shapes[0] = draw(st.sampled_from((shapes[0], shapes[0][1:])))
    shapes[-1] = draw(st.sampled_from((shapes[-1], shapes[-1][:1])))
    complex = draw(FLAG)
    return Call(function, ([draw(numbers(shape, i % 3, complex=complex)) for i, shape in enumerate(shapes)],))


@st.composite
def tensor_equations(draw: Any, function: Callable[..., Any]) -> Call:
    complex = draw(FLAG)
    a = draw(matrices((6, 6), complex=complex))
    if function is np.linalg.tensorinv:
        shape, ind = draw(st.sampled_from((((6, 3, 2), 1), ((2, 3, 6), 2), ((3, 2, 1, 6), 3), ((1, 6, 2, 3), 2))))
        return Call(function, (read_only(a.reshape(shape)),), {} if ind == 2 and draw(FLAG) else {"ind": ind})
    shape = draw(st.sampled_from(((2, 3, 6), (2, 3, 3, 2), (2, 3, 1, 6))))
    a, keywords = a.reshape(shape), {}
    if shape == (2, 3, 6) and draw(FLAG):
        a, keywords = np.moveaxis(a, -1, 1), {"axes": (1,)}
    return Call(function, (read_only(a), draw(numbers((2, 3), complex=complex))), keywords)


@st.composite
def products(draw: Any, function: Callable[..., Any]) -> Call:
    """Of two arrays."""
    n, k, m = draw(st.tuples(SIZE, SIZE, SIZE))
    shapes, keywords = {
        np.linalg.matmul: (((n, k), (2, k, m)), {}),
        np.linalg.outer: (((n,), (m,)), {}),
        np.linalg.cross: (((2, 3), (3,)), {}) if draw(FLAG) else (((3, n), (3, n)), {"axis": 0}),
        np.linalg.vecdot: (((2, n), (n,)), {}) if draw(FLAG) else (((n, 2, 3), (n, 1, 3)), {"axis": 0}),
        np.linalg.tensordot: (((n, k, m), (k, m, 2)), {}) if draw(FLAG) else (((n, k), (m, n)), {"axes": ((0,), (1,))}),
    }[function]
    arrays = [draw(numbers(shape, i, complex=draw(FLAG))) for i, shape in enumerate(shapes)]
    return Call(function, tuple(arrays), keywords)


OFFSET = st.integers(-1, 2)

ARGUMENTS: dict[Callable[..., Any], Factory] = {
    **dict.fromkeys((np.linalg.inv, np.linalg.det, np.linalg.slogdet), of_one(square)),
    np.linalg.solve: solving,
    np.linalg.cholesky: kind(of_one(square, upper=FLAG), positive=True),
    np.linalg.eigh: kind(of_one(square, of_eigenvectors, UPLO=st.sampled_from("LUlu")), hermitian=True),
    np.linalg.eigvalsh: kind(of_one(square, UPLO=st.sampled_from("LU")), hermitian=True),
    **dict.fromkeys((np.linalg.eig, np.linalg.eigvals), eigenvalues),
    np.linalg.svd: decomposing,
    np.linalg.svdvals: of_one(rectangular),
    np.linalg.qr: of_one(rectangular, of_bases, mode=st.sampled_from(("reduced", "complete", "r"))),
    np.linalg.pinv: pseudo_inverses,
    np.linalg.lstsq: least_squares,
    **dict.fromkeys((np.linalg.norm, np.linalg.matrix_norm, np.linalg.vector_norm), norms),
    np.linalg.cond: conditions,
    np.linalg.matrix_power: powers,
    np.linalg.multi_dot: chains,
    **dict.fromkeys((np.linalg.tensorsolve, np.linalg.tensorinv), tensor_equations),
    **dict.fromkeys(
        (np.linalg.matmul, np.linalg.outer, np.linalg.cross, np.linalg.vecdot, np.linalg.tensordot), products
    ),
    np.linalg.trace: of_one(rectangular, offset=OFFSET, dtype=st.sampled_from((None, np.complex128))),
    np.linalg.diagonal: of_one(rectangular, offset=OFFSET, dtype=st.sampled_from((None, np.complex128))),
    np.linalg.matrix_transpose: of_one(rectangular),
}
