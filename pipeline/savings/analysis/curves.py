"""From two loss curves to a compute multiplier: interpolation only, never a fitted law.

Definition (backward, iso-loss): the baseline ends its run of C_m at loss L*, which is its *last* checkpoint and not its
best. The other arm first reaches L* at C*; the multiplier is C_m / C*. `1 - 1/multiplier` is the share of the baseline's
training compute that is saved at equal quality. Crossings are linear in (log C, L) on the running minimum of the loss.
The same idea: time to a fixed quality target of MLPerf Training, with data as the variable.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from pipeline.records.savings_json import Status

REACHED: tuple[Status, ...] = ("ok", "at_floor", "reached_then_overfits")
"""The arm had the baseline's final loss at some compute."""


@dataclass(frozen=True)
class Points:
    """Compute, increasing and positive, and loss of each checkpoint; two arms may have checkpoints of their own."""

    compute: np.ndarray
    loss: np.ndarray

    def upto(self, compute: float) -> Points:
        """The checkpoints up to a compute."""
        n = int(np.searchsorted(self.compute, compute * (1 + 1e-9)))
        return Points(self.compute[:n], self.loss[:n])


@dataclass(frozen=True)
class Crossing:
    """`multiplier`: C_m / C*, a lower bound where `status` is at_floor and NaN where it is no_learning. Where it is not_reached,
    the share (below 1) of its own compute that the *baseline* needs for the best loss this arm ever had; with `bound`, an upper
    bound of that share."""

    multiplier: float
    status: Status
    bound: bool = False


def first_reached(points: Points, target: float) -> float | None:
    """Compute at which the running minimum of the loss first equals `target`; the first checkpoint's where it is there already,
    None where it never is."""
    least = np.minimum.accumulate(points.loss)
    if least[0] <= target:
        return float(points.compute[0])
    if least[-1] > target:
        return None
    after = int(np.argmax(least <= target))
    share = (least[after - 1] - target) / (least[after - 1] - least[after])
    logs = np.log(points.compute[after - 1 : after + 1])
    return float(np.exp((1 - share) * logs[0] + share * logs[1]))


def around(points: Points, target: float) -> tuple[int, int]:
    """The two checkpoints between which the loss first reaches `target`; the first one twice where it is there already, the last
    two where it never is: where a denser look is worth its cost."""
    least = np.minimum.accumulate(points.loss)
    after = int(np.argmax(least <= target)) if least[-1] <= target else len(least) - 1
    return max(0, after - 1), after


def multiplier(baseline: Points, other: Points, *, noise: float = 0.0) -> Crossing:
    """How many times the compute the baseline needs for its own final loss. `noise`: a fall of the loss up to this, in both arms,
    is no learning."""
    target, least, whole = float(baseline.loss[-1]), float(other.loss.min()), float(baseline.compute[-1])
    if baseline.loss[0] - baseline.loss.min() <= noise and other.loss[0] - least <= noise:
        return Crossing(math.nan, "no_learning")
    reached = first_reached(other, target)
    if reached is None:
        needed = first_reached(baseline, least)
        share = (needed if needed is not None else whole) / whole
        return Crossing(share, "not_reached", bound=bool(baseline.loss[0] <= least))
    if other.loss[0] <= target:
        return Crossing(whole / reached, "at_floor", bound=True)
    return Crossing(whole / reached, "ok" if other.loss[-1] <= target else "reached_then_overfits")


def saved_share(value: float) -> float:
    """Share of the baseline's training compute saved at equal quality; negative where the arm costs."""
    return 1 - 1 / value


def worth(value: float, kept_share: float) -> float | None:
    """w, what a dropped token was worth in kept ones: multiplier = 1 / (k + (1 - k) w), k the kept share. 0: everything that was
    dropped was of no use; 1: it was as good as what was kept; below 0 it did harm. None where nothing was dropped, or the
    multiplier is undefined. It does not change with how much was dropped, which the multiplier does."""
    if not 0 < kept_share < 1 or not value > 0 or not math.isfinite(value):
        return None
    return (1 / value - kept_share) / (1 - kept_share)
