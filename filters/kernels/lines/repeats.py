"""Repeated blocks inside one text: one walk that writes the text without them.

A *block* is a paragraph (a run of lines that are not blank) or one line of it; its content is its text with ends stripped. A
block of at least `min_chars` characters whose content stood earlier in the text is cut, a line with its newline; the first
stays. Where nothing of a paragraph stays, the blank lines after it go too. What stays, stays byte for byte.

Invariant: a row equals `tests/filters/edits/repeats_oracle.py`. Linear, whatever the text is: a block is compared with at most
`PROBES` others, and one that finds no place among so many (an attack on the hash, for there are two places a block) is kept
and not remembered. Scratch: at most 32 bytes for each `min_chars / 2` bytes of the longest text.
"""

from __future__ import annotations

import numpy as np

from filters.kernels.compiled import Array, Bool, Int, inner_kernel, kernel
from filters.kernels.lines.pieces import Output, chars, copy, output, skipped, trimmed
from filters.kernels.unicode import char_classes
from filters.kernels.words.spaces import hash_bytes

PROBES = 64
CHANGES = ("paragraph", "line")
_PARAGRAPH, _LINE = 1, 2


def cut(offsets: np.ndarray, data: np.ndarray, min_chars: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """`(starts int64[n + 1], bytes uint8[:], changes uint8[n])`: row i is `bytes[starts[i]:starts[i + 1]]`."""
    made = output(offsets)
    most = 2 * int(np.diff(offsets).max(initial=0)) // min_chars + 1
    blocks = np.empty((most, 2), np.int64)
    slots = np.empty(1 << (2 * most - 1).bit_length(), np.int32)
    _cut(offsets, data, *char_classes.tables(), min_chars, blocks, slots, made)
    return made.written()


@kernel
def _cut(
    offsets: Array, data: Array, blocks: Array, cells: Array, min_chars: Int, known: Array, slots: Array, made: Output
) -> None:
    o = np.int64(0)
    for i in range(offsets.size - 1):
        p, end = offsets[i], offsets[i + 1]
        most = 2 * (end - p) // min_chars + 1
        used = np.int64(1)
        while used < 2 * most:
            used *= 2
        slots[:used] = -1
        o, changed = _row(data, p, end, blocks, cells, min_chars, known, slots[:used], made.out, o)
        made.starts[i + 1] = o
        made.changes[i] = changed


@inner_kernel
def _row(
    data: Array, p: Int, end: Int, blocks: Array, cells: Array, min_chars: Int, known: Array, slots: Array, out: Array, o: Int
) -> tuple[Int, Int]:
    """Appends `data[p:end]` without repeated blocks to `out[:o]`; `(next o, changes)`."""
    n = changed = np.int64(0)
    gone = False
    while p < end:
        after, first, last = _line(data, p, end, blocks, cells)
        if first == last:
            if not gone:
                o = copy(data, p, after, out, o)
            p = after
            continue
        stop = after
        while stop < end:
            following, begin, ends = _line(data, stop, end, blocks, cells)
            if begin == ends:
                break
            last = ends
            stop = following
        gone = True
        if _has(data, first, last, min_chars):
            hashed = hash_bytes(data, first, last, end)
            if _seen(data, first, last, hashed, known, slots):
                changed |= _PARAGRAPH
                p = stop
                continue
            n = _add(first, last, hashed, known, n, slots)
        single = after == stop
        while p < stop:
            after, first, last = _line(data, p, end, blocks, cells)
            if not single and _has(data, first, last, min_chars):
                hashed = hash_bytes(data, first, last, end)
                if _seen(data, first, last, hashed, known, slots):
                    changed |= _LINE
                    p = after
                    continue
                n = _add(first, last, hashed, known, n, slots)
            gone = False
            o = copy(data, p, after, out, o)
            p = after
    return o, changed


@inner_kernel
def _line(data: Array, p: Int, end: Int, blocks: Array, cells: Array) -> tuple[Int, Int, Int]:
    """`(after, first, last)` of the line at p: where the next one begins, and its stripped part, empty if it is blank."""
    stop = p
    while stop < end and data[np.uintp(stop)] != 0x0A:
        stop += 1
    last = trimmed(data, p, stop, blocks, cells)
    return min(stop + 1, end), skipped(data, p, last, blocks, cells), last


@inner_kernel
def _has(data: Array, first: Int, last: Int, min_chars: Int) -> Bool:
    """Whether `data[first:last]` has that many characters."""
    return last - first >= min_chars and chars(data, first, last) >= min_chars


@inner_kernel
def _seen(data: Array, first: Int, last: Int, hashed: Int, known: Array, slots: Array) -> Bool:
    """Whether a known block has the content `data[first:last]`."""
    mask = np.uint64(slots.size - 1)
    for probe in range(PROBES):
        k = slots[np.uintp((hashed + np.uint64(probe)) & mask)]
        if k < 0:
            return False
        start, stop = known[k, 0], known[k, 1]
        if stop - start == last - first:
            same = True
            for q in range(last - first):
                if data[np.uintp(start + q)] != data[np.uintp(first + q)]:
                    same = False
                    break
            if same:
                return True
    return False


@inner_kernel
def _add(first: Int, last: Int, hashed: Int, known: Array, n: Int, slots: Array) -> Int:
    """Remembers a block where a place is free within `PROBES`; returns how many are known."""
    mask = np.uint64(slots.size - 1)
    for probe in range(PROBES):
        place = np.uintp((hashed + np.uint64(probe)) & mask)
        if slots[place] < 0:
            slots[place] = n
            known[n, 0] = first
            known[n, 1] = last
            return n + 1
    return n
