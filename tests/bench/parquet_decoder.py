"""What decoding Parquet in another process costs on good files: CPU seconds and wall time beside the same code in this one.

    WINNOW_EVAL_DATA=... python -m tests.bench.parquet_decoder [--megabytes 100] [--rounds 3]

Both ways end with the same `UnitRows`; the rounds take turns, and the fastest of each counts.
"""

from __future__ import annotations

import argparse
import gzip
import json
import tempfile
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.machine import resources
from pipeline.read import read as read_whole
from pipeline.read.archives import BOMB_BYTES, BOMB_RATIO
from pipeline.read.child import parquet as decoding
from pipeline.read.child import supervisor
from pipeline.read.formats import parquet
from pipeline.read.rows import Collector, UnitRows
from pipeline.read.units import Unit, open_input
from tests.read.conftest import make
from tests.support import eval_data


def in_process(unit: Unit) -> UnitRows:
    """The same decoding without a process between."""
    collector = Collector(unit.file)
    limits = decoding.Limits(parquet.BATCH_ROWS, parquet.BATCH_BYTES, BOMB_RATIO, BOMB_BYTES, 1 << 20)
    with open_input(unit.file) as handle:
        first_row, file = unit.first_row, decoding.opened(handle, limits)
        for index, (rows, _) in enumerate(decoding.groups(handle)[: unit.stop]):
            if index >= unit.start:
                for _ in decoding.add_group(collector, file, index, first_row=first_row):
                    collector.flush()
                first_row += rows
    return collector.finish()


def texts(most: int) -> list[dict[str, str]]:
    """Real documents of about `most` bytes."""
    found: list[dict[str, str]] = []
    size = 0
    for path in sorted((eval_data() / "throughput").glob("*.jsonl.gz")):
        for line in gzip.decompress(path.read_bytes()).splitlines():
            row = json.loads(line)
            found.append({key: str(row.get(key, "")) for key in ("id", "text", "url", "source")})
            size += len(row["text"].encode())
            if size > most:
                return found
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megabytes", type=float, default=100)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    rows = texts(int(given.megabytes * 1e6))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "good.parquet"
        pq.write_table(pa.Table.from_pylist(rows), path, row_group_size=2_000, compression="zstd")
        units = parquet.split(make(path)).units or ()
        size = sum(len(row["text"].encode()) for row in rows)
        best: dict[str, tuple[float, float]] = {}
        for _ in range(given.rounds):
            for name, read in (("this process", in_process), ("another process", read_whole)):
                start, before = time.perf_counter(), resources.tree_cpu_s()
                n = sum(read(unit).documents.num_rows for unit in units)
                assert n == len(rows)
                used = (resources.tree_cpu_s() - before, time.perf_counter() - start)
                best[name] = min(best.get(name, used), used)
        supervisor.close()
    for name, (cpu, wall) in best.items():
        print(f"{name:16} {cpu:6.2f} CPU-s  {wall:6.2f} s  {size / 1e6 / cpu:6.1f} MB of text per CPU-second")
    one, other = best["this process"][0], best["another process"][0]
    print(f"{size / 1e6:.1f} MB in {len(units)} units: decoding elsewhere costs {other / one - 1:+.1%} of CPU time")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
