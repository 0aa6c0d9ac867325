"""Optimizers: one step after another by hand, what they refuse, and what they remember. PyTorch's: test_pytorch.py."""

import copy
import math

import numpy as np
import pytest

import autodiff as ad
import nn

MAKERS = {
    "SGD": lambda p: nn.SGD(p, lr=0.1),
    "momentum": lambda p: nn.SGD(p, lr=0.1, momentum=0.9),
    "nesterov": lambda p: nn.SGD(p, lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.01),
    "Adam": lambda p: nn.Adam(p, lr=0.1, weight_decay=0.01),
}
each_optimizer = pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
START = [1.0, -2.0, 3.0]


def walk(make, steps=5, start=START, dtype=float):
    """The parameter of sum(w**4) / 4, whose gradient is w**3, after some steps."""
    w = nn.Parameter(start, dtype=dtype)
    optimizer = make([w])
    for _ in range(steps):
        advance(w, optimizer)
    return w, optimizer


def advance(w, optimizer):
    optimizer.zero_grad()
    (np.sum(w**4) / 4).backward()
    optimizer.step()


# --- the updates ------------------------------------------------------------------------------------------------------


def test_sgd_subtracts_the_gradient():
    w, _ = walk(MAKERS["SGD"], steps=1)
    np.testing.assert_allclose(w.numpy(), np.array(START) - 0.1 * np.array(START) ** 3, rtol=1e-15)


@pytest.mark.parametrize("nesterov", [False, True])
@pytest.mark.parametrize("decay", [0.0, 0.05])
def test_momentum_is_its_recurrence(nesterov, decay):
    w, _ = walk(lambda p: nn.SGD(p, 0.01, momentum=0.8, nesterov=nesterov, weight_decay=decay), steps=4)
    expected, velocity = np.array(START), 0.0
    for step in range(4):
        g = expected**3 + decay * expected
        velocity = g if step == 0 else 0.8 * velocity + g
        expected = expected - 0.01 * (g + 0.8 * velocity if nesterov else velocity)
    np.testing.assert_allclose(w.numpy(), expected, rtol=1e-14)


@pytest.mark.parametrize("decay", [0.0, 0.05])
def test_adam_is_its_recurrence(decay):
    w, _ = walk(lambda p: nn.Adam(p, 0.1, betas=(0.7, 0.9), eps=1e-3, weight_decay=decay), steps=4)
    expected, mean, square = np.array(START), 0.0, 0.0
    for t in range(1, 5):
        g = expected**3 + decay * expected
        mean, square = 0.7 * mean + 0.3 * g, 0.9 * square + 0.1 * g**2
        expected = expected - 0.1 * (mean / (1 - 0.7**t)) / (np.sqrt(square / (1 - 0.9**t)) + 1e-3)
    np.testing.assert_allclose(w.numpy(), expected, rtol=1e-13)


def test_the_first_step_of_adam_is_lr_whatever_the_gradient():
    for scale in (1e-3, 1.0, 1e3):
        w = nn.Parameter([scale, -scale])
        optimizer = nn.Adam([w], lr=0.5)
        (scale * w).sum().backward()
        optimizer.step()
        np.testing.assert_allclose(w.numpy(), [scale - 0.5, -scale - 0.5], rtol=1e-4)


# --- what a step leaves alone -----------------------------------------------------------------------------------------


@each_optimizer
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("start", [START, 1.5, np.zeros((0, 3))], ids=["vector", "0-d", "empty"])
def test_dtype_and_shape_hold(make, dtype, start):
    w, optimizer = walk(make, start=start, dtype=dtype)
    assert w.dtype == w.numpy().dtype == w.grad.dtype == dtype
    assert w.shape == np.shape(start)
    assert all(value.dtype == dtype for value in optimizer.state[0].values() if isinstance(value, np.ndarray))
    if np.size(start):
        assert np.all(np.abs(w.numpy()) < np.abs(start))


@each_optimizer
def test_numpy_settings_do_not_widen_float32(make):
    w, optimizer = walk(make, dtype=np.float32)
    optimizer.lr = np.float64(0.05)
    advance(w, optimizer)
    assert type(optimizer.lr) is float
    assert w.numpy().dtype == np.float32


@each_optimizer
def test_arrays_are_replaced_and_never_written(make):
    w, optimizer = walk(make, steps=2)
    optimizer.zero_grad()
    (np.sum(w**4) / 4).backward()
    value, gradient = w.numpy(), w.grad
    before, gradient_before = value.copy(), gradient.copy()
    optimizer.step()
    np.testing.assert_array_equal(value, before)
    np.testing.assert_array_equal(gradient, gradient_before)
    assert w.grad is gradient
    assert np.all(w.numpy() != before)


@each_optimizer
def test_the_state_is_not_the_gradient(make):
    w, optimizer = walk(make, steps=1)
    expected, _ = walk(make, steps=2)
    w.grad[:] = np.nan
    advance(w, optimizer)
    np.testing.assert_array_equal(w.numpy(), expected.numpy())


@each_optimizer
def test_a_second_backward_after_a_step_is_the_first(make):
    w, optimizer = walk(make)
    loss = np.sum(w**4) / 4
    optimizer.zero_grad()
    loss.backward()
    first = w.grad.copy()
    optimizer.step()
    w.zero_grad()
    loss.backward()
    np.testing.assert_array_equal(w.grad, first)


@each_optimizer
def test_parameters_without_gradient_stay(make):
    used, unused = nn.Parameter(START), nn.Parameter(START)
    frozen = nn.Parameter(START, requires_grad=False)
    optimizer = make([unused, used, frozen])
    np.sum(used**2 * frozen).backward()
    optimizer.step()
    np.testing.assert_array_equal(unused.numpy(), START)
    np.testing.assert_array_equal(frozen.numpy(), START)
    assert np.all(used.numpy() != START)
    # a late beginner starts as it would alone
    used_alone, _ = walk(make, steps=1)
    optimizer.zero_grad()
    (np.sum(unused**4) / 4).backward()
    optimizer.step()
    np.testing.assert_array_equal(unused.numpy(), used_alone.numpy())


def test_zero_grad_makes_gradients_none():
    w, optimizer = walk(MAKERS["SGD"])
    assert w.grad is not None
    optimizer.zero_grad()
    assert w.grad is None


@each_optimizer
def test_recording_goes_on_after_a_step(make):
    w, _ = walk(make)
    assert w.requires_grad
    assert (w * 2).requires_grad


# --- what they are given ----------------------------------------------------------------------------------------------


@each_optimizer
def test_parameters_may_come_from_a_generator(make):
    model = nn.Linear(2, 1, rng=0)
    optimizer = make(model.parameters())
    assert [id(p) for p in optimizer.parameters] == [id(model.weight), id(model.bias)]


def test_plain_tensors_train_too():
    w = ad.Tensor(START)
    advance(w, nn.SGD([w], lr=0.1))
    assert np.all(w.numpy() != START)


W = nn.Parameter(1.0)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: nn.SGD([W], lr=-0.1), ValueError, "lr must be at least 0 and finite, not -0.1"),
        (lambda: nn.SGD([W], lr=math.nan), ValueError, "lr must be at least 0 and finite, not nan"),
        (lambda: nn.SGD([W], lr=math.inf), ValueError, "lr must be at least 0 and finite, not inf"),
        (lambda: nn.SGD([W], lr="fast"), TypeError, "lr must be a number, not 'fast'"),
        (lambda: nn.SGD([W], lr=0.1, momentum=-1), ValueError, "momentum must be at least 0"),
        (lambda: nn.SGD([W], lr=0.1, weight_decay=-1), ValueError, "weight_decay must be at least 0"),
        (lambda: nn.SGD([W], lr=0.1, nesterov=True), ValueError, "give a momentum above 0"),
        (lambda: nn.Adam([W], lr=-1), ValueError, "lr must be at least 0"),
        (lambda: nn.Adam([W], betas=(1.0, 0.9)), ValueError, "beta1 must be at least 0 and less than 1, not 1.0"),
        (lambda: nn.Adam([W], betas=(0.9, -0.1)), ValueError, "beta2 must be at least 0 and less than 1"),
        (lambda: nn.Adam([W], betas=0.9), TypeError, r"betas must be a pair such as \(0.9, 0.999\), not 0.9"),
        (lambda: nn.Adam([W], eps=-1e-8), ValueError, "eps must be at least 0"),
        (lambda: nn.SGD([], lr=0.1), ValueError, "no parameters to optimize"),
        (lambda: nn.SGD([nn.Parameter(1.0, requires_grad=False)], lr=0.1), ValueError, "no parameters to optimize"),
        (lambda: nn.SGD(nn.Linear(1, 1), lr=0.1), TypeError, r"write model.parameters\(\)"),
        (lambda: nn.SGD(W, lr=0.1), TypeError, r"write \[parameter\]"),
        (lambda: nn.SGD([W, np.ones(2)], lr=0.1), TypeError, "parameter 1 is a ndarray, not a Tensor"),
        (lambda: nn.SGD([W, nn.Parameter(1.0), W], lr=0.1), ValueError, "parameter 2 is parameter 0 again"),
        (lambda: nn.SGD([W * 2], lr=0.1), ad.errors.GradientError, "leaves only"),
    ],
)
def test_optimizers_refuse_bad_arguments(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_settings_are_checked_later_too():
    optimizer = nn.Adam([nn.Parameter(1.0)])
    with pytest.raises(ValueError, match="lr must be at least 0"):
        optimizer.lr = -1.0
    with pytest.raises(ValueError, match="beta1 must be"):
        optimizer.beta1 = 2.0
    assert optimizer.lr == 1e-3
    assert optimizer.beta1 == 0.9


def test_an_iterator_that_is_used_up_is_an_error():
    parameters = nn.Linear(1, 1).parameters()
    nn.SGD(parameters, lr=0.1)
    with pytest.raises(ValueError, match="an iterator already used up"):
        nn.SGD(parameters, lr=0.1)


def test_an_optimizer_of_ones_own_states_its_direction():
    class Sign(nn.optim.Optimizer):
        def direction(self, gradient, state):
            return np.sign(gradient)

    w, optimizer = walk(lambda p: Sign(p, lr=0.5), steps=1)
    np.testing.assert_array_equal(w.numpy(), [0.5, -1.5, 2.5])
    assert repr(optimizer) == "Sign(lr=0.5, weight_decay=0.0) of 3 parameters"
    with pytest.raises(NotImplementedError, match="Optimizer defines no direction"):
        walk(lambda p: nn.optim.Optimizer(p, lr=0.5), steps=1)


def test_repr_says_the_settings():
    assert repr(MAKERS["nesterov"]([nn.Parameter(START)])) == (
        "SGD(lr=0.1, weight_decay=0.01, momentum=0.9, nesterov=True) of 3 parameters"
    )


# --- state ------------------------------------------------------------------------------------------------------------


@each_optimizer
def test_a_loaded_state_goes_on_to_the_bit(make):
    w, optimizer = walk(make, steps=3)
    optimizer.lr = 0.03
    twin = nn.Parameter(w.numpy())
    resumed = make([twin])
    resumed.load_state_dict(optimizer.state_dict())
    for _ in range(3):
        advance(w, optimizer)
        advance(twin, resumed)
    assert resumed.lr == 0.03
    np.testing.assert_array_equal(twin.numpy(), w.numpy())


@each_optimizer
def test_state_dict_holds_copies(make):
    w, optimizer = walk(make)
    state = optimizer.state_dict()
    frozen = copy.deepcopy(state)
    resumed = make([nn.Parameter(START)])
    resumed.load_state_dict(state)
    advance(w, optimizer)
    advance(resumed.parameters[0], resumed)
    np.testing.assert_equal(state, frozen)


def test_a_loaded_state_takes_the_parameters_dtype():
    _, optimizer = walk(MAKERS["Adam"])
    w, resumed = walk(MAKERS["Adam"], dtype=np.float32, steps=0)
    resumed.load_state_dict(optimizer.state_dict())
    assert resumed.state[0]["mean"].dtype == np.float32
    advance(w, resumed)
    assert w.numpy().dtype == np.float32


def change(**entries):
    return lambda state: state | entries


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (change(extra=1), "no state_dict"),
        (lambda state: {"state": state["state"]}, "no state_dict"),
        (lambda state: nn.SGD([nn.Parameter(START)], lr=1).state_dict(), "no state_dict.. of Adam, whose settings are"),
        (change(state=[]), "the state is of 0 parameters, and this optimizer has 1"),
        (lambda state: state | {"settings": state["settings"] | {"lr": -1}}, "lr must be at least 0"),
        (
            lambda state: state | {"state": [state["state"][0] | {"square": np.ones(2)}]},
            r"square of parameter 0 is \(2,\), not \(3,\)",
        ),
    ],
)
def test_loading_is_strict_and_all_or_nothing(spoil, message):
    _, optimizer = walk(MAKERS["Adam"])
    before = optimizer.state_dict()
    _, other = walk(lambda p: nn.Adam(p, lr=0.7), steps=2)
    with pytest.raises(ValueError, match=message):
        optimizer.load_state_dict(spoil(other.state_dict()))
    np.testing.assert_equal(optimizer.state_dict(), before)
