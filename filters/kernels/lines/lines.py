r"""The lines of texts, and what line rules ask about each: one walk over the UTF-8 bytes of a row.

Invariant: the lines of row i are those of `text.split("\n")`, which gives an empty text one line; each column equals the plain
Python beside it in `Lines`.

Sentences follow spaCy's rule-based `sentencizer` on characters instead of tokens (`sentences` in
tests/filters/kernels/lines/test_lines.py is the rule in plain Python). A sentence ends at a character of Unicode's
Sentence_Terminal property that white space or the end of the line follows, with any punctuation or symbols between; a full-width
one needs nothing after it. Two or more full stops in a row end none, and neither does a full stop after a word of one letter ("J.
Smith"). What follows the last end is a sentence if it has something else than white space and punctuation. Unlike spaCy,
abbreviations of more letters ("e.g.", "Mr.") end one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from filters.kernels.compiled import Array, Bool, Int, inner_kernel, kernel
from filters.kernels.unicode import char_classes
from filters.kernels.unicode.ascii_words import BYTES, between, highest, lowest, ones
from filters.kernels.unicode.char_classes import ALPHA, OUTER, SPACE, TERMINAL, decode, lookup
from filters.kernels.words.spaces import hash_bytes


@dataclass(frozen=True)
class Lines:
    """The lines of n rows, all in one run; every column but `rows` has one item per line."""

    rows: np.ndarray
    """int64[n + 1]: lines of row i are numbers `rows[i]` to `rows[i + 1] - 1`."""
    hash: np.ndarray
    """uint64: a hash of its bytes alone; equal lines have equal hashes in every batch."""
    chars: np.ndarray
    """int32: `len(line)`"""
    words: np.ndarray
    """int32: `len(line.split())`; 0 says that the line is blank."""
    sentences: np.ndarray
    """int32: sentences as the module says; 0 for a line without a letter, digit or mark."""
    terminal: np.ndarray
    """bool: `line.endswith(tuple(TERMINAL_PUNCTUATION))`, the Sentence_Terminal characters (`char_classes.TERMINALS`)."""


_CHARS, _WORDS, _SENTENCES = range(3)
_LINE_FEED = 0x0A
_ONE, _BITS, _ALL = np.uint64(1), np.uint64(64), np.uint64(0xFFFFFFFFFFFFFFFF)


def lines(offsets: np.ndarray, data: np.ndarray) -> Lines:
    """Lines of each row."""
    rows = np.zeros(len(offsets), np.int64)
    _count(offsets, data, rows)
    np.cumsum(rows, out=rows)
    n = int(rows[-1])
    hashes, counts, terminal = np.empty(n, np.uint64), np.zeros((3, n), np.int32), np.zeros(n, np.bool_)
    _lines(offsets, data, *char_classes.tables(), rows, hashes, counts, terminal)
    return Lines(rows, hashes, *counts, terminal)  # type: ignore[call-arg]


@inner_kernel
def _to_break(data: Array, p: Int, end: Int) -> Int:
    """Where the first newline at or after p stands; `end` if there is none."""
    while p + BYTES <= end:
        found = between(data, np.uintp(p), _LINE_FEED, _LINE_FEED)
        if found:
            return p + np.int64(lowest(found))
        p += BYTES
    while p < end and data[np.uintp(p)] != _LINE_FEED:
        p += 1
    return p


@kernel
def _count(offsets: Array, data: Array, rows: Array) -> None:
    for i in range(offsets.size - 1):
        p, end = _to_break(data, offsets[i], offsets[i + 1]), offsets[i + 1]
        rows[i + 1] = 1
        while p < end:
            rows[i + 1] += 1
            p = _to_break(data, p + 1, end)


@kernel
def _lines(
    offsets: Array, data: Array, blocks: Array, cells: Array, rows: Array, hashes: Array, counts: Array, terminal: Array
) -> None:
    for i in range(offsets.size - 1):
        p, limit = offsets[i], offsets[i + 1]
        for k in range(rows[i], rows[i + 1]):
            stop = _to_break(data, p, limit)
            hashes[k] = hash_bytes(data, p, stop, limit)
            terminal[k] = _line(data, p, stop, limit, blocks, cells, counts[:, k])
            p = stop + 1


@inner_kernel
def _line(data: Array, p: Int, end: Int, limit: Int, blocks: Array, cells: Array, count: Array) -> Bool:
    """Fills `count` for the line at p to end, of a text up to `limit`; says whether its last character is a terminal one."""
    chars = words = sentences = letters = flags = stops = np.int64(0)
    open_ = ends = inside = False  # something to end was seen; a terminal character was, and only punctuation since; in a word
    while p < end:
        if not ends and p + BYTES <= limit and data[np.uintp(p)] < 0x80:
            plain, space, letter, outer = _plain(data, p, end)
            if plain > 1:
                ours = ~(_ALL << plain) if plain < _BITS else _ALL
                filled = ~space & ours
                chars += np.int64(plain)
                words += np.int64(ones(filled & ~((filled << _ONE) | np.uint64(inside))))
                inside = (space >> (plain - _ONE)) & _ONE == 0
                open_ = open_ or filled & ~outer != 0
                tail = plain - highest(~letter & ours)
                letters = np.int64(tail) + (letters if tail == plain else np.int64(0))
                stops = np.int64(0)
                p += np.int64(plain)
                flags = np.int64(0)
                continue
        point, size = decode(data, p, end)
        flags = lookup(point, blocks, cells)
        p += size
        chars += 1
        if flags & SPACE:
            inside = False
            if ends and open_:
                sentences += 1
                open_ = False
            ends = False
            letters = stops = np.int64(0)
            continue
        words += not inside
        inside = True
        if flags & TERMINAL:
            stops, ends = _stopped(point, stops, letters, ends)
            if point >= 0x3000 and point < 0x10000:
                sentences += open_
                open_ = ends = False
        elif flags & OUTER:
            stops = np.int64(0)
        else:
            open_, ends = True, False
            stops = np.int64(0)
        letters = (letters + 1) * np.int64((flags & ALPHA) != 0)
    count[_CHARS], count[_WORDS], count[_SENTENCES] = chars, words, sentences + open_
    return (flags & TERMINAL) != 0


@inner_kernel
def _stopped(point: Int, stops: Int, letters: Int, ends: Bool) -> tuple[Int, Bool]:
    """`(stops, ends)` after a terminal character: full stops in a row; whether the sentence ends if white space follows."""
    stops = (stops + 1) * np.int64(point == 0x2E)
    if point != 0x2E or (stops == 1 and letters != 1):
        ends = True
    elif stops > 1:
        ends = False
    return stops, ends


@inner_kernel
def _plain(data: Array, p: Int, end: Int) -> tuple[Int, Int, Int, Int]:
    """`(size, space, letter, outer)`: how many of the 64 bytes at p, up to end, are ASCII before the first that may end a
    sentence, and which are white space, letters, punctuation or symbols."""
    at = np.uintp(p)
    space = between(data, at, 0x09, 0x0D) | between(data, at, 0x1C, 0x20)
    letter = between(data, at, 0x41, 0x5A) | between(data, at, 0x61, 0x7A)
    outer = between(data, at, 0x21, 0x2F) | between(data, at, 0x3A, 0x40) | between(data, at, 0x5B, 0x60)
    outer |= between(data, at, 0x7B, 0x7E)
    stops = between(data, at, 0x21, 0x21) | between(data, at, 0x2E, 0x2E) | between(data, at, 0x3F, 0x3F)
    size = min(lowest(stops | between(data, at, 0x80, 0xFF)), np.uint64(end - p))
    return size, space, letter, outer
