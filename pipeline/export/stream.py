"""The second pass: documents in the order in which they are trained on.

Each group is a lane: its documents by their place in the shuffle, epoch after epoch, each epoch in another order within a bucket,
until the lane has given what the mix asks of it. Lanes are merged at constant rates: a document that begins after x of the y that
its lane gives stands at x / y of the export. So every stretch of it has the mix, a text's copies are an epoch of its group apart,
and one bucket of each group is in memory at a time.

Invariant: an order follows from the documents, their sizes, the seed and the mix. Places are whole numbers: no rounding differs
between machines.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from pipeline.export import pieces
from pipeline.export.documents import take
from pipeline.store.store import Store

_HALF = np.uint64(20)
_POSITIONS = 1 << 43
"""Most that a lane may give, so that positions are exact in 64 bits."""


@dataclass(frozen=True)
class Sorted:
    """Pieces that are done, by name, in the order of the corpus."""

    work: Store
    names: tuple[str, ...]
    buckets: int

    def bucket(self, code: int, number: int) -> pa.Table:
        return pieces.bucket(self.work, self.names, code * self.buckets + number)


@dataclass(frozen=True)
class Lane:
    """A group's part of the export: it has `size`, and gives `target`."""

    code: int
    size: int
    target: int


@dataclass(frozen=True)
class Part:
    """Documents of a lane in their order, with `epoch` and `group` (a code) as columns, and the position of each, uint64."""

    table: pa.Table
    positions: np.ndarray

    def cut(self, at: int) -> tuple[Part, Part]:
        return Part(self.table[:at], self.positions[:at]), Part(self.table[at:], self.positions[at:])


def ordered(of: Sorted, lanes: Sequence[Lane]) -> Iterator[pa.Table]:
    """Documents of all lanes in the order of the export, some at a time, as the pieces have them, with `epoch` and `group`."""
    return merged([_parts(of, lane) for lane in lanes if lane.target])


def _parts(of: Sorted, lane: Lane) -> Iterator[Part]:
    """The lane's documents, bucket by bucket. Of the last epoch the first documents that fit as a whole: it never gives more
    than its target."""
    if lane.target >= _POSITIONS:
        raise OverflowError(f"a group gives {lane.target} tokens; expected fewer than {_POSITIONS}")
    start = 0
    for epoch in range(-(-lane.target // lane.size)):
        for number in range(of.buckets):
            table = of.bucket(lane.code, number)
            table = take(table, np.argsort(_places(table, epoch), kind="stable"))
            ends = start + np.cumsum(table["size"].to_numpy())
            fit = int(np.searchsorted(ends, lane.target, side="right"))
            begins = np.append(start, ends[:-1])[:fit]
            extra = (("epoch", np.full(fit, epoch, np.int32)), ("group", np.full(fit, lane.code, np.int32)))
            kept = table[:fit]
            for name, values in extra:
                kept = kept.append_column(name, pa.array(values))
            if fit:
                yield Part(kept, positions(begins, lane.target))
            if fit < len(table):
                return
            start = int(ends[-1]) if len(ends) else start


def _places(table: pa.Table, epoch: int) -> np.ndarray:
    """uint64 by which an epoch is ordered within a bucket: the first by the places themselves."""
    places = table["place"].to_numpy()
    if not epoch:
        return places
    mixed = places + np.uint64(epoch * 0x9E3779B97F4A7C15 % (1 << 64))
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):  # splitmix64's finaliser
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
    return mixed ^ (mixed >> np.uint64(31))


def positions(begins: np.ndarray, target: int) -> np.ndarray:
    """begins / target as a whole number of 2^-40, rounded down; by a division of 20 bits after the other."""
    given, whole = begins.astype(np.uint64) << _HALF, np.uint64(target)
    high, rest = given // whole, given % whole
    return (high << _HALF) | ((rest << _HALF) // whole)


def merged(lanes: Iterable[Iterator[Part]]) -> Iterator[pa.Table]:
    """Lanes, each in the order of its positions, as one in that order; of equal ones the first lane first."""
    sources = list(lanes)
    heads = {number: part for number, lane in enumerate(sources) if (part := next(lane, None)) is not None}
    while heads:
        if len(heads) == 1:
            ((number, head),) = heads.items()
            yield head.table
            yield from (part.table for part in sources[number])
            return
        limit = min(head.positions[-1] for head in heads.values())
        before = []
        for number, head in list(heads.items()):
            first, rest = head.cut(int(np.searchsorted(head.positions, limit, side="right")))
            before.append(first)
            following = rest if len(rest.positions) else next(sources[number], None)
            if following is None:
                del heads[number]
            else:
                heads[number] = following
        table = pa.concat_tables([part.table for part in before]).combine_chunks()
        yield take(table, np.argsort(np.concatenate([part.positions for part in before]), kind="stable"))
