"""The summary for the terminal: 80 columns, harmless, complete."""

import pytest

from pipeline.report.visible import columns
from tests.report import fixture_metrics, shown

CASES = {"real": fixture_metrics.metrics, "empty": fixture_metrics.empty, "hostile": fixture_metrics.hostile}


@pytest.mark.parametrize("case", CASES)
def test_every_line_fits_80_columns(case):
    lines = shown.summary(CASES[case](), out="curated").splitlines()
    assert max(columns(line) for line in lines) <= 80


def test_wide_characters_count_two_columns():
    metrics = fixture_metrics.metrics()
    metrics["reasons"] = [dict(r, reason="重複" * 40) for r in metrics["reasons"]]
    metrics["quarantine"] = [dict(q, cause="壊れた行" * 40) for q in metrics["quarantine"]]
    assert max(columns(line) for line in shown.summary(metrics, out="curated").splitlines()) <= 80


def test_a_run_with_everything_on_takes_at_most_34_lines_and_names_the_report_last():
    lines = shown.summary(fixture_metrics.metrics(), out="some/where/").splitlines()
    assert len(lines) <= 34
    assert lines[-1].split() == ["report", "some/where/report.html"]


def test_the_report_path_is_never_cut():
    long = "/".join(["folder"] * 30)
    assert f"{long}/report.html" in shown.summary(fixture_metrics.metrics(), out=long)


def test_no_control_or_format_character_reaches_the_terminal():
    text = shown.summary(fixture_metrics.hostile(), out="o\x1b]0;evil\x07ut")
    assert not set(text) & set("\x1b\x07\x00\u202e\u2066\u200b\ud800\r")
    assert "[U+001B]" in text


@pytest.mark.parametrize(
    "said",
    [
        "736,064",
        "gopher_quality.too_few_words",
        "71,225 exact, 101,988 near",
        "quality, toxicity scored 402,113; not covered 179,724:",
        "301,224 by quality_score, 190,117 not (179,724 without a score)",
        "120 invalid_json",
        "59.0 MB/s",
        "signals 48.4 s",
        "work directory 2.31 GB",
        "CHECK FAILED  max_source_loss",
    ],
)
def test_a_real_run_says(said):
    assert said in shown.summary(fixture_metrics.metrics(), out="curated")


def test_dedup_off_and_unknown_costs_are_said_and_not_guessed():
    text = shown.summary(fixture_metrics.empty(), out="curated")
    assert "not looked for" in text
    assert "– MB/s" in text
    assert "CHECK FAILED" not in text


def test_many_failed_checks_are_counted_and_not_listed():
    metrics = fixture_metrics.metrics()
    metrics["checks"] = [dict(metrics["checks"][1], detail=f"of source {i}") for i in range(1000)]
    text = shown.summary(metrics, out="curated")
    assert "and 992 more" in text
    assert text.count("CHECK FAILED") == 8
