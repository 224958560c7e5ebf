"""A fastText model as kernels read it: its tables, and the loops that fill them from a file's bytes and look words up.

Invariant: every loop is bounded by its arguments or by MAX_PROBES, whatever the words. `filters.models.reader` makes the tables
and has checked every index that is in them. Source: fastText 0.9.3, src/dictionary.cc, src/loss.cc,.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from filters.kernels.compiled import Array, Bool, Int, inlined_unchecked_kernel, unchecked_kernel

HS, NS, SOFTMAX, OVA = 1, 2, 3, 4
MAX_PROBES = 512  # of a hash table at load <= 0.5; the longest in 2,097,152 random keys was 41
FNV_SEED = np.uint32(2166136261)
_FNV_PRIME = np.uint32(16777619)


class Vocabulary(NamedTuple):
    """Words, then labels, and the hash table that finds them."""

    words: np.ndarray  # uint8[:]: end to end
    offsets: np.ndarray  # int64[size + 1]
    hashes: np.ndarray  # uint32[size]
    slots: np.ndarray  # int32[2 ** a]: number of a word or label, or -1
    n_words: int


class Ngrams(NamedTuple):
    """Which n-grams there are and where their rows lie: row = first_row + bucket, or + the kept buckets before it if pruned."""

    minn: int  # characters
    maxn: int
    words: int  # longest word n-gram
    bucket: int
    first_row: int  # = n_words
    pruned: bool
    kept: np.ndarray  # uint64[ceil(bucket / 64), 2]: bit i of [b, 0]: bucket 64 b + i was kept; [b, 1]: kept buckets before 64 b


class Head(NamedTuple):
    """From the mean of the rows to the scores."""

    loss: int
    output: np.ndarray  # float32[n_labels, dim]
    left: np.ndarray  # int32[2 * n_labels - 1]: Huffman tree, leaves first, root last; -1 at leaves
    right: np.ndarray
    sigmoid: np.ndarray  # float32[513]: loss.cc, over -8..8


class Tables(NamedTuple):
    """A model as the kernels read it; made by `filters.models`, which has checked every index that is in it."""

    vocabulary: Vocabulary
    ngrams: Ngrams
    head: Head
    rows: np.ndarray  # float32[n_words + n-gram rows, dim]
    counts: np.ndarray  # int32[n_words]: rows that rows[w] is the sum of (fold_words)


@inlined_unchecked_kernel
def step(h: Int, byte: Int) -> Int:
    """One byte of 32-bit FNV-1a; bytes are signed, as in every released model."""
    return np.uint32((h ^ np.uint32(np.int8(byte))) * _FNV_PRIME)


@inlined_unchecked_kernel
def fnv(data: Array, start: Int, end: Int) -> Int:
    """32-bit FNV-1a of `data[start:end]`."""
    h = FNV_SEED
    for j in range(start, end):
        h = step(h, data[np.uintp(j)])
    return h


@inlined_unchecked_kernel
def slot(key: Int, mask: Int) -> Int:
    """Home of a 32-bit key in a table of mask + 1 places (murmur3's finaliser)."""
    h = np.uint64(key)
    h = ((h ^ (h >> np.uint64(16))) * np.uint64(0x85EBCA6B)) & np.uint64(0xFFFFFFFF)
    h = ((h ^ (h >> np.uint64(13))) * np.uint64(0xC2B2AE35)) & np.uint64(0xFFFFFFFF)
    return np.int64((h ^ (h >> np.uint64(16))) & np.uint64(mask))


@unchecked_kernel
def hash_words(words: Array, offsets: Array, hashes: Array, slots: Array) -> Bool:
    """Fill `hashes`, and `slots` (all -1, a power of two, at least twice the words); false if a probe passes MAX_PROBES."""
    mask = slots.shape[0] - 1
    for w in range(offsets.shape[0] - 1):
        h = fnv(words, offsets[w], offsets[w + 1])
        hashes[w] = h
        at = slot(h, mask)
        probes = 0
        while slots[at] >= 0:
            at = (at + 1) & mask
            probes += 1
            if probes >= MAX_PROBES:
                return False
        slots[at] = w
    return True


@unchecked_kernel
def parse_words(data: Array, words: Array, offsets: Array, counts: Array, kinds: Array) -> Int:
    """Read `kinds.shape[0]` entries of a dictionary (zero-terminated bytes, int64 count, int8 kind) from `data`.

    Returns the bytes read, or -1 if the data ends before.
    """
    at = 0
    size = 0
    for w in range(kinds.shape[0]):
        while at < data.shape[0] and data[at] != 0:
            words[size] = data[at]
            size += 1
            at += 1
        if at + 10 > data.shape[0]:
            return -1
        count = np.int64(0)
        for b in range(8):
            count |= np.int64(data[at + 1 + b]) << np.int64(8 * b)
        counts[w] = count
        kinds[w] = data[at + 9]
        at += 10
        offsets[w + 1] = size
    return at


@unchecked_kernel
def huffman(counts: Array, weight: Array, left: Array, right: Array) -> None:
    """The tree of HierarchicalSoftmaxLoss::buildTree: two smallest joined, the leaf first where it is the smaller.

    `counts`: of the labels, from the most frequent to the least, each below 1e15, the count of a node not yet made.
    `weight` int64[2 n - 1] is filled with the counts of all nodes; `left` and `right` keep their -1 at leaves.
    """
    n = counts.shape[0]
    for i in range(2 * n - 1):
        weight[i] = counts[i] if i < n else 10**15
    leaf, node = n - 1, n
    for i in range(n, 2 * n - 1):
        total = np.int64(0)
        for side in range(2):
            if leaf >= 0 and weight[leaf] < weight[node]:
                child = leaf
                leaf -= 1
            else:
                child = node
                node += 1
            total += weight[child]
            if side == 0:
                left[i] = child
            else:
                right[i] = child
        weight[i] = total


@inlined_unchecked_kernel
def is_word(data: Array, start: Int, end: Int, word: Array) -> Bool:
    """`data[start:end] == word`."""
    return end - start == word.shape[0] and starts_with(data, start, end, word)


@inlined_unchecked_kernel
def starts_with(data: Array, start: Int, end: Int, word: Array) -> Bool:
    """`data[start:end].startswith(word)`."""
    if end - start < word.shape[0]:
        return False
    for j in range(word.shape[0]):  # noqa: SIM110, numba has no all()
        if data[start + j] != word[j]:
            return False
    return True


@inlined_unchecked_kernel
def find_word(v: Vocabulary, data: Array, start: Int, end: Int, h: Int) -> Int:
    """Number of a token among words and labels, or -1. `h` is its hash."""
    mask = v.slots.shape[0] - 1
    at = slot(h, mask)
    for _ in range(MAX_PROBES):
        w = v.slots[at]
        if w < 0:
            return -1
        if v.hashes[w] == h and is_word(data, start, end, v.words[v.offsets[w] : v.offsets[w + 1]]):
            return w
        at = (at + 1) & mask
    return -1
