"""The priority of the documents that enter dedup: who stands before whom.

Priority = source priority, then the plan's `keep` list (nulls last), then source_ref (path bytes, then row); earlier generations
stand before all of them, in the index. A document's **row** counts documents part by part; its **rank** is its place in
priority order; its **number** is its rank behind the documents of the index.

Invariant: a rank depends on the documents alone. They are sorted out of core (`pipeline.machine.sorting`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from pipeline.machine import sorting
from pipeline.machine.scratch import Scratch
from pipeline.machine.workers import Workers
from pipeline.stages.dedup.keep_order import KINDS
from pipeline.stages.dedup.part import Part

_ROW_BYTES = 300  # of a document while a partition is sorted: seven columns, their row encoding and the sorted copy


@dataclass(frozen=True)
class Order:
    """`ranks` int64[n] of the rows, `rows` int64[n] of the ranks, and int64[parts + 1]: the `first` row of each part."""

    ranks: np.ndarray
    rows: np.ndarray
    first: np.ndarray

    def __len__(self) -> int:
        return len(self.rows)

    def of_part(self, part: int) -> np.ndarray:
        """Ranks of a part's documents."""
        return self.ranks[self.first[part] : self.first[part + 1]]


def order(parts: Sequence[Part], keep: Sequence[tuple[str, bool]], scratch: Scratch, *, pool: Workers) -> Order:
    """`keep`: `(column, descending)`; `Part.order` has the columns of `keep_order.KINDS` for each."""
    first = np.concatenate([np.zeros(1, np.int64), np.cumsum([part.n for part in parts], dtype=np.int64)])
    n = int(first[-1])
    made = Order(scratch.column("ranks", np.int64, n), scratch.column("rows", np.int64, n), first)
    kinds = [(f"{kind} {name}", down) for name, down in keep for kind in KINDS]
    by = ["priority", *(column for column, _ in kinds), "row"]
    descending = [False, *(down for _, down in kinds), False]

    def frame(part: int) -> pl.DataFrame:
        rows = pl.Series("row", np.arange(first[part], first[part + 1]))
        return parts[part].order().with_columns(rows).select(by)

    wanted = 1 + n * _ROW_BYTES // scratch.room
    filled = [i for i in range(len(parts)) if parts[i].n]
    start = 0
    for piece in sorting.sorted_pieces(
        frame, filled, wanted, by=by, descending=descending, folder=scratch.folder / "order", pool=pool
    ):
        ordered = piece["row"].to_numpy()
        made.rows[start : start + len(ordered)] = ordered
        made.ranks[ordered] = np.arange(start, start + len(ordered))
        start += len(ordered)
        scratch.relieve()
    return made
