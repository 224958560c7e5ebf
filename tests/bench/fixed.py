"""`make bench B=fixed` (`python -m tests.bench.fixed [--rounds N]`): CPU seconds that a command takes whatever its input has.

A run over one document with the default plan and with `minimal`, in this process, kernels and templates kept from a run before;
`winnow inspect why` on an output of a million documents; the import of `flows.curate`. Medians of N processes each, which take
turns, beside their targets. Status 1 where one is missed.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.bench import why_scale
from tests.support import curate, prose, write_rows

DOCUMENTS = 1_000_000
ENTRY = "from flows.command import entry; entry()"


@dataclass(frozen=True)
class Case:
    """A command and its target in CPU seconds; None: shown only."""

    what: str
    target_s: float | None
    command: Callable[[], list[str]]


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as folder:
        cases = _cases(Path(folder))
        for case in cases:
            _cpu_s(case.command())
        took = [[_cpu_s(case.command()) for case in cases] for _ in range(rounds)]
    missed = False
    for number, case in enumerate(cases):
        median = statistics.median(line[number] for line in took)
        missed |= case.target_s is not None and median > case.target_s
        told = "" if case.target_s is None else f"  target {case.target_s:.1f}: {'missed' if median > case.target_s else 'met'}"
        print(f"{median:6.2f} CPU s  {case.what}{told}")
    return int(missed)


def _cases(folder: Path) -> list[Case]:
    write_rows(folder / "in" / "a.jsonl", [{"id": f"d{k}", "text": prose(k)} for k in range(20)])
    curate("--input", folder / "in", "--output", folder / "out")
    ids = why_scale.write_ledger(folder / "out", DOCUMENTS)
    write_rows(folder / "one" / "a.jsonl", [{"text": " ".join(prose(k) for k in range(3))}])

    def run(*plan: str) -> list[str]:
        options = ["--input", str(folder / "one"), "--output", str(folder / "made"), "--inline", "--fresh", "--accept"]
        return ["-c", ENTRY, "curate", *plan, *options]

    return [
        Case("one document, default plan", 1.0, run),
        Case("one document, minimal", None, lambda: run("minimal")),
        Case(
            f"inspect why, {DOCUMENTS:,} documents",
            1.2,
            lambda: ["-c", ENTRY, "inspect", "--output", str(folder / "out"), "why", ids[DOCUMENTS // 3]],
        ),
        Case("import flows.curate", 0.4, lambda: ["-c", "import flows.curate"]),
    ]


def _cpu_s(arguments: list[str]) -> float:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, *arguments], check=True, capture_output=True, env=environment)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


if __name__ == "__main__":
    sys.exit(main())
