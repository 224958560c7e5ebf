"""How a text is laid out and worded, counted in one walk: lines, words, signs, repetition, and the weights of its words.

Invariant: the counts of row i depend on the bytes of its spans alone, not on its neighbours or the batch. A *word* is a run of
letters, marks and digits, in which an apostrophe is passed over; in scripts without spaces each character is one. A *unit*
measures lines alike in all scripts: a word, or two characters of such a script. A line ends at a line feed or with its span.
Source: ours; tests/filters/kernels/models/plain_shape.py is the same in plain Python.

What was met before is looked up in a table in which a later hash takes the place of an earlier one: a repetition far apart in a
long text may be missed, always in the same way, and no text makes a lookup slow.
"""

from __future__ import annotations

import numpy as np

from filters.kernels.compiled import Array, Bool, Int, inner_kernel, kernel
from filters.kernels.models.shape_counts import (
    BULLETED,
    CHARS,
    COMMAS,
    COUNTS,
    DIGITED,
    KIND,
    LETTERS,
    LINES,
    SENTENCES,
    SEPARATOR,
    SIGNS,
    TOKENS,
    WORDS,
    Shape,
    Words,
    Work,
)
from filters.kernels.unicode import char_classes
from filters.kernels.unicode.char_classes import ALPHA, BULLET, DIGIT, MARK, SCRIPT, SPACE, TERMINAL, UPPER, decode, lookup

BUCKETS = 1 << 16
"""Of words by their hash. Chosen by cross-validation: four times as many, and pairs of words beside them, rank no better."""
_SLOTS = 1 << 15
_MIX, _ORDER = np.uint64(0x9FB21C651E98DF25), np.uint64(0xD6E8FEB86659FD93)  # odd, of XXH3 and Evensen's rrxmrrxmsx
_SEED = np.uint64(0x9E3779B97F4A7C15)
_HALF, _SHIFT = np.uint64(32), np.uint64(29)
_SLOT_MASK, _BUCKET_MASK = np.uint64(_SLOTS - 1), np.uint64(BUCKETS - 1)
_LOW = np.uint64(0xFFFFFFFF)
_LONG, _SHORT = 12, 5


(_L_CHARS, _L_WORDS, _L_UNSPACED, _L_LETTERS, _L_FIRST, _L_LAST, _L_SEPARATORS, _L_UPPERS, _L_LOWERS) = range(9)
(_L_SHORT, _L_BLOCK, _L_KIND) = range(9, 12)  # these three outlive their line
(_W_CHARS, _W_LETTERS, _W_CAPITALS, _W_FIRST) = range(4)
_WORD, _LINE = 1, 2
_PLAIN, _ENDED = 1, 2


@inner_kernel
def _met(seen: Array, h: Int, row: Int) -> Bool:
    """Whether the row has met this hash; now it has."""
    at = (h ^ (h >> _HALF)) & _SLOT_MASK
    value = (h & ~_LOW) | np.uint64(row)
    if seen[at] == value:
        return True
    seen[at] = value
    return False


@inner_kernel
def _token(h: Int, row: Int, work: Work, words: Words, count: Array) -> None:
    """Counts the token of this hash, and the pair that it ends."""
    h = h * _MIX
    h ^= h >> _SHIFT
    hashes = work.hashes
    count[TOKENS] += 1
    if _met(work.seen, h, row):
        count[TOKENS + 1] += 1
    else:
        bucket, i = (h >> _HALF) & _BUCKET_MASK, row - 1
        words.total[i] += words.weights[bucket]
        words.number[i] += 1
        if words.ends[i] < words.listed.size:
            words.listed[words.ends[i]] = np.uint32(bucket)
            words.ends[i] += 1
    if hashes[0]:
        pair = (hashes[0] * _ORDER) ^ h
        count[TOKENS + 2] += 1
        count[TOKENS + 3] += _met(work.seen, (pair ^ (pair >> _SHIFT)) * _MIX, row)
    hashes[0] = h
    hashes[_LINE] = (hashes[_LINE] ^ h) * _MIX


@inner_kernel
def _end_word(row: Int, work: Work, words: Words, count: Array) -> None:
    """Counts the word so far, if there is one."""
    word, line = work.word, work.line
    chars, letters = word[_W_CHARS], word[_W_LETTERS]
    if chars == 0:
        return
    line[_L_WORDS] += 1
    if letters:
        count[WORDS] += 1
        count[WORDS + 2] += chars
        count[WORDS + 3] += chars >= 13
        count[WORDS + 4] += chars <= 3
        count[WORDS + 5] += chars == 1
        count[WORDS + 6] += letters < chars
        if word[_W_FIRST]:
            count[WORDS + 7] += 1
            count[WORDS + 8] += word[_W_CAPITALS] == letters and letters > 1
            line[_L_UPPERS] += 1
        else:
            line[_L_LOWERS] += 1
    else:
        count[WORDS + 1] += 1
    _token(work.hashes[_WORD], row, work, words, count)
    work.hashes[_WORD] = _SEED
    for i in range(4):
        word[i] = 0


@inner_kernel
def _end_line(row: Int, third: Int, work: Work, count: Array) -> None:
    """Counts the line so far; `third`: of the text, where it ends."""
    line = work.line
    chars = line[_L_CHARS]
    count[LINES + (chars == 0)] += 1
    if chars == 0:
        return
    units = line[_L_WORDS] + (line[_L_UNSPACED] + 1) // 2
    long_, ended = units >= _LONG, line[_L_LAST] == _ENDED
    if units <= _SHORT:
        count[LINES + 2] += 1
        count[LINES + 3] += chars
    if not long_:
        count[LINES + 4] += 1
        count[LINES + 5] += chars
    if units < 30:
        count[LINES + 6] += 1
        count[LINES + 7] += chars
    count[LINES + 8] += ended
    if ended and long_:
        count[LINES + 9] += 1
        count[LINES + 10 + third] += chars
    count[LINES + 13] += ended and units <= _SHORT
    first = line[_L_FIRST]
    if first:
        count[LINES + 13 + first] += 1
    count[LINES + 18] += line[_L_LETTERS] == 0
    count[LINES + 19] += line[_L_UPPERS] > 1 and line[_L_LOWERS] == 0
    count[LINES + 20] += line[_L_SEPARATORS] > 1
    h = work.hashes[_LINE]
    if _met(work.seen, (h ^ (h >> _SHIFT)) * _MIX, row):
        count[LINES + 21] += 1
        count[LINES + 22] += chars
    kind = np.int64(1) + long_
    count[LINES + 23] += line[_L_KIND] != kind
    line[_L_KIND] = kind
    line[_L_SHORT] = line[_L_SHORT] + 1 if units <= _SHORT else 0
    line[_L_BLOCK] = line[_L_BLOCK] + chars if long_ else 0
    count[LINES + 24] = max(count[LINES + 24], line[_L_SHORT])
    count[LINES + 25] = max(count[LINES + 25], line[_L_BLOCK])
    for i in range(9):
        line[i] = 0
    work.hashes[_LINE] = _SEED


@inner_kernel
def _folded(point: Int) -> Int:
    """The small letter of ASCII, Latin-1, Greek and Cyrillic."""
    if 0x41 <= point <= 0x5A or (0xC0 <= point <= 0xDE and point != 0xD7) or 0x391 <= point <= 0x3A9 or 0x410 <= point <= 0x42F:
        return point + 32
    return point


@inner_kernel
def _ascii_letters(data: Array, p: Int, end: Int, work: Work, count: Array) -> Int:
    """Counts the letters a-z and A-Z from p on, of which there is one; returns where they end."""
    word, line = work.word, work.line
    start, capitals, h = p, np.int64(0), work.hashes[_WORD]
    if word[_W_LETTERS] == 0:
        word[_W_FIRST] = data[np.uintp(p)] < 0x61
    while p < end:
        byte = data[np.uintp(p)]
        small = byte | np.uint8(32)
        if np.uint8(small - np.uint8(97)) >= 26:
            break
        capitals += byte < 0x61
        h = (h ^ np.uint64(small)) * _MIX
        p += 1
    n = p - start
    work.hashes[_WORD] = h
    word[_W_CHARS] += n
    word[_W_LETTERS] += n
    word[_W_CAPITALS] += capitals
    line[_L_CHARS] += n
    line[_L_LETTERS] += n
    count[CHARS] += n
    count[LETTERS] += n
    count[LETTERS + 1] += capitals
    return p


@inner_kernel
def _letter(point: Int, flags: Int, row: Int, work: Work, words: Words, count: Array) -> None:
    """Counts a letter, mark or digit."""
    word, line, hashes = work.word, work.line, work.hashes
    count[CHARS] += 1
    line[_L_CHARS] += 1
    if flags & SCRIPT:
        _end_word(row, work, words, count)
        count[LETTERS] += 1
        count[LETTERS + 2] += 1
        line[_L_UNSPACED] += 1
        line[_L_LETTERS] += 1
        _token((_SEED ^ np.uint64(point)) * _MIX, row, work, words, count)
        return
    word[_W_CHARS] += 1
    if flags & DIGIT:
        count[LETTERS + 3] += 1
        hashes[_WORD] = (hashes[_WORD] ^ np.uint64(0x30)) * _MIX  # all digits are one
        return
    capital = (flags & UPPER) != 0
    if word[_W_LETTERS] == 0:
        word[_W_FIRST] = capital
    word[_W_LETTERS] += 1
    word[_W_CAPITALS] += capital
    line[_L_LETTERS] += 1
    count[LETTERS] += 1
    count[LETTERS + 1] += capital
    count[LETTERS + 4] += point >= 0x250
    hashes[_WORD] = (hashes[_WORD] ^ np.uint64(_folded(point))) * _MIX


@inner_kernel
def _sign(point: Int, flags: Int, before: Int, signs: Array, work: Work, count: Array) -> None:
    """Counts punctuation or a symbol, or what is neither."""
    line = work.line
    sign = np.int64(signs[np.uintp(point)]) if point < 0x10000 else np.int64(0)
    count[CHARS] += 1
    count[SENTENCES + 1] += 1
    line[_L_CHARS] += 1
    if sign & KIND:
        count[COMMAS + (sign & KIND) - 1] += 1
        line[_L_SEPARATORS] += sign & KIND == SEPARATOR
    if flags & TERMINAL:
        count[SENTENCES] += line[_L_LAST] == _PLAIN and before != 0x20
        line[_L_LAST] = _ENDED
    elif sign <= KIND:
        line[_L_LAST] = 0
    work.hashes[_LINE] = (work.hashes[_LINE] ^ np.uint64(point)) * _MIX


@inner_kernel
def _part(
    data: Array, p: Int, end: Int, left: Int, size: Int, row: Int, blocks: Array, cells: Array, signs: Array, work: Work,
    words: Words, count: Array,
) -> None:  # fmt: skip
    """Counts one span, `left` bytes before the end of the `size` that the row has."""
    line, hashes = work.line, work.hashes
    hashes[0] = np.uint64(0)
    hashes[_WORD] = hashes[_LINE] = _SEED
    before, last = np.int64(0x20), end + left
    while p < end:
        point = np.int64(data[np.uintp(p)])
        if point < 0x80:
            width, flags = np.int64(1), np.int64(cells[np.uintp(point)])
        else:
            point, width = decode(data, p, end)
            flags = lookup(point, blocks, cells)
        if flags & SPACE:
            _end_word(row, work, words, count)
            p += width
            if point == 0x0A:
                _end_line(row, 2 - min(3 * (last - p) // size, 2), work, count)
            before = np.int64(0x20)
            continue
        begins = line[_L_CHARS] == 0
        if flags & (ALPHA | MARK | DIGIT):
            if begins:
                line[_L_FIRST] = DIGITED if flags & DIGIT else 2 if flags & (UPPER | SCRIPT) else 1
            line[_L_LAST] = _PLAIN
            if point < 0x80 and flags & ALPHA:
                p = _ascii_letters(data, p, end, work, count)
            else:
                _letter(point, flags, row, work, words, count)
                p += width
            before = np.int64(0)
            continue
        if point != 0x27 and point != 0x2019:
            _end_word(row, work, words, count)
        if begins:
            line[_L_FIRST] = BULLETED if flags & BULLET else 0
        _sign(point, flags, before, signs, work, count)
        before = point
        p += width
    _end_word(row, work, words, count)
    _end_line(row, 2 - min(3 * left // size, 2), work, count)


@kernel
def _walk(data: Array, spans: Array, blocks: Array, cells: Array, signs: Array, work: Work, words: Words, counts: Array) -> None:
    for i in range(spans.shape[0]):
        size = np.int64(0)
        for part in range(spans.shape[1]):
            size += spans[i, part, 1] - spans[i, part, 0]
        for k in range(12):
            work.line[k] = 0
        words.ends[i] = words.ends[i - 1] if i else 0
        left = size
        for part in range(spans.shape[1]):
            p, end = spans[i, part, 0], spans[i, part, 1]
            left -= end - p
            if end > p:
                _part(data, p, end, left, size, i + 1, blocks, cells, signs, work, words, counts[i])


def shape(data: np.ndarray, spans: np.ndarray, *, weights: np.ndarray) -> Shape:
    """Text i is the UTF-8 `data[a:b]` for each (a, b) of `spans[i]` (int64[n, parts, 2]); `weights` float32[BUCKETS]."""
    return _counted(data, spans, weights, room=0)[0]


def listed(data: np.ndarray, spans: np.ndarray) -> tuple[Shape, np.ndarray, np.ndarray]:
    """`(shape, buckets uint32[m], ends int64[n])`, for training: the buckets of row i end at `ends[i]`, where the next row's
    begin."""
    room = int((spans[:, :, 1] - spans[:, :, 0]).sum())
    found, words = _counted(data, spans, np.zeros(BUCKETS, np.float32), room=room)
    return found, words.listed[: words.ends[-1] if len(spans) else 0], words.ends


def _counted(data: np.ndarray, spans: np.ndarray, weights: np.ndarray, *, room: int) -> tuple[Shape, Words]:
    n = len(spans)
    work = Work(np.zeros(_SLOTS, np.uint64), np.zeros(3, np.uint64), np.zeros(12, np.int64), np.zeros(4, np.int64))
    words = Words(weights, np.zeros(n), np.zeros(n, np.int64), np.empty(room, np.uint32), np.zeros(n, np.int64))
    counts = np.zeros((n, len(COUNTS)), np.int64)
    _walk(data, spans, *char_classes.tables(), SIGNS, work, words, counts)
    return Shape(counts, words.total, words.number), words
