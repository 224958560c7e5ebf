"""What `str.lower` and `\\w` do to each code point, as tables that kernels read.

Invariant: `lower` and WORD say for every code point what this Python's `str.lower` and `re` say; so does the context rule of
capital sigma, through CASED and IGNORABLE. All is probed from Python on first use (about 60 ms), so text is judged by the
Unicode version of the Python that runs.

Characters that are words of their own (OWN_WORDS) follow the definition of a dedup word (CONTRIBUTING.md): scripts
that are written without spaces between words.
"""

from __future__ import annotations

import re

import numpy as np

from filters.kernels.compiled import Array, Int, inner_kernel
from filters.kernels.kept import kept
from filters.kernels.unicode.char_classes import ALL_BLOCKS, ASSIGNED, two_stages

WORD = 1
"""`\\w` matches the lower-case character."""
OWN = 2
"""A word character that is a word of its own."""
CASED = 4
"""Before Σ it makes that ς; never set together with IGNORABLE."""
IGNORABLE = 8
"""Σ looks past it for a cased character (Unicode's Case_Ignorable)."""
SPLIT = 16
"""Lowers to a word character and one more that ends the word: U+0130 gives i and U+0307."""
SIGMA = 32
"""Lowers by context: U+03A3."""
SHIFT = 6
"""`cell >> SHIFT` is the distance to the lower-case code point."""

OWN_WORDS = (
    *((0x0E00, 0x0EFF), (0x1000, 0x109F), (0x1780, 0x17FF), (0x3040, 0x30FF), (0x31F0, 0x31FF), (0x3400, 0x4DBF)),
    *((0x4E00, 0x9FFF), (0xF900, 0xFAFF), (0xFF66, 0xFF9F), (0x20000, 0x3FFFF)),
)
"""First and last code point: Thai and Lao, Myanmar, Khmer, kana, Han."""

_CODEC = ("utf-32-le", "surrogatepass")
_SIGMA, _FINAL_SIGMA = 0x3A3, 0x3C2
_BETWEEN = 0x10FFFF  # neither cased nor ignorable, and in no assigned plane


@kept
def tables() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """`(blocks uint16[4352], cells int32[:], ascii uint8[256])`, read-only.

    The cell of code point c is `cells[blocks[c >> 8] * 256 + (c & 255)]`: flags, and above them the distance to `lower(c)`.
    `ascii[b]` is the lower-case byte of an ASCII word character, 0x7F for _, else 0.
    """
    flags = np.zeros(ALL_BLOCKS << 8, np.int32)
    for assigned in ASSIGNED:
        flags[assigned.start : assigned.stop] = _cells(assigned)
    for first, last in OWN_WORDS:
        flags[first : last + 1] |= OWN * (flags[first : last + 1] & WORD)
    ascii_ = np.zeros(256, np.uint8)
    ascii_[:128] = (np.arange(128) + (flags[:128] >> SHIFT)) * (flags[:128] & WORD)
    ascii_[ord("_")] = 0x7F
    return *two_stages(flags), ascii_


def _cells(code_points: range) -> np.ndarray:
    """Cells without OWN, int32 per code point."""
    points = np.arange(code_points.start, code_points.stop, dtype=np.uint32)
    lowered = _lower(points, _BETWEEN)
    ends = np.flatnonzero(lowered == _BETWEEN)
    starts = np.append(0, ends[:-1] + 1)
    cells: np.ndarray = (lowered[starts].astype(np.int32) - points.astype(np.int32)) << SHIFT
    for match in re.finditer(r"\w+", _text(lowered[starts])):
        cells[match.start() : match.end()] |= WORD
    for place in np.flatnonzero(ends - starts > 1):
        expanded = _text(lowered[starts[place] : ends[place]])
        if re.findall(r"\w+", expanded) != [expanded[0]]:
            raise NotImplementedError(f"U+{points[place]:04X} lowers to {expanded!r}, which is not one word and its end")
        cells[place] |= SPLIT
    probed = np.where(ends - starts > 1, ord("A"), points)
    cased = _lower(probed, _SIGMA, _BETWEEN)[1::3] == _FINAL_SIGMA
    either = _lower(ord("A"), probed, _SIGMA, _BETWEEN)[2::4] == _FINAL_SIGMA
    cells |= CASED * cased.astype(np.int32) | IGNORABLE * (either & ~cased).astype(np.int32)
    cells[points == _SIGMA] |= SIGMA
    return cells


def _lower(*columns: np.ndarray | int) -> np.ndarray:
    """`str.lower` of one string: the columns' code points, row by row."""
    return np.frombuffer(_text(np.stack(np.broadcast_arrays(*columns), axis=-1)).lower().encode(*_CODEC), np.uint32)


def _text(points: np.ndarray) -> str:
    return points.astype("<u4").tobytes().decode(*_CODEC)


@inner_kernel
def cell_of(point: Int, blocks: Array, cells: Array) -> Int:
    """The cell of a code point. Indices are unsigned because numba adds a test to signed ones."""
    return np.int64(cells[np.uintp((np.int64(blocks[np.uintp(point >> 8)]) << 8) | (point & 255))])
