"""`inspect compare`: who enters and who leaves between two outputs, and why."""

from __future__ import annotations

import json
from pathlib import Path

from flows.inspect import main
from tests.support import prose, winnow, write_rows


def outputs(capsys, tmp_path: Path) -> tuple[Path, Path]:
    rows = [{"id": f"d{k}", "text": prose(k)} for k in range(4)]
    rows += [{"id": "short", "text": " ".join(prose(9).split()[:30])}, {"id": "twin", "text": prose(2) + " Indeed so."}]
    path = write_rows(tmp_path / "in" / "a.jsonl", rows)
    more = write_rows(tmp_path / "in" / "b.jsonl", [{"text": prose(50)}])
    for name, inputs, sets in (
        ("one", [path], ["filters.gopher_quality.min_words=50", "dedup=false"]),
        ("two", [path, more], ["filters.gopher_quality.min_words=10"]),
    ):
        keys = [part for item in sets for part in ("--set", item)]
        command = [part for p in inputs for part in ("--input", p)]
        assert winnow(capsys, "default", *command, "--output", tmp_path / name, *keys).code == 0
    return tmp_path / "one", tmp_path / "two"


def test_what_enters_and_leaves_is_counted_by_reason_with_samples(capsys, tmp_path):
    one, two = outputs(capsys, tmp_path)
    capsys.readouterr()
    assert main(["--output", str(one), "compare", str(two), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["both"], found["kept"], found["only"]) == (6, [5, 5], [0, 1])
    assert found["enter"]["reasons"] == [["gopher_quality.too_few_words", 1]]
    assert found["leave"]["reasons"] == [["near_duplicate", 1]]
    assert found["enter"]["languages"] == [["en", 1]]
    ((ref, reason, text),) = found["enter"]["samples"]
    assert (ref, reason) == ("in/a.jsonl#5", "gopher_quality.too_few_words") and text.startswith(prose(9)[:20])


def test_a_person_can_read_it(capsys, tmp_path):
    one, two = outputs(capsys, tmp_path)
    capsys.readouterr()
    assert main(["--output", str(one), "compare", str(two)]) == 0
    said = capsys.readouterr().out
    assert "6 rows in both outputs; kept 5 → 5" in said and "only in the second 1" in said
    assert "the first dropped for" in said and "near_duplicate" in said


def test_a_second_output_that_is_not_there_exits_2(capsys, tmp_path):
    one, _ = outputs(capsys, tmp_path)
    assert main(["--output", str(one), "compare", str(tmp_path / "nowhere")]) == 2
