"""From items of rows, such as lines, to rows: sums, and which items repeat an earlier one. numpy, no loops of our own."""

from __future__ import annotations

import numpy as np


def per_row(values: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """int64[n]: the sum of `values[rows[i]:rows[i + 1]]`; `rows` int64[n + 1] ascends to `len(values)`."""
    sums = np.zeros(len(values) + 1, np.int64)
    np.cumsum(values, out=sums[1:])
    found: np.ndarray = sums[rows[1:]] - sums[rows[:-1]]
    return found


def later_copies(hashes: np.ndarray, rows: np.ndarray, among: np.ndarray) -> np.ndarray:
    """bool per item: it is `among` those that count, and an earlier one of its row with the same hash is, too."""
    chosen = np.flatnonzero(among)
    owner = np.repeat(np.arange(len(rows) - 1), np.diff(rows))[chosen]
    order = np.lexsort((hashes[chosen], owner))  # stable: the first of equal items stays first
    same = (hashes[chosen][order][1:] == hashes[chosen][order][:-1]) & (owner[order][1:] == owner[order][:-1])
    copies = np.zeros(len(hashes), dtype=bool)
    copies[chosen[order[1:][same]]] = True
    return copies
