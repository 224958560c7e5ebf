"""`python -m tests.bench.dedup_increment`: what it costs to add 5 % to a curated corpus, and whether it changes who is kept.

WINNOW_EVAL_DATA/throughput less a seeded 5 % is generation 1, the 5 % is generation 2 of one output; beside it one run over both,
with the same priorities. Prints the CPU of the stages sign and dedup (exact: one worker) of the full run and of the increment,
and their ratio, and holds the kept documents of both to each other (law 4). Rows are cut down to text and id.

    python -m tests.bench.dedup_increment [--share SHARE] [--seed N] [other arguments of winnow]

Ends with status 1 where the kept documents differ or the ratio is above 0.15.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
import tempfile
from pathlib import Path
from typing import Any

import orjson
import polars as pl

from tests.bench.dedup_scale import dedup_cpu, watch
from tests.bench.throughput import DEFAULT_DATA
from tests.bench.timed import texts

TARGET = 0.15


def split(files: list[Path], folder: Path, *, share: float, seed: int) -> list[Path]:
    """The folders of most of the rows, and of a random `share` of them."""
    chosen, folders = random.Random(seed), [folder / "most", folder / "rest"]
    for part in folders:
        part.mkdir()
    for path in files:
        with (folders[0] / f"{path.name}.jsonl").open("wb") as most, (folders[1] / f"{path.name}.jsonl").open("wb") as rest:
            for number, line in enumerate(texts(path)):
                row = {"id": f"{path.name}-{number}", "text": orjson.loads(line)["text"]}
                (rest if chosen.random() < share else most).write(orjson.dumps(row) + b"\n")
    return folders


def run(folders: list[Path], out: Path, more: list[str]) -> dict[str, Any]:
    """Metrics of `minimal` over these folders, the first of which comes first in priority."""
    plan = out.parent / f"{out.name}-{len(folders)}.yaml"
    sources = [{"paths": [str(part)], "name": part.name, "priority": number} for number, part in enumerate(folders)]
    plan.write_text(json.dumps({"extends": "minimal@1", "source": sources}))
    command = [sys.executable, "-m", "flows.curate", str(plan), "--inline", "--workers", "1", "--json", "--output", str(out)]
    printed, cpu, *_ = watch([*command, *more], out / ".work")
    return {**printed["metrics"], "tree_cpu": cpu}


def kept(out: Path) -> set[str]:
    """The id of every committed document."""
    live = json.loads((out / "manifest.json").read_text())["live"]
    files = [file for g in live for file in sorted((out / "data").glob(f"*-g{g:04d}.parquet"))]
    return {id_ for file in files for id_ in pl.read_parquet(file, columns=["id"])["id"]}


def show(what: str, metrics: dict[str, Any]) -> None:
    total = metrics["totals"]
    sizes = f"{total['bytes_read'] / 1e6:9.1f} MB {total['read']:>9,} documents {total['kept']:>9,} kept"
    sign = next((s["cpu_s"] for s in metrics["cost"]["stages"] if s["stage"] == "sign"), 0.0)
    print(
        f"{what:<12}{sizes}{dedup_cpu(metrics):9.2f} s sign + dedup (sign {sign:.2f}){metrics['tree_cpu']:9.1f} s whole",
        flush=True,
    )


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--data", type=Path, default=Path(os.environ.get("WINNOW_EVAL_DATA", DEFAULT_DATA)))
    options.add_argument("--share", type=float, default=0.05)
    options.add_argument("--seed", type=int, default=1)
    chosen, more = options.parse_known_args()
    files = sorted((chosen.data / "throughput").glob("*.jsonl.*"))
    if not files:
        raise SystemExit(f"no text in {chosen.data / 'throughput'}: set WINNOW_EVAL_DATA")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        parts = split(files, folder, share=chosen.share, seed=chosen.seed)
        run(parts[1:], folder / "warm", more)  # compiles the kernels
        first = run(parts[:1], folder / "grown", more)
        show("first", first)
        second = run(parts, folder / "grown", more)
        show("increment", second)
        full = run(parts, folder / "full", more)
        show("full", full)
        one, several = kept(folder / "full"), kept(folder / "grown")
    ratio = dedup_cpu(second) / dedup_cpu(full)
    print(f"sign + dedup of the increment / of the full run: {ratio:.3f}, target {TARGET}")
    print(f"kept by the full run alone: {len(one - several):,}; by the increments alone: {len(several - one):,}")
    raise SystemExit(ratio > TARGET or one != several)


if __name__ == "__main__":
    main()
