"""From losses to findings: curves and comparisons of every arm on every held-out set, as figures. Sentences are the report's."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from statistics import geometric_mean

import numpy as np

from pipeline.records.savings_json import Against, Budget, Comparison, Decontaminated, DrawLine, Range, SetLine
from pipeline.savings.analysis import curves, intervals
from pipeline.savings.analysis.curves import Points
from pipeline.savings.analysis.intervals import Estimate, Pair, Target
from pipeline.savings.heldout import HeldOut
from pipeline.savings.losses import Curve, Losses

NOISE = 0.01
"""Bits per byte: a fall of the loss up to this, in both arms, is no learning."""
LEAST_CHECKPOINTS = 3
"""Of the baseline, for the multiplier of an earlier budget."""


def sets_of(losses: Losses, sets: Sequence[HeldOut]) -> tuple[SetLine, ...]:
    """One entry a held-out set: curves of all arms, and a comparison for every arm but the baseline."""
    return tuple(_set(losses, made) for made in sets)


def _set(losses: Losses, made: HeldOut) -> SetLine:
    target = target_of(made)
    return SetLine(
        name=made.name,
        role=made.role,
        bytes=int(made.sizes.sum()),
        documents=len(made.texts),
        clusters=len(set(made.clusters)),
        enough=len(made.texts) >= made.most,
        sha256=made.sha256,
        decontaminated=Decontaminated(lines=made.lines, removed=made.removed_lines),
        curves={arm: _curve([draw[arm][made.name] for draw in losses.draws], target) for arm in losses.arms},
        comparisons=tuple(comparison(losses, made, arm) for arm in losses.arms[1:]),
    )


def target_of(made: HeldOut) -> Target:
    """A held-out set as the statistics see it."""
    return Target(made.sizes, np.array(made.clusters))


def pairs_of(losses: Losses, name: str, arm: str, *, baseline: str | None = None) -> list[Pair]:
    """The curves of an arm and of the baseline on a set, draw by draw."""
    first = losses.arms[0] if baseline is None else baseline
    return [(draw[first][name], draw[arm][name]) for draw in losses.draws]


def comparison(losses: Losses, made: HeldOut, arm: str, *, baseline: str | None = None) -> Comparison:
    """An arm against the baseline on a set."""
    first = losses.arms[0] if baseline is None else baseline
    target, pairs = target_of(made), pairs_of(losses, made.name, arm, baseline=first)
    kept = losses.kept_share[arm] / losses.kept_share[first]
    found = intervals.estimate(pairs, target, shared=losses.shared, noise=NOISE)
    gap, gap_interval = intervals.gap(pairs, target, shared=losses.shared)
    spread = found.spread
    return Comparison(
        arm=arm,
        baseline=first,
        kept_share=kept,
        multiplier=_number(found.value),
        interval=found.interval,
        bound=found.bound,
        verdict=found.verdict,
        worth=curves.worth(found.value, kept),
        worth_interval=_worths(found.interval, kept),
        reached=sum(crossing.status in curves.REACHED for crossing in found.per_draw),
        per_draw=tuple(DrawLine(multiplier=_number(c.multiplier), status=c.status) for c in found.per_draw),
        gap=gap,
        gap_interval=gap_interval,
        sd=None if spread is None else spread.sd,
        target_error=None if spread is None else spread.target_error,
        freedom=None if spread is None else spread.freedom,
        budgets=_budgets(pairs, target),
    )


def _curve(draws: Sequence[Curve], target: Target) -> tuple[tuple[float, float, float], ...]:
    """(compute, bits per byte, standard deviation over draws) of each checkpoint that all draws have."""
    shared = [float(c) for c in draws[0].compute if all(np.any(np.isclose(c, other.compute)) for other in draws[1:])]
    made = []
    for compute in shared:
        at = [draw.bits[int(np.argmin(np.abs(draw.compute - compute)))].sum() / target.sizes.sum() for draw in draws]
        made.append((compute, float(np.mean(at)), float(np.std(at, ddof=1)) if len(at) > 1 else 0.0))
    return tuple(made)


def _worths(interval: Range | None, kept: float) -> Range | None:
    """The larger multiplier is the smaller worth."""
    if interval is None:
        return None
    high, low = (curves.worth(end, kept) for end in interval)
    return None if low is None or high is None else (low, high)


def _budgets(pairs: Sequence[Pair], target: Target) -> tuple[Budget, ...]:
    """The multiplier at the baseline's earlier checkpoints, each as if the run had ended there."""
    whole = target.sizes.sum()
    points = [tuple(Points(curve.compute, curve.bits.sum(axis=1) / whole) for curve in pair) for pair in pairs]
    made = []
    for compute in points[0][0].compute[LEAST_CHECKPOINTS - 1 :]:
        cut = [(baseline.upto(compute), other.upto(compute)) for baseline, other in points]
        if not all(len(baseline.loss) and len(other.loss) for baseline, other in cut):
            continue
        values = [curves.multiplier(baseline, other).multiplier for baseline, other in cut]
        defined = all(map(math.isfinite, values))
        made.append(Budget(compute=float(compute), multiplier=geometric_mean(values) if defined else None))
    return tuple(made)


def _number(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def settled(sets: Sequence[HeldOut], deciding: Sequence[str], arm: str) -> Callable[[Losses], bool]:
    """Whether a tier may stop early: on every deciding set the interval of what is judged is narrow enough."""

    def enough(losses: Losses) -> bool:
        found = [made for made in sets if made.name in deciding]
        return all(_estimate(losses, made, arm).settled for made in found)

    return enough


def _estimate(losses: Losses, made: HeldOut, arm: str, *, baseline: str | None = None) -> Estimate:
    pairs = pairs_of(losses, made.name, arm, baseline=baseline)
    return intervals.estimate(pairs, target_of(made), shared=losses.shared, noise=NOISE)


def variants(losses: Losses, made: HeldOut, names: Sequence[str]) -> tuple[Against, ...]:
    """Arms on a set, the best first (by their multipliers over the baseline), each compared with the best draw by draw: what the
    draws share is in neither interval."""
    by_baseline = {name: _estimate(losses, made, name).value for name in names}
    ordered = sorted(names, key=lambda name: -by_baseline[name] if math.isfinite(by_baseline[name]) else math.inf)
    lines = [Against(variant=ordered[0], multiplier=1.0, interval=None)]
    for name in ordered[1:]:
        found = _estimate(losses, made, name, baseline=ordered[0])
        lines.append(Against(variant=name, multiplier=_number(found.value), interval=found.interval))
    return tuple(lines)


def recommended(lines: Sequence[Against]) -> str | None:
    """The best variant, where every other one is told from it; None: no measurable difference."""
    told = [line.interval is not None and line.interval[1] < 1 for line in lines[1:]]
    return lines[0].variant if all(told) and told else None
