"""The measures of `ngrams` for one large text, in scratch of at most three times its bytes.

Invariant: `measured` gives what `ngrams.repetition` gives for the text. An n-gram is known by a 64-bit hash: a polynomial of its
words' hashes, which no two n-grams of a text share but by chance (once in millions of texts of 10 MB).

Words are not kept where they are short: each pass walks the text again, in chunks. A pass counts one part of the n-grams of one
length, by the lowest bits of the hash; a part that does not fit into the table is cut in two. What passes leave behind is one
bit per place (does its n-gram occur again?), which also says where the next length can repeat. Each chunk begins with the last
n - 1 words of the one before. A run of too many probes begins again with another salt, so that no text can aim at the table.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from filters.kernels.ngrams import ngram_passes
from filters.kernels.ngrams.ngram_passes import (
    COVERED,
    DONE,
    FIRST,
    FULL,
    LONGEST_TOP,
    MOST,
    PLACE,
    PROBES,
    REPEATED,
    SCANNED,
    TAKEN,
    Chunk,
    dialect_of,
    words_of,
)
from filters.kernels.words.words import SPARE

SCRATCH = 2.9
"""Bytes of scratch per byte of text at most; the rest, to three, is for what does not grow with the text."""
SMALLEST = 1_000_000
"""Shorter texts get scratch as if they were so long."""
SALTS = 8
"""Attempts at one text, each with other places in the table, before the caller must sort."""
LONGEST = 10
MAX_PROBES = 512

_WORD = 12  # bytes of a word's hash and end
_CHUNK = 1 << 14  # words, where not all are kept: 192 kB
_NO_PLACES = np.empty(0, np.int32)


@dataclass(frozen=True)
class Scratch:
    """What the passes over one text work in."""

    hashes: np.ndarray
    """uint64: words of the chunk."""
    ends: np.ndarray
    """int32: code points of the chunk's words up to and with each one; `ends[0]` is what stood before the first."""
    old: np.ndarray
    """uint64, one bit per word: its (n - 1)-gram occurs again."""
    new: np.ndarray
    """The same of its n-gram."""
    marked: np.ndarray
    """The same of the first occurrence of n-grams that occur most often."""
    table: np.ndarray
    """uint64[places, 2]: key, first place << 32 | count."""

    def nbytes(self) -> int:
        return sum(array.nbytes for array in (self.hashes, self.ends, self.old, self.new, self.marked, self.table))


def scratch(size: int, words: int) -> Scratch:
    """Scratch for a text of `size` bytes and `words` words: its words are kept where they take two thirds of it."""
    size = max(size, SMALLEST)
    kept = words if words * _WORD <= 2 * size else _CHUNK
    bits = words // 64 + 2
    places = (int(SCRATCH * size) - kept * _WORD - 3 * 8 * bits) // PLACE
    return Scratch(
        np.empty(kept + LONGEST + SPARE, np.uint64),
        np.empty(kept + LONGEST + SPARE + 1, np.int32),
        np.zeros(bits, np.uint64),
        np.zeros(bits, np.uint64),
        np.zeros(bits, np.uint64),
        np.empty((max(64, min(places, 2 * words)), 2), np.uint64),
    )


def measured(
    data: np.ndarray, *, kind: int, tables: tuple[np.ndarray, np.ndarray], scan: bool, max_probes: int
) -> list[int] | None:
    """The measures of the text `data` in the order of the fields of `ngrams.Repetition`; None where every salt failed."""
    words, first, last = _edges(data, kind, tables)
    space = scratch(len(data), words)
    whole = len(space.hashes) >= words + LONGEST + SPARE
    kept = next(_chunks(data, kind, tables, space, n=1), None) if whole else None
    tops, repeats = np.zeros((3, 3), np.int64), np.zeros((4, 6), np.int64)
    for n in range(2, min(words, LONGEST) + 1):
        passes: Callable[[], Iterable[Chunk]] = partial(_chunks, data, kind, tables, space, n=n)
        if kept is not None:
            passes = partial(tuple, (kept,))
        found = _level(n, words, passes, space, scan=scan, max_probes=max_probes)
        if found is None:
            return None
        if n <= 4:
            tops[:, n - 2] = found[[MOST, LONGEST_TOP, FIRST]]
        else:
            total = int(last[::-1][:n].sum() - first[:n].sum())
            repeats[:, n - 5] = found[COVERED], found[REPEATED], total, found[SCANNED]
        space.old[:] = space.new
        again = _bits(space.new)
        if not whole and n >= 4 and (16 * n + 2 * PLACE) * again <= 2 * len(data):
            space = replace(space, table=np.empty((0, 2), np.uint64))
            # Bound anew, so that nothing holds the old table beside the words.
            passes = partial(_chunks, data, kind, tables, space, n=n)
            kept, whole = _picked(n, again, passes(), space.new), True
            space = replace(space, table=np.empty((2 * again + 64, 2), np.uint64))
    return [words, int(last[-1]), *tops.ravel().tolist(), *repeats.ravel().tolist()]


def _edges(data: np.ndarray, kind: int, tables: tuple[np.ndarray, np.ndarray]) -> tuple[int, np.ndarray, np.ndarray]:
    """Number of words, and the code points up to the end of each of the first and of the last ones (LONGEST, and none)."""
    words, first, last = 0, np.zeros(1, np.int64), np.zeros(1, np.int64)
    space = scratch(0, _CHUNK)
    for chunk in _chunks(data, kind, tables, space, n=LONGEST + 1):
        if words == 0:
            first = chunk.ends[: min(chunk.words, LONGEST) + 1].astype(np.int64)
        words = chunk.place + chunk.words
        last = chunk.chars + chunk.ends[max(0, chunk.words - LONGEST) : chunk.words + 1].astype(np.int64)
    return words, first, last


def _bits(bits: np.ndarray) -> int:
    """How many are set."""
    return int(np.bitwise_count(bits).sum())


def _picked(n: int, again: int, chunks: Iterable[Chunk], flags: np.ndarray) -> Chunk:
    """The words of the `again` n-grams that are set in `flags`, without those between: all that longer n-grams repeat."""
    words = np.empty(n * again, np.uint64), np.zeros(n * again + 1, np.int32), np.empty(n * again, np.int32)
    to, count, following = Chunk(0, 0, 0, *words), 0, 0
    for chunk in chunks:
        count, following = ngram_passes.pick(n, chunk, flags, count, following, to)
    return to._replace(words=count)


def all_words(data: np.ndarray, kind: int, tables: tuple[np.ndarray, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """`(hashes uint64[m], ends int64[m + 1])` of the words of a text, in as much memory as they take."""
    space = scratch(0, 0)
    space = replace(space, hashes=np.empty(len(data) + SPARE, np.uint64), ends=np.empty(len(data) + SPARE + 1, np.int32))
    for chunk in _chunks(data, kind, tables, space, n=1):
        return chunk.hashes[: chunk.words], chunk.ends[: chunk.words + 1].astype(np.int64)
    return np.empty(0, np.uint64), np.zeros(1, np.int64)


def _chunks(data: np.ndarray, kind: int, tables: tuple[np.ndarray, np.ndarray], space: Scratch, *, n: int) -> Iterator[Chunk]:
    """The words of the text, as many at a time as `space` holds; a chunk begins with the last n - 1 words of the one before."""
    hashes, ends = space.hashes, space.ends
    place = chars = kept = p = 0
    while p < len(data):
        found, p = words_of(dialect_of(kind), data, p, len(data), *tables, hashes[kept:], ends[kept:])
        count = kept + found
        if found:
            yield Chunk(place, chars, count, hashes, ends, _NO_PLACES)
        kept = min(n - 1, count)
        place += count - kept
        chars += int(ends[count])
        hashes[:kept] = hashes[count - kept : count].copy()
        ends[: kept + 1] = ends[count - kept : count + 1] - ends[count]


def _level(
    n: int, words: int, chunks: Callable[[], Iterable[Chunk]], space: Scratch, *, scan: bool, max_probes: int
) -> np.ndarray | None:
    """What passes over the n-grams of n words found (`MOST` and on), and `space.new`; None where every salt failed."""
    for salt in range(SALTS):
        state = np.zeros(9, np.int64)
        state[MOST], state[FIRST] = 1, -1
        if _counted(n, words, chunks, space, np.uint64(salt), max_probes, state) and _spread_out(
            n, chunks, space, np.uint64(salt), scan, max_probes, state
        ):
            return state
    return None


def _counted(
    n: int,
    words: int,
    chunks: Callable[[], Iterable[Chunk]],
    space: Scratch,
    salt: np.uint64,
    max_probes: int,
    state: np.ndarray,
) -> bool:
    """Whether all n-grams could be counted: fills `space.new`, and for n up to 4 `space.marked`."""
    space.new[:] = space.marked[:] = 0
    candidates = words if n == 2 else _bits(space.old)
    table = space.table[: max(64, 2 * candidates)]
    parts = [(0, 1)] if candidates else []
    while parts:
        part, of = parts.pop()
        table[:, 1] = 0
        state[TAKEN] = 0
        status = DONE
        for c in chunks():
            status = ngram_passes.gather(n, part, of, salt, c, space.old, space.new, table, max_probes, state)
            if status != DONE:
                break
        if status == PROBES or of > len(table):
            return False
        if status == FULL:
            parts += [(part, 2 * of), (part + of, 2 * of)]
        elif n <= 4:
            ngram_passes.mark(table, space.marked, state)
    return True


def _spread_out(
    n: int,
    chunks: Callable[[], Iterable[Chunk]],
    space: Scratch,
    salt: np.uint64,
    scan: bool,
    max_probes: int,
    state: np.ndarray,
) -> bool:
    """Whether the last pass could be made, which measures what is repeated (n from 5 on) or most frequent."""
    again = _bits(space.new)
    if n > 4 and again == 0:
        return True
    seen = space.table.reshape(-1)[: max(64, again) if n > 4 and scan else 0]
    if seen.size and 5 * seen.size < 3 * again:
        seen = np.empty(again, np.uint64)  # signs alone, a word in one byte
    seen[:] = 0
    flags, every = (space.new, False) if n > 4 else (space.marked, state[MOST] == 1)
    return all(ngram_passes.spread(n, salt, c, flags, every, seen, 8 * max_probes, state) == DONE for c in chunks())


def warm(data: np.ndarray, kind: int, tables: tuple[np.ndarray, np.ndarray]) -> None:
    """Compiles or loads the kernels of this module; `data` is a text of two words or more."""
    measured(data, kind=kind, tables=tables, scan=True, max_probes=MAX_PROBES)
    space = scratch(0, _CHUNK)
    _picked(2, 1, _chunks(data, kind, tables, space, n=2), space.new)
    none, seen = Chunk(0, 0, 0, space.hashes, space.ends, _NO_PLACES), space.table.reshape(-1)
    ngram_passes.spread(2, np.uint64(0), none, space.new, False, seen, MAX_PROBES, np.zeros(9, np.int64))
