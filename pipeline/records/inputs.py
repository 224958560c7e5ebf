"""What a manifest says of where an output comes from: the recipe, and the settings of each source."""

from __future__ import annotations

import json

from pipeline.records.base import Json, Record


class RecipeDocument(Record):
    """What is compared and hashed: the plan without its inputs, the version of each function, the sha256 of each file.

    `plan` holds the keys that differ from their defaults. `files`: filter, or `tokenizer` → digests.
    """

    plan: Json
    versions: dict[str, int]
    files: dict[str, tuple[str, ...]]


class SourceSettings(Record):
    """The settings of a source whose change makes another recipe."""

    text: str
    id: str | None
    priority: int
    max_row_bytes: int
    named_by: str | None = None


class UnitCard(Record):
    """What the table of a unit's documents says of the unit: how many rows there are, and which were taken down.

    It stands in the table's metadata, so that a unit that is read again from disk need not be parsed. `taken`: positions.
    `replaced`: values for which something else stands, by `(column, kind)` (`pipeline.read.rows`).
    """

    rows: int
    bad_rows: int
    n_bytes: int
    replaced: tuple[tuple[str, str, int], ...] = ()
    taken: tuple[int, ...] = ()

    def encoded(self) -> str:
        """As the metadata hold it: without what is empty."""
        return json.dumps(self.model_dump(mode="json", exclude_defaults=True))
