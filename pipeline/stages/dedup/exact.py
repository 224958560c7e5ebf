"""Exact duplicates: equal hash of the text, or of the normalised URL, within a scope.

Invariant: who has the same hash as whom does not depend on how documents are cut into parts, or hashes into ranges that fit
into memory. What follows from it is decided in `decide.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import reduce

import numpy as np
import polars as pl

from filters.kernels.dedup import dedup_pass
from pipeline.machine.scratch import records
from pipeline.stages.dedup.part import Keys

SEEN = np.dtype([("left", "<u8"), ("right", "<u8"), ("rank", "<i8")])
"""A hash and the document that has it."""
GROUPED = np.dtype([*SEEN.descr, ("first", "<i8"), ("shared", "?"), ("known", "<i8"), ("similarity", "<f8")])
"""The same with the smallest rank that has this hash, whether other new documents have it, the number of the document that
survives for it since an earlier generation (-1: none), and the similarity to that (1 where there is none)."""


def groups(pieces: Callable[[], Iterator[np.ndarray]], known: pl.DataFrame) -> Iterator[np.ndarray]:
    """GROUPED of SEEN records of a range, piece by piece, beside what is `known` of their hashes (index.KEYS)."""
    firsts = reduce(_together, map(_firsts_of, pieces()))
    firsts = firsts.join(known.rename({"document": "known"}), on=["left", "right"], how="left")
    firsts = firsts.select(
        "left", "right", "first", pl.col("n") > 1, pl.col("known").fill_null(-1), pl.col("similarity").fill_null(1.0)
    )
    for seen in pieces():
        found = _frame(seen).join(firsts, on=["left", "right"], how="left")
        yield records(GROUPED, *(column.to_numpy() for column in found.get_columns()))


def sorted_by_hash(seen: Sequence[np.ndarray]) -> np.ndarray:
    """SEEN records together."""
    chosen = pl.concat(map(_frame, seen)).sort("left", "right")
    return records(SEEN, *(column.to_numpy() for column in chosen.get_columns()))


def without_repeats(seen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """SEEN records of one part that are the first with their hash; and the others, with the rank of their first as `left`."""
    first = _firsts(seen["rank"], seen["left"], seen["right"])
    if first is None:
        return seen, seen[:0]
    again = np.flatnonzero(first != seen["rank"])
    return seen[first == seen["rank"]], records(SEEN, first[again], seen["right"][again], seen["rank"][again])


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
