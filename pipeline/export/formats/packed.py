"""Parquet of packed sequences: tokens end to end, cut into sequences of one length; the last of a shard has what is left.

Columns: `input_ids`, and `document_starts`, the places in the sequence at which a document begins, for attention that stays
within documents. What begins in an earlier sequence has no entry.
"""

from __future__ import annotations

from typing import BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.export.formats.contract import Format, Shape, WholeShard

_GROUP = 4_000_000
"""Tokens of a row group; chosen because a reader then holds some MB."""


class Sequences:
    """Cuts what comes into sequences, and holds back what makes no row group yet."""

    def __init__(self, file: BinaryIO, shape: Shape) -> None:
        self._length = shape.sequence
        self._rows = max(1, _GROUP // shape.sequence)
        item = pa.from_numpy_dtype(shape.dtype)
        self._schema = pa.schema(
            [
                pa.field("input_ids", pa.list_(item), nullable=False),
                pa.field("document_starts", pa.list_(pa.int32()), nullable=False),
            ]
        )
        self._writer = pq.ParquetWriter(
            file, self._schema, compression="zstd", use_dictionary=False, write_statistics=False, write_page_checksum=True
        )
        self._held = np.zeros(0, shape.dtype)
        self._starts = np.zeros(0, np.int64)

    def write(self, values: np.ndarray, lengths: np.ndarray) -> None:
        begins = len(self._held) + np.append(0, np.cumsum(lengths)[:-1])
        self._held = np.concatenate([self._held, values])
        self._starts = np.concatenate([self._starts, begins])
        full = self._rows * self._length
        while len(self._held) >= full:
            self._group(full)

    def _group(self, stop: int) -> None:
        """Write the first `stop` values as a row group."""
        cut = int(np.searchsorted(self._starts, stop))
        ends = np.append(np.arange(0, stop, self._length), stop)
        here = self._starts[:cut]
        columns = [
            pa.ListArray.from_arrays(pa.array(ends, pa.int32()), pa.array(self._held[:stop])),
            pa.ListArray.from_arrays(
                pa.array(np.searchsorted(here, ends), pa.int32()), pa.array(here % self._length, pa.int32())
            ),
        ]
        self._writer.write_table(pa.Table.from_arrays(columns, schema=self._schema), row_group_size=self._rows)
        self._held, self._starts = self._held[stop:], self._starts[cut:] - stop

    def close(self) -> None:
        if len(self._held):
            self._group(len(self._held))
        self._writer.close()


def _nothing(shard: WholeShard) -> None:
    """Parquet says itself where it ends."""


FORMAT = Format("packed", ".parquet", "datasets, torch: Parquet of sequences of one length", Sequences, _nothing, sequences=True)
