"""`python -m tests.bench.prefect_overhead`: what Prefect costs over `--inline`, whole processes, against a running server.

Curates 100 small files (100 tasks) both ways in turn and prints the medians of wall seconds, start to end; also the time to
the first progress line of `--inline` and with Prefect's temporary server.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
from pathlib import Path

from flows.serving import server
from tests.bench.throughput import measure
from tests.support import prose, write_rows

TASKS, RUNS = 100, 3


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for number in range(TASKS):
            write_rows(folder / "in" / f"{number:03d}.jsonl", [{"text": prose(number * 7 + i)} for i in range(3)])

        def run(label: str, *flags: str) -> dict:
            out = folder / label
            command = [sys.executable, "-m", "flows.curate", "default", "--input", str(folder / "in"), "--output", str(out)]
            return measure([*command, *flags])

        run("warm", "--inline")
        own = run("temporary")
        os.environ["PREFECT_HOME"] = str(folder / "prefect")
        with server.temporary() as api:
            api.wait()
            os.environ["PREFECT_API_URL"] = api.url
            run("warm-server")
            pairs = [(run(f"inline{i}", "--inline"), run(f"server{i}")) for i in range(RUNS)]
            del os.environ["PREFECT_API_URL"]
    inline = statistics.median(pair[0]["wall"] for pair in pairs)
    served = statistics.median(pair[1]["wall"] for pair in pairs)
    print(f"{TASKS} tasks, median of {RUNS}: --inline {inline:.2f} s, running server {served:.2f} s")
    print(f"Prefect costs {served - inline:.2f} s; target 2 s + 10 ms a task = {2 + 0.01 * TASKS:.2f} s")
    print(f"first line: --inline {statistics.median(p[0]['first'] for p in pairs):.2f} s, temporary server {own['first']:.2f} s")


if __name__ == "__main__":
    main()
