"""Dedup over the whole corpus, as the process sees it that decides: which jobs there are, and what is made of what they found.

The driver keeps the order of documents, one column for each of their fates, and the passes over the pairs; hashes, buckets,
links, shingles and similarities are the jobs' (`steps`).

Invariant: links and similarities do not depend on how many jobs there are, where they run, and how often one does.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from hashlib import blake2b
from itertools import count, pairwise

import numpy as np

from filters.kernels.dedup import bits, dedup_pass
from filters.kernels.dedup.dedup_pass import LINK
from pipeline.machine.scratch import Log, Scratch, Spill, records
from pipeline.machine.workers import Workers
from pipeline.stages.dedup import exact, near, steps
from pipeline.stages.dedup.exact import GROUPED, SEEN
from pipeline.stages.dedup.handover import Handover, Held, Row, of_records, to_records
from pipeline.stages.dedup.index import Index
from pipeline.stages.dedup.near import PLACE, BandLinks, Links
from pipeline.stages.dedup.order import Order
from pipeline.stages.dedup.part import Part
from pipeline.stages.dedup.similarity import COUNTS
from pipeline.stages.dedup.steps import PAIR, WANTED, Job, Worker

MOST_JOBS, MOST_RANGES = 48, 512
"""Groups of parts and blocks of pairs; ranges of all bands together, and ten times those of hashes. On a cluster a job is a task:
a run has at most 2,000, and dedup at most seven stages of MOST_JOBS."""
SET_BYTES = 12
"""Bytes of shingles for each byte of text: 8 for a word of five letters and its space, and room to sort them."""
_SOME = 1 << 20
_INDEX_SLICES = 8
_VERIFIED = np.dtype([("pair", "<u8"), ("shared", "<i4"), ("later", "<i4"), ("earlier", "<i4")])


@dataclass(frozen=True)
class Site:
    """Where jobs run. `run(stage=, jobs=)` returns when all are done; `handover`: as they see it; `room`: bytes that a
    job may work with."""

    run: Callable[..., object]
    handover: Handover
    room: int
    most_jobs: int = MOST_JOBS
    most_ranges: int = MOST_RANGES
    text_bytes: int = 4_000  # of a document, about


def here(parts: Sequence[Part], index: Index, *, scratch: Scratch, pool: Workers) -> Site:
    """The threads of this process: a quarter of the room is for what they hand on."""
    room, numbers = scratch.room // pool.count, count()
    handover = Held(scratch)

    def one(job: Job) -> None:
        own = partial(scratch.within, f"job.{next(numbers)}", room)
        steps.carry_out(Worker(handover, index, parts.__getitem__, own), job)
        scratch.relieve()

    return Site(lambda stage, jobs: pool.map(one, jobs), handover, room, most_ranges=1 << 16)


@dataclass(frozen=True)
class Driver:
    """The jobs of one judgement. `groups`: parts that a job looks at together."""

    site: Site
    index: Index
    order: Order
    scratch: Scratch
    pool: Workers
    groups: Sequence[tuple[int, ...]]

    def _ranges(self, records_: int, dtype: np.dtype, *, factor: float, most: int) -> tuple[int, int]:
        """How many ranges, and records of one that are looked at in one go."""
        sizes = Scratch(self.scratch.folder, self.site.room)
        wanted = sizes.partitions(records_, dtype, workers=1, factor=factor)
        return min(wanted, 1 << int(math.log2(max(1, most)))), sizes.too_many(dtype, workers=1, factor=factor)

    @contextmanager
    def _by_range(
        self, table: str, scatter: Callable[..., Iterable[Row]], gather: Callable[..., Iterable[Row]], *, ranges: int
    ) -> Iterator[tuple[list[str], Iterator[Row]]]:
        """Documents scattered by groups of parts, and gathered by ranges: names of what is found in each range, and each group's
        row behind those for the ranges, one in memory at a time. What was handed on may go with the block."""
        base = f"{table}.{len(self.groups)}.{ranges}"
        scattered = [
            Job(f"{table} {at}", f"{base}/group-{at}", partial(scatter, parts=group), group)
            for at, group in enumerate(self.groups)
        ]
        self.site.run(stage=f"dedup {table}", jobs=scattered)
        step = partial(gather, sources=tuple(job.to for job in scattered))
        gathered = [Job(f"{table} range {at}", f"{base}/range-{at}", partial(step, number=at)) for at in range(ranges)]
        self.site.run(stage=f"dedup {table} ranges", jobs=gathered)
        yield [job.to for job in gathered], (self.site.handover.read(job.to, ranges) for job in scattered)
        self.site.handover.release(base)

    def grouped(
        self,
        table: str,
        *,
        each: Callable[[np.ndarray], np.ndarray],
        again: Callable[[np.ndarray, np.ndarray], None] = lambda _ranks, _firsts: None,
    ) -> list[Log]:
        """Documents grouped by their hash in `table`: texts, or urls of those that are not dropped.

        `each` gets GROUPED records, some at a time, on any thread, and returns which of them the logs hold, one at most for each
        hash: SEEN, range by range and sorted by hash. `again(ranks, firsts)` gets the documents that repeat a text of their own
        part, which `each` does not get.
        """
        ranges, most = self._ranges(len(self.order) + self.index.rows(table), SEEN, factor=6, most=self.site.most_ranges // 10)
        logs = [self.scratch.log(f"{table}.{number}", SEEN) for number in range(ranges)]
        scatter = partial(steps.scatter_hashes, table=table, ranges=ranges)
        gather = partial(steps.group_hashes, table=table, ranges=ranges, most=most)
        with self._by_range(table, scatter, gather, ranges=ranges) as (names, repeats):
            for row in repeats:
                again(row["rank"], row["left"].astype(np.int64))

            def collect(number: int) -> None:
                found = (to_records(GROUPED, [row]) for row in self.site.handover.read_all(names[number]))
                logs[number].append(exact.sorted_by_hash([some[each(some)] for some in found]))
                self.scratch.relieve()

            self.pool.map(collect, range(ranges))
        return logs

    def link(self, *, bands: int, ngram: int, bucket_cap: int) -> Links:
        """Links of the documents that are not dropped."""
        n = len(self.order)
        held = n + self.index.rows("places") // bands
        ranges, most = self._ranges(held, PLACE, factor=8, most=self.site.most_ranges // bands)
        made = near.no_links(n, bands=bands, scratch=self.scratch)
        scatter = partial(steps.scatter_places, bands=bands, ranges=ranges, ngram=ngram)
        gather = partial(steps.link_places, ranges=ranges, most=most, bucket_cap=bucket_cap)
        with self._by_range("places", scatter, gather, ranges=bands * ranges) as (names, eligible):
            for row in eligible:
                bits.add(made.eligible, row["number"])
            for number, name in enumerate(names):
                places, took = near.no_places(*divmod(number, ranges), scratch=self.scratch), []
                for row in self.site.handover.read_all(name):
                    took.append((row["buckets"], row["numbers"]))
                    found = BandLinks(to_records(LINK, [row]), row["members"], took[-1], row["full"])
                    made.add(found, old=len(self.index))
                places.take(took)
                made.places.append(places)
                self.scratch.relieve()
        return made

    def count(self, asked: Log, *, ngram: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """`(PAIR records, their COUNTS)` of all distinct pairs that were `asked` for, some at a time."""
        site = self.site
        held = 2 * asked.size * site.text_bytes * SET_BYTES // 8
        blocks = min(site.most_jobs, max(1, math.ceil(held / site.room)))
        spill = self.scratch.spill("asked.blocks", PAIR, blocks)
        pairs = asked.read()
        for start in range(0, len(pairs), _SOME):
            some = np.array(pairs[start : start + _SOME])
            mixed = dedup_pass.mixed(some["earlier"].astype(np.uint64), np.zeros(len(some), np.uint64))
            spill.scatter((mixed % np.uint64(blocks)).astype(np.int64), some)
        base = f"pairs.{_digest(_distinct(spill.read(block)) for block in range(blocks))}"
        asked_for = f"{base}/pairs"
        site.handover.write(asked_for, (of_records(_distinct(spill.take(block))) for block in range(blocks)))
        spill.clear()
        sources = self._shingle(base, (to_records(PAIR, [row]) for row in site.handover.read_all(asked_for)), ngram=ngram)
        count_block = partial(steps.count_pairs, pairs=asked_for, sources=sources)
        jobs = [Job(f"pairs {at}", f"{base}/counts-{at}", partial(count_block, row=at)) for at in range(blocks)]
        site.run(stage="dedup pairs", jobs=jobs)
        for job, row in zip(jobs, site.handover.read_all(asked_for), strict=True):
            yield to_records(PAIR, [row]), to_records(COUNTS, [site.handover.read(job.to, 0)])
        site.handover.release(base)

    def _shingle(self, base: str, blocks: Iterable[np.ndarray], *, ngram: int) -> tuple[str, ...]:
        """Have the sets made that the blocks of pairs need; names of what holds them."""
        old, first, groups = len(self.index), self.order.first, len(self.groups)
        slices = min(_INDEX_SLICES, old)
        spill: Spill = self.scratch.spill("wanted", WANTED, groups + slices)
        group_of = np.zeros(len(first), np.int64)
        for at, group in enumerate(self.groups):
            group_of[list(group)] = at
        for block, pairs in enumerate(blocks):
            numbers = np.unique(np.concatenate([pairs["later"], pairs["earlier"]]))
            new, known = numbers[numbers >= old], numbers[numbers < old]
            row = self.order.rows[new - old]
            part = np.searchsorted(first, row, side="right") - 1
            spill.scatter(group_of[part], records(WANTED, part, row - first[part], new, np.full(len(new), block)))
            if len(known):
                of_index = records(WANTED, np.full(len(known), -1), known, known, np.full(len(known), block))
                spill.scatter(groups + known * slices // old, of_index)
        asked = [at for at in range(groups + slices) if spill.size(at)]
        wanted = f"{base}/wanted"
        self.site.handover.write(wanted, (of_records(spill.take(number)) for number in range(groups + slices)))
        spill.clear()
        jobs = [
            Job(
                f"shingles {at}",
                f"{base}/sets-{at}",
                partial(steps.scatter_shingles, wanted=wanted, row=at, ngram=ngram),
                self.groups[at] if at < groups else (),
            )
            for at in asked
        ]
        self.site.run(stage="dedup shingles", jobs=jobs)
        return tuple(job.to for job in jobs)


def driver(site: Site, index: Index, order: Order, *, filled: Sequence[int], scratch: Scratch, pool: Workers) -> Driver:
    """Tells the jobs the order of documents. `filled`: parts that have documents."""
    jobs = max(1, min(site.most_jobs, len(filled)))
    cuts = [len(filled) * number // jobs for number in range(jobs + 1)]
    ranks = (order.of_part(part) for part in range(len(order.first) - 1))
    site.handover.write(steps.RANKS, ({"rank": some} for some in ranks))
    return Driver(site, index, order, scratch, pool, [tuple(filled[a:b]) for a, b in pairwise(cuts)])


def _distinct(pairs: np.ndarray) -> np.ndarray:
    pairs = pairs[np.lexsort((pairs["earlier"], pairs["later"]))]
    return pairs[np.append(True, pairs[1:] != pairs[:-1])[: len(pairs)]]


def _digest(arrays: Iterable[np.ndarray]) -> str:
    digest = blake2b(digest_size=12)
    for some in arrays:
        digest.update(np.int64(len(some)).tobytes() + some.tobytes())
    return digest.hexdigest()


class VerifiedPairs:
    """Similarities that this run's tasks counted, by pair, on disk: looked up block by block of later documents, as links are."""

    def __init__(self, scratch: Scratch, links: Links, *, old: int) -> None:
        self._spill = scratch.spill("verified", _VERIFIED, links.links.partitions)
        self._block, self._old = links.block, old
        self._held: tuple[int, np.ndarray] = (-1, np.zeros(0, _VERIFIED))

    def add(self, pairs: np.ndarray, counts: np.ndarray) -> None:
        """PAIR records and their COUNTS."""
        made = records(_VERIFIED, self._packed(pairs["later"], pairs["earlier"]), *(counts[name] for name in COUNTS.names or ()))
        self._spill.scatter((pairs["later"] - self._old) // self._block, made)
        self._held = (-1, self._held[1])

    def look_up(self, later: np.ndarray, earlier: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """`(COUNTS[m], known bool[m])`; the later documents are of one block."""
        counts, known = np.zeros(len(later), COUNTS), np.zeros(len(later), np.bool_)
        if not len(later):
            return counts, known
        block = int(later[0] - self._old) // self._block
        if self._held[0] != block:
            self._held = (block, np.sort(self._spill.read(block), order="pair"))
        found = self._held[1]
        if not len(found):
            return counts, known
        packed = self._packed(later, earlier)
        at = np.minimum(np.searchsorted(found["pair"], packed), len(found) - 1)
        known = found["pair"][at] == packed
        for name in COUNTS.names or ():
            counts[name][known] = found[name][at[known]]
        return counts, known

    def _packed(self, later: np.ndarray, earlier: np.ndarray) -> np.ndarray:
        """Pairs of one block as one number each, as `dedup_pass.pairs` has them."""
        inside = ((later - self._old) % self._block).astype(np.uint64)
        return (inside << np.uint64(dedup_pass.EARLIER_BITS)) | earlier.astype(np.uint64)
