"""A branch that was not taken contributes exactly zero: through selection, elementwise and shape operations, twice."""

import numpy as np
import pytest

import autodiff as ad
from autodiff.cotangents import Masked

POINT = np.array([0.0, 4.0, 0.25])
SLOPE = np.array([0.0, 0.25, 1.0])  # of sqrt where it is not 0


def chosen(x):
    return np.where(x > 0, np.sqrt(x), 0)


def written(x):
    y = np.sqrt(x)
    y[x <= 0] = 0
    return y


PROGRAMS = {
    "where": chosen,
    "where, the other way": lambda x: np.where(x <= 0, 0, np.sqrt(x)),
    "a mask that is an index": lambda x: np.sqrt(x)[x > 0],
    "a mask that is written to": written,
    "select": lambda x: np.select([x > 0], [np.sqrt(x)], 0),
    "choose": lambda x: np.choose((x > 0).astype(int), [np.zeros(3), np.sqrt(x)]),
    "piecewise": lambda x: np.piecewise(x, [x > 0], [np.sqrt, 0]),
    "through a chain": lambda x: np.where(x > 0, 1 / (1 / np.sqrt(x)), 0),
    "through a reshape": lambda x: np.where(x[:, None] > 0, np.sqrt(x).reshape(3, 1), 0),
    "through a transpose": lambda x: np.where((x[:, None] > 0).T, np.sqrt(x[:, None]).T, 0),
    "through stacking": lambda x: np.where(x > 0, np.stack([np.sqrt(x)])[0], 0),
    "through a join and a roll": lambda x: np.where(np.roll(x, 1) > 0, np.roll(np.concatenate([np.sqrt(x)]), 1), 0),
    "through a sum": lambda x: np.where([False, True, True], np.sqrt(x.reshape(3, 1)).sum(axis=1), 0),
    "two branches": lambda x: np.where(x > 0, np.sqrt(x), np.sqrt(4 - x) * 0),
    "maximum": lambda x: np.maximum(np.where(x > 0, np.sqrt(x), -1), -5) + (x == 0),
    "extract": lambda x: np.extract(x > 0, np.sqrt(x)),
    "compress": lambda x: np.compress(x > 0, np.sqrt(x)),
}


@pytest.mark.parametrize("name", PROGRAMS)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_a_branch_that_was_not_taken_contributes_zero(name, dtype):
    x = ad.Tensor(POINT, dtype=dtype)
    with np.errstate(divide="ignore"):
        loss = np.sum(PROGRAMS[name](x))
    loss.backward()
    assert type(x.grad) is np.ndarray
    assert x.grad.dtype == dtype
    np.testing.assert_allclose(x.grad, SLOPE, rtol=1e-6)
    assert x.grad[0] == 0


@pytest.mark.parametrize("name", ["where", "a mask that is an index", "a mask that is written to", "through a reshape"])
def test_also_in_the_second_derivative(name):
    x = ad.Tensor(POINT)
    with np.errstate(all="ignore"):
        (first,) = ad.gradients(np.sum(PROGRAMS[name](x)), [x], record=True)
        (second,) = ad.gradients(np.sum(first), [x])
    np.testing.assert_allclose(first.numpy(), SLOPE, rtol=1e-12)
    np.testing.assert_allclose(second, [0, -1 / 32, -2], rtol=1e-12)
    assert type(first.data) is np.ndarray


def test_clip_like_functions_take_no_part_of_what_they_cut_off():
    x = ad.Tensor([0.0, 1.0])
    with np.errstate(divide="ignore"):
        logarithm = np.log(x)
    for cut in (np.maximum(logarithm, -3), np.fmax(logarithm, -3), np.clip(logarithm, -3, 3), ad.relu(logarithm + 3)):
        np.testing.assert_array_equal(ad.gradients(np.sum(cut), [x])[0], [0, 1])


def test_a_numerical_zero_is_no_mask():
    """sqrt(x)**2 at 0 stays nan: 0 would be wrong."""
    x = ad.Tensor(0.0)
    with np.errstate(all="ignore"):
        (gradient,) = ad.gradients(np.sqrt(x) ** 2, [x])
    assert np.isnan(gradient)


def test_what_is_used_beside_the_selection_counts():
    x = ad.Tensor(POINT)
    root = np.sqrt(x)
    with np.errstate(divide="ignore"):
        (gradient,) = ad.gradients(np.sum(np.where(x > 0, root, 0)) + np.sum(root), [x])
    np.testing.assert_array_equal(gradient, [np.inf, 0.5, 2])


def test_two_selections_of_the_same_value_leave_zero_where_neither_took_it():
    x = ad.Tensor(POINT)
    root = np.sqrt(x)
    loss = np.sum(np.where(x > 0, root, 0)) + np.sum(np.where(x > 1, root, 0))
    np.testing.assert_array_equal(ad.gradients(loss, [x])[0], [0, 0.5, 1])


def test_a_broadcast_value_that_was_never_taken():
    x = ad.Tensor(0.0)
    loss = np.sum(np.where(np.zeros(3, bool), np.sqrt(x) * np.ones(3), 0))
    np.testing.assert_array_equal(ad.gradients(loss, [x])[0], 0)


def test_nothing_masked_reaches_the_user():
    x = ad.Tensor(POINT)
    root = np.sqrt(x)
    chosen = np.where(x > 0, root, 0)
    for record in (False, True):
        for gradient in ad.gradients(np.sum(chosen), [x, root], record=record):
            value = gradient._read() if record else gradient
            assert not isinstance(value, Masked)
    np.testing.assert_array_equal(ad.gradients(np.sum(chosen), [root])[0], [0, 1, 1])
