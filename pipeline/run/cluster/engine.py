"""How work reaches the workers of a cluster, whatever engine runs it.

Invariant: after a failure, an interrupt, or the loss of the cluster no further item is begun, and the error is raised within a
bounded time. Which worker runs an item, and how often, changes no byte.
"""

from __future__ import annotations

from contextlib import nullcontext
from typing import Protocol

from pipeline.errors import RunFailed, UsageError
from pipeline.machine import schedule
from pipeline.machine.schedule import Executor, Mapper

RUNNERS = ("local", "dask", "ray")
LOST_S = 20.0
"""Seconds without an answer of the scheduler, or without a worker, after which a run gives up; chosen so that a restarted switch
or a worker that is replaced does not end it."""
POLL_S = 0.1
"""Seconds between two looks at what goes on."""


class Engine(Executor, Protocol):
    """A cluster that a run is connected to. A worker that dies costs its tasks' work; they run again elsewhere, a few times.
    `ended` raises RunFailed when the cluster is lost; `cancel` then blocks no longer than ever, and waits for nothing."""

    @property
    def address(self) -> str:
        """Where its scheduler answers."""
        ...


def unreachable(runner: str, address: str, error: BaseException) -> UsageError:
    """The error that nothing answers at an address."""
    return UsageError(f"--runner-address {address}: no {runner} cluster answers there ({type(error).__name__}: {error})")


def lost(what: str) -> RunFailed:
    """The error that the cluster is gone."""
    return RunFailed(f"{what}; what was finished is kept: the same command resumes, on a cluster or with --runner local")


def mapper(engine: Engine) -> Mapper:
    """Runs items on the cluster; functions must be importable there."""
    return schedule.mapper(lambda _stage: nullcontext(engine))


def foreign(error: BaseException, engine: str) -> BaseException:
    """An error that came from a worker: of code that the worker lacks, in words."""
    if isinstance(error, ImportError | AttributeError):
        return RunFailed(
            f"a {engine} worker has another version of winnow than the driver, or none: {error}; install the same one"
        )
    return error
