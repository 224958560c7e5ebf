"""The threads of a process that work on units, and how many units memory has room for."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from pipeline.errors import UsageError
from pipeline.machine import schedule
from pipeline.machine.schedule import Stopped
from pipeline.machine.turns import Turns
from pipeline.read.child.decoder import MEMORY_BYTES
from pipeline.read.room import BATCHES_BYTES, Room
from pipeline.text import numbers


@dataclass(frozen=True)
class Budget:
    """How a process shares its memory out: `units` that may be in memory at a time, bytes that a decoder may take `beside` them,
    and `alone`; `enough`: a budget with which the latter is all that a run may have."""

    units: int
    beside: int = MEMORY_BYTES
    alone: int = MEMORY_BYTES
    enough: int = 0


class Workers:
    """A pool of threads for one process, which share a budget; by default one unit more than there are threads may be in memory.
    `alone`: it has the process to itself. `at_end()` is called once the threads have ended."""

    def __init__(
        self, count: int, *, budget: Budget | None = None, alone: bool = True, at_end: Callable[[], None] = lambda: None
    ) -> None:
        self.count, self._alone, self._at_end = count, alone, at_end
        budget = budget or Budget(count + 1)
        self._pool = ThreadPoolExecutor(count, thread_name_prefix="unit")
        self._slots = threading.Semaphore(min(count + 1, budget.units))
        self._turns = Turns()
        self.room = Room(budget.beside, budget.alone, budget.enough, self._turns.alone)
        self._stopping = threading.Event()

    def stop(self) -> None:
        """Take no more work: what is asked for from now on raises Stopped."""
        self._stopping.set()

    def submit(self, function: Callable[..., Any], *args: Any) -> Future[Any]:
        """Run `function` on the pool; waits while too many units are in memory."""
        self._slots.acquire()
        if self._stopping.is_set():
            self._slots.release()
            raise Stopped
        future = self._pool.submit(self._turns.work, function, *args)
        future.add_done_callback(lambda _: self._slots.release())
        return future

    def map(self, function: Callable[[Any], Any], items: Sequence[Any]) -> list[Any]:
        """Results in order; the first error is raised once the others have stopped."""
        threads = schedule.of_pool(self.submit)
        return schedule.gather(threads, (threads.submit(function, item) for item in items))

    def each(self, function: Callable[[Any], Any], items: Sequence[Any]) -> Iterator[Any]:
        """The same, where results are large: few of them are held at a time."""
        some = 8 * self.count
        for start in range(0, len(items), some):
            yield from self.map(function, items[start : start + some])

    def gather(self, futures: Iterable[Future[Any]]) -> list[Any]:
        """The same for futures of `submit`, which an iterator may submit."""
        return schedule.gather(schedule.of_pool(self.submit), futures)

    def clock(self) -> Callable[[], float]:
        return time.process_time if self.count == 1 and self._alone else time.thread_time

    def close(self) -> None:
        self.stop()
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._at_end()


BASE_BYTES = 300_000_000
"""What a run holds before it has read a row: interpreter, libraries and compiled kernels; measured with `minimal`."""


UNIT_FACTOR = 4.5
"""What a unit takes while it is worked on, in sizes of a unit: measured over `throughput` with units of 64 MB."""


def least_memory(unit_bytes: int) -> int:
    """The smallest `--memory` with which a run can work on units of so many bytes, those of the largest of its sources."""
    return BASE_BYTES + int(UNIT_FACTOR * unit_bytes)


def enough_memory(unit_bytes: int) -> int:
    """A `--memory` with which there is room, too, for all that a run may take to decode a page of Parquet."""
    return least_memory(unit_bytes) + MEMORY_BYTES


def budget(memory: int, unit_bytes: int, *, threads: int) -> Budget:
    """How `--memory` is shared out. Raises UsageError where it has no room for a unit."""
    least = least_memory(unit_bytes)
    if memory <= BASE_BYTES:
        raise UsageError(
            f"--memory {numbers.size(memory)}: a run takes {numbers.size(BASE_BYTES)} before it has read a row; allow"
            f" {numbers.size(least)} for units of {numbers.size(unit_bytes)}"
        )
    if memory < least:
        raise UsageError(
            f"--memory {numbers.size(memory)}: a unit of {numbers.size(unit_bytes)} needs {numbers.size(least)}; allow more, or"
            " lower source.unit_bytes"
        )
    each = least - BASE_BYTES
    units = min(threads + 1, (memory - BASE_BYTES) // each)
    beside = min(max((memory - BASE_BYTES - units * each) // threads, BATCHES_BYTES), MEMORY_BYTES)
    alone = min(max(memory - least, beside), MEMORY_BYTES)
    return Budget(units, beside, alone, enough_memory(unit_bytes))


@contextmanager
def workers(
    count: int, *, budget: Budget | None = None, alone: bool = True, at_end: Callable[[], None] = lambda: None
) -> Iterator[Workers]:
    """A pool that is closed behind the block."""
    pool = Workers(count, budget=budget, alone=alone, at_end=at_end)
    try:
        yield pool
    finally:
        pool.close()
