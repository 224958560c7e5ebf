"""fastText's prediction over Arrow buffers: the mean of a text's rows of the input matrix, scores, the best k labels (k <= 2).

Invariant: the labels and scores of row i are those of `fasttext.load_model(path).predict([text.replace("\\n", " ")], k)`: the
same labels, scores within 1e-5 (sums are taken in another order). A newline inside a row separates words like a space; the one
newline that fastText appends gives the word `</s>` at the end of the row. Every loop is bounded by the text or by `Tables`.
Source: fastText 0.9.3, src/loss.cc,.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from filters.kernels.compiled import Array, Bool, Float, Int, inner_unchecked_kernel, unchecked_kernel
from filters.kernels.models.fasttext_tables import HS, SOFTMAX, Head, Tables
from filters.kernels.models.fasttext_words import END, IN_ORDER, Work, add_rows, collect_rows

_ONE, _LITTLE = np.float32(1.0), np.float64(1e-5)  # std_log(x) = log(x + 1e-5), loss.cc
_NEVER = np.float32(np.log(1e-5))  # std_log of the threshold 0: hierarchical softmax gives no label below it


class Judged(NamedTuple):
    """What `judge` fills, best label first; -1 and 0 where fastText returns fewer labels."""

    labels: np.ndarray  # int32[n, 2]
    scores: np.ndarray  # float32[n, 2]
    part_labels: np.ndarray  # int32[n, parts]
    part_scores: np.ndarray  # float32[n, parts]


@inner_unchecked_kernel
def _size(spans: Array) -> Int:
    """Bytes of a text."""
    total = np.int64(0)
    for part in range(spans.shape[0]):
        total += spans[part, 1] - spans[part, 0]
    return total


@inner_unchecked_kernel
def _hidden(t: Tables, data: Array, spans: Array, work: Work) -> Int:
    """Mean of the rows of a text, the parts `data[a:b]` of `spans` in order, into `work.hidden`; returns how many rows.

    As in Dictionary::getLine a token `</s>` in the text ends it; else the newline that fastText appends gives one.
    """
    hidden = work.hidden
    for d in range(hidden.shape[0]):
        hidden[d] = 0
    count, n, n_recent, ended = np.int64(0), np.int64(0), np.int64(0), False
    in_order = _size(spans) >= IN_ORDER
    for part in range(spans.shape[0]):
        if not ended:
            at, stop = spans[part, 0], spans[part, 1]
            found, n, n_recent, ended = collect_rows(t, data, at, stop, hidden, work, n, n_recent, in_order)
            count += found
    if not ended:
        found, n, n_recent, ended = collect_rows(t, END, np.int64(0), np.int64(END.shape[0]), hidden, work, n, n_recent, in_order)
        count += found
    add_rows(t.rows, work.pending, n, hidden)
    if count == 0:
        return count
    scale = np.float32(1.0 / count)
    for d in range(hidden.shape[0]):
        hidden[d] *= scale
    return count


@inner_unchecked_kernel
def _dot(matrix: Array, row: Int, vector: Array) -> Float:
    total = np.float32(0)
    for d in range(vector.shape[0]):
        total += matrix[row, d] * vector[d]
    return total


@inner_unchecked_kernel
def _offer(label: Int, score: Float, labels: Array, scores: Array) -> None:
    """Put a label into the best k (k = 1 or 2); of equal scores the later comes first, as from fastText's heap."""
    last = labels.shape[0] - 1
    if score >= scores[0]:
        labels[last], scores[last] = labels[0], scores[0]
        labels[0], scores[0] = label, score
    elif last and score >= scores[1]:
        labels[1], scores[1] = label, score


@inner_unchecked_kernel
def _log(x: Float) -> Float:
    return np.float32(np.log(np.float64(x) + _LITTLE))


@inner_unchecked_kernel
def _sigmoid(table: Array, x: Float) -> Float:
    """fastText's sigmoid, a table of 512 steps (Loss::sigmoid)."""
    if x < -8:
        return np.float32(0)
    if x > 8:
        return _ONE
    return table[np.int64((x + np.float32(8)) * np.float32(32))]


@inner_unchecked_kernel
def _flat(head: Head, work: Work, labels: Array, scores: Array) -> None:
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


@inner_unchecked_kernel
def _tree(head: Head, work: Work, labels: Array, scores: Array) -> None:
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


@unchecked_kernel
def means(t: Tables, data: Array, spans: Array, work: Work, out: Array) -> None:
    """The mean of each text's rows of the input matrix, float32[n, dim]; zeros where it has none. `spans` as for `judge`."""
    for i in range(spans.shape[0]):
        _hidden(t, data, spans[i], work)
        for d in range(out.shape[1]):
            out[i, d] = work.hidden[d]


@inner_unchecked_kernel
def _rows_of(
    t: Tables, data: Array, at: Int, stop: Int, into: Array, work: Work, n_recent: Int, in_order: bool
) -> tuple[Int, Int, Bool]:
    """Sum of the rows of `data[at:stop]` in `into`: how many rows, the new n_recent, and whether `</s>` ended the text."""
    for d in range(into.shape[0]):
        into[d] = 0
    count, n, n_recent, ended = collect_rows(t, data, at, stop, into, work, np.int64(0), n_recent, in_order)
    add_rows(t.rows, work.pending, n, into)
    return count, n_recent, ended


@inner_unchecked_kernel
def _best(t: Tables, total: Array, count: Int, work: Work, labels: Array, scores: Array) -> None:
    """The best labels of a text whose `count` rows have the sum `total`; `scores` as logarithms."""
    for k in range(labels.shape[0]):
        labels[k], scores[k] = -1, -np.inf
    if count == 0:
        return
    scale = np.float32(1.0 / count)
    for d in range(total.shape[0]):
        work.hidden[d] = total[d] * scale
    if t.head.loss == HS:
        _tree(t.head, work, labels, scores)
    else:
        _flat(t.head, work, labels, scores)


@unchecked_kernel
def judge(t: Tables, data: Array, spans: Array, work: Work, out: Judged) -> None:
    """The best labels of texts, and the best one of each part of them, from one reading.

    `spans` int64[n, parts, 2]: text i is `data[a:b]` for each (a, b) of `spans[i]`; what lies between parts separates words, and
    no word n-gram goes over the end of a part. A part is judged as a text that is the part alone; -1 and 0 for a part of which no
    word or n-gram is known, or behind a token `</s>`, which ends the text.
    """
    total, labels, scores, part_labels, part_scores = work.total, out.labels, out.scores, out.part_labels, out.part_scores
    for i in range(spans.shape[0]):
        for d in range(total.shape[0]):
            total[d] = work.end[d] = 0
        in_order = _size(spans[i]) >= IN_ORDER
        count, count_end, ended, anything = np.int64(0), np.int64(0), False, False
        for p in range(spans.shape[1]):
            part_labels[i, p], part_scores[i, p] = -1, 0
            if ended or (anything and spans[i, p, 0] == spans[i, p, 1]):
                continue
            found, n_recent, ended = _rows_of(t, data, spans[i, p, 0], spans[i, p, 1], work.part, work, np.int64(0), in_order)
            if anything and found == 0 and not ended:
                continue
            anything |= found > 0
            count += found
            count_end = np.int64(0)
            for d in range(total.shape[0]):
                total[d] += work.part[d]
                work.end[d] = 0
            if not ended:
                count_end, _, _ = _rows_of(t, END, np.int64(0), np.int64(END.shape[0]), work.end, work, n_recent, in_order)
            if found:
                for d in range(total.shape[0]):
                    work.part[d] += work.end[d]
                _best(t, work.part, found + count_end, work, part_labels[i, p : p + 1], part_scores[i, p : p + 1])
                part_scores[i, p] = np.exp(part_scores[i, p]) if part_labels[i, p] >= 0 else np.float32(0)
        for d in range(total.shape[0]):
            total[d] += work.end[d]
        _best(t, total, count + count_end, work, labels[i], scores[i])
        for k in range(labels.shape[1]):
            scores[i, k] = np.exp(scores[i, k]) if labels[i, k] >= 0 else np.float32(0)
