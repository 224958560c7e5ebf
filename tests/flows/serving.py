"""Commands of Prefect and of `flows.deploy` as a user runs them: processes of their own, against a real server."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

SLOW_FILTER = '''
"""Waits, and says for which batch it did: what is worked on twice stands in the log twice."""

import os
import time

import pyarrow as pa
from pydantic import Field

from filters.contract import Filter, Rule, Settings, TextBatch, Tier


class Params(Settings):
    seconds: float = Field(1, ge=0, description="how long a batch takes")


class Thresholds(Settings):
    max_waited: float = Field(1, description="never reached")


SIGNALS = pa.schema([pa.field("waited", pa.float32(), nullable=False)])


def annotate(batch: TextBatch, needed: pa.RecordBatch, params: Params, loaded: None) -> pa.RecordBatch:
    texts = batch.text.to_pylist()
    if params.seconds and "PATIENCE_LOG" in os.environ:
        with open(os.environ["PATIENCE_LOG"], "a") as log:
            log.write(texts[0][:20] + "\\n")
        time.sleep(params.seconds)
    return pa.RecordBatch.from_arrays([pa.array([0.0] * len(texts), pa.float32())], schema=SIGNALS)


def rules(params: Params, thresholds: Thresholds) -> list[Rule]:
    return [Rule(reason="waited", signal="waited", fails=">", limit=thresholds.max_waited, keys=("max_waited",))]


FILTER = Filter(
    name="patience", version=1, tier=Tier.CHEAP, reads="final", params=Params, signals=SIGNALS,
    thresholds=Thresholds, annotate=annotate, rules=rules,
)
'''
"""A plugin: a module `patience` with a filter of that name."""

PREFECT = str(Path(sys.executable).parent / "prefect")


@dataclass(frozen=True)
class Nightly:
    """A folder with the sample and prefect.yaml, and an environment that names a real server."""

    folder: Path
    environment: dict[str, str]

    @property
    def api(self) -> str:
        return self.environment["PREFECT_API_URL"]

    def prefect(self, arguments: str, *, code: int = 0) -> str:
        """What the command `prefect` says, on one line."""
        command = [PREFECT, *arguments.split()]
        ran = subprocess.run(
            command, cwd=self.folder, env=self.environment, capture_output=True, text=True, timeout=240, check=False
        )
        assert ran.returncode == code, ran.stdout + ran.stderr
        return re.sub(r"\s+", " ", ran.stdout + ran.stderr)

    def running(self, *command: str, until: Callable[[str], bool], **environment: str) -> Any:
        return running(*command, environment=self.environment | environment, folder=self.folder, until=until)

    def serving(self, *arguments: str, **environment: str) -> Any:
        """`flows.deploy` with these arguments, while the block runs."""
        command = (sys.executable, "-m", "flows.deploy", *arguments)
        return self.running(*command, until=lambda log: "being served" in log, **environment)

    def newest(self, what: str, **filters: Any) -> list[dict[str, Any]]:
        """Flow runs that began, or artifacts; the newest first."""
        asked: dict[str, Any] = {"sort": "CREATED_DESC"}
        if what == "flow_runs":
            begun = {"type": {"not_any_": ["SCHEDULED"]}}
            asked = {"sort": "START_TIME_DESC", "flow_runs": {"state": begun}}
        return httpx.post(f"{self.api}/{what}/filter", json={"limit": 50, **asked, **filters}).json()

    def artifacts(self, flow_run: str) -> dict[str, Any]:
        """Key (without its prefix) → data, of a flow run."""
        found = self.newest("artifacts", artifacts={"flow_run_id": {"any_": [flow_run]}})
        return {item["key"].removeprefix("winnow-curate-"): item["data"] for item in found if item["key"]}


@contextmanager
def running(*command: str, environment: dict[str, str], folder: Path, until: Callable[[str], bool]) -> Iterator[Path]:
    """A command in the background with its output in a file; waits until `until(output)`, ends it by SIGINT."""
    log = folder / f"{time.monotonic_ns()}.log"
    with open(log, "wb") as out:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=out, stderr=subprocess.STDOUT)
        try:
            give_up = time.monotonic() + 120
            while not until(log.read_text()):
                assert process.poll() is None and time.monotonic() < give_up, log.read_text()
                time.sleep(0.3)
            yield log
        finally:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def healthy(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health").status_code == 200
    except httpx.TransportError:
        return False
