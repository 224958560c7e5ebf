"""`python -m tests.bench.nothing_new [--megabytes M] [--files N]`: what a scheduled run costs that finds nothing new.

Curates N files of made-up text once, then runs the flow as a deployment does, against a running server, and prints the
seconds that the server counted for the flow run beside the time of one sequential read of the same files. Target: 10 s more
than that read.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import httpx

from flows.serving import server
from tests.support import prose, write_rows

FLOW = "import sys; from flows.prefect_flow import curate; curate(plan='minimal', input=[sys.argv[1]], output=sys.argv[2])"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--megabytes", type=int, default=200)
    parser.add_argument("--files", type=int, default=1000)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        source, out = Path(name) / "in", Path(name) / "out"
        size = _fill(source, asked.files, asked.megabytes * 1_000_000)
        command = [sys.executable, "-m", "flows.curate", "minimal", "--input", str(source), "--output", str(out), "--inline"]
        subprocess.run(command, check=True, capture_output=True)
        os.environ["PREFECT_HOME"] = str(Path(name) / "prefect")
        with server.temporary() as api:
            api.wait()
            environment = os.environ | {"PREFECT_API_URL": api.url}
            for label in ("first", "second"):
                subprocess.run(
                    [sys.executable, "-c", FLOW, str(source), str(out)], check=True, capture_output=True, env=environment
                )
                asked_for = {"sort": "START_TIME_DESC", "limit": 1}
                run = httpx.post(f"{api.url}/flow_runs/filter", json=asked_for).json()[0]
                read = _read(source)
                print(f"{label}: {run['state']['type']}, nothing new in {asked.files:,} files, {size / 1e6:,.0f} MB:")
                print(f"  inside the flow {run['total_run_time']:.2f} s, one sequential read {read:.2f} s")
                print(f"  target {10 + read:.1f} s: {'met' if run['total_run_time'] <= 10 + read else 'MISSED'}")
        generations = len(list((out / "manifests").iterdir()))
    print(f"generations: {generations} (one: nothing was published again)")


def _fill(folder: Path, files: int, n_bytes: int) -> int:
    """Bytes written."""
    text = [" ".join(prose(i * 9 + j) for j in range(9)) for i in range(200)]
    rows = max(1, n_bytes // files // len(text[0]))
    total = 0
    for number in range(files):
        path = folder / f"{number:05d}.jsonl"
        write_rows(path, [{"text": f"{number} {i} {text[(number * 7 + i) % len(text)]}"} for i in range(rows)])
        total += path.stat().st_size
    return total


def _read(folder: Path) -> float:
    begin = time.monotonic()
    for path in sorted(folder.iterdir()):
        path.read_bytes()
    return time.monotonic() - begin


if __name__ == "__main__":
    main()
