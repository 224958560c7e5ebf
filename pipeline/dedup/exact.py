"""Exact duplicates: equal hash of the text, or of the normalised URL, within a scope.

Invariant: the first in priority order stays in; the others are copies of it, wherever they stand. Hashes are grouped in ranges
that fit into memory.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from filters.kernels import dedup_pass
from pipeline.dedup.index import Index
from pipeline.dedup.part import Keys
from pipeline.scratch import Log, Scratch, by_range, range_of, records
from pipeline.spans import Workers

SEEN = np.dtype([("left", "<u8"), ("right", "<u8"), ("rank", "<i8")])
"""A hash and the document that has it."""


@dataclass(frozen=True)
class Copies:
    """Documents that are no first. `known`: number of the survivor that an earlier generation has for this hash, else -1."""

    rank: np.ndarray
    first: np.ndarray
    known: np.ndarray
    similarity: np.ndarray
    """float64: where `known`, to it; NaN where that is not known."""


def copies(
    table: str,
    hashes: Callable[[int], tuple[np.ndarray, Keys]],
    parts: Sequence[int],
    n: int,
    index: Index,
    scratch: Scratch,
    pool: Workers,
    found: Callable[[Copies], None],
) -> list[Log]:
    """Calls `found` for each range of hashes; the logs hold the firsts (SEEN), range by range, sorted by hash.

    `table` of the index: texts or urls. `hashes(part)` gives `(ranks, keys)` of the part's documents; n is how many in all.
    """
    ranges = scratch.partitions(n, SEEN, workers=pool.count, factor=6)
    spill = scratch.spill(table, SEEN, ranges)

    def read(part: int) -> None:
        ranks, (left, right) = hashes(part)
        spill.scatter(by_range(left, ranges), records(SEEN, left, right, ranks))
        scratch.relieve()

    logs = [scratch.log(f"{table}.{number}", SEEN) for number in range(ranges)]

    def group(number: int) -> None:
        seen = spill.take(number)
        here = pl.DataFrame({name: seen[name] for name in SEEN.names or ()}).sort("left", "right", "rank")
        known = index.keys(table, *range_of(number, ranges)).rename({"document": "known"})
        here = here.with_columns(first=pl.col("rank").first().over("left", "right")).join(
            known, on=["left", "right"], how="left", maintain_order="left"
        )
        firsts = here.filter((pl.col("rank") == pl.col("first")) & pl.col("known").is_null())
        logs[number].append(records(SEEN, *(firsts[name].to_numpy() for name in SEEN.names or ())))
        others = here.filter((pl.col("rank") != pl.col("first")) | pl.col("known").is_not_null())
        found(
            Copies(
                others["rank"].to_numpy(),
                others["first"].to_numpy(),
                others["known"].fill_null(-1).to_numpy(),
                others["similarity"].fill_null(float("nan")).to_numpy(),
            )
        )

    pool.map(read, parts)
    pool.map(group, range(ranges))
    return logs


def scoped(keys: Keys, scope: np.ndarray | None) -> Keys:
    """Keys that are equal only within one scope."""
    left, right = keys
    return (left if scope is None else dedup_pass.mixed(scope, left)), right
