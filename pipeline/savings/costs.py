"""What the measurement and the curation cost, from which training size on they pay, and the flagged extrapolation."""

from __future__ import annotations

import math
from collections.abc import Sequence

from pipeline.output.manifest import Manifest
from pipeline.plan.compute import Compute, TrainingPlan
from pipeline.records.savings_1 import ArmLine, BreakEven, Costs, Extrapolation, NoExtrapolation, ProxyCost, Savings
from pipeline.report.compute import ledger
from pipeline.savings.analysis import curves, laws
from pipeline.savings.analysis.findings import line_of
from pipeline.savings.tiers import training


def of(compute: Compute, live: Sequence[Manifest], made: Savings, *, cpu_s: float) -> Costs:
    """Costs of this measurement and of the curation of all live generations.

    The break-even goes by the arms that repeat text as often as planned, where they were measured. `made`: what was
    found. `cpu_s`: CPU seconds of this attempt; those of killed ones are in the runs' own.
    """
    proxy = ledger.curation(compute, max(cpu_s, made.model.training_cpu_s), 0.0)
    curated = sum(m.metrics.compute.curation.dollars.number for m in live)
    repeated = next((item.sets for item in made.regimes if item.regime == training.REPEATED), made.sets)
    line, paid = (line_of(sets, made.primary, made.arms[1].arm) for sets in (made.sets, repeated))
    return Costs(
        proxy=ProxyCost(cpu_hours=proxy.cpu_hours, dollars=proxy.dollars, kwh=proxy.kwh),
        curation_dollars=curated,
        break_even=_break_even(compute, curated + proxy.dollars.number, paid, tier=made.tier),
        extrapolation=_extrapolation(compute, live, made, line=line),
    )


def _break_even(compute: Compute, dollars: float, line: ArmLine | None, *, tier: str) -> BreakEven:
    low = line.interval[0] if line is not None and line.interval is not None and line.verdict == "saves" else 1.0
    per_flop = ledger.dollars_per_flop(compute)
    if tier == "ngram" or not low > 1 or not per_flop:
        ranked = "An order is no saving, so nothing is set against the cost of curation; --tier cpu measures one."
        sentence = ranked if tier == "ngram" else "No saving was shown, so nothing pays for itself."
        return BreakEven(dollars=dollars, flops=None, gpu_hours=None, sentence=sentence)
    flops = dollars / (per_flop * curves.saved_share(low))
    hours = flops * per_flop / compute.price_per_gpu_hour
    sentence = (
        f"Curation and this measurement (${dollars:,.4f}) pay for themselves from {flops:.2g} FLOPs of training on, about"
        f" {hours:,.3g} {compute.gpu}-hours, if the lower bound of the multiplier ({low:.2f}) held at that size."
    )
    return BreakEven(dollars=dollars, flops=flops, gpu_hours=hours, sentence=sentence)


def _extrapolation(
    compute: Compute, live: Sequence[Manifest], made: Savings, *, line: ArmLine | None
) -> NoExtrapolation | Extrapolation:
    """Suppressed, with the reason, unless the small model is within three orders of magnitude of the planned run."""
    if made.tier == "ngram" or line is None or line.interval is None or line.multiplier is None:
        return NoExtrapolation(suppressed="there is no multiplier on a declared target to extrapolate")
    plan = compute.plan
    if plan is None:
        return NoExtrapolation(suppressed="no run is planned (compute.plan)")
    used = 6.0 * made.model.parameters * made.model.tokens
    planned = 6.0 * plan.parameters * plan.tokens
    orders = math.log10(planned / used)
    if orders > laws.MOST_ORDERS:
        said = f"the planned run is {orders:.1f} orders of magnitude larger than the measured one (at most {laws.MOST_ORDERS:g})"
        return NoExtrapolation(suppressed=said, orders=orders)
    baseline, judged = made.arms[0], made.arms[1]
    unique = baseline.corpus_tokens * (1 - _duplicates(live))
    points = {"low": line.interval[0], "value": line.multiplier, "high": line.interval[1]}
    net = {
        name: laws.net_multiplier(fresh, planned=plan.tokens, unique_baseline=unique, unique_other=judged.corpus_tokens)
        for name, fresh in points.items()
    }
    return Extrapolation(
        orders=orders,
        caution=laws.CAUTION,
        law=laws.LAWS["muennighoff_c4"].source,
        net_multiplier=net,
        crossover_tokens=laws.crossover(points["value"], unique_baseline=unique, unique_other=judged.corpus_tokens),
        loss_difference={
            name: _loss(law, plan, judged.corpus_tokens, worth=1.0) - _loss(law, plan, unique, worth=points["value"])
            for name, law in laws.LAWS.items()
        },
    )


def _loss(law: laws.Law, plan: TrainingPlan, unique: float, *, worth: float) -> float:
    """Predicted nats a token of the planned run, a token being worth 1 / `worth`."""
    effective = laws.effective_tokens(plan.tokens, unique) / worth
    return law.e + law.a / plan.parameters**law.alpha + law.b / effective**law.beta


def _duplicates(live: Sequence[Manifest]) -> float:
    """Share of the bytes read that dedup dropped."""
    read = sum(m.totals.bytes_read for m in live)
    reasons = [line for m in live for line in m.metrics.reasons if line.stage == "dedup"]
    return sum(line.first_bytes for line in reasons) / read if read else 0.0
