"""One S3 server for each module of tests that asks for it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest

from tests.store.s3 import Server, served


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with served(tmp_path_factory.mktemp("s3")) as running:
        yield running


@pytest.fixture(scope="module")
def s3(server: Server) -> Any:
    import fsspec

    before = dict(os.environ)
    os.environ.update(server.environment)
    yield fsspec.filesystem("s3", use_listings_cache=False, skip_instance_cache=True)
    os.environ.clear()
    os.environ.update(before)
