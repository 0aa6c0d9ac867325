"""Linear algebra: numpy.linalg.

    special(function, formula, the vector-Jacobian product)      composed(function, signature, an equal expression)

Written for stacks of matrices; `T` transposes them, `H` conjugates, too. Of several results `g` and `out` are tuples, and
`g` has None for what the loss does not use.

A decomposition has a derivative as far as it is unique. A loss that depends on the rest (the vectors of a repeated
eigenvalue, the phase of a complex vector, the basis of a null space) is refused. Of a Hermitian matrix NumPy reads one
triangle: the gradient is that of these entries.

Sources: Giles, Collected matrix derivative results (2008); Murray, Differentiation of the Cholesky decomposition (2016);
Golub and Pereyra (1973), of pseudo-inverses; Walter and Lehmann (2012), of QR; PyTorch's FunctionsManual.cpp, of SVD.
"""
# ruff: noqa: E501

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..errors import GradientError, MissingRuleError
from ..primitive import composed, inlined, linear, special
from ..sites import __library__  # noqa: F401
from .reduction import Axis, others, over, spread

EPS = float(np.finfo(float).eps)  # NumPy computes in double precision, also for float32

REPEATED = "vectors of a repeated eigenvalue or singular value are not unique: use the values alone, or add a small diagonal matrix"
UNEQUAL = "of equal eigenvalues or singular values only symmetric functions, such as their sum, have a derivative"
PHASE = "phases of complex vectors are arbitrary: use what does not depend on them, such as np.abs(v) or v @ v.conj().T"
BASIS = "the basis of an orthogonal complement is arbitrary: use full_matrices=False, mode='reduced', or the projection u @ u.conj().T"
ZERO = "singular vectors of the singular value 0 are not unique: use those of the others"
DEFECTIVE = "a matrix without a basis of eigenvectors has no derivative of its eigenvalues: use np.trace, np.linalg.det or powers of it"
SINGULAR = "the logarithm of the determinant 0 has no derivative"
DEPENDENT = "QR has no derivative where columns of the matrix are linearly dependent"


def T(x: Any) -> Any:
    """The transpose."""
    return np.swapaxes(x, -1, -2)


def conj(x: Any) -> Any:
    """The conjugate."""
    return np.conj(x) if x.dtype.kind == "c" else x


def H(x: Any) -> Any:
    """The conjugate transpose."""
    return conj(T(x))


def half(x: Any) -> Any:
    """The lower triangle, of the diagonal one half."""
    return (np.tril(x) + np.tril(x, -1)) / 2


def to_triangle(g: Any, lower: bool) -> Any:
    """The gradient of a Hermitian matrix, as that of the entries that NumPy reads."""
    read = half(g + H(g))
    return read if lower else H(read)


def refuse(where: Any, reason: str) -> None:
    """Raise an error if there is no derivative somewhere."""
    if bool(np.any(where)):
        raise GradientError(f"numpy.linalg: {reason}")


def divided(q: Any, gap: Any, closed: Any) -> Any:
    """q / gap, and 0 where the gap is closed."""
    return np.where(closed, 0, q / np.where(closed, 1, gap))


def differences(x: Any) -> Any:
    """Each number minus each other: [..., i, j] is x[..., j] - x[..., i]."""
    return x[..., None, :] - x[..., :, None]


def rounding(x: Any, axis: Any) -> Any:
    """What is zero beside the others along some axes."""
    return 10 * float(np.finfo(x.dtype).eps) * np.linalg.vector_norm(x, axis=axis, keepdims=True)


def noise(g: Any, axis: Any) -> Any:
    """What a gradient that is zero may be: half of the digits are lost on its way, or all of them where terms cancel."""
    eps = float(np.finfo(g.dtype).eps)
    return 10 * math.sqrt(eps) * np.linalg.vector_norm(g, axis=axis, keepdims=True) + 100 * eps


# --- equations and determinants ---------------------------------------------------------------------------------------


def solve_right(g: Any, x: Any, y: Any) -> Any:
    """To the right-hand side, which may be one vector."""
    return np.linalg.solve(T(x), g[..., None])[..., 0] if y.ndim == 1 else np.linalg.solve(T(x), g)


def solve_left(g: Any, x: Any, y: Any, out: Any) -> Any:
    """To the matrix."""
    gy = solve_right(g, x, y)
    return -gy[..., None] * out[..., None, :] if y.ndim == 1 else -gy @ T(out)


def cofactors(x: Any, det: Any) -> Any:
    """The derivative of det: det(x) inv(x).T; where x is singular, or nearly so, by singular vectors."""
    det = det[..., None, None]
    inverse = np.linalg.inv(np.where(det == 0, np.eye(x.shape[-1], dtype=x.dtype), x))
    size = [np.linalg.vector_norm(y, axis=(-2, -1), keepdims=True) for y in (x, inverse)]
    singular = (det == 0) | (size[0] * size[1] > 1 / math.sqrt(np.finfo(x.dtype).eps))
    if not bool(np.any(singular)):
        return det * T(inverse)
    u, s, vh = np.linalg.svd(x)
    sign = (np.linalg.det(u) * np.linalg.det(vh))[..., None, None]
    return np.where(singular, sign * (conj(u) * others(s, -1)[..., None, :]) @ conj(vh), det * T(inverse))


def slogdet_pull(g: Any, x: Any, out: Any) -> Any:
    """The sign of a real determinant is constant, that of a complex one turns."""
    (g_sign, g_log), (sign, log) = g, out
    refuse(sign == 0, SINGULAR)
    g = np.zeros_like(log) if g_log is None else g_log
    if g_sign is not None and x.dtype.kind == "c":
        g = g + np.imag(g_sign * sign) * 1j
    return g[..., None, None] * T(np.linalg.inv(x))


def cholesky_pull(g: Any, out: Any, upper: bool) -> Any:
    """Murray (2016), section 3.1."""
    g, root = (H(g), H(out)) if upper else (g, out)
    left = np.linalg.solve(T(root), half(T(root) @ g))
    return to_triangle(T(np.linalg.solve(H(root), T(left))), not upper)


# --- eigenvalues ------------------------------------------------------------------------------------------------------


def repeated(values: Any) -> Any:
    """Which pairs of values are the same, to rounding: of one with itself this is not said."""
    return (np.abs(differences(values)) <= rounding(values, -1)[..., None]) & ~np.eye(values.shape[-1], dtype=bool)


def along(g: Any, v: Any) -> Any:
    """What comes in along each vector."""
    return np.sum(g * v, axis=-2)


def seen(g: Any, *gs: Any) -> Any:
    """For which values, or their vectors, anything comes in."""
    return sum((np.any(gv != 0, axis=-2) for gv in gs), start=g != 0)


def refuse_unequal(values: Any, g: Any) -> None:
    """Of values alone: what comes in where they are the same has to be the same."""
    refuse(repeated(values) & (np.abs(differences(g)) > noise(g, -1)[..., None]), UNEQUAL)


def refuse_ambiguous(values: Any, g: Any, *pairs: Any) -> None:
    """Of vectors (in pairs, each with what comes in): none of a repeated value, and nothing that turns the phase."""
    used = seen(g, *(gv for gv, _ in pairs))
    refuse(repeated(values) & (used[..., None, :] | used[..., :, None]), REPEATED)
    turn: Any = sum(along(gv, v) for gv, v in pairs)
    if turn.dtype.kind == "c":
        refuse(np.abs(np.imag(turn)) > sum(noise(gv, (-2, -1))[..., 0] for gv, _ in pairs), PHASE)


def eigen_pull(g: Any, out: Any) -> Any:
    """Giles (2008), section 3.1: the gradient in the basis of eigenvectors, times this basis."""
    (gw, gv), (w, v) = g, out
    if gv is None:
        refuse_unequal(w, gw)
        return gw[..., None] * T(v)
    gw = np.zeros_like(w) if gw is None else gw
    refuse_ambiguous(w, gw, (gv, v))
    closed = repeated(w) | np.eye(w.shape[-1], dtype=bool)
    return gw[..., None] * T(v) + divided(T(v) @ gv, differences(w), closed) @ T(v)


def eigh_pull(g: Any, out: Any, UPLO: str) -> Any:
    """Of an orthonormal basis; NumPy reads one triangle."""
    return to_triangle(conj(out[1]) @ eigen_pull(g, out), UPLO in "lL")


def eig_pull(g: Any, out: Any) -> Any:
    """Of any basis; its vectors keep their length."""
    (gw, gv), (w, v) = g, out
    refuse(np.linalg.svdvals(v) < 4 * math.sqrt(EPS), DEFECTIVE)  # of double precision, for float32 too
    if gv is not None:
        gv = gv - conj(v) * np.real(along(gv, v))[..., None, :]
    return np.linalg.solve(T(v), eigen_pull((gw, gv), (w, v)))


# --- singular values and QR -------------------------------------------------------------------------------------------


def leading(g: Any, q: Any, k: int) -> tuple[Any, Any]:
    """Of an orthonormal basis the first k vectors, and what comes in to them: also through the complement, which turns with them."""
    first, rest = q[..., :k], q[..., k:]
    if g is None or not rest.shape[-1]:
        return np.zeros_like(first) if g is None else g, first
    g, g_rest = g[..., :k], g[..., k:]
    turn = T(rest) @ g_rest
    refuse(np.abs(turn - H(turn)) > noise(g_rest, (-2, -1)), BASIS)
    return g - conj(rest) @ (H(g_rest) @ conj(first)), first


def side_pull(g: Any, u: Any, s: Any) -> Any:
    """To the singular vectors of one side: as they turn among themselves, in phase, and out of their space."""
    q, zero, itself = T(u) @ g, s <= rounding(s, -1), np.eye(s.shape[-1], dtype=bool)
    turned = divided(q, differences(s) * (s[..., None, :] + s[..., :, None]), repeated(s) | itself)
    pulled = conj(u) @ ((turned + H(turned)) * s[..., None, :])
    if u.dtype.kind == "c":
        pulled = pulled + conj(u) * (0.5j * divided(np.imag(along(g, u)), s, zero))[..., None, :]
    if u.shape[-2] > s.shape[-1]:
        pulled = pulled + divided(g - conj(u) @ q, s[..., None, :], zero[..., None, :])
    return pulled


def svd_pull(g: Any, x: Any, out: Any, compute_uv: bool, hermitian: bool) -> Any:
    """As PyTorch has it; of the values alone 0 where they are 0, as of abs."""
    (gu, gs, gvh), (u, s, vh) = (g, out) if compute_uv else ((None, g, None), np.linalg.svd(x, False, True, hermitian))
    alone = gu is None and gvh is None
    (gu, u), (gv, v) = leading(gu, u, s.shape[-1]), leading(None if gvh is None else H(gvh), H(vh), s.shape[-1])
    gs = np.zeros_like(s) if gs is None else np.where(s == 0, 0, gs) if alone else gs
    pulled = (conj(u) * gs[..., None, :]) @ T(v)
    if alone:
        refuse_unequal(s, gs)
    else:
        refuse_ambiguous(s, gs, (gu, u), (gv, v))
        turning = x.dtype.kind == "c" or x.shape[-2] != x.shape[-1]
        refuse((s <= rounding(s, -1)) & seen(gs, gu, gv) & turning, ZERO)
        pulled = pulled + side_pull(gu, u, s) @ T(v) + conj(u) @ H(side_pull(gv, v, s))
    return to_triangle(pulled, lower=True) if hermitian else pulled


def qr_pull(g: Any, x: Any, out: Any, mode: str) -> Any:
    """Walter and Lehmann (2012); further columns of x are Q times those of R."""
    (gq, gr), (q, r) = ((None, g), np.linalg.qr(x)) if mode == "r" else (g, out)
    k = min(x.shape[-2:])
    gq, q = leading(gq, q, k)
    gr, r = np.zeros_like(r[..., :k, :]) if gr is None else gr[..., :k, :], r[..., :k, :]
    refuse(np.abs(np.diagonal(r, 0, -2, -1)) <= rounding(r[..., :k], -2)[..., 0, :], DEPENDENT)
    gq = gq + conj(q @ r[..., k:]) @ H(gr[..., k:])
    turn = half(conj(r[..., :k]) @ H(gr[..., :k]) - H(gq) @ conj(q))
    left = T(np.linalg.solve(r[..., :k], T(gq + conj(q) @ (turn + H(turn)))))
    return np.concatenate([left, conj(q) @ gr[..., k:]], axis=-1)


def known_mode(mode: str = "reduced") -> None:
    """Refuse what is not Q and R."""
    if mode in ("raw", "economic", "e"):
        raise MissingRuleError(f"np.linalg.qr with mode={mode!r} has no rule: write mode='reduced', 'complete' or 'r'")


# --- pseudo-inverses --------------------------------------------------------------------------------------------------


def pinv_pull(g: Any, x: Any, out: Any) -> Any:
    """Golub and Pereyra (1973): as long as the rank stays what it is."""
    p, q, h = T(out), conj(out), H(g)
    return (h - conj(x) @ (q @ h)) @ q @ p + p @ q @ (h - (h @ q) @ conj(x)) - p @ g @ p


def pinv(a: Any, rcond: Any = None, hermitian: bool = False, *, rtol: Any = 1e-15) -> Any:
    """np.linalg.pinv: where singular values are cut off, what is left of them."""
    a = half(a) + H(half(a)) if hermitian else a
    bound = rcond if rcond is not None else max(a.shape[-2:]) * np.finfo(a.dtype).eps if rtol is None else rtol
    u, s, vh = np.linalg.svd(a, full_matrices=False)
    first = s[..., :1]
    cut = s <= (bound if np.ndim(bound) == 0 else np.expand_dims(bound, -1)) * first
    if not bool(np.any(cut | (s <= 1e-15 * first))):
        return np.linalg.pinv(a)
    return H(vh) @ (np.where(cut, 0, 1 / np.where(cut, 1, s))[..., None] * H(u))


def lstsq(a: Any, b: Any, rcond: Any = None) -> Any:
    """np.linalg.lstsq."""
    m, n = np.shape(a)
    bound = EPS * max(m, n) if rcond is None else EPS if rcond < 0 else rcond
    x, s = pinv(a, bound) @ b, np.linalg.svdvals(a)
    rank = np.sum(s > bound * s[:1])
    rest = np.sum(np.abs(b - a @ x) ** 2, axis=0, keepdims=np.ndim(b) == 1)
    return x, rest if rank == n < m else rest[:0], rank, s


# --- norms and products -----------------------------------------------------------------------------------------------


def norm_pull(g: Any, x: Any, out: Any, axis: Axis, keepdims: bool) -> Any:
    """Along x; nothing where x is 0."""
    return spread(over(g, out), x.shape, axis, keepdims) * conj(x)


def vector_norm(x: Any, /, *, axis: Any = None, keepdims: bool = False, ord: Any = 2) -> Any:
    """np.linalg.vector_norm: the norm of 0 has derivative 0."""
    size = np.abs(x)
    if ord == 2:
        return np.linalg.vector_norm(x, axis=axis, keepdims=keepdims)
    if ord in (math.inf, -math.inf):
        return (np.max if ord > 0 else np.min)(size, axis=axis, keepdims=keepdims)
    if ord == 0:
        return np.sum(np.sign(size), axis=axis, keepdims=keepdims)
    total = np.sum(size ** float(ord), axis=axis, keepdims=keepdims)
    return np.where(total == 0, 0, np.where(total == 0, 1, total) ** (1 / float(ord)))


def norm(x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Any:
    """np.linalg.norm, of vectors or of matrices."""
    axes = axis if isinstance(axis, tuple) else tuple(range(x.ndim)) if axis is None else (axis,)
    if ord in (None, "fro", "f"):
        return np.linalg.vector_norm(x, axis=axes, keepdims=keepdims)
    if len(axes) == 1:
        return vector_norm(x, axis=axes, keepdims=keepdims, ord=ord)
    x = np.moveaxis(x, axes, (-2, -1))
    spectral = ord in (2, -2, "nuc")
    values = np.linalg.svdvals(x) if spectral else np.sum(np.abs(x), axis=-2 if ord in (1, -1) else -1)
    out = (np.sum if ord == "nuc" else np.max if ord > 0 else np.min)(values, axis=-1)
    return np.expand_dims(out, axes) if keepdims else out


def cond(x: Any, p: Any = None) -> Any:
    """np.linalg.cond."""
    if p not in (None, 2, -2):
        return norm(x, p, (-2, -1)) * norm(np.linalg.inv(x), p, (-2, -1))
    s = np.linalg.svdvals(x)
    return s[..., -1] / s[..., 0] if p == -2 else s[..., 0] / s[..., -1]


def matrix_power(a: Any, n: int) -> Any:
    """np.linalg.matrix_power, by squaring."""
    if n < 0:
        return matrix_power(np.linalg.inv(a), -n)
    if n < 2:
        return a if n else np.broadcast_to(np.eye(a.shape[-1], dtype=a.dtype), a.shape)
    square = matrix_power(a @ a, n // 2)
    return square @ a if n % 2 else square


def multi_dot_pull(g: Any, x: tuple[Any, ...]) -> list[Any]:
    """To each factor: the transposes of all on its left, g, the transposes of all on its right."""
    turned = [T(np.reshape(y, (1, -1) if i == 0 else (-1, 1)) if y.ndim == 1 else y) for i, y in enumerate(x)]
    g = np.reshape(g, (turned[0].shape[1], turned[-1].shape[0]))
    return [np.linalg.multi_dot([*turned[:i][::-1], g, *turned[:i:-1]]).reshape(y.shape) for i, y in enumerate(x)]


def tensorsolve(a: Any, b: Any, axes: Any = None) -> Any:
    """np.linalg.tensorsolve."""
    a = a if axes is None else np.moveaxis(a, axes, list(range(-len(axes), 0)))
    shape = np.shape(a)[np.ndim(b) - np.ndim(a) :]
    return np.linalg.solve(np.reshape(a, (math.prod(shape),) * 2), np.ravel(b)).reshape(shape)


# fmt: off
special(np.linalg.solve,            "solve(x, y)",                                  "solve_left(g, x, y, out)",                "solve_right(g, x, y)")
special(np.linalg.inv,              "inv(x)",                                       "-T(out) @ g @ T(out)")
special(np.linalg.det,              "det(x)",                                       "g[..., None, None] * cofactors(x, out)")
special(np.linalg.slogdet,          "slogdet(x)",                                   "slogdet_pull(g, x, out)",                 several=True)
special(np.linalg.cholesky,         "cholesky(x, upper=False)",                     "cholesky_pull(g, out, upper)")
special(np.linalg.eigh,             "eigh(x, UPLO='L')",                            "eigh_pull(g, out, UPLO)",                 several=True)
special(np.linalg.eig,              "eig(x)",                                       "eig_pull(g, out)",                        several=True)
special(np.linalg.svd,              "svd(x, full_matrices=True, compute_uv=True, hermitian=False)", "svd_pull(g, x, out, compute_uv, hermitian)", several=True)
special(np.linalg.svdvals,          "svdvals(x)",                                   "svd_pull(g, x, out, compute_uv=False, hermitian=False)")
special(np.linalg.qr,               "qr(x, mode='reduced')",                        "qr_pull(g, x, out, mode)",                several=True, check=known_mode)
special(np.linalg.pinv,             "pinv(x)",                                      "pinv_pull(g, x, out)")
special(np.linalg.vector_norm,      "vector_norm(x, axis=None, keepdims=False)",    "norm_pull(g, x, out, axis, keepdims)", kinks={((0, 0),): ((0, 0),)})
linear(np.linalg.multi_dot,         "multi_dot(*x, out=None)",                      "multi_dot_pull(g, x)")

composed(np.linalg.eigvalsh,        "eigvalsh(a, UPLO='L')",                        "np.linalg.eigh(a, UPLO)[0]")
composed(np.linalg.eigvals,         "eigvals(a)",                                   "np.linalg.eig(a)[0]")
composed(np.linalg.pinv,            "pinv(a, rcond=None, hermitian=False, *, rtol=1e-15)",             pinv)
composed(np.linalg.lstsq,           "lstsq(a, b, rcond=None)",                      lstsq)
composed(np.linalg.norm,            "norm(x, ord=None, axis=None, keepdims=False)", norm, kinks={((0, 0),): ((0, 0),)})
composed(np.linalg.vector_norm,     "vector_norm(x, /, *, axis=None, keepdims=False, ord=2)",          vector_norm)
composed(np.linalg.matrix_norm,     "matrix_norm(x, /, *, keepdims=False, ord='fro')",                 "norm(x, ord, (-2, -1), keepdims)")
composed(np.linalg.cond,            "cond(x, p=None)",                              cond)
composed(np.linalg.matrix_power,    "matrix_power(a, n)",                           matrix_power)
composed(np.linalg.tensorsolve,     "tensorsolve(a, b, axes=None)",                 tensorsolve)
composed(np.linalg.tensorinv,       "tensorinv(a, ind=2)",                          "np.linalg.inv(a.reshape((math.prod(a.shape[ind:]),) * 2)).reshape(a.shape[ind:] + a.shape[:ind])")
composed(np.linalg.matmul,          "matmul(x1, x2, /)",                            "np.matmul(x1, x2)")
composed(np.linalg.outer,           "outer(x1, x2, /)",                             "np.outer(x1, x2)")
composed(np.linalg.cross,           "cross(x1, x2, /, *, axis=-1)",                 "np.cross(x1, x2, axis=axis)")
composed(np.linalg.tensordot,       "tensordot(x1, x2, /, *, axes=2)",              "np.tensordot(x1, x2, axes)")
composed(np.linalg.vecdot,          "vecdot(x1, x2, /, *, axis=-1)",                "np.vecdot(np.moveaxis(x1, axis, -1), np.moveaxis(x2, axis, -1))")
composed(np.linalg.trace,           "trace(x, /, *, offset=0, dtype=None)",         "np.trace(x, offset, -2, -1, dtype)")
inlined(np.linalg.diagonal,         "diagonal(x, /, *, offset=0)",                  "np.diagonal(x, offset, -2, -1)")
inlined(np.linalg.matrix_transpose, "matrix_transpose(x, /)",                       "T(x)")
# fmt: on
