"""Reads a user's evaluation set: items in rows of a JSONL or Parquet file, plain or compressed.

Invariant: whatever the file holds, reading ends in items or in a ModelError that says which file, what was expected and what to
set; no more than `user_files.MOST_BYTES` of it are decompressed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from pydantic import Field, field_validator

from filters import user_files
from filters.contract import Settings
from filters.evaluations.items import Item
from filters.models import ModelError

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
    content = user_files.content(path, key=KEY)
    table = _parquet(path, content, own) if content.startswith(b"PAR1") else _objects(path, content)
    _require(path, table, own)
    found = [item(row, own) for row in table]
    if not any(item.question.strip() for item in found):
        raise ModelError(f"{KEY}: {path} holds no question in column {own.question!r}; give a file with one item a row")
    return found


def rows(path: Path) -> list[dict[str, Any]]:
    """The objects of a JSONL file. Raises ModelError."""
    return _objects(path, user_files.content(path, key=KEY))


def _objects(path: Path, content: bytes) -> list[dict[str, Any]]:
    found = list(user_files.objects(path, content, key=KEY))
    if not found:
        raise ModelError(f"{KEY}: {path} is empty; give a file with one item a row")
    return found


def _parquet(path: Path, content: bytes, own: OwnSet) -> list[dict[str, Any]]:
    wanted = [own.question, *filter(None, (own.options, own.answer))]
    names, found = user_files.table(path, content, wanted, key=KEY)
    found = found or [{}]
    found[0] = dict.fromkeys(names) | found[0]  # all names, for the message
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
