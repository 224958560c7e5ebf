"""The rows of a fastText model's input matrix that a text adds up: tokens, their character n-grams and word n-grams.

Invariant: the rows are those of fastText's Dictionary::getLine; a newline in a text separates words like a space. Sums depend on
the text alone: an unknown word's rows are summed before they are added, whether the sum is new or was kept. Every loop is
bounded by the text or by `Tables`. Source: fastText 0.9.3, src/dictionary.cc.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from filters.kernels.compiled import Array, Bool, Float, Int, inlined_unchecked_kernel, inner_unchecked_kernel, unchecked_kernel
from filters.kernels.models.fasttext_tables import (
    FNV_SEED,
    Ngrams,
    Tables,
    Vocabulary,
    find_word,
    fnv,
    is_word,
    starts_with,
    step,
)
from filters.kernels.unicode.ascii_words import eight, ones

MAX_PENDING = 256  # rows collected before they are added: few enough that they stay in the cache while columns are added in fours
END = np.frombuffer(b"</s>", np.uint8)
WORD_PRIME = np.uint64(116049371)  # dictionary.cc, addWordNgrams
_OPEN, _CLOSE = np.uint8(60), np.uint8(62)  # < and >
KEPT_WORDS = 1 << 14  # chosen on 320 MB in 23 languages, whole: 94 MB per CPU-second, 88 with half as many, 99 with twice (3 MB)
IN_ORDER = 1 << 12
"""Bytes of a text from which on rows of unknown words are added one by one. Chosen as the largest power of two with which all
225,524 documents of the evaluation data score within 1e-5 of fastText's: float32 sums of many rows differ by their order, by
1.5e-5 in the score of a text of 8 kB, 6e-5 at 630 kB, and fastText's own order is the one to equal."""
_BLOCKS = 4  # of eight bytes: longer words are summed anew, they seldom come twice
_MIX = np.uint64(0x9E3779B97F4A7C15)  # 2**64 / golden ratio
_LABEL = np.frombuffer(b"__label__", np.uint8)  # predict knows no other prefix: the file does not keep it


def pending(ngrams: Ngrams) -> np.ndarray:
    """Memory for rows still to be added: a full list, one more word, the n-grams of one start, and the word n-grams."""
    return np.empty(MAX_PENDING + ngrams.maxn + ngrams.words + 1, np.uint64)


class Kept(NamedTuple):
    """Sums of words, each at the place of its hash until another word takes the place."""

    words: np.ndarray  # uint64[KEPT_WORDS, _BLOCKS]: the word's bytes, then zeros; all zeros: no word yet
    counts: np.ndarray  # int32[KEPT_WORDS]: rows that the sum is made of; -1: not a word but a label
    sums: np.ndarray  # float32[KEPT_WORDS, dim]
    pending: np.ndarray  # uint64: as `pending` makes it


def kept(tables: Tables) -> Kept:
    """Memory for sums of words; almost none for a model without character n-grams, which never uses it."""
    places = KEPT_WORDS if tables.ngrams.maxn > 0 else 1
    return Kept(
        words=np.zeros((places, _BLOCKS), np.uint64),
        counts=np.empty(places, np.int32),
        sums=np.empty((places, tables.rows.shape[1]), np.float32),
        pending=pending(tables.ngrams),
    )


class Work(NamedTuple):
    """Memory that one call of a kernel works in; made by `work`."""

    hidden: np.ndarray  # float32[dim]
    output: np.ndarray  # float32[n_labels]
    nodes: np.ndarray  # int32[n_labels + 1]: the tree's nodes still to visit, and their scores
    weights: np.ndarray  # float32[n_labels + 1]
    recent: np.ndarray  # uint64[longest word n-gram - 1, at least 1]: hashes of the n-grams that the next word extends
    pending: np.ndarray  # uint64[MAX_PENDING + the most rows that one step adds]
    kept: Kept
    part: np.ndarray  # float32[dim]
    end: np.ndarray  # float32[dim]
    total: np.ndarray  # float32[dim]


def work(tables: Tables) -> Work:
    """New memory for kernels over this model."""
    n_labels, dim = tables.head.output.shape
    hidden, part, end, total = (np.empty(dim, np.float32) for _ in range(4))
    return Work(
        hidden=hidden,
        output=np.empty(n_labels, np.float32),
        nodes=np.empty(n_labels + 1, np.int32),
        weights=np.empty(n_labels + 1, np.float32),
        recent=np.empty(max(tables.ngrams.words - 1, 1), np.uint64),
        pending=pending(tables.ngrams),
        kept=kept(tables),
        part=part,
        end=end,
        total=total,
    )


@unchecked_kernel
def fold_words(vocabulary: Vocabulary, ngrams: Ngrams, rows: Array, counts: Array, pending: Array) -> None:
    """Add to each word's row the rows of its character n-grams, and count them: a known word then costs one addition."""
    for w in range(vocabulary.n_words):
        start, end = vocabulary.offsets[w], vocabulary.offsets[w + 1]
        counts[w] = 1
        if ngrams.maxn > 0 and not is_word(vocabulary.words, start, end, END):
            added, n = char_ngrams(ngrams, rows, vocabulary.words, start, end, rows[w], pending, np.int64(0))
            add_rows(rows, pending, n, rows[w])
            counts[w] += added


@inner_unchecked_kernel
def collect_rows(
    t: Tables, data: Array, at: Int, stop: Int, total: Array, work: Work, n: Int, n_recent: Int, in_order: bool
) -> tuple[Int, Int, Int, Bool]:
    """Collect the rows of the tokens of `data[at:stop]`: how many, the new n and n_recent, and whether `</s>` ended the text.

    `in_order`: rows are added one by one, as fastText does, instead of by words.
    """
    count, pending, recent = np.int64(0), work.pending, work.recent
    while at < stop:
        while at < stop and separates(data[np.uintp(at)]):
            at += 1
        start = at
        while at < stop and not separates(data[np.uintp(at)]):
            at += 1
        if at == start:
            break
        if not in_order and t.ngrams.maxn > 0 and at - start <= 8 * _BLOCKS:
            found = _kept_word(t, data, start, at, total, work.kept)
        else:
            found, n = _token(t, data, start, at, total, pending, n)
        if found >= 0:
            count += found
            if t.ngrams.words > 1:
                before = n
                n_recent, n = _word_ngrams(t.ngrams, fnv(data, start, at), recent, n_recent, pending, n)
                count += n - before
        if n >= MAX_PENDING:
            add_rows(t.rows, pending, n, total)
            n = np.int64(0)
        if is_word(data, start, at, END):
            return count, n, n_recent, True
    return count, n, n_recent, False


@inlined_unchecked_kernel
def separates(byte: Int) -> Bool:
    """Whether a byte stands between tokens: white space of ASCII, NUL."""
    return byte == 32 or (byte <= 13 and (byte >= 9 or byte == 0))


@inner_unchecked_kernel
def _token(t: Tables, data: Array, start: Int, end: Int, total: Array, pending: Array, n: Int) -> tuple[Int, Int]:
    """Collect the rows of one token (Dictionary::addSubwords); returns how many, -1 for a label, and the new n."""
    w = find_word(t.vocabulary, data, start, end, fnv(data, start, end))
    if w >= t.vocabulary.n_words:
        return np.int64(-1), n
    if w >= 0:
        pending[n] = w
        return np.int64(t.counts[w]), n + 1
    if starts_with(data, start, end, _LABEL):
        return np.int64(-1), n
    if t.ngrams.maxn > 0 and not is_word(data, start, end, END):
        return char_ngrams(t.ngrams, t.rows, data, start, end, total, pending, n)
    return np.int64(0), n


@inlined_unchecked_kernel
def _kept_word(t: Tables, data: Array, start: Int, end: Int, total: Array, kept: Kept) -> Int:
    """Add the sum of a token's rows to `total`; returns how many rows, -1 for a label."""
    a, b, c, e = _blocks(data, start, end)
    place = _place(a, b, c, e, kept.counts.shape[0])
    word = kept.words[place]
    row = kept.sums[place]
    if word[0] != a or word[1] != b or word[2] != c or word[3] != e:
        for d in range(row.shape[0]):
            row[d] = 0
        found, n = _token(t, data, start, end, row, kept.pending, np.int64(0))
        add_rows(t.rows, kept.pending, n, row)
        word[0], word[1], word[2], word[3] = a, b, c, e
        kept.counts[place] = found
    for d in range(row.shape[0]):
        total[d] += row[d]
    return np.int64(kept.counts[place])


@inlined_unchecked_kernel
def _blocks(data: Array, start: Int, end: Int) -> tuple[Int, Int, Int, Int]:
    """The bytes of a token of 1 to 32 bytes as four uint64, zeros behind them."""
    size = end - start
    if start + 32 <= data.shape[0]:
        at = np.uintp(start)
        return (
            _first_bytes(eight(data, at), size),
            _first_bytes(eight(data, at + np.uintp(8)), size - 8),
            _first_bytes(eight(data, at + np.uintp(16)), size - 16),
            _first_bytes(eight(data, at + np.uintp(24)), size - 24),
        )
    a, b, c, e = np.uint64(0), np.uint64(0), np.uint64(0), np.uint64(0)
    for j in range(size - 1, -1, -1):
        byte = np.uint64(data[np.uintp(start + j)])
        if j < 8:
            a = (a << np.uint64(8)) | byte
        elif j < 16:
            b = (b << np.uint64(8)) | byte
        elif j < 24:
            c = (c << np.uint64(8)) | byte
        else:
            e = (e << np.uint64(8)) | byte
    return a, b, c, e


@inlined_unchecked_kernel
def _first_bytes(block: Int, size: Int) -> Int:
    """`block` with the bytes from `size` on set to zero."""
    left = min(max(8 - size, 0), 8)
    half = np.uint64(4 * left)  # a shift by 64 is not defined
    return ((block << half) << half) >> half >> half


@inlined_unchecked_kernel
def _place(a: Int, b: Int, c: Int, e: Int, places: Int) -> Int:
    h = (a ^ (b * _MIX)) * _MIX
    h ^= h >> np.uint64(29)
    h = (h ^ c ^ (e * _MIX)) * _MIX
    return np.int64((h >> np.uint64(32)) & np.uint64(places - 1))


@inner_unchecked_kernel
def char_ngrams(
    g: Ngrams, rows: Array, data: Array, start: Int, end: Int, total: Array, pending: Array, n: Int
) -> tuple[Int, Int]:
    """Collect the rows of the n-grams of `<token>` (Dictionary::computeSubwords); returns how many, and the new n.

    Hashed onwards from each first character. `<` and `>` alone are left out, so lengths from 2 start at `<`, and none at `>`.
    `pending[:n]` is added to `total` whenever it is full.
    """
    found, inverse = np.int64(0), 1.0 / g.bucket
    for first in range(start - 1, end):
        if first >= start and (data[first] & 0xC0) == 0x80:
            continue
        before = n
        h, j = _char(data, first, end, FNV_SEED) if first >= start else (step(FNV_SEED, _OPEN), start)
        if g.minn <= 1 and first >= start:
            n = _push_bucket(g, _remainder(h, g.bucket, inverse), pending, n)
        for length in range(2, g.maxn + 1):
            if j > end:
                break
            h, j = _char(data, j, end, h)
            if length >= g.minn:
                n = _push_bucket(g, _remainder(h, g.bucket, inverse), pending, n)
        found += n - before
        if n >= MAX_PENDING:
            add_rows(rows, pending, n, total)
            n = np.int64(0)
    return found, n


@inlined_unchecked_kernel
def _char(data: Array, j: Int, end: Int, h: Int) -> tuple[Int, Int]:
    """Hash the UTF-8 character at `j`, or the closing `>` at `end`; returns the hash and what follows."""
    if j == end:
        return step(h, _CLOSE), j + 1
    h = step(h, data[j])
    j += 1
    while j < end and (data[j] & 0xC0) == 0x80:
        h = step(h, data[j])
        j += 1
    return h, j


@inlined_unchecked_kernel
def _word_ngrams(g: Ngrams, h: Int, recent: Array, n_recent: Int, pending: Array, n: Int) -> tuple[Int, Int]:
    """Collect the rows of the word n-grams that end in the word with hash `h` (Dictionary::addWordNgrams).

    `recent[:n_recent]`: hashes of the n-grams that end in the word before, shortest first; grows by this word.
    Returns the new length of `recent` and the new n.
    """
    signed = np.uint64(np.int64(np.int32(h)))
    for i in range(n_recent):
        recent[i] = recent[i] * WORD_PRIME + signed
        n = push(g, recent[i], pending, n)
    grown = min(n_recent + 1, recent.shape[0])
    for i in range(grown - 1, 0, -1):
        recent[i] = recent[i - 1]
    recent[0] = signed
    return grown, n


@inner_unchecked_kernel
def push(g: Ngrams, h: Int, pending: Array, n: Int) -> Int:
    """Append the row of the n-gram with hash `h` to `pending[:n]` unless it was pruned; returns the new length."""
    # A power of two, as our own models have, spares a division, which costs as much as all the rest.
    bucket = h & np.uint64(g.bucket - 1) if g.bucket & (g.bucket - 1) == 0 else h % np.uint64(g.bucket)
    return _push_bucket(g, bucket, pending, n)


@inlined_unchecked_kernel
def _remainder(h: Int, divisor: Int, inverse: Float) -> Int:
    """`h % divisor` of two numbers below 2 ** 32, by the float64 `1 / divisor`: the quotient is at most one off."""
    rest = np.int64(h) - np.int64(np.float64(np.int64(h)) * inverse) * divisor
    rest += divisor if rest < 0 else 0
    return np.uint64(rest - divisor if rest >= divisor else rest)


@inlined_unchecked_kernel
def _push_bucket(g: Ngrams, bucket: Int, pending: Array, n: Int) -> Int:
    """Append the row of the n-gram in `bucket` to `pending[:n]` unless it was pruned; returns the new length.

    Without a branch: which n-grams were kept is close to random, and mispredicted branches cost more than this arithmetic.
    """
    if not g.pruned:
        pending[n] = np.uint64(g.first_row) + bucket
        return n + 1
    block, place = bucket >> np.uint64(6), bucket & np.uint64(63)
    bits = g.kept[block, 0]
    below = bits & ((np.uint64(1) << place) - np.uint64(1))
    pending[n] = np.uint64(g.first_row) + g.kept[block, 1] + ones(below)
    return n + np.int64((bits >> place) & np.uint64(1))


@inner_unchecked_kernel
def add_rows(rows: Array, pending: Array, n: Int, total: Array) -> None:
    """Add the rows `pending[:n]` to `total`, four columns at a time, so that sums stay in registers."""
    fours = total.shape[0] - total.shape[0] % 4
    for d in range(0, fours, 4):
        a, b, c, e = total[d], total[d + 1], total[d + 2], total[d + 3]
        for i in range(n):
            row = pending[i]
            a += rows[row, d]
            b += rows[row, d + 1]
            c += rows[row, d + 2]
            e += rows[row, d + 3]
        total[d], total[d + 1], total[d + 2], total[d + 3] = a, b, c, e
    for d in range(fours, total.shape[0]):
        for i in range(n):
            total[d] += rows[pending[i], d]
