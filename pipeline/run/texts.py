"""Verdicts on a few texts in memory, by the stages that a run over them goes through: read, normalise, edit, filters, dedup.

Invariant: each verdict is that of a run over these texts alone, since the same functions make it; only selection, which ranks a
corpus, is not asked. The tables of the stages lie in a temporary folder that is gone when the verdicts are there.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa

from pipeline.errors import InputError
from pipeline.inspect import values
from pipeline.inspect.margins import Measured, RuleMargin, Value
from pipeline.machine import resources
from pipeline.machine.meter import Meter
from pipeline.machine.workers import workers
from pipeline.plan import recipe as recipe_
from pipeline.plan import scores
from pipeline.plan.load import LoadedPlan
from pipeline.plan.model import Plan
from pipeline.plan.recipe import Recipe
from pipeline.read import memory
from pipeline.read.files import InputFile, input_file
from pipeline.read.rows import Collector
from pipeline.read.source import Source
from pipeline.read.tables import add_batch
from pipeline.read.units import Unit
from pipeline.stages import select
from pipeline.stages.dedup import corpus
from pipeline.stages.shards.joined_rows import JoinedRows, inputs_of
from pipeline.stages.unit.annotate import Annotated, annotate
from pipeline.stages.unit.tables import texts_at
from pipeline.store.store import Store, open_store
from pipeline.text.conversations import LAYOUTS, layout_of
from pipeline.text.final import one_chunk

ROOM = 1_000_000_000
"""Bytes that dedup may hold beside what the process holds already: a list that fits into memory needs no more."""


@dataclass(frozen=True)
class TextVerdict:
    """What becomes of one text. `stage` and `reason` as in the ledger, None where it is kept; `duplicate_of`: the number, from 0,
    of the text that stays in its place; `text`: after edits, None where there is none to judge."""

    kept: bool
    stage: str | None
    reason: str | None
    failed: tuple[str, ...]
    edits: tuple[str, ...]
    text: str | None
    duplicate_of: int | None
    similarity: float | None
    _values: _Values | None = field(compare=False, repr=False)

    @cached_property
    def _measured(self) -> Measured:
        return Measured((), ()) if self._values is None else self._values.measured(self.failed)

    @property
    def rules(self) -> tuple[RuleMargin, ...]:
        """Each rule of the plan with its value and limit, in the order of reasons."""
        return self._measured.rules

    @property
    def signals(self) -> dict[str, Value]:
        """What the filters measured, by column; None where one was not asked or does not know."""
        return {name: value for _, columns in self._measured.signals for name, value in columns.items()}


@dataclass(frozen=True)
class _Values:
    """The signals of a unit, of which one document is meant; null where no filter was asked."""

    recipe: Recipe
    columns: dict[str, pa.Array]
    at: int

    def measured(self, failed: tuple[str, ...]) -> Measured:
        return values.of_ledger(self.recipe, {name: one.slice(self.at, 1) for name, one in self.columns.items()}, failed)


@dataclass(frozen=True)
class JudgedTexts:
    """Verdicts in the order of the texts; `signals`: a row for each, null where nothing was measured; `notes`: what was not
    asked."""

    verdicts: tuple[TextVerdict, ...]
    signals: pl.DataFrame
    notes: tuple[str, ...]


def judge_texts(loaded: LoadedPlan, texts: Iterable[str | Mapping[str, object] | None]) -> JudgedTexts:
    """Raises PlanError where a run would, InputError for what is no list of texts or of conversations, or an empty one."""
    plan = loaded.plan.model_copy(update={"checks": loaded.plan.checks.model_copy(update={"plants": 0})})  # no self-test
    recipe = recipe_.resolve(plan)
    select.check(recipe.plan)
    recipe_.load_models(recipe)
    source = plan.source[0] if plan.source else Source(paths=(memory.FOLDER,))
    table, layout = _table(source, list(texts))
    tables = list(memory.tables(table, text=source.text))
    with tempfile.TemporaryDirectory(prefix="winnow-") as folder, workers(1, alone=False) as pool:
        work = open_store(f"{folder}/work").writable()
        units = tuple(_annotated(work, recipe, replace(_file(source, tables), turns=layout), tables=tables))
        decided = corpus.dedup_corpus(
            work,
            open_store(f"{folder}/out"),
            recipe,
            units=units,
            live=(),
            generation=1,
            memory=resources.tree_rss() + ROOM,
            pool=pool,
        )
        rows = inputs_of(work, recipe, units, fates=decided.fates, unselected=(None,) * len(units), generation=1)
        found = [_of_unit(work, recipe, rows.rows(number)) for number in range(len(units))]
    verdicts, signals = zip(*found, strict=True)
    return JudgedTexts(tuple(one for some in verdicts for one in some), pl.concat(signals), tuple(_notes(plan)))


def _table(source: Source, texts: Sequence[str | Mapping[str, object] | None]) -> tuple[pa.Table, str]:
    """The rows, and the layout of the conversations that they are; empty where they are texts."""
    records = [dict(one) for one in texts if isinstance(one, Mapping)]
    if not records or len(records) < len(texts):
        return memory.of_texts(texts, source.text), ""
    layout = source.format if source.format in LAYOUTS else next(filter(None, map(layout_of, records)), "")
    if not layout:
        raise InputError(f"these rows are no conversations ({', '.join(LAYOUTS)}); give texts, or curate() a frame")
    return memory.of_records(records), layout


def _file(source: Source, tables: Sequence[pa.Table]) -> InputFile:
    """What `curate` would call a file of these texts: ids and samples go by its name."""
    digest = memory.Digest(source.text)
    for table in tables:
        digest.update(table)
    path = memory.path_of(digest.hexdigest())
    return input_file(source, folder=memory.FOLDER, url="", path=path, kind=("parquet", None), size=0)


def _annotated(work: Store, recipe: Recipe, file: InputFile, *, tables: Sequence[pa.Table]) -> Iterator[Annotated]:
    row = 1
    for number, table in enumerate(tables):
        collector = Collector(file)
        for batch in table.to_batches():
            add_batch(collector, batch, row)
        unit = Unit(file, file.path, number, number, number + 1, row)
        yield annotate(work, recipe, unit, rows=collector.finish, meter=Meter())
        row += table.num_rows


def _of_unit(work: Store, recipe: Recipe, rows: JoinedRows) -> tuple[list[TextVerdict], pl.DataFrame]:
    where = rows.unit.names
    columns: dict[str, pa.Array] = {}
    for item, name in zip(recipe.filters, where.signals, strict=True):
        table = work.read_table(name, item.filter.signals.names)
        columns |= {field.name: one_chunk(table[field.name]).cast(field.type) for field in item.filter.signals}
    at = rows.frame["position"]
    texts = texts_at(work, where, np.arange(at.count())).to_pylist()
    signals = pl.DataFrame({name: pl.from_arrow(column) for name, column in columns.items()})
    verdicts = [_verdict(recipe, columns, row, texts=texts) for row in rows.frame.iter_rows(named=True)]
    return verdicts, signals.select(pl.all().gather(at)) if signals.width else pl.DataFrame()


def _verdict(recipe: Recipe, columns: dict[str, pa.Array], row: dict[str, Any], *, texts: list[str]) -> TextVerdict:
    """`row`: of the joined rows."""
    at = row["position"]
    other = row["duplicate_ref"]
    return TextVerdict(
        kept=row["verdict"] == "kept",
        stage=row["stage"],
        reason=row["reason"],
        failed=tuple(row["failed"]),
        edits=tuple(row["edits"]),
        text=None if at is None else texts[at],
        duplicate_of=None if other is None else int(other.rpartition("#")[2]) - 1,
        similarity=row["similarity"],
        _values=None if at is None else _Values(recipe, columns, at),
    )


def _notes(plan: Plan) -> Iterator[str]:
    if plan.dedup is not None:
        yield "dedup: within these texts alone; a run also compares with all else that it reads, and with what its output holds"
    if plan.select.keep_top is not None or plan.select.token_budget is not None:
        yield "select: not asked; it ranks the documents of a corpus"
    if plan.annotations:
        yield f"{scores.NAME}: joined by id, url or source_ref, which a text alone does not have"
