"""Near duplicates: who of the candidates is dropped, and who survives.

A document is dropped if and only if its exact similarity to an earlier candidate that dedup kept reaches the threshold. So
chains do not merge, later documents never change earlier fates, and a false candidate costs time, never a document.

`judge` goes through blocks of later documents: pairs are made and verified a few million at a time, and candidates that are
dropped already are not verified at all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from filters.kernels.dedup import bits, dedup_pass
from filters.kernels.dedup.dedup_pass import EARLIER_BITS, VISIT
from pipeline.errors import BrokenContract
from pipeline.machine.scratch import Scratch, Spill
from pipeline.stages.dedup.index import Index
from pipeline.stages.dedup.near import Links
from pipeline.stages.dedup.order import Order

BLOCK_PAIRS = 1 << 21  # chosen: 16 MB of pairs, before repetitions across bands go

Similarities = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""(later, earlier) document numbers, int64[m] each → exact similarities float64[m]."""


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


@dataclass(frozen=True)
class Survivors:
    """The result of the pass over the pairs. `kept`: set of ranks that near dedup did not drop."""

    kept: np.ndarray
    verified: int
    refused: int


def judge(
    links: Links,
    visits: Visits | None,
    order: Order,
    *,
    index: Index,
    threshold: float,
    similarities: Similarities,
    dropped: Callable[[np.ndarray, np.ndarray, np.ndarray, np.ndarray], None],
    scratch: Scratch,
) -> Survivors:
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
            later, earlier = _unpacked(packed, first)
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
    return Survivors(kept, verified, refused)


def candidates(links: Links, *, old: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """`(later, earlier)` of all pairs that share a bucket, some at a time, whoever is kept."""
    members, n = links.members.read(), len(links.eligible) * 64
    everyone = bits.full(n)
    for number in range(links.links.partitions):
        block = links.links.read(number)
        block = block[np.argsort(block["later"], kind="stable")]
        for part, _ in _chunks(block, np.zeros(0, VISIT)):
            first = int(part["later"][0])
            yield _unpacked(dedup_pass.pairs(part, members, everyone, old=old, first=first), first)


def _unpacked(packed: np.ndarray, first: int) -> tuple[np.ndarray, np.ndarray]:
    later = (packed >> np.uint64(EARLIER_BITS)).astype(np.int64) + first
    return later, (packed & np.uint64((1 << EARLIER_BITS) - 1)).astype(np.int64)


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
