"""The decision of dedup: fates by unit, the index's new part, and a summary."""

from __future__ import annotations

from dataclasses import dataclass, field

from pipeline.records.counts import Search


@dataclass(frozen=True)
class Decision:
    """Names of the units' fates (None without dedup), what metrics.json says of dedup, and where the index part lies."""

    fates: tuple[str | None, ...]
    search: Search | None = None
    folder: str | None = None
    costs: dict[str, float] = field(default_factory=dict)
