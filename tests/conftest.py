"""Fixtures of all tests; how thoroughly hypothesis looks; what one process of pytest-xdist runs as a whole.

Profiles of hypothesis: `dev` (make test), `ci` (.ci/run), `nightly` (make test-all); HYPOTHESIS_PROFILE names one.
"""

from __future__ import annotations

import gc
import os
from pathlib import Path
from typing import Any

import hypothesis
import pytest

from tests.chromium import browser  # noqa: F401 (a fixture)
from tests.once import made_once
from tests.real_run import everything, nothing  # noqa: F401 (fixtures)
from tests.support import SAMPLE, curate

PROFILES = {"dev": 60, "ci": 60, "nightly": 500}
"""Examples of a test that asks for no share of its own (`support.examples`). `make mutants` runs with 60. In `ci` they are the
same ones each time, so that what fails there fails again."""

for _name, _examples in PROFILES.items():  # no deadline: the first example of a kernel compiles it
    hypothesis.settings.register_profile(_name, deadline=None, max_examples=_examples, derandomize=_name == "ci")
gc.set_threshold(
    50_000, 20, 50
)  # thousands of tests leave little to collect: a full collection of what libraries hold takes 0.1 s
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "dev"))
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("POLARS_MAX_THREADS", "2")


def pytest_sessionstart(session: pytest.Session) -> None:
    """Compile or load the kernels before processes of pytest-xdist start, each of which would compile its own."""
    if session.config.getoption("numprocesses", None):
        from filters.kernels import warm

        warm.warm()


def pytest_collection_finish() -> None:
    """What modules and tests hold stays: a collection of garbage need not look at it."""
    gc.freeze()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """A file's tests run in one process, which makes its fixtures once; all of tests/flows, which share a Prefect server, too."""
    from xdist.scheduler import LoadScopeScheduling

    class Files(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = nodeid.partition("::")[0]
            return "flows" if "flows" in Path(file).parts else file

    return Files(config, log)


@pytest.fixture(scope="session", autouse=True)
def prefect_home(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Runs under Prefect that tests begin leave their history here, and not with the user's."""
    os.environ["PREFECT_HOME"] = str(tmp_path_factory.mktemp("prefect"))


@pytest.fixture(scope="session")
def curated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample, curated by the default command. Not to be changed: tests that change an output copy it."""
    return _sample(tmp_path_factory, "sample")


@pytest.fixture(scope="session")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample with signals/. Not to be changed."""
    return _sample(tmp_path_factory, "measured", "--set", "output.signals=true")


@pytest.fixture(scope="session")
def cut_small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same rows in many units, by one worker. Not to be changed."""
    many = ("--set", "output.signals=true", "--set", "source.unit_bytes=20kB")
    return _sample(tmp_path_factory, "cut-small", *many, workers=1)


def _sample(tmp_path_factory: pytest.TempPathFactory, name: str, *more: str, workers: int = 2) -> Path:
    def make(folder: Path) -> None:
        curate(SAMPLE / "plan.yaml", "--input", SAMPLE / "input", "--output", folder / "curated", *more, workers=workers)

    return made_once(tmp_path_factory, name, make) / "curated"
