"""Every sentence that a measurement can end in, and the false ones that were printed before."""

from __future__ import annotations

import re
from typing import Any

import pytest

from pipeline.records.base import Quantity
from pipeline.records.savings_json import (
    Against,
    BreakEven,
    Costs,
    Families,
    Family,
    MeasuringCost,
    Repeats,
    Savings,
    Size,
    SmallRate,
    Sweep,
)
from pipeline.report import sentences, table
from pipeline.report.page.savings import summary
from tests.report.measured import compared, held, measured, savings

FEW = " (multiplier 1.39, 95 % 1.26 to 1.54; 3 draws; a model of 0.16 M parameters)."


@pytest.mark.parametrize(
    ("found", "word", "sentence"),
    [
        (
            compared(),
            "saves",
            f"In this test, the same loss on web took 28 % less training compute (20 % to 36 %){FEW}",
        ),
        (
            compared(1.2, (1.001, 1.45)),
            "saves",
            "In this test, the same loss on web took 17 % less training compute (0 % to 32 %)"
            " (multiplier 1.20, 95 % 1.00 to 1.45; 3 draws; a model of 0.16 M parameters).",
        ),
        (
            compared(16.0, (8.0, 32.0), bound="lower", statuses=("at_floor", "ok", "ok")),
            "saves",
            "In this test, the same loss on web took at least 87 % less training compute"
            " (multiplier ≥ 8.00; 3 draws; a model of 0.16 M parameters).",
        ),
        (
            compared(0.61, (0.53, 0.71), statuses=("not_reached",) * 3),
            "costs",
            "In this test, raw was as good as curated on web with 61 % of the compute (53 % to 71 %)"
            " (multiplier 0.610, 95 % 0.530 to 0.710; 3 draws; a model of 0.16 M parameters).",
        ),
        (
            compared(1.02, (0.93, 1.13), statuses=("ok", "not_reached", "ok")),
            "no difference",
            "In this test, none is told on web: it lies between 7 % of the compute lost and 12 % saved"
            " (multiplier 1.02, 95 % 0.930 to 1.13; 3 draws; a model of 0.16 M parameters)."
            " It reached the loss of raw in 2 of 3.",
        ),
        (
            compared(1.39, None, statuses=("ok", "ok"), verdict="too few draws"),
            "no verdict",
            "On web, 2 draws give no interval: three are the least.",
        ),
        (
            compared(None, None, statuses=("no_learning",) * 3),
            "no verdict",
            "On web, neither text taught the model anything in this test.",
        ),
        (
            compared(None, None, statuses=("ok", "no_learning", "ok")),
            "no verdict",
            "On web, neither text taught the model anything in 1 of 3 draws.",
        ),
        (
            compared(None, None, statuses=("at_floor", "not_reached", "ok")),
            "no verdict",
            "On web, the draws lie further apart than this test can measure: no multiplier.",
        ),
        (
            compared(1.39, None, verdict="no interval"),
            "no verdict",
            "On web, 3 draws give no interval: there is too little text, to train on or to score.",
        ),
    ],
)
def test_a_trained_model_on_a_target(found: Any, word: str, sentence: str):
    made = sentences.of(measured(held(found)))
    assert (made.word, made.sentence) == (word, sentence)


def test_a_draw_that_did_not_reach_is_counted_and_the_mean_is_not_called_never_reached():
    """Before, 1.10 with 2 of 3 draws that crossed was printed as `never reached it: no saving at this quality`."""
    text = sentences.of(measured(held(compared(1.1, (1.02, 1.19), statuses=("ok", "ok", "not_reached"))))).sentence
    assert "in 2 of 3" in text and "never" not in text and "less training compute" in text


@pytest.mark.parametrize("statuses", [("ok",) * 3, ("not_reached",) * 3, ("at_floor", "reached_then_overfits", "ok")])
def test_where_all_or_none_reached_it_no_fraction_is_printed(statuses: Any):
    assert " of 3." not in sentences.of(measured(held(compared(statuses=statuses)))).sentence


@pytest.mark.parametrize("tier", ["cpu", "gpu", "own trainer"])
def test_a_percentage_stands_with_its_interval_and_in_this_test(tier: Any):
    """Before: `At least 20 % less training compute … no text seen twice`, a claim about a run that nobody made, over raw text
    with 9 % duplicates."""
    text = sentences.of(measured(tier=tier)).sentence
    assert "In this test" in text and "(20 % to 36 %)" in text
    assert "seen twice" not in text


@pytest.mark.parametrize(
    ("interval", "word", "sentence"),
    [
        ((1.2, 1.9), "ahead", "Curated on web: counts of n-grams put it ahead of raw. An order, no size (3 draws)."),
        ((0.2, 0.9), "behind", "Curated on web: counts of n-grams put it behind raw. An order, no size (3 draws)."),
        ((0.9, 1.2), "no difference", "Curated on web: counts of n-grams do not tell it from raw. An order, no size (3 draws)."),
    ],
)
def test_counts_give_an_order_and_no_percentage(interval: Any, word: str, sentence: str):
    """Before: `curated > random (not told from raw) > raw`, an order that it said it did not have."""
    made = sentences.of(measured(held(compared(1.5, interval)), tier="ngram"))
    assert (made.word, made.sentence) == (word, sentence)
    assert "%" not in " ".join(sentences.details(measured(held(compared(1.5, interval)), tier="ngram", costs=None)))


def test_without_a_target_both_biased_sets_are_named_and_there_is_no_verdict():
    """Before, `ngram` ranked by held-out curated text, which favours curation, without a word."""
    sets = (
        held(compared(0.8, (0.7, 0.9)), name="raw_heldout", role="raw_heldout"),
        held(compared(1.9, (1.7, 2.1)), name="curated_heldout", role="curated_heldout"),
    )
    trained, counted = (sentences.of(measured(*sets, primary=None, tier=tier)) for tier in ("cpu", "ngram"))
    unsure = held(compared(1.9, None, verdict="no interval"), name="raw_heldout", role="raw_heldout")
    assert "Curated: no interval on 600 documents" in sentences.of(measured(unsure, primary=None, tier="ngram")).sentence
    assert trained.word == counted.word == "no verdict"
    assert trained.sentence == (
        "No target text was named (option --target). Curated: 0.800 × (0.700 to 0.900) on 600 documents of held-out raw text,"
        " which favours raw text; 1.90 × (1.70 to 2.10) on 600 documents of held-out kept text, which favours curation."
    )
    assert counted.sentence == (
        "No target text was named (option --target). Curated: behind on 600 documents of held-out raw text, which favours raw"
        " text; ahead on 600 documents of held-out kept text, which favours curation."
    )


def test_a_target_of_too_few_documents_gives_no_verdict():
    made = sentences.of(measured(held(compared(), documents=90, enough=False)))
    assert made.word == "no verdict"
    assert made.sentence == f"90 documents of web are too few: 600 are the least, and a long text gives up to four{FEW}"


@pytest.mark.parametrize(
    ("interval", "word"), [((1.1, 8.9), "ahead"), ((0.3, 1.2), "no difference"), ((0.3, 0.9), "behind"), (None, "no verdict")]
)
def test_families_are_told_by_counts_in_a_word_and_without_a_figure(interval: Any, word: str):
    """Before, `dedup 7.55 6.42 to 8.88`: a size, of counts that tell none."""
    found = Family(family="dedup", multiplier=7.55, interval=interval, cpu_s=0.16)
    assert sentences.family(found) == word
    said = table.text(summary(savings(by_reason=Families(set="web", families=(found,))), out=None))
    assert word in said and "7.55" not in said


def test_what_a_dropped_token_was_worth():
    assert sentences.worth(compared()) == "A dropped token was worth 0.33 of a kept one (0.17 to 0.50)."
    harmful = sentences.worth(compared(worth=-0.2, worth_interval=(-0.3, -0.1)))
    assert harmful == "A dropped token was worth −0.20 of a kept one (−0.30 to −0.10). Below 0 it did harm."
    perhaps = sentences.worth(compared(worth=-0.1, worth_interval=(-0.3, 0.1)))
    assert perhaps == "A dropped token was worth −0.10 of a kept one (−0.30 to 0.10)."
    assert sentences.worth(compared(worth=None)) is None
    assert sentences.worth(compared(bound="lower")) == "A dropped token was worth at most 0.50 of a kept one."
    assert "worth at least 0.17 of" in str(sentences.worth(compared(bound="upper")))


def detail(**changes: Any) -> str:
    return " | ".join(sentences.details(measured(**changes)))


def test_what_was_given_up_is_one_pooled_row_with_200_documents_or_not_told():
    """Before: rows of 10 to 25 documents a reason, with intervals like 0.45 to 2.93."""
    target = held(compared())
    many = held(compared(0.41, (0.3, 0.55)), name="dropped", role="dropped", documents=214)
    few = held(compared(0.41, (0.3, 0.55)), name="dropped", role="dropped", documents=25, enough=False)
    found = [" | ".join(sentences.details(measured(target, one))) for one in (many, few)]
    assert "What was given up, on 214 dropped documents: 0.410 × (0.300 to 0.550)." in found[0]
    assert "What was given up is not told: 25 dropped documents are too few, 200 are the least." in found[1]
    assert "0.410" not in found[1]


def test_controls_are_said_beside_the_headline():
    sets = (
        held(compared(), compared(1.1, (1.0, 1.2), arm="same mix")),
        held(compared(1.35, (1.2, 1.5)), name="books"),
    )
    arms = measured().arms
    text = " | ".join(
        sentences.details(measured(*sets, control="books", arms=(*arms, arms[0].model_copy(update={"arm": "same mix"}))))
    )
    assert "On the second target, books: 1.35 × (1.20 to 1.50)." in text
    assert "Same mix (raw text in the kept text's shares of sources and languages): 1.10 × (1.00 to 1.20)." in text


@pytest.mark.parametrize(
    ("gap", "interval", "said"),
    [(-0.01, (-0.02, -0.005), "better than"), (0.01, (0.005, 0.02), "worse than"), (-0.01, (-0.02, 0.01), "not told from")],
)
def test_a_small_rate_tells_a_sign_alone(gap: float, interval: Any, said: str):
    small = SmallRate(learning_rate=8e-4, set="web", gap=gap, gap_interval=interval)
    assert f"At a tenth of the learning rate curated is {said} raw on web; such a branch" in detail(small_rate=small)


def test_other_sizes_are_printed_without_a_trend():
    text = detail(sizes=(Size(parameters=4e4, tokens=2e5, comparison=compared(1.3, (1.1, 1.5))),))
    assert "With a model of 40.0 k parameters, 200 k tokens: 1.30 × (1.10 to 1.50)." in text
    assert not re.search("rising|falling|trend", text)


def test_repeats_are_called_computed():
    repeats = Repeats(
        law="law", planned_tokens=1e9, epochs={"raw": 2.0, "curated": 4.0}, multiplier=1.2, multiplier_interval=None
    )
    assert "Computed by a law, not measured (law): 1.20 × with the planned 1.00 B tokens, which read the text so often" in detail(
        repeats=repeats
    )
    never = detail(repeats=repeats.model_copy(update={"multiplier": 0.0}))
    assert "curated never has the loss of raw, however often it is read, with the planned" in never


def test_costs_are_said_and_a_break_even_only_where_there_is_one():
    """Before, a model of 0.16 M parameters told where the curation of a run 4 orders larger pays for itself."""
    assert "The measurement took 6 min 00 s of CPU ($0.10); the curation 57.0 s ($0.01)." in detail()
    assert "pay" not in detail()
    spent = MeasuringCost(**{name: Quantity(0.1, "", "measured", "") for name in ("cpu_hours", "dollars", "kwh")})
    costs = Costs(measuring=spent, curation_cpu_s=1, curation_dollars=0.1, break_even=BreakEven(flops=1.5e18, gpu_hours=1.2))
    assert "Both pay from 1.50 × 10¹⁸ FLOPs of training on (1.20 GPU-hours), if the low end holds" in detail(costs=costs)


@pytest.mark.parametrize(("best", "said"), [("k=2", "Best on web: k=2, told from every"), (None, "No value of k is recommended")])
def test_a_sweep_recommends_only_what_was_compared_directly(best: str | None, said: str):
    sweep = Sweep(key="k", set="web", variants=(Against(variant="k=2", multiplier=None, interval=None),), recommended=best)
    assert (sentences.recommended(savings(sweep=sweep)) or "").startswith(said)


def test_a_file_of_an_earlier_release_is_not_quoted():
    found = sentences.headline(Savings(schema_version=1))
    assert found is not None and found.sentence == "An earlier release measured this, by another method: measure again."
    assert sentences.headline(Savings()) is None


@pytest.mark.parametrize("multiplier", [0.01, 0.5, 0.999, 1.0, 1.0001, 1.5, 40.0])
@pytest.mark.parametrize("width", [1.001, 1.05, 3.0])
def test_printed_intervals_are_never_narrower_than_they_are(multiplier: float, width: float):
    low, high = multiplier / width, multiplier * width
    text = sentences.of(measured(held(compared(multiplier, (low, high))))).sentence.partition(" (multiplier")[0]
    *_, first, last = [float(one) / 100 for one in re.findall(r"(-?[\d.]+) %", text)]
    if "less training" in text:
        assert first <= 1 - 1 / low and 1 - 1 / high <= last
    elif "was as good" in text:
        assert first <= low and high <= last
    else:
        assert 1 - low <= first and 1 - 1 / high <= last
