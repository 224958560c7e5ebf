"""Repeated lines and paragraphs equal plain Python, however they are cut."""

from __future__ import annotations

from dataclasses import astuple

import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from filters.kernels import buffers, warm
from filters.kernels.lines import segments

PIECE = st.sampled_from([*"ab \n\n\n\t\xa0\u3000é日", "\n\n", "\r\n", "x" * 70, "\x85", "a\n"])
ANY_TEXT = st.lists(PIECE | st.characters(exclude_categories=["Cs"]), max_size=40).map("".join) | st.text("ab\n", max_size=60)
KINDS = [segments.LINES, segments.PARAGRAPHS, segments.RUNS, segments.BLOCKS, segments.ALL]


@pytest.fixture(autouse=True, scope="module")
def _warm() -> None:
    warm.warm()


def measured(array: pa.LargeStringArray, kind: int, **options: int) -> list[tuple[int, ...]]:
    columns = astuple(segments.segments(*buffers.views(array), kind=kind, **options))
    return [tuple(column[i].item() for column in columns) for i in range(len(array))]


@example(["", "\n", "\n\n", "a\n\nb\n\n\na\n\n", "a\nb\na"], 1)
@given(st.lists(ANY_TEXT, max_size=5), st.integers(0, 5))
def test_segments_equal_plain_python_on_any_unicode_and_do_not_depend_on_slices(texts: list[str], cut: int) -> None:
    array = pa.array(["cut\n", *texts, "\ncut"], pa.large_string()).slice(1, len(texts))
    for kind in KINDS:
        expected = [segments.in_python(text, kind) for text in texts]
        assert measured(array, kind) == expected
        assert measured(array, kind, max_probes=0) == expected
        assert [*measured(array.slice(0, cut), kind), *measured(array.slice(cut), kind)] == expected


@pytest.mark.parametrize("kind", KINDS)
def test_tables_grow_for_many_short_lines_and_for_large_texts(kind: int) -> None:
    texts = ["\n".join(map(str, range(3_000))), "\n\n".join(f"{n % 150_000}" for n in range(200_000))]
    assert len(texts[1]) > segments.LARGE
    assert measured(pa.array(texts, pa.large_string()), kind) == [segments.in_python(text, kind) for text in texts]


@pytest.mark.parametrize(
    ("text", "kind", "expected"),
    [
        ("a\nb\na\n", segments.LINES, (3, 3, 1, 1, 2, 2)),
        ("a\nb\na\n", segments.RUNS, (4, 3, 1, 1, 2, 2)),
        ("\na\n", segments.RUNS, (3, 1, 1, 0, 2, 0)),
        ("a\n\n\na", segments.ALL, (4, 2, 2, 1, 4, 2)),
        ("ab\n\n ab\n\n\nab \n\nc", segments.PARAGRAPHS, (4, 7, 2, 4, 3, 6)),
        ("ab\n\n ab\n\n\nab \n\nc", segments.BLOCKS, (4, 9, 0, 0, 0, 0)),
        ("", segments.LINES, (0, 0, 0, 0, 0, 0)),
        ("", segments.ALL, (1, 0, 0, 0, 0, 0)),
    ],
)
def test_segments_of_examples(text: str, kind: int, expected: tuple[int, ...]) -> None:
    assert measured(pa.array([text], pa.large_string()), kind) == [expected]
