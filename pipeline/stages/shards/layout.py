"""Which rows go to which shard: decided from sizes alone, before any text is moved.

Rows stand in (source, path, row) order, whatever the units they were read in, so shards depend on the input and the recipe
only (law 2). A shard is closed when it has reached its size. Where the data names more than MOST_NAMES sources, rows stand in
(path, row) order: a place for each name in each unit would be memory that grows with the corpus (law 7).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl

from pipeline.stages.sampling import chosen
from pipeline.stages.shards.joined_rows import JoinedRows
from pipeline.stages.unit.withhold import STAGE

LEDGER_ROWS = 1_000_000
"""Rows of a ledger, signals or quarantine shard; chosen so that a shard's narrow columns stay below about 100 MB in memory."""


MOST_NAMES = 1_000
"""Sources whose rows stand together; chosen because a corpus that people name by hand has fewer."""
UNSELECTED = "unselected"
"""No folder of the output: documents that selection left out and that rejected/ does not show. The dedup index holds them."""


@dataclass(frozen=True)
class Segment:
    """Rows `start:stop` among those of `unit` that are of `source` (None: of any) and belong to the folder, in row order."""

    unit: int
    source: str | None
    start: int
    stop: int


@dataclass(frozen=True)
class Piece:
    """One unit's rows of one source (None: of any): how many there are, and their total size, by folder;
    `sizes(folder, source)` reads each row's."""

    unit: int
    source: str | None
    rows: dict[str, int]
    total: dict[str, int]
    sizes: Callable[[str, str | None], np.ndarray]


def belongs(rows: pl.DataFrame, folder: str, *, rejected: str | float, seed: int) -> pl.Series:
    """Which rows of a unit (see `pipeline.stages.shards.ledger`) belong to `folder`."""
    if folder == "data":
        return rows["verdict"] == "kept"
    if folder == "rejected":
        dropped = (rows["verdict"] == "dropped") & (rows["stage"] != STAGE).fill_null(True)
        if rejected == "full":
            return dropped
        shown = np.zeros(len(rows), np.bool_)
        if not isinstance(rejected, str):
            shown[dropped.to_numpy()] = chosen(rows["source_ref"].filter(dropped), share=rejected, seed=seed)
        return pl.Series(shown)
    if folder == UNSELECTED:
        elsewhere = belongs(rows, "rejected", rejected=rejected, seed=seed)
        return (rows["verdict"] == "dropped") & (rows["stage"] == "select") & ~elsewhere
    if folder == "quarantine":
        return rows["verdict"] == "quarantined"
    return pl.Series([True] * len(rows), dtype=pl.Boolean)


_FOLDERS = ("data", "rejected", "ledger", "signals", "quarantine", UNSELECTED)
WITH_TEXT = ("data", "rejected", UNSELECTED)


def pieces(rows: JoinedRows, again: Callable[[], JoinedRows], *, rejected: str | float, seed: int) -> Iterator[Piece]:
    """One piece per source of a unit. Size is bytes of final text for documents, 1 for the rows of other folders.

    `again()` gives `rows` once more: sizes are read only where a shard ends among them, so that none is held for each row.
    """
    sized = _sized(rows.frame, rejected=rejected, seed=seed)
    sums = [pl.col(folder).count().alias(f"rows {folder}") for folder in _FOLDERS]
    sums += [pl.col(folder).sum().alias(f"total {folder}") for folder in _FOLDERS]
    if sized["source"].n_unique() > MOST_NAMES:
        sized = sized.with_columns(source=pl.lit(None, pl.String))

    def sizes(folder: str, source: str | None) -> np.ndarray:
        here = _sized(again().frame, rejected=rejected, seed=seed)
        return (here if source is None else here.filter(pl.col("source") == source))[folder].drop_nulls().to_numpy()

    for line in sized.group_by("source").agg(sums).iter_rows(named=True):
        counts, totals = ({folder: line[f"{what} {folder}"] for folder in _FOLDERS} for what in ("rows", "total"))
        yield Piece(rows.number, line["source"], counts, totals, sizes)


class Pieces:
    """The pieces of all units, of a bounded number of sources."""

    def __init__(self) -> None:
        self._by_source: dict[str | None, list[Piece]] = {}

    def add(self, pieces: Iterable[Piece]) -> None:
        """Those of one unit, after those of the units before it."""
        for piece in pieces:
            self._by_source.setdefault(piece.source, []).append(piece)
        if len(self._by_source) > MOST_NAMES or (None in self._by_source and len(self._by_source) > 1):
            self._by_source = {None: list(_whole(piece for part in self._by_source.values() for piece in part))}

    def ordered(self) -> list[Piece]:
        """In (source, path, row) order, or (path, row) where there are too many sources."""
        names = sorted(self._by_source, key=lambda name: (name or "").encode("utf-8", "surrogatepass"))
        return [piece for name in names for piece in sorted(self._by_source[name], key=lambda piece: piece.unit)]


def _whole(pieces: Iterable[Piece]) -> Iterator[Piece]:
    """A piece for each unit."""
    by_unit: dict[int, list[Piece]] = {}
    for piece in pieces:
        by_unit.setdefault(piece.unit, []).append(piece)
    for unit, parts in by_unit.items():
        rows, total = (
            {folder: sum(getattr(part, what)[folder] for part in parts) for folder in _FOLDERS} for what in ("rows", "total")
        )
        yield Piece(unit, None, rows, total, parts[0].sizes)


def _sized(rows: pl.DataFrame, *, rejected: str | float, seed: int) -> pl.DataFrame:
    """Source, and the size of each row in each folder, null where it does not belong to it."""
    weights = {}
    for folder in _FOLDERS:
        size = rows["n_bytes"].fill_null(0) if folder in WITH_TEXT else pl.lit(1, pl.Int64)
        weights[folder] = pl.when(belongs(rows, folder, rejected=rejected, seed=seed)).then(size).cast(pl.Int64)
    return rows.select("source", **weights)


def shards(ordered: Iterable[Piece], folder: str, limit: int) -> list[list[Segment]]:
    """Segments of each shard of `folder`, at least one shard. `ordered`: pieces in (source, path, row) order."""
    made: list[list[Segment]] = [[]]
    filled = 0
    for piece in ordered:
        n = piece.rows[folder]
        if not n:
            continue
        if filled + piece.total[folder] < limit:
            made[-1].append(Segment(piece.unit, piece.source, 0, n))
            filled += piece.total[folder]
            continue
        sizes, start = piece.sizes(folder, piece.source), 0
        while start < n:
            ends = np.cumsum(sizes[start:])
            stop = start + int(np.searchsorted(ends, limit - filled, side="left")) + 1
            stop = min(stop, n)
            made[-1].append(Segment(piece.unit, piece.source, start, stop))
            filled += int(ends[stop - start - 1])
            start = stop
            if filled >= limit:
                made.append([])
                filled = 0
    if len(made) > 1 and not made[-1]:
        made.pop()
    return made
