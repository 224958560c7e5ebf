"""A plugin for tests: drops nothing, but kills its process, or is slow, where a file in the folder WINNOW_TRAP says so.

`kill` is taken by the first process that sees it; `slow` is there for all. Two texts at a time, which is how filters are tried
out, are left alone. `kill-dedup STEP` is taken by the first process whose job of dedup of that step has made its first row, and
not handed it on.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from filters.contract import Filter, NoParams, Rule, Settings, TextBatch, Tier
from pipeline.run.cluster import tasks
from pipeline.stages.dedup import steps


class Thresholds(Settings):
    pass


SIGNALS = pa.schema([pa.field("trap_letters", pa.int32(), nullable=False)])


def annotate(batch: TextBatch, needed: pa.RecordBatch, params: NoParams, loaded: None) -> pa.RecordBatch:
    texts = batch.text.to_pylist()
    folder = os.environ.get("WINNOW_TRAP")
    if folder is not None and len(texts) > 2:
        (Path(folder) / f"seen-{os.getpid()}-{time.time_ns()}").touch()
        if (Path(folder) / "slow").exists():
            time.sleep(0.5)
        _die(Path(folder), "kill")
    return pa.RecordBatch.from_arrays([pa.array([len(text) for text in texts], pa.int32())], schema=SIGNALS)


def _die(folder: Path, name: str) -> None:
    """If that file is there."""
    try:
        os.rename(folder / name, folder / "killed")
    except FileNotFoundError:
        return
    os.kill(os.getpid(), signal.SIGKILL)


def _carry_out(worker: steps.Worker, job: steps.Job) -> None:
    step: Any = job.rows

    def rows(worker: steps.Worker) -> Iterator[Any]:
        made: Iterable[Any] = step(worker)
        for row in made:
            _die(Path(os.environ["WINNOW_TRAP"]), f"kill-dedup {step.func.__name__}")
            yield row

    steps.carry_out(worker, replace(job, rows=rows))


if "WINNOW_TRAP" in os.environ:
    tasks.carry_out = _carry_out


def rules(params: NoParams, thresholds: Thresholds) -> list[Rule]:
    return [Rule(reason="never", signal="trap_letters", fails="<", limit=0, keys=())]


FILTER = Filter(
    name="trap",
    version=1,
    tier=Tier.CHEAP,
    reads="final",
    signals=SIGNALS,
    thresholds=Thresholds,
    annotate=annotate,
    rules=rules,
)
