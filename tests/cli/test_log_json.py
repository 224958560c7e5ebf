"""--log-json: every line of stderr is one JSON object, with the same numbers as the metrics."""

from __future__ import annotations

import json

from tests.support import prose, winnow, write_rows


def lines(text: str) -> list[dict]:
    return [json.loads(line) for line in text.splitlines()]


def test_every_line_is_an_object_and_the_sums_are_those_of_the_metrics(capsys, tmp_path):
    rows = [{"text": prose(k)} for k in range(20)] + [b"{broken"]
    path = write_rows(tmp_path / "in" / "a\u202eb.jsonl", rows)
    keys = ("--set", "source.max_bad_fraction=0.1")
    ran = winnow(capsys, "minimal", "--input", path, "--output", tmp_path / "out", *keys, "--log-json")
    assert ran.code == 0 and ran.err.isascii()
    found = lines(ran.err)
    totals = json.loads((tmp_path / "out/metrics.json").read_text())["totals"]
    read = [line for line in found if (line["event"], line.get("stage")) == ("advance", "annotate")]
    assert sum(line.get("documents", 0) for line in read) == totals["read"] == 21
    assert sum(line.get("bytes", 0) for line in read) == totals["bytes_read"]
    assert {line["generation"] for line in read} == {1}
    assert any(line.get("name") == "in/a\u202eb.jsonl unit 0" for line in read)
    done = found[-1]
    assert done["event"] == "done" and {name: done[name] for name in totals} == totals


def test_a_failure_is_a_line_with_its_exit_code(capsys, tmp_path):
    ran = winnow(capsys, "--input", tmp_path / "none.jsonl", "--output", tmp_path / "out", "--log-json")
    last = lines(ran.err)[-1]
    assert ran.code == 2 == last["exit_code"]
    assert last["event"] == "failed" and "none.jsonl" in last["message"]
