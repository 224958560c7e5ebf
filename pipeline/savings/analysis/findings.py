"""From losses to findings: multipliers, intervals, verdicts and the one sentence that may be quoted.

The headline is about the primary declared target alone and states the lower bound; it is printed as plainly where there is no
evidence, or where curation costs. Nothing measured by counting n-grams becomes a percentage.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from pipeline.records.savings_1 import ArmLine, Decontaminated, Range, Ranked, RegimeLine, SeedLine, SetLine
from pipeline.savings.analysis import curves, intervals
from pipeline.savings.analysis.intervals import Estimate, Losses
from pipeline.savings.corpora import sizes_of
from pipeline.savings.heldout import ROLES, HeldOut

NOISE = 0.01
"""Bits per byte: a fall of the loss up to this, in both arms, is no learning."""


@dataclass(frozen=True)
class RegimeLosses:
    """Losses of one regime. `compute`: FLOPs (n-grams: bytes) at each checkpoint; `losses[arm][set]`, the baseline first.

    `kept_share[arm]`: its corpus over the baseline's, in tokens (n-grams: bytes)."""

    compute: np.ndarray
    losses: dict[str, dict[str, Losses]]
    kept_share: dict[str, float]

    @property
    def arms(self) -> list[str]:
        return list(self.losses)


def losses_of(
    compute: np.ndarray, bits: Mapping[str, np.ndarray], *, sets: Sequence[HeldOut], sizes: Mapping[str, float]
) -> RegimeLosses:
    """`bits[arm]`: seeds x checkpoints x documents of all sets in order, the baseline first; `sizes[arm]`: of its corpus."""
    ends = np.cumsum([len(held.texts) for held in sets])[:-1]
    parts = {arm: zip(sets, np.split(found, ends, axis=2), strict=True) for arm, found in bits.items()}
    losses = {arm: {held.name: Losses(part, sizes_of(held.texts)) for held, part in own} for arm, own in parts.items()}
    whole = sizes[next(iter(bits))]
    return RegimeLosses(compute, losses, {arm: size / whole for arm, size in sizes.items()})


def sets_of(measured: RegimeLosses, sets: Sequence[HeldOut]) -> tuple[SetLine, ...]:
    """One entry a held-out set: its role, curves of all arms, and a line for every arm but the baseline."""
    return tuple(_set(measured, made) for made in sets)


def _set(measured: RegimeLosses, made: HeldOut) -> SetLine:
    compute, baseline = measured.compute, measured.losses[measured.arms[0]][made.name]
    floor = intervals.noise_floor(compute, baseline)
    return SetLine(
        name=made.name,
        role=made.role,
        about=ROLES[made.role],
        bytes=int(sizes_of(made.texts).sum()),
        documents=len(made.texts),
        sha256=made.sha256,
        decontaminated=Decontaminated(lines=made.lines, removed=made.removed_lines),
        baseline=measured.arms[0],
        noise_floor=floor,
        curves={arm: _curve(compute, measured.losses[arm][made.name]) for arm in measured.arms},
        arms=tuple(_line(measured, arm, made.name, floor=floor) for arm in measured.arms[1:]),
    )


def _curve(compute: np.ndarray, losses: Losses) -> tuple[tuple[float, float, float], ...]:
    """(compute, bits per byte, standard deviation over seeds) of each checkpoint."""
    found = losses.curves()
    sd = found.std(axis=0, ddof=1) if len(found) > 1 else np.zeros(found.shape[1])
    return tuple((float(c), float(m), float(s)) for c, m, s in zip(compute, found.mean(axis=0), sd, strict=True))


def _line(measured: RegimeLosses, arm: str, name: str, *, floor: Range | None) -> ArmLine:
    baseline, other = measured.losses[measured.arms[0]][name], measured.losses[arm][name]
    found = intervals.estimate(measured.compute, baseline, other, noise=NOISE)
    gap, gap_interval = intervals.gap_interval(baseline, other)
    status = max((crossing.status for crossing in found.per_seed), key=curves.STATUSES.index)  # the worst
    return ArmLine(
        arm=arm,
        multiplier=_number(found.value),
        interval=found.interval,
        interval_t=found.by_t,
        interval_bootstrap=found.by_bootstrap,
        bound=_bound(found),
        status=status,
        status_in_words=curves.IN_WORDS[status],
        reached_in_seeds=sum(crossing.status not in ("not_reached", "no_learning") for crossing in found.per_seed),
        verdict=intervals.verdict(found, floor),
        clears_noise=intervals.clears_noise(found, floor),
        distinguishable=found.distinguishable,
        gap=gap,
        gap_interval=gap_interval,
        best_gap=float(np.mean([crossing.best_gap for crossing in found.per_seed])),
        kept_yield=_number(curves.kept_yield(found.value, measured.kept_share[arm])),
        trend=curves.trend(measured.compute, baseline.curves().mean(axis=0), other.curves().mean(axis=0)),
        per_seed=tuple(SeedLine(multiplier=_number(c.multiplier), status=c.status) for c in found.per_seed),
    )


def _bound(found: Estimate) -> Literal["lower", "upper"] | None:
    """The kind where every seed gives a bound of that kind only."""
    bounds = {(crossing.bound, crossing.status == "at_floor") for crossing in found.per_seed}
    bound, lower = next(iter(bounds))
    return None if len(bounds) > 1 or not bound else "lower" if lower else "upper"


def _number(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else float(value)


def line_of(sets: Sequence[SetLine], name: str | None, arm: str) -> ArmLine | None:
    """The line of an arm on a set; None for a set that is not there."""
    return next((line for made in sets if made.name == name for line in made.arms if line.arm == arm), None)


def headline(sets: Sequence[SetLine], *, primary: str | None, arm: str, baseline: str, model: str) -> str:
    """The sentence of the `cpu` and `gpu` tiers. `model`: what was trained, in words."""
    if primary is None:
        return _without_target(sets, arm)
    line = line_of(sets, primary, arm)
    if line is None:
        return f"No figure for {primary}: it is not among the sets."
    found, interval = line.multiplier, line.interval
    if interval is None:
        return f"No verdict on {primary}: {line.verdict} ({line.status_in_words})."
    figures = f"compute multiplier {found:.2f}, 95 % interval {interval[0]:.2f} to {interval[1]:.2f}, {model}"
    if line.verdict == "saves":
        if not line.clears_noise:
            return f"Ranking only: {arm} is ahead of {baseline} on {primary}, within the noise of two equal runs ({figures})."
        share = math.floor(100 * curves.saved_share(interval[0]))
        return f"At least {share} % less training compute for the same loss on {primary}, no text seen twice ({figures})."
    if line.verdict == "costs":
        return f"Costs: {arm} is worse than {baseline} on {primary}; {line.status_in_words} ({figures})."
    return f"No evidence of a saving on {primary} ({figures}; {line.status_in_words})."


def _without_target(sets: Sequence[SetLine], arm: str) -> str:
    said = []
    for name, bias in (("curated_heldout", "biased for curation"), ("raw_heldout", "biased against it")):
        line = line_of(sets, name, arm)
        if line is not None and line.interval is not None:
            low, high = line.interval
            said.append(f"{name} ({bias}): multiplier {line.multiplier:.2f}, {low:.2f} to {high:.2f}, {line.verdict}")
    return "No headline: no target was named (compute.targets). " + "; ".join(said) + ("." if said else "")


def ranking(sets: Sequence[SetLine], *, name: str, baseline: str) -> tuple[Ranked, ...]:
    """The arms from best to worst on a set; `same` where the interval does not exclude the baseline (multiplier 1)."""
    lines = next(made.arms for made in sets if made.name == name)
    ranked = [Ranked(arm=baseline, multiplier=1.0, interval=None, same=True)]
    for line in lines:
        same = line.interval is None or line.interval[0] <= 1 <= line.interval[1]
        ranked.append(Ranked(arm=line.arm, multiplier=line.multiplier, interval=line.interval, same=same))
    return tuple(sorted(ranked, key=lambda item: -(item.multiplier or 0.0)))


def ranked_in_words(ranked: Sequence[Ranked], *, name: str, baseline: str) -> str:
    """The sentence of the `ngram` tier: an order, no percentage."""
    arms = [f"{item.arm} (not told from {baseline})" if item.same and item.arm != baseline else item.arm for item in ranked]
    return f"Ranked by a byte 6-gram on {name}: {' > '.join(arms)}. An order, not a size."


def recommended(ranked: Sequence[Ranked]) -> str | None:
    """The best arm, if its interval lies above that of every other arm; None: no measurable difference."""
    known = [(item.arm, item.interval) for item in ranked if item.interval is not None]
    if not known:
        return None
    (best, (low, _)), *others = known
    return None if any(high >= low for _, (_, high) in others) else best


def with_repeats(regime: RegimeLine, *, primary: str | None, arm: str) -> str:
    """What is added to the headline where text was repeated as often as planned: that is the run that will be paid for."""
    line = line_of(regime.sets, primary, arm)
    if line is None or line.interval is None:
        return ""
    low, high = line.interval
    return f" With {regime.regime}: {line.verdict} (multiplier {line.multiplier:.2f}, {low:.2f} to {high:.2f})."


def _tells(line: ArmLine) -> bool:
    return line.interval is not None and not line.interval[0] <= 1 <= line.interval[1]


def differing(sets: Sequence[SetLine], regimes: Sequence[RegimeLine], *, arm: str) -> list[str]:
    """Notes on sets whose sign changes with the regime, where an interval tells: such a finding depends on the training."""
    notes = []
    for regime in regimes:
        for made in sets:
            first, again = line_of(sets, made.name, arm), line_of(regime.sets, made.name, arm)
            if first is None or again is None or first.multiplier is None or again.multiplier is None:
                continue
            sides = {first.multiplier > 1, again.multiplier > 1}
            if len(sides) == 2 and (_tells(first) or _tells(again)):
                notes.append(
                    f"{made.name}: the multiplier is {first.multiplier:.2f} below one epoch and {again.multiplier:.2f}"
                    f" with {regime.regime}: it depends on how the model is trained"
                )
    return notes
