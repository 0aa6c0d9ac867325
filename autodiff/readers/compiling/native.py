"""What machine code is made of beside loops: functions that vectorise, and products of matrices by BLAS.

Imported where the numba backend is used, and by the modules that it writes.
"""

from __future__ import annotations

# What numba compiles has the types of its arguments, and no annotations.
# pyright: basic, reportMissingParameterType=false, reportMissingTypeStubs=false
import functools
import math
from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import get_cython_function_address, intrinsic

ARITHMETIC: dict[str, Any] = {"error_model": "numpy", "fastmath": {"contract"}}  # which allows a * b + c in one
OPTIONS: dict[str, Any] = ARITHMETIC | {"cache": True, "nogil": True}


@functools.cache
def blas() -> tuple[int, int]:
    """The addresses of sgemm and dgemm, as SciPy has them."""
    try:
        return tuple(get_cython_function_address("scipy.linalg.cython_blas", name) for name in ("sgemm", "dgemm"))  # type: ignore[return-value]
    except ImportError as error:
        raise ImportError('the numba backend needs SciPy: pip install "autodiff[fast]"') from error


def _gemm(number: Any) -> Any:
    """Column-major out = op(x) @ op(y) by the function of BLAS at an address; x, y and out are addresses, too."""

    @intrinsic
    def gemm(typingctx, address, transpose_x, transpose_y, m, n, k, x, ldx, y, ldy, out, ldout):
        def codegen(context, builder, signature, args):
            address, tx, ty, m, n, k, x, ldx, y, ldy, out, ldout = args
            pointer, i32, char = ir.IntType(8).as_pointer(), ir.IntType(32), ir.IntType(8)

            def place(value: Any, kind: Any) -> Any:
                slot = cgutils.alloca_once(builder, kind)
                builder.store(value, slot)
                return builder.bitcast(slot, pointer)

            def size(value: Any) -> Any:
                return place(builder.trunc(value, i32), i32)

            def letter(flag: Any) -> Any:
                wanted = builder.icmp_signed("!=", flag, ir.Constant(flag.type, 0))
                return place(builder.select(wanted, ir.Constant(char, ord("T")), ir.Constant(char, ord("N"))), char)

            one, zero = (place(ir.Constant(number, value), number) for value in (1.0, 0.0))
            given = [letter(tx), letter(ty), size(m), size(n), size(k), one, builder.inttoptr(x, pointer), size(ldx)]
            given += [builder.inttoptr(y, pointer), size(ldy), zero, builder.inttoptr(out, pointer), size(ldout)]
            kind = ir.FunctionType(ir.VoidType(), [pointer] * 13)
            builder.call(builder.inttoptr(address, kind.as_pointer()), given)
            return context.get_dummy_value()

        return types.none(*[types.int64] * 12), codegen

    return gemm


gemm32, gemm64 = _gemm(ir.FloatType()), _gemm(ir.DoubleType())


def _bitcast(integer: Any, number: Any) -> Any:
    @intrinsic
    def cast(typingctx, bits):
        def codegen(context, builder, signature, args):
            return builder.bitcast(args[0], context.get_value_type(number))

        return number(integer), codegen

    return cast


as_float32, as_float64 = _bitcast(types.int32, types.float32), _bitcast(types.int64, types.float64)
f4 = np.float32


@njit(forceinline=True, **ARITHMETIC)
def exp32(x):
    """exp of a float32, relative error 1.2e-7 (Moshier's Cephes)."""
    c = min(max(x, f4(-104.0)), f4(89.0))
    n = (c * f4(1.44269504088896341) + f4(12582912.0)) - f4(12582912.0)
    r = (c - n * f4(0.693359375)) - n * f4(-2.12194440e-4)
    p = f4(1.9875691500e-4)
    p = p * r + f4(1.3981999507e-3)
    p = p * r + f4(8.3334519073e-3)
    p = p * r + f4(4.1665795894e-2)
    p = p * r + f4(1.6666665459e-1)
    p = p * r + f4(5.0000001201e-1)
    y = (p * r * r + r) + f4(1.0)
    k = np.int32(n)
    half = k >> np.int32(1)
    y = y * as_float32((half + np.int32(127)) << np.int32(23)) * as_float32((k - half + np.int32(127)) << np.int32(23))
    y = f4(math.inf) if x > f4(88.72284) else y
    return x if x != x else y


@njit(forceinline=True, **ARITHMETIC)
def exp64(x):
    """exp of a float64, relative error 3e-16: Taylor's series, after the power of two is split off."""
    c = min(max(x, -746.0), 710.0)
    n = (c * 1.4426950408889634 + 6755399441055744.0) - 6755399441055744.0
    r = (c - n * 6.93147180369123816490e-01) - n * 1.90821492927058770002e-10
    p = 1.6059043836821613e-10
    p = p * r + 2.08767569878681e-09
    p = p * r + 2.505210838544172e-08
    p = p * r + 2.755731922398589e-07
    p = p * r + 2.7557319223985893e-06
    p = p * r + 2.48015873015873e-05
    p = p * r + 0.0001984126984126984
    p = p * r + 0.001388888888888889
    p = p * r + 0.008333333333333333
    p = p * r + 0.041666666666666664
    p = p * r + 0.16666666666666666
    p = p * r + 0.5
    y = (p * r * r + r) + 1.0
    k = np.int64(n)
    half = k >> 1
    y = y * as_float64((half + 1023) << 52) * as_float64((k - half + 1023) << 52)
    y = math.inf if x > 709.782712893384 else y
    return x if x != x else y


@njit(forceinline=True, **ARITHMETIC)
def tanh32(x):
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
def tanh64(x):
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
def total(x):
    """The sum, in double precision."""
    s = 0.0
    for i in range(x.size):
        s += x[i]
    return s


@njit(error_model="numpy", fastmath={"reassoc", "contract"})
def row_sums(x, rows, columns, out):
    """The sum of each row."""
    for i in range(rows):
        s = 0.0
        for j in range(columns):
            s += x[i * columns + j]
        out[i] = s


@njit(**ARITHMETIC)
def row_maxima(x, rows, columns, out):
    """The largest of each row; a nan is."""
    for i in range(rows):
        s = x[i * columns]
        for j in range(1, columns):
            v = x[i * columns + j]
            s = s if s > v or s != s else v
        out[i] = s


@njit(**ARITHMETIC)
def column_sums(x, rows, columns, out):
    """The sum of each column."""
    for j in range(columns):
        out[j] = x[j]
    for i in range(1, rows):
        for j in range(columns):
            out[j] += x[i * columns + j]


@njit(inline="always", **ARITHMETIC)
def dot_small(x, y, m, n, k, sxm, sxk, syk, syn, out):
    """The product of small matrices: x[i * sxm + p * sxk] with y[p * syk + j * syn]."""
    for i in range(m):
        for j in range(n):
            out[i * n + j] = x[i * sxm] * y[j * syn]
        for p in range(1, k):
            a = x[i * sxm + p * sxk]
            for j in range(n):
                out[i * n + j] += a * y[p * syk + j * syn]
