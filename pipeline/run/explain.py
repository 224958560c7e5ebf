"""`--explain`: what a plan does, whether it can run, how its inputs begin, and what a run would do. Writes nothing.

All that would stop a run is found at once (`pipeline.run.checks`); what can be said beside it is said.
"""

from __future__ import annotations

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
from pipeline.read.files import Inputs
from pipeline.run import beginnings, checks, outline, prepare, spans
from pipeline.run.checks import Faults, Places
from pipeline.run.options import RunOptions
from pipeline.stages.unit.tables import names
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
    yield from _facts(places.work, resolved, new)
    yield SAMPLE


def _facts(work: Store, resolved: Recipe, new: Sequence[spans.Input]) -> Iterator[str]:
    """What is done already of what the units need, the facts of which as many are there in one line."""
    units, unread = [], 0
    for item in spans.packed(new):
        found = spans.known_units(work, item)
        if found is None:
            unread += 1
        else:
            units += [names(unit, resolved) for unit in found]
    more = f" and {numbers.counted(unread, 'file')} with one reader, cut into units when read" if unread else ""
    yield numbers.counted(len(units), "unit") + more
    order = [f"{item.filter.name}.v{item.filter.version}" for item in resolved.filters]
    tables: list[dict[str, str | None]] = [
        {
            "documents": unit.documents,
            "final": unit.final,
            **dict(zip(order, unit.signals, strict=True)),
            "verdicts": unit.verdicts,
            "sign": unit.sign,
            "tokens": unit.tokens,
        }
        for unit in units
    ]
    kinds: dict[tuple[int, int], list[str]] = {}
    for kind in tables[0] if tables else ():
        paths = [path for unit in tables if (path := unit[kind])]
        if paths:
            kinds.setdefault((sum(map(work.has, paths)), len(paths)), []).append(kind)
    for (have, of), those in kinds.items():
        has = "has" if of == 1 else "have"
        yield f"{have} of {numbers.counted(of, 'unit')} {has} {', '.join(those)}; {of - have} to do"
