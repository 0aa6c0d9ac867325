"""The bound of a derivative from values is honest: against mpmath, in cases of every kind that is known to be hard.

A case is a function of (m, x), where m is NumPy, or `EXACT` with 60 digits, and the point. The true slope is a
difference in those digits: no second formula by the same hand.
"""

import math
import warnings
from types import SimpleNamespace

import mpmath
import numpy as np
import pytest

from autodiff.differences import complex_step, derivative

FUNCTIONS = ("exp", "log", "sin", "cos", "tanh", "sqrt")
EXACT = SimpleNamespace(**{name: np.frompyfunc(getattr(mpmath.mp, name), 1, 1) for name in FUNCTIONS})
FEW, MANY = 10, 436  # cases of a kind


def sigmoid(m, x):
    return 1 / (1 + m.exp(-x))


def smooth(m, u):
    """Something of everything, for numbers of about 1."""
    return np.sum(m.tanh(u) + 0.3 * u**2 - m.sin(1.7 * u) + sigmoid(m, 2 * u - 1) + m.exp(-(u**2)))


def size(rng, low=-8, high=8):
    return 10 ** rng.uniform(low, high)


# --- kinds of case ----------------------------------------------------------------------------------------------------


def network(rng):
    X, V, Y = rng.normal(size=(5, 3)), rng.normal(size=(4, 2)), rng.normal(size=(5, 2))
    act = sigmoid if rng.random() < 0.5 else lambda m, z: m.tanh(z)
    return lambda m, W: np.sum((act(m, act(m, X @ W) @ V) - Y) ** 2) / 2, rng.normal(size=(3, 4))


def relu_network(rng):
    X, V, Y = rng.normal(size=(5, 3)), rng.normal(size=(4, 2)), rng.normal(size=(5, 2))
    relu = lambda z: (z + abs(z)) / 2  # noqa: E731
    return lambda m, W: np.sum((relu(X @ W) @ V - Y) ** 2) / 2, rng.normal(size=(3, 4))


def softmax(rng):
    X, Y = rng.normal(size=(4, 3)) * size(rng, -1, 1.3), np.eye(5)[rng.integers(5, size=4)]

    def f(m, W):
        e = m.exp(X @ W)
        return -np.sum(Y * m.log(e / np.sum(e, axis=1, keepdims=True)))

    return f, rng.normal(size=(3, 5))


def scales(rng):
    a, b = size(rng), size(rng)
    return lambda m, x: b * smooth(m, x / a), a * rng.normal(size=3)


def products(rng):
    power = int(rng.integers(1, 6))
    return lambda m, x: np.prod(x) ** 2 + np.sum(x**power), size(rng) * rng.normal(size=3)


def cubes(rng):
    return lambda m, x: np.sum(x**3), np.array([1e8]) * rng.uniform(-2, 2)


def offsets(rng):
    c = size(rng, 0)
    return lambda m, x: c + smooth(m, x), rng.normal(size=3)


def hidden_offsets(rng):
    c = size(rng, 0)
    return lambda m, x: ((c + smooth(m, x)) - c) * 3.7, rng.normal(size=3)


def far_points(rng):
    c = size(rng, 0)
    return lambda m, x: smooth(m, x - c), c + rng.normal(size=2)


def cancelling(rng):
    c = size(rng, -3, 0)
    return lambda m, x: np.sum(m.cos(x) ** 2 + m.sin(x) ** 2) + c * smooth(m, x), rng.normal(size=3)


def oscillation(rng):
    w = size(rng, 0, 4)
    return lambda m, x: np.sum(m.sin(w * x)), rng.normal(size=int(rng.integers(1, 4)))


def oscillation_on_a_slope(rng):
    w, a = size(rng, 0, 4), size(rng, -6, 1)
    return lambda m, x: smooth(m, x) + a * np.sum(m.cos(w * x)), rng.normal(size=3)


def steep(rng):
    w = size(rng, 0, 5)
    return lambda m, x: smooth(m, x) + np.sum(m.tanh(w * (x - 0.1))), rng.normal(size=2) * size(rng, -4, 0)


def kinks_nearby(rng):
    x = rng.normal(size=3)
    at, slope = x + size(rng, -12, 0) * rng.normal(size=3), size(rng, -3, 2)
    return lambda m, x: smooth(m, x) + slope * np.sum(abs(x - at)), x


def hinges(rng):
    x = rng.normal(size=3)
    at = x + size(rng, -9, 0) * rng.normal(size=3)
    return lambda m, x: np.sum((abs(x - at) + (x - at)) / 2), x


def logarithms(rng):
    return lambda m, x: np.sum(m.log(x)), size(rng) * rng.uniform(0.1, 2, 3)


def small_logarithms(rng):
    return lambda m, x: np.sum(m.log(x)), np.array([1e-8]) * rng.uniform(0.5, 2)


def roots_and_reciprocals(rng):
    return lambda m, x: np.sum(m.sqrt(x) + 1 / x), size(rng, -4, 4) * rng.uniform(0.5, 2, 2)


def saturation(rng):
    return lambda m, x: np.sum(sigmoid(m, x)), rng.uniform(-40, 40, size=1)


def overflow(rng):
    w = size(rng, 0, 3.3)
    return lambda m, x: np.sum(m.exp(w * x)), rng.uniform(-1, 0.3, size=2)


def zero(rng):
    return lambda m, x: smooth(m, x) + np.sum(x), np.zeros(3)


def float32_scales(rng):
    f, x = scales(rng)
    return lambda m, x: f(m, x if m is EXACT else x.astype(np.float32)), x


def float32_network(rng):
    """In float32, but for the last sum: nothing that f returns tells it."""
    arrays = [rng.normal(size=shape).astype(np.float32) for shape in ((5, 3), (4, 2), (5, 2))]

    def f(m, W):
        X, V, Y = (x.astype(float) for x in arrays) if m is EXACT else arrays
        out = m.tanh(m.tanh(X @ (W if m is EXACT else W.astype(np.float32))) @ V) - Y
        return np.sum(out.astype(float) ** 2 if m is not EXACT else out**2) / 3

    return f, rng.normal(size=(3, 4))


def many_weights(rng):
    return lambda m, x: np.sum(x**2) / 20, rng.normal(size=10_000) * size(rng, -3, 1)


EASY = [network, relu_network, softmax, scales]
ANALYTIC = [network, softmax, scales, products, cubes, offsets, hidden_offsets, far_points, cancelling, oscillation]
ANALYTIC += [oscillation_on_a_slope, steep, logarithms, small_logarithms, roots_and_reciprocals, saturation, zero]
KINDS = [*ANALYTIC, relu_network, kinks_nearby, hinges, overflow, float32_scales, float32_network, many_weights]


# --- and their slopes -------------------------------------------------------------------------------------------------


def slope(f, x, v):
    """In 60 digits, by a step so small that it meets no kink."""
    with mpmath.workdps(60):
        x, v = (np.frompyfunc(mpmath.mpf, 1, 1)(array) for array in (x, v))
        h = mpmath.mpf(10) ** -22 * max(np.max(abs(x)), mpmath.mpf(1) / 100) / np.max(abs(v))
        return float((f(EXACT, x + h * v) - f(EXACT, x - h * v)) / (2 * h))


def cases(kind, number, seed=0):
    """The functions, points, directions and slopes of some cases."""
    for i in range(number if kind is not many_weights else math.ceil(number / 40)):  # 60 digits take their time
        rng = np.random.default_rng([seed, KINDS.index(kind), i])
        f, x = kind(rng)
        one = np.arange(x.size).reshape(x.shape) == rng.integers(x.size)
        v = rng.normal(size=x.shape) if i % 2 else one.astype(float)
        with np.errstate(all="ignore"):
            yield lambda y, f=f: f(np, y), x, v, slope(f, x, v)


def measured(method, kind, number, seed=0):
    """The share of honest bounds, and the median of the digits that they claim."""
    found = [(method(f, x, v), true) for f, x, v, true in cases(kind, number, seed)]
    honest = [abs(estimate.value - true) <= estimate.bound for estimate, true in found]
    digits = [-math.log10(max(estimate.bound / abs(true), 1e-17)) for estimate, true in found if true]
    return np.mean(honest), np.median(digits)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_the_bound_is_honest(kind):
    honest, _ = measured(derivative, kind, FEW)
    assert honest == 1


@pytest.mark.exhaustive
def test_the_bound_is_honest_in_ten_thousand_cases():
    rates = {kind.__name__: measured(derivative, kind, MANY, seed=1)[0] for kind in KINDS}
    assert min(rates.values()) >= 0.99, rates
    assert np.mean([*rates.values()]) >= 0.999, rates


@pytest.mark.parametrize("kind", ANALYTIC, ids=lambda kind: kind.__name__)
def test_the_bound_of_a_complex_step_is_honest(kind):
    with np.errstate(all="ignore"):
        honest, _ = measured(complex_step, kind, FEW)
    assert honest == 1


def test_the_bound_is_useful():
    assert np.median([measured(derivative, kind, 20)[1] for kind in EASY]) > 10.9
    assert np.median([measured(complex_step, kind, 20)[1] for kind in (network, softmax, scales)]) > 13.5


# --- the interface ----------------------------------------------------------------------------------------------------


def test_at_a_kink_the_bound_spans_the_slopes_of_both_sides():
    value, bound, _ = derivative(lambda x: 3 * abs(x[0] - 0.3) + x[0], np.array([0.3]), np.ones(1))
    assert value == pytest.approx(1)
    assert bound > 3


def test_within_reach_of_a_kink_smaller_steps_stay_clear_of_it():
    f = lambda x: max(x[0] - 0.301, 0.0)  # noqa: E731
    assert derivative(f, np.array([0.3]), np.ones(1)).bound > 0.1
    value, bound, _ = derivative(f, np.array([0.3]), np.ones(1), reach=1e-3)
    assert value == 0
    assert bound < 1e-200


@pytest.mark.parametrize("f", [lambda x: 1.0, lambda x: np.float32(2), lambda x: np.array(3.0), lambda x: 0])
def test_of_what_does_not_change_it_is_zero(f):
    value, bound, _ = derivative(f, np.ones((2, 3)), np.ones((2, 3)))
    assert value == 0
    assert bound < 1e-4


def test_without_a_direction_it_is_zero():
    assert derivative(np.sum, np.ones(3), np.zeros(3)) == (0, 0, 1)
    assert derivative(np.sum, np.zeros((0, 3)), np.zeros((0, 3))) == (0, 0, 1)
    assert complex_step(np.sum, np.ones(3), np.zeros(3)) == (0, 0, 0)


@pytest.mark.parametrize("scale", [1e-320, 1e-200, 1e200])
def test_numbers_at_the_ends_of_the_range_pass(scale):
    value, bound, _ = derivative(lambda x: np.sum(x), np.full(3, scale), np.ones(3))
    assert not abs(value - 3) > bound


def test_what_is_not_finite_is_not_known():
    with np.errstate(all="ignore"):
        assert derivative(lambda x: np.log(x[0]), np.array([-1.0]), np.ones(1)).bound == math.inf
    assert derivative(lambda x: np.where(x[0] == 1, 1.0, np.nan), np.ones(1), np.ones(1)).bound == math.inf


def test_a_step_without_slope_is_not_known():
    assert derivative(lambda x: float(x[0] >= 0.3), np.array([0.3]), np.ones(1)).bound > 1


def test_the_type_that_f_returns_tells_its_rounding_and_eps_does():
    f, x, v = lambda x: np.tanh(x[0]), np.array([0.3]), np.ones(1)
    double, single = derivative(f, x, v), derivative(lambda x: np.float32(f(x)), x, v)
    told = derivative(f, x, v, eps=1e-7)
    assert double.bound < 1e-9 < 1e-7 < min(single.bound, told.bound)


def test_far_steps_may_overflow_warn_and_fail_without_a_word():
    def f(x):
        if x[0] > 1.1:
            raise ValueError("math domain error")
        if x[0] < 0.9:
            warnings.warn("far", RuntimeWarning, stacklevel=2)
        return np.exp(700 * x[0])

    value, bound, _ = derivative(f, np.array([1.0]), np.ones(1))
    assert abs(value - 700 * math.exp(700)) <= bound < 1e-3 * value


def test_errors_at_the_point_itself_are_the_users():
    with pytest.raises(ZeroDivisionError):
        derivative(lambda x: 1 / 0, np.ones(1), np.ones(1))


def test_points_are_new_arrays():
    x, v, seen = np.ones(2), np.ones(2), []

    def f(y):
        seen.append(y)
        y[:] = y**2
        return np.sum(y)

    assert derivative(f, x, v).value == pytest.approx(4)
    assert np.all(x == 1)
    assert np.all(v == 1)
    assert len({id(y) for y in seen}) == len(seen)
