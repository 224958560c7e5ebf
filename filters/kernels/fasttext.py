"""fastText's prediction over Arrow buffers: tokens, rows of the input matrix, their mean, scores, the best k labels (k <= 2).

Invariant: the labels and scores of row i are those of `fasttext.load_model(path).predict([text.replace("\\n", " ")], k)`: the
same labels, scores within 1e-5 (sums are taken in another order). A newline inside a row separates words like a space; the one
newline that predict appends gives the word `</s>` at the end of the row. Every loop is bounded by the text or by `Tables`.
Source: fastText 0.9.3, src/dictionary.cc, src/loss.cc, src/quantmatrix.cc, and field_notes.md section 11.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

HS, NS, SOFTMAX, OVA = 1, 2, 3, 4
MAX_PROBES = 512  # of a hash table at load <= 0.5; the longest in 2,097,152 random keys was 41
MAX_PENDING = 256  # rows collected before they are added: few enough that they stay in the cache while columns are added in fours

# As filters.kernels.compiled.kernel, with numpy's error model: no test for a zero divisor before each remainder, since the reader
# refuses 0 buckets where there are n-grams. Without reference counts (_nrt) a call costs nothing, and kernels allocate nothing.
_kernel = njit(nogil=True, cache=True, _nrt=False, error_model="numpy")  # type: ignore[call-overload]

_FNV_SEED = np.uint32(2166136261)
_FNV_PRIME = np.uint32(16777619)
_WORD_PRIME = np.uint64(116049371)
_OPEN, _CLOSE = np.uint8(60), np.uint8(62)  # < and >
_LABEL = np.frombuffer(b"__label__", np.uint8)  # predict knows no other prefix: the file does not keep it
_END = np.frombuffer(b"</s>", np.uint8)
_ONE, _LITTLE = np.float32(1.0), np.float64(1e-5)  # std_log(x) = log(x + 1e-5), loss.cc
_NEVER = np.float32(np.log(1e-5))  # std_log of the threshold 0: hierarchical softmax gives no label below it


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


class Work(NamedTuple):
    """Memory that one call of `predict` works in; made by `work`."""

    hidden: np.ndarray  # float32[dim]
    output: np.ndarray  # float32[n_labels]
    nodes: np.ndarray  # int32[n_labels + 1]: the tree's nodes still to visit, and their scores
    weights: np.ndarray  # float32[n_labels + 1]
    recent: np.ndarray  # uint64[longest word n-gram - 1, at least 1]: hashes of the n-grams that the next word extends
    pending: np.ndarray  # uint64[MAX_PENDING + the most rows that one step adds]


def work(tables: Tables) -> Work:
    """New memory for `predict` with this model."""
    n_labels, dim = tables.head.output.shape
    return Work(
        hidden=np.empty(dim, np.float32),
        output=np.empty(n_labels, np.float32),
        nodes=np.empty(n_labels + 1, np.int32),
        weights=np.empty(n_labels + 1, np.float32),
        recent=np.empty(max(tables.ngrams.words - 1, 1), np.uint64),
        pending=pending(tables.ngrams),
    )


def pending(ngrams: Ngrams) -> np.ndarray:
    """Memory for rows still to be added: a full list, one more word, the n-grams of one start, and the word n-grams."""
    return np.empty(MAX_PENDING + ngrams.maxn + ngrams.words + 1, np.uint64)


@_kernel
def _step(h, byte):
    """One byte of 32-bit FNV-1a; bytes are signed, as in every released model."""
    return np.uint32((h ^ np.uint32(np.int8(byte))) * _FNV_PRIME)


@_kernel
def _slot(key, mask):
    """Home of a 32-bit key in a table of mask + 1 places (murmur3's finaliser)."""
    h = np.uint64(key)
    h = ((h ^ (h >> np.uint64(16))) * np.uint64(0x85EBCA6B)) & np.uint64(0xFFFFFFFF)
    h = ((h ^ (h >> np.uint64(13))) * np.uint64(0xC2B2AE35)) & np.uint64(0xFFFFFFFF)
    return np.int64((h ^ (h >> np.uint64(16))) & np.uint64(mask))


@_kernel
def hash_words(words, offsets, hashes, slots):
    """Fill `hashes`, and `slots` (all -1, a power of two, at least twice the words); false if a probe passes MAX_PROBES."""
    mask = slots.shape[0] - 1
    for w in range(offsets.shape[0] - 1):
        h = _FNV_SEED
        for j in range(offsets[w], offsets[w + 1]):
            h = _step(h, words[j])
        hashes[w] = h
        at = _slot(h, mask)
        probes = 0
        while slots[at] >= 0:
            at = (at + 1) & mask
            probes += 1
            if probes >= MAX_PROBES:
                return False
        slots[at] = w
    return True


@_kernel
def fold_words(vocabulary, ngrams, rows, counts, pending):
    """Add to each word's row the rows of its character n-grams, and count them: a known word then costs one addition."""
    for w in range(vocabulary.n_words):
        start, end = vocabulary.offsets[w], vocabulary.offsets[w + 1]
        counts[w] = 1
        if ngrams.maxn > 0 and not _is(vocabulary.words, start, end, _END):
            added, n = _char_ngrams(ngrams, rows, vocabulary.words, start, end, rows[w], pending, np.int64(0))
            _add(rows, pending, n, rows[w])
            counts[w] += added


@_kernel
def parse_words(data, words, offsets, counts, kinds):
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


@_kernel
def huffman(counts, weight, left, right):
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


@_kernel
def _is(data, start, end, word):
    """`data[start:end] == word`."""
    return end - start == word.shape[0] and _starts(data, start, end, word)


@_kernel
def _starts(data, start, end, word):
    """`data[start:end].startswith(word)`."""
    if end - start < word.shape[0]:
        return False
    for j in range(word.shape[0]):  # noqa: SIM110, numba has no all()
        if data[start + j] != word[j]:
            return False
    return True


@_kernel
def _find(v, data, start, end, h):
    """Number of a token among words and labels, or -1. `h` is its hash."""
    mask = v.slots.shape[0] - 1
    at = _slot(h, mask)
    for _ in range(MAX_PROBES):
        w = v.slots[at]
        if w < 0:
            return -1
        if v.hashes[w] == h and _is(data, start, end, v.words[v.offsets[w] : v.offsets[w + 1]]):
            return w
        at = (at + 1) & mask
    return -1


@_kernel
def _add(rows, pending, n, total):
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


@_kernel
def _ones(x):
    """Bits set in a uint64 (compiled to one instruction)."""
    x = x - ((x >> np.uint64(1)) & np.uint64(0x5555555555555555))
    x = (x & np.uint64(0x3333333333333333)) + ((x >> np.uint64(2)) & np.uint64(0x3333333333333333))
    x = (x + (x >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    return (x * np.uint64(0x0101010101010101)) >> np.uint64(56)


@_kernel
def _push(g, h, pending, n):
    """Append the row of the n-gram with hash `h` to `pending[:n]` unless it was pruned; returns the new length.

    Without a branch: which n-grams were kept is close to random, and mispredicted branches cost more than this arithmetic.
    """
    bucket = h % np.uint64(g.bucket)
    if not g.pruned:
        pending[n] = np.uint64(g.first_row) + bucket
        return n + 1
    block, place = bucket >> np.uint64(6), bucket & np.uint64(63)
    bits = g.kept[block, 0]
    below = bits & ((np.uint64(1) << place) - np.uint64(1))
    pending[n] = np.uint64(g.first_row) + g.kept[block, 1] + _ones(below)
    return n + np.int64((bits >> place) & np.uint64(1))


@_kernel
def _char(data, j, end, h):
    """Hash the UTF-8 character at `j`, or the closing `>` at `end`; returns the hash and what follows."""
    if j == end:
        return _step(h, _CLOSE), j + 1
    h = _step(h, data[j])
    j += 1
    while j < end and (data[j] & 0xC0) == 0x80:
        h = _step(h, data[j])
        j += 1
    return h, j


@_kernel
def _char_ngrams(g, rows, data, start, end, total, pending, n):
    """Collect the rows of the n-grams of `<token>` (Dictionary::computeSubwords); returns how many, and the new n.

    Hashed onwards from each first character. `<` and `>` alone are left out, so lengths from 2 start at `<`, and none at `>`.
    `pending[:n]` is added to `total` whenever it is full.
    """
    found = np.int64(0)
    for first in range(start - 1, end):
        if first >= start and (data[first] & 0xC0) == 0x80:
            continue
        before = n
        h, j = _char(data, first, end, _FNV_SEED) if first >= start else (_step(_FNV_SEED, _OPEN), start)
        if g.minn <= 1 and first >= start:
            n = _push(g, np.uint64(h), pending, n)
        for length in range(2, g.maxn + 1):
            if j > end:
                break
            h, j = _char(data, j, end, h)
            if length >= g.minn:
                n = _push(g, np.uint64(h), pending, n)
        found += n - before
        if n >= MAX_PENDING:
            _add(rows, pending, n, total)
            n = np.int64(0)
    return found, n


@_kernel
def _word_ngrams(g, h, recent, n_recent, pending, n):
    """Collect the rows of the word n-grams that end in the word with hash `h` (Dictionary::addWordNgrams).

    `recent[:n_recent]`: hashes of the n-grams that end in the word before, shortest first; grows by this word.
    Returns the new length of `recent` and the new n.
    """
    signed = np.uint64(np.int64(np.int32(h)))
    for i in range(n_recent):
        recent[i] = recent[i] * _WORD_PRIME + signed
        n = _push(g, recent[i], pending, n)
    grown = min(n_recent + 1, recent.shape[0])
    for i in range(grown - 1, 0, -1):
        recent[i] = recent[i - 1]
    recent[0] = signed
    return grown, n


@_kernel
def _token(t, data, start, end, h, total, pending, n):
    """Collect the rows of one token (Dictionary::addSubwords); returns how many, -1 for a label, and the new n."""
    w = _find(t.vocabulary, data, start, end, h)
    if w >= t.vocabulary.n_words:
        return np.int64(-1), n
    if w >= 0:
        pending[n] = w
        return np.int64(t.counts[w]), n + 1
    if _starts(data, start, end, _LABEL):
        return np.int64(-1), n
    if t.ngrams.maxn > 0 and not _is(data, start, end, _END):
        return _char_ngrams(t.ngrams, t.rows, data, start, end, total, pending, n)
    return np.int64(0), n


@_kernel
def _separates(byte):
    return byte == 32 or (byte <= 13 and (byte >= 9 or byte == 0))


@_kernel
def _words(t, data, at, stop, total, pending, n, recent, n_recent):
    """Collect the rows of the tokens of `data[at:stop]`: how many, the new n and n_recent, and whether `</s>` ended the text."""
    count = np.int64(0)
    while at < stop:
        while at < stop and _separates(data[at]):
            at += 1
        start = at
        h = _FNV_SEED
        while at < stop and not _separates(data[at]):
            h = _step(h, data[at])
            at += 1
        if at == start:
            break
        found, n = _token(t, data, start, at, h, total, pending, n)
        if found >= 0:
            count += found
            if t.ngrams.words > 1:
                before = n
                n_recent, n = _word_ngrams(t.ngrams, h, recent, n_recent, pending, n)
                count += n - before
        if n >= MAX_PENDING:
            _add(t.rows, pending, n, total)
            n = np.int64(0)
        if _is(data, start, at, _END):
            return count, n, n_recent, True
    return count, n, n_recent, False


@_kernel
def _hidden(t, data, spans, work):
    """Mean of the rows of a text, the parts `data[a:b]` of `spans` in order, into `work.hidden`; returns how many rows.

    As in Dictionary::getLine a token `</s>` in the text ends it; else the newline that predict appends gives one.
    """
    hidden, pending, recent = work.hidden, work.pending, work.recent
    for d in range(hidden.shape[0]):
        hidden[d] = 0
    count, n, n_recent, ended = np.int64(0), np.int64(0), np.int64(0), False
    for part in range(spans.shape[0]):
        if not ended:
            at, stop = spans[part, 0], spans[part, 1]
            found, n, n_recent, ended = _words(t, data, at, stop, hidden, pending, n, recent, n_recent)
            count += found
    if not ended:
        found, n, n_recent, ended = _words(t, _END, np.int64(0), np.int64(_END.shape[0]), hidden, pending, n, recent, n_recent)
        count += found
    _add(t.rows, pending, n, hidden)
    if count == 0:
        return count
    scale = np.float32(1.0 / count)
    for d in range(hidden.shape[0]):
        hidden[d] *= scale
    return count


@_kernel
def _dot(matrix, row, vector):
    total = np.float32(0)
    for d in range(vector.shape[0]):
        total += matrix[row, d] * vector[d]
    return total


@_kernel
def _offer(label, score, labels, scores):
    """Put a label into the best k (k = 1 or 2); of equal scores the later comes first, as from fastText's heap."""
    last = labels.shape[0] - 1
    if score >= scores[0]:
        labels[last], scores[last] = labels[0], scores[0]
        labels[0], scores[0] = label, score
    elif last and score >= scores[1]:
        labels[1], scores[1] = label, score


@_kernel
def _log(x):
    return np.float32(np.log(np.float64(x) + _LITTLE))


@_kernel
def _sigmoid(table, x):
    """fastText's sigmoid, a table of 512 steps (Loss::sigmoid)."""
    if x < -8:
        return np.float32(0)
    if x > 8:
        return _ONE
    return table[np.int64((x + np.float32(8)) * np.float32(32))]


@_kernel
def _flat(head, work, labels, scores):
    """Best labels of a softmax or of independent sigmoids (Loss::findKBest)."""
    output = work.output
    for i in range(output.shape[0]):
        output[i] = _dot(head.output, i, work.hidden)
    if head.loss == SOFTMAX:
        top, total = output[0], np.float32(0)
        for i in range(output.shape[0]):
            top = max(top, output[i])
        for i in range(output.shape[0]):
            output[i] = np.exp(output[i] - top)
            total += output[i]
        for i in range(output.shape[0]):
            output[i] /= total
    else:
        for i in range(output.shape[0]):
            output[i] = _sigmoid(head.sigmoid, output[i])
    for i in range(output.shape[0]):
        _offer(i, output[i], labels, scores)
    for k in range(labels.shape[0]):
        if labels[k] >= 0:
            scores[k] = _log(scores[k])


@_kernel
def _tree(head, work, labels, scores):
    """Best labels of hierarchical softmax (HierarchicalSoftmaxLoss::dfs): left first, branches below the k-th best left out."""
    n, nodes, weights = head.output.shape[0], work.nodes, work.weights
    nodes[0], weights[0] = 2 * n - 2, np.float32(0)
    depth = 1
    while depth:
        depth -= 1
        node, score = nodes[depth], weights[depth]
        if score < _NEVER or score < scores[-1]:
            continue
        if head.left[node] < 0:
            _offer(node, score, labels, scores)
            continue
        share = np.float32(1.0 / np.float64(_ONE + np.exp(-_dot(head.output, node - n, work.hidden))))
        nodes[depth], weights[depth] = head.right[node], score + _log(share)
        nodes[depth + 1], weights[depth + 1] = head.left[node], score + _log(_ONE - share)
        depth += 2


@_kernel
def predict(t, data, spans, work, labels, scores):
    """The best k labels of each text, best first.

    `spans` int64[n, parts, 2]: text i is `data[a:b]` for each (a, b) of `spans[i]`; what lies between parts separates words.
    `labels` int32[n, k], `scores` float32[n, k], k = 1 or 2, are filled; -1 and 0 where fastText returns fewer than k labels.
    """
    for i in range(spans.shape[0]):
        for k in range(labels.shape[1]):
            labels[i, k], scores[i, k] = -1, -np.inf
        if _hidden(t, data, spans[i], work):
            if t.head.loss == HS:
                _tree(t.head, work, labels[i], scores[i])
            else:
                _flat(t.head, work, labels[i], scores[i])
        for k in range(labels.shape[1]):
            scores[i, k] = np.exp(scores[i, k]) if labels[i, k] >= 0 else np.float32(0)
