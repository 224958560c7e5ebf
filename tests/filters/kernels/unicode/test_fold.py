"""Folded white space equals plain Python on any Unicode, and the kernel's ranges hold every white space that Python knows."""

from __future__ import annotations

import sys
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from filters.kernels import buffers, warm
from filters.kernels.unicode import fold
from filters.kernels.unicode.ascii_words import BYTES

SPACES = [chr(code) for code in range(sys.maxunicode + 1) if chr(code).isspace()]
# Characters that begin as a white space does, in one byte or two: what the walk over 64 bytes must not take for one.
ALIKE = [*"\x08\x0e\x1b!\u0080\u0086é«\u1681\u200b\u200d“…\u2060\u3001あ𐀀"]
ANY_CHAR = st.characters(exclude_categories=["Cs"])
# Pieces of many lengths, so that white space falls on every place of a block, and across two.
PIECE = st.sampled_from([*SPACES, *ALIKE, "  ", "\r\n", "word", "x" * 61, " " * 70, "я" * 33]) | st.text(ANY_CHAR, max_size=3)
ANY_TEXT = st.lists(PIECE, max_size=40).map("".join) | st.text(ANY_CHAR)


@pytest.fixture(autouse=True, scope="module")
def _warm() -> None:
    """Compiling counts against hypothesis' deadline."""
    warm.warm()


def folded(array: pa.LargeStringArray) -> list[bytes]:
    starts, data = fold.folded(*buffers.views(array))
    assert (starts.dtype, data.dtype, len(starts), starts[0], starts[-1]) == (np.int64, np.uint8, len(array) + 1, 0, len(data))
    return [data[a:b].tobytes() for a, b in pairwise(starts)]


def expected(texts: list[str]) -> list[bytes]:
    return [" ".join(text.split()).encode() for text in texts]


@given(st.lists(ANY_TEXT, max_size=8), st.integers(0, 8), st.integers(0, 8))
@example(["", " ", " \n" * 100, "", "a" * 200, "\u3000" * 90, ""], 0, 7)
def test_rows_are_pythons_split_and_join_whatever_the_slice(texts: list[str], start: int, length: int) -> None:
    array = pa.array(["before ", *texts, "\t after"], pa.large_string()).slice(1, len(texts))
    assert folded(array) == expected(texts)
    assert folded(array.slice(start, length)) == expected(texts[start : start + length])


@pytest.mark.parametrize("space", SPACES, ids=lambda space: f"U+{ord(space):04X}")
def test_every_white_space_is_folded_at_every_place_of_a_block(space: str) -> None:
    before = range(BYTES + 4)
    texts = ["é" + "a" * n + space + "b" * 140 for n in before] + ["a" * n + space * 2 + "é" * 90 + space for n in before]
    assert folded(pa.array(texts, pa.large_string())) == expected(texts)


def test_the_ranges_hold_every_white_space_and_no_other_ascii() -> None:
    """Other characters may begin as a wide space does: they are looked up."""
    narrow = {chr(code) for first, last in fold.ASCII_SPACES for code in range(first, last + 1)}
    assert narrow == {space for space in SPACES if space.isascii()}
    for first, second, *_ in (space.encode() for space in SPACES if not space.isascii()):
        assert any(a <= first <= b and c <= second <= d for (a, b), (c, d) in fold.WIDE_SPACES)


def test_characters_that_begin_alike_stay() -> None:
    texts = [f"{'a' * n}{char}{'b' * 140}" for char in ALIKE for n in (0, 62, 63, 64)]
    assert folded(pa.array(texts, pa.large_string())) == [text.encode() for text in texts]


def test_an_array_without_rows_has_no_bytes() -> None:
    assert folded(pa.array([], pa.large_string())) == []
