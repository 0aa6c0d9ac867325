"""Functions of one element at a time.

    elementwise(function, formula, ∂out/∂x, ∂out/∂y, ..., x=the open interval of x, kinks={point: the value taken there})

Each derivative is the partial derivative, in `x, y, z` (the arguments) and `out` (the result). A `special` row states the
whole vector-Jacobian product, with `g` the incoming gradient: selecting rows do, since 0 times an infinite g is not 0.
Sources: the documentation of each NumPy function; Abramowitz and Stegun, chapter 4.
"""
# ruff: noqa: E501

from __future__ import annotations

import math
import operator
from typing import Any

import numpy as np

from ..primitive import INSPECTS, constant, elementwise, special

inf: float = math.inf
POSITIVE, UNIT, ABOVE_ONE = (0, inf), (-1, 1), (1, inf)
LN2, LN10, DEGREE = math.log(2), math.log(10), math.pi / 180  # Python floats: weak, so that float32 stays float32


def less_one(y: Any) -> Any:
    """y - 1, but 1 where y is 0, so that the derivative of x**0 is 0 also at x = 0."""
    return (y - 1 if y else 1) if isinstance(y, (int, float)) else np.where(y == 0, 1, y - 1)


def log_or_zero(x: Any) -> Any:
    """log(x), but 0 where x is 0: the derivative of 0**y is 0."""
    return float(np.log(x or 1)) if isinstance(x, (int, float)) else np.log(np.where(x == 0, 1, x))


def power(x: Any, y: Any) -> Any:
    """x ** y as NumPy computes it for arrays: for its scalars it takes another, differently rounded path."""
    base: Any = np.asarray(x) if isinstance(x, np.generic) else x
    return base ** (np.asarray(y) if isinstance(y, np.generic) else y)


def differs(x: Any, y: Any) -> Any:
    """x != y, also where there is no y."""
    return True if y is None else x != y


def to_winner(g: Any, loses: Any, ties: Any) -> Any:
    """g to the winner; a tie is shared equally. (What is asked is who loses: nan does not, and its gradient is not lost.)"""
    return np.where(ties, g / 2, np.where(loses, 0, g))


# fmt: off
# --- arithmetic ---
elementwise(np.add,         "x + y",              "1",                                  "1")
elementwise(np.subtract,    "x - y",              "1",                                  "-1")
elementwise(np.multiply,    "x * y",              "y",                                  "x")
elementwise(np.divide,      "x / y",              "1 / y",                              "-out / y",                 y=POSITIVE)
elementwise(np.negative,    "-x",                 "-1")
elementwise(np.positive,    "+x",                 "1")
elementwise(np.remainder,   "x % y",              "1",                                  "-np.floor(x / y)",         y=POSITIVE)
elementwise(np.fmod,        "fmod(x, y)",         "1",                                  "-np.trunc(x / y)",         y=POSITIVE)
elementwise(operator.pow,   "x ** y",             "y * x ** less_one(y)",               "out * log_or_zero(x)",     x=POSITIVE, forward=power)  # NumPy's ** is not np.power: it squares for 2
elementwise(np.power,       "power(x, y)",        "y * x ** less_one(y)",               "out * log_or_zero(x)",     x=POSITIVE)
elementwise(np.float_power, "float_power(x, y)",  "y * x ** less_one(y)",               "out * log_or_zero(x)",     x=POSITIVE)
elementwise(np.square,      "square(x)",          "2 * x")
elementwise(np.sqrt,        "sqrt(x)",            "1 / (2 * out)",                                                  x=POSITIVE)
elementwise(np.cbrt,        "cbrt(x)",            "1 / (3 * out**2)",                                               x=POSITIVE)
elementwise(np.reciprocal,  "reciprocal(x)",      "-out**2",                                                        x=POSITIVE)

# --- exponentials and logarithms ---
elementwise(np.exp,         "exp(x)",             "out")
elementwise(np.exp2,        "exp2(x)",            "out * LN2")
elementwise(np.expm1,       "expm1(x)",           "out + 1")
elementwise(np.log,         "log(x)",             "1 / x",                                                          x=POSITIVE)
elementwise(np.log2,        "log2(x)",            "1 / (x * LN2)",                                                  x=POSITIVE)
elementwise(np.log10,       "log10(x)",           "1 / (x * LN10)",                                                 x=POSITIVE)
elementwise(np.log1p,       "log1p(x)",           "1 / (1 + x)",                                                    x=(-1, inf))
elementwise(np.logaddexp,   "logaddexp(x, y)",    "np.exp(x - out)",                    "np.exp(y - out)")
elementwise(np.logaddexp2,  "logaddexp2(x, y)",   "np.exp2(x - out)",                   "np.exp2(y - out)")

# --- trigonometry ---
elementwise(np.sin,         "sin(x)",             "np.cos(x)")
elementwise(np.cos,         "cos(x)",             "-np.sin(x)")
elementwise(np.tan,         "tan(x)",             "1 + out**2",                                                     x=UNIT)
elementwise(np.arcsin,      "arcsin(x)",          "1 / np.sqrt((1 - x) * (1 + x))",                                 x=UNIT)
elementwise(np.arccos,      "arccos(x)",          "-1 / np.sqrt((1 - x) * (1 + x))",                                x=UNIT)
elementwise(np.arctan,      "arctan(x)",          "1 / (1 + x**2)")
elementwise(np.arctan2,     "arctan2(x, y)",      "y / (x**2 + y**2)",                  "-x / (x**2 + y**2)",       y=POSITIVE)
elementwise(np.hypot,       "hypot(x, y)",        "x / np.where(out == 0, 1, out)",     "y / np.where(out == 0, 1, out)", kinks={(0, 0): (0, 0)})
elementwise(np.deg2rad,     "deg2rad(x)",         "DEGREE")
elementwise(np.rad2deg,     "rad2deg(x)",         "1 / DEGREE")
elementwise(np.radians,     "radians(x)",         "DEGREE")
elementwise(np.degrees,     "degrees(x)",         "1 / DEGREE")

# --- hyperbolic functions ---
elementwise(np.sinh,        "sinh(x)",            "np.cosh(x)")
elementwise(np.cosh,        "cosh(x)",            "np.sinh(x)")
elementwise(np.tanh,        "tanh(x)",            "1 - out**2")
elementwise(np.arcsinh,     "arcsinh(x)",         "1 / np.hypot(x, 1)")
elementwise(np.arccosh,     "arccosh(x)",         "1 / np.sqrt((x - 1) * (x + 1))",                                 x=ABOVE_ONE)
elementwise(np.arctanh,     "arctanh(x)",         "1 / ((1 - x) * (1 + x))",                                        x=UNIT)

# --- kinks: the value taken where there is no derivative stands in the row ---
elementwise(np.abs,         "abs(x)",             "np.sign(x)",                                                     method="__abs__", kinks={(0,): (0,)})
elementwise(np.fabs,        "fabs(x)",            "np.sign(x)",                                                     kinks={(0,): (0,)})
elementwise(np.copysign,    "copysign(x, y)",     "np.sign(out) * np.sign(x)",          None,                       kinks={(0, 1): (0, 0)})
special(np.maximum,         "maximum(x, y)",      "to_winner(g, x < y, x == y)",        "to_winner(g, y < x, x == y)", kinks={(1, 1): (0.5, 0.5)})
special(np.minimum,         "minimum(x, y)",      "to_winner(g, x > y, x == y)",        "to_winner(g, y > x, x == y)", kinks={(1, 1): (0.5, 0.5)})
special(np.fmax,            "fmax(x, y)",         "to_winner(g, out != x, x == y)",     "to_winner(g, out != y, x == y)", kinks={(1, 1): (0.5, 0.5)})
special(np.fmin,            "fmin(x, y)",         "to_winner(g, out != x, x == y)",     "to_winner(g, out != y, x == y)", kinks={(1, 1): (0.5, 0.5)})
special(np.where,           "where(x, y, z)",     None,                                 "np.where(x, g, 0)",        "np.where(x, 0, g)", weak=True)
special(np.clip,            "clip(x, y=None, z=None)", "np.where(out == x, g, 0)",
        "np.where((out != x) & differs(out, z), g, 0)", "np.where((out == z) & (out != x), g, 0)", weak=True, names={"a_min": "y", "min": "y", "a_max": "z", "max": "z"},
        y=(-2, -1), z=(1, 2), kinks={(-1, -1, 1): (1, 0, 0), (1, -1, 1): (1, 0, 0), (5, 1, 1): (0, 0, 1)})

# --- derivative zero, but still nodes: what depends on data must not be baked into a graph ---
constant(np.sign,           "sign(x)")
constant(np.floor,          "floor(x)")
constant(np.ceil,           "ceil(x)")
constant(np.trunc,          "trunc(x)")
constant(np.rint,           "rint(x)")
constant(np.heaviside,      "heaviside(x, y)")
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
