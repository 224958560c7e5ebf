"""How a MinHash signature is cut into LSH bands, and what share of pairs that finds.

Two texts of similarity s share a band with probability `1 - (1 - s**rows) ** bands` (Leskovec, Rajaraman, Ullman: Mining of
Massive Datasets, section 3.4.2). Verification is exact, so a false candidate costs time and a missed pair stays: `auto` keeps
detection at the threshold itself at DETECTION or more and spends what is left on fewer candidates.
"""

from __future__ import annotations

from functools import cache
from typing import Literal

import numpy as np

from pipeline.errors import PlanError

DETECTION = 0.98
"""Share of the pairs at the threshold that `auto` finds at least: chosen because pairs that LSH misses are never looked at."""

Bands = Literal["auto", "datasketch"] | tuple[int, int]


def detection_probability(similarity: float, bands: int, rows: int) -> float:
    """Probability that two texts of this similarity share at least one band."""
    return 1 - (1 - similarity**rows) ** bands


def choose(threshold: float, permutations: int, bands: Bands) -> tuple[int, int]:
    """`(bands, rows)` as the plan's `dedup.bands` asks. Raises PlanError if they need more permutations than there are."""
    if bands == "auto":
        return _auto(threshold, permutations)
    if bands == "datasketch":
        return _datasketch(threshold, permutations)
    if isinstance(bands, str) or len(bands) != 2 or min(bands) < 1 or bands[0] * bands[1] > permutations:
        raise PlanError(
            f"dedup.bands: expected auto, datasketch, or [bands, rows] with bands x rows from 1 to {permutations}, got {bands!r}"
        )
    return int(bands[0]), int(bands[1])


def _auto(threshold: float, permutations: int) -> tuple[int, int]:
    """The most rows that still detect DETECTION of the pairs at the threshold; one row where none do."""
    for rows in range(permutations, 1, -1):
        if detection_probability(threshold, permutations // rows, rows) >= DETECTION:
            return permutations // rows, rows
    return permutations, 1


@cache
def _datasketch(threshold: float, permutations: int) -> tuple[int, int]:
    """What `datasketch.MinHashLSH(threshold, num_perm)` takes: the least area of false positives plus false negatives.

    The detection curve is a polynomial of degree at most `permutations`, so this Gauss-Legendre rule is exact.
    """
    nodes, weights = np.polynomial.legendre.leggauss(permutations // 2 + 1)
    unit = (nodes + 1) / 2
    below, above = unit * threshold, threshold + unit * (1 - threshold)
    best, chosen = np.inf, (1, 1)
    for bands in range(1, permutations + 1):
        rows = np.arange(1, permutations // bands + 1)[:, None]
        false_positive = (1 - (1 - below**rows) ** bands) @ weights * threshold / 2
        false_negative = ((1 - above**rows) ** bands) @ weights * (1 - threshold) / 2
        error = (false_positive + false_negative) / 2
        if error.min() < best:
            best, chosen = error.min(), (bands, int(error.argmin()) + 1)
    return chosen
