"""Exact similarity of pairs of documents, from their sets of shingle hashes, which lie on disk.

Invariant: the value depends on the two sets alone, so that it is a fact of the two texts (`pairs.py` keeps it); it is a quotient
of two whole numbers, rounded once. Two distinct shingles of 64-bit hashes meet with probability 2**-64.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import numpy as np

from filters.kernels.dedup import dedup_pass
from pipeline.machine.scratch import Scratch
from pipeline.machine.workers import Workers
from pipeline.stages.dedup.part import Sets

Kind = Literal["jaccard", "containment"]
COUNTS = np.dtype([("shared", "<i4"), ("later", "<i4"), ("earlier", "<i4")])
"""How many shingles both documents of a pair have, the later one has, the earlier one has."""
_SLICE = 1 << 14  # pairs a task


class ShingleStore:
    """Sets of shingles by document number: appended by any thread, read once all are there."""

    def __init__(self, scratch: Scratch, documents: int) -> None:
        self._scratch = scratch
        self._hashes = scratch.log("shingles", np.uint64)
        self._start = scratch.column("shingles.start", np.int64, documents)
        self._size = scratch.column("shingles.size", np.int32, documents)  # 1 + how many; 0: not here

    def add(self, sets: Iterable[Sets]) -> None:
        for documents, offsets, hashes in sets:
            start = self._hashes.append(hashes)
            self._start[documents] = start + offsets[:-1] - offsets[0]
            self._size[documents] = 1 + np.diff(offsets)
            self._scratch.relieve()

    def has(self, documents: np.ndarray) -> np.ndarray:
        """bool[n]: whose sets are here."""
        return self._size[documents] > 0

    def counts(self, later: np.ndarray, earlier: np.ndarray, pool: Workers) -> np.ndarray:
        """COUNTS of pairs of documents whose sets are here."""
        made = np.empty(len(later), COUNTS)
        hashes = self._hashes.read()

        def some(start: int) -> None:
            part = slice(start, start + _SLICE)
            one, other = ((self._start[numbers[part]], self._size[numbers[part]] - np.int32(1)) for numbers in (later, earlier))
            made["shared"][part] = dedup_pass.shared(one, other, hashes)
            made["later"][part], made["earlier"][part] = one[1], other[1]
            self._scratch.relieve()

        pool.map(some, range(0, len(later), _SLICE))
        return made


def similarities(counts: np.ndarray, *, kind: Kind = "jaccard") -> np.ndarray:
    """float64[m] of COUNTS.

    jaccard: `|A & B| / |A | B|`. containment: `|A & B| / |A|`, A the later document: what is lost if it is dropped is what the
    earlier one does not hold. 0 where the divisor is.
    """
    both, one, other = (counts[name].astype(np.int64) for name in COUNTS.names or ())
    divisor = one + other - both if kind == "jaccard" else one
    return both / np.maximum(divisor, 1)
