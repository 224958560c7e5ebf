"""An IPv6 address around a colon. What it is: `filters/edits/pii.py`."""

from __future__ import annotations

import numpy as np

from filters.kernels.compiled import Array, Bool, Int, kernel
from filters.kernels.pii.pii_addresses import public4, quad
from filters.kernels.pii.pii_tables import HEX, WORD

LONGEST = 45
"""Characters of the longest spelling: six groups of four and a dotted quad."""


@kernel
def ipv6(data: Array, begin: Int, floor: Int, q: Int, end: Int, classes: Array, groups: Array) -> tuple[Int, Int, Int]:
    """`(start, end, end of the run)` of the address that has its colon at q; start = end where there is none. A run is
    hexadecimal digits, colons and dots; `groups` int64[8] is scratch."""
    s, e = q, q + 1
    while s > floor and _part(data[np.uintp(s - 1)], classes):
        s -= 1
    while e < end and _part(data[np.uintp(e)], classes):
        e += 1
    stop = e
    while s < stop and data[np.uintp(s)] == 0x2E:
        s += 1
    if s > begin and classes[data[np.uintp(s - 1)]] & WORD:
        # ip6:2001:… is a word and an address, Foo::2001 is neither.
        while s < stop and data[np.uintp(s)] != 0x3A:
            s += 1
        if s + 1 >= stop or data[np.uintp(s + 1)] == 0x3A:
            return s, s, e
        s += 1
    elif stop - s > 1 and data[np.uintp(s)] == 0x3A and data[np.uintp(s + 1)] != 0x3A:
        s += 1
    while stop > s and data[np.uintp(stop - 1)] == 0x2E:
        stop -= 1
    dots = stop < e
    colon = stop - s > 2 and data[np.uintp(stop - 1)] == 0x3A
    if colon and (data[np.uintp(stop - 2)] != 0x3A or data[np.uintp(stop - 3)] == 0x3A):
        stop -= 1
        dots = False
    if stop - s > LONGEST or (not dots and e < end and classes[data[np.uintp(e)]] & WORD):
        return s, s, e
    if _groups(data, s, stop, classes, groups) and _public6(groups):
        return s, stop, e
    return s, s, e


@kernel
def _part(byte: Int, classes: Array) -> Bool:
    return (classes[byte] & HEX) != 0 or byte == 0x3A or byte == 0x2E


@kernel
def _groups(data: Array, p: Int, end: Int, classes: Array, groups: Array) -> Bool:
    """Reads `data[p:end]` into the eight groups (RFC 4291, section 2.2); whether it is an address."""
    n = np.int64(0)
    gap = np.int64(-1)
    if end - p >= 2 and data[np.uintp(p)] == 0x3A and data[np.uintp(p + 1)] == 0x3A:
        gap = np.int64(0)
        p += 2
    while p < end:
        if n == 8:
            return False
        value = size = np.int64(0)
        first = p
        while p < end and size < 5 and classes[data[np.uintp(p)]] & HEX:
            byte = np.int64(data[np.uintp(p)])
            value = value << 4 | (byte - 0x30 if byte < 0x3A else (byte | 0x20) - 0x57)
            size += 1
            p += 1
        if p < end and data[np.uintp(p)] == 0x2E:
            value, p = quad(data, first, end, classes)
            if value < 0 or p != end or n > 6:
                return False
            groups[n], groups[n + 1] = value >> 16, value & 0xFFFF
            n += 2
            break
        if size == 0 or size > 4:
            return False
        groups[n] = value
        n += 1
        if p == end:
            break
        p += 1
        if p == end:
            return False
        if data[np.uintp(p)] == 0x3A:
            if gap >= 0:
                return False
            gap = n
            p += 1
    if gap < 0:
        return n == 8
    # `the year 2006::` announces an example in reStructuredText: one group is not enough.
    if n > 7 or n < 2:
        return False
    for k in range(n - gap):
        groups[7 - k] = groups[n - 1 - k]
    for k in range(gap, 8 - (n - gap)):
        groups[k] = 0
    return True


@kernel
def _public6(groups: Array) -> Bool:
    """Whether an address is of a host that the Internet reaches (IANA IPv6 Special-Purpose Address Registry, RFC 6890): global
    unicast, 2000::/3, without documentation and protocol blocks; where an IPv4 address is part of it, whether that is public."""
    first, second = groups[0], groups[1]
    if first >> 13 == 1:
        if first == 0x2001:
            # 2001::/23 is for protocols, except 2001::/32 (Teredo), which holds a public IPv4 address; 2001:db8::/32 documents.
            return second == 0 or (second >= 0x200 and second != 0xDB8)
        if first == 0x2002:
            return public4(second << 16 | groups[2])
        return not (first == 0x3FFF and second < 0x1000)
    low = groups[6] << 16 | groups[7]
    middle = groups[2] | groups[3] | groups[4]
    if first == 0 and second | middle == 0 and groups[5] == 0xFFFF:
        return public4(low)
    return first == 0x64 and second == 0xFF9B and middle | groups[5] == 0 and public4(low)
