"""A plugin for tests: drops nothing, but kills its process, or is slow, where a file in the folder WINNOW_TRAP says so.

`kill` is taken by the first process that sees it; `slow` is there for all. Two texts at a time, which is how filters are tried
out, are left alone.
"""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pyarrow as pa

from filters.contract import Filter, NoParams, Rule, Settings, TextBatch, Tier


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
        try:
            os.rename(Path(folder) / "kill", Path(folder) / "killed")
            os.kill(os.getpid(), signal.SIGKILL)
        except FileNotFoundError:
            pass
    return pa.RecordBatch.from_arrays([pa.array([len(text) for text in texts], pa.int32())], schema=SIGNALS)


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
