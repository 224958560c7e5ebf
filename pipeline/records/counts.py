"""What follows from a generation's rows alone: the funnel, reasons, sources, languages, signals, duplicates, tokens.

No key holds texts of documents. What grows with the corpus: a line for each source, and one for each size of a cluster. All else
is bounded by the plan (`pipeline.report.metrics.collect`).
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import model_validator

from pipeline.records.base import Number, Record, Totals
from pipeline.records.inputs import PassedOver
from pipeline.records.selection import Selection

SCHEMA_VERSION = 2
"""Version of metrics.json; it rises when a key changes its meaning. 2: bins of signals by type, in place of one set for all."""


class FinalBytes(Record):
    """UTF-8 bytes of the final text of all documents, and of the kept ones."""

    read: int
    kept: int


class FunnelLine(Record):
    """One step from the rows read to the final text. Losses are negative."""

    stage: str
    label: str
    documents: int
    bytes: int


class ReasonLine(Record):
    """Documents by reason: `first` to fail it, `any` (failed it at all), `only` (no other rule would have dropped them).

    `any` and `only` count within the tiers that scored a document.
    """

    reason: str
    stage: str
    first: int
    first_bytes: int
    any: int
    only: int


class SourceLine(Record):
    """Rows of one source by verdict, and their bytes as read."""

    source: str
    read: int
    kept: int
    dropped: int
    quarantined: int
    bytes_read: int
    bytes_kept: int


class LanguageLine(Record):
    """Documents of one language; there are none without a language filter."""

    language: str
    documents: int
    kept: int
    bytes_read: int
    bytes_kept: int


class EditLine(Record):
    """Documents that an edit changed."""

    edit: str
    documents: int


class Overlap(Record):
    """`counts[i][j]`: documents that failed both rule i and rule j; on the diagonal those that failed rule i at all."""

    reasons: tuple[str, ...] = ()
    counts: tuple[tuple[int, ...], ...] = ()


class Cell(Record):
    """Documents of a language, source and first reason; null: kept."""

    language: str
    source: str
    reason: str | None
    documents: int


class Crossed(Record):
    """Documents by language, source and reason: the largest of each, the rest as `other`."""

    reasons: tuple[str, ...] = ()
    cells: tuple[Cell, ...] = ()


class Limit(Record):
    """The threshold of one rule over a signal. `least`: the rule drops what is below; `by_row`: it depends on the document."""

    reason: str
    value: Number
    by_row: bool
    least: bool
    failed: int


class Histogram(Record):
    """Documents by value of a signal. `edges` has one more entry than `counts`; `whole`: the signal holds whole numbers."""

    signal: str
    filter: str
    whole: bool
    edges: tuple[Number, ...]
    counts: tuple[int, ...]
    nulls: int
    thresholds: dict[str, bool | Number]
    limits: tuple[Limit, ...]

    @property
    def scored(self) -> int:
        """Documents with a value."""
        return sum(self.counts)


class ModelLine(Record):
    """Documents that a filter of the model tier scored, and how many of each language it does not cover, largest first."""

    filter: str
    scored: int
    not_covered: tuple[tuple[str, int], ...]


class Cluster(Record):
    """A kept document and how many documents it stands for."""

    id: str
    source_ref: str
    size: int


Planted = tuple[Number, int, int, Number]
"""Mean similarity of planted copies, how many there were, how many were found, and the share expected."""


class Search(Record):
    """How near duplicates were looked for, and what the search compared; `detection`: similarity, chance that a pair is found."""

    threshold: Number
    similarity: str = "jaccard"
    ngram: int
    bucket_cap: int
    bands: int
    rows: int
    verified_pairs: int
    refused_pairs: int
    documents_in_full_buckets: int
    measured: tuple[Planted, ...]
    detection: tuple[tuple[Number, Number], ...]

    @model_validator(mode="before")
    @classmethod
    def _of_an_earlier_release(cls, data: Any) -> Any:
        """Earlier manifests counted the blocks that scratch took on disk: a figure of the file system, not of the data."""
        if isinstance(data, dict):
            return {key: value for key, value in data.items() if key != "scratch_bytes"}
        return data


class Duplicates(Search):
    """Documents dropped as duplicates, how they were looked for, and `(size, clusters)` of what is left, smallest first."""

    exact: int
    near: int
    cluster_sizes: tuple[tuple[int, int], ...]
    largest: tuple[Cluster, ...]


class Unreadable(Record):
    """Quarantined rows by cause."""

    cause: str
    rows: int
    bytes: int


class ReplacedLine(Record):
    """Values of a column that metadata cannot hold as they were, and for which text or null stands."""

    column: str
    kind: str
    values: int


class Tokens(Record):
    """Tokens of all documents as they were read and of the kept ones as they are written, and how they are known."""

    kind: Literal["counted", "estimated"]
    read: int
    kept: int
    bytes_per_token: Number | None
    basis: str


class Counts(Record):
    """The part of metrics.json that follows from the rows, the plan and the machine; costs and checks come on top."""

    schema_version: int
    generation: int
    live: tuple[int, ...]
    plan_name: str
    recipe_hash: str
    totals: Totals
    final_bytes: FinalBytes
    funnel: tuple[FunnelLine, ...]
    reasons: tuple[ReasonLine, ...]
    by_source: tuple[SourceLine, ...]
    by_language: tuple[LanguageLine, ...]
    edits: tuple[EditLine, ...]
    overlap: Overlap
    crossed: Crossed
    signals: tuple[Histogram, ...]
    models: tuple[ModelLine, ...]
    duplicates: Duplicates | None
    quarantine: tuple[Unreadable, ...]
    replaced: tuple[ReplacedLine, ...] = ()
    tokens: Tokens
    selection: Selection | None
    notes: tuple[str, ...]
    passed_over: tuple[PassedOver, ...] = ()  # a manifest of an earlier release does not say
    versions: dict[str, str]
    architecture: str

    @model_validator(mode="before")
    @classmethod
    def _of_an_earlier_release(cls, data: Any) -> Any:
        """Version 1 had other bins, and counted neither overlap nor languages by source: it is read as having none."""
        if isinstance(data, dict) and data.get("schema_version", SCHEMA_VERSION) < 2:
            return {**data, "overlap": Overlap(), "crossed": Crossed(), "signals": ()}
        return data
