"""Costs, break-even and repetition: shown only where they may be, and from the lower bound."""

from __future__ import annotations

import pytest

from pipeline.plan.compute import Compute, TrainingPlan
from pipeline.records.savings_json import ArmSize, Comparison, Learner, Measured, SetLine
from pipeline.savings import costs
from pipeline.savings.analysis import laws


def made(
    *, tier: str = "gpu", verdict: str = "saves", interval: tuple[float, float] = (1.5, 2.5), tokens: float = 2e6
) -> Measured:
    """With what the costs go by alone."""
    line = Comparison.model_construct(arm="curated", multiplier=2.0, interval=interval, verdict=verdict)
    arms = (("raw", 40e9), ("curated", 12.4e9))
    return Measured.model_construct(
        tier=tier,
        primary="web",
        learner=Learner(what="a model", unit="FLOPs", largest=0, parameters=1e8, tokens=tokens, cpu_s=3600.0),
        arms=tuple(ArmSize.model_construct(arm=name, corpus_bytes=n) for name, n in arms),
        sets=(SetLine.model_construct(name="web", comparisons=(line,)),),
    )


PLAN = Compute(plan=TrainingPlan(parameters=1e9, tokens=20e9), price_per_gpu_hour=2.0, mfu=0.4)


def test_the_cost_of_the_runs_is_counted_also_where_another_attempt_paid_it():
    assert costs.of(PLAN, [], made(), cpu_s=10.0).measuring.cpu_hours.value == pytest.approx(1.0)


def test_break_even_is_the_size_at_which_the_lower_bound_pays_for_curation_and_measurement():
    found = costs.of(PLAN, [], made(), cpu_s=10.0).break_even
    per_flop = 2.0 / (989e12 * 0.4 * 3600)
    assert found.flops == pytest.approx(0.04 / (per_flop * (1 - 1 / 1.5)), rel=1e-6)
    assert found.gpu_hours == pytest.approx(found.flops * per_flop / 2.0)


@pytest.mark.parametrize(
    "change",
    [
        {"verdict": "no difference"},
        {"verdict": "costs", "interval": (0.3, 0.9)},
        {"tier": "cpu"},
        {"tier": "ngram"},
        {"tokens": 1e2},
    ],
)
def test_nothing_is_said_of_a_break_even_without_a_saving_below_gpu_or_beyond_three_orders(change):
    """8.5e13 FLOPs: 3.2 orders beyond 1e8 parameters and 1e2 tokens."""
    assert costs.of(PLAN, [], made(**change), cpu_s=10.0).break_even is None


def test_repeats_are_computed_in_bytes_of_the_plans_own_tokens():
    found = made()
    line = found.comparison("web")
    made_of = costs.repeats(PLAN, found, line)
    assert made_of.epochs == {"raw": pytest.approx(2.0), "curated": pytest.approx(80 / 12.4)}
    assert made_of.multiplier == pytest.approx(laws.net_multiplier(2.0, planned=80, unique_baseline=40, unique_other=12.4))
    assert made_of.multiplier_interval[0] < made_of.multiplier < 2.0


@pytest.mark.parametrize(
    ("plan", "tier"), [(Compute(), "cpu"), (PLAN, "ngram"), (Compute(plan=TrainingPlan(parameters=1e9, tokens=1e9)), "cpu")]
)
def test_no_repeats_without_a_plan_of_the_users_in_the_ngram_tier_or_below_an_epoch(plan, tier):
    found = made(tier=tier)
    assert costs.repeats(plan, found, found.comparison("web")) is None
