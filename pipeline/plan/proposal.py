"""What a plan for an input may say of it: where its text stands, by a look at its columns (`pipeline.read.peek`).

A column is proposed as the text by its name, where one of the usual names holds text, else the one whose texts are the longest
among those that have white space in them: titles, URLs and ids are shorter. Where no column looks like text none is proposed. A
person reads the plan before it runs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import pyarrow as pa

from filters import language
from filters.contract import TextBatch
from filters.models import eldc
from pipeline.errors import InputError
from pipeline.read import peek
from pipeline.read.files import InputFile, Inputs
from pipeline.read.peek import Column, Look
from pipeline.read.source import Source
from pipeline.records.inputs import PassedOver
from pipeline.text import turns
from pipeline.text.conversations import LAYOUTS
from pipeline.text.visible import visible

TEXT = "text"
TEXT_NAMES = (TEXT, "content", "raw_content", "body", "article", "document", "markdown", "page_content", "passage", "contents")
"""The names that published corpora give the text, the likeliest first."""
ID_NAMES = ("id", "doc_id", "document_id", "docid", "uuid", "_id", "guid", "key")
SOURCE_NAMES = ("source", "subset", "domain", "dataset", "corpus")
LEAST_CHARACTERS = 20
"""Of a text on average: a column called `text` may hold labels. Chosen."""
LEAST_FILLED = 0.5
"""Share of the rows that have a text, of a column that is proposed for it."""
MOST_SOURCES = 50
"""Different values of a column that may name sources; chosen so that ids and hosts do not."""
DOCUMENTS = 50
"""Of a file, whose language is looked at."""


@dataclass(frozen=True)
class Proposed:
    """A source of the plan. `layout`: of its conversations, empty where its rows are texts. `text`, `id`: columns; `others`:
    files that were looked at and have no such column, with the one that they have; `named_by`: a column that may name sources;
    `languages`: documents by language, of those looked at."""

    paths: tuple[str, ...]
    name: str
    layout: str
    text: str
    id: str
    named_by: str | None
    others: tuple[tuple[str, str | None], ...]
    files: int
    bytes: int
    formats: tuple[tuple[str, int], ...]
    passed_over: tuple[PassedOver, ...]
    looks: tuple[Look, ...]
    columns: tuple[Column, ...]
    languages: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class _Seen:
    """An input that was named, and its files that were looked at."""

    path: str
    found: Inputs
    looks: list[Look]


def propose(paths: Sequence[str], *, text: str | None = None) -> list[Proposed]:
    """Sources for these inputs, those with the same columns together. `text`: the column, where the user names it.

    Raises InputError: nothing there, nothing that can be read, no column that holds text.
    """
    groups: dict[tuple[str, str], list[_Seen]] = {}
    for path in paths:
        found = peek.listed(Source(paths=(path,)))
        seen = _Seen(path, found, [peek.look_at(file) for file in peek.chosen(found.files)])
        layout = "" if text else _layout_of_all(seen.looks)
        groups.setdefault((layout, TEXT if layout else text or _text_of_all(path, seen.looks)), []).append(seen)
    made = [_proposed(members, column, layout=layout) for (layout, column), members in groups.items()]
    names = Counter(one.name for one in made)
    return [replace(one, name=f"{one.name}-{i}") if names[one.name] > 1 else one for i, one in enumerate(made, 1)]


def _layout_of_all(looks: Sequence[Look]) -> str:
    """The layout of the conversations that most files are, by their bytes; empty where most are texts."""
    votes: Counter[str] = Counter()
    for look in looks:
        votes[look.layout] += look.file.size + 1
    return max(votes, key=lambda name: (votes[name], name)) if votes else ""


def _proposed(seen: Sequence[_Seen], text: str, *, layout: str) -> Proposed:
    own = LAYOUTS[layout].required[0] if layout else text
    files = [file for one in seen for file in one.found.files]
    looks = [look for one in seen for look in one.looks]
    columns = next((look.columns for look in looks if any(column.name == own for column in look.columns)), ())
    others = [(one.file.path, text_of(one)) for one in looks if one.columns and own not in {c.name for c in one.columns}]
    formats = Counter(f"{one.format}{f' ({one.compression})' if one.compression else ''}" for one in files)
    return Proposed(
        paths=tuple(one.path for one in seen),
        name=files[0].source,
        layout=layout,
        text=text,
        id=_id_of(columns, rows=max((look.rows for look in looks), default=0)),
        named_by=next((c.name for name in SOURCE_NAMES for c in columns if c.name == name and _names_sources(c)), None),
        others=tuple(others),
        files=len(files),
        bytes=sum(file.size for file in files),
        formats=tuple(formats.most_common()),
        passed_over=tuple(passed for one in seen for passed in one.found.passed_over),
        looks=tuple(looks),
        columns=columns,
        languages=_languages([replace(look.file, text=text, turns=layout) for look in looks]),
    )


def text_of(look: Look) -> str | None:
    """The column of a file that is most likely its text."""
    texts = [c for c in look.columns if c.kind == "text" and c.filled >= LEAST_FILLED * look.rows]
    long = [c for c in texts if c.characters >= LEAST_CHARACTERS]
    named = [c.name for name in TEXT_NAMES for c in long if c.name.lower() == name]
    # A text in a script without spaces has few of them; a URL or a hash has none, and is shorter than a page.
    likely = [c for c in texts if c in long or c.spaced or c.name.lower() in TEXT_NAMES]  # others hold numbers, codes and labels
    ordered = sorted(likely, key=lambda c: (-c.characters * (0.05 + c.spaced), c.name))
    return next(iter([*named, *(c.name for c in ordered if c.name not in ("url", "date", *ID_NAMES))]), None)


def _text_of_all(path: str, looks: Sequence[Look]) -> str:
    """The column that most files have, by their bytes; `text` where files are the text."""
    votes: Counter[str] = Counter()
    for look in looks:
        if look.columns and (found := text_of(look)) is not None:
            votes[found] += look.file.size + 1
    if votes:
        return max(votes, key=lambda name: (votes[name], name))
    columned = [look for look in looks if look.columns]
    if not columned:
        if (bad := [look for look in looks if look.bad]) and not any(look.rows for look in looks):
            raise InputError(f"{path}: no row that was looked at can be read ({visible(bad[0].fault, limit=200)})")
        return TEXT
    names = ", ".join(f"{visible(c.name, limit=40)} ({c.kind})" for c in columned[0].columns[:20])
    raise InputError(f"{path}: no column looks like text; there are: {names}. Name the text's column with --text COLUMN")


def _id_of(columns: Sequence[Column], *, rows: int) -> str:
    """A column of different short values in every row, by its name."""
    fit = {c.name for c in columns if c.kind in ("text", "number") and c.filled == c.different >= min(rows, 2)}
    return next((name for name in ID_NAMES if name in fit), "id")


def _names_sources(column: Column) -> bool:
    return column.kind == "text" and column.characters <= 60 and column.different <= MOST_SOURCES


def _languages(files: Sequence[InputFile]) -> tuple[tuple[str, int], ...]:
    """Documents by language, by the default's model, the most frequent first."""
    texts: list[str] = []
    for file in files:
        documents = peek.first_rows(file).documents
        texts += map(turns.without_marks, documents["text"].slice(0, DOCUMENTS).to_pylist())
    if not texts:
        return ()
    params = language.Params(model=eldc.NAME)
    batch = TextBatch(pa.array(texts, pa.large_string()))
    nothing = pa.RecordBatch.from_pylist([{}] * len(batch))
    load = language.FILTER.load
    made = language.FILTER.annotate(batch, nothing, params, load(params) if load else None)
    return tuple(Counter(made["language"].to_pylist()).most_common())
