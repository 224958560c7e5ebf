"""Values that `why` shows are the run's own, from wherever the run left them; where it left none, that is said."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import jsonschema
import pytest

from flows.inspect import main
from tests.docs.schemas import FOLDER
from tests.support import PROSE, ROOT, curate, prose, write_rows

LINES = "\n".join(f"{word} without an end of the line" for word in ("one", "two", "three", "four", "five"))
ROWS = [
    {"id": "edited", "text": "\n".join([PROSE.replace(". ", " # # # # # # # # # # # # # # # # # # # # #.\n"), LINES])},
    {"id": "plain", "text": " ".join(PROSE.split()[:30]) + "."},
    {"id": "kept", "text": f"{PROSE}\n{prose(3)}"},
]
SETS = ("--set", "filters.gopher_quality={profile: paper, reads: source}", "--set", "edits.c4_lines={}")
HASHES, WORDS = "gopher_quality.too_many_hashes", "gopher_quality.too_few_words"


def made(folder: Path, *sets: str) -> Path:
    path = write_rows(folder / "in" / "a.jsonl", ROWS)
    curate("none", "--input", path, "--output", folder / "out", *SETS, *sets)
    return folder / "out"


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    return made(tmp_path_factory.mktemp("values"))


def why(capsys, out: Path, *arguments: str) -> dict:
    capsys.readouterr()
    assert main(["why", "--output", str(out), "--json", *arguments]) == 0
    said = capsys.readouterr().out
    assert said.isascii()
    found = json.loads(said)
    jsonschema.validate(found, json.loads((ROOT / FOLDER / "why.schema.json").read_text()))
    return found["documents"][0]


def rule(found: dict, name: str) -> dict:
    return next(one for one in found["rules"] if one["rule"] == name)


def test_a_value_of_the_text_before_edits_is_shown_as_the_run_measured_it(capsys, run):
    """Of the text that edits left, which has fewer words, another value would be shown."""
    found = why(capsys, run, "edited")
    words = len(ROWS[0]["text"].split())
    assert found["values"] == "work" and found["edits"] and words != len(found["text"].split())
    assert found["signals"]["gopher_quality"]["gopher_words"] == words
    assert found["rules"][0] == rule(found, HASHES) and rule(found, HASHES)["fails"] and found["reason"] == HASHES
    assert rule(found, HASHES)["value"] == pytest.approx(ROWS[0]["text"].count("#") / words, rel=1e-6)


def copied(run: Path, folder: Path) -> Path:
    """The run's input and output elsewhere, without its work directory; the plan's paths are those of the first place."""
    shutil.copytree(run, folder / "out")
    shutil.rmtree(folder / "out" / ".work")
    return folder / "out"


def test_without_the_work_directory_the_input_is_read_again_and_that_is_said(capsys, run, tmp_path):
    out = copied(run, tmp_path)
    before, found = why(capsys, run, "edited"), why(capsys, out, "edited")
    assert found["values"] == "recomputed" and "recomputed" in found["notes"][0]
    assert (found["rules"], found["signals"]) == (before["rules"], before["signals"])
    there = why(capsys, out, "edited", "--work", str(run / ".work"))
    assert there == before


def test_without_the_input_too_nothing_is_measured_of_an_edited_text(capsys, tmp_path):
    out = copied(made(tmp_path / "first"), tmp_path)
    source = tmp_path / "first" / "in" / "a.jsonl"
    plain = source.read_bytes()
    for content in (plain.replace(b"ferry", b"barge"), None):
        source.unlink() if content is None else source.write_bytes(content)
        found = why(capsys, out, "edited")
        assert found["values"] == "none" and "the text before edits was not kept" in found["notes"][0]
        assert rule(found, HASHES)["fails"] and rule(found, HASHES)["value"] is None and found["rules"][0]["rule"] == HASHES
        assert {one["value"] for one in found["rules"]} == {None}
        assert why(capsys, out, "plain")["values"] == "recomputed"
        assert why(capsys, out, "plain")["signals"]["gopher_quality"]["gopher_words"] == 30


def test_published_signals_are_quoted_without_a_work_directory(capsys, tmp_path):
    out = made(tmp_path, "--set", "output.signals=true")
    before = why(capsys, out, "edited")
    shutil.rmtree(out / ".work")
    found = why(capsys, out, "edited")
    assert found == before and found["values"] == "signals"
    assert rule(found, HASHES)["value"] > 0.1


def test_scores_that_the_output_keeps_are_quoted_where_all_else_is_gone(capsys, tmp_path):
    out = copied(made(tmp_path / "first", "--set", "filters.language={}"), tmp_path)
    (tmp_path / "first" / "in" / "a.jsonl").unlink()
    found = why(capsys, out, "edited")
    assert found["signals"]["language"]["language"] == "en" and found["signals"]["gopher_quality"]["gopher_words"] is None


def test_facts_of_another_recipe_in_the_same_work_directory_are_not_taken_for_the_runs(capsys, tmp_path):
    """A copy from before looks into the work directory of the original, which has another plan now: its own facts went."""
    first = made(tmp_path / "first")
    before = copied(first, tmp_path)
    path = tmp_path / "first" / "in" / "a.jsonl"
    curate("none", "--input", path, "--output", first, "--set", "filters.gopher_quality={profile: dolma}", "--replace")
    found = why(capsys, before, "edited", "--work", str(first / ".work"))
    assert found["values"] == "recomputed"
    assert found["signals"]["gopher_quality"]["gopher_words"] == len(ROWS[0]["text"].split())


def test_scores_that_another_plan_asked_for_are_not_this_runs(capsys, tmp_path):
    """A document that a cheap rule dropped has no model's score, whatever the table of facts holds."""
    path = write_rows(tmp_path / "in" / "a.jsonl", ROWS)
    models = ("--set", "filters.language={}", "--set", "filters.quality={}", "--work", str(tmp_path / "work"))
    curate("none", "--input", path, "--output", tmp_path / "some", *models)
    curate("none", "--input", path, "--output", tmp_path / "some", *models, "--set", "filters.gopher_quality={}", "--replace")
    scored = why(capsys, tmp_path / "some", "kept", *models[-2:])
    assert scored["signals"]["quality"]["quality_score"] is not None
    found = why(capsys, tmp_path / "some", "plain", *models[-2:])
    assert found["values"] == "work" and found["reason"] == WORDS
    assert found["signals"]["quality"]["quality_score"] is None
    assert "quality: not scored by the run, since a cheaper rule dropped it" in found["notes"]


def test_a_rule_that_only_notes_fails_by_its_value_and_stands_behind_those_that_drop(capsys, tmp_path):
    annotate = "filters.gopher_quality={profile: paper, reads: source, action: annotate}"
    found = why(capsys, made(tmp_path, "--set", annotate), "plain")
    assert found["verdict"] == "kept" and found["failed"] == []
    assert rule(found, WORDS)["fails"] and rule(found, WORDS)["action"] == "annotate"


def test_rows_that_were_never_judged_have_no_values(capsys, tmp_path):
    path = write_rows(tmp_path / "in" / "a.jsonl", [*ROWS, {"id": "broken", "text": 5}])
    curate("none", "--input", path, "--output", tmp_path / "out", *SETS, "--set", "source.max_bad_fraction=0.9")
    found = why(capsys, tmp_path / "out", "broken")
    assert (found["verdict"], found["values"], found["rules"], found["text"]) == ("quarantined", None, [], None)


def test_a_text_that_is_no_document_is_judged_with_the_plans_edits(capsys, run):
    found = why(capsys, run, "--text", ROWS[0]["text"])
    assert (found["values"], found["id"], found["reason"]) == ("judged", None, HASHES)
    assert why(capsys, run, "--text", "\n".join([LINES] * 12))["reason"] == "emptied_by_edits"


def test_values_of_filters_without_rules_and_of_one_signal_are_shown(capsys, tmp_path):
    path = write_rows(tmp_path / "in" / "a.jsonl", ROWS)
    curate("dclm", "--input", path, "--output", tmp_path / "out")
    capsys.readouterr()
    assert main(["why", "--all", "kept", "--output", str(tmp_path / "out")]) == 0
    assert "refinedweb.too_many_words_removed" in capsys.readouterr().out
