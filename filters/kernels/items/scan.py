"""One walk over the words of texts that finds the evaluation items in them, or writes the texts without them.

Invariant: what is found in a row depends on it and on the items alone. A long text is looked at CHUNK words at a time, so that
scratch does not grow with it, but for one byte for each two of the longest text where passages are cut.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from filters.kernels.compiled import Array, Int, inner_kernel, kernel
from filters.kernels.dedup.minhash import BLOCK
from filters.kernels.items import hits, passages
from filters.kernels.items.hits import Sought
from filters.kernels.items.item_words import word_bounds, word_from
from filters.kernels.items.tables import BITMAP_BITS, BUCKET_BITS, COMMON, GRAM, MULTIPLIER, Items, Seeds
from filters.kernels.lines.pieces import Output, copy, output
from filters.kernels.unicode import unicode_words
from filters.kernels.words.words import SPARE, next_words

CHUNK = 1 << 16
OVERLAP = 1 << 14
"""Words of a long text that two pieces share: more than the widest window has."""
_MASK = np.uint64((1 << (8 * GRAM)) - 1)
_BYTE = np.uint64(24)
_SIX = np.uint64(63)
_NO_LIMIT = 2.0


class Found(NamedTuple):
    """The passage of each row that covers an item best: the first of those that cover it equally."""

    coverage: np.ndarray  # float32[n]; 0: none
    item: np.ndarray  # int32[n]; -1: none
    first: np.ndarray  # int64[n]: byte of the row where it begins
    last: np.ndarray  # int64[n]: byte where it ends


def find(offsets: np.ndarray, data: np.ndarray, items: Items, seeds: Seeds) -> Found:
    """The best covered item of each row, from `passages.LEAST` on."""
    n = len(offsets) - 1
    found = Found(np.zeros(n, np.float32), np.full(n, -1, np.int32), np.zeros(n, np.int64), np.zeros(n, np.int64))
    _find(offsets, data, unicode_words.tables(), _sought(items, seeds, longest=0, limit=_NO_LIMIT), found)
    return found


def cut(
    offsets: np.ndarray, data: np.ndarray, items: Items, seeds: Seeds, *, limit: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """`(starts int64[n + 1], bytes uint8[:], changes uint8[n])`: the rows without the passages that cover an item by `limit`."""
    made = output(offsets)
    longest = int(np.diff(offsets).max(initial=0))
    _cut(offsets, data, unicode_words.tables(), _sought(items, seeds, longest=longest, limit=limit), made)
    return made.written()


def _sought(items: Items, seeds: Seeds, *, longest: int, limit: float) -> Sought:
    size = CHUNK + BLOCK + SPARE
    scratch = hits.scratch(BLOCK + SPARE, size, COMMON * size)
    return Sought(items, seeds, scratch, np.zeros(longest // 2 + 2, np.uint8), np.array([limit], np.float32))


@kernel
def _find(offsets: Array, data: Array, tables: Any, sought: Sought, found: Found) -> None:
    window = np.int64(0)
    for i in range(offsets.size - 1):
        best, window = _row(data, offsets[i], offsets[i + 1], tables, sought, window)
        if best[0] > 0:
            found.coverage[i], found.item[i] = best[0], best[1]
            begin, end = word_bounds(data, offsets[i], offsets[i + 1], tables, best[2], best[3])
            found.first[i], found.last[i] = begin - offsets[i], end - offsets[i]


@kernel
def _cut(offsets: Array, data: Array, tables: Any, sought: Sought, made: Output) -> None:
    window = o = np.int64(0)
    for i in range(offsets.size - 1):
        start, end = offsets[i], offsets[i + 1]
        best, window = _row(data, start, end, tables, sought, window)
        if best[0] >= sought.limit[0]:
            o = _without(data, start, end, tables, sought.gone, made.out, o)
            made.changes[i] = 1
        else:
            o = copy(data, start, end, made.out, o)
            made.changes[i] = 0
        made.starts[i + 1] = o


@inner_kernel
def _without(data: Array, start: Int, end: Int, tables: Any, gone: Array, out: Array, o: Int) -> Int:
    """Appends the text without the words marked in `gone`, what lies between them and the signs that the last one ends with;
    takes the marks away."""
    p = kept = start
    n = np.int64(0)
    cutting = False
    while p < end:
        at, stop = word_from(data, start, p, end, tables)
        if at < 0:
            break
        if gone[n] == 1 and not cutting:
            o = copy(data, kept, at, out, o)
        elif gone[n] == 0 and cutting:
            kept = _signs_end(data, kept, at)
        cutting = gone[n] == 1
        if cutting:
            kept = stop
        gone[n] = 0
        n += 1
        p = stop
    if cutting:
        kept = _signs_end(data, kept, end)
    return copy(data, kept, end, out, o)


@inner_kernel
def _signs_end(data: Array, p: Int, end: Int) -> Int:
    """Where ASCII signs without white space, from p on, end."""
    while p < end and 0x20 < data[np.uintp(p)] < 0x80:
        p += 1
    return p


@inner_kernel
def _row(data: Array, start: Int, end: Int, tables: Any, sought: Sought, window: Int) -> tuple[Any, Int]:
    """`((coverage, item, first word, last word), window)` of the best passage."""
    blocks, cells, ascii_ = tables
    seeds, scratch = sought.seeds, sought.scratch
    codes = scratch.codes
    best = (np.float32(0), np.int64(-1), np.int64(0), np.int64(0))
    p, have, before, n_hits, key = start, np.int64(0), np.int64(0), np.int64(0), np.uint64(0)
    while p < end:
        n, p = next_words(data, start, p, end, blocks, cells, ascii_, scratch.words)
        for k in range(n):
            code = scratch.words[np.uintp(k)] >> np.uint64(32)
            codes[np.uintp(have)] = np.uint32(code)
            key = ((key << np.uint64(8)) | (code >> _BYTE)) & _MASK
            have += 1
            mixed = key * MULTIPLIER
            bits = (np.uint64(1) << (mixed & _SIX)) | (np.uint64(1) << ((mixed >> np.uint64(6)) & _SIX))
            if seeds.bitmap[np.uintp(mixed >> np.uint64(64 - BITMAP_BITS))] & bits == bits and have >= GRAM:
                number = _number(seeds, mixed)
                if number >= 0:
                    scratch.hits[np.uintp(n_hits), 0] = have - GRAM
                    scratch.hits[np.uintp(n_hits), 1] = number
                    n_hits += 1
        if p >= end or have >= CHUNK:
            if n_hits > 0:
                best, window = passages.judge(codes[:have], n_hits, before, sought, best, window)
            if p < end:
                n_hits = _carry(codes, have, scratch.hits, n_hits)
                before += have - OVERLAP
                have = np.int64(OVERLAP)
    return best, window


@inner_kernel
def _carry(codes: Array, have: Int, hits: Array, n_hits: Int) -> Int:
    """Moves the last OVERLAP words to the front, and the hits among them; returns how many those are."""
    gone = have - OVERLAP
    for k in range(OVERLAP):
        codes[k] = codes[gone + k]
    n = np.int64(0)
    for k in range(n_hits):
        if hits[k, 0] >= gone:
            hits[n, 0] = hits[k, 0] - gone
            hits[n, 1] = hits[k, 1]
            n += 1
    return n


@inner_kernel
def _number(seeds: Seeds, mixed: Int) -> Int:
    """Number of a key, -1 where it is none."""
    bucket = mixed >> np.uint64(64 - BUCKET_BITS)
    for k in range(seeds.buckets[np.uintp(bucket)], seeds.buckets[np.uintp(bucket + np.uint64(1))]):
        if seeds.keys[np.uintp(k)] == mixed:
            return np.int64(k)
    return np.int64(-1)
