"""Before the first stage: open and lock the output, repair it, compare recipes, find what is new.

Invariant: nothing is changed in an output that is damaged, or whose recipe differs; nothing is touched before the lock is held.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace

from filters.kernels import warm
from filters.kernels.formats import json_rows, marks
from pipeline import read
from pipeline.errors import InputError
from pipeline.machine import workers
from pipeline.machine.events import Event, OnEvent
from pipeline.machine.meter import Phases
from pipeline.machine.workers import Workers
from pipeline.output import inventory, manifest, replaced, tombstones
from pipeline.output import layouts as output_layouts
from pipeline.output import work as work_
from pipeline.output.faults import damaged
from pipeline.output.folders import LOCK, MARKER
from pipeline.output.inputs import Asked, Compared, compare, known_inputs, owners
from pipeline.output.manifest import InputRecord, Manifest
from pipeline.plan import recipe
from pipeline.plan.load import LoadedPlan
from pipeline.plan.model import Plan
from pipeline.plan.recipe import Recipe
from pipeline.read import layouts, likeness
from pipeline.read.expansion import expand, in_words, told_apart
from pipeline.read.files import InputFile, Inputs
from pipeline.records.inputs import SourceSettings
from pipeline.report import publish
from pipeline.report.compute import gpus
from pipeline.run import compiling, pins, spans
from pipeline.run.options import RunOptions
from pipeline.run.replacement import replacement
from pipeline.run.spans import Input
from pipeline.run.state import Compiled, History, Run
from pipeline.stages import select
from pipeline.stages.unit import signals
from pipeline.store.store import Store, open_output, open_store
from pipeline.takedown import clean
from pipeline.takedown import complete as takedown
from pipeline.text.conversations import TEXT


@dataclass(frozen=True)
class Task:
    """What the plan asks for, before any output is looked at. `budget`: how `--memory` is shared out."""

    recipe: Recipe
    budget: workers.Budget
    inputs: Inputs
    sources: dict[str, SourceSettings]
    notes: tuple[str, ...] = ()


@contextmanager
def open_run(loaded: LoadedPlan, options: RunOptions, on_event: OnEvent, *, phases: Phases) -> Iterator[Run]:
    """Hold the output for one run. Raises UsageError subclasses before anything is changed. Ends the phase `plan`."""
    task = _load_plan(loaded.plan, options)
    phases.end("plan")
    free = _open_output(task, options)
    with ExitStack() as held:
        out = held.enter_context(free.lock(LOCK))
        manifests = _committed(out, on_event, replacing=options.replace or options.fresh)
        identity = work_.identify(out, manifests)
        work = held.enter_context(_open_work(out, options).lock(LOCK))
        work_.bind(work, out, identity)
        _tidy(work, out, fresh=options.fresh)
        pins.keep(work, task.inputs.listed)
        pool = held.enter_context(workers.workers(options.workers, budget=task.budget, at_end=read.close))
        found: list[float] = []
        warmed = pool.submit(_warm, task.recipe, on_event, found)
        history, emptied = _load_history(out, work, manifests, replacing=options.replace or options.fresh)
        task = _recognised(task, history)
        if any(settings.format != TEXT for settings in task.sources.values()):
            pool.submit(marks.warm)
        if any(file.format.startswith("json") for file in task.inputs.files):
            pool.submit(json_rows.warm)
        if history.continued:
            manifest.check_recipe(out, history.live[-1], task.recipe, sources=task.sources)
        columns = output_layouts.of_run(out, history.live, task.sources)
        _repair(out, history, on_event, keep=task.recipe.plan.output.keep_replaced)
        inputs, compared = _find_new(task, history, pool, on_event=on_event)
        replaces, before = None, history.live
        if compared.replaced:
            named = [item.file.path for item in inputs]
            replaces = replacement(work, before, changed=compared.replaced, elsewhere=compared.elsewhere, named=named)
            history = replace(history, replacing=True)
        notes = (
            *_of_places(out, work),
            *task.notes,
            *emptied,
            *(f"passed over: {in_words(passed)}" for passed in task.inputs.passed_over),
            *compared.notes,
        )
        found.append(time.monotonic())
        yield Run(
            out=out,
            identity=identity,
            work=work,
            pool=pool,
            recipe=replace(task.recipe, tombstones=history.tombstones, layouts=columns),
            history=history,
            sources={**(before[-1].sources if before else {}), **task.sources},
            inputs=inputs,
            notes=notes,
            warmed=warmed,
            read=task.inputs.traffic,
            passed_over=task.inputs.passed_over,
            replacement=replaces,
        )


def _load_plan(plan: Plan, options: RunOptions) -> Task:
    """The plan's recipe, with its models read, and the files that it names."""
    if not plan.source:
        raise InputError("no input: give --input PATH, or source.paths in the plan")
    gpus.find_gpu(plan.compute.gpu)
    resolved = recipe.resolve(plan)
    select.check(plan)
    recipe.load_models(resolved)
    largest = max(int(source.unit_bytes) for source in plan.source)
    budget = workers.budget(options.memory, largest, threads=options.workers)
    held = pins.load(options)
    inputs = expand(plan.source, pinned=held)
    return Task(resolved, budget, inputs, source_settings(inputs.files), tuple(pins.told(inputs.listed, held)))


def _recognised(task: Task, history: History) -> Task:
    """The task, of whose inputs it is known what their rows are: by the generations that read them, else by a look."""
    recorded = {name: settings.format for name, settings in history.live[-1].sources.items()} if history.live else {}
    inputs = layouts.known(task.inputs, recorded)
    return replace(task, inputs=inputs, sources=source_settings(inputs.files))


def _open_output(task: Task, options: RunOptions) -> Store:
    """The output, not held yet. Raises OutputError for a folder of something else, InputError for inputs inside it."""
    out = open_output(options.output, unlocked=options.unlocked)
    work_.refuse_no_output(out)
    refuse_inside(out, task.inputs.files)
    return out


def refuse_inside(out: Store, files: Sequence[InputFile]) -> None:
    """Raise InputError for inputs that lie in the output."""
    inside = [file.url for file in files if out.holds(file.url)]
    if inside:
        raise InputError(f"{inside[0]} lies in the output folder {out.root}; choose another --output")


def _open_work(out: Store, options: RunOptions) -> Store:
    """The work directory, not held yet. Raises OutputError for a folder of something else."""
    work = open_store(options.work or out.path(".work"), create=False)
    work_.refuse_within(out, work)
    work = work.writable(unlocked=options.unlocked)
    work_.mark(work)
    return work


def _of_places(out: Store, work: Store) -> Iterator[str]:
    """Notes on what the places of the run cannot do."""
    for store in (out, work):
        if not store.conditional:
            yield f"--unlocked: {store.root} has no conditional writes, so nothing kept other runs away from it"
    yield from (f"{out.root}: its file system has {lacking}" for lacking in out.lacking)


def _tidy(work: Store, out: Store, *, fresh: bool) -> None:
    """Remove what a killed run left unfinished; with `fresh` all that the work directory holds."""
    if fresh:
        work_.empty(work)
    work.sweep(below=True)
    for stage in ("dedup", "select"):
        work.sweep_scratch(f"judgements/{stage}")
    for folder in ("", "manifests", "index", manifest.SAMPLES, *manifest.FOLDERS):
        out.sweep(folder)


def _committed(out: Store, on_event: OnEvent, *, replacing: bool) -> list[Manifest]:
    """The manifests of an output that is as they say. Raises Damaged where it is not: before anything is removed or written."""
    read = manifest.read_whole(out)
    if faults := inventory.take(out, read.found).faults(replacing=replacing):
        raise damaged(out, faults)
    for told in inventory.notes(out, read.strays):
        on_event(Event("note", "plan", note=told))
    return list(read.found)


def _load_history(out: Store, work: Store, manifests: list[Manifest], *, replacing: bool) -> tuple[History, Sequence[str]]:
    """What was committed, and a note. A take-down that was cut short is completed first, and the work directory holds nothing
    taken down."""
    takedown.complete(out, manifests, work=work, orphans=False)
    known = tombstones.load_tombstones(out, manifest.takedowns(manifests))
    note = ""
    if not work_.is_variant(out, work) and clean.settle(work, known):
        note = f"{work.root} was cleaned of documents whose take-down {out.root} does not know (restored, or made anew, since)"
    return History(tuple(manifests), known, replacing), [f"{note}: its facts are made anew"] if note else []


def _repair(out: Store, history: History, on_event: OnEvent, *, keep: str | bool) -> None:
    """Remake what a run that was killed behind its commit left out, and remove what one before its commit left, and what was
    replaced (`keep`: `output.keep_replaced`)."""
    manifests = list(history.manifests)
    if publish.repair(out, manifests):
        on_event(Event("note", "publish", note="an earlier run ended between its commit and its report: report remade"))
    if manifests:
        manifest.remove_orphans(out, manifests, keep=replaced.staying(out, manifests, keep))


@dataclass(frozen=True)
class _Files:
    """The files of the run, to look into (`pipeline.output.inputs.Files`)."""

    by_path: dict[str, InputFile]

    def begins(self, record: InputRecord, size: int) -> str:
        return "" if self.by_path[record.path].format == "hf" else likeness.of_beginning(self.by_path[record.path], size)

    def unpacked(self, record: InputRecord) -> str:
        return likeness.of_packed(self.by_path[record.path])


def compare_inputs(
    resolved: Recipe, found: Sequence[Input], *, before: list[Manifest], sources: dict[str, SourceSettings]
) -> Compared:
    """What the inputs are beside those that generations have read. `sources`: the run's settings of each."""
    records = [
        InputRecord(source=i.file.source, path=i.file.path, size=i.file.size, content=i.content, rows=0, bad_rows=0, n_bytes=0)
        for i in found
    ]
    plan = resolved.plan
    files = _Files({item.file.path: item.file for item in found})
    return compare(before, Asked(records, sources, plan.on_changed, plan.dedup is not None, files))


def _find_new(task: Task, history: History, pool: Workers, *, on_event: OnEvent) -> tuple[tuple[Input, ...], Compared]:
    """The inputs that the run reads, and what they are beside those that generations have read."""
    before = list(history.continued)
    on_event(Event("begin", "scan", total=len(task.inputs.files)))
    files = told_apart(task.inputs.files, owners(before))
    found = spans.scan(files, pool, on_event, known=known_inputs(before))
    on_event(Event("end", "scan"))
    compared = compare_inputs(task.recipe, found, before=before, sources=task.sources)
    if compared.replaced:  # files that were read before are split too
        found = spans.scan(files, pool, on_event)
    return tuple(item for item in found if item.file.path in compared.read), compared


def _warm(resolved: Recipe, on_event: OnEvent, found: Sequence[float]) -> Compiled:
    """Compile or load every kernel: seconds on a fresh machine, a fraction of one afterwards. `found`: when inputs were found,
    from then on.

    Kernels that only some plans use are compiled by trying the plan's edits and filters on two short texts.
    """
    start = time.thread_time()
    on_event(Event("begin", "compile", note="loading kernels" if compiling.kept(resolved) else ""))
    with compiling.beside(resolved) as helper:
        warm.warm_stages()
        signals.try_out(resolved)
    on_event(Event("end", "compile"))
    return Compiled(time.thread_time() - start, helper.cpu_s, time.monotonic() - found[0] if found else 0.0)


def remove_work(work: Store) -> None:
    """`--clean`: remove a work directory; the folder itself stays where it holds something that is not ours."""
    work_.empty(work)
    work.remove(MARKER)
    work.unlock(LOCK)
    work.remove_if_empty()


def source_settings(files: Sequence[InputFile]) -> dict[str, SourceSettings]:
    """By source name, the settings whose change makes another recipe."""
    found: dict[str, SourceSettings] = {}
    for file in files:
        settings = SourceSettings(
            text=file.text,
            id=file.id,
            priority=file.priority,
            max_row_bytes=file.max_row_bytes,
            named_by=file.named_by,
            format=file.turns or TEXT,
        )
        if found.setdefault(file.source, settings) != settings:
            raise InputError(f"source {file.source}: two entries of the plan have this name and other settings; name them apart")
    return dict(sorted(found.items()))
