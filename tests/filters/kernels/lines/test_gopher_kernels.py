"""What the profiles of Gopher's rules ask of words and lines equals plain Python on any Unicode."""

from __future__ import annotations

from dataclasses import astuple
from statistics import median

import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from filters.kernels import buffers, warm
from filters.kernels.lines import gopher

PIECE = st.sampled_from([*"ab#. \n\t\x85\u2028-*•●…", "...", ". . .", "\n\n", "word ", "\u3000", "x" * 1030 + " "])
ANY_TEXT = st.lists(PIECE | st.characters(exclude_categories=["Cs"]), max_size=30).map("".join)
# Both walks go 64 bytes at a time: these texts have several such blocks, whose edges fall anywhere.
LONG = st.lists(PIECE | st.sampled_from(["a longer word", "\xa0", "é"]), min_size=40, max_size=120).map("".join)


@pytest.fixture(autouse=True, scope="module")
def _warm() -> None:
    warm.warm()


def line_facts(text: str) -> tuple[int, ...]:
    lines = text.split("\n")
    filled = [stripped for line in lines if (stripped := line.strip())]
    return (
        len(lines),
        len(filled),
        sum(line.lstrip().startswith(("•", "-")) for line in text.splitlines()),
        sum(line.startswith(("●", "•", "*", "-")) for line in filled),
        sum(line.endswith(("...", ". . .", "…")) for line in filled),
        sum(line.startswith(("*", "-")) for line in lines),
        sum(line.endswith("…") for line in lines),
        text.count(". . ."),
    )


def word_facts(text: str) -> tuple[int, ...]:
    words = text.split()
    middle = median(min(len(word), gopher.LONGEST) for word in words) if words else 0
    return sum("#" in word or "…" in word for word in words), int(2 * middle)


@example(["", "a", "- a\n\x85 • b\n*", ". . . . .\n…\n"], 1)
@given(st.lists(ANY_TEXT | LONG, max_size=5), st.integers(0, 5))
def test_facts_equal_plain_python_on_any_unicode_and_do_not_depend_on_slices(texts: list[str], cut: int) -> None:
    array = pa.array(["-", *texts, "…"], pa.large_string()).slice(1, len(texts))
    for kernel, twin in ((gopher.lines, line_facts), (gopher.words, word_facts)):
        expected = [twin(text) for text in texts]
        found = []
        for part in (array.slice(0, cut), array.slice(cut)):
            columns = astuple(kernel(*buffers.views(part)))
            found += [tuple(column[i].item() for column in columns) for i in range(len(part))]
        assert found == expected
