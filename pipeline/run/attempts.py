"""CPU time of attempts that published nothing: killed, failed or refused ones are part of what a curation cost.

Each run writes its CPU seconds to a file of its own in the work directory every few seconds, so that a kill loses at most
those; the run that publishes counts what it finds and removes it. Runs that found nothing new leave nothing.
"""

from __future__ import annotations

import contextlib
import json
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import psutil

from pipeline.errors import Damaged, WinnowError
from pipeline.machine.meter import Phases
from pipeline.store.store import Store

FOLDER = "attempts"
EVERY_S = 5.0
"""Seconds between two notes: what of a killed attempt is not counted."""


def lost_cpu_s(work: Store, own: str) -> float:
    """CPU seconds of the attempts that ended before without publishing, but for those whose names begin with `own`: this one,
    and earlier ones of its process where all that the process used is counted."""
    return sum(_seconds(work, name) for name in work.names(FOLDER) if not name.startswith(own))


def _seconds(work: Store, name: str) -> float:
    """Seconds of an attempt; 0 where its note is damaged, since a run must not fail for another one's costs."""
    try:
        return float(work.read_json(f"{FOLDER}/{name}")["cpu_s"])
    except (Damaged, TypeError, KeyError, ValueError):
        return 0.0


def clear(work: Store) -> None:
    """A generation was published: what it cost is in its metrics."""
    work.remove(FOLDER)


@contextmanager
def noted(work: Store, phases: Phases, *, own_process: bool = False) -> Iterator[str]:
    """Keep this attempt's CPU seconds in the work directory while the block runs; yields what `lost_cpu_s` calls its own.

    With `own_process` all that the process used is counted. The file stays where the block ends with an error.
    """
    process = f"{os.getpid()}-{psutil.Process().create_time():.2f}-"  # numbers of processes are used again
    name = f"{process}{time.time_ns()}.json"
    stop = threading.Event()

    def write() -> None:
        spent = {"cpu_s": phases.so_far}
        work.write_bytes(f"{FOLDER}/{name}", json.dumps(spent).encode())

    def keep() -> None:
        while not stop.wait(EVERY_S):
            with contextlib.suppress(OSError, WinnowError):  # a store that does not answer: the run itself will say so
                write()

    thread = threading.Thread(target=keep, daemon=True, name="attempt")
    thread.start()
    done = False
    try:
        yield process if own_process else name
        done = True
    finally:
        stop.set()
        thread.join()
        if done:
            work.remove(f"{FOLDER}/{name}")
        else:
            with contextlib.suppress(OSError, WinnowError):  # the error that ends the run is the one to tell
                write()
