"""An S3-compatible server in a process of its own, on loopback: moto, which honours `If-None-Match: *` of PUT and of the end of a
multi-part upload. Its answers are held to that by `test_s3.py`.

    python -m tests.store.s3 [FILE]     serves until killed; prints its URL, and writes each request's line to FILE
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support import ROOT

BUCKET = "corpora"


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
        return [line for line in self.log.read_text().splitlines() if line]


@contextlib.contextmanager
def served(folder: Path) -> Iterator[Server]:
    """The server with an empty bucket. Skips the test where s3fs or moto is not installed."""
    for module in ("s3fs", "moto"):
        pytest.importorskip(module, reason="needs s3fs and moto: `make test-all` runs it in an environment that has them")
    log = folder / "requests.log"
    log.touch()
    command = [sys.executable, "-m", "tests.store.s3", str(log)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield Server(process.stdout.readline().strip(), log)
        finally:
            process.kill()


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
