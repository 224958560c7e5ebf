"""How much of a text its repeated word n-grams are, for n = 2 to 10: every measure that a published rule set asks for.

Invariant: row i equals `measures` of tests/filters/kernels/ngrams/test_ngrams.py, plain Python over the list of words; two words
are one where their 64-bit hashes are equal. An n-gram is a run of n words; its length is that of its words without what stands
between them.

One n-gram length at a time, on the positions whose (n - 1)-gram and the next one were repeated: no other n-gram can be. Equal
n-grams have one number, given in order of first occurrence, so that what is kept by number is read in the order of the text. An
n-gram is known by the numbers of its two (n - 1)-grams, so that equal keys are equal n-grams. Most often an (n - 1)-gram is
followed by the same one each time: only where it is not does a hash table have to be asked.

Hostile input: a probe that finds no place after MAX_PROBES ends the row with PROBES, and `by_sorting` (numpy) measures it
instead. A row above LARGE, and one with more than a word in two bytes (signs), is measured by `ngrams_large` in bounded memory.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from filters.kernels.compiled import Array, Int, inner_kernel, kernel
from filters.kernels.ngrams import ngram_passes, ngrams_large
from filters.kernels.ngrams.ngram_passes import dialect_of, words_of
from filters.kernels.ngrams.ngrams_sorted import by_sorting
from filters.kernels.unicode import char_classes
from filters.kernels.words import spacy_rules, tokens
from filters.kernels.words.words import SPARE

SPLIT = ngram_passes.SPLIT
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

_ONE, _NONE = np.uint64(1), np.uint64(0)
_HALF = np.uint64(32)
_LOW = np.uint64(0xFFFFFFFF)
_UNKNOWN = np.uint64(0xFFFFFFFFFFFFFFFF)
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
    tables, dialect = _tables(kind), dialect_of(kind)
    row = 0
    while row < len(sizes):
        row, status = _rows(offsets, data, row, LARGE, dialect, tables, scratch, max_probes, out)
        if status != DONE:
            start, end = int(offsets[row]), int(offsets[row + 1])
            found = None
            if status == WORDS:
                found = ngrams_large.measured(data[start:end], kind=kind, tables=tables, scan=scan, max_probes=8 * max_probes)
            out[row] = by_sorting(_COLUMNS, *ngrams_large.all_words(data[start:end], kind, tables)) if found is None else found
            row += 1
    return _named(out)


def warm_large(kind: int) -> None:
    """Compiles or loads what rows above LARGE are measured by."""
    ngrams_large.warm(np.frombuffer(b"a b a b", np.uint8), kind, _tables(kind))


def _tables(kind: int) -> tuple[np.ndarray, np.ndarray]:
    """What the words of a kind are cut by."""
    if kind == SPLIT:
        return char_classes.tables()
    return spacy_rules.tables() if kind == tokens.DATATROVE else tokens.tables()


class Scratch(NamedTuple):
    """Arrays that `_rows` works in; pages that stay unwritten cost no memory."""

    hashes: np.ndarray  # uint64: of words; then, for each n-gram, what came after it
    ends: np.ndarray  # int32: code points of the words up to and with each one
    grams: np.ndarray  # uint64: the n-grams that occur more than once, in order: place in the text << 32 | number
    found: np.ndarray  # uint64, by number: first place << 32 | how often it occurs
    keys: np.ndarray  # uint64, by number
    slots: np.ndarray  # int32: a hash table of numbers, 1 more than they are


def _scratch(size: int) -> Scratch:
    """For rows of up to `size` bytes."""
    words = size // 2 + 1 + SPARE
    hashes, grams, found, keys = (np.empty(words, np.uint64) for _ in range(4))
    return Scratch(hashes, np.empty(words + 1, np.int32), grams, found, keys, np.empty(_power(2 * words), np.int32))


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
def _rows(
    offsets: Array, data: Array, row: Int, limit: Int, dialect: Any, tables: Any, work: Scratch, max_probes: Int, out: Array
) -> tuple[Int, Int]:
    """`(row, status)`: measures rows from `row` on; stops before one of more than `limit` bytes, or that the scratch does not
    hold."""
    (blocks, cells), (hashes, ends, grams, found, keys, slots) = tables, work
    for i in range(row, offsets.size - 1):
        p, end = offsets[i], offsets[i + 1]
        if end - p > limit:
            return i, WORDS
        m, p = words_of(dialect, data, p, end, blocks, cells, hashes, ends)
        if p < end:
            return i, WORDS
        out[i] = 0
        out[i, 0], out[i, 1] = m, ends[m]
        entries, numbers = np.int64(0), np.int64(0)
        for n in range(2, min(m, 10) + 1):
            if n == 2:
                entries, numbers = _pairs(m, hashes, grams, found, keys, slots, max_probes)
            elif entries:
                entries, numbers = _longer(entries, numbers, grams, found, hashes, keys, slots, max_probes)
            if entries < 0:
                return i, PROBES
            if n <= 4:
                _top(n, entries, numbers, m, found, ends, out[i])
            else:
                _repeated(n, entries, m, grams, found, ends, out[i])
    return offsets.size - 1, DONE


@inner_kernel
def _pairs(m: Int, hashes: Array, grams: Array, found: Array, keys: Array, slots: Array, max_probes: Int) -> tuple[Int, Int]:
    """`(entries, numbers)`: fills `grams` with the 2-grams that occur more than once, and `found` by number; -1 entries where
    the table fails."""
    mask = _emptied(slots, m)
    numbers = np.int64(0)
    for j in range(m - 1):
        key = (hashes[np.uintp(j)] * _ORDER) ^ hashes[np.uintp(j + 1)]
        number = _number(key, key ^ (key >> _HALF), mask, numbers, keys, slots, max_probes)
        if number < 0:
            return np.int64(-1), numbers
        if number == numbers:
            found[np.uintp(number)] = np.uint64(j) << _HALF
            numbers += 1
        found[np.uintp(number)] += _ONE
        grams[np.uintp(j)] = (np.uint64(j) << _HALF) | np.uint64(number)
    return _those_repeated(m - 1, grams, found), numbers


@inner_kernel
def _longer(
    entries: Int, before: Int, grams: Array, found: Array, follower: Array, keys: Array, slots: Array, max_probes: Int
) -> tuple[Int, Int]:
    """As `_pairs`: turns `grams[:entries]` and its `before` numbers from (n - 1)-grams into n-grams.

    `follower[number]`: the (n - 1)-gram that first came after that one << 32 | the number of the n-gram of both.
    """
    for k in range(before):
        follower[np.uintp(k)] = _UNKNOWN
    mask = _NONE
    numbers = kept = np.int64(0)
    following = grams[0]
    for j in range(entries - 1):
        entry, following = following, grams[np.uintp(j + 1)]
        if (entry >> _HALF) + _ONE != following >> _HALF:
            continue
        a, b = entry & _LOW, following & _LOW
        first = follower[np.uintp(a)]
        number = np.int64(first & _LOW)
        if first == _UNKNOWN:
            number = numbers
            follower[np.uintp(a)] = (b << _HALF) | np.uint64(number)
        elif first >> _HALF != b:
            if mask == _NONE:
                mask = _emptied(slots, entries)
            key = (a << _HALF) | b
            mixed = key * _ORDER
            number = _number(key, mixed ^ (mixed >> _HALF), mask, numbers, keys, slots, max_probes)
            if number < 0:
                return np.int64(-1), numbers
        if number == numbers:
            found[np.uintp(number)] = (entry >> _HALF) << _HALF
            numbers += 1
        found[np.uintp(number)] += _ONE
        # An entry is written no later than where it was read; the next one is in `following`.
        grams[np.uintp(kept)] = ((entry >> _HALF) << _HALF) | np.uint64(number)
        kept += 1
    return _those_repeated(kept, grams, found), numbers


@inner_kernel
def _emptied(slots: Array, entries: Int) -> Int:
    """Empties as much of the table as so many entries need; returns the mask of its places."""
    size = np.int64(64)
    while size < 2 * entries:
        size *= 2
    for k in range(size):
        slots[np.uintp(k)] = 0
    return np.uint64(size - 1)


@inner_kernel
def _number(key: Int, home: Int, mask: Int, numbers: Int, keys: Array, slots: Array, max_probes: Int) -> Int:
    """The number of a key; `numbers`, the next one, if it is new; -1 after too many probes."""
    home &= mask
    for _ in range(max_probes):
        slot = np.int64(slots[np.uintp(home)])
        if slot == 0:
            slots[np.uintp(home)] = numbers + 1
            keys[np.uintp(numbers)] = key
            return numbers
        if keys[np.uintp(slot - 1)] == key:
            return slot - 1
        home = (home + _ONE) & mask
    return np.int64(-1)


@inner_kernel
def _those_repeated(entries: Int, grams: Array, found: Array) -> Int:
    """Leaves in `grams` what occurs more than once; returns how many. Each is written: whether it stays is hard to foresee."""
    left = np.int64(0)
    for j in range(entries):
        entry = grams[np.uintp(j)]
        grams[np.uintp(left)] = entry
        left += np.int64(found[np.uintp(entry & _LOW)] & _LOW > _ONE)
    return left


@inner_kernel
def _top(n: Int, entries: Int, numbers: Int, m: Int, found: Array, ends: Array, out: Array) -> None:
    """Fills the columns of the most frequent n-gram."""
    count, longest, first = np.int64(1), np.int64(0), np.int64(0)
    if entries:
        most = _NONE
        for k in range(numbers):
            most = max(most, found[np.uintp(k)] & _LOW)
        count = np.int64(most)
        for k in range(numbers):
            if found[np.uintp(k)] & _LOW == most:
                place = np.int64(found[np.uintp(k)] >> _HALF)
                size = np.int64(ends[np.uintp(place + n)]) - np.int64(ends[np.uintp(place)])
                # Numbers are in order of first occurrence.
                first = size if longest == 0 else first
                longest = max(longest, size)
    else:
        first = np.int64(ends[n])
        for j in range(m - n + 1):
            longest = max(longest, np.int64(ends[np.uintp(j + n)]) - np.int64(ends[np.uintp(j)]))
    out[n], out[n + 3], out[n + 6] = count, longest, first


@inner_kernel
def _repeated(n: Int, entries: Int, m: Int, grams: Array, found: Array, ends: Array, out: Array) -> None:
    """Fills the columns of the n-grams that occur more than once."""
    covered = repeated = scanned = total = reach = after = np.int64(0)
    for j in range(entries):
        entry = grams[np.uintp(j)]
        place, number = np.int64(entry >> _HALF), np.uintp(entry & _LOW)
        begin, end = np.int64(ends[np.uintp(place)]), np.int64(ends[np.uintp(place + n)])
        repeated += end - begin
        covered += end - max(begin, reach)
        reach = end
        if place >= after:
            if found[number] == _NONE:
                scanned += end - begin
                after = place + n
            else:
                found[number] = _NONE
    for k in range(n):
        total += np.int64(ends[np.uintp(m - k)]) - np.int64(ends[np.uintp(k)])
    at = 6 + n
    out[at], out[at + 6], out[at + 12], out[at + 18] = covered, repeated, total, scanned
