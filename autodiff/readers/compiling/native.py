"""What machine code is made of beside loops: functions that vectorise, memory, reductions.

Imported where the numba backend is used, and by the modules that it writes.
"""

from __future__ import annotations

# What numba compiles has the types of its arguments, and no annotations.
# pyright: basic, reportMissingParameterType=false, reportMissingTypeStubs=false
import math
from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic
from numba.np.arrayobj import populate_array

ARITHMETIC: dict[str, Any] = {"error_model": "numpy", "fastmath": {"contract"}}  # which allows a * b + c in one
OPTIONS: dict[str, Any] = ARITHMETIC | {"cache": True, "nogil": True}


@intrinsic
def part(typingctx: Any, array: Any, start: Any, size: Any) -> Any:
    """Some elements of an array in C order as a flat array, which does not keep it alive."""
    flat = types.Array(array.dtype, 1, "C")

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        source = context.make_array(signature.args[0])(context, builder, args[0])
        found = context.make_array(flat)(context, builder)
        itemsize = context.get_constant(types.intp, context.get_abi_sizeof(context.get_data_type(array.dtype)))
        populate_array(
            found,
            data=builder.gep(source.data, [args[1]]),
            shape=[args[2]],
            strides=[itemsize],
            itemsize=itemsize,
            meminfo=None,
        )
        return found._getvalue()

    return flat(array, types.intp, types.intp), codegen


@intrinsic(prefer_literal=True)
def local(typingctx: Any, number: Any, size: Any) -> Any:
    """A flat array on the stack, of a size that is written out; it is gone when the function returns."""
    if not isinstance(size, types.IntegerLiteral):
        return None
    flat = types.Array(number.dtype, 1, "C")

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        kind = context.get_data_type(flat.dtype)
        with builder.goto_entry_block():
            memory = builder.alloca(ir.ArrayType(kind, size.literal_value))
            memory.align = 64
        found = context.make_array(flat)(context, builder)
        itemsize = context.get_constant(types.intp, context.get_abi_sizeof(kind))
        data = builder.bitcast(memory, kind.as_pointer())
        count = context.get_constant(types.intp, size.literal_value)
        populate_array(found, data=data, shape=[count], strides=[itemsize], itemsize=itemsize, meminfo=None)
        return found._getvalue()

    return flat(number, size), codegen


def _bitcast(source: Any, target: Any) -> Any:
    @intrinsic
    def cast(typingctx, bits):
        def codegen(context, builder, signature, args):
            return builder.bitcast(args[0], context.get_value_type(target))

        return target(source), codegen

    return cast


as_int32: Any = _bitcast(types.float32, types.int32)
as_int64: Any = _bitcast(types.float64, types.int64)
as_float32: Any = _bitcast(types.int32, types.float32)
as_float64: Any = _bitcast(types.int64, types.float64)
f4 = np.float32

# exp(x) is 2**n * exp(r). To add 1.5 * 2**23 (2**52) leaves n in the last bits of the sum, from where a shift brings it
# to the exponent. What is below the smallest normal number is 0.


@njit(forceinline=True, **ARITHMETIC)
def exp32(x: Any) -> Any:
    """exp of a float32, relative error 1.2e-7 (Moshier's Cephes)."""
    t = x * f4(1.44269504088896341) + f4(12582912.0)
    n = t - f4(12582912.0)
    r = (x - n * f4(0.693359375)) - n * f4(-2.12194440e-4)
    p = f4(1.9875691500e-4)
    p = p * r + f4(1.3981999507e-3)
    p = p * r + f4(8.3334519073e-3)
    p = p * r + f4(4.1665795894e-2)
    p = p * r + f4(1.6666665459e-1)
    p = p * r + f4(5.0000001201e-1)
    y = (p * r * r + r) + f4(1.0)
    y = as_float32(as_int32(y) + (as_int32(t) << np.int32(23)))
    y = f4(math.inf) if x > f4(88.72284) else y
    y = f4(0.0) if x < f4(-87.33654) else y
    return x if x != x else y


@njit(forceinline=True, **ARITHMETIC)
def exp64(x: Any) -> Any:
    """exp of a float64, relative error 3e-16: Taylor's series, after the power of two is split off."""
    t = x * 1.4426950408889634 + 6755399441055744.0
    n = t - 6755399441055744.0
    r = (x - n * 6.93147180369123816490e-01) - n * 1.90821492927058770002e-10
    s = r * r  # a sum of pairs of pairs (Estrin): a sum of one term after the other would wait for each
    p = (0.5 + 0.16666666666666666 * r) + (0.041666666666666664 + 0.008333333333333333 * r) * s
    u = (0.001388888888888889 + 0.0001984126984126984 * r) + (2.48015873015873e-05 + 2.7557319223985893e-06 * r) * s
    v = (2.755731922398589e-07 + 2.505210838544172e-08 * r) + (2.08767569878681e-09 + 1.6059043836821613e-10 * r) * s
    p = p + u * (s * s) + v * (s * s * (s * s))
    y = (p * s + r) + 1.0
    y = as_float64(as_int64(y) + (as_int64(t) << 52))
    y = math.inf if x > 709.782712893384 else y
    y = 0.0 if x < -708.3964185322641 else y
    return x if x != x else y


@njit(forceinline=True, **ARITHMETIC)
def tanh32(x: Any) -> Any:
    """tanh of a float32 (Moshier's Cephes)."""
    z = x * x
    p = f4(-5.70498872745e-3)
    p = p * z + f4(2.06390887954e-2)
    p = p * z + f4(-5.37397155531e-2)
    p = p * z + f4(1.33314422036e-1)
    p = p * z + f4(-3.33332819422e-1)
    near = p * z * x + x
    e = exp32(f4(-2.0) * abs(x))
    far = (f4(1.0) - e) / (f4(1.0) + e)
    far = far if x > f4(0.0) else -far
    return near if abs(x) < f4(0.625) else far


@njit(forceinline=True, **ARITHMETIC)
def tanh64(x: Any) -> Any:
    """tanh of a float64 (Moshier's Cephes)."""
    z = x * x
    p = (-9.64399179425052238628e-1 * z - 9.92877231001918586564e1) * z - 1.61468768441708447952e3
    q = ((z + 1.12811678491632931402e2) * z + 2.23548839060100448583e3) * z + 4.84406305325125486048e3
    near = x + x * z * (p / q)
    e = exp64(-2.0 * abs(x))
    far = (1.0 - e) / (1.0 + e)
    far = far if x > 0.0 else -far
    return near if abs(x) < 0.625 else far


# --- reductions: of arrays seen as rows and columns, in C order, and flat ---------------------------------------------


@njit(error_model="numpy", fastmath={"reassoc", "contract"})
def total(x: Any) -> Any:
    """The sum, in double precision."""
    s = 0.0
    for i in range(x.size):
        s += x[i]
    return s


@njit(error_model="numpy", fastmath={"reassoc", "contract"})
def row_sums(x: Any, rows: Any, columns: Any, out: Any) -> Any:
    """The sum of each row."""
    for i in range(rows):
        s = 0.0
        for j in range(columns):
            s += x[i * columns + j]
        out[i] = s


@njit(**ARITHMETIC)
def row_maxima(x: Any, rows: Any, columns: Any, out: Any) -> Any:
    """The largest of each row; a nan is."""
    for i in range(rows):
        s = x[i * columns]
        for j in range(1, columns):
            v = x[i * columns + j]
            s = s if s > v or s != s else v
        out[i] = s


@njit(**ARITHMETIC)
def column_sums(x: Any, rows: Any, columns: Any, out: Any) -> Any:
    """The sum of each column."""
    for j in range(columns):
        out[j] = x[j]
    for i in range(1, rows):
        for j in range(columns):
            out[j] += x[i * columns + j]
