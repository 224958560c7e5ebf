"""The loops of URL normalisation: bytes in, the normal form out. What the form is: `pipeline/text/urls.py`.

Invariant: one pass over each row and a constant number of passes over what it wrote, so time is linear in the input, whatever
it holds. RFC section numbers are of RFC 3986; "WHATWG" is the URL Living Standard.
"""

from __future__ import annotations

import numpy as np

from filters.kernels.compiled import Array, Bool, Int, inner_kernel, kernel
from filters.kernels.dedup.url_paths import KEEP, UNRESERVED, is_slash, lower, path, query

HOST = np.uint8(4)
_ALPHANUMERIC = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
_UNRESERVED = _ALPHANUMERIC + "-._~"  # 2.3
_KEPT = _UNRESERVED + "!$&'()*+,;=" + ":@/?"  # sub-delims (2.2), and what a path or a query may hold beside them (3.3, 3.4)
_NO_HOST = "#%/:<>?@[\\]^|"  # WHATWG, forbidden domain code points, with C0, space and DEL


def _classes() -> np.ndarray:
    made = np.zeros(256, np.uint8)
    for byte in range(256):
        char = chr(byte)
        made[byte] = KEEP * (char in _KEPT) | UNRESERVED * (char in _UNRESERVED)
        if byte > 0x20 and byte != 0x7F and char not in _NO_HOST:
            made[byte] |= HOST
    return made


_CLASSES = _classes()
_SCHEME = np.frombuffer(b"http://", np.uint8)
_SESSION = np.frombuffer(b";jsessionid=", np.uint8)
_GROWTH, _EXTRA = 3, 16
"""A normal form has at most 3 bytes for one of the input, and the scheme and a slash."""


def normal(
    offsets: np.ndarray, data: np.ndarray, names: tuple[np.ndarray, np.ndarray, int]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """`(starts int64[n + 1], bytes uint8[:], ok bool[n])`: normal forms; a row that has none is empty and not ok.

    `offsets`, `data`: `buffers.views`. `names`: parameters to drop, as starts and bytes in lower case, and how many of the
    first ones are prefixes.
    """
    rows = len(offsets) - 1
    size = int(offsets[-1] - offsets[0])
    longest = int(np.diff(offsets).max()) if rows else 0
    starts, ok = np.zeros(rows + 1, np.int64), np.zeros(rows, np.bool_)
    out, text = np.empty(_GROWTH * size + _EXTRA * rows, np.uint8), np.empty(longest, np.uint8)
    _normal(offsets, data, text, _CLASSES, _SCHEME, _SESSION, names[0], names[1], names[2], out, starts, ok)
    return starts, out[: starts[-1]], ok


@kernel
def _normal(
    offsets: Array,
    data: Array,
    text: Array,
    classes: Array,
    scheme: Array,
    session: Array,
    name_starts: Array,
    names: Array,
    prefixes: Int,
    out: Array,
    starts: Array,
    ok: Array,
) -> None:
    n = np.int64(0)
    for i in range(ok.size):
        size = _trimmed(data, offsets[i], offsets[i + 1], text)
        end = _row(text, size, classes, scheme, session, name_starts, names, prefixes, out, n)
        ok[i] = end > n
        n = max(n, end)
        starts[i + 1] = n


@inner_kernel
def _trimmed(data: Array, p: Int, end: Int, text: Array) -> Int:
    """Copies a row to `text` without C0 and spaces at its ends and without tab, CR and LF (WHATWG, basic URL parser, 1-3)."""
    while p < end and data[p] <= 0x20:
        p += 1
    while p < end and data[end - 1] <= 0x20:
        end -= 1
    size = 0
    while p < end:
        if data[p] != 0x09 and data[p] != 0x0A and data[p] != 0x0D:
            text[size] = data[p]
            size += 1
        p += 1
    return size


@inner_kernel
def _row(
    text: Array,
    size: Int,
    classes: Array,
    scheme: Array,
    session: Array,
    name_starts: Array,
    names: Array,
    prefixes: Int,
    out: Array,
    n: Int,
) -> Int:
    """Where the normal form written at `n` ends; -1 where there is none."""
    p = _after_scheme(text, size, scheme)
    if p < 0:
        return np.int64(-1)
    while p < size and is_slash(text[p]):
        p += 1
    end = p
    host = p
    while end < size and not is_slash(text[end]) and text[end] != 0x3F and text[end] != 0x23:
        if text[end] == 0x40:
            host = end + 1
        end += 1
    for k in range(scheme.size):
        out[n + k] = scheme[k]
    n = _authority(text, host, end, classes, out, n + scheme.size)
    if n < 0:
        return n
    stop = end
    while stop < size and text[stop] != 0x3F and text[stop] != 0x23:
        stop += 1
    n = path(text, end, stop, classes, session, out, n)
    if stop < size and text[stop] == 0x3F:
        last = stop + 1
        while last < size and text[last] != 0x23:
            last += 1
        n = query(text, stop + 1, last, classes, name_starts, names, prefixes, out, n)
    return n


@inner_kernel
def _after_scheme(text: Array, size: Int, scheme: Array) -> Int:
    for k in range(4):
        if k >= size or lower(text[k]) != scheme[k]:
            return np.int64(-1)
    p = np.int64(4)
    if p < size and lower(text[p]) == 0x73:
        p += 1
    return p + 1 if p < size and text[p] == 0x3A else np.int64(-1)


@inner_kernel
def _authority(text: Array, p: Int, end: Int, classes: Array, out: Array, n: Int) -> Int:
    """Writes host and port; -1 where the host is empty or holds what none may hold, or the port is no number below 65536."""
    start = n
    colon = p
    if p < end and text[p] == 0x5B:
        while colon < end and text[colon] != 0x5D:
            colon += 1
        colon += 1
        if colon > end or not _is_address(text, p + 1, colon - 1):
            return np.int64(-1)
        for k in range(p, colon):
            out[n] = lower(text[k])
            n += 1
    else:
        while colon < end and text[colon] != 0x3A:
            if not classes[text[colon]] & HOST:
                return np.int64(-1)
            out[n] = lower(text[colon])
            n += 1
            colon += 1
        n = _without_www(out, start, n)
    if n == start or (colon < end and text[colon] != 0x3A):
        return np.int64(-1)
    return _port(text, colon + 1, end, out, n)


@inner_kernel
def _is_address(text: Array, p: Int, end: Int) -> Bool:
    """Only what an IPv6 address is written with; not whether it is one."""
    if p >= end:
        return False
    for k in range(p, end):
        byte = lower(text[k])
        if not (0x30 <= byte <= 0x3A or byte == 0x2E or 0x61 <= byte <= 0x66):
            return False
    return True


@inner_kernel
def _without_www(out: Array, start: Int, n: Int) -> Int:
    """The host `out[start:n]` without dots at its end, and without `www.` before what still has a dot; its new end."""
    while n > start and out[n - 1] == 0x2E:
        n -= 1
    dots = np.int64(0)
    for k in range(start, n):
        dots += np.int64(out[k] == 0x2E)
    first = start
    while dots >= 2 and out[first] == 0x77 and out[first + 1] == 0x77 and out[first + 2] == 0x77 and out[first + 3] == 0x2E:
        first += 4
        dots -= 1
    for k in range(first, n):
        out[start + k - first] = out[k]
    return start + n - first


@inner_kernel
def _port(text: Array, p: Int, end: Int, out: Array, n: Int) -> Int:
    number = np.int64(-1)
    for k in range(p, end):
        if not 0x30 <= text[k] <= 0x39:
            return np.int64(-1)
        number = (number if number > 0 else np.int64(0)) * 10 + np.int64(text[k] - 0x30)
        if number > 65535:
            return np.int64(-1)
    if number < 0 or number == 80 or number == 443:
        return n
    out[n] = 0x3A
    n += 1
    power = np.int64(10000)
    while power > 1 and number < power:
        power //= 10
    while power:
        out[n] = 0x30 + number // power % 10
        n += 1
        power //= 10
    return n


def warm() -> None:
    """Compiles or loads the kernels of this module."""
    offsets, data = np.array([0, 0]), np.zeros(0, np.uint8)
    offsets.flags.writeable = data.flags.writeable = False
    normal(offsets, data, (offsets, data, 0))
