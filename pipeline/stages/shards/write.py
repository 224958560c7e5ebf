"""Shards: the rows of the documents table, in order, as the Parquet files that training jobs read.

Same rows, same bytes: row groups are cut by what their rows hold alone, dictionaries and statistics are fixed, nothing holds a
time.
Each shard is finished in the staging folder under its key; the commit puts it in place.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from filters.kernels import buffers
from pipeline.stages.dedup import index
from pipeline.stages.shards.content_hash import ContentHash
from pipeline.stages.shards.joined_rows import Inputs
from pipeline.stages.shards.layout import UNSELECTED, WITH_TEXT, Segment
from pipeline.stages.shards.parquet import DOCUMENTS, Shard, finished, shard_writer
from pipeline.stages.shards.tables import MARKED, NUMBER, schema, tables
from pipeline.store.hashing import HashingFile
from pipeline.store.store import Store

ROW_GROUP_BYTES = 32_000_000
"""Text bytes of a row group: chosen so that a reader holds little, and scans few."""
BESIDE_BYTES = 2 * ROW_GROUP_BYTES
"""Bytes of all other strings of a row group: chosen so that metadata end one only where they are more than twice the text."""
ROW_GROUP_ROWS = 100_000
"""Rows of a row group: those of the tables with text take some 300 bytes beside it, and are held several times while written."""


@dataclass(frozen=True)
class Job:
    """A shard to write: rows of these segments, to `staging/folder/name`."""

    staging: str
    folder: str
    name: str
    segments: tuple[Segment, ...]

    @property
    def path(self) -> str:
        return f"{self.staging}/{self.folder}/{self.name}"


def write(inputs: Inputs, job: Job) -> Shard:
    """Write one shard, or what only the index knows of it; what an earlier run finished is kept."""
    if (found := finished(inputs.work, job.path)) is not None:
        return found
    pa.default_memory_pool().release_unused()  # what other stages, and the last shard, left in it
    shard = _unselected(inputs, job) if job.folder == UNSELECTED else _shard(inputs, job)
    inputs.work.write_bytes(f"{job.path}.json", json.dumps(asdict(shard), sort_keys=True).encode())
    return shard


def _shard(inputs: Inputs, job: Job) -> Shard:
    """The shard's file, and the one beside it."""
    columns = schema(inputs, job.folder)
    content = ContentHash(columns)
    rows = 0
    beside = _Documents(inputs.work, f"{job.path}{DOCUMENTS}", shard=f"{job.folder}/{job.name}")
    with inputs.work.writer(job.path) as raw, beside:
        file = HashingFile(raw)
        with shard_writer(file, columns) as writer:
            for numbered in _row_groups(tables(inputs, job.folder, job.segments), job.folder):
                group = numbered.select(columns.names)
                writer.write_table(group, row_group_size=max(1, group.num_rows))
                if group.nbytes > 2 * ROW_GROUP_BYTES:
                    pa.default_memory_pool().release_unused()
                beside.add(numbered, rows)
                content.update(group)
                rows += group.num_rows
    return Shard(
        job.folder,
        job.name,
        rows,
        inputs.work.size(job.path),
        file.digest.hexdigest(),
        content.hexdigest(),
        beside.rows,
        beside.n_bytes,
        beside.sha256,
    )


def _unselected(inputs: Inputs, job: Job) -> Shard:
    """Only the file beside a shard: documents of the dedup index that are in no shard."""
    beside = _Documents(inputs.work, f"{job.path}{DOCUMENTS}", shard="")
    with beside:
        for group in _row_groups(tables(inputs, UNSELECTED, job.segments), UNSELECTED):
            beside.add(group, 0)
    return Shard(UNSELECTED, job.name, 0, 0, "", "", beside.rows, beside.n_bytes, beside.sha256)


class _Documents:
    """The file beside a shard with what the dedup index needs of its rows; there if dedup kept one of them. `shard`: its path in
    the output; empty where the documents stand in none."""

    def __init__(self, work: Store, path: str, *, shard: str) -> None:
        self._work, self._path, self._shard = work, path, shard
        self._held = ExitStack()
        self._writer: pq.ParquetWriter | None = None
        self.rows, self.n_bytes, self.sha256 = 0, 0, ""

    def __enter__(self) -> None:
        self._held.__enter__()

    def add(self, group: pa.Table, first: int) -> None:
        """Rows of the shard, from row `first` on."""
        if NUMBER.name not in group.column_names:
            return
        text = MARKED.name if MARKED.name in group.column_names else "text"
        told = {"document": group[NUMBER.name], "id": group["id"], "source_ref": group["source_ref"]}
        if self._shard and text == "text":
            told |= {"row": pa.array(np.arange(first, first + len(group))), "text": pa.nulls(len(group), pa.string())}
        else:
            told |= {"row": pa.nulls(len(group), pa.int64()), "text": group[text]}
        kept = pa.Table.from_arrays([told[f.name].cast(f.type) for f in index.DOCUMENTS], schema=index.DOCUMENTS)
        dropped = pc.less(kept["document"], 0)
        if pc.any(dropped).as_py():
            kept = kept.filter(pc.invert(dropped))
        if not kept.num_rows:
            return
        if self._writer is None:
            self._file = HashingFile(self._held.enter_context(self._work.writer(self._path)))
            self._writer = self._held.enter_context(index.writer(self._file, "documents", said={"shard": self._shard}))
        sizes = pc.fill_null(pc.binary_length(kept["text"]), 0).to_numpy() + index.TEXT_BYTES // index.DOCUMENT_ROWS
        ends = np.append(0, np.cumsum(sizes, dtype=np.int64))
        for start, stop in buffers.slices(ends, index.TEXT_BYTES):
            self._writer.write_table(kept.slice(start, stop - start), row_group_size=stop - start)
            if ends[stop] - ends[start] > 2 * ROW_GROUP_BYTES:  # a huge document: the shard's writer needs the room
                pa.default_memory_pool().release_unused()
        self.rows += kept.num_rows

    def __exit__(self, *error: Any) -> None:
        self._held.__exit__(*error)
        if self.rows and error[0] is None:
            self.n_bytes, self.sha256 = self._work.size(self._path), self._file.digest.hexdigest()


def _row_groups(tables: Iterator[pa.Table], folder: str) -> Iterator[pa.Table]:
    """Regroup rows so that a group is closed once it has reached one of its sizes, whatever tables the rows come in."""
    with_text = folder in WITH_TEXT
    limits = np.array([ROW_GROUP_BYTES, BESIDE_BYTES, ROW_GROUP_ROWS])
    parts: list[pa.Table] = []
    filled = np.zeros(3, np.int64)
    while (table := next(tables, None)) is not None:
        ends = np.cumsum(_sizes(table, with_text=with_text), axis=1)
        start = 0
        while start < table.num_rows:
            before = ends[:, start - 1] if start else np.zeros(3, np.int64)
            left = limits - filled + before
            stop = start + 1 + min(int(np.searchsorted(ends[i, start:], left[i], side="left")) for i in range(3))
            stop = min(stop, table.num_rows)
            parts.append(table.slice(start, stop - start))
            filled += ends[:, stop - 1] - before
            start = stop
            if start == table.num_rows:
                table = table.slice(0, 0).combine_chunks()  # the rows are in `parts` alone, and go with them
                start = 0
            if (filled >= limits).any():
                yield _joined(parts)
                filled[:] = 0
    if parts:
        yield _joined(parts)


def _sizes(table: pa.Table, *, with_text: bool) -> np.ndarray:
    """int64[3, n]: of each row, the bytes of text and of all other strings, and 1."""
    made = np.ones((3, table.num_rows), np.int64)
    made[0] = table["n_bytes"].to_numpy() if with_text else 0
    made[1] = sum(
        pc.fill_null(pc.binary_length(column), 0).to_numpy().astype(np.int64)
        for name, column in zip(table.column_names, table.columns, strict=True)
        if name != "text" and (pa.types.is_string(column.type) or pa.types.is_binary(column.type))
    )
    for column in table.columns:
        if pa.types.is_list(column.type) and pa.types.is_struct(column.type.value_type):
            made[1] += _nested(column.combine_chunks())
    return made


def _nested(column: pa.ListArray) -> np.ndarray:
    """int64[n]: bytes of the strings in the structs of each row."""
    ends = np.append(0, np.cumsum(pc.fill_null(pc.list_value_length(column), 0).to_numpy(), dtype=np.int64))
    strings = column.flatten().flatten()
    sizes = sum(pc.fill_null(pc.binary_length(part), 0).to_numpy().astype(np.int64) for part in strings)
    sums = np.append(0, np.cumsum(sizes, dtype=np.int64))
    return sums[ends[1:]] - sums[ends[:-1]]


def _joined(parts: list[pa.Table]) -> pa.Table:
    """One table of one chunk a column; `parts` is emptied. Twice the size of a row group means one document that is larger:
    what reading it left in Arrow's pool is given back before it is written."""
    group = pa.concat_tables(parts).combine_chunks()
    parts.clear()
    if group.nbytes > 2 * ROW_GROUP_BYTES:
        pa.default_memory_pool().release_unused()
    return group
