"""What every record is built on: a frozen model that refuses unknown keys, and the number that keeps its own kind.

Invariant: a record that is read from JSON and written again gives the same JSON, so a manifest survives being rewritten.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, WithJsonSchema

Json = dict[str, Any]
"""A JSON object whose keys are not ours to name: a row's metadata, a resolved plan (the plan's model has the keys), what was
parsed and not looked at yet. Everything else that passes between modules is a record or a dataclass."""

Number = Annotated[int | float, WithJsonSchema({"type": "number"})]
"""A number that stays whole where it was whole: `0` is not written back as `0.0`."""


class Record(BaseModel):
    """A frozen JSON object with known keys. Fields named otherwise than their key are written under the key."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        validate_by_name=True,
        validate_by_alias=True,
        serialize_by_alias=True,
        json_schema_serialization_defaults_required=True,
    )


Tag = Literal["measured", "counted", "estimated", "computed", "assumed"]


@dataclass(frozen=True)
class Quantity:
    """A number with its unit and where it comes from; `value` is None where it is undefined."""

    value: Number | None
    unit: str
    tag: Tag
    source: str

    @property
    def number(self) -> float:
        """The value, 0 where it is undefined."""
        return self.value or 0

    @classmethod
    def computed(cls, value: Number | None, unit: str, source: str) -> Quantity:
        """A quantity that follows from others by the formula `source`."""
        return cls(value, unit, "computed", source)


class FileRecord(Record):
    """A file that a generation wrote: its place in the output, its rows and bytes, and the digest of its content."""

    path: str
    rows: int
    bytes: int
    sha256: str


class Totals(Record):
    """Documents (quarantined rows included) and bytes as read (law 1)."""

    read: int
    kept: int
    dropped: int
    quarantined: int
    bytes_read: int
    bytes_kept: int
    bytes_dropped: int
    bytes_quarantined: int

    def lines(self) -> tuple[tuple[str, int, int], ...]:
        """Documents and bytes that were read, and of each verdict."""
        return (
            ("read", self.read, self.bytes_read),
            ("kept", self.kept, self.bytes_kept),
            ("dropped", self.dropped, self.bytes_dropped),
            ("quarantined", self.quarantined, self.bytes_quarantined),
        )

    def documents(self) -> dict[str, int]:
        """Documents that were read, and of each verdict, by name."""
        return {name: documents for name, documents, _ in self.lines()}
