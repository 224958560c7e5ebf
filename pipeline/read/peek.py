"""A look at how an input begins, for who has no plan yet: its columns, and what they hold.

Invariants: nothing is written, no more is read of a file than its beginning, and by the readers that a run reads it with; values
of an input stay data. What a column is for is not decided here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any

import orjson

from pipeline.read import parts, read_block, stream
from pipeline.read.expansion import expand
from pipeline.read.files import ANY, InputFile, Inputs
from pipeline.read.formats import parquet, whole
from pipeline.read.recognition import look
from pipeline.read.rows import Collector, UnitRows
from pipeline.read.source import Source
from pipeline.read.units import FileUnits
from pipeline.text.conversations import TEXT, layout_of

LOOK_BYTES = 500_000
"""Of a file; chosen so that some hundred pages of the web are in it."""
MOST_FILES = 12
"""Files that are looked at, spread over all; chosen so that a look takes seconds."""
MOST_ROWS = 200
"""Rows of a file whose columns are looked at."""
ROWS = 20
"""Rows by which conversations are known: the first may be one that says nothing."""
_KINDS = {str: "text", bool: "boolean", int: "number", float: "number", list: "list", dict: "object"}


@dataclass(frozen=True)
class Column:
    """A column of the rows looked at. `filled`: rows with a value, `different`: how many values there are, `characters`: of its
    texts on average, `spaced`: the share of them with white space in it."""

    name: str
    kind: str
    filled: int
    different: int
    characters: float
    spaced: float


@dataclass(frozen=True)
class Look:
    """What a file begins with. `columns`: none where the whole of a file, or a page, is the text. `rows`, `bad`: looked at;
    `fault`: what is wrong with the first bad one; `layout`: of its conversations, empty where rows have a column `text`."""

    file: InputFile
    columns: tuple[Column, ...]
    rows: int
    bad: int
    fault: str
    layout: str = ""


def listed(source: Source) -> Inputs:
    """The files of a source that names no column yet. Raises as `expand` does."""
    return expand([source.model_copy(update={"text": ANY, "id": ANY})])


def chosen(files: Sequence[InputFile]) -> list[InputFile]:
    """The files that are looked at."""
    most = min(MOST_FILES, len(files))
    return [files[at * len(files) // most] for at in range(most)]


def look_at(file: InputFile) -> Look:
    """The columns of a file that `listed` gave."""
    rows = first_rows(file)
    texts, urls, dates = (rows.documents[name].to_pylist()[:MOST_ROWS] for name in ("text", "url", "date"))
    bad, fault = rows.bad.num_rows, next(iter(rows.bad["detail"].slice(0, 1).to_pylist()), None) or ""
    if any(texts):
        return Look(file, (), len(texts), bad, fault)
    records = [orjson.loads(value) for value in rows.documents["metadata"].to_pylist()[:MOST_ROWS]]
    for record, url, date in zip(records, urls, dates, strict=True):
        record.update({name: value for name, value in (("url", url), ("date", date)) if value is not None})
    return Look(file, tuple(_columns(records)), len(records), bad, fault, layout_of_rows(records))


def layout_of_rows(records: Sequence[dict[str, Any]]) -> str:
    """The layout of the conversations that a file begins with; empty where a row among the first has a text."""
    first = records[:ROWS]
    return "" if any(row.get(TEXT) is not None for row in first) else next(filter(None, map(layout_of, first)), "")


def first_rows(file: InputFile) -> UnitRows:
    """The rows that a file begins with, as a run reads them."""
    file = replace(file, unit_bytes=LOOK_BYTES, identity=file.identity or "not read")
    if file.format != "hf" and not file.looked:
        found = look(file)
        if isinstance(found, str):
            return _first(whole.foreign(file, found))
        file = found
    if file.format in ("text", "html"):
        return _first(whole.split(file))
    if file.format == "parquet":
        return _first(parquet.split(file))
    with closing(stream(file, file.identity)) as blocks:
        block = next(blocks, None)
    return read_block(block) if block else Collector(file).finish()


def _first(found: FileUnits) -> UnitRows:
    if not found.units:  # Parquet without a row group
        return Collector(found.file).finish()
    return next(parts(found.units[0]))[1]


def _columns(records: Iterable[dict[str, Any]]) -> Iterable[Column]:
    """By the place at which rows first have them."""
    values: dict[str, list[Any]] = {}
    for record in records:
        for name, value in record.items():
            if value is not None and value != "":
                values.setdefault(name, []).append(value)
            else:
                values.setdefault(name, [])
    for name, found in values.items():
        texts = [value for value in found if type(value) is str]
        kinds = Counter(_KINDS.get(type(value), "other") for value in found)
        yield Column(
            name=name,
            kind=kinds.most_common(1)[0][0] if kinds else "empty",
            filled=len(found),
            different=len({orjson.dumps(value) for value in found}),
            characters=sum(map(len, texts)) / len(texts) if texts else 0.0,
            spaced=sum(any(map(str.isspace, text.strip())) for text in texts) / len(texts) if texts else 0.0,
        )
