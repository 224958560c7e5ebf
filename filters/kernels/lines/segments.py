"""How much of a text its repeated lines and paragraphs are, in each way that a published rule set cuts them.

Invariant: row i equals `in_python(text, kind)`; two segments are one where their 64-bit hashes are equal. A hash table counts
distinct segments: it doubles when half full, and a probe that finds no place after MAX_PROBES leaves the row to `in_python`.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from filters.kernels.compiled import Array, Int, inlined_kernel, inner_kernel, kernel
from filters.kernels.lines.pieces import last_char
from filters.kernels.unicode import char_classes
from filters.kernels.unicode.ascii_words import BYTES, between, lowest, ones
from filters.kernels.unicode.char_classes import SPACE, flags_at
from filters.kernels.words.spaces import hash_bytes

LINES, PARAGRAPHS, RUNS, BLOCKS, ALL = range(5)
"""Kinds of segments.

LINES: `text.split("\\n")`, PARAGRAPHS: `text.split("\\n\\n")`, both stripped, blank ones left out (DCLM, `split_paragraphs`).
RUNS: `re.split("\\n+", text)`, BLOCKS: `re.split("\\n{2,}", text.strip())` (datatrove, GopherRepetitionFilter).
ALL: `text.split("\\n")` (Dolma, gopher taggers).
"""
MAX_PROBES = 64
LARGE = 1_000_000
"""Bytes from which a row gets a table of its own, which begins with one place for 64 bytes."""

_DONE, _FULL, _PROBES = 0, 1, 2
_ONE, _BITS = np.uint64(1), np.uint64(64)
_FEED = 0x0A


@dataclass(frozen=True)
class Segments:
    """One int64 item per row."""

    count: np.ndarray
    """Number of segments."""
    chars: np.ndarray
    """Code points of all segments."""
    copies: np.ndarray
    """Segments that equal an earlier one."""
    copy_chars: np.ndarray
    """Code points of the copies."""
    repeats: np.ndarray
    """Segments that equal another one, the first of them too."""
    repeat_chars: np.ndarray
    """Code points of the repeats."""


def cut(text: str, kind: int) -> list[str]:
    """The segments of a text in plain Python."""
    if kind == RUNS:
        return re.split("\n+", text)
    if kind == BLOCKS:
        return re.split("\n{2,}", text.strip())
    parts = text.split("\n\n" if kind == PARAGRAPHS else "\n")
    return parts if kind == ALL else [part.strip() for part in parts if part.strip()]


def in_python(text: str, kind: int) -> tuple[int, int, int, int, int, int]:
    """The fields of `Segments` for one text."""
    parts = cut(text, kind)
    counts = Counter(parts).items()
    repeated = [(len(part), count) for part, count in counts if count > 1]
    return (
        len(parts),
        sum(map(len, parts)),
        sum(count - 1 for _, count in repeated),
        sum(size * (count - 1) for size, count in repeated),
        sum(count for _, count in repeated),
        sum(size * count for size, count in repeated),
    )


def segments(offsets: np.ndarray, data: np.ndarray, *, kind: int, max_probes: int = MAX_PROBES) -> Segments:
    """Repeated segments of each row."""
    out = np.zeros((len(offsets) - 1, 6), np.int64)
    sizes = np.diff(offsets)
    table = _table(_power(int(sizes[sizes <= LARGE].max(initial=0)) // 16), max_probes)
    row = 0
    while row < len(sizes):
        row, status = _rows(offsets, data, row, LARGE, kind, *char_classes.tables(), table, out)
        if status != _DONE:
            one, places = offsets[row : row + 2], _power(int(sizes[row]) // 64)
            while status == _FULL:
                places *= 2
                own = _table(places, max_probes)
                _, status = _rows(one, data, 0, 0, kind, *char_classes.tables(), own, out[row : row + 1])
            if status == _PROBES:
                out[row] = in_python(data[one[0] : one[1]].tobytes().decode("utf-8", "replace"), kind)
            row += 1
    return Segments(*np.ascontiguousarray(out.T))


class Table(NamedTuple):
    """Distinct segments of one row, by hash: a place is free where its count is 0."""

    keys: np.ndarray  # uint64
    counts: np.ndarray  # int32
    most_probes: int


def _table(places: int, most_probes: int) -> Table:
    return Table(np.empty(places, np.uint64), np.empty(places, np.int32), most_probes)


def _power(n: int) -> int:
    return 1 << max(4, (n - 1).bit_length())


@kernel
def _rows(
    offsets: Array, data: Array, row: Int, limit: Int, kind: Int, blocks: Array, cells: Array, table: Table, out: Array
) -> tuple[Int, Int]:
    """`(row, status)`: counts rows from `row` on; stops before one of more than `limit` bytes, or that the table does not
    hold. Without a limit (0) the row gets the whole table."""
    for i in range(row, offsets.size - 1):
        p, end = offsets[i], offsets[i + 1]
        if limit and end - p > limit:
            return i, _FULL
        size = np.int64(16) if limit else table.counts.size
        while size < (end - p) // 16 and size < table.counts.size:
            size *= 2
        status = _row(data, p, end, size, kind, blocks, cells, table, out[i])
        if status != _DONE:
            return i, status
    return offsets.size - 1, _DONE


@inner_kernel
def _row(data: Array, p: Int, end: Int, size: Int, kind: Int, blocks: Array, cells: Array, table: Table, out: Array) -> Int:
    """Fills `out` for the text at p to end, with the first `size` places of the table."""
    keys, counts, most_probes = table
    for k in range(size):
        counts[np.uintp(k)] = 0
    for k in range(6):
        out[k] = 0
    strip = kind in (LINES, PARAGRAPHS)
    if kind == BLOCKS:
        p, end, _ = _stripped(data, p, end, blocks, cells)
    shortest = 2 if kind in (PARAGRAPHS, BLOCKS) else 1
    longest = np.int64(1) if kind == ALL else end - p
    taken = empties = np.int64(0)
    more = np.int64(1)
    while more:
        start = p
        stop, p, chars, more = _next(data, p, end, shortest, longest)
        if strip:
            start, stop, blanks = _stripped(data, start, stop, blocks, cells)
            chars -= blanks
            if start == stop:
                continue
        out[0] += 1
        out[1] += chars
        if start == stop:
            empties += 1
            continue
        key = hash_bytes(data, start, stop, end)
        home, probes = _place(key, size, table)
        if probes >= most_probes:
            return _PROBES
        before = counts[np.uintp(home)]
        if before == 0:
            taken += 1
            if 2 * taken > size:
                return _FULL
            keys[np.uintp(home)] = key
        else:
            again = 1 + np.int64(before == 1)
            out[2] += 1
            out[3] += chars
            out[4] += again
            out[5] += again * chars
        counts[np.uintp(home)] = min(before + 1, 2)
    if empties > 1:
        out[2] += empties - 1
        out[4] += empties
    return _DONE


@inlined_kernel
def _place(key: Int, size: Int, table: Table) -> tuple[Int, Int]:
    """`(place, probes)`: where `key` is, or the first free place of its probes; `most_probes` of them if there is neither."""
    keys, counts, most_probes = table
    home = key & np.uint64(size - 1)
    probes = np.int64(0)
    while probes < most_probes and counts[np.uintp(home)] and keys[np.uintp(home)] != key:
        home = (home + _ONE) & np.uint64(size - 1)
        probes += 1
    return home, probes


@inlined_kernel
def _next(data: Array, p: Int, end: Int, shortest: Int, longest: Int) -> tuple[Int, Int, Int, Int]:
    """`(stop, after, chars, more)` of the segment at p: it stops at a run of at least `shortest` line feeds, of which at most
    `longest` belong to the cut, or at the end, and then there is no more."""
    chars = np.int64(0)
    while True:
        stop, found = _to_feed(data, p, end)
        chars += found
        feeds = np.int64(0)
        while stop + feeds < end and feeds < longest and data[np.uintp(stop + feeds)] == _FEED:
            feeds += 1
        p = stop + feeds
        if feeds >= shortest or p >= end:
            break
        chars += feeds
    more = np.int64(feeds >= shortest)
    if not more and feeds:
        stop = p
        chars += feeds
    return stop, p, chars, more


@inner_kernel
def _to_feed(data: Array, p: Int, end: Int) -> tuple[Int, Int]:
    """`(stop, chars)`: the first line feed at or after p, or end; code points before it."""
    chars = np.int64(0)
    while p + BYTES <= end:
        stop = lowest(between(data, np.uintp(p), _FEED, _FEED))
        later = between(data, np.uintp(p), 0x80, 0xBF)
        if stop < _BITS:
            chars += np.int64(stop - ones(later & ((_ONE << stop) - _ONE)))
            return p + np.int64(stop), chars
        chars += np.int64(_BITS - ones(later))
        p += BYTES
    while p < end and data[np.uintp(p)] != _FEED:
        chars += (data[np.uintp(p)] & 0xC0) != 0x80
        p += 1
    return p, chars


@inner_kernel
def _stripped(data: Array, p: Int, end: Int, blocks: Array, cells: Array) -> tuple[Int, Int, Int]:
    """`(start, stop, blanks)`: the text at p to end without white space at its ends, and how many code points that was."""
    blanks = np.int64(0)
    while p < end:
        flags, size = flags_at(data, p, end, blocks, cells)
        if not flags & SPACE:
            break
        blanks += 1
        p += size
    while end > p:
        back = last_char(data, p, end)
        flags, _ = flags_at(data, back, end, blocks, cells)
        if not flags & SPACE:
            break
        blanks += 1
        end = back
    return p, end, blanks
