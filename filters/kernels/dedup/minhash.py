"""MinHash signatures of word shingles, band keys, and sets of shingle hashes.

A shingle's hash is `finalise(sum(words[k] * BASE ** (ngram - 1 - k)) mod 2**64)` of the hashes of its consecutive words.
Permutation j of a signature is the least `a[j] * x + b[j] mod 2**32` over the shingles, a[j] odd: a bijection, so that no two
values of x meet. What x is, and where a and b come from, is the family:

- `default`: x = the upper half of the shingle's hash; a and b from SplitMix64 (Steele et al. 2014).
- `datasketch`: x = MurmurHash3's 32-bit finaliser of the lower half; a and b from `np.random.RandomState(1)`. Equal to
  `datasketch.MinHash(scheme="affine32")` of datasketch 2 over the lower halves, bit for bit.

In a conversation, which is a text that begins with a mark (`pipeline.text.turns`), the hashes of the words behind a mark are
mixed with it: the same words of another speaker share no shingle. No other text begins so.

Invariant: a row's results depend on its text alone. Texts are walked in blocks of BLOCK words, so that memory does not grow
with a document; only its set of shingles takes memory in proportion.
"""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

import numpy as np

from filters.kernels.compiled import Array, Int, inner_kernel, kernel
from filters.kernels.unicode import unicode_words
from filters.kernels.words.words import SPARE, finalise, next_words

BLOCK = 1024
"""Words walked at a time: their hashes and those of their shingles stay in the first-level cache."""
MARKS = np.uint8(4)
"""Marks are the bytes 1 to 4; the third one goes on with the speaker before it."""
_GOES_ON = np.uint8(3)
BASE = np.uint64(0xD6E8FEB86659FD93)
"""Odd, with well mixed bits (Evensen's rxmx)."""
FAMILIES = ("default", "datasketch")

_SPLITMIX_STEP = np.uint64(0x9E3779B97F4A7C15)
_BUCKET_BITS = 16
_INSERTION = 48  # chosen: buckets hold about four hashes; more means repeated shingles or a hostile text


@cache
def permutations(family: str, number: int) -> tuple[np.ndarray, np.ndarray]:
    """`(a, b)` of a family, uint32[number] each. Raises ValueError if there is no such family."""
    if family == "datasketch":
        random = np.random.RandomState(1)
        a = random.randint(0, 1 << 31, number, dtype=np.uint64) * np.uint64(2) + np.uint64(1)
        b = random.randint(0, 1 << 32, number, dtype=np.uint64)
    elif family == "default":
        a, b = (_splitmix(2 * number) >> np.uint64(32)).reshape(number, 2).T
        a = a | np.uint64(1)
    else:
        raise ValueError(f"hash: expected one of {', '.join(FAMILIES)}, got {family!r}")
    drawn = a.astype(np.uint32), b.astype(np.uint32)
    for array in drawn:
        array.flags.writeable = False
    return drawn


def _splitmix(number: int) -> np.ndarray:
    value = np.arange(1, number + 1, dtype=np.uint64) * _SPLITMIX_STEP
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return value ^ (value >> np.uint64(31))


def signatures(
    offsets: np.ndarray, data: np.ndarray, *, ngram: int, permutations: tuple[np.ndarray, np.ndarray], family: str
) -> tuple[np.ndarray, np.ndarray]:
    """`(words int32[n], signatures uint32[n, len(a)])`: how many dedup words each text has, and its signature.

    `permutations`: `(a, b)`, or the first of them. A text of fewer than `ngram` words has no shingles: its signature is all
    2**32 - 1 and means nothing.
    """
    a, b = permutations
    counts = np.zeros(len(offsets) - 1, np.int32)
    least = np.full((len(offsets) - 1, len(a)), np.iinfo(np.uint32).max, np.uint32)
    words, points = np.empty(BLOCK + ngram + SPARE, np.uint64), np.empty(BLOCK + SPARE + 1, np.uint32)
    how = Signing(ngram, _power(ngram), a, b, family == "datasketch")
    _sign(offsets, data, unicode_words.tables(), how, words, points, counts, least)
    return counts, least


def band_keys(least: np.ndarray, *, bands: int, rows: int) -> np.ndarray:
    """uint64[n, bands]: band j's key is a hash of j and of values `j * rows` to `(j + 1) * rows` of the signature."""
    keys = np.empty((len(least), bands), np.uint64)
    _band_keys(least, rows, keys)
    return keys


def shingles(offsets: np.ndarray, data: np.ndarray, *, ngram: int) -> tuple[np.ndarray, np.ndarray]:
    """`(starts int64[n + 1], hashes uint64[:])`: row i's distinct shingles, ascending, are `hashes[starts[i]:starts[i + 1]]`."""
    starts = np.zeros(len(offsets), np.int64)
    lengths = np.diff(offsets)
    # Two bytes a word at least, once more for sorting the longest; pages that stay unwritten cost no memory.
    hashes = np.empty((offsets[-1] - offsets[0] + lengths.max(initial=0) + len(offsets)) // 2 + ngram, np.uint64)
    words, sizes = np.empty(BLOCK + ngram + SPARE, np.uint64), np.empty((1 << _BUCKET_BITS) + 1, np.int64)
    _shingles(offsets, data, unicode_words.tables(), ngram, _power(ngram), words, sizes, starts, hashes)
    return starts, hashes[: starts[-1]]


def _power(ngram: int) -> np.uint64:
    """What the first word of a shingle is multiplied with."""
    return np.uint64(pow(int(BASE), ngram - 1, 1 << 64))


class Signing(NamedTuple):
    """What a signature depends on beside the text."""

    ngram: int
    power: np.uint64  # as `_power` gives it
    multipliers: np.ndarray  # uint32: a of each permutation
    increments: np.ndarray  # uint32: b
    datasketch: bool


@kernel
def _sign(
    offsets: Array, data: Array, tables: Any, how: Signing, words: Array, points: Array, counts: Array, least: Array
) -> None:
    blocks, cells, ascii_ = tables
    for i in range(offsets.size - 1):
        p, end = offsets[i], offsets[i + 1]
        have, first, salt = np.int64(0), p, np.uint64(0)
        stop = p if p < end and _is_mark(data[np.uintp(p)]) else end
        while p < end:
            if p == stop:
                salt = _salt(data[np.uintp(p)], salt)
                p += 1
                first, stop = p, _next_mark(data, p, end)
            found, p = next_words(data, first, p, stop, blocks, cells, ascii_, words[have:])
            _say(words[have : have + found], salt)
            counts[i] += found
            have += found
            n = have - how.ngram + 1
            if n > 0:
                _points(words, n, how.ngram, how.power, how.datasketch, points)
                _lower(points, n, how.multipliers, how.increments, least[i])
                have = _carry(words, n, have)


@inner_kernel
def _is_mark(byte: Int) -> Any:
    return np.uint8(byte - np.uint8(1)) < MARKS


@inner_kernel
def _next_mark(data: Array, p: Int, end: Int) -> Int:
    """Where the next mark stands, or the end."""
    while p < end and not _is_mark(data[np.uintp(p)]):
        p += 1
    return p


@inner_kernel
def _salt(mark: Int, before: Int) -> Int:
    """What the words behind a mark are mixed with."""
    return before if mark == _GOES_ON else finalise(np.uint64(mark))


@inner_kernel
def _say(words: Array, salt: Int) -> None:
    """The hashes of words as those of a speaker."""
    if salt:
        for k in range(words.size):
            words[np.uintp(k)] = finalise(words[np.uintp(k)] ^ salt)


@inner_kernel
def _points(words: Array, n: Int, ngram: Int, power: Int, datasketch: bool, points: Array) -> None:
    """What the permutations permute, of the n shingles that start at words 0 to n - 1."""
    value = _before(words, ngram)
    for k in range(n):
        value = value * BASE + words[np.uintp(k + ngram - 1)]
        hashed = finalise(value)
        points[np.uintp(k)] = _fmix32(np.uint32(hashed)) if datasketch else np.uint32(hashed >> np.uint64(32))
        value -= words[np.uintp(k)] * power


@inner_kernel
def _before(words: Array, ngram: Int) -> Int:
    """The sum of all but the last word of the first shingle."""
    value = np.uint64(0)
    for k in range(ngram - 1):
        value = value * BASE + words[k]
    return value


@inner_kernel
def _carry(words: Array, n: Int, have: Int) -> Int:
    """Moves the words that shingles of the next block begin with to the front; returns how many."""
    for k in range(n, have):
        words[k - n] = words[k]
    return have - n


@inner_kernel
def _lower(points: Array, n: Int, multipliers: Array, increments: Array, least: Array) -> None:
    """Lowers `least` to the least value of each permutation. The inner loop runs over points: it vectorises."""
    for j in range(least.size):
        a, b, value = multipliers[j], increments[j], least[j]
        for k in range(n):
            value = min(value, np.uint32(np.uint32(points[np.uintp(k)] * a) + b))
        least[j] = value


@inner_kernel
def _fmix32(x: Int) -> Int:
    """MurmurHash3's 32-bit finaliser."""
    x = np.uint32(np.uint32(x ^ (x >> np.uint32(16))) * np.uint32(0x85EBCA6B))
    x = np.uint32(np.uint32(x ^ (x >> np.uint32(13))) * np.uint32(0xC2B2AE35))
    return np.uint32(x ^ (x >> np.uint32(16)))


@kernel
def _band_keys(least: Array, rows: Int, keys: Array) -> None:
    for i in range(keys.shape[0]):
        for band in range(keys.shape[1]):
            value = finalise(np.uint64(band + 1))
            for k in range(band * rows, (band + 1) * rows):
                value = (value ^ np.uint64(least[i, k])) * BASE
                value ^= value >> np.uint64(32)
            keys[i, band] = finalise(value)


@kernel
def _shingles(
    offsets: Array, data: Array, tables: Any, ngram: Int, power: Int, words: Array, sizes: Array, starts: Array, hashes: Array
) -> None:
    """Appends each row's hashes, then sorts them in place with what lies behind them as scratch."""
    blocks, cells, ascii_ = tables
    total = np.int64(0)
    for i in range(offsets.size - 1):
        p, end = offsets[i], offsets[i + 1]
        have = size = np.int64(0)
        first, salt = p, np.uint64(0)
        stop = p if p < end and _is_mark(data[np.uintp(p)]) else end
        while p < end:
            if p == stop:
                salt = _salt(data[np.uintp(p)], salt)
                p += 1
                first, stop = p, _next_mark(data, p, end)
            found, p = next_words(data, first, p, stop, blocks, cells, ascii_, words[have:])
            _say(words[have : have + found], salt)
            have += found
            n = have - ngram + 1
            if n > 0:
                _hash_shingles(words, n, ngram, power, hashes[total + size :])
                size += n
                have = _carry(words, n, have)
        total += _sort_unique(hashes[total : total + size], hashes[total + size :], sizes)
        starts[i + 1] = total


@inner_kernel
def _hash_shingles(words: Array, n: Int, ngram: Int, power: Int, hashes: Array) -> None:
    value = _before(words, ngram)
    for k in range(n):
        value = value * BASE + words[np.uintp(k + ngram - 1)]
        hashes[np.uintp(k)] = finalise(value)
        value -= words[np.uintp(k)] * power


@kernel
def _sort_unique(values: Array, scratch: Array, sizes: Array) -> Int:
    """Sorts `values` into its front without repetitions, and returns how many those are.

    Into buckets by the upper bits, which hashes fill evenly, then each bucket alone.
    """
    bits = np.int64(1)
    while bits < _BUCKET_BITS and (values.size >> (bits + 2)) > 0:
        bits += 1
    shift = np.uint64(64 - bits)
    starts = sizes[: (1 << bits) + 1]
    starts[:] = 0
    for k in range(values.size):
        starts[np.uintp((values[k] >> shift) + np.uint64(1))] += 1
    for bucket in range(1, starts.size):
        starts[bucket] += starts[bucket - 1]
    for k in range(values.size):
        at = np.uintp(values[k] >> shift)
        scratch[np.uintp(starts[at])] = values[k]
        starts[at] += 1
    n = first = np.int64(0)
    for bucket in range(starts.size - 1):
        last = starts[bucket]
        sort(scratch[first:last])
        for k in range(first, last):
            if n == 0 or scratch[k] != values[n - 1]:
                values[n] = scratch[k]
                n += 1
        first = last
    return n


@inner_kernel
def sort(values: Array) -> None:
    """Sorts in place: by insertion where there are few, else by heap, which no input makes quadratic."""
    if values.size > _INSERTION:
        _heap_sort(values)
        return
    for k in range(1, values.size):
        value, at = values[k], k
        while at > 0 and values[at - 1] > value:
            values[at] = values[at - 1]
            at -= 1
        values[at] = value


@inner_kernel
def _heap_sort(values: Array) -> None:
    for root in range(values.size // 2 - 1, -1, -1):
        _sift(values, root, values.size)
    for last in range(values.size - 1, 0, -1):
        values[0], values[last] = values[last], values[0]
        _sift(values, 0, last)


@inner_kernel
def _sift(values: Array, root: Int, size: Int) -> None:
    value = values[root]
    while 2 * root + 1 < size:
        child = 2 * root + 1
        if child + 1 < size and values[child + 1] > values[child]:
            child += 1
        if values[child] <= value:
            break
        values[root] = values[child]
        root = child
    values[root] = value
