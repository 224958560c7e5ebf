"""What samples/ holds of a generation: the rows that the report quotes, by reason."""

from __future__ import annotations

from pipeline.records.base import Number, Record

SCHEMA_VERSION = 1


class Sample(Record):
    """One row. Numbers are null where its reason has none; `other`: the document that it repeats, or why it is unreadable."""

    id: str
    source_ref: str
    signal: str | None
    value: Number | None
    limit: Number | None
    other: str | None
    failed: tuple[str, ...]
    survivor: str | None
    text: str | None


class Samples(Record):
    """A few dropped documents of each reason, kept ones near its limit, the largest clusters, and unreadable rows by cause."""

    schema_version: int
    generation: int
    largest: tuple[Sample, ...]
    dropped: dict[str, tuple[Sample, ...]]
    near: dict[str, tuple[Sample, ...]]
    quarantine: dict[str, tuple[Sample, ...]]
