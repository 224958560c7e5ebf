"""Progress and messages on stderr: bars on a terminal, plain lines elsewhere. What comes from input is escaped."""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TextIO

from pipeline.machine.events import Event
from pipeline.text import numbers
from pipeline.text.visible import visible_lines

if TYPE_CHECKING:
    from pipeline.run.options import Result

LABELS = {
    "compile": "compiling kernels (some 15 s, once per release)",  # or what the event says that it does
    "scan": "hashing inputs",
    "annotate": "reading, scoring, deciding",
    "dedup": "finding duplicates",
    "write": "writing shards",
    "tokenise": "tokenising and sorting",
    "export": "writing the export",
    "publish": "publishing",
    "arms": "gathering arms and held-out sets",
    "savings": "small models",
    "prefect": "Prefect",
}
EVERY_S = 5.0
"""Seconds between plain lines of one stage; chosen so that a log of an hour stays readable."""

TELLS_FROM = 0.05
"""Share of a stage that is done before the time left is said: a file counts once all of it was read, so that after a tiny one
days would be said where seconds are left."""


@dataclass
class _Stage:
    """What is known of a stage that goes on."""

    total: int | None
    label: str
    start: float = field(default_factory=time.monotonic)
    last: float = field(default_factory=time.monotonic)
    documents: int = 0
    n_bytes: int = 0
    steps: int = 0

    @classmethod
    def begun(cls, event: Event) -> _Stage:
        """Called by what the event says that is done, where it does."""
        return cls(event.total, event.note or LABELS.get(event.stage, event.stage))

    def add(self, event: Event) -> None:
        self.documents += event.documents
        self.n_bytes += event.n_bytes
        self.steps += event.steps

    @property
    def passed(self) -> float:
        return max(1e-6, time.monotonic() - self.start)

    def rates(self) -> str:
        if not self.documents:
            return ""
        return f" ({numbers.count(self.documents / self.passed)} documents/s, {numbers.size(self.n_bytes / self.passed)}/s)"

    def so_far(self) -> str:
        left = ""
        share = min(1.0, self.steps / self.total) if self.total else 0.0
        if TELLS_FROM <= share < 1:
            left = f", about {numbers.seconds(self.passed * (1 - share) / share)} left"
        if not self.documents:
            return f"{numbers.count(self.steps)} of {numbers.counted(self.total or 0, 'file')}{left}"
        return f"{numbers.counted(self.documents, 'document')}, {numbers.size(self.n_bytes)}{self.rates()}{left}"


class Lines:
    """Shows events as lines: one when a stage begins and ends, one every `EVERY_S` seconds between."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._lock = threading.Lock()
        self._origin = time.monotonic()
        self._stages: dict[str, _Stage] = {}

    def __call__(self, event: Event) -> None:
        with self._lock:
            stage = self._stages.get(event.stage)
            if event.kind == "begin":
                self._stages[event.stage] = stage = _Stage.begun(event)
                counted = event.stage in ("scan", "write") and event.total is not None
                self._line(stage.label, numbers.counted(event.total, "file") if counted else "…")
            elif event.kind == "advance" and stage is not None:
                stage.add(event)
                if time.monotonic() - stage.last >= EVERY_S:
                    stage.last = time.monotonic()
                    self._line(stage.label, stage.so_far())
            elif event.kind == "end" and stage is not None:
                self._line(stage.label, f"done in {stage.passed:.1f} s{stage.rates()}")
            elif event.note:
                self._line(LABELS.get(event.stage, event.stage), event.note)

    def _line(self, label: str, text: str) -> None:
        at = time.monotonic() - self._origin
        print(f"{at:6.1f} s  {label}: {visible_lines(text)}", file=self._stream, flush=True)

    def close(self) -> None:
        """Nothing to put back."""


class Json:
    """Shows events as JSON, one object a line: when, what happened, stage, span, name, generation, and what was counted."""

    def __init__(self, stream: TextIO) -> None:
        self._stream, self._lock = stream, threading.Lock()
        self._stage: str | None = None
        self._generation: int | None = None

    def __call__(self, event: Event) -> None:
        if event.kind in ("begin", "end"):
            self._stage = event.stage if event.kind == "begin" else None
        self._generation = event.generation if event.generation is not None else self._generation
        shown: dict[str, object] = {
            "event": event.kind,
            "stage": event.stage,
            "span": event.span or None,
            "name": event.name or None,
        }
        shown["generation"] = event.generation
        counted = {"total": event.total, "documents": event.documents, "bytes": event.n_bytes, "note": event.note}
        self.line(**shown, **{name: value for name, value in counted.items() if value})

    def result(self, result: Result) -> None:
        """A run's notes, and that it is done, with the totals of its metrics."""
        for note in result.notes:
            self.line(event="note", stage="run", generation=result.generation, note=note)
        self.line(
            event="done", stage="run", output=result.out, generation=result.generation, **result.metrics.totals.model_dump()
        )

    def failed(self, message: str, exit_code: int) -> None:
        """Why a run ended, and the stage and generation in which it did, where it had come that far."""
        self.line(event="failed", stage=self._stage, generation=self._generation, exit_code=exit_code, message=message)

    def line(self, **fields: object) -> None:
        """ASCII only: whatever names hold, a line is a line, and a terminal shows it as it is."""
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        with self._lock:
            print(json.dumps({"time": now, **fields}), file=self._stream, flush=True)

    def close(self) -> None:
        """Nothing to put back."""


class Bars:
    """Shows events as bars of `rich`, one per stage."""

    def __init__(self, stream: TextIO) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn

        self._console = Console(file=stream, highlight=False, markup=False)
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(24),
            TextColumn("{task.fields[detail]}", markup=False),
            TimeElapsedColumn(),
            TimeRemainingColumn(compact=True),
            console=self._console,
        )
        self._progress.start()
        self._tasks: dict[str, int] = {}
        self._seen: dict[str, _Stage] = {}
        self._lock = threading.Lock()

    def __call__(self, event: Event) -> None:
        with self._lock:
            if event.kind == "begin":
                self._seen[event.stage] = seen = _Stage.begun(event)
                self._tasks[event.stage] = self._progress.add_task(seen.label, total=event.total, detail="")
            elif event.kind == "advance" and event.stage in self._tasks:
                seen = self._seen[event.stage]
                seen.add(event)
                rate = numbers.size(seen.n_bytes / seen.passed)
                detail = f"{numbers.count(seen.documents)} docs  {rate}/s" if seen.documents else ""
                self._progress.update(self._tasks[event.stage], advance=event.steps, detail=detail)  # type: ignore[arg-type]
            elif event.kind == "end" and event.stage in self._tasks:
                self._progress.update(self._tasks[event.stage], total=1, completed=1)  # type: ignore[arg-type]
            elif event.kind in ("note", "wait"):
                self._console.print(visible_lines(event.note))

    def close(self) -> None:
        self._progress.stop()


def on_stderr() -> Lines | Bars:
    """Bars on an interactive terminal without `NO_COLOR`, lines elsewhere."""
    stream = sys.stderr
    if stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb":
        return Bars(stream)
    return Lines(stream)
