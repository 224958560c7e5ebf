"""CPU seconds of tasks in processes elsewhere, told with their results.

Invariant: a second is told once, however many tasks a process has at a time: a task tells what its process, and the children of
that, used since a task last began or ended there; the first one, since this module was imported, which is before the stages are.
What a process uses between tasks, and what a task had used whose worker died or that failed, nobody tells.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache, partial
from typing import Any

from pipeline.machine import resources
from pipeline.machine.schedule import Mapper


@dataclass(frozen=True)
class Told:
    """What a task has made, and the CPU seconds that it tells."""

    result: Any
    cpu_s: float


_IMPORTED_S = resources.tree_cpu_s()


@dataclass
class _Process:
    """`at`: CPU seconds of this process that were told, or that no task used. `tasks`: that go on; None before the first."""

    at: float = _IMPORTED_S
    tasks: int | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)

    def begin(self) -> None:
        with self.lock:
            if self.tasks == 0:
                self.at = resources.tree_cpu_s()
            self.tasks = (self.tasks or 0) + 1

    def end(self) -> float:
        with self.lock:
            self.tasks = (self.tasks or 1) - 1
            before, self.at = self.at, resources.tree_cpu_s()
            return self.at - before


@lru_cache(maxsize=1)
def _process() -> _Process:
    return _Process()


def telling(function: Callable[[Any], Any], item: Any) -> Told:
    """A task, in the process that carries it out."""
    process, used = _process(), 0.0
    process.begin()
    try:
        result = function(item)
    finally:
        used = process.end()
    return Told(result, used)


def counted(mapper: Mapper, add: Callable[[str, float], None]) -> Mapper:
    """The mapper of a cluster elsewhere; `add(phase, seconds)` gets what its tasks tell."""

    def run(
        stage: str,
        function: Callable[[Any], Any],
        items: Sequence[Any],
        *,
        stop: Callable[[], None] = lambda: None,
        done: Callable[[Any, Any], None] | None = None,
    ) -> list[Any]:
        def one(item: Any, told: Told) -> None:
            add(stage.partition(" ")[0], told.cpu_s)
            if done is not None:
                done(item, told.result)

        return [told.result for told in mapper(stage, partial(telling, function), items, stop=stop, done=one)]

    return run
