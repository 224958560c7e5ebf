"""Real clusters on loopback, each of separate processes, and the real command that runs on them."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.support import ROOT, prose, write_rows

TIMEOUT_S = 180
RAY_TOKEN = {"RAY_AUTH_TOKEN": "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"}
"""Ray clusters ask for one; workers and driver take it from their environment."""
PLUGIN = ("--set", "plugins=[tests.run.cluster.trap_filter]", "--set", "filters.trap={}")


@dataclass
class Cluster:
    """`address` for `--runner-address`; the processes by what they are."""

    runner: str
    address: str
    head: subprocess.Popen
    workers: list[subprocess.Popen] = field(default_factory=list)
    add_worker: Callable[[], None] = lambda: None


@contextlib.contextmanager
def dask(folder: Path, *, workers: int = 2, root: str = str(ROOT), **environment: str) -> Iterator[Cluster]:
    """A Dask scheduler and its workers, started as its documentation says."""
    file = folder / "scheduler.json"
    scheduler = [sys.executable, "-m", "dask", "scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard"]
    worker = [sys.executable, "-m", "dask", "worker", "--scheduler-file", str(file), "--nthreads", "1", "--no-nanny"]
    worker += ["--no-dashboard", "--local-directory", str(folder / "dask")]
    with _processes(folder, environment, root) as start:
        head = start([*scheduler, "--scheduler-file", str(file)])
        _until(file.exists)
        made = Cluster("dask", json.loads(file.read_text())["address"], head)
        made.add_worker = lambda: made.workers.append(start(worker))
        for _ in range(workers):
            made.add_worker()
        yield made


@contextlib.contextmanager
def ray(folder: Path, **environment: str) -> Iterator[Cluster]:
    """A head and a second node, a CPU each."""
    port = _free_port()
    address = f"127.0.0.1:{port}"
    ray_ = [str(Path(sys.executable).with_name("ray")), "start", "--block", "--object-store-memory", "100000000"]
    with _processes(folder, {"RAY_USAGE_STATS_ENABLED": "0", "RAY_AUTH_MODE": "token", **RAY_TOKEN, **environment}) as start:
        head = start([*ray_, "--head", "--port", str(port), "--num-cpus", "1", "--include-dashboard", "false"])
        _until(lambda: _answers(port))
        made = Cluster("ray", address, head, [start([*ray_, "--address", address, "--num-cpus", "1"])])
        time.sleep(5)  # a node is there a few seconds after its process
        yield made


@contextlib.contextmanager
def _processes(folder: Path, environment: dict[str, str], root: str = str(ROOT)) -> Iterator:
    """`start(command)`; all processes of all commands are killed at the end."""
    running: list[subprocess.Popen] = []
    with open(folder / "cluster.log", "ab") as log:

        def start(command: list[str]) -> subprocess.Popen:
            given = {**os.environ, "PYTHONPATH": root, **environment}
            made = subprocess.Popen(command, cwd=root, env=given, stdout=log, stderr=log, start_new_session=True)
            running.append(made)
            return made

        try:
            yield start
        finally:
            for process in reversed(running):
                process.terminate()
            for process in running:
                try:
                    process.wait(10)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()


def curate(
    cluster: Cluster | None, *arguments: str | Path, prefect: bool = False, **environment: str
) -> subprocess.CompletedProcess:
    """The command, on a cluster or as it is."""
    process = begin(cluster, *arguments, prefect=prefect, **environment)
    out, err = process.communicate(timeout=TIMEOUT_S)
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


def begin(cluster: Cluster | None, *arguments: str | Path, prefect: bool = False, **environment: str) -> subprocess.Popen:
    command = [sys.executable, "-m", "flows.curate", *map(str, arguments), "--workers", "2", *([] if prefect else ["--inline"])]
    if cluster is not None:
        command += ["--runner", cluster.runner, "--runner-address", cluster.address]
    given = {**os.environ, **RAY_TOKEN, **environment}
    return subprocess.Popen(command, cwd=ROOT, env=given, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def many_files(folder: Path, files: int = 16, first: int = 0) -> Path:
    """A folder of small files, each a span, with near and exact duplicates across them."""
    for number in range(first, first + files):
        base = number * 5
        texts = [prose(base + i) for i in range(5)]
        texts += [prose(max(0, base - 7)), f"{prose(base + 1)} One more sentence stands at the end of this copy."]
        write_rows(folder / f"part{number:03d}.jsonl", [{"id": f"{number}-{i}", "text": text} for i, text in enumerate(texts)])
    return folder


def _until(ready, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not ready():
        assert time.monotonic() < end
        time.sleep(0.1)


def _free_port() -> int:
    import socket

    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def _answers(port: int) -> bool:
    import socket

    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False
