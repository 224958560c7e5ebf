"""A run, from a plan to a committed generation: the stages in order, wherever they are executed.

`Mapper` is how spans reach the workers: in this process, as Prefect tasks, on a cluster. The bytes are the same.
Prefect shows and retries; what is done is decided by what lies on disk (law 3).
"""

from __future__ import annotations

import time
from dataclasses import replace
from functools import partial

from pipeline import read
from pipeline.machine import resources
from pipeline.machine.events import Event, OnEvent, of_generation, of_span, silent
from pipeline.machine.meter import Phases
from pipeline.machine.schedule import Mapper
from pipeline.output import manifest
from pipeline.plan.load import LoadedPlan
from pipeline.read.packs import sort_key
from pipeline.report import publish
from pipeline.run import accounts, attempts, pins, prepare, prune, replacement
from pipeline.run import report as run_report
from pipeline.run.cluster import costs, site, tasks
from pipeline.run.context import NOTHING_NEW, RUN, Context, Within, right_here
from pipeline.run.judgement import count, judge
from pipeline.run.options import Result, RunOptions
from pipeline.run.publication import Generation, publish_generation
from pipeline.run.shards import write_shards
from pipeline.run.spans import Span, make_spans, packed, run_span
from pipeline.run.state import Run
from pipeline.stages.unit.annotate import Annotated


def execute(
    loaded: LoadedPlan,
    options: RunOptions,
    *,
    mapper: Mapper,
    on_event: OnEvent = silent,
    within: Within = right_here,
) -> Result:
    """Curate. Raises the errors of `pipeline.errors`; whatever it raises, the same command resumes.

    Inputs are hashed and kernels compiled first; the stages then run as `within(RUN, body)`: a Prefect flow, or right here; in
    it, each stage over the corpus does as well: a Prefect task. Where nothing is new, it is called NOTHING_NEW.
    """
    clock = time.monotonic() - (resources.process_age_s() if options.own_process else 0)
    phases = Phases.begin(own_process=options.own_process)
    resources.use_system_allocator()
    with (
        prepare.open_run(loaded, options, on_event, phases=phases) as held,
        attempts.noted(held.work, phases, own_process=options.own_process) as attempt,
        resources.PeakMemory() as memory,
    ):
        started = accounts.Started(clock, phases, attempt, memory)
        context = Context(held, loaded, options, mapper, of_generation(on_event, held.generation), started, within)
        result = within(RUN if held.inputs else NOTHING_NEW, lambda: _run(context))
        if options.clean:
            prepare.remove_work(held.work)
        return result


def _run(context: Context) -> Result:
    """The stages, in this process or on the site of a cluster."""
    run, options = context.run, context.options
    if options.runner == "local":
        return _stages(context)
    takedowns = manifest.takedowns(list(run.history.manifests))
    with site.of_run(run.work, run.out, run.recipe, takedowns=takedowns, threads=1, memory=options.memory) as made:
        elsewhere = options.runner_address is not None  # else the workers are processes of this one's tree
        mapper = costs.counted(context.mapper, context.started.phases.add) if elsewhere else context.mapper
        return _stages(replace(context, site=made, mapper=mapper))


def _stages(context: Context) -> Result:
    run = context.run
    if not run.inputs:
        return _nothing_new(run)
    phases = context.started.phases
    if run.owns_work:
        prune.begin(run.work, run.recipe.hash, run.generation)
    compiled = run.warmed.result()
    phases.end("scan")
    units = _annotate(context)
    accounts.check_bad_rows(run, units)
    context, units = _with_what_stays(context, units)
    phases.end("annotate")
    judgement = judge(context, units)
    counted = count(context, units, judgement)
    report = run_report.collect(context, units, counted.tally, judgement=judgement)
    phases.end("count")
    written = context.within("write", lambda: write_shards(context, judgement.inputs, counted.pieces))
    phases.end("write")
    made = Generation(units, judgement, counted.tally, report, written, compiled)
    return context.within("publish", lambda: publish_generation(context, made))


def _nothing_new(run: Run) -> Result:
    run.work.remove("staging")  # a run that was killed behind its commit leaves it, and what it cost
    attempts.clear(run.work)
    pins.clear(run.work)
    metrics = publish.metrics_of(run.out)
    return Result(run.out.root, None, metrics, run.notes)


def _with_what_stays(context: Context, units: tuple[Annotated, ...]) -> tuple[Context, tuple[Annotated, ...]]:
    """Where the run replaces what changed: with the units of files that it does not name, and with what became of the changed."""
    run = context.run
    if run.replacement is None:
        return context, units
    replaced = replacement.compared(run.out, run.work, run.replacement, units=units)
    made = replace(run, replaced=tuple(replaced), notes=(*run.notes, *replacement.told(replaced)))
    return replace(context, run=made), _ordered([*units, *run.replacement.units])


def _ordered(units: list[Annotated]) -> tuple[Annotated, ...]:
    return tuple(sorted(units, key=lambda unit: (sort_key(unit.path), unit.first_row)))


def _annotate(context: Context) -> tuple[Annotated, ...]:
    """Every unit of the new inputs, in the order of their paths and rows."""
    run, tell = context.run, context.tell
    spans = make_spans(packed(run.inputs, between=run.staying))
    tell(Event("begin", "annotate", total=sum(item.file.size for item in run.inputs)))

    def one(span: Span) -> list[Annotated]:
        return run_span(run.work, run.recipe, span, pool=run.pool, on_event=of_span(tell, span.name))

    def advance(span: Span, units: list[Annotated]) -> None:
        documents, size = sum(unit.rows + unit.bad_rows for unit in units), sum(unit.n_bytes for unit in units)
        tell(
            Event("advance", "annotate", documents=documents, n_bytes=size, steps=sum(span.sizes), name=span.name, span=span.name)
        )

    if context.site is None:
        found = context.mapper("annotate", one, spans, stop=run.pool.stop)
    else:
        found = context.mapper("annotate", partial(tasks.span, context.site), spans, stop=run.pool.stop, done=advance)
    done = [unit for units in found for unit in units]
    read.close()
    tell(Event("end", "annotate"))
    return _ordered(done)
