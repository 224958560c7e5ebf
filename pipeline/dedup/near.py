"""Near duplicates: who is a candidate for whom, and who is dropped.

A document's candidates are, in each LSH band, the first `bucket_cap` documents of its bucket in priority order, copies left out.
It is dropped if and only if its exact similarity to an earlier candidate that dedup kept reaches the threshold. So chains do
not merge, later documents never change earlier fates, and a false candidate costs time, never a document.

`link` looks at a few bands at a time, each in ranges of buckets that fit into memory. `judge` goes through blocks of later
documents: pairs are made and verified a few million at a time, and candidates that are dropped already are not verified at all.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from filters.kernels import bits, dedup_pass, sorting
from filters.kernels.dedup_pass import EARLIER_BITS, LINK, VISIT
from pipeline.dedup.index import Index
from pipeline.dedup.order import Order
from pipeline.dedup.part import Part
from pipeline.errors import BrokenContract
from pipeline.scratch import Log, Scratch, Spill, by_range, range_of, records
from pipeline.spans import Workers

BLOCK_PAIRS = 1 << 21  # chosen: 16 MB of pairs, before repetitions across bands go
SMALLEST_BLOCK = 1 << 10  # documents; chosen: fewer make more files than they save memory
_LATER = 1 << (64 - EARLIER_BITS)  # documents that the later half of a pair tells apart
PLACE = np.dtype([("bucket", "<u8"), ("number", "<i8")])
"""A bucket and a document in it."""

Similarities = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""(later, earlier) document numbers, int64[m] each → exact similarities float64[m]."""


@dataclass(frozen=True)
class Places:
    """Places that this generation took in a band, or in a range of it: `buckets` uint64 and `numbers` int64, sorted by both."""

    band: int
    buckets: Log
    numbers: Log


@dataclass(frozen=True)
class Links:
    """Documents that share a bucket with earlier ones. Sets are of ranks (`filters.kernels.bits`)."""

    links: Spill
    """LINK records in blocks of `block` later ranks."""
    block: int
    members: Log
    """int64 numbers, where links point to."""
    places: list[Places]
    """In order of band and range."""
    eligible: np.ndarray
    """Documents that take part: not dropped before, and of enough words."""
    full: np.ndarray
    """Documents that came after the first `bucket_cap` of a bucket."""


def link(
    parts: Sequence[Part],
    order: Order,
    dropped: np.ndarray,
    index: Index,
    *,
    bands: int,
    ngram: int,
    bucket_cap: int,
    scratch: Scratch,
    pool: Workers,
) -> Links:
    """Links of the documents that are not `dropped` (a set of ranks)."""
    n, old = len(order), len(index)
    block = min(_LATER, max(SMALLEST_BLOCK, scratch.room // (8 * LINK.itemsize * bands)))
    blocks = -(-n // block) or 1
    together = max(1, min(bands, scratch.room // (2 * PLACE.itemsize * max(1, n))))
    ranges = scratch.partitions(n + index.rows("places") // bands, PLACE, workers=pool.count, factor=8)
    most = scratch.too_many(PLACE, workers=pool.count, factor=8)
    made = Links(scratch.spill("links", LINK, blocks), block, scratch.log("members", np.int64), [], bits.empty(n), bits.empty(n))
    lock = threading.Lock()

    def read(wanted: range, spill: Spill, part: int) -> None:
        ranks = order.of_part(part)
        inside = np.flatnonzero((parts[part].words() >= ngram) & ~bits.has(dropped, ranks))
        ranks, scope = ranks[inside], parts[part].scope()
        if wanted.start == 0:
            with lock:
                bits.add(made.eligible, ranks)
        for band, keys in zip(wanted, parts[part].bands(wanted), strict=True):
            bucket = keys[inside] if scope is None else dedup_pass.mixed(scope[inside], keys[inside])
            first, found = (band - wanted.start) * ranges, records(PLACE, bucket, ranks + old)
            if ranges == 1:
                spill.add(first, found)
            else:
                spill.scatter(by_range(bucket, ranges) + first, found)
        scratch.relieve()

    def group(job: tuple[Places, int, Spill]) -> None:
        places, number, spill = job
        within, took = number % ranges, list[tuple[np.ndarray, np.ndarray]]()
        before = index.places(places.band, *range_of(within, ranges))
        for taken in _in_turn(spill, number, most, scratch):
            if took:
                before = _by_bucket([before, took[-1]])
            buckets, numbers = sorting.sort_pairs(taken["bucket"], taken["number"], shared_bits=ranges.bit_length() - 1)
            found = dedup_pass.link(buckets, numbers, before, bucket_cap=bucket_cap)
            took.append((buckets[found.took], numbers[found.took]))
            found.links["start"] += made.members.append(found.members)
            made.links.scatter((found.links["later"] - old) // block, found.links)
            with lock:
                bits.add(made.full, numbers[~found.took] - old)
            scratch.relieve()
        buckets, numbers = _by_bucket(took)
        places.buckets.append(buckets)
        places.numbers.append(numbers)

    for first in range(0, bands, together):
        wanted = range(first, min(bands, first + together))
        spill = scratch.spill(f"bands.{first}", PLACE, len(wanted) * ranges)
        pool.map(partial(read, wanted, spill), [i for i, part in enumerate(parts) if part.n])
        jobs = []
        for number in range(len(wanted) * ranges):
            band = wanted[number // ranges]
            name = f"places.{band}.{number % ranges}"
            places = Places(band, scratch.log(f"{name}.buckets", np.uint64), scratch.log(f"{name}.numbers", np.int64))
            made.places.append(places)
            jobs.append((places, number, spill))
        pool.map(group, jobs)
    return made


def _in_turn(spill: Spill, partition: int, most: int, scratch: Scratch) -> Iterator[np.ndarray]:
    """The places of a partition, which then has none, about `most` at a time: those of earlier documents first.

    A part stands to the next one as the index does to all of them, so a bucket that every document is in takes no more memory
    than others.
    """
    size = spill.size(partition)
    if size <= most:
        yield spill.take(partition)
        return
    low, high = np.iinfo(np.int64).max, 0
    for some in spill.chunks(partition, most):
        low, high = min(low, int(some["number"].min())), max(high, int(some["number"].max()))
    width = -(-(high + 1 - low) // _BINS)
    counts = np.zeros(_BINS, np.int64)
    for some in spill.chunks(partition, most):
        counts += np.bincount((some["number"] - low) // width, minlength=_BINS)
    turn = (np.cumsum(counts) - counts) // most  # of each bin of numbers
    turns = scratch.spill(f"turns.{spill.name}.{partition}", PLACE, int(turn[-1]) + 1)
    for some in spill.chunks(partition, most):
        turns.scatter(turn[(some["number"] - low) // width], some)
    spill.remove(partition)
    yield from (turns.take(number) for number in range(turns.partitions))


_BINS = 1 << 12  # a document has one place in a band, so a bin holds at most a 4,096th of the documents


def _by_bucket(places: list[tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    """Buckets and numbers, sorted by bucket; of one bucket in the order given."""
    if len(places) == 1:
        return places[0]
    buckets, numbers = (np.concatenate(column) for column in zip(*places, strict=True))
    order = np.argsort(buckets, kind="stable")
    return buckets[order], numbers[order]


@dataclass(frozen=True)
class Visits:
    """Documents whose URL others have: VISIT `records`, blocked as links are, and who holds a URL (`dedup_pass.judge`)."""

    records: Spill
    holders: np.ndarray
    """int64 by URL (the rank of the first that has it): holders in the index."""
    now: np.ndarray
    """The same with those of this generation, once it was judged."""

    def begin(self) -> np.ndarray:
        """Holders as they are before this generation; the pass changes them."""
        for start in range(0, len(self.now), BLOCK_PAIRS):
            self.now[start : start + BLOCK_PAIRS] = self.holders[start : start + BLOCK_PAIRS]
        return self.now

    def new_holders(self, urls: np.ndarray, kept: np.ndarray, *, old: int) -> np.ndarray:
        """int64[n]: ranks of the documents of this generation that hold these URLs, -1 where none does. `kept`: set of ranks."""
        found = self.now[urls] - 1
        alone = np.where(bits.has(kept, urls), urls, -1)  # nobody else asked for the URL of a document without a visit
        return np.where(found < 0, alone, np.where(found < old, -1, found - old))


def visits_of(links: Links, order: Order, scratch: Scratch) -> Visits:
    """No visits yet."""
    n = len(order)
    return Visits(
        scratch.spill("visits", VISIT, links.links.partitions),
        scratch.column("holders", np.int64, n),
        scratch.column("holders.now", np.int64, n),
    )


def linked(links: Links, visits: Visits | None, order: Order, index: Index) -> tuple[np.ndarray, np.ndarray]:
    """Sets of the documents that a pair can have: numbers in the index, and ranks."""
    old, new = bits.empty(len(index)), bits.empty(len(order))
    members = links.members.read()
    for start in range(0, len(members), BLOCK_PAIRS):
        here = members[start : start + BLOCK_PAIRS]
        bits.add(old, here[here < len(index)])
        bits.add(new, here[here >= len(index)] - len(index))
    for number in range(links.links.partitions):
        bits.add(new, links.links.read(number)["later"] - len(index))
        if visits is not None:
            found = visits.records.read(number)
            held = visits.holders[found["url"]] - 1
            bits.add(new, found["number"] - len(index))
            bits.add(old, held[held >= 0])
    return old, new


@dataclass(frozen=True)
class Judged:
    """What the pass over the pairs found. `kept`: set of ranks that near dedup did not drop."""

    kept: np.ndarray
    verified: int
    refused: int


def judge(
    links: Links,
    visits: Visits | None,
    order: Order,
    index: Index,
    *,
    threshold: float,
    similarities: Similarities,
    dropped: Callable[[np.ndarray, np.ndarray, np.ndarray, np.ndarray], None],
    scratch: Scratch,
) -> Judged:
    """Calls `dropped(ranks, survivor numbers, similarities, for its URL?)` a few at a time, in order of the later document."""
    old, kept = len(index), bits.full(len(order))
    members = links.members.read()
    holders = np.zeros(0, np.int64) if visits is None else visits.begin()
    verified = refused = 0
    for number in range(links.links.partitions):
        block = links.links.read(number)
        block = block[np.argsort(block["later"], kind="stable")]
        visit = np.zeros(0, VISIT) if visits is None else np.sort(visits.records.read(number), order="number")
        for part, here in _chunks(block, visit):
            first = int(part["later"][0]) if len(part) else 0
            packed = dedup_pass.pairs(part, members, kept, old=old, first=first)
            later = (packed >> np.uint64(EARLIER_BITS)).astype(np.int64) + first
            earlier = (packed & np.uint64((1 << EARLIER_BITS) - 1)).astype(np.int64)
            values = _checked(similarities(later, earlier), len(packed)) if len(packed) else np.zeros(0)
            gone, survivor, evidence = dedup_pass.judge(
                packed, values, here, holders, kept, threshold=threshold, old=old, first=first
            )
            by_url = evidence < 0
            evidence[by_url] = similarities(gone[by_url], survivor[by_url]) if by_url.any() else 0.0
            dropped(gone - old, survivor, evidence, by_url)
            verified += len(packed)
            refused += int((values < threshold).sum())
            scratch.relieve()
    return Judged(kept, verified, refused)


def _checked(found: np.ndarray, n: int) -> np.ndarray:
    found = np.asarray(found, np.float64)
    if found.shape != (n,) or not ((found >= 0) & (found <= 1)).all():
        raise BrokenContract(f"similarities of {n} pairs: expected as many numbers from 0 to 1, got shape {found.shape}")
    return found


def _chunks(links: np.ndarray, visits: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Links and visits in order of their documents, cut between documents, about BLOCK_PAIRS pairs at a time."""
    pairs = np.cumsum(links["count"], dtype=np.int64)
    begins = np.flatnonzero(np.append(True, links["later"][1:] != links["later"][:-1])[: len(links)])
    ends = np.append(begins[1:], len(links))
    at = seen = 0
    while at < len(begins):
        done = pairs[begins[at] - 1] if begins[at] else 0
        stop = max(at + 1, int(np.searchsorted(pairs[ends - 1], done + BLOCK_PAIRS, side="right")))
        part = links[begins[at] : ends[stop - 1]]
        upto = int(np.searchsorted(visits["number"], part["later"][-1], side="right"))
        yield part, visits[seen:upto]
        at, seen = stop, upto
    if seen < len(visits):
        yield links[:0], visits[seen:]
