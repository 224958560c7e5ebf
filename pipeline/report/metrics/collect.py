"""metrics.json: the funnel, reasons, sources, languages, signals, duplicates, quarantine, tokens. Summed from disk.

`README.md` and the page are rendered from this and from samples/; `pipeline.records` has its shape. No key
holds texts of documents. What grows with the corpus: a line for each size of a cluster (at most the square root of twice the
documents). All else is bounded: `by_source` by MOST_SOURCES, `overlap` by the plan's rules squared, `crossed` by MOST_NAMED,
`signals` by the bins of `tally.EDGES`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pyarrow as pa

from filters import FILTERS
from filters.contract import Tier
from pipeline.plan.compute import Compute
from pipeline.plan.model import Plan
from pipeline.plan.recipe import Recipe
from pipeline.read.rows import Replaced
from pipeline.records.base import Totals
from pipeline.records.counts import (
    SCHEMA_VERSION,
    Cell,
    Cluster,
    Counts,
    Crossed,
    Duplicates,
    EditLine,
    FinalBytes,
    FunnelLine,
    Histogram,
    LanguageLine,
    Limit,
    ModelLine,
    Overlap,
    ReasonLine,
    ReplacedLine,
    Search,
    SourceLine,
    Tokens,
    Unreadable,
)
from pipeline.records.inputs import PassedOver
from pipeline.records.ledger import Ledger
from pipeline.records.metrics_json import Cost
from pipeline.records.selection import Selection
from pipeline.report.compute import ledger as compute
from pipeline.report.metrics.tally import EDGES, NO_LANGUAGE, OTHER, OTHERS, VERDICTS, Tally, totals

MOST_NAMED = {"language": 10, "source": 10, "reason": 12}
"""Values of each column that have rows of their own, most documents first; the rest are summed as `other`. Chosen so that the
table has under 2,000 cells."""
MOST_SOURCES = 1_000
"""Sources with a line of their own, most rows first; the rest are summed as `others`."""
BY_RULE = ("filter", "model")
"""Stages whose reasons are rules over signals: a document may fail several of them."""


@dataclass(frozen=True)
class About:
    """What stands beside the counts: `live` generations once this one is published, notes of the run, files that it did not read,
    library versions, and what was `replaced`: values for which something else stands."""

    generation: int
    live: tuple[int, ...]
    plan_name: str
    notes: tuple[str, ...]
    passed_over: tuple[PassedOver, ...]
    versions: dict[str, str]
    architecture: str
    replaced: Replaced = ()


def collect(recipe: Recipe, tally: Tally, about: About, *, search: Search | None, selection: Selection | None) -> Counts:
    """The part of metrics.json that follows from the rows. `search`: how dedup looked for duplicates, None without dedup."""
    total = totals(tally)
    final_kept = tally.get("verdict", "kept", "final")
    final_read = final_kept + tally.get("verdict", "dropped", "final")
    reasons = _reasons(tally)
    models = _models(tally, recipe)
    return Counts(
        schema_version=SCHEMA_VERSION,
        generation=about.generation,
        live=about.live,
        plan_name=about.plan_name,
        recipe_hash=recipe.hash,
        totals=total,
        final_bytes=FinalBytes(read=final_read, kept=final_kept),
        funnel=funnel(total, reasons, final_kept),
        reasons=reasons,
        by_source=_by_source(tally),
        by_language=_by_language(tally),
        edits=tuple(EditLine(edit=name, documents=n) for (name,), n in sorted(tally.rows("edit").items())),
        overlap=_overlap(tally, reasons),
        crossed=_crossed(tally),
        signals=_signals(tally, recipe),
        models=models,
        duplicates=_duplicates(tally, search),
        quarantine=tuple(
            Unreadable(cause=reason, rows=n, bytes=tally.get("reason", "quarantined", stage, reason, "bytes"))
            for (verdict, stage, reason, what), n in sorted(tally.rows("reason").items())
            if verdict == "quarantined" and what == "documents"
        ),
        replaced=tuple(ReplacedLine(column=column, kind=kind, values=n) for column, kind, n in about.replaced),
        tokens=_tokens(
            tally,
            recipe.plan,
            final=FinalBytes(read=final_read, kept=final_kept),
            as_read=total.bytes_read - total.bytes_quarantined,
        ),
        selection=selection,
        notes=(*about.notes, *unscored_notes(models)),
        passed_over=about.passed_over,
        versions=about.versions,
        architecture=about.architecture,
    )


def _dropped(tally: Tally) -> list[tuple[str, str, int, int]]:
    """`(stage, reason, documents, bytes)` of dropped rows, in the order in which reasons are listed."""
    order = ["normalise", "filter", "edit", "model", "dedup", "select", "takedown"]
    names = [f.name for f in FILTERS]
    found = [
        (stage, reason, n, tally.get("reason", "dropped", stage, reason, "bytes"))
        for (verdict, stage, reason, what), n in tally.rows("reason").items()
        if verdict == "dropped" and what == "documents"
    ]
    return sorted(found, key=lambda r: (order.index(r[0]), _filter_rank(names, r[1]), r[1]))


def _filter_rank(names: list[str], reason: str) -> int:
    name = reason.partition(".")[0]
    return names.index(name) if name in names else len(names)


def funnel(total: Totals, reasons: Sequence[ReasonLine], final_kept: int) -> tuple[FunnelLine, ...]:
    """From the rows read to the final text: what each reason took, in the order of the reasons."""
    steps = (
        ("read", "rows read", total.read, total.bytes_read),
        ("read", "quarantined", -total.quarantined, -total.bytes_quarantined),
        *((line.stage, line.reason, -line.first, -line.first_bytes) for line in reasons if line.first),
        ("kept", "kept", total.kept, total.bytes_kept),
        ("edit", "changed by normalise and edits", 0, final_kept - total.bytes_kept),
        ("kept", "kept, final text", total.kept, final_kept),
    )
    return tuple(FunnelLine(stage=stage, label=label, documents=n, bytes=size) for stage, label, n, size in steps)


def _reasons(tally: Tally) -> tuple[ReasonLine, ...]:
    first = {reason: (stage, n, size) for stage, reason, n, size in _dropped(tally)}
    names = [*first, *sorted(name for (name,) in tally.rows("any") if name not in first)]
    lines = []
    for name in names:
        stage, n, size = first.get(name, ("filter", 0, 0))
        failed, alone = (tally.get("any", name), tally.get("only", name)) if stage in BY_RULE else (n, n)
        lines.append(ReasonLine(reason=name, stage=stage, first=n, first_bytes=size, any=failed, only=alone))
    return tuple(lines)


def _overlap(tally: Tally, reasons: Sequence[ReasonLine]) -> Overlap:
    order = {line.reason: number for number, line in enumerate(reasons)}
    names = sorted((name for (name,) in tally.rows("any")), key=lambda name: order[name])
    both = {frozenset(pair): n for pair, n in tally.rows("pair").items()}
    counts = (tuple(tally.get("any", a) if a == b else both.get(frozenset((a, b)), 0) for b in names) for a in names)
    return Overlap(reasons=tuple(names), counts=tuple(counts))


def _crossed(tally: Tally) -> Crossed:
    sums: list[Counter[str]] = [Counter(), Counter(), Counter()]
    for name, n in tally.cross.items():
        for counter, part in zip(sums, name, strict=True):
            counter[part] += n
    sums[2].pop("", None)
    kept = [
        [part for part, _ in sorted(counter.items(), key=lambda item: (item[0] == OTHER, -item[1], item[0]))[:most]]
        for counter, most in zip(sums, MOST_NAMED.values(), strict=True)
    ]
    cells: Counter[tuple[str, ...]] = Counter()
    for name, n in tally.cross.items():
        cells[tuple(part if part in own or not part else OTHER for part, own in zip(name, kept, strict=True))] += n
    lines = sorted(cells.items(), key=lambda cell: (-cell[1], cell[0]))
    return Crossed(
        reasons=tuple(kept[2]),
        cells=tuple(Cell(language=a, source=b, reason=c or None, documents=n) for (a, b, c), n in lines),
    )


def _by_source(tally: Tally) -> tuple[SourceLine, ...]:
    lines: dict[str, Counter[tuple[str, str]]] = {}
    for (source, verdict, what), n in tally.rows("source").items():
        lines.setdefault(source, Counter())[verdict, what] += n
    read = {source: sum(n for (_, what), n in of.items() if what == "documents") for source, of in lines.items()}
    ordered = sorted(lines, key=lambda source: (source == OTHERS, -read[source], source))
    for source in ordered[MOST_SOURCES:]:
        if source != OTHERS:
            lines.setdefault(OTHERS, Counter()).update(lines.pop(source))
    return tuple(_source_line(source, lines[source]) for source in sorted(lines))


def _source_line(source: str, counts: Counter[tuple[str, str]]) -> SourceLine:
    n, size = ({v: counts[v, what] for v in VERDICTS} for what in ("documents", "bytes"))
    bytes_read = sum(size.values())
    return SourceLine(source=source, read=sum(n.values()), **n, bytes_read=bytes_read, bytes_kept=size["kept"])


def _by_language(tally: Tally) -> tuple[LanguageLine, ...]:
    lines = []
    for language in {name[0] for name in tally.rows("language")}:
        n, size = ({v: tally.get("language", language, v, what) for v in VERDICTS} for what in ("documents", "bytes"))
        read = {"documents": sum(n.values()), "bytes_read": sum(size.values())}
        lines.append(LanguageLine(language=language, **read, kept=n["kept"], bytes_kept=size["kept"]))
    return tuple(sorted(lines, key=lambda line: (-line.documents, line.language)))


def _signals(tally: Tally, recipe: Recipe) -> tuple[Histogram, ...]:
    lines = []
    for item in recipe.filters:
        thresholds = {k: v for k, v in item.thresholds.model_dump(mode="json").items() if isinstance(v, int | float)}
        types = {field.name: field.type for field in item.filter.signals}
        for name, counts in tally.histograms.items():
            owner, _, column = name.partition("/")
            if owner == item.filter.name:
                whole = pa.types.is_integer(types[column])
                used = [i for i, n in enumerate(counts) if n]
                lo, hi = (used[0], used[-1] + 1) if used else (0, -1)
                lines.append(
                    Histogram(
                        signal=column,
                        filter=owner,
                        whole=whole,
                        edges=tuple(float(e) for e in EDGES[whole][lo : hi + 1]),
                        counts=tuple(int(n) for n in counts[lo:hi]) if used else (),
                        nulls=tally.get("nulls", name),
                        thresholds=thresholds,
                        limits=tuple(_limits(tally, recipe, owner, signal=column)),
                    )
                )
    return tuple(lines)


def _limits(tally: Tally, recipe: Recipe, owner: str, *, signal: str) -> Iterator[Limit]:
    for name, rule in recipe.limits.items():
        if name.startswith(f"{owner}.") and rule.signal == signal and rule.figure is not None:
            failed = tally.get("any", name)
            yield Limit(reason=name, value=rule.figure, by_row=bool(rule.by), least=rule.least, failed=failed)


def _models(tally: Tally, recipe: Recipe) -> tuple[ModelLine, ...]:
    lines = []
    for item in recipe.filters:
        if item.filter.tier is Tier.MODEL:
            left = {name[2]: n for name, n in tally.rows("model").items() if name[:2] == (item.filter.name, "not covered")}
            ordered = sorted(left.items(), key=lambda pair: (-pair[1], pair[0]))
            scored = tally.get("model", item.filter.name, "scored")
            lines.append(ModelLine(filter=item.filter.name, scored=scored, not_covered=tuple(ordered)))
    return tuple(lines)


def unscored_notes(models: Sequence[ModelLine]) -> list[str]:
    """What to do where a model scored nothing because the plan has no language filter."""
    return [
        f"filters.{model.filter} scored nothing: it covers some languages, and filters.language is off; switch that on"
        f" (filters.language: {{}}), or set filters.{model.filter}.languages: all"
        for model in models
        if not model.scored and [code for code, _ in model.not_covered] == [NO_LANGUAGE]
    ]


def _duplicates(tally: Tally, search: Search | None) -> Duplicates | None:
    if search is None:
        return None
    sizes = sorted((int(size), n) for (size,), n in tally.rows("cluster").items())
    return Duplicates(
        exact=tally.get("reason", "dropped", "dedup", "exact_duplicate", "documents"),
        near=tally.get("reason", "dropped", "dedup", "near_duplicate", "documents"),
        **dict(search),
        cluster_sizes=tuple(sizes),
        largest=tuple(
            Cluster(id=e.id, source_ref=e.source_ref, size=int(e.value or 0)) for e in tally.examples.of("largest").get("", [])
        ),
    )


def _tokens(tally: Tally, plan: Plan, *, final: FinalBytes, as_read: int) -> Tokens:
    """`as_read`: bytes of the text before it was edited. Tokens are counted of final text alone."""
    if plan.output.tokenizer is not None:
        kept = tally.get("verdict", "kept", "tokens")
        counted = kept + tally.get("verdict", "dropped", "tokens")
        ratio = final.read / counted if counted else None
        edited = as_read != final.read and ratio is not None
        basis = "counted with the plan's tokenizer" + ("; what edits removed, in proportion to its bytes" if edited else "")
        read = counted if ratio is None else round(as_read / ratio)
        return Tokens(kind="counted", read=read, kept=kept, bytes_per_token=ratio, basis=basis)
    return Tokens(
        kind="estimated",
        read=compute.estimate(as_read, plan.compute.bytes_per_token),
        kept=compute.estimate(final.kept, plan.compute.bytes_per_token),
        bytes_per_token=plan.compute.bytes_per_token,
        basis="bytes of text divided by an assumed number of bytes a token; name output.tokenizer to count",
    )


def ledger(counts: Counts, settings: Compute, cost: Cost) -> Ledger:
    """The compute ledger of a generation with these counts, which cost this."""
    return compute.ledger(
        settings,
        tokens_read=counts.tokens.read,
        tokens_kept=counts.tokens.kept,
        tokens_kind=counts.tokens.kind,
        curation_cpu_s=cost.cpu_s,
        lost_cpu_s=cost.lost_cpu_s,
        languages=[(line.language, line.bytes_kept) for line in counts.by_language if line.language],
    )
