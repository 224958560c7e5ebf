"""The last stage of a run: finished shards become a committed generation.

Order: shards and index in place, quotes, THE COMMIT (the manifest is created), the files made from it, then what only an
unfinished run needs is removed (see `pipeline.report.publish`).
"""

from __future__ import annotations

import platform
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from pipeline.machine.events import Event
from pipeline.output import manifest, replaced
from pipeline.output.manifest import Manifest
from pipeline.plan import tokenizer
from pipeline.plan.load import dump
from pipeline.records.base import FileRecord, Json
from pipeline.records.metrics_json import RunMetrics
from pipeline.report import publish
from pipeline.report.metrics import examples
from pipeline.report.metrics.tally import Tally
from pipeline.report.page.page import Pictures
from pipeline.run import attempts, pins, prune
from pipeline.run import report as run_report
from pipeline.run.context import Context
from pipeline.run.judgement import Judgement
from pipeline.run.options import Result
from pipeline.run.report import Report
from pipeline.run.shards import StagedShards
from pipeline.run.state import Compiled, Run
from pipeline.stages.shards.index import stage_index
from pipeline.stages.shards.parquet import Shard
from pipeline.stages.unit import generations
from pipeline.stages.unit.annotate import Annotated
from pipeline.store.keys import key
from pipeline.text import numbers


@dataclass(frozen=True)
class Generation:
    """What a run has made and not committed yet. `compiled`: what kernels took."""

    units: tuple[Annotated, ...]
    judgement: Judgement
    tally: Tally
    report: Report
    written: StagedShards
    compiled: Compiled


def publish_generation(context: Context, made: Generation) -> Result:
    """Commit the generation."""
    run, decided, written = context.run, made.judgement.dedup, made.written
    context.tell(Event("begin", "publish"))
    phases = context.started.phases
    index = stage_index(run.work, written.staging, decided, shards=written.every, generation=run.generation)
    phases.end("index")
    pictures = publish.drawn(run.out, made.report.counts)
    phases.end("page")
    publish.place(run.out, run.work, written.staging, shards=written.shards, index=index)
    publish.quote(run.out, examples.document(made.judgement.inputs, made.tally.examples, run.generation))
    phases.end("publish")
    files = tuple(FileRecord(path=f"{s.folder}/{s.name}", rows=s.rows, bytes=s.n_bytes, sha256=s.sha256) for s in written.shards)
    found = run_report.with_costs(context, made.report, made.units, compiled=made.compiled, files=files, index=index)
    committed = _manifest(context, made, found, index=index)
    stay = _commit(run, committed, pictures)
    units = generations.name(run.generation, run.recipe.hash, committed.inputs)
    run.work.write_bytes(units, generations.encode(made.units))
    attempts.clear(run.work)
    pins.clear(run.work)
    if run.owns_work:
        prune.prune(run.work, manifest.live([*run.history.manifests, committed]), replaced=run.history.replacing)
    context.tell(Event("end", "publish"))
    return Result(run.out.root, run.generation, publish.metrics_of(run.out), (*run.notes, *_told(stay)))


def _manifest(context: Context, made: Generation, found: RunMetrics, *, index: Sequence[FileRecord]) -> Manifest:
    run, report = context.run, made.report
    return Manifest(
        schema_version=manifest.SCHEMA_VERSION,
        output=run.identity,
        generation=run.generation,
        live=run.next_live,
        recipe_hash=run.recipe.hash,
        recipe=run.recipe.document,
        sources=run.sources,
        inputs=tuple(run.records(made.units)),
        annotation_inputs=tuple(run.annotation_records()),
        replaced=run.replaced,
        files=found.files,
        index=tuple(index),
        content_sha256=_content(run, made.written.shards),
        selection=made.judgement.selection.fitted,
        totals=found.totals,
        failed_checks=report.failed,
        accepted=bool(report.failed) and context.options.accept,
        plan_name=context.loaded.name,
        plan=_pinned(dump(context.loaded.plan)),
        metrics=found,
        versions=manifest.versions(),
        architecture=platform.machine(),
    )


def _pinned(plan: Json) -> Json:
    """A resolved plan with the commit of its tokenizer, where that is on the Hub."""
    name = plan["output"]["tokenizer"]
    return plan if name is None else {**plan, "output": {**plan["output"], "tokenizer": tokenizer.pinned(name)}}


def _content(run: Run, shards: Sequence[Shard]) -> dict[str, str]:
    """By folder, the hash of its shards' rows."""
    folders = [f for f in manifest.FOLDERS if f != "signals" or run.recipe.plan.output.signals]
    return {f: key([s.content_sha256 for s in shards if s.folder == f]) for f in folders}


def _told(stay: Collection[str]) -> Iterator[str]:
    shards = sum(path.startswith("data/") for path in stay)
    if shards:
        yield (
            f"{numbers.counted(shards, 'replaced shard')} stay in data/ for readers that opened them, until the next run or as"
            " output.keep_replaced says; README.md and manifest.json name the new ones alone"
        )


def _commit(run: Run, made: Manifest, pictures: Pictures) -> Collection[str]:
    """Returns the paths of shards that the generation replaces and that stay for now."""
    manifests = [*run.history.manifests, made]
    files = publish.rendered(run.out, manifests, pictures=pictures)
    manifest.commit(run.out, made.generation, files["manifest.json"])
    publish.write(run.out, files)
    keep = run.recipe.plan.output.keep_replaced
    stay = {*replaced.of_commit(manifests, keep), *replaced.staying(run.out, manifests, keep)}
    manifest.remove_orphans(run.out, manifests, keep=stay)
    run.work.remove("staging")
    return stay
