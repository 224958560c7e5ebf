"""What lines of JSON say outside of their strings: how many keys, how deep, and whether a number may lose digits when it is read.

Invariant: no byte of another line is looked at, whatever the line holds. The oracle, in plain Python, is `looked_at` of
`tests/filters/kernels/formats/test_json_lines.py`. A number is `uncertain` unless reading and writing it gives its own characters
for sure: an integer of at most 18 digits, or a decimal of at most 15 without exponent, without a zero behind its last digit and
with at most three zeros before its first one (IEEE 754: 15 digits survive float64).
"""

from __future__ import annotations

import numpy as np

from filters.kernels.compiled import Array, Bool, Int, inner_kernel, kernel
from filters.kernels.unicode.ascii_words import BYTES, between, lowest

COLONS, DEEPEST, UNCERTAIN, START, STOP = range(5)
"""Columns of what is found. START, STOP: of the last uncertain number, in `data`."""
_QUOTE, _BACKSLASH, _COLON, _MINUS, _PLUS, _DOT, _ZERO, _NINE = (np.uint8(ord(c)) for c in '"\\:-+.09')
_OPEN, _CLOSE, _OPEN_LIST, _CLOSE_LIST, _SMALL_E, _LARGE_E = (np.uint8(ord(c)) for c in "{}[]eE")
_MOST_WHOLE, _MOST_DIGITS, _MOST_ZEROS = 18, 15, 3


def look_at(spans: np.ndarray, data: np.ndarray) -> np.ndarray:
    """int64[n, 5] of the lines `data[start:stop]`, `spans` int64[n, 2]."""
    found = np.zeros((len(spans), 5), np.int64)
    _look(spans, data, found)
    return found


@kernel
def _look(spans: Array, data: Array, found: Array) -> None:
    for i in range(found.shape[0]):
        _line(data, spans[i, 0], spans[i, 1], found[i])


@inner_kernel
def _line(data: Array, p: Int, end: Int, found: Array) -> None:
    depth = np.int64(0)
    while p < end:
        c = data[np.uintp(p)]
        if c == _QUOTE:
            p = _string_end(data, p + 1, end)
        elif c == _MINUS or (c >= _ZERO and c <= _NINE):
            stop = _number_end(data, p, end)
            if not survives(data, p, stop):
                found[UNCERTAIN] += 1
                found[START], found[STOP] = p, stop
            p = stop
        else:
            if c == _COLON:
                found[COLONS] += 1
            elif c in (_OPEN, _OPEN_LIST):
                depth += 1
                found[DEEPEST] = max(found[DEEPEST], depth)
            elif c in (_CLOSE, _CLOSE_LIST):
                depth -= 1
            p += 1


@inner_kernel
def _string_end(data: Array, p: Int, end: Int) -> Int:
    """Behind the quote that closes the string; `end` or one more where there is none."""
    while p + BYTES <= end:
        met = between(data, p, 0x22, 0x22) | between(data, p, 0x5C, 0x5C)
        if met == np.uint64(0):
            p += BYTES
            continue
        p += np.int64(lowest(met))
        if data[np.uintp(p)] == _QUOTE:
            return p + 1
        p += 2
    while p < end:
        c = data[np.uintp(p)]
        if c == _QUOTE:
            break
        p += 1 + np.int64(c == _BACKSLASH)
    return p + 1


@inner_kernel
def _number_end(data: Array, p: Int, end: Int) -> Int:
    while p < end:
        c = data[p]
        if not ((c >= _ZERO and c <= _NINE) or c in (_DOT, _MINUS, _PLUS, _SMALL_E, _LARGE_E)):
            break
        p += 1
    return p


@inner_kernel
def survives(data: Array, p: Int, stop: Int) -> Bool:
    minus = data[p] == _MINUS
    if minus:
        p += 1
    digits, zeros, dot = np.int64(0), np.int64(0), np.int64(-1)
    for k in range(p, stop):
        c = data[k]
        if c == _DOT:
            dot = np.int64(k)
        elif c < _ZERO or c > _NINE:
            return False
        elif digits or c != _ZERO:
            digits += 1
        elif dot >= 0:
            zeros += 1
    if dot < 0:
        return digits <= _MOST_WHOLE and not (minus and digits == 0)
    if stop - dot == 2 and data[dot + 1] == _ZERO:
        return digits <= _MOST_DIGITS
    return digits <= _MOST_DIGITS and zeros <= _MOST_ZEROS and data[stop - 1] != _ZERO


def deep_values(line: np.ndarray, most_levels: int) -> np.ndarray:
    """int64[k, 2]: where the values of a line's object stand that are nested deeper than `most_levels`, the object counted."""
    spans = np.empty((_deep(line, most_levels, np.empty((0, 2), np.int64)), 2), np.int64)
    _deep(line, most_levels, spans)
    return spans


@kernel
def _deep(data: Array, most_levels: Int, spans: Array) -> Int:
    """How many there are; as many as `spans` has room for are written there."""
    n, level, deepest, begin, p = np.int64(0), np.int64(0), np.int64(0), np.int64(0), np.int64(0)
    while p < data.size:
        c = data[p]
        if c == _QUOTE:
            p = np.int64(_string_end(data, p + 1, data.size))
            continue
        if c in (_OPEN, _OPEN_LIST):
            level += 1
            if level == 2:
                begin, deepest = p, level
            deepest = max(deepest, level)
        elif c in (_CLOSE, _CLOSE_LIST):
            level -= 1
            if level == 1 and deepest > most_levels:
                if n < spans.shape[0]:
                    spans[n, 0], spans[n, 1] = begin, p + 1
                n += 1
                deepest = np.int64(0)
        p += np.int64(1)
    return n


def warm() -> None:
    """Compiles or loads the kernels of this module."""
    data = np.frombuffer(b"{}", np.uint8)
    look_at(np.array([[0, 2]]), data)
    deep_values(data, 1)
