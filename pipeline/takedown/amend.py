"""Manifests of generations that lost documents: counts as the ledger now has them, no sample of what went.

Signals' histograms, sizes of clusters, checks and costs stay those of the run, and a note says so: they say nothing of a single
document.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from pipeline.output.manifest import Manifest
from pipeline.output.tombstones import Tombstones
from pipeline.plan.compute import Compute
from pipeline.plan.load import validate
from pipeline.records.base import Totals
from pipeline.records.counts import Cell, Crossed, Duplicates, FinalBytes, Overlap, ReasonLine, Tokens
from pipeline.records.metrics_json import RunMetrics
from pipeline.report.compute import ledger
from pipeline.report.metrics import collect as metrics_
from pipeline.report.metrics.collect import BY_RULE
from pipeline.report.metrics.tally import NO_LANGUAGE, OTHER
from pipeline.stages.unit.withhold import REASON, STAGE
from pipeline.takedown.find import Gone
from pipeline.takedown.rewrite import NewFiles

_NOTE = "documents were taken down since this run"
_NAMES = ("source_ref", "ref", "duplicate_ref")


def manifest(
    made: Manifest, gone: Sequence[Gone], rewritten: NewFiles, *, refs: set[str], tombstones: Tombstones, number: int
) -> Manifest:
    """The generation's manifest since. `gone`: its rows that went; `refs`: of all rows that went; `number`: of the take-down."""
    counted = [row for row in gone if row.line["verdict"] != "quarantined"]
    metrics = _counted(scrubbed(made.metrics, refs, tombstones), counted)
    crossed, left = _crossed(metrics.crossed, counted)
    metrics = metrics.model_copy(update={"crossed": crossed, "notes": _notes(metrics.notes, number, left=left)})
    metrics = _derived(metrics, validate(made.plan, where="the manifest").compute)
    metrics = metrics.model_copy(update={"files": rewritten.files})
    return made.model_copy(
        update={
            "files": rewritten.files,
            "index": rewritten.index,
            "content_sha256": rewritten.content_sha256,
            "totals": metrics.totals,
            "metrics": metrics,
        }
    )


def scrubbed(metrics: RunMetrics, refs: set[str], tombstones: Tombstones) -> RunMetrics:
    """Metrics without samples that name a row that went, and without texts that share a shingle with one."""
    return RunMetrics.model_validate(_scrubbed(metrics.model_dump(mode="json"), refs, tombstones))


def _scrubbed(value: Any, refs: set[str], tombstones: Tombstones) -> Any:
    """The same of any JSON."""
    if isinstance(value, dict):
        return {name: _plain(_scrubbed(item, refs, tombstones), tombstones) for name, item in value.items()}
    if isinstance(value, list):
        items = [item for item in value if not _names(item, refs) and not _tells(item, tombstones)]
        return [_scrubbed(item, refs, tombstones) for item in items]
    return value


def _plain(value: Any, tombstones: Tombstones) -> Any:
    return "" if isinstance(value, str) and _tells(value, tombstones) else value


def _names(item: Any, refs: set[str]) -> bool:
    if isinstance(item, dict):
        return any(isinstance(item.get(name), str) and item[name] in refs for name in _NAMES)
    if isinstance(item, list):
        return any(isinstance(part, str) and part in refs for part in item)
    return isinstance(item, str) and item in refs


def _tells(item: Any, tombstones: Tombstones) -> bool:
    """A text, or a sample with one, that shares a shingle with what went. Short strings are names and keys."""
    texts = list(item.values()) if isinstance(item, dict) else item if isinstance(item, list) else [item]
    long = [text for text in texts if isinstance(text, str) and len(text) > 20]
    return bool(long) and bool(tombstones.touches(long).any())


@dataclass
class _Moved:
    """What rows that went were counted as, summed: each moves from there to `taken_down`."""

    totals: Counter[str] = field(default_factory=Counter)
    final: Counter[str] = field(default_factory=Counter)
    tokens: Counter[str] = field(default_factory=Counter)
    sources: Counter[tuple[str, str]] = field(default_factory=Counter)
    languages: Counter[tuple[str, str]] = field(default_factory=Counter)
    edits: Counter[str] = field(default_factory=Counter)
    reasons: Counter[tuple[str, str]] = field(default_factory=Counter)
    pairs: Counter[tuple[str, str]] = field(default_factory=Counter)
    duplicates: Counter[str] = field(default_factory=Counter)

    def add(self, row: Gone) -> None:
        line = row.line
        size, ended, tokens = line["n_bytes_read"], line["n_bytes"] or 0, line["token_count"] or 0
        kept = line["verdict"] == "kept"
        self.totals.update(documents=1, bytes=size)
        self.final["read"] += ended
        self.tokens["read"] += tokens
        if kept:
            self.totals.update(kept=1, bytes_kept=size)
            self.final["kept"] += ended
            self.tokens["kept"] += tokens
            for names, name in ((self.sources, line["source"]), (self.languages, row.language or NO_LANGUAGE)):
                names[name, "documents"] += 1
                names[name, "bytes"] += size
        self.edits.update(line["edits"])
        self._add_reasons(line["reason"] if line["verdict"] == "dropped" else None, line["failed"] or [], size)
        if line["reason"] in ("exact_duplicate", "near_duplicate"):
            self.duplicates[line["reason"]] += 1

    def _add_reasons(self, reason: str | None, failed: Sequence[str], size: int) -> None:
        if reason is not None:
            self.reasons[reason, "first"] += 1
            self.reasons[reason, "first_bytes"] += size
        for name in failed:
            self.reasons[name, "any"] += 1
            self.reasons[name, "only"] += len(failed) == 1
        for one in failed:
            self.pairs.update((one, other) for other in failed)


def _counted(metrics: RunMetrics, gone: Sequence[Gone]) -> RunMetrics:
    """Each row moved from where it was counted to `taken_down`."""
    moved = _Moved()
    for row in gone:
        moved.add(row)
    final = metrics.final_bytes
    return metrics.model_copy(
        update={
            "totals": _totals(metrics.totals, moved),
            "final_bytes": FinalBytes(read=final.read - moved.final["read"], kept=final.kept - moved.final["kept"]),
            "by_source": tuple(
                line.model_copy(
                    update={
                        "kept": line.kept - moved.sources[line.source, "documents"],
                        "dropped": line.dropped + moved.sources[line.source, "documents"],
                        "bytes_kept": line.bytes_kept - moved.sources[line.source, "bytes"],
                    }
                )
                for line in metrics.by_source
            ),
            "by_language": tuple(
                line.model_copy(
                    update={
                        "kept": line.kept - moved.languages[line.language, "documents"],
                        "bytes_kept": line.bytes_kept - moved.languages[line.language, "bytes"],
                    }
                )
                for line in metrics.by_language
            ),
            "edits": tuple(
                line.model_copy(update={"documents": line.documents - moved.edits[line.edit]}) for line in metrics.edits
            ),
            "reasons": _reasons(metrics.reasons, moved) if gone else metrics.reasons,
            "overlap": _overlap(metrics.overlap, moved),
            "duplicates": _duplicates(metrics.duplicates, moved),
            "tokens": _tokens(metrics.tokens, moved),
        }
    )


def _totals(totals: Totals, moved: _Moved) -> Totals:
    n, size = moved.totals["kept"], moved.totals["bytes_kept"]
    return totals.model_copy(
        update={
            "kept": totals.kept - n,
            "dropped": totals.dropped + n,
            "bytes_kept": totals.bytes_kept - size,
            "bytes_dropped": totals.bytes_dropped + size,
        }
    )


def _reasons(reasons: Sequence[ReasonLine], moved: _Moved) -> tuple[ReasonLine, ...]:
    """`taken_down` stands behind the reasons that are a row's first, before rules that only others were first for."""
    lines = [_lowered(line, moved) for line in reasons if line.reason != REASON]
    place = sum(1 for line in reasons if line.reason != REASON and (line.first or line.stage not in BY_RULE))
    known = [number for number, line in enumerate(reasons) if line.reason == REASON]
    n, size = moved.totals["documents"], moved.totals["bytes"]
    old = reasons[known[0]] if known else ReasonLine(reason=REASON, stage=STAGE, first=0, first_bytes=0, any=0, only=0)
    new = {"first": old.first + n, "first_bytes": old.first_bytes + size, "any": old.any + n, "only": old.only + n}
    lines.insert(known[0] if known else place, old.model_copy(update=new))
    return tuple(lines)


def _lowered(line: ReasonLine, moved: _Moved) -> ReasonLine:
    less = {name: moved.reasons[line.reason, name] for name in ("first", "first_bytes", "any", "only")}
    if line.stage not in BY_RULE:
        less |= {"any": less["any"] + less["first"], "only": less["only"] + less["first"]}
    return line.model_copy(update={name: getattr(line, name) - n for name, n in less.items()})


def _overlap(overlap: Overlap, moved: _Moved) -> Overlap:
    names = overlap.reasons
    counts = tuple(
        tuple(n - moved.pairs[one, other] for other, n in zip(names, row, strict=True))
        for one, row in zip(names, overlap.counts, strict=True)
    )
    return Overlap(reasons=names, counts=counts)


def _duplicates(found: Duplicates | None, moved: _Moved) -> Duplicates | None:
    if found is None:
        return None
    less = moved.duplicates
    return found.model_copy(update={"exact": found.exact - less["exact_duplicate"], "near": found.near - less["near_duplicate"]})


def _tokens(tokens: Tokens, moved: _Moved) -> Tokens:
    if tokens.kind != "counted":
        return tokens
    return tokens.model_copy(update={name: getattr(tokens, name) - moved.tokens[name] for name in ("read", "kept")})


def _crossed(found: Crossed, gone: Sequence[Gone]) -> tuple[Crossed, int]:
    """Each row moved to `taken_down` in its cell's language and source, and how many rows were not: their language is not known
    any more."""
    cells = {(one.language, one.source, one.reason): one.documents for one in found.cells}
    left = sum(not _moved(cells, row) for row in gone)
    reasons = found.reasons
    if REASON not in reasons and any(reason == REASON for _, _, reason in cells):
        reasons = (*reasons, REASON)
    lines = (Cell(language=a, source=b, reason=c, documents=n) for (a, b, c), n in cells.items())
    return Crossed(reasons=reasons, cells=tuple(lines)), left


def _moved(cells: dict[tuple[str, str, str | None], int], row: Gone) -> bool:
    """Move a row to `taken_down`; False where its cell is not known."""
    languages, sources, reasons = ({name[part] for name in cells} for part in range(3))
    language = row.language or (NO_LANGUAGE if languages == {NO_LANGUAGE} else None)
    if language is None:
        return False
    source, reason = row.line["source"], row.line["reason"]
    language = language if language in languages else OTHER
    source = source if source in sources else OTHER
    old = (language, source, reason if reason in reasons else OTHER)
    if old not in cells:
        return False
    cells[old] -= 1
    cells[language, source, REASON] = cells.get((language, source, REASON), 0) + 1
    if not cells[old]:
        del cells[old]
    return True


def _notes(notes: Sequence[str], number: int, *, left: int) -> tuple[str, ...]:
    """Say what was not amended, in place of what an earlier take-down said."""
    said = f"{_NOTE} (manifest {number}): histograms of signals, sizes of clusters, checks and costs are still those of the run"
    if left:
        said += f", and so are {left:,} documents by language, source and reason, whose language is not known any more"
    others = (note for note in notes if not note.startswith(_NOTE))
    return (*others, f"{said}; the page quotes no document until a run adds some")


def _derived(metrics: RunMetrics, settings: Compute) -> RunMetrics:
    """With funnel, tokens and the compute ledger, which follow from the counts."""
    final, tokens = metrics.final_bytes, metrics.tokens
    new: dict[str, float] = {}
    if tokens.kind == "estimated":
        new = {
            "read": ledger.estimate(final.read, settings.bytes_per_token),
            "kept": ledger.estimate(final.kept, settings.bytes_per_token),
        }
    elif tokens.read:
        new = {"bytes_per_token": final.read / tokens.read}
    metrics = metrics.model_copy(
        update={
            "funnel": metrics_.funnel(metrics.totals, metrics.reasons, final.kept),
            "tokens": tokens.model_copy(update=new),
        }
    )
    return metrics.model_copy(update={"compute": metrics_.ledger(metrics, settings, metrics.cost)})
