"""`inspect why`: everything that decided one document's fate, and where it is now.

A document is named by its source_ref, which the ledger is ordered by, or by its id, which may repeat. Values are the run's
(`pipeline.inspect.values`), and a rule fails here where the ledger says so.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from filters import decontaminate
from pipeline.errors import InputError, WinnowError
from pipeline.inspect import turns
from pipeline.inspect.margins import BY_EXPRESSION, Measured, RuleMargin, worded
from pipeline.inspect.output import Output
from pipeline.inspect.values import Kept, RunValues, run_values
from pipeline.inspect.verdict import TextVerdict
from pipeline.inspect.weighed import Reasons, reasons, worded_weight
from pipeline.records.rows import LedgerRow, ledger_rows
from pipeline.report.table import Part, table
from pipeline.schema import SCORES
from pipeline.stages.unit.verdicts import EMPTIED, EMPTY
from pipeline.text import numbers
from pipeline.text.visible import folded

NOT_ASKED = "no text is left: no rule is asked"
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
class Unread:
    """What quarantine/ says of a row that could not be read: its shard, and what was wrong with it."""

    file: str
    detail: str


@dataclass(frozen=True)
class Found:
    """A row of the ledger, what the output kept of it, the run's values of it, and the document that it is a duplicate of."""

    row: LedgerRow
    kept: Kept | None
    values: RunValues | None
    survivor: Survivor | None
    unread: Unread | None = None
    reasons: tuple[Reasons, ...] = ()
    """What weighed most in the scores of models, where the final text was kept."""
    turns: tuple[str, ...] = ()
    """Of a conversation, who says what: a line each."""
    passage: str | None = None
    """Of the final text, what holds most of an evaluation item."""
    fault: str | None = None
    """Why its values cannot be shown: a model or a plugin of the plan is not there any more."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What is to be said of the values."""
        if self.values is None:
            return () if self.fault is None else (f"the rules cannot be asked: {self.fault}",)
        return (*self.values.notes, *without_limit(self.values.measured))


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
    kept = _kept(output, folder, row["source_ref"], generation=row["generation"]) if folder else None
    survivor = None
    if row["duplicate_ref"]:
        other = _kept(output, "data", row["duplicate_ref"], generation=row["duplicate_generation"] or 0)
        survivor = Survivor(row["duplicate_of"] or "", row["duplicate_ref"], None if other is None else other.text)
    if row["verdict"] == "quarantined":
        unread = _row_of(output, "quarantine", row["source_ref"], generation=row["generation"], columns=("detail",))
        return Found(row, None, None, None, unread=None if unread is None else Unread(unread[0], unread[1]["detail"][0]))
    try:
        values = run_values(output, row, kept)
        weighed: tuple[Reasons, ...] = ()
        if values is not None and kept is not None:
            weighed = reasons(output.recipe, values.measured, kept.text, edited=bool(row["edits"]))
        return Found(
            row,
            kept,
            values,
            survivor,
            reasons=weighed,
            turns=_turns(output, folder, row),
            passage=_passage(output, kept, values),
        )
    except WinnowError as error:
        return Found(row, kept, None, survivor, fault=str(error))


def _passage(output: Output, kept: Kept | None, values: RunValues | None) -> str | None:
    """Where the plan looks for evaluation items in final texts, and one was found in a text that was kept."""
    measured = {} if values is None else dict(values.measured.beside_rules).get(decontaminate.FILTER.name, {})
    start, end = measured.get("contamination_start"), measured.get("contamination_end")
    reads = [item.reads for item in output.recipe.filters if item.filter.name == decontaminate.FILTER.name]
    if kept is None or "final" not in reads or not isinstance(start, int) or not isinstance(end, int):
        return None
    return kept.text[start:end]


def _turns(output: Output, folder: str | None, row: LedgerRow) -> tuple[str, ...]:
    columns = turns.columns(output)
    if folder is None or not columns:
        return ()
    found = _row_of(output, folder, row["source_ref"], generation=row["generation"], columns=columns)
    return () if found is None else turns.lines(output, found[1], emptied=row["reason"] == EMPTIED)


def _kept(output: Output, folder: str, ref: str, *, generation: int) -> Kept | None:
    found = _row_of(output, folder, ref, generation=generation, columns=("text", *SCORES))
    return None if found is None else Kept(found[0], found[1]["text"][0], found[1].select(SCORES).to_arrow())


def _row_of(output: Output, folder: str, ref: str, *, generation: int, columns: Sequence[str]) -> tuple[str, pl.DataFrame] | None:
    """A row of a generation and its shard: shards are in order of source_ref within a source."""
    records = [record for made in output.live if made.generation == generation for record in made.files]
    for path in (record.path for record in records if record.path.startswith(f"{folder}/")):
        found = output.store.scan([path]).filter(pl.col("source_ref") == ref).select(columns).collect()
        if len(found):
            return path, found.head(1)
    return None


def explanation(found: Found, *, every: bool) -> list[Part]:
    """Fate, evidence, place, text, and rules with value and limit: those that fail or nearly do, or every one."""
    row = found.row
    said: list[Part] = [f"{row['id']}  {row['source_ref']}, generation {row['generation']}", _verdict(row)]
    if row["duplicate_ref"]:
        survivor = f"{row['duplicate_of'] or ''} ({row['duplicate_ref']}, generation {row['duplicate_generation']})"
        said.append(f"  of {survivor}, similarity {row['similarity']:.4f}")
    final = f", {numbers.size(row['n_bytes'])} of final text" if row["n_bytes"] else ""
    if found.unread is not None:
        return [*said, f"  {found.unread.detail}", f"  {numbers.size(row['n_bytes_read'])}, the beginning in {found.unread.file}"]
    said.append(f"  {numbers.size(row['n_bytes_read'])} read{final}; edits: {', '.join(row['edits']) or 'none'}")
    said.append(f"  now in {found.kept.file if found.kept else 'no folder: its text was not kept'}")
    said += found.turns or _excerpt("text", found.kept.text if found.kept else None)
    if found.survivor is not None:
        said += _excerpt("survivor", found.survivor.text)
    if found.values is not None:
        said += ["", *_asked(row["reason"], found.values.measured, every=every)]
    said += _excerpt("passage of an evaluation item", found.passage)
    return [*said, *weights(found.reasons), *found.notes]


def explanation_of_text(made: TextVerdict, *, every: bool) -> list[Part]:
    """As `explanation`, for a text that is no document of the output."""
    verdict = f"dropped: {made.reason}" if made.reason else "kept by the filters (dedup and selection compare documents)"
    said: list[Part] = [
        verdict,
        f"  edits: {', '.join(made.edits) or 'none'}",
        "",
        *_asked(made.reason, made.measured, every=every),
    ]
    return [*said, *weights(made.reasons), *without_limit(made.measured)]


def _verdict(row: LedgerRow) -> str:
    if row["verdict"] == "kept":
        return "kept"
    also = ", ".join(name for name in row["failed"] or () if name != row["reason"])
    return f"{row['verdict']} ({row['stage']}): {row['reason'] or ''}" + (f"; also failed {also}" if also else "")


def _excerpt(name: str, text: str | None) -> list[str]:
    if text is None:
        return []
    return [f"  {name}: {folded(text[: 4 * EXCERPT], limit=EXCERPT)}"]


def in_order(made: Measured) -> list[RuleMargin]:
    """The rules that drop first, in the order of reasons; then those that are only noted, near misses, and the rest."""
    return sorted(made.rules, key=lambda rule: (not rule.fails, rule.action != "drop", rule.fails or not rule.near))


def _asked(reason: str | None, made: Measured, *, every: bool) -> list[Part]:
    """What the rules say, where they are asked."""
    return [NOT_ASKED] if reason in (EMPTY, EMPTIED) else rules(made, every=every)


def rules(made: Measured, *, every: bool) -> list[Part]:
    """A row for each rule that fails or nearly does, or for every one, in order; then the signals of filters without rules."""
    rows = []
    ordered = in_order(made)
    shown_rules = [rule for rule in ordered if every or rule.fails or rule.near]
    for rule in shown_rules:
        near = f"near, {numbers.share(rule.off, 1)} off" if rule.near and rule.off is not None else ""
        mark = "FAILS" if rule.fails and rule.action == "drop" else "(fails)" if rule.fails else near
        shown = (rule.signal or numbers.NONE, rule.said, rule.passes or numbers.NONE)
        rows.append((rule.name, *shown, mark))
    said: list[Part] = [table(("rule", "signal", ">value", ">passes", ""), rows)] if rows else []
    if rest := len(ordered) - len(rows):
        passing = numbers.counted(rest, "rule passes", "rules pass")
        said.append(f"{passing} with room to spare; --all shows {'it' if rest == 1 else 'them'}")
    for name, values in made.beside_rules:
        said.append(f"{name}: {', '.join(f'{key} {worded(value)}' for key, value in values.items())}")
    return said


def weights(found: Sequence[Reasons]) -> list[Part]:
    """For each model that can say it, what raised and what lowered its score."""
    said: list[Part] = []
    for one in found:
        said.append(f"{one.filter}: what weighed most in its score (above 0 raised it, below 0 lowered it)")
        said += [f"  {worded_weight(feature)}" for feature in one.features]
    return said


def without_limit(made: Measured) -> list[str]:
    """Says why rules that are expressions are shown without a limit."""
    if not any(rule.passes == BY_EXPRESSION for rule in made.rules):
        return []
    return [f"{BY_EXPRESSION}: the rule compares no signal with a limit, so that there is none to show"]
