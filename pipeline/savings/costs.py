"""What measurement and curation cost, from which training size on they pay, and what repetition makes of the multiplier."""

from __future__ import annotations

import math
from collections.abc import Sequence

from pipeline.output.manifest import Manifest
from pipeline.plan.compute import Compute
from pipeline.records.savings_json import BreakEven, Comparison, Costs, Measured, MeasuringCost, Repeats
from pipeline.report.compute import ledger
from pipeline.savings.analysis import curves, laws

MOST_ORDERS = 3.0
"""Orders of magnitude beyond the measured run at which nothing is said of a training size: chosen because rankings by small
models agree with those of models ten to a hundred times larger about 80 % of the time (arXiv 2504.11393), and nothing is known
beyond."""
AT_SCALE = ("gpu", "own trainer")


def of(compute: Compute, live: Sequence[Manifest], made: Measured, *, cpu_s: float) -> Costs:
    """Costs of this measurement and of the curation of all live generations. `cpu_s`: CPU seconds of this attempt; those of
    killed ones are in the runs' own."""
    measuring = ledger.curation(compute, max(cpu_s, made.learner.cpu_s), 0.0)
    curated = [m.metrics.compute.curation for m in live]
    dollars = sum(cost.dollars.number for cost in curated)
    return Costs(
        measuring=MeasuringCost(cpu_hours=measuring.cpu_hours, dollars=measuring.dollars, kwh=measuring.kwh),
        curation_cpu_s=3600 * sum(cost.cpu_hours.number for cost in curated),
        curation_dollars=dollars,
        break_even=_break_even(compute, dollars + measuring.dollars.number, made),
    )


def _break_even(compute: Compute, dollars: float, made: Measured) -> BreakEven | None:
    line = made.comparison(made.primary)
    if made.tier not in AT_SCALE or line is None or line.verdict != "saves" or line.interval is None:
        return None
    per_flop = ledger.dollars_per_flop(compute)
    if not per_flop:
        return None
    flops = dollars / (per_flop * curves.saved_share(line.interval[0]))
    measured = 6.0 * made.learner.parameters * made.learner.tokens
    if math.log10(flops / measured) > MOST_ORDERS:
        return None
    return BreakEven(flops=flops, gpu_hours=flops * per_flop / compute.price_per_gpu_hour)


def repeats(compute: Compute, made: Measured, line: Comparison | None) -> Repeats | None:
    """Of the run that the plan names, where it names one and that repeats text. Sizes are in bytes: the plan's tokens are
    those of its own tokenizer, not of the small model's."""
    if compute.plan is None or line is None or line.multiplier is None or made.tier == "ngram":
        return None
    planned = compute.plan.tokens * compute.bytes_per_token
    baseline, judged = made.arms[0], made.arms[1]
    epochs = {arm.arm: planned / arm.corpus_bytes for arm in (baseline, judged)}
    if max(epochs.values()) <= 1:
        return None

    def net(fresh: float) -> float:
        return laws.net_multiplier(
            fresh, planned=planned, unique_baseline=baseline.corpus_bytes, unique_other=judged.corpus_bytes
        )

    ends = None if line.interval is None else (net(line.interval[0]), net(line.interval[1]))
    return Repeats(
        law=laws.LAW,
        planned_tokens=compute.plan.tokens,
        epochs=epochs,
        multiplier=net(line.multiplier),
        multiplier_interval=ends,
    )
