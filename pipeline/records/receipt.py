"""The receipt of a take-down: what went, what was rewritten, and what was not reached."""

from __future__ import annotations

from pipeline.records.base import Record


class TakenDocument(Record):
    """A row that went. `was`: its verdict, and its reason; `role`: asked | survivor | copy."""

    generation: int
    source_ref: str
    id: str
    was: str
    role: str


class Replaced(Record):
    """A file of the output and the one that stands in its place."""

    path: str
    replaced_by: str
    rows_before: int
    rows_after: int


class StillThere(Record):
    """Rows of one input file that hold what was taken down."""

    path: str
    rows: tuple[int, ...]


class Inputs(Record):
    """What the user's own files still hold."""

    note: str
    files: tuple[StillThere, ...]


class Receipt(Record):
    """What a request took down, or would. `counts`: documents by role.

    `before`, `manifest`: numbers of the manifests; `work`: tables rewritten and removed, or why there are none.
    """

    request: str
    date: str
    asked_by: str
    before: int
    manifest: int
    counts: dict[str, int]
    documents: tuple[TakenDocument, ...]
    files: tuple[Replaced, ...]
    work: dict[str, int] | str | None
    exports: tuple[str, ...]
    not_reached: tuple[str, ...]
    inputs: Inputs
