"""How sure a multiplier is: t-interval over seeds, hierarchical bootstrap over seeds and documents, and the noise of the method.

The wider of the two intervals is used: with three seeds the bootstrap alone is too narrow (it has three values to draw from).
Seeds are paired: seed s of every arm has the same initial weights and order. Documents are paired over arms.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import permutations
from typing import Literal

import numpy as np

from pipeline.savings.analysis import curves
from pipeline.savings.analysis.curves import Crossing
from pipeline.savings.student import t975

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
class Interval:
    low: float
    high: float

    def wider(self, other: Interval) -> Interval:
        """From the lower of the low ends to the higher of the high ones."""
        return Interval(min(self.low, other.low), max(self.high, other.high))


@dataclass(frozen=True)
class Estimate:
    """The multiplier of one arm over another on one set. `value`: geometric mean over seeds, NaN where undefined."""

    value: float
    per_seed: tuple[Crossing, ...]
    by_t: Interval | None
    by_bootstrap: Interval | None
    interval: Interval | None
    distinguishable: float | None  # multipliers nearer to 1 than this (or its inverse) are not told from 1


def geometric_mean(values: Sequence[float]) -> float:
    return math.exp(sum(map(math.log, values)) / len(values))


def t_interval(values: Sequence[float]) -> tuple[Interval, float]:
    """95 % interval of the geometric mean of `values` from Student's t on their logarithms, and the least multiplier that it
    can tell from 1: exp(t sd / sqrt n)."""
    logs = np.log(values)
    half = t975(len(values) - 1) * float(logs.std(ddof=1)) / math.sqrt(len(values))
    middle = float(logs.mean())
    return Interval(math.exp(middle - half), math.exp(middle + half)), math.exp(half)


def bootstrap(compute: np.ndarray, baseline: Losses, other: Losses, *, draws: int = DRAWS) -> Interval | None:
    """95 % interval: seeds are drawn again, then documents, the same ones for both arms. None where no draw is defined."""
    rng = np.random.default_rng(0)
    seeds, documents = baseline.bits.shape[0], baseline.bits.shape[2]
    means = []
    for _ in range(draws):
        weights = np.bincount(rng.integers(0, documents, documents), minlength=documents).astype(np.float64)
        chosen = rng.integers(0, seeds, seeds)
        ours, theirs = baseline.curves(weights)[chosen], other.curves(weights)[chosen]
        values = [curves.multiplier(compute, a, b).multiplier for a, b in zip(ours, theirs, strict=True)]
        if all(map(math.isfinite, values)):
            means.append(geometric_mean(values))
    if not means:
        return None
    return Interval(float(np.quantile(means, 0.025)), float(np.quantile(means, 0.975)))


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
    interval = by_t if by_bootstrap is None else by_t.wider(by_bootstrap)
    return Estimate(geometric_mean(values), per_seed, by_t, by_bootstrap, interval, distinguishable)


def noise_floor(compute: np.ndarray, baseline: Losses) -> Interval | None:
    """A/A: least and greatest multiplier between two seeds of the *same* arm. None with one seed."""
    found = baseline.curves()
    values = [curves.multiplier(compute, a, b).multiplier for a, b in permutations(found, 2)]
    defined = [value for value in values if math.isfinite(value)]
    return Interval(min(defined), max(defined)) if defined else None


def gap_interval(baseline: Losses, other: Losses) -> tuple[float, Interval | None]:
    """Bits per byte at equal full compute, other minus baseline, and its 95 % t-interval over seeds."""
    differences = other.curves()[:, -1] - baseline.curves()[:, -1]
    middle, n = float(differences.mean()), len(differences)
    if n < LEAST_SEEDS:
        return middle, None
    half = t975(n - 1) * float(differences.std(ddof=1)) / math.sqrt(n)
    return middle, Interval(middle - half, middle + half)


def verdict(found: Estimate, floor: Interval | None) -> Verdict:
    """saves: the interval lies above 1 and the multiplier above the A/A range; costs: the interval lies below 1."""
    if len(found.per_seed) < LEAST_SEEDS:
        return "not enough seeds"
    if found.interval is None:
        return "no evidence"
    if found.interval.high < 1:
        return "costs"
    clears = floor is None or found.value > floor.high
    return "saves" if found.interval.low > 1 and clears else "no evidence"


def clears_noise(found: Estimate, floor: Interval | None) -> bool:
    """Whether the whole interval lies outside the A/A range: what a percentage from a small model needs."""
    if found.interval is None or floor is None:
        return False
    return found.interval.low > floor.high or found.interval.high < floor.low
