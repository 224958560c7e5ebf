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


def test_each_stage_says_what_the_metrics_say_and_each_line_what_it_is_about(capsys, tmp_path):
    for name in "ab":
        write_rows(tmp_path / "in" / f"{name}.jsonl", [{"text": prose(k) + name} for k in range(30)])
    out = tmp_path / "out"
    ran = winnow(capsys, "minimal", "--input", tmp_path / "in", "--output", out, "--set", "source.unit_bytes=9000", "--log-json")
    assert ran.code == 0, ran.err
    found = lines(ran.err)
    metrics = json.loads((out / "metrics.json").read_text())

    def advanced(stage: str) -> list[dict]:
        return [line for line in found if (line["event"], line["stage"]) == ("advance", stage)]

    assert all({"time", "event", "stage", "generation"} <= line.keys() for line in found)
    files = {record["path"]: record["bytes"] for record in metrics["files"]}
    assert {line["name"]: line["bytes"] for line in advanced("write") if "bytes" in line} == files
    sizes = {f"in/{path.name}": path.stat().st_size for path in (tmp_path / "in").iterdir()}
    assert {line["name"]: line["bytes"] for line in advanced("scan")} == sizes
    units = [line for line in advanced("annotate") if "documents" in line]
    assert len(units) > 4 and all(line["span"] and " unit " in line["name"] for line in units)
    assert all(line["span"].split(" ")[0] in sizes for line in units)
    for stage in ("compile", "scan", "annotate", "dedup", "write", "publish"):
        assert [line["event"] for line in found if line["stage"] == stage and line["event"] in ("begin", "end")] == [
            "begin",
            "end",
        ]


def test_notes_and_failures_are_lines_with_stage_and_generation(capsys, tmp_path):
    path = write_rows(tmp_path / "in/a.jsonl", [{"text": prose(k)} for k in range(10)])
    command = ("minimal", "--input", tmp_path / "in", "--output", tmp_path / "out", "--log-json")
    assert winnow(capsys, *command).code == 0
    write_rows(tmp_path / "in/b.jsonl", [b"{broken"])
    path.unlink()
    failed = lines(winnow(capsys, *command).err)[-1]
    assert (failed["event"], failed["generation"], failed["exit_code"]) == ("failed", 2, 1) and "unreadable" in failed["message"]
    (tmp_path / "in/b.jsonl").unlink()
    write_rows(tmp_path / "in/c.jsonl", [{"text": prose(20)}])
    notes = [line for line in lines(winnow(capsys, *command).err) if line["event"] == "note"]
    assert [(line["stage"], line["generation"]) for line in notes] == [("run", 2)]
    assert "no longer there" in notes[0]["note"] and "in/a.jsonl" in notes[0]["note"]
