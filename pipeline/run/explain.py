"""`--explain`: what a run would do, and why. Reads inputs to identify them; writes nothing."""

from __future__ import annotations

from collections.abc import Sequence

from filters import quality
from filters.models import coverage
from pipeline import read
from pipeline.errors import InputChanged, InputError, RecipeDiffers
from pipeline.machine import workers
from pipeline.machine.events import silent
from pipeline.output import inventory, manifest
from pipeline.output import work as work_
from pipeline.output.inputs import owners
from pipeline.plan import recipe
from pipeline.plan.load import LoadedPlan
from pipeline.plan.recipe import Recipe
from pipeline.read.expansion import expand, in_words, told_apart
from pipeline.records import interval
from pipeline.run import prepare, spans
from pipeline.run.options import RunOptions
from pipeline.stages.unit.tables import names
from pipeline.store.store import Store, open_output, open_store
from pipeline.text import numbers


def explain(loaded: LoadedPlan, options: RunOptions) -> str:
    """The text that `--explain` prints."""
    if not loaded.plan.source:
        raise InputError("no input: give --input PATH, or source.paths in the plan")
    resolved = recipe.resolve(loaded.plan)
    recipe.load_models(resolved)
    found = expand(loaded.plan.source)
    out = open_output(options.output, create=False)
    work = open_store(options.work or out.path(".work"), create=False)
    replacing = options.replace or options.fresh
    manifests = inventory.load_whole(out, replacing=replacing)
    work_.refuse_within(out, work)
    work_.refuse_other(work, out, work_.id_of(out, manifests), reading=True)
    files = told_apart(found.files, owners([] if replacing else manifests))
    with workers.workers(options.workers, at_end=read.close) as pool:
        inputs = spans.scan(files, pool, silent)
    base = "" if loaded.extends == loaded.name else f" (extends {loaded.extends})"
    lines = [f"plan {loaded.name}{base}, recipe {resolved.hash[:12]}"]
    before = [] if replacing else manifests
    sources = prepare.source_settings(found.files)
    if before:
        try:
            manifest.check_recipe(out, manifest.live(manifests)[-1], resolved, sources=sources)
        except RecipeDiffers as error:
            return "\n".join([*lines, f"would stop: {error}"])
    try:
        compared = prepare.compare_inputs(resolved, inputs, before=before, sources=sources)
    except InputChanged as error:
        return "\n".join([*lines, f"would stop: {error}"])
    new = [item for item in inputs if item.file.path in compared.read]
    generation = manifest.next_number(manifests)
    lines += _choice(resolved)
    found_new = f"{numbers.counted(len(inputs), 'input')}, {numbers.count(len(new))} new"
    lines.append(f"{found_new}; would become generation {generation} of {out.root}")
    lines += [f"passed over: {in_words(passed)}" for passed in found.passed_over]
    lines += compared.notes
    if not new:
        return "\n".join([*lines, "nothing new: nothing would run"])
    return "\n".join([*lines, *_facts(work, resolved, new)])


def _choice(resolved: Recipe) -> list[str]:
    """What each setting of `filters.quality.keep` kept and dropped of judged documents that its model had not seen."""
    used = [item for item in resolved.filters if item.filter.name == "quality" and quality.of_readers(item.params.model)]
    if not used:
        return []
    if not any(rule.on for rule in used[0].rules if rule.reason == "low_quality"):
        return ["filters.quality drops nothing by its score: the limits are by language, and filters.language is off"]
    if used[0].params.model == coverage.READERS:
        who, judged = "they", "what careful readers keep and drop of web pages from sites that the model has not seen"
    else:
        who, judged = "you", "what you keep and drop in the reviews that the model learnt from, each held out"
    lines = [f"filters.quality.keep, by {judged}:"]
    for key, choices in quality.card(used[0].params).choices.items():
        (kept, good), (dropped, bad) = choices[0].kept, choices[0].dropped
        here = " (this plan)" if key == used[0].thresholds.keep else ""
        lines.append(
            f"  {key}{here}: keeps {_share(kept, good)} of what {who} keep, drops {_share(dropped, bad)} of what {who} drop"
        )
    return [*lines, "  (the model alone; the plan's other rules and dedup come on top)"]


def _share(hits: int, n: int) -> str:
    """A share of n documents and its 95 % interval."""
    if not n:
        return "? (of none)"
    found = interval.share(hits, n)
    return f"{numbers.share(hits, n)} ({numbers.share(found.low, 1)} to {numbers.share(found.high, 1)}, {hits} of {n})"


def _facts(work: Store, resolved: Recipe, new: Sequence[spans.Input]) -> list[str]:
    units, unread = [], 0
    for item in spans.packed(new):
        found = spans.known_units(work, item)
        if found is None:
            unread += 1
        else:
            units += [names(unit, resolved) for unit in found]
    more = f" and {numbers.counted(unread, 'file')} with one reader, cut into units when read" if unread else ""
    lines = [numbers.counted(len(units), "unit") + more]
    order = [item.filter.name for item in resolved.filters]
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
    for kind in tables[0] if tables else ():
        paths = [path for unit in tables if (path := unit[kind])]
        have = sum(map(work.has, paths))
        version = next((f".v{a.filter.version}" for a in resolved.filters if a.filter.name == kind), "")
        if paths:
            of = f"{numbers.counted(len(paths), 'unit')} {'has' if len(paths) == 1 else 'have'} {kind}{version}"
            lines.append(f"{have} of {of}; {len(paths) - have} to do")
    return lines
