"""Runs in processes, several at a time on the CPU: threads of one process would share the interpreter's lock."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Sequence
from concurrent.futures import Future, wait
from pathlib import Path

from pipeline.errors import RunFailed, UsageError
from pipeline.machine.events import Event, OnEvent
from pipeline.savings.tiers.neural import train
from pipeline.savings.tiers.neural import workers as processes
from pipeline.savings.tiers.neural.train import Job

EVERY_S = 5.0
"""Seconds between two lines of progress."""


def device_of(tier: str) -> str:
    """Where the runs of a tier compute. Raises UsageError where it is not there."""
    import torch

    if tier == "cpu":
        return "cpu"
    if not torch.cuda.is_available():
        raise UsageError("--tier gpu: torch sees no CUDA device on this machine; --tier cpu measures the same on the processor")
    return "cuda"


def run_all(jobs: Sequence[Job], *, workers: int, minutes: float | None, on_event: OnEvent) -> None:
    """Train what is not finished. Raises RunFailed where `minutes` are over first: the same command goes on.

    A worker is a process, with one thread on the CPU; a GPU has one worker.
    """
    left = [job for job in jobs if not (Path(job.folder) / "result.npz").is_file()]
    if not left:
        return
    on_cpu = left[0].device == "cpu"
    if on_cpu:
        os.environ.setdefault("OMP_NUM_THREADS", "1")
    begun = time.monotonic()
    deadline = None if minutes is None else begun + 60 * minutes
    on_event(Event("begin", "proxy", total=len(left)))
    with processes.pool(min(workers, len(left)) if on_cpu else 1) as pool:
        futures = [pool.submit(train.train_job, job, deadline) for job in left]
        pending: set[Future[bool]] = set(futures)
        while pending and not any(future.done() and future.exception() for future in futures):
            _, pending = wait(pending, timeout=EVERY_S)
            on_event(Event("note", "proxy", note=_progress(left, time.monotonic() - begun)))
        finished = [future.result() for future in futures]
    on_event(Event("end", "proxy"))
    if not all(finished):
        done = sum(finished) + len(jobs) - len(left)
        raise RunFailed(f"{minutes:g} minutes are over with {done} of {len(jobs)} runs done; the same command goes on")


def _progress(jobs: Sequence[Job], passed: float) -> str:
    cards = [_card(job) for job in jobs]
    share = sum(card["step"] / card["of"] for card in cards if card) / len(jobs)
    running = [f"loss {card['loss']:.2f} at step {card['step']:,}" for card in cards if card and card["step"] < card["of"]]
    left = f", about {passed * (1 - share) / share:.0f} s left" if 0 < share < 1 else ""
    done = sum(bool(card) and card["step"] == card["of"] for card in cards)
    return f"{done} of {len(jobs)} runs done{', ' if running else ''}{'; '.join(running)}{left}"


def _card(job: Job) -> dict[str, float]:
    path = Path(job.folder) / "progress.json"
    found: dict[str, float] = json.loads(path.read_text()) if path.is_file() else {}
    return found
