"""A fastText model of two labels over our own tokens, in one walk over the text: tokens, hashes, rows, their mean or their sum.

Invariant: the logit of a text is that of `fasttext.means` over what `features` makes of it, with the same tables, up to the order
of sums: the mean of one number per row. Words are found by their keys (`bags`); those of the vocabulary are checked to be all
different. Word n-grams: up to 2.

`levelled` takes the same tables otherwise: only words count, each once in a text, and their sum is divided by the square root of
the number of words, so that one insult in a comment weighs more than the mean would let it; beyond `level` words by a multiple of
the number itself, so that a long text is judged by how dense its insults are. Equals `plain_levelled` in the tests.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from filters.kernels.compiled import Array, Bool, Float, Int, inlined_unchecked_kernel, unchecked_kernel
from filters.kernels.models import features
from filters.kernels.models.bags import Bags, key
from filters.kernels.models.fasttext_tables import MAX_PROBES, Tables, fnv
from filters.kernels.models.fasttext_words import END, MAX_PENDING, WORD_PRIME, char_ngrams, pending, push

_ALL = np.uint64(0xFFFFFFFFFFFFFFFF)
_SPARE = features.SPARE  # `key` reads up to seven bytes behind a token


class Index(NamedTuple):
    """Words by key. `slots` uint64[2 ** a, 2]: key and number of a word, or anything and 2 ** 64 - 1."""

    slots: np.ndarray
    weights: np.ndarray  # float32[rows, 1]: `Tables.rows`
    end: int  # number of the word </s>, or -1


class Work(NamedTuple):
    """Memory that one call works in."""

    token: np.ndarray  # uint8[longest text + _SPARE]
    rows: np.ndarray  # uint64, as `fasttext_words.pending`
    spilt: np.ndarray  # float32[1]: what `char_ngrams` added up because `rows` was full


@inlined_unchecked_kernel
def _find(slots: Array, wanted: Int) -> Int:
    """Number of a word by its key, or -1."""
    mask = np.uint64(slots.shape[0] - 1)
    at = wanted & mask
    for _ in range(MAX_PROBES):
        word = slots[at, 1]
        if word == _ALL:
            return np.int64(-1)
        if slots[at, 0] == wanted:
            return np.int64(word)
        at = (at + np.uint64(1)) & mask
    return np.int64(-1)


@unchecked_kernel
def _number(slots: Array, token: Array, size: Int) -> Int:
    return _find(slots, key(token, np.int64(0), size))


@unchecked_kernel
def _index(words: Array, offsets: Array, n_words: Int, slots: Array) -> Bool:
    """Fill `slots`; false if two words have one key or a probe is too long. `words` has _SPARE bytes behind the last."""
    mask = np.uint64(slots.shape[0] - 1)
    for w in range(n_words):
        own = key(words, offsets[w], offsets[w + 1])
        at = own & mask
        probes = 0
        while slots[at, 1] != _ALL:
            probes += 1
            if slots[at, 0] == own or probes >= MAX_PROBES:
                return False
            at = (at + np.uint64(1)) & mask
        slots[at, 0], slots[at, 1] = own, w
    return True


@unchecked_kernel
def _sum(weights: Array, rows: Array, n: Int) -> Float:
    total = np.float64(0)
    for i in range(n):
        total += weights[np.uintp(rows[i]), 0]
    return total


@unchecked_kernel
def _logits(
    t: Tables, index: Index, data: Array, spans: Array, classes: Array, punctuation: Array, work: Work, logits: Array
) -> None:
    token, rows, spilt = work.token, work.rows, work.spilt
    end_hash = np.uint64(np.int64(np.int32(fnv(END, 0, END.shape[0]))))
    for i in range(spans.shape[0]):
        total, count = np.float64(0), np.int64(0)
        before, any_before = np.uint64(0), False
        n, spilt[0] = np.int64(0), 0
        for part in range(spans.shape[1]):
            p, stop = spans[i, part, 0], spans[i, part, 1]
            while p < stop:
                p, size = features.next_token(data, p, stop, classes, punctuation, token, np.int64(0))
                if size == 0:
                    break
                word = _find(index.slots, key(token, np.int64(0), size))
                if word >= 0:
                    total += index.weights[np.uintp(word), 0]
                    count += t.counts[np.uintp(word)]
                elif t.ngrams.maxn > 0:
                    found, n = char_ngrams(t.ngrams, index.weights, token, np.int64(0), size, spilt, rows, n)
                    count += found
                if t.ngrams.words > 1:
                    h = np.uint64(np.int64(np.int32(fnv(token, np.int64(0), size))))
                    if any_before:
                        old = n
                        n = push(t.ngrams, before * WORD_PRIME + h, rows, n)
                        count += n - old
                    before, any_before = h, True
                if n >= MAX_PENDING:
                    total += _sum(index.weights, rows, n)
                    n = np.int64(0)
        if index.end >= 0:
            total += index.weights[index.end, 0]
            count += t.counts[index.end]
        if t.ngrams.words > 1 and any_before:
            old = n
            n = push(t.ngrams, before * WORD_PRIME + end_hash, rows, n)
            count += n - old
        total += _sum(index.weights, rows, n) + spilt[0]
        logits[i] = total / count if count else 0.0


@unchecked_kernel
def _levelled(t: Tables, index: Index, bags: Bags, work: Work, level: Int, logits: Array) -> None:
    rows, spilt = work.rows, work.spilt
    k = np.int64(0)
    for i in range(logits.shape[0]):
        total, n, words = np.float64(0), np.int64(0), bags.totals[i]
        spilt[0] = 0
        while k < bags.ends[i]:
            word = _find(index.slots, bags.keys[np.uintp(k)])
            if word >= 0:
                total += index.weights[np.uintp(word), 0]
            elif t.ngrams.maxn > 0:
                start, end = bags.starts[np.uintp(k)], bags.starts[np.uintp(k + 1)]
                _, n = char_ngrams(t.ngrams, index.weights, bags.bytes, start, end, spilt, rows, n)
            k += 1
            if n >= MAX_PENDING:
                total += _sum(index.weights, rows, n)
                n = np.int64(0)
        total += _sum(index.weights, rows, n) + spilt[0]
        length = np.sqrt(np.float64(words)) if words <= level else words / np.sqrt(np.float64(level))
        logits[i] = total / length if words else 0.0


def index(tables: Tables) -> Index | None:
    """The words of a model whose rows have one column, by key; None if two have one key (then use `fasttext.means`)."""
    v = tables.vocabulary
    slots = np.full((1 << max(3, (2 * v.n_words).bit_length()), 2), _ALL, np.uint64)
    padded = np.concatenate((v.words, np.zeros(_SPARE, np.uint8)))
    if not _index(padded, v.offsets, v.n_words, slots):
        return None
    end = int(_number(slots, np.concatenate((END, np.zeros(_SPARE, np.uint8))), len(END)))
    return Index(slots=slots, weights=tables.rows, end=end)


def logits(tables: Tables, words: Index, data: np.ndarray, spans: np.ndarray) -> np.ndarray:
    """float64[n]: the mean of the rows of each text, 0 without any. Text i is the UTF-8 `data[a:b]` for each (a, b) of `spans[i]`
    (int64[n, parts, 2]); no token spans two parts."""
    found = np.empty(len(spans))
    longest = int((spans[:, :, 1] - spans[:, :, 0]).max(initial=0))
    work = Work(np.empty(longest + _SPARE, np.uint8), pending(tables.ngrams), np.zeros(1, np.float32))
    _logits(tables, words, data, spans, features.CLASSES, features.PUNCTUATION, work, found)
    return found


def levelled(tables: Tables, words: Index, texts: Bags, *, level: int) -> np.ndarray:
    """float64[n]: the sum over the different words of each text, divided by the root of their number up to `level` words, and in
    proportion to their number beyond; 0 without a word."""
    found = np.empty(len(texts.totals))
    work = Work(np.empty(0, np.uint8), pending(tables.ngrams), np.zeros(1, np.float32))
    _levelled(tables, words, texts, work, level, found)
    return found
