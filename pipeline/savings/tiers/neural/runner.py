"""Draws in processes, several at a time on the CPU: threads of one process would share the interpreter's lock."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from pathlib import Path

from pipeline.errors import RunFailed, UsageError
from pipeline.machine.events import Event, OnEvent
from pipeline.savings.tiers.neural import train
from pipeline.savings.tiers.neural import workers as processes
from pipeline.savings.tiers.neural.train import Job

LOOK_S = 2.0
"""Seconds between two looks at the draws."""
LINES = 15
"""Lines of progress of a measurement, about."""


class _Enough(Exception):
    """Ends the processes: what they are at is not needed."""


def device_of(tier: str) -> str:
    """Where the runs of a tier compute. Raises UsageError where it is not there."""
    import torch

    if tier == "cpu":
        return "cpu"
    if not torch.cuda.is_available():
        raise UsageError("--tier gpu: torch sees no CUDA device on this machine; --tier cpu measures the same on the processor")
    return "cuda"


def run_all(jobs: Sequence[Job], *, workers: int, minutes: float | None, enough: Callable[[int], bool], on_event: OnEvent) -> int:
    """Train what is not finished, in order, until `enough(n)` of the first n; returns n. Raises RunFailed where `minutes` are
    over first: the same command goes on.

    The first n are looked at however many are done beyond: so n does not depend on the workers. A worker is a process, with one
    thread on the CPU; a GPU has one worker.
    """
    first = _finished(jobs)
    for done in range(1, first + 1):
        if enough(done):
            return done
    if first == len(jobs):
        return first
    on_cpu = jobs[0].device == "cpu"
    if on_cpu:
        os.environ.setdefault("OMP_NUM_THREADS", "1")
    on_event(Event("begin", "savings", total=len(jobs)))
    with_ = min(workers, len(jobs) - first) if on_cpu else 1
    done = _in_processes(jobs, first, workers=with_, minutes=minutes, enough=enough, on_event=on_event)
    on_event(Event("end", "savings"))
    return done


def _in_processes(
    jobs: Sequence[Job], first: int, *, workers: int, minutes: float | None, enough: Callable[[int], bool], on_event: OnEvent
) -> int:
    begun = time.monotonic()
    deadline = None if minutes is None else begun + 60 * minutes
    told = _Told(jobs, on_event)
    left = [job for job in jobs[first:] if not _is_finished(job)]
    done = first
    try:
        with processes.pool(workers) as pool:
            pending: set[Future[bool]] = set()
            while pending or left:
                while left and len(pending) < workers:
                    pending.add(pool.submit(train.train_job, left.pop(0), deadline))
                ended, pending = wait(pending, timeout=LOOK_S, return_when=FIRST_COMPLETED)
                if not all(future.result() for future in ended):
                    raise RunFailed(
                        f"{minutes:g} minutes are over with {_finished(jobs)} of {len(jobs)} draws done; the same command goes on"
                    )
                told.look(time.monotonic() - begun)
                while done < _finished(jobs):
                    done += 1
                    if enough(done):
                        raise _Enough
    except _Enough:
        pass
    return done


def _is_finished(job: Job) -> bool:
    return (Path(job.folder) / "result.npz").is_file()


def _finished(jobs: Sequence[Job]) -> int:
    """How many of the first draws are done, without a gap."""
    return next((number for number, job in enumerate(jobs) if not _is_finished(job)), len(jobs))


class _Told:
    """Lines of progress at equal steps of the work. The time left is that of all draws, so an early end comes sooner."""

    def __init__(self, jobs: Sequence[Job], on_event: OnEvent) -> None:
        self._jobs, self._on_event = jobs, on_event
        self._begun = self._last = _share(jobs)

    def look(self, passed: float) -> None:
        share = _share(self._jobs)
        if share - self._last < 1 / LINES:
            return
        self._last = share
        left = passed * (1 - share) / (share - self._begun)
        done = sum(map(_is_finished, self._jobs))
        note = f"{done} of at most {len(self._jobs)} draws done, at most {max(1, round(left / 60))} min left"
        self._on_event(Event("note", "savings", note=note))


def _share(jobs: Sequence[Job]) -> float:
    return sum(1.0 if _is_finished(job) else _card(job).get("share", 0.0) for job in jobs) / len(jobs)


def _card(job: Job) -> dict[str, float]:
    path = Path(job.folder) / "progress.json"
    found: dict[str, float] = json.loads(path.read_text()) if path.is_file() else {}
    return found
