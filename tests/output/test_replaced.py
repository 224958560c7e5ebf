"""Shards that a generation replaced stay for readers that opened them, and for nobody else."""

from __future__ import annotations

import json
import os
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from pipeline.output import replaced
from pipeline.output.manifest import Manifest
from pipeline.records.base import FileRecord
from tests.support import Ran, prose, winnow, write_rows


def made(generation: int, live: tuple[int, ...]) -> Manifest:
    files = tuple(
        FileRecord(path=f"{folder}/g{generation}", rows=1, bytes=1, sha256="") for folder in ("data", "rejected", "ledger")
    )
    return Manifest.model_construct(generation=generation, live=live, files=files, index=())


HISTORY = (made(1, (1,)), made(2, (1, 2)), made(3, (3,)), made(4, (4,)), made(5, (4, 5)))


@pytest.mark.parametrize(
    ("upto", "keep", "paths"),
    [
        (1, "next_run", []),
        (2, "next_run", []),
        (3, "next_run", ["data/g1", "ledger/g1", "data/g2", "ledger/g2"]),
        (3, "7d", ["data/g1", "ledger/g1", "data/g2", "ledger/g2"]),
        (3, False, []),
        (4, "next_run", ["data/g3", "ledger/g3"]),
        (5, "next_run", []),
    ],
)
def test_a_commit_keeps_what_it_replaced_and_nothing_private(upto, keep, paths):
    assert replaced.of_commit(HISTORY[:upto], keep) == paths


class Out:
    """An output whose manifests have ages, in hours, by number, on a clock of its own."""

    clock = datetime(2040, 1, 1, tzinfo=UTC)

    def __init__(self, **ages: float) -> None:
        self.ages = ages

    def now(self) -> datetime:
        return self.clock

    def modified(self, name: str) -> datetime:
        return self.clock - timedelta(hours=self.ages[f"m{int(Path(name).stem)}"])


@pytest.mark.parametrize(
    ("keep", "numbers"),
    [("next_run", ""), (False, ""), ("1h", ""), ("5h", "3"), ("47h", "3"), ("49h", "312"), ("2d", "3"), ("3d", "312")],
)
def test_the_next_run_keeps_only_what_was_replaced_less_than_so_long_ago(keep, numbers):
    found = replaced.staying(Out(m5=1, m4=2, m3=48.5), HISTORY, keep)  # type: ignore[arg-type]
    assert sorted(found) == sorted(f"{folder}/g{n}" for n in numbers for folder in ("data", "ledger"))


def run(capsys, folder: Path, *more: str) -> Ran:
    where = ("--input", folder / "in", "--output", folder / "out", "--set", "checks.plants=0")
    return winnow(capsys, "minimal", *where, *more)


def shards(folder: Path, name: str = "data") -> list[str]:
    return sorted(path.name[-13:-8] for path in (folder / "out" / name).glob("*.parquet"))


def test_a_reader_that_listed_the_shards_reads_them_after_a_replacing_run(capsys, tmp_path):
    from flows.inspect import main

    write_rows(tmp_path / "in/a.jsonl", [{"id": f"d{i}", "text": prose(i)} for i in range(6)])
    assert run(capsys, tmp_path).code == 0
    listed = sorted((tmp_path / "out/data").glob("*.parquet"))
    ran = run(capsys, tmp_path, "--replace", "--set", "output.keep_replaced=2d")
    assert ran.code == 0 and "1 replaced shard stay" in ran.err
    assert len(pl.read_parquet(listed)) == 6
    assert (shards(tmp_path), shards(tmp_path, "rejected")) == (["g0001", "g0002"], ["g0002"])
    card = (tmp_path / "out/README.md").read_text()
    assert "g0002.parquet" in card and "g0001.parquet" not in card
    assert json.loads((tmp_path / "out/manifest.json").read_text())["live"] == [2]

    assert run(capsys, tmp_path, "--set", "output.keep_replaced=2d").code == 0  # nothing new; the recipe is the same
    assert main(["why", "--output", str(tmp_path / "out"), "d1"]) == 0
    assert shards(tmp_path) == ["g0001", "g0002"]
    old = time.time() - 3 * 86_400
    os.utime(tmp_path / "out/manifests/000002.json", (old, old))
    assert run(capsys, tmp_path, "--set", "output.keep_replaced=2d").code == 0
    assert shards(tmp_path) == ["g0002"]

    assert run(capsys, tmp_path, "--replace").code == 0 and shards(tmp_path) == ["g0002", "g0003"]
    (tmp_path / "keys").write_text("d3\n")
    assert main(["takedown", "--output", str(tmp_path / "out"), "--keys", str(tmp_path / "keys"), "--yes"]) == 0
    for file in (tmp_path / "out/data").glob("*.parquet"):
        assert "-t0004" in file.name and "d3" not in pl.read_parquet(file)["id"]


def test_without_keeping_nothing_of_it_stays(capsys, tmp_path):
    write_rows(tmp_path / "in/a.jsonl", [{"id": f"d{i}", "text": prose(i)} for i in range(3)])
    assert run(capsys, tmp_path).code == 0
    assert run(capsys, tmp_path, "--replace", "--set", "output.keep_replaced=false").code == 0
    assert shards(tmp_path) == ["g0002"]
    ran = run(capsys, tmp_path, "--set", "output.keep_replaced=soon")
    assert ran.code == 2 and "next_run, a number of hours or days" in ran.err


def test_a_take_down_of_what_only_replaced_shards_hold_removes_them(capsys, tmp_path):
    from flows.inspect import main

    write_rows(tmp_path / "in/a.jsonl", [{"id": "gone", "text": prose(0)}, {"id": "d1", "text": prose(1)}])
    assert run(capsys, tmp_path).code == 0
    write_rows(tmp_path / "in/a.jsonl", [{"id": "d1", "text": prose(1)}])
    assert run(capsys, tmp_path, "--replace").code == 0 and shards(tmp_path) == ["g0001", "g0002"]
    (tmp_path / "keys").write_text("gone\n")
    assert main(["takedown", "--output", str(tmp_path / "out"), "--keys", str(tmp_path / "keys"), "--yes"]) == 2
    assert shards(tmp_path) == ["g0002"]
