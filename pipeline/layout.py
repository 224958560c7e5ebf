"""Which rows go to which shard: decided from sizes alone, before any text is moved.

Rows stand in (source, path, row) order, whatever the units they were read in, so shards depend on the input and the recipe
only (law 2). A shard is closed when it has reached its size.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
import polars as pl

LEDGER_ROWS = 1_000_000
"""Rows of a ledger, signals or quarantine shard; chosen so that a shard's narrow columns stay below about 100 MB in memory."""


@dataclass(frozen=True)
class Segment:
    """Rows `start:stop` among those of `unit` that are of `source` and belong to the folder, in row order."""

    unit: int
    source: str
    start: int
    stop: int


@dataclass(frozen=True)
class Piece:
    """The sizes of one unit's rows of one source, by folder."""

    unit: int
    source: str
    sizes: dict[str, np.ndarray]


def belongs(rows: pl.DataFrame, folder: str, *, rejected: str | float, seed: int) -> pl.Series:
    """Which rows of a unit (see `pipeline.ledger`) belong to `folder`."""
    if folder == "data":
        return rows["verdict"] == "kept"
    if folder == "rejected":
        dropped = rows["verdict"] == "dropped"
        if rejected == "full":
            return dropped
        share = 0.0 if isinstance(rejected, str) else rejected
        chosen = pl.Series([_fraction(f"{seed}:{ref}") < share for ref in rows["source_ref"]], dtype=pl.Boolean)
        return dropped & chosen
    if folder == "quarantine":
        return rows["verdict"] == "quarantined"
    return pl.Series([True] * len(rows), dtype=pl.Boolean)


def _fraction(text: str) -> float:
    return int.from_bytes(blake2b(text.encode("utf-8", "surrogatepass"), digest_size=7).digest(), "big") / 2**56


def pieces(unit: int, rows: pl.DataFrame, *, rejected: str | float, seed: int) -> Iterator[Piece]:
    """One piece per source of a unit. Size is bytes of final text for documents, 1 for the rows of other folders."""
    folders = ("data", "rejected", "ledger", "signals", "quarantine")
    weights = {}
    for folder in folders:
        size = rows["n_bytes"].fill_null(0) if folder in ("data", "rejected") else pl.lit(1, pl.Int64)
        weights[folder] = pl.when(belongs(rows, folder, rejected=rejected, seed=seed)).then(size).cast(pl.Int64)
    sized = rows.select("source", **weights)
    parts = sized.partition_by("source", as_dict=True, maintain_order=True)
    for (source,), part in sorted(parts.items(), key=lambda item: str(item[0][0]).encode("utf-8", "surrogatepass")):
        yield Piece(unit, str(source), {folder: part[folder].drop_nulls().to_numpy() for folder in folders})


def shards(ordered: Iterable[Piece], folder: str, limit: int) -> list[list[Segment]]:
    """Segments of each shard of `folder`, at least one shard. `ordered`: pieces in (source, path, row) order."""
    made: list[list[Segment]] = [[]]
    filled = 0
    for piece in ordered:
        sizes = piece.sizes[folder]
        start = 0
        while start < len(sizes):
            ends = np.cumsum(sizes[start:])
            stop = start + int(np.searchsorted(ends, limit - filled, side="left")) + 1
            stop = min(stop, len(sizes))
            made[-1].append(Segment(piece.unit, piece.source, start, stop))
            filled += int(ends[stop - start - 1])
            start = stop
            if filled >= limit:
                made.append([])
                filled = 0
    if len(made) > 1 and not made[-1]:
        made.pop()
    return made
