"""Elementwise rows over their whole domain, ends, zeros and infinities included, against mpmath.

The truth is a difference quotient of mpmath's own function, of so many digits that nothing is lost: no formula for a
derivative stands here. At 0 and at infinity it is where the quotients next to it lead, at the end of a domain those
inside it; where the function is not real it is nan.
"""

import functools
import itertools
import math
import operator
import random
import warnings

import mpmath
import numpy as np
import pytest
from hypothesis import settings
from mpmath import mp, mpc, mpf

import autodiff as ad
from autodiff.primitive import TABLE
from autodiff.readers.coverage import ABSOLUTE
from autodiff.rules.bessel import bessel

inf, nan = math.inf, math.nan
COUNT = settings().max_examples // 3  # of random points, and of pairs of edges

ULPS = 4
FAR, NEAR = mpf(10) ** 330, mpf(10) ** -330  # on the way to inf and to 0: out of the range of floats
STEP = mpf(10) ** -40  # of the difference quotient, relative


# --- the functions ----------------------------------------------------------------------------------------------------


def cbrt(x):
    return mpmath.sign(x) * mpmath.cbrt(abs(x))


def fmod(x, y):
    return x - y * mpmath.sign(x / y) * mpmath.floor(abs(x / y))


def logaddexp(x, y):
    return max(x, y) + (mpmath.log(1 + mpmath.exp(-abs(x - y))) if abs(x - y) < 1e5 else 0)


def logaddexp2(x, y):
    return logaddexp(x * mpmath.ln2, y * mpmath.ln2) / mpmath.ln2


MPMATH = {
    np.add: operator.add,
    np.subtract: operator.sub,
    np.multiply: operator.mul,
    np.divide: operator.truediv,
    np.negative: operator.neg,
    np.positive: operator.pos,
    np.remainder: lambda x, y: x - y * mpmath.floor(x / y),
    np.fmod: fmod,
    **dict.fromkeys((operator.pow, np.power, np.float_power), mpmath.power),
    np.square: lambda x: x * x,
    np.sqrt: mpmath.sqrt,
    np.cbrt: cbrt,
    np.reciprocal: lambda x: 1 / x,
    np.exp: mpmath.exp,
    np.exp2: lambda x: mpmath.power(2, x),
    np.expm1: mpmath.expm1,
    np.log: mpmath.log,
    np.log2: lambda x: mpmath.log(x, 2),
    np.log10: mpmath.log10,
    np.log1p: lambda x: mpmath.log(1 + x),
    np.logaddexp: logaddexp,
    np.logaddexp2: logaddexp2,
    np.sin: mpmath.sin,
    np.cos: mpmath.cos,
    np.tan: mpmath.tan,
    np.arcsin: mpmath.asin,
    np.arccos: mpmath.acos,
    np.arctan: mpmath.atan,
    np.arctan2: mpmath.atan2,
    np.hypot: mpmath.hypot,
    **dict.fromkeys((np.deg2rad, np.radians), mpmath.radians),
    **dict.fromkeys((np.rad2deg, np.degrees), mpmath.degrees),
    np.sinc: mpmath.sincpi,
    np.sinh: mpmath.sinh,
    np.cosh: mpmath.cosh,
    np.tanh: mpmath.tanh,
    np.arcsinh: mpmath.asinh,
    np.arccosh: mpmath.acosh,
    np.arctanh: mpmath.atanh,
    np.i0: lambda x: mpmath.besseli(0, x),
    bessel: lambda x: mpmath.besseli(1, x),
    **dict.fromkeys((np.abs, np.fabs), abs),
    ad.sigmoid: lambda x: 1 / (1 + mpmath.exp(-x)),
    ad.softplus: lambda x: mpmath.log(1 + mpmath.exp(x)),
}
TRIVIAL = {np.copysign, np.angle, np.nextafter}  # their derivatives are -1, 0 and 1

# Rows that compute from `out` or from a difference are judged by their largest derivative. COVERAGE.md says which.
LARGEST = {np.tanh: 1, ad.sigmoid: 1 / 4, np.logaddexp: 1, np.logaddexp2: 1, np.sinc: 1.37}

# Rows with an intermediate result that may be subnormal, and has few digits then, though the derivative is larger.
SCALED = {np.divide, np.arctan2, operator.pow, np.power, np.float_power}


SQUARING = {mpmath.hypot, mpmath.atan2}  # for which more digits are needed


# --- where ------------------------------------------------------------------------------------------------------------


def signed(points):
    return [sign * x for x in points for sign in (1, -1)]


EDGES = {
    np.float64: signed(
        (0.0, 5e-324, 2.3e-308, 1e-300, 1e-160, 1e-20, 1e-5, 0.1, 0.3, 0.7, 1.0, 1 + 2**-52, 1.4, 2.5, 7.3, 37.5, 50.0)
    )
    + signed((710.3, 1e5, 1e15, 1e160, 1e300, 1.7e308, inf)),
    np.float32: signed(
        [0.0, 1e-45, 1.2e-38, 1e-30, 1e-5, 0.1, 0.7, 1.0, 1 + 2**-23, 2.5, 17.3, 89.2, 1e15, 1e30, 3e38, inf]
    ),
}
ENDS = signed([1 - 2**-53, 0.9999])
OWN_EDGES = {  # where rows have trouble of their own
    np.tan: [*signed([math.pi / 2, 1.57]), 11.0, 1e22],
    **dict.fromkeys((np.arcsin, np.arccos, np.arctanh, np.log1p), ENDS),
    np.sinc: [0.01, 0.2, 0.49, 0.51, 1.43, 2.0, 1000.25],
    np.i0: [4.0, 8.0, 8.5, 30.0, 600.0],
}
REACH = {np.float64: 700, np.float32: 88}  # of Bessel functions: where NumPy's i0 overflows


def direction_decides(x, y):
    """Whether there is no limit, for two arguments are infinite."""
    return abs(x) == abs(y) == inf


def jumps(x, y):
    """Where remainders jump, or as good as jump."""
    return math.isinf(x) or y == 0 or abs(x / y) > 1e30 or math.fmod(x, y) == 0


def odd_base(x, y):
    """Where only C has values, of -inf to the power of a fraction and on the negative side of 0; where 1e17 is even;
    and where the limit is reached too slowly for the numbers that stand for it here."""
    fraction = not float(y).is_integer() or (x == -inf and abs(y) > 1e15)
    slow = x in (0, inf) and 0 < abs(y) < 0.1
    return direction_decides(x, y) or negative_zero(x) or (x < 0 and fraction) or slow


def negative_zero(x):
    return x == 0 and math.copysign(1, x) < 0


LEFT_OUT = {np.sqrt: negative_zero, **dict.fromkeys((np.remainder, np.fmod), jumps)}
LEFT_OUT |= dict.fromkeys((operator.pow, np.power, np.float_power), odd_base)


def points_of(function, dtype):
    """The edges, or some pairs of them, and random points."""
    rng = random.Random(0)
    row = TABLE[function]
    edges = EDGES[dtype] + OWN_EDGES.get(function, [])
    anywhere = [rng.choice((1, -1)) * 10 ** rng.uniform(-4, 3) for _ in range(COUNT)]
    reach = REACH[dtype] if function in (np.i0, bessel) else inf
    numbers = [x for x in np.array(edges + anywhere, dtype).tolist() if abs(x) <= reach]
    several = len(row.formula.arrays) > 1 and not row.formula.defaults
    found = list(itertools.product(numbers, numbers)) if several else [(x,) for x in numbers]
    left_out = LEFT_OUT.get(function, direction_decides if several else math.isnan)
    found = [point for point in found if point not in row.kinks and not left_out(*point)]
    return rng.sample(found, COUNT) if several else found


# --- the truth --------------------------------------------------------------------------------------------------------


class NotReal(Exception):
    """The function has no value there."""


def evaluate(f, point):
    try:
        value = f(*point)
    except (ZeroDivisionError, ValueError) as error:
        raise NotReal from error
    if not mpmath.isfinite(value) or mpmath.im(value):
        raise NotReal
    return mpmath.re(value)


def slope(f, point, i, h, evaluate=evaluate):
    """The difference quotient in argument i."""
    ahead, behind = ((*point[:i], point[i] + sign * h, *point[i + 1 :]) for sign in (1, -1))
    return (evaluate(f, ahead) - evaluate(f, behind)) / (2 * h)


def approaches(x, varies):
    """Numbers to take in the place of x, the best first, each with another one still nearer to the limit, or None.

    At zero the side comes first that its sign says.
    """
    side = math.copysign(1, x)
    if math.isinf(x):
        return [(side * FAR, side * FAR**2)]
    if x == 0 and varies:
        return [(s * NEAR, s * NEAR**2) for s in (side, -side)]
    if x == 0:
        return [(mpf(0), None), (side * NEAR, side * NEAR**2)]
    ends = [(x - s * NEAR, x - s * NEAR**2) for s in (side, -side)]
    return [(mpf(x), None), *ends] if varies and abs(x) == 1 else [(mpf(x), None)]


@functools.cache
def derivative(f, point, i):
    """The limit of the partial derivative at a point of floats; nan where there is none."""
    far = point in ((1,), (-1,))  # it may be the end of the domain
    decades = max(660 if far or abs(x) in (0, inf) else abs(math.log10(abs(x))) for x in point)
    with mp.workdps(int(450 + (4.2 if f in SQUARING else 2.5) * decades)):
        for near in itertools.product(*(approaches(x, k == i) for k, x in enumerate(point))):
            steps = [[n[k] or n[0] for n in near] for k in (0, 1)]
            try:
                first, second = (slope(f, step, i, STEP * scale(step, point)) for step in steps)
            except NotReal:
                continue
            return limit(first, second)
    return mpf(nan)


def scale(near, point):
    """Over which length a function varies."""
    return min(1, *(abs(x) for x in near if x), *(abs(x - y) for x, y in zip(near, point, strict=True) if x != y))


def limit(first, second):
    """Where two numbers lead to, of which the second is much further on the way."""
    if abs(first - second) <= mpf(10) ** -30 * abs(first):
        return first
    return mpmath.sign(second) * inf if abs(second) > abs(first) else mpf(0)


# --- the comparison ---------------------------------------------------------------------------------------------------


def gradients(function, points, i, dtype, scalar=None):
    """Values, and the derivatives in argument i; the other one is an array, or a Python number."""
    columns = [np.array(column, dtype) for column in zip(*points, strict=True)]
    arguments = [column if scalar is None else scalar for column in columns]
    arguments[i] = x = ad.Tensor(columns[i])
    with np.errstate(all="ignore"):
        out = function(*arguments)
        return out.numpy().tolist(), ad.gradients(out, [x], gradient=np.ones(out.shape, out.dtype))[0].tolist()


def faults(function, points, i, dtype=np.float64, scalar=None):
    """What is wrong with the derivatives in argument i, in words."""
    for point, value, gradient in zip(points, *gradients(function, points, i, dtype, scalar), strict=True):
        if not (math.isnan(value) and math.isnan(gradient)):  # where NumPy's function has no value
            fault = difference(gradient, derivative(MPMATH[function], point, i), dtype, function)
            if fault:
                yield f"∂{i} {TABLE[function].name}{point}: {fault}"


def difference(found, truth, dtype, function=None):
    """Of a number from the truth, in words, where it is too large."""
    limits = np.finfo(dtype)
    eps, largest, smallest = (float(x) for x in (limits.eps, limits.max, limits.smallest_subnormal))
    if mpmath.isnan(truth) or math.isnan(found):
        return None if mpmath.isnan(truth) and math.isnan(found) else f"{found} for {mpmath.nstr(truth, 5)}"
    if math.isinf(found) or abs(truth) > largest:
        beyond = abs(truth) > largest * (1 - ULPS * eps) and math.isinf(found) and found * truth > 0
        return None if beyond else f"{found} for {mpmath.nstr(truth, 5)}"
    ulp = max(mpf(2) ** (mpmath.mag(truth) - 1) * eps if truth else 0, smallest)
    allowed = max(ULPS * ulp, 4 * eps * LARGEST.get(function, 0))
    if function in SCALED:
        allowed += mpmath.sqrt(abs(truth) * smallest) + 1e3 * smallest
    error = abs(found - truth)
    return None if error <= allowed else f"{found} for {mpmath.nstr(truth, 20)}: {float(error / ulp):.3g} ulp"


# --- the tests --------------------------------------------------------------------------------------------------------


def name_of(function):
    return TABLE[function].name


each_row = pytest.mark.parametrize("function", MPMATH, ids=name_of)
each_dtype = pytest.mark.parametrize("dtype", [np.float64, np.float32])


def test_no_row_is_left_out():
    rows = {function for function, row in TABLE.items() if row.kind == "elementwise" and not row.foreign}
    assert rows == MPMATH.keys() | TRIVIAL
    assert LARGEST.keys() == ABSOLUTE


@each_row
@each_dtype
def test_gradients_are_exact(function, dtype):
    points = points_of(function, dtype)
    assert not [fault for i in range(len(points[0])) for fault in faults(function, points, i, dtype)]


@pytest.mark.parametrize("power", [operator.pow, np.power, np.float_power])
@pytest.mark.parametrize("exponent", [2, 3, 1, 0, -1, -2, 0.5, 0.3, -0.5, -1.3, 2.5, 1e-20, 1e17])
@each_dtype
def test_powers_with_a_number_as_exponent_are_exact(power, exponent, dtype):
    edges = np.array(EDGES[dtype], dtype).tolist()
    weak = exponent if power is np.float_power else float(dtype(exponent))  # as NumPy takes it
    points = [(x, weak) for x in edges if not odd_base(x, weak)]
    assert not list(faults(power, points, 0, dtype, scalar=exponent))


@each_row
def test_the_backward_pass_does_not_warn_where_value_and_derivative_are_finite(function):
    points = points_of(function, np.float64)
    for i in range(len(points[0])):
        results = np.array(gradients(function, points, i, np.float64))
        fine = [point for point, finite in zip(points, np.isfinite(results).all(axis=0), strict=True) if finite]
        columns = [np.array(column) for column in zip(*fine, strict=True)]
        columns[i] = x = ad.Tensor(columns[i])
        with warnings.catch_warnings(action="ignore"):
            out = function(*columns)
        ad.gradients(out, [x], gradient=np.ones(out.shape))  # a warning is an error here


@pytest.mark.parametrize("function", [ad.sigmoid, ad.softplus, bessel])
@each_dtype
def test_values_of_our_own_functions_are_exact(function, dtype):
    points = [point for point in points_of(function, dtype) if math.isfinite(*point)]
    with np.errstate(over="ignore"):
        values = function(np.array(points, dtype)[:, 0]).tolist()
    with mp.workdps(400):
        truths = [MPMATH[function](mpf(x)) for (x,) in points]
    pairs = zip(values, truths, strict=True)
    assert not [fault for value, truth in pairs if (fault := difference(value, truth, dtype))]


@pytest.mark.parametrize(
    ("function", "point", "expected"),
    [
        *((function, (x, x), (0.5, 0.5)) for function in (np.logaddexp, np.logaddexp2) for x in (inf, -inf, 3.0)),
        (np.hypot, (0.0, 0.0), (0, 0)),
        (np.hypot, (inf, 1.0), (1, 0)),
        (np.power, (0.0, 0.0), (0, 0)),
        (np.power, (0.0, 2.0), (0, 0)),
        (np.sinc, (0.0,), (0,)),
        (np.arctan2, (0.0, -2.0), (-0.5, 0)),
        (np.arctan2, (0.0, 0.0), (nan, nan)),
        (np.log, (-1.0,), (nan,)),
        (np.arccosh, (-2.0,), (nan,)),
        (np.arctanh, (2.0,), (nan,)),
    ],
)
@each_dtype
def test_conventions(function, point, expected, dtype):
    tensors = [ad.Tensor(x, dtype=dtype) for x in point]
    with np.errstate(all="ignore"):
        found = ad.gradients(function(*tensors), tensors)
    np.testing.assert_array_equal(found, expected)


# --- complex numbers --------------------------------------------------------------------------------------------------

PARTS = [-3.0, -0.5, -0.0, 0.0, 0.4, 1.7]
HOLOMORPHIC = [f for f in MPMATH if "D->D" in "".join(getattr(f, "types", ["D->D"] if f is np.sinc else []))]


@pytest.mark.parametrize("function", HOLOMORPHIC, ids=name_of)
def test_complex_derivatives_are_exact_on_both_sides_of_cuts(function):
    """A zero has a sign, which says on which side of a cut a number stands."""
    numbers = list(itertools.starmap(complex, itertools.product(PARTS, PARTS)))
    several = len(TABLE[function].formula.arrays) > 1
    points = [(x, y) for x in numbers if x for y in numbers] if several else [(x,) for x in numbers]
    points = random.Random(0).sample(points, min(COUNT, len(points)))
    columns = [np.array(column) for column in zip(*points, strict=True)]
    for i, column in enumerate(columns):
        x = ad.Tensor(column)
        with np.errstate(all="ignore"):
            out = function(*(x if k == i else other for k, other in enumerate(columns)))
            (gradient,) = ad.gradients(out, [x], gradient=np.ones(out.shape, complex))
        for point, value, found in zip(points, out.tolist(), np.conj(gradient).tolist(), strict=True):
            truth = complex_derivative(MPMATH[function], point, i)
            if abs(truth) < 1e100 and value == value:  # not at a pole
                error = 16 * 2**-52 * max(abs(truth), LARGEST.get(function, function is np.tan), 1e-50)
                assert abs(found - truth) <= error, f"∂{i} {name_of(function)}{point}: {found} for {truth}"


def complex_derivative(f, point, i):
    """The derivative, zeros replaced by numbers so small that they say no more than their side."""
    with mp.workdps(500):
        near = [mpc(*(part or math.copysign(1, part) * NEAR for part in (z.real, z.imag))) for z in point]
        try:
            return complex(slope(f, near, i, STEP * NEAR, evaluate=lambda f, point: f(*point)))
        except (ZeroDivisionError, OverflowError):
            return complex(inf)
