"""The measures of `ngrams` for one row, by sorting its n-grams in numpy: for rows on which a hash table may be slow.

Invariant: the same numbers as the kernels of `ngrams` give.
"""

from __future__ import annotations

import numpy as np


def by_sorting(columns: int, hashes: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """The same measures of one row by sorting the n-grams of each length: `columns` numbers."""
    m = len(hashes)
    out = np.zeros(columns, np.int64)
    out[0], out[1] = m, ends[m]
    _, numbers = np.unique(hashes, return_inverse=True)
    words = numbers
    for n in range(2, min(m, 10) + 1):
        pairs = numbers[:-1].astype(np.int64) << 32 | words[n - 1 :]
        _, firsts, numbers, counts = np.unique(pairs, return_index=True, return_inverse=True, return_counts=True)
        sizes = ends[n:] - ends[:-n]
        if n <= 4:
            most = firsts[counts == counts.max()]
            out[[n, n + 3, n + 6]] = counts.max(), sizes[most].max(), sizes[most.min()]
            continue
        again = counts[numbers] > 1
        inside = np.zeros(m + 1, np.int64)
        np.add.at(inside, np.flatnonzero(again), 1)
        np.add.at(inside, np.flatnonzero(again) + n, -1)
        at = 6 + n
        out[at] = np.diff(ends)[np.cumsum(inside)[:-1] > 0].sum()
        out[at + 6], out[at + 12] = sizes[again].sum(), sizes.sum()
        out[at + 18] = _scan(numbers, again, sizes, n)
    return out


def _scan(numbers: np.ndarray, again: np.ndarray, sizes: np.ndarray, n: int) -> int:
    """`Repetition.scanned` from the numbers of the n-grams."""
    met = np.zeros(len(numbers), np.bool_)
    found = after = 0
    for place in np.flatnonzero(again).tolist():
        if place >= after:
            if met[numbers[place]]:
                found, after = found + int(sizes[place]), place + n
            met[numbers[place]] = True
    return found
