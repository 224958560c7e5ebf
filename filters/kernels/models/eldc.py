"""Languages by n-grams of words, as eldc finds them: the sum over a text's different n-grams of what each says for a language.

Invariant: with the table of eldc 0.4.0 (`filters.models.eldc`) the sums of a text of one part, up to 1,000 bytes, are eldc's,
but for the rounding of the table and capitals of full width. Here a text may be longer and in parts; an n-gram counts once in
each part. Every loop is bounded by the text or by the table. Source: eldc 0.4.0, src/eldc/eld_core.c (Apache-2.0).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from filters.kernels.compiled import Array, Int, inlined_unchecked_kernel, inner_unchecked_kernel, unchecked_kernel
from filters.kernels.unicode.ascii_words import eight, put_eight, soon

LETTER, WIDE, JOINT = 1, 2, 3
"""Kinds of characters: of words, words by themselves (Han, kana, Hangul), and apostrophes, which join letters; 0: the others."""
LANGUAGES = 64  # that an entry has room for
MAIN_BITS = 18
"""Of an n-gram's 32 bits those that say where in the table it is; an entry has the other 14, 6 for a language, 8 for a score."""
_REST_BITS = 32 - MAIN_BITS
MOST = 500  # n-grams of a part that count, as in eldc
_SEEN = 1024  # places of the set of a part's n-grams
_HIGH = 0x8080808080808080
_STEP = 6  # bytes of a word in an n-gram
_PAST = 16  # bytes behind a part's text that are read with it


class Table(NamedTuple):
    """`entries[starts[b]:starts[b + 1]]` are those of the n-grams whose first MAIN_BITS bits are `b`."""

    starts: np.ndarray  # uint32[2**MAIN_BITS + 1]
    entries: np.ndarray  # uint32[:]
    values: np.ndarray  # float32[256]: what an entry's last byte means
    kinds: np.ndarray  # uint8[65536], by code point
    small: np.ndarray  # uint8[1920, 2]: the small letter of each character of two bytes


class Work(NamedTuple):
    """Room for one part at a time."""

    text: np.ndarray  # uint8: the part in small letters, and _PAST bytes more
    seen: np.ndarray  # uint64[_SEEN]
    turn: np.ndarray  # int64[_SEEN]: in which part a place was taken
    hashes: np.ndarray  # uint64[MOST]: of the part's different n-grams
    first: np.ndarray  # int64[MOST]: where their entries begin
    sums: np.ndarray  # float32[LANGUAGES]: what they say


def work(spans: np.ndarray) -> Work:
    """Room for the longest part."""
    longest = int((spans[:, :, 1] - spans[:, :, 0]).max(initial=0))
    text, seen, hashes = np.zeros(longest + _PAST, np.uint8), np.empty(_SEEN, np.uint64), np.empty(MOST, np.uint64)
    turn, first = np.full(_SEEN, -1, np.int64), np.empty(MOST, np.int64)
    return Work(text, seen, turn, hashes, first, np.empty(LANGUAGES, np.float32))


@inlined_unchecked_kernel
def _eight_small(chunk: Int) -> Int:
    """Eight bytes of ASCII with A-Z as a-z."""
    folded = chunk & np.uint64(0xDFDFDFDFDFDFDFDF)
    from_a, past_z = folded + np.uint64(0x3F3F3F3F3F3F3F3F), folded + np.uint64(0x2525252525252525)
    return chunk | ((from_a & ~past_z & np.uint64(_HIGH)) >> np.uint64(2))


@inner_unchecked_kernel
def _in_small_letters(t: Table, data: Array, at: Int, stop: Int, out: Array) -> Int:
    """`data[at:stop]` in small letters, as many bytes; returns how many."""
    n = np.int64(0)
    while at < stop:
        while at + 8 <= stop:
            chunk = eight(data, at)
            if chunk & np.uint64(_HIGH):
                break
            put_eight(out, n, _eight_small(chunk))
            at, n = at + 8, n + 8
        if at >= stop:
            break
        byte = data[np.uintp(at)]
        if byte < 0x80:
            out[np.uintp(n)] = byte + 32 if 65 <= byte <= 90 else byte
            at, n = at + 1, n + 1
            continue
        size = 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4
        size = min(size, stop - at)
        for k in range(size):
            out[np.uintp(n + k)] = data[np.uintp(at + k)]
        if size == 2 and 0xC2 <= byte < 0xE0:
            place = np.uintp((np.int64(byte) - 0xC2) * 64 + (np.int64(data[at + 1]) & 0x3F))
            out[np.uintp(n)], out[np.uintp(n + 1)] = t.small[place, 0], t.small[place, 1]
        elif size == 3 and byte == 0xE1:
            second, third = out[n + 1], out[n + 2]
            if 0xB8 <= second <= 0xBB and not third & 1 and not (second == 0xBA and third == 0x9E):
                out[n + 2] += 1
        elif size == 3 and byte == 0xEF and out[n + 1] == 0xBC and 0xA1 <= out[n + 2] <= 0xBA:
            out[n + 1], out[n + 2] = 0xBD, out[n + 2] - 32
        at, n = at + size, n + size
    return n


@inlined_unchecked_kernel
def _kind(t: Table, text: Array, at: Int, n: Int) -> tuple[Int, Int]:
    """The kind of the character at `at`, and its bytes."""
    byte = np.int64(text[np.uintp(at)])
    if byte < 0x80:
        return np.int64(t.kinds[byte]), np.int64(1)
    if byte < 0xC2 or at + 1 >= n:
        return np.int64(0), np.int64(1)
    code = np.int64(text[at + 1]) & 0x3F
    if byte < 0xE0:
        return np.int64(t.kinds[((byte & 0x1F) << 6) | code]), np.int64(2)
    if at + 2 >= n:
        return np.int64(0), np.int64(1)
    code = code << 6 | (np.int64(text[at + 2]) & 0x3F)
    if byte < 0xF0:
        return np.int64(t.kinds[((byte & 0x0F) << 12) | code]), np.int64(3)
    if at + 3 >= n:
        return np.int64(0), n - at
    code = ((byte & 0x07) << 18) | (code << 6) | (np.int64(text[at + 3]) & 0x3F)
    return np.int64(WIDE if 0x20000 <= code < 0x2FA20 else 0), np.int64(4)


@inlined_unchecked_kernel
def _bytes(text: Array, at: Int, n: Int) -> Int:
    """Up to six bytes, the first one lowest."""
    return eight(text, at) & ((np.uint64(1) << np.uint64(8 * n)) - np.uint64(1))


@inlined_unchecked_kernel
def _add(key: Int, w: Work, turn: Int, count: Int) -> Int:
    """Note an n-gram, where this part has not had it and has room: the new count."""
    hashed = (key ^ (key >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    hashed ^= hashed >> np.uint64(27)
    place = (hashed >> np.uint64(20)) & np.uint64(_SEEN - 1)
    while w.turn[place] == turn:
        if w.seen[place] == key:
            return count
        place = (place + np.uint64(1)) & np.uint64(_SEEN - 1)
    if count < MOST:
        w.turn[place], w.seen[place], w.hashes[np.uintp(count)] = turn, key, hashed
        count += 1
    return count


@inner_unchecked_kernel
def _ngrams(t: Table, w: Work, n: Int, turn: Int) -> Int:
    """The hashes of the different n-grams of `w.text[:n]` into `w.hashes`; returns how many."""
    text, at, count = w.text, np.int64(0), np.int64(0)
    space = np.uint64(32)
    while at < n and count < MOST:
        kind, size = _kind(t, text, at, n)
        first = at
        at += size
        if kind == WIDE:
            key = space | (_bytes(text, first, size) << np.uint64(8)) | (space << np.uint64(8 + 8 * size))
            count = _add(key, w, turn, count)
        if kind != LETTER:
            continue
        while at < n:
            kind, size = _kind(t, text, at, n)
            if kind != LETTER:
                if kind != JOINT or at + size >= n:
                    break
                following, _ = _kind(t, text, at + size, n)
                if following != LETTER:
                    break
            at += size
        length = at - first
        key = space | (_bytes(text, first, min(length, _STEP)) << np.uint64(8))
        if length <= _STEP:
            count = _add(key | (space << np.uint64(8 + 8 * length)), w, turn, count)
            continue
        count = _add(key, w, turn, count)
        for j in range(first + _STEP, at - _STEP, _STEP):
            count = _add(_bytes(text, j, _STEP), w, turn, count)
        count = _add(_bytes(text, at - _STEP, _STEP) | (space << np.uint64(8 * _STEP)), w, turn, count)
    return count


@inner_unchecked_kernel
def _look_up(t: Table, w: Work, count: Int, sums: Array) -> None:
    """Add what the n-grams of `w.hashes[:count]` say. Their entries are asked for before any is read: each is a miss of its
    own."""
    for i in range(count):
        first = t.starts[np.uintp(w.hashes[np.uintp(i)] >> np.uint64(64 - MAIN_BITS))]
        w.first[np.uintp(i)] = first
        soon(t.entries, np.int64(first) * 4)
    for i in range(count):
        hashed = w.hashes[np.uintp(i)]
        rest = np.uint32((hashed >> np.uint64(32)) & np.uint64((1 << _REST_BITS) - 1))
        place = np.uintp(w.first[np.uintp(i)])
        stop = np.uintp(t.starts[np.uintp((hashed >> np.uint64(64 - MAIN_BITS)) + np.uint64(1))])
        while place < stop and t.entries[place] >> np.uint32(32 - _REST_BITS) < rest:
            place += np.uintp(1)
        while place < stop and t.entries[place] >> np.uint32(32 - _REST_BITS) == rest:
            entry = t.entries[place]
            sums[np.uintp((entry >> np.uint32(8)) & np.uint32(0x3F))] += t.values[np.uintp(entry & np.uint32(0xFF))]
            place += np.uintp(1)


@inlined_unchecked_kernel
def _two_best(sums: Array, best: Array, says: Array) -> None:
    """The two languages with the largest sums, of equals the earlier; those without a sum have language 0."""
    best[0], best[1], says[0], says[1] = 0, 0, 0, 0
    for k in range(sums.shape[0]):
        if sums[k] > says[0]:
            best[1], says[1] = best[0], says[0]
            best[0], says[0] = k, sums[k]
        elif sums[k] > says[1]:
            best[1], says[1] = k, sums[k]


class Found(NamedTuple):
    """What `judge` fills; of `counts`, `best` and `says` the last one of a text is of all its parts together."""

    sums: np.ndarray  # float32[n, LANGUAGES]: what the n-grams say for each language
    counts: np.ndarray  # int32[n, parts + 1]: different n-grams
    best: np.ndarray  # int16[n, parts + 1, 2]: the two best languages
    says: np.ndarray  # float32[n, parts + 1, 2]: their sums


@unchecked_kernel
def judge(t: Table, data: Array, spans: Array, w: Work, out: Found) -> None:
    """What the n-grams of texts and of their parts say: text i is `data[a:b]` for each (a, b) of `spans[i]` (int64[n, parts,
    2])."""
    turn, parts = np.int64(0), spans.shape[1]
    for i in range(spans.shape[0]):
        total = out.sums[i]
        for k in range(LANGUAGES):
            total[k] = 0
        out.counts[i, parts] = 0
        for p in range(parts):
            for k in range(LANGUAGES):
                w.sums[k] = 0
            count = np.int64(0)
            if spans[i, p, 0] < spans[i, p, 1]:
                n = _in_small_letters(t, data, spans[i, p, 0], spans[i, p, 1], w.text)
                count = _ngrams(t, w, n, turn)
                _look_up(t, w, count, w.sums)
                turn += 1
            for k in range(LANGUAGES):
                total[k] += w.sums[k]
            out.counts[i, p] = count
            out.counts[i, parts] += count
            _two_best(w.sums, out.best[i, p], out.says[i, p])
        _two_best(total, out.best[i, parts], out.says[i, parts])
