"""Functions of one element at a time.

    elementwise(function, formula, ∂out/∂x, ∂out/∂y, ..., x=the open interval of x, kinks={point: the value taken there})

Each derivative is the partial derivative, in `x, y, z` (the arguments) and `out` (the result). A `selecting` or `special`
row states what becomes of `g`, the incoming gradient.

Derivatives are right over the whole domain: infinite at its ends, at ±inf their limits, nan where the function is nan. They
are within 4 ulp; those of tanh, sigmoid, logaddexp and sinc, which come from `out` or from a difference, within 4 eps of the
largest. Of complex x, the sign of a zero says on which side of a cut it stands.
Sources: the documentation of each NumPy function; Abramowitz and Stegun, chapter 4.
"""
# ruff: noqa: E501

from __future__ import annotations

import functools
import math
import operator
from typing import Any

import numpy as np

from ..primitive import INSPECTS, constant, elementwise, inlined, linear, selecting, special
from ..sites import __library__  # noqa: F401
from .activation import gap, sigmoid

inf: float = math.inf
POSITIVE, UNIT, ABOVE_ONE = (0, inf), (-1, 1), (1, inf)
LN2, LN10, DEGREE = math.log(2), math.log(10), math.pi / 180  # Python floats: weak, so that float32 stays float32


def nonnegative(x: Any) -> Any:
    """x, but nan where it is negative: 1 / x has a value there, the logarithm none. (-0.0 is 0.)"""
    return x if x.dtype.kind == "c" else np.where(x < 0, np.nan, abs(x))


def array(x: Any, dtype: Any) -> Any:
    """A Python number as an array, which NumPy would make float64 where it decides the dtype."""
    return np.asarray(x, dtype) if isinstance(x, (int, float, complex)) else x


def power_in_base(x: Any, y: Any, out: Any) -> Any:
    """y * x**(y - 1), but y * out / x where y - 1 would be rounded; and 0 for x**0."""
    if isinstance(y, (int, float)) and y % 0.5 == 0 < abs(y) < 1024:  # in any dtype
        return y * x ** (y - 1)
    with np.errstate(all="ignore"):  # of what is not chosen
        y = array(y, out.dtype)
        direct = (y - 1 + 1 == y) & (y - 1 != y) & (y != 0) | (x == 0) | np.isinf(x)
        lower = np.where((y == 0) & direct, 0, y - 1)
        return np.where(direct, y * x**lower, np.where(out == 0, 0, y) * out / np.where(direct, 1, x))


def power_in_exponent(x: Any, y: Any, out: Any) -> Any:
    """out * log(x), and 0 where out is: also of 0**y, and of 0**0 as its limit for other x."""
    if isinstance(x, (int, float)) and 0 < x < inf:
        return out * math.log(x)
    with np.errstate(all="ignore"):
        zero = (x >= 0) & (out == 0) | (x == 0) & (y == 0)
        return out * np.log(np.where(zero, 1, array(x, out.dtype)))


def power(x: Any, y: Any) -> Any:
    """x ** y as NumPy computes it for arrays: for its scalars it takes another, differently rounded path."""
    base: Any = np.asarray(x) if isinstance(x, np.generic) else x
    return base ** (np.asarray(y) if isinstance(y, np.generic) else y)


def share(x: Any, y: Any, rate: float = 1.0) -> Any:
    """The part of exp(rate * x) in exp(rate * x) + exp(rate * y)."""
    return sigmoid(rate * gap(x, y))


def sine(x: Any, y: Any) -> Any:
    """x / hypot(x, y), the sine of an angle: where hypot over- or underflows, too, and 0 for the angle at (0, 0)."""
    return np.sin(np.arctan2(x, abs(y)))


def cosine(x: Any) -> Any:
    """cos(arcsin(x)), of complex x on the side of the cut that the sign of zero says: not 1 - x, which loses it."""
    return np.sqrt(-(x - 1)) * np.sqrt(x - -1) if x.dtype.kind == "c" else np.sqrt((1 - x) * (1 + x))


def witch(x: Any) -> Any:
    """1 / (1 + x**2), the witch of Agnesi, without overflow."""
    if x.dtype.kind == "c":
        return 1 / (1 + x * x)
    far = abs(x) > 1
    inverse = 1 / np.where(far, x, 1)
    return inverse * inverse / (1 + np.where(far, inverse, x) ** 2)


def unit(x: Any) -> Any:
    """The derivative of |x|: the sign; of complex x the conjugate of x / |x|. At 0 it is 0."""
    return np.conj(x) / np.where(x == 0, 1, abs(x)) if x.dtype.kind == "c" else np.sign(x)


SINC = [(-1) ** k * 2 * k / math.factorial(2 * k + 1) for k in range(13, 0, -1)]


def sinc_slope(x: Any, out: Any) -> Any:
    """(cos(πx) - sinc(x)) / x; near 0, where that cancels, its series."""
    near = abs(x) < 0.5
    x0 = np.where(near, x, 0)
    series = math.pi**2 * x0 * functools.reduce(lambda total, c: total * (math.pi * x0) ** 2 + c, SINC)
    return np.where(near, series, (np.cos(math.pi * x) - out) / np.where(near, 1, x))


def truth(x: Any) -> Any:
    """x as a condition."""
    return x if getattr(x, "dtype", None) == np.bool_ else x != 0


def in_dtype(x: Any, dtype: Any) -> Any:
    """x as NumPy takes it where `dtype` says in which precision it computes."""
    return x.astype(dtype) if hasattr(x, "astype") else x


def differs(x: Any, y: Any) -> Any:
    """x != y, also where there is no y; but a nan may have given anything."""
    return True if y is None else (x != y) & (y == y)


def halved(g: Any, ties: Any) -> Any:
    """g, shared equally where two tie."""
    return np.where(ties, g / 2, g)


def only(g: Any, i: int) -> Any:
    """The gradient of one of two results, zero where nothing came in to it."""
    return np.zeros_like(g[1 - i]) if g[i] is None else g[i]


def nan_to_num(x: Any, copy: bool = True, nan: Any = 0.0, posinf: Any = None, neginf: Any = None) -> Any:
    """np.nan_to_num."""
    out = x
    if x.dtype.kind == "c":
        out = np.copy(x)
        out.real, out.imag = (nan_to_num(part, True, nan, posinf, neginf) for part in (np.real(x), np.imag(x)))
        out = out if x.ndim else out[()]
    elif x.dtype.kind == "f":
        largest = np.finfo(x.dtype).max
        highest, lowest = largest if posinf is None else posinf, -largest if neginf is None else neginf
        out = np.where(np.isnan(x), nan, np.where(x == inf, highest, np.where(x == -inf, lowest, x)))
    if copy:
        return out
    x[...] = out
    return x if x.ndim else x[()]


def real_if_close(a: Any, tol: float = 100) -> Any:
    """np.real_if_close."""
    if np.iscomplexobj(a) and np.all(abs(np.imag(a)) < (tol * np.finfo(a.dtype).eps if tol > 1 else tol)):
        return np.real(a)
    return a


# fmt: off
# --- arithmetic ---
elementwise(np.add,         "x + y",              "1",                                  "1")
elementwise(np.subtract,    "x - y",              "1",                                  "-1")
elementwise(np.multiply,    "x * y",              "y",                                  "x")
elementwise(np.divide,      "x / y",              "1 / y",                              "-out / y",                 y=POSITIVE)
elementwise(np.negative,    "-x",                 "-1")
elementwise(np.positive,    "+x",                 "1")
elementwise(np.remainder,   "x % y",              "1",                                  "-(x // y)",                y=POSITIVE)
elementwise(np.fmod,        "fmod(x, y)",         "1",                                  "-np.rint((x - out) / y)",  y=POSITIVE)
special(np.divmod,          "divmod(x, y)",       "only(g, 1)",                         "-out[0] * only(g, 1)",     y=POSITIVE, several=True)
special(np.modf,            "modf(x)",            "only(g, 0)",                                                     several=True)
special(np.frexp,           "frexp(x)",           "np.ldexp(g[0], -out[1])",                                        several=True)
linear(np.ldexp,            "ldexp(x, y)",        "np.ldexp(g, y)",                     None)
elementwise(operator.pow,   "x ** y",             "power_in_base(x, y, out)",           "power_in_exponent(x, y, out)", x=POSITIVE, forward=power)  # NumPy's ** is not np.power: it squares for 2
elementwise(np.power,       "power(x, y)",        "power_in_base(x, y, out)",           "power_in_exponent(x, y, out)", x=POSITIVE)
elementwise(np.float_power, "float_power(x, y)",  "power_in_base(x, y, out)",           "power_in_exponent(x, y, out)", x=POSITIVE)
elementwise(np.square,      "square(x)",          "2 * x")
elementwise(np.sqrt,        "sqrt(x)",            "1 / (2 * out)",                                                  x=POSITIVE)
elementwise(np.cbrt,        "cbrt(x)",            "np.where((x == 0) | np.isinf(x), 1, abs(out)) / abs(x) / 3",     x=POSITIVE)
elementwise(np.reciprocal,  "reciprocal(x)",      "-out**2",                                                        x=POSITIVE)

# --- exponentials and logarithms ---
elementwise(np.exp,         "exp(x)",             "out")
elementwise(np.exp2,        "exp2(x)",            "out * LN2")
elementwise(np.expm1,       "expm1(x)",           "np.exp(x)")
elementwise(np.log,         "log(x)",             "1 / nonnegative(x)",                                             x=POSITIVE)
elementwise(np.log2,        "log2(x)",            "1 / LN2 / nonnegative(x)",                                       x=POSITIVE)
elementwise(np.log10,       "log10(x)",           "1 / LN10 / nonnegative(x)",                                      x=POSITIVE)
elementwise(np.log1p,       "log1p(x)",           "1 / nonnegative(1 + x)",                                         x=(-1, inf))
elementwise(np.logaddexp,   "logaddexp(x, y)",    "share(x, y)",                        "share(y, x)")
elementwise(np.logaddexp2,  "logaddexp2(x, y)",   "share(x, y, LN2)",                   "share(y, x, LN2)")

# --- trigonometry ---
elementwise(np.sin,         "sin(x)",             "np.cos(x)")
elementwise(np.cos,         "cos(x)",             "-np.sin(x)")
elementwise(np.tan,         "tan(x)",             "1 + out**2",                                                     x=UNIT)
elementwise(np.arcsin,      "arcsin(x)",          "1 / cosine(x)",                                                  x=UNIT)
elementwise(np.arccos,      "arccos(x)",          "-1 / cosine(x)",                                                 x=UNIT)
elementwise(np.arctan,      "arctan(x)",          "witch(x)")
elementwise(np.arctan2,     "arctan2(x, y)",      "sine(y, x) / np.hypot(x, y)",        "-sine(x, y) / np.hypot(x, y)", y=POSITIVE)
elementwise(np.hypot,       "hypot(x, y)",        "sine(x, y)",                         "sine(y, x)",               kinks={(0, 0): (0, 0)})
elementwise(np.deg2rad,     "deg2rad(x)",         "DEGREE")
elementwise(np.rad2deg,     "rad2deg(x)",         "1 / DEGREE")
elementwise(np.radians,     "radians(x)",         "DEGREE")
elementwise(np.degrees,     "degrees(x)",         "1 / DEGREE")
elementwise(np.sinc,        "sinc(x)",            "sinc_slope(x, out)")

# --- hyperbolic functions ---
elementwise(np.sinh,        "sinh(x)",            "np.cosh(x)")
elementwise(np.cosh,        "cosh(x)",            "np.sinh(x)")
elementwise(np.tanh,        "tanh(x)",            "1 - out**2")
elementwise(np.arcsinh,     "arcsinh(x)",         "1 / (np.cosh(out) if x.dtype.kind == 'c' else np.hypot(x, 1))")
elementwise(np.arccosh,     "arccosh(x)",         "1 / (np.sqrt(x - 1) * np.sqrt(x - -1))",                         x=ABOVE_ONE)
elementwise(np.arctanh,     "arctanh(x)",         "1 / nonnegative((1 - x) * (1 + x))",                             x=UNIT)

# --- parts of numbers ---
linear(np.real,             "real(x)",            "g",                                                              view=True)
linear(np.imag,             "imag(x)",            "g * -1j",                                                        view=True)
linear(np.conjugate,        "conjugate(x)",       "np.conj(g)")
elementwise(np.angle,       "angle(x, deg=False)", "(-1j / x if x.dtype.kind == 'c' else 0) / (DEGREE if deg else 1)")
inlined(np.real_if_close,   "real_if_close(a, tol=100)", real_if_close)
inlined(np.nan_to_num,      "nan_to_num(x, copy=True, nan=0.0, posinf=None, neginf=None)", nan_to_num)

# --- kinks: the value taken where there is no derivative stands in the row; of two, the loser is dropped (nan is none, and its gradient is not lost) ---
elementwise(np.abs,         "abs(x)",             "unit(x)",                                                        method="__abs__", kinks={(0,): (0,)})
elementwise(np.fabs,        "fabs(x)",            "np.sign(x)",                                                     kinks={(0,): (0,)})
elementwise(np.copysign,    "copysign(x, y)",     "np.sign(out) * np.sign(x)",          None,                       kinks={(0, 1): (0, 0)})
special(np.sign,            "sign(x)",            "1j * np.imag(g * out) * unit(x) / abs(x)",                       carries="c")  # of complex x; else it is a constant
selecting(np.maximum,       "maximum(x, y)",      "dropped(x < y, halved(g, x == y))",        "dropped(y < x, halved(g, x == y))", kinks={(1, 1): (0.5, 0.5)})
selecting(np.minimum,       "minimum(x, y)",      "dropped(x > y, halved(g, x == y))",        "dropped(y > x, halved(g, x == y))", kinks={(1, 1): (0.5, 0.5)})
selecting(np.fmax,          "fmax(x, y)",         "dropped(out != x, halved(g, x == y))",     "dropped(out != y, halved(g, x == y))", kinks={(1, 1): (0.5, 0.5)})
selecting(np.fmin,          "fmin(x, y)",         "dropped(out != x, halved(g, x == y))",     "dropped(out != y, halved(g, x == y))", kinks={(1, 1): (0.5, 0.5)})
selecting(np.where,         "where(x, y, z)",     None,                                 "taken(truth(x), g)",       "dropped(truth(x), g)", weak=True)
selecting(np.clip,          "clip(x, y=None, z=None)", "dropped(differs(out, x), g)",
        "taken(differs(out, x) & differs(out, z), g)", "taken(differs(out, x) & np.logical_not(differs(out, z)), g)", weak=True, names={"a_min": "y", "min": "y", "a_max": "z", "max": "z"},
        y=(-2, -1), z=(1, 2), kinks={(-1, -1, 1): (1, 0, 0), (1, -1, 1): (1, 0, 0), (5, 1, 1): (0, 0, 1)})
inlined(np.clip,            "clip(a, *bounds, dtype, **kwargs)",                  "np.clip(*(in_dtype(x, dtype) for x in (a, *bounds)), **{key: in_dtype(x, dtype) for key, x in kwargs.items()})")
selecting(np.heaviside,     "heaviside(x, y)",    None,                                 "taken(x == 0, g)",         kinks={(0, 1): (0, 1)})

# --- derivative zero, but still nodes: what depends on data must not be baked into a graph ---
constant(np.floor,          "floor(x)")
constant(np.ceil,           "ceil(x)")
constant(np.trunc,          "trunc(x)")
constant(np.rint,           "rint(x)")
constant(np.floor_divide,   "x // y")
constant(np.less,           "x < y")
constant(np.less_equal,     "x <= y")
constant(np.greater,        "x > y")
constant(np.greater_equal,  "x >= y")
constant(np.equal,          "x == y")
constant(np.not_equal,      "x != y")
constant(np.bitwise_and,    "x & y")
constant(np.bitwise_or,     "x | y")
constant(np.bitwise_xor,    "x ^ y")
constant(np.invert,         "~x")
constant(np.logical_and,    "logical_and(x, y)")
constant(np.logical_or,     "logical_or(x, y)")
constant(np.logical_xor,    "logical_xor(x, y)")
constant(np.logical_not,    "logical_not(x)")
constant(np.isnan,          "isnan(x)")
constant(np.isinf,          "isinf(x)")
constant(np.isfinite,       "isfinite(x)")
constant(np.signbit,        "signbit(x)")
constant(np.isclose,        "isclose(x, y, rtol=1e-05, atol=1e-08, equal_nan=False)")
# fmt: on

INSPECTS |= {np.allclose, np.array_equal, np.array_equiv, np.iscomplexobj, np.isrealobj}
