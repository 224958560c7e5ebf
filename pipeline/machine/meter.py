"""CPU seconds of a run: what metrics.json says of its cost.

Phases partition the whole run; a meter measures parts of a phase, on the threads that work in it. What its parts leave of a
phase bears the phase's name, so nothing is without one.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from pipeline.machine import resources


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


@dataclass
class Phases:
    """CPU seconds of the process tree, phase after phase: of this process, and of its children, which decode files (and serve
    Prefect, where a run has its server for itself). `elsewhere`: of processes that are not of this tree, as they tell.

    `start`: what the tree had used when the run began: nothing, where the process was started for it.
    """

    start: resources.Cpu
    own: dict[str, float] = field(default_factory=dict)
    children: dict[str, float] = field(default_factory=dict)
    elsewhere: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._last = self.start

    @classmethod
    def begin(cls, *, own_process: bool = False) -> Phases:
        """Phases from now on; with `own_process` all since the process began, of which the first is `imports`."""
        made = cls(resources.Cpu(0.0, 0.0) if own_process else resources.tree_cpu())
        if own_process:
            made.end("imports")
        return made

    def end(self, phase: str) -> None:
        """What was used since the last phase was this one's."""
        now = resources.tree_cpu()
        self.own[phase] = self.own.get(phase, 0.0) + now.own - self._last.own
        self.children[phase] = self.children.get(phase, 0.0) + now.children - self._last.children
        self._last = now

    def add(self, phase: str, seconds: float) -> None:
        """Processes elsewhere used so much for a phase."""
        self.elsewhere[phase] = self.elsewhere.get(phase, 0.0) + seconds

    @property
    def so_far(self) -> float:
        """CPU seconds of the run, the phase that goes on included."""
        return resources.tree_cpu_s() - self.start.total + sum(list(self.elsewhere.values()))  # others may add meanwhile

    @property
    def total(self) -> float:
        """CPU seconds of all phases that have ended."""
        return sum(self.own.values()) + sum(self.children.values()) + sum(self.elsewhere.values())
