"""`--explain`: what a plan does, whether it can run, how its inputs begin, and what a run would do. Writes nothing.

All that would stop a run is found at once (`pipeline.run.checks`); what can be said beside it is said.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pipeline import read
from pipeline.machine import workers
from pipeline.machine.events import silent
from pipeline.output import layouts, manifest
from pipeline.output.inputs import owners
from pipeline.plan.load import LoadedPlan
from pipeline.plan.recipe import Recipe
from pipeline.read.expansion import in_words, told_apart
from pipeline.read.files import InputFile, Inputs
from pipeline.run import beginnings, checks, compiling, outline, prepare, rough, spans
from pipeline.run.checks import Faults, Places
from pipeline.run.options import RunOptions
from pipeline.stages.unit.tables import Names, names
from pipeline.store.store import Store
from pipeline.text import numbers

SAMPLE = "--sample 0.05 judges a share and estimates what is kept, disk and time"


@dataclass(frozen=True)
class Explained:
    """What `--explain` prints, and all that would stop the run."""

    lines: tuple[str, ...]
    faults: tuple[str, ...]


def explain(loaded: LoadedPlan, options: RunOptions, *, faults: Sequence[str] = ()) -> Explained:
    """`faults`: what was found wrong with the plan as it is written, and with the command."""
    wrong = Faults(list(faults))
    resolved = checks.of_plan(loaded.plan, wrong)
    checks.of_memory(loaded.plan, options, wrong)
    found = checks.of_inputs(loaded.plan, wrong)
    places = checks.of_places(options, found.files if found else (), wrong)
    lines: list[str] = []
    try:
        if resolved is not None:
            base = "" if loaded.extends == loaded.name else f" (extends {loaded.extends})"
            lines += [f"plan {loaded.name}{base}, recipe {resolved.hash[:12]}", *outline.outline(resolved)]
        if found is not None:
            lines += _inputs(found, wrong)
        if resolved is not None and found is not None and places is not None:
            lines += _run(options, resolved, found, places=places, faults=wrong)
    finally:
        read.close()
    return Explained(tuple(lines), tuple(wrong.found))


def _inputs(found: Inputs, faults: Faults) -> Iterator[str]:
    seen = beginnings.beginnings(found.files, faults)
    few = "" if len(seen) == len(found.files) else f"; {numbers.count(len(seen))} of them looked at"
    yield f"{numbers.counted(len(found.files), 'input')}, {beginnings.about(found.files, seen)}{few}"
    for one in seen:
        yield from one.said()
    for passed in found.passed_over:
        yield f"passed over: {in_words(passed)}"


def _run(options: RunOptions, resolved: Recipe, found: Inputs, *, places: Places, faults: Faults) -> Iterator[str]:
    """What the run would read and do beside what the output and its work directory have."""
    before = [] if options.replace or options.fresh else places.manifests
    sources = faults.tried(lambda: prepare.source_settings(found.files))
    files = faults.tried(lambda: told_apart(found.files, owners(before)))
    if sources is None or files is None:
        return
    with workers.workers(options.workers) as pool:
        inputs = faults.tried(lambda: spans.scan(files, pool, silent))
    if inputs is None:
        return
    if before:
        wrong = len(faults.found)
        live = manifest.live(before)
        faults.tried(lambda: manifest.check_recipe(places.out, live[-1], resolved, sources=sources))
        faults.tried(lambda: layouts.of_run(places.out, live, sources))
        if len(faults.found) > wrong:
            return
    compared = faults.tried(lambda: prepare.compare_inputs(resolved, inputs, before=before, sources=sources))
    if compared is None:
        return
    new = [item for item in inputs if item.file.path in compared.read]
    generation = manifest.next_number(places.manifests)
    found_new = f"{numbers.counted(len(inputs), 'input')}, {numbers.count(len(new))} new"
    yield f"{found_new}; would become generation {generation} of {places.out.root}"
    yield from compared.notes
    if not new:
        yield "nothing new: nothing would run"
        return
    yield from _facts(places.work, resolved, new, workers=options.workers)
    yield SAMPLE


def _facts(work: Store, resolved: Recipe, new: Sequence[spans.Input], *, workers: int) -> Iterator[str]:
    """How much of the new inputs an earlier run, or a look at a share, has read and scored, and what the rest will take."""
    missing: Counter[tuple[str, ...]] = Counter()
    left: list[tuple[InputFile, float]] = []
    for item in spans.packed(new):
        units = spans.known_units(work, item)
        if units is None:
            left.append((item.file, 1.0))
            continue
        lacking = [_lacking(names(unit, resolved), work, resolved) for unit in units]
        missing.update(lacking)
        left.append((item.file, sum(map(bool, lacking)) / max(1, len(units))))
    units_known = sum(missing.values())
    if missing and set(missing) != {_NOTHING_READ}:
        for lacks, n in sorted(missing.items()):
            of = f"{numbers.count(n)} of {numbers.counted(units_known, 'unit')}"
            yield (
                f"work directory: {of} {'was' if n == 1 else 'were'} read before{_then(lacks)}"
                if lacks != _NOTHING_READ
                else (f"work directory: {of} {'is' if n == 1 else 'are'} new to it")
            )
    yield from rough.rough(left, workers=workers, compiled=compiling.kept(resolved))


_NOTHING_READ = ("read",)


def _lacking(unit: Names, work: Store, resolved: Recipe) -> tuple[str, ...]:
    """What of a unit is still to be made, in words; `read`: all of it."""
    if not work.has(unit.documents):
        return _NOTHING_READ
    scores = [(item.filter.name, table) for item, table in zip(resolved.filters, unit.signals, strict=True)]
    tables = [("edits", unit.final), *scores, ("verdicts", unit.verdicts), ("dedup", unit.sign), ("tokens", unit.tokens)]
    return tuple(name for name, table in tables if table is not None and not work.has(table))


def _then(lacks: Sequence[str]) -> str:
    return f"; to be made anew: {', '.join(lacks)}" if lacks else " and scored; nothing of that is done again"
