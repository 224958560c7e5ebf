"""The decision of dedup: fates by unit, the index's new part, and a summary."""

from __future__ import annotations

from dataclasses import dataclass, field

from pipeline.records.counts import Search


@dataclass(frozen=True)
class Decision:
    """Names of the units' fates (None without dedup), what metrics.json says of dedup, where the index part lies, and documents
    dropped by reason."""

    fates: tuple[str | None, ...]
    search: Search | None = None
    folder: str | None = None
    dropped: dict[str, int] = field(default_factory=dict)
