"""Texts with labels: read from files, copies taken out, split into parts that share no group.

Invariant: which part a document is in depends on its group and the seed alone; no text and no group is in two parts, whatever the
order of the files. A text that stands in both classes teaches nothing and is left out.
"""

from __future__ import annotations

import hashlib
import heapq
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import orjson

from pipeline import read
from pipeline.errors import InputError
from pipeline.read.expansion import expand
from pipeline.read.files import InputFile
from pipeline.read.source import Source
from pipeline.read.units import chunks, open_input
from pipeline.records.base import Json
from pipeline.text import numbers
from pipeline.text.final import text_hash

Part = Literal["train", "calibrate", "test"]
PARTS: dict[Part, float] = {"train": 0.70, "calibrate": 0.20, "test": 0.10}
MIN_EACH = 20
"""Fewest documents of each class in each part: chosen, because figures on fewer say nothing."""
UNKNOWN = "und"
"""Language, or group, of a row that names none."""
TRUE, FALSE = {"1", "1.0", "true", "yes", "positive"}, {"0", "0.0", "false", "no", "negative"}


@dataclass(frozen=True, kw_only=True)
class Document:
    """One example. `ordinary`: text as a corpus is full of, on which the share of false alarms is set. `train_only`: text made
    for training, of which no figure is taken. `weight`: times in an epoch. `others`: the file's other columns, as JSON.
    `doubtful`: its source labels something narrower, so that a negative may be positive in a wider sense. `id`, `url`: of the
    row."""

    text: str
    positive: bool
    source: str
    group: str
    language: str = "en"
    ordinary: bool = False
    train_only: bool = False
    weight: int = 1
    others: str = "{}"
    doubtful: bool = False
    id: str = ""
    url: str = ""


@dataclass(frozen=True, kw_only=True)
class Columns:
    """Which columns of the files hold what; None: there is none. `language`: of all texts, unless there is a column."""

    text: str = "text"
    label: str | None = None
    group: str | None = None
    language_column: str | None = None
    language: str = "en"
    keep_others: bool = False


@dataclass(frozen=True)
class InputRecord:
    """A file that was read, for the card. `unreadable`: rows that gave no text."""

    path: str
    sha256: str
    documents: int
    unreadable: int


@dataclass(frozen=True)
class UniqueDocuments:
    """Documents without copies; how many were left out as copies, and as texts of both classes."""

    documents: list[Document]
    copies: int
    contradictions: int


def _source(paths: Sequence[str], columns: Columns) -> Source:
    """Its rows' `source` says what they are compared by."""
    return Source.model_validate({"paths": tuple(paths), "text": columns.text, "from": "source"})


def load_examples(paths: Sequence[str], *, positive: bool, columns: Columns) -> tuple[list[Document], list[InputRecord]]:
    """All documents of files, folders or globs. Raises InputError: nothing there, or a label that is neither true nor false."""
    documents: list[Document] = []
    records: list[InputRecord] = []
    for file in expand([_source(paths, columns)]).files:
        before, bad = len(documents), 0
        for table, refused in _tables(file):
            documents += (_document(row, file, positive, columns=columns) for row in table)
            bad += refused
        records.append(InputRecord(file.path, _sha256(file), len(documents) - before, bad))
        if len(documents) == before:
            raise InputError(
                f"{file.url}: no text in column {columns.text!r} of any row ({bad} could not be used); name it with --text"
            )
    return documents, records


def sample(paths: Sequence[str], *, n: int, seed: int, columns: Columns) -> tuple[list[Document], list[InputRecord], int]:
    """A random sample of `n` documents of a corpus, as negative and ordinary ones; also the corpus's bytes of text.

    A folder that `flows.curate` wrote stands for its data/. In the sample are the documents whose hash with the seed is smallest.
    """
    records: list[InputRecord] = []
    columns = Columns(text=columns.text, language=columns.language)
    total = 0

    def ranked() -> Iterator[tuple[int, str, Json, InputFile]]:
        nonlocal total
        for file in expand([_source([_data_of(path) for path in paths], columns)]).files:
            count, bad = 0, 0
            for table, refused in _tables(file):
                count, bad = count + len(table), bad + refused
                for row in table:
                    total += len(row["text"].encode())
                    place = f"{file.path}#{row['row']}"
                    yield hashed(seed, place), place, row, file
            records.append(InputRecord(file.path, _sha256(file), count, bad))

    chosen = sorted(heapq.nsmallest(n, ranked()), key=lambda item: item[1])
    documents = [replace(_document(row, file, False, columns=columns), ordinary=True) for _, _, row, file in chosen]
    return documents, records, total


def clean(documents: Sequence[Document]) -> UniqueDocuments:
    """Leave out copies (white space folded), all but the first, and texts that are in both classes."""
    first: dict[bytes, Document] = {}
    classes: dict[bytes, list[bool]] = {}
    for document in documents:
        key = text_hash(document.text)
        first.setdefault(key, document)
        classes.setdefault(key, []).append(document.positive)
    kept = [document for key, document in first.items() if len(set(classes[key])) == 1]
    contradictions = sum(len(found) for found in classes.values() if len(set(found)) == 2)
    return UniqueDocuments(kept, len(documents) - len(kept) - contradictions, contradictions)


def split(
    documents: Sequence[Document], *, seed: int, least: int = MIN_EACH, shares: Mapping[Part, float] = PARTS
) -> dict[Part, list[Document]]:
    """Parts by the hash of the group; documents made for training are in `train`. Raises InputError if a part is too small."""
    parts: dict[Part, list[Document]] = {part: [] for part in PARTS}
    for document in documents:
        parts["train" if document.train_only else part_of(document.group, seed=seed, shares=shares)].append(document)
    for part, inside in parts.items():
        for positive in (True, False):
            count = sum(document.positive == positive for document in inside)
            if count < least:
                raise _too_few(documents, (part, positive, count), least=least, shares=shares)
    return parts


ROOM = 1.3
"""How many times more than on average are asked for, because parts are drawn by hash: with 260 examples one part in ten of 20 or
more is nearly sure."""


def _too_few(
    documents: Sequence[Document], short: tuple[Part, bool, int], *, least: int, shares: Mapping[Part, float]
) -> InputError:
    part, positive, count = short
    kind = "positive" if positive else "negative"
    have = sum(document.positive == positive for document in documents)
    needed = math.ceil(ROOM * least / min(share for share in shares.values() if share))
    said = ", ".join(f"{numbers.percent(share)} {name}" for name, share in shares.items())
    more = (
        f"give {needed - have} more" if have < needed else "give smaller groups, since one with most of them falls into one part"
    )
    return InputError(
        f"too few {kind} examples: {have}; about {needed} positive and {needed} negative ones are needed, because each part"
        f" ({said}) takes at least {least} of each, and the part to {part} has {count}: {more}"
    )


def part_of(group: str, *, seed: int, shares: Mapping[Part, float] = PARTS) -> Part:
    """The part of a group: by where its hash falls."""
    at = hashed(seed, group) / 2**64
    for part, share in shares.items():
        at -= share
        if at < 0:
            return part
    return "test"


def _document(row: Json, file: InputFile, positive: bool, *, columns: Columns) -> Document:
    others = orjson.loads(row["metadata"]) if columns.label or columns.group or columns.language_column else {}
    if columns.label:
        if columns.label not in others:
            raise _no_column(columns.label, others, row, file=file)
        positive = _label(others[columns.label], f"{file.path}#{row['row']}, column {columns.label}")
    group = _value(others, columns.group, row, file=file) if columns.group else text_hash(row["text"]).hex()
    language = _value(others, columns.language_column, row, file=file) if columns.language_column else columns.language
    return Document(
        text=row["text"],
        positive=positive,
        source=row["source"],
        group=group,
        language=language,
        others=row["metadata"] if columns.keep_others else "{}",
        id=row["id"],
        url=row["url"] or "",
    )


def _value(others: Json, column: str, row: Json, *, file: InputFile) -> str:
    if column not in others and column not in row:
        raise _no_column(column, others, row, file=file)
    value = others.get(column, row.get(column))
    return UNKNOWN if value is None else str(value)


def _no_column(column: str, others: Json, row: Json, *, file: InputFile) -> InputError:
    return InputError(f"{file.path}#{row['row']}: no column {column}; found {', '.join(sorted(others)) or 'none'}")


def _label(value: object, where: str) -> bool:
    said = str(value).strip().lower()
    if said not in TRUE | FALSE:
        raise InputError(f"{where}: expected one of {', '.join(sorted(TRUE | FALSE))}; found {value!r}")
    return said in TRUE


def _tables(file: InputFile) -> Iterator[tuple[list[Json], int]]:
    """Rows of a file, a unit at a time, and how many could not be read."""
    for rows in read.rows_of(file):
        yield rows.documents.select(["row", "id", "source", "url", "text", "metadata"]).to_pylist(), len(rows.bad)


def _data_of(path: str) -> str:
    folder = Path(path).expanduser()
    data = folder / "data"
    return str(data) if (folder / "manifest.json").is_file() and data.is_dir() else path


def _sha256(file: InputFile) -> str:
    if file.format == "hf":
        return read.units_of(file).content
    digest = hashlib.sha256()
    with open_input(file) as handle:
        for chunk in chunks(file, handle):
            digest.update(chunk)
    return digest.hexdigest()


def hashed(seed: int, value: str) -> int:
    return int.from_bytes(hashlib.blake2b(f"{seed}\0{value}".encode(), digest_size=8).digest(), "big")
