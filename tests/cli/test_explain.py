"""`--explain`: what a plan does in about ten lines, all that would stop it at once, and how its inputs begin."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from pipeline.plan.load import load_leniently
from pipeline.read.files import input_file
from pipeline.read.source import Source
from pipeline.run.rough import rough
from tests.support import prose, winnow, write_rows

PLAN = """\
extends: none@1
filters:
  gopher_quality: {min_wordz: 3, max_words: 900}
  language: {keep: [en, cnr]}
select: {token_budget: 1000, score: edu}
output: {tokenizer: nothere.json, shard_bytes: tiny}
compute: {gpu: H9000}
source: {text: body}
"""
ALL = (
    "--set nonsense: expected KEY=VALUE",
    "filters.gopher_quality.min_wordz: unknown key; did you mean min_words?",
    "output.shard_bytes: could not parse",
    "compute.gpu: 'H9000' is not in the GPU table",
    "select.score: no filter of the plan gives edu",
    "filters.language.keep: cnr: ",
    "nothere.json does not exist; give the path of a tokenizer.json",
    "--memory 100 MB: a run takes 300 MB",
    "gone.jsonl: no such file or folder",
    "no column 'body' in in/a.jsonl, there are: text; name the text's column with --text, or in source.text (perhaps text)",
    "out is not empty and is not an output of Winnow",
    "work is not empty and is not a work directory of Winnow",
)
SAFE = {chr(code) for code in range(0x20, 0x7F)} | {"\n", "…"}


def test_all_that_would_stop_a_run_is_told_at_once(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "plan.yaml").write_text(PLAN)
    data = write_rows(tmp_path / "in" / "a.jsonl", [{"id": "1", "text": prose(1)}])
    for folder in ("out", "work"):
        write_rows(tmp_path / folder / "of_somebody.jsonl", [{}])
    places = ("--output", tmp_path / "out", "--work", tmp_path / "work")
    more = ("--memory", "100MB", "--set", "nonsense")
    command = (tmp_path / "plan.yaml", "--input", data, tmp_path / "gone.jsonl", *places, *more, "--explain")
    before = sorted(tmp_path.rglob("*"))
    ran = winnow(capsys, *command)
    assert ran.code == 2 and [said for said in ALL if ran.err.count(said) != 1] == []
    assert f"{len(ALL) - 1} faults would stop the run:" in ran.err, "those of the plan's file are one"
    assert "a.jsonl: jsonl" in ran.out, "what can be looked at is"
    ran = winnow(capsys, *command, "--json")
    assert ran.code == 2 and len(json.loads(ran.out)["faults"]) == len(ALL) - 1
    assert sorted(tmp_path.rglob("*")) == before


def test_a_plan_is_told_in_about_ten_lines_and_an_input_in_two(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    for number in range(30):
        write_rows(tmp_path / "in" / f"{number:02}.jsonl", [{"id": number, "text": prose(number)}])
    ran = winnow(capsys, "fineweb", "--input", tmp_path / "in", "--output", tmp_path / "out", "--explain")
    lines = ran.out.splitlines()
    inputs = next(at for at, line in enumerate(lines) if line.startswith("30 inputs, about "))
    assert ran.code == 0 and inputs <= 13 and len(lines) <= inputs + 1 + 2 * 12 + 6
    assert "12 of them looked at" in lines[inputs]
    plan = "\n".join(lines[:inputs])
    assert (
        "gopher_words < 50" in plan and "; pii (email, ip)\n" in plan and "near ones from 0.75 jaccard of 5-word shingles" in plan
    )
    assert "columns id, text; text: text, id: id" in lines[inputs + 1] and lines[inputs + 2].startswith("    begins: ")
    assert not (tmp_path / "out").exists()
    ran = winnow(capsys, "--input", tmp_path / "in" / "00.jsonl", "--output", tmp_path / "out", "--explain")
    (line,) = [line for line in ran.out.splitlines() if line.startswith("  gopher_repetition: drops: ")]
    assert " > 1," not in line and line.endswith(" more rules"), "rules that can drop nothing are only counted"


def test_names_and_texts_of_inputs_are_harmless(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    hostile = "\x1b]0;owned\x07\u202e\nplan safe.yaml"
    (tmp_path / "in").mkdir()
    rows = json.dumps({"text": hostile + prose(1), hostile: "x" * 9_000})
    (tmp_path / "in" / f"a{hostile.replace('/', '')}.jsonl.gz").write_bytes(gzip.compress(rows.encode()))
    command = ("none", "--input", tmp_path / "in", "--output", tmp_path / "out", "--explain")
    for more in ((), ("--set", "source.text=body")):
        ran = winnow(capsys, *command, *more)
        assert ran.code == (2 if more else 0) and set(ran.out + ran.err) <= SAFE, ran.err
        assert "plan safe.yaml" not in {line.strip() for line in (ran.out + ran.err).splitlines()}
        assert max(map(len, ran.out.splitlines())) < 700


def test_a_damaged_beginning_says_what_is_wrong_with_it(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = write_rows(tmp_path / "in" / "a.jsonl", [b'{"text": "torn', b'{"text'])
    ran = winnow(capsys, "none", "--input", path, "--output", tmp_path / "out", "--explain")
    (line,) = [line for line in ran.out.splitlines() if line.startswith("    no text in the rows that were looked at: ")]
    assert ran.code == 0 and len(line) > 50


def test_a_column_that_no_file_has_is_a_fault_whatever_it_is_called_and_whatever_lies_beside(capsys, tmp_path):
    write_rows(tmp_path / "in" / "a.jsonl", [{"body": prose(1)}])
    (tmp_path / "in" / "page.txt").write_text(prose(2))
    command = ("none", "--input", tmp_path / "in", "--output", tmp_path / "out", "--explain")
    for column, given in (("WHICH IS NOT THERE", ("--text", "WHICH IS NOT THERE")), ("text", ())):
        ran = winnow(capsys, *command, *given)
        assert ran.code == 2 and f"no column '{column}' in in/a.jsonl, there are: body;" in ran.err
    ran = winnow(capsys, *command, "--text", "body")
    assert ran.code == 0 and "columns body; text: body" in ran.out


def test_what_a_run_takes_is_told_in_a_dozen_lines_of_plain_english(capsys, tmp_path):
    path = write_rows(tmp_path / "in" / "a.jsonl", [{"id": str(k), "text": prose(k)} for k in range(5)])
    command = ("default", "--input", path, "--output", tmp_path / "out", "--set", "dedup.scope=[source]", "--workers", "2")
    ran = winnow(capsys, *command, "--explain")
    lines = ran.out.splitlines()
    assert ran.code == 0 and max(map(len, lines)) <= 130, max(lines, key=len)
    assert "only among documents of the same source" in ran.out and " v4" not in ran.out and "unit" not in ran.out
    assert any(line.startswith("1 input, 5 rows, ") for line in lines)
    (time,) = [line for line in lines if line.startswith("time: ")]
    assert "a few seconds" in time or "about half a minute, 15 s of it once, to compile kernels" in time
    assert "12 MB of text a second and worker (2 here)" in time and any(line.startswith("disk: about ") for line in lines)


TIMES = [  # bytes of the file, compression, share to do, workers, compiled; the words
    (8e6, None, 1.0, 1, True, "a few seconds"),
    (8e6, None, 1.0, 1, False, "about half a minute, 15 s of it once"),
    (12e6 * 60, None, 1.0, 1, True, "about a minute"),
    (12e6 * 600, None, 1.0, 1, True, "about 10 minutes"),
    (12e6 * 600, "zstd", 1.0, 4, True, "about 10 minutes"),
    (12e6 * 600, None, 0.0, 1, True, "a few seconds"),
    (12e6 * 36_000, None, 1.0, 2, True, "about 5 hours"),
]


@pytest.mark.parametrize(("size", "packed", "share", "workers", "compiled", "said"), TIMES)
def test_time_and_disk_are_rough_figures_of_what_is_left(size, packed, share, workers, compiled, said):
    file = input_file(Source(paths=("a",)), folder="", url="a", path="a", kind=("jsonl", packed), size=int(size), identity="")
    time, disk = rough([(file, share)], workers=workers, compiled=compiled)
    assert time.startswith(f"time: {said}") and "kB of" not in disk


@pytest.mark.parametrize(
    ("assignment", "said"),
    [
        ("dedup.bands=[0, 9]", "dedup: bands [0, 9]"),
        ("select.keep_top={by: [a]}", "select.keep_top.share: Field required"),
        ("plugins=[no.such.module]", "no.such.module"),
        ("source=[{paths: [a], name: n}, {paths: [b], name: n}]", "two entries of source are named n"),
        (
            "annotations=[{path: a, on: [id], columns: {s: float32}}, {path: b, on: [id], columns: {s: float32}}]",
            "in two entries",
        ),
        ("filters=3", "filters: "),
    ],
)
def test_what_is_wrong_with_a_plan_is_left_out_and_the_rest_stays(assignment: str, said: str) -> None:
    loaded, faults = load_leniently(None, inputs=(), assignments=[assignment, "seed=7", "audit_fraction=x"])
    assert said in "\n".join(faults) and "audit_fraction: " in "\n".join(faults)
    assert loaded.plan.seed == 7


def test_a_preset_without_an_input_is_explained_and_lacks_one(capsys, tmp_path):
    ran = winnow(capsys, "minimal", "--explain", "--output", tmp_path / "out")
    assert ran.code == 2 and "no input: give --input PATH" in ran.err and "exact copies" in ran.out
