"""`inspect compare`: who enters and who leaves between two outputs, and why."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from flows.inspect import main
from tests.support import curate, prose, winnow, write_rows


@pytest.fixture(scope="module")
def outputs(tmp_path_factory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("compare")
    rows = [{"id": f"d{k}", "text": prose(k)} for k in range(4)]
    rows += [{"id": "short", "text": " ".join(prose(9).split()[:30])}, {"id": "twin", "text": prose(2) + " Indeed so."}]
    path = write_rows(folder / "in" / "a.jsonl", rows)
    more = write_rows(folder / "in" / "b.jsonl", [{"text": prose(50)}])
    for name, inputs, sets in (
        ("one", [path], ["filters.gopher_quality.min_words=50", "dedup=false"]),
        ("two", [path, more], ["filters.gopher_quality.min_words=10"]),
    ):
        keys = [part for item in sets for part in ("--set", item)]
        curate("default@1", *[part for p in inputs for part in ("--input", p)], "--output", folder / name, *keys)
    return folder / "one", folder / "two"


def test_what_enters_and_leaves_is_counted_by_reason_with_samples(capsys, outputs):
    one, two = outputs
    capsys.readouterr()
    assert main(["--output", str(one), "compare", str(two), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["both"], found["kept"], found["only"]) == (6, [5, 5], [0, 1])
    assert found["enter"]["reasons"] == [["gopher_quality.too_few_words", 1]]
    assert found["leave"]["reasons"] == [["near_duplicate", 1]]
    assert found["enter"]["languages"] == [["en", 1]]
    ((ref, reason, text),) = found["enter"]["samples"]
    assert (ref, reason) == ("in/a.jsonl#5", "gopher_quality.too_few_words") and text.startswith(prose(9)[:20])


def test_a_person_can_read_it(capsys, outputs):
    one, two = outputs
    capsys.readouterr()
    assert main(["--output", str(one), "compare", str(two)]) == 0
    said = capsys.readouterr().out
    assert "6 rows in both outputs; kept 5 → 5" in said and "only in the second 1" in said
    assert "the first dropped for" in said and "near_duplicate" in said


def test_a_second_output_that_is_not_there_exits_2(capsys, outputs, tmp_path):
    one, _ = outputs
    assert main(["--output", str(one), "compare", str(tmp_path / "nowhere")]) == 2


def test_other_thresholds_enter_and_leave_what_another_run_would(capsys, tmp_path):
    """`--set` against `compare` with a run that has those values: the same counts and reasons, and nothing written."""
    rows = []
    for k in range(12):
        text = " ".join((prose(9) + " " + prose(k)).split()[: 30 + 10 * k])
        rows.append({"id": f"d{k}", "source": "crawl" if k % 2 else "books", "text": text})
    path = write_rows(tmp_path / "in" / "a.jsonl", rows)
    plain = ["source.from=source", "dedup=false", "filters.quality=false", "filters.toxicity=false"]
    values = ["filters.gopher_quality.min_words=25", "filters.gopher_quality.max_words=100"]
    for name, sets in (("one", plain), ("two", [*plain, *values])):
        keys = [part for item in sets for part in ("--set", item)]
        assert winnow(capsys, "default@1", "--input", path, "--output", tmp_path / name, *keys).code == 0
    one, two = str(tmp_path / "one"), str(tmp_path / "two")
    before = {p: p.read_bytes() for p in (tmp_path / "one").rglob("*") if p.is_file()}
    capsys.readouterr()
    assert main(["--output", one, "compare", *[part for item in values for part in ("--set", item)], "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert main(["--output", one, "compare", two, "--json"]) == 0
    run = json.loads(capsys.readouterr().out)
    assert found["kept"] == run["kept"] and found["enter"]["documents"] and found["leave"]["documents"]
    for side in ("enter", "leave"):
        assert all(found[side][kind] == run[side][kind] for kind in ("documents", "reasons", "sources", "languages"))
    assert (found["unscored"], found["uncompared"]) == (0, 0)
    assert {p: p.read_bytes() for p in (tmp_path / "one").rglob("*") if p.is_file()} == before


def test_compare_wants_an_output_or_values_and_values_are_thresholds(capsys, outputs):
    one, two = outputs
    for more, words in (
        ([], "give OUT2"),
        (["filters.x=10"], "another threshold is written --set filters.x=10"),
        ([str(two), "--set", "filters.gopher_quality.min_words=3"], "give OUT2"),
        (["--set", "filters.gopher_quality.min_word=3"], "did you mean min_words"),
        (["--set", "dedup.threshold=0.9"], "changes what is measured"),
    ):
        capsys.readouterr()
        assert main(["--output", str(one), "compare", *more]) == 2
        assert words in capsys.readouterr().err
