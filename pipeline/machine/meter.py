"""CPU seconds per stage of a run: what metrics.json says of its cost."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass
class Meter:
    """CPU seconds per stage: of the process where one worker runs (exact), else of this thread (estimated)."""

    clock: Callable[[], float] = time.thread_time
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def measure(self, stage: str) -> Iterator[None]:
        start = self.clock()
        yield
        self.seconds[stage] = self.seconds.get(stage, 0.0) + self.clock() - start
