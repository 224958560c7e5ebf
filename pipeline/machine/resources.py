"""CPU seconds and resident memory of the whole process tree."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pyarrow as pa


def use_system_allocator() -> None:
    """Let Arrow take its memory from malloc, unless `ARROW_DEFAULT_MEMORY_POOL` names another pool.

    Arrow's default here, mimalloc, gives buffers of the size of a row group back at once and takes them anew: 0.24 of 5.83
    CPU-seconds of a run over 36 MB (`make bench B=tricks`). Over the 335 MB of tests/bench/throughput.py, `minimal` with one
    worker: 13.5 and a peak of 813 MB with it, 12.8 and 850 to 930 MB with malloc.
    """
    if "ARROW_DEFAULT_MEMORY_POOL" not in os.environ:
        pa.set_memory_pool(pa.system_memory_pool())


@dataclass(frozen=True)
class Cpu:
    """User and system CPU seconds of a process, and of all that it started."""

    own: float
    children: float

    @property
    def total(self) -> float:
        return self.own + self.children


def tree_cpu() -> Cpu:
    """Of this process since it began, with its imports; of its living descendants, and of those that it or they have reaped."""
    times = os.times()
    children = times.children_user + times.children_system
    for pid in _descendants(os.getpid()):
        with contextlib.suppress(psutil.Error):
            used = psutil.Process(pid).cpu_times()
            children += used.user + used.system + used.children_user + used.children_system
    return Cpu(times.user + times.system, children)


def tree_cpu_s() -> float:
    """The same as one number."""
    return tree_cpu().total


def process_age_s() -> float:
    """Seconds since this process began."""
    return time.time() - psutil.Process().create_time()


def tree_rss(pid: int | None = None) -> int:
    """Resident bytes of a process, this one by default, and its descendants."""
    pid = os.getpid() if pid is None else pid
    return sum(map(_rss, (pid, *_descendants(pid))))


def _descendants(pid: int) -> Iterator[int]:
    """From /proc: psutil looks at every process of the machine for that, 3 ms each time.

    It does where the kernel has no CONFIG_PROC_CHILDREN.
    """
    if not os.path.exists(f"/proc/self/task/{threading.get_native_id()}/children"):
        with contextlib.suppress(psutil.Error):
            yield from (child.pid for child in psutil.Process(pid).children(recursive=True))
        return
    with contextlib.suppress(OSError):  # it has ended
        for thread in os.listdir(f"/proc/{pid}/task"):
            with contextlib.suppress(OSError), open(f"/proc/{pid}/task/{thread}/children") as children:
                for child in map(int, children.read().split()):
                    yield child
                    yield from _descendants(child)


def _rss(pid: int) -> int:
    with contextlib.suppress(OSError):
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return 0


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
