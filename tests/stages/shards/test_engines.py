"""Query engines and loaders read shards as they are; DuckDB and pandas in an environment of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.stages.shards import engines
from tests.support import SAMPLE, curate, table


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample's output in several shards."""
    made = tmp_path_factory.mktemp("engines") / "out"
    curate(SAMPLE / "plan.yaml", "--input", SAMPLE / "input", "--output", made, "--set", "output.shard_bytes=50000")
    return made


def expected(out: Path) -> dict[str, Any]:
    data = table(out, "data").sort("source_ref")
    rows = engines.said(data.select("source_ref", "text", "metadata").iter_rows())
    found = [row["source_ref"] for row in data.iter_rows(named=True) if row["language"] == "en" and row["n_bytes"] > 700]
    assert 0 < len(found) < len(rows)
    return {"rows": rows, "found": found}


def in_order(read: dict[str, Any]) -> dict[str, Any]:
    return {"rows": sorted(read["rows"]), "found": sorted(read["found"])}


def test_polars_reads_them(out: Path) -> None:
    assert in_order(engines.by_polars(f"{out}/data/*.parquet")) == in_order(expected(out))


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["duckdb", "pandas"])
def test_engines_read_them(out: Path, engine: str) -> None:
    where = os.environ.get("WINNOW_TRAINERS", "")
    if not any((Path(part) / engine).is_dir() for part in where.split(os.pathsep) if part):
        pytest.skip(f"WINNOW_TRAINERS names no folder with {engine}: `make test-all` installs it")
    command = [sys.executable, engines.__file__, f"{out}/data/*.parquet", engine]
    done = subprocess.run(command, env=os.environ | {"PYTHONPATH": where}, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    assert in_order(json.loads(done.stdout)[engine]) == in_order(expected(out))


def test_two_ranks_of_datasets_stream_each_row_once(out: Path, tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    from datasets.distributed import split_dataset_by_node

    streamed = datasets.load_dataset(str(out), split="train", streaming=True, cache_dir=str(tmp_path))
    shards = streamed.num_shards
    ranks = [[row["source_ref"] for row in split_dataset_by_node(streamed, rank, 2)] for rank in (0, 1)]
    assert shards == len(list((out / "data").iterdir())) >= 4
    assert all(len(rank) > 50 for rank in ranks)
    assert sorted(ranks[0] + ranks[1]) == [row[0] for row in in_order(expected(out))["rows"]]
