"""Whose source: the plan names it, or says which column of the data does; two sources may hold files of one name."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.report.metrics import collect, tally
from pipeline.stages.shards import layout
from tests.support import curate, prose, table, winnow, write_rows

FROM = ("--set", "source.from=source")


def by_source(out: Path) -> dict[str, int]:
    return {line["source"]: line["read"] for line in json.loads((out / "metrics.json").read_text())["by_source"]}


def plan(path: Path, sources: list[dict], **more: object) -> Path:
    path.write_text(json.dumps({"extends": "minimal@1", "source": sources, "checks": {"plants": 0}, **more}))
    return path


def test_the_plans_name_is_the_source_in_scope_and_metrics(tmp_path: Path) -> None:
    """Two copies that call themselves of different sources are of one: the plan's."""
    path = write_rows(tmp_path / "crawl" / "a.jsonl", [{"text": prose(1), "source": name} for name in ("web", "books")])
    curate("minimal", "--input", path, "--output", tmp_path / "out", "--set", "dedup.scope=[source]")
    assert table(tmp_path / "out", "ledger")["reason"].to_list() == [None, "exact_duplicate"]
    assert by_source(tmp_path / "out") == {"crawl": 2}
    assert json.loads(table(tmp_path / "out", "data")["metadata"][0]) == {"source": "web"}
    curate("minimal", "--input", path, "--output", tmp_path / "named", "--set", "dedup.scope=[source]", *FROM)
    assert table(tmp_path / "named", "data")["source"].to_list() == ["books", "web"]
    assert by_source(tmp_path / "named") == {"books": 1, "web": 1}


def test_taking_the_source_from_the_data_makes_another_recipe(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = write_rows(tmp_path / "in" / "a.jsonl", [{"text": prose(1), "source": "web"}])
    curate("minimal", "--input", path, "--output", tmp_path / "out")
    ran = winnow(capsys, "minimal", "--input", path, "--output", tmp_path / "out", *FROM)
    assert ran.code == 2 and "--replace" in ran.err


@pytest.mark.parametrize("column", ["text", "id"])
def test_a_source_is_not_named_by_its_text_or_id(capsys: pytest.CaptureFixture[str], tmp_path: Path, column: str) -> None:
    path = write_rows(tmp_path / "in" / "a.jsonl", [{"text": prose(1)}])
    ran = winnow(capsys, "minimal", "--input", path, "--output", tmp_path / "out", "--set", f"source.from={column}")
    assert ran.code == 2 and "source" in ran.err and "from" in ran.err


def test_the_resolved_plan_is_a_plan(tmp_path: Path) -> None:
    path = write_rows(tmp_path / "in" / "a.jsonl", [{"text": prose(1), "source": "web"}])
    curate("minimal", "--input", path, "--output", tmp_path / "out", *FROM)
    assert "from: source" in (tmp_path / "out" / "plan.resolved.yaml").read_text()
    curate(tmp_path / "out" / "plan.resolved.yaml", "--output", tmp_path / "again")
    assert table(tmp_path / "again", "data")["source"].to_list() == ["web"]


def test_two_sources_may_hold_files_of_one_name(tmp_path: Path) -> None:
    for n, folder in enumerate(("x/day", "y/day")):
        write_rows(tmp_path / folder / "a.jsonl", [{"text": prose(n)}])
    one, other = ({"paths": [f"{tmp_path}/{at}/day"], "name": at} for at in "xy")
    curate(plan(tmp_path / "both.json", [one, other]), "--output", tmp_path / "both")
    assert table(tmp_path / "both", "ledger")["source_ref"].to_list() == ["x//day/a.jsonl#1", "y//day/a.jsonl#1"]
    # What an output holds keeps its name, whatever comes beside it, and is not read again.
    first = plan(tmp_path / "first.json", [one])
    curate(first, "--output", tmp_path / "out")
    curate(plan(tmp_path / "then.json", [other, one]), "--output", tmp_path / "out")
    curate(plan(tmp_path / "then.json", [other, one]), "--output", tmp_path / "out")
    refs = table(tmp_path / "out", "ledger").sort("generation").select("generation", "source_ref").rows()
    assert refs == [(1, "day/a.jsonl#1"), (2, "y//day/a.jsonl#1")]


def test_a_source_that_only_has_another_name_is_still_refused(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    write_rows(tmp_path / "day" / "a.jsonl", [{"text": prose(1)}])
    source = {"paths": [f"{tmp_path}/day"], "name": "x"}
    curate(plan(tmp_path / "first.json", [source]), "--output", tmp_path / "out")
    ran = winnow(capsys, plan(tmp_path / "then.json", [{**source, "name": "y"}]), "--output", tmp_path / "out")
    assert ran.code == 2 and "was read as source x and is now of y" in ran.err


def test_many_names_are_summed_and_rows_stay_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The limits are lowered: with more names than that, the table folds the smallest, and rows stand by path and row."""
    rows = [{"text": prose(n), "source": f"s{n % 7}" if n % 2 else "big"} for n in range(40)]
    paths = [write_rows(tmp_path / "in" / f"{at}.jsonl", rows[at * 20 :][:20]) for at in range(2)]
    curate("minimal", "--input", *paths, "--output", tmp_path / "few", *FROM)
    monkeypatch.setattr(layout, "MOST_NAMES", 7)
    monkeypatch.setattr(collect, "MOST_SOURCES", 2)
    curate("minimal", "--input", *paths, "--output", tmp_path / "many", *FROM, "--set", "output.shard_bytes=5000")
    few, many = (table(tmp_path / name, "data") for name in ("few", "many"))
    place = pl.col("source_ref").str.split("#").list
    in_place = few.sort(place.get(0), place.get(1).cast(pl.Int64))
    assert (
        many["source_ref"].to_list() == in_place["source_ref"].to_list()
        and many["source"].to_list() == in_place["source"].to_list()
    )
    assert few["source"].to_list() == sorted(few["source"]) and len(by_source(tmp_path / "few")) == 8
    lines = by_source(tmp_path / "many")
    assert set(lines) == {"big", "s0", "others"} and sum(lines.values()) == 40 and lines["big"] == 20


def test_counters_of_sources_are_bounded() -> None:
    summed = tally.Tally()
    for n in range(40):
        part = tally.Tally()
        for verdict in tally.VERDICTS:
            part.counts["source", f"s{n}" if n else "big", verdict, "documents"] += 1_000 if n == 0 else 1
            part.counts["verdict", verdict, "documents"] += 1
        summed.add(part)
        if len(summed.counts) > 60:
            most, tally.MOST_COUNTED = tally.MOST_COUNTED, 60
            summed.add(tally.Tally())
            tally.MOST_COUNTED = most
    assert summed.get("verdict", "kept", "documents") == 40 and summed.get("source", "big", "kept", "documents") == 1_000
    sources = {name[0] for name in summed.rows("source")}
    assert tally.OTHERS in sources and len(sources) < 25
    assert sum(summed.rows("source").values()) == 3 * 1_039


def test_what_was_replaced_is_counted_and_named(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    write_rows(tmp_path / "in" / "a.jsonl", [b'{"text":"%s","score":NaN}' % prose(n).encode() for n in range(3)])
    pq.write_table(pa.table({"text": [prose(9)], "score": [float("inf")]}), tmp_path / "in" / "b.parquet")
    for _ in range(2):  # the second run has its facts from the work directory
        ran = winnow(capsys, "minimal", "--input", tmp_path / "in", "--output", tmp_path / "out", "--replace")
        assert ran.code == 0 and "4 not_finite in score" in ran.out
        replaced = json.loads((tmp_path / "out" / "metrics.json").read_text())["replaced"]
        assert replaced == [{"column": "score", "kind": "not_finite", "values": 4}]


@pytest.mark.parametrize(
    ("name", "data", "survivor"),
    [
        ("a.csv", b'id,text,score\nb,"%s",9\nc,"%s",10\na,"%s",2\n', "c"),
        (
            "a.jsonl",
            b'{"id":"a","text":"%s","score":1000000000000000002}\n{"id":"b","text":"%s","score":1000000000000000010}\n',
            "b",
        ),
        ("a.jsonl", b'{"id":"a","text":"%s","score":"9"}\n{"id":"b","text":"%s","score":"10"}\n', "b"),
        (
            "a.jsonl",
            b'{"id":"a","text":"%s","score":"2024-01-01T00:30+02:00"}\n{"id":"b","text":"%s","score":"2024-01-01"}\n',
            "b",
        ),
    ],
)
def test_who_survives_by_a_column_of_the_input(tmp_path: Path, name: str, data: bytes, survivor: str) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / name).write_bytes(data.replace(b"%s", prose(1).encode()))
    curate("minimal", "--input", tmp_path / "in", "--output", tmp_path / "out", "--set", "dedup.keep=[score desc]")
    assert table(tmp_path / "out", "data")["id"].to_list() == [survivor]


def test_typed_columns_order_by_their_value(tmp_path: Path) -> None:
    when = pa.array([1_500_000_000, 1_700_000_000, 1_600_000_000], pa.timestamp("s"))
    days = pa.array([19_000, 18_000, 20_000], pa.int32()).view(pa.date32())
    rows = pa.table({"id": ["a", "b", "c"], "text": [prose(1)] * 3, "date": when, "day": days})
    pq.write_table(rows, tmp_path / "a.parquet")
    for column, survivor in (("date", "b"), ("day", "c")):
        out = tmp_path / column
        curate("minimal", "--input", tmp_path / "a.parquet", "--output", out, "--set", f"dedup.keep=[{column} desc]")
        assert table(out, "data")["id"].to_list() == [survivor]


def test_a_file_keeps_the_name_that_told_it_apart_when_it_is_asked_for_alone(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    for n, folder in enumerate(("x/day", "y/day")):
        write_rows(tmp_path / folder / "a.jsonl", [{"text": prose(n)}])
    one, other = ({"paths": [f"{tmp_path}/{at}/day"], "name": at} for at in "xy")
    curate(plan(tmp_path / "both.json", [one, other]), "--output", tmp_path / "out")
    alone = plan(tmp_path / "alone.json", [one])
    ran = winnow(capsys, alone, "--output", tmp_path / "out")
    assert ran.code == 0 and "nothing new" in ran.out and "moved" not in ran.err
    write_rows(tmp_path / "x" / "day" / "a.jsonl", [{"text": prose(7)}])
    ran = winnow(capsys, alone, "--output", tmp_path / "out")
    assert ran.code == 1 and "x//day/a.jsonl: changed" in ran.err
