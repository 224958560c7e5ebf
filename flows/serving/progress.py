"""How far a run is, as a progress artifact of its flow run.

Invariant: it costs the stages nothing and cannot fail them. Events only move a number; a thread of its own sends it, at most
every `EVERY_S` seconds, and a server that is gone is tried again later and waited for at most `LAST_S` seconds at the end.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import copy_context
from typing import Any
from uuid import UUID

from prefect.artifacts import create_progress_artifact
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import ArtifactUpdate

from flows.terminal.progress import LABELS
from pipeline.machine.events import Event, OnEvent

EVERY_S = 2.0
LAST_S = 2.0
KEY = "winnow-curate-progress"
PARTS = {"scan": (0, 5), "annotate": (5, 70), "dedup": (70, 85), "write": (85, 97), "publish": (97, 100)}
"""Per cent at which a stage begins and ends: about their shares of the time of `make bench`."""


class Progress:
    """Takes events; `percent` and `doing` say how far the run is."""

    def __init__(self) -> None:
        self.percent, self.doing = 0.0, "starting"
        self._lock = threading.Lock()
        self._total: dict[str, int] = {}
        self._done: dict[str, int] = {}

    def __call__(self, event: Event) -> None:
        if event.stage not in PARTS:
            return
        begin, end = PARTS[event.stage]
        with self._lock:
            if event.kind == "begin":
                self._total[event.stage], self._done[event.stage] = event.total or 0, 0
                self.doing = LABELS[event.stage]
            elif event.kind == "advance" and self._total.get(event.stage):
                self._done[event.stage] += event.steps
            share = min(1.0, self._done.get(event.stage, 0) / max(1, self._total.get(event.stage, 0)))
            at = end if event.kind == "end" else begin + (end - begin) * share
            self.percent = max(self.percent, float(at))


def both(one: OnEvent, other: OnEvent) -> OnEvent:
    """Events go to both."""

    def on_event(event: Event) -> None:
        one(event)
        other(event)

    return on_event


@contextmanager
def progress_bars(progress: Progress) -> Iterator[None]:
    """Within a flow run: its progress artifact follows `progress` until the block ends."""
    artifact = _created(progress)
    ended = threading.Event()
    context = copy_context()  # Prefect's settings, which name the server, are the context's
    thread = threading.Thread(target=lambda: context.run(_send, artifact, progress, ended), daemon=True, name="progress")
    thread.start()
    try:
        yield
        progress.percent, progress.doing = 100.0, "done"
    finally:
        ended.set()
        thread.join(LAST_S)


def _created(progress: Progress) -> UUID | None:
    """None where the server does not take it."""
    with suppress(Exception):
        made = create_progress_artifact(progress.percent, key=KEY, description=progress.doing)
        return made if isinstance(made, UUID) else None
    return None


def _send(artifact: UUID | None, progress: Progress, ended: threading.Event) -> None:
    sent: tuple[float, str] | None = None
    if artifact is None:
        return
    with suppress(Exception), get_client(sync_client=True) as client:
        last = False
        while not last:
            last = ended.wait(EVERY_S)
            now = (round(progress.percent, 1), progress.doing)
            if now != sent and _sent(client, artifact, now):
                sent = now


def _sent(client: Any, artifact: UUID, now: tuple[float, str]) -> bool:
    try:
        client.update_artifact(artifact, ArtifactUpdate(data=now[0], description=now[1]))
    except Exception:
        return False
    return True
