"""Functions that write into their first argument: where the value goes, and where it would get lost."""

import numpy as np
import pytest

import autodiff as ad
from autodiff.errors import GradientError, InPlaceError

WRITES = {
    "copyto": lambda x, y: np.copyto(x, y),
    "copyto where": lambda x, y: np.copyto(x, y, where=[True, False, True]),
    "copyto by name": lambda x, y: np.copyto(src=y, dst=x),
    "putmask": lambda x, y: np.putmask(x, x > 1, y),
    "place": lambda x, y: np.place(x, x > 1, y),
    "put": lambda x, y: np.put(x, [0, 2], y),
    "put_along_axis": lambda x, y: np.put_along_axis(x, np.array([2]), y, axis=-1),
    "fill_diagonal": lambda x, y: np.fill_diagonal(x.reshape(3, 1), y),
}
X = np.array([1.0, 2.0, 3.0])

each = pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)


@each
def test_a_tensor_is_written_and_the_gradient_follows(write):
    plain = X.copy()
    write(plain, [0.0])
    t, w = ad.Tensor(X), ad.Tensor([0.0])
    x = t * 1
    assert write(x, w) is None
    np.testing.assert_array_equal(x.numpy(), plain)
    np.sum(x * X).backward()
    np.testing.assert_array_equal(t.grad, np.where(plain == 0, 0, X))
    assert w.grad == X[plain == 0].sum()


@each
def test_through_a_view(write):
    x = ad.Tensor([X, X]) * 1
    plain = x.numpy().copy()
    write(x[1], ad.Tensor([7.0]))
    write(plain[1], [7.0])
    np.testing.assert_array_equal(x.numpy(), plain)


@each
def test_a_list_of_tensors(write):
    x = ad.Tensor(X) * 1
    plain = X.copy()
    write(x, [ad.Tensor(7.0)])
    write(plain, [7.0])
    np.testing.assert_array_equal(x.numpy(), plain)


@each
@pytest.mark.parametrize("dtype", [float, int])
def test_a_plain_array_takes_no_gradient(write, dtype):
    with pytest.raises(TypeError, match=r"gradient|cast"):
        write(X.astype(dtype), ad.Tensor([7.0]))


@each
def test_a_plain_array_takes_what_has_none(write):
    x, plain = X.copy(), X.copy()
    write(x, ad.constant([7.0]))
    write(plain, [7.0])
    np.testing.assert_array_equal(x, plain)


@each
def test_a_leaf_is_written_in_no_grad_only(write):
    w = ad.Tensor(X)
    with pytest.raises(InPlaceError):
        write(w, [7.0])
    np.testing.assert_array_equal(w.numpy(), X)
    plain = X.copy()
    write(plain, [7.0])
    with ad.no_grad():
        write(w, [7.0])
    np.testing.assert_array_equal(w.numpy(), plain)


@each
def test_a_constant_is_not(write):
    with pytest.raises(GradientError):
        write(ad.constant(X), [7.0])


def test_errors_are_numpys():
    x = ad.Tensor(np.zeros(3), dtype=np.float32) * 1
    with pytest.raises(TypeError):
        np.copyto(x, np.zeros(3), casting="no")
    with pytest.raises(TypeError):
        np.putmask(x, [True, False, True], np.zeros(3))
    with pytest.raises(ValueError, match="empty"):
        np.place(x, [True, False, True], [])
    with pytest.raises(IndexError):
        np.put(x, [7], 1.0)
    with pytest.raises(ValueError, match="2-d"):
        np.fill_diagonal(x, 1.0)
