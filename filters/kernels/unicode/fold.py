r"""White space of texts folded: each run to one ASCII space, ends stripped.

Invariant: row i of `folded` equals `" ".join(text.split()).encode()`; white space is what `char_classes.SPACE` says. Text is
walked 64 bytes at a time (`_block`), which finds ASCII white space and the first two bytes of any other; those characters, and
each text's last 64 bytes, are looked up one by one.
"""

from __future__ import annotations

from typing import Any

import llvmlite.ir as ir
import numpy as np
from numba import types
from numba.core import cgutils

from filters.kernels.compiled import Array, Bool, Int, inner_kernel, kernel
from filters.kernels.unicode import char_classes
from filters.kernels.unicode.ascii_words import BYTES, MASK, VECTOR, every, intrinsic, lowest
from filters.kernels.unicode.char_classes import SPACE, flags_at

ASCII_SPACES = ((0x09, 0x0D), (0x1C, 0x20))
"""First and last of each range."""
WIDE_SPACES = (
    ((0xC2, 0xC2), (0x80, 0xBF)),
    ((0xE1, 0xE1), (0x9A, 0x9A)),
    ((0xE2, 0xE2), (0x80, 0x81)),
    ((0xE3, 0xE3), (0x80, 0x80)),
)
"""Ranges of the first and of the second byte of every white space beyond ASCII; a test holds both to `char_classes`."""
_NONE = np.uint64(0)
_ONE = np.uint64(1)
_LAST = np.uint64(BYTES - 1)


def folded(offsets: np.ndarray, data: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """`(starts int64[n + 1], bytes uint8[:])`: row i folded is `bytes[starts[i]:starts[i + 1]]`."""
    starts = np.zeros(len(offsets), np.int64)
    # Folding never makes a text longer, and a block of 64 bytes that is written starts no later than where it was read.
    out = np.empty(offsets[-1] - offsets[0], np.uint8)
    _folded(offsets, data, *char_classes.tables(), starts, out)
    return starts, out[: starts[-1]]


@kernel
def _folded(offsets: Array, data: Array, blocks: Array, cells: Array, starts: Array, out: Array) -> None:
    n = np.int64(0)
    for i in range(offsets.size - 1):
        n = _row(data, offsets[i], offsets[i + 1], blocks, cells, out, n)
        starts[i + 1] = n


@inner_kernel
def _row(data: Array, p: Int, end: Int, blocks: Array, cells: Array, out: Array, n: Int) -> Int:
    """Appends the text at p to end, folded, to `out[:n]`; returns the new n."""
    start = n
    after_space = True
    while p < end:
        if p + BYTES < end:
            n, p, after_space, wide = _blocks(data, p, end, out, n, after_space)
            if not wide:
                continue
        flags, size = flags_at(data, p, end, blocks, cells)
        if flags & SPACE:
            if not after_space:
                out[np.uintp(n)] = 0x20
                n += 1
            after_space = True
        else:
            for k in range(size):
                out[np.uintp(n + k)] = data[np.uintp(p + k)]
            n += size
            after_space = False
        p += size
    return n - 1 if after_space and n > start else n


@inner_kernel
def _blocks(data: Array, p: Int, end: Int, out: Array, n: Int, after_space: bool) -> tuple[Int, Int, Bool, Bool]:
    """`(n, next, after_space, wide)`: folds ASCII; stops at what may be a wide space (`wide`), or near the text's end."""
    while p + BYTES < end:
        space, wide = _block(data, np.uintp(p), out, np.uintp(n))
        again = space & ((space << _ONE) | np.uint64(after_space))
        stop = lowest(again | wide)
        n += np.int64(stop)
        p += np.int64(stop)
        if stop:
            after_space = ((space >> ((stop - _ONE) & _LAST)) & _ONE) != _NONE
        if stop > _LAST:
            continue
        if (wide >> stop) & _ONE:
            return n, p, after_space, True
        p += np.int64(lowest(~(space >> stop)))
    return n, p, after_space, False


def _within(builder: Any, text: Any, first: int, last: int) -> Any:
    """Which bytes are from `first` to `last`."""
    return builder.icmp_unsigned("<=", builder.sub(text, every(first)), every(last - first))


@intrinsic
def _block(typing_context: Any, data: Any, p: Any, out: Any, n: Any) -> Any:
    """Copies `data[p:p + 64]` to `out[n:n + 64]`, ASCII white space as 0x20; `(space, wide)` uint64.

    Bit k of the first: byte p + k is ASCII white space; of the second: bytes p + k and p + k + 1 begin as WIDE_SPACES do. Reads
    `data[p:p + 65]`; unchecked.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array = context.make_array(signature.args[0])(context, builder, arguments[0])
        here = builder.bitcast(builder.gep(array.data, [arguments[1]]), VECTOR.as_pointer())
        after = builder.bitcast(
            builder.gep(array.data, [builder.add(arguments[1], ir.Constant(arguments[1].type, 1))]), VECTOR.as_pointer()
        )
        text, following = builder.load(here, align=1), builder.load(after, align=1)
        space = wide = ir.Constant(ir.VectorType(ir.IntType(1), BYTES), [0] * BYTES)
        for first, last in ASCII_SPACES:
            space = builder.or_(space, _within(builder, text, first, last))
        for lead, second in WIDE_SPACES:
            wide = builder.or_(wide, builder.and_(_within(builder, text, *lead), _within(builder, following, *second)))
        target = context.make_array(signature.args[2])(context, builder, arguments[2])
        to = builder.bitcast(builder.gep(target.data, [arguments[3]]), VECTOR.as_pointer())
        builder.store(builder.select(space, every(0x20), text), to, align=1)
        return cgutils.pack_array(builder, [builder.bitcast(space, MASK), builder.bitcast(wide, MASK)])

    return types.UniTuple(types.uint64, 2)(data, p, out, n), generate
