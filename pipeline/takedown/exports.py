"""Exports that an output knows of: a line for each in `exports.jsonl`, so that a take-down can name those that hold a document.

What was exported lies elsewhere and is the user's: it is looked at, never changed. An export of texts is known by them, one of
tokens by the hashes in the tables of its documents.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.output.tombstones import Tombstones
from pipeline.store.store import Store
from pipeline.text import final

NAME = "exports.jsonl"
UNFINISHED = ".winnow-export"
"""In a folder that `winnow export` has not finished: what is done of it."""


def record(out: Store, folder: str, *, what: str) -> None:
    """Note that texts of the output were written to a folder."""
    before = out.read_bytes(NAME) if out.has(NAME) else b""
    line = json.dumps({"folder": os.path.abspath(folder), "what": what}, ensure_ascii=True).encode() + b"\n"
    if line not in before.splitlines(keepends=True):
        out.write_bytes(NAME, before + line, durable=True)
        out.private_file(NAME)


def holding(out: Store, tombstones: Tombstones) -> list[str]:
    """A line for each file of a recorded export that has a text which the tombstones know, and for each export that is gone."""
    found = []
    for line in out.read_bytes(NAME).splitlines() if out.has(NAME) else ():
        entry = json.loads(line)
        folder = Path(entry["folder"])
        if not folder.is_dir():
            found.append(f"{folder} ({entry['what']}): not there, not looked at")
            continue
        for path in sorted(folder.rglob("*.parquet")):
            if (rows := _rows(path, tombstones)) != 0:
                found.append(f"{path} ({entry['what']}): " + (f"{rows:,} rows" if rows is not None else "cannot be read"))
        if (folder / UNFINISHED).exists():
            found.append(f"{folder} ({entry['what']}): not finished, not looked at; the same command makes it without them")
    return found


def _rows(path: Path, tombstones: Tombstones) -> int | None:
    """How many of its texts the tombstones know; None where it cannot be read."""
    try:
        with pq.ParquetFile(path) as file:
            columns = [name for name in ("text", "text_hash") if name in file.schema_arrow.names][:1]
            if not columns:
                return 0
            batches = file.iter_batches(4096, columns=columns)
            if columns == ["text_hash"]:
                return sum(int(tombstones.known(batch["text_hash"]).sum()) for batch in batches)
            rows = 0
            for batch in batches:
                text = batch["text"].cast(pa.large_string()).fill_null("")
                rows += int(tombstones.taken(text, final.text_hashes(text), [""] * len(text)).sum())
            return rows
    except (OSError, pa.ArrowException):
        return None
