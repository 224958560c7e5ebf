"""The line-edit kernels equal plain Python on any text, whatever the slices, and report a change exactly where there is one."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, example, given
from hypothesis import strategies as st

from filters.kernels import buffers
from filters.kernels.lines import c4_lines, line_edits, phrases, refinedweb_lines, repeats
from tests.filters.edits import oracles
from tests.support import examples

CHECKS = examples(2, suppress_health_check=[HealthCheck.too_slow])
ANY_CHAR = st.characters(exclude_categories=["Cs"])
BREAKS = st.sampled_from(["\n", "\n\n", "\n\n\n", "\r\n", "\r", "\x0b", "\x1c", "\x85", "\u2028", " \n ", "\u3000"])
PIECES = st.sampled_from(
    [
        *(
            "one two three",
            "It ends here.",
            "so...",
            "“quoted”",
            'said "no"',
            "it's'",
            "x" * 12,
            "Привет мир!",
            "中文。",
            "a b",
            ".",
        ),
        *(
            "[1]",
            "[edit]",
            "[citation needed]",
            "[٣]",
            "[",
            "[12",
            "[]",
            "[edit",
            "lorem ipsum",
            "Lorem\u00a0ipsum",
            "lorem[1] ipsum",
        ),
        *(
            "{",
            "JavaScript",
            "java[2]script",
            "coo\u212aie policy",
            "Use COOKIES",
            "terms of use",
            "SHOUTING LINE",
            "ⅣⒶǅ",
            "²³",
            "١٢٣",
        ),
        *("1,024 likes", "3\u212a views", "* 5.1M  Followers *", "7 like", "7likes", "items in cart", "2 ITEMS IN CART now", "İ"),
        *(
            "Read more...",
            "read more »»»",
            "\u2003Read more...",
            "Sign-in",
            "sign-in here",
            "SIGN-IN\u00a0",
            "\x00",
            "\ufeff",
            "e\u0301",
        ),
    ]
)
TEXTS = st.lists(PIECES | BREAKS | st.text(ANY_CHAR, max_size=3), max_size=14).map("".join) | st.lists(
    PIECES | BREAKS, max_size=14
).map(" ".join)

C4 = st.builds(
    c4_lines.LineRules,
    whole=st.booleans(),
    max_word_length=st.sampled_from([0, 8, 1000]),
    citations=st.booleans(),
    punctuation=st.booleans(),
    min_words=st.sampled_from([0, 1, 3]),
    javascript=st.booleans(),
    policy=st.booleans(),
)
PUBLISHED = c4_lines.LineRules(False, 1000, True, True, 3, True, True)
REFINEDWEB = st.builds(
    refinedweb_lines.LineRules,
    newlines=st.booleans(),
    max_capitals=st.sampled_from([0.25, 0.5, 1.0]),
    max_digits=st.sampled_from([0.5, 0.999999, 1.0]),
    counters=st.booleans(),
    min_words=st.sampled_from([0, 2]),
    phrases=st.booleans(),
)
DCLM = refinedweb_lines.LineRules(True, 0.5, 0.999999, True, 2, True)


@pytest.fixture(autouse=True, scope="module")
def _warm() -> None:
    """Compiling counts against hypothesis' deadline."""
    line_edits.warm()


Kernel = Callable[..., tuple[np.ndarray, np.ndarray, np.ndarray]]


def holds(texts: list[str], kernel: Kernel, oracle: Callable[[str], str]) -> None:
    array = pa.array(["before one. \n", *texts, "\nafter."], pa.large_string())[1:]
    starts, data, changes = kernel(*buffers.views(array))
    made = [data[a:b].tobytes().decode() for a, b in pairwise(starts)]
    assert made == [oracle(text) for text in [*texts, "\nafter."]]
    assert (changes != 0).tolist() == [new != old for new, old in zip(made, [*texts, "\nafter."], strict=True)]


@CHECKS
@given(st.lists(TEXTS, max_size=4), C4)
@example(["lorem ipsum javascript. a", "a b javascript {.\nx y use cookies {.", "one two so[1]...", "[1] [2] [3]"], PUBLISHED)
@example(["a b c.\n", "a b c.\r\n", "\na b c.", " a b c.", "a b c [1]\nd e f.[2]"], PUBLISHED)
def test_c4_lines_are_datatroves_and_dolmas(texts: list[str], rules: c4_lines.LineRules) -> None:
    holds(texts, lambda offsets, data: c4_lines.clean(offsets, data, rules), lambda text: oracles.c4(text, rules))


@CHECKS
@given(st.lists(TEXTS, max_size=4), REFINEDWEB)
@example(["1 a\nread more...\nx y Read more...  ", "  Sign-in a\nb c", "Sign-in\n  sign-in b c", "\n\n\na b\n\n\n\nc d"], DCLM)
def test_refinedweb_lines_are_dclms(texts: list[str], rules: refinedweb_lines.LineRules) -> None:
    holds(texts, lambda offsets, data: refinedweb_lines.clean(offsets, data, rules), lambda text: oracles.refinedweb(text, rules))


BLOCKS = st.lists(
    st.sampled_from(["abc", "abcd", " abcd ", "abcd\t", "efgh ijkl", "жзик", "x", "", " ", "\u2003", "abcd efgh"]), max_size=20
)


@CHECKS
@given(st.lists(BLOCKS.map("\n".join) | TEXTS, max_size=4), st.sampled_from([1, 3, 4, 5, 9]))
@example(["abcd\n\nabcd\n\nabcd", "abcd\nabcd\nabcd", "x\nabcd\n\nx\nabcd\n\ny"], 4)
def test_repeats_are_the_definition(texts: list[str], min_chars: int) -> None:
    holds(texts, lambda offsets, data: repeats.cut(offsets, data, min_chars), lambda text: oracles.repeats(text, min_chars))


@CHECKS
@given(st.lists(TEXTS | st.text("ab1_ .\n\té\u3000", min_size=100, max_size=300), max_size=4))
def test_counted_words_are_split_words_that_begin_with_a_letter_or_digit(texts: list[str]) -> None:
    counts = refinedweb_lines.counted_words(*buffers.views(pa.array(texts, pa.large_string())))
    assert counts.tolist() == [sum(word[0].isalnum() for word in text.split()) for text in texts]


WANTED = ("a", "aa", "ab", "bab", "lorem ipsum", "k k", "{")


@CHECKS
@given(st.text(st.sampled_from("aAbBkK\u212a{ lorempsuéж"), max_size=60))
@example("LOREM IPSUM ABABAB \u212a K{")
def test_phrases_are_found_as_python_finds_them_in_lower_case(text: str) -> None:
    found = phrases.found(*buffers.views(pa.array(["aa", text], pa.large_string())[1:]), phrases.compile_phrases(WANTED))
    assert found.tolist() == [sum(1 << k for k, phrase in enumerate(WANTED) if phrase in text.lower())]


@pytest.mark.parametrize(
    "text",
    ["a\n" * 500_000, "[1" * 500_000, "read more" * 110_000, "x" * 1_000_000, ("y" * 120 + "\n") * 8_000, " \n" * 400_000],
    ids=["short lines", "open citations", "phrases", "one word", "one repeated line", "blank lines"],
)
def test_a_text_made_to_be_slow_takes_no_longer_than_any_other(text: str) -> None:
    import time

    array = buffers.views(pa.array([text], pa.large_string()))
    for kernel in (
        lambda: c4_lines.clean(*array, PUBLISHED),
        lambda: refinedweb_lines.clean(*array, DCLM),
        lambda: repeats.cut(*array, 100),
    ):
        start = time.process_time()
        kernel()
        assert time.process_time() - start < 1  # 1 MB: tens of milliseconds; quadratic would be minutes
