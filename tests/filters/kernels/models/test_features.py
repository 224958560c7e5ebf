"""The token kernel against its plain Python, and the windows that are cut from tokens."""

from __future__ import annotations

import itertools
import re

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters import models
from filters.contract import TextBatch
from filters.kernels import buffers
from filters.kernels.models import bags, features, passages
from tests.filters.kernels.models.plain_tokens import plain

PIECES = st.sampled_from(
    [
        "aaa",
        "Aa",
        "'",
        "*",
        "@",
        "$",
        "0",
        "19",
        "!",
        "!!",
        "..",
        "…",
        "“",
        "’",
        "–",
        "\n",
        "\r",
        "\t",
        " ",
        "\u2028",
        "\u2003",
        "‿",
        "⁀",
        "\x85",
        "\xa0",
        "©",
        "«",
        "×",
        "Þ",
        "ß",
        "Σ",
        "ς",
        "\u03a2",
        "Ω",
        "Я",
        "Ѐ",
        "中。",
        "é",
        "é",
        "😀",
        "\x7f",
        "\x1e",
    ]
)
TEXT = st.lists(st.one_of(PIECES, st.text(st.characters(exclude_categories=["Cs"]), max_size=4))).map("".join)


def tokens(texts: list[str]) -> list[str]:
    offsets, data = buffers.views(pa.array(texts, pa.large_string()))
    starts, made = features.features(data, models.whole(offsets))
    return [made[a:b].tobytes().decode() for a, b in itertools.pairwise(starts)]


@pytest.mark.parametrize(
    ("text", "made"),
    [
        ("Don't STOP!!! Now.", "don't stop !! now . "),
        ("sooo coool, www III ok", "so col , w i ok "),
        ("f**k sh1t a$$ 'quoted'", "f**k sh1t a $$ ' quoted ' "),
        ("1,234.5 3rd mp3s", "0 , 0 . 0 0 rd mp3s "),
        ("“Yes” – it’s…", '" yes " - it\'s . '),
        ("a\r\n\n  \n b\u2028c", "a \x1e b \x1e c "),
        ("ÀÉ× ΑΩ ПЯ Ж", "àé× αω пя ж "),
        ("", ""),
    ],
)
def test_what_becomes_of_a_text(text, made):
    assert tokens([text]) == [made] == [plain(text)]


@given(st.lists(TEXT, max_size=5))
def test_kernel_equals_plain_python(texts):
    assert tokens(texts) == [plain(text) for text in texts]


@given(TEXT, TEXT)
def test_parts_of_a_text_are_made_into_tokens_each_by_itself(one, other):
    a, b = one.encode(), other.encode()
    data = np.frombuffer(a + b"xxx" + b, np.uint8)
    spans = np.array([[[0, len(a)], [len(a) + 3, len(a) + 3 + len(b)]]], np.int64)
    starts, made = features.features(data, spans)
    assert made.tobytes().decode() == plain(one) + plain(other)
    assert starts.tolist() == [0, len(made)]


def cut(text: str, size: int) -> list[str]:
    """The oracle of `passages`."""
    windows, window, words = [], "", 0
    for i, char in enumerate(text):
        window += char
        if char in " \n":
            if len(window) == 1 or window[-2] in " \n":
                continue
            words += 1
            if words >= 2 * size or (words >= size and (char == "\n" or window[-2] in ".!?")):
                windows.append(window)
                window, words = "", 0
        elif len(window.encode()) >= 2 * size * passages.WORD_BYTES and i + 1 < len(text):
            windows.append(window)
            window, words = "", 0
    if windows and words <= size // 2:
        windows[-1] += window
    else:
        windows.append(window)
    return windows


@given(st.lists(st.lists(st.sampled_from(["a", "bc", ".", "?!", "\n", " ", "é", "中" * 9])).map("".join)), st.integers(1, 4))
def test_windows_equal_plain_python_and_cover_the_text(texts, size):
    offsets, data = buffers.views(pa.array(texts, pa.large_string()))
    owner, spans = passages.passages(offsets, data, size=size)
    assert [data[a:b].tobytes().decode() for a, b in spans[:, 0]] == [window for text in texts for window in cut(text, size)]
    assert owner.tolist() == [i for i, text in enumerate(texts) for _ in cut(text, size)]


@given(st.text(" \na.é中", max_size=400), st.integers(1, 3))
def test_windows_of_long_texts_equal_plain_python(text, size):
    offsets, data = buffers.views(pa.array(["before", text, "behind" * 20], pa.large_string()))
    owner, spans = passages.passages(offsets, data, size=size)
    assert [data[a:b].tobytes().decode() for a, b in spans[owner == 1, 0]] == cut(text, size)


@given(st.lists(TEXT, max_size=5))
def test_a_bag_has_the_different_words_of_its_text_in_order(texts):
    offsets, data = buffers.views(pa.array(texts, pa.large_string()))
    made = bags.bags(data, models.whole(offsets))
    words = [made.bytes[a:b].tobytes().decode() for a, b in itertools.pairwise(made.starts[: made.ends.max(initial=0) + 1])]
    begin = 0
    for text, total, end in zip(texts, made.totals, made.ends, strict=True):
        own = [token for token in plain(text).split(" ") if re.match("[a-z\u00c0-\U0010ffff]", token)]
        assert words[begin:end] == list(dict.fromkeys(own)) and total == len(own)
        begin = end


def test_filters_of_one_batch_share_windows_and_their_words():
    batch = TextBatch(pa.array(["a b", "c d", "e f"]))
    wanted = np.array([True, False, True])
    assert batch.part(wanted).windows(150).bags is batch.part(wanted.copy()).windows(150).bags
    assert batch.part(wanted).text.to_pylist() == ["a b", "e f"] and batch.part(np.ones(3, bool)) is batch
    assert batch.windows(150) is not batch.windows(50)
