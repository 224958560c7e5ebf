"""Exact duplicates: equal hash of the text, or of the normalised URL, within a scope.

Invariant: who has the same hash as whom does not depend on how documents are cut into parts, or hashes into ranges that fit
into memory. What follows from it is decided in `decide.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial, reduce

import numpy as np
import polars as pl

from filters.kernels.dedup import dedup_pass
from pipeline.machine.scratch import Log, Scratch, by_range, range_of, records
from pipeline.machine.workers import Workers
from pipeline.stages.dedup.index import Index
from pipeline.stages.dedup.part import Keys

SEEN = np.dtype([("left", "<u8"), ("right", "<u8"), ("rank", "<i8")])
"""A hash and the document that has it."""


def grouped(
    table: str,
    hashes: Callable[[int], tuple[np.ndarray, Keys]],
    parts: Sequence[int],
    *,
    n: int,
    index: Index,
    scratch: Scratch,
    pool: Workers,
    each: Callable[[pl.DataFrame], pl.DataFrame],
    again: Callable[[np.ndarray, np.ndarray], None] | None = None,
) -> list[Log]:
    """Documents grouped by their hash, in ranges of hashes, on any thread.

    `table` of the index: texts or urls. `hashes(part)` gives `(ranks, keys)` of the part's documents; n is how many in all.
    `each` gets left, right, rank, first (the smallest rank with this hash), known (number of the document that survives for it
    since an earlier generation, else null), the similarity to that, and shared (whether other new documents have this hash), some
    rows at a time; the rows that it returns, one at most for each hash, are what the logs hold (SEEN), range by range and sorted
    by hash. `again(ranks, firsts)`, if given, gets the documents that repeat a hash of their own part, which are then left
    out: a text that is there a million times does not fill its range.
    """
    ranges = scratch.partitions(n + index.rows(table), SEEN, workers=pool.count, factor=6)
    most = scratch.too_many(SEEN, workers=pool.count, factor=6)
    spill = scratch.spill(table, SEEN, ranges)
    logs = [scratch.log(f"{table}.{number}", SEEN) for number in range(ranges)]

    def read(part: int) -> None:
        ranks, (left, right) = hashes(part)
        found = records(SEEN, left, right, ranks)
        if again is not None:
            found, repeats, firsts = without_repeats(found)
            again(repeats, firsts)
        spill.scatter(by_range(found["left"], ranges), found)
        scratch.relieve()

    def group(number: int) -> None:
        if spill.size(number) > most:
            pieces = partial(spill.chunks, number, most)
        else:
            whole = [spill.take(number)]
            pieces = partial(iter, whole)
        logs[number].append(seen_of(map(each, groups(pieces, index.keys(table, *range_of(number, ranges))))))
        spill.remove(number)

    pool.map(read, parts)
    pool.map(group, range(ranges))
    return logs


def groups(pieces: Callable[[], Iterable[np.ndarray]], known: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """What `each` of `grouped` gets: SEEN records of a range, piece by piece, beside what is `known` of their hashes (KEYS)."""
    firsts = reduce(_together, map(_firsts_of, pieces()))
    firsts = firsts.select("left", "right", "first", shared=pl.col("n") > 1)
    firsts = firsts.join(known.rename({"document": "known"}), on=["left", "right"], how="left")
    for seen in pieces():
        yield _frame(seen).join(firsts, on=["left", "right"], how="left")


def seen_of(frames: Iterable[pl.DataFrame]) -> np.ndarray:
    """SEEN records of these rows, sorted by hash."""
    chosen = pl.concat(frames).sort("left", "right")
    return records(SEEN, *(chosen[name].to_numpy() for name in SEEN.names or ()))


def without_repeats(seen: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """`(firsts, ranks, ranks of their firsts)`: records of one part that are the first with their hash, and the others."""
    first = _firsts(seen["rank"], seen["left"], seen["right"])
    if first is None:
        return seen, seen["rank"][:0], seen["rank"][:0]
    new = first == seen["rank"]
    return seen[new], seen["rank"][~new], first[~new]


def _frame(seen: np.ndarray) -> pl.DataFrame:
    return pl.DataFrame({name: seen[name] for name in SEEN.names or ()})


def _firsts_of(seen: np.ndarray) -> pl.DataFrame:
    """The smallest rank with each hash, and how many have it."""
    return _frame(seen).group_by("left", "right").agg(first=pl.col("rank").min(), n=pl.len())


def _together(firsts: pl.DataFrame, more: pl.DataFrame) -> pl.DataFrame:
    return pl.concat([firsts, more]).group_by("left", "right").agg(pl.col("first").min(), pl.col("n").sum())


def _firsts(ranks: np.ndarray, left: np.ndarray, right: np.ndarray) -> np.ndarray | None:
    """The smallest rank with each row's hash; None where all hashes differ."""
    ordered = np.sort(left)
    if not (ordered[1:] == ordered[:-1]).any():
        return None
    frame = pl.DataFrame({"left": left, "right": right, "rank": ranks})
    return frame.select(pl.col("rank").min().over("left", "right"))["rank"].to_numpy()


def scoped(keys: Keys, scope: np.ndarray | None) -> Keys:
    """Keys that are equal only within one scope."""
    left, right = keys
    return (left if scope is None else dedup_pass.mixed(scope, left)), right
