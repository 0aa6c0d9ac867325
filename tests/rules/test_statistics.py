"""Reductions and statistics at their edges: nan, ties, what is left out, what NumPy may overwrite."""

import warnings

import numpy as np
import pytest

import autodiff as ad

nan = np.nan
SKIPPING = {
    np.nansum: 1, np.nanprod: 4, np.nanmax: 0, np.nanmin: 1, np.nanmean: 1 / 2, np.nanvar: -3 / 2, np.nanstd: -1 / 2,
    np.nanmedian: 1 / 2, np.nancumsum: 2, np.nancumprod: 5,
}  # fmt: skip


def gradient(function, x):
    x = ad.Tensor(x)
    return ad.gradients(np.sum(function(x)), [x])[0]


@pytest.mark.parametrize("function", SKIPPING, ids=lambda function: function.__name__)
def test_the_gradient_of_nan_is_zero(function):
    np.testing.assert_allclose(gradient(function, [nan, 1.0, 4.0])[:2], [0, SKIPPING[function]])
    with np.errstate(invalid="ignore"):
        undefined = gradient(lambda x: function(np.sqrt(x)), [-1.0, 1.0, 4.0])
    assert undefined[0] == 0
    assert np.isfinite(undefined).all()


@pytest.mark.parametrize("function", [*SKIPPING, lambda x: np.nanquantile(x, 0.3)])
def test_of_nothing_but_nan_it_is_zero(function):
    with warnings.catch_warnings(action="ignore"):
        np.testing.assert_array_equal(gradient(function, [nan, nan]), 0)


@pytest.mark.parametrize("function", [np.median, np.max, np.min, lambda x: np.quantile(x, [0.2, 0.9])])
def test_where_nan_counts_it_was_selected(function):
    found = gradient(function, [1.0, nan, 3.0])
    assert found[1] > 0
    assert found[0] == found[2] == 0


@pytest.mark.parametrize("function", [np.sum, np.prod, np.mean, np.max, np.min, np.var, np.std])
def test_what_where_leaves_out_contributes_zero(function):
    keywords = {"initial": 0.0} if function in (np.max, np.min) else {}
    with np.errstate(divide="ignore"):
        found = gradient(lambda x: function(np.log(x), where=[False, True, True], **keywords), [0.0, 0.5, 2.0])
    assert found[0] == 0
    assert np.isfinite(found).all()


@pytest.mark.parametrize("function", [np.std, np.nanstd])
@pytest.mark.parametrize("keywords", [{}, {"where": [True, True, False]}, {"mean": 2.0}, {"correction": 1}])
def test_the_deviation_of_equal_numbers_has_no_slope(function, keywords):
    np.testing.assert_array_equal(gradient(lambda x: function(x, **keywords), [2.0, 2.0, 2.0]), 0)


def test_the_initial_value_takes_its_share_of_a_tie():
    np.testing.assert_array_equal(gradient(lambda x: np.max(x, initial=2.0), [2.0, 1.0, 2.0]), [1 / 3, 0, 1 / 3])
    np.testing.assert_array_equal(gradient(lambda x: np.max(x, initial=3.0), [2.0, 1.0, 2.0]), 0)


@pytest.mark.parametrize("call", [
    lambda x: np.median(x, overwrite_input=True),
    lambda x: np.median(x, None, None, True),
    lambda x: np.quantile(x, 0.3, None, None, True),
    lambda x: np.nanpercentile(x, 30, overwrite_input=True),
])  # fmt: skip
def test_the_input_is_never_overwritten(call):
    x = ad.Tensor([3.0, 1.0, 2.0, 5.0, 4.0])
    out = call(x)
    np.testing.assert_array_equal(x.numpy(), [3, 1, 2, 5, 4])
    assert out.item() == call(x.numpy().copy())


def test_where_numpy_mixes_up_the_axes_there_is_an_error():
    x, q = ad.Tensor(np.arange(12.0).reshape(2, 3, 2)), [[0.1, 0.2], [0.3, 0.4]]
    with pytest.raises(ad.errors.GradientError, match="flat q"):
        np.nanquantile(x, q, axis=(0, 1)).sum().backward()


def test_indices_counts_and_constant_edges_carry_no_gradient():
    x = ad.Tensor([1.0, 2.0, 4.0])
    counts, edges = np.histogram(x, bins=2)
    assert not counts.requires_grad
    np.testing.assert_array_equal(ad.gradients(edges[1], [x])[0], [0.5, 0, 0.5])
    np.testing.assert_array_equal(ad.gradients(np.histogram(x, 2, (0, 5))[1].sum(), [x])[0], 0)


def test_the_derivative_of_a_quantile_in_q():
    q = ad.Tensor([0.3, 0.6])
    np.testing.assert_allclose(ad.gradients(np.sum(np.quantile([1.0, 2.0, 4.0, 8.0], q)), [q])[0], [3, 6])
    np.testing.assert_array_equal(ad.gradients(np.sum(np.quantile([1.0, 2.0], q, method="lower")), [q])[0], 0)


def test_tensors_in_lists():
    a, b = ad.Tensor(1.0), ad.Tensor(3.0)
    out = np.average([a, b], weights=np.stack([b, a]))
    np.testing.assert_allclose(ad.gradients(out, [a, b]), [3 / 4 + (3 - 1.5) / 4, 1 / 4 + (1 - 1.5) / 4])
