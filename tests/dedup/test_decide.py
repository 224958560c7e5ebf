"""Fates equal the definition in plain Python, whatever the corpus, and in one run as in several (law 4)."""

from __future__ import annotations

import dataclasses
import random
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.dedup import decide, index, near
from pipeline.dedup.decide import EXACT, KEPT, NEAR
from pipeline.dedup.index import Index, Participants
from pipeline.dedup.similarity import Shingles, similarities
from pipeline.errors import BrokenContract


@dataclasses.dataclass(frozen=True)
class Doc:
    """A document as dedup sees it. Equal `text` means equal in everything but scope."""

    text: int
    keys: tuple[int, ...] | None
    shingles: frozenset[int]
    scope: int = 0


def doc(text: int, shingles, keys=(1,), scope: int = 0) -> Doc:
    return Doc(text, keys, frozenset(shingles), scope)


def oracle(docs: list[Doc], threshold: float, cap: int) -> list[tuple[int, int, float]]:
    """`(fate, duplicate_of, similarity)` of documents in priority order: the definition, word by word."""
    first: dict[tuple[int, int], int] = {}
    buckets: dict[tuple[int, int, int], list[int]] = {}
    fates: list[tuple[int, int, float]] = []
    for i, d in enumerate(docs):
        if (d.scope, d.text) in first:
            copy_of = first[d.scope, d.text]
            fate, survivor, similarity = fates[copy_of]
            fates.append((EXACT, survivor, similarity) if fate == NEAR else (EXACT, copy_of, 1.0))
            continue
        first[d.scope, d.text] = i
        best = (0.0, 0)
        for band, key in enumerate(d.keys or ()):
            bucket = buckets.setdefault((d.scope, band, key), [])
            for j in bucket:
                similarity = jaccard(d, docs[j])
                if fates[j][0] == KEPT and similarity >= threshold:
                    best = max(best, (similarity, -j))
            if len(bucket) < cap:
                bucket.append(i)
        fates.append((NEAR, -best[1], best[0]) if best[0] else (KEPT, -1, 0.0))
    return fates


def jaccard(a: Doc, b: Doc) -> float:
    return float(Fraction(len(a.shingles & b.shingles), len(a.shingles | b.shingles) or 1))


def participants(docs: list[Doc], bands: int) -> Participants:
    keys = np.array([d.keys or (0,) * bands for d in docs], np.uint64).reshape(len(docs), bands)
    hashes = pa.array([d.text.to_bytes(16, "little") for d in docs], pa.binary(16))
    return Participants(
        np.array([d.scope for d in docs], np.uint64), hashes, keys, np.array([bool(d.keys) for d in docs], np.bool_)
    )


def sets_of(docs: list[Doc]) -> Shingles:
    sizes = [len(d.shingles) for d in docs]
    values = [value for d in docs for value in sorted(d.shingles)]
    return Shingles(np.append(0, np.cumsum(sizes)).astype(np.int64), np.array(values, np.uint64))


def run(docs: list[Doc], known: Index, *, bands: int, threshold: float, cap: int) -> tuple[decide.Fates, Index]:
    """Fates of these documents, and the part that they add."""
    given_, sets = participants(docs, bands), sets_of(docs)
    fates = decide.decide(
        given_,
        known,
        threshold=threshold,
        bucket_cap=cap,
        similarities=lambda pairs: similarities(pairs, known.shingle_sets(), sets),
    )
    return fates, decide.extend(given_, known, fates, sets)


def fates_of(docs: list[Doc], *, threshold: float = 0.5, cap: int = 64, bands: int = 1) -> list[tuple[int, int, float]]:
    made, _ = run(docs, index.empty(), bands=bands, threshold=threshold, cap=cap)
    return list(zip(made.fate.tolist(), made.duplicate_of.tolist(), made.similarity.tolist(), strict=True))


def increments(parts: list[list[Doc]], *, bands: int, threshold: float, cap: int) -> list[tuple[int, int, float]]:
    """Fates of all parts' documents, one generation after the other, in the numbering of one run over everything."""
    added: list[Index] = []
    numbers: list[int] = []  # of the documents in the index
    fates: list[tuple[int, int, float]] = []
    for docs in parts:
        known = index.union(added)
        made, part = run(docs, known, bands=bands, threshold=threshold, cap=cap)
        here = [*numbers, *range(len(fates), len(fates) + len(docs))]
        survivors = [here[number] if number >= 0 else -1 for number in made.duplicate_of.tolist()]
        numbers += [len(fates) + row for row in np.flatnonzero(made.fate == KEPT).tolist()]
        fates += zip(made.fate.tolist(), survivors, made.similarity.tolist(), strict=True)
        added.append(part)
        assert len(part) == (made.fate == KEPT).sum()
    return fates


BANDS = 3


@st.composite
def corpora(draw) -> list[Doc]:
    """Clusters around a few cores, small vocabulary; keys that similar documents mostly share; copies; short documents."""
    chosen = random.Random(draw(st.integers(0, 2**32)))
    size = draw(st.integers(0, 40))
    scopes, vocabulary, keys = draw(st.integers(1, 3)), draw(st.integers(6, 30)), draw(st.integers(1, 4))
    docs: list[Doc] = []
    for text in range(size):
        kind = chosen.random()
        if docs and kind < 0.25:
            docs.append(dataclasses.replace(chosen.choice(docs), scope=chosen.randrange(scopes)))
        elif docs and kind < 0.7:
            near_to = chosen.choice(docs)
            shingles = set(near_to.shingles) ^ set(chosen.sample(range(vocabulary), chosen.randint(0, 2)))
            same = near_to.keys or (0,) * BANDS
            changed = tuple(key if chosen.random() < 0.7 else chosen.randrange(keys) for key in same)
            docs.append(doc(text, shingles or {0}, changed, chosen.randrange(scopes)))
        elif kind < 0.78:
            docs.append(Doc(text, None, frozenset(), chosen.randrange(scopes)))
        else:
            shingles = chosen.sample(range(vocabulary), chosen.randint(1, 5))
            docs.append(doc(text, shingles, tuple(chosen.randrange(keys) for _ in range(BANDS)), chosen.randrange(scopes)))
    return docs


thresholds = st.sampled_from([0.2, 0.5, 2 / 3, 0.8, 1.0])
caps = st.sampled_from([1, 2, 3, 64])


@settings(max_examples=300, deadline=None)
@given(corpora(), thresholds, caps)
def test_fates_are_the_defined_ones(docs, threshold, cap):
    assert fates_of(docs, threshold=threshold, cap=cap, bands=BANDS) == oracle(docs, threshold, cap)


@settings(max_examples=300, deadline=None)
@given(corpora(), thresholds, caps, st.lists(st.integers(0, 40), max_size=3))
def test_increments_give_the_fates_of_one_run(docs, threshold, cap, cuts):
    edges = [0, *sorted(min(cut, len(docs)) for cut in cuts), len(docs)]
    parts = [docs[a:b] for a, b in pairwise(edges)]
    assert increments(parts, bands=BANDS, threshold=threshold, cap=cap) == oracle(docs, threshold, cap)


@settings(max_examples=100, deadline=None)
@given(corpora(), thresholds, caps, st.sampled_from([1, 2, 7]))
def test_blocks_of_pairs_change_no_fate(docs, threshold, cap, block):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(near, "BLOCK_PAIRS", block)
        patch.setattr(near, "_BLOCK_DOCUMENTS", 3)
        assert fates_of(docs, threshold=threshold, cap=cap, bands=BANDS) == oracle(docs, threshold, cap)


@settings(max_examples=100, deadline=None)
@given(corpora(), thresholds, caps)
def test_counts_evidence_and_clusters_add_up(docs, threshold, cap):
    made, part = run(docs, index.empty(), bands=BANDS, threshold=threshold, cap=cap)
    kept = made.fate == KEPT
    assert made.cluster_size.sum() == len(docs) and (made.cluster_size[~kept] == 0).all()
    assert kept[made.duplicate_of[~kept]].all()
    assert len(np.unique(made.pairs, axis=0)) == len(made.pairs) == made.verified_pairs <= made.candidate_pairs
    assert made.refused_pairs == sum(value < threshold for value in made.pair_similarity.tolist())
    for (later, earlier), value in zip(made.pairs.tolist(), made.pair_similarity.tolist(), strict=True):
        assert earlier < later and value == jaccard(docs[later], docs[earlier])
        assert docs[later].scope == docs[earlier].scope
    assert part.places.num_rows == made.took.sum()
    assert set(made.pairs.ravel().tolist()) <= set(
        decide.candidates(participants(docs, BANDS), index.empty(), bucket_cap=cap).documents().tolist()
    )


A, B, C = range(10), range(2, 12), range(4, 14)


def test_chains_do_not_merge():
    """A~B and B~C at 8/12, A≁C at 6/14: B goes, C stays, because B is not there to drop it (law 6)."""
    docs = [doc(0, A), doc(1, B), doc(2, C)]
    assert fates_of(docs, threshold=0.6) == [(KEPT, -1, 0.0), (NEAR, 0, 8 / 12), (KEPT, -1, 0.0)]


def test_a_long_chain_keeps_every_document_that_no_kept_one_resembles():
    docs = [doc(i, range(2 * i, 2 * i + 10)) for i in range(50)]
    fates = fates_of(docs, threshold=0.6)
    assert [fate for fate, _, _ in fates] == [KEPT, NEAR] * 25


def test_a_star_falls_to_its_centre_only():
    """Rays resemble the centre at 8/10 and each other at 6/10."""
    rays = [doc(i, set(range(10)) - {2 * i, 2 * i + 1}) for i in range(1, 5)]
    assert fates_of([doc(0, range(10)), *rays], threshold=0.8) == [(KEPT, -1, 0.0), *[(NEAR, 0, 0.8)] * 4]
    assert [fate for fate, _, _ in fates_of([*rays, doc(0, range(10))], threshold=0.8)] == [KEPT] * 4 + [NEAR]


def test_evidence_names_the_most_similar_kept_candidate_and_the_earliest_of_equals():
    docs = [doc(0, range(0, 8)), doc(1, range(4, 12)), doc(2, range(2, 12))]
    assert fates_of(docs, threshold=0.5)[2] == (NEAR, 1, 0.8)
    tied = [doc(0, range(0, 8)), doc(1, range(4, 12)), doc(2, range(2, 10))]
    assert fates_of(tied, threshold=0.5)[2] == (NEAR, 0, 0.6)


@pytest.mark.parametrize(("threshold", "fate"), [(0.7999999, NEAR), (0.8, NEAR), (0.8000001, KEPT)])
def test_a_pair_at_the_threshold_is_a_duplicate(threshold, fate):
    assert fates_of([doc(0, range(10)), doc(1, range(8))], threshold=threshold)[1][0] == fate


def test_only_the_first_of_a_bucket_are_candidates_and_dropped_ones_keep_their_place():
    others = [doc(i, [100 + i]) for i in range(2)]
    late, copy_like = doc(8, range(10)), doc(9, range(10))
    assert fates_of([*others, late, copy_like], cap=3)[3] == (NEAR, 2, 1.0)
    assert fates_of([*others, late, copy_like], cap=2)[3] == (KEPT, -1, 0.0)
    place_taker = doc(2, [100, 100])  # near duplicate of the first: dropped, and in the bucket all the same
    assert fates_of([others[0], place_taker, late, copy_like], cap=2)[3][0] == KEPT
    exact = dataclasses.replace(others[0])  # exact copy: takes no place
    assert fates_of([others[0], exact, late, copy_like], cap=2)[3] == (NEAR, 2, 1.0)


def test_documents_behind_a_full_bucket_are_counted():
    made, _ = run([doc(i, [i]) for i in range(5)], index.empty(), bands=1, threshold=0.5, cap=3)
    assert made.documents_in_full_buckets == 2 and made.candidate_pairs == 0 + 1 + 2 + 3 + 3


def test_later_generations_see_places_that_dropped_documents_took():
    first = [doc(0, range(10)), doc(1, range(9))]
    late = [doc(2, range(50, 60)), doc(3, range(50, 59))]
    assert increments([first, late], bands=1, threshold=0.8, cap=2)[3][0] == KEPT
    assert increments([first, late], bands=1, threshold=0.8, cap=3)[3] == (NEAR, 2, 0.9)


def test_exact_copies_of_a_near_duplicate_name_the_survivor_with_its_similarity():
    docs = [doc(0, range(10)), doc(1, range(9)), doc(1, range(9))]
    assert fates_of(docs, threshold=0.8) == [(KEPT, -1, 0.0), (NEAR, 0, 0.9), (EXACT, 0, 0.9)]
    assert increments([docs[:2], docs[2:]], bands=1, threshold=0.8, cap=64)[2] == (EXACT, 0, 0.9)


def test_scopes_do_not_see_each_other():
    docs = [doc(0, range(10)), doc(0, range(10), scope=1), doc(1, range(9), scope=1), doc(0, range(10), scope=1)]
    assert fates_of(docs, threshold=0.8) == [(KEPT, -1, 0.0), (KEPT, -1, 0.0), (NEAR, 1, 0.9), (EXACT, 1, 1.0)]


def test_documents_without_keys_take_part_in_exact_dedup_only():
    docs = [Doc(0, None, frozenset()), Doc(1, None, frozenset()), Doc(0, None, frozenset())]
    assert fates_of(docs) == [(KEPT, -1, 0.0), (KEPT, -1, 0.0), (EXACT, 0, 1.0)]


def test_pairs_are_verified_once_and_never_against_documents_that_an_earlier_block_dropped(monkeypatch):
    asked: list[tuple[int, int]] = []
    docs = [doc(0, range(10), (1, 1)), doc(1, range(10), (1, 1)), doc(2, range(9), (1, 1))]

    def spy(pairs: np.ndarray) -> np.ndarray:
        asked.extend(map(tuple, pairs.tolist()))
        return similarities(pairs, index.empty().shingle_sets(), sets_of(docs))

    monkeypatch.setattr(near, "BLOCK_PAIRS", 1)
    made = decide.decide(participants(docs, 2), index.empty(), threshold=0.8, bucket_cap=64, similarities=spy)
    assert asked == [(1, 0), (2, 0)] and (made.candidate_pairs, made.verified_pairs) == (3, 2)


@pytest.mark.parametrize("answer", [[], [0.5, 0.5], [float("nan")], [1.5]])
def test_wrong_similarities_stop_the_run(answer):
    docs = [doc(0, range(10)), doc(1, range(9))]
    with pytest.raises(BrokenContract, match="similarities"):
        decide.decide(participants(docs, 1), index.empty(), threshold=0.5, bucket_cap=4, similarities=lambda _: np.array(answer))


def test_index_parts_survive_parquet_and_must_be_complete(tmp_path):
    import pyarrow.parquet as pq

    parts, known = [], index.empty()
    for start in (0, 3):
        docs = [doc(start, range(10)), doc(start + 1, range(9)), doc(start + 2, range(50 + start, 60 + start))]
        _, part = run(docs, known, bands=1, threshold=0.8, cap=64)
        tables = {}
        for name in index.SCHEMAS:
            pq.write_table(getattr(part, name), tmp_path / name)
            tables[name] = pq.read_table(tmp_path / name)
        parts.append(Index(part.first, **tables))
        known = index.union(parts)
    assert known.documents.schema.equals(index.DOCUMENTS) and len(known) == 3
    assert known.shingle_sets().hashes.tolist() == [*range(10), *range(50, 60), *range(53, 63)]
    with pytest.raises(BrokenContract, match="starts at document 2"):
        index.union(parts[1:])
