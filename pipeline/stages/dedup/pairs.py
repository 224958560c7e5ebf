"""Pair similarities as facts: what was verified once is never verified again while texts and shingles stay the same.

One table holds how many shingles two texts share and have, keyed by the hashes of both texts, whatever thresholds, order or
units they met under. It is sorted by that key; a run maps it, looks pairs up, and at its end stores the old and the new facts.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from filters.kernels.dedup import dedup_pass, sorting
from pipeline.machine.scratch import Scratch, by_range, records
from pipeline.stages.dedup.part import Keys
from pipeline.stages.dedup.similarity import COUNTS
from pipeline.store import checksums
from pipeline.store.keys import key
from pipeline.store.store import Store
from pipeline.text import signatures

FACT = np.dtype([("left", "<u8"), ("right", "<u8"), ("shared", "<i4"), ("one", "<i4"), ("other", "<i4")])
"""Key of the pair (128 bits), shingles that both have, that the text with the smaller hash has, that the other has."""
_TABLE = pa.schema([pa.field(n, pa.uint64() if n in ("left", "right") else pa.int32(), nullable=False) for n in FACT.names or ()])
_GROUP = 1 << 20


class Known:
    """The facts of a work directory, and those that this run adds. `texts(documents)` gives the hashes of their texts."""

    def __init__(self, work: Store, scratch: Scratch, ngram: int) -> None:
        self._work, self._scratch = work, scratch
        self._name = f"facts/pairs/{key('pairs', signatures.VERSION, ngram)}.parquet"
        facts, left = scratch.log("pairs.old", FACT), scratch.log("pairs.left", np.uint64)
        if work.has(self._name):
            for table in work.batches(self._name):
                facts.append(records(FACT, *(column.to_numpy() for column in table.columns)))
                left.append(table["left"].to_numpy())
        self._old, self._left = facts.read(), left.read()
        self._new = scratch.log("pairs.new", FACT)

    def __len__(self) -> int:
        return len(self._old) + self._new.size

    def look_up(self, later: Keys, earlier: Keys) -> tuple[np.ndarray, np.ndarray]:
        """`(COUNTS[m], known bool[m])` for pairs of texts, given by their hashes."""
        counts, known = np.zeros(len(later[0]), COUNTS), np.zeros(len(later[0]), np.bool_)
        if not len(self._old):
            return counts, known
        keys, swapped = _keys(later, earlier)
        left, asked = sorting.sort_pairs(keys[0], np.arange(len(counts)))  # sorted needles walk the table once
        at = np.minimum(np.searchsorted(self._left, left), len(self._old) - 1)
        facts = self._old[at]
        hit = (facts["left"] == left) & (facts["right"] == keys[1][asked])
        known[asked] = hit
        one, other = facts["one"], facts["other"]
        turned = swapped[asked]
        counts["shared"][asked] = facts["shared"]
        counts["later"][asked], counts["earlier"][asked] = np.where(turned, other, one), np.where(turned, one, other)
        return counts, known

    def add(self, later: Keys, earlier: Keys, counts: np.ndarray) -> None:
        keys, swapped = _keys(later, earlier)
        one, other = np.where(swapped, counts["earlier"], counts["later"]), np.where(swapped, counts["later"], counts["earlier"])
        self._new.append(records(FACT, *keys, counts["shared"], one, other))

    def save(self) -> None:
        """Store what this run added."""
        if not self._new.size:
            return
        made = self._new.read()
        ranges = self._scratch.partitions(len(self), FACT, workers=1, factor=4)
        spill = self._scratch.spill("pairs.ranges", FACT, ranges)
        for log in (self._old, made):
            for start in range(0, len(log), _GROUP):
                some = np.array(log[start : start + _GROUP])
                spill.scatter(by_range(some["left"], ranges), some)
        with (
            self._work.writer(self._name) as file,
            checksums.writer(file, _TABLE, compression="none", statistics=True) as writer,
        ):
            for number in range(ranges):
                facts = spill.take(number)
                facts = facts[np.lexsort((facts["right"], facts["left"]))]
                again = (facts["left"][1:] == facts["left"][:-1]) & (facts["right"][1:] == facts["right"][:-1])
                facts = facts[np.append(True, ~again)[: len(facts)]]
                columns = [pa.array(np.ascontiguousarray(facts[name])) for name in FACT.names or ()]
                writer.write_table(pa.Table.from_arrays(columns, schema=_TABLE), row_group_size=_GROUP)


def _keys(later: Keys, earlier: Keys) -> tuple[Keys, np.ndarray]:
    """`(key of each pair, swapped)`: equal whichever text is the later one; `swapped` where that has the larger hash."""
    swapped = (later[0] > earlier[0]) | ((later[0] == earlier[0]) & (later[1] > earlier[1]))
    small = [np.where(swapped, b, a) for a, b in zip(later, earlier, strict=True)]
    large = [np.where(swapped, a, b) for a, b in zip(later, earlier, strict=True)]
    mix = dedup_pass.mixed
    return (mix(mix(*small), mix(*large)), mix(mix(small[0], large[1]), mix(large[0], small[1]))), swapped
