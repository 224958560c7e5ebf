"""`python -m tests.bench.memory [--only NAME ...] [--scale SHARE] [--set KEY=VALUE ...]`: memory against `--memory`, on inputs
that cost it by row, by source, by metadata or by file rather than by byte of text.

Each input is curated by a process of its own with two workers; what is printed is the peak of its process tree (resident, ten
samples a second), and that as a share of the budget. Target: at most 1.15 of the budget, and the run ends: with exit code 0, or
where the line says so with the sentence that names what would do. A run that holds twice its budget is stopped, so that the
machine is not. `--scale` makes the inputs smaller.

A page of Parquet is decoded as a whole: `page` has one of 194 MB (102 packed), of which its dictionary is another copy. It is
read where the budget has room for that beside a unit; `page600` is refused.
"""

from __future__ import annotations

import argparse
import gzip
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.machine import resources
from tests.support import ROOT, prose

MOST = 1.15
"""Share of the budget that the peak may be."""
STOPPED = 2.0
"""Share of the budget at which a run is stopped."""
AT_ONCE = 100_000


@dataclass(frozen=True)
class Line:
    """One input: what it is, how many rows (or files), and what it is curated with."""

    about: str
    make: Callable[[Path, int], None]
    rows: int
    memory: int
    plan: str = "minimal"
    settings: tuple[str, ...] = ()
    refused: str = ""
    """What the run's last line says where it does not fit."""


def _in_parts(rows: int) -> Iterator[range]:
    for start in range(0, rows, AT_ONCE):
        yield range(start, min(start + AT_ONCE, rows))


def letters_csv(folder: Path, rows: int) -> None:
    with open(folder / "a.csv", "wb") as file:
        file.write(b"text\n")
        for part in _in_parts(rows):
            file.write(b"a\n" * len(part))


def letters_jsonl(folder: Path, rows: int) -> None:
    with open(folder / "a.jsonl", "wb") as file:
        for part in _in_parts(rows):
            file.write(b'{"text":"a"}\n' * len(part))


def letters_gzip(folder: Path, rows: int) -> None:
    with gzip.open(folder / "a.jsonl.gz", "wb") as file:
        for part in _in_parts(rows):
            file.write(b'{"text":"a"}\n' * len(part))


def letters_parquet(folder: Path, rows: int) -> None:
    codes = pa.repeat(pa.scalar(0, pa.int32()), rows)
    column = pa.DictionaryArray.from_arrays(codes, pa.array(["a"]))
    pq.write_table(pa.table({"text": column}), folder / "a.parquet", row_group_size=rows)


def numbers_jsonl(folder: Path, rows: int) -> None:
    with open(folder / "a.jsonl", "wb") as file:
        for part in _in_parts(rows):
            file.write(b"".join(b'{"text":"row %d"}\n' % i for i in part))


def named_sources(folder: Path, rows: int) -> None:
    with open(folder / "a.jsonl", "w", encoding="utf-8") as file:
        for part in _in_parts(rows):
            file.writelines(f'{{"source":"made up source {i}","text":"{i} {prose(i % 997)[:300]}"}}\n' for i in part)


def urls_as_sources(folder: Path, rows: int) -> None:
    with open(folder / "a.jsonl", "w", encoding="utf-8") as file:
        for part in _in_parts(rows):
            file.writelines(f'{{"source":"https://example.org/{i}","text":"{i} {prose(i % 997)[:170]}"}}\n' for i in part)


def large_metadata(folder: Path, rows: int) -> None:
    with open(folder / "a.jsonl", "w", encoding="utf-8") as file:
        for i in range(rows):
            words = " ".join(f"{i}{k:06d}" for k in range(555_000))
            file.write(f'{{"text":"{prose(i)}","note":"{words}"}}\n')


def large_page(folder: Path, rows: int) -> None:
    large_metadata_parquet(folder, rows, rows_at_once=1024)  # pyarrow's default


def large_metadata_parquet(folder: Path, rows: int, *, rows_at_once: int = 1) -> None:
    """A page is closed after `rows_at_once` rows."""
    notes = [" ".join(f"{i}{k:06d}" for k in range(555_000)) for i in range(rows)]
    table = pa.table({"text": [prose(i) for i in range(rows)], "note": notes})
    pq.write_table(table, folder / "a.parquet", write_batch_size=rows_at_once)


def nulls_parquet(folder: Path, rows: int) -> None:
    pq.write_table(pa.table({"text": pa.nulls(rows, pa.string())}), folder / "a.parquet", row_group_size=rows)


def refused_jsonl(folder: Path, rows: int) -> None:
    with open(folder / "a.jsonl", "wb") as file:
        for part in _in_parts(rows):
            file.write(b"x\n" * len(part))


BY_ROW = ("source.from=source",)
ANY_BAD = ("source.max_bad_fraction=1",)
LINES = {
    "csv": Line("CSV, rows of one letter", letters_csv, 10_000_000, 2_000_000_000),
    "gzip": Line("JSONL, gzip, rows of one letter", letters_gzip, 20_000_000, 2_000_000_000),
    "parquet": Line("Parquet, one dictionary value, one row group", letters_parquet, 20_000_000, 2_000_000_000),
    "jsonl": Line("JSONL, rows of one letter", letters_jsonl, 4_900_000, 2_000_000_000),
    "tiny": Line("JSONL, rows of a number", numbers_jsonl, 3_000_000, 600_000_000),
    "sources": Line("JSONL, each row its own source", named_sources, 100_000, 2_000_000_000, "minimal", BY_ROW),
    "urls": Line("JSONL, source = URL, default plan", urls_as_sources, 30_000, 600_000_000, "default", BY_ROW),
    "metadata": Line("JSONL, 5 MB of metadata a row", large_metadata, 40, 600_000_000),
    "columns": Line("Parquet, 5 MB of metadata a row", large_metadata_parquet, 40, 600_000_000),
    "page": Line("Parquet, the same in one page", large_page, 40, 1_400_000_000),
    "page600": Line("Parquet, the same in one page", large_page, 40, 600_000_000, refused="allow --memory 1988MB"),
    "nulls": Line(
        "Parquet, rows without a text", nulls_parquet, 5_000_000, 2_000_000_000, "minimal", ("source.max_bad_fraction=1",)
    ),
    "refused": Line("JSONL, rows that are none", refused_jsonl, 5_000_000, 2_000_000_000, "minimal", ANY_BAD),
}


def watched(process: subprocess.Popen[bytes], said: Path, most: int) -> tuple[int, str]:
    """Peak of the resident bytes of a process and its descendants until it ends, and what it had said last; it is killed beyond
    `most`, and where this process ends."""
    peak, when = 0, ""
    try:
        while process.poll() is None:
            if (now := resources.tree_rss(process.pid)) > peak:
                peak, when = now, _last(said)
            if peak > most:
                break
            time.sleep(0.1)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    return peak, when


def _last(said: Path) -> str:
    return "".join(said.read_text(errors="replace").strip().splitlines()[-1:]).strip()


def measured(name: str, line: Line, *, scale: float, settings: Sequence[str]) -> bool:
    """Print the line; whether it met the target."""
    rows = max(1, int(line.rows * scale))
    with tempfile.TemporaryDirectory(prefix="winnow-memory-") as folder:
        source = Path(folder) / "in"
        source.mkdir()
        line.make(source, rows)
        size = sum(path.stat().st_size for path in source.iterdir())
        command = [sys.executable, "-m", "flows.curate", line.plan, "--input", str(source), "--output", f"{folder}/out"]
        command += ["--inline", "--workers", "2", "--memory", str(line.memory)]
        command += [part for setting in (*line.settings, *settings) for part in ("--set", setting)]
        begin = time.monotonic()
        said = Path(folder) / "said"
        with said.open("wb") as file:
            process = subprocess.Popen(command, cwd=ROOT, stdout=file, stderr=file, start_new_session=True)
            peak, when = watched(process, said, int(STOPPED * line.memory))
        last = _last(said)
    ended = process.returncode == 1 and line.refused in last if line.refused else process.returncode == 0
    met = ended and peak <= MOST * line.memory
    print(
        f"{name:9} {line.about:46} {rows:>11,} {size / 1e6:8.1f} MB  budget {line.memory / 1e6:6,.0f}  peak {peak / 1e6:6,.0f} MB"
        f" ({peak / line.memory:.2f})  {time.monotonic() - begin:4.0f} s  exit {process.returncode}  {'met' if met else 'MISSED'}"
        f"  [{when[:60]}]{'  ' + last if process.returncode else ''}",
        flush=True,
    )
    return met


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--only", nargs="+", choices=LINES, default=list(LINES))
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    asked = parser.parse_args()
    met = [measured(name, LINES[name], scale=asked.scale, settings=asked.set) for name in asked.only]
    return int(not all(met))


if __name__ == "__main__":
    sys.exit(main())
