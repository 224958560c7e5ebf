"""Arrays of numbers as files of the work directory, by which tasks hand on what they found: a row of such a file is a set of
named arrays, each of its own length, and is read alone.

Invariant: a file that exists is whole (`Store.writer`), so a task whose file exists is done.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.store.store import Store

Row = Mapping[str, np.ndarray]
Types = tuple[tuple[str, str], ...]
"""Name and numpy type of each array."""


def write(work: Store, name: str, types: Types, *, rows: Iterable[Row]) -> None:
    """Rows, one after the other; only one is held."""
    schema = pa.schema([pa.field(field, pa.large_list(pa.from_numpy_dtype(np.dtype(kind)))) for field, kind in types])
    _write(work, name, schema, tables=(_table(schema, types, row) for row in rows))


def _table(schema: pa.Schema, types: Types, row: Row) -> pa.Table:
    columns = []
    for field, kind in types:
        values = pa.array(np.ascontiguousarray(row[field], np.dtype(kind)))
        columns.append(pa.LargeListArray.from_arrays(pa.array([0, len(values)], pa.int64()), values))
    return pa.Table.from_arrays(columns, schema=schema)


def write_frames(work: Store, name: str, frames: Iterable[pl.DataFrame]) -> None:
    """Frames of the same columns, at least one; `Store.batches` reads them one by one."""
    tables = (frame.to_arrow() for frame in frames)
    first = next(tables)
    _write(work, name, first.schema, tables=_chain(first, tables))


def _chain(first: pa.Table, others: Iterator[pa.Table]) -> Iterator[pa.Table]:
    yield first
    yield from others


def _write(work: Store, name: str, schema: pa.Schema, *, tables: Iterable[pa.Table]) -> None:
    with (
        work.writer(name) as file,
        pq.ParquetWriter(
            file, schema, compression="lz4", use_dictionary=False, write_statistics=False, write_page_checksum=True
        ) as writer,
    ):
        for table in tables:
            writer.write_table(table, row_group_size=max(1, table.num_rows))


def read(work: Store, name: str, row: int, *, types: Types) -> dict[str, np.ndarray]:
    """One row."""
    table = work.read_group(name, row, [field for field, _ in types])
    return {field: _values(table[field]) for field, _ in types}


def read_all(work: Store, name: str, types: Types) -> Iterator[dict[str, np.ndarray]]:
    """All rows, one at a time."""
    for row in range(len(work.group_rows(name))):
        yield read(work, name, row, types=types)


def _values(column: pa.ChunkedArray) -> np.ndarray:
    return column.combine_chunks().flatten().to_numpy(zero_copy_only=False)
