"""The different words of texts, cut and hashed once for all models that sum over them.

Invariant: a text's words depend on its bytes alone; they stand in the order in which they first come. A *word* is a token of
`features` that begins with a letter. Its key is a 64-bit hash of its bytes alone; keys of words of up to eight bytes are all
different (each step is a bijection). Where a text has many keys of one home, a word may stand twice, always in the same way.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from filters.kernels.compiled import Array, Bool, Int, inlined_unchecked_kernel, unchecked_kernel
from filters.kernels.models import features, passages
from filters.kernels.models.fasttext_tables import MAX_PROBES
from filters.kernels.unicode.ascii_words import eight

_SEED = np.uint64(0x9E3779B97F4A7C15)
_MULTIPLIER = np.uint64(0x9FB21C651E98DF25)  # odd, of XXH3; as in filters.kernels.words.words
_ALL = np.uint64(0xFFFFFFFFFFFFFFFF)


class Bags(NamedTuple):
    """Words of n texts: those of text i end at `ends[i]`, where those of the next begin."""

    totals: np.ndarray  # int64[n]: words of the text, also those that came before
    ends: np.ndarray  # int64[n]
    keys: np.ndarray  # uint64[m]
    starts: np.ndarray  # int64[m + 1]: word k is `bytes[starts[k]:starts[k + 1]]`
    bytes: np.ndarray  # uint8[...], with features.SPARE bytes behind the last word


class Seen(NamedTuple):
    """The words of the text at hand, by key: a place is taken if its stamp is the text's."""

    keys: np.ndarray  # uint64[2 ** a]
    stamps: np.ndarray  # int64[2 ** a]


@inlined_unchecked_kernel
def key(data: Array, start: Int, end: Int) -> Int:
    """Key of the token `data[start:end]`; reads up to seven bytes behind it."""
    h = _SEED
    at = start
    while at + 8 < end:
        h = (h ^ eight(data, np.uintp(at))) * _MULTIPLIER
        h ^= h >> np.uint64(32)
        at += 8
    last = eight(data, np.uintp(at)) & (_ALL >> np.uint64(8 * (8 - (end - at)))) if end > at else np.uint64(0)
    h = (h ^ last) * _MULTIPLIER
    return h ^ (h >> np.uint64(29))


@unchecked_kernel
def _is_new(seen: Seen, key: Int, stamp: Int) -> Bool:
    """Whether the text has no such word yet; notes it. Where MAX_PROBES places are taken, a word counts again."""
    mask = np.uint64(seen.keys.shape[0] - 1)
    at = key & mask
    for _ in range(MAX_PROBES):
        if seen.stamps[at] != stamp:
            seen.stamps[at], seen.keys[at] = stamp, key
            return True
        if seen.keys[at] == key:
            return False
        at = (at + np.uint64(1)) & mask
    return True


@unchecked_kernel
def _bags(data: Array, spans: Array, classes: Array, punctuation: Array, seen: Seen, bags: Bags) -> None:
    m, o, out = np.int64(0), np.int64(0), bags.bytes
    bags.starts[0] = 0
    for i in range(spans.shape[0]):
        total = np.int64(0)
        for part in range(spans.shape[1]):
            p, stop = spans[i, part, 0], spans[i, part, 1]
            while p < stop:
                p, end = features.next_token(data, p, stop, classes, punctuation, out, o)
                if end == o:
                    break
                if classes[out[np.uintp(o)]] & 7 != 1 or out[np.uintp(o)] == 0xC2:  # signs of Latin-1 begin so
                    continue
                total += 1
                word = key(out, o, end)
                if _is_new(seen, word, np.int64(i + 1)):
                    bags.keys[m] = word
                    m += 1
                    bags.starts[m] = o = end
        bags.totals[i], bags.ends[i] = total, m


def bags(data: np.ndarray, spans: np.ndarray) -> Bags:
    """The different words of n texts: text i is the UTF-8 `data[a:b]` for each (a, b) of `spans[i]` (int64[n, parts, 2]); no word
    spans two parts."""
    sizes = (spans[:, :, 1] - spans[:, :, 0]).sum(axis=1)
    # A word and what separates it have two bytes, but for the last of a part; so half of the places stay free.
    room = (int(sizes.sum()) + spans.shape[0] * spans.shape[1]) // 2
    places = 1 << max(4, int(sizes.max(initial=0)).bit_length())
    seen = Seen(np.empty(places, np.uint64), np.zeros(places, np.int64))
    made = Bags(
        totals=np.empty(len(spans), np.int64),
        ends=np.empty(len(spans), np.int64),
        keys=np.empty(room, np.uint64),
        starts=np.empty(room + 1, np.int64),
        bytes=np.empty(int(sizes.sum()) + features.SPARE, np.uint8),
    )
    _bags(data, spans, features.CLASSES, features.PUNCTUATION, seen, made)
    return made


@dataclass(frozen=True)
class Windows:
    """The windows of the texts of an Arrow column, of about `size` words (`passages`), and the different words of each."""

    offsets: np.ndarray
    data: np.ndarray
    size: int

    @cached_property
    def cut(self) -> tuple[np.ndarray, np.ndarray]:
        """`(rows int64[m], spans int64[m, 1, 2])`"""
        return passages.passages(self.offsets, self.data, size=self.size)

    @cached_property
    def bags(self) -> Bags:
        return bags(self.data, self.cut[1])
