"""What the run costs: CPU seconds and resident memory of the whole process tree."""

from __future__ import annotations

import contextlib
import os
import threading
from dataclasses import dataclass, field

import psutil


def tree_cpu_s() -> float:
    """User and system CPU seconds of this process, its living children and those that it has reaped."""
    times = os.times()
    total = times.user + times.system + times.children_user + times.children_system
    for child in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):
            used = child.cpu_times()
            total += used.user + used.system
    return total


def tree_rss() -> int:
    """Resident bytes of this process and its children."""
    process = psutil.Process()
    total = 0
    for item in (process, *process.children(recursive=True)):
        with contextlib.suppress(psutil.Error):
            total += item.memory_info().rss
    return total


@dataclass
class PeakMemory:
    """Peak of `tree_rss`, sampled four times a second while the block runs."""

    peak: int = 0
    _stop: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> PeakMemory:
        self._thread = threading.Thread(target=self._sample, daemon=True, name="peak-memory")
        self._thread.start()
        return self

    def _sample(self) -> None:
        while not self._stop.is_set():
            self.peak = max(self.peak, tree_rss())
            self._stop.wait(0.25)

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        self.peak = max(self.peak, tree_rss())
