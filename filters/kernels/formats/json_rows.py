r"""Rows of JSON to columns without Python's objects: those that are plain.

A plain row is one object of strings, numbers, true, false and null: UTF-8, each key once and without escapes, at most MEMBERS
keys beside the document's own, each number one that reading and writing gives back (`json_lines`). Any other row is left to
`pipeline.read.formats.jsonl`.

Invariant: a row that is taken gives what `pipeline.read.rows.Collector` makes of what orjson reads there; text as decoded, the
other members as compact JSON with sorted keys, written as orjson writes it. The oracle is that path itself
(`tests/read/formats/test_plain_rows.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from filters.kernels.compiled import Array, Bool, Int, inner_kernel, kernel
from filters.kernels.formats.json_values import copied, decoded, number_end, special, value_end, written
from filters.kernels.unicode.ascii_words import BYTES
from filters.kernels.unicode.utf8 import is_utf8

PAD = b"\n" * (2 * BYTES)
"""Has to stand behind the rows: what is looked at 64 bytes at a time ends there."""
MEMBERS = 32
TEXT, ID, URL, DATE, SOURCE = range(5)
"""A document's own columns; SOURCE: what names its source."""
METADATA = 5
_KEYS = 5
_WHITE = np.uint64(0x100002600)  # bits of tab, newline, return, space
_QUOTE, _COMMA, _COLON, _OPEN, _CLOSE, _DOT, _SMALL_N = (np.uint8(ord(c)) for c in '",:{}.n')


@dataclass(frozen=True)
class Columns:
    """`rows` int64[k]: numbers of the rows that were plain; `others` int64[n - k]: of those that were not. `columns`: of each of
    TEXT to METADATA `(offsets int64[k + 1], data uint8[:])`; `given` bool[5, k]: which of TEXT to SOURCE a row has."""

    rows: np.ndarray
    others: np.ndarray
    columns: list[tuple[np.ndarray, np.ndarray]]
    given: np.ndarray


def parsed(piece: bytes, spans: np.ndarray, own: Sequence[bytes], limits: tuple[int, int, int]) -> Columns:
    """The rows `piece[start:stop]`, `spans` int64[n, 2], ascending; a newline stands behind each, PAD behind the last one.

    `own`: what the columns TEXT to SOURCE are called, the last of which may be left out. `limits`: bytes that text, url, date and
    metadata may come to, an id, and a source's name; a row with more is none of the plain ones.
    """
    assert piece.endswith(PAD)
    data, n = np.frombuffer(piece, np.uint8), len(spans)
    size = int(spans[-1, 1] - spans[0, 0]) + BYTES if n else 0
    text, short = np.empty(size, np.uint8), np.empty((METADATA, size), np.uint8)
    offsets, given, plain = np.zeros((METADATA + 1, n + 1), np.int64), np.zeros((_KEYS, n), np.bool_), np.zeros(n, np.bool_)
    ends, names = np.cumsum([0, *map(len, own)]), np.frombuffer(b"".join(own), np.uint8)
    members = np.empty((MEMBERS, 4), np.int64)
    _parse(data, spans, names, ends, np.array(limits), (text, short, offsets, given, plain), members)
    rows = np.flatnonzero(plain)
    made = [(offsets[c, : len(rows) + 1], text if c == TEXT else short[c - 1]) for c in range(METADATA + 1)]
    return Columns(rows, np.flatnonzero(~plain), made, given[:, : len(rows)])


@kernel
def _parse(data: Array, spans: Array, names: Array, ends: Array, limits: Array, made: tuple[Array, ...], members: Array) -> None:
    _, _, offsets, given, plain = made
    n = np.int64(0)
    for i in range(spans.shape[0]):
        for c in range(offsets.shape[0]):
            offsets[c, n + 1] = offsets[c, n]
        for c in range(given.shape[0]):
            given[c, n] = False
        if _row(data, spans[i], names, ends, limits, made, members, n):
            plain[i] = True
            n += 1


@inner_kernel
def _row(
    data: Array, span: Array, names: Array, ends: Array, limits: Array, made: tuple[Array, ...], members: Array, n: Int
) -> Bool:
    """Whether it is plain: then row n of what is made."""
    text, short, offsets, given, _ = made
    end, count, seen = span[1], np.int64(0), np.int64(0)
    p = _space(data, span[0], end)
    if data[p] != _OPEN or not is_utf8(data, p, end):
        return False
    while True:
        p = _space(data, p + 1, end)
        start = p + 1
        stop = special(data, start)
        if data[p] != _QUOTE or data[stop] != _QUOTE:
            return False
        p = _space(data, stop + 1, end)
        if data[p] != _COLON:
            return False
        p = _space(data, p + 1, end)
        column = _column(data, start, stop, names, ends)
        if column < 0:
            if count == members.shape[0] or not _sorted_in(data, start, stop, members, count):
                return False
            behind = value_end(data, p)
            for k in range(count + 1):
                if members[k, 2] < 0:
                    members[k, 2], members[k, 3] = p, behind
            count += 1
        else:
            if seen >> column & 1:
                return False
            seen |= 1 << column
            behind = _own(data, p, column, limits, made, n)
        if behind < 0:
            return False
        p = _space(data, behind, end)
        if data[p] != _COMMA:
            break
    if data[p] != _CLOSE or _space(data, p + 1, end) != end or not given[TEXT, n]:
        return False
    _write_members(data, members[:count], short[METADATA - 1], offsets[METADATA], n)
    size = np.int64(0)
    for c in (TEXT, URL, DATE, METADATA):
        if c != METADATA or count:
            size += offsets[c, n + 1] - offsets[c, n]
    if size > limits[0]:
        return False
    first = offsets[TEXT, n]
    if offsets[TEXT, n + 1] > first and text[first] >= 1 and text[first] <= 4:
        text[first] = 0  # as `pipeline.text.turns.unmarked`
    return True


@inner_kernel
def _space(data: Array, p: Int, end: Int) -> Int:
    """The first place from p to `end` that holds no white space."""
    while p < end and data[p] <= 0x20 and (_WHITE >> np.uint64(data[p])) & np.uint64(1):
        p += 1
    return p


@inner_kernel
def _column(data: Array, start: Int, stop: Int, names: Array, ends: Array) -> Int:
    """Which of `names` the key is; -1: none."""
    for c in range(ends.size - 1):
        if ends[c + 1] - ends[c] == stop - start:
            k = np.int64(0)
            while k < stop - start and data[start + k] == names[ends[c] + k]:
                k += 1
            if k == stop - start:
                return c
    return -1


@inner_kernel
def _sorted_in(data: Array, start: Int, stop: Int, members: Array, count: Int) -> Bool:
    """Put a key among the others, its value at -1; False where it is there already."""
    place = count
    while place > 0:
        order = _compared(data, start, stop, members[place - 1])
        if order == 0:
            return False
        if order > 0:
            break
        for k in range(members.shape[1]):
            members[place, k] = members[place - 1, k]
        place -= 1
    members[place, 0], members[place, 1], members[place, 2] = start, stop, -1
    return True


@inner_kernel
def _compared(data: Array, start: Int, stop: Int, other: Array) -> Int:
    """Below, at or above 0 as the key stands before the other, is it, or stands behind it."""
    k, longest = np.int64(0), min(stop - start, other[1] - other[0])
    while k < longest and data[start + k] == data[other[0] + k]:
        k += 1
    if k < longest:
        return np.int64(data[start + k]) - np.int64(data[other[0] + k])
    return (stop - start) - (other[1] - other[0])


@inner_kernel
def _own(data: Array, p: Int, column: Int, limits: Array, made: tuple[Array, ...], n: Int) -> Int:
    """Take the value of one of the document's own columns. Where it ends; -1 where such a column has another kind as a rule."""
    text, short, offsets, given, _ = made
    at = offsets[column, n]
    if data[p] == _QUOTE:
        behind, stop = decoded(data, p + 1, text if column == TEXT else short[column - 1], at)
    elif column in (TEXT, SOURCE) or data[p] != _SMALL_N:
        behind = number_end(data, p) if column in (ID, SOURCE) else np.int64(-1)
        for k in range(p, behind):
            if data[k] == _DOT:
                behind = np.int64(-1)
        stop = at
        for k in range(p, behind):
            short[column - 1, stop] = data[k]
            stop += 1
    else:
        return value_end(data, p)
    size = stop - at
    if (column == SOURCE and size == 0) or (column == ID and size > limits[1]) or (column == SOURCE and size > limits[2]):
        return -1
    given[column, n], offsets[column, n + 1] = column != ID or size > 0, stop
    return behind


@inner_kernel
def _write_members(data: Array, members: Array, out: Array, offsets: Array, n: Int) -> None:
    q = offsets[n]
    out[q] = _OPEN
    q += 1
    for k in range(members.shape[0]):
        if k:
            out[q] = _COMMA
            q += 1
        q = copied(data, members[k, 0] - 1, members[k, 1] + 1, out, q)
        out[q] = _COLON
        q += 1
        start, stop = members[k, 2], members[k, 3]
        q = written(data, start, out, q) if data[start] == _QUOTE else copied(data, start, stop, out, q)
    out[q] = _CLOSE
    offsets[n + 1] = q + 1


def warm() -> None:
    """Compiles or loads the kernels of this module."""
    row = b'{"text": "a", "b": 1}'
    parsed(row + PAD, np.array([[0, len(row)]]), (b"text", b"id", b"url", b"date"), (100, 100, 100))
