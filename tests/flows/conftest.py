"""One Prefect server for all tests of a session: it takes seconds to start. Slow tests have another, as a user starts it."""

from __future__ import annotations

import os
import shutil
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from flows.serving.server import Temporary, temporary
from tests.flows.serving import PREFECT, Nightly, healthy
from tests.support import ROOT, SAMPLE


@dataclass(frozen=True)
class Started:
    """A server; how long `start()` took, and whether it answered at once."""

    server: Temporary
    start_s: float
    ready_at_once: bool


@pytest.fixture(scope="session")
def started() -> Iterator[Started]:
    begin = time.monotonic()
    with temporary() as server:
        made = Started(server, time.monotonic() - begin, server.ready)
        server.wait()
        yield made


@pytest.fixture
def prefect_server(started: Started) -> Temporary:
    return started.server


@pytest.fixture(scope="session")
def nightly(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nightly]:
    """For slow tests: a server as a user starts it, and the sample beside prefect.yaml."""
    folder = tmp_path_factory.mktemp("nightly")
    shutil.copytree(SAMPLE, folder / "sample_data")
    shutil.copy(ROOT / "prefect.yaml", folder)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    url = f"http://127.0.0.1:{port}/api"
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("PREFECT_", "WINNOW_"))}
    environment = kept | {"PREFECT_API_URL": url, "PREFECT_HOME": str(folder / "home"), "DO_NOT_TRACK": "1", "PWD": str(folder)}
    environment |= {"PREFECT_SERVER_ANALYTICS_ENABLED": "0", "PREFECT_RUNNER_POLL_FREQUENCY": "2"}
    environment |= {"PYTHONPATH": f"{ROOT}:{folder}"}
    made = Nightly(folder, environment)
    with made.running(PREFECT, "server", "start", "--host", "127.0.0.1", "--port", port, until=lambda _: healthy(url)):
        yield made
