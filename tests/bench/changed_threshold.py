"""`python -m tests.bench.changed_threshold`: what re-deciding costs once the facts are there.

Runs `--inline` on WINNOW_EVAL_DATA/throughput, then again with `--replace` and one threshold changed: a filter's, then dedup's.
Compares CPU of the run itself (imports excluded) without the writing of shards with that of the first run. Target: 5 %.

    python -m tests.bench.changed_threshold [--plan PRESET] [--workers N]
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.bench.throughput import DEFAULT_DATA, measure

TARGET = 0.05
CHANGES = ("filters.gopher_quality.min_words=60", "dedup.threshold=0.85")


def run(plan: str, files: list[Path], out: Path, workers: str, *more: str) -> dict[str, Any]:
    """The cost of a run, as its metrics have it."""
    command = [sys.executable, "-m", "flows.curate", plan, "--input", *map(str, files), "--output", str(out), "--inline"]
    ran = measure([*command, "--json", "--workers", workers, *more])
    return json.loads(str(ran["out"]))["metrics"]["cost"]


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--plan", default="default")
    options.add_argument("--workers", default="1", help="one: CPU per stage is then exact")
    options.add_argument("--data", type=Path, default=Path(os.environ.get("WINNOW_EVAL_DATA", DEFAULT_DATA)))
    chosen = options.parse_args()
    files = sorted((chosen.data / "throughput").glob("*.jsonl.*"))
    if not files:
        raise SystemExit(f"no text in {chosen.data / 'throughput'}: set WINNOW_EVAL_DATA")
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out"
        first = run(chosen.plan, files, out, chosen.workers)
        print(f"first run: {first['cpu_s']:.2f} CPU s", flush=True)
        worst = 0.0
        for change in CHANGES:
            cost = run(chosen.plan, files, out, chosen.workers, "--replace", "--set", change)
            stages = {stage["stage"]: stage["cpu_s"] for stage in cost["stages"]}
            spent = cost["cpu_s"] - stages.get("write", 0.0)
            worst = max(worst, spent / first["cpu_s"])
            print(f"{change}: {spent:.2f} CPU s without the writing of shards, {spent / first['cpu_s']:.1%} of the first run")
            print("  " + ", ".join(f"{name} {used:.2f}" for name, used in stages.items()), flush=True)
    print(f"target {TARGET:.0%}")
    raise SystemExit(worst > TARGET)


if __name__ == "__main__":
    main()
