"""Options and result of a run, for code that starts runs."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.records.metrics_json import Metrics

RUNNERS = ("local", "dask", "ray")
"""Where the tasks of a run may be carried out."""
DEFAULT_MEMORY = 2_000_000_000
"""Bytes that a run may hold where it is not told otherwise: chosen so that a laptop has room for other things."""


@dataclass(frozen=True)
class RunOptions:
    """How a run is carried out. Changes no byte and is in no hash. `own_process`: this process was started for the run, so its
    start and end are part of what the run costs."""

    output: str
    work: str | None = None
    workers: int = 2
    replace: bool = False
    fresh: bool = False
    clean: bool = False
    accept: bool = False
    memory: int = DEFAULT_MEMORY
    retries: int = 2
    runner: str = "local"
    runner_address: str | None = None
    unlocked: bool = False
    own_process: bool = False


@dataclass(frozen=True)
class Result:
    """`generation` is None where nothing was new."""

    out: str
    generation: int | None
    metrics: Metrics
    notes: tuple[str, ...]
