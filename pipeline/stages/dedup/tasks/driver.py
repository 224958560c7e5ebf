"""Corpus-wide dedup on a cluster, as its driver sees it: what each task looks at, and what is made of what they found.

The driver keeps the order of documents, one column for each of their fates, and the passes over the pairs; hashes, buckets,
links, shingles and similarities are the tasks' (`steps`).

Invariant: links and similarities are those of one process, so fates are too, however many tasks there are and however often one
runs. Files lie in `folder` until the judgement is done: who resumes it finds them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from filters.kernels.dedup import bits, dedup_pass
from filters.kernels.dedup.dedup_pass import LINK
from pipeline.machine.scratch import Log, Scratch, Spill, records
from pipeline.machine.workers import Workers
from pipeline.stages.dedup import exact, near
from pipeline.stages.dedup.exact import SEEN
from pipeline.stages.dedup.index import Index
from pipeline.stages.dedup.near import PLACE, BandLinks, Links
from pipeline.stages.dedup.order import Order
from pipeline.stages.dedup.similarity import COUNTS
from pipeline.stages.dedup.tasks import array_files, steps
from pipeline.stages.dedup.tasks.steps import Count, Gather, Job, Scatter, Shingle, Worker
from pipeline.store.store import Store

MOST_TASKS = 48
"""Groups of parts, ranges of hashes, blocks of pairs: a run has at most 2,000 task runs, and dedup at most seven such stages."""
MOST_RANGES = 512
"""Ranges of all bands together."""
SET_BYTES = 12
"""Bytes of shingles for each byte of text: 8 for a word of five letters and its space, and room to sort them."""
PAIR = np.dtype([("later", "<i8"), ("earlier", "<i8")])
_VERIFIED = np.dtype([("pair", "<u8"), ("shared", "<i4"), ("later", "<i4"), ("earlier", "<i4")])

Run = Callable[[str, Callable[[Worker, Any], None], Sequence[Job]], None]
"""`run(stage, step, jobs)`: carry the step out for each job, anywhere; returns when all are done."""


@dataclass
class TaskDriver:
    """Dedup's corpus-wide steps as tasks. `room`: bytes that a task may work with; `text_bytes`: about those of a document."""

    run: Run
    work: Store
    folder: str
    filled: Sequence[int]
    index: Index
    room: int
    text_bytes: int = 4_000
    most_tasks: int = MOST_TASKS
    _groups: list[tuple[int, ...]] = field(default_factory=list)

    def begin(self, order: Order, parts: int) -> None:
        """Tell the tasks the order of documents."""
        count = max(1, min(self.most_tasks, len(self.filled)))
        cuts = [len(self.filled) * number // count for number in range(count + 1)]
        self._groups = [tuple(self.filled[a:b]) for a, b in pairwise(cuts)]
        if not self.work.has(self._ranks):
            array_files.write(self.work, self._ranks, steps.RANKS, rows=({"rank": order.of_part(part)} for part in range(parts)))

    @property
    def _ranks(self) -> str:
        return f"{self.folder}/ranks.parquet"

    def _ranges(self, records_: int, dtype: np.dtype, *, factor: float, most: int) -> tuple[int, int]:
        """How many ranges, and records of one that are looked at in one go."""
        sizes = Scratch(Path(), self.room)
        wanted = sizes.partitions(records_, dtype, workers=1, factor=factor)
        return min(wanted, 1 << int(math.log2(max(1, most)))), sizes.too_many(dtype, workers=1, factor=factor)

    def grouped(
        self,
        table: str,
        n: int,
        dropped: np.ndarray | None,
        *,
        scratch: Scratch,
        pool: Workers,
        each: Callable[[pl.DataFrame], pl.DataFrame],
        again: Callable[[np.ndarray, np.ndarray], None] | None = None,
    ) -> list[Log]:
        """`exact.grouped`, its ranges on workers. `dropped`: a set of ranks that are left out."""
        ranges, most = self._ranges(n + self.index.rows(table), SEEN, factor=6, most=self.most_tasks)
        left_out = None if dropped is None else self._save_set(dropped)
        base = f"{self.folder}/{table}.{len(self._groups)}.{ranges}"
        scattered = [
            Scatter(f"{table} {at}", f"{base}/scatter-{at}.parquet", group, self._ranks, left_out, ranges, table=table)
            for at, group in enumerate(self._groups)
        ]
        self.run(f"dedup {table}", steps.scatter_hashes, scattered)
        sources = tuple(job.to for job in scattered)
        gathered = [
            Gather(f"{table} range {at}", f"{base}/range-{at}.parquet", (), sources, at, ranges, most, table=table)
            for at in range(ranges)
        ]
        self.run(f"dedup {table} ranges", steps.group_hashes, gathered)
        logs = [scratch.log(f"{table}.{number}", SEEN) for number in range(ranges)]

        def collect(number: int) -> None:
            frames = (pl.DataFrame(table) for table in self.work.batches(gathered[number].to))
            logs[number].append(exact.seen_of(map(each, frames)))
            scratch.relieve()

        if again is not None:
            for source in sources:
                found = array_files.read(self.work, source, ranges, types=steps.HASHES)
                again(found["rank"], found["left"].astype(np.int64))
        pool.map(collect, range(ranges))
        return logs

    def _save_set(self, chosen: np.ndarray) -> str:
        name = f"{self.folder}/dropped.parquet"
        if not self.work.has(name):
            array_files.write(self.work, name, steps.BITS, rows=[{"bits": chosen}])
        return name

    def link(self, n: int, dropped: np.ndarray, scratch: Scratch, *, bands: int, ngram: int, bucket_cap: int) -> Links:
        """`near.link`, its ranges on workers."""
        old = len(self.index)
        held = n + self.index.rows("places") // bands
        ranges, most = self._ranges(held, PLACE, factor=8, most=max(1, MOST_RANGES // bands))
        base = f"{self.folder}/places.{len(self._groups)}.{ranges}"
        left_out = self._save_set(dropped)
        scattered = [
            Scatter(
                f"places {at}", f"{base}/scatter-{at}.parquet", group, self._ranks, left_out, ranges, bands=bands, ngram=ngram
            )
            for at, group in enumerate(self._groups)
        ]
        self.run("dedup places", steps.scatter_places, scattered)
        sources = tuple(job.to for job in scattered)
        linked = [
            Gather(
                f"band {band} range {at}",
                f"{base}/links-{band}-{at}.parquet",
                (),
                sources,
                at,
                ranges,
                most,
                band=band,
                bucket_cap=bucket_cap,
            )
            for band in range(bands)
            for at in range(ranges)
        ]
        self.run("dedup links", steps.link_places, linked)
        made = near.no_links(n, bands=bands, scratch=scratch)
        for source in sources:
            bits.add(made.eligible, array_files.read(self.work, source, bands * ranges, types=steps.PLACES)["number"])
        for job in linked:
            places, took = near.no_places(job.band, job.number, scratch), []
            for row in array_files.read_all(self.work, job.to, steps.LINKED):
                links = records(LINK, row["later"], row["start"], row["count"])
                made.add(BandLinks(links, row["members"], (row["buckets"], row["numbers"]), row["full"]), old=old)
                took.append((row["buckets"], row["numbers"]))
            places.take(took)
            made.places.append(places)
            scratch.relieve()
        return made

    def count(self, asked: Log, order: Order, scratch: Scratch, *, ngram: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """`(PAIR records, their COUNTS)` of all distinct pairs that were `asked` for, some at a time."""
        held = 2 * asked.size * self.text_bytes * SET_BYTES // 8
        blocks = min(self.most_tasks, max(1, math.ceil(held / self.room)))
        spill = scratch.spill("asked.blocks", PAIR, blocks)
        pairs = asked.read()
        for start in range(0, len(pairs), _SOME):
            some = np.array(pairs[start : start + _SOME])
            mixed = dedup_pass.mixed(some["earlier"].astype(np.uint64), np.zeros(len(some), np.uint64))
            spill.scatter((mixed % np.uint64(blocks)).astype(np.int64), some)
        distinct = [np.unique(spill.take(block)) for block in range(blocks)]
        base = f"{self.folder}/pairs.{_digest(distinct)}"
        array_files.write(
            self.work,
            f"{base}/pairs.parquet",
            steps.PAIRS,
            rows=({n: some[n] for n in ("later", "earlier")} for some in distinct),
        )
        sources = self._shingle(base, distinct, order, scratch=scratch, ngram=ngram)
        jobs = [
            Count(f"pairs {block}", f"{base}/counts-{block}.parquet", (), f"{base}/pairs.parquet", block, sources)
            for block in range(blocks)
        ]
        self.run("dedup pairs", steps.count_pairs, jobs)
        for job, some in zip(jobs, distinct, strict=True):
            found = array_files.read(self.work, job.to, 0, types=steps.COUNTED)
            yield some, records(COUNTS, found["shared"], found["later"], found["earlier"])
        self.work.remove(base)

    def _shingle(self, base: str, blocks: Sequence[np.ndarray], order: Order, *, scratch: Scratch, ngram: int) -> tuple[str, ...]:
        """Have the sets made that the blocks of pairs need; names of the files that hold them."""
        old, wanted = len(self.index), np.dtype([(name, kind) for name, kind in steps.WANTED])
        slices = min(8, old)
        groups = len(self._groups)
        spill: Spill = scratch.spill("wanted", wanted, groups + slices)
        group_of = np.zeros(len(order.first), np.int64)
        for at, group in enumerate(self._groups):
            group_of[list(group)] = at
        for block, pairs in enumerate(blocks):
            numbers = np.unique(np.concatenate([pairs["later"], pairs["earlier"]]))
            new, known = numbers[numbers >= old], numbers[numbers < old]
            row = order.rows[new - old]
            part = np.searchsorted(order.first, row, side="right") - 1
            spill.scatter(group_of[part], records(wanted, part, row - order.first[part], new, np.full(len(new), block)))
            if slices:
                fill = (np.full(len(known), value) for value in (-1, block))
                spill.scatter(groups + known * slices // old, records(wanted, next(fill), known, known, next(fill)))
        found = [np.sort(spill.take(number)) for number in range(groups + slices)]
        array_files.write(
            self.work,
            f"{base}/wanted.parquet",
            steps.WANTED,
            rows=({name: some[name] for name, _ in steps.WANTED} for some in found),
        )
        jobs = [
            Shingle(
                f"shingles {at}",
                f"{base}/sets-{at}.parquet",
                self._groups[at] if at < groups else (),
                f"{base}/wanted.parquet",
                at,
                ngram,
            )
            for at, some in enumerate(found)
            if len(some)
        ]
        self.run("dedup shingles", steps.scatter_shingles, jobs)
        return tuple(job.to for job in jobs)


_SOME = 1 << 20


def _digest(arrays: Sequence[np.ndarray]) -> str:
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
