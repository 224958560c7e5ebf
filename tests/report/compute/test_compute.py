"""The compute ledger against published arithmetic (sources beside the constants in pipeline/report/compute/ledger.py)."""

import json
import math

import pytest

from pipeline.errors import PlanError
from pipeline.plan.compute import Compute, TrainingPlan
from pipeline.report.compute import gpus
from pipeline.report.compute import ledger as compute


def _ledger(settings: Compute, **changes) -> dict:
    given = {"tokens_read": 10**12, "tokens_kept": 31 * 10**10, "tokens_kind": "counted", "curation_cpu_s": 0.0}
    return compute.ledger(settings, **{**given, **changes}).model_dump(mode="json")


def _passes(ledger: dict) -> dict[str, dict]:
    return {row["pass"]: {name: q["value"] for name, q in row.items() if name != "pass"} for row in ledger["passes"]}


DEEPSEEK = Compute(
    plan=TrainingPlan(parameters=37e9, tokens=14.8e12),
    gpu="H800",
    mfu=343 / 989,
    price_per_gpu_hour=2.0,
    pue=1.2,
    grid_g_per_kwh=445,
)
SEVEN_B = Compute(plan=TrainingPlan(parameters=7e9, tokens=1e12), gpu="H100", mfu=0.4, price_per_gpu_hour=2.5)


def test_deepseek_v3_pretraining_gives_its_published_gpu_hours_and_dollars():
    row = _passes(_ledger(DEEPSEEK))["the planned run"]
    assert row["flops"] == pytest.approx(6 * 37e9 * 14.8e12)
    assert row["gpu_hours"] == pytest.approx(2.664e6, rel=0.002)
    assert row["dollars"] == pytest.approx(5.328e6, rel=0.002)


PUBLISHED = Compute(
    plan=TrainingPlan(parameters=37e9, total_parameters=671e9, tokens=14.8e12),
    gpu="H800",
    precision="fp8",
    gpu_hours_per_trillion_tokens=180e3,
    extra_gpu_hours=119e3 + 5e3,
    price_per_gpu_hour=2.0,
)
"""DeepSeek-V3 (arXiv 2412.19437, table 1 and section 1): 180 K GPU-hours for 10^12 tokens, then 119 K of context extension and
5 K of post-training."""


def test_deepseek_v3_from_its_gpu_hours_per_trillion_tokens_and_its_stages():
    rows = _passes(_ledger(PUBLISHED))
    assert rows["the planned run"]["gpu_hours"] == pytest.approx(2.664e6)
    assert rows["the planned run with its later stages"]["gpu_hours"] == pytest.approx(2.788e6)
    assert rows["the planned run with its later stages"]["dollars"] == pytest.approx(5.576e6)


def test_343_teraflops_are_consistent_with_deepseeks_hours():
    flops = _passes(_ledger(PUBLISHED))["the planned run"]["flops"]
    assert flops / 2.664e6 / 3600 / 1e12 == pytest.approx(343, abs=0.5)


def _levers(settings: Compute) -> dict[str, float]:
    return {line["lever"]: line["effect"]["value"] for line in _ledger(settings)["levers"]}


def test_a_mixture_of_experts_trains_its_active_parameters_and_holds_all():
    found = _levers(PUBLISHED)
    assert found["active parameters"] == pytest.approx(671 / 37)
    assert found["weights in memory"] == pytest.approx(671 / 80), "one byte a weight in FP8, 80 GB a GPU"


def test_fp8_divides_the_hours_by_its_measured_speed_only_where_it_is_chosen():
    def hours(precision):
        return _passes(_ledger(SEVEN_B.model_copy(update={"precision": precision, "fp8_speedup": 1.4})))["the planned run"][
            "gpu_hours"
        ]

    assert hours("bf16") / hours("fp8") == pytest.approx(1.4)


def test_serving_costs_two_flops_a_parameter_and_token():
    settings = Compute(plan=TrainingPlan(parameters=7e9, inference_tokens=1e12), mfu_inference=0.1, price_per_gpu_hour=2.0)
    assert _levers(settings)["inference volume"] == pytest.approx(1e12 * 14e9 / (989e12 * 0.1 * 3600) * 2)


def test_sufficiency_by_language_as_kept_and_as_planned():
    given = {"tokens_kept": 10**12, "languages": [("en", 900), ("de", 100)]}
    as_kept = {line["language"]: line for line in _ledger(SEVEN_B, **given)["sufficiency"]["by_language"]}
    assert as_kept["de"]["kept_tokens"]["value"] == pytest.approx(1e11)
    assert [line["epochs"]["value"] for line in as_kept.values()] == pytest.approx([1, 1])
    mixed = Compute(plan=TrainingPlan(tokens=1e12, languages={"de": 0.5, "fr": 0.1}))
    planned = {line["language"]: line for line in _ledger(mixed, **given)["sufficiency"]["by_language"]}
    assert planned["de"]["epochs"]["value"] == pytest.approx(5)
    assert (planned["de"]["verdict"], planned["en"]["verdict"], planned["fr"]["verdict"]) == ("costly", "not planned", "nothing")


def test_planned_shares_above_1_are_refused():
    with pytest.raises(ValueError, match="sum to at most 1"):
        TrainingPlan(tokens=1e9, languages={"de": 0.6, "en": 0.5})


def test_lost_attempts_are_part_of_what_curation_cost():
    found = _ledger(SEVEN_B, curation_cpu_s=3600.0, lost_cpu_s=1800.0)["curation"]
    assert found["cpu_hours"]["value"] == pytest.approx(1.5)
    assert found["lost_cpu_hours"]["value"] == pytest.approx(0.5)


def test_energy_is_all_in_node_power_and_not_tdp():
    row = _passes(_ledger(DEEPSEEK))["the planned run"]
    assert row["kwh"] / row["gpu_hours"] == pytest.approx(0.97 * 1.2, rel=0.002)
    assert row["kg_co2e"] == pytest.approx(row["kwh"] * 0.445)


@pytest.mark.parametrize(
    ("name", "flops", "hours", "dollars"),
    [
        ("one pass over raw", 4.2e22, 29_491, 73_728),
        ("one pass over curated", 1.302e22, 9_142, 22_856),
        ("one-pass difference (not a saving: the models are not equally good)", 2.898e22, 20_349, 50_872),
    ],
)
def test_one_pass_over_1t_and_its_best_031t(name, flops, hours, dollars):
    row = _passes(_ledger(SEVEN_B))[name]
    assert row["flops"] == pytest.approx(flops)
    assert row["gpu_hours"] == pytest.approx(hours, rel=1e-4)
    assert row["dollars"] == pytest.approx(dollars, rel=1e-4)


def test_energy_and_carbon_of_one_pass_over_1t():
    row = _passes(_ledger(SEVEN_B))["one pass over raw"]
    assert row["kwh"] == pytest.approx(34_300, rel=0.005)
    assert row["kg_co2e"] == pytest.approx(15_260, rel=0.005)


def test_curation_of_1t_tokens_at_1_mb_a_core_second():
    row = {name: q["value"] for name, q in _ledger(SEVEN_B, curation_cpu_s=4.2e6)["curation"].items()}
    assert row["cpu_hours"] == pytest.approx(1167, rel=1e-3)
    assert row["dollars"] == pytest.approx(46.7, rel=1e-3)
    assert row["kwh"] == pytest.approx(4.9, rel=1e-3)


def test_zero_tokens_cost_nothing_and_have_no_epochs():
    ledger = _ledger(SEVEN_B, tokens_read=0, tokens_kept=0)
    assert set(_passes(ledger)["one pass over raw"].values()) == {0}
    assert ledger["sufficiency"]["epochs"]["value"] is None
    assert ledger["sufficiency"]["verdict"] == "nothing"


@pytest.mark.parametrize(
    ("kept", "verdict"),
    [
        (10**12 + 1, "enough"),
        (10**12, "enough"),
        (10**12 - 1, "repeats"),
        (25 * 10**10, "repeats"),
        (25 * 10**10 - 1, "costly"),
        (625 * 10**8, "costly"),
        (625 * 10**8 - 1, "too_few"),
        (1, "too_few"),
    ],
)
def test_sufficiency_at_and_around_1_4_and_16_epochs(kept, verdict):
    found = _ledger(SEVEN_B, tokens_kept=kept)["sufficiency"]
    assert found["epochs"]["value"] == pytest.approx(1e12 / kept)
    assert found["verdict"] == verdict


def test_unknown_gpu_is_an_error_that_names_the_known_ones():
    with pytest.raises(PlanError, match="A100, H100, H800, H200, B200") as error:
        _ledger(Compute(gpu="H1000"))
    assert "H1000" in str(error.value)


def test_every_number_says_unit_tag_and_source():
    def leaves(value):
        if isinstance(value, dict) and "value" in value:
            yield value
        elif isinstance(value, dict | list):
            for item in value.values() if isinstance(value, dict) else value:
                yield from leaves(item)
        else:
            assert isinstance(value, str), f"a bare number: {value!r}"

    found = list(leaves(_ledger(SEVEN_B, tokens_kind="estimated")))
    assert len(found) == 9 + 4 * 6 + 5 + 3 + 6 * 2 + 6, "assumptions, passes, curation, sufficiency, levers, prospect"
    assert all(q["unit"] and q["source"] for q in found)
    assert {q["tag"] for q in found} == {"measured", "estimated", "computed", "assumed"}


def test_the_ledger_is_json_and_says_that_it_is_no_saving():
    ledger = _ledger(SEVEN_B, curation_cpu_s=1.5)
    assert json.loads(json.dumps(ledger, allow_nan=False)) == ledger
    assert "not a saving" in ledger["sentence"]


def test_fp8_peak_is_the_dense_one_twice_bf16():
    assert all(gpu.fp8 is None or math.isclose(gpu.fp8, 2 * gpu.bf16, rel_tol=0.001) for gpu in gpus.GPUS.values())


def test_estimated_tokens_are_bytes_by_the_stated_ratio():
    assert [compute.estimate(n, 4.0) for n in (0, 4, 4_000_000)] == [0, 1, 1_000_000]
