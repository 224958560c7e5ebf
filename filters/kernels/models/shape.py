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

from filters.kernels.compiled import Array, Int, inlined_kernel, inner_kernel, kernel
from filters.kernels.models.shape_counts import (
    BUCKETS,
    BULLETED,
    CHARS,
    COMMAS,
    COUNTS,
    DIGITED,
    ENDED,
    KIND,
    L_BLOCK,
    L_CHARS,
    L_FIRST,
    L_KIND,
    L_LAST,
    L_LETTERS,
    L_LOWERS,
    L_SEPARATORS,
    L_SHORT,
    L_UNSPACED,
    L_UPPERS,
    L_WORDS,
    LINE,
    LINES,
    PLAIN,
    SENTENCES,
    SEPARATOR,
    SIGNS,
    W_CHARS,
    WORD,
    Shape,
    Words,
    Work,
)
from filters.kernels.models.shape_words import MIX, SEED, SHIFT, SLOTS, end_word, letter, met, plain_word, some_letters
from filters.kernels.unicode import char_classes
from filters.kernels.unicode.char_classes import ALPHA, BULLET, DIGIT, MARK, SCRIPT, SPACE, TERMINAL, UPPER, decode, lookup

_LONG, _SHORT = 12, 5


@inner_kernel
def _end_line(row: Int, third: Int, work: Work, count: Array) -> None:
    """Counts the line so far; `third`: of the text, where it ends."""
    line = work.line
    chars = line[L_CHARS]
    count[LINES + (chars == 0)] += 1
    if chars == 0:
        return
    units = line[L_WORDS] + (line[L_UNSPACED] + 1) // 2
    long_, ended = units >= _LONG, line[L_LAST] == ENDED
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
    first = line[L_FIRST]
    if first:
        count[LINES + 13 + first] += 1
    count[LINES + 18] += line[L_LETTERS] == 0
    count[LINES + 19] += line[L_UPPERS] > 1 and line[L_LOWERS] == 0
    count[LINES + 20] += line[L_SEPARATORS] > 1
    h = work.hashes[LINE]
    if met(work.seen, (h ^ (h >> SHIFT)) * MIX, row):
        count[LINES + 21] += 1
        count[LINES + 22] += chars
    kind = np.int64(1) + long_
    count[LINES + 23] += line[L_KIND] != kind
    line[L_KIND] = kind
    line[L_SHORT] = line[L_SHORT] + 1 if units <= _SHORT else 0
    line[L_BLOCK] = line[L_BLOCK] + chars if long_ else 0
    count[LINES + 24] = max(count[LINES + 24], line[L_SHORT])
    count[LINES + 25] = max(count[LINES + 25], line[L_BLOCK])
    for i in range(9):
        line[i] = 0
    work.hashes[LINE] = SEED


@inlined_kernel
def _sign(point: Int, flags: Int, before: Int, signs: Array, work: Work, count: Array) -> None:
    """Counts punctuation or a symbol, or what is neither."""
    line = work.line
    sign = np.int64(signs[np.uintp(point)]) if point < 0x10000 else np.int64(0)
    count[CHARS] += 1
    count[SENTENCES + 1] += 1
    line[L_CHARS] += 1
    if sign & KIND:
        count[COMMAS + (sign & KIND) - 1] += 1
        line[L_SEPARATORS] += sign & KIND == SEPARATOR
    if flags & TERMINAL:
        count[SENTENCES] += line[L_LAST] == PLAIN and before != 0x20
        line[L_LAST] = ENDED
    elif sign <= KIND:
        line[L_LAST] = 0
    work.hashes[LINE] = (work.hashes[LINE] ^ np.uint64(point)) * MIX


@inner_kernel
def _part(
    data: Array, p: Int, end: Int, left: Int, size: Int, row: Int, blocks: Array, cells: Array, signs: Array, work: Work,
    words: Words, count: Array,
) -> None:  # fmt: skip
    """Counts one span, `left` bytes before the end of the `size` that the row has."""
    line, hashes = work.line, work.hashes
    hashes[0] = np.uint64(0)
    hashes[WORD] = hashes[LINE] = SEED
    before, last = np.int64(0x20), end + left
    while p < end:
        point = np.int64(data[np.uintp(p)])
        if point < 0x80:
            if work.word[W_CHARS] == 0:
                size_of_word = plain_word(data, p, end, cells, row, work, words, count)
                if size_of_word:
                    p += size_of_word
                    before = np.int64(0)
                    if data[np.uintp(p)] == 0x20:
                        p += 1
                        before = np.int64(0x20)
                    continue
            width, flags = np.int64(1), np.int64(cells[np.uintp(point)])
        else:
            point, width = decode(data, p, end)
            flags = lookup(point, blocks, cells)
        inside = flags & (ALPHA | MARK | DIGIT)
        if work.word[W_CHARS] and (not inside or flags & SCRIPT) and point != 0x27 and point != 0x2019:
            end_word(row, work, words, count)
        if flags & SPACE:
            p += width
            if point == 0x0A:
                _end_line(row, 2 - min(3 * (last - p) // size, 2), work, count)
            while p < end and data[np.uintp(p)] == 0x20:
                p += 1
            before = np.int64(0x20)
            continue
        begins = line[L_CHARS] == 0
        if inside:
            if begins:
                line[L_FIRST] = DIGITED if flags & DIGIT else 2 if flags & (UPPER | SCRIPT) else 1
            line[L_LAST] = PLAIN
            if point < 0x80 and flags & ALPHA:
                p = some_letters(data, p, end, work, count)
            else:
                letter(point, flags, row, work, words, count)
                p += width
            before = np.int64(0)
            continue
        if begins:
            line[L_FIRST] = BULLETED if flags & BULLET else 0
        _sign(point, flags, before, signs, work, count)
        before = point
        p += width
    end_word(row, work, words, count)
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
    room = int((spans[:, :, 1] - spans[:, :, 0]).sum()) + 1
    found, words = _counted(data, spans, np.zeros(BUCKETS, np.float32), room=room)
    return found, words.listed[: words.ends[-1] if len(spans) else 0], words.ends


def _counted(data: np.ndarray, spans: np.ndarray, weights: np.ndarray, *, room: int) -> tuple[Shape, Words]:
    n = len(spans)
    work = Work(np.zeros(SLOTS, np.uint64), np.zeros(3, np.uint64), np.zeros(12, np.int64), np.zeros(4, np.int64))
    words = Words(weights, np.zeros(n), np.zeros(n, np.int64), np.empty(room, np.uint32), np.zeros(n, np.int64))
    counts = np.zeros((n, len(COUNTS)), np.int64)
    _walk(data, spans, *char_classes.tables(), SIGNS, work, words, counts)
    return Shape(counts, words.total, words.number), words
