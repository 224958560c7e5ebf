"""Before the first stage: open and lock the output, repair it, compare recipes, find what is new. Nothing is changed in an
output whose recipe differs."""

from __future__ import annotations

import platform
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from filters.kernels import warm
from pipeline.errors import InputError, OutputError
from pipeline.machine.events import Event, OnEvent
from pipeline.machine.workers import Workers, units_within, workers
from pipeline.output import manifest, tombstones
from pipeline.output.folders import LOCK, MARKER
from pipeline.output.manifest import AnnotationRecord, InputRecord, Manifest
from pipeline.plan import recipe, scores
from pipeline.plan.load import Loaded
from pipeline.plan.recipe import Recipe
from pipeline.read.files import InputFile
from pipeline.read.listing import expand
from pipeline.records.inputs import SourceSettings
from pipeline.records.metrics_json import StoreTraffic
from pipeline.report import publish
from pipeline.report.compute import gpus
from pipeline.run import spans
from pipeline.run.spans import Input
from pipeline.stages import select
from pipeline.stages.unit import signals
from pipeline.stages.unit.annotate import Annotated
from pipeline.store.store import Store, open_output, open_store
from pipeline.store.traffic import Traffic
from pipeline.takedown import clean
from pipeline.takedown import complete as takedown

_WORK_FOLDERS = ("documents", "facts", "generations", "judgements", "streams", "staging", "savings", "cluster")


class Options(Protocol):
    """What of `RunOptions` is needed here."""

    @property
    def output(self) -> str: ...
    @property
    def work(self) -> str | None: ...
    @property
    def workers(self) -> int: ...
    @property
    def memory(self) -> int: ...
    @property
    def replace(self) -> bool: ...
    @property
    def fresh(self) -> bool: ...
    @property
    def unlocked(self) -> bool: ...


@dataclass(frozen=True)
class Prepared:
    """An output that this run holds, and what it has to do."""

    out: Store
    work: Store
    pool: Workers
    recipe: Recipe
    manifests: tuple[Manifest, ...]
    replacing: bool
    sources: dict[str, SourceSettings]
    inputs: tuple[Input, ...]  # new ones only
    notes: tuple[str, ...]
    warmed: Future[float]  # CPU seconds that compiling took
    read: Traffic  # of the inputs

    @property
    def live(self) -> list[Manifest]:
        """Generations that this run's rows compete with and are added to."""
        return [] if self.replacing else manifest.live(list(self.manifests))

    @property
    def generation(self) -> int:
        return self.manifests[-1].generation + 1 if self.manifests else 1

    @property
    def next_live(self) -> tuple[int, ...]:
        return (*(m.generation for m in self.live), self.generation)

    @property
    def architecture(self) -> str:
        return platform.machine()

    def traffic(self) -> dict[str, StoreTraffic]:
        """Bytes and requests so far of input, work directory and output (see `pipeline.store.traffic`)."""
        remote = {
            "input": any("://" in item.file.url for item in self.inputs),
            "work": not self.work.is_local,
            "output": not self.out.is_local,
        }
        counts = {"input": self.read, "work": self.work.traffic, "output": self.out.traffic}
        return {name: StoreTraffic(remote=remote[name], **counted.counts()) for name, counted in counts.items()}

    def records(self, units: Sequence[Annotated]) -> list[InputRecord]:
        """The manifest's lines about the inputs that this run read."""
        made = []
        by_path: dict[str, list[Annotated]] = {}
        for unit in units:
            by_path.setdefault(unit.path, []).append(unit)
        for item in self.inputs:
            own = by_path.get(item.file.path, [])
            made.append(
                InputRecord(
                    source=item.file.source,
                    path=item.file.path,
                    size=item.file.size,
                    content=item.content,
                    rows=sum(unit.rows for unit in own),
                    bad_rows=sum(unit.bad_rows for unit in own),
                    n_bytes=sum(unit.n_bytes for unit in own),
                )
            )
        return made

    def annotation_records(self) -> list[AnnotationRecord]:
        """The manifest's lines about the files of scores, in the plan's order."""
        hashes = [sha256 for active in self.recipe.filters if active.filter.name == scores.NAME for sha256 in active.files]
        files = [Path(entry.path) for entry in self.recipe.plan.annotations] if hashes else []
        return [
            AnnotationRecord(name=path.name, sha256=sha256, bytes=path.stat().st_size)
            for path, sha256 in zip(files, hashes, strict=True)
        ]


@contextmanager
def opened(loaded: Loaded, options: Options, on_event: OnEvent) -> Iterator[Prepared]:
    """Hold the output for one run. Raises UsageError subclasses before anything is changed."""
    if not loaded.plan.source:
        raise InputError("no input: give --input PATH, or source.paths in the plan")
    gpus.find_gpu(loaded.plan.compute.gpu)
    resolved = recipe.resolve(loaded.plan)
    select.check(resolved)
    recipe.load_models(resolved)
    units = units_within(options.memory, max(int(source.unit_bytes) for source in loaded.plan.source))
    found = expand(loaded.plan.source)
    files, skipped = found.files, found.skipped
    sources = _source_settings(files)
    out = open_output(options.output, unlocked=options.unlocked)
    _refuse_foreign(out, files)
    with ExitStack() as held:
        out = held.enter_context(out.lock(LOCK))
        work = held.enter_context(_work_store(out, options).lock(LOCK))
        _ready_work(work, out, fresh=options.fresh)
        pool = held.enter_context(workers(options.workers, units=units))
        warmed = pool.submit(_warm, resolved, on_event)
        manifests = manifest.load_all(out)
        takedown.complete(out, manifests, work=work, orphans=False)
        stones = tombstones.load(out, manifest.takedowns(manifests))
        if stones is not None and not clean.stamped(work, stones):
            clean.clean(work, stones)
        replacing = options.replace or options.fresh
        missing = [] if replacing else manifest.missing_files(out, manifests)
        if missing:
            raise OutputError(
                f"{out.root}: {missing[0]} is missing ({len(missing)} in all) though a manifest names it; restore it, or make the"
                " output anew with --replace"
            )
        if manifests and not replacing:
            manifest.check_recipe(out, manifest.live(manifests)[-1], resolved, sources)
        if publish.repair(out, manifests):
            on_event(Event("note", "publish", note="an earlier run ended between its commit and its report: report remade"))
        if manifests:
            manifest.remove_orphans(out, manifests)
        on_event(Event("begin", "scan", total=len(files)))
        inputs = spans.scan(files, pool, on_event, known={} if replacing else manifest.known_inputs(manifests))
        on_event(Event("end", "scan"))
        fresh, notes = _select(inputs, [] if replacing else manifests, loaded.plan.on_changed)
        yield Prepared(
            out=out,
            work=work,
            pool=pool,
            recipe=replace(resolved, tombstones=stones),
            manifests=tuple(manifests),
            replacing=replacing,
            sources=_all_sources(manifests, sources, replacing),
            inputs=tuple(fresh),
            notes=(*_unlocked(out, work), *(f"skipped, not read in this release: {name}" for name in skipped), *notes),
            warmed=warmed,
            read=found.traffic,
        )


def _unlocked(*stores: Store) -> list[str]:
    return [
        f"--unlocked: {store.root} has no conditional writes, so nothing kept other runs away from it"
        for store in stores
        if not store.conditional
    ]


def _warm(resolved: Recipe, on_event: OnEvent) -> float:
    """Compile or load every kernel: seconds on a fresh machine, a fraction of one afterwards. Returns its CPU seconds.

    Kernels that only some plans use are compiled by trying the plan's edits and cheap filters on two short texts.
    """
    start = time.thread_time()
    on_event(Event("begin", "compile"))
    warm.warm_stages()
    signals.try_out(resolved)
    on_event(Event("end", "compile"))
    return time.thread_time() - start


def _work_store(out: Store, options: Options) -> Store:
    work = open_store(options.work or out.path(".work"), unlocked=options.unlocked)
    if work.entries("") and not work.has(MARKER):
        raise OutputError(f"{work.root} is not empty and is not a work directory of Winnow; choose another --work")
    work.private("")
    work.write_bytes(MARKER, b"a work directory of Winnow: may be removed while no run goes on\n")
    return work


def _ready_work(work: Store, out: Store, *, fresh: bool) -> None:
    """Empty it if asked to, and remove what a killed run left unfinished."""
    if fresh:
        empty_work(work)
    work.sweep(below=True)
    for stage in ("dedup", "select") if work.is_local else ():
        for judged in work.entries(f"judgements/{stage}"):
            work.remove(f"judgements/{stage}/{judged}/scratch")
    for folder in ("", "manifests", "index", manifest.SAMPLES, *manifest.FOLDERS):
        out.sweep(folder)


def empty_work(work: Store) -> None:
    """Remove what runs keep in a work directory, and nothing else."""
    for folder in _WORK_FOLDERS:
        work.remove(folder)


def remove_work(work: Store) -> None:
    """`--clean`: remove a work directory; the folder itself stays where it holds something that is not ours."""
    empty_work(work)
    work.remove(MARKER)
    work.unlock(LOCK)
    if work.is_local and not work.entries(""):
        work.remove("")


def _refuse_foreign(out: Store, files: Sequence[InputFile]) -> None:
    entries = out.entries("")
    if entries and LOCK not in entries and not out.names("manifests"):
        raise OutputError(f"{out.root} is not empty and is not an output of Winnow; choose another --output")
    inside = [file.url for file in files if out.holds(file.url)]
    if inside:
        raise InputError(f"{inside[0]} lies in the output folder {out.root}; choose another --output")


def _source_settings(files: Sequence[InputFile]) -> dict[str, SourceSettings]:
    """By source name, the settings whose change makes another recipe."""
    found: dict[str, SourceSettings] = {}
    for file in files:
        settings = SourceSettings(text=file.text, id=file.id, priority=file.priority, max_row_bytes=file.max_row_bytes)
        if found.setdefault(file.source, settings) != settings:
            raise InputError(f"source {file.source}: two entries of the plan have this name and other settings; name them apart")
    return dict(sorted(found.items()))


def _all_sources(manifests: Sequence[Manifest], new: dict[str, SourceSettings], replacing: bool) -> dict[str, SourceSettings]:
    old = {} if replacing or not manifests else manifests[-1].sources
    return {**old, **new}


def _select(inputs: Sequence[Input], manifests: list[Manifest], on_changed: str) -> tuple[list[Input], list[str]]:
    records = [
        InputRecord(source=i.file.source, path=i.file.path, size=i.file.size, content=i.content, rows=0, bad_rows=0, n_bytes=0)
        for i in inputs
    ]
    fresh, notes = manifest.new_inputs(manifests, records, on_changed=on_changed)
    paths = {record.path for record in fresh}
    return [item for item in inputs if item.file.path in paths], notes
