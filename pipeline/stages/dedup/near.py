"""Near duplicates: who is a candidate for whom. Who of them is dropped, `pipeline.stages.dedup.survivors` says.

A document's candidates are, in each LSH band, the first `bucket_cap` documents of its bucket in priority order, copies left out.

Each band is looked at in ranges of buckets that fit into memory (`pipeline.stages.dedup.steps`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from filters.kernels.dedup import bits, dedup_pass, sorting
from filters.kernels.dedup.dedup_pass import EARLIER_BITS, LINK
from pipeline.machine.scratch import Log, Scratch, Spill, records
from pipeline.stages.dedup.part import Part

SMALLEST_BLOCK = 1 << 10  # documents; chosen: fewer make more files than they save memory
_LATER = 1 << (64 - EARLIER_BITS)  # documents that the later half of a pair tells apart
PLACE = np.dtype([("bucket", "<u8"), ("number", "<i8")])
"""A bucket and a document in it."""


@dataclass(frozen=True)
class Places:
    """Places that this generation took in a band, or in a range of it: `buckets` uint64 and `numbers` int64, sorted by both."""

    band: int
    buckets: Log
    numbers: Log

    def take(self, took: list[tuple[np.ndarray, np.ndarray]]) -> None:
        """Places that were taken, in turn."""
        buckets, numbers = _by_bucket(took)
        self.buckets.append(buckets)
        self.numbers.append(numbers)


@dataclass(frozen=True)
class Links:
    """Documents that share a bucket with earlier ones. Sets are of ranks (`filters.kernels.dedup.bits`)."""

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

    def add(self, found: BandLinks, *, old: int) -> None:
        """`old`: documents of the index."""
        found.links["start"] += self.members.append(found.members)
        self.links.scatter((found.links["later"] - old) // self.block, found.links)
        bits.add(self.full, found.full - old)


def no_links(n: int, *, bands: int, scratch: Scratch) -> Links:
    """Empty links of `n` documents; `Links.add` fills them."""
    block = min(_LATER, max(SMALLEST_BLOCK, scratch.room // (8 * LINK.itemsize * bands)))
    links, members = scratch.spill("links", LINK, -(-n // block) or 1), scratch.log("members", np.int64)
    return Links(links, block, members, [], bits.empty(n), bits.empty(n))


def no_places(band: int, range_: int, *, scratch: Scratch) -> Places:
    """Empty places of a range of a band; `Places.take` fills them."""
    name = f"places.{band}.{range_}"
    return Places(band, scratch.log(f"{name}.buckets", np.uint64), scratch.log(f"{name}.numbers", np.int64))


def places_of(
    part: Part, ranks: np.ndarray, dropped: np.ndarray, *, bands: range, ngram: int, old: int
) -> tuple[np.ndarray, Iterator[np.ndarray]]:
    """Ranks of the documents of a part that take part, and their PLACE records in each of the bands. `ranks`: of all of them."""
    inside = np.flatnonzero((part.words() >= ngram) & ~bits.has(dropped, ranks))
    ranks, scope = ranks[inside], part.scope()
    buckets = (keys[inside] if scope is None else dedup_pass.mixed(scope[inside], keys[inside]) for keys in part.bands(bands))
    return ranks, (records(PLACE, bucket, ranks + old) for bucket in buckets)


@dataclass(frozen=True)
class BandLinks:
    """What some places of a range of buckets say: LINK records, where these point to, and `(buckets, numbers)` that took a place;
    `full`: numbers of the documents that did not."""

    links: np.ndarray
    members: np.ndarray
    took: tuple[np.ndarray, np.ndarray]
    full: np.ndarray


def link_range(
    pieces: Iterable[np.ndarray], before: tuple[np.ndarray, np.ndarray], *, bucket_cap: int, ranges: int
) -> Iterator[BandLinks]:
    """Links of a range of a band's buckets. `pieces`: PLACE records, those of earlier documents first (`in_turn`); `before`: the
    places that earlier generations took there."""
    last: tuple[np.ndarray, np.ndarray] | None = None
    for taken in pieces:
        if last is not None:
            before = _by_bucket([before, last])
        buckets, numbers = sorting.sort_pairs(taken["bucket"], taken["number"], shared_bits=ranges.bit_length() - 1)
        found = dedup_pass.link(buckets, numbers, before, bucket_cap=bucket_cap)
        last = buckets[found.took], numbers[found.took]
        yield BandLinks(found.links, found.members, last, numbers[~found.took])


def in_turn(spill: Spill, partition: int, most: int, *, scratch: Scratch) -> Iterator[np.ndarray]:
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
