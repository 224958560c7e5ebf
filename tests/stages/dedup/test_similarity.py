"""Exact similarity of pairs, from sets of shingle hashes on disk; and pair similarities as facts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from functools import partial
from mmap import mmap

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.machine import scratch
from pipeline.machine.scratch import records
from pipeline.stages.dedup import steps
from pipeline.stages.dedup.handover import Files, of_records, to_records
from pipeline.stages.dedup.index import Index
from pipeline.stages.dedup.pairs import Known
from pipeline.stages.dedup.part import Part, Sets, shingles_of
from pipeline.stages.dedup.similarity import COUNTS, similarities
from pipeline.stages.dedup.steps import PAIR, WANTED, Job, Worker, carry_out, count_pairs, scatter_shingles
from pipeline.store.store import open_store
from tests.support import examples
from tests.text import definition
from tests.text.twins import column, texts


def measured(folder, items: list[str], pairs: list[tuple[int, int]], *, ngram: int) -> np.ndarray:
    """COUNTS of pairs (later, earlier) of texts, in two steps as dedup takes them."""
    store, numbers = open_store(str(folder)), np.arange(len(items))
    handover = Files(store, "rows")

    def shingles(chosen: np.ndarray) -> Iterator[Sets]:
        return shingles_of(column([items[at] for at in chosen]), chosen, ngram)

    part = Part(len(items), *[lambda: None] * 6, shingles, lambda _: None)
    space = scratch.Scratch(folder / "scratch", 64)  # so small that all sets lie on disk, and pairs are counted a few at a time
    space.folder.mkdir()
    worker = Worker(handover, Index(store), lambda _: part, lambda: nullcontext(space))
    handover.write("wanted", [of_records(records(WANTED, 0 * numbers, numbers, numbers, 0 * numbers))])
    handover.write("pairs", [of_records(records(PAIR, *np.array(pairs, np.int64).reshape(-1, 2).T))])
    carry_out(worker, Job("", "sets", partial(scatter_shingles, wanted="wanted", row=0, ngram=ngram)))
    carry_out(worker, Job("", "counts", partial(count_pairs, pairs="pairs", row=0, sources=("sets",))))
    return to_records(COUNTS, [handover.read("counts", 0)])


@given(items=st.lists(texts, min_size=1, max_size=6), ngram=st.integers(1, 4))
def test_similarity_is_the_defined_one(tmp_path_factory, items, ngram):
    pairs = [(i, j) for i in range(len(items)) for j in range(len(items))]
    counts = measured(tmp_path_factory.mktemp("sets"), items, pairs, ngram=ngram)
    for kind, defined in (("jaccard", definition.jaccard), ("containment", definition.containment)):
        assert similarities(counts, kind=kind).tolist() == [defined(items[i], items[j], ngram) for i, j in pairs]


@pytest.mark.parametrize(
    ("later", "earlier", "jaccard", "containment"),
    [
        ("a b c d e f", "a b c d e f", 1.0, 1.0),
        ("a b c d e f", "a b c d e f g", 2 / 3, 1.0),
        ("a b c d e f g", "a b c d e f", 2 / 3, 2 / 3),
        ("a b c d e", "b c d e f", 0.0, 0.0),
        ("A, b; C d e!", "a b c D e", 1.0, 1.0),
        ("a b", "a b", 0.0, 0.0),
    ],
)
def test_known_pairs(tmp_path, later, earlier, jaccard, containment):
    counts = measured(tmp_path, [earlier, later], [(1, 0)], ngram=5)
    assert similarities(counts).tolist() == [jaccard] == [definition.jaccard(later, earlier)]
    assert similarities(counts, kind="containment").tolist() == [containment]


def test_sets_lie_on_disk_and_pairs_are_counted_some_at_a_time_whatever_they_are_together(tmp_path, monkeypatch):
    """Law 7: the room of `measured` has 64 bytes, and a quarter of it two hashes."""
    calls: list[tuple[bool, int]] = []
    shared = steps.dedup_pass.shared

    def spied(one, other, hashes):
        calls.append((isinstance(getattr(hashes.base, "obj", hashes.base), mmap), len(one[0])))
        return shared(one, other, hashes)

    monkeypatch.setattr(steps.dedup_pass, "shared", spied)
    items = [" ".join(f"w{at + k}" for k in range(30)) for at in range(6)]
    counts = measured(tmp_path, items, [(i, j) for i in range(6) for j in range(i)], ngram=5)
    assert calls == [(True, 1)] * 15
    assert counts["shared"].tolist() == [26 - (i - j) for i in range(6) for j in range(i)]


keys = st.tuples(st.sampled_from([0, 1, 2**64 - 1]), st.integers(0, 3))


@examples(0.4)
@given(st.lists(st.lists(st.tuples(keys, keys, st.tuples(*[st.integers(0, 9)] * 3)), max_size=8), min_size=1, max_size=3))
def test_facts_of_pairs_are_found_again_whichever_text_is_the_later_one(tmp_path_factory, runs):
    work = open_store(str(tmp_path_factory.mktemp("work")))
    stored: dict[frozenset, dict] = {}
    for run in runs:
        fresh = {frozenset(pair[:2]): pair for pair in run if pair[0] != pair[1] and frozenset(pair[:2]) not in stored}
        with scratch.open_scratch(work.scratch("scratch"), 0) as space:
            known = Known(work, space, 5)
            if fresh:
                later, earlier = (halves([pair[side] for pair in fresh.values()]) for side in (0, 1))
                assert not known.look_up(later, earlier)[1].any()
                known.add(later, earlier, records(COUNTS, *np.array([pair[2] for pair in fresh.values()], np.int32).T))
            known.save()
        stored |= {name: {pair[0]: pair[2], pair[1]: (pair[2][0], pair[2][2], pair[2][1])} for name, pair in fresh.items()}
    with scratch.open_scratch(work.scratch("scratch"), 0) as space:
        known = Known(work, space, 5)
        for name, facts in stored.items():
            for later in name:
                (earlier,) = name - {later}
                counts, found = known.look_up(halves([later]), halves([earlier]))
                assert found.tolist() == [True] and tuple(counts[0].tolist()) == facts[later]


def halves(items: list[tuple[int, int]]) -> tuple[np.ndarray, np.ndarray]:
    return np.array([item[0] for item in items], np.uint64), np.array([item[1] for item in items], np.uint64)
