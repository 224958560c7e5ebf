"""The loops of URL normalisation: bytes in, the normal form out. What the form is: `pipeline/text/urls.py`.

Invariant: one pass over each row and a constant number of passes over what it wrote, so time is linear in the input, whatever
it holds. RFC section numbers are of RFC 3986; "WHATWG" is the URL Living Standard.
"""

from __future__ import annotations

import numpy as np

from filters.kernels.compiled import inner_kernel, kernel

KEEP, UNRESERVED = np.uint8(1), np.uint8(2)
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
def _normal(offsets, data, text, classes, scheme, session, name_starts, names, prefixes, out, starts, ok):
    n = np.int64(0)
    for i in range(ok.size):
        size = _trimmed(data, offsets[i], offsets[i + 1], text)
        end = _row(text, size, classes, scheme, session, name_starts, names, prefixes, out, n)
        ok[i] = end > n
        n = max(n, end)
        starts[i + 1] = n


@inner_kernel
def _trimmed(data, p, end, text):
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
def _lower(byte):
    return byte | np.uint8(0x20) if 0x41 <= byte <= 0x5A else byte


@inner_kernel
def _slash(byte):
    """WHATWG: a special scheme takes a backslash for a slash."""
    return byte == 0x2F or byte == 0x5C


@inner_kernel
def _row(text, size, classes, scheme, session, name_starts, names, prefixes, out, n):
    """Where the normal form written at `n` ends; -1 where there is none."""
    p = _after_scheme(text, size, scheme)
    if p < 0:
        return np.int64(-1)
    while p < size and _slash(text[p]):
        p += 1
    end = p
    host = p
    while end < size and not _slash(text[end]) and text[end] != 0x3F and text[end] != 0x23:
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
    n = _path(text, end, stop, classes, session, out, n)
    if stop < size and text[stop] == 0x3F:
        last = stop + 1
        while last < size and text[last] != 0x23:
            last += 1
        n = _query(text, stop + 1, last, classes, name_starts, names, prefixes, out, n)
    return n


@inner_kernel
def _after_scheme(text, size, scheme):
    for k in range(4):
        if k >= size or _lower(text[k]) != scheme[k]:
            return np.int64(-1)
    p = np.int64(4)
    if p < size and _lower(text[p]) == 0x73:
        p += 1
    return p + 1 if p < size and text[p] == 0x3A else np.int64(-1)


@inner_kernel
def _authority(text, p, end, classes, out, n):
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
            out[n] = _lower(text[k])
            n += 1
    else:
        while colon < end and text[colon] != 0x3A:
            if not classes[text[colon]] & HOST:
                return np.int64(-1)
            out[n] = _lower(text[colon])
            n += 1
            colon += 1
        n = _without_www(out, start, n)
    if n == start or (colon < end and text[colon] != 0x3A):
        return np.int64(-1)
    return _port(text, colon + 1, end, out, n)


@inner_kernel
def _is_address(text, p, end):
    """Only what an IPv6 address is written with; not whether it is one."""
    if p >= end:
        return False
    for k in range(p, end):
        byte = _lower(text[k])
        if not (0x30 <= byte <= 0x3A or byte == 0x2E or 0x61 <= byte <= 0x66):
            return False
    return True


@inner_kernel
def _without_www(out, start, n):
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
def _port(text, p, end, out, n):
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


@inner_kernel
def _hex(byte):
    """The value of a hexadecimal digit, -1 of another byte."""
    if 0x30 <= byte <= 0x39:
        return np.int64(byte) - 0x30
    low = _lower(byte)
    return np.int64(low) - 0x57 if 0x61 <= low <= 0x66 else np.int64(-1)


@inner_kernel
def _escape(value, out, n):
    """Writes %XX; the new end."""
    out[n] = 0x25
    for k in range(2):
        digit = (value >> (4 - 4 * k)) & 15
        out[n + 1 + k] = digit + 0x30 if digit < 10 else digit + 0x37
    return n + 3


@inner_kernel
def _put(text, p, end, classes, out, n):
    """Writes the byte or escape at p as it is to be (6.2.2.1, 6.2.2.2); `(next p, new end)`."""
    byte = text[p]
    if byte != 0x25:
        if classes[byte] & KEEP:
            out[n] = byte
            return p + 1, n + 1
        return p + 1, _escape(np.int64(byte), out, n)
    if p + 2 < end and _hex(text[p + 1]) >= 0 and _hex(text[p + 2]) >= 0:
        value = _hex(text[p + 1]) * 16 + _hex(text[p + 2])
        if classes[value] & UNRESERVED:
            out[n] = value
            return p + 3, n + 1
        return p + 3, _escape(value, out, n)
    return p + 1, _escape(np.int64(0x25), out, n)


@inner_kernel
def _path(text, p, end, classes, session, out, n):
    """Writes the path: escapes in order, then no session, no dot segments, no slash at the end but that of the root."""
    start = n
    if p == end or not _slash(text[p]):
        out[n] = 0x2F
        n += 1
    while p < end:
        if text[p] == 0x5C:
            out[n] = 0x2F
            p, n = p + 1, n + 1
        else:
            p, n = _put(text, p, end, classes, out, n)
    n = _without_session(out, start, n, session)
    n = _without_dots(out, start, n)
    while n > start and out[n - 1] == 0x2F:
        n -= 1
    if n == start:
        out[n] = 0x2F
        n += 1
    return n


@inner_kernel
def _without_session(out, start, n, session):
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
def _starts(out, p, n, name):
    if n - p < name.size:
        return False
    k = 0
    while k < name.size and _lower(out[p + k]) == name[k]:
        k += 1
    return k == name.size


@inner_kernel
def _without_dots(out, start, n):
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
def _query(text, p, end, classes, name_starts, names, prefixes, out, n):
    """Writes the parameters that stay, in their order."""
    start = n
    while p <= end:
        before = n
        out[n] = 0x3F if n == start else 0x26
        n += 1
        while p < end and text[p] != 0x26:
            p, n = _put(text, p, end, classes, out, n)
        p += 1
        if n == before + 1 or _is_tracking(out, before + 1, n, name_starts, names, prefixes):
            n = before
    return n


@inner_kernel
def _is_tracking(out, p, n, name_starts, names, prefixes):
    stop = p
    while stop < n and out[stop] != 0x3D:
        stop += 1
    for i in range(name_starts.size - 1):
        name = names[name_starts[i] : name_starts[i + 1]]
        if (stop - p == name.size or (i < prefixes and stop - p > name.size)) and _starts(out, p, stop, name):
            return True
    return False


def warm() -> None:
    """Compiles or loads the kernels of this module."""
    offsets, data = np.array([0, 0]), np.zeros(0, np.uint8)
    offsets.flags.writeable = data.flags.writeable = False
    normal(offsets, data, (offsets, data, 0))
