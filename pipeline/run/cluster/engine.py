"""How work reaches the workers of a cluster, whatever engine runs it.

Invariant: after a failure, an interrupt, or the loss of the cluster no further item is begun, and the error is raised within a
bounded time. Which worker runs an item, and how often, changes no byte.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

from pipeline.errors import RunFailed, UsageError
from pipeline.machine.workers import Mapper

RUNNERS = ("local", "dask", "ray")
LOST_S = 20.0
"""Seconds without an answer of the scheduler, or without a worker, after which a run gives up; chosen so that a restarted switch
or a worker that is replaced does not end it."""
POLL_S = 0.1
"""Seconds between two looks at what goes on."""

Done = Callable[[Any, Any], None]
"""Called with an item and its result as soon as it is there."""


class Engine(Protocol):
    """A cluster that a run is connected to."""

    @property
    def address(self) -> str:
        """Where its scheduler answers."""
        ...

    def submit(self, function: Callable[[Any], Any], item: Any, name: str) -> Any:
        """A future. A worker that dies costs its tasks' work; they run again elsewhere, a few times."""
        ...

    def ended(self, futures: Sequence[Any]) -> Iterator[int]:
        """Places of futures as they end, well or not. Raises RunFailed when the cluster is lost."""
        ...

    def result(self, future: Any) -> Any:
        """The result of a future that has ended; raises the error that its function raised."""
        ...

    def cancel(self, futures: Sequence[Any]) -> None:
        """Begin none of these any more. Never blocks for long, also when the cluster is lost."""
        ...


def unreachable(runner: str, address: str, error: BaseException) -> UsageError:
    """The error that nothing answers at an address."""
    return UsageError(f"--runner-address {address}: no {runner} cluster answers there ({type(error).__name__}: {error})")


def lost(what: str) -> RunFailed:
    """The error that the cluster is gone."""
    return RunFailed(f"{what}; what was finished is kept: the same command resumes, on a cluster or with --runner local")


def mapper(engine: Engine) -> Mapper:
    """Runs items on the cluster; `function` must be importable there."""

    def run(
        stage: str,
        function: Callable[[Any], Any],
        items: Sequence[Any],
        *,
        stop: Callable[[], None] = lambda: None,
        done: Done | None = None,
    ) -> list[Any]:
        futures: list[Any] = []
        results: dict[int, Any] = {}
        try:
            futures += [engine.submit(function, item, f"{stage} {getattr(item, 'name', at)}") for at, item in enumerate(items)]
            for at in engine.ended(futures):
                results[at] = engine.result(futures[at])
                if done is not None:
                    done(items[at], results[at])
        except BaseException:
            stop()
            engine.cancel(futures)
            raise
        return [results[at] for at in range(len(items))]

    return run


def foreign(error: BaseException, engine: str) -> BaseException:
    """An error that came from a worker: of code that the worker lacks, in words."""
    if isinstance(error, ImportError | AttributeError):
        return RunFailed(
            f"a {engine} worker has another version of winnow than the driver, or none: {error}; install the same one"
        )
    return error
