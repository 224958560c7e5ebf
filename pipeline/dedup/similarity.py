"""Exact similarity of pairs of documents, from their sets of shingle hashes.

Invariant: the value depends on the two sets alone, so that it can be stored as a fact of the two texts; it is a quotient of two
whole numbers, rounded once. Two distinct shingles of 64-bit hashes meet with probability 2**-64.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pyarrow as pa

from filters.kernels import dedup_pass

Kind = Literal["jaccard", "containment"]


@dataclass(frozen=True)
class Shingles:
    """The distinct shingle hashes of document i, ascending: `hashes[offsets[i]:offsets[i + 1]]`. An absent document has none."""

    offsets: np.ndarray
    """int64[n + 1]"""
    hashes: np.ndarray
    """uint64"""

    @classmethod
    def from_column(cls, column: pa.ChunkedArray | pa.LargeListArray) -> Shingles:
        """Of a `large_list<uint64>` column without nulls."""
        array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
        if not len(array):
            return cls(np.zeros(1, np.int64), np.zeros(0, np.uint64))
        return cls(array.offsets.to_numpy(), array.values.to_numpy())

    def column(self) -> pa.LargeListArray:
        return pa.LargeListArray.from_arrays(pa.array(self.offsets), pa.array(self.hashes))

    def take(self, documents: np.ndarray) -> Shingles:
        """Those of the given documents, in this order."""
        sizes = np.diff(self.offsets)[documents]
        offsets = np.append(0, np.cumsum(sizes))
        at = np.arange(offsets[-1]) + np.repeat(self.offsets[:-1][documents] - offsets[:-1], sizes)
        return Shingles(offsets, self.hashes[at])

    def spread(self, documents: np.ndarray, n: int) -> Shingles:
        """These sets as those of the given documents (ascending) among n; the others have none."""
        sizes = np.zeros(n, np.int64)
        sizes[documents] = np.diff(self.offsets)
        return Shingles(np.append(0, np.cumsum(sizes)), self.hashes[self.offsets[0] : self.offsets[-1]])


def similarities(pairs: np.ndarray, indexed: Shingles, new: Shingles, *, kind: Kind = "jaccard") -> np.ndarray:
    """float64[m] for pairs int64[m, 2] of (later, earlier) document numbers: first all of `indexed`, then all of `new`.

    jaccard: `|A & B| / |A | B|`. containment: `|A & B| / |A|`, A the later document: what is lost if it is dropped is what the
    earlier one does not hold. 0 where the divisor is. Releases the interpreter lock: threads may share the pairs out.
    """
    counts = dedup_pass.shared(pairs, (indexed.offsets, indexed.hashes), (new.offsets, new.hashes))
    both, one, other = counts.T
    divisor = one + other - both if kind == "jaccard" else one
    return both / np.maximum(divisor, 1)
