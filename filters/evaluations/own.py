"""Reads a user's evaluation set: items in rows of a JSONL or Parquet file, plain or compressed.

Invariant: whatever the file holds, reading ends in items or in a ModelError that says which file, what was expected and what to
set; no more than MOST_BYTES of it are decompressed.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import Field, field_validator

from filters.contract import Settings
from filters.evaluations.items import Item
from filters.models import ModelError

MOST_BYTES = 1 << 28
"""Of a set as text. Chosen: the largest of the usual sets have 20 MB."""
_MAGIC = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd"}
_SHOWN = 20
_NUMBER = re.compile(r"-?[0-9]{1,9}(\.0)?")
"""Of an option, as tables with gaps write it too."""
KEY = "filters.decontaminate.own"


class OwnSet(Settings):
    """An evaluation set of the user's: where it lies, and which columns hold an item."""

    path: str = Field(min_length=1, description="a JSONL or Parquet file, one item a row")
    name: str | None = Field(None, min_length=1, description="what evidence calls it; null: the file's name")
    question: str = Field("question", description="column of the question")
    options: str | None = Field(None, description="column of the options, a list; null: the set has none")
    answer: str | None = Field(
        "answer", description="column of the answer: its text, or the number or letter of the option; null: not looked at"
    )

    @field_validator("path")
    @classmethod
    def _local(cls, path: str) -> str:
        if "://" in path:
            raise ValueError("expected the path of a file; copy the set to a disk")
        return path

    @property
    def called(self) -> str:
        return self.name or Path(self.path).name.partition(".")[0]


def read(own: OwnSet) -> list[Item]:
    """Its items, in the order of rows; a row without a question is an item without words. Raises ModelError."""
    path = Path(own.path).expanduser()
    content = _content(path)
    table = _parquet(path, content, own) if content.startswith(b"PAR1") else _lines(path, content)
    _require(path, table, own)
    found = [item(row, own) for row in table]
    if not any(item.question.strip() for item in found):
        raise ModelError(f"{KEY}: {path} holds no question in column {own.question!r}; give a file with one item a row")
    return found


def rows(path: Path) -> list[dict[str, Any]]:
    """The objects of a JSONL file. Raises ModelError."""
    return _lines(path, _content(path))


def _content(path: Path) -> bytes:
    """The file's bytes, decompressed. Raises ModelError."""
    try:
        with open(path, "rb") as file:
            start = file.read(4)
        kind = next((name for magic, name in _MAGIC.items() if start.startswith(magic)), None)
        with pa.input_stream(str(path), compression=kind) as stream:
            content: bytes = stream.read(MOST_BYTES + 1)
    except OSError as error:  # pyarrow's own errors among them
        raise ModelError(f"{KEY}: {path} cannot be read ({error}); give a JSONL or Parquet file, plain, gzip or zstd") from error
    if len(content) > MOST_BYTES:
        raise ModelError(f"{KEY}: {path} holds more than {MOST_BYTES >> 20} MiB; give the test split alone, or several files")
    return content


def _lines(path: Path, content: bytes) -> list[dict[str, Any]]:
    """The objects of JSON lines, or of one array of them."""
    if content.lstrip().startswith(b"["):
        return _array(path, content)
    found = []
    for number, line in enumerate(content.split(b"\n"), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise ModelError(f"{KEY}: {path}, line {number}: expected a JSON object in UTF-8 ({error}); mend the line") from error
        if not isinstance(row, dict):
            raise ModelError(f"{KEY}: {path}, line {number}: expected a JSON object, got {type(row).__name__}; one item a line")
        found.append(row)
    if not found:
        raise ModelError(f"{KEY}: {path} is empty; give a file with one item a row")
    return found


def _array(path: Path, content: bytes) -> list[dict[str, Any]]:
    try:
        found = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise ModelError(f"{KEY}: {path}: expected a JSON array of objects, or one object a line ({error}); mend it") from error
    if not found or not all(isinstance(row, dict) for row in found):
        raise ModelError(f"{KEY}: {path}: expected a JSON array of objects, one for each item, or one object a line")
    return list(found)


def _parquet(path: Path, content: bytes, own: OwnSet) -> list[dict[str, Any]]:
    try:
        file = pq.ParquetFile(io.BytesIO(content))
        size = sum(file.metadata.row_group(k).total_byte_size for k in range(file.metadata.num_row_groups))
        if size > MOST_BYTES:
            raise ModelError(f"{KEY}: {path} holds more than {MOST_BYTES >> 20} MiB; give the test split alone")
        wanted = [own.question, *filter(None, (own.options, own.answer))]
        table = file.read([name for name in file.schema_arrow.names if name in wanted])
        found: list[dict[str, Any]] = table.to_pylist() or [{}]
    except (pa.ArrowException, OSError, ValueError) as error:
        if isinstance(error, ModelError):
            raise
        raise ModelError(f"{KEY}: {path} is damaged ({error}); write it again") from error
    found[0] = dict.fromkeys(file.schema_arrow.names) | found[0]  # all names, for the message
    return found


def _require(path: Path, rows: Sequence[dict[str, Any]], own: OwnSet) -> None:
    """Raise ModelError for a column that no row has. The answer's may be missing where it is the default."""
    known = dict.fromkeys(name for row in rows for name in row)
    wanted = {"question": own.question, "options": own.options, "answer": own.answer if own.answer != "answer" else None}
    for key, column in wanted.items():
        if column is not None and column not in known:
            listed = ", ".join(sorted(known)[:_SHOWN])
            raise ModelError(
                f"{KEY}: {path} has no column {column!r}; it has {listed}; set `{key}` of its entry to the column that holds"
                f" the {key}"
            )


def item(row: dict[str, Any], own: OwnSet) -> Item:
    """The item of a row."""
    question = row.get(own.question)
    options, labels = _options(row.get(own.options) if own.options else None)
    return Item(_said(question) or "", options, _answer(row.get(own.answer) if own.answer else None, options, labels))


def _options(value: Any) -> tuple[tuple[str, ...], tuple[str | None, ...]]:
    """Texts of options, and what each is called where that is told: a list of texts, a list of `{"text": …, "label": …}`, or a
    mapping that holds such lists (`{"text": […], "label": […]}`)."""
    labels: Any = None
    if isinstance(value, dict):
        labels = value.get("label")
        value = next((inner for inner in (value.get("text"), list(value.values())) if isinstance(inner, list)), ())
    if not isinstance(value, Iterable) or isinstance(value, str | bytes):
        value = () if value is None else (value,)
    given = list(value)
    if any(isinstance(one, dict) for one in given):
        labels = [one.get("label") if isinstance(one, dict) else None for one in given]
        given = [one.get("text") if isinstance(one, dict) else one for one in given]
    if not isinstance(labels, list) or len(labels) != len(given):
        labels = [None] * len(given)
    told = [(said, _said(label)) for said, label in zip(map(_said, given), labels, strict=True) if said]
    return tuple(said for said, _ in told), tuple(label for _, label in told)


def _answer(value: Any, options: tuple[str, ...], labels: tuple[str | None, ...] = ()) -> str | None:
    """The text of the answer: of the option whose label, number (from 0) or letter it is, where there are options; null for a
    number below 0, as splits with hidden answers have it."""
    if isinstance(value, list):
        value = value[0] if value else None
    said = _said(value)
    if said is None or not options or said in options:
        return said
    if said in labels:
        return options[labels.index(said)]
    if _NUMBER.fullmatch(said) and not any(labels):
        number = int(said.partition(".")[0])
        return options[number] if 0 <= number < len(options) else None if number < 0 else said
    letter = ord(said.upper()) - ord("A") if len(said) == 1 else -1
    return options[letter] if 0 <= letter < len(options) else said


def _said(value: Any) -> str | None:
    """A text, or a number as it is written; null of anything else, and of half a character."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None if not isinstance(value, bool) else str(value).lower()
    return str(value).encode("utf-8", "replace").decode()
