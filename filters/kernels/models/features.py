r"""The tokens that Winnow's own classifiers read, as text for fastText: one space behind each token.

Invariant: row i of `features` equals `plain(text of row i).encode()` of tests/filters/kernels/models/plain_tokens.py. Choices,
made because a publisher's habits would be learnt otherwise: the case of Latin-1, Greek and Cyrillic letters is folded;
typographic quotes, dashes and dots are ASCII ones; a number is `0`; a letter of a-z three or more times in a row stands once;
punctuation is a token of its own, doubled where it is repeated; what joins letters (`don't`, `f*ck`, `sh1t`) stays inside its
word; lines end in LINE.
"""

from __future__ import annotations

import numpy as np

from filters.kernels.compiled import Array, Int, inlined_kernel, inner_kernel, kernel
from filters.kernels.unicode.ascii_words import HIGH, LOWER, eight, letters, lowest, put_eight

VERSION = 1
"""Version of the tokens: models name the one that they were trained on."""
LINE = "\x1e"
"""Stands for an end of line. No text holds it: `normalise` removes control characters."""

SPARE = 16
"""Bytes that `next_token` may write behind the token."""

_CAPITALS = [*b"ABCDEFGHIJKLMNOPQRSTUVWXYZ", *range(0xC0, 0xD7), *range(0xD8, 0xDF)]
_CAPITALS += [*range(0x391, 0x3A2), *range(0x3A3, 0x3AA), *range(0x410, 0x430)]
PLAIN = dict.fromkeys((*range(10), *range(0xB, 0x20), *range(0x7F, 0xA1), *range(0x2000, 0x2040)), " ")
PLAIN |= {point: chr(point + 32) for point in _CAPITALS}
PLAIN |= dict.fromkeys(range(0x2010, 0x2016), "-") | dict.fromkeys(range(0x2018, 0x201C), "'")
PLAIN |= dict.fromkeys(range(0x201C, 0x2020), '"') | {0x2022: "*", 0x2026: ".", 0x2028: "\n", 0x2029: "\n"}
"""What a character is read as before tokens are cut, for `str.translate`."""

_SPACE, _LETTER_CLASS, _DIGIT, _NEWLINE, _MARK = 0, 1, 2, 3, 4
_JOINS = 8
"""Added to the class of what may stand between letters of one word."""
_RECORD = np.uint8(0x1E)
_BLANK = np.uint8(32)
_ZERO = np.uint8(48)


def _ascii_classes() -> np.ndarray:
    classes = np.full(256, _LETTER_CLASS, np.uint8)  # bytes from 0x80: letters, unless `_unit` says otherwise
    for byte in range(128):
        letter = 97 <= byte | 32 < 123 and byte >= 65
        space = byte <= 32 or byte == 127
        classes[byte] = _LETTER_CLASS if letter else _SPACE if space else _DIGIT if 48 <= byte < 58 else _MARK
    classes[10] = _NEWLINE
    for byte in b"0123456789'*@$":
        classes[byte] |= _JOINS
    classes.flags.writeable = False
    return classes


CLASSES = _ascii_classes()


def _general_punctuation() -> np.ndarray:
    """uint8[64]: what stands for U+2000 to U+203F."""
    table = np.array([ord(PLAIN[0x2000 + i]) for i in range(64)], np.uint8)
    table.flags.writeable = False
    return table


PUNCTUATION = _general_punctuation()


@inner_kernel
def _unit(data: Array, p: Int, end: Int, classes: Array, punctuation: Array) -> tuple[Int, Int, Int, Int]:
    """`(class, first byte, second byte or 0, size)` of the character at p, as `PLAIN` translates it.

    A letter of three or more bytes comes in pieces of one byte, which are letters: nothing depends on where it begins.
    """
    byte = data[np.uintp(p)]
    if byte < 0x80:
        folded = byte | np.uint8(32) if np.uint8(byte - np.uint8(65)) < 26 else byte
        return classes[byte], folded, np.uint8(0), 1
    if byte == 0xE2 and p + 2 < end and data[np.uintp(p + 1)] == 0x80:
        byte = punctuation[data[np.uintp(p + 2)] & np.uint8(63)]
        return classes[byte], byte, np.uint8(0), 3
    if byte >= 0xE0 or byte < 0xC2 or p + 1 >= end:
        return classes[255], byte, np.uint8(0), 1
    second = data[np.uintp(p + 1)]
    if byte == 0xC2:
        return classes[32] if second <= 0xA0 else classes[33], byte, second, 2
    if byte == 0xC3 and second < 0x9F and second != 0x97:
        second += np.uint8(32)
    elif byte == 0xCE and second >= 0x91 and second < 0xAA and second != 0xA2:
        if second < 0xA0:
            second += np.uint8(32)
        else:
            byte, second = np.uint8(0xCF), second - np.uint8(32)
    elif byte == 0xD0 and second >= 0x90 and second < 0xB0:
        if second < 0xA0:
            second += np.uint8(32)
        else:
            byte, second = np.uint8(0xD1), second - np.uint8(32)
    return classes[255], byte, second, 2


@inner_kernel
def _word(data: Array, p: Int, end: Int, classes: Array, punctuation: Array, out: Array, o: Int) -> tuple[Int, Int]:
    """Appends the word at p to `out[:o]`; returns `(next, o)`."""
    kept_p, kept_o = p, o  # behind the last letter: what joins is taken back unless a letter follows
    last, run = np.uint8(0), 0
    while p < end:
        letter = data[np.uintp(p)] | np.uint8(32)
        if np.uint8(letter - np.uint8(97)) < 26:
            p += 1
            run = run + 1 if letter == last else 1
            last = letter
            if run < 3:
                out[np.uintp(o)] = letter
                o += 1
            elif run == 3:
                o -= 1
            kept_p, kept_o = p, o
            continue
        kind, first, second, size = _unit(data, p, end, classes, punctuation)
        if kind & 7 != 1 and not kind & 8:
            break
        p += size
        last = np.uint8(0)
        if kind & 7 == 1:
            out[np.uintp(o)] = first
            o += 1
            if second:
                out[np.uintp(o)] = second
                o += 1
            kept_p, kept_o = p, o
        else:
            out[np.uintp(o)] = first
            o += 1
    return kept_p, kept_o


_ONES = np.uint64(0x0101010101010101)
_EIGHT, _SHIFT = np.uint64(8), np.uint64(3)


@inlined_kernel
def _ascii_letters(data: Array, p: Int, end: Int, classes: Array, out: Array, o: Int) -> Int:
    """`_word` of letters a-z alone, eight bytes at a time: how many, written to `out[o:]`; 0 where `_word` must look closer.

    That is so near the end of the text, where a letter may be there three times, and before what may join letters or is not
    ASCII. Bytes are numbered from the lowest of a word of the machine, so it must be little-endian, as x86 and ARM are.
    """
    size = np.int64(0)
    while p + 16 <= end:
        text = eight(data, np.uintp(p))
        lower = text | LOWER
        found = lowest(~letters(text) & HIGH) >> _SHIFT
        twice = lower ^ (lower >> _EIGHT)
        twice = (twice - _ONES) & ~twice & HIGH  # also, wrongly, some bytes above: `_word` then finds nothing odd
        if twice & (twice >> _EIGHT):
            return np.int64(0)
        put_eight(out, np.uintp(o + size), lower)
        if found < _EIGHT:
            size += np.int64(found)
            behind = classes[data[np.uintp(p + np.int64(found))]]
            return np.int64(0) if behind & 8 or behind & 7 == 1 else size
        # Blocks share two bytes, so that a letter three times in a row lies in one of them.
        p += 6
        size += 6
    return np.int64(0)


@inlined_kernel
def next_token(data: Array, p: Int, end: Int, classes: Array, punctuation: Array, out: Array, o: Int) -> tuple[Int, Int]:
    """Appends the first token of `data[p:end]` to `out[:o]`; returns `(next, o)`, with the o it was given if there is none."""
    while p < end and data[np.uintp(p)] == 32:
        p += 1
    size = np.int64(0)
    if p < end and np.uint8((data[np.uintp(p)] | np.uint8(32)) - np.uint8(97)) < 26:
        size = _ascii_letters(data, p, end, classes, out, o)
    if size:
        return p + size, o + size
    return _other_token(data, p, end, classes, punctuation, out, o)


@inner_kernel
def _other_token(data: Array, p: Int, end: Int, classes: Array, punctuation: Array, out: Array, o: Int) -> tuple[Int, Int]:
    """`next_token` of any token."""
    while p < end:
        if data[np.uintp(p)] == 32:
            p += 1
            continue
        kind, first, second, size = _unit(data, p, end, classes, punctuation)
        kind &= 7
        if kind == 1:
            return _word(data, p, end, classes, punctuation, out, o)
        p += size
        if kind == 0:
            continue
        if kind == 2:
            while p < end and np.uint8(data[np.uintp(p)] - np.uint8(48)) < 10:
                p += 1
            return p, _put(_ZERO, np.uint8(0), out, o)
        if kind == 3:
            while p < end:
                kind, _, _, size = _unit(data, p, end, classes, punctuation)
                if kind != 0 and kind != 3:
                    break
                p += size
            return p, _put(_RECORD, np.uint8(0), out, o)
        o = _put(first, second, out, o)
        again = False
        while p < end:
            _, next_first, next_second, size = _unit(data, p, end, classes, punctuation)
            if next_first != first or next_second != second:
                break
            again = True
            p += size
        return p, _put(first, second, out, o) if again else o
    return p, o


@inner_kernel
def _put(first: Int, second: Int, out: Array, o: Int) -> Int:
    out[np.uintp(o)] = first
    o += 1
    if second:
        out[np.uintp(o)] = second
        o += 1
    return o


@kernel
def _features(data: Array, spans: Array, classes: Array, punctuation: Array, starts: Array, out: Array) -> None:
    o = np.int64(0)
    for i in range(spans.shape[0]):
        for part in range(spans.shape[1]):
            p, end = spans[i, part, 0], spans[i, part, 1]
            while p < end:
                before = o
                p, o = next_token(data, p, end, classes, punctuation, out, o)
                if o > before:
                    out[np.uintp(o)] = _BLANK
                    o += 1
        starts[i + 1] = o


def features(data: np.ndarray, spans: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """`(starts int64[n + 1], bytes uint8[:])`: the tokens of text i are `bytes[starts[i]:starts[i + 1]]`.

    Text i is the UTF-8 `data[a:b]` for each (a, b) of `spans[i]` (int64[n, parts, 2]); each part is made into tokens by itself.
    """
    starts = np.zeros(len(spans) + 1, np.int64)
    # A byte gives at most a token of one byte and its space; letters are written in blocks of SPARE bytes.
    out = np.empty(2 * int((spans[:, :, 1] - spans[:, :, 0]).sum()) + SPARE, np.uint8)
    _features(data, spans, CLASSES, PUNCTUATION, starts, out)
    return starts, out[: starts[-1]]
