"""Corpus-wide dedup in tasks that workers carry out: each reads rows of files, and writes one file of the work directory.

Documents are scattered by their hash, and their places in buckets by band and range of buckets; each range is then looked at as
a whole by the functions that `exact` and `near` use in one process. Shingles go to the block of pairs that needs them.

Invariant: what a step writes depends on its job alone, and a job whose file exists is done: it may run anywhere, and twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass

import numpy as np

from filters.kernels.dedup import bits, dedup_pass
from pipeline.errors import BrokenContract
from pipeline.machine.scratch import Scratch, by_range, range_of, records
from pipeline.stages.dedup import exact, near
from pipeline.stages.dedup.exact import SEEN
from pipeline.stages.dedup.index import Index
from pipeline.stages.dedup.near import PLACE
from pipeline.stages.dedup.part import Part
from pipeline.stages.dedup.tasks import array_files
from pipeline.stages.dedup.tasks.array_files import Types
from pipeline.store.store import Store

RANKS: Types = (("rank", "<i8"),)
"""One row a part: the ranks of its documents."""
BITS: Types = (("bits", "<u8"),)
HASHES: Types = (("left", "<u8"), ("right", "<u8"), ("rank", "<i8"))
"""SEEN, one row a range; and a last row of the documents that repeat a text of their part: `rank`, and in `left` its first."""
PLACES: Types = (("bucket", "<u8"), ("number", "<i8"))
"""PLACE, one row for each range of each band; and a last row with the numbers of all documents that take part."""
LINKED: Types = (
    ("later", "<i8"), ("start", "<i8"), ("count", "<i4"), ("members", "<i8"),
    ("buckets", "<u8"), ("numbers", "<i8"), ("full", "<i8"),
)  # fmt: skip
"""`near.BandLinks`."""
WANTED: Types = (("part", "<i8"), ("place", "<i8"), ("number", "<i8"), ("block", "<i8"))
"""One row a group: whose shingles which block of pairs needs, by part and place in it; part -1: a number of the index."""
PAIRS: Types = (("later", "<i8"), ("earlier", "<i8"))
"""One row a block: numbers of documents."""
SETS: Types = (("block", "<i8"), ("number", "<i8"), ("size", "<i8"), ("hashes", "<u8"))
"""Sets of shingles for one block, one after the other."""
COUNTED: Types = (("shared", "<i4"), ("later", "<i4"), ("earlier", "<i4"))
"""Counts of the pairs of one block, as `similarity.COUNTS`."""


@dataclass(frozen=True)
class Worker:
    """What a step finds where it runs. `scratch`: a folder of that machine, for the time of a step."""

    work: Store
    index: Index
    part: Callable[[int], Part]
    scratch: Callable[[], AbstractContextManager[Scratch]]


@dataclass(frozen=True)
class Job:
    """`name` is shown; the step writes `to`. `parts`: those whose documents it looks at."""

    name: str
    to: str
    parts: tuple[int, ...] = ()


@dataclass(frozen=True)
class Scatter(Job):
    """Hashes of `table` (texts or urls), or places in `bands` of documents of at least `ngram` words."""

    ranks: str = ""
    dropped: str | None = None  # a set of ranks that are left out
    ranges: int = 1
    table: str = ""
    bands: int = 0
    ngram: int = 0


@dataclass(frozen=True)
class Gather(Job):
    """One of `ranges`, from all `sources`. `most`: records that are looked at in one go."""

    sources: tuple[str, ...] = ()
    number: int = 0
    ranges: int = 1
    most: int = 1
    table: str = ""
    band: int = 0
    bucket_cap: int = 0


@dataclass(frozen=True)
class Shingle(Job):
    """Row `row` of `wanted`."""

    wanted: str = ""
    row: int = 0
    ngram: int = 0


@dataclass(frozen=True)
class Count(Job):
    """Row `row` of `pairs`; their shingles are in `sources`."""

    pairs: str = ""
    row: int = 0
    sources: tuple[str, ...] = ()


def scatter_hashes(worker: Worker, job: Scatter) -> None:
    """`texts` or `urls` of some parts, by range."""
    if worker.work.has(job.to):
        return
    dropped = _set(worker, job.dropped)
    with worker.scratch() as scratch:
        spill, repeats = scratch.spill("hashes", SEEN, job.ranges), [np.zeros((2, 0), np.int64)]
        for part in job.parts:
            found = _hashes(worker.part(part), _ranks(worker, job, part), dropped, table=job.table)
            if job.table == "texts":
                found, again, firsts = exact.without_repeats(found)
                repeats.append(np.stack([again, firsts]))
            spill.scatter(by_range(found["left"], job.ranges), found)
        rank, first = np.concatenate(repeats, axis=1)

        def made() -> Iterator[array_files.Row]:
            for number in range(job.ranges):
                seen = spill.take(number)
                yield {name: seen[name] for name, _ in HASHES}
            yield {"left": first.astype(np.uint64), "right": np.zeros(0, np.uint64), "rank": rank}

        array_files.write(worker.work, job.to, HASHES, rows=made())


def _hashes(part: Part, ranks: np.ndarray, dropped: np.ndarray | None, *, table: str) -> np.ndarray:
    scope = part.scope()
    if table == "texts":
        left, right = exact.scoped(part.texts(), scope)
        return records(SEEN, left, right, ranks)
    assert part.urls is not None and dropped is not None
    left, right, valid = part.urls()
    inside = np.flatnonzero(valid & ~bits.has(dropped, ranks))
    left, right = exact.scoped((left[inside], right[inside]), None if scope is None else scope[inside])
    return records(SEEN, left, right, ranks[inside])


def group_hashes(worker: Worker, job: Gather) -> None:
    """The documents of a range, grouped by their hash: what `each` of `exact.grouped` gets, as frames."""
    if worker.work.has(job.to):
        return
    seen = np.concatenate([np.zeros(0, SEEN), *(_seen(worker, source, job.number) for source in job.sources)])

    def pieces() -> Iterator[np.ndarray]:
        yield from (seen[start : start + job.most] for start in range(0, max(1, len(seen)), job.most))

    known = worker.index.keys(job.table, *range_of(job.number, job.ranges))
    array_files.write_frames(worker.work, job.to, exact.groups(pieces, known))


def _seen(worker: Worker, source: str, number: int) -> np.ndarray:
    found = array_files.read(worker.work, source, number, types=HASHES)
    return records(SEEN, found["left"], found["right"], found["rank"])


def scatter_places(worker: Worker, job: Scatter) -> None:
    """Places in buckets of the documents of some parts, by band and range."""
    if worker.work.has(job.to):
        return
    dropped = _set(worker, job.dropped)
    assert dropped is not None
    with worker.scratch() as scratch:
        spill, eligible = scratch.spill("places", PLACE, job.bands * job.ranges), [np.zeros(0, np.int64)]
        for part in job.parts:
            ranks, old = _ranks(worker, job, part), len(worker.index)
            taking, places = near.places_of(worker.part(part), ranks, dropped, bands=range(job.bands), ngram=job.ngram, old=old)
            eligible.append(taking)
            for band, found in enumerate(places):
                spill.scatter(by_range(found["bucket"], job.ranges) + band * job.ranges, found)

        def made() -> Iterator[array_files.Row]:
            for number in range(job.bands * job.ranges):
                found = spill.take(number)
                yield {name: found[name] for name, _ in PLACES}
            yield {"bucket": np.zeros(0, np.uint64), "number": np.concatenate(eligible)}

        array_files.write(worker.work, job.to, PLACES, rows=made())


def link_places(worker: Worker, job: Gather) -> None:
    """Links of one range of one band."""
    if worker.work.has(job.to):
        return
    with worker.scratch() as scratch:
        spill = scratch.spill("places", PLACE, 1)
        for source in job.sources:
            found = array_files.read(worker.work, source, job.band * job.ranges + job.number, types=PLACES)
            spill.add(0, records(PLACE, found["bucket"], found["number"]))
        before = worker.index.places(job.band, *range_of(job.number, job.ranges))
        pieces = near.in_turn(spill, 0, job.most, scratch=scratch)
        made = (
            {
                **{name: found.links[name] for name in ("later", "start", "count")},
                "members": found.members,
                "buckets": found.took[0],
                "numbers": found.took[1],
                "full": found.full,
            }
            for found in near.link_range(pieces, before, bucket_cap=job.bucket_cap, ranges=job.ranges)
        )
        array_files.write(worker.work, job.to, LINKED, rows=made)


def scatter_shingles(worker: Worker, job: Shingle) -> None:
    """Sets of shingles of the documents of a group, for the blocks of pairs that need them."""
    if worker.work.has(job.to):
        return
    wanted = array_files.read(worker.work, job.wanted, job.row, types=WANTED)

    def made() -> Iterator[array_files.Row]:
        for part in np.unique(wanted["part"]).tolist():
            here = wanted["part"] == part
            place, number, block = (wanted[name][here] for name in ("place", "number", "block"))
            places = np.unique(place)
            sets = worker.part(part).shingles(places) if part >= 0 else worker.index.shingles(places, ngram=job.ngram)
            for documents, offsets, hashes in sets:
                order = np.argsort(documents)  # the index holds its documents in the order of its shards
                at = order[np.minimum(np.searchsorted(documents, place, sorter=order), len(documents) - 1)]
                inside = documents[at] == place
                for chosen in np.unique(block[inside]).tolist():
                    mine = inside & (block == chosen)
                    sizes = np.diff(offsets)[at[mine]]
                    starts = offsets[at[mine]] - offsets[0]
                    yield {
                        "block": np.array([chosen]),
                        "number": number[mine],
                        "size": sizes,
                        "hashes": hashes[_spread(starts, sizes)],
                    }

    array_files.write(worker.work, job.to, SETS, rows=made())


def _spread(starts: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Places `start`, `start + 1`, … of each of the ranges."""
    ends = np.cumsum(sizes)
    return np.arange(ends[-1] if len(ends) else 0) + np.repeat(starts - (ends - sizes), sizes)


def count_pairs(worker: Worker, job: Count) -> None:
    """How many shingles the pairs of a block share and have."""
    if worker.work.has(job.to):
        return
    pairs = array_files.read(worker.work, job.pairs, job.row, types=PAIRS)
    found = []
    for source in job.sources:
        blocks = worker.work.read_table(source, ["block"])["block"].combine_chunks().flatten().to_numpy(zero_copy_only=False)
        found += [array_files.read(worker.work, source, row, types=SETS) for row in np.flatnonzero(blocks == job.row).tolist()]
    empty = {name: np.zeros(0, kind) for name, kind in SETS}
    number, size, hashes = (np.concatenate([sets[name] for sets in (empty, *found)]) for name in ("number", "size", "hashes"))
    starts = np.cumsum(size) - size
    order = np.argsort(number)
    one, other = (_at(number, order, pairs[side]) for side in ("later", "earlier"))
    sizes = size.astype(np.int32)
    shared = dedup_pass.shared((starts[one], sizes[one]), (starts[other], sizes[other]), hashes)
    array_files.write(worker.work, job.to, COUNTED, rows=[{"shared": shared, "later": sizes[one], "earlier": sizes[other]}])


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


def _ranks(worker: Worker, job: Scatter, part: int) -> np.ndarray:
    return array_files.read(worker.work, job.ranks, part, types=RANKS)["rank"]


def _set(worker: Worker, name: str | None) -> np.ndarray | None:
    return None if name is None else np.array(array_files.read(worker.work, name, 0, types=BITS)["bits"])
