"""Signs of an address that is not in ASCII: of them the rows are told apart that `filters/edits/pii_unicode.py` looks at."""

from __future__ import annotations

import numpy as np

from filters.kernels.compiled import Array, Bool, Int, kernel
from filters.kernels.pii.pii_tables import DIGIT, LETTER, LOCAL

MOST = 256
"""Bytes that are looked at before and behind an @: a domain has at most 255 (RFC 1035, section 2.3.4)."""


@kernel
def beyond_ascii(data: Array, begin: Int, q: Int, end: Int, classes: Array) -> Bool:
    """Whether a letter beyond ASCII may belong to what stands before or behind the `@` at q."""
    s = q
    while s > begin and q - s < MOST and classes[data[np.uintp(s - 1)]] & LOCAL:
        s -= 1
    if s > begin and data[np.uintp(s - 1)] >= 0x80:
        s -= 1
        while s > begin and data[np.uintp(s)] & 0xC0 == 0x80:
            s -= 1
        if _letter(data, s, end):
            return True
    e = q + 1
    while e < end and e - q < MOST and (classes[data[np.uintp(e)]] & (LETTER | DIGIT) or 0x2D <= data[np.uintp(e)] <= 0x2E):
        e += 1
    return e < end and data[np.uintp(e)] >= 0x80 and _letter(data, e, end)


@kernel
def _letter(data: Array, p: Int, end: Int) -> Bool:
    """False where no letter begins at p, as far as two bytes say: signs of Latin-1, General Punctuation, CJK punctuation."""
    byte = data[np.uintp(p)]
    after = data[np.uintp(p + 1)] if p + 1 < end else np.uint8(0)
    if byte == 0xC2:
        return False
    return not ((byte == 0xE2 and after <= 0x81) or (byte == 0xE3 and after == 0x80))


@kernel
def full_width(data: Array, begin: Int, q: Int, end: Int, email: bool, ipv4: bool) -> Bool:
    """Whether at q stands a full-width @, or a full-width digit beside a point."""
    if q + 2 >= end or data[np.uintp(q + 1)] != 0xBC:
        return False
    third = data[np.uintp(q + 2)]
    if third == 0xA0:
        return email
    return ipv4 and 0x90 <= third <= 0x99 and (_point(data, q + 3, end) or (q - begin >= 1 and _point_before(data, begin, q)))


@kernel
def _point(data: Array, p: Int, end: Int) -> Bool:
    if p < end and data[np.uintp(p)] == 0x2E:
        return True
    return p + 2 < end and data[np.uintp(p)] == 0xEF and data[np.uintp(p + 1)] == 0xBC and data[np.uintp(p + 2)] == 0x8E


@kernel
def _point_before(data: Array, begin: Int, q: Int) -> Bool:
    if data[np.uintp(q - 1)] == 0x2E:
        return True
    wide = q - begin >= 3 and data[np.uintp(q - 3)] == 0xEF and data[np.uintp(q - 2)] == 0xBC
    return wide and data[np.uintp(q - 1)] == 0x8E
