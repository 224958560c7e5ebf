"""The passes of `ngrams_large` over a chunk of words: count n-grams, mark the places of those that repeat, pick what comes next.

Invariant: a run of more than `max_probes` probes ends a pass with PROBES, so that no text makes it slow.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from filters.kernels.compiled import Array, Bool, Int, inner_kernel, kernel
from filters.kernels.unicode.ascii_words import soon
from filters.kernels.words.spaces import split_words
from filters.kernels.words.tokens import token_words
from filters.kernels.words.words import MULTIPLIER, finalise

SPLIT = 0
"""Kind of words: `text.split()`. The other kinds are the dialects of `tokens`."""
DONE, FULL, PROBES = 0, 1, 2
"""How a pass ended."""
TAKEN, MOST, REPEATED, COVERED, REACH, LONGEST_TOP, FIRST, SCANNED, AFTER = range(9)
"""Places of what a pass counts, in its `state`."""
PLACE = 16
"""Bytes of a place of the table."""

_AHEAD = 16  # n-grams between asking for a place of the table and reading it
_ONE, _NONE, _HALF, _LOW, _SIX, _LAST = (np.uint64(n) for n in (1, 0, 32, 0xFFFFFFFF, 6, 63))


class Chunk(NamedTuple):
    """Words of a text."""

    place: int  # number of the first one
    chars: int  # code points of the words before `ends == 0`
    words: int
    hashes: np.ndarray  # uint64: of the words
    ends: np.ndarray  # int32: code points of the chunk's words up to and with each one; `ends[0]` is what stood before the first
    places: np.ndarray  # int32, the number of each word; empty where they follow each other


@kernel
def words_of(
    dialect: Any, data: Array, p: Int, end: Int, blocks: Array, cells: Array, hashes: Array, ends: Array
) -> tuple[Int, Int]:
    """The words of one kind (`dialect_of`), as `spaces.split_words`; `blocks` and `cells` are its tables."""
    if dialect is None:
        return split_words(data, p, end, blocks, cells, hashes, ends)
    return token_words(data, p, end, blocks, cells, dialect, hashes, ends)


def dialect_of(kind: int) -> int | None:
    """What a kernel is given for a kind: of None, a type of its own, no rules of tokens are compiled."""
    return None if kind == SPLIT else kind


@inner_kernel
def _has(bits: Array, place: Int) -> Bool:
    return (bits[np.uintp(place >> 6)] >> (np.uint64(place) & _LAST)) & _ONE != _NONE


@inner_kernel
def _set(bits: Array, place: Int) -> None:
    bits[np.uintp(place >> 6)] |= _ONE << (np.uint64(place) & _LAST)


@inner_kernel
def _slot(key: Int, salt: Int, size: Int) -> tuple[Int, Int]:
    """`(key, place)`: the key under a salt, which is one to one, and where its place in a table of `size` places is."""
    key = finalise(key ^ (salt * MULTIPLIER))
    return key, np.int64(((key >> _HALF) * np.uint64(size)) >> _HALF)


@kernel
def gather(
    n: Int, part: Int, of: Int, salt: Int, chunk: Chunk, old: Array, new: Array, table: Array, max_probes: Int, state: Array
) -> Int:
    """Counts those n-grams of the chunk whose (n - 1)-grams occur again and whose key % of == part; sets bits of `new`."""
    base, count, hashes, places = chunk.place, chunk.words, chunk.hashes, chunk.places
    size, mask = table.shape[0], np.uint64(of - 1)
    power, value = _ONE, _NONE
    for j in range(n - 1):
        power *= MULTIPLIER
        value = value * MULTIPLIER + hashes[np.uintp(j)]
    ahead, begun = value, np.int64(0)
    for j in range(count - n + 1):
        while begun < min(j + _AHEAD, count - n + 1):
            ahead = ahead * MULTIPLIER + hashes[np.uintp(begun + n - 1)]
            key, home = _slot(ahead, salt, size)
            ahead -= power * hashes[np.uintp(begun)]
            if key & mask == np.uint64(part):
                soon(table, home * PLACE)
            begun += 1
        value = value * MULTIPLIER + hashes[np.uintp(j + n - 1)]
        whole = value
        value -= power * hashes[np.uintp(j)]
        place = np.int64(places[np.uintp(j)]) if places.size else base + j
        if n > 2 and not (_has(old, place) and _has(old, place + 1)):
            continue
        key, home = _slot(whole, salt, size)
        if key & mask != np.uint64(part):
            continue
        probes = np.int64(0)
        while table[np.uintp(home), np.uintp(1)] and table[np.uintp(home), np.uintp(0)] != key:
            home = home + 1 if home + 1 < size else np.int64(0)
            probes += 1
            if probes >= max_probes:
                return PROBES
        info = table[np.uintp(home), np.uintp(1)]
        if info == _NONE:
            state[TAKEN] += 1
            if 4 * state[TAKEN] > 3 * size:
                return FULL
            table[np.uintp(home), np.uintp(0)] = key
            table[np.uintp(home), np.uintp(1)] = (np.uint64(place) << _HALF) | _ONE
            continue
        table[np.uintp(home), np.uintp(1)] = info + _ONE
        _set(new, np.int64(info >> _HALF))
        _set(new, place)
    return DONE


@kernel
def mark(table: Array, marked: Array, state: Array) -> None:
    """Sets the bit of the first occurrence of each n-gram that occurs more than once and as often as any so far."""
    most = np.uint64(state[MOST])
    for k in range(table.shape[0]):
        most = max(most, table[np.uintp(k), np.uintp(1)] & _LOW)
    if most > np.uint64(state[MOST]):
        state[MOST] = np.int64(most)
        for k in range(marked.size):
            marked[np.uintp(k)] = _NONE
    if most > _ONE:
        for k in range(table.shape[0]):
            info = table[np.uintp(k), np.uintp(1)]
            if info & _LOW == most:
                _set(marked, np.int64(info >> _HALF))


@kernel
def spread(n: Int, salt: Int, chunk: Chunk, flags: Array, every: bool, seen: Array, max_probes: Int, state: Array) -> Int:
    """Measures the n-grams of the chunk that `flags` has (or every one); with places in `seen` it scans too."""
    base, chars, count, hashes, ends, places = chunk
    for j in range(count - n + 1):
        begin, end = chars + np.int64(ends[np.uintp(j)]), chars + np.int64(ends[np.uintp(j + n)])
        place = np.int64(places[np.uintp(j)]) if places.size else base + j
        if not (every or _has(flags, place)):
            continue
        state[REPEATED] += end - begin
        state[COVERED] += end - max(begin, state[REACH])
        state[REACH] = end
        state[LONGEST_TOP] = max(state[LONGEST_TOP], end - begin)
        if state[FIRST] < 0:
            state[FIRST] = end - begin
        if seen.size == 0 or place < state[AFTER]:
            continue
        value = _NONE
        for k in range(n):
            value = value * MULTIPLIER + hashes[np.uintp(j + k)]
        key, home = _slot(value, salt, seen.size)
        key = max(key, _ONE)
        probes = np.int64(0)
        while seen[np.uintp(home)] and seen[np.uintp(home)] != key:
            home = home + 1 if home + 1 < seen.size else np.int64(0)
            probes += 1
            if probes >= max_probes:
                return PROBES
        if seen[np.uintp(home)] == key:
            state[SCANNED] += end - begin
            state[AFTER] = place + n
        seen[np.uintp(home)] = key
    return DONE


@kernel
def pick(n: Int, chunk: Chunk, flags: Array, kept: Int, following: Int, to: Chunk) -> tuple[Int, Int]:
    """`(kept, following)`: appends the words of the chunk from number `following` on that lie in an n-gram that `flags` has to
    the `kept` ones of `to`."""
    base, _, count, hashes, ends, _ = chunk
    for j in range(count - n + 1):
        if not _has(flags, base + j):
            continue
        for place in range(max(base + j, following), base + j + n):
            at = place - base
            to.hashes[kept], to.places[kept] = hashes[at], place
            to.ends[kept + 1] = to.ends[kept] + (ends[at + 1] - ends[at])
            kept += 1
        following = base + j + n
    return kept, following
