"""An e-mail address around an `@`, an IPv4 address around a dot. What they are: `filters/edits/pii.py`."""

from __future__ import annotations

import numpy as np

from filters.kernels.compiled import Array, Bool, Int, kernel
from filters.kernels.pii.pii_tables import DIGIT, LETTER, LOCAL, PRIME, SEED, WORD
from filters.kernels.pii.pii_versions import HEADING, LOW, below, file, heading, number, version

LONGEST_LOCAL = 64
"""RFC 5321, section 4.5.3.1.1."""
LONGEST_LABEL = 63
"""RFC 1035, section 2.3.4."""


@kernel
def email(data: Array, floor: Int, q: Int, end: Int, classes: Array, tlds: Array) -> tuple[Int, Int]:
    """`(start, end)` of the address whose `@` is at q, not before `floor`; (0, 0) where there is none."""
    s = q
    while s > floor and classes[data[np.uintp(s - 1)]] & LOCAL:
        byte = data[np.uintp(s - 1)]
        if byte == 0x2E and (s == q or data[np.uintp(s)] == 0x2E):
            break
        s -= 1
    while s < q and not classes[data[np.uintp(s)]] & (LETTER | DIGIT):
        s += 1
    if s == q or q - s > LONGEST_LOCAL or data[np.uintp(q - 1)] == 0x27 or data[np.uintp(q - 1)] == 0x25:
        return np.int64(0), np.int64(0)
    stop = _domain(data, q + 1, end, classes, tlds)
    if stop == 0:
        return np.int64(0), np.int64(0)
    git = q - s == 3 and data[np.uintp(s)] == 0x67 and data[np.uintp(s + 1)] == 0x69 and data[np.uintp(s + 2)] == 0x74
    if git and stop < end and (data[np.uintp(stop)] == 0x3A or data[np.uintp(stop)] == 0x2F):
        return np.int64(0), np.int64(0)
    return s, stop


@kernel
def _domain(data: Array, p: Int, end: Int, classes: Array, tlds: Array) -> Int:
    """Where the longest domain name that begins at p ends, 0 where there is none."""
    good = np.int64(0)
    labels = np.int64(0)
    numbers = True
    while p < end and classes[data[np.uintp(p)]] & (LETTER | DIGIT):
        e = p
        part = np.int64(0)
        while e < end and (classes[data[np.uintp(e)]] & (LETTER | DIGIT) or data[np.uintp(e)] == 0x2D):
            if data[np.uintp(e)] == 0x2D and part == 0:
                part = e
            e += 1
        # pkg@1.2.3-rc.dev: a name whose first two labels begin as numbers do is a version.
        if labels < 2 and numbers:
            if labels == 1 and classes[data[np.uintp(p)]] & DIGIT:
                return np.int64(0)
            numbers = _digits(data, p, e, classes)
        if labels:
            stop = e if part == 0 or _punycode(data, p, e) else part
            after = data[np.uintp(stop)] if stop < end else np.uint8(0)
            joined = after == 0x5F and stop + 1 < end and classes[data[np.uintp(stop + 1)]] & (LETTER | DIGIT)
            if not joined:
                if _known(data, p, stop, tlds):
                    good = stop
                else:
                    # info@corp.deBerlin: markup between the two was lost.
                    small = p
                    while small < stop and 0x61 <= data[np.uintp(small)] <= 0x7A:
                        small += 1
                    if small < stop and 0x41 <= data[np.uintp(small)] <= 0x5A and _known(data, p, small, tlds):
                        good = small
        if data[np.uintp(e - 1)] == 0x2D or e >= end or data[np.uintp(e)] != 0x2E:
            break
        labels += 1
        p = e + 1
    return good


@kernel
def _digits(data: Array, p: Int, end: Int, classes: Array) -> Bool:
    while p < end and classes[data[np.uintp(p)]] & DIGIT:
        p += 1
    return p == end


@kernel
def _punycode(data: Array, p: Int, end: Int) -> Bool:
    return (
        end - p > 4
        and data[np.uintp(p)] | 0x20 == 0x78
        and data[np.uintp(p + 1)] | 0x20 == 0x6E
        and data[np.uintp(p + 2)] == 0x2D
        and data[np.uintp(p + 3)] == 0x2D
    )


@kernel
def _known(data: Array, p: Int, end: Int, tlds: Array) -> Bool:
    """Whether `data[p:end]` is a top-level domain, in any case."""
    if end - p > LONGEST_LABEL:
        return False
    value = SEED
    while p < end:
        byte = data[np.uintp(p)]
        lower = byte + 32 if 0x41 <= byte <= 0x5A else byte
        value = (value ^ np.uint64(lower)) * PRIME
        p += 1
    low, high = np.int64(0), np.int64(tlds.size)
    while low < high:
        middle = (low + high) >> 1
        if tlds[np.uintp(middle)] < value:
            low = middle + 1
        else:
            high = middle
    return low < tlds.size and tlds[np.uintp(low)] == value


@kernel
def quad(data: Array, p: Int, end: Int, classes: Array) -> tuple[Int, Int]:
    """`(value, end of it)` of the dotted quad that begins at p, value -1 where there is none. A part has no leading zero."""
    value = np.int64(0)
    for k in range(4):
        if k:
            if p >= end or data[np.uintp(p)] != 0x2E:
                return np.int64(-1), p
            p += 1
        part = size = np.int64(0)
        first = p
        while p < end and size < 4 and classes[data[np.uintp(p)]] & DIGIT:
            part = part * 10 + np.int64(data[np.uintp(p)]) - 0x30
            p += 1
            size += 1
        if size == 0 or part > 255 or size > 3 or (size > 1 and data[np.uintp(first)] == 0x30):
            return np.int64(-1), p
        value = value << 8 | part
    return value, p


@kernel
def public4(value: Int) -> Bool:
    """Whether an IPv4 address is a globally reachable unicast one (IANA IPv4 Special-Purpose Address Registry, RFC 6890)."""
    a, b, c = value >> 24, value >> 16 & 255, value >> 8 & 255
    if a == 0 or a == 10 or a == 127 or a >= 224:
        return False
    if a == 100:
        return b >> 6 != 1
    if a == 169:
        return b != 254
    if a == 172:
        return b >> 4 != 1
    if a == 192:
        return not (b == 168 or (b == 0 and (c == 0 or c == 2)) or (b == 88 and c == 99))
    if a == 198:
        return not (b >> 1 == 9 or (b == 51 and c == 100))
    return not (a == 203 and b == 0 and c == 113)


@kernel
def ipv4(
    data: Array, begin: Int, floor: Int, q: Int, end: Int, classes: Array, words: tuple[Array, Array, Int, Int, Int]
) -> tuple[Int, Int, Int]:
    """`(start, end, end of the run of digits and dots)` of the address that has its dot at q; start = end where there is none."""
    s, e = q, q + 1
    while s > floor and (classes[data[np.uintp(s - 1)]] & DIGIT or data[np.uintp(s - 1)] == 0x2E):
        s -= 1
    while e < end and (classes[data[np.uintp(e)]] & DIGIT or data[np.uintp(e)] == 0x2E):
        e += 1
    value, stop = quad(data, s, e, classes)
    if value < 0 or not public4(value) or value & 0xFFFF == 0:
        return s, s, e
    for k in range(stop, e):
        if data[np.uintp(k)] != 0x2E:
            return s, s, e
    if s > begin and (classes[data[np.uintp(s - 1)]] & WORD or data[np.uintp(s - 1)] == 0x2E):
        return s, s, e
    if stop == e and e < end:
        after = data[np.uintp(e)]
        letter = e + 1 < end and classes[data[np.uintp(e + 1)]] & LETTER
        if classes[after] & WORD or after == 0x40 or ((after == 0x2D or after == 0x2B) and letter):
            return s, s, e
        if heading(data, begin, s, e, end) and below(value, HEADING) and (value >> 24) < LOW:
            return s, s, e
    if e - stop == 1 and file(data, e, end, classes, words):
        return s, s, e
    if number(value) or version(data, floor, s, value >> 24, classes, words):
        return s, s, e
    return s, stop, e
