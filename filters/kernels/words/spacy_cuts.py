"""Where spaCy's tokeniser cuts English, as datatrove 0.10.1 calls it (`spacy.blank("en")`): one piece of a text at a time.

Invariant: `plain` and `next_piece` give the tokens of `cut` in tests/filters/kernels/words/spacy_in_python.py: the loops of
`tokenizer.pyx` (spaCy 3.8) over its published patterns. A piece is what white space separates. Exceptions are looked up; else
prefixes and suffixes are taken off its two ends, as long as there are any; what is left is an exception, an address, or cut at
its infixes; at last emoticons that came apart are put together again.

How it differs from spaCy's English: a piece ends after LONGEST_PIECE bytes; addresses take ASCII digits; emoticons are never
sought across white space. Every language is cut as English is, which is what datatrove's filters do unless they are told a
language. With `language` set, datatrove takes spaCy's rules for that language (German keeps well-known whole, French cuts
l'eau), or jieba, SudachiPy and pythainlp: those are not here, and in Chinese, Japanese or Thai a token is what stands between
white space and signs.
"""

from __future__ import annotations

import numpy as np

from filters.kernels.compiled import Array, Bool, Int, inlined_kernel, kernel
from filters.kernels.unicode.ascii_words import BYTES, alphabet, lowest
from filters.kernels.unicode.char_classes import flags_at
from filters.kernels.words.addresses import is_address
from filters.kernels.words.spacy_joins import joined
from filters.kernels.words.spacy_rules import (
    ALPHA,
    BLANK,
    CURRENCY,
    DIGIT,
    DOT,
    ICON,
    INNER,
    LONGEST_UNIT,
    LOWER,
    ODD,
    PREFIX,
    QUOTE,
    STOPPED,
    SUFFIX,
    UPPER,
    exception,
    unit,
)

LONGEST_PIECE = 1 << 13
"""Bytes; chosen so that the tokens of a piece fit into a chunk of `ngrams_large`, and longer than what people write."""
_NONE, _ONE = np.uint64(0), np.uint64(1)
_BITS = np.uint64((1 << 63) - 1)  # of an exception: where its tokens end
_STOP, _COLON, _SLASH, _HYPHEN = 0x2E, 0x3A, 0x2F, 0x2D


@kernel
def plain(data: Array, p: Int, end: Int, cells: Array) -> tuple[Int, Int]:
    """`(bytes, more)`: the token at p, no white space, if it is A-Z a-z or 0-9 alone or one sign, with white space behind it, or
    with one suffix (more = 1) and white space. `(0, 0)` where its piece takes more than that to cut."""
    no = (np.int64(0), np.int64(0))
    if p + BYTES > end:
        return no
    letter, digit = alphabet(data, np.uintp(p))
    size = np.int64(lowest(~(letter if letter & _ONE else digit)))
    if size == 0:
        first, after = data[np.uintp(p)], data[np.uintp(p + 1)]
        if first < 0x80 and after < 0x80 and np.int64(cells[np.uintp(after)]) & BLANK:
            return np.int64(1), np.int64(0)
        return no
    if size > BYTES - 2:
        return no
    after = data[np.uintp(p + size)]
    if after >= 0x80:
        return no
    flags = np.int64(cells[np.uintp(after)])
    if flags & BLANK:
        return no if exception(data, p, p + size) else (size, np.int64(0))
    further = data[np.uintp(p + size + 1)]
    if further >= 0x80 or not np.int64(cells[np.uintp(further)]) & BLANK:
        return no
    if not flags & SUFFIX and not (after == _STOP and np.int64(cells[np.uintp(data[np.uintp(p + size - 1)])]) & STOPPED):
        return no
    if exception(data, p, p + size) or exception(data, p, p + size + 1):
        return no
    return size, np.int64(1)


@kernel
def next_piece(data: Array, p: Int, end: Int, blocks: Array, cells: Array, cuts: Array) -> tuple[Int, Int, Int]:
    """`(n, seen, chars)`: the tokens of the piece at p, which is no white space: how many there are, token k ending at `cuts[k]`
    (uint64); the flags that any of the piece's characters has; its code points.

    n is -1 where cuts has no room for them; LONGEST_PIECE places and two more are always enough.
    """
    stop, seen, chars = p, np.int64(0), np.int64(0)
    while stop < end:
        flags, size = flags_at(data, stop, end, blocks, cells)
        if flags & BLANK or stop + size - p > LONGEST_PIECE:
            break
        seen |= flags
        stop += size
        chars += 1
    if seen & (ODD | DIGIT):
        return _cut(data, p, stop, seen, blocks, cells, cuts), seen, chars
    return _whole(data, p, stop, np.int64(0), cuts), seen, chars


@inlined_kernel
def _before(data: Array, start: Int, p: Int, blocks: Array, cells: Array) -> tuple[Int, Int]:
    """`(flags, bytes)` of the character that ends at p, 0 and 0 where p is the start."""
    if p <= start:
        return np.int64(0), 0
    at = p - 1
    if data[np.uintp(at)] < 0x80:
        return np.int64(cells[np.uintp(data[np.uintp(at)])]), 1
    while at > start and (data[np.uintp(at)] & 0xC0) == 0x80:
        at -= 1
    flags, _ = flags_at(data, at, p, blocks, cells)
    return flags, p - at


@inlined_kernel
def _whole(data: Array, p: Int, stop: Int, n: Int, cuts: Array) -> Int:
    """Appends `data[p:stop]` as one token, or as the exception that it is; returns how many tokens there are now, or -1."""
    parts = exception(data, p, stop)
    if parts == _NONE:
        if n >= cuts.size:
            return np.int64(-1)
        cuts[np.uintp(n)] = np.uint64(stop)
        return n + 1
    parts &= _BITS
    while parts:
        if n >= cuts.size:
            return np.int64(-1)
        cuts[np.uintp(n)] = np.uint64(p) + lowest(parts) + _ONE
        parts &= parts - _ONE
        n += 1
    return n


@inlined_kernel
def _cut(data: Array, p: Int, stop: Int, seen: Int, blocks: Array, cells: Array, cuts: Array) -> Int:
    """Tokens of a whole piece: `_split_affixes` and `_attach_tokens`. Suffixes wait at the far end of cuts."""
    first, last = p, stop
    n = waiting = np.int64(0)
    whole = exception(data, first, last)
    while first < last and not whole:
        after = np.int64(0)
        before = _prefix(data, first, last, blocks, cells)
        if before:
            whole = exception(data, first + before, last)
        if not whole:
            after = _suffix(data, first + before, last, seen, blocks, cells)
            if after:
                whole = exception(data, first, last - after)
                before = np.int64(0) if whole else before
        if not before and not after:
            break
        if n + waiting + 2 > cuts.size:
            return np.int64(-1)
        if before:
            first += before
            cuts[np.uintp(n)] = np.uint64(first)
            n += 1
        if after:
            last -= after
            waiting += 1
            cuts[np.uintp(cuts.size - waiting)] = np.uint64(last)
        if before and after:
            whole = exception(data, first, last)
    room = cuts[: cuts.size - waiting]
    if first < last:
        if whole or not seen & INNER or (seen & DOT and is_address(data, first, last, blocks, cells)):
            n = _whole(data, first, last, n, room)
        else:
            n = _infixes(data, first, last, blocks, cells, n, room)
        if n < 0:
            return n
    for k in range(waiting):
        following = k + 1 < waiting
        cuts[np.uintp(n)] = cuts[np.uintp(cuts.size - waiting + k + 1)] if following else np.uint64(stop)
        n += 1
    return joined(data, p, n, cuts) if n > 1 else n


@inlined_kernel
def _dots(data: Array, p: Int, end: Int) -> Int:
    """How many full stops stand at p."""
    n = np.int64(0)
    while p + n < end and data[np.uintp(p + n)] == _STOP:
        n += 1
    return n


@inlined_kernel
def _prefix(data: Array, p: Int, end: Int, blocks: Array, cells: Array) -> Int:
    """Bytes of the prefix of `data[p:end]`, 0 for none."""
    flags, size = flags_at(data, p, end, blocks, cells)
    if flags & PREFIX or flags & ICON:
        return np.int64(size)
    byte = data[np.uintp(p)]
    if byte == _STOP:
        n = _dots(data, p, end)
        return n if n > 1 else np.int64(0)
    if byte == 0x2B:
        return np.int64(0) if p + 1 < end and 0x30 <= data[np.uintp(p + 1)] <= 0x39 else np.int64(1)
    return _dollar(data, p, end)


@inlined_kernel
def _dollar(data: Array, p: Int, end: Int) -> Int:
    """Bytes of US$, C$ or A$ at p, 0 for none."""
    byte = data[np.uintp(p)]
    if (byte == 0x41 or byte == 0x43) and p + 1 < end and data[np.uintp(p + 1)] == 0x24:
        return np.int64(2)
    if byte == 0x55 and p + 2 < end and data[np.uintp(p + 1)] == 0x53 and data[np.uintp(p + 2)] == 0x24:
        return np.int64(3)
    return np.int64(0)


@inlined_kernel
def _suffix(data: Array, p: Int, end: Int, seen: Int, blocks: Array, cells: Array) -> Int:
    """Bytes of the suffix of `data[p:end]`, 0 for none: the longest, as `re.search` finds the one that begins first."""
    if p >= end:
        return np.int64(0)
    flags, size = _before(data, p, end, blocks, cells)
    byte, start = data[np.uintp(end - 1)], end - size
    found = np.int64(0)
    if flags & SUFFIX or flags & ICON:
        found = np.int64(size)
    if byte == _STOP:
        n = np.int64(1)
        while end - n > p and data[np.uintp(end - n - 1)] == _STOP:
            n += 1
        if n > 1 or _stopped(data, p, start, blocks, cells):
            found = n
    elif byte == 0x73 or byte == 0x53:
        _, quote = _before(data, p, start, blocks, cells)
        at = start - quote
        if (quote == 1 and data[np.uintp(at)] == 0x27) or (quote == 3 and _is(data, at, 0xE28099)):
            found = np.int64(1 + quote)
    elif size == 3 and start - 3 >= p and _is(data, start, 0xE280A6) and _is(data, start - 3, 0xE280A6):
        found = np.int64(6)
    if not seen & DIGIT:
        return found
    digit = start  # the place after the last of 0-9 before the last character
    while digit > p and end - digit < LONGEST_UNIT and not 0x30 <= data[np.uintp(digit - 1)] <= 0x39:
        digit -= 1
    if digit > p and 0x30 <= data[np.uintp(digit - 1)] <= 0x39:
        money = (digit == start and flags & CURRENCY) or _dollar(data, digit, end) == end - digit
        if money or (digit == start and byte == 0x2B) or unit(data, digit, end):
            found = max(found, np.int64(end - digit))
    return found


@inlined_kernel
def _is(data: Array, p: Int, code: Int) -> Bool:
    """Whether the three bytes at p are `code`."""
    return data[np.uintp(p)] == code >> 16 and data[np.uintp(p + 1)] == (code >> 8) & 255 and data[np.uintp(p + 2)] == code & 255


@inlined_kernel
def _stopped(data: Array, p: Int, end: Int, blocks: Array, cells: Array) -> Bool:
    """Whether a full stop at end is a suffix of what begins at p."""
    flags, size = _before(data, p, end, blocks, cells)
    if flags & STOPPED:
        return True
    earlier, more = _before(data, p, end - size, blocks, cells)
    if flags & UPPER and earlier & UPPER:
        return True
    byte = data[np.uintp(end - 1)]
    degree = more == 2 and data[np.uintp(end - 3)] == 0xC2 and data[np.uintp(end - 2)] == 0xB0
    return degree and (byte == 0x46 or byte == 0x43 or byte == 0x4B)


@inlined_kernel
def _infixes(data: Array, p: Int, end: Int, blocks: Array, cells: Array, n: Int, cuts: Array) -> Int:
    """Appends the tokens of `data[p:end]`, cut at its infixes; returns how many tokens there are now, or -1."""
    start, at, before = p, p, np.int64(0)
    while at < end:
        flags, size = flags_at(data, at, end, blocks, cells)
        length = np.int64(0)
        if flags & ODD:
            length = _infix(data, at, size, end, flags, before, blocks, cells)
        if length == 0 or at == p:
            at += max(length, np.int64(size))
            before = flags
            continue
        if n + 2 > cuts.size:
            return np.int64(-1)
        if at > start:
            cuts[np.uintp(n)] = np.uint64(at)
            n += 1
        at += length
        cuts[np.uintp(n)] = np.uint64(at)
        n += 1
        start, before = at, _before(data, p, at, blocks, cells)[0]
    if start < end:
        if n >= cuts.size:
            return np.int64(-1)
        cuts[np.uintp(n)] = np.uint64(end)
        n += 1
    return n


@inlined_kernel
def _infix(data: Array, p: Int, size: Int, end: Int, flags: Int, before: Int, blocks: Array, cells: Array) -> Int:
    """Bytes of the infix at p, a character of these flags and bytes with `before` before it; 0 for none."""
    if flags & ICON:
        return np.int64(size)
    byte = data[np.uintp(p)]
    if byte == _STOP:
        n = _dots(data, p, end)
        if n > 1:
            return n
    if p + size >= end:
        return np.int64(0)
    after, _ = flags_at(data, p + size, end, blocks, cells)
    if byte == _STOP:
        return np.int64(1) if before & (LOWER | QUOTE) and after & (UPPER | QUOTE) else np.int64(0)
    if byte == 0x2C:
        return np.int64(1) if before & ALPHA and after & ALPHA else np.int64(0)
    sum_ = before & DIGIT and byte in (_HYPHEN, 0x2A, 0x2B, 0x5E)
    if sum_ and (after & DIGIT or data[np.uintp(p + 1)] == _HYPHEN):
        return np.int64(1)
    if not before & (ALPHA | DIGIT):
        return np.int64(0)
    if byte in (_COLON, _SLASH, 0x3C, 0x3D, 0x3E, 0x7E):
        return np.int64(1) if after & ALPHA else np.int64(0)
    if byte == _HYPHEN:
        n = np.int64(1)
        while n < 3 and p + n < end and data[np.uintp(p + n)] == _HYPHEN:
            n += 1
        return n if p + n < end and flags_at(data, p + n, end, blocks, cells)[0] & ALPHA else np.int64(0)
    if size == 3 and (_is(data, p, 0xE28093) or _is(data, p, 0xE28094)):
        if after & ALPHA:
            return np.int64(3)
        double = p + 6 < end and _is(data, p, 0xE28094) and _is(data, p + 3, 0xE28094)
        return np.int64(6) if double and flags_at(data, p + 6, end, blocks, cells)[0] & ALPHA else np.int64(0)
    return np.int64(0)
