"""Rows of an output's tables as plain values: what is read one by one, where columns would say less."""

from __future__ import annotations

from typing import TypedDict, cast

import polars as pl


class LedgerRow(TypedDict):
    """A line of the ledger: `pipeline.schema.LEDGER`."""

    generation: int
    id: str
    source: str
    source_ref: str
    verdict: str  # kept | dropped | quarantined
    stage: str | None
    reason: str | None
    failed: list[str]
    duplicate_of: str | None
    duplicate_ref: str | None
    duplicate_generation: int | None
    similarity: float | None
    edits: list[str]
    n_bytes_read: int
    n_bytes: int | None
    token_count: int | None


def ledger_rows(lines: pl.DataFrame) -> list[LedgerRow]:
    """Whole lines of the ledger."""
    return cast(list[LedgerRow], lines.to_dicts())
