"""Fixtures of all tests. The sample is curated once a session."""

from __future__ import annotations

import os
from pathlib import Path

import hypothesis
import pytest

from tests.chromium import browser  # noqa: F401 (a fixture)

hypothesis.settings.register_profile("winnow", deadline=None)  # the first example of a kernel compiles it
hypothesis.settings.load_profile("winnow")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("POLARS_MAX_THREADS", "2")


@pytest.fixture(scope="session")
def curated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample, curated by the default command."""
    from tests.support import SAMPLE, curate

    out = tmp_path_factory.mktemp("sample") / "curated"
    curate(SAMPLE / "plan.yaml", "--input", SAMPLE / "input", "--output", out)
    return out
