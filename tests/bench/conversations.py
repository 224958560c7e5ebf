"""`python -m tests.bench.conversations [--conversations N]`: how fast short conversations are curated, and what dedup takes.

Generated ones (`tests.conversations.planted`, seeded: 70 words and 500 bytes of turns on average, most beginnings shared), with
planted copies, and conversations that look like copies and are none. For dedup alone (`minimal`) and the plan for conversations
(`chat`): conversations a minute on two workers, by the clock and by CPU (two CPU seconds a second), what was measured in the run;
then which of those that were dropped were copies (precision), and which copies were dropped (recall). Status 1 where precision is
not 1, or a recall is below .99.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import orjson
import polars as pl

from tests.conversations.planted import group, planted

ROOT = Path(__file__).resolve().parents[2]
PLANS = ("minimal", "chat")


def main() -> None:
    """Print both plans' figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--conversations", type=int, default=200_000)
    parser.add_argument("--plan", choices=PLANS, action="append")
    parser.add_argument("--keep", help="folder for the input and the outputs")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(arguments.keep or temporary)
        folder.mkdir(exist_ok=True)
        rows = _written(folder / "chats.jsonl", arguments.conversations)
        good = [_curated(folder, plan, rows) for plan in arguments.plan or PLANS]
    sys.exit(0 if all(good) else 1)


def _written(path: Path, number: int) -> int:
    rows = 0
    with path.open("wb") as file:
        for row in planted(number):
            file.write(orjson.dumps(row) + b"\n")
            rows += 1
    print(f"{rows:,} conversations, {path.stat().st_size / 1e6:.0f} MB")
    return rows


def _curated(folder: Path, plan: str, rows: int) -> bool:
    out = folder / f"out-{plan}"
    shutil.rmtree(out, ignore_errors=True)  # else replaced shards would stay beside the new ones
    command = [sys.executable, "-m", "flows.curate", plan, "--input", str(folder / "chats.jsonl"), "--output", str(out)]
    command += ["--inline", "--workers", "2"]
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    told = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    wall, after = time.monotonic() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(
        f"{plan}: {rows / wall * 60:,.0f} a minute by the clock, {rows / cpu * 120:,.0f} by CPU ({wall:.1f} s, {cpu:.1f} CPU s)"
    )
    if os.environ.get("WINNOW_BENCH_SUMMARY"):
        print(told.stdout)
    return _judged(out)


def _judged(out: Path) -> bool:
    ledger = pl.read_parquet(f"{out}/ledger/*.parquet", columns=["id", "verdict", "reason", "duplicate_of", "similarity"])
    dropped = ledger.filter(pl.col("verdict") == "dropped")
    pairs = set(dropped.select("id", "duplicate_of").iter_rows())
    true = sum(group(name) == group(of) for name, of in pairs)
    print(f"  dropped {len(dropped):,}, copies among them {true:,}: precision {true / max(1, len(dropped)):.4f}")
    recalls = []
    for kind in ("same", "near"):
        own = ledger["id"].filter(ledger["id"].str.starts_with(kind)).to_list()  # the longer one of two stays
        found = sum((name, group(name)) in pairs or (group(name), name) in pairs for name in own)
        recalls.append(found / max(1, len(own)))
        print(f"  {kind}: {found:,} of {len(own):,} found, recall {recalls[-1]:.4f}")
    return true == len(dropped) and min(recalls) >= 0.99


if __name__ == "__main__":
    main()
