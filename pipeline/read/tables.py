"""Arrow batches to records, for Parquet and Hugging Face datasets.

Invariant: each row of a batch becomes one document or one bad row. Arrow strings from outside may hold invalid UTF-8
(pyarrow does not look), so a text is decoded here, and one that cannot be is the fault of its row alone; what is strange in
another column costs that value only (`pipeline.read.values`). Where two columns have one name nobody can say which is meant:
then no row is read.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt

from pipeline.read.lines import QuarantinedRow, too_large
from pipeline.read.rows import DOUBLE, Collector, NotText
from pipeline.read.values import text, values

PIECE_BYTES = 4_000_000
"""Bytes of a batch that become Python's objects at a time, which take 20 times as much (measured on metadata); one row may have
more."""


def pieces(batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    """The batch in pieces of at most `PIECE_BYTES`, or of one row."""
    if batch.num_rows <= 1 or decoded_bytes(batch) <= PIECE_BYTES:
        yield batch
        return
    half = batch.num_rows // 2
    yield from pieces(batch.slice(0, half))
    yield from pieces(batch.slice(half))


def decoded_bytes(batch: pa.RecordBatch) -> int:
    """Bytes of the batch once each row has its own copy of what it names in a dictionary."""
    return sum(map(_decoded_bytes, batch.columns))


def _decoded_bytes(column: pa.Array) -> int:
    if not pt.is_dictionary(column.type):
        return int(column.nbytes)
    values, used = column.dictionary, column.indices
    if not (pt.is_string(values.type) or pt.is_large_string(values.type) or pt.is_binary(values.type)):
        return int(used.nbytes + len(used) * values.nbytes // max(len(values), 1))
    return int(used.nbytes + (pc.sum(pc.binary_length(values).take(used)).as_py() or 0))


def add_batch(collector: Collector, batch: pa.RecordBatch, first_row: int) -> None:
    """Add the batch's rows, the first of which has the number `first_row`."""
    file = collector.file
    double = sorted(name for name, n in Counter(batch.schema.names).items() if n > 1)
    if double:
        for row in range(first_row, first_row + batch.num_rows):
            collector.refuse(QuarantinedRow(row, DOUBLE, f"two columns are called {double[0]!r}; rename one of them"))
        return
    columns = dict(zip(batch.schema.names, batch.columns, strict=True))
    collector.types = {name: str(column.type) for name, column in columns.items()}
    raw = None if file.turns else _text_bytes(columns.get(file.text))
    if raw is not None:
        del columns[file.text]
    used = {file.id, file.named_by, "url", "date"}
    lists = {name: _values(collector, name, column, as_text=name in used) for name, column in columns.items()}
    for i in range(batch.num_rows):
        row = first_row + i
        record = {name: found[i] for name, found in lists.items()}
        body = (raw[i] if raw is not None else None) or b""
        if len(body) > file.max_row_bytes:
            collector.refuse(too_large(row, len(body), body, limit=file.max_row_bytes))
            continue
        if raw is not None:
            record[file.text] = None if raw[i] is None else _decoded(body)
        collector.add(row, record, body)


def _values(collector: Collector, name: str, column: pa.Array, *, as_text: bool) -> list[Any]:
    """`as_text`: bytes are a string, as in the text's column: Spark writes strings without saying so."""

    def note(kind: str) -> None:
        collector.replace(name, kind)

    raw = _text_bytes(column) if as_text else None
    return values(column, note) if raw is None else [None if value is None else text(value, note) for value in raw]


def _text_bytes(column: pa.Array | None) -> list[bytes | None] | None:
    """Raw bytes of a text column; None if its type holds no text."""
    if column is None:
        return None
    if pt.is_dictionary(column.type):
        column = column.dictionary_decode()
    type_ = column.type
    stringy = (pt.is_string, pt.is_large_string, pt.is_string_view, pt.is_binary, pt.is_large_binary, pt.is_binary_view)
    if not any(test(type_) for test in stringy):
        return None
    return column.cast(pa.large_binary()).to_pylist()


def _decoded(body: bytes) -> str | NotText:
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError as error:
        return NotText("invalid_utf8", error.reason)
