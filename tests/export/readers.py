"""Readers of the formats, written from their specifications, with nothing of the code that writes them: documents of a shard,
each as a list of tokens (of JSON Lines a row)."""

from __future__ import annotations

import csv
import gzip
import json
import struct
from array import array
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

WIDTHS = {"uint16": "H", "uint32": "I"}


def tokens(path: Path, dtype: str) -> list[int]:
    found = array(WIDTHS[dtype])
    found.frombytes(path.read_bytes())
    return found.tolist()


def megatron(path: Path, dtype: str) -> list[list[int]]:
    """By the index alone, as a trainer does: type, places in bytes, lengths."""
    data, index = path.read_bytes(), path.with_suffix(".idx").read_bytes()
    magic, version, code, sequences, entries = struct.unpack_from("<9sQBQQ", index)
    assert magic == b"MMIDIDX\x00\x00" and version == 1
    letter, width = {8: ("H", 2), 4: ("i", 4)}[code]
    at = 34
    lengths = struct.unpack_from(f"<{sequences}i", index, at)
    places = struct.unpack_from(f"<{sequences}q", index, at := at + 4 * sequences)
    starts = struct.unpack_from(f"<{entries}q", index, at := at + 8 * sequences)
    assert len(index) == at + 8 * entries and entries == sequences + 1
    assert starts == tuple(range(sequences + 1))
    assert sum(lengths) * width == len(data)
    return [list(struct.unpack_from(f"<{n}{letter}", data, place)) for place, n in zip(places, lengths, strict=True)]


def datatrove(path: Path, dtype: str) -> list[list[int]]:
    found = tokens(path, dtype)
    ends = array("Q")
    ends.frombytes(path.with_name(f"{path.name}.index").read_bytes())
    named, count, _ = path.with_name(f"{path.name}.metadata").read_text("utf-8").split("\n")
    assert int(count) == len(found) == ends[-1]
    assert named.rpartition("|")[2] == {"uint16": "2", "uint32": "4"}[dtype]
    return [found[start:stop] for start, stop in zip([0, *ends[:-1]], ends, strict=True)]


def npy(path: Path, dtype: str) -> list[list[int]]:
    """A line a document, of which a trainer reads the first two numbers."""
    found = tokens(path, dtype)
    with gzip.open(path.with_suffix("").with_suffix(".csv.gz"), "rt", encoding="utf-8", newline="\n") as file:
        lines = file.read().removesuffix("\n").split("\n")
    bounds = [tuple(map(int, line.split(",")[:2])) for line in lines]
    assert [int(row[4]) for row in csv.reader(lines)] == list(range(1, len(bounds) + 1))
    return [found[start:stop] for start, stop in bounds]


def packed(path: Path, dtype: str, *, sequence: int) -> list[list[int]]:
    rows = pq.read_table(path)
    assert str(rows.schema.field("input_ids").type.value_type) == dtype
    sequences = rows["input_ids"].to_pylist()
    assert {len(one) for one in sequences[:-1]} <= {sequence} and 0 < len(sequences[-1]) <= sequence
    found = [token for one in sequences for token in one]
    starts = [n * sequence + at for n, inner in enumerate(rows["document_starts"].to_pylist()) for at in inner]
    return [found[start:stop] for start, stop in zip(starts, [*starts[1:], len(found)], strict=True)]


def jsonl(path: Path, dtype: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").removesuffix("\n").split("\n")]
