"""Exact similarity of pairs of documents, from how many shingle hashes their sets have and share.

Invariant: the value depends on the two sets alone, so that it is a fact of the two texts (`pairs.py` keeps it); it is a quotient
of two whole numbers, rounded once. Two distinct shingles of 64-bit hashes meet with probability 2**-64.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

Kind = Literal["jaccard", "containment"]
COUNTS = np.dtype([("shared", "<i4"), ("later", "<i4"), ("earlier", "<i4")])
"""How many shingles both documents of a pair have, the later one has, the earlier one has."""


def similarities(counts: np.ndarray, *, kind: Kind = "jaccard") -> np.ndarray:
    """float64[m] of COUNTS.

    jaccard: `|A & B| / |A | B|`. containment: `|A & B| / |A|`, A the later document: what is lost if it is dropped is what the
    earlier one does not hold. 0 where the divisor is.
    """
    both, one, other = (counts[name].astype(np.int64) for name in COUNTS.names or ())
    divisor = one + other - both if kind == "jaccard" else one
    return both / np.maximum(divisor, 1)
