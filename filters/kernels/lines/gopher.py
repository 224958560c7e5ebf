"""What the profiles of Gopher's document rules ask of words and lines beyond `facts`: one walk for each.

Invariant: each fact equals the plain Python beside it; tests hold it to that on any Unicode. Both walks go 64 bytes at a time,
and character by character where that is not enough.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from filters.kernels.compiled import Array, Bool, Int, inner_kernel, kernel
from filters.kernels.lines.pieces import skipped, trimmed
from filters.kernels.unicode import char_classes
from filters.kernels.unicode.ascii_words import BYTES, between, lowest, ones
from filters.kernels.unicode.char_classes import BREAK, SPACE, flags_at
from filters.kernels.words.spaces import white

LONGEST = 1024
"""Longer words count as so long in a median."""

_DOT, _HASH, _FEED = 0x2E, 0x23, 0x0A
_ONE, _TWO, _BITS, _ALL = np.uint64(1), np.uint64(2), np.uint64(64), np.uint64(0xFFFFFFFFFFFFFFFF)
_LAST, _LAST_TWO = np.uint64(1 << 63), np.uint64(3 << 62)


@dataclass(frozen=True)
class Lines:
    """One int64 item per row; `lines = text.split("\\n")`, `filled = [s for line in lines if (s := line.strip())]`."""

    lines: np.ndarray
    """`len(lines)`"""
    filled: np.ndarray
    """`len(filled)`"""
    datatrove_bullets: np.ndarray
    """`sum(line.lstrip().startswith(("•", "-")) for line in text.splitlines())`"""
    dclm_bullets: np.ndarray
    """`sum(line.startswith(("●", "•", "*", "-")) for line in filled)`"""
    dclm_ellipses: np.ndarray
    """`sum(line.endswith(("...", ". . .", "…")) for line in filled)`"""
    dolma_bullets: np.ndarray
    """`sum(line.startswith(("*", "-")) for line in lines)`"""
    dolma_ellipses: np.ndarray
    """`sum(line.endswith("…") for line in lines)`"""
    spaced_ellipses: np.ndarray
    """`text.count(". . .")`"""


@dataclass(frozen=True)
class Words:
    """One item per row; `words = text.split()`."""

    symbol_words: np.ndarray
    """int64: `sum("#" in w or "…" in w for w in words)`"""
    double_median: np.ndarray
    """int64: twice `statistics.median(min(len(w), LONGEST) for w in words)`, 0 without words."""


_N, _FILLED, _BULLETS, _DCLM_BULLETS, _DCLM_ENDS, _DOLMA_BULLETS, _DOLMA_ENDS, _SPACED = range(8)


def lines(offsets: np.ndarray, data: np.ndarray) -> Lines:
    """Facts about the lines of each row."""
    out = np.zeros((len(offsets) - 1, 8), np.int64)
    _lines(offsets, data, *char_classes.tables(), out)
    return Lines(*np.ascontiguousarray(out.T))


def words(offsets: np.ndarray, data: np.ndarray) -> Words:
    """Facts about the words of each row."""
    out = np.zeros((len(offsets) - 1, 2), np.int64)
    _words(offsets, data, *char_classes.tables(), np.zeros(LONGEST + 1, np.int64), out)
    return Words(*np.ascontiguousarray(out.T))


@inner_kernel
def _ends(data: Array, start: Int, end: Int) -> tuple[Bool, Bool]:
    """`(dots, mark)`: whether `data[start:end]` ends in "..." or ". . .", and whether in "…"."""
    size = end - start
    dots = size >= 3 and data[end - 1] == _DOT and data[end - 2] == _DOT and data[end - 3] == _DOT
    if size >= 5 and data[end - 1] == _DOT and data[end - 2] == 0x20 and data[end - 3] == _DOT:
        dots = dots or (data[end - 4] == 0x20 and data[end - 5] == _DOT)
    return dots, size >= 3 and data[end - 3] == 0xE2 and data[end - 2] == 0x80 and data[end - 1] == 0xA6


@inner_kernel
def _bullet(data: Array, p: Int, end: Int) -> Int:
    """1 for - • and 2 for * ● at p, else 0."""
    if p >= end:
        return 0
    if data[p] == 0x2D:
        return 1
    if data[p] == 0x2A:
        return 2
    if p + 3 <= end and data[p] == 0xE2:
        if data[p + 1] == 0x80 and data[p + 2] == 0xA2:
            return 1
        if data[p + 1] == 0x97 and data[p + 2] == 0x8F:
            return 2
    return 0


@kernel
def _lines(offsets: Array, data: Array, blocks: Array, cells: Array, out: Array) -> None:
    for i in range(offsets.size - 1):
        p, end, count = offsets[i], offsets[i + 1], out[i]
        while True:
            stop, breaks, spaced = _to_feed(data, p, end)
            _line(data, p, stop, blocks, cells, count)
            if breaks:
                count[_BULLETS] += _bullets(data, p, stop, blocks, cells)
            if spaced:
                count[_SPACED] += _spaced(data, p, stop)
            if stop >= end:
                break
            p = stop + 1


@inner_kernel
def _line(data: Array, p: Int, end: Int, blocks: Array, cells: Array, count: Array) -> None:
    """Adds the line at p to end."""
    count[_N] += 1
    count[_DOLMA_BULLETS] += p < end and (data[np.uintp(p)] == 0x2D or data[np.uintp(p)] == 0x2A)
    count[_DOLMA_ENDS] += _ends(data, p, end)[1]
    p = skipped(data, p, end, blocks, cells)
    if p == end:
        return
    end = trimmed(data, p, end, blocks, cells)
    bullet = _bullet(data, p, end)
    dots, mark = _ends(data, p, end)
    count[_FILLED] += 1
    count[_BULLETS] += bullet == 1
    count[_DCLM_BULLETS] += bullet > 0
    count[_DCLM_ENDS] += dots or mark


@inner_kernel
def _to_feed(data: Array, p: Int, end: Int) -> tuple[Int, Int, Int]:
    """`(stop, breaks, spaced)`: the first line feed at or after p, or end; not 0 if another line break may stand before it; not
    0 if ". . ." may. What could go on in the next 64 bytes may."""
    breaks = spaced = np.uint64(0)
    while p + BYTES <= end:
        at = np.uintp(p)
        stop = lowest(between(data, at, _FEED, _FEED))
        before = ~(_ALL << stop) if stop < _BITS else _ALL
        # U+0085 is C2 85, U+2028 and U+2029 are E2 80 A8 and A9.
        next_line = between(data, at, 0xC2, 0xC2) & ((between(data, at, 0x85, 0x85) >> _ONE) | _LAST)
        separator = (between(data, at, 0x80, 0x80) >> _ONE) & (between(data, at, 0xA8, 0xA9) >> _TWO)
        separator = between(data, at, 0xE2, 0xE2) & (separator | _LAST_TWO)
        control = between(data, at, 0x0B, 0x0D) | between(data, at, 0x1C, 0x1E)
        breaks |= (control | next_line | separator) & before
        dot = between(data, at, _DOT, _DOT)
        spaced |= dot & ((between(data, at, 0x20, 0x20) >> _ONE) | _LAST) & ((dot >> _TWO) | _LAST_TWO) & before
        if stop < _BITS:
            return p + np.int64(stop), breaks, spaced
        p += BYTES
    while p < end and data[np.uintp(p)] != _FEED:
        byte = data[np.uintp(p)]
        breaks |= np.uint64(byte < 0x20 or byte == 0xC2 or byte == 0xE2)
        spaced |= np.uint64(byte == _DOT)
        p += 1
    return p, breaks, spaced


@inner_kernel
def _bullets(data: Array, p: Int, end: Int, blocks: Array, cells: Array) -> Int:
    """Bullets after the line breaks between p and end, but for the first thing that is no white space."""
    found = np.int64(0)
    begun = fresh = False  # fresh: nothing but white space since a break
    while p < end:
        flags, size = flags_at(data, p, end, blocks, cells)
        if flags & SPACE:
            fresh = fresh or (flags & BREAK) != 0
        else:
            found += begun and fresh and _bullet(data, p, end) == 1
            begun, fresh = True, False
        p += size
    return found


@inner_kernel
def _spaced(data: Array, p: Int, end: Int) -> Int:
    """How often ". . ." occurs, without overlap."""
    found = np.int64(0)
    while p + 5 <= end:
        here = data[np.uintp(p)] == _DOT and data[np.uintp(p + 1)] == 0x20 and data[np.uintp(p + 2)] == _DOT
        here = here and data[np.uintp(p + 3)] == 0x20 and data[np.uintp(p + 4)] == _DOT
        found += here
        p += 5 if here else 1
    return found


@kernel
def _words(offsets: Array, data: Array, blocks: Array, cells: Array, sizes: Array, out: Array) -> None:
    for i in range(offsets.size - 1):
        p, end = offsets[i], offsets[i + 1]
        n = longest = np.int64(0)
        while p < end:
            n, longest, p = _short_words(data, p, end, sizes, n, longest, out[i])
            if p == end:
                break
            flags, size = flags_at(data, p, end, blocks, cells)
            if flags & SPACE:
                p += size
                continue
            chars = np.int64(0)
            symbol = False
            while p < end:
                byte = data[np.uintp(p)]
                flags, size = flags_at(data, p, end, blocks, cells)
                if flags & SPACE:
                    break
                if byte == _HASH or (byte == 0xE2 and size == 3 and data[p + 1] == 0x80 and data[p + 2] == 0xA6):
                    symbol = True
                chars += 1
                p += size
            out[i, 0] += symbol
            chars = min(chars, np.int64(LONGEST))
            sizes[np.uintp(chars)] += 1
            longest = max(longest, chars)
            n += 1
        seen = low = np.int64(0)
        for k in range(longest + 1):
            before = seen
            seen += sizes[k]
            if n and before <= (n - 1) // 2 < seen:
                low = np.int64(k)
            if n and before <= n // 2 < seen:
                out[i, 1] = low + k
            sizes[k] = 0


@inner_kernel
def _short_words(data: Array, p: Int, end: Int, sizes: Array, n: Int, longest: Int, out: Array) -> tuple[Int, Int, Int]:
    """`(n, longest, next)`: adds whole words that end within 64 bytes of a block's start, up to one that may hold a wide space
    or … (whose first byte is one that `white` calls wide)."""
    while p + BYTES <= end:
        space, later, wide = white(data, np.uintp(p))
        hashes = between(data, np.uintp(p), _HASH, _HASH)
        valid = lowest(wide)
        word = ~space
        next_ = valid
        while word:
            first = lowest(word)
            last = first + lowest(space >> first)
            if first >= valid or last >= valid:
                next_ = min(first, valid)
                break
            inside = ~(_ALL << (last - first)) << first
            chars = np.int64(last - first - ones(later & inside))
            out[0] += (hashes & inside) != 0
            sizes[np.uintp(chars)] += 1
            longest = max(longest, chars)
            n += 1
            word &= _ALL << last
        p += np.int64(next_)
        if next_ == 0 or (next_ != valid and valid != _BITS):
            break
    return n, longest, p
