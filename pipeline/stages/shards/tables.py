"""The columns of shards, put together from the joined rows of units and the tables in the work directory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.schema import OUTPUTS, SCORES, SIGNALS_KEY, SOURCE_COUNT
from pipeline.stages.shards import conversation_columns
from pipeline.stages.shards.joined_rows import Inputs
from pipeline.stages.shards.layout import UNSELECTED, WITH_TEXT, Segment, belongs
from pipeline.stages.unit.annotate import Annotated
from pipeline.stages.unit.tables import texts_of
from pipeline.stages.unit.withhold import STAGE
from pipeline.text import final, turns
from pipeline.text.conversations import LAYOUTS

NUMBER = pa.field("number", pa.int64())
"""Column of the number in the dedup index, -1 where dedup dropped the row; in no shard."""
_READ = "metadata as read"
"""Not of a shard: what masks have not changed."""
MARKED = pa.field("marked", pa.large_string())
"""Column of final texts as dedup has them, with the marks of turns; in no shard, and only where an output has conversations."""
EVIDENCED = ("data", "rejected", "ledger", UNSELECTED)
"""Folders whose rows have the columns that filters give as evidence."""
AT_ONCE = 25_000
"""Rows put together at a time: chosen because those of a whole unit, 250,000 of a word each, take 200 MB on their way."""


def tables(inputs: Inputs, folder: str, segments: Sequence[Segment]) -> Iterator[pa.Table]:
    """The rows of the segments, in their order. Each unit is read once, also where its rows are of many sources."""
    uses = Counter(segment.unit for segment in segments)
    if max(uses.values(), default=0) <= 1:
        for segment in segments:
            yield from _segment_tables(inputs, folder, segment)
        return
    made: dict[Segment, pa.Table] = {}
    for unit in uses:
        own = [segment for segment in segments if segment.unit == unit]
        made |= dict(zip(own, _unit_tables(inputs, folder, unit, segments=own), strict=True))
    for segment in segments:
        yield made.pop(segment)


def _segment_tables(inputs: Inputs, folder: str, segment: Segment) -> Iterator[pa.Table]:
    (rows,) = _chosen(inputs, folder, segment.unit, segments=[segment])
    for part in rows.iter_slices(AT_ONCE):
        yield _table(inputs, folder, inputs.units[segment.unit], rows=part)


def _chosen(inputs: Inputs, folder: str, unit: int, *, segments: Sequence[Segment]) -> list[pl.DataFrame]:
    """The joined rows of each segment."""
    rows = inputs.rows(unit).frame
    rows = rows.filter(belongs(rows, folder, rejected=inputs.rejected, seed=inputs.seed))
    whole = any(segment.source is None for segment in segments)
    parts = [((None,), rows)] if whole else rows.partition_by("source", as_dict=True, maintain_order=True).items()
    by_source = {name: part for (name,), part in parts}
    return [by_source[s.source].slice(s.start, s.stop - s.start) for s in segments]


def _unit_tables(inputs: Inputs, folder: str, unit: int, *, segments: Sequence[Segment]) -> list[pa.Table]:
    chosen = _chosen(inputs, folder, unit, segments=segments)
    table = _table(inputs, folder, inputs.units[unit], rows=pl.concat(chosen))
    starts = [0, *accumulate(len(part) for part in chosen)]
    return [table.slice(start, len(part)) for start, part in zip(starts, chosen, strict=False)]


def _table(inputs: Inputs, folder: str, unit: Annotated, *, rows: pl.DataFrame) -> pa.Table:
    rows = rows.with_columns(pl.lit(inputs.generation, pl.Int32).alias("generation"))
    columns = {name: rows[name].to_arrow() for name in rows.columns}
    if folder in WITH_TEXT:
        columns |= _document_columns(inputs, unit, rows["position"].to_numpy(), scored=rows["scored"].to_arrow())
        columns["minhash_cluster_size"] = columns["cluster_size"]
    if folder == "quarantine":
        bad = inputs.work.read_table(unit.names.bad, ["row", "cause", "detail", "excerpt"])
        places = pc.index_in(rows["row"].to_arrow(), value_set=bad["row"].combine_chunks())
        columns |= {c: bad[c].take(places) for c in ("cause", "detail", "excerpt")}
    if inputs.evidence and folder in EVIDENCED:
        shown = rows.select(pl.when(pl.col("stage").ne_missing(STAGE)).then("position"))["position"]
        columns |= _evidence_columns(inputs, unit, shown.to_arrow(), scored=rows["scored"].to_arrow())
    if folder == "signals":
        shown = rows.select(pl.when(pl.col("stage").ne_missing(STAGE)).then("position"))["position"]
        columns |= _signal_columns(inputs, unit, shown.to_arrow(), scored=rows["scored"].to_arrow())
    wanted = schema(inputs, folder)
    if folder in WITH_TEXT:
        if inputs.layouts:
            columns |= _conversations(inputs, unit, columns)
            wanted = wanted.append(MARKED)
        if NUMBER.name in columns:
            wanted = wanted.append(NUMBER)
    return pa.table([columns[f.name].cast(f.type) for f in wanted], schema=wanted)


def schema(inputs: Inputs, folder: str) -> pa.Schema:
    """Columns of a folder's shards. Those of signals/ are the ledger's key and what the plan's filters give."""
    if folder != "signals":
        made = OUTPUTS["data" if folder == UNSELECTED else folder]
        if folder == "data" and inputs.source_count:
            made = made.append(SOURCE_COUNT)
        if folder in WITH_TEXT:
            made = with_conversations(made, inputs.layouts)
        return pa.schema([*made, *inputs.evidence.values()]) if folder in EVIDENCED else made
    given = {field.name: field.type for schema in inputs.columns for field in schema}
    types = {name: pa.string() if pa.types.is_large_string(type_) else type_ for name, type_ in given.items()}
    return pa.schema([*SIGNALS_KEY, *pa.schema(types)])


def with_conversations(columns: pa.Schema, layouts: Sequence[str]) -> pa.Schema:
    """The columns of data/ or rejected/ in an output of conversations: theirs stand behind `metadata`."""
    own = {name: LAYOUTS[layout].type_of(name) for layout in layouts for name in LAYOUTS[layout].columns}
    at = columns.get_field_index("metadata") + 1
    return pa.schema([*list(columns)[:at], *(pa.field(*item) for item in own.items()), *list(columns)[at:]])


def _conversations(inputs: Inputs, unit: Annotated, columns: Mapping[str, Any]) -> dict[str, Any]:
    """What of the columns is another one in an output of conversations."""
    text = final.one_chunk(columns["text"])
    made: dict[str, Any] = {}
    for layout in inputs.layouts:
        made |= conversation_columns.nulls(layout, len(text))
    if unit.names.layout:
        made |= conversation_columns.of_rows(
            unit.names.layout, final.one_chunk(columns["metadata"]), text, read=final.one_chunk(columns[_READ])
        )
    return made | {"text": turns.bare(text), MARKED.name: text}


def _signal_columns(inputs: Inputs, unit: Annotated, positions: pa.Array, *, scored: pa.Array) -> dict[str, pa.ChunkedArray]:
    """Signals of the rows at `positions`; null for rows without one: they were quarantined or taken down."""
    columns: dict[str, pa.ChunkedArray] = {}
    for number, (name, schema) in enumerate(zip(unit.names.signals, inputs.columns, strict=True)):
        table = inputs.work.read_table(name, schema.names)
        for column in schema.names:
            columns[column] = _seen(inputs, number, table[column].take(positions), scored=scored)
    return columns


def _evidence_columns(inputs: Inputs, unit: Annotated, positions: pa.Array, *, scored: pa.Array) -> dict[str, pa.ChunkedArray]:
    """The signals that the plan's filters give as evidence, of the rows at `positions`; null where there is no position."""
    columns: dict[str, pa.ChunkedArray] = {}
    for number, (name, schema) in enumerate(zip(unit.names.signals, inputs.columns, strict=True)):
        if wanted := [column for column in schema.names if column in inputs.evidence]:
            table = inputs.work.read_table(name, wanted)
            columns |= {c: _seen(inputs, number, table[c].take(positions), scored=scored) for c in wanted}
    return columns


def _seen(inputs: Inputs, number: int, signal: Any, *, scored: pa.Array) -> Any:
    """A filter's signal where this plan had the row scored: the table may hold rows that another plan let through."""
    return pc.if_else(scored, signal, pa.scalar(None, signal.type)) if inputs.scored_only[number] else signal


def _document_columns(inputs: Inputs, unit: Annotated, positions: np.ndarray, *, scored: pa.Array) -> dict[str, pa.ChunkedArray]:
    """Columns of the documents at `positions` (int64), in this order. `scored`: which of them the model tier scored."""
    if (np.diff(positions) < 0).any():
        order = np.argsort(positions)
        back = pa.array(np.argsort(order))
        sorted_ = _document_columns(inputs, unit, positions[order], scored=scored.take(pa.array(order)))
        return {name: column.take(back) for name, column in sorted_.items()}
    documents = inputs.work.take(unit.names.documents, list(final.BESIDE), positions)
    finished = inputs.work.take(unit.names.final, final.columns("text", *final.BESIDE), positions)
    columns: dict[str, Any] = {name: final.merged(name, documents, finished) for name in final.BESIDE}
    columns["text"] = texts_of(inputs.work, unit.names, positions, finished=finished)
    if unit.names.layout:
        columns[_READ] = documents["metadata"]
    given = dict(inputs.signals)
    types = {field.name: field.type for schema in inputs.columns for field in schema}
    for score in SCORES:
        if score in given:
            signal = inputs.work.take(unit.names.signals[given[score]], [score], positions)[score]
            columns[score] = _seen(inputs, given[score], signal, scored=scored)
        else:
            columns[score] = pa.nulls(len(positions), types.get(score, OUTPUTS["data"].field(score).type))
    return columns
