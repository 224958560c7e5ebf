"""Fates equal the definition in plain Python, whatever corpus, memory and units, and in one run as in several (law 4)."""

from __future__ import annotations

import dataclasses
import random
import tempfile
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters.kernels import warm
from filters.kernels.dedup import bits
from pipeline.errors import BrokenContract
from pipeline.stages.dedup import decide as decide_
from pipeline.stages.dedup import near, survivors
from pipeline.stages.dedup.decide import EXACT, KEPT, NEAR, URL
from tests.stages.dedup.fakes import Corpus, Decided, Doc, doc
from tests.support import examples

BANDS = 3
TINY = 1_000
"""Bytes of room that force everything to disk and into many partitions."""


@pytest.fixture(autouse=True, scope="module")
def _warm() -> None:
    """Compiling counts against hypothesis' deadline."""
    warm.warm()


def priority(docs: list[Doc]) -> list[int]:
    """Places of the documents in priority order: the better score first, nulls last, then as they stand."""
    return sorted(range(len(docs)), key=lambda i: (docs[i].score is None, -(docs[i].score or 0.0), i))


class Oracle:
    """The definition, word by word: buckets with a cap, copies, URLs, near duplicates; one generation after the other."""

    def __init__(self, threshold: float, cap: int, *, urls: bool) -> None:
        self.threshold, self.cap, self.urls = threshold, cap, urls
        self.docs: list[Doc] = []
        self.fates: list[tuple[int, int, float]] = []
        self.first: dict[tuple[int, int], int] = {}
        self.holder: dict[tuple[int, int], int] = {}
        self.buckets: dict[tuple[int, int, int], list[int]] = {}

    def add(self, docs: list[Doc]) -> None:
        start = len(self.docs)
        self.docs += docs
        self.fates += [(KEPT, -1, 0.0)] * len(docs)
        for i in priority(docs):
            self.fates[start + i] = self._fate(start + i)

    def _fate(self, i: int) -> tuple[int, int, float]:
        d = self.docs[i]
        if (d.scope, d.text) in self.first:
            copy_of = self.first[d.scope, d.text]
            fate, survivor, similarity = self.fates[copy_of]
            return (EXACT, copy_of, 1.0) if fate == KEPT else (EXACT, survivor, similarity)
        self.first[d.scope, d.text] = i
        best: tuple[float, int, int] | None = None
        for band, key in enumerate(d.keys or ()):
            bucket = self.buckets.setdefault((d.scope, band, key), [])
            for place, j in bucket:
                similarity = jaccard(d, self.docs[j])
                if self.fates[j][0] == KEPT and similarity >= self.threshold:
                    best = max(best or (0.0, 0, 0), (similarity, -place, j))
            if len(bucket) < self.cap:
                bucket.append((len(self.first), i))
        url = (d.scope, d.url)
        if self.urls and d.url is not None and url in self.holder:
            return URL, self.holder[url], jaccard(d, self.docs[self.holder[url]])
        if best:
            return NEAR, best[2], best[0]
        if d.url is not None:
            self.holder[url] = i
        return KEPT, -1, 0.0


def jaccard(a: Doc, b: Doc) -> float:
    return float(Fraction(len(a.shingles & b.shingles), len(a.shingles | b.shingles) or 1))


def oracle(*parts: list[Doc], threshold: float, cap: int, urls: bool = False) -> list[tuple[int, int, float]]:
    """`(fate, place of the survivor, similarity)` of all documents, generation by generation."""
    made = Oracle(threshold, cap, urls=urls)
    for part in parts:
        made.add(part)
    return made.fates


def grown(
    folder: Path, *parts: list[Doc], cuts: tuple[int, ...] = (), **plan
) -> tuple[list[tuple[int, int, float]], list[Decided]]:
    """Fates as `oracle` gives them, of generations that are added one after the other."""
    corpus = Corpus(folder, **plan)
    fates, made, start = [], [], 0
    for docs in parts:
        known = [int(name) for name in corpus.names]
        found = corpus.add(docs, cuts=[cut for cut in cuts if cut < len(docs)])
        place = [*known, *(start + int(row) for row in found.whole.order.rows)]
        fates += [(fate, place[survivor] if survivor >= 0 else -1, close) for fate, survivor, close in found.fates]
        made.append(found)
        start += len(docs)
    return fates, made


def fates_of(tmp_path: Path, docs: list[Doc], *, threshold: float = 0.5, cap: int = 64, **plan) -> list[tuple[int, int, float]]:
    return grown(tmp_path, docs, threshold=threshold, bucket_cap=cap, **plan)[0]


@st.composite
def corpora(draw) -> list[Doc]:
    """Clusters around a few cores, small vocabulary; keys that similar documents mostly share; copies; short documents."""
    chosen = random.Random(draw(st.integers(0, 2**32)))
    size = draw(st.integers(0, 40))
    scopes, vocabulary, keys = draw(st.integers(1, 3)), draw(st.integers(6, 30)), draw(st.integers(1, 4))
    docs: list[Doc] = []
    for text in range(size):
        kind = chosen.random()
        extras = {"url": chosen.choice([None, 0, 1, 2, text]), "score": chosen.choice([None, 0.5, 0.5, 0.9])}
        scope = chosen.randrange(scopes)
        if docs and kind < 0.25:
            docs.append(dataclasses.replace(chosen.choice(docs), scope=scope, **extras))
        elif docs and kind < 0.7:
            near_to = chosen.choice(docs)
            shingles = set(near_to.shingles) ^ set(chosen.sample(range(vocabulary), chosen.randint(0, 2)))
            same = near_to.keys or (0,) * BANDS
            changed = tuple(key if chosen.random() < 0.7 else chosen.randrange(keys) for key in same)
            docs.append(Doc(text, changed, frozenset(shingles or {0}), scope, **extras))
        elif kind < 0.78:
            docs.append(Doc(text, None, frozenset(), scope, **extras))
        else:
            shingles = chosen.sample(range(vocabulary), chosen.randint(1, 5))
            docs.append(Doc(text, tuple(chosen.randrange(keys) for _ in range(BANDS)), frozenset(shingles), scope, **extras))
    return docs


thresholds = st.sampled_from([0.2, 0.5, 2 / 3, 0.8, 1.0])
caps = st.sampled_from([1, 2, 3, 64])
cuts = st.lists(st.integers(0, 40), max_size=3)
rooms = st.sampled_from([TINY, 1 << 30])


def split(docs: list[Doc], at: list[int]) -> list[list[Doc]]:
    edges = [0, *sorted(min(cut, len(docs)) for cut in at), len(docs)]
    return [docs[a:b] for a, b in pairwise(edges)]


@examples(0.6)
@given(corpora(), thresholds, caps, cuts, rooms, st.booleans(), st.sampled_from([1, 2]))
def test_fates_are_the_defined_ones_whatever_units_memory_and_threads(docs, threshold, cap, units, room, urls, workers):
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(survivors, "BLOCK_PAIRS", 7 if room == TINY else 1 << 21)
        patch.setattr(near, "SMALLEST_BLOCK", 4 if room == TINY else 1 << 10)
        made, _ = grown(
            Path(folder),
            docs,
            cuts=tuple(units),
            n_bands=BANDS,
            threshold=threshold,
            bucket_cap=cap,
            exact_url=urls,
            room=room,
            workers=workers,
        )
    assert made == oracle(docs, threshold=threshold, cap=cap, urls=urls)


@examples(0.4)
@given(corpora(), thresholds, caps, cuts, rooms, st.booleans())
def test_increments_give_the_fates_of_one_run_over_everything(docs, threshold, cap, at, room, urls):
    """Law 4: generations stand before later ones, so one run over all has the parts as priorities; here without scores."""
    docs = [dataclasses.replace(d, score=None) for d in docs]
    with tempfile.TemporaryDirectory() as folder:
        plan = {"n_bands": BANDS, "threshold": threshold, "bucket_cap": cap, "exact_url": urls, "room": room}
        made, _ = grown(Path(folder), *split(docs, at), **plan)
    assert made == oracle(docs, threshold=threshold, cap=cap, urls=urls)


@examples(0.2)
@given(corpora(), caps, cuts)
def test_within_each_generation_the_keep_list_decides(docs, cap, at):
    with tempfile.TemporaryDirectory() as folder:
        made, _ = grown(Path(folder), *split(docs, at), n_bands=BANDS, threshold=0.5, bucket_cap=cap, exact_url=True)
    assert made == oracle(*split(docs, at), threshold=0.5, cap=cap, urls=True)


@examples(0.2)
@given(corpora(), st.permutations([0.2, 0.5, 0.8]), rooms)
def test_a_changed_threshold_verifies_no_pair_again_and_gives_the_same_fates(docs, order, room):
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        asked: list[tuple[int, int]] = []
        counts = decide_.Driver.count

        def spy(self, pairs, **options):
            asked.extend((docs[i].text, docs[j].text) for i, j in pairs.read().tolist())
            return counts(self, pairs, **options)

        patch.setattr(decide_.Driver, "count", spy)
        docs = [dataclasses.replace(d, score=None, url=None, scope=0) for d in docs]
        seen: set[frozenset[int]] = set()
        for threshold in [*order, order[0]]:
            asked.clear()
            corpus = Corpus(Path(folder), n_bands=BANDS, threshold=threshold, room=room)
            made = corpus.add(docs)
            expected = oracle(docs, threshold=threshold, cap=64)
            assert [fate for fate, _, _ in made.fates] == [fate for fate, _, _ in expected]
            assert [close for _, _, close in made.fates] == [close for _, _, close in expected]
            now = {frozenset(pair) for pair in asked}
            assert not now & seen
            seen |= now
    assert threshold == order[0] and not asked


@examples(0.3)
@given(corpora(), thresholds, caps)
def test_counts_evidence_tables_and_clusters_add_up(docs, threshold, cap):
    with tempfile.TemporaryDirectory() as folder:
        fates, (made,) = grown(Path(folder), docs, n_bands=BANDS, threshold=threshold, bucket_cap=cap, exact_url=True)
    rows = made.tables
    kept = rows["number"].to_numpy() >= 0
    assert kept.tolist() == [fate == KEPT for fate, _, _ in fates]
    assert int((rows["cluster_size"].to_numpy() * kept).sum()) == len(docs)
    assert sorted(rows["number"].to_numpy()[kept].tolist()) == list(range(int(kept.sum())))
    reasons = {KEPT: None, EXACT: "exact_duplicate", URL: "duplicate_url", NEAR: "near_duplicate"}
    for (fate, survivor, close), row in zip(fates, rows.iter_rows(named=True), strict=True):
        assert row["reason"] == reasons[fate]
        if fate != KEPT:
            assert (row["duplicate_of"], row["duplicate_ref"]) == (f"id{survivor}", f"ref{survivor}")
            assert row["duplicate_generation"] == 1 and row["similarity"] == close
            assert fates[survivor][0] == KEPT
        else:
            assert row["duplicate_of"] is row["similarity"] is row["duplicate_generation"] is None
    assert made.whole.survivors.refused <= made.whole.survivors.verified


A, B, C = range(10), range(2, 12), range(4, 14)


def test_chains_do_not_merge(tmp_path):
    """A~B and B~C at 8/12, A≁C at 6/14: B goes, C stays, because B is not there to drop it (law 6)."""
    docs = [doc(0, A), doc(1, B), doc(2, C)]
    assert fates_of(tmp_path, docs, threshold=0.6) == [(KEPT, -1, 0.0), (NEAR, 0, 8 / 12), (KEPT, -1, 0.0)]


def test_a_long_chain_keeps_every_document_that_no_kept_one_resembles(tmp_path):
    docs = [doc(i, range(2 * i, 2 * i + 10)) for i in range(50)]
    fates = fates_of(tmp_path, docs, threshold=0.6)
    assert [fate for fate, _, _ in fates] == [KEPT, NEAR] * 25


def test_a_star_falls_to_its_centre_only(tmp_path):
    """Rays resemble the centre at 8/10 and each other at 6/10."""
    rays = [doc(i, set(range(10)) - {2 * i, 2 * i + 1}) for i in range(1, 5)]
    made = fates_of(tmp_path / "first", [doc(0, range(10)), *rays], threshold=0.8)
    assert made == [(KEPT, -1, 0.0), *[(NEAR, 0, 0.8)] * 4]
    made = fates_of(tmp_path / "last", [*rays, doc(0, range(10))], threshold=0.8)
    assert [fate for fate, _, _ in made] == [KEPT] * 4 + [NEAR]


def test_evidence_names_the_most_similar_kept_candidate_and_the_earliest_of_equals(tmp_path):
    docs = [doc(0, range(0, 8)), doc(1, range(4, 12)), doc(2, range(2, 12))]
    assert fates_of(tmp_path / "a", docs)[2] == (NEAR, 1, 0.8)
    tied = [doc(0, range(0, 8)), doc(1, range(4, 12)), doc(2, range(2, 10))]
    assert fates_of(tmp_path / "b", tied)[2] == (NEAR, 0, 0.6)


@pytest.mark.parametrize(("threshold", "fate"), [(0.7999999, NEAR), (0.8, NEAR), (0.8000001, KEPT)])
def test_a_pair_at_the_threshold_is_a_duplicate(tmp_path, threshold, fate):
    assert fates_of(tmp_path, [doc(0, range(10)), doc(1, range(8))], threshold=threshold)[1][0] == fate


def test_only_the_first_of_a_bucket_are_candidates_and_dropped_ones_keep_their_place(tmp_path):
    others = [doc(i, [100 + i]) for i in range(2)]
    late, copy_like = doc(8, range(10)), doc(9, range(10))
    assert fates_of(tmp_path / "3", [*others, late, copy_like], cap=3)[3] == (NEAR, 2, 1.0)
    assert fates_of(tmp_path / "2", [*others, late, copy_like], cap=2)[3] == (KEPT, -1, 0.0)
    place_taker = doc(2, [100, 100])  # near duplicate of the first: dropped, and in the bucket all the same
    assert fates_of(tmp_path / "taken", [others[0], place_taker, late, copy_like], cap=2)[3][0] == KEPT
    exact = dataclasses.replace(others[0])  # exact copy: takes no place
    assert fates_of(tmp_path / "exact", [others[0], exact, late, copy_like], cap=2)[3] == (NEAR, 2, 1.0)


def test_documents_behind_a_full_bucket_are_counted(tmp_path):
    _, (made,) = grown(tmp_path, [doc(i, [i]) for i in range(5)], threshold=0.5, bucket_cap=3)
    assert bits.count(made.whole.links.full) == 2 and made.whole.survivors.verified == 0 + 1 + 2 + 3 + 3


def test_later_generations_see_places_that_dropped_documents_took(tmp_path):
    first = [doc(0, range(10)), doc(1, range(9))]
    late = [doc(2, range(50, 60)), doc(3, range(50, 59))]
    assert grown(tmp_path / "2", first, late, threshold=0.8, bucket_cap=2)[0][3][0] == KEPT
    assert grown(tmp_path / "3", first, late, threshold=0.8, bucket_cap=3)[0][3] == (NEAR, 2, 0.9)


def test_exact_copies_of_a_near_duplicate_name_the_survivor_with_its_similarity(tmp_path):
    docs = [doc(0, range(10)), doc(1, range(9)), doc(1, range(9))]
    assert fates_of(tmp_path / "one", docs, threshold=0.8) == [(KEPT, -1, 0.0), (NEAR, 0, 0.9), (EXACT, 0, 0.9)]
    assert grown(tmp_path / "two", docs[:2], docs[2:], threshold=0.8)[0][2] == (EXACT, 0, 0.9)


def test_scopes_do_not_see_each_other(tmp_path):
    docs = [doc(0, range(10)), doc(0, range(10), scope=1), doc(1, range(9), scope=1), doc(0, range(10), scope=1)]
    expected = [(KEPT, -1, 0.0), (KEPT, -1, 0.0), (NEAR, 1, 0.9), (EXACT, 1, 1.0)]
    assert fates_of(tmp_path, docs, threshold=0.8) == expected


def test_documents_without_keys_take_part_in_exact_dedup_only(tmp_path):
    docs = [Doc(0, None, frozenset()), Doc(1, None, frozenset()), Doc(0, None, frozenset())]
    assert fates_of(tmp_path, docs) == [(KEPT, -1, 0.0), (KEPT, -1, 0.0), (EXACT, 0, 1.0)]


def test_a_page_is_a_url_duplicate_only_of_a_kept_one_and_has_its_exact_similarity(tmp_path):
    page = [doc(0, range(10), url=1), doc(1, [*range(5), *range(20, 25)], (2,), url=1)]
    assert fates_of(tmp_path / "a", page, threshold=0.8, exact_url=True) == [(KEPT, -1, 0.0), (URL, 0, 1 / 3)]
    assert fates_of(tmp_path / "off", page, threshold=0.8)[1][0] == KEPT
    # The address's first text is a near duplicate of another page: it does not hold the address, so the real page stays.
    error = [doc(0, range(10)), doc(1, range(9), url=1), doc(2, range(50, 60), (9,), url=1), doc(3, range(70, 80), (8,), url=1)]
    expected = [(KEPT, -1, 0.0), (NEAR, 0, 0.9), (KEPT, -1, 0.0), (URL, 2, 0.0)]
    assert fates_of(tmp_path / "b", error, threshold=0.8, exact_url=True) == expected
    # A copy elsewhere of a text that was dropped for its URL names the same survivor.
    copy = [*page, dataclasses.replace(page[1], url=7)]
    assert fates_of(tmp_path / "c", copy, threshold=0.8, exact_url=True)[2] == (EXACT, 0, 1 / 3)
    assert grown(tmp_path / "d", page[:1], page[1:], threshold=0.8, exact_url=True)[0][1] == (URL, 0, 1 / 3)


def test_candidates_that_were_dropped_before_are_not_verified(tmp_path, monkeypatch):
    monkeypatch.setattr(survivors, "BLOCK_PAIRS", 1)
    docs = [doc(0, range(10), (1, 1)), doc(1, range(10), (1, 1)), doc(2, range(9), (1, 1))]
    _, (made,) = grown(tmp_path, docs, n_bands=2, threshold=0.8)
    assert made.whole.survivors.verified == 2


@pytest.mark.parametrize("answer", [[], [0.5, 0.5], [float("nan")], [1.5]])
def test_wrong_similarities_stop_the_run(tmp_path, monkeypatch, answer):
    monkeypatch.setattr(decide_, "similarities", lambda counts, kind: np.array(answer))
    with pytest.raises(BrokenContract, match="similarities"):
        fates_of(tmp_path, [doc(0, range(10)), doc(1, range(9))])


def test_containment_compares_with_the_later_document(tmp_path):
    docs = [doc(0, range(10)), doc(1, range(4))]
    assert fates_of(tmp_path / "a", docs, threshold=1.0, similarity="containment")[1] == (NEAR, 0, 1.0)
    assert fates_of(tmp_path / "b", docs[::-1], threshold=0.9, similarity="containment")[1][0] == KEPT
