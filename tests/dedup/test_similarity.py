"""Exact similarity of pairs, from stored sets of shingle hashes."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.dedup import definition, signatures
from pipeline.dedup.similarity import Shingles, similarities
from tests.dedup.twins import column, texts

NOTHING = Shingles(np.zeros(1, np.int64), np.zeros(0, np.uint64))


@settings(max_examples=80, deadline=None)
@given(st.lists(texts, min_size=1, max_size=4), st.lists(texts, min_size=1, max_size=4), st.integers(1, 4))
def test_similarity_is_the_defined_one_across_both_stores(old, new, ngram):
    stores = [Shingles(*signatures.shingles(column(items), ngram=ngram)) for items in (old, new)]
    every = [*old, *new]
    pairs = np.array([(i, j) for i in range(len(every)) for j in range(len(every))])
    for kind, defined in (("jaccard", definition.jaccard), ("containment", definition.containment)):
        expected = [defined(every[i], every[j], ngram) for i, j in pairs.tolist()]
        assert similarities(pairs, *stores, kind=kind).tolist() == expected


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
def test_known_pairs(later, earlier, jaccard, containment):
    made = Shingles(*signatures.shingles(column([earlier, later]), ngram=5))
    pair = np.array([[1, 0]])
    assert similarities(pair, NOTHING, made).tolist() == [jaccard] == [definition.jaccard(later, earlier)]
    assert similarities(pair, NOTHING, made, kind="containment").tolist() == [containment]


def test_no_pairs_and_extreme_hashes():
    made = Shingles(np.array([0, 2, 3]), np.array([0, 2**64 - 1, 2**64 - 1], np.uint64))
    assert similarities(np.zeros((0, 2), np.int64), NOTHING, made).tolist() == []
    assert similarities(np.array([[1, 0]]), NOTHING, made).tolist() == [0.5]


@given(st.lists(st.sets(st.integers(0, 2**64 - 1), max_size=4), max_size=5), st.data())
def test_sets_survive_arrow_and_can_be_taken_and_spread(sets, data):
    lists = [sorted(item) for item in sets]
    array = pa.array([[7], *lists, [8]], pa.large_list(pa.uint64()))
    made = Shingles.from_column(pa.chunked_array([array.slice(1, len(lists))]))
    assert made.column().to_pylist() == lists
    rows = np.array(data.draw(st.lists(st.sampled_from(range(len(lists))), max_size=6)) if lists else [], np.int64)
    assert made.take(rows).column().to_pylist() == [lists[row] for row in rows]
    at = np.arange(len(lists)) * 2 + 1
    assert made.spread(at, 2 * len(lists) + 1).column().to_pylist() == [*(x for item in lists for x in ([], item)), []]
