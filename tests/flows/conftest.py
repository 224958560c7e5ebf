"""One Prefect server for all tests of a session: it takes seconds to start."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from flows.server import Temporary, temporary


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
