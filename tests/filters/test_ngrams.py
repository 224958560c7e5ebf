"""The n-gram measures equal plain Python over the list of words, on any Unicode and on hostile input."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters.kernels import buffers, ngrams, warm

ANY_CHAR = st.characters(exclude_categories=["Cs"])
WORD = st.sampled_from(["a", "b", "ab", "long", "è", "日本", "\0", "x" * 70, "é" * 40, "a" * 8, "a" * 9])
SPACE = st.sampled_from([" ", "  ", "\n", "\u3000", "\xa0", "\u2003", "\x85"])
RUNS = st.lists(st.tuples(st.lists(WORD, max_size=8), st.integers(1, 6)), max_size=6).map(
    lambda runs: " ".join(" ".join(words * times) for words, times in runs)
)
ANY_TEXT = RUNS | st.lists(WORD | SPACE | ANY_CHAR).map("".join) | st.text("ab ", max_size=80)


@pytest.fixture(autouse=True, scope="module")
def _warm() -> None:
    warm.warm()


def measures(words: list[str]) -> dict[str, int | list[int]]:
    """Every measure of `ngrams.Repetition` of one list of words, as its docstrings say it."""
    found: dict[str, list[int]] = {name: [] for name in MEASURES}
    for n in (*ngrams.TOP, *ngrams.REPEATED):
        grams = [tuple(words[k : k + n]) for k in range(len(words) - n + 1)]
        counts = Counter(grams)
        size = {gram: sum(map(len, gram)) for gram in counts}
        if n in ngrams.TOP:
            first, most = counts.most_common(1)[0] if grams else ((), 0)
            found["top_count"].append(most)
            found["top_longest"].append(max((size[gram] for gram, count in counts.items() if count == most), default=0))
            found["top_first"].append(sum(map(len, first)))
            continue
        places = [k for k, gram in enumerate(grams) if counts[gram] > 1]
        found["covered"].append(sum(len(words[k]) for k in {k + offset for k in places for offset in range(n)}))
        found["repeated"].append(sum(size[grams[k]] for k in places))
        found["total"].append(sum(map(size.get, grams)))
        found["scanned"].append(scan(grams, n))
    return {"words": len(words), "chars": sum(map(len, words)), **found}


MEASURES = ["top_count", "top_longest", "top_first", "covered", "repeated", "total", "scanned"]


def scan(grams: list[tuple[str, ...]], n: int) -> int:
    met: set[tuple[str, ...]] = set()
    found = place = 0
    while place < len(grams):
        if grams[place] in met:
            found += sum(map(len, grams[place]))
            place += n
        else:
            met.add(grams[place])
            place += 1
    return found


def measured(array: pa.LargeStringArray, **options: int) -> list[dict[str, int | list[int]]]:
    columns = asdict(ngrams.repetition(*buffers.views(array), kind=ngrams.SPLIT, **options))
    return [{name: column[i].tolist() for name, column in columns.items()} for i in range(len(array))]


@given(st.lists(ANY_TEXT, max_size=5), st.integers(0, 5))
def test_measures_equal_plain_python_on_any_unicode_and_do_not_depend_on_slices(texts: list[str], cut: int) -> None:
    array = pa.array(["cut cut", *texts, "cut"], pa.large_string()).slice(1, len(texts))
    expected = [measures(text.split()) for text in texts]
    assert measured(array) == expected
    assert [*measured(array.slice(0, cut)), *measured(array.slice(cut))] == expected


@given(ANY_TEXT)
def test_sorting_gives_what_the_hash_table_gives(text: str) -> None:
    array = pa.array([text], pa.large_string())
    assert measured(array, max_probes=0) == measured(array) == [measures(text.split())]


def test_long_texts_are_measured_with_scratch_of_their_own() -> None:
    numbers = np.random.default_rng(0).integers(0, 300, 400_000)
    text = " ".join(f"w{number}" for number in numbers.tolist())
    assert len(text) > ngrams.LARGE
    array = pa.array(["a a a", text, "b b"], pa.large_string())
    assert measured(array) == [measures(part.split()) for part in ("a a a", text, "b b")]
