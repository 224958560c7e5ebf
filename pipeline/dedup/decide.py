"""The fate of every document of a generation: kept, exact duplicate, or near duplicate, with the evidence.

Invariant: exact duplicates are decided first and take no place in a bucket; whoever is dropped names a document that dedup
kept. The result depends on the participants' order and the index alone. The definition: CONTRIBUTING.md.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from pipeline.dedup import index as index_
from pipeline.dedup import near
from pipeline.dedup.exact import Copies, find_copies
from pipeline.dedup.index import Index, Participants
from pipeline.dedup.near import Links, Similarities
from pipeline.dedup.similarity import Shingles

KEPT, EXACT, NEAR = 0, 1, 2


@dataclass(frozen=True)
class Candidates:
    """What can be said before any similarity is known."""

    copies: Copies
    links: Links

    def documents(self) -> np.ndarray:
        """Numbers of the documents whose shingles `judge` may ask similarities of, ascending; indexed ones come first."""
        return self.links.documents()


@dataclass(frozen=True)
class Fates:
    """One item per participant, in their order. Numbers: the index's documents, then the participants."""

    fate: np.ndarray
    """int8: KEPT, EXACT or NEAR."""
    duplicate_of: np.ndarray
    """int64: number of the kept document that survives for a dropped one; -1 for kept ones."""
    similarity: np.ndarray
    """float64: exact similarity to it, 1 for a copy of a kept document; 0 for kept ones, where it means nothing."""
    cluster_size: np.ndarray
    """int32: 1 + the participants dropped in favour of a kept one; 0 for dropped ones."""
    took: np.ndarray
    """bool[n, bands]: took a place among the first `bucket_cap` of its bucket."""
    pairs: np.ndarray
    """int64[m, 2]: (later, earlier) numbers of the pairs whose similarity was used."""
    pair_similarity: np.ndarray
    """float64[m]"""
    candidate_pairs: int
    """Distinct pairs of a document and an earlier one that share a bucket."""
    verified_pairs: int
    """Of these, whose similarity was asked for: the earlier one was not known to be dropped."""
    refused_pairs: int
    """Of these, that fell short of the threshold."""
    documents_in_full_buckets: int
    """Participants that in some band were compared with the first `bucket_cap` of a longer bucket only."""


def decide(participants: Participants, index: Index, *, threshold: float, bucket_cap: int, similarities: Similarities) -> Fates:
    """`judge` on `candidates`, for callers that have all shingles at hand."""
    found = candidates(participants, index, bucket_cap=bucket_cap)
    return judge(participants, index, found, threshold=threshold, similarities=similarities)


def candidates(participants: Participants, index: Index, *, bucket_cap: int) -> Candidates:
    """Exact copies, and who shares a bucket with whom."""
    copies = find_copies(participants, index)
    rows = np.flatnonzero(copies.is_first() & participants.has_keys)
    return Candidates(copies, near.link(participants, index, rows, bucket_cap=bucket_cap))


def judge(participants: Participants, index: Index, found: Candidates, *, threshold: float, similarities: Similarities) -> Fates:
    """Fates, given exact similarities; `similarities` is called once per block of pairs, in order of the later document."""
    judged = near.judge(found.links, len(index) + len(participants), threshold=threshold, similarities=similarities)
    fate, duplicate_of, similarity = _fates(found.copies, judged, len(index))
    dropped_here = duplicate_of[duplicate_of >= len(index)] - len(index)
    size = 1 + np.bincount(dropped_here, minlength=len(participants))
    return Fates(
        fate=fate,
        duplicate_of=duplicate_of,
        similarity=similarity,
        cluster_size=np.where(fate == KEPT, size, 0).astype(np.int32),
        took=found.links.took,
        pairs=judged.pairs,
        pair_similarity=judged.pair_similarity,
        candidate_pairs=judged.candidate_pairs,
        verified_pairs=len(judged.pairs),
        refused_pairs=int((judged.pair_similarity < threshold).sum()),
        documents_in_full_buckets=int(found.links.full.sum()),
    )


def _fates(copies: Copies, judged: near.Judged, n_index: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """`(fate, duplicate_of, similarity)`: near duplicates, then copies, each with its first copy's survivor."""
    near_survivor, near_similarity = judged.survivor[n_index:], judged.similarity[n_index:]
    first_dropped = near_survivor[copies.first] >= 0
    survivor = np.where(first_dropped, near_survivor[copies.first], copies.first + n_index)
    similarity = np.where(first_dropped, near_similarity[copies.first], 1.0)
    old = copies.indexed >= 0
    survivor, similarity = np.where(old, copies.indexed, survivor), np.where(old, copies.similarity, similarity)
    fate = np.where(~copies.is_first(), EXACT, np.where(judged.kept[n_index:], KEPT, NEAR)).astype(np.int8)
    kept = fate == KEPT
    return fate, np.where(kept, -1, survivor), np.where(kept, 0.0, similarity)


def extend(participants: Participants, index: Index, fates: Fates, shingles: Shingles) -> Index:
    """The part that this generation adds to the index. `shingles`: of the participants; of those kept is enough."""
    kept, dropped = np.flatnonzero(fates.fate == KEPT), np.flatnonzero(fates.fate == NEAR)
    number = np.full(len(index) + len(participants), -1, np.int64)
    number[: len(index)] = np.arange(len(index))
    number[len(index) + kept] = len(index) + np.arange(len(kept))
    documents, texts = (
        pa.table({"scope": participants.scope[rows], "text_hash": participants.text_hash.take(pa.array(rows))})
        for rows in (kept, dropped)
    )
    texts = texts.append_column("document", pa.array(number[fates.duplicate_of[dropped]]))
    texts = texts.append_column("similarity", pa.array(fates.similarity[dropped]))
    hashes = pa.table({"hashes": shingles.take(kept).column()})
    tables = (documents, texts, _places(participants, fates, number[len(index) :]), hashes)
    return Index(len(index), *(table.cast(schema) for table, schema in zip(tables, index_.SCHEMAS.values(), strict=True)))


def _places(participants: Participants, fates: Fates, number: np.ndarray) -> pa.Table:
    """Places taken by this generation; `number` is -1 for dropped participants."""
    made = [index_.PLACES.empty_table()]
    for band in range(fates.took.shape[1]):
        rows = np.flatnonzero(fates.took[:, band])
        bucket = participants.buckets(rows, band)
        order = np.argsort(bucket, kind="stable")
        columns = [np.full(len(rows), band, np.uint16), bucket[order], number[rows[order]]]
        made.append(pa.Table.from_arrays([pa.array(column) for column in columns], schema=index_.PLACES))
    return pa.concat_tables(made)
