"""Passages of a text that hold an evaluation item, among words in which seeds of items were hit.

Where two seeds of an item that share no word stand in one window, its *coverage* is measured: the share of the weight of its
words that stand in three words in a row which the window has too; of different words likewise, and the smaller share counts. A
question that is long enough is judged by itself or with its options, whichever is covered better; options count in any order. A
question that stands word for word is found by one seed; a short one only with its answer near it, or with its options behind it.

Invariant: a row equals `tests/filters/kernels/items/plain_passages.py`. Linear, whatever the text is: a gram has at most COMMON
items, and a window is measured at most twice for each item.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from filters.kernels.compiled import Array, Bool, Float, Int, inner_kernel
from filters.kernels.dedup.minhash import sort
from filters.kernels.items.hits import TABLE, Sought, better, item_of, place_of, within_of
from filters.kernels.items.tables import GRAM, HEAVY, MULTIPLIER, Items
from filters.kernels.items.verbatim import LONG, verbatim_item, verbatim_question

ASKED = 0.4
"""Share of a question that must be covered for its options to count."""
LEAST = 0.3
"""Coverage from which an item counts as found."""
ANSWER_WORDS = 8
"""Of an answer that are looked for."""
TELLING, TELLING_WITH_OPTIONS = 7, 6
"""Different words of weight HEAVY or more that a passage must share with a question, or with an item that it holds with options.
Chosen: patterns of formulas and tables have up to five, and phrases that go with a thing, such as the steps of a recipe or what
is said of the sides of a triangle, six."""
APART = 64
"""Words without a seed after which a passage has ended."""


@inner_kernel
def judge(codes: Array, n_hits: Int, before: Int, sought: Sought, best: Any, window: Int) -> tuple[Any, Int]:
    """The best passage, `(coverage, item, first word, last word)`, of these words and of what was found `before` them."""
    items, seeds, hits, pairs = sought.items, sought.seeds, sought.scratch.hits, sought.scratch.pairs
    n = np.int64(0)
    for h in range(n_hits):
        number = hits[h, 1]
        for k in range(seeds.posts[number], seeds.posts[number + 1]):
            place = seeds.places[k]
            item = seeds.owners[place]
            within = place - items.starts[items.firsts[item]]
            pairs[n] = (np.uint64(item) << np.uint64(40)) | (np.uint64(hits[h, 0]) << np.uint64(16)) | np.uint64(within)
            n += 1
    sort(pairs[:n])
    first = np.int64(0)
    while first < n:
        item = item_of(pairs[first])
        last = first + 1
        while last < n and item_of(pairs[last]) == item:
            last += 1
        best = verbatim_question(codes, before, sought, item, pairs[first:last], best)
        best = verbatim_item(codes, before, sought, item, pairs[first:last], best)
        if last - first > 1:
            best, window = _windows(codes, before, sought, item, pairs[first:last], best, window)
        first = last
    return best, window


@inner_kernel
def _windows(codes: Array, before: Int, sought: Sought, item: Int, pairs: Array, best: Any, window: Int) -> tuple[Any, Int]:
    """Measures the item where two of its seeds that share no word stand in one window."""
    items = sought.items
    wide = 2 * np.int64(items.starts[items.firsts[item + 1]] - items.starts[items.firsts[item]]) + APART
    a = np.int64(0)
    while a < pairs.size:
        z = a + 1
        while z < pairs.size and place_of(pairs[z]) - place_of(pairs[a]) <= wide:
            z += 1
        after = z
        if _disjoint(pairs[a:z]):
            window += 1
            coverage = _coverage(codes, place_of(pairs[a]), place_of(pairs[z - 1]) + GRAM, sought, item, window)
            if coverage >= LEAST:
                b, c = _dense(pairs[a:z])
                first = _extended(codes, items, item, pairs[a + b], np.int64(-1))
                last = _extended(codes, items, item, pairs[a + c], np.int64(1))
                best = better(best, coverage, item, before + first, before + last, sought)
            else:
                half = place_of(pairs[a]) + wide // 2
                after = a + 1
                while after < z and place_of(pairs[after]) <= half:
                    after += 1
        a = after
    return best, window


@inner_kernel
def _disjoint(pairs: Array) -> Bool:
    """Whether two of the seeds share no word, neither of the text nor of the item."""
    for k in range(1, pairs.size):
        apart = within_of(pairs[k]) - within_of(pairs[0])
        if place_of(pairs[k]) - place_of(pairs[0]) >= GRAM and (apart >= GRAM or apart <= -GRAM):
            return True
    return False


@inner_kernel
def _dense(pairs: Array) -> tuple[Int, Int]:
    """First and last of the part with most seeds, of those that APART words without one lie between."""
    best: Int = np.int64(0)
    first: Int = np.int64(0)
    last: Int = np.int64(0)
    a: Int = np.int64(0)
    for k in range(1, pairs.size + 1):
        if k == pairs.size or place_of(pairs[k]) - place_of(pairs[k - 1]) > APART:
            if k - a > best:
                best, first, last = k - a, a, k - 1
            a = k
    return first, last


@inner_kernel
def _extended(codes: Array, items: Items, item: Int, pair: Int, way: Int) -> Int:
    """The word up to which a passage goes on from its outermost seed: as far in the seed's segment as every other word is the
    same."""
    place, word = place_of(pair), items.starts[items.firsts[item]] + within_of(pair)
    s = items.firsts[item]
    while items.starts[s + 1] <= word:
        s += 1
    if way > 0:
        place, word = place + GRAM - 1, word + GRAM - 1
    reached, same, step = np.int64(0), np.int64(0), np.int64(1)
    while True:
        at, of = place + way * step, word + way * step
        if at < 0 or at >= codes.size or of < items.starts[s] or of >= items.starts[s + 1]:
            return place + way * reached
        if np.uint8(codes[at] >> np.uint32(24)) == items.words[of]:
            same += 1
            if 2 * same >= step:
                reached = step
        step += 1


@inner_kernel
def _coverage(codes: Array, first: Int, stop: Int, sought: Sought, item: Int, window: Int) -> Float:
    """The larger share: of the question, where it has LONG words, and of the whole item, where that has."""
    items, known, kinds = sought.items, sought.scratch.known, sought.scratch.kinds
    reach = np.int64(items.starts[items.firsts[item + 1]] - items.starts[items.firsts[item]])
    for k in range(max(np.int64(0), first - reach), min(codes.size - 2, stop + reach)):
        _remember(known, _three(codes[k] >> 24, codes[k + 1] >> 24, codes[k + 2] >> 24), window)
    covered = total = np.int64(0)
    kinds[:] = 0
    question = np.float32(0)
    asked: Any = False
    for s in range(items.firsts[item], items.firsts[item + 1]):
        begin, end = items.starts[s], items.starts[s + 1]
        until = begin  # words before it are covered
        for w in range(begin, end):
            three = _three(items.words[w], items.words[w + 1], items.words[w + 2]) if w + 2 < end else np.int64(-1)
            if three >= 0 and _has(known, three, window):
                until = w + 3
            weight, kind = np.int64(items.weights[w]), np.uintp(items.words[w])
            total += weight
            kinds[kind, 0] = max(kinds[kind, 0], weight)
            if w < until:
                covered += weight
                kinds[kind, 1] = max(kinds[kind, 1], weight)
        if s == items.firsts[item]:
            share = _share(covered, total, kinds, TELLING)
            asked = total == 0 or covered / total >= ASKED
            if end - begin >= LONG:
                question = share
    if asked and reach >= LONG and items.firsts[item + 1] - items.firsts[item] > 1:
        return max(question, _share(covered, total, kinds, TELLING_WITH_OPTIONS))
    return question


@inner_kernel
def _share(covered: Int, total: Int, kinds: Array, least: Int) -> Float:
    """The smaller of the covered share of words and of different words: a pattern that repeats is little of an item. 0 where
    fewer than `least` different heavy words are covered."""
    if total == 0:
        return np.float32(0)
    some = whole = telling = np.int64(0)
    for k in range(256):
        whole += kinds[k, 0]
        some += kinds[k, 1]
        telling += kinds[k, 1] >= HEAVY
    if telling < least:
        return np.float32(0)
    return np.float32(min(covered / total, some / whole))


@inner_kernel
def _three(a: Int, b: Int, c: Int) -> Int:
    return (np.int64(a) << 16) | (np.int64(b) << 8) | np.int64(c)


@inner_kernel
def _slot(three: Int) -> Int:
    return (np.uint64(three) * MULTIPLIER) >> np.uint64(49)


@inner_kernel
def _remember(known: Array, three: Int, window: Int) -> None:
    at = _slot(three)
    while known[at, 1] == window and known[at, 0] != three:
        at = (at + np.uint64(1)) & np.uint64(TABLE - 1)
    known[at, 0], known[at, 1] = three, window


@inner_kernel
def _has(known: Array, three: Int, window: Int) -> Bool:
    at = _slot(three)
    while known[at, 1] == window:
        if known[at, 0] == three:
            return True
        at = (at + np.uint64(1)) & np.uint64(TABLE - 1)
    return False
