"""Rows that a Python program holds (texts, a frame, a `datasets.Dataset`) as an input file, read as all others are.

The file is Parquet and named by what the rows hold: `in_memory/rows-<32 hex digits>.parquet`. So source_ref and id of a row
stay the same, the same rows again are nothing new, and facts about them are found. Invariant: the name does not depend on how
the rows are chunked, on the kind of frame, or on which release of Arrow writes them; a text counts by its bytes, so one that
UTF-8 cannot hold is a bad row and no error.
"""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol, TypeAlias

import orjson
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pyarrow.types as pt

from pipeline.errors import InputError, named
from pipeline.read.files import FORMATS, kind_of
from pipeline.records.base import Json
from pipeline.text.conversations import AUTO, LAYOUTS
from pipeline.text.visible import visible

FOLDER = "in_memory"
"""The folder of the file, and so the default name of the source."""
GROUP_ROWS, GROUP_BYTES = 10_000, 16_000_000
"""Most of a row group: chosen so that a unit has several."""
_NAME = re.compile(rf"(?:.*//)?{FOLDER}/rows-[0-9a-f]{{32}}\.parquet")
_ONE_TYPE = "give each column one type that Parquet has, or leave it out"


class ArrowStream(Protocol):
    """A frame of Polars, pandas, Arrow, DuckDB: what gives its rows by Arrow's PyCapsule interface."""

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object: ...


Place: TypeAlias = str | os.PathLike[str]
Rows: TypeAlias = ArrowStream | pl.LazyFrame | Iterable[object]
"""A frame, a Dataset, or texts: `str`, None where there is none."""


def path_of(digest: str) -> str:
    """What a file of rows with this digest is called."""
    return f"{FOLDER}/rows-{digest}.parquet"


def is_named_by_content(path: str) -> bool:
    """Whether an input's path says what it holds: it cannot have changed, and nobody expects it to be there again."""
    return _NAME.fullmatch(path) is not None


def paths_in(data: Rows) -> list[str] | None:
    """The paths of a list of `Path` objects; None where it is rows. Raises InputError for a list of `str` that can only be meant
    as paths."""
    if not isinstance(data, list | tuple) or not data:
        return None
    if any(isinstance(one, os.PathLike) for one in data):
        if not all(isinstance(one, str | os.PathLike) for one in data):
            raise InputError("a list of paths holds something else; give paths only, or texts only")
        return [os.fspath(one) for one in data]
    if all(isinstance(one, str) and _is_path(one) for one in data):
        shown = visible(data[0], limit=80)
        raise InputError(f"a list of str is texts, and these are paths: write [Path({shown!r}), …], or one path as a str")
    return None


def _is_path(text: str) -> bool:
    if not text or len(text) > 1_000 or any(c.isspace() for c in text):
        return False
    return "://" in text or bool(kind_of(text)[0]) or text.endswith((*FORMATS, ".json")) or os.path.exists(text)


@contextmanager
def written(data: Rows, *, text: str, format_: str = AUTO) -> Iterator[str]:
    """The path of a file with these rows, in a temporary folder (TMPDIR) that only this user may read and that goes at the end.

    `text`: the column that holds the text; texts get one of that name. `format_`: `source.format`. Raises InputError for what is
    no rows, for rows without such a column, and where there is no text at all.
    """
    with tempfile.TemporaryDirectory(prefix="winnow-") as above:
        folder = Path(above) / FOLDER
        folder.mkdir()
        made = folder / "rows.parquet"
        with named(made):
            digest = _write(made, data, text=text, format_=format_)
        path = Path(above) / path_of(digest)
        made.rename(path)
        yield str(path)


def _write(path: Path, data: Rows, *, text: str, format_: str) -> str:
    digest, texts, rows = Digest(text), 0, 0
    writer: pq.ParquetWriter | None = None
    try:
        for table in tables(data, text=text):
            if writer is None:
                column = _conversation(table.schema, text, format_)
                _check_text(table.schema, text, column=column)
                writer = pq.ParquetWriter(path, table.schema, compression="zstd", compression_level=1)
            digest.update(table)
            rows += table.num_rows
            texts += table.num_rows - table[column or text].null_count
            writer.write_table(table)
    except (pa.ArrowException, TypeError, ValueError, OverflowError, pl.exceptions.PolarsError) as error:
        raise InputError(f"these rows cannot be written as Parquet ({_line(error)}); {_ONE_TYPE}") from error
    finally:
        if writer is not None:
            writer.close()
    if not rows:
        raise InputError("no rows: the data are empty")
    if not texts:
        raise InputError(f"no text: column {text!r} is null in each of the {rows:,} rows" if rows > 1 else "no text: it is None")
    return digest.hexdigest()


def _conversation(schema: pa.Schema, text: str, format_: str) -> str:
    """A column that a row must have to be a conversation; empty where the rows are texts, or have no such columns."""
    own = [LAYOUTS[format_]] if format_ in LAYOUTS else LAYOUTS.values() if format_ == AUTO and text not in schema.names else ()
    fits = (layout.required[0] for layout in own if set(layout.required) <= set(schema.names))
    return next(fits, "")


def _check_text(schema: pa.Schema, text: str, *, column: str) -> None:
    if column:
        return
    if text not in schema.names:
        there = ", ".join(visible(name, limit=40) for name in schema.names[:20]) or "none"
        raise InputError(f"no column {text!r}; there are: {there}. Say which one holds the text: text='…'")
    if schema.names.count(text) > 1:
        raise InputError(f"two columns are called {text!r}; rename one of them")
    type_ = schema.field(text).type
    if not (_is_bytes(type_) or pt.is_null(type_)):
        raise InputError(f"column {text!r} is of type {type_}; a text is a string. Say which column holds the text: text='…'")


def tables(data: Rows, *, text: str) -> Iterator[pa.Table]:
    """The rows as tables of one schema, in order: each a row group, without dictionaries and views. Raises InputError."""
    reader = _reader(data, text)
    schema = None
    for batch in reader:
        table = _plain(pa.Table.from_batches([batch]) if isinstance(batch, pa.RecordBatch) else batch)
        schema = schema or table.schema
        if table.schema != schema:  # a batch whose values are all null
            table = table.cast(schema)
        step = max(1, min(GROUP_ROWS, GROUP_BYTES * table.num_rows // max(1, table.nbytes)))
        for start in range(0, table.num_rows, step):
            yield table.slice(start, step)
        if not table.num_rows:
            yield table


def _reader(data: Any, text: str) -> Iterable[pa.Table | pa.RecordBatch]:
    library = type(data).__module__.partition(".")[0]
    if isinstance(data, Mapping):
        raise InputError(f"{_type(data)} is no data; give a frame, or one split of a Dataset, such as data['train']")
    if isinstance(data, pl.LazyFrame):
        data = data.collect()
    if isinstance(data, pa.Array | pa.ChunkedArray):
        data = data.to_pylist()
    if isinstance(data, pl.DataFrame):
        objects = [name for name, dtype in data.schema.items() if dtype == pl.Object]
        if objects:
            raise InputError(f"column {objects[0]!r} holds Python objects; {_ONE_TYPE}")
        return [data.to_arrow(compat_level=pl.CompatLevel.oldest())]
    if library == "pandas" and hasattr(data, "columns"):
        return [pa.Table.from_pandas(data, preserve_index=False)]
    if library == "datasets" and hasattr(data, "with_format") and hasattr(data, "iter"):
        batches: Iterable[pa.Table] = data.with_format("arrow").iter(batch_size=1_000)
        return batches
    if hasattr(data, "__arrow_c_stream__") and not isinstance(data, pl.Series) and library != "pandas":
        return pa.RecordBatchReader.from_stream(data)
    if isinstance(data, str | bytes | bytearray) or not isinstance(data, Iterable):
        raise InputError(f"{_type(data)} is no data; give a path, a frame, a Dataset, or a list of texts")
    found = list(data)
    return [of_records(found) if found and all(isinstance(one, dict) for one in found) else of_texts(found, text)]


def of_records(records: Sequence[Json]) -> pa.Table:
    """Rows as objects. Columns of conversations are written as JSON, which `pipeline.text.conversations` reads: contents of one
    column may be of several types."""
    made: dict[str, pa.Array] = {}
    turns = {name for layout in LAYOUTS.values() for name in layout.turns}
    for name in dict.fromkeys(key for record in records for key in record):
        values = [record.get(name) for record in records]
        if name in turns:
            values = [orjson.dumps(value).decode() if isinstance(value, list) else value for value in values]
        made[str(name)] = pa.array(values, from_pandas=True)
    return pa.table(made)


def of_texts(texts: Iterable[object], column: str) -> pa.Table:
    """The texts as a column. Raises InputError for what is none, and where there is none."""
    found: list[bytes | None] = []
    for number, one in enumerate(texts):
        if isinstance(one, str):
            found.append(one.encode("utf-8", "surrogatepass"))
        elif _is_missing(one):
            found.append(None)
        else:
            more = "; give rows with columns alone, or a frame of them" if isinstance(one, dict) else ""
            raise InputError(f"number {number} of the texts is {_type(one)}; a text is a str, or None where there is none{more}")
    if not found:
        raise InputError("no texts: the list is empty")
    return pa.table({column: pa.array(found, pa.large_binary())})


def _is_missing(one: object) -> bool:
    return one is None or (isinstance(one, float) and one != one) or type(one).__name__ in ("NAType", "NaTType")


def _type(one: object) -> str:
    name = type(one).__name__
    return f"{'an' if name[:1] in 'aeiou' else 'a'} {visible(name, limit=80)}"


def _plain(table: pa.Table) -> pa.Table:
    """Without what only memory has: dictionaries, views, notes of a library beside the schema."""
    columns: list[pa.ChunkedArray] = []
    for field in table.schema:
        column = table[field.name] if table.schema.names.count(field.name) == 1 else table.column(len(columns))
        if pt.is_dictionary(column.type):
            column = column.cast(column.type.value_type)
        if pt.is_string_view(column.type) or pt.is_binary_view(column.type):
            column = column.cast(pa.large_string() if pt.is_string_view(column.type) else pa.large_binary())
        columns.append(column)
    return pa.table(columns, names=table.schema.names)


def _is_bytes(type_: pa.DataType) -> bool:
    return any(test(type_) for test in (pt.is_string, pt.is_large_string, pt.is_binary, pt.is_large_binary))


class Digest:
    """A hash of rows: of each column its name, its type, and the values as they are written. `text`: that column's bytes count,
    whether it is of text or of bytes."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._columns: list[tuple[str, hashlib.blake2b, hashlib.blake2b]] = []

    def update(self, table: pa.Table) -> None:
        self._columns = self._columns or [(self._title(field), _blake(), _blake()) for field in table.schema]
        for (_, lengths, values), column in zip(self._columns, table.columns, strict=True):
            for chunk in column.chunks:
                body = _as_bytes(chunk)
                sizes = pc.fill_null(pc.cast(pc.binary_length(body), pa.int64()), -1)
                lengths.update(sizes.to_numpy(zero_copy_only=False).astype("<i8").tobytes())
                values.update(b"".join(body.drop_null().to_pylist()))

    def _title(self, field: pa.Field) -> str:
        kind = "text" if field.name == self._text else str(field.type).removeprefix("large_")
        return f"{len(field.name)} {field.name} {kind}"

    def hexdigest(self) -> str:
        whole = _blake()
        for title, lengths, values in self._columns:
            whole.update(title.encode("utf-8", "surrogatepass") + lengths.digest() + values.digest())
        return whole.hexdigest()


def _blake() -> hashlib.blake2b:
    return hashlib.blake2b(digest_size=16)


def _as_bytes(array: pa.Array) -> pa.Array:
    if _is_bytes(array.type) or pt.is_null(array.type):
        return array.cast(pa.large_binary())
    if pt.is_nested(array.type):
        return pa.array(
            [None if value is None else repr(value).encode("utf-8", "backslashreplace") for value in array.to_pylist()]
        )
    return array.cast(pa.large_string()).cast(pa.large_binary())


def _line(error: Exception) -> str:
    said = ", ".join(map(str, error.args)) or type(error).__name__
    return visible(" ".join(said.split()), limit=300)
