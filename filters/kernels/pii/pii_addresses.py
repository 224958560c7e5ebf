"""An e-mail address around an `@`, an IPv4 address around a dot. What they are: `filters/edits/pii.py`."""

from __future__ import annotations

import numpy as np

from filters.kernels.compiled import Array, Bool, Int, kernel
from filters.kernels.pii.pii_tables import DIGIT, LETTER, LOCAL, PRIME, SEED, WORD

LONGEST_LOCAL = 64
"""RFC 5321, section 4.5.3.1.1."""
LONGEST_LABEL = 63
"""RFC 1035, section 2.3.4."""
SMALL = 20
"""A quad whose parts are all below this, and not all equal, is the number of a section or a version: chosen because one public
address in 27,000 looks like that, and most of the quads in laws, standards and changelogs do."""
LOW = 40
"""A version's first part is below this where little else tells it from an address (nginx/1.25.3.1); as one address in six.
"""
HEADING = 64
"""The parts of a heading's number are below this, the first one below LOW: as those of one public address in 500 are."""
LONGEST_QUAD = 15
LISTED = 16
"""Numbers of a list that are gone back to the word before the first one."""
GAP = 16
"""Most separators between a word and the number that it announces: a column of a table."""
PRODUCT = 32
"""Longest product name looked for before a slash, in bytes."""


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
        if _heading(data, begin, s, e, end) and _below(value, HEADING) and (value >> 24) < LOW:
            return s, s, e
    if e - stop == 1 and _file(data, e, end, classes, words):
        return s, s, e
    if _number(value) or _version(data, floor, s, value >> 24, classes, words):
        return s, s, e
    return s, stop, e


@kernel
def _below(value: Int, limit: Int) -> Bool:
    return (value >> 24) < limit and (value >> 16 & 255) < limit and (value >> 8 & 255) < limit and (value & 255) < limit


@kernel
def _heading(data: Array, begin: Int, s: Int, e: Int, end: Int) -> Bool:
    """Whether `data[s:e]` begins a line, and a word with a capital follows: 12.3.4.25 Results."""
    if (s > begin and data[np.uintp(s - 1)] != 0x0A) or e + 2 >= end or data[np.uintp(e)] != 0x20:
        return False
    return 0x41 <= data[np.uintp(e + 1)] <= 0x5A and 0x61 <= data[np.uintp(e + 2)] <= 0x7A


@kernel
def _file(data: Array, p: Int, end: Int, classes: Array, words: tuple[Array, Array, Int, Int, Int]) -> Bool:
    """Whether a file's ending stands at p."""
    starts, letters, _, _, files = words
    for k in range(files, starts.size - 1):
        stop = p + starts[k + 1] - starts[k]
        ends = stop == end or (stop < end and not classes[data[np.uintp(stop)]] & WORD)
        if ends and _equal(data, p, letters, starts[k], stop - p):
            return True
    return False


@kernel
def _number(value: Int) -> Bool:
    """Whether the quad is more likely something else: see SMALL; 2.5.4, 2.5.29 and 2.23.140 begin object identifiers (X.500,
    certificates)."""
    if value >> 8 == 0x020504 or value >> 8 == 0x02051D or value >> 8 == 0x02178C:
        return True
    return _below(value, SMALL) and value != (value & 255) * 0x1010101


@kernel
def _version(data: Array, floor: Int, s: Int, first: Int, classes: Array, words: tuple[Array, Array, Int, Int, Int]) -> Bool:
    """Whether what stands before the quad at s makes it a version or a section: a word, `name-`, `Product/`, `==`. `first`: its
    first part."""
    if s == floor:
        return False
    before = data[np.uintp(s - 1)]
    if before == 0x2D:
        return s - 1 > floor and (classes[data[np.uintp(s - 2)]] & LETTER) != 0
    if before == 0x2F:
        return _product(data, floor, s - 1, first, classes) or _listed(data, floor, s, classes, words)
    if first < LOW and (
        before == 0x5E or before == 0x7E or (before == 0x3D and s - 1 > floor and _operator(data[np.uintp(s - 2)]))
    ):
        return True
    return (
        _announced(data, floor, s, classes, words)
        or _changed(data, floor, s, classes, words)
        or _listed(data, floor, s, classes, words)
    )


@kernel
def _operator(byte: Int) -> Bool:
    """= < > ~ !"""
    return byte == 0x3D or byte == 0x3C or byte == 0x3E or byte == 0x7E or byte == 0x21


@kernel
def _listed(data: Array, floor: Int, p: Int, classes: Array, words: tuple[Array, Array, Int, Int, Int]) -> Bool:
    """Whether the quad at p goes on a list of such numbers whose first one a word announces: EC 3.4.21.4, 3.4.21.5 and
    3.4.21.36."""
    for _ in range(LISTED):
        stop = _separated(data, floor, p)
        if stop < 0:
            return False
        p = stop
        while (
            p > floor and stop - p <= LONGEST_QUAD and (classes[data[np.uintp(p - 1)]] & DIGIT or data[np.uintp(p - 1)] == 0x2E)
        ):
            p -= 1
        dots = np.int64(0)
        for k in range(p, stop):
            if data[np.uintp(k)] == 0x2E:
                dots += 1
                if k == p or k + 1 == stop or data[np.uintp(k + 1)] == 0x2E:
                    return False
        if dots != 3 or stop - p > LONGEST_QUAD:
            return False
        if _announced(data, floor, p, classes, words):
            return True
    return False


@kernel
def _separated(data: Array, floor: Int, p: Int) -> Int:
    """Where what stands between two numbers of a list begins, if it ends at p: one to three of space , ; / &, or `and` or `or`
    with spaces behind and one or two of space , ; before. -1: no such thing."""
    n = spaces = np.int64(0)
    while n < 3 and p > floor:
        byte = data[np.uintp(p - 1)]
        if not (byte == 0x20 or byte == 0x2C or byte == 0x3B or byte == 0x2F or byte == 0x26):
            break
        spaces += byte == 0x20
        n += 1
        p -= 1
    if n == 0 or p == floor:
        return np.int64(-1)
    if 0x61 <= data[np.uintp(p - 1)] <= 0x7A:
        if n > 2 or spaces < n:
            return np.int64(-1)
        if p - 3 >= floor and data[np.uintp(p - 3)] == 0x61 and data[np.uintp(p - 2)] == 0x6E and data[np.uintp(p - 1)] == 0x64:
            p -= 3
        elif p - 2 >= floor and data[np.uintp(p - 2)] == 0x6F and data[np.uintp(p - 1)] == 0x72:
            p -= 2
        else:
            return np.int64(-1)
        n = np.int64(0)
        while n < 2 and p > floor:
            byte = data[np.uintp(p - 1)]
            if not (byte == 0x20 or byte == 0x2C or byte == 0x3B):
                break
            n += 1
            p -= 1
        if n == 0:
            return np.int64(-1)
    return p


@kernel
def _announced(data: Array, floor: Int, s: Int, classes: Array, words: tuple[Array, Array, Int, Int, Int]) -> Bool:
    """Whether a word for versions or sections stands before the number at s."""
    starts, letters, whole, verbs, _ = words
    p = s
    while p > floor and s - p < GAP and _between(data[np.uintp(p - 1)]):
        p -= 1
    for k in range(verbs):
        size = starts[k + 1] - starts[k]
        if p - size >= floor and _equal(data, p - size, letters, starts[k], size):
            inside = p - size > floor and classes[data[np.uintp(p - size - 1)]] & WORD
            if k >= whole or not inside:
                return True
    return False


@kernel
def _changed(data: Array, floor: Int, p: Int, classes: Array, words: tuple[Array, Array, Int, Int, Int]) -> Bool:
    """Whether one of the three words before p begins as a verb of change does: upgrade V8 to 3.6.6.25."""
    starts, letters, _, verbs, files = words
    for _ in range(3):
        stop = p
        while p > floor and stop - p < 2 and (data[np.uintp(p - 1)] == 0x20 or data[np.uintp(p - 1)] == 0x3A):
            p -= 1
        stop, gap = p, stop - p
        while p > floor and classes[data[np.uintp(p - 1)]] & WORD:
            p -= 1
        if gap == 0 or p == stop:
            return False
        for k in range(verbs, files):
            size = starts[k + 1] - starts[k]
            if size <= stop - p and _equal(data, p, letters, starts[k], size):
                return True
    return False


@kernel
def _equal(data: Array, p: Int, words: Array, w: Int, size: Int) -> Bool:
    """Whether `data[p:p + size]`, its A-Z in lower case, is `words[w:w + size]`."""
    for j in range(size):
        byte = data[np.uintp(p + j)]
        if (byte + 32 if 0x41 <= byte <= 0x5A else byte) != words[np.uintp(w + j)]:
            return False
    return True


@kernel
def _between(byte: Int) -> Bool:
    """Space : = " ' ( . #"""
    return (
        byte == 0x20
        or byte == 0x3A
        or byte == 0x3D
        or byte == 0x22
        or byte == 0x27
        or byte == 0x28
        or byte == 0x2E
        or byte == 0x23
    )


@kernel
def _product(data: Array, floor: Int, slash: Int, first: Int, classes: Array) -> Bool:
    """Whether a product's name ends at `slash` (RFC 9110, section 10.1.5): a capital, after white space or ( or a quote; or a
    small letter, where the version begins so."""
    p = slash
    while p > floor and slash - p < PRODUCT and (classes[data[np.uintp(p - 1)]] & WORD or data[np.uintp(p - 1)] == 0x2D):
        p -= 1
    if p == slash or not (0x41 <= data[np.uintp(p)] <= 0x5A or (first < LOW and 0x61 <= data[np.uintp(p)] <= 0x7A)):
        return False
    if p == floor:
        return True
    before = data[np.uintp(p - 1)]
    return before == 0x20 or before == 0x0A or before == 0x28 or before == 0x22 or before == 0x09
