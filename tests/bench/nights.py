"""`make bench B=nights` (`python -m tests.bench.nights [--nights N] [--documents D]`): what a nightly run costs as nights go by.

Each night brings a file of a few made-up documents, and the same command runs over the whole folder. CPU seconds of the nights
around the tenth and of the last ones (medians of five) are printed beside each other, and what the output holds. These are each a
process of its own; the nights between, whose cost nobody asks for, follow each other in this one, which spares their imports.
Target: the last cost at most 1.5 times the tenth.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import io
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

from flows import curate
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
        spent = {}
        for night in range(asked.nights):
            command = _command(source, out, night, asked.documents)
            if night in TENTH or night >= asked.nights - len(TENTH):
                spent[night] = _apart(command)
            else:
                _here(command)
        files = [path for path in out.rglob("*") if path.is_file()]
        work = [path for path in files if ".work" in path.parts]
        size = sum(path.stat().st_size for path in work)
    tenth, last = median(spent[night] for night in TENTH), median(spent[night] for night in list(spent)[-len(TENTH) :])
    print(f"night 10: {tenth:.2f} CPU s; night {asked.nights}: {last:.2f} CPU s, {last / tenth:.2f} times as much")
    print(f"{len(files):,} files, {len(work):,} of them in .work ({size / 1e6:.1f} MB)")
    print(f"target {MOST}: {'met' if last <= MOST * tenth else 'MISSED'}")
    return int(last > MOST * tenth)


def _command(source: Path, out: Path, night: int, documents: int) -> list[str]:
    """Write the night's file; the command that reads it."""
    first = night * documents
    rows: list[dict[str, str] | bytes] = [{"text": f"{prose(i)} {prose(i * 7 + 1)} {i}"} for i in range(first, first + documents)]
    write_rows(source / f"{night:04d}.jsonl", rows)
    return ["minimal", "--input", str(source), "--output", str(out), "--inline", "--workers", "1"]


def _apart(command: list[str]) -> float:
    """CPU seconds of a night in a process of its own."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    whole = [sys.executable, "-m", "flows.curate", *command]
    subprocess.run(whole, check=True, capture_output=True, env=os.environ | {"NO_COLOR": "1"})
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _here(command: list[str]) -> None:
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        code = curate.main(command)
    gc.collect()  # a run puts collections off
    if code:
        raise SystemExit(said.getvalue())


if __name__ == "__main__":
    sys.exit(main())
