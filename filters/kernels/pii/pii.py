r"""E-mail and IP addresses found in one walk, and masks written in their place. What an address is: `filters/edits/pii.py`.

Invariant: `spans` equals `tests/filters/edits/pii_oracle.py`, which is regular expressions and `ipaddress` on one text. The walk
looks 64 bytes at a time for `@`, a dot between digits, a colon between hexadecimal digits or colons, and for the first byte of
full-width characters; texts without them cost nothing more. Linear: what one such byte makes the walk read, no later one reads
again more than once, but for at most MOST bytes (`pii_other.py`), whatever the text is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import types

from filters.kernels.compiled import Array, Bool, Int, kernel
from filters.kernels.lines.pieces import copy
from filters.kernels.pii.pii_addresses import email, ipv4
from filters.kernels.pii.pii_ipv6 import ipv6
from filters.kernels.pii.pii_other import beyond_ascii, full_width
from filters.kernels.pii.pii_tables import CLASSES, DIGIT, HEX, WORDS, hashes
from filters.kernels.unicode.ascii_words import BYTES, MASK, VECTOR, every, intrinsic, lowest

EMAIL, IPV4, IPV6 = 0, 1, 2
_SHORTEST = 6
"""Bytes of the shortest address: a@b.cc, 2001::."""
_ONE = np.uint64(1)


@dataclass(frozen=True)
class Spans:
    """Addresses in order: `starts`, `ends` (int64, bytes of the data), `kinds` (EMAIL, IPV4, IPV6); row i has `counts[i]`.
    `other`, bool[n]: rows that may hold one that is not in ASCII, which is not among them (`filters/edits/pii_unicode.py`)."""

    starts: np.ndarray
    ends: np.ndarray
    kinds: np.ndarray
    counts: np.ndarray
    other: np.ndarray


def spans(offsets: np.ndarray, data: np.ndarray, *, wanted: tuple[bool, bool, bool]) -> Spans:
    """The addresses of the wanted kinds (EMAIL, IPV4, IPV6) in each row of `buffers.views`."""
    rows = len(offsets) - 1
    most = int(offsets[-1] - offsets[0]) // _SHORTEST + 1
    # Pages of an empty array that are not written take no memory.
    starts, ends, kinds = np.empty(most, np.int64), np.empty(most, np.int64), np.empty(most, np.uint8)
    counts, other, groups = np.zeros(rows, np.int64), np.zeros(rows, np.bool_), np.zeros(8, np.int64)
    _find(offsets, data, *wanted, CLASSES, hashes(), WORDS, groups, starts, ends, kinds, counts, other)
    n = int(counts.sum())
    return Spans(starts[:n], ends[:n], kinds[:n], counts, other)


def masked(
    offsets: np.ndarray, data: np.ndarray, *, wanted: tuple[bool, bool, bool], masks: tuple[str, str, str]
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """`(starts, bytes, changes)` of an edit's `Walk`: each address replaced by its kind's mask; bit k: kind k changed the row.
    Last the `other` of Spans."""
    found = spans(offsets, data, wanted=wanted)
    changes = np.zeros(len(offsets) - 1, np.uint8)
    if not len(found.starts):
        return offsets, data, changes, found.other
    texts = [mask.encode() for mask in masks]
    bounds = np.cumsum([0, *map(len, texts)], dtype=np.int64)
    grown = np.diff(bounds)[found.kinds].sum() - (found.ends - found.starts).sum()
    out = np.empty(int(offsets[-1] - offsets[0] + grown), np.uint8)
    starts = np.zeros(len(offsets), np.int64)
    joined = np.frombuffer(b"".join(texts) or b" ", np.uint8)
    _replace(offsets, data, found.starts, found.ends, found.kinds, found.counts, bounds, joined, out, starts, changes)
    return starts, out, changes, found.other


@kernel
def _replace(
    offsets: Array,
    data: Array,
    begins: Array,
    ends: Array,
    kinds: Array,
    counts: Array,
    bounds: Array,
    masks: Array,
    out: Array,
    starts: Array,
    changes: Array,
) -> None:
    o = k = np.int64(0)
    for i in range(offsets.size - 1):
        p = offsets[i]
        for _ in range(counts[i]):
            o = copy(data, p, begins[k], out, o)
            mask, stop = bounds[kinds[k]], bounds[kinds[k] + 1]
            if not _same(data, begins[k], ends[k], masks, mask, stop):
                changes[i] |= np.uint8(1) << kinds[k]
            o = copy(masks, mask, stop, out, o)
            p = ends[k]
            k += 1
        o = copy(data, p, offsets[i + 1], out, o)
        starts[i + 1] = o


@kernel
def _same(data: Array, p: Int, end: Int, masks: Array, mask: Int, stop: Int) -> Bool:
    if end - p != stop - mask:
        return False
    while p < end and data[np.uintp(p)] == masks[np.uintp(mask)]:
        p += 1
        mask += 1
    return p == end


@kernel
def _find(
    offsets: Array,
    data: Array,
    emails: bool,
    v4: bool,
    v6: bool,
    classes: Array,
    tlds: Array,
    words: tuple[Array, Array, Int, Int, Int],
    groups: Array,
    starts: Array,
    ends: Array,
    kinds: Array,
    counts: Array,
    other: Array,
) -> None:
    n = np.int64(0)
    for i in range(offsets.size - 1):
        begin, end = offsets[i], offsets[i + 1]
        # No address begins before `floor`, where the one before it ends; runs that hold none are not looked at twice.
        floor = past4 = past6 = begin
        p = begin
        while p < end:
            mask = _anchors(data, begin, p, end, classes)
            while mask:
                q = p + np.int64(lowest(mask))
                mask &= mask - _ONE
                if q < floor:
                    continue
                byte = data[np.uintp(q)]
                a = b = kind = np.int64(0)
                if byte == 0x40:
                    if emails:
                        a, b = email(data, floor, q, end, classes, tlds)
                        other[i] |= beyond_ascii(data, begin, q, end, classes)
                elif byte == 0xEF:
                    other[i] |= full_width(data, begin, q, end, emails, v4)
                elif byte == 0x2E:
                    if v4 and q >= past4:
                        a, b, past4 = ipv4(data, begin, floor, q, end, classes, words)
                        kind = np.int64(IPV4)
                elif v6 and q >= past6:
                    a, b, past6 = ipv6(data, begin, floor, q, end, classes, groups)
                    kind = np.int64(IPV6)
                if b > a:
                    starts[n], ends[n], kinds[n] = a, b, kind
                    n += 1
                    counts[i] += 1
                    floor = b
            p += BYTES


@kernel
def _anchors(data: Array, begin: Int, p: Int, end: Int, classes: Array) -> Int:
    """Bits of the bytes `data[p:min(p + 64, end)]` at which an address may have its `@`, dot or colon."""
    if p > begin and p + BYTES < end:
        return _vector(data, np.uintp(p))
    mask = np.uint64(0)
    for k in range(min(BYTES, end - p)):
        q = p + k
        byte = data[np.uintp(q)]
        if byte == 0x40 or byte == 0xEF:
            mask |= _ONE << np.uint64(k)
        elif (byte == 0x2E or byte == 0x3A) and q + 1 < end:
            before = data[np.uintp(q - 1)] if q > begin else np.uint8(0)
            after = data[np.uintp(q + 1)]
            if byte == 0x2E:
                if classes[before] & DIGIT and classes[after] & DIGIT:
                    mask |= _ONE << np.uint64(k)
            elif after == 0x3A or ((classes[before] & HEX or before == 0x3A) and classes[after] & HEX):
                mask |= _ONE << np.uint64(k)
    return mask


@intrinsic
def _vector(typing_context: Any, data: Any, p: Any) -> Any:
    """`_anchors` of 64 bytes that have a byte of their row on both sides. Reads `data[p - 1:p + 65]`."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array = context.make_array(signature.args[0])(context, builder, arguments[0])
        one = arguments[1].type(1)

        def load(place: Any) -> Any:
            at = builder.bitcast(builder.gep(array.data, [place]), VECTOR.as_pointer())
            return builder.load(at, align=1)

        def equal(text: Any, char: Any) -> Any:
            return builder.icmp_unsigned("==", text, every(ord(char)))

        def digit(text: Any) -> Any:
            return builder.icmp_unsigned("<", builder.sub(text, every(ord("0"))), every(10))

        def hexadecimal(text: Any) -> Any:
            letter = builder.icmp_unsigned("<", builder.sub(builder.or_(text, every(0x20)), every(ord("a"))), every(6))
            return builder.or_(builder.or_(letter, digit(text)), equal(text, ":"))

        text = load(arguments[1])
        before, after = load(builder.sub(arguments[1], one)), load(builder.add(arguments[1], one))
        dot = builder.and_(equal(text, "."), builder.and_(digit(before), digit(after)))
        between = builder.and_(hexadecimal(before), hexadecimal(after))
        colon = builder.and_(equal(text, ":"), builder.or_(between, equal(after, ":")))
        found = builder.or_(builder.or_(dot, colon), builder.or_(equal(text, "@"), equal(text, "\xef")))
        return builder.bitcast(found, MASK)

    return types.uint64(data, p), generate
