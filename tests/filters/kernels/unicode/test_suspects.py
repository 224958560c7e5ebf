"""Suspect characters are found wherever they stand, whatever lies around a text, as plain Python finds them."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from filters.kernels import buffers, warm
from filters.kernels.unicode.suspects import suspects

# One suspect for each length of UTF-8, and characters that share its first byte.
SUSPECTS = "\r\u0301\u0fb7\u2126\U0001d15e"
PIECE = st.sampled_from([*SUSPECTS, *"\u0308\u0fb8\u2127\U0001d15d\t\n\x7f\u0080", "a" * 61, "я" * 33, "word"])
TEXT = st.lists(PIECE | st.text(st.characters(exclude_categories=["Cs"]), max_size=3), max_size=20).map("".join)


@pytest.fixture(autouse=True, scope="module")
def _warm() -> None:
    """Compiling counts against hypothesis' deadline."""
    warm.warm()


def tables() -> tuple[np.ndarray, np.ndarray]:
    points, leads = np.zeros(0x110000, bool), np.zeros(256, bool)
    points[[ord(char) for char in SUSPECTS]] = True
    leads[[char.encode()[0] for char in SUSPECTS]] = True
    return buffers.frozen(points), buffers.frozen(leads)


def places(text: str) -> list[int]:
    sizes = [len(char.encode()) for char in text]
    return [sum(sizes[:i]) for i, char in enumerate(text) if char in SUSPECTS]


def has_long_run(at: list[int], long_run: int) -> bool:
    steps = [b - a <= 4 for a, b in pairwise(at)]
    return any(all(steps[i : i + long_run]) for i in range(len(steps) - long_run + 1))


@given(st.lists(TEXT, max_size=6), st.integers(0, 6), st.integers(1, 4))
@example(["\u0301" * 3, "\u0301" * 2, "a"], 0, 2)
@example(["\r", "\r"], 0, 1)  # a run ends with its text
def test_finds_what_plain_python_finds_in_any_slice(texts: list[str], start: int, long_run: int) -> None:
    array = pa.array(["\r", *texts, "\u0301"], pa.large_string()).slice(1, len(texts)).slice(start)
    found, long = suspects(*buffers.views(array), *tables(), long_run=long_run)
    at = [places(text) for text in texts[start:]]
    assert found.tolist() == [bool(positions) for positions in at]
    assert long.tolist() == [has_long_run(positions, long_run) for positions in at]


@pytest.mark.parametrize("suspect", SUSPECTS)
def test_a_suspect_is_found_at_every_place_of_a_block(suspect: str) -> None:
    texts = ["a" * n + suspect + "b" * m for n in range(70) for m in (0, 1, 80)]
    found, _ = suspects(*buffers.views(pa.array(texts, pa.large_string())), *tables(), long_run=1)
    assert found.all()
