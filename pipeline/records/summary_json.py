"""summary.json: what a public summary of training content asks for, as far as an output knows it."""

from __future__ import annotations

from pipeline.records.base import Number, Record

SCHEMA_VERSION = 1


class Figure(Record):
    """A number, or a date. `query`: SQL over the tables `data` and `ledger` that gives it; empty where a manifest says it."""

    name: str
    value: int | Number | str | None
    query: str


class Counts(Record):
    """A table. `rows`: a name and what it counts, by `columns`; `more`: rows that are left out of a long one."""

    name: str
    query: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str | int | None, ...], ...]
    more: int


class Summary(Record):
    """The file. `blanks`: what a program cannot know, by the section of the template that asks for it."""

    schema_version: int
    output: str
    manifest: int
    recipe_hash: str
    template: str
    figures: tuple[Figure, ...]
    tables: tuple[Counts, ...]
    measures: tuple[str, ...]
    blanks: dict[str, tuple[str, ...]]
