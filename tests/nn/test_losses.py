"""Losses: values and gradients against formulas, finite differences, exact arithmetic and PyTorch."""

import re
from fractions import Fraction

import numpy as np
import pytest

import autodiff as ad
import nn
from nn.losses import LOSSES

RNG = np.random.default_rng(0)
PREDICTION = RNG.normal(size=(4, 3))
TARGETS = {
    "mse": RNG.normal(size=(4, 3)),
    "squared_error": RNG.normal(size=(4, 3)),
    "cross_entropy": np.array([2, 0, 1, 2]),
    "binary_cross_entropy": RNG.uniform(size=(4, 3)),
}
ELEMENTWISE = ["mse", "squared_error", "binary_cross_entropy"]
each_loss = pytest.mark.parametrize("name", LOSSES)
each_elementwise = pytest.mark.parametrize("name", ELEMENTWISE)


def as_written(name, p, y):
    """The textbook's formula."""
    if name == "mse":
        return np.mean((p - y) ** 2)
    if name == "squared_error":
        return np.sum((p - y) ** 2) / 2
    if name == "cross_entropy":
        softmax = np.exp(p) / np.exp(p).sum(axis=-1, keepdims=True)
        return -np.mean([np.log(softmax[index][y[index]]) for index in np.ndindex(y.shape)])
    sigmoid = 1 / (1 + np.exp(-p))
    return -np.mean(y * np.log(sigmoid) + (1 - y) * np.log(1 - sigmoid))


def gradient(loss, prediction, target):
    t = ad.Tensor(prediction)
    loss(t, target).backward()
    return t.grad


# --- values and gradients ---------------------------------------------------------------------------------------------


@each_loss
def test_a_loss_is_its_formula(name):
    value = LOSSES[name](ad.Tensor(PREDICTION), TARGETS[name])
    assert value.shape == ()
    np.testing.assert_allclose(value.item(), as_written(name, PREDICTION, TARGETS[name]), rtol=1e-14)


@each_loss
def test_a_loss_of_plain_arrays_is_a_number(name):
    value = LOSSES[name](PREDICTION, TARGETS[name])
    assert isinstance(value, np.floating)
    np.testing.assert_allclose(value, as_written(name, PREDICTION, TARGETS[name]), rtol=1e-14)


@each_loss
def test_the_gradient_of_a_loss_is_its_difference_quotient(name):
    found, step = gradient(LOSSES[name], PREDICTION, TARGETS[name]), 1e-6
    for index in np.ndindex(PREDICTION.shape):
        shift = np.zeros_like(PREDICTION)
        shift[index] = step
        above, below = (as_written(name, PREDICTION + s, TARGETS[name]) for s in (shift, -shift))
        np.testing.assert_allclose(found[index], (above - below) / (2 * step), rtol=1e-6, atol=1e-9)


@each_loss
def test_a_loss_and_its_gradient_equal_pytorchs(name):
    torch = pytest.importorskip("torch")
    functional = torch.nn.functional
    theirs = {
        "mse": functional.mse_loss,
        "squared_error": lambda p, y: functional.mse_loss(p, y, reduction="sum") / 2,
        "cross_entropy": functional.cross_entropy,
        "binary_cross_entropy": functional.binary_cross_entropy_with_logits,
    }[name]
    for scale in (1.0, 30.0, 1e4):
        p = torch.tensor(PREDICTION * scale, requires_grad=True)
        value = theirs(p, torch.tensor(TARGETS[name]))
        value.backward()
        t = ad.Tensor(PREDICTION * scale)
        ours = LOSSES[name](t, TARGETS[name])
        ours.backward()
        np.testing.assert_allclose(ours.item(), value.item(), rtol=1e-12)
        np.testing.assert_allclose(t.grad, p.grad.numpy(), rtol=1e-10, atol=1e-16)


def test_the_gradient_of_squared_error_is_the_difference():
    y = TARGETS["squared_error"]
    np.testing.assert_array_equal(gradient(nn.squared_error, PREDICTION, y), PREDICTION - y)


def test_the_gradient_of_binary_cross_entropy_has_no_kink_at_zero():
    for target in (0.0, 0.25, 1.0):
        assert gradient(nn.binary_cross_entropy, [0.0], [target]).item() == 0.5 - target


# --- extremes ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("wrong", [False, True])
def test_extreme_logits_give_the_limit(dtype, wrong):
    logits = np.array([[1e4, -1e4], [-1e4, 1e4]], dtype)
    labels = np.array([0, 1]) ^ wrong
    one_hot = np.eye(2, dtype=dtype)[labels]
    for loss, target, limit in (
        (nn.cross_entropy, labels, 2e4 * wrong),
        (nn.binary_cross_entropy, one_hot, 1e4 * wrong),
    ):
        t = ad.Tensor(logits)
        value = loss(t, target)
        value.backward()
        assert value.dtype == t.grad.dtype == dtype
        assert value.item() == limit
        count = 2 if loss is nn.cross_entropy else 4
        np.testing.assert_allclose(t.grad, (np.sign(logits) / 2 + 0.5 - one_hot) / count, rtol=1e-6)


def test_small_losses_keep_their_digits():
    value = nn.binary_cross_entropy(ad.Tensor([30.0, -30.0]), [1.0, 0.0]).item()
    np.testing.assert_allclose(value, np.log1p(np.exp(-30.0)), rtol=1e-15)
    # far from zero the digits are lost unless the largest logit is subtracted first
    value = nn.cross_entropy(ad.Tensor(np.array([[1e4, 1e4 - 0.5]], np.float32)), [0]).item()
    np.testing.assert_allclose(value, np.log1p(np.exp(-0.5)), rtol=5e-7)


def test_mse_of_fractions_is_exact():
    p, y = [0.5, 0.25, -1.5, 2.0], [1.0, 0.0, 0.5, -2.0]
    exact = sum((Fraction(a) - Fraction(b)) ** 2 for a, b in zip(p, y, strict=True))
    assert nn.mse(ad.Tensor(p), y).item() == float(exact / 4)
    assert nn.squared_error(ad.Tensor(p), y).item() == float(exact / 2)


# --- shapes -----------------------------------------------------------------------------------------------------------


@each_elementwise
@pytest.mark.parametrize(
    ("prediction", "target", "remedy"),
    [
        ((5, 1), (5,), r"target.reshape\(5, 1\)"),
        ((5,), (5, 1), r"target.reshape\(5\)"),
        ((1,), (5,), "the model's last layer"),
        ((), (5,), "the model's last layer"),
        ((5, 3), (2, 5, 3), "the model's last layer"),
        ((5, 3), (5,), "the model's last layer"),
        ((5, 3), (5, 2), "the model's last layer"),
        ((2, 3), (3, 2), r"target.reshape\(2, 3\)"),
    ],
)
def test_a_target_that_would_enlarge_the_loss_is_refused(name, prediction, target, remedy):
    message = re.escape(f"{name}: prediction {prediction} and target {target} do not match")
    for wrap in (np.asarray, ad.constant):
        with pytest.raises(ad.errors.ShapeError, match=f"{message}.*{remedy}"):
            LOSSES[name](ad.Tensor(np.full(prediction, 0.5)), wrap(np.full(target, 0.5)))


@each_elementwise
@pytest.mark.parametrize("shape", [(), (1,), (3,), (1, 3), (4, 1)])
def test_a_target_may_broadcast_to_the_prediction(name, shape):
    target = RNG.uniform(size=shape)
    value = LOSSES[name](ad.Tensor(PREDICTION), target).item()
    assert value == LOSSES[name](ad.Tensor(PREDICTION), np.broadcast_to(target, PREDICTION.shape)).item()


@pytest.mark.parametrize("shape", [(), (1,), (5,), (2, 3), (2, 1, 3)])
def test_cross_entropy_takes_any_leading_shape(shape):
    logits = RNG.normal(size=(*shape, 4))
    labels = RNG.integers(4, size=shape)
    value = nn.cross_entropy(ad.Tensor(logits), labels).item()
    np.testing.assert_allclose(value, as_written("cross_entropy", logits, labels), rtol=1e-14)
    found = gradient(nn.cross_entropy, logits, labels)
    softmax = np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)
    np.testing.assert_allclose(found, (softmax - np.eye(4)[labels]) / labels.size, rtol=1e-12, atol=1e-16)


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int64, np.uint64])
def test_labels_may_be_integers_of_any_kind(dtype):
    labels = TARGETS["cross_entropy"]
    expected = nn.cross_entropy(ad.Tensor(PREDICTION), labels).item()
    for given in (labels.astype(dtype), ad.constant(labels.astype(dtype)), labels.tolist()):
        assert nn.cross_entropy(ad.Tensor(PREDICTION), given).item() == expected


@pytest.mark.parametrize(
    ("logits", "labels", "error", "message"),
    [
        ((4, 3), np.ones((4, 3)), TypeError, r"integers of shape \(4,\), not float64 \(4, 3\): .*argmax\(axis=-1\)"),
        ((4, 3), np.ones(4), TypeError, r"not float64 \(4,\): write labels.astype\(int\)"),
        ((4, 3), np.ones(4, bool), TypeError, "not bool"),
        ((4, 3), ad.Tensor([0, 1, 2, 0]), TypeError, "not float64"),
        ((4, 3), np.ones((4, 1), int), ad.errors.ShapeError, r"logits \(4, 3\) and labels \(4, 1\) do not match"),
        ((4, 3), np.ones(3, int), ad.errors.ShapeError, r"logits \(4, 3\) and labels \(3,\)"),
        ((), np.array(0), ad.errors.ShapeError, r"logits \(\) and labels \(\)"),
        ((4, 3), np.array([0, 1, 2, 3]), ValueError, r"from 0 to 2 for logits \(4, 3\), and these from 0 to 3"),
        ((4, 3), np.array([0, 1, 2, -1]), ValueError, "and these from -1 to 2"),
    ],
)
def test_cross_entropy_refuses_other_labels(logits, labels, error, message):
    with pytest.raises(error, match=message):
        nn.cross_entropy(ad.Tensor(np.zeros(logits)), labels)


@pytest.mark.parametrize("target", [[-1.0, 1.0], [0.0, 2.0], [0.5, np.nan]])
def test_binary_cross_entropy_refuses_targets_outside_0_to_1(target):
    with pytest.raises(ValueError, match=r"targets lie in \[0, 1\], not from"):
        nn.binary_cross_entropy(ad.Tensor([0.0, 0.0]), target)


# --- dtypes -----------------------------------------------------------------------------------------------------------


@each_elementwise
@pytest.mark.parametrize("kind", [np.int64, np.uint8, bool])
def test_float32_stays_float32_with_targets_of_any_kind(name, kind):
    t = ad.Tensor(PREDICTION.astype(np.float32))
    target = PREDICTION > 0
    expected = LOSSES[name](t, target.astype(np.float32)).item()
    for given in (target.astype(kind), ad.constant(target.astype(kind))):
        value = LOSSES[name](t, given)
        assert value.dtype == np.float32
        assert value.item() == expected
    value.backward()
    assert t.grad.dtype == np.float32


@each_loss
def test_a_target_has_no_gradient_and_is_not_written(name):
    target = np.array(TARGETS[name])
    target.setflags(write=False)
    y = ad.constant(target)
    LOSSES[name](ad.Tensor(PREDICTION), y).backward()
    assert y.grad is None
