"""Rows that a kernel reads (`filters.kernels.formats.json_rows`), as `pipeline.read.rows` has them.

Invariant: they are what `Collector.add` makes of the records that orjson reads there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.read.files import ANY, InputFile
from pipeline.read.rows import ID_BYTES, SOURCE_BYTES, default_id, normalised
from pipeline.text.conversations import LAYOUTS

if TYPE_CHECKING:
    from filters.kernels.formats.json_rows import Columns


def own_columns(file: InputFile) -> tuple[bytes, ...]:
    """What its columns of text, id, url and date are called, and that which names a row's source; none where no row is plain:
    conversations, rows to which names of folders add columns, one column for two ends."""
    names = (file.text, file.id, "url", "date", *([] if file.named_by is None else [file.named_by]))
    if file.turns in LAYOUTS or file.partitions or file.text == ANY or len({*names}) < len(names):
        return ()
    return tuple(name.encode("utf-8", "surrogatepass") for name in names)


def limits(file: InputFile) -> tuple[int, int, int]:
    """Most bytes of a plain row, of its id, and of its source's name."""
    return file.max_row_bytes, ID_BYTES, SOURCE_BYTES


def documents(file: InputFile, rows: np.ndarray, plain: Columns) -> list[pa.Array]:
    """Columns of schema.DOCUMENT of plain rows, of which `rows` are the numbers."""
    text, ids, urls, dates, sources, metadata = plain.columns
    _, has_id, has_url, has_date, has_source = plain.given
    own_ids = [default_id(file.path, row) for row in rows[~has_id].tolist()]
    body = pa.LargeStringArray.from_buffers(len(rows), *map(pa.py_buffer, text))
    return [
        pa.array(rows, pa.int64()),
        _filled(_strings(ids), has_id, pa.array(own_ids, pa.string())),
        _filled(_strings(sources), has_source, pa.scalar(file.source)),
        _filled(_strings(urls), has_url, pa.scalar(None, pa.string())),
        _filled(_strings(dates), has_date, pa.scalar(None, pa.string())),
        normalised(body),
        pc.binary_length(body),
        pa.LargeStringArray.from_buffers(len(rows), *map(pa.py_buffer, _copied(metadata))),
    ]


def _copied(column: tuple[np.ndarray, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """A column without the memory that it does not use."""
    offsets, data = column
    return offsets, data[: offsets[-1]].copy()


def _strings(column: tuple[np.ndarray, np.ndarray]) -> pa.StringArray:
    offsets, data = _copied(column)
    return pa.StringArray.from_buffers(len(offsets) - 1, pa.py_buffer(offsets.astype(np.int32)), pa.py_buffer(data))


def _filled(values: pa.StringArray, given: np.ndarray, others: pa.Array | pa.Scalar) -> pa.StringArray:
    """`values` where `given`, elsewhere `others`: the next of them, or the one."""
    return values if given.all() else pc.replace_with_mask(values, pa.array(~given), others)
