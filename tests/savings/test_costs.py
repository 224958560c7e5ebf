"""Break-even and extrapolation: shown only where they may be, and from the lower bound."""

from __future__ import annotations

import pytest

from pipeline.plan.compute import Compute, TrainingPlan
from pipeline.records.savings_1 import ArmLine, ArmSize, Costs, Extrapolation, Model, RegimeLine, Savings, SetLine
from pipeline.savings import costs
from pipeline.savings.analysis import laws


def made(
    *, tier: str = "cpu", verdict: str = "saves", interval: tuple[float, float] = (1.5, 2.5), tokens: float = 2e9
) -> Savings:
    """With what the costs go by alone."""
    line = ArmLine.model_construct(arm="curated", multiplier=2.0, interval=interval, verdict=verdict)
    return Savings.model_construct(
        tier=tier,
        primary="web",
        model=Model(what="a model", seeds=3, parameters=1e8, tokens=tokens, training_cpu_s=3600.0),
        arms=tuple(ArmSize.model_construct(arm=name, corpus_tokens=n) for name, n in (("raw", 10e9), ("curated", 3.1e9))),
        sets=(SetLine.model_construct(name="web", arms=(line,)),),
        regimes=(),
    )


PLAN = Compute(plan=TrainingPlan(parameters=1e9, tokens=20e9), price_per_gpu_hour=2.0, mfu=0.4)


def of(found: Savings) -> Costs:
    return costs.of(PLAN, [], found, cpu_s=10.0)


def test_the_cost_of_the_runs_is_counted_also_where_another_attempt_paid_it():
    assert of(made()).proxy.cpu_hours.value == pytest.approx(1.0)


def test_break_even_is_the_size_at_which_the_lower_bound_pays_for_curation_and_measurement():
    found = of(made()).break_even
    per_flop = 2.0 / (989e12 * 0.4 * 3600)
    assert found.dollars == pytest.approx(0.04)
    assert found.flops == pytest.approx(0.04 / (per_flop * (1 - 1 / 1.5)), rel=1e-6)
    assert found.flops * per_flop * (1 - 1 / 1.5) == pytest.approx(found.dollars)


@pytest.mark.parametrize("change", [{"verdict": "no evidence"}, {"verdict": "costs", "interval": (0.3, 0.9)}, {"tier": "ngram"}])
def test_nothing_pays_for_itself_where_no_saving_was_shown(change):
    assert of(made(**change)).break_even.flops is None


def test_nothing_pays_for_itself_where_repeats_as_planned_undo_the_saving():
    undone = made(verdict="costs", interval=(0.4, 0.5)).sets
    regime = RegimeLine.model_construct(regime="text repeated as often as planned", sets=undone)
    found = made().model_copy(update={"regimes": (regime,)})
    assert of(found).break_even.flops is None


@pytest.mark.parametrize(("tokens", "shown"), [(2e8, True), (1.99e8, False)])
def test_no_extrapolation_beyond_three_orders_of_magnitude(tokens, shown):
    found = of(made(tokens=tokens)).extrapolation
    assert isinstance(found, Extrapolation) is shown


def test_an_extrapolation_carries_its_caution_and_counts_repeats():
    found = of(made()).extrapolation
    assert "80 %" in found.caution
    assert found.net_multiplier["value"] == pytest.approx(
        laws.net_multiplier(2.0, planned=20e9, unique_baseline=10e9, unique_other=3.1e9)
    )
    assert found.net_multiplier["low"] < found.net_multiplier["value"] < 2.0, "6 epochs of the curated text, 2 of the raw"
    assert set(found.loss_difference) == set(laws.LAWS)
    assert all(difference < 0 for difference in found.loss_difference.values())
