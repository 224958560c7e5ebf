"""Signatures, band keys and shingle sets: equal to plain-Python twins and to datasketch, and unbiased."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from datasketch import MinHash
from hypothesis import given
from hypothesis import strategies as st

from filters.kernels import buffers
from filters.kernels.dedup import minhash
from pipeline.text import signatures
from tests.text import definition
from tests.text.twins import column, long_texts, shingle_hash, texts


def shingle_sets(array: pa.LargeStringArray, ngram: int) -> list[list[int]]:
    starts, hashes = signatures.shingles(array, ngram=ngram)
    return [hashes[a:b].tolist() for a, b in pairwise(starts)]


def sign(array: pa.LargeStringArray, *, ngram: int = 5, number: int = 128, family: str = "default") -> np.ndarray:
    drawn = minhash.permutations(family, number)
    return minhash.signatures(*buffers.views(array), ngram=ngram, permutations=drawn, family=family)[1]


def numbers(*ranges: tuple[int, int]) -> str:
    return " ".join(f"n{i}" for start, stop in ranges for i in range(start, stop))


@given(st.lists(texts | long_texts, max_size=4), st.integers(1, 7))
def test_shingle_sets_are_the_defined_ones(items, ngram):
    expected = [sorted(map(shingle_hash, definition.shingles(text, ngram))) for text in items]
    assert shingle_sets(column(items), ngram) == expected


@pytest.mark.parametrize("n", [4, 5, 6, 1023, 1024, 1027, 1028, 1029, 2052, 5000, 300_000])
def test_sets_of_documents_around_the_block_size_are_whole(n):
    text = numbers((0, n))
    (found,) = shingle_sets(column([text]), 5)
    assert len(found) == max(0, n - 4) and found == sorted(set(found))
    if n < 6000:
        assert found == sorted(map(shingle_hash, definition.shingles(text, 5)))


def test_repeated_shingles_count_once_however_long_the_document():
    items = ["a " * 200_000, "a b " * 100_000, numbers((0, 300)) + " " + " ".join(numbers((0, 300)) for _ in range(300))]
    assert [len(found) for found in shingle_sets(column(items), 5)] == [1, 2, 300]


def test_crowded_buckets_are_sorted_too():
    crowded = np.concatenate(
        [np.arange(5000, 0, -1), np.arange(100), np.array([2**64 - 1, 2**63], np.uint64)], dtype=np.uint64, casting="unsafe"
    )
    scratch, sizes = np.empty_like(crowded), np.empty(2**16 + 1, np.int64)
    expected = np.unique(crowded)
    n = minhash._sort_unique(crowded, scratch, sizes)
    assert crowded[:n].tolist() == expected.tolist()


@given(st.lists(texts | long_texts, max_size=4), st.integers(1, 6))
def test_datasketch_family_is_datasketch_bit_for_bit(items, ngram):
    least = sign(column(items), ngram=ngram, number=64, family="datasketch")
    for text, row in zip(items, least, strict=True):
        theirs = MinHash(num_perm=64, seed=1, hashfunc=int, scheme="affine32")
        for shingle in definition.shingles(text, ngram):
            theirs.update(shingle_hash(shingle) & 0xFFFFFFFF)
        assert row.tolist() == theirs.hashvalues.tolist()


def test_datasketch_family_agrees_on_long_documents_and_any_number_of_permutations():
    text = numbers((0, 3000))
    for number in (16, 128, 256):
        theirs = MinHash(num_perm=number, seed=1, hashfunc=int)
        theirs.update_batch([shingle_hash(shingle) & 0xFFFFFFFF for shingle in definition.shingles(text, 5)])
        assert sign(column([text]), number=number, family="datasketch")[0].tolist() == theirs.hashvalues.tolist()


@given(st.lists(texts | long_texts, max_size=4), st.integers(1, 6))
def test_default_family_is_its_definition(items, ngram):
    a, b = minhash.permutations("default", 32)
    for text, row in zip(items, sign(column(items), ngram=ngram, number=32), strict=True):
        x = np.array([shingle_hash(s) >> 32 for s in definition.shingles(text, ngram)], np.uint64)[:, None]
        expected = ((x * a + b) % 2**32).min(axis=0, initial=2**32 - 1)
        assert row.tolist() == expected.tolist()


@pytest.mark.parametrize("family", minhash.FAMILIES)
def test_multipliers_are_odd_and_distinct(family):
    a, b = minhash.permutations(family, 1024)
    assert (a % 2 == 1).all() and len(set(a.tolist())) == len(set(b.tolist())) == 1024
    if family == "default":
        assert minhash.permutations(family, 128)[1].tolist() == b[:128].tolist()


@pytest.mark.parametrize("family", minhash.FAMILIES)
@pytest.mark.parametrize("shared", [100, 400, 700, 900])
def test_estimate_is_unbiased_and_spreads_as_independent_permutations_would(family, shared):
    """400 pairs of 1,004-word texts that share their first `shared` words; J = (s-4)/(2*1000-(s-4)) by construction."""
    pairs, words = 400, 1004
    first = [f"{numbers((p * 10_000, p * 10_000 + words))}" for p in range(pairs)]
    second = [
        numbers((p * 10_000, p * 10_000 + shared), (p * 10_000 + 5000, p * 10_000 + 5000 + words - shared)) for p in range(pairs)
    ]
    exact = definition.jaccard(first[0], second[0])
    assert exact == pytest.approx((shared - 4) / (2 * (words - 4) - (shared - 4)))
    estimates = (sign(column(first), family=family) == sign(column(second), family=family)).mean(axis=1)
    deviation = (exact * (1 - exact) / 128) ** 0.5
    assert abs(estimates.mean() - exact) < 4 * deviation / pairs**0.5
    assert estimates.std() == pytest.approx(deviation, rel=0.2)


LARGE, PAIRS, MANY = 60_000, 10, 1024


def large_pairs(shift: int) -> tuple[pa.LargeStringArray, pa.LargeStringArray]:
    """Texts of LARGE words, each beside one that begins `shift` words later."""
    first = [numbers((p, p + LARGE)) for p in range(0, PAIRS * 500_000, 500_000)]
    second = [numbers((p + shift, p + shift + LARGE)) for p in range(0, PAIRS * 500_000, 500_000)]
    return column(first), column(second)


def agreement(
    texts_: tuple[pa.LargeStringArray, pa.LargeStringArray], drawn: tuple[np.ndarray, np.ndarray], family: str
) -> float:
    made = [minhash.signatures(*buffers.views(t), ngram=5, permutations=drawn, family=family)[1] for t in texts_]
    return float((made[0] == made[1]).mean())


@pytest.mark.parametrize("shift", [6_667, 20_000, 40_000])
def test_estimate_is_unbiased_for_large_documents_where_products_that_lose_bits_are_not(shift):
    """datasketch's former family was biased there (datasketch#212).

    The control: multipliers with fourteen factors of two, whose products mod 2**32 no longer tell all values apart, are caught.
    """
    shingles = LARGE - 4
    exact = (shingles - shift) / (shingles + shift)
    allowed = 4 * (exact * (1 - exact) / (PAIRS * MANY)) ** 0.5
    pairs = large_pairs(shift)
    for family in minhash.FAMILIES:
        a, b = minhash.permutations(family, MANY)
        assert abs(agreement(pairs, (a, b), family) - exact) < allowed
        assert agreement(pairs, (a << np.uint32(14), b), family) - exact > allowed


@pytest.mark.parametrize("family", minhash.FAMILIES)
@pytest.mark.parametrize(("words", "changed"), [(9, 1), (12, 2), (24, 4)])
def test_estimate_is_unbiased_for_documents_of_a_few_shingles(family, words, changed):
    """Where one shingle is a tenth of the similarity: 4,000 pairs, of which the last words differ."""
    pairs, shingles = 4_000, words - 4
    exact = (shingles - changed) / (shingles + changed)
    first = column([numbers((p * 100, p * 100 + words)) for p in range(pairs)])
    second = column([numbers((p * 100, p * 100 + words - changed), (p * 100 + 50, p * 100 + 50 + changed)) for p in range(pairs)])
    allowed = 4 * (exact * (1 - exact) / (pairs * 128)) ** 0.5
    assert abs((sign(first, family=family) == sign(second, family=family)).mean() - exact) < allowed


@given(st.lists(texts, max_size=6), st.integers(0, 6), st.integers(0, 6))
def test_facts_do_not_depend_on_slices_or_batch_splits(items, start, length):
    options = {"ngram": 2, "permutations": 32, "bands": 4, "rows": 8, "hash_": "default"}
    whole = signatures.annotate(column(items), **options)
    assert whole.schema == signatures.schema(4) and whole.num_rows == len(items)
    embedded = signatures.annotate(column(["x y z", *items, "中文"]).slice(1, len(items)), **options)
    assert embedded.to_pylist() == whole.to_pylist()
    part = signatures.annotate(column(items).slice(start, length), **options)
    assert part.to_pylist() == whole.to_pylist()[start : start + length]


@given(st.lists(texts, min_size=1, max_size=6), st.integers(1, 4))
def test_words_are_counted(items, ngram):
    made = signatures.annotate(column(items), ngram=ngram, permutations=16, bands=4, rows=4, hash_="default")
    assert made["dedup_words"].to_pylist() == [len(definition.words(text)) for text in items]


def test_band_keys_depend_on_the_band_and_on_each_of_its_values():
    least = np.arange(2 * 12, dtype=np.uint32).reshape(2, 12) // 12 * 0 + 7
    least[1, 5] = 8
    keys = minhash.band_keys(least, bands=3, rows=4)
    assert len(set(keys[0].tolist())) == 3
    assert (keys[0] == keys[1]).tolist() == [True, False, True]


def test_nulls_and_too_few_permutations_are_refused():
    with pytest.raises(ValueError, match="null"):
        signatures.shingles(pa.array(["a", None], pa.large_string()), ngram=5)
    with pytest.raises(ValueError, match="permutations"):
        signatures.annotate(column(["a"]), ngram=5, permutations=16, bands=5, rows=4, hash_="default")
    with pytest.raises(ValueError, match="hash"):
        minhash.permutations("md5", 16)
