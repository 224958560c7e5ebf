"""`inspect sweep` says what a re-run would keep: equal to it, value by value."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from flows.inspect import main
from pipeline.errors import UsageError
from pipeline.inspect.thresholds.sweep import EVERYTHING, Line, sweep_text, values
from pipeline.report.table import text
from tests.support import SAMPLE, curate, prose, table, winnow, write_rows

PLAN = (
    "--set",
    "dedup=false",
    "--set",
    "filters.quality=false",
    "--set",
    "filters.toxicity=false",
    "--set",
    "source.unit_bytes=50000",
    "--set",
    "source.max_bad_fraction=0.05",
)


def sweep(capsys, out: Path, key: str, *more: str) -> list[dict]:
    capsys.readouterr()
    code = main(["--output", str(out), "sweep", key, "--json", *more])
    shown = capsys.readouterr()
    assert code == 0, shown.err
    return json.loads(shown.out)


@pytest.fixture(scope="module")
def out(tmp_path_factory) -> Path:
    made = tmp_path_factory.mktemp("sweep") / "out"
    curate("default@1", "--input", SAMPLE / "input", "--output", made, *PLAN)
    return made


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("filters.gopher_quality.min_words", "120"),
        ("filters.gopher_repetition.max_top_2gram", "0.02"),
        ("filters.language.keep", "[en]"),
        ("filters.gopher_quality.action", "annotate"),
    ],
)
def test_the_numbers_are_those_of_a_run_with_that_value(capsys, tmp_path, out, key, value):
    (found,) = sweep(capsys, out, f"{key}={value}")
    kept_now = set(table(out, "data")["source_ref"])
    plan = ("default@1", "--input", SAMPLE / "input", "--output", tmp_path / "again", *PLAN, "--set", f"{key}={value}")
    assert winnow(capsys, *plan).code == 0
    data = table(tmp_path / "again", "data")
    kept_then = set(data["source_ref"])
    assert (found["documents"], found["n_bytes"]) == (len(data), data["n_bytes"].sum())
    assert (found["enter"], found["leave"]) == (len(kept_then - kept_now), len(kept_now - kept_then))


def test_with_models_the_numbers_differ_from_a_run_at_most_by_what_is_counted_as_not_yet_scored(capsys, tmp_path):
    models = ("--set", "filters.quality.min_score=0.2", "--set", "filters.toxicity.max_score=0.62")
    plan = ("default@1", "--input", SAMPLE / "input", *PLAN, *models)
    assert winnow(capsys, *plan, "--output", tmp_path / "out").code == 0
    (found,) = sweep(capsys, tmp_path / "out", "filters.gopher_quality.action=annotate")
    assert winnow(capsys, *plan, "--output", tmp_path / "again", "--set", "filters.gopher_quality.action=annotate").code == 0
    kept = len(table(tmp_path / "again", "data"))
    assert found["unscored"] > 0
    assert found["documents"] - found["unscored"] <= kept <= found["documents"]


def test_languages_add_up_and_every_value_has_its_lines(capsys, out):
    whole = sweep(capsys, out, "filters.gopher_quality.min_words=50:90:20")
    parts = sweep(capsys, out, "filters.gopher_quality.min_words=50:90:20", "--by", "language")
    assert [line["value"] for line in whole] == ["50", "70", "90"]
    for line in whole:
        own = [part for part in parts if part["value"] == line["value"]]
        assert len(own) > 10 and sum(part["documents"] for part in own) == line["documents"]


def test_what_a_threshold_lets_in_and_no_model_has_scored_is_counted(capsys, tmp_path):
    rows = [{"text": prose(k)} for k in range(4)] + [{"text": " ".join(prose(9).split()[:30])}]
    path = write_rows(tmp_path / "in" / "a.jsonl", rows)
    plan = ("none", "--input", path, "--output", tmp_path / "out", "--set", "filters.language={}")
    models = ("--set", "filters.gopher_quality={}", "--set", "filters.quality={min_score: 0}")
    assert winnow(capsys, *plan, *models).code == 0
    found = sweep(capsys, tmp_path / "out", "filters.gopher_quality.min_words=20,50")
    assert [(line["documents"], line["enter"], line["unscored"]) for line in found] == [(5, 1, 1), (4, 0, 0)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [("1:3:1", ["1", "2", "3"]), ("0.1:0.3:0.1", ["0.1", "0.2", "0.3"]), ("5:1:-2", ["5", "3", "1"]), ("a, b", ["a", "b"])],
)
def test_values_are_exact(text, expected):
    assert values(text) == expected


@pytest.mark.parametrize("text", ["1:2", "1:2:0", "2:1:1", "a:b:c", "0:1:0.001"])
def test_values_that_lead_nowhere_are_refused(text):
    with pytest.raises(UsageError, match="expected"):
        values(text)


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("filters.gopher_quality.profile=dolma", "not only a threshold"),
        ("filters.gopher_quality.min_word=3", "did you mean min_words"),
        ("filters.gopher_quality.min_words", "KEY=FROM:TO:STEP"),
    ],
)
def test_mistakes_exit_2(capsys, out, key, words):
    capsys.readouterr()
    assert main(["--output", str(out), "sweep", key]) == 2
    assert words in capsys.readouterr().err


def test_signals_that_are_gone_are_told(capsys, tmp_path):
    path = write_rows(tmp_path / "in" / "a.jsonl", [{"text": prose(1)}])
    assert winnow(capsys, "--input", path, "--output", tmp_path / "out", "--clean").code == 0
    assert main(["--output", str(tmp_path / "out"), "sweep", "filters.gopher_quality.min_words=3"]) == 2
    assert "--work" in capsys.readouterr().err


def test_groups_in_which_no_value_changes_anything_are_counted_and_not_listed():
    def line(value: str, group: str, enter: int, leave: int) -> Line:
        return Line(value, group, documents=9, n_bytes=90, enter=enter, leave=leave, unscored=0)

    lines = [line(v, g, n * (g == "en"), 0) for v, n in (("1", 0), ("2", 4)) for g in ("en", "de", "fr")]
    said = text(sweep_text("k", lines, now="0"))
    assert [row.split()[:2] for row in said.splitlines()[2:-1]] == [["1", "en"], ["2", "en"]]
    assert said.splitlines()[-1] == "no value changes anything in 2 other groups (--json lists them)"
    assert "other group" not in text(sweep_text("k", [line("1", EVERYTHING, 0, 0)], now="0"))
