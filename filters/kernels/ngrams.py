"""How much of a text its repeated word n-grams are, for n = 2 to 10: every measure that a published rule set asks for.

Invariant: row i equals `measures` of tests/filters/test_ngrams.py, plain Python over the list of words; two words are one where
their 64-bit hashes are equal. An n-gram is a run of n words; its length is that of its words without what stands between them.

One n-gram length at a time, on the positions whose (n - 1)-gram and the next one were repeated: no other n-gram can be. A bit
table drops most n-grams that occur once (a bit set by one of them and by no other), a hash table counts the rest. An n-gram is
known by the numbers of its two (n - 1)-grams, so that equal keys are equal n-grams.

Hostile input: a probe that finds no place after MAX_PROBES ends the row with PROBES, and `_by_sorting` (numpy) measures it
instead. A row above LARGE, and one with more than a word in two bytes (signs), is measured by `ngrams_large` in bounded memory.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from filters.kernels import char_classes, ngrams_large, spacy_rules, tokens
from filters.kernels.ascii_words import soon
from filters.kernels.compiled import kernel
from filters.kernels.ngrams_large import words_of
from filters.kernels.words import SPARE

SPLIT = ngrams_large.SPLIT
"""The words are `text.split()`."""
TOP = (2, 3, 4)
"""Lengths whose most frequent n-gram is measured (Rae et al. 2021, table A1)."""
REPEATED = (5, 6, 7, 8, 9, 10)
"""Lengths of which all repeated n-grams are."""
MAX_PROBES = 64
"""At most half of the places are taken: chance makes a run of 64 once in billions of tables."""
LARGE = 1_000_000
"""Bytes from which a row is measured by `ngrams_large`."""
DONE, PROBES, WORDS = 0, 1, 2
"""How a row ended: measured; too many probes; a long row, or more words than there is room for."""

_AHEAD = 16  # entries between asking for a place of the table and reading it
_ONE, _NONE = np.uint64(1), np.uint64(0)
_HALF = np.uint64(32)
_LOW = np.uint64(0xFFFFFFFF)
_ORDER = np.uint64(0xD6E8FEB86659FD93)
"""Odd, from Evensen's rrxmrrxmsx: makes a pair of words differ from the same two the other way round."""


@dataclass(frozen=True)
class Repetition:
    """One int64 array per measure: `[n]`, or `[n, 3]` by TOP, or `[n, 6]` by REPEATED."""

    words: np.ndarray
    """Number of words."""
    chars: np.ndarray
    """Code points of all words."""
    top_count: np.ndarray
    """How often the most frequent n-gram occurs (overlapping itself too); 0 where there are fewer than n words."""
    top_longest: np.ndarray
    """Length of the longest n-gram that occurs so often."""
    top_first: np.ndarray
    """Length of the one that occurs first: what `Counter.most_common(1)` gives."""
    covered: np.ndarray
    """Code points of the words that lie in any n-gram that occurs more than once, each word once."""
    repeated: np.ndarray
    """Sum of the lengths of all occurrences of n-grams that occur more than once."""
    total: np.ndarray
    """Sum of the lengths of all n-grams."""
    scanned: np.ndarray
    """Sum of the lengths found by a scan from left to right that, at an n-gram it has met before, adds it and goes on after its
    end, and else remembers it and goes on at the next word."""


_COLUMNS = 2 + 3 * len(TOP) + 4 * len(REPEATED)


def repetition(
    offsets: np.ndarray, data: np.ndarray, *, kind: int, scan: bool = True, max_probes: int = MAX_PROBES
) -> Repetition:
    """Measures of each row over the words `text.split()` (SPLIT) or the tokens of a dialect (`tokens.DATATROVE`,
    `tokens.DCLM`). Without `scan` a row above LARGE has no `scanned`, which saves it a pass for each length."""
    out = np.zeros((len(offsets) - 1, _COLUMNS), np.int64)
    sizes = np.diff(offsets)
    scratch = _scratch(int(sizes[sizes <= LARGE].max(initial=0)))
    tables = _tables(kind)
    row = 0
    while row < len(sizes):
        row, status = _rows(offsets, data, row, LARGE, kind, *tables, *scratch, max_probes, out)
        if status != DONE:
            start, end = int(offsets[row]), int(offsets[row + 1])
            found = None
            if status == WORDS:
                found = ngrams_large.measured(data[start:end], kind=kind, tables=tables, scan=scan, max_probes=8 * max_probes)
            out[row] = _by_sorting(*ngrams_large.all_words(data[start:end], kind, tables)) if found is None else found
            row += 1
    return _named(out)


def _tables(kind: int) -> tuple[np.ndarray, np.ndarray]:
    """What the words of a kind are cut by."""
    if kind == SPLIT:
        return char_classes.tables()
    return spacy_rules.tables() if kind == tokens.DATATROVE else tokens.tables()


def _scratch(size: int) -> tuple[np.ndarray, ...]:
    """Arrays that `_rows` works in, for rows of up to `size` bytes; pages that stay unwritten cost no memory."""
    words = size // 2 + 1
    return (
        np.empty(words + SPARE, np.uint64),
        np.empty(words + SPARE + 1, np.int32),
        np.empty((2, _power(4 * words) // 64), np.uint64),
        np.empty((_power(2 * words), 2), np.uint64),
    )


def _power(n: int) -> int:
    """The smallest power of two that is 64 or more and not less than n."""
    return 1 << max(6, (n - 1).bit_length())


def _named(out: np.ndarray) -> Repetition:
    columns, at = [out[:, 0], out[:, 1]], 2
    for width in (len(TOP),) * 3 + (len(REPEATED),) * 4:
        columns.append(out[:, at : at + width])
        at += width
    return Repetition(*columns)


@kernel
def _rows(offsets, data, row, limit, kind, blocks, cells, grams, ends, bits, table, max_probes, out):
    """`(row, status)`: measures rows from `row` on; stops before one of more than `limit` bytes, or that the scratch does not
    hold."""
    for i in range(row, offsets.size - 1):
        p, end = offsets[i], offsets[i + 1]
        if end - p > limit:
            return i, WORDS
        m, p = words_of(kind, data, p, end, blocks, cells, grams, ends)
        if p < end:
            return i, WORDS
        out[i] = 0
        out[i, 0], out[i, 1] = m, ends[m]
        entries = m
        for n in range(2, min(m, 10) + 1):
            entries = _level(n, entries, grams, bits, table, max_probes)
            if entries < 0:
                return i, PROBES
            _measure(n, entries, m, grams, ends, table, out[i])
    return offsets.size - 1, DONE


@kernel
def _level(n, entries, grams, bits, table, max_probes):
    """Turns `grams[:entries]`, the repeated (n - 1)-grams, into the n-grams that occur more than once; returns how many there
    are, or -1 where the table fails.

    An entry is a place in the text << 32 | the number of the n-gram there; for n = 2 it is the hash of a word. A place of the
    table is a key and the first place where the n-gram occurs << 32 | how often it does.
    """
    width = np.int64(64)
    while width < 4 * entries:
        width *= 2
    filter_ = np.uint64(width - 1)
    for k in range(width // 64):
        bits[0, np.uintp(k)] = _NONE
        bits[1, np.uintp(k)] = _NONE
    some = False
    for j in range(entries - 1):
        follows, _, mixed = _key(n, j, grams)
        if follows:
            word, bit = np.uintp((mixed & filter_) >> np.uint64(6)), _ONE << (mixed & np.uint64(63))
            again = bits[0, word] & bit
            bits[0, word] |= bit
            bits[1, word] |= again
            some |= again != _NONE
    if not some:
        return np.int64(0)
    return _count(n, entries, grams, filter_, bits, table, max_probes)


@kernel
def _key(n, j, grams):
    """`(follows, key, mixed)` of the n-gram at entries j and j + 1; `follows` says that they stand side by side."""
    a, b = grams[np.uintp(j)], grams[np.uintp(j + 1)]
    if n == 2:
        key = (a * _ORDER) ^ b
        return True, key, key ^ (key >> _HALF)
    key = (a << _HALF) | (b & _LOW)
    mixed = key * _ORDER
    mixed = (mixed ^ (mixed >> _HALF)) * _ORDER
    return (a >> _HALF) + _ONE == b >> _HALF, key, mixed ^ (mixed >> _HALF)


@kernel
def _count(n, entries, grams, filter_, bits, table, max_probes):
    """The second half of `_level`: counts the n-grams that the bit table left."""
    size = np.int64(64)
    while size < 2 * entries:
        size *= 2
    for k in range(size):
        table[np.uintp(k), np.uintp(1)] = _NONE
    kept = np.int64(0)
    for j in range(entries - 1):
        if j + _AHEAD < entries - 1:
            _, _, mixed = _key(n, j + _AHEAD, grams)
            soon(table, np.int64((mixed >> np.uint64(20)) & np.uint64(size - 1)) * 16)
        follows, key, mixed = _key(n, j, grams)
        if not follows or not bits[1, np.uintp((mixed & filter_) >> np.uint64(6))] & (_ONE << (mixed & np.uint64(63))):
            continue
        place = np.uint64(j) if n == 2 else grams[np.uintp(j)] >> _HALF
        home = (mixed >> np.uint64(20)) & np.uint64(size - 1)
        probes = np.int64(0)
        while probes < max_probes and table[np.uintp(home), np.uintp(1)] and table[np.uintp(home), np.uintp(0)] != key:
            home = (home + _ONE) & np.uint64(size - 1)
            probes += 1
        if probes >= max_probes:
            return np.int64(-1)
        if table[np.uintp(home), np.uintp(1)] == _NONE:
            table[np.uintp(home), np.uintp(0)] = key
            table[np.uintp(home), np.uintp(1)] = place << _HALF
        table[np.uintp(home), np.uintp(1)] += _ONE
        # An entry is written no later than where it was read; the next one still needs the entry after j.
        grams[np.uintp(kept)] = (place << _HALF) | home
        kept += 1
    left = np.int64(0)
    for j in range(kept):
        entry = grams[np.uintp(j)]
        if table[np.uintp(entry & _LOW), np.uintp(1)] & _LOW > _ONE:
            grams[np.uintp(left)] = entry
            left += 1
    return left


@kernel
def _measure(n, entries, m, grams, ends, table, out):
    """Fills the columns of the n-grams of n words from the repeated ones."""
    if n <= 4:
        count, longest, first, where = np.int64(1), np.int64(0), np.int64(0), np.int64(m)
        for j in range(entries):
            info = table[np.uintp(grams[np.uintp(j)] & _LOW), np.uintp(1)]
            found, place = np.int64(info & _LOW), np.int64(info >> _HALF)
            if found < count:
                continue
            size = np.int64(ends[np.uintp(place + n)]) - np.int64(ends[np.uintp(place)])
            if found > count:
                count, longest, where = found, np.int64(0), np.int64(m)
            longest = max(longest, size)
            if place < where:
                where, first = place, size
        if count == 1:
            first = np.int64(ends[n])
            for j in range(m - n + 1):
                longest = max(longest, np.int64(ends[np.uintp(j + n)]) - np.int64(ends[np.uintp(j)]))
        out[n], out[n + 3], out[n + 6] = count, longest, first
        return
    covered = repeated = scanned = total = reach = after = np.int64(0)
    for j in range(entries):
        entry = grams[np.uintp(j)]
        place, slot = np.int64(entry >> _HALF), np.uintp(entry & _LOW)
        begin, end = np.int64(ends[np.uintp(place)]), np.int64(ends[np.uintp(place + n)])
        repeated += end - begin
        covered += end - max(begin, reach)
        reach = end
        if place >= after:
            if table[slot, np.uintp(1)] == _NONE:
                scanned += end - begin
                after = place + n
            else:
                table[slot, np.uintp(1)] = _NONE
    for k in range(n):
        total += np.int64(ends[np.uintp(m - k)]) - np.int64(ends[np.uintp(k)])
    at = 6 + n
    out[at], out[at + 6], out[at + 12], out[at + 18] = covered, repeated, total, scanned


def _by_sorting(hashes: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """The same measures of one row by sorting the n-grams of each length: `_COLUMNS` numbers."""
    m = len(hashes)
    out = np.zeros(_COLUMNS, np.int64)
    out[0], out[1] = m, ends[m]
    _, numbers = np.unique(hashes, return_inverse=True)
    words = numbers
    for n in range(2, min(m, 10) + 1):
        pairs = numbers[:-1].astype(np.int64) << 32 | words[n - 1 :]
        _, firsts, numbers, counts = np.unique(pairs, return_index=True, return_inverse=True, return_counts=True)
        sizes = ends[n:] - ends[:-n]
        if n <= 4:
            most = firsts[counts == counts.max()]
            out[[n, n + 3, n + 6]] = counts.max(), sizes[most].max(), sizes[most.min()]
            continue
        again = counts[numbers] > 1
        inside = np.zeros(m + 1, np.int64)
        np.add.at(inside, np.flatnonzero(again), 1)
        np.add.at(inside, np.flatnonzero(again) + n, -1)
        at = 6 + n
        out[at] = np.diff(ends)[np.cumsum(inside)[:-1] > 0].sum()
        out[at + 6], out[at + 12] = sizes[again].sum(), sizes.sum()
        out[at + 18] = _scan(numbers, again, sizes, n)
    return out


def _scan(numbers: np.ndarray, again: np.ndarray, sizes: np.ndarray, n: int) -> int:
    """`Repetition.scanned` from the numbers of the n-grams."""
    met = np.zeros(len(numbers), np.bool_)
    found = after = 0
    for place in np.flatnonzero(again).tolist():
        if place >= after:
            if met[numbers[place]]:
                found, after = found + int(sizes[place]), place + n
            met[numbers[place]] = True
    return found
