"""Which of 64 bytes are ASCII word characters: one vector operation for each question.

Invariant: `classes` equals the plain Python in its docstring; it reads 64 bytes and nothing else. LLVM's vectors are those of
the machine: one register with AVX-512, four with NEON or SSE2.
"""

from __future__ import annotations

from typing import Any

import llvmlite.ir as ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

BYTES = 64
_intrinsic: Any = intrinsic  # typed as a function of the typing context too, which callers do not pass
_VECTOR = ir.VectorType(ir.IntType(8), BYTES)
_MASK = ir.IntType(64)


def _all(byte: int) -> ir.Constant:
    return ir.Constant(_VECTOR, [byte] * BYTES)


@_intrinsic
def classes(typing_context, data, p):
    """`(word, other)` uint64: bit k of the first: byte p + k is one of A-Z a-z 0-9 _; of the second: it is not ASCII.

    Reads `data[p:p + 64]`, unchecked.
    """

    def generate(context, builder, signature, arguments):
        array = context.make_array(signature.args[0])(context, builder, arguments[0])
        at = builder.gep(array.data, [arguments[1]])
        text = builder.load(builder.bitcast(at, _VECTOR.as_pointer()), align=1)
        letter = builder.icmp_unsigned("<", builder.sub(builder.or_(text, _all(0x20)), _all(ord("a"))), _all(26))
        digit = builder.icmp_unsigned("<", builder.sub(text, _all(ord("0"))), _all(10))
        line = builder.icmp_unsigned("==", text, _all(ord("_")))
        word = builder.or_(builder.or_(letter, digit), line)
        other = builder.icmp_signed("<", text, _all(0))
        return cgutils.pack_array(builder, [builder.bitcast(word, _MASK), builder.bitcast(other, _MASK)])

    return types.UniTuple(types.uint64, 2)(data, p), generate


@_intrinsic
def eight(typing_context, data, p):
    """`int.from_bytes(data[p:p + 8], sys.byteorder)` as uint64, unchecked."""

    def generate(context, builder, signature, arguments):
        array = context.make_array(signature.args[0])(context, builder, arguments[0])
        at = builder.gep(array.data, [arguments[1]])
        value = builder.load(builder.bitcast(at, _MASK.as_pointer()), align=1)
        return value

    return types.uint64(data, p), generate


@_intrinsic
def lowest(typing_context, mask):
    """Number of the lowest bit that is set in a uint64, 64 where none is."""

    def generate(context, builder, signature, arguments):
        return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 0))

    return types.uint64(types.uint64), generate
