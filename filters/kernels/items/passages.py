"""Passages of a text that hold an evaluation item, among words in which seeds of items were hit.

Where two seeds of an item that share no word stand in one window, its *coverage* is measured: the share of the weight of its
words that stand in three words in a row which the window has too; of different words likewise, and the smaller share counts. A
question that is long enough is judged by itself or with its options, whichever is covered better; options count in any order. A
question that stands word for word is found by one seed; a short one only with its answer near it, or with its options behind it.

Invariant: a row equals `tests/filters/kernels/items/plain_passages.py`. Linear, whatever the text is: a gram has at most COMMON
items, and a window is measured at most twice for each item.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from filters.kernels.compiled import Array, Bool, Float, Int, inner_kernel
from filters.kernels.dedup.minhash import sort
from filters.kernels.items.item_words import answer_code
from filters.kernels.items.tables import GRAM, HEAVY, MULTIPLIER, Items, Seeds

LONG = 20
"""Words of a question, or of an item as a whole, that are enough without its answer."""
SHORT = 8
"""Words of the shortest question that is looked for with its answer."""
NEAR = 50
"""Words between a short question and its answer at most."""
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
WHOLE = 32
"""Words of an item that is looked for word for word with its options; longer ones are measured."""
SAID = 8
"""Words that its question and the options that are there must have together, so that one of them by itself is none."""
FEW_OPTIONS, SLACK = 8, 16
"""Options of such an item at most; words that may stand among them besides, such as letters."""
APART = 64
"""Words without a seed after which a passage has ended."""
_TABLE = 1 << 15
"""Places for the three words in a row of a window: more than twice as many as the widest has."""


class Scratch(NamedTuple):
    words: np.ndarray  # uint64[BLOCK + SPARE]: hashes of words
    codes: np.ndarray  # uint32: their upper halves
    hits: np.ndarray  # int32[len(codes), 2]: word, and number of the key
    pairs: np.ndarray  # uint64[COMMON * len(codes)]: item, word of the text, word of the item
    kinds: np.ndarray  # int64[256, 2]: weight of each byte that an item has, and as far as it is covered
    known: np.ndarray  # int32[_TABLE, 2]: three words in a row of a window, and the window's number


class Sought(NamedTuple):
    """What is looked for, and what is done with it: words of passages that cover an item by `limit` are marked in `gone`."""

    items: Items
    seeds: Seeds
    scratch: Scratch
    gone: np.ndarray  # uint8: by word of a row
    limit: np.ndarray  # float32[1]


def scratch(words: int, codes: int, pairs: int) -> Scratch:
    """Of these lengths."""
    return Scratch(
        np.empty(words, np.uint64),
        np.empty(codes, np.uint32),
        np.empty((codes, 2), np.int32),
        np.empty(pairs, np.uint64),
        np.zeros((256, 2), np.int64),
        np.zeros((_TABLE, 2), np.int32),
    )


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
        item = _item(pairs[first])
        last = first + 1
        while last < n and _item(pairs[last]) == item:
            last += 1
        best = _exact(codes, before, sought, item, pairs[first:last], best)
        best = _whole(codes, before, sought, item, pairs[first:last], best)
        if last - first > 1:
            best, window = _windows(codes, before, sought, item, pairs[first:last], best, window)
        first = last
    return best, window


@inner_kernel
def _item(pair: Int) -> Int:
    return np.int64(pair >> np.uint64(40))


@inner_kernel
def _place(pair: Int) -> Int:
    return np.int64((pair >> np.uint64(16)) & np.uint64(0xFFFFFF))


@inner_kernel
def _within(pair: Int) -> Int:
    return np.int64(pair & np.uint64(0xFFFF))


@inner_kernel
def _better(best: Any, coverage: Float, item: Int, first: Int, last: Int, sought: Sought) -> Any:
    if coverage >= sought.limit[0]:
        for k in range(first, last + 1):
            sought.gone[k] = 1
    if coverage > best[0] or (coverage == best[0] and first < best[2]):
        return (np.float32(coverage), np.int64(item), np.int64(first), np.int64(last))
    return best


@inner_kernel
def _exact(codes: Array, before: Int, sought: Sought, item: Int, pairs: Array, best: Any) -> Any:
    """Looks for the whole of a question; of a short one with the answer near it."""
    items = sought.items
    begin, end = items.starts[items.firsts[item]], items.starts[items.firsts[item] + 1]
    size = np.int64(end - begin)
    if size < SHORT or (size < LONG and items.answer_words[item] == 0):
        return best
    tried = np.int64(-1)
    for k in range(pairs.size):
        at = _place(pairs[k]) - _within(pairs[k])
        if at == tried or at < 0 or at + size > codes.size or _within(pairs[k]) >= size:
            continue
        tried = at
        if _same(codes, at, items.words, np.int64(begin), size) and (
            size >= LONG or _answered(codes, at, at + size, items.answers[item], np.int64(items.answer_words[item]))
        ):
            best = _better(best, np.float32(1), item, before + at, before + at + size - 1, sought)
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
def _whole(codes: Array, before: Int, sought: Sought, item: Int, pairs: Array, best: Any) -> Any:
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
        place = _place(pairs[k])
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
                best = _better(best, np.float32(1), item, before + at, before + reached - 1, sought)
        following = place + 1
    return best


@inner_kernel
def _same(codes: Array, at: Int, words: Array, begin: Int, size: Int) -> Bool:
    """Whether `size` words of the text are those of an item."""
    w = np.int64(0)
    while w < size and np.uint8(codes[at + w] >> np.uint32(24)) == words[begin + w]:
        w += 1
    return w == size


@inner_kernel
def _windows(codes: Array, before: Int, sought: Sought, item: Int, pairs: Array, best: Any, window: Int) -> tuple[Any, Int]:
    """Measures the item where two of its seeds that share no word stand in one window."""
    items = sought.items
    wide = 2 * np.int64(items.starts[items.firsts[item + 1]] - items.starts[items.firsts[item]]) + APART
    a = np.int64(0)
    while a < pairs.size:
        z = a + 1
        while z < pairs.size and _place(pairs[z]) - _place(pairs[a]) <= wide:
            z += 1
        after = z
        if _disjoint(pairs[a:z]):
            window += 1
            coverage = _coverage(codes, _place(pairs[a]), _place(pairs[z - 1]) + GRAM, sought, item, window)
            if coverage >= LEAST:
                b, c = _dense(pairs[a:z])
                first = _extended(codes, items, item, pairs[a + b], np.int64(-1))
                last = _extended(codes, items, item, pairs[a + c], np.int64(1))
                best = _better(best, coverage, item, before + first, before + last, sought)
            else:
                half = _place(pairs[a]) + wide // 2
                after = a + 1
                while after < z and _place(pairs[after]) <= half:
                    after += 1
        a = after
    return best, window


@inner_kernel
def _disjoint(pairs: Array) -> Bool:
    """Whether two of the seeds share no word, neither of the text nor of the item."""
    for k in range(1, pairs.size):
        apart = _within(pairs[k]) - _within(pairs[0])
        if _place(pairs[k]) - _place(pairs[0]) >= GRAM and (apart >= GRAM or apart <= -GRAM):
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
        if k == pairs.size or _place(pairs[k]) - _place(pairs[k - 1]) > APART:
            if k - a > best:
                best, first, last = k - a, a, k - 1
            a = k
    return first, last


@inner_kernel
def _extended(codes: Array, items: Items, item: Int, pair: Int, way: Int) -> Int:
    """The word up to which a passage goes on from its outermost seed: as far in the seed's segment as every other word is the
    same."""
    place, word = _place(pair), items.starts[items.firsts[item]] + _within(pair)
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
        at = (at + np.uint64(1)) & np.uint64(_TABLE - 1)
    known[at, 0], known[at, 1] = three, window


@inner_kernel
def _has(known: Array, three: Int, window: Int) -> Bool:
    at = _slot(three)
    while known[at, 1] == window:
        if known[at, 0] == three:
            return True
        at = (at + np.uint64(1)) & np.uint64(_TABLE - 1)
    return False
