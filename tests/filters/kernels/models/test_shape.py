"""The shape of a text is what plain Python counts; rows do not touch each other; hostile text costs no more than other text."""

from __future__ import annotations

import time

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from filters import models
from filters.kernels import buffers
from filters.kernels.models import shape, trees, windows
from filters.kernels.models.shape_counts import BUCKETS, COUNTS
from filters.kernels.models.trees import Trees
from filters.models import shape_features
from tests.filters.kernels.models import plain_shape

WORDS = np.arange(BUCKETS, dtype=np.float32)
PIECES = st.sampled_from(
    [
        *(
            "the",
            "The",
            "END",
            "don't",
            "a",
            "café",
            "CAFÉ",
            "слово",
            "Слово",
            "字",
            "かな",
            "हिन्दी",
            "12",
            "7",
            "٣",
            "mp3",
            "3D",
        ),
        *(" ", "  ", "\n", "\n\n", "\t", ". ", ".", "!", "。", "।", "…", "...", ", ", "; ", "(", ")", "”", "'", "| ", "› "),
        *(
            "3D",
            "• ",
            "- ",
            "http://a.b/c",
            "\u00a0",
            "👩\u200d💻",
            "\u0301",
            "#",
            "{x}",
            "%",
            "$5",
            "antidisestablishmentarianism",
        ),
    ]
)
TEXTS = st.lists(st.one_of(PIECES, st.text(max_size=3)), max_size=60).map("".join)


def shaped(texts: list[str]) -> shape.Shape:
    offsets, data = buffers.views(pa.array(texts, pa.large_string()))
    return shape.shape(data, models.whole(offsets), weights=WORDS)


def named(texts: list[str]) -> list[dict[str, int]]:
    return [dict(zip(COUNTS, row, strict=True)) for row in shaped(texts).counts.tolist()]


@settings(max_examples=300, deadline=None)
@given(TEXTS)
def test_counts_are_those_of_plain_python(text):
    (found,) = named([text])
    if not text:
        assert not any(found.values())
        return
    own = (
        *("chars", "letters", "capitals", "digits", "unspaced", "beyond_latin", "signs"),
        *(
            "commas",
            "colons",
            "quotes",
            "brackets",
            "separators",
            "markup",
            "exclamations",
            "questions",
            "ellipses",
            "dashes",
            "percents",
        ),
    )
    plain = plain_shape.counts(text)
    expected = {name: plain[name] for name in own} | plain_shape.words(text) | plain_shape.lines(text)
    assert {name: found[name] for name in expected} == expected


@settings(max_examples=50, deadline=None)
@given(st.lists(TEXTS, max_size=5))
def test_a_row_depends_on_its_own_bytes_alone(texts):
    together, apart = shaped(texts), [shaped([text]) for text in texts]
    for i, one in enumerate(apart):
        assert together.counts[i].tolist() == one.counts[0].tolist()
        assert (together.total[i], together.number[i]) == (one.total[0], one.number[0])


PROSE = "It is a long line of plain words that goes on until it ends well."


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (PROSE, {"lines": 1, "lines_11": 0, "ended_long": 1, "prose_3": 51, "prose_1": 0, "longest_block": 51}),
        (f"{PROSE}\nHome\nNews", {"lines": 3, "lines_5": 2, "ended_long": 1, "changes": 2, "longest_short": 2}),
        ("Home\nNews\nHome\nHOME", {"copies": 2, "copy_chars": 8, "title_lines": 0, "upper_starts": 4}),
        ("Contact Us\nAll Recipes", {"title_lines": 2, "lines_5": 2, "ended_lines": 0}),
        ("A | B | C\n1 2 3", {"separated_lines": 1, "unlettered": 1, "digit_starts": 1}),
        ("He said: “Go!” Then he went. e.g. this", {"sentences": 4}),
        ("one two one two one two", {"tokens": 6, "seen_tokens": 4, "pairs": 5, "seen_pairs": 3}),
        ("NASA and Nasa", {"in_capitals": 1, "capitalised": 2}),
    ],
)
def test_lines_sentences_and_repetition(text, expected):
    (found,) = named([text])
    assert {name: found[name] for name in expected} == expected


def test_a_word_weighs_once_in_a_text_and_its_case_does_not_matter():
    once, often = shaped(["mill", "Mill mill MILL"]).total
    assert once == often > 0
    assert shaped(["mill", "Mill mill MILL"]).number.tolist() == [1, 1]
    offsets, data = buffers.views(pa.array(["a b", "b c a"], pa.large_string()))
    _, buckets, ends = shape.listed(data, models.whole(offsets))
    assert ends.tolist() == [2, 5] and set(buckets[:2]) < set(buckets[2:])


def test_features_are_finite_whatever_the_text():
    texts = ["", " ", "\n", "字", "\ufffd\ufffe", "x" * 10_000, "....", "9" * 50, "\u0301", "a " * 5000]
    found = shape_features.features(shaped(texts), bias=-1.0)
    assert found.shape == (len(texts), len(shape_features.NAMES)) and np.isfinite(found).all()


@pytest.mark.parametrize(
    "text", ["a" * 1_000_000, "a " * 500_000, ". " * 500_000, "\n" * 1_000_000, "字" * 330_000, "'" * 1_000_000]
)
def test_hostile_text_takes_no_longer_than_a_second_a_megabyte(text):
    offsets, data = buffers.views(pa.array([text], pa.large_string()))
    start = time.thread_time()
    shape.shape(data, models.whole(offsets), weights=WORDS)
    assert time.thread_time() - start < 1
    assert (windows.sample(offsets, data, limit=8000)[0, :, 1] <= offsets[1]).all()


def test_a_row_goes_left_up_to_the_bound_and_weights_add_up_to_the_sum():
    made = Trees(
        roots=np.array([0, 3, 6], np.int32),
        feature=np.array([0, -1, -1, 1, -1, -1], np.int16),
        bound=np.array([1, 0, 0, 5, 0, 0], np.float32),
        left=np.array([1, 0, 0, 4, 0, 0], np.int32),
        right=np.array([2, 0, 0, 5, 0, 0], np.int32),
        value=np.array([0.5, -1, 2, 0.25, 0, 1], np.float32),
    )
    features = np.array([[1, 5], [1.001, 5.001], [0, 6]], np.float32)
    assert trees.sums(made, features).tolist() == [-1, 3, 0]
    weights = trees.weighed(made, features)
    assert weights[0].tolist() == [-1.5, -0.25]
    assert np.allclose(weights.sum(axis=1) + 0.75, trees.sums(made, features))
