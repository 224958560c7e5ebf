"""The lines of texts, and what line rules ask about each: one walk over the UTF-8 bytes of a row.

Invariant: line k of row i is `data[begin[k]:end[k]]` for k in `rows[i]:rows[i + 1]`, without its line break; each column equals
the plain Python beside it in `Lines`, where `line` is that text.

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
from filters.kernels.unicode.ascii_words import BYTES, between, highest, lowest
from filters.kernels.unicode.char_classes import ALPHA, BREAK, DIGIT, OUTER, SPACE, TERMINAL, UPPER, decode, lookup
from filters.kernels.words.spaces import hash_bytes, ones


@dataclass(frozen=True)
class Lines:
    """The lines of n rows, all in one run; every column but `rows` has one item per line."""

    rows: np.ndarray
    """int64[n + 1]: lines of row i are numbers `rows[i]` to `rows[i + 1] - 1`."""
    begin: np.ndarray
    """int64: first byte."""
    end: np.ndarray
    """int64: the byte after its last one, before the line break."""
    hash: np.ndarray
    """uint64: a hash of its bytes alone; equal lines have equal hashes in every batch."""
    chars: np.ndarray
    """int32: `len(line)`"""
    words: np.ndarray
    """int32: `len(line.split())`; 0 says that the line is blank."""
    longest_word: np.ndarray
    """int32: `max(map(len, line.split()), default=0)`"""
    upper: np.ndarray
    """int32: `sum(c.isupper() for c in line)`"""
    digits: np.ndarray
    """int32: `sum(c.isdigit() for c in line)`"""
    sentences: np.ndarray
    """int32: sentences as the module says; 0 for a line without a letter, digit or mark."""
    last: np.ndarray
    """int32: `ord(line[-1])`, 0 for an empty line. White space counts: see `last_filled`."""
    last_filled: np.ndarray
    """int32: `ord(line.rstrip()[-1])`, 0 for a blank line."""
    terminal: np.ndarray
    """bool: `line.endswith(tuple(TERMINAL_PUNCTUATION))`, the Sentence_Terminal characters (`char_classes.TERMINALS`)."""


_CHARS, _WORDS, _LONGEST, _UPPER, _DIGITS, _SENTENCES, _LAST, _LAST_FILLED = range(8)
_LINE_FEED = 0x0A
_ONE, _BITS, _ALL = np.uint64(1), np.uint64(64), np.uint64(0xFFFFFFFFFFFFFFFF)


def lines(offsets: np.ndarray, data: np.ndarray, *, all_breaks: bool) -> Lines:
    """Lines of each row: `text.splitlines()` with `all_breaks`, else `text.split("\\n")` (which gives an empty text one line)."""
    tables = char_classes.tables()
    rows = np.zeros(len(offsets), np.int64)
    _count(offsets, data, *tables, all_breaks, rows)
    np.cumsum(rows, out=rows)
    n = int(rows[-1])
    begin, end, hashes = np.empty(n, np.int64), np.empty(n, np.int64), np.empty(n, np.uint64)
    counts, terminal = np.zeros((8, n), np.int32), np.zeros(n, np.bool_)
    _lines(offsets, data, *tables, all_breaks, rows, begin, end, hashes, counts, terminal)
    return Lines(rows, begin, end, hashes, *counts, terminal)  # type: ignore[call-arg]


@inner_kernel
def _to_break(data: Array, p: Int, end: Int, blocks: Array, cells: Array, all_breaks: bool) -> tuple[Int, Int]:
    """`(stop, size)` of the first line break at or after p; `(end, 0)` if there is none."""
    if all_breaks:
        while p < end:
            size = _break(data, p, end, blocks, cells)
            if size:
                return p, size
            p += 1
        return end, 0
    while p + BYTES <= end:
        found = between(data, np.uintp(p), _LINE_FEED, _LINE_FEED)
        if found:
            return p + np.int64(lowest(found)), 1
        p += BYTES
    while p < end:
        if data[np.uintp(p)] == _LINE_FEED:
            return p, 1
        p += 1
    return end, 0


@inner_kernel
def _break(data: Array, p: Int, end: Int, blocks: Array, cells: Array) -> Int:
    """Bytes of the line break of `str.splitlines` at p < end, 0 if there is none."""
    byte = data[np.uintp(p)]
    if byte == _LINE_FEED:
        return 1
    if byte > 0x1E and byte < 0xC2:
        return 0
    if byte == 0x0D:
        return 2 if p + 1 < end and data[np.uintp(p + 1)] == _LINE_FEED else 1
    point, size = decode(data, p, end)
    return size if lookup(point, blocks, cells) & BREAK else 0


@kernel
def _count(offsets: Array, data: Array, blocks: Array, cells: Array, all_breaks: bool, rows: Array) -> None:
    for i in range(offsets.size - 1):
        begin, end = offsets[i], offsets[i + 1]
        found = np.int64(0)
        while True:
            stop, size = _to_break(data, begin, end, blocks, cells, all_breaks)
            if size == 0:
                break
            found += 1
            begin = stop + size
        rows[i + 1] = found + np.int64(begin < end or not all_breaks)


@kernel
def _lines(
    offsets: Array,
    data: Array,
    blocks: Array,
    cells: Array,
    all_breaks: bool,
    rows: Array,
    begin: Array,
    end: Array,
    hashes: Array,
    counts: Array,
    terminal: Array,
) -> None:
    for i in range(offsets.size - 1):
        p, limit = offsets[i], offsets[i + 1]
        for k in range(rows[i], rows[i + 1]):
            stop, size = _to_break(data, p, limit, blocks, cells, all_breaks)
            begin[k], end[k] = p, stop
            hashes[k] = hash_bytes(data, p, stop, limit)
            terminal[k] = _line(data, p, stop, limit, blocks, cells, counts[:, k])
            p = stop + size


@inner_kernel
def _line(data: Array, p: Int, end: Int, limit: Int, blocks: Array, cells: Array, count: Array) -> Bool:
    """Fills `count` for the line at p to end, of a text up to `limit`; says whether its last character is a terminal one."""
    chars = words = longest = word = upper = digits = sentences = letters = np.int64(0)
    last = filled = flags = stops = np.int64(0)
    open_ = ends = False  # something to end was seen; a terminal character was, and only punctuation since
    while p < end:
        if not ends and p + BYTES <= limit and data[np.uintp(p)] < 0x80:
            plain, space, letter, outer = _plain(data, p, end)
            if plain > 1:
                inside = ~(_ALL << plain) if plain < _BITS else _ALL
                filled_ = ~space & inside
                chars += np.int64(plain)
                upper += np.int64(ones(between(data, np.uintp(p), 0x41, 0x5A) & inside))
                digits += np.int64(ones(between(data, np.uintp(p), 0x30, 0x39) & inside))
                words += np.int64(ones(filled_ & ~(filled_ << _ONE))) - np.int64(word > 0 and filled_ & _ONE != 0)
                open_ = open_ or filled_ & ~outer != 0
                longest, word = _longest(filled_, plain, longest, word)
                tail = plain - highest(~letter & inside)
                letters = np.int64(tail) + (letters if tail == plain else np.int64(0))
                stops = np.int64(0)
                p += np.int64(plain)
                last = np.int64(data[np.uintp(p - 1)])
                if filled_:
                    filled = np.int64(data[np.uintp(p - np.int64(plain - highest(filled_)) - 1)])
                flags = np.int64(0)
                continue
        point, size = decode(data, p, end)
        flags = lookup(point, blocks, cells)
        p += size
        chars += 1
        upper += (flags & UPPER) != 0
        digits += (flags & DIGIT) != 0
        last = point
        if flags & SPACE:
            longest, word = max(longest, word), np.int64(0)
            if ends and open_:
                sentences += 1
                open_ = False
            ends = False
            letters = stops = np.int64(0)
            continue
        words += word == 0
        word += 1
        filled = point
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
    count[_CHARS], count[_WORDS], count[_LONGEST] = chars, words, max(longest, word)
    count[_UPPER], count[_DIGITS], count[_SENTENCES] = upper, digits, sentences + open_
    count[_LAST], count[_LAST_FILLED] = last, filled
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


@inner_kernel
def _longest(filled: Int, size: Int, longest: Int, word: Int) -> tuple[Int, Int]:
    """`(longest, word)`: the longest word, and the one that goes on, after `size` characters, of which `filled` are of words; a
    word of `word` characters goes on into them."""
    at = np.uint64(0)
    while filled:
        first = lowest(filled)
        if first > at:
            longest, word = max(longest, word), np.int64(0)
        at = first + lowest(~(filled >> first))
        word += np.int64(at - first)
        filled &= _ALL << at if at < _BITS else np.uint64(0)
    if at < size:
        longest, word = max(longest, word), np.int64(0)
    return longest, word
