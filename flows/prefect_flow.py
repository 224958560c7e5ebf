"""The stages as a Prefect flow: one task per span, results and errors handed over in memory.

Prefect shows and retries; what is done is decided by what lies on disk (law 3), so nothing is cached or persisted by it. Task
parameters are a name and an index; texts and secrets never reach Prefect. The caller gets the very exception that the
stages raised, and the result of a run that was published even if Prefect's server is gone by then.
"""

# No `from __future__ import annotations`: a served flow is pickled by value, and its types must go with it.
import os
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from prefect import flow
from prefect.logging import get_run_logger
from prefect.runtime import flow_run
from prefect.states import Completed, State

from flows import counting
from flows.retry import BACK_OFF_S, tried
from flows.serving import cluster_flow, notify, outcomes, progress, results, roots, server
from flows.serving.artifacts import NAME_LENGTH
from flows.serving.form import OptionalPlace, Overrides, Place, PlanName, Threads
from flows.serving.mapper import as_task, prefect_mapper, short
from flows.serving.server import Temporary
from flows.serving.settings import command_settings
from flows.terminal.progress import Json
from pipeline.errors import RunFailed, WinnowError
from pipeline.machine.events import Event, OnEvent, silent
from pipeline.machine.schedule import Mapper
from pipeline.plan.load import DEFAULT, LoadedPlan, assignments_of, load_plan
from pipeline.run import execute
from pipeline.run.context import NOTHING_NEW, RUN
from pipeline.run.options import Result, RunOptions
from pipeline.store.secrets import refuse_secrets
from pipeline.text import numbers
from pipeline.text.visible import folded, visible

RUN_BACK_OFF_S = 20.0
"""Seconds before a deployed run is tried again as a whole; doubled the second time. Chosen so that two outlast a minute's outage,
and few: three times 500 spans stay below 2,000 task runs."""
LOG_S = 30.0
"""Seconds between progress lines of a deployed run; chosen so that a night's log stays readable."""
MOST_NOTES = 200
"""Notes of a run in its log; the artifact about inputs has more."""
LOG_JSON = "WINNOW_LOG_JSON"
"""Environment variable: a deployed run also writes its events to stderr as JSON, as `--log-json` does."""

_prepared: ContextVar["Callable[[], Made] | None"] = ContextVar("prepared", default=None)
"""The stages of a run that the command line prepared: inputs hashed, kernels compiled."""


def run_name() -> str:
    """A flow run's, until its end: then it says what became of the output."""
    asked = flow_run.get_parameters()
    return visible(f"{results.last_name(asked['output'])}: {results.last_name(asked['plan'])}", limit=NAME_LENGTH)


@flow(
    name="curate",
    flow_run_name=run_name,
    retries=0,
    persist_result=False,
    log_prints=False,
    on_completion=notify.hooks(),
    on_failure=notify.hooks(),
    on_crashed=notify.hooks(),
    on_cancellation=notify.hooks(),
)
def curate(
    plan: PlanName = DEFAULT,
    overrides: Overrides = {},  # noqa: B006 (never changed; the form shows an empty field, where None were a switch)
    input: list[Place] = [],  # noqa: B006
    *,
    output: Place = "curated",
    work: OptionalPlace = "",
    workers: Threads = 2,
    replace: bool = False,
    accept: bool = False,
) -> State[dict[str, object]]:
    """Curate text for training language models: what is new in the input becomes the output's next generation.

    A failed check stops the run before it publishes (`checks.on_fail: stop`), unless `overrides` says `warn`.

    Args:
        plan: A preset's name (`default`, `minimal`, `fineweb`, `gopher`, `c4`, `dclm`, `dolma`), or a YAML file that the worker
            can read.
        overrides: Keys of the plan to override, such as `{"dedup.threshold": 0.7, "filters.gopher_quality.min_words": 30}`;
            `false` switches a part off.
        input: Files, folders, globs, URLs, such as `["/data/crawl/*.jsonl.gz"]`. They replace the plan's; empty: the plan's.
        output: Folder or URL of the result.
        work: Work directory. Empty: `.work` in the output.
        workers: Threads.
        replace: Make the output anew. Facts that still hold are used.
        accept: Publish although a check failed or nothing was kept. It is recorded.
    """
    # Pickled by value when it is served: it may name functions and classes of this module, and nothing else.
    options = RunOptions(output=output, work=work or None, workers=workers, replace=replace, accept=accept)
    return _curate(plan, overrides, input, options=options)


@dataclass(frozen=True)
class Made:
    """A result, and the folders and files that its plan reads."""

    result: Result
    inputs: Sequence[str]


def _curate(plan: str, overrides: Overrides, inputs: Sequence[str], *, options: RunOptions) -> State[dict[str, object]]:
    body = _prepared.get()
    try:
        made = body() if body is not None else _deployed(plan, overrides, inputs, options=options)
    except WinnowError as error:
        results.of_failure(error)
        raise
    results.of_result(made.result, made.inputs)
    documents = made.result.metrics.totals.documents()
    held: dict[str, object] = {"output": made.result.out, "generation": made.result.generation, "documents": documents}
    return Completed(message=outcomes.of_run(made.result), data=held)


def _deployed(plan: str, overrides: Overrides, inputs: Sequence[str], *, options: RunOptions) -> Made:
    """The whole run inside a flow run that a server or a worker started."""
    lines = Json(sys.stderr) if os.environ.get(LOG_JSON) else None
    try:
        return _run_here(plan, overrides, inputs, options=options, lines=lines)
    except Exception as error:
        if lines is not None:
            said, code = (str(error), error.exit_code) if isinstance(error, WinnowError) else (short(error), 1)
            lines.failed(said, code)
        raise


def _run_here(plan: str, overrides: Overrides, inputs: Sequence[str], *, options: RunOptions, lines: Json | None) -> Made:
    options = cluster_flow.bound(options)
    assignments = ["checks.on_fail=stop", *assignments_of(overrides)]
    bounds = roots.configured()
    for place in (*inputs, options.output, options.work or ""):
        refuse_secrets(place)
    roots.check_plan(plan, bounds)
    roots.check_overrides(overrides, bounds)
    loaded = load_plan(plan, inputs=inputs, assignments=assignments)
    roots.check(loaded, output=options.output, work=options.work, bounds=bounds)
    logger = get_run_logger()
    made = progress.Progress()
    on_event = progress.both(_logged(logger), made)
    on_event = on_event if lines is None else progress.both(on_event, lines)
    with progress.progress_bars(made):
        result = counting.after(_tried(loaded, options, on_event), options, on_event)
    for note in result.notes[:MOST_NOTES]:
        logger.info(folded(note, limit=2000))
    if len(result.notes) > MOST_NOTES:
        logger.info("and %d more notes", len(result.notes) - MOST_NOTES)
    if lines is not None:
        lines.result(result)
    return Made(result, roots.read_by(loaded))


def _tried(loaded: LoadedPlan, options: RunOptions, on_event: OnEvent) -> Result:
    """A run; where storage or network failed outside its tasks, the same run again: what is done is found on disk."""

    def body() -> Result:
        with _mapper(options, on_event) as mapper:
            return execute.execute(loaded, options, mapper=mapper, on_event=on_event, within=as_task)

    return tried(body, retries=options.retries, back_off_s=RUN_BACK_OFF_S, on_event=on_event)


def _logged(logger: Any) -> OnEvent:
    """Events as lines of the flow run's log: when a stage begins and ends, with its sums, every `LOG_S` seconds, and notes."""
    lock = threading.Lock()
    sums = [0, 0]
    last = [time.monotonic()]

    def on_event(event: Event) -> None:
        with lock:
            sums[:] = [0, 0] if event.kind == "begin" else [sums[0] + event.documents, sums[1] + event.n_bytes]
            if event.kind == "advance" and time.monotonic() - last[0] < LOG_S:
                return
            last[0] = time.monotonic()
            of = f"generation {event.generation} " if event.generation is not None else ""
            said = folded(event.note, limit=2000) if event.note else event.kind
            at = f" {visible(event.name, limit=NAME_LENGTH)}" if event.name else ""
            done = f" {numbers.counted(sums[0], 'document')}, {numbers.size(sums[1])}" if sums[0] else ""
            logger.info("%s%s: %s%s%s", of, event.stage, said, at, done)

    return on_event


def run_in_flow(
    loaded: LoadedPlan, options: RunOptions, *, on_event: OnEvent = silent, temporary: Temporary | None = None
) -> Result:
    """A run, as a flow run on the configured server, or else on a temporary one; as a part of the flow that calls, if one does.

    `temporary` may have been started earlier (`server.for_this_run`). It starts in the background here otherwise, while
    inputs are hashed and kernels compiled. Raises what `execute.execute` raises, and RunFailed where Prefect itself fails.
    """
    for place in (*(path for source in loaded.plan.source for path in source.paths), options.output, options.work or ""):
        refuse_secrets(place)
    if temporary is None and server.configured() is None and not server.in_flow_run():
        with server.temporary() as own:
            return run_in_flow(loaded, options, on_event=on_event, temporary=own)
    made = progress.Progress()
    events = on_event if temporary is not None else progress.both(on_event, made)  # nobody can look at a temporary server

    if options.runner != "local":
        cluster_flow.check_server(options)

    begun: list[bool] = []

    def within(stage: str, body: Callable[[], Any]) -> Any:
        if stage == NOTHING_NEW and temporary is not None:  # nobody can look at a temporary server: it is not waited for
            return counting.after(body(), options, on_event)
        if stage not in (RUN, NOTHING_NEW):
            return as_task(stage, body)
        begun.append(True)
        if temporary is not None and not temporary.ready:
            on_event(Event("wait", "prefect", note="waiting for Prefect's temporary server (4 s; 12 s the first time)"))
            temporary.wait()

        def followed() -> Result:
            if temporary is not None:
                return body()
            with progress.progress_bars(made):
                return body()

        return _as_flow_run(followed, loaded, options, on_event=on_event, temporary=temporary)

    with _mapper(options, on_event) as mapper:
        return tried(
            lambda: execute.execute(loaded, options, mapper=mapper, on_event=events, within=within),
            retries=options.retries,
            back_off_s=BACK_OFF_S,
            on_event=events,
            may=lambda: not begun,  # inputs are hashed before the flow run; in it, its tasks are tried again
        )


def _mapper(options: RunOptions, on_event: OnEvent) -> AbstractContextManager[Mapper]:
    """Spans as tasks: in threads here, or on a cluster."""
    if options.runner == "local":
        return nullcontext(prefect_mapper(options, on_event, back_off_s=BACK_OFF_S))
    return cluster_flow.cluster_mapper(options, back_off_s=BACK_OFF_S)


def _as_flow_run(
    body: Callable[[], Result], loaded: LoadedPlan, options: RunOptions, *, on_event: OnEvent, temporary: Temporary | None
) -> Result:
    ended: list[Result] = []
    errors: list[BaseException] = []
    inputs = roots.read_by(loaded)

    def recorded() -> Made:
        try:
            ended.append(counting.after(body(), options, on_event))
        except BaseException as error:
            errors.append(error)
            raise
        return Made(ended[0], inputs)

    token = _prepared.set(recorded)
    try:
        with command_settings(temporary):
            _call(loaded, options)
    except Exception as error:
        if errors:
            raise errors[0] from errors[0].__cause__
        if not ended:
            raise RunFailed(f"Prefect failed ({short(error)}); the same command resumes, with --inline without it") from error
        on_event(Event("note", "prefect", note=f"the run is done, but Prefect could not record it: {short(error)}"))
    finally:
        _prepared.reset(token)
    return ended[0]


def _call(loaded: LoadedPlan, options: RunOptions) -> None:
    """The flow, with what Prefect shows of a run from the command line."""
    paths = [visible(path, limit=500) for source in loaded.plan.source for path in source.paths]
    curate.with_options(validate_parameters=False)(
        plan=visible(loaded.name, limit=500),
        input=paths[:100],
        output=visible(options.output, limit=500),
        workers=options.workers,
        replace=options.replace,
        accept=options.accept,
    )
