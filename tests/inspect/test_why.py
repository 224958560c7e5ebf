"""`inspect why`: one document's fate, evidence, values and limits, as the rules themselves say."""

from __future__ import annotations

import json
import re
from pathlib import Path

import polars as pl
import pytest

from filters import gopher_quality
from filters.contract import ExpressionRule
from flows.inspect import main
from pipeline.inspect.margins import Measured, rule_margins
from pipeline.inspect.why import rules as rules_of
from pipeline.inspect.why import without_limit
from pipeline.plan.recipe import ActiveFilter
from pipeline.report.table import text
from tests.support import PROSE, curate, prose, table, winnow, write_rows


@pytest.fixture(scope="module")
def out(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("why")
    rows = [{"id": f"d{k}", "text": prose(k)} for k in range(3)]
    rows += [{"id": "twin", "text": prose(1) + " Indeed so."}, {"id": "short", "text": "Six words are not enough here."}]
    rows += [
        {"id": "mail", "text": PROSE + " Write to someone@mail.example.net soon."},
        {"id": "\u202eevil\x1b[31m", "text": PROSE + " x"},
    ]
    path = write_rows(folder / "in" / "a.jsonl", [*rows, b'{"id": "broken", "text": 5}'])
    longest = ("--set", "dedup.keep=[n_bytes desc]")  # survives, whatever the quality model says of the two
    curate("default@1", "--input", path, "--output", folder / "out", "--set", "source.max_bad_fraction=0.5", *longest)
    return folder / "out"


def why(capsys, out, *arguments: str) -> tuple[int, str, str]:
    capsys.readouterr()
    code = main(["--output", str(out), "why", "--all", *arguments])
    shown = capsys.readouterr()
    return code, shown.out, shown.err


def test_a_kept_document_shows_where_it_is_and_every_rule_with_its_limit(capsys, out):
    code, said, _ = why(capsys, out, "d0")
    assert code == 0 and "kept" in said and "now in data/train-00000-of-00001-g0001.parquet" in said
    assert "gopher_quality.too_few_words" in said and ">= 50" in said and "<= 100,000" in said and "<= 0.1" in said
    assert "FAILS" not in said


def test_a_dropped_one_says_which_rules_failed_and_what_they_wanted(capsys, out):
    _, said, _ = why(capsys, out, "in/a.jsonl#5")
    assert "dropped (filter): gopher_quality.too_few_words" in said
    (line,) = [line for line in said.splitlines() if line.startswith("gopher_quality.too_few_words")]
    assert line.split()[2:] == ["6", ">=", "50", "FAILS"]
    assert "quality, toxicity: not scored by the run, since a cheaper rule dropped it\n" in said
    assert "not scored by the run" not in why(capsys, out, "d0")[1]


def test_a_near_miss_says_how_far_off_it_is(capsys, tmp_path):
    path = write_rows(tmp_path / "in" / "a.jsonl", [{"id": "a", "text": " ".join((PROSE + " " + PROSE).split()[:52])}])
    assert winnow(capsys, "default@1", "--input", path, "--output", tmp_path / "out").code == 0
    (line,) = [
        one for one in why(capsys, tmp_path / "out", "a")[1].splitlines() if one.startswith("gopher_quality.too_few_words")
    ]
    assert line.split()[2:] == ["52", ">=", "50", "near,", "3.8", "%", "off"]


def test_a_duplicate_shows_survivor_and_similarity(capsys, out):
    _, said, _ = why(capsys, out, "d1")
    similarity = table(out, "ledger").filter(pl.col("id") == "d1")["similarity"][0]
    assert "dropped (dedup): near_duplicate" in said
    assert f"of twin (in/a.jsonl#4, generation 1), similarity {similarity:.4f}" in said
    assert "survivor: " in said


def test_edits_and_quarantine_are_told(capsys, out):
    assert "edits: pii.email" in why(capsys, out, "mail")[1]
    said = why(capsys, out, "broken")[1]
    assert "quarantined (read): text_not_a_string" in said and "column 'text' is of type number" in said
    assert "the beginning in quarantine/" in said and "edits" not in said


def test_what_comes_from_the_input_is_harmless(capsys, out):
    _, said, _ = why(capsys, out, "\u202eevil\x1b[31m")
    assert "in/a.jsonl#7" in said and not set(said) & set("\u202e\x1b")


def test_a_text_that_is_no_document_is_judged_alike(capsys, out):
    code, said, _ = why(capsys, out, "--text", "Six words are not enough here.")
    assert code == 0 and said.startswith("dropped: gopher_quality.too_few_words")
    assert why(capsys, out, "--text", prose(9))[1].startswith("kept by the filters")
    assert why(capsys, out, "--text", " \n")[1].startswith("dropped: empty")


def test_the_summary_is_what_the_run_ended_with(capsys, out):
    assert main(["summary", "--output", str(out)]) == 0
    shown = capsys.readouterr().out
    assert "generation 1" in shown and f"report {out}/report.html" in " ".join(shown.split())
    assert main(["--output", str(out), "summary", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == json.loads((out / "metrics.json").read_bytes())


def test_only_rules_that_fail_or_nearly_do_are_shown_unless_all_are_asked_for(capsys, out):
    every = why(capsys, out, "d0")[1]
    assert main(["why", "d0", "--output", str(out)]) == 0
    some = capsys.readouterr().out

    def named(said: str) -> set[str]:
        return {line.split()[0] for line in said.splitlines() if re.match(r"[a-z_]+\.\w+ ", line)}

    left = named(every) - named(some)
    assert named(some) < named(every)
    assert f"{len(left)} rules pass with room to spare; --all shows them" in some
    assert "with room to spare" not in every


def test_the_output_may_be_named_before_the_command_and_behind_it(capsys, out):
    before = why(capsys, out, "d0")
    assert before[0] == main(["why", "--all", "d0", "--output", str(out)]) == 0
    assert capsys.readouterr().out == before[1]


@pytest.mark.parametrize(
    ("arguments", "words"), [(["nobody"], "no document has"), ([], "--text"), (["d0", "--text", "x"], "--text")]
)
def test_mistakes_exit_2(capsys, out, arguments, words):
    code, _, error = why(capsys, out, *arguments)
    assert code == 2 and words in error


def test_no_output_exits_2(capsys, tmp_path):
    code, _, error = why(capsys, tmp_path / "nothing", "d0")
    assert code == 2 and "nothing" in error


QUALITY = {
    "gopher_words": 80, "gopher_mean_word_length": 4.0, "gopher_mean_word_length_unmarked": 4.0, "gopher_hash_ratio": 0.0,
    "gopher_ellipsis_ratio": 0.0, "gopher_symbol_ratio": 0.0, "gopher_bullet_lines": 0.0, "gopher_ellipsis_lines": 0.0,
    "gopher_alpha_words": 1.0, "gopher_stop_words": 5, "language": "en",
}  # fmt: skip


@pytest.mark.parametrize(
    ("row", "thresholds", "reason", "passes", "fails", "near"),
    [
        ({"gopher_words": 49}, {}, "too_few_words", ">= 50", True, True),
        ({"gopher_words": 50}, {}, "too_few_words", ">= 50", False, True),
        ({"gopher_words": 56}, {}, "too_few_words", ">= 50", False, False),
        ({"gopher_words": 99_999}, {}, "too_many_words", "<= 100,000", False, True),
        ({"gopher_hash_ratio": 0.1}, {}, "too_many_hashes", "<= 0.1", False, True),
        ({"gopher_stop_words": None}, {}, "too_few_stop_words", ">= 2", False, False),
        ({"gopher_mean_word_length_unmarked": 14.5}, {}, "words_too_long", "<= 10", True, False),
        (
            {"gopher_mean_word_length_unmarked": 14.5, "language": "de"},
            {"languages": "fineweb2"},
            "words_too_long",
            "<= 15",
            False,
            True,
        ),
    ],
)
def test_what_passes_is_the_rules_limit_for_this_document(row, thresholds, reason, passes, fails, near):
    item = active(gopher_quality.FILTER, **thresholds)
    values = {name: [value] for name, value in {**QUALITY, **row}.items()}
    kinds = {f.name: pl.Float32 for f in gopher_quality.FILTER.signals if str(f.type) == "float"}
    frame = pl.DataFrame(values, schema_overrides={**kinds, "gopher_stop_words": pl.Int32})
    (found,) = [one for one in rule_margins(item, frame) if one.reason == reason]
    assert (found.passes, found.fails, found.near) == (passes, fails, near)


def test_flags_and_lists_say_what_passes(capsys, tmp_path):
    path = write_rows(tmp_path / "in" / "a.jsonl", [{"id": "a", "text": PROSE + " { }"}])
    sets = ("--set", "filters.c4={}", "--set", "filters.language.keep=[de]")
    assert winnow(capsys, "none", "--input", path, "--output", tmp_path / "out", *sets, "--accept").code == 0
    said = why(capsys, tmp_path / "out", "a")[1]
    lines = {line.split()[0]: line.split()[1:] for line in said.splitlines() if line.strip()}
    assert lines["c4.curly_bracket"] == ["c4_curly_bracket", "true", "false", "FAILS"]
    assert lines["c4.lorem_ipsum"] == ["c4_lorem_ipsum", "false", "false"]
    assert lines["language.other_language"] == ["language", "en", "as", "listed", "FAILS"]
    assert lines["language.uncertain_language"][2:] == ["–"]  # it is for listed languages
    assert "c4.javascript" not in lines  # the plan has it off


def test_a_rule_that_is_an_expression_is_shown_without_a_limit_and_said_so():
    rules = (ExpressionRule(reason="odd", drop=pl.col("gopher_words") % 2 == 1),)
    item = ActiveFilter(gopher_quality.FILTER, None, None, "drop", rules, ())
    (found,) = rule_margins(item, pl.DataFrame({"gopher_words": [81]}))
    assert (found.fails, found.signal, found.value, found.limit, found.near) == (True, None, None, None, False)
    made = Measured((found,), ())
    _, line = text(rules_of(made, every=True)).splitlines()
    assert line.split() == ["gopher_quality.odd", "–", "–", "(expression)", "FAILS"]
    assert without_limit(made) == ["(expression): the rule compares no signal with a limit, so that there is none to show"]


def active(filter_, **thresholds) -> ActiveFilter:
    params, chosen = filter_.params(), filter_.thresholds(**thresholds)
    return ActiveFilter(filter_, params, chosen, "drop", tuple(filter_.rules(params, chosen)), ())
