"""The path and the query of a URL in normal form, and the escapes of their bytes.

Invariant: as `urls`: what is written is gone over a constant number of times. RFC section numbers are of RFC 3986.
"""

from __future__ import annotations

import numpy as np

from filters.kernels.compiled import Array, Bool, Int, inner_kernel

KEEP, UNRESERVED = np.uint8(1), np.uint8(2)


@inner_kernel
def lower(byte: Int) -> Int:
    return byte | np.uint8(0x20) if 0x41 <= byte <= 0x5A else byte


@inner_kernel
def is_slash(byte: Int) -> Bool:
    """WHATWG: a special scheme takes a backslash for a slash."""
    return byte == 0x2F or byte == 0x5C


@inner_kernel
def hex_digit(byte: Int) -> Int:
    """The value of a hexadecimal digit, -1 of another byte."""
    if 0x30 <= byte <= 0x39:
        return np.int64(byte) - 0x30
    low = lower(byte)
    return np.int64(low) - 0x57 if 0x61 <= low <= 0x66 else np.int64(-1)


@inner_kernel
def escape(value: Int, out: Array, n: Int) -> Int:
    """Writes %XX; the new end."""
    out[n] = 0x25
    for k in range(2):
        digit = (value >> (4 - 4 * k)) & 15
        out[n + 1 + k] = digit + 0x30 if digit < 10 else digit + 0x37
    return n + 3


@inner_kernel
def put(text: Array, p: Int, end: Int, classes: Array, out: Array, n: Int) -> tuple[Int, Int]:
    """Writes the byte or escape at p as it is to be (6.2.2.1, 6.2.2.2); `(next p, new end)`."""
    byte = text[p]
    if byte != 0x25:
        if classes[byte] & KEEP:
            out[n] = byte
            return p + 1, n + 1
        return p + 1, escape(np.int64(byte), out, n)
    if p + 2 < end and hex_digit(text[p + 1]) >= 0 and hex_digit(text[p + 2]) >= 0:
        value = hex_digit(text[p + 1]) * 16 + hex_digit(text[p + 2])
        if classes[value] & UNRESERVED:
            out[n] = value
            return p + 3, n + 1
        return p + 3, escape(value, out, n)
    return p + 1, escape(np.int64(0x25), out, n)


@inner_kernel
def path(text: Array, p: Int, end: Int, classes: Array, session: Array, out: Array, n: Int) -> Int:
    """Writes the path: escapes in order, then no session, no dot segments, no slash at the end but that of the root."""
    start = n
    if p == end or not is_slash(text[p]):
        out[n] = 0x2F
        n += 1
    while p < end:
        if text[p] == 0x5C:
            out[n] = 0x2F
            p, n = p + 1, n + 1
        else:
            p, n = put(text, p, end, classes, out, n)
    n = _without_session(out, start, n, session)
    n = _without_dots(out, start, n)
    while n > start and out[n - 1] == 0x2F:
        n -= 1
    if n == start:
        out[n] = 0x2F
        n += 1
    return n


@inner_kernel
def _without_session(out: Array, start: Int, n: Int, session: Array) -> Int:
    """Takes `;jsessionid=…` out of every segment of `out[start:n]`; the new end."""
    to = p = start
    while p < n:
        if out[p] == 0x3B and _starts(out, p, n, session):
            while p < n and (out[p] != 0x2F):
                p += 1
                if p < n and out[p] == 0x3B:
                    break
        else:
            out[to] = out[p]
            p, to = p + 1, to + 1
    return to


@inner_kernel
def _starts(out: Array, p: Int, n: Int, name: Array) -> Bool:
    if n - p < name.size:
        return False
    k = 0
    while k < name.size and lower(out[p + k]) == name[k]:
        k += 1
    return k == name.size


@inner_kernel
def _without_dots(out: Array, start: Int, n: Int) -> Int:
    """Removes dot segments from the path `out[start:n]`, which begins with a slash (5.2.4); the new end."""
    to = p = start
    while p < n:
        stop = p + 1
        while stop < n and out[stop] != 0x2F:
            stop += 1
        if stop - p == 3 and out[p + 1] == 0x2E and out[p + 2] == 0x2E:
            while to > start:
                to -= 1
                if out[to] == 0x2F:
                    break
        elif stop - p != 2 or out[p + 1] != 0x2E:
            for k in range(p, stop):
                out[to] = out[k]
                to += 1
        p = stop
    return to


@inner_kernel
def query(
    text: Array, p: Int, end: Int, classes: Array, name_starts: Array, names: Array, prefixes: Int, out: Array, n: Int
) -> Int:
    """Writes the parameters that stay, in their order."""
    start = n
    while p <= end:
        before = n
        out[n] = 0x3F if n == start else 0x26
        n += 1
        while p < end and text[p] != 0x26:
            p, n = put(text, p, end, classes, out, n)
        p += 1
        if n == before + 1 or _is_tracking(out, before + 1, n, name_starts, names, prefixes):
            n = before
    return n


@inner_kernel
def _is_tracking(out: Array, p: Int, n: Int, name_starts: Array, names: Array, prefixes: Int) -> Bool:
    stop = p
    while stop < n and out[stop] != 0x3D:
        stop += 1
    for i in range(name_starts.size - 1):
        name = names[name_starts[i] : name_starts[i + 1]]
        if (stop - p == name.size or (i < prefixes and stop - p > name.size)) and _starts(out, p, stop, name):
            return True
    return False
