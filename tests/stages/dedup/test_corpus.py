"""The dedup stage through the real command: filters beside it, columns of the input, damaged indexes."""

from __future__ import annotations

import errno
import json
import os

import polars as pl
import pytest

from tests.support import curate, digests, prose, table, winnow, write_rows


def rows(count: int, first: int = 0, **columns) -> list[dict]:
    return [{"id": f"d{i}", "text": prose(i), **columns} for i in range(first, first + count)]


def test_documents_that_filters_dropped_and_no_duplicate_at_all(tmp_path):
    path = write_rows(tmp_path / "in" / "a.jsonl", [*rows(5), {"id": "short", "text": "too short"}])
    curate("minimal", "--input", path, "--output", tmp_path / "out", "--set", "filters.gopher_quality.min_words=50")
    assert len(table(tmp_path / "out", "data")) == 5 and len(table(tmp_path / "out", "rejected")) == 1


def test_documents_that_a_loosened_threshold_lets_in_between_others_keep_their_signatures(tmp_path):
    """Each text has a near copy; short and long ones take turns, and the short ones are signed later."""
    given = []
    for near, end in (("", " So it ends."), ("near ", "")):
        for number in range(6):
            short = " ".join(prose(50 + number).split()[:60])
            given += [
                {"id": f"{near}short{number}", "text": short + end},
                {"id": f"{near}long{number}", "text": prose(number) + end},
            ]
    path = write_rows(tmp_path / "in" / "a.jsonl", given)
    command = ("minimal", "--input", path, "--output", tmp_path / "out", "--replace", "--set")
    for least, kept in ((100, {"long"}), (20, {"long", "short"})):
        curate(*command, f"filters.gopher_quality.min_words={least}")
        expected = {f"{name}{number}" for name in kept for number in range(6)}
        assert set(table(tmp_path / "out", "data")["id"]) == expected


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


def test_a_full_disk_ends_the_run_with_the_folder_and_what_to_do_and_the_same_command_resumes(capsys, tmp_path, monkeypatch):
    path = write_rows(tmp_path / "in" / "a.jsonl", [{"id": str(i), "text": prose(i % 9)} for i in range(12)])
    plan = ("minimal", "--input", path, "--output")
    curate(*plan, tmp_path / "whole")

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "posix_fallocate", full)
        ran = winnow(capsys, *plan, tmp_path / "out")
    assert ran.code == 1 and str(tmp_path / "out" / ".work" / "judgements" / "dedup") in ran.err
    assert "No space left on device; free some space there and run the same command, it resumes" in ran.err
    assert not list((tmp_path / "out").glob("manifests/*")) and not list((tmp_path / "out").rglob("scratch"))
    curate(*plan, tmp_path / "out")
    assert digests(tmp_path / "out") == digests(tmp_path / "whole")


def test_a_run_removes_the_scratch_that_a_killed_one_left(tmp_path):
    path = write_rows(tmp_path / "in" / "a.jsonl", rows(3))
    curate("minimal", "--input", path, "--output", tmp_path / "out")
    left = tmp_path / "out" / ".work" / "judgements" / "dedup" / "another" / "scratch"
    left.mkdir(parents=True)
    (left / "shingles").write_bytes(bytes(1000))
    curate("minimal", "--input", path, "--output", tmp_path / "out")  # nothing new: its work is not to stay all the same
    assert not left.exists()


@pytest.mark.parametrize("bucket_cap", [1, 1_000_000])
@pytest.mark.parametrize("threshold", [0.000001, 1.0])
@pytest.mark.parametrize("bands", ["[1,1]", "[1,128]", "[128,1]"])
def test_settings_at_their_ends_lose_no_document_and_no_evidence(tmp_path, bucket_cap, threshold, bands):
    given = [{"id": str(i), "text": prose(i % 20) + " once more" * (i % 3)} for i in range(60)]
    given += [{"id": f"short{i}", "text": "two words"} for i in range(3)]
    path = write_rows(tmp_path / "in" / "a.jsonl", given)
    sets = [f"dedup.bucket_cap={bucket_cap}", f"dedup.threshold={threshold}", f"dedup.bands={bands}", "checks.plants=0"]
    curate("minimal", "--input", path, "--output", tmp_path / "out", *(part for item in sets for part in ("--set", item)))
    ledger, data = (table(tmp_path / "out", folder) for folder in ("ledger", "data"))
    gone = ledger.filter(pl.col("verdict") == "dropped")
    assert len(ledger) == len(given) == int(data["minhash_cluster_size"].sum())
    assert set(gone["duplicate_ref"]) <= set(data["source_ref"]) and gone["similarity"].min() >= threshold  # type: ignore[operator]


@pytest.mark.parametrize("column", [b"document", b"id", b"source_ref", b"text"])
def test_a_damaged_footer_of_the_texts_in_the_index_is_told_as_such(capsys, tmp_path, column):
    """Their pages have checksums, their footer has none, and they are too large to be read whole for a few candidates."""
    path = write_rows(tmp_path / "in" / "a.jsonl", rows(20))
    plan = ("minimal", "--input", tmp_path / "in", "--output", tmp_path / "out")
    curate(*plan)
    file = tmp_path / "out" / "index" / "documents-00000-g0001.parquet"
    whole = file.read_bytes()
    write_rows(path.with_name("b.jsonl"), [{"id": "near", "text": f"{prose(3)} And more."}, {"id": "copy", "text": prose(4)}])
    at = whole.index(column, len(whole) - 8 - int.from_bytes(whole[-8:-4], "little"))  # the footer begins with the schema
    file.write_bytes(whole[:at] + b"x" + whole[at + 1 :])
    ran = winnow(capsys, *plan)
    assert ran.code == 1 and "--replace" in ran.err and file.name in ran.err
