"""Dedup in tasks gives what dedup in one process gives, whatever corpus, number of tasks, units, memory and generations."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters.kernels import warm
from pipeline.stages.dedup import survivors
from pipeline.stages.dedup.decide import NEAR
from tests.stages.dedup.fakes import Corpus, doc
from tests.stages.dedup.test_decide import BANDS, TINY, corpora, grown, oracle
from tests.support import examples


@pytest.fixture(autouse=True, scope="module")
def _warm() -> None:
    warm.warm()


CORPORA = (
    corpora(),
    st.integers(0, 40),
    st.sampled_from([0.3, 0.5, 0.8]),
    st.sampled_from([1, 3, 64]),
    st.booleans(),
    st.sampled_from([1, 2, 5, 40]),
    st.sampled_from([TINY, 1 << 30]),
    st.lists(st.integers(0, 40), max_size=6),
    st.sampled_from([1, 16, 1 << 21]),
)


@examples(0.06)
@given(*CORPORA)
def test_fates_evidence_and_index_are_those_of_one_process(docs, split, threshold, cap, urls, tasks, room, cuts, chunk):
    same(docs, split, threshold, cap, urls, tasks, room, cuts, chunk)


@pytest.mark.slow
@examples(0.6)
@given(*CORPORA)
def test_fates_evidence_and_index_are_those_of_one_process_often(docs, split, threshold, cap, urls, tasks, room, cuts, chunk):
    same(docs, split, threshold, cap, urls, tasks, room, cuts, chunk)


def same(docs, split, threshold, cap, urls, tasks, room, cuts, chunk) -> None:
    """`chunk`: pairs that a pass looks at before it knows whom it dropped; of 1, it must go again and again."""
    first, second = docs[:split], docs[split:]
    expected = oracle(first, second, threshold=threshold, cap=cap, urls=urls)
    plan = {"threshold": threshold, "bucket_cap": cap, "exact_url": urls, "n_bands": BANDS, "room": room, "cuts": tuple(cuts)}
    with (
        pytest.MonkeyPatch.context() as patch,
        tempfile.TemporaryDirectory() as one,
        tempfile.TemporaryDirectory() as other,
    ):
        patch.setattr(survivors, "BLOCK_PAIRS", chunk)
        found, parts = grown(Path(one), first, second, tasks=tasks, **plan)
        local, own = grown(Path(other), first, second, **plan)
        assert found == expected == local
        for part, beside in zip(parts, own, strict=True):
            assert part.tables.equals(beside.tables)
            assert part.whole.survivors.verified == beside.whole.survivors.verified
            assert part.whole.survivors.refused == beside.whole.survivors.refused
        for path in sorted(Path(other).glob("index/*/*.parquet")):
            if room > TINY:  # ranges, whose borders row groups keep, depend on the room
                assert (Path(one) / path.relative_to(other)).read_bytes() == path.read_bytes()


def test_copies_in_another_chunk_are_compared_with_the_first_of_them_only(tmp_path, monkeypatch):
    """Sixty near copies of one text have 59 pairs with it, and 1,711 with each other."""
    monkeypatch.setattr(survivors, "BLOCK_PAIRS", 1)
    corpus = Corpus(tmp_path, threshold=0.5, tasks=3)
    made = corpus.add([doc(i, [*range(100), 1000 + i], keys=(7,)) for i in range(60)], cuts=[20, 40])
    assert [fate for fate, _, _ in made.fates[1:]] == [NEAR] * 59
    assert made.whole.survivors.verified == 59 and corpus.stages.count("dedup pairs") == 1
