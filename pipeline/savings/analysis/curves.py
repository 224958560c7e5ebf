"""From two loss curves to a compute multiplier: interpolation only, never a fitted law.

Definition (backward, iso-loss): the baseline ends its run of C_m at loss L*, which is its *last* checkpoint and not its
best. The other arm first reaches L* at C*; the multiplier is C_m / C*. `1 - 1/multiplier` is the share of the baseline's
training compute that is saved at equal quality. Crossings are linear in (log C, L) on the running minimum of the loss.
The same idea: time to a fixed quality target of MLPerf Training, with data as the variable.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from pipeline.records.savings_1 import Trend

Status = Literal["ok", "at_floor", "reached_then_overfits", "not_reached", "no_learning"]

STATUSES: tuple[Status, ...] = ("ok", "at_floor", "reached_then_overfits", "not_reached", "no_learning")
"""From the best to the worst; where seeds differ the worst is shown."""

IN_WORDS: dict[Status, str] = {
    "ok": "reached the baseline's final loss",
    "at_floor": "had it at the first checkpoint: the multiplier is a lower bound",
    "reached_then_overfits": "reached it, then over-fits: the last checkpoint is above it",
    "not_reached": "never reached it: no saving at this quality",
    "no_learning": "neither arm learnt more than the noise",
}

STEADY_PER_DOUBLING = 0.15
"""Change of the multiplier per doubling of the budget beyond which it is called rising or falling; chosen because seeds of
the small models move it by about as much."""


@dataclass(frozen=True)
class Crossing:
    """`multiplier`: C_m / C*, a lower bound where `status` is at_floor and NaN where it is no_learning. Where it is not_reached,
    the share (below 1) of its own compute that the *baseline* needs for the best loss this arm ever had; with `bound`, an upper
    bound of that share. `gap`: loss at the same full compute minus L*. `best_gap`: least loss minus L*."""

    multiplier: float
    status: Status
    gap: float
    best_gap: float
    bound: bool = False


def first_reached(compute: np.ndarray, loss: np.ndarray, target: float) -> float | None:
    """Compute at which the running minimum of `loss` first equals `target`; the first checkpoint's where it is there already,
    None where it never is. `compute`: increasing and positive."""
    least = np.minimum.accumulate(loss)
    if least[0] <= target:
        return float(compute[0])
    if least[-1] > target:
        return None
    after = int(np.argmax(least <= target))
    high, low = least[after - 1], least[after]
    share = (high - target) / (high - low)
    return float(np.exp((1 - share) * np.log(compute[after - 1]) + share * np.log(compute[after])))


def multiplier(compute: np.ndarray, baseline: np.ndarray, other: np.ndarray, *, noise: float = 0.0) -> Crossing:
    """How many times the compute the baseline needs for its own final loss. All arrays: one value a checkpoint.

    `noise`: a fall of the loss up to this, in both arms, is no learning.
    """
    compute, baseline, other = (np.asarray(values, dtype=np.float64) for values in (compute, baseline, other))
    target, least = float(baseline[-1]), float(other.min())
    gap, best_gap = float(other[-1]) - target, least - target
    if baseline[0] - baseline.min() <= noise and other[0] - least <= noise:
        return Crossing(math.nan, "no_learning", gap, best_gap)
    reached = first_reached(compute, other, target)
    whole = float(compute[-1])
    if reached is None:
        needed = first_reached(compute, baseline, least)
        at_once = bool(baseline[0] <= least)
        share = (needed if needed is not None else whole) / whole
        return Crossing(share, "not_reached", gap, best_gap, bound=at_once)
    if other[0] <= target:
        return Crossing(whole / float(compute[0]), "at_floor", gap, best_gap, bound=True)
    return Crossing(whole / reached, "ok" if gap <= 0 else "reached_then_overfits", gap, best_gap)


def saved_share(value: float) -> float:
    """Share of the baseline's training compute saved at equal quality; negative where the arm costs."""
    return 1 - 1 / value


def kept_yield(value: float, kept_share: float) -> float | None:
    """ln(multiplier) / ln(1 / kept share): 1 = everything removed was worthless, 0 = no better than deleting at random,
    below 0 = worse than that. None where nothing was removed, or the multiplier is undefined."""
    if not 0 < kept_share < 1 or not value > 0 or not math.isfinite(value):
        return None
    return math.log(value) / math.log(1 / kept_share)


def trend(compute: np.ndarray, baseline: np.ndarray, other: np.ndarray, *, last: int = 5) -> Trend:
    """Early budgets understate a saving, because both arms pay the same start-up: so the trend belongs beside the figure."""
    stops = range(3, len(compute) + 1)[-last:]
    found = [multiplier(compute[:stop], baseline[:stop], other[:stop]) for stop in stops]
    pairs = [(float(compute[s - 1]), c.multiplier) for s, c in zip(stops, found, strict=True) if math.isfinite(c.multiplier)]
    budgets, values = tuple(b for b, _ in pairs), tuple(v for _, v in pairs)
    if len(pairs) < 2:
        return Trend(budgets=budgets, multipliers=values, direction="too few budgets")
    doublings = math.log2(budgets[-1] / budgets[-2])
    change = (values[-1] / values[-2]) ** (1 / doublings) - 1
    direction = "steady" if abs(change) <= STEADY_PER_DOUBLING else "rising" if change > 0 else "falling"
    return Trend(budgets=budgets, multipliers=values, direction=direction)
