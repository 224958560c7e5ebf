"""What makes a dotted quad a version, a section, an enzyme or a heading: `filters/edits/pii.py` says it in words."""

from __future__ import annotations

import numpy as np

from filters.kernels.compiled import Array, Bool, Int, kernel
from filters.kernels.pii.pii_tables import DIGIT, LETTER, WORD

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
def below(value: Int, limit: Int) -> Bool:
    return (value >> 24) < limit and (value >> 16 & 255) < limit and (value >> 8 & 255) < limit and (value & 255) < limit


@kernel
def heading(data: Array, begin: Int, s: Int, e: Int, end: Int) -> Bool:
    """Whether `data[s:e]` begins a line, and a word with a capital follows: 12.3.4.25 Results."""
    if (s > begin and data[np.uintp(s - 1)] != 0x0A) or e + 2 >= end or data[np.uintp(e)] != 0x20:
        return False
    return 0x41 <= data[np.uintp(e + 1)] <= 0x5A and 0x61 <= data[np.uintp(e + 2)] <= 0x7A


@kernel
def file(data: Array, p: Int, end: Int, classes: Array, words: tuple[Array, Array, Int, Int, Int]) -> Bool:
    """Whether a file's ending stands at p."""
    starts, letters, _, _, files = words
    for k in range(files, starts.size - 1):
        stop = p + starts[k + 1] - starts[k]
        ends = stop == end or (stop < end and not classes[data[np.uintp(stop)]] & WORD)
        if ends and _equal(data, p, letters, starts[k], stop - p):
            return True
    return False


@kernel
def number(value: Int) -> Bool:
    """Whether the quad is more likely something else: see SMALL; 2.5.4, 2.5.29 and 2.23.140 begin object identifiers (X.500,
    certificates)."""
    if value >> 8 == 0x020504 or value >> 8 == 0x02051D or value >> 8 == 0x02178C:
        return True
    return below(value, SMALL) and value != (value & 255) * 0x1010101


@kernel
def version(data: Array, floor: Int, s: Int, first: Int, classes: Array, words: tuple[Array, Array, Int, Int, Int]) -> Bool:
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
