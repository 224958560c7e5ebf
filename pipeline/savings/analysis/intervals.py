"""How sure a multiplier is: t-interval over seeds, hierarchical bootstrap over seeds and documents, and the noise of the method.

The wider of the two intervals is used: with three seeds the bootstrap alone is too narrow (it has three values to draw from).
Seeds are paired: seed s of every arm has the same initial weights and order. Documents are paired over arms.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import permutations
from statistics import geometric_mean
from typing import Literal

import numpy as np

from pipeline.records.savings_1 import Range
from pipeline.savings.analysis import curves
from pipeline.savings.analysis.curves import Crossing

LEAST_SEEDS = 3
"""Fewer give no interval and no verdict: t of one degree of freedom is 12.7."""

DRAWS = 1000
"""Bootstrap draws; the 2.5 % tail then rests on 25 of them."""

Verdict = Literal["saves", "costs", "no evidence", "not enough seeds"]


@dataclass(frozen=True)
class Losses:
    """Losses of one arm on one held-out set. `bits`: seeds x checkpoints x documents, the sum of -log2 p of each document;
    `n_bytes`: bytes of each document. A set that is known only as a whole has one document."""

    bits: np.ndarray
    n_bytes: np.ndarray

    def curves(self, weights: np.ndarray | None = None) -> np.ndarray:
        """Bits per byte, seeds x checkpoints. `weights`: how often each document counts (default: once)."""
        if weights is None:
            return self.bits.sum(axis=2) / self.n_bytes.sum()
        return self.bits @ weights / (self.n_bytes @ weights)


@dataclass(frozen=True)
class Estimate:
    """The multiplier of one arm over another on one set. `value`: geometric mean over seeds, NaN where undefined."""

    value: float
    per_seed: tuple[Crossing, ...]
    by_t: Range | None
    by_bootstrap: Range | None
    interval: Range | None
    distinguishable: float | None  # multipliers nearer to 1 than this (or its inverse) are not told from 1


def t_interval(values: Sequence[float]) -> tuple[Range, float]:
    """95 % interval of the geometric mean of `values` from Student's t on their logarithms, and the least multiplier that it
    can tell from 1: exp(t sd / sqrt n)."""
    logs = np.log(values)
    half, middle = _reach(logs), float(logs.mean())
    return (math.exp(middle - half), math.exp(middle + half)), math.exp(half)


def _reach(values: np.ndarray) -> float:
    """How far the 95 % t-interval of the mean of two values or more reaches to both sides."""
    from scipy.special import stdtrit  # a third of a second, which --help does not need

    return float(stdtrit(len(values) - 1, 0.975) * values.std(ddof=1) / math.sqrt(len(values)))


def bootstrap(compute: np.ndarray, baseline: Losses, other: Losses) -> Range | None:
    """95 % interval: seeds are drawn again, then documents, the same ones for both arms. None where no draw is defined."""
    rng = np.random.default_rng(0)
    seeds, documents = baseline.bits.shape[0], baseline.bits.shape[2]
    means = []
    for _ in range(DRAWS):
        weights = np.bincount(rng.integers(0, documents, documents), minlength=documents).astype(np.float64)
        chosen = rng.integers(0, seeds, seeds)
        ours, theirs = baseline.curves(weights)[chosen], other.curves(weights)[chosen]
        values = [curves.multiplier(compute, a, b).multiplier for a, b in zip(ours, theirs, strict=True)]
        if all(map(math.isfinite, values)):
            means.append(geometric_mean(values))
    return (float(np.quantile(means, 0.025)), float(np.quantile(means, 0.975))) if means else None


def estimate(compute: np.ndarray, baseline: Losses, other: Losses, *, noise: float = 0.0) -> Estimate:
    """The multiplier of `other` over `baseline`, seed by seed, with the wider interval where there are enough seeds."""
    pairs = zip(baseline.curves(), other.curves(), strict=True)
    per_seed = tuple(curves.multiplier(compute, a, b, noise=noise) for a, b in pairs)
    values = [crossing.multiplier for crossing in per_seed]
    if not all(map(math.isfinite, values)):
        return Estimate(math.nan, per_seed, None, None, None, None)
    if len(values) < LEAST_SEEDS:
        return Estimate(geometric_mean(values), per_seed, None, None, None, None)
    by_t, distinguishable = t_interval(values)
    by_bootstrap = bootstrap(compute, baseline, other)
    low, high = zip(by_t, by_bootstrap or by_t, strict=True)
    return Estimate(geometric_mean(values), per_seed, by_t, by_bootstrap, (min(low), max(high)), distinguishable)


def noise_floor(compute: np.ndarray, baseline: Losses) -> Range | None:
    """A/A: least and greatest multiplier between two seeds of the *same* arm. None with one seed."""
    found = baseline.curves()
    values = [curves.multiplier(compute, a, b).multiplier for a, b in permutations(found, 2)]
    defined = [value for value in values if math.isfinite(value)]
    return (min(defined), max(defined)) if defined else None


def gap_interval(baseline: Losses, other: Losses) -> tuple[float, Range | None]:
    """Bits per byte at equal full compute, other minus baseline, and its 95 % t-interval over seeds."""
    differences = other.curves()[:, -1] - baseline.curves()[:, -1]
    middle = float(differences.mean())
    if len(differences) < LEAST_SEEDS:
        return middle, None
    half = _reach(differences)
    return middle, (middle - half, middle + half)


def verdict(found: Estimate, floor: Range | None) -> Verdict:
    """saves: the interval lies above 1 and the multiplier above the A/A range; costs: the interval lies below 1."""
    if len(found.per_seed) < LEAST_SEEDS:
        return "not enough seeds"
    if found.interval is None:
        return "no evidence"
    low, high = found.interval
    if high < 1:
        return "costs"
    return "saves" if low > 1 and (floor is None or found.value > floor[1]) else "no evidence"


def clears_noise(found: Estimate, floor: Range | None) -> bool:
    """Whether the whole interval lies outside the A/A range: what a percentage from a small model needs."""
    if found.interval is None or floor is None:
        return False
    return found.interval[0] > floor[1] or found.interval[1] < floor[0]
