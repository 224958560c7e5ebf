"""JSON that holds a table by columns, by ids or as rows without names, as `DataFrame.to_json()` writes it, to rows.

Such a file has no end of a row in it: it is held whole, and larger than `max_row_bytes` it is one bad row that says so. The
number of a row is its place, from 1. A value for which a column has no row, or a row no value, is no row's and no value's fault.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from pipeline.read.files import InputFile
from pipeline.read.lines import Chunks, Lines, Loss, QuarantinedRow, Unreadable, most_rows
from pipeline.schema import EXCERPT_BYTES


def holds_table(value: dict[str, Any], text: str) -> bool:
    """Whether a file's one object is such a table."""
    by_id = any(isinstance(item, dict) and text in item for item in value.values())
    return isinstance(value.get(text), dict | list) or text in _names(value) or by_id


def _names(value: dict[str, Any]) -> list[str]:
    """Names of columns that stand beside rows without names; none where the table is of another form."""
    names = value.get("columns")
    fits = isinstance(names, list) and all(isinstance(name, str) for name in names) and isinstance(value.get("data"), list)
    return names if fits else []  # type: ignore[return-value]


def cut(chunks: Chunks, file: InputFile) -> Iterator[Lines]:
    """Units of rows, a piece each. The first one stands for all bytes of the file."""
    parts, size = [], 0
    try:
        for chunk in chunks:
            assert isinstance(chunk, bytes)
            size += len(chunk)
            if size > file.max_row_bytes:
                detail = "a table by columns cannot be read in parts; write it as JSON lines (orient='records', lines=True)"
                raise Unreadable("row_too_large", f"more than max_row_bytes, {file.max_row_bytes}: {detail}", Loss(share=1))
            parts.append(chunk)
        rows = _rows(json.loads(b"".join(parts).decode("utf-8-sig")), file)
    except (ValueError, RecursionError) as error:
        yield _rest(parts, size, Unreadable("invalid_json", f"a table by columns: {error}", Loss(share=1)))
    except Unreadable as error:
        yield _rest(parts, size, error)
    else:
        yield from _units(rows, size, file.unit_bytes)


def _rest(parts: list[bytes], size: int, error: Unreadable) -> Lines:
    excerpt = b"".join(parts[:1])[:EXCERPT_BYTES] or None
    return Lines(0, size, 1, (), (), QuarantinedRow(1, error.cause, error.detail, size, excerpt, error.lost))


def _rows(value: Any, file: InputFile) -> list[Any]:
    names = _names(value)
    if isinstance(value.get(file.text), dict | list):
        return _of_columns(value)
    if file.text in names:
        return [
            dict(zip(names, row, strict=True)) if isinstance(row, list) and len(row) == len(names) else row
            for row in value["data"]
        ]
    return [{file.id: name, **row} if isinstance(row, dict) else row for name, row in value.items()]


def _of_columns(value: dict[str, Any]) -> list[Any]:
    rows: dict[Any, dict[str, Any]] = {}
    for name, column in value.items():
        if isinstance(column, dict):
            found: Iterable[tuple[Any, Any]] = column.items()
        else:
            found = ((str(i), item) for i, item in enumerate(column)) if isinstance(column, list) else ()
        for key, item in found:
            rows.setdefault(key, {})[name] = item
    return list(rows.values())


def _units(rows: list[Any], size: int, unit_bytes: int) -> Iterator[Lines]:
    pieces: list[bytes] = []
    start, first_row, held = 0, 1, 0
    for row, value in enumerate(rows, 1):
        pieces.append(json.dumps(value).encode())
        held += len(pieces[-1])
        if held >= unit_bytes or len(pieces) >= most_rows(unit_bytes) or row == len(rows):
            yield Lines(start, size, first_row, tuple(pieces), ())
            pieces, start, first_row, held = [], size, row + 1, 0
