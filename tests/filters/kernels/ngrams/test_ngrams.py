"""The n-gram measures equal plain Python over the list of words, on any Unicode and on hostile input."""

from __future__ import annotations

import tracemalloc
from collections import Counter
from dataclasses import asdict

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters.kernels import buffers, warm
from filters.kernels.ngrams import ngrams, ngrams_large
from filters.kernels.unicode import char_classes
from filters.kernels.words import tokens

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


LETTERS = np.random.default_rng(1).choice(list("abcdefghijklmnop"), 40_000).tolist()
HOSTILE = {
    "words of one letter": LETTERS,
    "one letter": ["a"] * 40_000,
    "everything twice": [f"{word}{k % 97}" for k, word in enumerate(LETTERS)] * 2,
    "letters twice": LETTERS * 2,
    "all words differ": [f"{k:x}" for k in range(20_000)],
    "signs": ["!?.", "!!", "..,"] * 20_000,
}


@given(ANY_TEXT)
def test_passes_over_a_large_text_give_what_one_table_gives(text: str) -> None:
    _, data = buffers.views(pa.array([text], pa.large_string()))
    found = ngrams_large.measured(data[: len(text.encode())], kind=0, tables=char_classes.tables(), scan=True, max_probes=64)
    assert found == flat(measures(text.split()))


@pytest.mark.parametrize("kind", [ngrams.SPLIT, tokens.DATATROVE, tokens.DCLM])
@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_texts_in_chunks_and_parts_are_measured_as_in_one_table(
    monkeypatch: pytest.MonkeyPatch, name: str, kind: int
) -> None:
    array = pa.array([" ".join(HOSTILE[name])], pa.large_string())
    offsets, data = buffers.views(array)
    whole = asdict(ngrams.repetition(offsets, data, kind=kind))
    monkeypatch.setattr(ngrams, "LARGE", 1_000)
    monkeypatch.setattr(ngrams_large, "SMALLEST", 1_000)
    monkeypatch.setattr(ngrams_large, "_CHUNK", 500)
    large = asdict(ngrams.repetition(offsets, data, kind=kind))
    assert {name: column.tolist() for name, column in large.items()} == {name: c.tolist() for name, c in whole.items()}


@pytest.mark.parametrize("size", [1_000_001, 10_000_000, 1_000_000_000])
@pytest.mark.parametrize("bytes_per_word", [1, 2, 3, 6, 12, 100])
def test_scratch_is_at_most_three_times_the_text(size: int, bytes_per_word: int) -> None:
    assert ngrams_large.scratch(size, size // bytes_per_word).nbytes() <= 3 * size


def test_memory_of_words_of_one_letter_stays_below_three_times_the_text() -> None:
    text = " ".join(np.random.default_rng(0).choice(list("abcdefgh"), 600_000).tolist())
    views = buffers.views(pa.array([text], pa.large_string()))
    tracemalloc.start()
    ngrams.repetition(*views, kind=ngrams.SPLIT)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak <= 3 * len(text)


def flat(found: dict[str, int | list[int]]) -> list[int]:
    return [number for value in found.values() for number in (value if isinstance(value, list) else [value])]
