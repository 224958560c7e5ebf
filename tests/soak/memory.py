"""One long-lived process, run after run: resident memory, open files and threads must not grow.

    python -m tests.soak.memory FOLDER MINUTES SEED        (the process itself: one JSON line a run)

Runs are increments of 200 documents (JSONL, gzip, Parquet) under the default plan with all masks on, two workers, in this
process; after CYCLE of them the output is removed and a new one begun, so that an index that grows is not taken for a leak.
What is read after each run is what a served deployment would show: no collection of garbage, no trimming of the heap.

Slopes are least squares over means of whole cycles (increments of a cycle cost more and more; neighbours are not independent),
the first WARM_UP of the runs left out, with a 95 % interval. **Flat** is: memory grows by less than BOUND_BYTES a run, or a slope
that cannot be told from 0; and the median of the last quarter is within 5 % of that of the second. 50 kB a run is 1.2 MB a day at
one run an hour: a process that is served for a year stays below half a gigabyte. Open files and child processes: the same number
after every run behind the warm-up; threads: the median of the last quarter is no more than that of the second (a thread of a
pool may be seen while it ends). Below ENOUGH runs behind the warm-up memory is printed and not judged: allocators still settle.
"""

from __future__ import annotations

import json
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import psutil

from pipeline.machine.schedule import in_process
from pipeline.plan import load
from pipeline.run import execute
from pipeline.run.options import RunOptions
from tests.soak.common import Report
from tests.soak.inputs import KINDS, write
from tests.support import ROOT, prose

CYCLE = 10
DOCUMENTS = 200
WARM_UP = 0.2
ENOUGH = 100
BOUND_BYTES = 50_000
QUARTERS = 0.05
ALL_MASKS = "edits.pii={email: true, ip: true, iban: true, card: true, phone: true}"


@dataclass(frozen=True)
class Sample:
    """After a run: seconds since the start, resident bytes, open file descriptors, threads, child processes."""

    at: float
    rss: int
    files: int
    threads: int
    children: int


@dataclass(frozen=True)
class Slope:
    """Of bytes by run and by hour; `half` is half of the 95 % interval."""

    run: float
    run_half: float
    hour: float
    hour_half: float


def texts(number: int, chosen: random.Random) -> list[str | None]:
    """Documents of this increment: new ones, near duplicates and copies of earlier ones, short and personal ones, bad rows."""
    made: list[str | None] = [prose(number * DOCUMENTS + k) for k in range(DOCUMENTS - 40)]
    earlier = [prose(chosen.randrange(max(1, number * DOCUMENTS))) for _ in range(30)]
    made += [
        text if k % 2 else f"{text} Write to {chosen.choice('abc')}@example.net or call +49 30 123456."
        for k, text in enumerate(earlier)
    ]
    made += [
        "too short",
        None,
        "片" * 300,
        "la même chose, encore une fois. " * 40,
        "Über den Wolken muss die Freiheit wohl grenzenlos sein. " * 8,
    ]
    chosen.shuffle(made)
    return made


def process(folder: Path, minutes: float, seed: int) -> None:
    """The long-lived process: a line of JSON after each run, until the time is up, five cycles at least."""
    chosen, me, start, number = random.Random(seed), psutil.Process(), time.monotonic(), 0
    while time.monotonic() - start < 60 * minutes or number < 5 * CYCLE:
        cycle = folder / "cycle"
        for step in range(CYCLE):
            write(cycle / "in" / f"{step}.{KINDS[step % len(KINDS)]}", texts(number, chosen))
            assigned = (ALL_MASKS, "source.max_bad_fraction=1")
            loaded = load.load_plan("default", inputs=[str(cycle / "in")], assignments=assigned)
            options = RunOptions(output=str(cycle / "out"), accept=True)
            made = execute.execute(loaded, options, mapper=in_process(options.workers))
            assert made.generation == step + 1, made
            number += 1
            now = Sample(time.monotonic() - start, me.memory_info().rss, me.num_fds(), me.num_threads(), len(me.children()))
            print(json.dumps(asdict(now)), flush=True)
        shutil.rmtree(cycle)


def slope(samples: Sequence[Sample]) -> Slope:
    """Least squares over means of cycles."""
    whole = len(samples) // CYCLE * CYCLE
    rss = np.array([sample.rss for sample in samples[:whole]], float).reshape(-1, CYCLE).mean(1)
    at = np.array([sample.at for sample in samples[:whole]]).reshape(-1, CYCLE).mean(1)
    by_run, run_half = _fit(np.arange(len(rss)) * float(CYCLE), rss)
    by_hour, hour_half = _fit(at / 3600, rss)
    return Slope(by_run, run_half, by_hour, hour_half)


def _fit(x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """Slope, and half of its 95 % interval (Student's t; infinite below three points)."""
    if len(x) < 3:
        return (float(np.polyfit(x, y, 1)[0]) if len(x) == 2 else 0.0), float("inf")
    away = x - x.mean()
    found = float(away @ y / (away @ away))
    left = y - y.mean() - found * away
    freedom = len(x) - 2
    error = float(np.sqrt(left @ left / freedom / (away @ away)))
    return found, _T95[min(freedom, len(_T95)) - 1] * error


_T95 = (12.71, 4.30, 3.18, 2.78, 2.57, 2.45, 2.36, 2.31, 2.26, 2.23, 2.20, 2.18, 2.16, 2.14, 2.13, 2.12, 2.11, 2.10, 2.09, 2.09)
"""Two-sided 95 % quantiles of Student's t by degrees of freedom, 1 to 20; the last one is used beyond, and is the larger."""


def judged(samples: Sequence[Sample], report: Report) -> None:
    """Print the figures, and fail what is not flat."""
    behind = samples[int(len(samples) * WARM_UP) :]
    before = samples[: len(samples) - len(behind)]
    report.say(f"{len(samples)} runs in {samples[-1].at / 60:.1f} minutes, the first {len(before)} left out as warm-up")
    found = slope(behind)
    quarter = len(behind) // 4
    quarters = (behind[quarter : 2 * quarter], behind[-quarter:])
    second, last = (statistics.median(s.rss for s in part) for part in quarters)
    report.say(
        f"resident memory: slope {found.run / 1e3:+,.1f} ± {found.run_half / 1e3:,.1f} kB a run,"
        f" {found.hour / 1e6:+,.1f} ± {found.hour_half / 1e6:,.1f} MB an hour (95 %);"
        f" peak {max(s.rss for s in samples) / 1e6:,.0f} MB"
    )
    report.say(
        f"median of the second quarter {second / 1e6:,.1f} MB, of the last {last / 1e6:,.1f} MB ({last / second - 1:+.1%})"
    )
    if len(behind) < ENOUGH:
        report.say(f"memory is not judged: that takes {ENOUGH} runs behind the warm-up (more --minutes)")
    elif found.run >= BOUND_BYTES and found.run > found.run_half:
        report.fail(f"memory grows by {found.run / 1e3:,.1f} kB a run; flat is below {BOUND_BYTES / 1e3:,.0f}")
    elif abs(last / second - 1) > QUARTERS:
        report.fail(f"the last quarter holds {last / second - 1:+.1%} of memory; flat is within {QUARTERS:.0%}")
    for what, values in (("open files", {s.files for s in behind}), ("child processes", {s.children for s in behind})):
        report.say(f"{what} after each run: {_range(values)}")
        if len(values) > 1:
            report.fail(f"{what} after each run are not the same number: {sorted(values)}")
    earlier, later = (statistics.median(s.threads for s in part) for part in quarters)
    report.say(
        f"threads after each run: {_range({s.threads for s in behind})}; medians of those quarters {earlier:g} and {later:g}"
    )
    if later > earlier:
        report.fail(f"threads grow from {earlier:g} to {later:g}")


def _range(values: set[int]) -> str:
    return str(min(values)) if len(values) == 1 else f"{min(values)} to {max(values)}"


def go(*, seed: int, minutes: float = 30, log: Callable[[str], None] = lambda _: None) -> Report:
    """Watch such a process for so long."""
    report = Report(f"Memory of a long-lived process (seed {seed})")
    samples: list[Sample] = []
    with tempfile.TemporaryDirectory(prefix="winnow-memory-") as folder:
        arguments = [sys.executable, "-m", "tests.soak.memory", folder, str(minutes), str(seed)]
        with subprocess.Popen(arguments, cwd=ROOT, stdout=subprocess.PIPE, text=True) as child:
            assert child.stdout is not None
            for line in child.stdout:
                samples.append(Sample(**json.loads(line)))
                if len(samples) % (2 * CYCLE) == 0:
                    now = samples[-1]
                    log(f"{len(samples)} runs: {now.rss / 1e6:,.1f} MB, {now.files} files, {now.threads} threads")
    if child.returncode:
        report.fail(f"the process ended with {child.returncode} after {len(samples)} runs")
    if samples:
        judged(samples, report)
    return report


if __name__ == "__main__":
    process(Path(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3]))
