"""Files that a plan names for a filter: their bytes, and the objects in them.

Invariant: whatever a file holds, reading ends in bytes and objects or in a ModelError that says which file and line, what was
expected and what to do; no more than MOST_BYTES of it are decompressed. `key`: of the plan, which names the file.
"""

from __future__ import annotations

import io
import json
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from filters.models import ModelError

MOST_BYTES = 1 << 28
"""Of a file, decompressed. Chosen: the largest of the usual evaluation sets have 20 MB."""
_MAGIC = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd"}


def content(path: Path, *, key: str) -> bytes:
    """The file's bytes, decompressed."""
    try:
        with open(path, "rb") as file:
            start = file.read(4)
        kind = next((name for magic, name in _MAGIC.items() if start.startswith(magic)), None)
        with pa.input_stream(str(path), compression=kind) as stream:
            data: bytes = stream.read(MOST_BYTES + 1)
    except OSError as error:  # pyarrow's own errors among them
        raise ModelError(f"{key}: {path} cannot be read ({error}); write it again, plain, gzip or zstd") from error
    if len(data) > MOST_BYTES:
        raise ModelError(f"{key}: {path} holds more than {MOST_BYTES >> 20} MiB; give it in several files")
    return data


def objects(path: Path, data: bytes, *, key: str) -> Iterator[dict[str, Any]]:
    """The objects of JSON lines, or of one array of them."""
    if data.lstrip().startswith(b"["):
        yield from _array(path, data, key)
        return
    for number, line in enumerate(data.split(b"\n"), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise ModelError(f"{key}: {path}, line {number}: expected a JSON object in UTF-8 ({error}); mend the line") from error
        if not isinstance(row, dict):
            raise ModelError(f"{key}: {path}, line {number}: expected a JSON object, got {type(row).__name__}; one a line")
        yield row


def table(path: Path, data: bytes, columns: Collection[str], *, key: str) -> tuple[tuple[str, ...], list[dict[str, Any]]]:
    """The names of all columns of Parquet, and its rows with those of `columns` that it has."""
    try:
        file = pq.ParquetFile(io.BytesIO(data))
        size = sum(file.metadata.row_group(k).total_byte_size for k in range(file.metadata.num_row_groups))
        if size > MOST_BYTES:
            raise ModelError(f"{key}: {path} holds more than {MOST_BYTES >> 20} MiB; give it in several files")
        names = tuple(file.schema_arrow.names)
        return names, file.read([name for name in names if name in columns]).to_pylist()
    except (pa.ArrowException, OSError, ValueError) as error:
        if isinstance(error, ModelError):
            raise
        raise ModelError(f"{key}: {path} is damaged ({error}); write it again") from error


def _array(path: Path, data: bytes, key: str) -> list[dict[str, Any]]:
    try:
        found = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise ModelError(f"{key}: {path}: expected a JSON array of objects, or one object a line ({error}); mend it") from error
    if not found or not all(isinstance(row, dict) for row in found):
        raise ModelError(f"{key}: {path}: expected a JSON array of objects, or one object a line")
    return list(found)
