"""What tests of rows do not draw: aliases, borders without values, polynomials with zeros, plain answers."""

import io

import numpy as np
import pytest

import autodiff as ad

ALIKE = [np.asarray, np.asanyarray, np.require, np.ascontiguousarray]


@pytest.mark.parametrize("function", [*ALIKE, np.asfortranarray, np.array])
def test_what_numpy_does_not_copy_is_the_same_array(function):
    x = ad.Tensor([[1.0, 2.0], [3.0, 4.0]])
    for source in (2 * x, (2 * x).T):
        expected = source.numpy().copy(order="K")
        out, like = function(source, like=x), function(expected)
        shared = np.shares_memory(like, expected)
        out[0, 0] = like[0, 0] = 9.0
        np.testing.assert_array_equal(source.numpy(), expected)
        assert shared == (source.numpy()[0, 0] == 9)


def test_a_buffer_that_tensors_are_written_into():
    x = ad.Tensor([1.0, 2.0])
    buffer = np.array([0, 0, 0.0], like=x)
    buffer[1:] = x**2
    np.testing.assert_array_equal(ad.gradients(np.sum(buffer), [x])[0], [2, 4])


def test_nested_lists_without_like_name_the_remedy():
    x = ad.Tensor(1.0)
    with pytest.raises(ad.errors.GradientError, match=r"np\.stack"):
        np.array([[x, 1], [2, x]])


def test_a_number_that_would_lose_its_gradient_is_refused():
    x = ad.Tensor(3.0)
    with pytest.raises(ad.errors.GradientError, match="arange"):
        np.arange(x, like=x)


def test_a_border_without_values_gives_no_gradient():
    x = ad.Tensor([1.0, 2.0])
    (gradient,) = ad.gradients(np.sum(np.pad(x, 1, "empty")[1:3] * [3, 4]), [x])
    np.testing.assert_array_equal(gradient, [3, 4])


def test_a_function_along_an_axis_may_use_other_tensors():
    x, scale = ad.Tensor([[1.0, 2.0], [3.0, 4.0]]), ad.Tensor(2.0)
    gradients = ad.gradients(np.sum(np.apply_along_axis(lambda row: row * scale, 0, x)), [x, scale])
    np.testing.assert_array_equal(gradients[0], np.full((2, 2), 2))
    assert gradients[1] == 10


# --- polynomials ------------------------------------------------------------------------------------------------------


def test_roots_where_coefficients_are_zero():
    p = ad.Tensor([0.0, 2.0, -3.0, 1.0, 0.0])
    roots = np.roots(p)
    np.testing.assert_array_equal(roots.numpy(), np.roots(p.numpy()))
    for i, root in enumerate(roots.numpy()):
        slope = np.polyval(np.polyder(p.numpy()), root)
        (gradient,) = ad.gradients(roots[i], [p])
        np.testing.assert_allclose(gradient, -(root ** np.arange(4, -1, -1)) / slope, rtol=1e-12, atol=1e-14)


@pytest.mark.filterwarnings("ignore:divide by zero:RuntimeWarning", "ignore:invalid value:RuntimeWarning")
def test_a_double_root_has_no_derivative():
    p = ad.Tensor([1.0, 0.0, 0.0])
    (gradient,) = ad.gradients(np.sum(np.roots(p)), [p])
    assert not np.isfinite(gradient).any()


def test_a_characteristic_polynomial_has_a_derivative_where_eigenvalues_repeat():
    a, weights = ad.Tensor(2 * np.eye(3)), np.arange(1.0, 5.0)
    (gradient,) = ad.gradients(np.sum(np.poly(a) * weights), [a])
    np.testing.assert_allclose(gradient, -6 * np.eye(3))


def test_a_polynomial_of_no_roots_is_one():
    assert np.poly(ad.Tensor(np.zeros(0))) == 1


# --- sets and answers -------------------------------------------------------------------------------------------------


def test_numbers_that_are_found_twice_give_gradient_to_the_first():
    x = ad.Tensor([3.0, 1.0, 3.0, 2.0])
    for values in (np.unique(x), np.unique(x, return_counts=True)[0], np.unique_all(x).values, np.union1d(x, [3.0])):
        np.testing.assert_array_equal(ad.gradients(np.sum(values * [1, 2, 3]), [x])[0], [3, 1, 0, 2])


def test_what_depends_on_data_is_a_node():
    x = ad.Tensor([3.0, 1.0, 2.0])
    for found in (
        np.argsort(x),
        np.nonzero(x)[0],
        np.searchsorted([1.5, 2.5], x),
        np.unique_inverse(x).inverse_indices,
    ):
        assert isinstance(found, ad.Tensor)
        assert not found.requires_grad
        assert not found.is_leaf


def test_plain_answers():
    x = ad.Tensor([3.0, 1.0])
    assert np.shape(x) == (2,)
    assert np.result_type(x, np.float32) == np.common_type(x) == np.min_scalar_type(x) == np.float64
    assert np.array_repr(x) == "array([3., 1.])"
    file = io.BytesIO()
    np.save(file, x)
    file.seek(0)
    np.testing.assert_array_equal(np.load(file), [3, 1])
