"""What a manifest says of where an output comes from: the recipe, the settings of each source, and files that were not read."""

from __future__ import annotations

import json

from pipeline.records.base import Json, Number, Record


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
    format: str = "text"
    """What its rows are: texts, or conversations in a layout (`pipeline.text.conversations`)."""


MOST_PATHS = 1_000
"""Chosen so that a folder of a million files of no use does not make a manifest of 100 MB."""


class PassedOver(Record):
    """Files that the plan's paths name or hold and that are not read, for one reason: how many, and the first `MOST_PATHS`."""

    reason: str
    files: int
    paths: tuple[str, ...]


class Damage(Record):
    """What of a unit could not be read besides its bad rows. `sound`: those of them that are no text; `listed`: that are lost
    to damage; `rows`: those that a bad row stands for besides itself; `share`: of the file's bytes; `cut`: the file ends before
    it should, and as far as is known `cut_rows` and `cut_share` are missing behind its end."""

    sound: int = 0
    listed: int = 0
    rows: int = 0
    share: Number = 0.0
    cut: bool = False
    cut_rows: int = 0
    cut_share: Number = 0.0


NO_DAMAGE = Damage()


class PackedFile(Record):
    """What one file of a pack has; the fields of a unit's card, and `unpacked` as `InputRecord` has it."""

    rows: int
    bad_rows: int
    n_bytes: int
    damage: Damage = NO_DAMAGE
    passed: tuple[tuple[str, int], ...] = ()
    replaced: tuple[tuple[str, str, int], ...] = ()
    unpacked: str = ""


class UnitCard(Record):
    """What the table of a unit's documents says of the unit: how many rows there are, and which were taken down.

    It stands in the table's metadata, so that a unit that is read again from disk need not be parsed. `taken`: positions.
    `passed`: records that are no rows, by type.
    `replaced`: values for which something else stands, by `(column, kind)` (`pipeline.read.rows`). `files`: of a pack,
    each with its own damage, in the order of paths.
    """

    rows: int
    bad_rows: int
    n_bytes: int
    damage: Damage = NO_DAMAGE
    passed: tuple[tuple[str, int], ...] = ()
    replaced: tuple[tuple[str, str, int], ...] = ()
    taken: tuple[int, ...] = ()
    files: tuple[PackedFile, ...] = ()

    def encoded(self) -> str:
        """As the metadata hold it: without what is empty."""
        return json.dumps(self.model_dump(mode="json", exclude_defaults=True))


class ListedFile(Record):
    """A line of a list of paths, and what the place that it names says of the file there."""

    line: str
    size: int
    identity: str


class Listed(Record):
    """The files that a path of the plan, a list of paths or a crawl, stands for. `key`: the path and `below`, its base."""

    key: str
    below: str
    files: tuple[ListedFile, ...]
