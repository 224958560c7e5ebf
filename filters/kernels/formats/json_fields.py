"""Where in each of many JSON objects the value of one key stands, without parsing the rest.

Invariant: the objects are compact, as orjson writes them (no white space between tokens, each key once), and the key is written
as orjson writes it; then equal keys are equal bytes. A row that is anything else is found out (`BROKEN`) or gives a wrong span
of itself, never a byte of another row.
"""

from __future__ import annotations

import numpy as np

from filters.kernels.compiled import Array, Bool, Int, inner_kernel, kernel

ABSENT, STRING, ESCAPED, NUMBER, BOOLEAN, NESTED, BROKEN = range(7)
"""What a value is. NULL is ABSENT; ESCAPED: a string with a backslash; NESTED: an object or an array."""

_QUOTE, _BACKSLASH, _COMMA, _COLON, _OPEN, _CLOSE, _OPEN_LIST, _CLOSE_LIST = (np.uint8(ord(c)) for c in '"\\,:{}[]')
_TRUE, _FALSE, _NULL = (np.uint8(ord(c)) for c in "tfn")


def find_field(offsets: np.ndarray, data: np.ndarray, key: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """`(spans int64[n, 2], kinds uint8[n])`: the bytes of each row's value, quotes of a string left out.

    `offsets`, `data`: `buffers.views`; `key` uint8[:]: with its quotes.
    """
    spans, kinds = np.zeros((len(offsets) - 1, 2), np.int64), np.zeros(len(offsets) - 1, np.uint8)
    _find(offsets, data, key, spans, kinds)
    return spans, kinds


@kernel
def _find(offsets: Array, data: Array, key: Array, spans: Array, kinds: Array) -> None:
    for i in range(kinds.size):
        kinds[i] = _row(data, offsets[i], offsets[i + 1], key, spans[i])


@inner_kernel
def _row(data: Array, p: Int, end: Int, key: Array, span: Array) -> Int:
    if end - p < 2 or data[p] != _OPEN or data[end - 1] != _CLOSE:
        return BROKEN
    p += 1
    while p < end - 1:
        if data[p] != _QUOTE:
            return BROKEN
        stop = _string_end(data, p, end)
        wanted = stop - p == key.size and _equal(data, p, key)
        if stop >= end or data[stop] != _COLON:
            return BROKEN
        p = stop + 1
        stop, kind = _value_end(data, p, end)
        if stop > end - 1 or (stop < end - 1 and data[stop] != _COMMA):
            return BROKEN
        if wanted:
            quoted = np.int64(kind == STRING)
            span[0], span[1] = p + quoted, stop - quoted
            return ESCAPED if quoted and _has_backslash(data, p, stop) else kind
        p = stop + 1
    return ABSENT


@inner_kernel
def _equal(data: Array, p: Int, key: Array) -> Bool:
    k = 0
    while k < key.size and data[p + k] == key[k]:
        k += 1
    return k == key.size


@inner_kernel
def _has_backslash(data: Array, p: Int, end: Int) -> Bool:
    while p < end and data[p] != _BACKSLASH:
        p += 1
    return p < end


@inner_kernel
def _string_end(data: Array, p: Int, end: Int) -> Int:
    """Behind the closing quote of the string that opens at p; `end` where there is none."""
    p += 1
    while p < end and data[np.uintp(p)] != _QUOTE:
        p += 2 if data[np.uintp(p)] == _BACKSLASH else 1
    return min(p + 1, end)


@inner_kernel
def _value_end(data: Array, p: Int, end: Int) -> tuple[Int, Int]:
    """`(stop, kind)` of the value at p."""
    first = data[p]
    if first == _QUOTE:
        return _string_end(data, p, end), STRING
    if first in (_OPEN, _OPEN_LIST):
        return _nested_end(data, p, end), NESTED
    while p < end and data[p] != _COMMA and data[p] != _CLOSE:
        p += 1
    if first == _NULL:
        return p, ABSENT
    return p, BOOLEAN if first in (_TRUE, _FALSE) else NUMBER


@inner_kernel
def _nested_end(data: Array, p: Int, end: Int) -> Int:
    depth = np.int64(0)
    while p < end:
        if data[p] == _QUOTE:
            p = _string_end(data, p, end)
            continue
        if data[p] == _OPEN or data[p] == _OPEN_LIST:
            depth += 1
        elif data[p] == _CLOSE or data[p] == _CLOSE_LIST:
            depth -= 1
            if depth == 0:
                return p + 1
        p += 1
    return end


def gather(data: np.ndarray, spans: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """`(offsets int64[n + 1], bytes uint8[:])`: the spans' bytes, end to end."""
    offsets = np.append(0, np.cumsum(spans[:, 1] - spans[:, 0]))
    out = np.empty(offsets[-1], np.uint8)
    _gather(data, spans, offsets, out)
    return offsets, out


@kernel
def _gather(data: Array, spans: Array, offsets: Array, out: Array) -> None:
    for i in range(spans.shape[0]):
        for k in range(spans[i, 1] - spans[i, 0]):
            out[offsets[i] + k] = data[spans[i, 0] + k]


def warm() -> None:
    """Compiles or loads the kernels of this module."""
    offsets, data = np.array([0, 2]), np.frombuffer(b"{}", np.uint8)
    offsets.flags.writeable = False
    spans, _ = find_field(offsets, data, np.frombuffer(b'"a"', np.uint8))
    gather(data, spans)
