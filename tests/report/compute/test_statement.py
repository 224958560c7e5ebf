"""What every run ends with: figures of the ledger in words, the same on every surface, and nothing called a saving unmeasured."""

from __future__ import annotations

import shlex
import subprocess
from typing import Any

import pytest

from flows.serving import artifacts
from pipeline.plan.compute import Compute, TrainingPlan
from pipeline.records.ledger import Ledger
from pipeline.records.metrics_json import Metrics
from pipeline.report import card
from pipeline.report.compute import ledger as compute
from pipeline.report.compute import statement
from pipeline.report.compute.prospect import LEAST_COUNTED
from pipeline.savings import lacking
from pipeline.savings.arms import MOST_HELD_OUT
from pipeline.text.shell import quoted
from tests.real_run import Reported
from tests.report import shown
from tests.report.measured import measured, savings


def ledger(kept: int, read: int, *, plan: TrainingPlan | None = None, kind: Any = "counted") -> Ledger:
    return compute.ledger(Compute(plan=plan), tokens_read=read, tokens_kept=kept, tokens_kind=kind, curation_cpu_s=1.0)


def said(made: Ledger, out: str = "out") -> statement.Statement:
    return statement.of(Metrics.model_construct(compute=made), None, out=out)


def test_without_a_plan_the_model_is_the_largest_that_the_text_is_enough_for():
    made = ledger(2 * 10**12, 34 * 10**11)
    assert made.passes[1].flops.value == pytest.approx(6 * 1e11 * 2e12), "C = 6 N D with N = D / 20: 0.3 D²"
    assert made.prospect is not None and made.prospect.four_passes is not None
    assert made.prospect.four_passes.value == pytest.approx(4e11)
    assert made.sufficiency is None and made.levers == (), "no run is planned"
    text = said(made)
    dollars = 0.3 * 2e12**2 / (989e12 * 0.4 * 3600) * 2.0
    assert text.cost == (
        "One pass over the kept text takes 58.8 % of the compute of one over all of it:"
        f" ${dollars:,.0f} instead of ${dollars * 1.7:,.0f}, for a model of 100 B parameters."
    )
    assert text.bracket == (
        "At equal quality: 1.70 × less compute if nothing that was dropped was of use; none if it was all as good."
    )
    assert text.enough is not None and "Hoffmann et al. 2022" in text.enough and "Muennighoff et al. 2023" in text.enough
    assert text.enough.startswith(
        "Enough for a model of 100 B parameters in one pass over it, of 400 B in 4 passes (20 tokens a parameter"
    )
    assert text.plan is None
    assert text.measured == statement.UNMEASURED


def test_epochs_are_said_of_a_plan_that_the_user_wrote_alone():
    text = said(ledger(10**9, 2 * 10**9, plan=TrainingPlan(parameters=1e9, tokens=8e9)))
    assert text.plan is not None and text.plan.startswith("The planned run of 8.00 B tokens reads it 8.00 times. Scarce")
    assert "for a model of 1.00 B parameters" in text.cost
    for sentence in said(ledger(10**9, 2 * 10**9)).sentences():
        assert "planned" not in sentence and "times" not in sentence.replace("times less", "")


@pytest.mark.parametrize(
    ("given", "parameters", "tokens"), [({"tokens": 2e12}, 1e11, 2e12), ({"parameters": "7e9"}, 7e9, 1.4e11)]
)
def test_half_a_plan_is_made_whole_by_20_tokens_a_parameter(given: dict[str, Any], parameters: float, tokens: float):
    plan = TrainingPlan.model_validate(given)
    assert (plan.parameters, plan.tokens) == (parameters, tokens)


@pytest.mark.parametrize("given", [{}, {"languages": {"en": 1.0}}, {"tokens": "many"}, {"parameters": -1}, {"tokens": None}])
def test_a_plan_without_size_is_refused(given: dict[str, Any]):
    with pytest.raises(ValueError, match=r"parameters|tokens"):
        TrainingPlan.model_validate(given)


@pytest.mark.parametrize("key", ["gpu_hours_per_trillion_tokens", "extra_gpu_hours"])
def test_hours_of_a_planned_run_ask_for_the_plan(key: str):
    with pytest.raises(ValueError, match=r"write compute\.plan"):
        Compute.model_validate({key: 10})
    Compute.model_validate({key: 10, "plan": {"tokens": 1e12}})


@pytest.mark.parametrize(("kept", "enough", "tier"), [(999_999, False, ""), (1_000_000, True, " --tier cpu")])
def test_under_a_million_tokens_no_run_is_planned_and_counts_rank(kept: int, enough: bool, tier: str):
    made = ledger(kept, 2 * kept, kind="estimated")
    assert bool(made.passes) == enough
    text = said(made)
    assert text.enough is not None
    assert (
        text.enough.startswith("Too little text to plan a run: 999,999 tokens (estimated), and 1,000,000 are the least.")
        != enough
    )
    assert ("for a model of about 50.0 k parameters" in text.enough.lower()) == enough
    assert text.command == f"winnow savings out{tier}"
    assert text.cost.startswith("One pass over the kept text takes 50.0 %"), "a share needs no plan"


@pytest.mark.parametrize(
    ("kept", "read", "sentence"),
    [
        (0, 0, "Nothing was kept"),
        (0, 5, "Nothing was kept"),
        (5 * 10**6, 5 * 10**6, "No text was dropped"),
        (6 * 10**6, 5 * 10**6, "Edits added more"),
    ],
)
def test_where_nothing_was_kept_or_dropped_there_is_no_bracket_and_nothing_to_measure(kept: int, read: int, sentence: str):
    text = said(ledger(kept, read))
    assert text.cost.startswith(sentence)
    assert text.bracket is None and text.command is None


@pytest.mark.parametrize(("kept", "command"), [(29_999, None), (30_000, "winnow savings out")])
def test_no_command_is_named_that_would_refuse_the_text(kept: int, command: str | None):
    text = said(ledger(kept, 10**6))
    assert (text.command, text.measured) == (command, statement.UNMEASURED if command else "Too little text to measure.")
    assert text.enough is not None and text.enough.startswith("Too little text to plan a run: 30.0 k tokens")
    needed = lacking.DRAWS * lacking.LEAST_BYTES["ngram"] / (1 - MOST_HELD_OUT)
    assert needed <= LEAST_COUNTED * Compute().bytes_per_token


def test_dollars_are_left_out_where_there_are_no_cents():
    assert "less than a cent either way" in said(ledger(10**6, 2 * 10**6)).cost


def test_nothing_computed_is_called_a_saving():
    for sentence in said(ledger(10**9, 2 * 10**9)).sentences():
        assert "sav" not in sentence.lower()


@pytest.mark.parametrize(
    "name", ["out", "my out", "-out", "o'ut", "$(x)", "a\nb", "a\x1b[31m", "\u202eout", "Zürich/ü", "~", "a\\\nb"]
)
def test_the_command_takes_the_output_s_path_as_one_word_of_a_shell(name: str):
    text = said(ledger(10**9, 2 * 10**9), out=name)
    assert text.command is not None and "\n" not in text.command and "\x1b" not in text.command
    words = subprocess.run(["bash", "-c", f"printf '%s\\0' {quoted(name)}"], capture_output=True, check=True).stdout
    assert words.decode().removeprefix("./") == name.removeprefix("./") + "\0"


@pytest.mark.parametrize(
    ("tier", "generation", "kept", "option"),
    [
        ("cpu", 2, 10**9, None),
        ("ngram", 2, 10**9, " --tier cpu"),
        ("ngram", 2, 10**5, None),
        ("cpu", 1, 10**9, " --tier cpu"),
        ("cpu", 1, 10**5, ""),
        ("ngram", 1, 10**5, ""),
    ],
)
def test_what_is_still_to_be_measured(tier: Any, generation: int, kept: int, option: str | None):
    metrics = Metrics.model_construct(compute=ledger(kept, 2 * kept), generation=2)
    text = statement.of(metrics, savings(measured(tier=tier), generation=generation), out="out")
    assert text.command == (None if option is None else f"winnow savings out{option}")
    assert text.finding is not None and ("of generation 1: measure again" in text.finding) == (generation == 1)


def test_a_manifest_of_an_earlier_release_is_not_reckoned_with_its_assumed_plan():
    old = ledger(10**9, 2 * 10**9, plan=TrainingPlan(parameters=7e9, tokens=1e12)).model_copy(update={"prospect": None})
    text = said(old)
    assert text.plan is None and "earlier release" in text.cost


def test_all_generations_are_summed_and_counted_only_where_all_were(everything: Reported):
    one = Metrics.model_validate(everything.metrics)
    two = one.model_copy(update={"tokens": one.tokens.model_copy(update={"kind": "counted", "kept": 10**7, "read": 10**8})})
    made = compute.of_generations([one, two], Compute(plan=TrainingPlan(tokens=1e9)))
    assert made.prospect is not None
    assert (made.prospect.kept.value, made.prospect.kept.tag) == (10**7 + one.tokens.kept, "estimated")
    assert made.curation.cpu_hours.value == pytest.approx(2 * (one.cost.cpu_s + one.cost.lost_cpu_s) / 3600)
    assert made.sufficiency is not None
    assert sum(line.kept_tokens.number for line in made.sufficiency.by_language) == pytest.approx(made.prospect.kept.number)


def test_every_surface_quotes_the_same_sentences(everything: Reported):
    metrics = everything.metrics
    metrics["compute"] = ledger(124_000_000, 200_000_000).model_dump(mode="json")
    made = Metrics.model_validate(metrics)
    text = statement.of(made, None, out="my out")
    assert shlex.split(text.command or "")[2:] == ["my out", "--tier", "cpu"]
    files = {"data": [], "rejected": [], "ledger": [], "quarantine": []}
    surfaces = {
        "terminal": shown.summary(metrics, out="my out", width=10_000),
        "page": shown.render(metrics, None, out="my out").replace("&#39;", "'"),
        "card": card.render(made, files_by_folder=files, languages=[], name="my out", plan_yaml="", licence=None).replace(
            "\\", ""
        ),
        "artifact": artifacts.compute(made, None, "my out").replace("\\", ""),
    }
    for name, shows in surfaces.items():
        flat = " ".join(shows.split())
        for sentence in (*text.sentences(), text.command or ""):
            assert sentence in flat, (name, sentence)
