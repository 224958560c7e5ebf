"""Whether a word is an address on the web: spaCy's URL_PATTERN (`lang/tokenizer_exceptions.py`, spaCy 3.8).

Invariant: `is_address` equals the pattern's match in tests/filters/kernels/words/spacy_in_python.py, in which a digit is one of
0-9: an optional scheme, an optional user, then a host of names that ends in lower-case letters, or four numbers in public use; an
optional port and path. It takes time in proportion to the bytes: hosts begin after the scheme and after each @, and end before
the next.
"""

from __future__ import annotations

import numpy as np

from filters.kernels.compiled import Array, Bool, Int, kernel
from filters.kernels.unicode.char_classes import flags_at
from filters.kernels.words.spacy_rules import DIGIT, LETTER, LOWER

_STOP, _COLON, _SLASH, _AT, _HYPHEN = 0x2E, 0x3A, 0x2F, 0x40, 0x2D


@kernel
def is_address(data: Array, p: Int, end: Int, blocks: Array, cells: Array) -> Bool:
    """Whether `data[p:end]` is a whole address: spaCy's URL_PATTERN (`lang/tokenizer_exceptions.py`)."""
    if _host(data, p, end, blocks, cells):
        return True
    at = p
    scheme = True  # what is before can be one: [\w+\-.]
    while at < end:
        flags, size = flags_at(data, at, end, blocks, cells)
        byte = data[np.uintp(at)]
        if byte == _AT and at > p and _host(data, at + 1, end, blocks, cells):
            return True
        if scheme and at - p >= 2 and _slashes(data, at, end) and _host(data, at + 3, end, blocks, cells):
            return True
        scheme = scheme and (flags & (LETTER | DIGIT) or byte in (0x2B, _HYPHEN, _STOP, 0x5F))
        at += size
    return False


@kernel
def _slashes(data: Array, p: Int, end: Int) -> Bool:
    """Whether "://" stands at p, and something after it."""
    return p + 3 < end and data[np.uintp(p)] == _COLON and data[np.uintp(p + 1)] == _SLASH and data[np.uintp(p + 2)] == _SLASH


@kernel
def _host_byte(byte: Int) -> Bool:
    """A-Z a-z 0-9 _ - and every byte of the characters from U+0080 on."""
    return byte >= 0x80 or 0x30 <= byte <= 0x39 or 0x41 <= (byte & 0xDF) <= 0x5A or byte == 0x5F or byte == _HYPHEN


@kernel
def _host(data: Array, p: Int, end: Int, blocks: Array, cells: Array) -> Bool:
    """Whether `data[p:end]` is a host, a port and a path, the latter two as they like."""
    if p >= end:
        return False
    labels = chars = np.int64(0)
    ok = lower = True  # the label can be one of a host's; all of it is in LOWER
    bad = False  # the label so far ends in - or _
    at = p
    while at < end:
        byte = data[np.uintp(at)]
        if byte == _STOP:
            if not ok or bad or not 0 < chars <= 64:
                return _octets(data, p, end)
            labels, chars, lower, bad = labels + 1, np.int64(0), True, False
            at += 1
            continue
        if not _host_byte(byte) or byte >= 0xF0:
            break
        flags, size = flags_at(data, at, end, blocks, cells)
        sign = byte == 0x5F or byte == _HYPHEN
        ok = ok and not (chars == 0 and sign) and not (byte == 0xC2 and data[np.uintp(at + 1)] < 0xA1)
        lower = lower and flags & LOWER != 0
        bad = sign
        chars += 1
        at += size
    if labels and lower and 2 <= chars <= 63 and ok:
        return _path(data, at, end)
    return _octets(data, p, end)


@kernel
def _path(data: Array, p: Int, end: Int) -> Bool:
    """Whether `data[p:end]` is `(?::\\d{2,5})?(?:[/?#]\\S*)?`."""
    if p < end and data[np.uintp(p)] == _COLON:
        digits = np.int64(0)
        while p + 1 + digits < end and 0x30 <= data[np.uintp(p + 1 + digits)] <= 0x39:
            digits += 1
        if not 2 <= digits <= 5:
            return False
        p += 1 + digits
    return p >= end or data[np.uintp(p)] == _SLASH or data[np.uintp(p)] == 0x3F or data[np.uintp(p)] == 0x23


@kernel
def _octets(data: Array, p: Int, end: Int) -> Bool:
    """Whether `data[p:end]` is an address of four numbers in public use, a port and a path."""
    first = second = np.int64(0)
    for k in range(4):
        value = digits = np.int64(0)
        while p < end and digits < 4 and 0x30 <= data[np.uintp(p)] <= 0x39:
            value = value * 10 + np.int64(data[np.uintp(p)]) - 0x30
            digits += 1
            p += 1
        zero = digits > 0 and data[np.uintp(p - digits)] == 0x30
        outer = k == 0 or k == 3
        if not 0 < digits <= 3 or (zero and (outer or digits == 3)) or value > (223 if k == 0 else 254 if k == 3 else 255):
            return False
        if k == 0:
            first = value
        if k == 1:
            second = value
        if k < 3:
            if p >= end or data[np.uintp(p)] != _STOP:
                return False
            p += 1
    private = first == 10 or first == 127 or (first == 169 and second == 254) or (first == 192 and second == 168)
    return not private and not (first == 172 and 16 <= second <= 31) and _path(data, p, end)
