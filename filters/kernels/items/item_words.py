"""The words of evaluation items, and where words of a text lie: what is asked of few texts.

Invariant: words are those of `filters/kernels/words/words.py`, in order; a code is the upper half of a word's hash.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from filters.kernels.compiled import Array, Int, inner_kernel, kernel
from filters.kernels.dedup.minhash import BLOCK
from filters.kernels.items.tables import MULTIPLIER
from filters.kernels.unicode import unicode_words
from filters.kernels.unicode.char_classes import decode
from filters.kernels.unicode.unicode_words import OWN, WORD, cell_of
from filters.kernels.words.words import SPARE, finalise, next_words, word_at


def word_codes(offsets: np.ndarray, data: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """`(starts int64[n + 1], codes uint32[:])`: upper halves of the hashes of row i's words, `codes[starts[i]:starts[i + 1]]`."""
    starts, codes = np.zeros(len(offsets), np.int64), np.empty(max(0, int(offsets[-1] - offsets[0])), np.uint32)
    _word_codes(offsets, data, unicode_words.tables(), np.empty(BLOCK + SPARE, np.uint64), starts, codes)
    return starts, codes[: starts[-1]]


@kernel
def _word_codes(offsets: Array, data: Array, tables: Any, words: Array, starts: Array, codes: Array) -> None:
    blocks, cells, ascii_ = tables
    total = np.int64(0)
    for i in range(offsets.size - 1):
        p, end = offsets[i], offsets[i + 1]
        while p < end:
            n, p = next_words(data, offsets[i], p, end, blocks, cells, ascii_, words)
            for k in range(n):
                codes[total] = np.uint32(words[k] >> np.uint64(32))
                total += 1
        starts[i + 1] = total


def answer_hashes(starts: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """uint32: `answer_code` of each row of `word_codes`."""
    made = np.zeros(len(starts) - 1, np.uint32)
    _answer_hashes(starts, codes, made)
    return made


@kernel
def _answer_hashes(starts: Array, codes: Array, made: Array) -> None:
    for i in range(made.size):
        made[i] = answer_code(codes[starts[i] : starts[i + 1]])


@inner_kernel
def answer_code(codes: Array) -> Int:
    """uint32: a hash of words in a row."""
    value = np.uint64(codes.size)
    for code in codes:
        value = (value ^ np.uint64(code)) * MULTIPLIER
        value ^= value >> np.uint64(32)
    return np.uint32(finalise(value) >> np.uint64(32))


@inner_kernel
def word_bounds(data: Array, start: Int, end: Int, tables: Any, first: Int, last: Int) -> tuple[Int, Int]:
    """The bytes where word `first` of the text at start to end begins and where word `last` ends."""
    p = begin = stop = start
    n = np.int64(0)
    while p < end and n <= last:
        at, p = word_from(data, start, p, end, tables)
        if at < 0:
            break
        if n == first:
            begin = at
        n += 1
        stop = p
    return begin, stop


@inner_kernel
def word_from(data: Array, start: Int, p: Int, end: Int, tables: Any) -> tuple[Int, Int]:
    """`(first, stop)` of the first word at or after p, -1 where there is none."""
    blocks, cells, ascii_ = tables
    while p < end:
        byte = data[np.uintp(p)]
        if byte < 0x80:
            if ascii_[np.uintp(byte)] == 0:
                p += 1
                continue
        else:
            point, size = decode(data, p, end)
            cell = cell_of(point, blocks, cells)
            if cell & OWN:
                return np.int64(p), np.int64(p + size)
            if not cell & WORD:
                p += size
                continue
        _, stop = word_at(data, start, p, end, blocks, cells, ascii_)
        return np.int64(p), np.int64(stop)
    return np.int64(-1), np.int64(end)
