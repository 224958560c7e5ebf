"""Law 4: curating A, then B, then C keeps the documents that one run over all keeps, where A has the smaller priority."""

import gzip
import json
import random
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq
import pytest

from tests.support import SAMPLE, curate, table


def sample_rows() -> list[dict]:
    rows = []
    for path in sorted((SAMPLE / "input").glob("*.jsonl.gz")):
        for line in gzip.decompress(path.read_bytes()).split(b"\n"):
            try:
                row = json.loads(line)
            except ValueError:
                continue
            if isinstance(row, dict) and isinstance(row.get("text"), str):
                rows.append({"text": row["text"]})
    for path in sorted((SAMPLE / "input").glob("*.parquet")):
        rows += [{"text": text} for text in pq.read_table(path)["text"].to_pylist() if isinstance(text, str)]
    return [{"id": f"r{i}", **row} for i, row in enumerate(rows) if "\ud800" not in row["text"]]


def parts_of(rows: list[dict], number: int, seed: int, folder: Path) -> list[Path]:
    chosen = random.Random(seed)
    files = [(folder / f"part{i}" / "rows.jsonl") for i in range(number)]
    for file in files:
        file.parent.mkdir(parents=True)
    handles = [file.open("w") for file in files]
    for row in rows:
        handles[chosen.randrange(number)].write(json.dumps(row) + "\n")
    for handle in handles:
        handle.close()
    return [file.parent for file in files]


def plan(folder: Path, parts: list[Path]) -> Path:
    sources = [{"paths": [str(p)], "name": p.name, "priority": i} for i, p in enumerate(parts)]
    path = folder / f"plan{len(parts)}.yaml"
    path.write_text(json.dumps({"source": sources}))
    return path


@pytest.mark.parametrize(("number", "seed"), [(2, 1), (3, 2)])
def test_increments_keep_the_same_documents_as_one_run(tmp_path, number, seed):
    parts = parts_of(sample_rows(), number, seed, tmp_path)
    curate(plan(tmp_path, parts), "--output", tmp_path / "full")
    for count in range(1, number + 1):
        curate(plan(tmp_path, parts[:count]), "--output", tmp_path / "grown")
    full, grown = table(tmp_path / "full", "data"), table(tmp_path / "grown", "data")
    assert set(grown["source_ref"]) == set(full["source_ref"])
    assert len(grown) == len(full)
    manifest = json.loads((tmp_path / "grown/manifest.json").read_text())
    assert manifest["live"] == list(range(1, number + 1))


def test_earlier_shards_are_never_rewritten_and_evidence_names_their_generation(tmp_path):
    parts = parts_of(sample_rows(), 2, 5, tmp_path)
    out = tmp_path / "out"
    curate(plan(tmp_path, parts[:1]), "--output", out)
    before = {path: path.stat().st_mtime_ns for path in (out / "data").iterdir()}
    curate(plan(tmp_path, parts), "--output", out)
    assert all(path.stat().st_mtime_ns == at for path, at in before.items())
    copies = table(out, "ledger").filter((pl.col("stage") == "dedup") & (pl.col("generation") == 2))
    assert {1, 2} == set(copies["duplicate_generation"])
    first = set(
        table(out, "data").join(table(out, "ledger").filter(pl.col("generation") == 1), on="source_ref", how="semi")["source_ref"]
    )
    earlier = copies.filter(pl.col("duplicate_generation") == 1)
    assert set(earlier["duplicate_ref"]) <= first
