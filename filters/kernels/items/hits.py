"""What is known of items where their seeds were hit, and what is done with the passages that hold them."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from filters.kernels.compiled import Float, Int, inner_kernel
from filters.kernels.items.tables import Items, Seeds

TABLE = 1 << 15
"""Places for the three words in a row of a window: more than twice as many as the widest has."""


class Scratch(NamedTuple):
    words: np.ndarray  # uint64[BLOCK + SPARE]: hashes of words
    codes: np.ndarray  # uint32: their upper halves
    hits: np.ndarray  # int32[len(codes), 2]: word, and number of the key
    pairs: np.ndarray  # uint64[COMMON * len(codes)]: item, word of the text, word of the item
    kinds: np.ndarray  # int64[256, 2]: weight of each byte that an item has, and as far as it is covered
    known: np.ndarray  # int32[TABLE, 2]: three words in a row of a window, and the window's number


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
        np.zeros((TABLE, 2), np.int32),
    )


@inner_kernel
def item_of(pair: Int) -> Int:
    return np.int64(pair >> np.uint64(40))


@inner_kernel
def place_of(pair: Int) -> Int:
    return np.int64((pair >> np.uint64(16)) & np.uint64(0xFFFFFF))


@inner_kernel
def within_of(pair: Int) -> Int:
    return np.int64(pair & np.uint64(0xFFFF))


@inner_kernel
def better(best: Any, coverage: Float, item: Int, first: Int, last: Int, sought: Sought) -> Any:
    if coverage >= sought.limit[0]:
        for k in range(first, last + 1):
            sought.gone[k] = 1
    if coverage > best[0] or (coverage == best[0] and first < best[2]):
        return (np.float32(coverage), np.int64(item), np.int64(first), np.int64(last))
    return best
