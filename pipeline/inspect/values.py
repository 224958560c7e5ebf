"""The values by which a run judged a document: what `why`, the document page and `review` show.

They are read where the run left them: in signals/, if the plan writes it, else in the work directory. Where both are gone they
are measured anew, and that is said: of the text that the run read, which is the final one where no edit changed it, else the
input's. A final text that edits made is never taken for what the run read. Which rules failed is the ledger's to say, always:
nothing here judges a document again.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import polars as pl
import pyarrow as pa

from filters.contract import Tier
from pipeline.inspect.margins import Measured, measured
from pipeline.inspect.output import Output
from pipeline.inspect.source_text import source_text
from pipeline.inspect.verdict import judge_text
from pipeline.plan import scores
from pipeline.plan.recipe import Recipe
from pipeline.records.rows import LedgerRow
from pipeline.schema import SIGNALS_KEY
from pipeline.stages import sampling
from pipeline.stages.unit import refs, verdicts, withhold
from pipeline.stages.unit.annotate import Annotated

Origin = Literal["signals", "work", "recomputed", "none"]
_Columns = dict[str, pa.Array]


@dataclass(frozen=True)
class Kept:
    """What data/ or rejected/ holds of a document: its shard, its final text, and its row of the columns `schema.SCORES`."""

    file: str
    text: str
    scores: pa.Table


@dataclass(frozen=True)
class RunValues:
    """A document's rules with the run's values, where they come from, and what is to be said of them."""

    origin: Origin
    measured: Measured
    notes: tuple[str, ...]


def run_values(output: Output, row: LedgerRow, kept: Kept | None) -> RunValues | None:
    """Values and limits of a line of the ledger; None of a row that was never judged. `kept`: of data/ or rejected/."""
    if row["verdict"] == "quarantined" or row["stage"] == withhold.STAGE:
        return None
    origin, columns = _columns(output, row, kept)
    unscored = _unscored(output, row)
    columns = {name: column for name, column in columns.items() if name not in _signals(output, unscored)}
    found = of_ledger(output.recipe, columns, row["failed"] or ())
    return RunValues(origin, found, tuple(_notes(output, row, origin, unscored=unscored)))


def of_ledger(recipe: Recipe, columns: _Columns, failed: Iterable[str]) -> Measured:
    """Signals of one document, and its rules, of which those fail that the ledger names. `columns`: what filters that were asked
    gave."""
    unknown = {item.filter.name for item in recipe.filters if not set(item.filter.signals.names) & set(columns)}
    found, failing = measured(recipe, columns, unknown=unknown), set(failed)
    rules = tuple(replace(rule, fails=rule.name in failing) if rule.action == "drop" else rule for rule in found.rules)
    return replace(found, rules=rules)


def _columns(output: Output, row: LedgerRow, kept: Kept | None) -> tuple[Origin, _Columns]:
    found = _published(output, row)
    if found is not None:
        return "signals", found
    found = _stored(output, row)
    if found is not None:
        return "work", found
    if kept is not None and not row["edits"]:
        text: str | None = kept.text
    else:
        made = next(made for made in output.live if made.generation == row["generation"])
        text = source_text(made, row["source_ref"])
    if text is not None:
        return "recomputed", judge_text(output.recipe, text).columns
    held = {} if kept is None else _typed(output, kept.scores)
    return "none", {name: column for name, column in held.items() if not column.null_count}


def _published(output: Output, row: LedgerRow) -> _Columns | None:
    """From signals/, whose shards stand in the order of the ledger's."""
    made = next((made for made in output.live if made.generation == row["generation"]), None)
    for record in made.files if made is not None else ():
        if record.path.startswith("signals/"):
            found = output.store.scan([record.path]).filter(pl.col("source_ref") == row["source_ref"]).collect()
            if len(found):
                return _typed(output, found.drop(SIGNALS_KEY.names).to_arrow())
    return None


def _stored(output: Output, row: LedgerRow) -> _Columns | None:
    """From the facts in the work directory, if they are all there and of this run: its verdict is the ledger's."""
    path, _, number = row["source_ref"].rpartition("#")
    units = [u for u in output.units.get(row["generation"], ()) if path in u.names.paths and u.first_row <= int(number)]
    unit = max(units, key=lambda unit: unit.first_row, default=None)
    if unit is None:
        return None
    names = (unit.names.documents, unit.names.verdicts, *unit.names.signals)
    if len(unit.names.signals) != len(output.recipe.filters) or not all(map(output.work.has, names)):
        return None
    rows = output.work.read_frame(unit.names.documents, ["row", "id", "n_bytes_read"])
    own = refs.number(unit.names, path, int(number))
    at = rows["row"].search_sorted(own)
    same = at < len(rows) and rows.row(at) == (own, row["id"], row["n_bytes_read"])
    if not same or not _same_verdict(output, unit, row, at=at):
        return None
    columns: _Columns = {}
    for item, name in zip(output.recipe.filters, unit.names.signals, strict=True):
        taken = output.work.take(name, item.filter.signals.names, np.array([at]))
        columns |= _typed(output, taken)
    return columns


def _same_verdict(output: Output, unit: Annotated, row: LedgerRow, *, at: int) -> bool:
    judged = output.work.take(unit.names.verdicts, verdicts.VERDICT.names, np.array([at])).to_pylist()[0]
    by_filters = row["reason"] if row["stage"] not in ("dedup", "select") else None
    return judged["reason"] == by_filters and list(judged["failed"] or ()) == list(row["failed"] or ())


def _typed(output: Output, table: pa.Table) -> _Columns:
    """The columns of the plan's filters, in the types that these declare."""
    types = {field.name: field.type for item in output.recipe.filters for field in item.filter.signals}
    return {name: table[name].combine_chunks().cast(types[name]) for name in table.column_names if name in types}


def _unscored(output: Output, row: LedgerRow) -> list[str]:
    """The model filters that the run did not ask: a cheaper one dropped the document, or it has no text."""
    tiers = {item.filter.name: item.filter.tier for item in output.recipe.filters}
    cheap = any(tiers.get(name.partition(".")[0]) is Tier.CHEAP for name in row["failed"] or ())
    without = row["reason"] in (verdicts.EMPTY, verdicts.EMPTIED)
    if cheap and output.plan.audit_fraction:
        share, seed = output.plan.audit_fraction, output.plan.seed
        cheap = not sampling.chosen([row["source_ref"]], share=share, seed=seed, purpose="audit")[0]
    return [name for name, tier in tiers.items() if tier is Tier.MODEL] if cheap or without else []


def _signals(output: Output, names: list[str]) -> set[str]:
    return {column for item in output.recipe.filters if item.filter.name in names for column in item.filter.signals.names}


def _notes(output: Output, row: LedgerRow, origin: Origin, *, unscored: list[str]) -> list[str]:
    """Where the values come from, and which are not there."""
    gone = f"the run's own are not there any more: no signals/ (output.signals), nothing in {output.work.root}"
    text = "the text before edits was not kept" if row["edits"] else "its text was not kept"
    text += ", and its input file is not there as it was"
    said = [
        {
            "signals": "values: the run's, from signals/",
            "work": "values: the run's, from the work directory",
            "recomputed": f"values: recomputed now, from the text that the run read; {gone}",
            "none": f"values: not known, but for those that data/ and rejected/ hold; {gone}; {text}; `winnow curate` with the"
            " same plan and --replace measures again",
        }[origin]
    ]
    if unscored:
        why = "a cheaper rule dropped it" if row["failed"] else "it has no text"
        said.append(f"{', '.join(unscored)}: not scored by the run, since {why}")
    if origin == "recomputed" and any(item.filter.name == scores.NAME for item in output.recipe.filters):
        said.append(f"{scores.NAME}: joined from files by the run, and not known now")
    return said
