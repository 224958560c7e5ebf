"""Spans handed to the workers from threads of this process."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from typing import Any

from pipeline.machine.workers import Mapper, Stopped


def in_process(workers: int) -> Mapper:
    """A mapper with as many threads as there are workers."""

    def run(
        stage: str,
        function: Callable[[Any], Any],
        items: Sequence[Any],
        *,
        stop: Callable[[], None] = lambda: None,
        done: Callable[[Any, Any], None] | None = None,
    ) -> list[Any]:
        def one(item: Any) -> Any:
            result = function(item)
            if done is not None:
                done(item, result)
            return result

        with ThreadPoolExecutor(max(1, workers), thread_name_prefix="span") as feeders:
            futures = [feeders.submit(one, item) for item in items]
            _await(futures, stop)
        return _results(futures)

    return run


def _await(futures: Sequence[Future[Any]], stop: Callable[[], None]) -> None:
    """Wait for all, or for the first error: then the others are stopped. An interrupt cancels what has not begun as well."""
    try:
        wait(futures, return_when=FIRST_EXCEPTION)
        if any(future.done() and future.exception() for future in futures):
            stop()
    except BaseException:
        stop()
        for future in futures:
            future.cancel()
        raise


def _results(futures: Sequence[Future[Any]]) -> list[Any]:
    """Results in order. Of several errors that one is raised which stopped the others."""
    errors = [error for future in futures if (error := future.exception()) is not None]
    for error in sorted(errors, key=lambda error: isinstance(error, Stopped)):
        raise error
    return [future.result() for future in futures]
