"""A number that says its unit, how it came about and from where: what every line of the compute ledger is made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pipeline.records.base import Number

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


def computed(value: float | None, unit: str, source: str) -> Quantity:
    """A quantity that follows from others by the formula `source`."""
    return Quantity(value, unit, "computed", source)
