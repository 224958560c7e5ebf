"""`python -m tests.bench.reupload`: what of data/ is new to a store that knows files by their pieces, after a change.

WINNOW_EVAL_DATA/throughput is curated with the default plan; then `min_words` rises so that about 1 % of what was kept goes
(`--replace`), and then documents are taken down. Files are cut as Xet, the Hub's store, cuts them: where a rolling hash of
64 bytes has 16 zero bits, in pieces of 8 to 128 KiB (https://huggingface.co/docs/xet/chunking). Printed is the share of bytes in
pieces that were not there before, as shards are written and with pages that end by size, as Parquet is usually written; and how
many bytes a document that goes costs, from which follows how large a corpus is of which 100 documents are a thousandth.
Ends with status 1 where a target is missed.

    python -m tests.bench.reupload [--documents N]
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow.parquet as pq

from pipeline.stages.shards import parquet
from tests.bench.throughput import DEFAULT_DATA

MOVED, TAKEN = 0.05, 0.001
"""Targets: shares of new bytes after 1 % of the documents moved, and after 100 were taken down."""
LIMIT = 60
"""`min_words` of the default plan."""
LEAST, MOST, BITS, WINDOW = 8 << 10, 128 << 10, 16, 64
_AT_ONCE = 4 << 20
_GEAR = np.random.default_rng(0).integers(0, 1 << 64, 256, dtype=np.uint64)


def pieces(data: bytes) -> Iterator[bytes]:
    """The bytes, cut where their content says so."""
    values = np.frombuffer(data, np.uint8)
    ends = np.concatenate([np.zeros(0, np.int64), *(_ends(values, start) for start in range(0, len(values), _AT_ONCE))])
    at = 0
    while at < len(data):
        next_end = int(np.searchsorted(ends, at + LEAST))
        stop = min(at + MOST, len(data))
        if next_end < len(ends):
            stop = min(stop, int(ends[next_end]))
        yield data[at:stop]
        at = stop


def _ends(values: np.ndarray, start: int) -> np.ndarray:
    before = max(0, start - WINDOW + 1)
    gears = _GEAR[values[before : start + _AT_ONCE]]
    rolled = np.zeros(len(gears), np.uint64)
    for k in range(WINDOW):
        rolled[k:] += gears[: len(gears) - k] << np.uint64(k)
    zeros = (rolled[start - before :] & np.uint64(((1 << BITS) - 1) << (64 - BITS))) == 0
    return np.flatnonzero(zeros) + start + 1


@dataclass(frozen=True)
class Known:
    """Digests of the pieces of some files."""

    digests: frozenset[bytes]
    n_bytes: int

    @staticmethod
    def of(files: list[bytes]) -> Known:
        return Known(frozenset(_digest(piece) for data in files for piece in pieces(data)), sum(map(len, files)))


def _digest(piece: bytes) -> bytes:
    return hashlib.blake2b(piece, digest_size=16).digest()


def new_bytes(files: list[bytes], known: Known) -> int:
    """Of pieces that were not there, each counted once."""
    found = {_digest(piece): len(piece) for data in files for piece in pieces(data)}
    return sum(size for digest, size in found.items() if digest not in known.digests)


def shards(out: Path) -> list[bytes]:
    """Files of data/ that count."""
    live = json.loads((out / "manifest.json").read_text("utf-8"))["live"]
    made = [json.loads((out / "manifests" / f"{number:06d}.json").read_text("utf-8")) for number in live]
    return [(out / file["path"]).read_bytes() for one in made for file in one["files"] if file["path"].startswith("data/")]


def by_size(files: list[bytes]) -> list[bytes]:
    """The same shards with pages that end by size."""
    made = []
    for data in files:
        read, file = pq.ParquetFile(io.BytesIO(data)), io.BytesIO()
        held, parquet.CHUNKS = parquet.CHUNKS, False  # type: ignore[assignment]
        with parquet.shard_writer(file, read.schema_arrow.remove_metadata()) as writer:
            parquet.CHUNKS = held
            for number in range(read.num_row_groups):
                group = read.read_row_group(number)
                writer.write_table(group, row_group_size=max(1, group.num_rows))
        made.append(file.getvalue())
    return made


def winnow(*arguments: Any) -> None:
    command = [sys.executable, "-m", "winnow", *map(str, arguments)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def kept(out: Path) -> pl.DataFrame:
    columns = ["source_ref", "text"]
    return pl.concat([pl.read_parquet(io.BytesIO(data), columns=columns) for data in shards(out)])


@dataclass
class States:
    """The shards before a change, both ways of writing."""

    out: Path

    def __post_init__(self) -> None:
        self.hold()

    def hold(self) -> None:
        files = shards(self.out)
        self.ours, self.usual = Known.of(files), Known.of(by_size(files))
        self.rows = kept(self.out).height

    def tell(self, what: str, target: float | None = None) -> float:
        """Print what is new now, and hold it; the share."""
        files, before = shards(self.out), self.rows
        ours, usual = new_bytes(files, self.ours), new_bytes(by_size(files), self.usual)
        size = sum(map(len, files))
        self.hold()
        gone = before - self.rows
        if not gone:
            raise SystemExit(f"{what}: nothing went, so nothing was measured")
        print(
            f"{what}: {gone:,} of {before:,} documents went; new: {ours / size:.2%} of {size / 1e6:.1f} MB"
            f" ({ours / gone / 1000:.0f} kB for each of them), with pages by size"
            f" {usual / self.usual.n_bytes:.2%} of {self.usual.n_bytes / 1e6:.1f} MB"
            + (f"; target {target:.1%}: {'met' if ours / size < target else 'missed'}" if target else ""),
            flush=True,
        )
        if target == TAKEN:
            print(f"  100 documents are less than {TAKEN:.1%} of {ours / gone * 100 / TAKEN / 1e9:.1f} GB of shards or more")
        return ours / size


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--documents", type=int, default=100, help="that are taken down")
    options.add_argument("--data", type=Path, default=Path(os.environ.get("WINNOW_EVAL_DATA", DEFAULT_DATA)))
    chosen = options.parse_args()
    text = chosen.data / "throughput"
    if not text.is_dir():
        raise SystemExit(f"no text in {text}: set WINNOW_EVAL_DATA")
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out"
        plan = ["curate", "default", "--input", text, "--output", out, "--inline"]
        winnow(*plan)
        states = States(out)
        words = kept(out)["text"].str.count_matches(r"\w+").sort()
        words = words.filter(words >= LIMIT)
        winnow(*plan, "--replace", "--set", f"filters.gopher_quality.min_words={words[len(words) // 100]}")
        met = [states.tell("another min_words", MOVED) < MOVED]
        refs = kept(out)["source_ref"].to_list()
        take_down(out, random.Random(0).sample(refs, chosen.documents))
        met.append(states.tell(f"take-down of {chosen.documents}, scattered", TAKEN) < TAKEN)
        refs = kept(out)["source_ref"].to_list()
        take_down(out, refs[len(refs) // 2 :][: chosen.documents])
        states.tell(f"take-down of {chosen.documents} that stand together")
    raise SystemExit(not all(met))


def take_down(out: Path, refs: list[str]) -> None:
    keys = out.parent / "keys.txt"
    keys.write_text("\n".join(refs), "utf-8")
    winnow("inspect", "--output", out, "takedown", "--keys", keys, "--yes")


if __name__ == "__main__":
    main()
