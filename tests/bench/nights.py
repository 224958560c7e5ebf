"""`make bench B=nights` (`python -m tests.bench.nights [--nights N] [--documents D]`): what a nightly run costs as nights go by.

Each night brings a file of a few made-up documents, and the same command runs over the whole folder, in a process of its own. CPU
seconds of the nights around the tenth and of the last ones (medians of five) are printed beside each other, and what the output
holds. Target: the last cost at most 1.5 times the tenth.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

from tests.support import prose, write_rows

TENTH = range(7, 12)
"""Nights, from 0, that stand for the tenth."""
MOST = 1.5


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--nights", type=int, default=300)
    parser.add_argument("--documents", type=int, default=15)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        source, out = Path(name) / "in", Path(name) / "out"
        spent = [_night(source, out, night, asked.documents) for night in range(asked.nights)]
        files = [path for path in out.rglob("*") if path.is_file()]
        work = [path for path in files if ".work" in path.parts]
        size = sum(path.stat().st_size for path in work)
    tenth, last = median(spent[night] for night in TENTH), median(spent[-len(TENTH) :])
    print(f"night 10: {tenth:.2f} CPU s; night {asked.nights}: {last:.2f} CPU s, {last / tenth:.2f} times as much")
    print(f"{len(files):,} files, {len(work):,} of them in .work ({size / 1e6:.1f} MB)")
    print(f"target {MOST}: {'met' if last <= MOST * tenth else 'MISSED'}")
    return int(last > MOST * tenth)


def _night(source: Path, out: Path, night: int, documents: int) -> float:
    """CPU seconds of one night."""
    first = night * documents
    rows: list[dict[str, str] | bytes] = [{"text": f"{prose(i)} {prose(i * 7 + 1)} {i}"} for i in range(first, first + documents)]
    write_rows(source / f"{night:04d}.jsonl", rows)
    command = [sys.executable, "-m", "flows.curate", "minimal", "--input", str(source), "--output", str(out), "--inline"]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([*command, "--workers", "1"], check=True, capture_output=True, env=os.environ | {"NO_COLOR": "1"})
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


if __name__ == "__main__":
    sys.exit(main())
