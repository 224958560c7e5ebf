"""How many sources hold a text: `source_count` of a document that dedup kept.

Counted are the sources, each once, of the document and of those that dedup dropped in its favour, in its own generation, as
copies of its text or as near duplicates whose exact similarity reaches the threshold. Documents that a filter dropped were
compared with none. A document that has its URL alone in common with it is no copy.

Invariant: the count depends on the fates alone, in whatever order and in however many pieces they are looked at; memory does not
grow with the number of sources, which are told apart by 64 bits of a hash of their names.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from pipeline.machine.scratch import Scratch, records
from pipeline.machine.workers import Workers
from pipeline.stages.dedup.decide import EXACT, KEPT, NEAR
from pipeline.stages.dedup.fate_columns import Fates

HELD = np.dtype([("rank", "<i8"), ("source", "<u8")])
"""A kept document, and a source that holds it."""


def source_counts(
    fates: Fates, sources: Sequence[Callable[[], np.ndarray]], *, old: int, threshold: float, scratch: Scratch, pool: Workers
) -> np.ndarray:
    """int32 by rank: sources that hold the document; 0 for one that dedup dropped. `sources`: uint64 of each document of a part;
    `old`: documents of the index."""
    n = len(fates.order)
    counts = scratch.column("source.counts", np.int32, n)
    pieces = scratch.partitions(n, HELD, workers=1, factor=4)
    block = -(-n // pieces) or 1
    spill = scratch.spill("source.held", HELD, pieces)
    columns = fates.columns

    def add(part: int) -> None:
        ranks = fates.order.of_part(part)
        fate, survivor, named = columns.fate[ranks], columns.survivor[ranks], sources[part]()
        copies = ((fate == EXACT) | (fate == NEAR)) & (columns.similarity[ranks] >= threshold) & (survivor >= old)
        kept = fate == KEPT
        held = records(HELD, np.append(ranks[kept], survivor[copies] - old), np.append(named[kept], named[copies]))
        held = np.unique(held)  # a text of a million copies is one line of each part
        spill.scatter(held["rank"] // block, held)
        scratch.relieve()

    pool.map(add, range(len(sources)))
    for piece in range(pieces):
        ranks, found = np.unique(np.unique(spill.take(piece))["rank"], return_counts=True)
        counts[ranks] = found
        scratch.relieve()
    return counts
