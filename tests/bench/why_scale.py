"""Seconds of `inspect why` by id and by source_ref on an output of many documents.

    python -m tests.bench.why_scale [--documents 10e6]

A small output is curated, and its ledger is replaced by one of as many rows with random ids, written as shards are written.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa

from pipeline.records.base import FileRecord
from pipeline.schema import LEDGER
from pipeline.stages.shards.parquet import shard_writer
from pipeline.stages.shards.write import ROW_GROUP_ROWS
from pipeline.store.store import open_store
from tests.support import curate, prose, write_rows

SHARD = 1_000_000


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--documents", type=float, default=10e6)
    documents = int(parser.parse_args().documents)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        write_rows(root / "in" / "a.jsonl", [{"id": f"d{k}", "text": prose(k)} for k in range(20)])
        curate("--input", root / "in", "--output", root / "out")
        ids = write_ledger(root / "out", documents)
        for what, name in (("id", ids[documents // 3]), ("source_ref", f"in/a.jsonl#{documents // 2}"), ("no such id", "nobody")):
            started = time.monotonic()
            command = [sys.executable, "-m", "flows.inspect", "why", "--output", str(root / "out"), name]
            code = subprocess.run(command, check=False, capture_output=True).returncode
            print(f"why by {what:<12} {time.monotonic() - started:6.2f} s of {documents:,} documents, exit {code}")


def write_ledger(out: Path, documents: int) -> list[str]:
    """Write the ledger, and say so in the manifest; returns the ids."""
    store = open_store(str(out))
    chosen = np.random.default_rng(7)
    ids: list[str] = []
    records = []
    for number, start in enumerate(range(0, documents, SHARD)):
        n = min(SHARD, documents - start)
        drawn = chosen.bytes(16 * n).hex()
        own = [drawn[at : at + 32] for at in range(0, 32 * n, 32)]
        ids += own
        path = f"ledger/train-{number:05d}-of-{-(-documents // SHARD):05d}-g0001.parquet"
        with store.writer(path) as file, shard_writer(file, LEDGER) as writer:
            for first in range(0, n, ROW_GROUP_ROWS):
                writer.write_table(_rows(own[first : first + ROW_GROUP_ROWS], start + first))
        digest = hashlib.sha256((out / path).read_bytes()).hexdigest()
        records.append(FileRecord(path=path, rows=n, bytes=store.size(path), sha256=digest).model_dump())
    manifest = json.loads((out / "manifests/000001.json").read_text())
    manifest["files"] = [record for record in manifest["files"] if not record["path"].startswith("ledger/")] + records
    for name in ("manifests/000001.json", "manifest.json"):
        (out / name).write_text(json.dumps(manifest))
    return ids


def _rows(ids: list[str], start: int) -> pa.Table:
    n = len(ids)
    fixed = {
        "generation": 1,
        "source": "in",
        "verdict": "dropped",
        "stage": "filter",
        "reason": "x.y",
        "failed": ["x.y"],
        "edits": [],
    }
    columns = []
    for field in LEDGER:
        if field.name == "id":
            columns.append(pa.array(ids, field.type))
        elif field.name == "source_ref":
            columns.append(pa.array([f"in/a.jsonl#{start + k + 1}" for k in range(n)], field.type))
        elif field.name in ("n_bytes_read", "n_bytes"):
            columns.append(pa.array(np.arange(n) % 5000, field.type))
        else:
            columns.append(pa.array([fixed.get(field.name)] * n, field.type))
    return pa.table(columns, schema=LEDGER)


if __name__ == "__main__":
    main()
