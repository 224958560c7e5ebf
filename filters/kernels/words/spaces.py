"""`str.split()` words of one row, as hashes and lengths: the words of the n-gram measures.

Invariant: the words written equal `text.split()`, in order; a hash depends on the word's bytes and their number alone. ASCII
white space is found 64 bytes at a time (`white`); a wide space, a word longer than that, and the last bytes of a row are looked
up character by character.
"""

from __future__ import annotations

from typing import Any

import llvmlite.ir as ir
import numpy as np
from numba import types
from numba.core import cgutils

from filters.kernels.compiled import Array, Int, inner_kernel
from filters.kernels.unicode.ascii_words import BYTES, MASK, VECTOR, eight, every, intrinsic, lowest
from filters.kernels.unicode.char_classes import SPACE, flags_at
from filters.kernels.unicode.fold import ASCII_SPACES
from filters.kernels.words.words import MULTIPLIER, SEED, SPARE, finalise

_ONE, _BYTE, _BITS, _ALL = np.uint64(1), np.uint64(8), np.uint64(64), np.uint64(0xFFFFFFFFFFFFFFFF)
_WIDE_LEADS = (0xC2, 0xE1, 0xE2, 0xE3)
"""First bytes of the white space beyond ASCII: U+0085, A0, 1680, 2000 and on, 3000."""


@intrinsic
def white(typing_context: Any, data: Any, p: Any) -> Any:
    """`(space, later, wide)` uint64: bit k says that byte p + k is ASCII white space; a second or later byte of a character; or
    a first byte of _WIDE_LEADS. Reads `data[p:p + 64]`, unchecked."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array = context.make_array(signature.args[0])(context, builder, arguments[0])
        at = builder.gep(array.data, [arguments[1]])
        text = builder.load(builder.bitcast(at, VECTOR.as_pointer()), align=1)
        space = wide = ir.Constant(ir.VectorType(ir.IntType(1), BYTES), [0] * BYTES)
        for first, last in ASCII_SPACES:
            space = builder.or_(space, builder.icmp_unsigned("<=", builder.sub(text, every(first)), every(last - first)))
        for lead in _WIDE_LEADS:
            wide = builder.or_(wide, builder.icmp_unsigned("==", text, every(lead)))
        later = builder.icmp_unsigned("==", builder.and_(text, every(0xC0)), every(0x80))
        return cgutils.pack_array(builder, [builder.bitcast(found, MASK) for found in (space, later, wide)])

    return types.UniTuple(types.uint64, 3)(data, p), generate


@intrinsic
def ones(typing_context: Any, mask: Any) -> Any:
    """How many bits of a uint64 are set."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.ctpop(arguments[0])

    return types.uint64(types.uint64), generate


@inner_kernel
def hash_bytes(data: Array, p: Int, end: Int, limit: Int) -> Int:
    """uint64 of `data[p:end]`, reading no byte from `limit` on: blocks of eight by xor and multiply, MurmurHash3's finaliser."""
    size = np.uint64(end - p)
    value = SEED ^ (size * MULTIPLIER)
    at = np.uintp(p)
    while size > _BYTE and p + 8 <= limit:
        value = _mix(value, eight(data, at))
        at += np.uintp(8)
        p += 8
        size -= _BYTE
    if size == np.uint64(0):
        return finalise(value)
    if p + 8 <= limit:
        bits = _BITS - (size << np.uint64(3))
        return finalise(_mix(value, (eight(data, at) << bits) >> bits))
    block, filled = np.uint64(0), np.uint64(0)
    for k in range(np.int64(size)):
        block |= np.uint64(data[np.uintp(p + k)]) << filled
        filled += _BYTE
    return finalise(_mix(value, block))


@inner_kernel
def _mix(value: Int, block: Int) -> Int:
    value = (value ^ block) * MULTIPLIER
    return value ^ (value >> np.uint64(32))


@inner_kernel
def split_words(data: Array, p: Int, end: Int, blocks: Array, cells: Array, hashes: Array, ends: Array) -> tuple[Int, Int]:
    """`(n, next)`: the words of the text at p to end. Word k has hash `hashes[k]`; `ends[k + 1]` is the code points of the words
    up to and with it. Stops where fewer than SPARE places of `hashes` are left; `ends` has one place more."""
    n = chars = np.int64(0)
    ends[0] = 0
    while p < end and n + SPARE <= hashes.size:
        if p + BYTES + 8 <= end:
            n, p, chars = _blocks(data, p, end, hashes, ends, n, chars)
            if n + SPARE > hashes.size:
                break
        flags, size = flags_at(data, p, end, blocks, cells)
        if flags & SPACE:
            p += size
            continue
        start = p
        while p < end:
            flags, size = flags_at(data, p, end, blocks, cells)
            if flags & SPACE:
                break
            chars += 1
            p += size
        hashes[np.uintp(n)] = hash_bytes(data, start, p, end)
        ends[np.uintp(n + 1)] = chars
        n += 1
    return n, p


@inner_kernel
def _blocks(data: Array, p: Int, end: Int, hashes: Array, ends: Array, n: Int, chars: Int) -> tuple[Int, Int, Int]:
    """`(n, next, chars)`: whole words that end within 64 bytes of a block's start, up to one that may hold a wide space."""
    while p + BYTES + 8 <= end and n + SPARE <= hashes.size:
        space, later, wide = white(data, np.uintp(p))
        valid = lowest(wide)
        word = ~space
        open_ = valid
        while word:
            first = lowest(word)
            last = first + lowest(space >> first)
            if first >= valid or last >= valid:
                open_ = min(first, valid)
                break
            inner = (later >> first) & ((_ONE << (last - first)) - _ONE)
            chars += np.int64(last - first - ones(inner))
            hashes[np.uintp(n)] = _short(data, np.uintp(p) + first, last - first)
            ends[np.uintp(n + 1)] = chars
            n += 1
            word &= _ALL << last
        p += np.int64(open_)
        if open_ == 0 or (open_ != valid and valid != _BITS):
            break
    return n, p, chars


@inner_kernel
def _short(data: Array, at: Int, size: Int) -> Int:
    """`hash_bytes` of one byte or more at `at`, with eight more to read."""
    value = SEED ^ (size * MULTIPLIER)
    while size > _BYTE:
        value = _mix(value, eight(data, at))
        at += np.uintp(8)
        size -= _BYTE
    bits = _BITS - (size << np.uint64(3))
    return finalise(_mix(value, (eight(data, at) << bits) >> bits))
