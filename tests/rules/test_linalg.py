"""Linear algebra at its exceptions: what has no derivative is refused, what has one all the same is right."""

import numpy as np
import pytest

import autodiff as ad
from autodiff.errors import GradientError

from .gradcheck import Call, assert_close, check_second_order, inner

linalg = np.linalg
RNG = np.random.default_rng(0)
A = RNG.standard_normal((4, 4))
Q = linalg.qr(A)[0]
C = A + 1j * RNG.standard_normal((4, 4))
HERMITIAN, SYMMETRIC = C + C.conj().T, A + A.T
TWICE = Q * [1, 1, 2, 3] @ Q.T  # an eigenvalue that is repeated, to rounding
TALL = A[:, :2]
RANK_1 = np.outer(A[0], A[1])[:, :3]
JORDAN = np.array([[2.0, 1], [0, 2]])


def gradient(f, x):
    t = ad.Tensor(x)
    return ad.gradients(np.sum(np.real(f(t))), [t])[0]


REFUSED = {
    "vectors of equal eigenvalues": (lambda x: linalg.eigh(x)[1], np.eye(3)),
    "one element of them": (lambda x: linalg.eigh(x)[1][0, 0], np.eye(3)),
    "to rounding": (lambda x: linalg.eigh(x)[1][:, 0], TWICE),
    "put together again": (lambda x: (lambda w, v: v * w @ v.T)(*linalg.eigh(x)), np.diag([1.0, 0, 0])),
    "one of equal eigenvalues": (lambda x: linalg.eigvalsh(x)[0], TWICE),
    "of a general matrix": (lambda x: linalg.eig(x)[1], np.eye(2)),
    "no basis of eigenvectors": (linalg.eigvals, JORDAN),
    "no basis, to rounding": (linalg.eigvals, Q[:2, :2] @ JORDAN @ linalg.inv(Q[:2, :2])),
    "phase of eigenvectors": (lambda x: linalg.eigh(x)[1], HERMITIAN),
    "phase of general eigenvectors": (lambda x: linalg.eig(x)[1], C),
    "phase of singular vectors": (lambda x: linalg.svd(x)[0], C),
    "phase of one side": (lambda x: linalg.svd(x, hermitian=True)[2], HERMITIAN),
    "vectors of equal singular values": (lambda x: linalg.svd(x)[0], Q),
    "the largest of equal singular values": (lambda x: linalg.cond(x), Q),
    "vectors of the singular value 0": (lambda x: linalg.svd(x, full_matrices=False)[0], RANK_1[:, :2]),
    "its vector, times 0": (lambda x: (lambda u, s, v: u * s @ v)(*linalg.svd(x, False)), np.eye(3, 2) * [1, 0]),
    "basis of a null space": (lambda x: linalg.svd(x)[0], TALL),
    "basis that fills up": (lambda x: linalg.qr(x, "complete")[0], TALL),
    "dependent columns": (lambda x: linalg.qr(x)[1], RANK_1),
    "logarithm of 0": (lambda x: linalg.slogdet(x)[1], np.ones((2, 2))),
    "second derivative": (lambda x: ad.gradients(np.sum(linalg.eigvalsh(x) ** 2), [x], record=True)[0], np.eye(2)),
}


@pytest.mark.parametrize("what", REFUSED)
def test_where_there_is_no_derivative_there_is_an_error(what):
    f, x = REFUSED[what]
    with pytest.raises(GradientError, match=r"numpy.linalg: .*\w"):
        gradient(f, x)


def test_other_modes_of_qr_are_refused():
    with pytest.raises(NotImplementedError, match="mode='reduced'"):
        linalg.qr(ad.Tensor(A), mode="raw")


ALLOWED = {
    "symmetric functions of equal eigenvalues": (lambda x: np.sum(linalg.eigvalsh(x) ** 2), TWICE),
    "another eigenvector": (lambda x: linalg.eigh(x)[1][:, 3], TWICE),
    "another singular vector": (lambda x: linalg.svd(x, full_matrices=False)[0][:, 0], RANK_1),
    "magnitudes": (lambda x: np.abs(linalg.eigh(x)[1]), HERMITIAN),
    "projection on a null space": (lambda x: (lambda u: u[:, 2:] @ u[:, 2:].T)(linalg.svd(x)[0]), TALL),
    "the only vector of a null space": (lambda x: linalg.svd(x)[0], A[:, :3]),
    "determinant of rank n - 1": (linalg.det, np.diag([1.0, 2, 0])),
    "determinant of rank n - 1, to rounding": (linalg.det, A[:, :3] @ A[:3]),
    "a stack of both": (linalg.det, np.stack([A, A * [1, 1, 1, 0], A[:, [0, 1, 1, 1]]])),
    "singular values of rank n - 1": (lambda x: linalg.svdvals(x) ** 2, RANK_1),
    "pseudo-inverse of equal singular values": (linalg.pinv, Q[:, :3]),
    "least squares of equal singular values": (lambda x: linalg.lstsq(x, A[1])[0], Q[:, :3]),
    "what is left of a pseudo-inverse": (lambda x: linalg.pinv(x, 0.5), A * [1, 1, 0.01, 0.02]),
}


@pytest.mark.parametrize("what", ALLOWED)
def test_where_there_is_one_all_the_same(what):
    f, x = ALLOWED[what]
    symmetric = np.allclose(x, np.conj(np.swapaxes(x, -1, -2))) if x.shape[-2:] == x.shape[:1] * 2 else False
    v = RNG.standard_normal(x.shape)
    v = v + v.T if symmetric else v
    near = [np.sum(np.real(f(x + step * v))) for step in (1e-5, -1e-5)]
    assert_close(inner(v, gradient(f, x)), (near[0] - near[1]) / 2e-5, what, relative=1e-5, absolute=1e-6)


def test_second_derivatives_of_a_determinant_that_is_zero():
    for x in (np.diag([1.0, 2, 0]), A[:, :3] @ A[:3], np.array([[1.0, 2], [2, 4]])):
        check_second_order(Call(linalg.det, (x,)))


@pytest.mark.parametrize("function", [lambda x: linalg.pinv(x, 1e-10), lambda x: linalg.lstsq(x, A[1], 1e-10)[0]])
def test_pseudo_inverses_of_constant_rank(function):
    """Of a product of rank 2: its factors move, its rank does not."""
    factors = (A[:, :2], A[:2, :3])
    tensors = [ad.Tensor(x) for x in factors]
    gradients = ad.gradients(np.sum(function(tensors[0] @ tensors[1])), tensors)
    u, v = (RNG.standard_normal(x.shape) for x in factors)
    ends = [np.sum(function((factors[0] + h * u) @ (factors[1] + h * v))) for h in (1e-5, -1e-5)]
    found = inner(gradients[0], u) + inner(gradients[1], v)
    assert_close(found, (ends[0] - ends[1]) / 2e-5, "pinv", relative=1e-5)


@pytest.mark.parametrize("order", [None, "fro", "nuc", 1, 2, np.inf, -1, -2, -np.inf])
def test_the_norm_of_the_zero_matrix_has_derivative_zero(order):
    np.testing.assert_array_equal(gradient(lambda x: linalg.norm(x, order), np.zeros((2, 3))), 0)


@pytest.mark.parametrize("order", [None, 0, 1, 2, 3, np.inf, 1.5, -np.inf])
def test_the_norm_of_the_zero_vector_has_derivative_zero(order):
    np.testing.assert_array_equal(gradient(lambda x: linalg.norm(x, order), np.zeros(3)), 0)
    np.testing.assert_array_equal(gradient(lambda x: linalg.norm(x, order, axis=1), np.eye(3) * 0), 0)


@pytest.mark.parametrize(
    ("f", "lower"),
    [
        (lambda x: linalg.eigvalsh(x)[0], True),
        (lambda x: linalg.eigvalsh(x, "U")[0], False),
        (linalg.cholesky, True),
        (lambda x: linalg.cholesky(x, upper=True), False),
        (lambda x: linalg.pinv(x, hermitian=True), True),
        (lambda x: linalg.svd(x, hermitian=True)[1], True),
    ],
)
def test_only_the_triangle_that_numpy_reads_has_a_gradient(f, lower):
    found = gradient(f, A @ A.T + np.eye(4))
    assert np.all((found != 0) == (np.tri(4, dtype=bool) if lower else np.tri(4, dtype=bool).T))


# --- against PyTorch --------------------------------------------------------------------------------------------------


def adjoint(x):
    return np.conj(np.swapaxes(x, -1, -2)) if isinstance(x, ad.Tensor) else x.mH


def hermitian(x):
    return x + adjoint(x)


def positive(x):
    return x @ adjoint(x)


def product(u, s, vh):
    return u @ (s[..., :, None] ** 0.5 * vh)


SHARED = {  # functions of either namespace and a matrix, of complex vectors without their phases
    "inv": lambda la, x: [la.inv(x)],
    "det": lambda la, x: [la.det(x)],
    "slogdet": lambda la, x: la.slogdet(x),
    "solve": lambda la, x: [la.solve(x, x[..., :2] ** 2)],
    "cholesky": lambda la, x: [la.cholesky(positive(x))],
    "upper": lambda la, x: [la.cholesky(positive(x), upper=True)],
    "eigvalsh": lambda la, x: [la.eigvalsh(hermitian(x))],
    "eigh": lambda la, x: [(lambda w, v: abs(v) ** 2 * w[..., None, :])(*la.eigh(hermitian(x)))],
    "eigvals": lambda la, x: [la.eigvals(x)],
    "eig": lambda la, x: [(lambda w, v: abs(v) ** 2 * w[..., None, :])(*la.eig(x))],
    "svd": lambda la, x: [product(*la.svd(x[..., :3], full_matrices=False))],
    "wide svd": lambda la, x: [product(*la.svd(x[..., :3, :], full_matrices=False))],
    "svdvals": lambda la, x: [la.svdvals(x)],
    "qr": lambda la, x: la.qr(x),
    "tall qr": lambda la, x: la.qr(x[..., :3]),
    "wide qr": lambda la, x: la.qr(x[..., :3, :]),
    "pinv": lambda la, x: [la.pinv(x[..., :3]), la.pinv(x[..., :3, :])],
    "matrix_power": lambda la, x: [la.matrix_power(x, -3), la.matrix_power(x, 5)],
    "matrix_norm": lambda la, x: [la.matrix_norm(x, ord=p) for p in ("fro", "nuc", 1, 2, -1, -2, np.inf, -np.inf)],
    "vector_norm": lambda la, x: [la.vector_norm(x, ord=p) for p in (2, 1, 3, 0.5, -1, np.inf, -np.inf)],
    "cond": lambda la, x: [la.cond(x, 2), la.cond(x, -2)],
}


@pytest.mark.parametrize("x", [np.stack([A, A.T @ A]), np.stack([C, C @ C])], ids=["real", "complex"])
@pytest.mark.parametrize("name", SHARED)
def test_gradients_are_those_of_pytorch(name, x):
    torch = pytest.importorskip("torch")
    tensors = ad.Tensor(x), torch.tensor(x, requires_grad=True)
    outputs = [SHARED[name](la, t) for la, t in zip((linalg, torch.linalg), tensors, strict=True)]
    ours = sum(np.sum(np.real(y) ** 2 - np.imag(y)) for y in outputs[0])
    theirs = sum((y.real**2 - (y.imag if y.is_complex() else 0)).sum() for y in outputs[1])
    theirs.backward()
    assert_close(ad.gradients(ours, [tensors[0]])[0], tensors[1].grad.numpy(), name, relative=1e-9)
