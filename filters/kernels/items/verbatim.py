"""Items that stand word for word: a question by itself or with its answer near it, a short one with its options behind it."""

from __future__ import annotations

from typing import Any

import numpy as np

from filters.kernels.compiled import Array, Bool, Int, inner_kernel
from filters.kernels.items.hits import Sought, better, place_of, within_of
from filters.kernels.items.item_words import answer_code

LONG = 20
"""Words of a question, or of an item as a whole, that are enough without its answer."""
SHORT = 8
"""Words of the shortest question that is looked for with its answer."""
NEAR = 50
"""Words between a short question and its answer at most."""
WHOLE = 32
"""Words of an item that is looked for word for word with its options; longer ones are measured."""
SAID = 8
"""Words that its question and the options that are there must have together, so that one of them by itself is none."""
FEW_OPTIONS, SLACK = 8, 16
"""Options of such an item at most; words that may stand among them besides, such as letters."""


@inner_kernel
def verbatim_question(codes: Array, before: Int, sought: Sought, item: Int, pairs: Array, best: Any) -> Any:
    """Looks for the whole of a question; of a short one with the answer near it."""
    items = sought.items
    begin, end = items.starts[items.firsts[item]], items.starts[items.firsts[item] + 1]
    size = np.int64(end - begin)
    if size < SHORT or (size < LONG and items.answer_words[item] == 0):
        return best
    tried = np.int64(-1)
    for k in range(pairs.size):
        at = place_of(pairs[k]) - within_of(pairs[k])
        if at == tried or at < 0 or at + size > codes.size or within_of(pairs[k]) >= size:
            continue
        tried = at
        if _same(codes, at, items.words, np.int64(begin), size) and (
            size >= LONG or _answered(codes, at, at + size, items.answers[item], np.int64(items.answer_words[item]))
        ):
            best = better(best, np.float32(1), item, before + at, before + at + size - 1, sought)
    return best


@inner_kernel
def _answered(codes: Array, first: Int, stop: Int, answer: Int, size: Int) -> Bool:
    """Whether the answer stands within NEAR words of the words at `first` to `stop`, outside of them."""
    for at in range(max(np.int64(0), first - NEAR - size + 1), min(codes.size - size, stop + NEAR - 1) + 1):
        if at + size > first and at < stop:
            continue
        if answer_code(codes[at : at + size]) == answer:
            return True
    return False


@inner_kernel
def verbatim_item(codes: Array, before: Int, sought: Sought, item: Int, pairs: Array, best: Any) -> Any:
    """Looks for a short item word for word: its question, and behind it three of four options, in any order."""
    items = sought.items
    s, stop = items.firsts[item], items.firsts[item + 1]
    begin, end, last = np.int64(items.starts[s]), np.int64(items.starts[s + 1]), np.int64(items.starts[stop])
    size, options = end - begin, np.int64(stop - s - 1)
    if size == 0 or options < 2 or options > FEW_OPTIONS or last - begin >= WHOLE:
        return best
    span = size + 2 * (last - end) + SLACK
    following = np.int64(0)
    for k in range(pairs.size):
        place = place_of(pairs[k])
        for at in range(max(following, np.int64(place - span + 1)), place + 1):
            if at + size > codes.size or not _same(codes, at, items.words, begin, size):
                continue
            found, said, reached = np.int64(0), size, np.int64(at + size)
            for option in range(s + 1, stop):
                first = np.int64(items.starts[option])
                length = np.int64(items.starts[option + 1]) - first
                for there in range(at + size, min(at + span - length, codes.size - length) + 1):
                    if length > 0 and _same(codes, there, items.words, first, length):
                        found, said, reached = found + 1, said + length, max(reached, np.int64(there + length))
                        break
            if found >= 2 and 4 * found >= 3 * options and said >= SAID:
                best = better(best, np.float32(1), item, before + at, before + reached - 1, sought)
        following = place + 1
    return best


@inner_kernel
def _same(codes: Array, at: Int, words: Array, begin: Int, size: Int) -> Bool:
    """Whether `size` words of the text are those of an item."""
    w = np.int64(0)
    while w < size and np.uint8(codes[at + w] >> np.uint32(24)) == words[begin + w]:
        w += 1
    return w == size
