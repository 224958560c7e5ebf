"""Manifests of generations that lost documents: counts as the ledger now has them, no sample of what went.

Signals' histograms, sizes of clusters, checks and costs stay those of the run, and a note says so: they say nothing of a single
document.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

from pipeline.output.manifest import Manifest, Totals
from pipeline.output.tombstones import Tombstones
from pipeline.plan.load import validate
from pipeline.report.compute import ledger
from pipeline.report.metrics.tally import NO_LANGUAGE, OTHER
from pipeline.stages.unit.withhold import REASON, STAGE
from pipeline.takedown.find import Gone
from pipeline.takedown.rewrite import Rewritten

_NOTE = "documents were taken down since this run"
_NAMES = ("source_ref", "ref", "duplicate_ref")


def manifest(
    made: Manifest, gone: Sequence[Gone], rewritten: Rewritten, refs: set[str], tombstones: Tombstones, *, number: int
) -> Manifest:
    """The generation's manifest since. `gone`: its rows that went; `refs`: of all rows that went; `number`: of the take-down."""
    metrics = scrubbed(copy.deepcopy(made.metrics), refs, tombstones)
    counted = [row for row in gone if row.line["verdict"] != "quarantined"]
    _count(metrics, counted)
    left = sum(not _crossed(metrics["crossed"], row) for row in counted)
    _derive(metrics, made)
    _note(metrics, number, left=left)
    metrics["files"] = [record.model_dump() for record in rewritten.files]
    return made.model_copy(
        update={
            "files": rewritten.files,
            "index": rewritten.index,
            "content_sha256": rewritten.content_sha256,
            "totals": Totals(**metrics["totals"]),
            "metrics": metrics,
        }
    )


def scrubbed(value: Any, refs: set[str], tombstones: Tombstones) -> Any:
    """JSON without what names a row that went in a list of samples, and without texts that share a shingle with one."""
    if isinstance(value, dict):
        return {name: _plain(scrubbed(item, refs, tombstones), tombstones) for name, item in value.items()}
    if isinstance(value, list):
        items = [item for item in value if not _names(item, refs) and not _tells(item, tombstones)]
        return [scrubbed(item, refs, tombstones) for item in items]
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


def _count(metrics: dict[str, Any], gone: Sequence[Gone]) -> None:
    """Move each row from where it was counted to `taken_down`."""
    totals = metrics["totals"]
    for row in gone:
        line = row.line
        size, ended = line["n_bytes_read"], line["n_bytes"] or 0
        kept = line["verdict"] == "kept"
        metrics["final_bytes"]["read"] -= ended
        if kept:
            for name, n in (("kept", -1), ("dropped", 1), ("bytes_kept", -size), ("bytes_dropped", size)):
                totals[name] += n
            metrics["final_bytes"]["kept"] -= ended
            for source in (one for one in metrics["by_source"] if one["source"] == line["source"]):
                for name, n in (("kept", -1), ("dropped", 1), ("bytes_kept", -size)):
                    source[name] += n
            for language in (one for one in metrics["by_language"] if one["language"] == (row.language or NO_LANGUAGE)):
                language["kept"] -= 1
                language["bytes_kept"] -= size
        for edit in (one for one in metrics["edits"] if one["edit"] in line["edits"]):
            edit["documents"] -= 1
        if metrics["tokens"]["kind"] == "counted":
            metrics["tokens"]["read"] -= line["token_count"] or 0
            metrics["tokens"]["kept"] -= (line["token_count"] or 0) * kept
        _reasons(metrics, line, size)


def _reasons(metrics: dict[str, Any], line: dict[str, Any], size: int) -> None:
    lines = {one["reason"]: one for one in metrics["reasons"]}
    if line["verdict"] == "dropped" and line["reason"] in lines:
        old = lines[line["reason"]]
        old["first"] -= 1
        old["first_bytes"] -= size
        if old["stage"] not in ("filter", "model"):
            old["any"] -= 1
            old["only"] -= 1
    failed = line["failed"] or []
    for name in failed:
        if name in lines:
            lines[name]["any"] -= 1
            lines[name]["only"] -= len(failed) == 1
    overlap = metrics["overlap"]
    places = [overlap["reasons"].index(name) for name in failed if name in overlap["reasons"]]
    for one in places:
        for other in places:
            overlap["counts"][one][other] -= 1
    if REASON not in lines:
        new = {"reason": REASON, "stage": STAGE, "first": 0, "first_bytes": 0, "any": 0, "only": 0}
        at = sum(1 for one in metrics["reasons"] if one["first"] or one["stage"] not in ("filter", "model"))
        metrics["reasons"].insert(at, new)
        lines[REASON] = new
    for name, n in (("first", 1), ("first_bytes", size), ("any", 1), ("only", 1)):
        lines[REASON][name] += n
    duplicates = metrics["duplicates"]
    kind = {"exact_duplicate": "exact", "near_duplicate": "near"}.get(line["reason"] or "")
    if duplicates is not None and kind is not None:
        duplicates[kind] -= 1


def _crossed(crossed: dict[str, Any], row: Gone) -> bool:
    """Move the row to `taken_down` in its cell's language and source; False where its language is not known any more."""
    cells = {(one["language"], one["source"], one["reason"]): one for one in crossed["cells"]}
    languages, sources, reasons = ({name[part] for name in cells} for part in range(3))
    language = row.language or (NO_LANGUAGE if languages == {NO_LANGUAGE} else None)
    if language is None:
        return False
    source, reason = row.line["source"], row.line["reason"]
    language = language if language in languages else OTHER
    source = source if source in sources else OTHER
    reason = reason if reason in reasons else OTHER
    old = cells.get((language, source, reason))
    if old is None:
        return False
    old["documents"] -= 1
    new = cells.get((language, source, REASON))
    if new is None:
        new = {"language": language, "source": source, "reason": REASON, "documents": 0}
        crossed["cells"].append(new)
        if REASON not in crossed["reasons"]:
            crossed["reasons"].append(REASON)
    new["documents"] += 1
    crossed["cells"] = [one for one in crossed["cells"] if one["documents"]]
    return True


def _note(metrics: dict[str, Any], number: int, *, left: int) -> None:
    """Say what was not amended, in place of what an earlier take-down said."""
    said = f"{_NOTE} (manifest {number}): histograms of signals, sizes of clusters, checks and costs are still those of the run"
    if left:
        said += f", and so are {left:,} documents by language, source and reason, whose language is not known any more"
    metrics["notes"] = [note for note in metrics["notes"] if not note.startswith(_NOTE)]
    metrics["notes"].append(f"{said}; the page quotes no document until a run adds some")


def _derive(metrics: dict[str, Any], made: Manifest) -> None:
    """Funnel, tokens and the compute ledger, which follow from the counts."""
    totals, ended = metrics["totals"], metrics["final_bytes"]["kept"]

    def line(stage: str, label: str, documents: int, size: int) -> dict[str, Any]:
        return {"stage": stage, "label": label, "documents": documents, "bytes": size}

    metrics["funnel"] = [
        line("read", "rows read", totals["read"], totals["bytes_read"]),
        line("read", "quarantined", -totals["quarantined"], -totals["bytes_quarantined"]),
        *(line(r["stage"], r["reason"], -r["first"], -r["first_bytes"]) for r in metrics["reasons"] if r["first"]),
        line("kept", "kept", totals["kept"], totals["bytes_kept"]),
        line("edit", "changed by normalise and edits", 0, ended - totals["bytes_kept"]),
        line("kept", "kept, final text", totals["kept"], ended),
    ]
    tokens, settings = metrics["tokens"], validate(made.plan, where="the manifest").compute
    if tokens["kind"] == "estimated":
        tokens["read"] = ledger.estimate(metrics["final_bytes"]["read"], settings.bytes_per_token)
        tokens["kept"] = ledger.estimate(ended, settings.bytes_per_token)
    elif tokens["read"]:
        tokens["bytes_per_token"] = metrics["final_bytes"]["read"] / tokens["read"]
    metrics["compute"] = ledger.ledger(
        settings,
        tokens_read=tokens["read"],
        tokens_kept=tokens["kept"],
        tokens_kind=tokens["kind"],
        curation_cpu_s=metrics["cost"]["cpu_s"],
        lost_cpu_s=metrics["cost"]["lost_cpu_s"],
        languages=[(one["language"], one["bytes_kept"]) for one in metrics["by_language"] if one["language"]],
    )
