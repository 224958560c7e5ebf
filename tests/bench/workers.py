"""`make bench B=workers` (`python -m tests.bench.workers [--rounds N]`): what a second worker brings.

WINNOW_EVAL_DATA/throughput with one and two workers in turns, by `minimal` and by `default`: wall seconds, best of the rounds;
and a loop that shares nothing, once and twice at a time: what the machine itself gives to two. Status 1 where two workers are
less than 1.7 times as fast as one although two loops reach 1.9.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.bench.throughput import DEFAULT_DATA
from tests.bench.timed import timed

LEAST, LOOPS = 1.7, 1.9
PLANS = ("minimal", "default")
LOOP = (sys.executable, "-c", "sum(range(200_000_000))")


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("WINNOW_EVAL_DATA", DEFAULT_DATA)))
    parser.add_argument("--rounds", type=int, default=3)
    chosen = parser.parse_args()
    files = sorted((chosen.data / "throughput").glob("*.jsonl.*"))
    if not files:
        raise SystemExit(f"no text in {chosen.data / 'throughput'}: set WINNOW_EVAL_DATA")
    for plan in PLANS:
        _run(plan, files[:1], 1)  # compiles kernels
    loops = [(_loops(1), _loops(2)) for _ in range(chosen.rounds)]
    given = 2 * min(one for one, _ in loops) / min(two for _, two in loops)
    print(f"two loops beside each other do {given:.2f} times what one does", flush=True)
    reached = []
    for plan in PLANS:
        runs = [(_run(plan, files, 1), _run(plan, files, 2)) for _ in range(chosen.rounds)]
        one, two = (min(walls) for walls in zip(*runs, strict=True))
        reached.append(one / two)
        print(f"{plan:<8} one worker {one:6.1f} s, two {two:6.1f} s: {one / two:.2f} times as fast, at least {LEAST}", flush=True)
    return int(given >= LOOPS and min(reached) < LEAST)


def _run(plan: str, files: list[Path], workers: int) -> float:
    """Wall seconds."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "flows.curate", plan, "--inline", "--workers", str(workers), "--json"]
        return timed([*command, "--input", *map(str, files), "--output", f"{folder}/out"])[0].wall


def _loops(number: int) -> float:
    """Wall seconds until all have ended."""
    start = time.monotonic()
    for running in [subprocess.Popen(LOOP) for _ in range(number)]:
        running.wait()
    return time.monotonic() - start


if __name__ == "__main__":
    sys.exit(main())
