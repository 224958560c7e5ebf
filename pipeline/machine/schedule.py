"""One loop that has jobs carried out, whatever executes them: threads, Prefect's tasks, a cluster.

Invariant: results come in the order of the items, whatever ends first. After a failure or an interrupt no further item is begun;
what goes on in this process has ended before the error is raised, what goes on elsewhere is left. Of several errors that one is
raised which is none of those that a stop makes, and of such the one of the first item.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol


class Stopped(Exception):
    """The run ends because of something else: an interrupt, or another item's error."""


class NotBegun(Stopped):
    """An item whose turn came after the stop."""


class Executor(Protocol):
    """What carries jobs out. A future is whatever `submit` returns."""

    def submit(self, function: Callable[[Any], Any], item: Any, *, stage: str, name: str) -> Any:
        """A future of `function(item)`."""
        ...

    def ended(self, futures: Sequence[Any]) -> Iterator[int]:
        """Places of futures as they end, well or not."""
        ...

    def result(self, future: Any) -> Any:
        """The result of a future, which is waited for; raises the error that its function raised."""
        ...

    def cancel(self, futures: Sequence[Any]) -> Iterable[int]:
        """Begin none of these any more. Places of those that have begun, where they can be waited for."""
        ...


class Mapper(Protocol):
    """The function's results in order. Items have a `name`."""

    def __call__(
        self,
        stage: str,
        function: Callable[[Any], Any],
        items: Sequence[Any],
        *,
        stop: Callable[[], None] = lambda: None,
        done: Callable[[Any, Any], None] | None = None,
    ) -> list[Any]:
        """`stop()` is called as soon as an item fails or the run is interrupted; items that go on then end with `Stopped`.
        `done(item, result)` is called on this thread as soon as an item is done."""
        ...


def mapper(opened: Callable[[str], AbstractContextManager[Executor]]) -> Mapper:
    """`opened(stage)`: what carries a stage's items out, for as long as the block lasts."""

    def run(
        stage: str,
        function: Callable[[Any], Any],
        items: Sequence[Any],
        *,
        stop: Callable[[], None] = lambda: None,
        done: Callable[[Any, Any], None] | None = None,
    ) -> list[Any]:
        def advance(at: int, result: Any) -> None:
            if done is not None:
                done(items[at], result)

        with opened(stage) as executor:
            named = ((item, str(getattr(item, "name", at))) for at, item in enumerate(items))
            futures = (executor.submit(function, item, stage=stage, name=name) for item, name in named)
            return gather(executor, futures, stop=stop, done=advance)

    return run


def gather(
    executor: Executor,
    futures: Iterable[Any],
    *,
    stop: Callable[[], None] = lambda: None,
    done: Callable[[int, Any], None] = lambda _at, _result: None,
) -> list[Any]:
    """Results in order. `futures` may be an iterator that submits them; what it raises is as an item's error."""
    submitted: list[Any] = []
    results: dict[int, Any] = {}
    try:
        for future in futures:
            submitted.append(future)  # one by one: those before an error have to be cancelled
        for at in executor.ended(submitted):
            results[at] = executor.result(submitted[at])
            done(at, results[at])
    except BaseException as error:
        stop()
        others, interrupt = _errors(executor, [submitted[at] for at in sorted(executor.cancel(submitted))])
        first = _first(error, others) if interrupt is None or not isinstance(error, Exception) else interrupt
        if first is error:
            raise
        raise first from first.__cause__
    return [results[at] for at in range(len(submitted))]


def _first(error: BaseException, found: Sequence[BaseException]) -> BaseException:
    """The error to raise: `error`, that the loop met, unless one of the items' own comes first."""
    if not isinstance(error, Exception) or (error not in found and not isinstance(error, Stopped)):
        return error  # an interrupt, or an error of the loop's own
    return min([*found, error], key=lambda one: isinstance(one, Stopped))


def _errors(executor: Executor, futures: Sequence[Any]) -> tuple[list[BaseException], BaseException | None]:
    """Errors of futures, all of which are waited for; and an interrupt of this thread meanwhile."""
    found: list[BaseException] = []
    interrupt: BaseException | None = None
    for future in futures:
        while True:
            try:
                executor.result(future)
            except Exception as error:
                found.append(error)
            except BaseException as error:
                if error is not interrupt:  # of this thread, so it waits again; of the future, which then raises it again
                    interrupt = error
                    continue
            break
    return found, interrupt


@dataclass(frozen=True)
class Threads:
    """Threads of this process. `start`: as `submit`, of a pool. `final(name, error)`: whether no further item is to begin; that
    shows at once, before the loop is told of the error."""

    start: Callable[..., Future[Any]]
    final: Callable[[str, BaseException], bool] = lambda _name, _error: True
    stopped: threading.Event = field(default_factory=threading.Event)

    def submit(self, function: Callable[[Any], Any], item: Any, *, stage: str = "", name: str = "") -> Future[Any]:
        return self.start(self._guarded(function, name), item, stage=stage, name=name)

    def _guarded(self, function: Callable[[Any], Any], name: str) -> Callable[[Any], Any]:
        """The function, which raises NotBegun after a final error of another item."""

        def one(item: Any) -> Any:
            if self.stopped.is_set():
                raise NotBegun
            try:
                return function(item)
            except BaseException as error:
                if self.final(name, error):
                    self.stopped.set()
                raise

        return one

    def ended(self, futures: Sequence[Future[Any]]) -> Iterator[int]:
        places = {future: at for at, future in enumerate(futures)}
        for future in as_completed(places):
            yield places[future]

    def result(self, future: Future[Any]) -> Any:
        return future.result()

    def cancel(self, futures: Sequence[Future[Any]]) -> Sequence[int]:
        self.stopped.set()
        return [at for at, future in enumerate(futures) if not future.cancel()]


def of_pool(submit: Callable[..., Future[Any]]) -> Threads:
    """The threads of a pool."""
    return Threads(lambda function, item, **_names: submit(function, item))


def in_process(workers: int) -> Mapper:
    """A mapper with as many threads as there are workers."""

    @contextmanager
    def opened(_stage: str) -> Iterator[Threads]:
        with ThreadPoolExecutor(max(1, workers), thread_name_prefix="span") as pool:
            yield of_pool(pool.submit)

    return mapper(opened)
