"""Whether bytes are UTF-8, 64 at a time.

Invariant: `is_utf8(data, p, end)` is whether `bytes(data[p:end]).decode()` raises nothing (Unicode 16, table 3-7: no overlong
forms, no surrogates, nothing behind U+10FFFF).
"""

from __future__ import annotations

import numpy as np

from filters.kernels.compiled import Array, Bool, Int, inner_kernel
from filters.kernels.unicode.ascii_words import BYTES, between, lowest

_NONE, _ALL, _ONE = np.uint64(0), np.uint64(0xFFFFFFFFFFFFFFFF), np.uint64(1)
_E0, _ED, _F0, _F4 = (np.uint8(byte) for byte in (0xE0, 0xED, 0xF0, 0xF4))


@inner_kernel
def is_utf8(data: Array, p: Int, end: Int) -> Bool:
    """Reads up to 64 bytes behind `end`, which the caller has there."""
    due = _NONE  # bytes that continue a character of the block before
    while p < end:
        inside = _ALL if end - p >= BYTES else (_ONE << np.uint64(end - p)) - _ONE
        high = between(data, p, 0x80, 0xFF) & inside
        if high | due:
            two, three, four = between(data, p, 0xC2, 0xDF), between(data, p, 0xE0, 0xEF), between(data, p, 0xF0, 0xF4)
            longer = (three | four) & inside
            first, four = (two & inside) | longer, four & inside
            rest = due | first << _ONE | longer << np.uint64(2) | four << np.uint64(3)
            if rest != high & ~first or rest != between(data, p, 0x80, 0xBF) & inside:
                return False
            if not _seconds(data, p, longer):
                return False
            due = first >> np.uint64(63) | longer >> np.uint64(62) | four >> np.uint64(61)
        p += BYTES
    return due == _NONE


@inner_kernel
def _seconds(data: Array, p: Int, firsts: Int) -> Bool:
    """Whether behind each of these first bytes stands a second one that it may have."""
    odd = (
        between(data, p, 0xE0, 0xE0) | between(data, p, 0xED, 0xED) | between(data, p, 0xF0, 0xF0) | between(data, p, 0xF4, 0xF4)
    )
    odd &= firsts
    while odd:
        at = np.uintp(p + np.int64(lowest(odd)))
        byte, second = data[at], data[at + np.uintp(1)]
        if (
            (byte == _E0 and second < 0xA0)
            or (byte == _ED and second > 0x9F)
            or (byte == _F0 and second < 0x90)
            or (byte == _F4 and second > 0x8F)
        ):
            return False
        odd &= odd - _ONE
    return True
