"""The word kernel equals the definition on any Unicode: same words, in the same order, hashed by a plain-Python twin."""

from __future__ import annotations

import re
import sys
import time
from itertools import pairwise

import numba
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from filters.kernels import buffers
from filters.kernels.unicode import unicode_words
from filters.kernels.words import words
from tests.support import examples
from tests.text import definition
from tests.text.twins import column, long_texts, texts, word_hash


def hashes(array: pa.LargeStringArray) -> list[list[int]]:
    starts, found = dedup_words(*buffers.views(array))
    return [found[a:b].tolist() for a, b in pairwise(starts)]


def dedup_words(offsets: np.ndarray, data: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """`(starts int64[n + 1], hashes uint64[:])`: the words of row i have `hashes[starts[i]:starts[i + 1]]`."""
    starts = np.zeros(len(offsets), np.int64)
    hashes = np.empty((offsets[-1] - offsets[0] + len(offsets)) // 2 + words.SPARE, np.uint64)
    _dedup_words(offsets, data, *unicode_words.tables(), starts, hashes)
    return starts, hashes[: starts[-1]]


@numba.njit
def _dedup_words(offsets, data, blocks, cells, ascii_, starts, hashes):
    n = 0
    for i in range(offsets.size - 1):
        found, _ = words.next_words(data, offsets[i], offsets[i], offsets[i + 1], blocks, cells, ascii_, hashes[n:])
        n += found
        starts[i + 1] = n


@examples(4)
@given(st.lists(texts | long_texts, max_size=5))
@example(["ΑΣ", "ΑΣΑ", "Σ", " Σ", "Α'Σ'", "Α'Σ'Α", "ΣΣΣ", "ΑΣ中", "中Σ", "ΑΣ"])
@example(["İİİ", "aİb", "İ", "İ中", "ABCDEFGİHIJKLMNOPQRSTUVWXYZ"])
@example(["\0", "a\0b", "", "abcdefgh", "abcdefghi", "a" * 64, "ж" * 33, "aж" * 20, "é" * 3 + "ab" + "𐐀" * 9])
def test_hashes_are_those_of_the_defined_words(items):
    assert hashes(column(items)) == [[word_hash(word) for word in definition.words(text)] for text in items]


@given(st.lists(texts | long_texts, max_size=6), st.integers(0, 6), st.integers(0, 6))
def test_slices_and_batches_give_the_same_hashes(items, start, length):
    whole = hashes(column(items))
    assert hashes(column(["ΑΣ", *items, "Α"]).slice(1, len(items))) == whole
    assert hashes(column(items).slice(start, length)) == whole[start : start + length]


def test_every_code_point_is_lowered_and_split_as_python_does():
    points = [chr(c) for c in range(sys.maxunicode + 1) if not 0xD800 <= c < 0xE000]
    text = (
        "\n".join(points) + "\n" + "".join(f"a{c}b\n" for c in points[:0x3400]) + "".join(f"Α{c}Σ{c}Α\n" for c in points[:0x3400])
    )
    assert hashes(column([text])) == [[word_hash(word) for word in definition.words(text)]]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The QUICK brown-fox_1", ["the", "quick", "brown", "fox_1"]),
        ("ΟΔΟΣ ΟΔΟΣ. ΣΑΣ", ["οδος", "οδος", "σας"]),
        ("İstanbul", ["i", "stanbul"]),
        ("北京abc大学", ["北", "京", "abc", "大", "学"]),
        ("กิน", ["ก", "น"]),
        ("カード123ﾊﾝ", ["カ", "ー", "ド", "123", "ﾊ", "ﾝ"]),
        ("한국어 단어", ["한국어", "단어"]),
        ("नमस्ते", ["नमस", "त"]),
        ("x² ½ ⅷ", ["x²", "½", "ⅷ"]),
    ],
)
def test_words_of_known_texts(text, expected):
    assert definition.words(text) == expected
    assert hashes(column([text])) == [[word_hash(word) for word in expected]]


@pytest.mark.parametrize("before", range(0, 130, 13))
@pytest.mark.parametrize("size", [1, 7, 8, 9, 16, 17, 55, 56, 63, 64, 65, 72, 128, 200])
def test_words_across_every_step_of_64_bytes(before, size):
    text = " " * before + "W" * size + " end" + "-" * 100
    assert hashes(column([text, text[before:], "é" + text])) == [
        [word_hash(word) for word in definition.words(item)] for item in (text, text[before:], "é" + text)
    ]


def test_words_without_unspaced_scripts_are_pythons_own():
    text = "Ünïcode_9 words, naïve co-op ΣΊΣΥΦΟΣ ДОМ שלום 12½ e\u0301"
    assert definition.words(text) == re.findall(r"\w+", text.lower())


def test_hostile_sigmas_take_linear_time():
    texts = column(["Α" + "'" * 300_000 + "Σ", "Σ'" * 150_000, "Α" + "Σ" * 150_000, "Σ" + "\u0301" * 150_000 + "Σ"])
    hashes(column(["a"]))
    start = time.process_time()
    dedup_words(*buffers.views(texts))
    assert time.process_time() - start < 1


def test_hash_bits_are_balanced_and_differ_between_similar_words():
    found = np.array(hashes(column([" ".join(f"w{i}" for i in range(20_000))]))[0], np.uint64)
    assert len(np.unique(found)) == len(found)
    bits = np.unpackbits(found.view(np.uint8)).reshape(-1, 64)
    assert (abs(bits.mean(axis=0) - 0.5) < 0.02).all()
    flips = np.bitwise_count(found[1:] ^ found[:-1])
    assert abs(flips.mean() - 32) < 0.2


def test_tables_are_ready_in_a_fraction_of_a_second():
    unicode_words.tables.cache_clear()
    start = time.process_time()
    unicode_words.tables()
    assert time.process_time() - start < 0.5
