"""Texts that hold one of a set of suspect characters, and those with many of them in a row; the set that normalising looks for.

Invariant: `suspects` equals the plain Python in its docstring. Text is walked 64 bytes at a time; of those, only controls and
first bytes of longer characters are looked at one by one.
"""

from __future__ import annotations

import unicodedata

import numpy as np

from filters.kernels.compiled import Array, Int, inner_kernel, kernel
from filters.kernels.kept import kept
from filters.kernels.unicode.ascii_words import BYTES, between, lowest
from filters.kernels.unicode.char_classes import decode

_BOM = 0xFEFF
_ONE = np.uint64(1)


def suspects(
    offsets: np.ndarray, data: np.ndarray, points: np.ndarray, leads: np.ndarray, *, long_run: int
) -> tuple[np.ndarray, np.ndarray]:
    """`(bool[n], bool[n])`: texts with a suspect, and those with more than `long_run` suspects at most 4 bytes apart.

    `points` bool[0x110000]: the suspects, none of them from U+0020 to U+00BF, nor tab or newline. `leads` bool[256]: first
    bytes of their UTF-8. Both are read-only. With `at = [byte positions of suspects in text]` the first is `bool(at)`, the
    second whether `long_run + 1` successive members of `at` are at most 4 apart.
    """
    found = np.zeros(len(offsets) - 1, np.bool_)
    long = np.zeros(len(offsets) - 1, np.bool_)
    _suspects(offsets, data, points, leads, long_run, found, long)
    return found, long


@kernel
def _suspects(offsets: Array, data: Array, points: Array, leads: Array, long_run: Int, found: Array, long: Array) -> None:
    for i in range(offsets.size - 1):
        p, end = offsets[i], offsets[i + 1]
        run, last = np.int64(0), p - 8
        while p < end:
            mask = _mask(data, p, end)
            while mask:
                at = p + np.int64(lowest(mask))
                mask &= mask - _ONE
                if leads[data[np.uintp(at)]] and points[np.uintp(decode(data, at, end)[0])]:
                    found[i] = True
                    run = run + 1 if at - last <= 4 else np.int64(0)
                    last = at
                    if run >= long_run:
                        long[i] = True
            p += BYTES


@inner_kernel
def _mask(data: Array, p: Int, end: Int) -> Int:
    """Bits of the bytes `data[p:min(p + 64, end)]` that may begin a suspect."""
    if p + BYTES <= data.size:
        at = np.uintp(p)
        # Controls other than tab and newline, and from 0xC0 on.
        mask = between(data, at, 0x00, 0x08) | between(data, at, 0x0B, 0x1F) | between(data, at, 0xC0, 0xFF)
        return mask if end - p >= BYTES else mask & ((_ONE << np.uint64(end - p)) - _ONE)
    mask = np.uint64(0)
    for k in range(end - p):
        byte = data[np.uintp(p + k)]
        if byte >= 0xC0 or (byte < 0x20 and byte != 0x09 and byte != 0x0A):
            mask |= _ONE << np.uint64(k)
    return mask


@kept
def tables() -> tuple[np.ndarray, np.ndarray]:
    """`(points bool[0x110000], leads bool[256])` of the characters that source texts may not hold, and that NFC may change or
    put together with what stands before them."""
    suspect = {*range(0x09), *range(0x0B, 0x20), _BOM}
    # Hangul vowels and final consonants compose with what stands before them; `decomposition` does not list them.
    suspect |= {*range(0x1161, 0x1176), *range(0x11A8, 0x11C3)}
    # Below U+0300 every character is NFC_Quick_Check=Yes of class 0; so are those of the planes and ranges left out
    # (tests/text/test_normalise.py walks them all).
    for code in (*range(0x300, 0xAC00), *range(0xF900, 0x20000), *range(0x2F800, 0x2FA20)):
        char = chr(code)
        if unicodedata.combining(char) or not unicodedata.is_normalized("NFC", char):
            suspect.add(code)
        parts = unicodedata.decomposition(char)
        if parts and not parts.startswith("<"):
            suspect |= {int(part, 16) for part in parts.split()[1:]}
    points = np.zeros(0x110000, dtype=bool)
    points[list(suspect)] = True
    leads = np.zeros(256, dtype=bool)
    leads[[chr(code).encode("utf-8")[0] for code in suspect]] = True
    return points, leads
