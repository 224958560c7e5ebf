"""Arrow batches to records, for Parquet and Hugging Face datasets.

Invariant: each row of a batch becomes one document or one bad row. Arrow strings from outside may hold invalid UTF-8
(pyarrow does not look), so every value is decoded here, and a value that cannot be is the fault of its row alone.
Where several columns have one name, the last counts, as in JSON. The size of a row is that of its text.
"""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.types as pt

from pipeline.read.lines import QuarantinedRow, too_large
from pipeline.read.rows import Collector


def add_batch(collector: Collector, batch: pa.RecordBatch, first_row: int) -> None:
    """Add the batch's rows, the first of which has the number `first_row`."""
    file = collector.file
    columns = dict(zip(batch.schema.names, batch.columns, strict=True))
    raw = _text_bytes(columns.get(file.text))
    if raw is not None:
        del columns[file.text]
    lists = {name: _values(column) for name, column in columns.items()}
    for i in range(batch.num_rows):
        row = first_row + i
        record = {name: values[i] for name, values in lists.items()}
        text = (raw[i] if raw is not None else None) or b""
        if len(text) > file.max_row_bytes:
            collector.refuse(too_large(row, len(text), text, limit=file.max_row_bytes))
            continue
        if raw is not None:
            record[file.text] = None if raw[i] is None else _decoded(text)
        fault = next(((name, value) for name, value in record.items() if type(value) is Fault), None)
        if fault:
            detail = f"column {fault[0]!r}: {fault[1].detail}"
            collector.refuse(QuarantinedRow(row, fault[1].cause, detail, len(text), text))
        else:
            collector.add(row, record, text, python_values=True)


class Fault:
    """Stands for a value that has no Python value."""

    def __init__(self, error: Exception) -> None:
        self.cause = "invalid_utf8" if isinstance(error, UnicodeDecodeError) else "unreadable"
        self.detail = error.reason if isinstance(error, UnicodeDecodeError) else str(error)


_FAULTS = (ValueError, OverflowError, pa.ArrowException)
"""UnicodeDecodeError is a ValueError; so is a date beyond year 9999."""


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


def _decoded(text: bytes) -> str | Fault:
    try:
        return text.decode("utf-8")
    except UnicodeDecodeError as error:
        return Fault(error)


def _values(column: pa.Array) -> list[Any]:
    try:
        return column.to_pylist()
    except _FAULTS:
        return [_value(column, i) for i in range(len(column))]


def _value(column: pa.Array, i: int) -> Any:
    try:
        return column[i].as_py()
    except MemoryError:  # an ArrowException too, and no fault of the value
        raise
    except _FAULTS as error:
        try:
            return _python(column[i])
        except MemoryError:
            raise
        except _FAULTS:
            return Fault(error)


def _python(value: pa.Scalar) -> Any:
    """The Python value of a scalar, nanoseconds as text: pyarrow itself would ask pandas for those."""
    type_ = value.type
    if not value.is_valid:
        return None
    if pt.is_struct(type_):
        return {name: _python(item) for name, item in value.items()}
    if pt.is_map(type_):
        return [tuple(_python(item) for item in pair.values()) for pair in value.values]
    if pt.is_list(type_) or pt.is_large_list(type_) or pt.is_fixed_size_list(type_):
        return [_python(item) for item in value.values]
    if pt.is_timestamp(type_) and type_.unit == "ns":
        return _with_nanoseconds(value, pa.timestamp("us", type_.tz))
    if pt.is_time64(type_) and type_.unit == "ns":
        return _with_nanoseconds(value, pa.time64("us"))
    return value.as_py()


def _with_nanoseconds(value: pa.Scalar, micro: pa.DataType) -> str:
    """ISO 8601 with the digits that Python's own type cannot hold."""
    whole, rest = divmod(value.value, 1000)
    shown = pa.scalar(whole, pa.int64()).cast(micro).as_py()
    text = shown.isoformat(timespec="microseconds")
    zone = len(text) - len(shown.replace(tzinfo=None).isoformat(timespec="microseconds"))
    cut = len(text) - zone
    return f"{text[:cut]}{rest:03d}{text[cut:]}" if rest else shown.isoformat()
