"""Timestamps that Spark, Hive and Impala once stored as INT96: nanoseconds of a day, and any day.

pyarrow reads them in one unit, by default nanoseconds since 1970, where what lies outside of the years 1677 to 2262 becomes
another time without a word. So their columns are read in two more units, and each row has the finest that reaches it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pyarrow.types as pt

from pipeline.read.values import timestamp

UNITS = ("us", "ms")
"""Milliseconds reach every day that INT96 has."""
_MOST_MS = {"ns": (1 << 63) // 1_000_000 - 1, "us": (1 << 63) // 1_000 - 1}


def columns(parquet: pq.ParquetFile) -> list[str]:
    """Top-level columns that hold INT96 somewhere."""
    leaves = [parquet.schema.column(i) for i in range(len(parquet.schema.names))]
    found = {leaf.path.split(".")[0] for leaf in leaves if leaf.physical_type == "INT96"}
    return [name for name in parquet.schema_arrow.names if name in found]


class Beside:
    """Columns of a row group in another unit."""

    def __init__(self, handle: BinaryIO, index: int, names: list[str], *, unit: str, at_once: int) -> None:
        file = pq.ParquetFile(handle, coerce_int96_timestamp_unit=unit, page_checksum_verification=True)
        self._batches = file.iter_batches(batch_size=at_once, row_groups=[index], columns=names, use_threads=False)
        self._left = pa.Table.from_batches([], pa.schema([file.schema_arrow.field(name) for name in names]))

    def take(self, n: int) -> pa.RecordBatch:
        """The next n rows, fewer at the end."""
        while self._left.num_rows < n and (batch := next(self._batches, None)) is not None:
            self._left = pa.concat_tables([self._left, pa.Table.from_batches([batch])])
        taken, self._left = self._left.slice(0, n), self._left.slice(n)
        return taken.combine_chunks().to_batches()[0] if taken.num_rows else pa.RecordBatch.from_pylist([], taken.schema)


def in_range(batch: pa.RecordBatch, beside: Mapping[str, Beside]) -> pa.RecordBatch:
    """The batch with the columns of `beside` such that each value is what was written: a column of timestamps as text, where one
    of them needs another unit than the rest; a nested column in the finest unit that reaches all of it."""
    if not beside:
        return batch
    units = {unit: one.take(batch.num_rows) for unit, one in beside.items()}
    for name in units["ms"].schema.names:
        coarse = units["ms"].column(name)
        most = max((int(abs(leaf).max(initial=0)) for leaf in _leaves(coarse)), default=0)
        if most <= _MOST_MS["ns"]:
            continue
        i = batch.schema.get_field_index(name)
        arrays = {"ns": batch.column(i), **{unit: table.column(name) for unit, table in units.items()}}
        made = _texts(arrays) if pt.is_timestamp(coarse.type) else arrays["us" if most <= _MOST_MS["us"] else "ms"]
        batch = batch.set_column(i, name, made)
    return batch


def _leaves(column: pa.Array) -> list[np.ndarray]:
    """The milliseconds of all timestamps in a column."""
    type_ = column.type
    if pt.is_timestamp(type_):
        return [column.drop_null().view(pa.int64()).to_numpy(zero_copy_only=False)]
    if pt.is_struct(type_):
        return [leaf for field in column.flatten() for leaf in _leaves(field)]
    if pt.is_map(type_):
        item = pa.struct([pa.field("key", type_.key_type), pa.field("value", type_.item_type)])
        return _leaves(column.cast(pa.list_(item)))
    return _leaves(column.flatten()) if type_.num_fields else []


def _texts(arrays: dict[str, pa.Array]) -> pa.Array:
    whole: dict[str, list[Any]] = {unit: column.view(pa.int64()).to_pylist() for unit, column in arrays.items()}
    texts = []
    for i, ms in enumerate(whole["ms"]):
        unit = next((unit for unit in ("ns", "us") if ms is not None and abs(ms) <= _MOST_MS[unit]), "ms")
        texts.append(None if ms is None else timestamp(whole[unit][i], unit, None))
    return pa.array(texts, pa.string())
