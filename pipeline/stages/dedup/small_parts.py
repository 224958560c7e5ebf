"""Parts of the dedup index that are small, such as those of nightly runs: read once and held, many of them from one file.

A table of each of hundreds of parts takes a few milliseconds to open, for every band and range of hashes. Invariant: what is held
of a part is what its tables have; tables that hold many parts lie in the work directory, under a key of the parts' digests.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from pipeline.records.base import FileRecord
from pipeline.store.keys import key
from pipeline.store.store import Store

FOLDER = "judgements/dedup/index"
TOGETHER = 32
"""Parts in one file: chosen so that 300 parts are some 40 files, and a run writes one anew in 32."""
SMALL_ROWS = 20_000
"""Rows of a small part in all of its tables: chosen so that those of some 1,000 documents are."""
HELD_ROWS = 500_000
"""Rows that are held at most: chosen so that they take 20 MB."""


@dataclass(frozen=True)
class IndexPart:
    """What one generation added. `first`: number of its first document; `documents`: its files of DOCUMENTS; `shards`: paths of
    the files that its manifest names beside the index."""

    generation: int
    first: int
    count: int
    files: dict[str, FileRecord]
    documents: tuple[str, ...]
    shards: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Held:
    """`generations`: whose parts are held; `tables`: their rows with `generation`, in the order of each table, oldest first among
    equals."""

    generations: frozenset[int]
    tables: dict[str, pl.DataFrame]

    def keys(self, table: str, low: int, high: int) -> pl.DataFrame:
        """Rows of `texts` or `urls` whose left half is from low to high, with `generation`."""
        return _between(self.tables[table], "left", low=low, high=high)

    def places(self, band: int, low: int, high: int) -> pl.DataFrame:
        """Rows of a band's places in a range of buckets, with `generation`."""
        return _between(_between(self.tables["places"], "band", low=band, high=band), "bucket", low=low, high=high)


def nothing(schemas: dict[str, pl.DataFrame]) -> Held:
    """Where no part is held. `schemas`: empty frames of the tables."""
    return Held(frozenset(), {table: empty.with_columns(generation=pl.lit(None, pl.Int32)) for table, empty in schemas.items()})


def _between(rows: pl.DataFrame, column: str, *, low: int, high: int) -> pl.DataFrame:
    values = rows[column].to_numpy()
    ends = np.array([low, high], values.dtype)
    return rows[int(np.searchsorted(values, ends[0])) : int(np.searchsorted(values, ends[1], side="right"))]


ORDER = {"texts": ("left",), "urls": ("left",), "places": ("band", "bucket")}


def hold(out: Store, work: Store | None, parts: Sequence[IndexPart], *, schemas: dict[str, pl.DataFrame]) -> Held:
    """The small parts. `work`: where tables of many parts are kept, None: nowhere; `schemas`: empty frames of the tables."""
    small: list[IndexPart] = []
    rows = 0
    for part in parts:
        own = sum(record.rows for record in part.files.values())
        if own <= SMALL_ROWS and rows + own <= HELD_ROWS:
            small.append(part)
            rows += own
    groups = [small[start : start + TOGETHER] for start in range(0, len(small), TOGETHER)]
    tables = {}
    for table, empty in schemas.items():
        found = [_together(out, work, group, table=table) for group in groups]
        whole = pl.concat(
            [empty.with_columns(generation=pl.lit(None, pl.Int32)), *(frame for frame in found if frame is not None)]
        )
        tables[table] = whole.sort(*ORDER[table], "generation", maintain_order=True)
    return Held(frozenset(part.generation for part in small), tables)


def _together(out: Store, work: Store | None, group: Sequence[IndexPart], *, table: str) -> pl.DataFrame | None:
    """A table of some parts; None where none of them has it."""
    own = [part for part in group if table in part.files]
    if not own:
        return None
    name = f"{FOLDER}/{key('parts', [part.files[table].sha256 for part in own])}-{table}.parquet"
    if work is not None and len(group) == TOGETHER and work.has(name):
        return work.read_frame(name)
    made = pl.concat(list(_read(out, own, table)))
    if work is not None and len(group) == TOGETHER:
        work.write_table(name, made.to_arrow())
    return made


def _read(out: Store, parts: Sequence[IndexPart], table: str) -> Iterator[pl.DataFrame]:
    for part in parts:
        frame = out.read_frame(part.files[table].path)
        yield frame.with_columns(generation=pl.lit(part.generation, pl.Int32))
