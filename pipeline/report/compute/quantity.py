"""A number that says its unit, how it came about and from where: what every line of the compute ledger is made of."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

Tag = Literal["measured", "counted", "estimated", "computed", "assumed"]


@dataclass(frozen=True)
class Quantity:
    """A number with its unit and where it comes from; `value` is None where it is undefined."""

    value: float | None
    unit: str
    tag: Tag
    source: str


def computed(value: float | None, unit: str, source: str) -> dict[str, Any]:
    """A computed quantity as JSON-able data."""
    return asdict(Quantity(value, unit, "computed", source))
