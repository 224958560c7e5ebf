"""A run, from a plan to a committed generation: the stages in order, wherever they are executed.

`Mapper` is how spans reach the workers: in this process, as Prefect tasks, on a cluster. The bytes are the same.
Prefect shows and retries; what is done is decided by what lies on disk (law 3).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

from filters.contract import Tier
from pipeline import read
from pipeline.errors import CheckFailed
from pipeline.machine import resources
from pipeline.machine.events import Event, OnEvent, of_generation, of_span, silent
from pipeline.machine.meter import Meter
from pipeline.machine.workers import Mapper, Stopped, Workers
from pipeline.output import manifest
from pipeline.output.manifest import Manifest
from pipeline.plan.load import Loaded, dump
from pipeline.plan.recipe import Recipe
from pipeline.records.base import FileRecord
from pipeline.records.counts import Counts
from pipeline.records.metrics_json import Check, Metrics, RunMetrics
from pipeline.records.selection import Fitted, NothingFitted
from pipeline.report import publish
from pipeline.report.metrics import changes, checks, examples
from pipeline.report.metrics import collect as metrics
from pipeline.report.metrics import limits as turns
from pipeline.report.metrics.limits import Turn
from pipeline.report.metrics.tally import Tally, tally
from pipeline.report.refusal import in_words, refusal
from pipeline.run import accounts, attempts, prepare
from pipeline.run.accounts import Spent
from pipeline.run.cluster import site as site_
from pipeline.run.cluster import tasks
from pipeline.run.cluster.site import Site
from pipeline.run.prepare import Prepared
from pipeline.run.spans import Span, make_spans, run_span
from pipeline.stages import select
from pipeline.stages.dedup import corpus
from pipeline.stages.shards import layout, write
from pipeline.stages.shards.index import stage_index
from pipeline.stages.unit import generations
from pipeline.stages.unit.annotate import Annotated
from pipeline.store.keys import key

DEFAULT_MEMORY = 2_000_000_000
"""Bytes that a run may hold where it is not told otherwise: chosen so that a laptop has room for other things."""


@dataclass(frozen=True)
class RunOptions:
    """How a run is carried out. Changes no byte and is in no hash."""

    output: str
    work: str | None = None
    workers: int = 2
    replace: bool = False
    fresh: bool = False
    clean: bool = False
    accept: bool = False
    memory: int = DEFAULT_MEMORY
    retries: int = 2
    runner: str = "local"
    runner_address: str | None = None
    unlocked: bool = False


@dataclass(frozen=True)
class Result:
    """`generation` is None where nothing was new."""

    out: str
    generation: int | None
    metrics: Metrics
    notes: tuple[str, ...]


def in_process(workers: int) -> Mapper:
    """Feeds spans to the workers from threads of this process."""

    def run(
        stage: str,
        function: Callable[[Any], Any],
        items: Sequence[Any],
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
            try:
                wait(futures, return_when=FIRST_EXCEPTION)
                if any(future.done() and future.exception() for future in futures):
                    stop()
            except BaseException:
                stop()
                for future in futures:
                    future.cancel()
                raise
        errors = [error for future in futures if (error := future.exception()) is not None]
        for error in sorted(errors, key=lambda error: isinstance(error, Stopped)):
            raise error
        return [future.result() for future in futures]

    return run


def call(body: Callable[[], Result]) -> Result:
    """Run the stages right here."""
    return body()


def run(
    loaded: Loaded,
    options: RunOptions,
    *,
    mapper: Mapper,
    on_event: OnEvent = silent,
    within: Callable[[Callable[[], Result]], Result] = call,
) -> Result:
    """Curate. Raises the errors of `pipeline.errors`; whatever it raises, the same command resumes.

    Inputs are hashed and kernels compiled first; the stages then run as `within(body)`: a Prefect flow, or right here.
    """
    started = time.monotonic()
    before = resources.tree_cpu_s()
    resources.use_system_allocator()
    with (
        prepare.opened(loaded, options, on_event) as ready,
        attempts.noted(ready.work, before) as attempt,
        resources.PeakMemory() as memory,
    ):

        def spent() -> Spent:
            return accounts.spent(ready, options, started, before, memory, attempt)

        tell = of_generation(on_event, ready.generation)
        result = within(lambda: _run(ready, loaded, options, mapper, tell, spent))
        if options.clean:
            prepare.remove_work(ready.work)
        return result


def _run(
    ready: Prepared, loaded: Loaded, options: RunOptions, mapper: Mapper, on_event: OnEvent, spent: Callable[[], Spent]
) -> Result:
    if options.runner == "local":
        return _stages(ready, loaded, options, mapper, on_event, spent, None)
    takedowns = manifest.takedowns(list(ready.manifests))
    with site_.of_run(ready.work, ready.out, ready.recipe, takedowns=takedowns, threads=1, memory=options.memory) as site:
        return _stages(ready, loaded, options, mapper, on_event, spent, site)


def _stages(
    ready: Prepared,
    loaded: Loaded,
    options: RunOptions,
    mapper: Mapper,
    on_event: OnEvent,
    spent: Callable[[], Spent],
    site: Site | None,
) -> Result:
    pool = ready.pool
    if not ready.inputs:
        ready.work.remove("staging")  # a run that was killed behind its commit leaves it, and what it cost
        attempts.clear(ready.work)
        return Result(
            ready.out.root, None, publish.metrics_of(ready.out), (*ready.notes, "nothing new: every input was curated before")
        )
    compiled = ready.warmed.result()
    units = _annotate(ready, pool, mapper, on_event, site)
    accounts.check_bad_rows(ready, units)
    on_event(Event("begin", "dedup"))
    decided = corpus.run(
        ready.work,
        ready.out,
        ready.recipe,
        units,
        ready.live,
        generation=ready.generation,
        memory=options.memory,
        pool=pool,
        tasks=None if site is None else partial(tasks.run_step, site, mapper, pool.stop),
    )
    on_event(Event("end", "dedup"))
    selected = select.run(
        ready.work,
        ready.recipe,
        units,
        decided.fates,
        [made.selection for made in ready.live if isinstance(made.selection, Fitted)],
        generation=ready.generation,
        memory=options.memory,
        pool=pool,
    )
    inputs = write.Inputs(
        work=ready.work,
        units=units,
        fates=decided.fates,
        unselected=selected.tables,
        generation=ready.generation,
        rejected=ready.recipe.plan.output.rejected,
        seed=ready.recipe.plan.seed,
        signals=write.shown_signals(ready.recipe.filters),
        columns=tuple(item.filter.signals for item in ready.recipe.filters),
        scored_only=tuple(item.filter.tier is Tier.MODEL for item in ready.recipe.filters),
        seen=write.Seen(),
    )
    summed = Tally()
    pieces: list[layout.Piece] = []
    turned = turns.of(ready.recipe)
    for part, of_unit in pool.map(lambda unit: _measure(inputs, ready.recipe, turned, unit), range(len(units))):
        summed.add(part)
        pieces += of_unit
    accounts.check_conserved(summed, units)
    counts = metrics.collect(ready.recipe, summed, _about(ready, loaded), search=decided.search, selection=selected.selection)
    checked, failed = _checks(ready, counts, options)
    if failed and options.accept and ready.recipe.plan.checks.on_fail == "stop":
        counts = counts.model_copy(update={"notes": (*counts.notes, "published with --accept, although a check failed")})
    meter = Meter(pool.clock())
    writer = None if site is None else partial(tasks.write_shards, site, mapper, pool.stop)
    written, staging = _write(ready, inputs, pieces, pool, meter, on_event, writer)
    shards = [shard for shard in written if shard.folder != layout.UNSELECTED]
    on_event(Event("begin", "publish"))
    index = stage_index(ready.work, staging, decided, written, ready.generation)
    publish.place(ready.out, ready.work, staging, shards, index)
    elsewhere = sum(used for unit in units for _, used in unit.costs) if options.runner_address else 0.0
    files = tuple(FileRecord(path=f"{s.folder}/{s.name}", rows=s.rows, bytes=s.n_bytes, sha256=s.sha256) for s in shards)
    cost = accounts.cost(
        units,
        {"compile": compiled, **decided.costs, **meter.seconds},
        spent(),
        elsewhere=elsewhere,
        output_bytes=sum(record.bytes for record in (*files, *index)),
    )
    report = RunMetrics(
        **dict(counts),
        changes=changes.since(ready.live[-1].metrics, counts) if ready.live else None,
        checks=checked,
        cost=cost,
        compute=metrics.ledger(counts, ready.recipe.plan.compute, cost),
        files=files,
    )
    made = _manifest(ready, loaded, report, units, shards, index, selected.fitted, failed, options)
    publish.quote(ready.out, examples.document(inputs, summed.examples, ready.generation))
    _commit(ready, made)
    ready.work.write_bytes(generations.name(ready.generation), generations.encode(units))
    attempts.clear(ready.work)
    on_event(Event("end", "publish"))
    return Result(ready.out.root, ready.generation, publish.metrics_of(ready.out), tuple(ready.notes))


def _annotate(ready: Prepared, pool: Workers, mapper: Mapper, on_event: OnEvent, site: Site | None) -> tuple[Annotated, ...]:
    spans = make_spans(ready.inputs)
    on_event(Event("begin", "annotate", total=sum(item.file.size for item in ready.inputs)))

    def one(span: Span) -> list[Annotated]:
        return run_span(ready.work, ready.recipe, span, pool, of_span(on_event, span.name))

    def told(span: Span, units: list[Annotated]) -> None:
        documents, size = sum(unit.rows + unit.bad_rows for unit in units), sum(unit.n_bytes for unit in units)
        on_event(
            Event("advance", "annotate", documents=documents, n_bytes=size, steps=sum(span.sizes), name=span.name, span=span.name)
        )

    if site is None:
        found = mapper("annotate", one, spans, pool.stop)
    else:
        found = mapper("annotate", partial(tasks.span, site), spans, pool.stop, told)
    done = [unit for units in found for unit in units]
    read.close()
    on_event(Event("end", "annotate"))
    return tuple(sorted(done, key=lambda unit: (unit.path.encode("utf-8", "surrogatepass"), unit.first_row)))


def _about(ready: Prepared, loaded: Loaded) -> metrics.About:
    return metrics.About(
        generation=ready.generation,
        live=ready.next_live,
        plan_name=loaded.name,
        notes=ready.notes,
        versions=manifest.versions(),
        architecture=ready.architecture,
    )


def _checks(ready: Prepared, counts: Counts, options: RunOptions) -> tuple[tuple[Check, ...], tuple[str, ...]]:
    """All checks, and what failed in words. Raises CheckFailed where that stops the run."""
    before = ready.live[-1].metrics if ready.live else None
    limits = ready.recipe.plan.checks
    found = checks.judge(limits, counts, before)
    failed = tuple(in_words(check) for check in found if check.failed)
    if failed and limits.on_fail == "stop" and not options.accept:
        raise CheckFailed(refusal(counts, found, before))
    return found, failed


def _measure(inputs: write.Inputs, recipe: Recipe, turned: Sequence[Turn], unit: int) -> tuple[Tally, list[layout.Piece]]:
    """One look at a unit's fates: its counts, and the sizes that the layout of shards needs."""
    rows = write.unit_rows(inputs, unit)
    again = partial(write.unit_rows, inputs, unit)
    found = tally(inputs, recipe, turned, unit, rows)
    return found, list(layout.pieces(unit, rows, again, rejected=inputs.rejected, seed=inputs.seed))


def _write(
    ready: Prepared,
    inputs: write.Inputs,
    pieces: Sequence[layout.Piece],
    pool: Workers,
    meter: Meter,
    on_event: OnEvent,
    elsewhere: Callable[..., list[write.Shard]] | None,
) -> tuple[list[write.Shard], str]:
    """The finished shards, and those that only the index knows (`layout.UNSELECTED`), in the staging folder."""
    plan = ready.recipe.plan
    names = [asdict(inputs.units[number].names) for number in range(len(inputs.units))]
    staging = "staging/" + key("staging", ready.recipe.hash, ready.generation, names, inputs.fates, inputs.unselected)
    ordered = sorted(pieces, key=lambda piece: (piece.source.encode("utf-8", "surrogatepass"), piece.unit))
    jobs = []
    for folder in (*manifest.FOLDERS, layout.UNSELECTED):
        if (folder == "rejected" and inputs.rejected == "none") or (folder == "signals" and not plan.output.signals):
            continue
        limit = int(plan.output.shard_bytes) if folder in layout.WITH_TEXT else layout.LEDGER_ROWS
        shards = layout.shards(ordered, folder, limit)
        if folder == layout.UNSELECTED and not any(shards):
            continue
        for number, segments in enumerate(shards):
            name = f"train-{number:05d}-of-{len(shards):05d}-g{ready.generation:04d}.parquet"
            jobs.append(write.Job(staging, folder, name, tuple(segments)))
    on_event(Event("begin", "write", total=len(jobs)))

    def told(shard: write.Shard) -> None:
        on_event(Event("advance", "write", n_bytes=shard.n_bytes, steps=1, name=f"{shard.folder}/{shard.name}"))

    def one(job: write.Job) -> write.Shard:
        with meter.measure("write"):
            shard = write.write(inputs, job)
        told(shard)
        return shard

    done = pool.map(one, jobs) if elsewhere is None else elsewhere(inputs, jobs, told)
    on_event(Event("end", "write"))
    return done, staging


def _manifest(
    ready: Prepared,
    loaded: Loaded,
    report: RunMetrics,
    units: Sequence[Annotated],
    shards: Sequence[write.Shard],
    index: Sequence[FileRecord],
    selection: Fitted | NothingFitted,
    failed: tuple[str, ...],
    options: RunOptions,
) -> Manifest:
    folders = [f for f in manifest.FOLDERS if f != "signals" or ready.recipe.plan.output.signals]
    content = {f: key([s.content_sha256 for s in shards if s.folder == f]) for f in folders}
    return Manifest(
        schema_version=1,
        generation=ready.generation,
        live=ready.next_live,
        recipe_hash=ready.recipe.hash,
        recipe=ready.recipe.document,
        sources=ready.sources,
        inputs=tuple(ready.records(units)),
        annotation_inputs=tuple(ready.annotation_records()),
        files=report.files,
        index=tuple(index),
        content_sha256=content,
        selection=selection,
        totals=report.totals,
        failed_checks=failed,
        accepted=bool(failed) and options.accept,
        plan_name=loaded.name,
        plan=dump(loaded.plan),
        metrics=report,
        versions=manifest.versions(),
        architecture=ready.architecture,
    )


def _commit(ready: Prepared, made: Manifest) -> None:
    manifests = [*ready.manifests, made]
    files = publish.rendered(ready.out, manifests)
    manifest.commit(ready.out, made)
    publish.write(ready.out, files)
    manifest.remove_orphans(ready.out, manifests)
    ready.work.remove("staging")
