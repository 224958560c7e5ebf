"""`str.split()` words of one row, as hashes and lengths: the words of the n-gram measures.

Invariant: the words written equal `text.split()`, in order; a hash depends on the word's bytes and their number alone. ASCII
white space is found 64 bytes at a time (`white`); a wide space, a word longer than that, and the last bytes of a row are looked
up character by character.
"""

from __future__ import annotations

import numpy as np

from filters.kernels.compiled import Array, Int, inlined_kernel, inner_kernel
from filters.kernels.unicode.ascii_words import BYTES, between, eight, lowest, ones
from filters.kernels.unicode.char_classes import SPACE, flags_at
from filters.kernels.words.words import MULTIPLIER, SEED, SPARE, finalise, mix

_ONE, _BYTE, _BITS, _ALL = np.uint64(1), np.uint64(8), np.uint64(64), np.uint64(0xFFFFFFFFFFFFFFFF)


@inlined_kernel
def white(data: Array, p: Int) -> tuple[Int, Int, Int]:
    """`(space, later, wide)` uint64: bit k says that byte p + k is ASCII white space; a second or later byte of a character; or
    the first byte of white space beyond ASCII (U+0085, A0, 1680, 2000 and on, 3000), or of others. Reads `data[p:p + 64]`,
    unchecked."""
    space = between(data, p, 0x09, 0x0D) | between(data, p, 0x1C, 0x20)
    return space, between(data, p, 0x80, 0xBF), between(data, p, 0xC2, 0xC2) | between(data, p, 0xE1, 0xE3)


@inner_kernel
def hash_bytes(data: Array, p: Int, end: Int, limit: Int) -> Int:
    """uint64 of `data[p:end]`, reading no byte from `limit` on: blocks of eight by xor and multiply, MurmurHash3's finaliser."""
    size = np.uint64(end - p)
    value = SEED ^ (size * MULTIPLIER)
    at = np.uintp(p)
    while size > _BYTE and p + 8 <= limit:
        value = mix(value, eight(data, at))
        at += np.uintp(8)
        p += 8
        size -= _BYTE
    if size == np.uint64(0):
        return finalise(value)
    if p + 8 <= limit:
        bits = _BITS - (size << np.uint64(3))
        return finalise(mix(value, (eight(data, at) << bits) >> bits))
    block, filled = np.uint64(0), np.uint64(0)
    for k in range(np.int64(size)):
        block |= np.uint64(data[np.uintp(p + k)]) << filled
        filled += _BYTE
    return finalise(mix(value, block))


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
            hashes[np.uintp(n)] = hash_bytes(data, p + np.int64(first), p + np.int64(last), end)
            ends[np.uintp(n + 1)] = chars
            n += 1
            word &= _ALL << last
        p += np.int64(open_)
        if open_ == 0 or (open_ != valid and valid != _BITS):
            break
    return n, p, chars
