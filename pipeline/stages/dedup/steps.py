"""The steps of dedup over the whole corpus: each reads what earlier ones handed on, and hands rows on to later ones.

Documents are scattered by their hash, and their places in buckets by band and range of buckets; each range is then looked at as
a whole. Shingles go to the block of pairs that needs them. Steps run in threads of one process, or on the workers of a cluster.

Invariant: what a step hands on depends on its job alone, and a job whose rows exist is done: it may run anywhere, and twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from itertools import pairwise, starmap

import numpy as np

from filters.kernels.dedup import bits, dedup_pass
from pipeline.errors import BrokenContract
from pipeline.machine.scratch import Scratch, by_range, range_of, records
from pipeline.stages.dedup import exact, near
from pipeline.stages.dedup.exact import SEEN
from pipeline.stages.dedup.handover import Handover, Row, of_records, to_records
from pipeline.stages.dedup.index import Index
from pipeline.stages.dedup.near import PLACE
from pipeline.stages.dedup.part import Part

RANKS, DROPPED = "ranks", "dropped"
"""`rank`: of the documents of a part, a row each; `bits`: set of ranks of the copies of texts."""
WANTED = np.dtype([("part", "<i8"), ("place", "<i8"), ("number", "<i8"), ("block", "<i8")])
"""Whose shingles which block of pairs needs, by part and place in it; part -1: a number of the index."""
PAIR = np.dtype([("later", "<i8"), ("earlier", "<i8")])
"""Numbers of two documents."""
_SET = np.dtype([("number", "<i8"), ("size", "<i8")])


@dataclass(frozen=True)
class Worker:
    """What a step finds where it runs. `scratch`: a folder of that machine, for the time of a step."""

    handover: Handover
    index: Index
    part: Callable[[int], Part]
    scratch: Callable[[], AbstractContextManager[Scratch]]


@dataclass(frozen=True)
class Job:
    """`name` is shown; `rows` is a step with all but its worker, and writes `to`. `parts`: those whose documents it looks at."""

    name: str
    to: str
    rows: Callable[[Worker], Iterable[Row]]
    parts: tuple[int, ...] = ()


def carry_out(worker: Worker, job: Job) -> None:
    """Do the job, unless it is done."""
    worker.handover.write(job.to, job.rows(worker))


def _partitioned(
    worker: Worker, dtype: np.dtype, found: Iterable[tuple[np.ndarray, np.ndarray]], *, partitions: int
) -> Iterator[Row]:
    """A row each partition, of what is found: partitions, and records that go there."""
    with worker.scratch() as scratch:
        spill = scratch.spill("rows", dtype, partitions)
        for where, some in found:
            spill.scatter(where, some)
        for partition in range(partitions):
            yield of_records(spill.take(partition))


def scatter_hashes(worker: Worker, *, table: str, parts: tuple[int, ...], ranges: int) -> Iterator[Row]:
    """`texts` or `urls` of some parts: SEEN, a row each range; and a last row of the documents that repeat a text of their part:
    `rank`, and in `left` the rank of its first."""
    repeats = [np.zeros(0, SEEN)]
    dropped = _dropped(worker) if table == "urls" else np.zeros(0, np.uint64)

    def found() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for part in parts:
            seen = _hashes(worker, part, dropped, table=table)
            if table == "texts":  # one that is there a million times does not fill its range
                seen, again = exact.without_repeats(seen)
                repeats.append(again)
            yield by_range(seen["left"], ranges), seen

    yield from _partitioned(worker, SEEN, found(), partitions=ranges)
    yield of_records(np.concatenate(repeats))


def _hashes(worker: Worker, number: int, dropped: np.ndarray, *, table: str) -> np.ndarray:
    part, ranks = worker.part(number), _ranks(worker, number)
    scope = part.scope()
    if table == "texts":
        left, right = exact.scoped(part.texts(), scope)
        return records(SEEN, left, right, ranks)
    assert part.urls is not None
    left, right, valid = part.urls()
    inside = np.flatnonzero(valid & ~bits.has(dropped, ranks))
    left, right = exact.scoped((left[inside], right[inside]), None if scope is None else scope[inside])
    return records(SEEN, left, right, ranks[inside])


def group_hashes(worker: Worker, *, table: str, sources: tuple[str, ...], number: int, ranges: int, most: int) -> Iterator[Row]:
    """The documents of a range of hashes, grouped: `exact.GROUPED`, rows of at most `most`. No range cuts the documents of a
    hash: a million may have one URL."""

    def pieces() -> Iterator[np.ndarray]:
        found = (to_records(SEEN, [worker.handover.read(source, number)]) for source in sources)
        return in_pieces(found, most)

    known = worker.index.keys(table, *range_of(number, ranges))
    yield from map(of_records, exact.groups(pieces, known))


def in_pieces(arrays: Iterable[np.ndarray], most: int) -> Iterator[np.ndarray]:
    """The same records, of which there are some arrays, in pieces of `most`, at least one: what is grouped is grouped again with
    each piece that follows, so that few large ones cost less than many small ones."""
    waiting: list[np.ndarray] = []
    size = given = 0
    for some in arrays:
        waiting.append(some)
        size += len(some)
        while size >= most:
            together = np.concatenate(waiting)
            yield together[:most]
            waiting, size, given = [together[most:]], size - most, given + 1
    if size or not given:
        yield np.concatenate(waiting)


def scatter_places(worker: Worker, *, parts: tuple[int, ...], bands: int, ranges: int, ngram: int) -> Iterator[Row]:
    """PLACE of some parts, a row for each range of each band; and a last row with the ranks of all documents that take part."""
    eligible, dropped = [np.zeros(0, np.int64)], _dropped(worker)

    def found() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for number in parts:
            part, ranks, old = worker.part(number), _ranks(worker, number), len(worker.index)
            taking, places = near.places_of(part, ranks, dropped, bands=range(bands), ngram=ngram, old=old)
            eligible.append(taking)
            yield from ((by_range(some["bucket"], ranges) + band * ranges, some) for band, some in enumerate(places))

    yield from _partitioned(worker, PLACE, found(), partitions=bands * ranges)
    yield {"bucket": np.zeros(0, np.uint64), "number": np.concatenate(eligible)}


def link_places(
    worker: Worker, *, sources: tuple[str, ...], number: int, ranges: int, most: int, bucket_cap: int
) -> Iterator[Row]:
    """Links of one range of one band, about `most` places at a time: `near.BandLinks`."""
    band, range_ = divmod(number, ranges)
    with worker.scratch() as scratch:
        spill = scratch.spill("places", PLACE, 1)
        for source in sources:
            spill.add(0, to_records(PLACE, [worker.handover.read(source, number)]))
        before = worker.index.places(band, *range_of(range_, ranges))
        pieces = near.in_turn(spill, 0, most, scratch=scratch)
        for found in near.link_range(pieces, before, bucket_cap=bucket_cap, ranges=ranges):
            buckets, numbers = found.took
            rest = {"members": found.members, "buckets": buckets, "numbers": numbers, "full": found.full}
            yield {**of_records(found.links), **rest}


def scatter_shingles(worker: Worker, *, wanted: str, row: int, ngram: int) -> Iterator[Row]:
    """Sets of shingles of the WANTED documents: `number` and `size` of each, and all their `hashes`; a row is for one `block`."""
    asked = to_records(WANTED, [worker.handover.read(wanted, row)])
    for part in np.unique(asked["part"]).tolist():
        here = asked[asked["part"] == part]
        here = here[np.argsort(here["place"], kind="stable")]
        places = np.unique(here["place"])
        sets = worker.part(part).shingles(places) if part >= 0 else worker.index.shingles(places, ngram=ngram)
        for documents, offsets, hashes in sets:
            order = np.argsort(documents)  # the index holds its documents in the order of its shards
            at = order[np.minimum(np.searchsorted(documents, here["place"], sorter=order), len(documents) - 1)]
            inside = documents[at] == here["place"]
            for block in np.unique(here["block"][inside]).tolist():
                mine = np.flatnonzero(inside & (here["block"] == block))
                sizes = np.diff(offsets)[at[mine]]
                if not np.array_equal(at[mine], np.arange(len(documents))):
                    chosen = hashes[_spread(offsets[at[mine]] - offsets[0], sizes)]
                else:  # as nearly always
                    chosen = hashes[: offsets[-1] - offsets[0]]
                yield {"block": np.array([block]), "number": here["number"][mine], "size": sizes, "hashes": chosen}


def _spread(starts: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Places `start`, `start + 1`, … of each of the ranges."""
    ends = np.cumsum(sizes)
    return np.arange(ends[-1] if len(ends) else 0) + np.repeat(starts - (ends - sizes), sizes)


def count_pairs(worker: Worker, *, pairs: str, row: int, sources: tuple[str, ...]) -> Iterator[Row]:
    """How many shingles a block's pairs share and have: `similarity.COUNTS`. Sets beyond a quarter of the room are on disk."""
    handover = worker.handover
    asked = handover.read(pairs, row)
    with worker.scratch() as scratch:
        log, found = scratch.log("hashes", np.uint64, limit=scratch.room // 4), []
        for source in sources:
            for at, blocks in enumerate(handover.read_all(source, "block")):
                if blocks["block"][0] == row:
                    some = handover.read(source, at)
                    log.append(some["hashes"])
                    found.append({"number": some["number"], "size": some["size"]})
        sets, hashes = to_records(_SET, found), log.read()
        starts, sizes = np.cumsum(sets["size"]) - sets["size"], sets["size"].astype(np.int32)
        order = np.argsort(sets["number"])
        one, other = (_at(sets["number"], order, asked[side]) for side in ("later", "earlier"))
        shared = np.empty(len(one), np.int32)
        for places in _some(8 * (sizes[one].astype(np.int64) + sizes[other]), scratch.room // 4):
            a, b = one[places], other[places]
            shared[places] = dedup_pass.shared((starts[a], sizes[a]), (starts[b], sizes[b]), hashes)
            scratch.relieve()
        yield {"shared": shared, "later": sizes[one], "earlier": sizes[other]}


def _some(sizes: np.ndarray, most: int) -> Iterator[slice]:
    """Consecutive places whose `sizes` are about `most` together; one that is larger stands with few others."""
    cuts = np.flatnonzero(np.diff(np.cumsum(sizes) // max(1, most))) + 1
    yield from starmap(slice, pairwise([0, *cuts.tolist(), len(sizes)]))


def _at(number: np.ndarray, order: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Where the numbers `wanted` stand in `number`, which `order` sorts. BrokenContract where one is missing: another document's
    shingles would be compared."""
    if not len(wanted):
        return np.zeros(0, np.int64)
    if len(number):
        at = order[np.minimum(np.searchsorted(number, wanted, sorter=order), len(number) - 1)]
        if (number[at] == wanted).all():
            return at
    raise BrokenContract("near duplicates: the shingles of a document that a pair names were not made")


def _ranks(worker: Worker, part: int) -> np.ndarray:
    return worker.handover.read(RANKS, part)["rank"]


def _dropped(worker: Worker) -> np.ndarray:
    return np.require(worker.handover.read(DROPPED, 0)["bits"], requirements="W")  # kernels are compiled for such
