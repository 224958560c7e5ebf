"""Dedup kernels: sorting and sets equal numpy, and each is compiled for one kind of arguments, those that warm it."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters.kernels import warm
from filters.kernels.dedup import bits, dedup_pass, minhash, sorting
from pipeline.text import signatures
from tests.stages.dedup.fakes import Corpus, doc
from tests.work import lines_run

KERNELS = [minhash._sign, minhash._band_keys, minhash._shingles, sorting._sort_pairs]
KERNELS += [bits._add, bits._has, bits._place_of]
KERNELS += [dedup_pass._mixed, dedup_pass._link, dedup_pass._pairs, dedup_pass._judge, dedup_pass._shared]

TEXTS = ["one two three four five six seven", "one two three four five six eight", "one two three four five six seven", "one"]


def test_a_run_compiles_nothing_that_the_warming_calls_did_not(tmp_path):
    warm.warm()
    assert [len(kernel.signatures) for kernel in KERNELS] == [1] * len(KERNELS)
    for room in (1_000, 1 << 30):
        corpus = Corpus(tmp_path / str(room), n_bands=2, room=room, exact_url=True, threshold=0.5)
        corpus.add([doc(i, range(i, i + 10), (1, i), url=i % 3) for i in range(5)])
        corpus.add([doc(i, range(i, i + 10), (1, i), url=i % 3) for i in range(3, 9)])
        corpus.add([])
    assert [len(kernel.signatures) for kernel in KERNELS] == [1] * len(KERNELS)


@pytest.mark.parametrize("family", minhash.FAMILIES)
def test_families_share_the_compiled_kernel(family):
    column = pa.array(TEXTS, pa.large_string())
    signatures.annotate(column, ngram=5, permutations=128, bands=9, rows=13, hash_=family)
    assert len(minhash._sign.signatures) == 1


hashes = st.one_of(st.integers(0, 3), st.integers(0, 2**64 - 1), st.sampled_from([2**64 - 1, 2**63, 5 << 60]))


@given(st.lists(st.tuples(hashes, st.integers(-3, 3)), max_size=300), st.integers(0, 8))
def test_pairs_are_sorted_as_numpy_sorts_them_also_where_keys_repeat(items, shared_bits):
    keys = np.array([key >> shared_bits for key, _ in items], np.uint64)
    values = np.array([value for _, value in items], np.int64)
    made = sorting.sort_pairs(keys, values, shared_bits=shared_bits)
    order = np.lexsort((values, keys))
    assert made[0].tolist() == keys[order].tolist() and made[1].tolist() == values[order].tolist()


def test_a_hundred_thousand_equal_keys_are_sorted_in_less_than_quadratic_time():
    """Twice the keys are some 2.2 times the work of a heap, and four times the quadratic work, which would take minutes."""

    def sort(n: int) -> None:
        made = sorting.sort_pairs(np.full(n, 7, np.uint64), np.arange(n)[::-1].copy())
        assert (made[1] == np.arange(n)).all()

    sort(100_000)
    work = [lines_run(lambda n=n: sort(n), sorting) for n in (1_000, 2_000)]
    assert 2 < work[1] / work[0] < 2.5


@given(st.integers(1, 300), st.sets(st.integers(0, 299)))
def test_sets_of_bits_are_sets(n, numbers):
    made = bits.empty(n)
    left = sorted(number for number in numbers if number < n)
    bits.add(made, np.array(left, np.int64))
    every = np.arange(n)
    assert bits.has(made, every).tolist() == [i in set(left) for i in range(n)]
    assert bits.count(made) == len(left) and bits.members(made, 0, n).tolist() == left
    assert bits.members(made, n // 3, n - n // 4).tolist() == [i for i in left if n // 3 <= i < n - n // 4]
    places = bits.place_of(made, bits.places(made), every)
    assert places.tolist() == [left.index(i) if i in set(left) else -1 for i in range(n)]
    assert bits.nth(made, np.arange(len(left))).tolist() == left
    assert bits.count(bits.full(n)) == n and bits.members(bits.full(n), 0, n).tolist() == every.tolist()
