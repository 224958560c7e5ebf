"""SIGKILL at counted and seeded points: the same command then gives the same bytes and redoes no finished work.

Points are changes to the store, counted by `tests.killed` (half just before, half just after each), and moments in time,
seeded shares of how long an undisturbed run takes. Runs are first ones, increments, with edits, with a selection, from other
formats, and `--replace`; in this process (`--inline`), under Prefect on one server, and under Dask (the driver, or a worker).
All of them must give the bytes that one undisturbed run of one thread gave. Two runs go on at a time, clusters apart.

What must not be redone: a table about a unit, whatever became of its run; and what cannot be finished when a run is killed
are the units that its workers held.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from unittest import mock

import psutil

from tests.run.cluster import clusters
from tests.soak.common import Report, differences, digests, leftovers, newest, run
from tests.support import SAMPLE

AT_ONCE = 2
WORKERS = 2
"""Of every killed run: as many units may be unfinished at its end."""
TABLES = ("documents", "facts", "judgements/filters")
"""Of the work directory: tables about units, which a resumed run must not make again."""
GROWS = "pairs"
"""The table of pair similarities is one for the corpus: a run that verified more pairs writes it anew, with the old ones."""
ALL = (str(SAMPLE / "plan.yaml"), "--set", "source.unit_bytes=60000")
EDITS = ("--set", "edits.pii={email: true, ip: true, phone: true}", "--set", "edits.c4_lines={}")
SELECTION = ("--set", "select.keep_top={share: 0.5}")
OTHER_THRESHOLD = ("--set", "dedup.threshold=0.7")
NOTHING_STAYS = ("--set", "output.keep_replaced=false")  # else what stays depends on how often the output was opened


@dataclass(frozen=True)
class Kind:
    """A run that is killed: what the output holds before (arguments, or nothing), and the arguments of the killed command."""

    name: str
    before: tuple[str, ...] | None
    arguments: tuple[str, ...]
    share: int  # of 20 kills


def kinds(folder: Path) -> list[Kind]:
    inputs = ("--input", str(SAMPLE / "input"))
    first = ("--input", *(str(SAMPLE / "input" / name) for name in ("books.parquet", "news.jsonl.gz")))
    return [
        Kind("first", None, (*ALL, *inputs), 5),
        Kind("increment", (*ALL, *first), (*ALL, *inputs), 6),
        Kind("edits", None, (*ALL, *inputs, *EDITS), 3),
        Kind("selection", (*ALL, *first, *SELECTION), (*ALL, *inputs, *SELECTION), 3),
        Kind("formats", None, (*ALL, "--input", str(_other_formats(folder / "other formats"))), 2),
        Kind("replace", (*ALL, *inputs), (*ALL, *inputs, *OTHER_THRESHOLD, *NOTHING_STAYS, "--replace"), 1),
    ]


def _other_formats(folder: Path) -> Path:
    """The sample as plain JSONL, which is split into units, CSV and Parquet."""
    folder.mkdir(parents=True)
    shutil.copy(SAMPLE / "input/books.parquet", folder)
    with gzip.open(SAMPLE / "input/news.jsonl.gz") as packed:
        (folder / "news.jsonl").write_bytes(packed.read())
    with gzip.open(SAMPLE / "input/web.jsonl.gz") as packed, open(folder / "web.csv", "w", newline="", encoding="utf-8") as file:
        made = csv.DictWriter(file, ("id", "text"), extrasaction="ignore")
        made.writeheader()
        for line in packed:
            if (row := _row(line)) is not None:
                made.writerow(row)
    return folder


def _row(line: bytes) -> dict[str, str] | None:
    """Not one of those that are made to be unreadable."""
    with suppress(ValueError):
        row = json.loads(line)
        if isinstance(row.get("text"), str) and row["text"].encode():
            return row
    return None


@dataclass(frozen=True)
class Runner:
    """What carries the killed runs out; `cluster`: the one that they are sent to."""

    name: str
    flags: tuple[str, ...]
    env: dict[str, str] = field(default_factory=dict)
    cluster: clusters.Cluster | None = None


@dataclass(frozen=True)
class Pace:
    """An undisturbed run of a kind by a runner: at how many points it can be killed, and how long it took."""

    points: int
    seconds: float


class Bench:
    """A kind's output as it was before, and what an undisturbed run makes of it: the expected bytes, whoever the runner is."""

    def __init__(self, kind: Kind, folder: Path) -> None:
        self.kind, self.folder = kind, folder / kind.name
        self.folder.mkdir(parents=True)
        self.paces: dict[str, Pace] = {}
        self._lock = threading.Lock()
        self._count = 0
        if kind.before is not None:
            made = run(*kind.before, "--output", self.folder / "before", "--inline")
            assert made.returncode == 0, made.stderr
        out = self.new()
        made = run(*self.arguments(out), "--inline", "--workers", "1")
        assert made.returncode == 0, made.stderr
        manifest = newest(out)
        self.generation = int(manifest["generation"])
        self.digests, self.pairs = digests(out), _pairs(out)
        self.totals, self.content = manifest["totals"], manifest["content_sha256"]
        shutil.rmtree(out)

    def new(self) -> Path:
        """The output as it was before, under a name of its own."""
        with self._lock:
            self._count += 1
            out = self.folder / f"out {self._count}"
        if self.kind.before is not None:
            shutil.copytree(self.folder / "before", out, symlinks=True)
        return out

    def arguments(self, out: Path) -> tuple[str, ...]:
        return (*self.kind.arguments, "--output", str(out))

    def pace(self, runner: Runner) -> Pace:
        """Measured once a runner."""
        if runner.name not in self.paces:
            out, events = self.new(), self.folder / f"events of {runner.name}"
            start = time.monotonic()
            made = self.run(runner, out, module=("tests.killed", "0", str(events)))
            seconds = time.monotonic() - start
            assert made.returncode == 0, made.stderr
            assert not differences(self.digests, digests(out)), f"{runner.name} gives other bytes than one thread"
            self.paces[runner.name] = Pace(len(events.read_text().splitlines()), seconds)
            shutil.rmtree(out)
        return self.paces[runner.name]

    def run(
        self,
        runner: Runner,
        out: Path,
        *,
        module: Sequence[str] = ("flows.curate",),
        kill_after: float | None = None,
        meanwhile: Callable[[subprocess.Popen[bytes]], None] = lambda _: None,
    ) -> subprocess.CompletedProcess[str]:
        arguments = (*self.arguments(out), *runner.flags)
        return run(*arguments, module=module, env=runner.env, kill_after=kill_after, meanwhile=meanwhile)

    def again(self, runner: Runner, out: Path) -> subprocess.CompletedProcess[str]:
        """The command that must go on where the killed one stopped.

        With `--replace` each command makes a generation of its own: where the killed one had made its own already, what is left
        to do is what every next command does first, so that `--replace` is left out.
        """
        arguments = (*self.arguments(out), *runner.flags)
        if (out / f"manifests/{self.generation:06d}.json").exists():
            arguments = tuple(argument for argument in arguments if argument != "--replace")
        return run(*arguments, env=runner.env)

    def wrong(self, out: Path, before: dict[Path, tuple[int, int]]) -> list[str]:
        """What is wrong with the output at the end; `before`: the tables that were finished."""
        manifest, found = newest(out), _finished(self, out)
        redone = [str(path.relative_to(out)) for path, made in before.items() if path in found and found[path] != made]
        said = []
        if names := differences(self.digests, digests(out)):
            said.append(f"other bytes: {names}")
        if manifest["totals"] != self.totals or manifest["content_sha256"] != self.content:
            said.append("other totals or content_sha256")
        if redone:
            said.append(f"{len(redone)} finished tables were made again: {redone[:3]}")
        if left := leftovers(out):
            said.append(f"left behind: {left[:3]}")
        return said


def _finished(bench: Bench, out: Path) -> dict[Path, tuple[int, int]]:
    """Tables that must not be made again. The pairs' is finished once it holds all that an undisturbed run verified."""
    found = {}
    for part in TABLES:
        for path in (out / ".work" / part).rglob("*.parquet"):
            if path.name.startswith(".tmp-") or (path.parent.name == GROWS and _pairs(out) != bench.pairs):
                continue
            with suppress(FileNotFoundError):  # Dask's workers may still be at it
                status = path.stat()
                found[path] = (status.st_ino, status.st_mtime_ns)
    return found


def _pairs(out: Path) -> list[str]:
    return [hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted((out / ".work/facts" / GROWS).glob("[!.]*.parquet"))]


def in_flight(out: Path) -> int:
    """Units that were begun and not finished: their documents are there, the last of their tables is not."""
    tables = ((out / ".work" / part).glob("[!.]*.parquet") for part in ("documents", "facts/minhash"))
    begun, done = (sum(not path.name.endswith(".bad.parquet") for path in found) for found in tables)
    return begun - done


@dataclass
class Count:
    """`flying`: the most units that a killed run left unfinished."""

    killed: int = 0
    survived: int = 0
    flying: int = 0
    kinds: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Strike:
    """One kill: of which kind of run, and at which share of its points, or of its time."""

    kind: str
    share: float
    timed: bool


def strikes(number: int, kinds_: Sequence[Kind], chosen: random.Random) -> list[Strike]:
    """Shared out over the kinds as they say; every third one by time."""
    order = [kind.name for kind in kinds_ for _ in range(kind.share)]
    return [Strike(order[at * 11 % len(order)], chosen.random(), at % 3 == 2) for at in range(number)]


class Soak:
    """The benches of the kinds that are killed, and what was found so far."""

    def __init__(self, folder: Path, report: Report, log: Callable[[str], None]) -> None:
        self.folder, self.report, self.log = folder, report, log
        self.kinds = kinds(folder)
        self.total = Count()
        self._lock = threading.Lock()
        self.benches: dict[str, Bench] = {}

    def prepare(self, wanted: Sequence[Strike]) -> None:
        """The benches of their kinds."""
        names = {strike.kind for strike in wanted} - self.benches.keys()
        with ThreadPoolExecutor(AT_ONCE) as pool:
            made = pool.map(partial(Bench, folder=self.folder), [kind for kind in self.kinds if kind.name in names])
            self.benches |= {bench.kind.name: bench for bench in made}

    def kill(self, runner: Runner, count: Count, strike: Strike) -> None:
        """Kill one run; a moment that came too late (the run was over) is tried again, sooner."""
        bench = self.benches[strike.kind]
        pace, share = bench.pace(runner), strike.share
        while True:
            out = bench.new()
            if strike.timed:
                at = (0.15 + 0.83 * share) * pace.seconds
                where = f"{runner.name}, {strike.kind} at {at:.2f} s"
                done = bench.run(runner, out, kill_after=at)
            else:
                number = 1 + int(share * pace.points)
                where = f"{runner.name}, {strike.kind} at point {number} of {pace.points}"
                done = bench.run(runner, out, module=("tests.killed", str(number), str(bench.folder / "unused")))
            if done.returncode != 0 or not strike.timed:
                break
            share *= 0.8
            shutil.rmtree(out)
        wrong = []
        flying = 0 if strike.kind == "replace" else in_flight(out)  # with another threshold, documents of before lack signatures
        if done.returncode != -signal.SIGKILL:
            wrong.append(f"ended with {done.returncode} instead: {done.stderr.strip()[-300:]}")
        elif flying > WORKERS:
            wrong.append(f"{flying} units were unfinished at the kill")
        else:
            before = _finished(bench, out)
            again = bench.again(runner, out)
            if again.returncode:
                wrong.append(f"the same command ended with {again.returncode}: {again.stderr.strip()[-300:]}")
            else:
                wrong += bench.wrong(out, before)
        self.judged(count, strike.kind, where, wrong, flying)
        shutil.rmtree(out, ignore_errors=True)

    def kill_worker(self, runner: Runner, count: Count, strike: Strike) -> None:
        """SIGKILL to a worker process of a cluster: the run itself must go on, and end as if nothing had been."""
        bench = self.benches[strike.kind]
        seconds, share = bench.pace(runner).seconds, strike.share
        hit: list[dict[Path, tuple[int, int]]] = []
        while not hit:
            out = bench.new()
            at = (0.35 + 0.5 * share) * seconds
            done = bench.run(
                runner, out, meanwhile=lambda process, at=at, out=out: self._strike(runner, bench, process, at, out, hit)
            )
            if hit:
                break
            share *= 0.8
            shutil.rmtree(out)
        wrong = [f"the run ended with {done.returncode}: {done.stderr.strip()[-300:]}"] if done.returncode else []
        wrong += [] if done.returncode else bench.wrong(out, hit[0])
        if not wrong and (again := bench.again(runner, out)).returncode:
            wrong.append(f"the same command, with nothing new, ended with {again.returncode}: {again.stderr.strip()[-300:]}")
        self.judged(count, strike.kind, f"a worker of {runner.name}, {strike.kind} at {at:.2f} s", wrong, 0)
        shutil.rmtree(out, ignore_errors=True)

    def _strike(
        self,
        runner: Runner,
        bench: Bench,
        process: subprocess.Popen[bytes],
        at: float,
        out: Path,
        hit: list[dict[Path, tuple[int, int]]],
    ) -> None:
        with suppress(subprocess.TimeoutExpired):
            process.wait(at)
            return
        victim: subprocess.Popen | psutil.Process | None = None
        if runner.cluster is not None:
            victim = runner.cluster.workers.pop(0)
        else:
            with suppress(psutil.Error):
                below = psutil.Process(process.pid).children(recursive=True)
                victim = next((child for child in below if "spawn_main" in " ".join(child.cmdline())), None)
        if victim is not None:
            before = _finished(bench, out)
            victim.kill()
            hit.append(before)
        if runner.cluster is not None and isinstance(victim, subprocess.Popen):
            victim.wait()
            runner.cluster.add_worker()

    def judged(self, count: Count, kind: str, where: str, wrong: Sequence[str], flying: int) -> None:
        with self._lock:
            if wrong:
                self.report.fail(f"{where}: {'; '.join(wrong)}")
            for one in (count, self.total):
                one.killed += 1
                one.survived += not wrong
                one.flying = max(one.flying, flying)
                one.kinds[kind] = one.kinds.get(kind, 0) + 1
            if self.total.killed % 10 == 0:
                self.log(f"{self.total.killed} kills, {self.total.survived} survived")

    def some(self, number: int, chosen: random.Random, runner: Runner) -> None:
        """`number` kills of runs by this runner."""
        count, wanted = Count(), strikes(number, self.kinds, chosen)
        self.prepare(wanted)
        with ThreadPoolExecutor(AT_ONCE) as pool:
            names = sorted({strike.kind for strike in wanted})
            list(pool.map(Bench.pace, [self.benches[name] for name in names], [runner] * len(names)))
            list(pool.map(partial(self.kill, runner, count), wanted))
        points = ", ".join(f"{name} {self.benches[name].pace(runner).points}" for name in names)
        self.say(runner.name, count, f" (points to choose from: {points})")

    def under_dask(self, number: int, chosen: random.Random) -> None:
        """Half on a cluster that was there before, half on one that each run starts; in turns the driver and a worker die."""
        halves = ((number + 1) // 2, number // 2)
        with ExitStack() as held:
            for cluster, share in zip(("outside", "own"), halves, strict=True):
                if not share:
                    continue
                runner, count = _on_dask(held, self.folder, outside=cluster == "outside"), Count()
                wanted = strikes(share, self.kinds[:3], chosen)
                self.prepare(wanted)
                for at, strike in enumerate(wanted):
                    (self.kill_worker if at % 2 else self.kill)(runner, count, strike)
                self.say(runner.name, count, "")

    def say(self, name: str, count: Count, more: str) -> None:
        shares = ", ".join(f"{kind} {number}" for kind, number in sorted(count.kinds.items()))
        self.report.say(f"{name}: {count.survived} of {count.killed} kills survived: {shares}{more}")
        self.log(self.report.lines[-1])


def _on_dask(held: ExitStack, folder: Path, *, outside: bool) -> Runner:
    flags = ("--inline", "--workers", str(WORKERS), "--runner", "dask")
    if not outside:
        return Runner("Dask, a cluster for one run", flags)
    there = folder / "cluster"
    there.mkdir()
    cluster = held.enter_context(clusters.dask(there, workers=WORKERS))
    return Runner("Dask, a scheduler elsewhere", (*flags, "--runner-address", cluster.address), cluster=cluster)


@contextmanager
def _prefect(home: Path) -> Iterator[Runner]:
    """Runs as Prefect flows on one temporary server."""
    from flows.serving.server import temporary

    with mock.patch.dict(os.environ, PREFECT_HOME=str(home)), temporary() as server:
        server.wait()
        direct = dict.fromkeys(("NO_PROXY", "no_proxy"), "127.0.0.1")
        env = {"PREFECT_API_URL": server.url, **direct}
        yield Runner("under Prefect", ("--workers", str(WORKERS)), env)


def go(*, seed: int, inline: int = 70, prefect: int = 20, dask: int = 10, log: Callable[[str], None] = lambda _: None) -> Report:
    """All of it; numbers of kills by runner."""
    report = Report(f"Kills (seed {seed})")
    chosen = random.Random(seed)
    with tempfile.TemporaryDirectory(prefix="winnow-kills-") as name:
        soak = Soak(Path(name), report, log)
        if inline:
            soak.some(inline, chosen, Runner("inline", ("--inline", "--workers", str(WORKERS))))
        if prefect:
            with _prefect(Path(name) / "prefect") as runner:
                soak.some(prefect, chosen, runner)
        if dask and find_spec("distributed") is None:
            report.say("under Dask: skipped, distributed is not installed (pip install -e .[dask])")
        elif dask:
            soak.under_dask(dask, chosen)
    total = soak.total
    report.say(
        f"{total.survived} of {total.killed} kills survived with identical bytes; at most {total.flying} units were unfinished at"
        f" a kill ({WORKERS} workers); no finished table was made again, nothing was left behind"
        if total.survived == total.killed
        else f"{total.survived} of {total.killed} kills survived"
    )
    return report
