"""An S3-compatible server in a process of its own, on loopback: moto, which honours `If-None-Match: *` of PUT and of the end of a
multi-part upload. Its answers are held to that by `test_s3.py`.

    python -m tests.store.s3 [FILE [SECONDS]]

serves until killed, and prints its URL. Each request's line goes to FILE; FILE.outage says which of them fail
(`tests.store.outages`). SECONDS: how far its clock, which gives files their times, is ahead of this machine's.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.store.outages import Outage, Outages
from tests.support import ROOT

BUCKET = "corpora"
STALE_S = 6.0
"""Age at which locks are stale in these tests: S3 gives times in whole seconds."""


@dataclass(frozen=True)
class Server:
    url: str
    log: Path

    @property
    def environment(self) -> dict[str, str]:
        """What a process needs to reach it; nothing of a real account is used."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "not-a-secret",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "no_proxy": "127.0.0.1",
        }

    def requests(self) -> list[str]:
        """Lines of the requests so far: method, path and query."""
        return [line for line in self.log.read_text().splitlines() if line and not line.startswith("fault ")]

    def faults(self) -> list[str]:
        """Requests that met an outage so far: its kind, method and path."""
        return [line.removeprefix("fault ") for line in self.log.read_text().splitlines() if line.startswith("fault ")]

    @contextlib.contextmanager
    def meeting(self, outage: Outage) -> Iterator[None]:
        """Requests meet the outage while the block lasts."""
        file = _outage_of(self.log)
        outage.write(file)
        try:
            yield
        finally:
            file.unlink()


def _outage_of(log: Path) -> Path:
    return log.with_name(f"{log.name}.outage")


@contextlib.contextmanager
def served(folder: Path, *, clock_s: int = 0) -> Iterator[Server]:
    """The server with an empty bucket, its clock so many seconds ahead. Skips the test where s3fs or moto is not installed."""
    for module in ("s3fs", "moto"):
        pytest.importorskip(module, reason="needs s3fs and moto: `make test-all` runs it in an environment that has them")
    log = folder / "requests.log"
    log.touch()
    command = [sys.executable, "-m", "tests.store.s3", str(log), str(clock_s)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield Server(process.stdout.readline().strip(), log)
        finally:
            process.kill()


def command(*arguments: Any, kill: int | None = None, events: Path | None = None) -> list[str]:
    if kill is None:
        return [sys.executable, "-m", "flows.curate", *map(str, arguments), "--inline", "--workers", "2"]
    return [sys.executable, "-m", "tests.killed", str(kill), str(events), *map(str, arguments), "--inline", "--workers", "1"]


def run(*arguments: Any, kill: int | None = None, events: Path | None = None, **changed: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "WINNOW_TEST_STALE_S": str(STALE_S), **changed}
    made = command(*arguments, kill=kill, events=events)
    return subprocess.run(made, cwd=ROOT, capture_output=True, text=True, timeout=180, check=False, env=environment)


def shards(s3: Any, root: str) -> dict[str, str]:
    found = {}
    for folder in ("data", "rejected", "ledger"):
        for path in s3.find(f"{root}/{folder}"):
            found[f"{folder}/{path.rsplit('/', 1)[-1]}"] = hashlib.sha256(s3.cat_file(path)).hexdigest()
    return found


def main() -> None:
    import logging

    from moto.server import ThreadedMotoServer
    from werkzeug.serving import WSGIRequestHandler

    if len(sys.argv) > 1:
        log = open(sys.argv[1], "a", buffering=1)  # noqa: SIM115 (as long as the process)
        logging.getLogger("werkzeug").setLevel(logging.ERROR)

        def note(self: Any, *_: Any) -> None:
            print(self.command, self.path, file=log)

        WSGIRequestHandler.log_request = note  # type: ignore[method-assign]
        outages = Outages(_outage_of(Path(sys.argv[1])), lambda said: print("fault", said, file=log))
        answer = WSGIRequestHandler.run_wsgi
        WSGIRequestHandler.run_wsgi = lambda self: outages.met(self, lambda: answer(self))  # type: ignore[method-assign]
    if len(sys.argv) > 2:
        from moto.s3 import models

        ahead, now = timedelta(seconds=int(sys.argv[2])), models.utcnow
        models.utcnow = lambda: now() + ahead
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    import boto3

    boto3.client(
        "s3",
        endpoint_url=f"http://{host}:{port}",
        aws_access_key_id="test",
        aws_secret_access_key="not-a-secret",
        region_name="us-east-1",
    ).create_bucket(Bucket=BUCKET)
    print(f"http://{host}:{port}", flush=True)
    import signal

    signal.pause()


if __name__ == "__main__":
    main()
