"""What `inspect why --json` prints: a document's fate, its evidence, and every rule with its value and limit."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from pipeline.records.base import Number, Record

SCHEMA_VERSION = 1

Value = bool | Number | str | None


class Rule(Record):
    """A rule that is on. `value` is null where nothing was measured, `passes` where the rule does not apply to the document."""

    rule: str = Field(description="filter.reason, as in the ledger")
    action: Literal["drop", "annotate"]
    signal: str | None = Field(description="column that the rule compares; null for a rule that is an expression")
    value: Value
    passes: str | None = Field(description="what passes, in words, such as `>= 50`")
    limit: Number | None = Field(description="the limit of this document, where the rule compares numbers")
    fails: bool = Field(description="as the ledger says, for a rule that drops")
    near: bool = Field(description="value and limit are less than a tenth apart")


class Weight(Record):
    """One of the features that weighed most in a score."""

    feature: str = Field(description="what it is, in words")
    value: Number
    weight: Number = Field(description="by how much it raised the score's log odds; below 0, lowered them")


class Duplicate(Record):
    """The document that another one repeats; its text is null where data/ does not hold it any more."""

    id: str
    source_ref: str
    generation: int | None
    similarity: Number | None
    text: str | None


class Explanation(Record):
    """One document, or a text that is none (then what only a document has is null)."""

    id: str | None
    source: str | None
    source_ref: str | None
    generation: int | None
    verdict: Literal["kept", "dropped", "quarantined"]
    stage: str | None
    reason: str | None = Field(description="the first rule that failed")
    failed: tuple[str, ...]
    duplicate: Duplicate | None
    edits: tuple[str, ...]
    n_bytes_read: int
    n_bytes: int | None
    file: str | None = Field(description="shard that holds its text, or the beginning of a quarantined row; null: none was kept")
    detail: str | None = Field(description="what was wrong with a quarantined row; null of a document")
    text: str | None = Field(description="final text")
    values: Literal["signals", "work", "recomputed", "none", "judged"] | None = Field(
        description="where values come from: signals/ or the work directory (the run's own), recomputed from a text that no edit"
        " changed, none (the run's are gone), judged (--text); null of a row that was never judged"
    )
    rules: tuple[Rule, ...] = Field(description="those that fail first, in the order of reasons")
    signals: dict[str, dict[str, Value]] = Field(description="filter → signal → value")
    weighed: dict[str, tuple[Weight, ...]] = Field(
        description="filter → the features that weighed most in its score, the heaviest first; of filters that scored the"
        " document and can say it, where the final text was kept"
    )
    notes: tuple[str, ...]


class Why(Record):
    """`documents`: all that have the id (at most 20), or the text that was given."""

    schema_version: int
    documents: tuple[Explanation, ...]
