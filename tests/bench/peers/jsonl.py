"""What the scripts of peers share: rows in, rows out, word 5-grams, clusters. Runs in the peers' environments.

Made to cost the peer as little as Python can: files are inflated in one piece, orjson parses, kept lines are written as they
were read, with zstd at level 1 (about 4 times faster than gzip at level 1).
"""

from __future__ import annotations

import argparse
import gzip
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import orjson
import zstandard

NGRAM = 5
BATCH = 1_000  # documents a call into the peer
_WORDS = re.compile(r"\w+").findall


def arguments(description: str) -> argparse.Namespace:
    """Of every peer's script; `clusters`: file for one cluster number per row, in the order read."""
    options = argparse.ArgumentParser(description=description)
    options.add_argument("inputs", nargs="+", type=Path)
    options.add_argument("--output", type=Path, required=True)
    options.add_argument("--clusters", type=Path)
    options.add_argument("--threshold", type=float, default=0.8)
    options.add_argument("--workers", type=int, default=2, help="processes, where the peer can use several")
    options.add_argument("--blanks", action="store_true", help="words are what blanks part, not runs of \\w")
    options.add_argument("--signatures", action="store_true", help="of a Parquet file's texts, alone (daft)")
    return options.parse_args()


def lines(path: Path) -> list[bytes]:
    """The rows of a file, plain or .gz or .zst, undecoded."""
    raw = path.read_bytes()
    if path.suffix == ".zst":
        with zstandard.ZstdDecompressor().stream_reader(raw, read_across_frames=True) as reader:
            raw = reader.read()
    elif path.suffix == ".gz":
        raw = gzip.decompress(raw)
    return [line for line in raw.split(b"\n") if line]


def shingles(text: str, *, blanks: bool = False) -> list[str]:
    """Word 5-grams as strings; a shorter text is one shingle."""
    words = text.lower().split() if blanks else _WORDS(text.lower())
    if len(words) < NGRAM:
        return [" ".join(words)]
    return list(map(" ".join, zip(*(words[i:] for i in range(NGRAM)), strict=False)))


def deduplicate(chosen: argparse.Namespace, keep: Callable[[list[list[str]]], list[bool]]) -> None:
    """Write the rows that `keep` (shingles of a batch → flags) wants."""
    write_kept(chosen, lambda texts: keep([shingles(text) for text in texts]))


def write_kept(chosen: argparse.Namespace, keep: Callable[[list[str]], list[bool]]) -> None:
    """Write the rows that `keep` (texts of a batch → flags) wants."""
    with open(chosen.output, "wb") as file, zstandard.ZstdCompressor(level=1).stream_writer(file) as out:
        for batch in batches(chosen.inputs):
            flags = keep([orjson.loads(line)["text"] for line in batch])
            for line, kept in zip(batch, flags, strict=True):
                if kept:
                    out.write(line + b"\n")


def batches(paths: list[Path]) -> Iterator[list[bytes]]:
    for path in paths:
        rows = lines(path)
        for first in range(0, len(rows), BATCH):
            yield rows[first : first + BATCH]


class Clusters:
    """Rows joined by links, numbered by their first row."""

    def __init__(self) -> None:
        self.parent: list[int] = []

    def add(self) -> int:
        """Number of a new row, alone in its cluster."""
        self.parent.append(len(self.parent))
        return len(self.parent) - 1

    def first(self, row: int) -> int:
        while self.parent[row] != row:
            self.parent[row] = row = self.parent[self.parent[row]]
        return row

    def link(self, one: int, other: int) -> None:
        one, other = self.first(one), self.first(other)
        self.parent[max(one, other)] = min(one, other)

    def write(self, path: Path) -> None:
        path.write_text(json.dumps([self.first(row) for row in range(len(self.parent))]))
