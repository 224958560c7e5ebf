"""Shards: the rows of the documents table, in order, as the Parquet files that training jobs read.

Same rows, same bytes: row groups are cut by text size alone, dictionaries and statistics are fixed, nothing holds a time.
Each shard is finished in the staging folder under its key; the commit puts it in place.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from itertools import accumulate
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.schema import OUTPUTS, SIGNALS_KEY
from pipeline.stages.dedup import index
from pipeline.stages.shards.layout import UNSELECTED, WITH_TEXT, Segment, belongs
from pipeline.stages.shards.ledger import fates_of_rows
from pipeline.stages.shards.parquet import Shard, finished, shard_writer
from pipeline.stages.unit.annotate import Annotated
from pipeline.stages.unit.withhold import STAGE
from pipeline.store.hashing import HashingFile
from pipeline.store.store import Store

ROW_GROUP_BYTES = 32_000_000
"""Text bytes of a row group: chosen so that a reader holds little, and scans few."""
ROW_GROUP_ROWS = 100_000
"""Rows of a row group of the tables without text."""
SEEN_BYTES = 32_000_000
"""Rows of units (`unit_rows`) that are remembered: chosen so that those of some 200,000 documents are."""
DOCUMENTS = ".documents"
"""Ending of the file beside a staged shard that holds its documents for the dedup index."""
_NUMBER = pa.field("number", pa.int64())  # in the dedup index, -1 where dedup dropped the row; in no shard
_SCORES = ("language", "language_script", "language_score", "quality_score", "toxicity_score")


class Seen:
    """Rows of units, those looked at last: the shards of several folders need the same ones. At most SEEN_BYTES."""

    def __init__(self) -> None:
        self._rows: dict[int, pl.DataFrame] = {}
        self._bytes = 0
        self._lock = threading.Lock()

    def get(self, unit: int) -> pl.DataFrame | None:
        with self._lock:
            return self._rows.get(unit)

    def put(self, unit: int, rows: pl.DataFrame) -> None:
        size = int(rows.estimated_size())
        with self._lock:
            if size > SEEN_BYTES or unit in self._rows:
                return
            self._rows[unit] = rows
            self._bytes += size
            while self._bytes > SEEN_BYTES:
                self._bytes -= int(self._rows.pop(next(iter(self._rows))).estimated_size())


@dataclass(frozen=True)
class Inputs:
    """What every shard of a generation is made from."""

    work: Store
    units: tuple[Annotated, ...] | Mapping[int, Annotated]
    fates: tuple[str | None, ...] | Mapping[int, str | None]  # one per unit
    unselected: tuple[str | None, ...] | Mapping[int, str | None]  # one per unit
    generation: int
    rejected: str | float
    seed: int
    signals: tuple[tuple[str, int], ...]  # column that data/ shows → index of the filter that gives it
    columns: tuple[pa.Schema, ...]  # signals of each active filter
    scored_only: tuple[bool, ...]  # which of these filters score some rows only: the verdicts' `scored` ones
    seen: Seen


def shown_signals(active: Sequence[Any]) -> tuple[tuple[str, int], ...]:
    """Which active filter gives each score column of data/."""
    return tuple((c, i) for c in _SCORES for i, item in enumerate(active) if c in item.filter.signals.names)


def unit_rows(inputs: Inputs, unit: int) -> pl.DataFrame:
    """All rows of a unit with their fates and `source_ref`."""
    if (known := inputs.seen.get(unit)) is not None:
        return known
    item = inputs.units[unit]
    rows = fates_of_rows(inputs.work, item, inputs.fates[unit], inputs.unselected[unit])
    rows = rows.with_columns((pl.lit(f"{item.path}#") + pl.col("row").cast(pl.String)).alias("source_ref"))
    inputs.seen.put(unit, rows)
    return rows


@dataclass(frozen=True)
class Job:
    """A shard to write: rows of these segments, to `staging/folder/name`."""

    staging: str
    folder: str
    name: str
    segments: tuple[Segment, ...]


def write(inputs: Inputs, job: Job) -> Shard:
    """Write one shard, or what only the index knows of it."""
    if job.folder == UNSELECTED:
        return write_unselected(inputs, job.staging, job.name, job.segments)
    return write_shard(inputs, job.staging, job.folder, job.name, job.segments)


def write_shard(inputs: Inputs, staging: str, folder: str, name: str, segments: Sequence[Segment]) -> Shard:
    """Write one shard to `staging/folder/name`; what an earlier run finished there is kept."""
    path = f"{staging}/{folder}/{name}"
    card = f"{path}.json"
    if (found := finished(inputs.work, path, DOCUMENTS)) is not None:
        return found
    schema = _schema(inputs, folder)
    content = ContentHash(schema)
    rows = 0
    beside = _Documents(inputs.work, f"{path}{DOCUMENTS}")
    with inputs.work.writer(path) as raw, beside:
        file = HashingFile(raw)
        with shard_writer(file, schema) as writer:
            for numbered in _row_groups(_tables(inputs, folder, segments), folder):
                group = numbered.select(schema.names)
                writer.write_table(group, row_group_size=max(1, group.num_rows))
                if group.nbytes > 2 * ROW_GROUP_BYTES:
                    pa.default_memory_pool().release_unused()
                beside.add(numbered)
                content.update(group)
                rows += group.num_rows
    shard = Shard(
        folder,
        name,
        rows,
        inputs.work.size(path),
        file.digest.hexdigest(),
        content.hexdigest(),
        beside.rows,
        beside.n_bytes,
        beside.sha256,
    )
    inputs.work.write_bytes(card, json.dumps(asdict(shard), sort_keys=True).encode())
    return shard


class _Documents:
    """The file beside a shard with what the dedup index needs of its rows; there if dedup kept one of them."""

    def __init__(self, work: Store, path: str) -> None:
        self._work, self._path = work, path
        self._held = ExitStack()
        self._writer: pq.ParquetWriter | None = None
        self.rows, self.n_bytes, self.sha256 = 0, 0, ""

    def __enter__(self) -> None:
        self._held.__enter__()

    def add(self, group: pa.Table) -> None:
        if _NUMBER.name not in group.column_names:
            return
        columns = group.select([_NUMBER.name, "id", "source_ref", "text"]).columns
        kept = pa.Table.from_arrays(columns, schema=index.DOCUMENTS)
        dropped = pc.less(kept["document"], 0)
        if pc.any(dropped).as_py():
            kept = kept.filter(pc.invert(dropped))
        if not kept.num_rows:
            return
        if self._writer is None:
            self._file = HashingFile(self._held.enter_context(self._work.writer(self._path)))
            self._writer = self._held.enter_context(index.writer(self._file, "documents"))
        ends = np.cumsum(pc.binary_length(kept["text"]).to_numpy(), dtype=np.int64)
        start = 0
        while start < kept.num_rows:
            done = ends[start - 1] if start else 0
            stop = max(start + 1, int(np.searchsorted(ends, done + index.TEXT_BYTES, side="right")))
            self._writer.write_table(kept.slice(start, stop - start), row_group_size=stop - start)
            if ends[stop - 1] - done > 2 * ROW_GROUP_BYTES:  # a huge document: the shard's writer needs the room
                pa.default_memory_pool().release_unused()
            start = stop
        self.rows += kept.num_rows

    def __exit__(self, *error: Any) -> None:
        self._held.__exit__(*error)
        if self.rows and error[0] is None:
            self.n_bytes, self.sha256 = self._work.size(self._path), self._file.digest.hexdigest()


def write_unselected(inputs: Inputs, staging: str, name: str, segments: Sequence[Segment]) -> Shard:
    """Only the file beside a shard: documents of the dedup index that are in no shard."""
    path = f"{staging}/{UNSELECTED}/{name}"
    card = f"{path}.json"
    if (found := finished(inputs.work, path, DOCUMENTS)) is not None:
        return found
    beside = _Documents(inputs.work, f"{path}{DOCUMENTS}")
    with beside:
        for group in _row_groups(_tables(inputs, UNSELECTED, segments), UNSELECTED):
            beside.add(group)
    shard = Shard(UNSELECTED, name, 0, 0, "", "", beside.rows, beside.n_bytes, beside.sha256)
    inputs.work.write_bytes(card, json.dumps(asdict(shard), sort_keys=True).encode())
    return shard


def _tables(inputs: Inputs, folder: str, segments: Sequence[Segment]) -> Iterator[pa.Table]:
    """One table per segment, in their order. Each unit is read once, also where its rows are of many sources."""
    uses = Counter(segment.unit for segment in segments)
    if max(uses.values(), default=0) <= 1:
        for segment in segments:
            yield _unit_tables(inputs, folder, segment.unit, [segment]).pop()
        return
    made: dict[Segment, pa.Table] = {}
    for unit in uses:
        own = [segment for segment in segments if segment.unit == unit]
        made |= dict(zip(own, _unit_tables(inputs, folder, unit, own), strict=True))
    for segment in segments:
        yield made.pop(segment)


def _unit_tables(inputs: Inputs, folder: str, unit: int, segments: Sequence[Segment]) -> list[pa.Table]:
    rows = unit_rows(inputs, unit)
    rows = rows.filter(belongs(rows, folder, rejected=inputs.rejected, seed=inputs.seed))
    by_source = rows.partition_by("source", as_dict=True, maintain_order=True)
    chosen = [by_source[(s.source,)].slice(s.start, s.stop - s.start) for s in segments]
    table = _table(inputs, folder, inputs.units[unit], pl.concat(chosen))
    starts = [0, *accumulate(len(part) for part in chosen)]
    return [table.slice(start, len(part)) for start, part in zip(starts, chosen, strict=False)]


def _table(inputs: Inputs, folder: str, unit: Annotated, rows: pl.DataFrame) -> pa.Table:
    rows = rows.with_columns(pl.lit(inputs.generation, pl.Int32).alias("generation"))
    columns = {name: rows[name].to_arrow() for name in rows.columns}
    if folder in WITH_TEXT:
        columns |= _document_columns(inputs, unit, rows["position"].to_numpy(), rows["scored"].to_arrow())
        columns["minhash_cluster_size"] = columns["cluster_size"]
    if folder == "quarantine":
        bad = inputs.work.read_table(unit.names.bad, ["row", "cause", "detail", "excerpt"])
        places = pc.index_in(rows["row"].to_arrow(), value_set=bad["row"].combine_chunks())
        columns |= {c: bad[c].take(places) for c in ("cause", "detail", "excerpt")}
    if folder == "signals":
        shown = rows.select(pl.when(pl.col("stage").ne_missing(STAGE)).then("position"))["position"]
        columns |= _signal_columns(inputs, unit, shown.to_arrow(), rows["scored"].to_arrow())
    schema = _schema(inputs, folder)
    if folder in WITH_TEXT and _NUMBER.name in columns:
        schema = schema.append(_NUMBER)
    return pa.table([columns[f.name].cast(f.type) for f in schema], schema=schema)


def _schema(inputs: Inputs, folder: str) -> pa.Schema:
    """Columns of a folder's shards. Those of signals/ are the ledger's key and what the plan's filters give."""
    if folder != "signals":
        return OUTPUTS["data" if folder == UNSELECTED else folder]
    given = [field for schema in inputs.columns for field in schema]
    return pa.schema([*SIGNALS_KEY, *(pa.field(field.name, _on_disk(field.type)) for field in given)])


def _on_disk(type_: pa.DataType) -> pa.DataType:
    return pa.string() if pa.types.is_large_string(type_) else type_


def _signal_columns(inputs: Inputs, unit: Annotated, positions: pa.Array, scored: pa.Array) -> dict[str, pa.ChunkedArray]:
    """Signals of the rows at `positions`; null for rows without one: they were quarantined or taken down."""
    columns: dict[str, pa.ChunkedArray] = {}
    for number, (name, schema) in enumerate(zip(unit.names.signals, inputs.columns, strict=True)):
        table = inputs.work.read_table(name, schema.names)
        for column in schema.names:
            columns[column] = _seen(inputs, number, table[column].take(positions), scored)
    return columns


def _seen(inputs: Inputs, number: int, signal: Any, scored: pa.Array) -> Any:
    """A filter's signal where this plan had the row scored: the table may hold rows that another plan let through."""
    return pc.if_else(scored, signal, pa.scalar(None, signal.type)) if inputs.scored_only[number] else signal


def _document_columns(inputs: Inputs, unit: Annotated, positions: np.ndarray, scored: pa.Array) -> dict[str, pa.ChunkedArray]:
    """Columns of the documents at `positions` (int64), in this order. `scored`: which of them the model tier scored."""
    if (np.diff(positions) < 0).any():
        order = np.argsort(positions)
        back = pa.array(np.argsort(order))
        sorted_ = _document_columns(inputs, unit, positions[order], scored.take(pa.array(order)))
        return {name: column.take(back) for name, column in sorted_.items()}
    documents = inputs.work.take(unit.names.documents, ["text", "url", "date", "metadata"], positions)
    finals = inputs.work.take(unit.names.final, ["final_text", "final_url", "final_metadata"], positions)
    columns: dict[str, pa.ChunkedArray] = {"date": documents["date"]}
    for column in ("text", "url", "metadata"):
        before, after = documents[column], finals[f"final_{column}"]
        columns[column] = before if after.null_count == len(after) else pc.coalesce(after, before.cast(pa.large_string()))
    given = dict(inputs.signals)
    types = {field.name: field.type for schema in inputs.columns for field in schema}
    for score in _SCORES:
        if score in given:
            signal = inputs.work.take(unit.names.signals[given[score]], [score], positions)[score]
            columns[score] = _seen(inputs, given[score], signal, scored)
        else:
            columns[score] = pa.nulls(len(positions), types.get(score, OUTPUTS["data"].field(score).type))
    return columns


def _row_groups(tables: Iterator[pa.Table], folder: str) -> Iterator[pa.Table]:
    """Regroup rows so that a group is closed once it has reached its size, whatever tables the rows come in."""
    limit = ROW_GROUP_BYTES if folder in WITH_TEXT else ROW_GROUP_ROWS
    parts: list[pa.Table] = []
    filled = 0
    while (table := next(tables, None)) is not None:
        sizes = table["n_bytes"].to_numpy() if folder in WITH_TEXT else np.ones(table.num_rows, np.int64)
        start = 0
        while start < table.num_rows:
            ends = np.cumsum(sizes[start:])
            stop = min(start + int(np.searchsorted(ends, limit - filled, side="left")) + 1, table.num_rows)
            parts.append(table.slice(start, stop - start))
            filled += int(ends[stop - start - 1])
            start = stop
            if start == table.num_rows:
                table = table.slice(0, 0).combine_chunks()  # the rows are in `parts` alone, and go with them
                start = 0
            if filled >= limit:
                yield _joined(parts)
                filled = 0
    if parts:
        yield _joined(parts)


def _joined(parts: list[pa.Table]) -> pa.Table:
    """One table of one chunk a column; `parts` is emptied. Twice the size of a row group means one document that is larger:
    what reading it left in Arrow's pool is given back before it is written."""
    group = pa.concat_tables(parts).combine_chunks()
    parts.clear()
    if group.nbytes > 2 * ROW_GROUP_BYTES:
        pa.default_memory_pool().release_unused()
    return group


class ContentHash:
    """sha256 over a table's rows that does not depend on how they are chunked, compressed or encoded.

    Per column three streams: validity, lengths (little-endian int64) and values; their digests are hashed in schema order.
    """

    def __init__(self, schema: pa.Schema) -> None:
        self._schema = schema
        self._streams = {f.name: [hashlib.sha256() for _ in range(5)] for f in schema}

    def update(self, table: pa.Table) -> None:
        for field in self._schema:
            column = table[field.name]
            for chunk in column.chunks:
                self._feed(self._streams[field.name], chunk)

    def _feed(self, streams: list[Any], array: pa.Array, level: int = 0) -> None:
        streams[level].update(_bits(array))
        if pa.types.is_list(array.type):
            streams[1].update(_lengths(pc.list_value_length(array)))
            self._feed(streams, array.flatten(), 2)
        elif pa.types.is_string(array.type) or pa.types.is_binary(array.type):
            streams[3].update(_lengths(pc.binary_length(array)))
            streams[4].update(_bytes(array))
        else:
            zero = pa.scalar(0, pa.int64()).cast(array.type)
            streams[4].update(np.ascontiguousarray(pc.fill_null(array, zero).to_numpy(zero_copy_only=False)))

    def hexdigest(self) -> str:
        total = hashlib.sha256()
        for field in self._schema:
            total.update(f"{field.name}:{field.type}".encode())
            for stream in self._streams[field.name]:
                total.update(stream.digest())
        return total.hexdigest()


def _bits(array: pa.Array) -> np.ndarray:
    if not array.null_count:
        return np.ones(len(array), np.uint8)
    return array.is_valid().to_numpy(zero_copy_only=False).astype(np.uint8)


def _lengths(lengths: pa.Array) -> np.ndarray:
    return pc.fill_null(lengths, 0).to_numpy(zero_copy_only=False).astype("<i8")


def _bytes(array: pa.Array) -> memoryview | bytes:
    """Values of a string or binary array, one after the other; nulls hold none."""
    present = array.drop_null() if array.null_count else array
    if not len(present):
        return b""
    offsets = np.frombuffer(present.buffers()[1], np.int32)[present.offset : present.offset + len(present) + 1]
    return memoryview(present.buffers()[2] or b"")[offsets[0] : offsets[-1]]
