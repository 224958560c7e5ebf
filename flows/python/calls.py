"""`curate` and `judge`: the command's run, and its judgement of a few texts, for programs and notebooks.

Invariant: `curate` is the run that the command line starts (`flows.running`), over the same files or over a file of the rows that
are handed in; a plan, its checks and its errors mean the same. Heavy imports happen when a function is called.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flows.python.curated import Curated
    from flows.python.judged import Judged
    from pipeline.plan.load import LoadedPlan
    from pipeline.read.memory import Place, Rows
    from pipeline.run.options import Result, RunOptions


def curate(
    data: Place | Rows | None = None,
    plan: Place | None = None,
    *,
    output: Place = "curated",
    overrides: Mapping[str, object] | None = None,
    text: str | None = None,
    id: str | None = None,
    name: str | None = None,
    prefect: bool | None = None,
    progress: bool = True,
    work: Place | None = None,
    workers: int | None = None,
    memory: int = 2_000_000_000,
    retries: int = 2,
    replace: bool = False,
    fresh: bool = False,
    clean: bool = False,
    accept: bool = False,
    runner: str = "local",
    runner_address: str | None = None,
    unlocked: bool = False,
) -> Curated:
    """Curate what is new in `data`, as the next generation of `output`.

    Args:
        data: A path (file, folder, glob, URL) as `str` or `Path`; a list of `Path`; a frame of Polars, pandas or Arrow; a
            `datasets.Dataset`; a list of texts (`str` or None), or of rows (`dict`). None: what the plan's `source` names.
        plan: A YAML file or a preset's name; None: the default.
        output: Folder or URL of the result.
        overrides: Keys of the plan to override, such as `{"dedup.threshold": 0.7, "filters.toxicity": False}`.
        text: Column that holds the text (`source.text`). id: Column that holds the id (`source.id`).
        name: Name of the source (`source.name`); of data in memory `in_memory`, where nobody names it.
        prefect: As a flow run of Prefect, or without. None: as a part of the flow that calls it, if one does.
        progress: Show progress on stderr.
        work: Work directory; None: `.work` in the output.
        workers: Threads; None: as many as this process has CPUs.
        memory: Bytes that the run may hold.
        retries: Of what failed for a passing cause.
        replace: Make the output anew, with facts that still hold. fresh: As `replace`, with an emptied work directory.
        clean: Remove the work directory afterwards.
        accept: Publish although a check failed. It is recorded.
        runner: `local`, `dask` or `ray`. runner_address: Of a scheduler that sees input, output and work.
        unlocked: Allow an object store without conditional writes as output.

    Raises the errors of `pipeline.errors`, whose messages are a command's; the same call then goes on where it stopped.
    """
    from flows.python import curated
    from pipeline.run.options import RunOptions

    options = RunOptions(
        output=os.fspath(output), work=None if work is None else os.fspath(work), replace=replace, fresh=fresh, clean=clean,
        workers=_checked(workers, runner=runner, retries=retries), accept=accept, memory=memory, retries=retries,
        runner=runner, runner_address=runner_address, unlocked=unlocked,
    )  # fmt: skip
    own = {"source.text": text, "source.id": id, "source.name": name}
    changed = {key: value for key, value in own.items() if value is not None} | dict(overrides or {})
    with _planned(data, plan, changed, here=runner_address is None) as loaded:
        result = _run(loaded, options, prefect=prefect, progress=progress)
    return curated.of(result, work=options.work)


def _checked(workers: int | None, *, runner: str, retries: int) -> int:
    """The number of workers. Raises UsageError, as a command does."""
    from pipeline.errors import UsageError
    from pipeline.run.options import RUNNERS

    if runner not in RUNNERS:
        raise UsageError(f"runner={runner!r}: expected {', '.join(RUNNERS)}")
    if workers is not None and workers < 1:
        raise UsageError(f"workers={workers}: expected at least 1")
    if retries < 0:
        raise UsageError(f"retries={retries}: expected 0 or more")
    return len(os.sched_getaffinity(0)) if workers is None else workers


def judge(
    texts: Iterable[str | Mapping[str, object] | None],
    plan: Place | None = None,
    *,
    overrides: Mapping[str, object] | None = None,
) -> Judged:
    """What a run over these texts alone would decide of each: kept or not, for what reason, with which values and limits, and
    the text that its edits leave. Nothing is written.

    Args:
        texts: One text or more; None counts as a row without a text. Or conversations, as rows have them:
            `{"messages": [{"role": "user", "content": "…"}]}`.
        plan: A YAML file or a preset's name; None: the default.
        overrides: Keys of the plan to override, as for `curate`.
    """
    from flows.python.judged import Judged
    from pipeline.errors import InputError
    from pipeline.plan.load import assignments_of, load_plan
    from pipeline.run.texts import judge_texts

    if isinstance(texts, str | bytes) or not isinstance(texts, Iterable):
        raise InputError(f"{type(texts).__name__} is no list of texts; write judge([text], plan)")
    return Judged(judge_texts(load_plan(_named(plan), assignments=assignments_of(overrides or {})), texts))


def _named(plan: Place | None) -> str | None:
    """The file or preset. Raises PlanError for a plan that is no name."""
    from pipeline.errors import PlanError

    if plan is None or isinstance(plan, str | os.PathLike):
        return None if plan is None else os.fspath(plan)
    change = "; to change keys of the default or a preset: overrides={...}" if isinstance(plan, Mapping) else ""
    raise PlanError(f"plan: expected a YAML file or the name of a preset, got {type(plan).__name__}{change}")


@contextmanager
def _planned(
    data: Place | Rows | None, plan: Place | None, overrides: Mapping[str, object], *, here: bool
) -> Iterator[LoadedPlan]:
    """The plan, with the paths that it reads; rows lie in a file as long as the block lasts. `here`: this machine reads it."""
    from pipeline.errors import InputError
    from pipeline.plan.load import assignments_of, load_plan
    from pipeline.read import memory

    named, assignments = _named(plan), assignments_of(overrides)
    if data is None and plan is None:
        raise InputError("no input: give data, or a plan whose source.paths names some")
    if data is None or isinstance(data, str | os.PathLike):
        yield load_plan(named, inputs=[] if data is None else [os.fspath(data)], assignments=assignments)
        return
    paths = memory.paths_in(data)
    if paths is not None:
        yield load_plan(named, inputs=paths, assignments=assignments)
        return
    if not here:
        raise InputError("data in memory lie on this machine alone; write them where the cluster sees them, and give the path")
    (source,) = load_plan(named, inputs=[memory.FOLDER], assignments=assignments).plan.source
    if "max_bad_fraction" not in source.model_fields_set:  # a budget is for files that may be damaged
        assignments = ["source.max_bad_fraction=1", *assignments]
    with memory.written(data, text=source.text, format_=source.format) as path:
        yield load_plan(named, inputs=[path], assignments=assignments)


def _run(loaded: LoadedPlan, options: RunOptions, *, prefect: bool | None, progress: bool) -> Result:
    from flows import running
    from flows.serving.server import in_flow_run
    from flows.terminal import progress as show
    from pipeline.machine.events import silent

    inline = not (in_flow_run() if prefect is None else prefect)
    if not progress:
        return running.run(loaded, options, on_event=silent, inline=inline)
    shown = show.on_stderr()
    try:
        return running.run(loaded, options, on_event=shown, inline=inline)
    finally:
        shown.close()
