"""What the profiles of Gopher's document rules ask of words and lines beyond `facts`: one walk for each.

Invariant: each fact equals the plain Python beside it; tests hold it to that on any Unicode.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from filters.kernels import char_classes
from filters.kernels.char_classes import SPACE, flags_at
from filters.kernels.compiled import kernel

LONGEST = 1024
"""Longer words count as so long in a median."""

_DOT, _HASH, _FEED = 0x2E, 0x23, 0x0A


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


@kernel
def _ends(data, start, end):
    """`(dots, mark)`: whether `data[start:end]` ends in "..." or ". . .", and whether in "…"."""
    size = end - start
    dots = size >= 3 and data[end - 1] == _DOT and data[end - 2] == _DOT and data[end - 3] == _DOT
    if size >= 5 and data[end - 1] == _DOT and data[end - 2] == 0x20 and data[end - 3] == _DOT:
        dots = dots or (data[end - 4] == 0x20 and data[end - 5] == _DOT)
    return dots, size >= 3 and data[end - 3] == 0xE2 and data[end - 2] == 0x80 and data[end - 1] == 0xA6


@kernel
def _bullet(data, p, end):
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
def _lines(offsets, data, blocks, cells, out):
    for i in range(offsets.size - 1):
        p, end, count = offsets[i], offsets[i + 1], out[i]
        line, first, last = p, np.int64(-1), p
        fresh = True  # no character but white space since the last break of `splitlines`
        while True:
            byte = data[np.uintp(p)] if p < end else _FEED
            if p >= end or byte == _FEED:
                count[_N] += 1
                count[_DOLMA_BULLETS] += line < p and (data[line] == 0x2D or data[line] == 0x2A)
                count[_DOLMA_ENDS] += _ends(data, line, p)[1]
                if first >= 0:
                    count[_FILLED] += 1
                    count[_DCLM_BULLETS] += _bullet(data, first, last) > 0
                    dots, mark = _ends(data, first, last)
                    count[_DCLM_ENDS] += dots or mark
                if p >= end:
                    break
                p += 1
                line, first, last, fresh = p, np.int64(-1), p, True
                continue
            flags, size = flags_at(data, p, end, blocks, cells)
            if flags & SPACE:
                fresh = fresh or (flags & char_classes.BREAK) != 0
            else:
                if fresh:
                    count[_BULLETS] += _bullet(data, p, end) == 1
                fresh = False
                if first < 0:
                    first = p
                last = p + size
            p += size
        count[_SPACED] = _spaced(data, offsets[i], end)


@kernel
def _spaced(data, p, end):
    """How often ". . ." occurs, without overlap."""
    found = np.int64(0)
    while p + 5 <= end:
        here = data[np.uintp(p)] == _DOT and data[np.uintp(p + 1)] == 0x20 and data[np.uintp(p + 2)] == _DOT
        here = here and data[np.uintp(p + 3)] == 0x20 and data[np.uintp(p + 4)] == _DOT
        found += here
        p += 5 if here else 1
    return found


@kernel
def _words(offsets, data, blocks, cells, sizes, out):
    for i in range(offsets.size - 1):
        p, end = offsets[i], offsets[i + 1]
        n = longest = np.int64(0)
        while p < end:
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
