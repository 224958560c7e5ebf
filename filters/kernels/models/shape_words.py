"""Words and characters of a text, counted for `shape`: the part of its walk that ends at a word.

Invariant: a word counts alike whichever function here has read it; what was met is looked up as `shape` says. Most words are
letters of ASCII with a space behind them: `plain_word` reads those eight bytes at a time, and no function is called for them.
"""

from __future__ import annotations

import numpy as np

from filters.kernels.compiled import Array, Bool, Int, inlined_kernel, inner_kernel
from filters.kernels.models.shape_counts import (
    BUCKETS,
    CHARS,
    L_CHARS,
    L_FIRST,
    L_LAST,
    L_LETTERS,
    L_LOWERS,
    L_UNSPACED,
    L_UPPERS,
    L_WORDS,
    LETTERS,
    LINE,
    PLAIN,
    TOKENS,
    W_CAPITALS,
    W_CHARS,
    W_FIRST,
    W_LETTERS,
    WORD,
    WORDS,
    Words,
    Work,
)
from filters.kernels.unicode import ascii_words
from filters.kernels.unicode.ascii_words import eight, lowest, ones
from filters.kernels.unicode.char_classes import ALPHA, DIGIT, SCRIPT, UPPER

SLOTS = 1 << 15
MIX, _ORDER = np.uint64(0x9FB21C651E98DF25), np.uint64(0xD6E8FEB86659FD93)  # odd, of XXH3 and Evensen's rrxmrrxmsx
SEED = np.uint64(0x9E3779B97F4A7C15)
_HALF, SHIFT = np.uint64(32), np.uint64(29)
_SLOT_MASK, _BUCKET_MASK = np.uint64(SLOTS - 1), np.uint64(BUCKETS - 1)
_LOW = np.uint64(0xFFFFFFFF)
_ONE, _BYTE, _BITS = np.uint64(1), np.uint64(0xFF), np.uint64(8)


@inlined_kernel
def met(seen: Array, h: Int, row: Int) -> Bool:
    """Whether the row has met this hash; now it has."""
    at = (h ^ (h >> _HALF)) & _SLOT_MASK
    value = (h & ~_LOW) | np.uint64(row)
    found = seen[at] == value
    seen[at] = value
    return found


@inlined_kernel
def _token(h: Int, row: Int, work: Work, words: Words, count: Array) -> None:
    """Counts the token of this hash, and the pair that it ends."""
    h = h * MIX
    h ^= h >> SHIFT
    hashes = work.hashes
    count[TOKENS] += 1
    seen = np.int64(met(work.seen, h, row))
    bucket, i = (h >> _HALF) & _BUCKET_MASK, row - 1
    count[TOKENS + 1] += seen
    words.number[i] += 1 - seen
    words.total[i] += np.float64(words.weights[bucket]) * np.float64(1 - seen)
    if words.listed.size > 0:  # as many as the texts have bytes, and one
        words.listed[words.ends[i]] = np.uint32(bucket)
        words.ends[i] += 1 - seen
    if hashes[0]:
        pair = (hashes[0] * _ORDER) ^ h
        count[TOKENS + 2] += 1
        count[TOKENS + 3] += met(work.seen, (pair ^ (pair >> SHIFT)) * MIX, row)
    hashes[0] = h
    hashes[LINE] = (hashes[LINE] ^ h) * MIX


@inner_kernel
def end_word(row: Int, work: Work, words: Words, count: Array) -> None:
    """Counts the word so far, if there is one."""
    word, line = work.word, work.line
    chars, letters = word[W_CHARS], word[W_LETTERS]
    if chars == 0:
        return
    line[L_WORDS] += 1
    if letters:
        count[WORDS] += 1
        count[WORDS + 2] += chars
        count[WORDS + 3] += chars >= 13
        count[WORDS + 4] += chars <= 3
        count[WORDS + 5] += chars == 1
        count[WORDS + 6] += letters < chars
        if word[W_FIRST]:
            count[WORDS + 7] += 1
            count[WORDS + 8] += word[W_CAPITALS] == letters and letters > 1
            line[L_UPPERS] += 1
        else:
            line[L_LOWERS] += 1
    else:
        count[WORDS + 1] += 1
    _token(work.hashes[WORD], row, work, words, count)
    work.hashes[WORD] = SEED
    for i in range(4):
        word[i] = 0


@inner_kernel
def _folded(point: Int) -> Int:
    """The small letter of ASCII, Latin-1, Greek and Cyrillic."""
    if 0x41 <= point <= 0x5A or (0xC0 <= point <= 0xDE and point != 0xD7) or 0x391 <= point <= 0x3A9 or 0x410 <= point <= 0x42F:
        return point + 32
    return point


@inlined_kernel
def some_letters(data: Array, p: Int, end: Int, work: Work, count: Array) -> Int:
    """Counts the letters a-z and A-Z from p on, of which there is one; returns where they end."""
    word, line = work.word, work.line
    start, capitals, h = p, np.int64(0), work.hashes[WORD]
    if word[W_LETTERS] == 0:
        word[W_FIRST] = data[np.uintp(p)] < 0x61
    while p < end:
        byte = data[np.uintp(p)]
        small = byte | np.uint8(32)
        if np.uint8(small - np.uint8(97)) >= 26:
            break
        capitals += byte < 0x61
        h = (h ^ np.uint64(small)) * MIX
        p += 1
    n = p - start
    work.hashes[WORD] = h
    word[W_CHARS] += n
    word[W_LETTERS] += n
    word[W_CAPITALS] += capitals
    line[L_CHARS] += n
    line[L_LETTERS] += n
    count[CHARS] += n
    count[LETTERS] += n
    count[LETTERS + 1] += capitals
    return p


@inlined_kernel
def plain_word(data: Array, p: Int, end: Int, cells: Array, row: Int, work: Work, words: Words, count: Array) -> Int:
    """Counts the word of letters a-z and A-Z alone that begins at p, eight bytes at a time; returns its size.

    0, and nothing is counted, where there is none, near the end of the text, and before what may go on with the word or is not
    ASCII.
    """
    size, capitals, found, h = np.int64(0), np.uint64(0), _BITS, SEED
    while found == _BITS:
        if p + size + 8 > end:
            return np.int64(0)
        text = eight(data, np.uintp(p + size))
        letter = ascii_words.letters(text)
        other = ~letter & ascii_words.HIGH
        found = lowest(other) >> np.uint64(3)
        first_letters = letter & ((other & (~other + _ONE)) - _ONE)
        capitals += ones(first_letters & (~text << np.uint64(2)))  # bit 5 of a byte, which capitals lack, is now its highest
        small = text | ascii_words.LOWER
        for _ in range(found):
            h = (h ^ (small & _BYTE)) * MIX
            small >>= _BITS
        size += np.int64(found)
    behind = data[np.uintp(p + size)]
    if size == 0 or behind >= 0x80 or behind == 0x27 or cells[behind] & (ALPHA | DIGIT):
        return np.int64(0)
    line, first = work.line, data[np.uintp(p)] < 0x61
    if line[L_CHARS] == 0:
        line[L_FIRST] = np.int64(1) + first
    line[L_LAST] = PLAIN
    line[L_CHARS] += size
    line[L_LETTERS] += size
    line[L_WORDS] += 1
    count[CHARS] += size
    count[LETTERS] += size
    count[WORDS] += 1
    count[WORDS + 2] += size
    count[WORDS + 3] += size >= 13
    count[WORDS + 4] += size <= 3
    count[WORDS + 5] += size == 1
    line[L_UPPERS] += first
    line[L_LOWERS] += not first
    if capitals:
        count[LETTERS + 1] += np.int64(capitals)
        count[WORDS + 7] += first
        count[WORDS + 8] += first and np.int64(capitals) == size and size > 1
    _token(h, row, work, words, count)
    return size


@inlined_kernel
def letter(point: Int, flags: Int, row: Int, work: Work, words: Words, count: Array) -> None:
    """Counts a letter, mark or digit."""
    word, line, hashes = work.word, work.line, work.hashes
    count[CHARS] += 1
    line[L_CHARS] += 1
    if flags & SCRIPT:
        count[LETTERS] += 1
        count[LETTERS + 2] += 1
        line[L_UNSPACED] += 1
        line[L_LETTERS] += 1
        _token((SEED ^ np.uint64(point)) * MIX, row, work, words, count)
        return
    word[W_CHARS] += 1
    if flags & DIGIT:
        count[LETTERS + 3] += 1
        hashes[WORD] = (hashes[WORD] ^ np.uint64(0x30)) * MIX  # all digits are one
        return
    capital = (flags & UPPER) != 0
    if word[W_LETTERS] == 0:
        word[W_FIRST] = capital
    word[W_LETTERS] += 1
    word[W_CAPITALS] += capital
    line[L_LETTERS] += 1
    count[LETTERS] += 1
    count[LETTERS + 1] += capital
    count[LETTERS + 4] += point >= 0x250
    hashes[WORD] = (hashes[WORD] ^ np.uint64(_folded(point))) * MIX
