"""The dedup stage through the real command: filters beside it, columns of the input, damaged indexes."""

from __future__ import annotations

import json

import polars as pl
import pytest

from tests.support import curate, digests, prose, table, winnow, write_rows


def rows(count: int, first: int = 0, **columns) -> list[dict]:
    return [{"id": f"d{i}", "text": prose(i), **columns} for i in range(first, first + count)]


def test_documents_that_filters_dropped_and_no_duplicate_at_all(tmp_path):
    path = write_rows(tmp_path / "in" / "a.jsonl", [*rows(5), {"id": "short", "text": "too short"}])
    curate("minimal", "--input", path, "--output", tmp_path / "out", "--set", "filters.gopher_quality.min_words=50")
    assert len(table(tmp_path / "out", "data")) == 5 and len(table(tmp_path / "out", "rejected")) == 1


@pytest.mark.parametrize("unit_bytes", ["1000", "64MB"])
def test_who_survives_depends_on_no_other_row_and_no_unit(tmp_path, unit_bytes):
    """Numbers compare as numbers, also where a row that the filters drop has text in the same column."""
    given = [{"id": "nine", "text": prose(1), "rank": 9}, {"id": "ten", "text": prose(1), "rank": 10}]
    path = write_rows(tmp_path / "in" / "a.jsonl", [*given, *({"id": f"x{i}", "text": "no", "rank": "n/a"} for i in range(9))])
    plan = ("--set", "dedup.keep=[rank desc]", "--set", f"source.unit_bytes={unit_bytes}")
    curate("minimal", "--input", path, "--output", tmp_path / "out", *plan, "--set", "filters.gopher_quality.min_words=50")
    assert table(tmp_path / "out", "data")["id"].to_list() == ["ten"]


def test_scopes_are_columns_of_the_input_and_values_that_look_alike_differ(tmp_path):
    values = [
        {"a": "x\x1fy", "b": "z"},
        {"a": "x", "b": "y\x1fz"},
        {"b": "z"},
        {"a": "\x00", "b": "z"},
        {"a": "x", "b": "y\x1fz"},
    ]
    given = [{"id": str(i), "text": prose(1), **value} for i, value in enumerate(values)]
    path = write_rows(tmp_path / "in" / "a.jsonl", given)
    curate("minimal", "--input", path, "--output", tmp_path / "out", "--set", "dedup.scope=[a, b]")
    assert table(tmp_path / "out", "data")["id"].to_list() == ["0", "1", "2", "3"]


def test_a_column_that_no_document_has_is_named_and_one_that_later_inputs_lack_is_null(capsys, tmp_path):
    first = write_rows(tmp_path / "in" / "a.jsonl", rows(3, dump="one"))
    plan = ("minimal", "--set", "dedup.scope=[dump]", "--output", tmp_path / "out", "--input", tmp_path / "in")
    ran = winnow(capsys, *plan[:-3], tmp_path / "other", "--input", tmp_path / "in", "--set", "dedup.scope=[dmup]")
    assert ran.code == 2 and "dedup.scope" in ran.err and "did you mean dump" in ran.err
    curate(*plan)
    write_rows(first.with_name("b.jsonl"), rows(3))
    curate(*plan)
    assert len(table(tmp_path / "out", "data")) == 6


def test_a_url_that_was_seen_goes_with_its_similarity(tmp_path):
    given = [
        {"id": str(i), "text": prose(i), "url": url} for i, url in enumerate(["http://a.b/x", "https://www.a.b/x/#top", None])
    ]
    path = write_rows(tmp_path / "in" / "a.jsonl", given)
    curate("minimal", "--input", path, "--output", tmp_path / "out", "--set", "dedup.exact_url=true")
    (gone,) = table(tmp_path / "out", "ledger").filter(pl.col("verdict") == "dropped").iter_rows(named=True)
    assert (gone["reason"], gone["duplicate_of"]) == ("duplicate_url", "0") and 0 <= gone["similarity"] < 0.8


@pytest.mark.parametrize("table_", ["texts", "places"])
def test_a_damaged_index_stops_the_run_whatever_byte_it_was(capsys, tmp_path, table_):
    path = write_rows(tmp_path / "in" / "a.jsonl", rows(20))
    plan = ("minimal", "--input", tmp_path / "in", "--output", tmp_path / "out")
    curate(*plan)
    file = tmp_path / "out" / "index" / f"{table_}-g0001.parquet"
    whole = file.read_bytes()
    write_rows(path.with_name("b.jsonl"), rows(20, first=100))
    for at in (len(whole) // 2, len(whole) - 40):
        file.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        ran = winnow(capsys, *plan)
        assert ran.code == 1 and "sha256" in ran.err and "--replace" in ran.err and file.name in ran.err
    file.write_bytes(whole)
    curate(*plan)
    assert json.loads((tmp_path / "out" / "manifest.json").read_text())["live"] == [1, 2]


def test_the_memory_budget_changes_no_byte(tmp_path):
    given = [{"id": str(i), "text": prose(i % 40)} for i in range(120)]
    path = write_rows(tmp_path / "in" / "a.jsonl", given)
    for memory in ("600MB", "4GB"):
        curate("minimal", "--input", path, "--output", tmp_path / memory, "--memory", memory)
    assert digests(tmp_path / "600MB") == digests(tmp_path / "4GB")
