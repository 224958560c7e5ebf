"""`python -m tests.bench.summary`: seconds for the figures of a public summary, over many documents.

Writes shards of data/ and ledger/ with made-up addresses (up to a domain for 12 documents), dates, sources and languages, and
asks every query of `inspect summary --to` of them. Target: 60 s for 10 million documents. Prints seconds and peak memory.

    python -m tests.bench.summary [--documents 1e7]
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import polars as pl

from pipeline.inspect import content
from pipeline.machine.resources import PeakMemory

PER_DOCUMENT = 60 / 1e7
AT_ONCE = 500_000
LANGUAGES = ("en", "de", "fr", "zh", "ja", "ru", "es", "und")


def write(folder: Path, number: int, rows: int, domains: int) -> None:
    """A shard of each folder."""
    draw = np.random.default_rng(number)
    hosts = draw.zipf(1.3, rows) % domains
    size = draw.integers(200, 9_000, rows)
    made = pl.DataFrame({"n_bytes": size, "token_count": size // 4, "host": hosts, "day": draw.integers(0, 5_000, rows)})
    text = [
        pl.format("https://www.site{}.example/page/{}?id={}", "host", "day", "n_bytes").alias("url"),
        (pl.lit("2012-01-01").str.to_date() + pl.duration(days="day")).cast(pl.String).alias("date"),
        pl.Series("language", np.array(LANGUAGES)[draw.integers(0, len(LANGUAGES), rows)]),
        pl.Series("source", np.array(["web", "books", "code"])[draw.integers(0, 3, rows)]),
    ]
    made.with_columns(text).drop("host", "day").write_parquet(folder / f"data-{number}.parquet")
    reasons = np.array(["", "near_duplicate", "exact_duplicate", "quality.low_quality", "taken_down"])[draw.integers(0, 5, rows)]
    ledger = pl.DataFrame({"reason": reasons}).with_columns(
        pl.when(pl.col("reason") == "").then(pl.lit("kept")).otherwise(pl.lit("dropped")).alias("verdict")
    )
    ledger.write_parquet(folder / f"ledger-{number}.parquet")


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--documents", type=float, default=1e7)
    documents = int(options.parse_args().documents)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for number, start in enumerate(range(0, documents, AT_ONCE)):
            write(folder, number, min(AT_ONCE, documents - start), max(1, documents // 12))
        memory = PeakMemory()
        with memory:
            begun = time.monotonic()
            tables = content.Tables(pl.scan_parquet(folder / "data-*.parquet"), pl.scan_parquet(folder / "ledger-*.parquet"))
            figures, counted = list(content.figures(tables)), list(content.counted(tables))
            took = time.monotonic() - begun
    domains = next(whole.height for counts, whole in counted if counts.name == "domains")
    asked = f"{documents:,} documents, {domains:,} domains, {len(figures) + len(counted)} queries"
    print(f"{asked}: {took:.1f} s, {memory.peak / 1e6:,.0f} MB at the peak")
    target = PER_DOCUMENT * documents
    print(f"target {target:.0f} s: {'met' if took <= target else 'missed'}")
    raise SystemExit(took > target)


if __name__ == "__main__":
    main()
