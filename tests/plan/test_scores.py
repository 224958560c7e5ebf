"""Annotations: joined by key, null where there is no score, used by rules, plugins and the choice of survivors."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from random import Random

import polars as pl
import pytest

from pipeline.plan import scores as module
from pipeline.plan.annotations import Annotation
from tests.support import PROSE, prose, table, winnow, write_rows


@pytest.fixture
def text(tmp_path: Path) -> Path:
    rows = [{"id": f"d{k}", "text": prose(k), "url": f"http://x.org/{k}" if k else None} for k in range(4)]
    return write_rows(tmp_path / "in" / "a.jsonl", rows)


def scores(tmp_path: Path, columns: dict[str, list], name: str = "scores.parquet") -> Path:
    path = tmp_path / name
    pl.DataFrame(columns).write_parquet(path)
    return path


def plan(tmp_path: Path, text: Path, entry: str, *more: str) -> tuple[object, ...]:
    sets = [part for item in [f"annotations=[{entry}]", "output.signals=true", *more] for part in ("--set", item)]
    return ("minimal", "--input", text, "--output", tmp_path / "out", *sets)


def test_scores_join_by_source_and_id_and_missing_rows_are_null(capsys, tmp_path, text):
    path = scores(tmp_path, {"source": ["in", "in", "other"], "id": ["d2", "d0", "d1"], "edu_score": [2.5, 0.1, 9.0]})
    ran = winnow(capsys, *plan(tmp_path, text, f"{{path: {path}, columns: {{edu_score: float32}}}}"))
    assert ran.code == 0, ran.err
    assert "annotations   edu_score of 2 of 4 documents" in ran.out
    frame = table(tmp_path / "out", "signals")
    assert dict(zip(frame["id"], frame["edu_score"].cast(pl.Float64).round(4), strict=True)) == {
        "d0": 0.1,
        "d1": None,
        "d2": 2.5,
        "d3": None,
    }
    assert frame.schema["edu_score"] == pl.Float32


def test_limits_drop_below_and_above_and_a_value_at_the_limit_or_without_a_score_passes(capsys, tmp_path, text):
    path = scores(tmp_path, {"id": ["d0", "d1", "d2"], "edu_score": [0.0999, 0.1, 0.2001], "n": [1, 2, 3]})
    entry = f"{{path: {path}, on: [id], columns: {{edu_score: float32, n: int64}}, min: {{edu_score: 0.1}}, max: {{n: 2}}}}"
    assert winnow(capsys, *plan(tmp_path, text, entry)).code == 0
    found = table(tmp_path / "out", "ledger")
    assert dict(zip(found["id"], found["reason"], strict=True)) == {
        "d0": "annotations.edu_score_too_low", "d1": None, "d2": "annotations.n_too_high", "d3": None,
    }  # fmt: skip


def test_url_and_source_ref_are_keys_too_and_a_null_key_matches_nothing(capsys, tmp_path, text):
    by_url = scores(tmp_path, {"url": ["http://x.org/1", None, None], "a": [1, 2, 3]}, "a.parquet")
    by_ref = scores(tmp_path, {"source_ref": ["in/a.jsonl#3"], "b": ["x"]}, "b.parquet")
    entry = f"{{path: {by_url}, on: [url], columns: {{a: int32}}}}, {{path: {by_ref}, on: [source_ref], columns: {{b: string}}}}"
    ran = winnow(capsys, *plan(tmp_path, text, entry))
    assert ran.code == 0, ran.err
    frame = table(tmp_path / "out", "signals").sort("id")
    assert (frame["a"].to_list(), frame["b"].to_list()) == ([None, 1, None, None], [None, None, "x", None])


def test_survivors_can_be_chosen_by_an_annotation(capsys, tmp_path):
    same = write_rows(tmp_path / "in" / "a.jsonl", [{"id": f"d{k}", "text": PROSE} for k in range(3)])
    path = scores(tmp_path, {"id": ["d0", "d1", "d2"], "edu_score": [1.0, 3.0, 2.0]})
    entry = f"{{path: {path}, on: [id], columns: {{edu_score: float64}}}}"
    ran = winnow(capsys, *plan(tmp_path, same, entry, "dedup.keep=[edu_score desc]", "checks.plants=0"))
    assert ran.code == 0, ran.err
    assert table(tmp_path / "out", "data")["id"].to_list() == ["d1"]


def test_the_manifest_names_the_files_that_were_joined(capsys, tmp_path, text):
    first = scores(tmp_path, {"id": ["d0"], "edu_score": [1.0]})
    other = scores(tmp_path, {"id": ["d1"], "rank": [7]}, "ranks.parquet")
    entries = (
        f"{{path: {first}, on: [id], columns: {{edu_score: float32}}}}, {{path: {other}, on: [id], columns: {{rank: int32}}}}"
    )
    assert winnow(capsys, *plan(tmp_path, text, entries)).code == 0
    made = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert made["annotation_inputs"] == [
        {"name": path.name, "sha256": hashlib.sha256(path.read_bytes()).hexdigest(), "bytes": path.stat().st_size}
        for path in (first, other)
    ]


def test_another_file_is_new_facts_and_the_same_recipe(capsys, tmp_path, text):
    first = scores(tmp_path, {"id": ["d0"], "edu_score": [1.0]})
    entry = "{{path: {}, on: [id], columns: {{edu_score: float32}}}}"
    assert winnow(capsys, *plan(tmp_path, text, entry.format(first))).code == 0
    recipe = json.loads((tmp_path / "out" / "manifest.json").read_text())["recipe_hash"]
    other = scores(tmp_path, {"id": ["d0"], "edu_score": [2.0]}, "other.parquet")
    assert winnow(capsys, *plan(tmp_path, text, entry.format(other)), "--replace").code == 0
    assert json.loads((tmp_path / "out" / "manifest.json").read_text())["recipe_hash"] == recipe
    assert table(tmp_path / "out", "signals").sort("id")["edu_score"].to_list()[0] == 2.0
    copied = scores(tmp_path, {"id": ["d0"], "edu_score": [2.0]}, "copied.parquet")
    shown = winnow(capsys, *plan(tmp_path, text, entry.format(copied)), "--replace", "--explain").out
    assert "1 of 1 unit was read before and scored; nothing of that is done again" in shown


@pytest.mark.parametrize(
    ("columns", "entry", "words"),
    [
        pytest.param(
            {"id": ["d0", "d0", "d1"], "s": [1.0, 2.0, 1.0]}, "columns: {s: float32}", ["id d0", "more than once"], id="twice"
        ),
        pytest.param({"id": ["d0"], "s": [1.0]}, "columns: {t: float32}", ["no column t", "there are id, s"], id="no column"),
        pytest.param({"id": ["d0"], "s": [float("nan")]}, "columns: {s: float32}", ["NaN or", "in s;"], id="NaN"),
        pytest.param({"id": ["d0"], "s": [float("-inf")]}, "columns: {s: float32}", ["infinite number in s"], id="infinite"),
        pytest.param({"id": ["d0"], "s": [1e300]}, "columns: {s: float32}", ["infinite number in s"], id="too large for float32"),
        pytest.param({"id": ["d0"], "s": ["high"]}, "columns: {s: float32}", ["scores.parquet"], id="not a number"),
        pytest.param({"id": ["d0"], "s": [1.0]}, "columns: {s: float16}", ["columns.s"], id="unknown type"),
        pytest.param(
            {"id": ["d0"], "s": [1.0]}, "columns: {text: string}", ["text is a column of the documents"], id="name taken"
        ),
        pytest.param(
            {"id": ["d0"], "s": [1.0]}, "columns: {s: float32}, min: {t: 1}", ["t is not a column"], id="limit of nothing"
        ),
        pytest.param(
            {"id": ["d0"], "s": ["a"]}, "columns: {s: string}, max: {s: 1}", ["s is not a column of numbers"], id="text limit"
        ),
        pytest.param(None, "columns: {s: float32}", ["no such file"], id="no file"),
        pytest.param({"id": ["d0"], "s": [1.5]}, "columns: {s: int32}", ["s is not whole numbers", "int32"], id="cut to whole"),
        pytest.param(
            {"id": ["d0"], "quality_score": [1.0]},
            "columns: {quality_score: float32}",
            ["quality_score comes from filter quality", "rename"],
            id="name of a filter's column",
        ),
    ],
)
def test_what_cannot_be_joined_stops_before_the_run_and_says_why(capsys, tmp_path, text, columns, entry, words):
    path = tmp_path / "scores.parquet" if columns is None else scores(tmp_path, columns)
    ran = winnow(capsys, *plan(tmp_path, text, f"{{path: {path}, on: [id], {entry}}}"))
    assert ran.code == 2, ran.err
    assert all(word in ran.err for word in words), ran.err
    assert not (tmp_path / "out" / "manifests").exists()


def test_a_survivor_column_that_is_not_there_is_named(capsys, tmp_path, text):
    ran = winnow(capsys, "minimal", "--input", text, "--output", tmp_path / "out", "--set", "dedup.keep=[edu_score desc]")
    assert (ran.code, "dedup.keep: no document has a column edu_score" in ran.err) == (2, True)


def test_crafted_files_of_scores_end_in_a_message(tmp_path):
    """Polars panics on some of them, which is no Exception."""
    made = scores(tmp_path, {"id": [f"d{k}" for k in range(300)], "s": [k / 7 for k in range(300)]})
    whole, random, ended = made.read_bytes(), Random(5), set()
    entry = Annotation(path=str(made), on=("id",), columns={"s": "float32"})
    for _ in range(120):
        damaged = bytearray(whole)
        for _ in range(random.choice((1, 5, 20))):
            damaged[random.randrange(len(whole) - 900, len(whole))] = random.randrange(256)
        made.write_bytes(damaged)
        try:
            module._read(entry)
        except ValueError as error:
            ended.add(str(error).startswith("annotations: "))
    assert ended == {True}


def test_a_panic_of_the_reader_is_one_of_them(tmp_path, monkeypatch):
    made = scores(tmp_path, {"id": ["d0"], "s": [1.0]})

    def panics(*_, **__):
        raise pl.exceptions.PanicException("called `Option::unwrap()`\non a None")

    monkeypatch.setattr(pl, "read_parquet", panics)
    with pytest.raises(ValueError, match=r"scores.parquet: cannot be read: called `Option::unwrap\(\)`$"):
        module._read(Annotation(path=str(made), on=("id",), columns={"s": "float32"}))
