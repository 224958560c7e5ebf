"""How sure a multiplier is: the variance over draws and the variance from the choice of the target's clusters, added.

Draws are pairs (`savings.losses`), so the logarithm of each draw's multiplier is one observation: its variance over n draws is
s^2 / n with n - 1 degrees of freedom. Draws of a small corpus have some of their text in common, a share r on average, and are
correlated by it: s^2 falls short by 1 - r, the variance of the mean is that of independent draws times 1 + (n - 1) r, and some
(n - 1) / (1 + 2 r) degrees of freedom are left, as neighbours in the order share most.

The variance from the target is a bootstrap over its clusters (chunks of one book are one), the same ones for both arms and all
draws. The interval is Student's t of the sum, with Satterthwaite's degrees of freedom (1946). Nothing else is in it: not another
learner, not another corpus, not another kind of target.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from pipeline.records.savings_json import Range, Verdict
from pipeline.savings.analysis import curves, student
from pipeline.savings.analysis.curves import Crossing, Points
from pipeline.savings.losses import Curve

MOST_SHARED = 0.9
"""Share of their text in common from which draws tell nothing about another sample: no interval."""
LEAST_DRAWS = 3
"""Fewer give no interval and no verdict: t of one degree of freedom is 12.7."""
RESAMPLES = 300
"""Of the target's clusters: the standard error that they give is then known within 4 %."""
SETTLED_DRAWS = 6
PRECISE = 0.05
"""An interval that reaches at most this far to both sides is precise enough to stop at; from six draws on, since a few are often
alike by chance: simulated, with a standard deviation of .06 between draws, intervals that stopped from four on held the truth in
92 % of the cases, from six on in 93 to 95 %."""


@dataclass(frozen=True)
class Target:
    """A held-out set as the statistics see it: bytes of each document, and the number of its cluster."""

    sizes: np.ndarray
    clusters: np.ndarray


@dataclass(frozen=True)
class Spread:
    """`error`: standard error of a mean over draws, with its degrees of freedom; `sd`: over draws; `target_error`: the part of
    the error that is the choice of the target's clusters."""

    mean: float
    error: float
    freedom: float
    sd: float
    target_error: float

    @property
    def half(self) -> float:
        """How far the 95 % interval reaches to both sides."""
        return student.quantile(self.freedom, 0.975) * self.error

    @property
    def interval(self) -> Range:
        return self.mean - self.half, self.mean + self.half


@dataclass(frozen=True)
class Estimate:
    """The multiplier of one arm over another on one set. `value`: geometric mean over draws, NaN where undefined or where some
    draws are lower and others upper bounds; `spread`: of its logarithm, None with too few draws."""

    value: float
    per_draw: tuple[Crossing, ...]
    bound: Literal["lower", "upper"] | None
    spread: Spread | None

    @property
    def interval(self) -> Range | None:
        if self.spread is None:
            return None
        low, high = self.spread.interval
        return math.exp(low), math.exp(high)

    @property
    def verdict(self) -> Verdict:
        """saves: the interval lies above 1; costs: it lies below."""
        if len(self.per_draw) < LEAST_DRAWS:
            return "too few draws"
        if self.interval is None:
            return "no interval"
        low, high = self.interval
        return "saves" if low > 1 else "costs" if high < 1 else "no difference"

    @property
    def settled(self) -> bool:
        """Whether more draws are not worth their cost."""
        enough = self.spread is not None and len(self.per_draw) >= SETTLED_DRAWS
        return enough and self.spread is not None and math.expm1(self.spread.half) <= PRECISE


Pair = tuple[Curve, Curve]
"""The baseline's curve of a draw, and the other arm's."""


def estimate(pairs: Sequence[Pair], target: Target, *, shared: float = 0.0, noise: float = 0.0) -> Estimate:
    """The multiplier, draw by draw, with its spread where there are enough draws. `shared`: of their text, by any two draws."""
    once = np.ones((1, len(target.sizes)))
    found = [_points(pair, target, once)[0] for pair in pairs]
    per_draw = tuple(curves.multiplier(*points, noise=noise) for points in found)
    bounds: set[Literal["lower", "upper"]] = {"lower" if c.status == "at_floor" else "upper" for c in per_draw if c.bound}
    values = [math.log(crossing.multiplier) for crossing in per_draw]
    if not all(map(math.isfinite, values)) or len(bounds) > 1:
        return Estimate(math.nan, per_draw, None, None)
    bound = next(iter(bounds), None)

    def log_multiplier(baseline: Points, other: Points) -> float:
        return math.log(curves.multiplier(baseline, other).multiplier)

    spread = None
    if len(values) >= LEAST_DRAWS and shared <= MOST_SHARED:
        made = _spread(values, _resampled(pairs, target, log_multiplier), target, shared=shared)
        spread = made if math.isfinite(made.error) else None
    return Estimate(math.exp(float(np.mean(values))), per_draw, bound, spread)


def gap(pairs: Sequence[Pair], target: Target, *, shared: float = 0.0) -> tuple[float, Range | None]:
    """Bits per byte at the last checkpoints, the other arm's minus the baseline's, and its 95 % interval."""

    def difference(baseline: Points, other: Points) -> float:
        return float(other.loss[-1] - baseline.loss[-1])

    once = np.ones((1, len(target.sizes)))
    values = [difference(*_points(pair, target, once)[0]) for pair in pairs]
    if len(values) < LEAST_DRAWS or shared > MOST_SHARED:
        return float(np.mean(values)), None
    found = _spread(values, _resampled(pairs, target, difference), target, shared=shared)
    return found.mean, found.interval


def _points(pair: Pair, target: Target, weights: np.ndarray) -> list[tuple[Points, Points]]:
    """Both arms' losses in bits per byte, for each row of `weights`: how often each document counts."""
    n_bytes = weights @ target.sizes
    first, second = (curve.bits @ weights.T / n_bytes for curve in pair)
    return [(Points(pair[0].compute, first[:, row]), Points(pair[1].compute, second[:, row])) for row in range(len(weights))]


def _resampled(pairs: Sequence[Pair], target: Target, of: Callable[[Points, Points], float]) -> np.ndarray:
    """The mean of `of` over the draws, for each resample of the target's clusters."""
    distinct, own = np.unique(target.clusters, return_inverse=True)
    n = len(distinct)
    weights = np.random.default_rng(0).multinomial(n, np.full(n, 1 / n), RESAMPLES)[:, own].astype(np.float64)
    return np.mean([[of(*points) for points in _points(pair, target, weights)] for pair in pairs], axis=0)


def _spread(values: Sequence[float], resampled: np.ndarray, target: Target, *, shared: float) -> Spread:
    """NaN in a resample (undefined there) makes the error NaN: it is not left out, and there is no interval."""
    of_draws, draws_freedom = _of_draws(np.array(values), shared)
    clusters = len(np.unique(target.clusters))
    of_target = float(resampled.var(ddof=1)) * clusters / (clusters - 1) if clusters > 1 else 0.0
    error = of_draws + of_target
    parts = of_draws**2 / draws_freedom + of_target**2 / max(1, clusters - 1)
    freedom = error**2 / parts if parts > 0 else draws_freedom
    sd = float(np.std(values, ddof=1))
    return Spread(float(np.mean(values)), math.sqrt(error), freedom, sd, math.sqrt(of_target))


def _of_draws(values: np.ndarray, shared: float) -> tuple[float, float]:
    """Variance of the mean over draws, with its degrees of freedom."""
    n = len(values)
    alike = (1 + (n - 1) * shared) / (1 - shared)
    return alike * float(values.var(ddof=1)) / n, (n - 1) / (1 + 2 * shared)
