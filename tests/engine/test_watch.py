"""Looking at gradients and values on their way: on_gradient, anomaly."""

import threading

import numpy as np
import pytest

import autodiff as ad

# --- on_gradient ------------------------------------------------------------------------------------------------------


def test_a_hook_sees_the_whole_gradient_once():
    x = ad.Tensor([1.0, 2.0])
    y = x * 2
    seen = []
    y.on_gradient(lambda g: seen.append(g.copy()))
    np.sum(y * y + y).backward()
    np.testing.assert_array_equal(seen, [[5, 9]])
    np.testing.assert_array_equal(x.grad, [10, 18])


@pytest.mark.parametrize("of_leaf", [True, False])
def test_a_hook_replaces_the_gradient_until_it_is_removed(of_leaf):
    x = ad.Tensor([3.0, -4.0])
    y = x * 2
    watched = x if of_leaf else y
    remove = watched.on_gradient(lambda g: np.clip(g, -1, 1))
    expected = np.array([1.0, -1.0]) if of_leaf else np.array([2.0, -2.0])
    np.testing.assert_array_equal(ad.gradients(np.sum(y * y), [watched, x]), [[1, -1], expected])
    np.sum(y * y).backward()
    np.testing.assert_array_equal(x.grad, expected)
    remove()
    np.testing.assert_array_equal(ad.gradients(np.sum(y * y), [x])[0], [24, -32])


def test_hooks_are_called_in_order_and_see_recorded_gradients():
    x = ad.Tensor(2.0)
    y = x**3
    y.on_gradient(lambda g: g * 2)
    y.on_gradient(lambda g: g + 1)
    (gradient,) = ad.gradients(y * y, [x], record=True)
    assert gradient.item() == (2 * 2 * 8 + 1) * 12  # (2 (2 x^3) + 1) 3 x^2
    through_y, beside = (2 * 4 * 12 + 1) * 12, (4 * 8 + 1) * 12  # the hooks see the second pass, too
    assert ad.gradients(gradient, [x]) == [through_y + beside]


def test_a_hook_sees_a_complex_gradient_as_users_know_it():
    z = ad.Tensor([1 + 2j])
    w = z * 1
    seen = []
    w.on_gradient(lambda g: seen.append(g.copy()))
    np.sum(np.abs(w) ** 2).backward()
    np.testing.assert_allclose(seen, [[2 + 4j]])
    np.testing.assert_allclose(z.grad, [2 + 4j])


def test_what_a_hook_may_not_do():
    x = ad.Tensor([1.0, 2.0])
    with pytest.raises(ad.errors.GradientError, match="carries no gradient"):
        ad.constant(1.0).on_gradient(print)
    x.on_gradient(lambda g: g[:1])
    with pytest.raises(ad.errors.ShapeError, match=r"\(2,\)"):
        np.sum(x).backward()
    y = ad.Tensor([1.0]) * 2
    y.on_gradient(lambda g: g.__setitem__(0, 5))
    with pytest.raises(ValueError, match="read-only"):
        np.sum(y).backward()


# --- anomaly ----------------------------------------------------------------------------------------------------------


def test_the_first_value_that_is_not_finite_is_named_with_its_line():
    x = ad.Tensor([1.0, 0.0, -2.0], name="x")
    with ad.anomaly(), np.errstate(all="ignore"):
        y = x * 2
        with pytest.raises(ad.errors.AnomalyError) as caught:
            np.log(y) * 0  # the line that is named
    said = str(caught.value)
    for word in ("log of y (3,)", "[-4.0 ... 2.0]", "2 of 3 values", "-inf", "nan", "test_watch.py"):
        assert word in said
    assert isinstance(caught.value, FloatingPointError)


@pytest.mark.parametrize(
    "call",
    [
        lambda x: np.exp(x * 1000),
        lambda x: x / (x - x),
        lambda x: np.kron(x * 1e200, x * 1e200),
        lambda x: np.linalg.norm(x * 1e200),
        lambda x: np.sum(x, where=[True, False], initial=np.inf),
        lambda x: np.add.reduce(x * 1e308, initial=1e308),
        lambda x: np.linalg.svd(np.outer(x, x) * 1e200 @ (np.outer(x, x) * 1e200)),
    ],
)
def test_every_kind_of_operation_is_watched(call):
    x = ad.Tensor([1.0, 2.0])
    with np.errstate(all="ignore"):
        call(x)
        with ad.anomaly(), pytest.raises(ad.errors.AnomalyError):
            call(x)


def test_a_gradient_that_is_not_finite_is_named_with_the_line_of_its_operation():
    x = ad.Tensor([0.0, 4.0], name="x")
    with ad.anomaly():
        root = np.sqrt(x)
        loss = np.sum(root * 3)
    with np.errstate(all="ignore"), pytest.raises(ad.errors.AnomalyError) as caught:
        loss.backward()
    for word in ("the gradient of sqrt of x (2,) [0.0 ... 4.0]", "1 of 2 gradients", "inf", "test_watch.py"):
        assert word in str(caught.value)


def test_a_branch_that_was_not_taken_is_no_anomaly():
    x = ad.Tensor([0.0, 4.0])
    with ad.anomaly():
        np.sum(np.where(x > 0, np.sqrt(x), 0)).backward()
    np.testing.assert_array_equal(x.grad, [0, 0.25])


def test_values_and_gradients_are_the_same_and_nothing_is_left_behind():
    x = ad.Tensor([0.5, 4.0])
    loss = np.sum(np.tanh(x) @ np.ones((2, 2)))
    with ad.anomaly():
        watched = np.sum(np.tanh(x) @ np.ones((2, 2)))
        with ad.no_grad():
            assert not (x * 2).requires_grad
        assert (x * 2).requires_grad
    assert watched.item() == loss.item()
    np.testing.assert_array_equal(ad.gradients(watched, [x])[0], ad.gradients(loss, [x])[0])
    with np.errstate(all="ignore"):
        np.log(x * 0)


def test_it_holds_for_its_thread_alone():
    x, found = ad.Tensor([0.0]), []

    def work():
        with np.errstate(all="ignore"):
            found.append(np.log(x))

    with ad.anomaly():
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    assert len(found) == 1


def test_what_is_not_finite_points_here():
    with np.errstate(all="ignore"):
        bad = np.log(ad.Tensor([0.0]))
    assert "anomaly()" in repr(bad)
    assert "anomaly()" not in repr(ad.Tensor([1.0]) * 2)
    assert "anomaly()" not in repr(ad.Tensor([np.inf]))
