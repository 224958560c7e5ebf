"""Records to `UnitRows`: the one place that decides what of a record is text, id, source, url, date and metadata.

Invariant (laws 1 and 9): each record that is added becomes one document or one bad row; no value of it is dropped. What is
not usable where it stands (an id that is an object, a url that is a number) goes to metadata under its own name.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from math import isfinite
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.read.files import InputFile
from pipeline.read.lines import QuarantinedRow
from pipeline.schema import BAD_ROW, DOCUMENT, EXCERPT_BYTES

if TYPE_CHECKING:
    from pipeline.records.base import Json

_MISSING = object()
_SORTED = orjson.OPT_SORT_KEYS
_PYTHON = _SORTED | orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_SUBCLASS | orjson.OPT_NON_STR_KEYS


@dataclass(frozen=True)
class UnitRows:
    """`documents`: schema.DOCUMENT, text normalised. `bad`: schema.BAD_ROW. Both sorted by row. `passed`: records that are no
    rows, by type."""

    documents: pa.Table
    bad: pa.Table
    passed: tuple[tuple[str, int], ...] = ()


class Collector:
    """Takes records one by one, in the order of their rows, and gives their tables at the end.

    `sink` takes each table of documents once it is made, texts as decoded; without it they are normalised and kept.
    """

    def __init__(self, file: InputFile, *, sink: Callable[[pa.Table], None] | None = None) -> None:
        self.file = file
        self._sink = sink
        self._tables: list[pa.Table] = []
        self._good: list[tuple[Any, ...]] = []
        self._bad: list[tuple[Any, ...]] = []
        self.columns = (file.text, file.id, "source", "url", "date")
        self._partitions = [(name, value) for name, value in file.partitions if name not in (file.text, file.id)]

    def add(self, row: int, record: Json, raw: bytes | memoryview = b"", *, python_values: bool = False) -> None:
        """`record` is used up. `raw`: its bytes. `python_values`: it may hold more than what JSON has (dates, bytes, …)."""
        file, pop = self.file, record.pop
        for name, value in self._partitions:
            record.setdefault(name, value)
        text = pop(file.text, _MISSING)
        id_ = pop(file.id, None)
        if type(id_) is int:
            id_ = str(id_)
        elif type(id_) is not str or not id_:
            _put_back(record, file.id, id_)
            id_ = default_id(file.path, row)
        source = pop("source", None)
        if type(source) is not str or not source:
            _put_back(record, "source", source)
            source = file.source
        if type(text) is not str:
            self._refuse(QuarantinedRow(row, *_why_no_text(text, file.text), len(raw), bytes(raw[:EXCERPT_BYTES])), id_, source)
            return
        url, date = pop("url", None), pop("date", None)
        if url is not None and type(url) is not str:
            record["url"], url = url, None
        if date is not None and type(date) is not str:
            record["date"], date = date, None
        try:
            metadata = b"{}" if not record else _python_json(record) if python_values else orjson.dumps(record, None, _SORTED)
        except (TypeError, UnicodeEncodeError) as error:
            detail = f"the other columns cannot be written as JSON: {error}"
            self._refuse(QuarantinedRow(row, "unreadable", detail, len(raw), bytes(raw[:EXCERPT_BYTES])), id_, source)
            return
        self._good.append((row, id_, source, url, date, text, metadata))

    def refuse(self, refused: QuarantinedRow) -> None:
        """A row whose own id and source are not known."""
        self._refuse(refused, default_id(self.file.path, refused.row), self.file.source)

    def _refuse(self, refused: QuarantinedRow, id_: str, source: str) -> None:
        excerpt = refused.excerpt[:EXCERPT_BYTES] if refused.excerpt else None
        lost = refused.lost
        told = (refused.cause, refused.detail, refused.n_bytes, excerpt, lost.rows, lost.share, lost.cut)
        self._bad.append((refused.row, id_, source, *told))

    def flush(self) -> None:
        """Turn what was added so far into Arrow: Python strings take up to four times the memory."""
        if not self._good:
            return
        rows, ids, sources, urls, dates, texts, metadata = zip(*self._good, strict=True)
        self._good.clear()
        encoded = [text.encode() for text in texts]
        del texts
        text = _utf8(encoded)
        del encoded
        arrays = [
            pa.array(rows, pa.int64()),
            pa.array(ids, pa.string()),
            pa.array(sources, pa.string()),
            pa.array(urls, pa.string()),
            pa.array(dates, pa.string()),
            text if self._sink else normalised(text),
            pc.binary_length(text),
            _utf8(metadata),
        ]
        (self._sink or self._tables.append)(pa.Table.from_arrays(arrays, schema=DOCUMENT))

    def finish(self) -> UnitRows:
        self.flush()
        documents = pa.concat_tables(self._tables).combine_chunks() if self._tables else DOCUMENT.empty_table()
        bad = sorted(self._bad, key=lambda values: values[0])
        columns = zip(*bad, strict=True) if bad else [()] * len(BAD_ROW)
        arrays = [pa.array(column, field.type) for column, field in zip(columns, BAD_ROW, strict=True)]
        return UnitRows(documents, pa.Table.from_arrays(arrays, schema=BAD_ROW))


def normalised(text: pa.LargeStringArray) -> pa.LargeStringArray:
    """Source texts (`pipeline.text.normalise`), whose kernels take 100 MB of memory: a process that only decodes does without."""
    from pipeline.text.normalise import normalise

    return normalise(text)


def _utf8(values: Sequence[bytes]) -> pa.LargeStringArray:
    # Encoding first is faster than pa.array of str, which leaves a copy of its UTF-8 in each str. Joined, a lone value is not
    # copied, and more of them are copied once.
    offsets = np.cumsum([0, *map(len, values)], dtype=np.int64)
    return pa.LargeStringArray.from_buffers(len(values), pa.py_buffer(offsets), pa.py_buffer(b"".join(values)))


def default_id(path: str, row: int) -> str:
    """Id of a row that has none: 32 hex digits of BLAKE2b-128 of its source_ref."""
    return blake2b(f"{path}#{row}".encode(), digest_size=16).hexdigest()


def _put_back(record: Json, key: str, value: Any) -> None:
    """What is not usable under its name is metadata; null and the empty string say no more than its absence."""
    if value is not None and value != "":
        record[key] = value


def _why_no_text(value: Any, column: str) -> tuple[str, str]:
    if value is _MISSING:
        return "text_missing", f"no column {column!r}"
    if value is None:
        return "text_null", f"column {column!r} is null"
    return "text_not_a_string", f"column {column!r} is of type {type(value).__name__}"


def _python_json(record: Json) -> bytes:
    return orjson.dumps(_finite(record), option=_PYTHON, default=_plain)


def _finite(value: Any) -> Any:
    """JSON has no NaN and no infinity; orjson would write null, so they become strings."""
    if type(value) is float:
        return value if isfinite(value) else {"inf": "Infinity", "-inf": "-Infinity"}.get(str(value), "NaN")
    if type(value) is dict:
        return {key: _finite(item) for key, item in value.items()}
    if type(value) in (list, tuple):
        return [_finite(item) for item in value]
    return value


def _plain(value: Any) -> Any:
    """JSON of the Python values that Arrow columns hold: ISO 8601 dates and times, base64 bytes, else `str`."""
    if isinstance(value, bytes):
        return b64encode(value).decode("ascii")
    if hasattr(value, "isoformat"):
        return value.isoformat()
    if isinstance(value, tuple):
        return list(value)
    return str(value)
