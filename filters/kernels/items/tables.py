"""Evaluation items as kernels see them, and the grams by which they are found.

An item is its question and, where it has them, its options: segments of words. A word is kept as one byte, the upper eight bits
of its dedup hash, so that a byte stands for one word in 256 and no dictionary gives the word back; GRAM of them in a row are a
*gram*, a number of 32 bits. A word's weight is its rarity; 0 of words that no verdict may rest on.

Invariant: a gram that more than COMMON items hold, or that has a word of weight 0, is no seed: by it nothing is found.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

GRAM = 4
"""Words of a seed. Chosen: at one word in ten changed, 66 of 100 survive (43 of runs of eight words), so that of nearly every
question of 20 words two are left that share no word."""
COMMON = 16
"""Items that may hold a seed, each item once. Chosen: an item stands in two or three sets, and templates in dozens of items."""
HEAVY = 3
"""Weight of a word that one item in six has, or fewer: of grams without such a word texts are full."""
MOST_WORDS = 4096
"""Of an item; what is longer is cut there. The longest of the shipped sets has about 1,200."""

BITMAP_BITS, BUCKET_BITS = 18, 20
MULTIPLIER = np.uint64(0x9FB21C651E98DF25)
"""Odd, with well mixed bits (Evensen's rrmxmx): a bijection, so that no two grams meet."""


class Items(NamedTuple):
    """Items number 0 to n - 1. Segment s is words `starts[s]` to `starts[s + 1]`; item i is segments `firsts[i]` to
    `firsts[i + 1]`, the first of which is its question."""

    words: np.ndarray  # uint8
    weights: np.ndarray  # uint8
    starts: np.ndarray  # int32[segments + 1]
    firsts: np.ndarray  # int32[items + 1]
    answers: np.ndarray  # uint32[items]: hash of the answer's first words, `answer_code`
    answer_words: np.ndarray  # uint8[items]: how many; 0: without one


class Seeds(NamedTuple):
    """From a gram to the places in `Items.words` where it begins: `places[posts[k]:posts[k + 1]]` of `keys[k]`."""

    bitmap: np.ndarray  # uint64[2**BITMAP_BITS]: two bits for each key in one word
    buckets: np.ndarray  # int32[2**BUCKET_BITS + 1]: where keys with these upper bits begin
    keys: np.ndarray  # uint64[k], ascending: gram * MULTIPLIER
    posts: np.ndarray  # int32[k + 1]
    places: np.ndarray  # int32
    owners: np.ndarray  # int32: the item of each word


def grams(words: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """`uint64[len(words)]`: the gram that begins at each word, MULTIPLIER times; 0 where the segment ends before it does."""
    wide = np.concatenate([words.astype(np.uint64), np.zeros(GRAM, np.uint64)])
    made = np.zeros(len(words), np.uint64)
    for k in range(GRAM):
        made = (made << np.uint64(8)) | wide[k : k + len(words)]
    made *= MULTIPLIER
    ends = np.repeat(starts[1:], np.diff(starts))
    made[np.arange(len(words)) + GRAM > ends] = 0
    return made


def seeds(items: Items) -> Seeds:
    """The grams of items that are rare among them."""
    segments = np.diff(items.starts)
    of_segment = np.repeat(np.arange(len(items.firsts) - 1, dtype=np.int32), np.diff(items.firsts))
    owners = np.repeat(of_segment, segments).astype(np.int32)
    made = grams(items.words, items.starts)
    unweighted = np.concatenate([[0], np.cumsum(items.weights == 0)])
    begins = np.flatnonzero(made)
    heavy = np.concatenate([[0], np.cumsum(items.weights >= HEAVY)])
    sound = (unweighted[begins + GRAM] == unweighted[begins]) & (heavy[begins + GRAM] - heavy[begins] > 0)
    begins = begins[sound]
    begins = begins[np.argsort(made[begins], kind="stable")]
    found = made[begins]
    new = np.concatenate([[True], found[1:] != found[:-1]]) if len(found) else np.zeros(0, bool)
    group = np.cumsum(new) - 1
    another = new | np.concatenate([[False], owners[begins][1:] != owners[begins][:-1]]) if len(found) else new
    rare = np.bincount(group, another, minlength=0)[group] <= COMMON if len(found) else new
    rare &= another  # of an item that repeats a gram, the first: kernels have room for COMMON places
    begins, found, new = begins[rare], found[rare], new[rare]
    firsts = np.flatnonzero(new)
    keys = found[firsts]
    return Seeds(
        bitmap=_bitmap(keys),
        buckets=np.searchsorted(keys >> np.uint64(64 - BUCKET_BITS), np.arange((1 << BUCKET_BITS) + 1, dtype=np.uint64)).astype(
            np.int32
        ),
        keys=keys,
        posts=np.append(firsts, len(begins)).astype(np.int32),
        places=begins.astype(np.int32),
        owners=owners,
    )


def _bitmap(keys: np.ndarray) -> np.ndarray:
    """Keys ascend, and their upper bits say which word is theirs, so that keys of one word lie together."""
    made = np.zeros(1 << BITMAP_BITS, np.uint64)
    if len(keys):
        words = (keys >> np.uint64(64 - BITMAP_BITS)).astype(np.int64)
        one, six = np.uint64(1), np.uint64(63)
        bits = (one << (keys & six)) | (one << ((keys >> np.uint64(6)) & six))
        first = np.flatnonzero(np.concatenate([[True], words[1:] != words[:-1]]))
        made[words[first]] = np.bitwise_or.reduceat(bits, first)
    return made
