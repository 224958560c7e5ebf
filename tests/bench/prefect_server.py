"""`python -m tests.bench.prefect_server [--rounds N]`: the ephemeral server that Prefect starts by itself, beside ours.

Curates the sample as `python -m flows.curate` does, whole processes, with each in turn, and prints medians: seconds to the
first line and to the end, CPU seconds of all processes. Then each condition once: notices and connections to elsewhere in a
terminal with a new home, what is left after the end, after Ctrl-C and after a kill, two first runs at a time, a home that
cannot be written, a database of a later Prefect. Every run has a home and a temporary folder of its own.
"""

from __future__ import annotations

import argparse
import logging
import os
import pty
import re
import shutil
import signal
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import psutil

from flows import curate
from flows.serving import server
from tests.support import ROOT

ARMS = {"ours": ["-m", "flows.curate"], "Prefect's": ["-m", "tests.bench.prefect_server", "--carry-out"]}
MARK = "WINNOW_BENCH_RUN"
SPY = """
import os, sys
def seen(event, args):
    place = args[1] if event == "socket.connect" else args[0] if event == "socket.getaddrinfo" else ""
    host = str(place[0] if isinstance(place, tuple) else place)
    if host and not host.startswith(("127.", "localhost", "::1", "/", "b'")):
        open(os.environ["WINNOW_BENCH_RUN"] + "/connections", "a").write(host + "\\n")
sys.addaudithook(seen)
"""
"""`sitecustomize.py` of every process: notes whom it looks for outside this machine."""
NOTICE = re.compile(r"Prefect collects|temporary server on|Warning|WARNING|INFO|ERROR|Traceback")


@dataclass
class Run:
    """A run of the sample, with a home, a temporary folder and a mark of its own."""

    arm: str
    home: Path
    folder: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="winnow-bench-")))
    begun: float = 0.0

    def start(self, **streams: int) -> subprocess.Popen[bytes]:
        with suppress(NotADirectoryError):
            self.home.mkdir(exist_ok=True)
        (self.folder / "spy").mkdir()
        (self.folder / "tmp").mkdir()
        (self.folder / "spy" / "sitecustomize.py").write_text(SPY)
        kept = {k: v for k, v in os.environ.items() if not k.startswith("PREFECT_") and k != "DO_NOT_TRACK"}
        own = {"HOME": str(self.home), "TMPDIR": str(self.folder / "tmp"), MARK: str(self.folder)}
        own |= {"PYTHONPATH": f"{self.folder / 'spy'}:{ROOT}"}
        own["XDG_CACHE_HOME"] = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")  # compiled kernels
        command = [sys.executable, *ARMS[self.arm], "--output", str(self.folder / "out")]
        streams = streams or {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE}
        self.begun = time.monotonic()
        return subprocess.Popen(command, env=kept | own, start_new_session=True, stdin=subprocess.DEVNULL, **streams)

    def left(self, wait_s: float = 3.0) -> str:
        """Processes and temporary files that are there `wait_s` seconds after the end; ends them."""
        time.sleep(wait_s)
        found = []
        for process in psutil.process_iter():
            try:
                found += [process] if process.environ().get(MARK) == str(self.folder) else []
            except psutil.Error:
                continue
        files = sorted(path.name for path in (self.folder / "tmp").iterdir())
        for process in found:
            process.kill()
        return f"{len(found)} processes, {len(files)} temporary files"

    def outside(self) -> str:
        noted = self.folder / "connections"
        return " ".join(sorted(set(noted.read_text().split()))) if noted.exists() else "none"


def timed(arm: str, home: Path) -> dict[str, float]:
    run = Run(arm, home)
    process = run.start()
    assert process.stderr
    process.stderr.readline()
    first = time.monotonic() - run.begun
    rest = process.stderr.read()
    _, status, used = os.wait4(process.pid, 0)
    assert status == 0, rest[-2000:].decode(errors="replace")
    ended = {"first line s": first, "whole run s": time.monotonic() - run.begun, "CPU s": used.ru_utime + used.ru_stime}
    shutil.rmtree(run.folder)
    return ended


def in_a_terminal(arm: str, home: Path) -> str:
    """A new home, as on a machine where Prefect never ran."""
    ours, theirs = pty.openpty()
    run = Run(arm, home)
    process = run.start(stdout=theirs, stderr=theirs)
    os.close(theirs)
    shown = b""
    with suppress(OSError):  # the end of a terminal
        while read := os.read(ours, 65536):
            shown += read
    process.wait()
    notices = sorted(set(NOTICE.findall(shown.decode(errors="replace"))))
    return f"exit {process.returncode}; notices: {', '.join(notices) or 'none'}; looked for: {run.outside()}; left: {run.left(0)}"


def ended_by(number: signal.Signals, arm: str, home: Path) -> str:
    """A run that is ended while its stages run: Ctrl-C reaches all processes of a terminal's group, a kill one."""
    run = Run(arm, home)
    process = run.start()
    assert process.stderr
    while b"scoring" not in process.stderr.readline():
        assert process.poll() is None
    asked = time.monotonic()
    if number == signal.SIGINT:
        os.killpg(process.pid, number)
    else:
        process.send_signal(number)
    process.wait()
    return f"exit {process.returncode} after {time.monotonic() - asked:.1f} s; left: {run.left()}"


def two_at_a_time(arm: str, home: Path) -> str:
    """The first two runs with this home."""
    begun = [run.start(stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) for run in (Run(arm, home), Run(arm, home))]
    return "exit " + " and ".join(str(process.wait()) for process in begun)


def without_a_home(arm: str, _: Path) -> str:
    return in_a_terminal(arm, Path("/dev/null/home"))


def of_a_later_prefect(arm: str, home: Path) -> str:
    """A database whose version this Prefect does not know."""
    timed(arm, home)
    for file in home.rglob("prefect.db"):
        with closing(sqlite3.connect(file)) as database:
            database.execute("update alembic_version set version_num = 'ffffffffffff'")
            database.commit()
    return in_a_terminal(arm, home)


CHECKS: dict[str, Callable[[str, Path], str]] = {
    "first run, in a terminal": in_a_terminal,
    "Ctrl-C": partial(ended_by, signal.SIGINT),
    "kill -9": partial(ended_by, signal.SIGKILL),
    "two first runs at a time": two_at_a_time,
    "a home that cannot be made": without_a_home,
    "database of a later Prefect": of_a_later_prefect,
}


@contextmanager
def of_prefect(_: object) -> Iterator[None]:
    """In place of `command_settings`: Prefect starts its own server with the flow run, and ends it with the process."""
    from prefect import settings as prefects
    from prefect.events.worker import EventsWorker

    from flows.serving import settings

    changed = {
        prefects.PREFECT_SERVER_ALLOW_EPHEMERAL_MODE: True,
        prefects.PREFECT_SERVER_ANALYTICS_ENABLED: False,
        prefects.PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS: 120,
        prefects.PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None,
        prefects.PREFECT_LOGGING_TO_API_ENABLED: False,
        prefects.PREFECT_LOGGING_SERVER_LEVEL: "ERROR",
        prefects.PREFECT_CLIENT_MAX_RETRIES: settings.CALL_RETRIES,
    }
    with settings.quiet_console(), prefects.temporary_settings(changed):
        logging.getLogger("prefect").setLevel("ERROR")  # "Stopping temporary server", said at the exit
        yield
        EventsWorker.drain_all(timeout=settings.DRAIN_S, at_exit=False)


def carry_out(arguments: list[str]) -> int:
    """`flows.curate`, where Prefect's own server takes the place of ours."""

    class Ready(server.Temporary):
        def start(self) -> Ready:
            self._ready = True
            return self

    from flows.serving import settings  # imports Prefect

    server.Temporary = Ready
    settings.command_settings = of_prefect
    return curate.main(arguments)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=5)
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory() as name:
        tempfile.tempdir = name
        homes = {arm: Path(name) / str(number) for number, arm in enumerate(ARMS)}
        for arm, home in homes.items():
            timed(arm, home)  # compiles, migrates
        rounds = [{arm: timed(arm, home) for arm, home in homes.items()} for _ in range(chosen.rounds)]
        load = os.getloadavg()[0]
        print(f"medians of {chosen.rounds} rounds (least), {len(os.sched_getaffinity(0))} cores, load {load:.1f}")
        for figure in rounds[0]["ours"]:
            print(f"{figure:<28}", *(f"{arm}: {shown([r[arm][figure] for r in rounds])}" for arm in ARMS), sep="  ")
        for number, (what, check) in enumerate(CHECKS.items()):
            for arm in ARMS:
                print(f"{what:<28}  {arm}: {check(arm, Path(name) / f'{arm[0]}-{number}')}", flush=True)


def shown(values: list[float]) -> str:
    return f"{statistics.median(values):.2f} ({min(values):.2f})"


if __name__ == "__main__":
    if sys.argv[1:2] == ["--carry-out"]:
        raise SystemExit(carry_out(sys.argv[2:]))
    main()
