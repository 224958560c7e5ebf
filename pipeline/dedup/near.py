"""Near duplicates: who is a candidate for whom, and who is dropped.

A document's candidates are, in each LSH band, the first `bucket_cap` documents of its bucket in priority order, copies left out.
It is dropped if and only if its exact similarity to an earlier candidate that dedup kept reaches the threshold. So chains do
not merge, later documents never change earlier fates, and a false candidate costs time, never a document.

Pairs are made and verified in blocks of later documents, about BLOCK_PAIRS pairs each: memory does not grow with the number of
pairs, and candidates that an earlier block dropped are not verified at all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from filters.kernels import dedup_pass
from pipeline.dedup.index import Index, Participants
from pipeline.errors import BrokenContract

BLOCK_PAIRS = 1 << 21  # chosen: 16 MB of pairs, before repetitions across bands go
_BLOCK_DOCUMENTS = 1 << (64 - dedup_pass.EARLIER_BITS)

Similarities = Callable[[np.ndarray], np.ndarray]
"""Pairs int64[m, 2] of (later, earlier) numbers → exact similarities float64[m]."""


@dataclass(frozen=True)
class Links:
    """Documents with candidates, numbered through: those of the index, then the participants."""

    links: np.ndarray
    """int64[:, 5] as `dedup_pass.link` gives them, by later document."""
    members: np.ndarray
    """int64: numbers of participants."""
    places: np.ndarray
    """int64: numbers of indexed documents, -1 for dropped ones."""
    took: np.ndarray
    """bool[n, bands]: participants among the first `bucket_cap` of their bucket."""
    full: np.ndarray
    """bool[n]: participants that came after the first `bucket_cap` of a bucket."""

    def documents(self) -> np.ndarray:
        """Numbers of all documents that a pair can have, ascending: whose shingles verification may ask for."""
        spans = np.zeros(len(self.places) + 1, np.int64)
        np.add.at(spans, self.links[:, 3], 1)
        np.add.at(spans, self.links[:, 3] + self.links[:, 4], -1)
        reached = self.places[np.cumsum(spans[:-1]) > 0]
        return np.unique(np.concatenate([self.links[:, 0], self.members, reached[reached >= 0]]))


def link(participants: Participants, index: Index, rows: np.ndarray, *, bucket_cap: int) -> Links:
    """Links of the participants at `rows` (ascending: not copies, and with band keys)."""
    n, bands = participants.band_keys.shape
    places = index.places.sort_by([("band", "ascending"), ("bucket", "ascending")])
    place_band, place_bucket = places["band"].to_numpy(), places["bucket"].to_numpy()
    took, full = np.zeros((n, bands), np.bool_), np.zeros(n, np.bool_)
    links: list[np.ndarray] = [np.zeros((0, 5), np.int64)]
    members: list[np.ndarray] = [np.zeros(0, np.int64)]
    edges = np.searchsorted(place_band, np.arange(bands + 1, dtype=np.uint16))
    n_members = 0
    for band in range(bands):
        bucket = participants.buckets(rows, band)
        order = np.argsort(bucket, kind="stable")
        start, stop = edges[band], edges[band + 1]
        made, shared, first = dedup_pass.link(
            rows[order] + len(index), bucket[order], place_bucket[start:stop], bucket_cap=bucket_cap
        )
        made[:, 1] += n_members
        made[:, 3] += start
        n_members += len(shared)
        links.append(made)
        members.append(shared)
        took[rows[order], band] = first
        full[rows[order]] |= ~first
    every = np.concatenate(links)
    every = every[np.argsort(every[:, 0], kind="stable")]
    return Links(every, np.concatenate(members), places["document"].to_numpy(), took, full)


@dataclass(frozen=True)
class Judged:
    """What near dedup did; arrays over all numbers, those of the index first."""

    kept: np.ndarray
    """bool: not dropped as a near duplicate."""
    survivor: np.ndarray
    """int64: for dropped documents the most similar kept candidate, the earliest of equals; else -1."""
    similarity: np.ndarray
    """float64: to the survivor; 0 for kept documents."""
    pairs: np.ndarray
    """int64[m, 2]: (later, earlier) pairs that were verified."""
    pair_similarity: np.ndarray
    """float64[m]"""
    candidate_pairs: int
    """Distinct pairs that share a bucket, those with candidates dropped before included."""


def judge(links: Links, numbers: int, *, threshold: float, similarities: Similarities) -> Judged:
    """Fates of `numbers` documents, indexed ones included."""
    kept = np.ones(numbers, np.bool_)
    survivor, evidence = np.full(numbers, -1, np.int64), np.zeros(numbers)
    verified, values, candidates = [np.zeros((0, 2), np.int64)], [np.zeros(0)], 0
    for block in _blocks(links.links):
        first = int(block[0, 0])
        packed = dedup_pass.pairs(block, links.members, links.places, first=first)
        candidates += len(packed)
        pairs = np.empty((len(packed), 2), np.int64)
        pairs[:, 0] = (packed >> np.uint64(dedup_pass.EARLIER_BITS)).astype(np.int64) + first
        pairs[:, 1] = packed & np.uint64((1 << dedup_pass.EARLIER_BITS) - 1)
        pairs = pairs[kept[pairs[:, 1]]]
        found = _checked(similarities(pairs), len(pairs)) if len(pairs) else np.zeros(0)
        dedup_pass.judge(pairs, found, threshold, kept, survivor, evidence)
        verified.append(pairs)
        values.append(found)
    return Judged(kept, survivor, evidence, np.concatenate(verified), np.concatenate(values), candidates)


def _checked(found: np.ndarray, n: int) -> np.ndarray:
    found = np.asarray(found, np.float64)
    if found.shape != (n,) or not ((found >= 0) & (found <= 1)).all():
        raise BrokenContract(f"similarities of {n} pairs: expected as many numbers from 0 to 1, got shape {found.shape}")
    return found


def _blocks(links: np.ndarray) -> Iterator[np.ndarray]:
    """Links cut between documents, about BLOCK_PAIRS pairs at a time."""
    before = np.cumsum(links[:, 2] + links[:, 4])
    begins = np.flatnonzero(np.append(True, links[1:, 0] != links[:-1, 0])) if len(links) else np.zeros(0, np.int64)
    ends = np.append(begins[1:], len(links))
    at = 0
    while at < len(begins):
        done = before[begins[at] - 1] if begins[at] else 0
        stop = max(at + 1, int(np.searchsorted(before[ends - 1], done + BLOCK_PAIRS, side="right")))
        stop = min(stop, at + int(np.searchsorted(links[begins[at:], 0], links[begins[at], 0] + _BLOCK_DOCUMENTS)))
        yield links[begins[at] : ends[stop - 1]]
        at = stop
