"""SIGKILL at counted and seeded points: the same command then gives the same bytes and redoes no finished unit.

Points are changes to the store, counted by `tests.killed` (half just before, half just after each), and moments in time,
seeded shares of how long an undisturbed run took. Runs are first ones, increments, with edits, with a selection, and
`--replace`; in this process (`--inline`), under Prefect on one server, and under Dask (a worker, or the driver).
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.soak.common import Report, command, differences, digests, leftovers, newest, run
from tests.support import ROOT, SAMPLE

PARTS = ("documents", "facts")
"""Of the work directory: facts about units, which a resumed run must not make again."""
GROWS = "pairs"
"""The table of pair similarities is one for the corpus: each generation adds to it."""
ALL = (str(SAMPLE / "plan.yaml"), "--set", "source.unit_bytes=60000")
EDITS = ("--set", "edits.pii={email: true, ip: true, phone: true}", "--set", "edits.c4_lines={}")
SELECTION = ("--set", "select.keep_top={share: 0.5}")


@dataclass(frozen=True)
class Kind:
    """A run that is killed: what the output holds before (arguments, or nothing), and the arguments of the killed command."""

    name: str
    before: tuple[str, ...] | None
    arguments: tuple[str, ...]
    share: int  # of 20 kills


def kinds() -> list[Kind]:
    inputs = ("--input", str(SAMPLE / "input"))
    first = ("--input", *(str(SAMPLE / "input" / name) for name in ("books.parquet", "news.jsonl.gz")))
    return [
        Kind("first", None, (*ALL, *inputs), 6),
        Kind("increment", (*ALL, *first), (*ALL, *inputs), 6),
        Kind("edits", None, (*ALL, *inputs, *EDITS), 4),
        Kind("selection", (*ALL, *first, *SELECTION), (*ALL, *inputs, *SELECTION), 3),
        Kind("replace", (*ALL, *inputs), (*ALL, *inputs, "--set", "dedup.threshold=0.7", "--replace"), 1),
    ]


@dataclass(frozen=True)
class Expected:
    """An undisturbed run of a kind: how many points, how long, what it gave."""

    points: int
    seconds: float
    digests: dict[str, str]
    totals: dict[str, int]
    content: dict[str, str]


class Bench:
    """A folder for a kind's runs: the output as it was before, and what an undisturbed run makes of it."""

    def __init__(self, kind: Kind, folder: Path, flags: Sequence[str], env: dict[str, str]) -> None:
        self.kind, self.folder, self.flags, self.env = kind, folder / kind.name, tuple(flags), env
        self.folder.mkdir(parents=True)
        if kind.before is not None:
            made = run(*kind.before, "--output", self.folder / "before", "--inline")
            assert made.returncode == 0, made.stderr
        out = self.new("undisturbed")
        start = time.monotonic()
        made = self.run(out, counting=0)
        assert made.returncode == 0, made.stderr
        seconds = time.monotonic() - start
        manifest = newest(out)
        events = (self.folder / "events").read_text().splitlines()
        self.expected = Expected(len(events), seconds, digests(out), manifest["totals"], manifest["content_sha256"])
        shutil.rmtree(out)

    def new(self, name: str) -> Path:
        """The output as it was before, under another name."""
        out = self.folder / name
        if self.kind.before is not None:
            shutil.copytree(self.folder / "before", out, symlinks=True)
        return out

    def arguments(self, out: Path) -> tuple[str, ...]:
        return (*self.kind.arguments, "--output", str(out), *self.flags)

    def run(self, out: Path, *, counting: int | None = None, kill_after: float | None = None) -> subprocess.CompletedProcess[str]:
        module = ("flows.curate",) if counting is None else ("tests.killed", str(counting), str(self.folder / "events"))
        return run(*self.arguments(out), module=module, env=self.env, kill_after=kill_after)

    def verdict(self, out: Path) -> str:
        """What is wrong after the same command ran again, or nothing."""
        before = _finished(out)
        again = self.run(out)
        if again.returncode != 0:
            return f"the same command ended with {again.returncode}: {again.stderr.strip()[-300:]}"
        redone = [str(path.relative_to(out)) for path, at in before.items() if path.exists() and path.stat().st_mtime_ns != at]
        manifest = newest(out)
        wrong = []
        if names := differences(self.expected.digests, digests(out)):
            wrong.append(f"other bytes: {names}")
        if manifest["totals"] != self.expected.totals or manifest["content_sha256"] != self.expected.content:
            wrong.append("other totals or content_sha256")
        if redone:
            wrong.append(f"finished tables were made again: {redone[:3]}")
        if left := leftovers(out):
            wrong.append(f"left behind: {left[:3]}")
        return "; ".join(wrong)


def _finished(out: Path) -> dict[Path, int]:
    found = {}
    for part in PARTS:
        for path in (out / ".work" / part).rglob("*.parquet"):
            if not path.name.startswith(".tmp-") and path.parent.name != GROWS:
                found[path] = path.stat().st_mtime_ns
    return found


@dataclass
class Count:
    killed: int = 0
    survived: int = 0
    ended_before: int = 0


def kill(bench: Bench, chosen: random.Random, report: Report, count: Count, *, timed: bool) -> None:
    """One kill, and what came of it."""
    out = bench.new("out")
    if timed:
        at = chosen.uniform(0.15, 0.98) * bench.expected.seconds
        where = f"{bench.kind.name} at {at:.2f} s"
        done = bench.run(out, kill_after=at)
    else:
        number = chosen.randrange(1, bench.expected.points + 1)
        where = f"{bench.kind.name} at point {number} of {bench.expected.points}"
        done = bench.run(out, counting=number)
    _judge(bench, out, where, done, report, count)


def _judge(bench: Bench, out: Path, where: str, done: subprocess.CompletedProcess[str], report: Report, count: Count) -> None:
    if done.returncode == 0:
        count.ended_before += 1  # it was done before its moment came: no kill
    elif done.returncode != -signal.SIGKILL:
        count.killed += 1
        report.fail(f"{where}: ended with {done.returncode} instead: {done.stderr.strip()[-300:]}")
    else:
        count.killed += 1
        wrong = bench.verdict(out)
        if wrong:
            report.fail(f"{where}: {wrong}")
        else:
            count.survived += 1
    shutil.rmtree(out, ignore_errors=True)


def some(
    number: int, folder: Path, chosen: random.Random, report: Report, *, flags: Sequence[str], env: dict[str, str], name: str
) -> Count:
    """`number` kills of runs with these flags, shared out over the kinds; every third one by time."""
    count = Count()
    kinds_ = kinds()
    order = [kind for kind in kinds_ for _ in range(kind.share)]
    benches: dict[str, Bench] = {}
    tries = 0
    while count.killed < number and tries < 3 * number:
        kind = order[(tries * 7) % len(order)]
        if kind.name not in benches:
            benches[kind.name] = Bench(kind, folder / name.replace(" ", "-"), flags, env)
        kill(benches[kind.name], chosen, report, count, timed=tries % 3 == 2)
        tries += 1
    points = ", ".join(f"{bench.kind.name} {bench.expected.points}" for bench in benches.values())
    report.say(f"{name}: {count.survived} of {count.killed} kills survived (points to choose from: {points})")
    return count


def under_prefect(number: int, folder: Path, chosen: random.Random, report: Report) -> Count:
    """The same on one temporary Prefect server."""
    from flows.server import temporary

    with temporary() as server:
        server.wait()
        env = {"PREFECT_API_URL": server.url, "PREFECT_HOME": str(server.home), "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}
        return some(number, folder, chosen, report, flags=("--workers", "2"), env=env, name="under Prefect")


def without_dask() -> str | None:
    """Why kills under Dask cannot be tried, or None."""
    try:
        import distributed  # noqa: F401
    except ImportError:
        return "distributed is not installed (pip install -e .[dask])"
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out"
        tried = run(*ALL, "--input", SAMPLE / "input" / "books.parquet", "--output", out, "--runner", "dask", timeout=240)
        if tried.returncode == 2 and "not yet" in tried.stderr:
            return "--runner dask is not in this release"
        if tried.returncode:
            return f"--runner dask does not work here: {tried.stderr.strip()[-200:]}"
    return None


def under_dask(number: int, folder: Path, chosen: random.Random, report: Report) -> Count:
    """A worker process killed costs its spans, and the run ends by itself; a driver killed costs a resume."""
    count = Count()
    flags = ("--runner", "dask", "--workers", "2")
    bench = Bench(kinds()[0], folder / "dask", flags, {})
    tries = 0
    while count.killed < number and tries < 3 * number:
        out = bench.new("out")
        at = chosen.uniform(0.3, 0.9) * bench.expected.seconds
        if tries % 2 == 0:
            _judge(bench, out, f"driver of Dask at {at:.1f} s", bench.run(out, kill_after=at), report, count)
        else:
            _kill_worker(bench, out, at, report, count)
        tries += 1
    report.say(f"under Dask: {count.survived} of {count.killed} kills survived")
    return count


def _kill_worker(bench: Bench, out: Path, at: float, report: Report, count: Count) -> None:
    process = subprocess.Popen(
        command(*bench.arguments(out)), cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env={**os.environ}
    )
    hit: list[int] = []

    def strike() -> None:
        time.sleep(at)
        with suppress(psutil.Error):
            below = psutil.Process(process.pid).children(recursive=True)
            workers = [p for p in below if "spawn_main" in " ".join(p.cmdline()) or "dask" in " ".join(p.cmdline())]
            if workers:
                workers[-1].kill()
                hit.append(workers[-1].pid)

    thread = threading.Thread(target=strike)
    thread.start()
    _, err = process.communicate(timeout=300)
    thread.join()
    if not hit:
        count.ended_before += 1
    else:
        count.killed += 1
        wrong = f"the run ended with {process.returncode}: {err.strip()[-300:]}" if process.returncode not in (0, 1) else ""
        found = bench.verdict(out)
        if wrong or found:
            report.fail(f"a worker of Dask at {at:.1f} s: {wrong} {found}")
        else:
            count.survived += 1
    shutil.rmtree(out, ignore_errors=True)


def go(*, seed: int, inline: int = 70, prefect: int = 20, dask: int = 10, log: Callable[[str], None] = lambda _: None) -> Report:
    """All of it; numbers of kills by runner."""
    report = Report(f"Kills (seed {seed})")
    chosen = random.Random(seed)
    counts: list[Count] = []
    with tempfile.TemporaryDirectory(prefix="winnow-kills-") as name:
        folder = Path(name)
        half = inline // 2
        for number, workers in ((inline - half, "2"), (half, "1")):
            if number:
                flags = ("--inline", "--workers", workers)
                what = f"inline with {workers} worker{'s' if workers != '1' else ''}"
                counts.append(some(number, folder, chosen, report, flags=flags, env={}, name=what))
                log(report.lines[-1])
        if prefect:
            counts.append(under_prefect(prefect, folder, chosen, report))
            log(report.lines[-1])
        if dask:
            why = without_dask()
            if why is None:
                counts.append(under_dask(dask, folder, chosen, report))
            else:
                report.say(f"under Dask: skipped, {why}")
    killed, survived = sum(count.killed for count in counts), sum(count.survived for count in counts)
    report.say(
        f"{survived} of {killed} kills survived with identical bytes; no finished unit was redone, nothing was left behind"
    )
    return report
