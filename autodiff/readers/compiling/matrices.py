"""Products of matrices in machine code: large ones by BLAS, small ones in tiles.

All are of flat arrays in C order. Imported where the numba backend is used, and by the modules that it writes.
"""

from __future__ import annotations

# What numba compiles has the types of its arguments, and no annotations.
# pyright: basic, reportMissingParameterType=false, reportMissingTypeStubs=false
from typing import Any

from llvmlite import ir
from llvmlite.binding import add_symbol, get_host_cpu_features
from numba import types
from numba.core import cgutils
from numba.extending import get_cython_function_address, intrinsic


def _product(name: str, number: Any) -> Any:
    """Column-major out = op(x) @ op(y) by a function of SciPy's BLAS; x, y and out are flat arrays."""
    symbol = f"autodiff_{name}"
    try:
        add_symbol(symbol, get_cython_function_address("scipy.linalg.cython_blas", name))
    except ImportError as error:
        raise ImportError('backend="numba" needs numba and SciPy: pip install "autodiff[fast]"') from error

    @intrinsic
    def gemm(typingctx, transpose_x, transpose_y, m, n, k, x, ldx, y, ldy, out, ldout):
        def codegen(context, builder, signature, args):
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

            def memory(i: int) -> Any:
                array = context.make_array(signature.args[i])(context, builder, args[i])
                return builder.bitcast(array.data, pointer)

            tx, ty, m, n, k, _, ldx, _, ldy, _, ldout = args
            one, zero = (place(ir.Constant(number, value), number) for value in (1.0, 0.0))
            given = [letter(tx), letter(ty), size(m), size(n), size(k), one, memory(5), size(ldx)]
            given += [memory(7), size(ldy), zero, memory(9), size(ldout)]
            kind = ir.FunctionType(ir.VoidType(), [pointer] * 13)
            builder.call(cgutils.get_or_insert_function(builder.module, kind, symbol), given)
            return context.get_dummy_value()

        sizes = [types.int64] * 5
        return types.none(*sizes, x, types.int64, y, types.int64, out, types.int64), codegen

    return gemm


gemm32: Any = _product("sgemm", ir.FloatType())
gemm64: Any = _product("dgemm", ir.DoubleType())


# --- small ones -------------------------------------------------------------------------------------------------------

VECTOR = 64 if get_host_cpu_features().get("avx512f") else 32  # bytes
ROWS = 6  # of a tile, with two vectors in each: as many sums as there are registers for, and none waits for another
LEAST = ROWS, VECTOR  # rows, and bytes of each, of a product in tiles


def _tiled_body(function: Any, number: Any, width: int) -> None:
    """The function of x, the distances of rows and of columns in it, y, out, m, n and k."""
    x, x_row, x_column, y, out, m, n, k = function.args
    builder: Any = ir.IRBuilder(function.append_basic_block())
    vector, contract = ir.VectorType(number, width), ("contract",)
    zero, nothing = ir.Constant(vector, None), ir.Constant(vector, ir.Undefined)
    lanes, first = ir.Constant(ir.VectorType(ir.IntType(32), width), None), ir.Constant(ir.IntType(32), 0)
    sums = [[cgutils.alloca_once(builder, vector) for _ in range(2)] for _ in range(ROWS)]

    def integer(value: int) -> Any:
        return ir.Constant(m.type, value)

    def place(matrix: Any, row: Any, row_size: Any, column: Any) -> Any:
        return builder.gep(matrix, [builder.add(builder.mul(row, row_size), column)])

    def as_vector(memory: Any) -> Any:
        return builder.bitcast(memory, vector.as_pointer())

    def least(a: Any, b: Any) -> Any:
        return builder.select(builder.icmp_signed("<", a, b), a, b)

    def tiles(extent: Any, step: int) -> Any:
        return cgutils.for_range_slice(builder, integer(0), extent, integer(step))

    last = builder.sub(n, integer(width))
    with tiles(m, ROWS) as (row, _), tiles(n, 2 * width) as (column, _):
        columns = [least(column, last), least(builder.add(column, integer(width)), last)]
        i = least(row, builder.sub(m, integer(ROWS)))
        rows = [builder.add(i, integer(r)) for r in range(ROWS)]
        for total in (total for pair in sums for total in pair):
            builder.store(zero, total)
        with cgutils.for_range(builder, k) as loop:
            right = [builder.load(as_vector(place(y, loop.index, n, j)), align=VECTOR // width) for j in columns]
            for r, pair in zip(rows, sums, strict=True):
                one = builder.load(place(x, r, x_row, builder.mul(loop.index, x_column)))
                left = builder.shuffle_vector(builder.insert_element(nothing, one, first), nothing, lanes)
                for total, vectors in zip(pair, right, strict=True):
                    product = builder.fmul(left, vectors, flags=contract)
                    builder.store(builder.fadd(builder.load(total), product, flags=contract), total)
        for r, pair in zip(rows, sums, strict=True):
            for total, j in zip(pair, columns, strict=True):
                builder.store(builder.load(total), as_vector(place(out, r, n, j)), align=VECTOR // width)
    builder.ret_void()


@intrinsic
def tiled(typingctx: Any, transpose_x: Any, m: Any, n: Any, k: Any, x: Any, y: Any, out: Any) -> Any:
    """out = op(x) @ y for small matrices, of at least 6 rows of one vector; BLAS would copy both first.

    A tile is 6 rows of out, two vectors wide: sums that stay in registers. The last ones overlap the ones before.
    """

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        number, integer = context.get_data_type(out.dtype), ir.IntType(64)
        pointer = number.as_pointer()
        kind = ir.FunctionType(ir.VoidType(), [pointer, integer, integer, pointer, pointer, *[integer] * 3])
        function = cgutils.get_or_insert_function(builder.module, kind, f"autodiff_tiled_{number}")
        if function.is_declaration:
            function.linkage = "linkonce_odr"
            function.attributes.add("noinline")  # else it would be optimised anew for each call
            _tiled_body(function, number, VECTOR // context.get_abi_sizeof(number))
        flag, m, n, k, *arrays = args
        memory = [
            context.make_array(t)(context, builder, a).data for t, a in zip(signature.args[4:], arrays, strict=True)
        ]
        one, flipped = ir.Constant(integer, 1), builder.icmp_signed("!=", flag, ir.Constant(flag.type, 0))
        distances = builder.select(flipped, one, k), builder.select(flipped, m, one)
        builder.call(function, [memory[0], *distances, *memory[1:], m, n, k])
        return context.get_dummy_value()

    return types.none(*[types.int64] * 4, x, y, out), codegen
