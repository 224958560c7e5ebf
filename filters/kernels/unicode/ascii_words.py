"""What each of 64 bytes is, as bits: one vector operation for each question.

Invariant: `classes` and `between` equal the plain Python in their docstrings; they read 64 bytes and nothing else. LLVM's
vectors are those of the machine: one register with AVX-512, four with NEON or SSE2.
"""

from __future__ import annotations

from typing import Any

import llvmlite.ir as ir
import numpy as np
from numba import extending, types
from numba.core import cgutils

from filters.kernels.compiled import Array, Int, inlined_kernel

BYTES = 64
intrinsic: Any = extending.intrinsic  # typed as a function of the typing context too, which callers do not pass
VECTOR = ir.VectorType(ir.IntType(8), BYTES)
MASK = ir.IntType(64)


def every(byte: int) -> ir.Constant:
    return ir.Constant(VECTOR, [byte] * BYTES)


@intrinsic
def between(typing_context: Any, data: Any, p: Any, first: Any, last: Any) -> Any:
    """uint64: bit k says that `first <= data[p + k] <= last`. Reads `data[p:p + 64]`, unchecked."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array = context.make_array(signature.args[0])(context, builder, arguments[0])
        at = builder.gep(array.data, [arguments[1]])
        text = builder.load(builder.bitcast(at, VECTOR.as_pointer()), align=1)

        def spread(byte: Any) -> Any:
            one = builder.insert_element(ir.Constant(VECTOR, ir.Undefined), byte, ir.IntType(32)(0))
            return builder.shuffle_vector(one, one, ir.Constant(ir.VectorType(ir.IntType(32), BYTES), [0] * BYTES))

        low, high = (builder.trunc(argument, ir.IntType(8)) for argument in arguments[2:])
        inside = builder.icmp_unsigned("<=", builder.sub(text, spread(low)), spread(builder.sub(high, low)))
        return builder.bitcast(inside, MASK)

    return types.uint64(data, p, types.int64, types.int64), generate


@inlined_kernel
def alphabet(data: Array, p: Int) -> tuple[Int, Int]:
    """`(letter, digit)` uint64: bit k says that byte p + k is one of A-Z a-z, and that it is one of 0-9. Reads
    `data[p:p + 64]`, unchecked."""
    return between(data, p, 0x41, 0x5A) | between(data, p, 0x61, 0x7A), between(data, p, 0x30, 0x39)


@inlined_kernel
def classes(data: Array, p: Int) -> tuple[Int, Int]:
    """`(word, other)` uint64: bit k of the first: byte p + k is one of A-Z a-z 0-9 _; of the second: it is not ASCII.

    Reads `data[p:p + 64]`, unchecked.
    """
    letter, digit = alphabet(data, p)
    return letter | digit | between(data, p, 0x5F, 0x5F), between(data, p, 0x80, 0xFF)


@intrinsic
def eight(typing_context: Any, data: Any, p: Any) -> Any:
    """`int.from_bytes(data[p:p + 8], sys.byteorder)` as uint64, unchecked."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array = context.make_array(signature.args[0])(context, builder, arguments[0])
        at = builder.gep(array.data, [arguments[1]])
        value = builder.load(builder.bitcast(at, MASK.as_pointer()), align=1)
        return value

    return types.uint64(data, p), generate


HIGH, LOWER = np.uint64(0x8080808080808080), np.uint64(0x2020202020202020)
_FROM_A, _BEHIND_Z = np.uint64(0x1F1F1F1F1F1F1F1F), np.uint64(0x0505050505050505)  # 128 less "a", and less what follows "z"


@inlined_kernel
def letters(text: Int) -> Int:
    """uint64: the highest bit of each byte of `eight` that is one of A-Z a-z."""
    plain = (text | LOWER) & ~HIGH
    return (plain + _FROM_A) & ~(plain + _BEHIND_Z) & ~text & HIGH


@intrinsic
def put_eight(typing_context: Any, data: Any, p: Any, value: Any) -> Any:
    """`data[p:p + 8] = value.to_bytes(8, sys.byteorder)`, unchecked."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array = context.make_array(signature.args[0])(context, builder, arguments[0])
        at = builder.gep(array.data, [arguments[1]])
        builder.store(arguments[2], builder.bitcast(at, MASK.as_pointer()), align=1)
        return context.get_dummy_value()

    return types.void(data, p, types.uint64), generate


@intrinsic
def copy_block(typing_context: Any, out: Any, q: Any, data: Any, p: Any) -> Any:
    """`out[q:q + 64] = data[p:p + 64]`, unchecked."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        def at(array: int) -> Any:
            base = context.make_array(signature.args[array])(context, builder, arguments[array]).data
            return builder.bitcast(builder.gep(base, [arguments[array + 1]]), VECTOR.as_pointer())

        builder.store(builder.load(at(2), align=1), at(0), align=1)
        return context.get_dummy_value()

    return types.void(out, q, data, p), generate


@intrinsic
def lowest(typing_context: Any, mask: Any) -> Any:
    """Number of the lowest bit that is set in a uint64, 64 where none is."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 0))

    return types.uint64(types.uint64), generate


@intrinsic
def highest(typing_context: Any, mask: Any) -> Any:
    """One more than the number of the highest bit that is set in a uint64, 0 where none is."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        above = builder.ctlz(arguments[0], ir.Constant(ir.IntType(1), 0))
        return builder.sub(ir.Constant(MASK, BYTES), above)

    return types.uint64(types.uint64), generate


@intrinsic
def ones(typing_context: Any, mask: Any) -> Any:
    """How many bits of a uint64 are set."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.ctpop(arguments[0])

    return types.uint64(types.uint64), generate


@intrinsic
def soon(typing_context: Any, array: Any, byte: Any) -> Any:
    """Asks for the cache line of `array`'s memory that is `byte` bytes from its start: it will be read and written soon."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pointer = ir.IntType(8).as_pointer()
        base = builder.bitcast(context.make_array(signature.args[0])(context, builder, arguments[0]).data, pointer)
        flag = ir.IntType(32)
        prefetch = cgutils.get_or_insert_function(
            builder.module, ir.FunctionType(ir.VoidType(), [pointer, flag, flag, flag]), "llvm.prefetch.p0i8"
        )
        builder.call(prefetch, [builder.gep(base, [arguments[1]]), flag(1), flag(3), flag(1)])
        return context.get_dummy_value()

    return types.void(array, types.intp), generate
