"""Stages as tasks of the flow run that is going on: one task for a stage over the corpus, on this thread; for others one an item,
in threads of this process or on the workers of a cluster.

A task's parameters are a name, which Prefect shows, and a call, which it hands over in memory (on a cluster: to its worker).
Items, results and errors never reach Prefect's server.
"""

# No `from __future__ import annotations`: Prefect reads the annotations of a task.
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import copy_context
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.states import Cancelled, Completed, State
from prefect.task_runners import TaskRunner, ThreadPoolTaskRunner
from prefect.tasks import exponential_backoff

from flows.retry import can_pass, may_retry
from flows.serving import outcomes
from flows.serving.artifacts import NAME_LENGTH
from pipeline.errors import RunFailed
from pipeline.machine import schedule
from pipeline.machine.events import Event, OnEvent
from pipeline.machine.schedule import Executor, Mapper, NotBegun, Threads
from pipeline.run.context import NOTHING_NEW, RUN
from pipeline.run.options import RunOptions
from pipeline.text.visible import folded, visible

NOT_BEGUN = "not begun: another span failed"


Made = TypeVar("Made")


def one(name: str, call: Callable[[], Any]) -> State[Any]:
    """The body of an item's task: `name` is shown, and what came of it in a line; the rest is not."""
    try:
        made = call()
        return Completed(message=outcomes.of_stage(made), data=made)
    except NotBegun:
        return Cancelled(message=NOT_BEGUN)


@dataclass(frozen=True)
class Tasks:
    """A stage's items as tasks. `start`: what submits one; `beneath`: what its futures are futures of."""

    start: Callable[..., Any]
    beneath: Executor

    def submit(self, function: Callable[[Any], Any], item: Any, *, stage: str, name: str) -> Any:
        return self.start(function, item, stage=stage, name=name)

    def ended(self, futures: Sequence[Any]) -> Iterator[int]:
        return self.beneath.ended(futures)

    def result(self, future: Any) -> Any:
        state = self.beneath.result(future)
        if state.is_cancelled() and state.message == NOT_BEGUN:
            raise NotBegun
        if not (state.is_completed() or state.is_failed()):
            raise RunFailed(f"Prefect left a task {state.name} ({state.message}); the same command resumes")
        return state.result(raise_on_failure=True, _sync=True)

    def cancel(self, futures: Sequence[Any]) -> Iterable[int]:
        return self.beneath.cancel(futures)


def starter(runner: TaskRunner[Any], stage: str, options: RunOptions, *, back_off_s: float) -> Callable[..., Any]:
    """As `Executor.submit`: the runner's tasks of a stage."""
    made = task(
        name=stage,
        task_run_name="{name}",
        retries=options.retries,
        retry_delay_seconds=exponential_backoff(backoff_factor=back_off_s),
        retry_condition_fn=may_retry,
        cache_policy=NO_CACHE,
        persist_result=False,
    )(one)

    def start(function: Callable[[Any], Any], item: Any, *, stage: str, name: str) -> Any:
        return runner.submit(made, {"name": visible(name, limit=NAME_LENGTH), "call": partial(function, item)}).wrapped_future

    return start


def prefect_mapper(options: RunOptions, on_event: OnEvent, *, back_off_s: float) -> Mapper:
    """Runs items as tasks in threads. An error that can pass ends nothing before its task was tried often enough."""

    @contextmanager
    def opened(stage: str) -> Iterator[Tasks]:
        def final(name: str, error: BaseException) -> bool:
            if not can_pass(error):
                return True
            on_event(
                Event(
                    "note",
                    stage,
                    note=f"{visible(name, limit=NAME_LENGTH)}: {short(error)}; tried again unless it failed too often",
                )
            )
            return False

        pool: ThreadPoolTaskRunner[Any] = ThreadPoolTaskRunner(max_workers=options.workers)
        with pool as runner:
            threads = Threads(starter(runner, stage, options, back_off_s=back_off_s), final)
            yield Tasks(threads.submit, threads)

    return schedule.mapper(opened)


def as_task(stage: str, body: Callable[[], Made]) -> Made:
    """A stage over the corpus as a task: `pipeline.run.context.Within`. What it made counts, whatever Prefect makes of that."""
    if stage in (RUN, NOTHING_NEW):
        return body()
    made: list[Made] = []
    outside = copy_context()  # the stage's own tasks are the flow's: a task's context does not travel to the workers of a cluster

    def call() -> State[None]:
        made.append(outside.run(body))
        return Completed(message=outcomes.of_stage(made[0]))

    try:
        task(name=stage, task_run_name=stage, cache_policy=NO_CACHE, persist_result=False)(call)()
    except Exception:
        if not made:
            raise
    return made[0]


def short(error: BaseException) -> str:
    """An error in a line that is safe to show."""
    return folded(f"{type(error).__name__}: {error}", limit=300)
