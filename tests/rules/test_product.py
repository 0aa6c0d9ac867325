"""What tests of rows do not draw: products that warn, that are views, or that take lists of Tensors."""

import numpy as np
import pytest

import autodiff as ad


@pytest.mark.filterwarnings("ignore:Arrays of 2-dimensional vectors:DeprecationWarning")
@pytest.mark.parametrize(("m", "n"), [(2, 2), (2, 3), (3, 2)])
def test_the_cross_product_of_vectors_of_two_components(m, n):
    x, y = ad.Tensor([1.5, -2.0, 0.5][:m]), ad.Tensor([0.25, 3.0, -1.0][:n])
    try:
        out = np.cross(x, y)
    except ValueError:
        pytest.skip("this NumPy has no such products any more")
    padded = [ad.Tensor(np.append(t.numpy(), [0.0] * (3 - t.size))) for t in (x, y)]
    weight = np.array([1.0, 2.0, 3.0])
    expected = ad.gradients(np.sum(np.cross(*padded) * ([0, 0, 3] if m == n else weight)), padded)
    gradients = ad.gradients(np.sum(out * (3 if m == n else weight)), [x, y])
    for gradient, same in zip(gradients, expected, strict=True):
        np.testing.assert_array_equal(gradient, same[: gradient.size])


@pytest.mark.parametrize("call", [("ij->ji",), ("ij->ji", {"optimize": True}), ("...",)])
def test_einsum_of_one_factor_is_a_view(call):
    subscripts, *keywords = call
    t = ad.Tensor([[1.0, 2.0], [3.0, 4.0]])
    x = t * 1
    view = np.einsum(subscripts, x, **dict(*keywords))
    view[0] = 10 * view[1]
    plain = t.numpy().copy()
    plain_view = np.einsum(subscripts, plain, **dict(*keywords))
    plain_view[0] = 10 * plain_view[1]
    np.testing.assert_array_equal(x.numpy(), plain)
    (gradient,) = ad.gradients(np.sum(x), [t])
    np.testing.assert_array_equal(gradient, [[0, 11], [0, 11]] if subscripts == "ij->ji" else [[0, 0], [11, 11]])


def test_einsum_gives_a_diagonal_that_is_not_written_to():
    x = ad.Tensor(np.eye(2)) * 1
    with pytest.raises(ValueError, match="read-only"):
        np.einsum("ii->i", x)[...] = 0


def test_the_path_of_einsum_is_that_of_the_values():
    x = ad.Tensor(np.ones((2, 3)))
    assert np.einsum_path("ij,kj,kl", x, x, x)[0] == np.einsum_path("ij,kj,kl", *[x.numpy()] * 3)[0]
