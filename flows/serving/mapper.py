"""Items of a stage as tasks of the flow run that is going on, in threads of this process.

Task parameters are a name and an index: items, results and errors are handed over in memory and never reach Prefect.
"""

# No `from __future__ import annotations`: Prefect reads the annotations of a task.
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import as_completed
from dataclasses import dataclass, field
from typing import Any

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.states import Cancelled, State
from prefect.task_runners import ThreadPoolTaskRunner
from prefect.tasks import exponential_backoff

from flows.retry import can_pass, may_retry
from flows.serving.artifacts import NAME_LENGTH
from pipeline.errors import RunFailed
from pipeline.machine.events import Event, OnEvent
from pipeline.machine.workers import Mapper, Stopped
from pipeline.run.options import RunOptions
from pipeline.text.visible import folded, visible


@dataclass(frozen=True)
class _Stage:
    """The items of one stage, and what has come of them so far, by index."""

    name: str
    function: Callable[[Any], Any]
    items: Sequence[Any]
    done: Callable[[Any, Any], None] | None
    on_event: OnEvent
    results: dict[int, Any] = field(default_factory=dict)
    errors: dict[int, BaseException] = field(default_factory=dict)
    stopped: threading.Event = field(default_factory=threading.Event)

    def carry_out(self, name: str, index: int) -> State[None] | None:
        """One try of one item. What it raises stops the stage, unless another try may do."""
        if self.stopped.is_set():
            return Cancelled(message="not begun: another span failed")
        try:
            self.results[index] = self.function(self.items[index])
            self.errors.pop(index, None)
            if self.done is not None:
                self.done(self.items[index], self.results[index])
        except BaseException as error:
            self.errors[index] = error
            if can_pass(error):
                note = f"{name}: {short(error)}; tried again unless it failed too often"
                self.on_event(Event("note", self.name, note=note))
            else:
                self.stopped.set()
            raise
        return None

    def outcome(self) -> list[Any]:
        """Results in order, or the error of the first item that has one, as the object that the function raised."""
        if self.errors:
            first = self.errors[min(self.errors, key=lambda index: (isinstance(self.errors[index], Stopped), index))]
            raise first from first.__cause__
        n = len(self.items)
        missing = [index for index in range(n) if index not in self.results]
        if missing:
            raise RunFailed(f"Prefect did not run {len(missing)} of {n} spans of {self.name}; the same command resumes")
        return [self.results[index] for index in range(n)]


def prefect_mapper(options: RunOptions, on_event: OnEvent, *, back_off_s: float) -> Mapper:
    """Runs items as tasks. After a failure no further item is begun; the failure of the first item that has one is raised."""

    def mapper(
        stage: str,
        function: Callable[[Any], Any],
        items: Sequence[Any],
        *,
        stop: Callable[[], None] = lambda: None,
        done: Callable[[Any, Any], None] | None = None,
    ) -> list[Any]:
        made = _Stage(stage, function, items, done, on_event)
        _run(made, stop, options, back_off_s=back_off_s)
        return made.outcome()

    return mapper


def _run(stage: _Stage, stop: Callable[[], None], options: RunOptions, *, back_off_s: float) -> None:
    """Run the stage's items until all have ended, or one has failed."""

    @task(
        name=stage.name,
        task_run_name="{name}",
        retries=options.retries,
        retry_delay_seconds=exponential_backoff(backoff_factor=back_off_s),
        retry_condition_fn=may_retry,
        cache_policy=NO_CACHE,
        persist_result=False,
    )
    def one(name: str, index: int) -> State[None] | None:
        return stage.carry_out(name, index)

    names = [visible(str(getattr(item, "name", index)), limit=NAME_LENGTH) for index, item in enumerate(stage.items)]
    pool: ThreadPoolTaskRunner[Any] = ThreadPoolTaskRunner(max_workers=options.workers)
    with pool as runner:
        futures = [runner.submit(one, {"name": name, "index": index}) for index, name in enumerate(names)]
        try:
            for ended in as_completed(future.wrapped_future for future in futures):
                if not ended.result().is_completed():
                    stage.stopped.set()
                    stop()
                    break  # leaving the block waits for what runs
        except BaseException:
            stage.stopped.set()
            stop()
            raise


def short(error: BaseException) -> str:
    """An error in a line that is safe to show."""
    return folded(f"{type(error).__name__}: {error}", limit=300)
