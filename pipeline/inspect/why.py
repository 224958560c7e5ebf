"""`inspect why`: everything that decided one document's fate, and where it is now.

A document is named by its source_ref, which the ledger is ordered by, or by its id, which may repeat. Values of filters are made
again from the text that the output holds; where the plan's edits changed it and rules read the text before them, `why` says so.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import polars as pl

from filters.contract import Tier
from pipeline.errors import InputError
from pipeline.inspect.margins import BY_EXPRESSION, worded
from pipeline.inspect.output import Output
from pipeline.inspect.verdict import TextVerdict, judge_text
from pipeline.records.rows import LedgerRow, ledger_rows
from pipeline.report.table import Part, table
from pipeline.text import numbers
from pipeline.text.visible import folded

MOST = 20
"""Documents of one id that are shown."""
EXCERPT = 240
_REF = re.compile(r".*#[0-9]+")


@dataclass(frozen=True)
class Survivor:
    """The document that another one repeats; its text is None where data/ does not hold it any more."""

    id: str
    source_ref: str
    text: str | None


@dataclass(frozen=True)
class Found:
    """A row of the ledger, where its text is (folder and file; None: kept nowhere), and its text."""

    row: LedgerRow
    file: str | None
    text: str | None
    survivor: Survivor | None  # of the document that it is a duplicate of


def find_rows(output: Output, name: str) -> list[Found]:
    """Documents with this source_ref or id. Raises InputError if there is none."""
    rows = _rows(output, "ledger", name).head(MOST)
    if not len(rows):
        raise InputError(f"{output.store.root}: no document has the id or source_ref {name}; ids and refs stand in ledger/")
    return [_found(output, row) for row in ledger_rows(rows)]


def _rows(output: Output, folder: str, name: str) -> pl.DataFrame:
    scan = output.scan(folder)
    if scan is None:
        return pl.DataFrame()
    by_ref = scan.filter(pl.col("source_ref") == name).head(MOST).collect() if _REF.fullmatch(name) else pl.DataFrame()
    if len(by_ref):
        return by_ref
    # Ids are in no order, so that all are looked at, but only they: of other columns what statistics of source_ref leave is read.
    refs = scan.filter(pl.col("id") == name).select("source_ref").head(MOST).collect()["source_ref"].unique(maintain_order=True)
    found = [scan.filter((pl.col("source_ref") == ref) & (pl.col("id") == name)).head(MOST).collect() for ref in refs]
    return pl.concat(found) if found else pl.DataFrame()


def _found(output: Output, row: LedgerRow) -> Found:
    folder = {"kept": "data", "dropped": "rejected"}.get(row["verdict"])
    file, text = _text(output, folder, row["source_ref"], generation=row["generation"]) if folder else (None, None)
    survivor = None
    if row["duplicate_ref"]:
        _, kept = _text(output, "data", row["duplicate_ref"], generation=row["duplicate_generation"] or 0)
        survivor = Survivor(row["duplicate_of"] or "", row["duplicate_ref"], kept)
    return Found(row, file, text, survivor)


def _text(output: Output, folder: str, ref: str, *, generation: int) -> tuple[str | None, str | None]:
    """File and text of a document of a generation: its shards are in order of source_ref within a source."""
    records = [record for made in output.live if made.generation == generation for record in made.files]
    for path in (record.path for record in records if record.path.startswith(f"{folder}/")):
        found = output.store.scan([path]).filter(pl.col("source_ref") == ref).select("text").collect()
        if len(found):
            return path, found["text"][0]
    return None, None


def explanation(output: Output, found: Found) -> list[Part]:
    """Fate, evidence, place, text, and each rule with its value and limit."""
    row = found.row
    said: list[Part] = [f"{row['id']}  {row['source_ref']}, generation {row['generation']}", _verdict(row)]
    if row["duplicate_ref"]:
        survivor = f"{row['duplicate_of'] or ''} ({row['duplicate_ref']}, generation {row['duplicate_generation']})"
        said.append(f"  of {survivor}, similarity {row['similarity']:.4f}")
    final = f", {numbers.size(row['n_bytes'])} of final text" if row["n_bytes"] else ""
    said.append(f"  {numbers.size(row['n_bytes_read'])} read{final}; edits: {', '.join(row['edits']) or 'none'}")
    said.append(f"  now in {found.file or 'no folder: its text was not kept'}")
    said += _excerpt("text", found.text)
    if found.survivor is not None:
        said += _excerpt("survivor", found.survivor.text)
    if found.text is not None:
        said += ["", *rules(judge_text(output.recipe, found.text)), *notes(output, row)]
    return said


def explanation_of_text(output: Output, text: str) -> list[Part]:
    """As `explanation`, for a text that is no document of the output."""
    made = judge_text(output.recipe, text)
    verdict = f"dropped: {made.reason}" if made.reason else "kept by the filters (dedup and selection compare documents)"
    return [verdict, f"  edits: {', '.join(made.edits) or 'none'}", "", *rules(made)]


def notes(output: Output, row: LedgerRow) -> list[str]:
    """Reasons why the values shown, which are made now, may differ from those that the run saw."""
    made = []
    if row["edits"] and any(item.reads == "source" for item in output.recipe.filters):
        made.append("values of filters that read the text before edits are of the edited text here")
    tiers = {item.filter.name: item.filter.tier for item in output.recipe.filters}
    models = [name for name, tier in tiers.items() if tier is Tier.MODEL]
    if models and any(tiers.get(reason.partition(".")[0]) is Tier.CHEAP for reason in row["failed"] or ()):
        audited = ", unless it was one of audit_fraction" if output.plan.audit_fraction else ""
        made.append(f"{', '.join(models)}: not scored by the run, since a cheaper rule dropped it{audited}; scored now")
    return made


def _verdict(row: LedgerRow) -> str:
    if row["verdict"] == "kept":
        return "kept"
    also = ", ".join(name for name in row["failed"] or () if name != row["reason"])
    return f"{row['verdict']} ({row['stage']}): {row['reason'] or ''}" + (f"; also failed {also}" if also else "")


def _excerpt(name: str, text: str | None) -> list[str]:
    if text is None:
        return []
    return [f"  {name}: {folded(text[: 4 * EXCERPT], limit=EXCERPT)}"]


def rules(made: TextVerdict) -> list[Part]:
    """A row for each rule: those that fail first, then near misses, then the rest."""
    rows = []
    for rule in sorted(made.rules, key=lambda rule: (not rule.fails, not rule.near)):
        near = f"near, {numbers.share(rule.off, 1)} off" if rule.near and rule.off is not None else ""
        mark = "FAILS" if rule.fails and rule.action == "drop" else "(fails)" if rule.fails else near
        shown = (rule.signal or numbers.NONE, worded(rule.value), rule.passes or numbers.NONE)
        rows.append((f"{rule.filter}.{rule.reason}", *shown, mark))
    said: list[Part] = [table(("rule", "signal", ">value", ">passes", ""), rows), *without_limit(made)]
    for name, values in made.signals:
        if not any(rule.filter == name for rule in made.rules):  # it drops nothing in this plan
            said.append(f"{name}: {', '.join(f'{key} {worded(value)}' for key, value in values.items())}")
    return said


def without_limit(made: TextVerdict) -> list[str]:
    """Says why rules that are expressions are shown without a limit."""
    if not any(rule.passes == BY_EXPRESSION for rule in made.rules):
        return []
    return [f"{BY_EXPRESSION}: the rule compares no signal with a limit, so that there is none to show"]
