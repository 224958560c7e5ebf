"""Values of any column of the input, for `dedup.scope` and `dedup.keep`: columns of the documents table, then `metadata`.

A name is looked up as it is: a column of DOCUMENT, else a key of the JSON object in `metadata`, at its top level (a dot or a
bracket in it means nothing). `url` and `date` hold strings only; where a row's was of another type it went to metadata under
its own name (`pipeline.read.rows`) and is found there.

**Text**, for `scope`: strings as they are; numbers, booleans, lists and objects by their JSON text as metadata holds it (so the
string "1" and the number 1 are one scope). JSON's null and an absent key are null; the empty string is a value.

**Order**, for `keep`, is in `pipeline.stages.dedup.keep_order`.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

import numpy as np
import orjson
import polars as pl
import pyarrow as pa

from filters.kernels import buffers
from filters.kernels.formats import json_fields
from filters.kernels.formats.json_fields import ABSENT, BROKEN, ESCAPED
from pipeline.errors import BrokenContract, PlanError
from pipeline.text.visible import visible

DOCUMENT_COLUMNS = ("id", "source", "url", "date", "n_bytes_read")
"""Columns of the documents table that a plan may name; all but `text`, `row` and `metadata`."""
_OFTEN_ELSEWHERE = ("url", "date")
_LOOKED_AT = 1_000
"""Rows of each unit that are read for the names in an error message."""
_MOST_NAMES = 30


def column_of(documents: pa.Table, name: str) -> pl.Series:
    """Texts of the column `name` of a documents table (pipeline.schema.DOCUMENT; the columns `needs(name)` suffice), null where a
    row has no value."""
    if name not in DOCUMENT_COLUMNS:
        return _from_metadata(documents["metadata"], name)
    column = pl.Series("value", pl.from_arrow(documents[name]))
    if name not in _OFTEN_ELSEWHERE:
        return column.cast(pl.String)
    return column.zip_with(column.is_not_null(), _from_metadata(documents["metadata"], name))


def needs(name: str) -> tuple[str, ...]:
    """The columns of the documents table that `column_of` reads for this name."""
    return (name, "metadata") if name in _OFTEN_ELSEWHERE else (name,) if name in DOCUMENT_COLUMNS else ("metadata",)


def _from_metadata(column: pa.ChunkedArray, name: str) -> pl.Series:
    try:
        key = np.frombuffer(orjson.dumps(name), np.uint8)
    except orjson.JSONEncodeError:  # a lone surrogate: no key of a document can be that
        return pl.Series("value", [None] * len(column), dtype=pl.String)
    parts = [_chunk(chunk, key) for chunk in column.chunks]
    return pl.concat(parts) if parts else pl.Series("value", [], dtype=pl.String)


def _chunk(chunk: pa.LargeStringArray, key: np.ndarray) -> pl.Series:
    offsets, data = buffers.views(chunk)
    spans, kinds = json_fields.find_field(offsets, data, key)
    if (kinds == BROKEN).any():
        raise BrokenContract(f"metadata of a document is not compact JSON: row {int(np.argmax(kinds == BROKEN))} of its batch")
    spans[kinds == ABSENT] = 0
    starts, found = json_fields.gather(data, spans)
    present = pa.py_buffer(np.packbits(kinds != ABSENT, bitorder="little"))
    array = pa.LargeStringArray.from_buffers(len(kinds), pa.py_buffer(starts), pa.py_buffer(found), present)
    text = pl.Series("value", pl.from_arrow(array), dtype=pl.String)
    escaped = np.flatnonzero(kinds == ESCAPED)
    if len(escaped):
        text = text.scatter(escaped, [orjson.loads(f'"{value}"') for value in text.gather(escaped)])
    return text


def is_there(parts: Iterable[pl.Series]) -> bool:
    """Some row has a value."""
    return any(part.null_count() < len(part) for part in parts)


def no_such_column(key: str, name: str, *, others: Iterable[str], documents: Iterable[pa.Table]) -> PlanError:
    """The error that plan key `key` names a column which no row has, with the columns that there are.

    `others`: names that do not come from the input (signals of filters). `documents`: tables with all columns of `needs`; the
    first rows of each are looked at.
    """
    found = {*others}
    for table in documents:
        head = table.slice(0, _LOOKED_AT)
        found |= {column for column in DOCUMENT_COLUMNS if column in head.column_names and head[column].null_count < len(head)}
        for row in head["metadata"].to_pylist():
            found |= {column for column, value in orjson.loads(row).items() if value is not None}
    names = sorted(found - {name})
    shown = [_shown(column) for column in names[:_MOST_NAMES]]
    rest = f" and {len(names) - _MOST_NAMES:,} more" if len(names) > _MOST_NAMES else ""
    near = get_close_matches(name, names, n=1)
    hint = f"; did you mean {_shown(near[0])}?" if near else "."
    return PlanError(f"{key}: no document has a column {_shown(name)}{hint} There are: {', '.join(shown)}{rest}")


def _shown(name: str) -> str:
    """A name from the input, short; quoted where its commas would make several of it."""
    shown = visible(name, limit=60)
    return repr(shown) if "," in shown else shown
