r"""A JSON string or number at a place: where it ends, what text it is, and how orjson writes it again.

Invariant: behind a row stand a newline, which no string and no number holds, and 128 bytes: so all that is looked at is there.
"""

from __future__ import annotations

import numpy as np

from filters.kernels.compiled import Array, Int, inner_kernel
from filters.kernels.formats.json_lines import survives
from filters.kernels.unicode.ascii_words import BYTES, between, copy_block, lowest

_QUOTE, _BACKSLASH, _SLASH, _MINUS, _DOT, _ZERO, _NINE, _SMALL_A, _SMALL_U = (np.uint8(ord(c)) for c in '"\\/-.09au')
_ESCAPES = np.zeros(256, np.uint8)
"""What a backslash and a byte stand for; 0: nothing."""
_SHORT = np.zeros(256, np.uint8)
"""The byte that stands behind a backslash for a control character; 0: it has no short form."""
for _letter, _char in zip('"\\/bfnrt', '"\\/\b\f\n\r\t', strict=True):
    _ESCAPES[ord(_letter)] = ord(_char)
    _SHORT[ord(_char)] = ord(_letter)
_SHORT[ord("/")] = 0


@inner_kernel
def special(data: Array, p: Int) -> Int:
    """The first quote, backslash or control character at p or behind it."""
    met = _met(data, p)
    while met == np.uint64(0):
        p += BYTES
        met = _met(data, p)
    return p + np.int64(lowest(met))


@inner_kernel
def _met(data: Array, p: Int) -> Int:
    return between(data, p, 0x22, 0x22) | between(data, p, 0x5C, 0x5C) | between(data, p, 0x00, 0x1F)


@inner_kernel
def decoded(data: Array, p: Int, out: Array, q: Int) -> tuple[Int, Int]:
    """A string's text to `out[q:]`: `(behind its closing quote, behind the text)`; the first is -1 where it is none."""
    while True:
        met = _met(data, p)
        copy_block(out, q, data, p)
        if met == np.uint64(0):
            p, q = p + BYTES, q + BYTES
            continue
        k = np.int64(lowest(met))
        p, q = p + k, q + k
        if data[p] == _QUOTE:
            return p + 1, q
        if data[p] != _BACKSLASH:
            return np.int64(-1), q
        if data[p + 1] == _SMALL_U:
            code, p = _code(data, p)
            if code < 0:
                return np.int64(-1), q
            q = _encoded(out, q, code)
        else:
            out[q] = _ESCAPES[data[p + 1]]
            if out[q] == 0:
                return np.int64(-1), q
            p, q = p + 2, q + 1


@inner_kernel
def _code(data: Array, p: Int) -> tuple[Int, Int]:
    r"""`(code point, behind it)` of the `\uXXXX` at p, or two of them; -1: it is none, or half a character."""
    code = _hexadecimal(data, p + 2)
    if code < 0xD800 or code > 0xDFFF:
        return code, p + 6
    if code >= 0xDC00 or data[p + 6] != _BACKSLASH or data[p + 7] != _SMALL_U:
        return np.int64(-1), p
    low = _hexadecimal(data, p + 8)
    if low < 0xDC00 or low > 0xDFFF:
        return np.int64(-1), p
    return 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00), p + 12


@inner_kernel
def _hexadecimal(data: Array, p: Int) -> Int:
    """Of four digits; -1 where they are none."""
    value = np.int64(0)
    for k in range(4):
        c = data[p + k]
        if c >= _ZERO and c <= _NINE:
            digit = np.int64(c) - 0x30
        else:
            digit = (np.int64(c) | 0x20) - 0x61 + 10
            if digit < 10 or digit > 15:
                return np.int64(-1)
        value = value << 4 | digit
    return value


@inner_kernel
def _encoded(out: Array, q: Int, code: Int) -> Int:
    """The code point as UTF-8 to `out[q:]`; where it ends."""
    if code < 0x80:
        out[q] = code
        return q + 1
    if code < 0x800:
        out[q], out[q + 1] = 0xC0 | code >> 6, 0x80 | (code & 0x3F)
        return q + 2
    if code < 0x10000:
        out[q], out[q + 1], out[q + 2] = 0xE0 | code >> 12, 0x80 | (code >> 6 & 0x3F), 0x80 | (code & 0x3F)
        return q + 3
    out[q], out[q + 1] = 0xF0 | code >> 18, 0x80 | (code >> 12 & 0x3F)
    out[q + 2], out[q + 3] = 0x80 | (code >> 6 & 0x3F), 0x80 | (code & 0x3F)
    return q + 4


@inner_kernel
def value_end(data: Array, p: Int) -> Int:
    """Behind a string, number, true, false or null; -1 where it is something else, or a string that UTF-8 cannot hold."""
    c = data[p]
    if c == _QUOTE:
        return _string_end(data, p + 1)
    if c == ord("t"):
        return _literal_end(data, p, (ord("t"), ord("r"), ord("u"), ord("e")))
    if c == ord("n"):
        return _literal_end(data, p, (ord("n"), ord("u"), ord("l"), ord("l")))
    if c == ord("f"):
        return _literal_end(data, p, (ord("f"), ord("a"), ord("l"), ord("s"), ord("e")))
    return number_end(data, p)


@inner_kernel
def _literal_end(data: Array, p: Int, word: tuple[Int, ...]) -> Int:
    for k in range(len(word)):
        if data[p + k] != word[k]:
            return np.int64(-1)
    return p + len(word)


@inner_kernel
def _string_end(data: Array, p: Int) -> Int:
    while True:
        p = special(data, p)
        if data[p] == _QUOTE:
            return p + 1
        if data[p] != _BACKSLASH:
            return np.int64(-1)
        if data[p + 1] == _SMALL_U:
            code, p = _code(data, p)
            if code < 0:
                return np.int64(-1)
        elif _ESCAPES[data[p + 1]] == 0:
            return np.int64(-1)
        else:
            p += 2


@inner_kernel
def number_end(data: Array, p: Int) -> Int:
    """Behind a number that reading and writing gives back; -1 where there is none."""
    start = p
    p += np.int64(data[p] == _MINUS)
    whole = p
    p = _digits_end(data, p)
    if p == whole or (data[whole] == _ZERO and p > whole + 1):
        return np.int64(-1)
    if data[p] == _DOT:
        whole = p + 1
        p = _digits_end(data, whole)
        if p == whole:
            return np.int64(-1)
    return p if survives(data, start, p) else np.int64(-1)


@inner_kernel
def _digits_end(data: Array, p: Int) -> Int:
    while data[p] >= _ZERO and data[p] <= _NINE:
        p += 1
    return p


@inner_kernel
def copied(data: Array, p: Int, stop: Int, out: Array, q: Int) -> Int:
    """`data[p:stop]` to `out[q:]`; where it ends."""
    end = q + stop - p
    while q < end:
        copy_block(out, q, data, p)
        p, q = p + BYTES, q + BYTES
    return end


@inner_kernel
def written(data: Array, p: Int, out: Array, q: Int) -> Int:
    """The string at p to `out[q:]`, escaped where it has to be and no more; where it ends."""
    begin = p
    p += 1
    while True:
        stop = special(data, p)
        if data[stop] == _QUOTE:
            return copied(data, begin, stop + 1, out, q)
        c = data[stop + 1]
        if c != _SMALL_U and c != _SLASH:
            p = stop + 2
            continue
        q = copied(data, begin, stop, out, q)
        if c == _SLASH:
            begin = stop + 1
            p = stop + 2
        else:
            code, p = _code(data, stop)
            begin = p
            q = _escaped(out, q, code)


@inner_kernel
def _escaped(out: Array, q: Int, code: Int) -> Int:
    """A code point within a string to `out[q:]`; where it ends."""
    if code >= 0x80 or (code >= 0x20 and code != _QUOTE and code != _BACKSLASH):
        return _encoded(out, q, code)
    out[q] = _BACKSLASH
    if _SHORT[code]:
        out[q + 1] = _SHORT[code]
        return q + 2
    out[q + 1], out[q + 2], out[q + 3], out[q + 4] = _SMALL_U, _ZERO, _ZERO, _ZERO + (code >> 4)
    low = code & 15
    out[q + 5] = _ZERO + low if low < 10 else _SMALL_A + low - 10
    return q + 6
