"""Cuts texts into windows of about so many words, at ends of sentences and lines.

Invariant: the windows of a text cover it once, in order, and start and end on character boundaries; each text has at least one.
Equals `cut` in tests/filters/kernels/models/test_features.py, in plain Python.
"""

from __future__ import annotations

import numpy as np

from filters.kernels.compiled import Array, Int, inlined_kernel, kernel
from filters.kernels.unicode.ascii_words import BYTES, between, lowest

WORD_BYTES = 16
"""Windows have at most 2 x `size` x this many bytes (and three more): bounds those of text without spaces. Chosen: a word and its
space have 6 bytes in English, 13 in Hindi."""
_ALL = np.uint64(0xFFFFFFFFFFFFFFFF)
_STOP, _EXCLAIM, _ASK, _NEWLINE = np.uint8(ord(".")), np.uint8(ord("!")), np.uint8(ord("?")), np.uint8(10)


@inlined_kernel
def _separators(data: Array, base: Int, end: Int) -> Int:
    """uint64: bit k says that byte base + k, before `end`, is a space or newline."""
    n = min(end - base, np.int64(BYTES))
    if base + BYTES <= data.shape[0]:
        found = between(data, base, 32, 32) | between(data, base, 10, 10)
        return found & (_ALL >> np.uint64(BYTES - n))
    found = np.uint64(0)
    for k in range(n):
        byte = data[np.uintp(base + k)]
        found |= np.uint64(byte == 32 or byte == _NEWLINE) << np.uint64(k)
    return found


@kernel
def _passages(offsets: Array, data: Array, size: Int, rows: Array, spans: Array) -> Int:
    n = np.int64(0)
    longest = 2 * size * WORD_BYTES
    for i in range(offsets.shape[0] - 1):
        first_of_row = n
        begin = at = offsets[i]
        end = offsets[i + 1]
        words, base, left = np.int64(0), at - BYTES, np.uint64(0)
        while True:
            while left == 0 and base + BYTES < end:
                base += BYTES
                left = _separators(data, base, end)
            stop = base + np.int64(lowest(left)) if left else end
            left &= left - np.uint64(1)
            while stop - begin >= longest:
                after = max(at, begin + longest - 1) + 1
                while after < end and (data[np.uintp(after)] & 0xC0) == 0x80:
                    after += 1
                if after > stop or after >= end:
                    break
                rows[n], spans[n, 0, 0], spans[n, 0, 1] = i, begin, after
                n += 1
                begin, at, words = after, after, np.int64(0)
            if stop >= end:
                break
            at = stop + 1
            if stop == begin:
                continue
            before = data[np.uintp(stop - 1)]
            if before == 32 or before == _NEWLINE:
                continue
            words += 1
            ends = data[np.uintp(stop)] == _NEWLINE or before in (_STOP, _EXCLAIM, _ASK)
            if words < size or (words < 2 * size and not ends):
                continue
            rows[n], spans[n, 0, 0], spans[n, 0, 1] = i, begin, at
            n += 1
            begin, words = at, np.int64(0)
        if n > first_of_row and words <= size // 2:
            spans[n - 1, 0, 1] = end
        else:
            rows[n], spans[n, 0, 0], spans[n, 0, 1] = i, begin, end
            n += 1
    return n


def passages(offsets: np.ndarray, data: np.ndarray, *, size: int) -> tuple[np.ndarray, np.ndarray]:
    """`(rows int64[m], spans int64[m, 1, 2])` of the windows of all texts, in order; row i is `data[offsets[i]:offsets[i + 1]]`.

    Words end at a space or newline. A window ends behind a word: the first from its `size`-th on that ends in `.`, `!` or `?` or
    ends a line, at the latest word number 2 x `size`, or where it has too many bytes. What is left at the end, if it has no more
    than `size` / 2 words that end, belongs to the window before.
    """
    most = (int(offsets[-1]) - int(offsets[0])) // (2 * size) + len(offsets)  # a word and its space have two bytes or more
    rows, spans = np.empty(most, np.int64), np.empty((most, 1, 2), np.int64)
    n = _passages(offsets, data, size, rows, spans)
    return rows[:n], spans[:n]
