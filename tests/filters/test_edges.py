"""What each published rule set makes of texts at the edge. The decisions stand in the filters' docstrings, under "Edges".

The table names the rules that drop a text; the 50 words, 5 sentences and 2 stop words that prose must have are given where
they are not the point.
"""

from __future__ import annotations

import pyarrow as pa
import pytest

from filters import c4, fineweb, gopher_quality, gopher_repetition
from filters.contract import Filter, TextBatch, judge
from filters.edits import c4_lines, refinedweb_lines, repetition_within
from filters.edits.contract import apply
from tests.filters.test_golden import polars_table

PROSE = " ".join(f"{word} day." for word in ["One", "Two", "Three", "Four", "Five", "Six", "Seven", "Eight", "Nine", "Ten"])
LETTERS = str.maketrans("0123456789", "abcdefghij")
EDGES = {
    "no words": "",
    "no lines": " \n \n\n",
    "one line": f"{PROSE} The end of it is near.",
    "fewer words than n": "To be, that is it.",
    "NUL": f"{PROSE}\0 \0\0",
    "right to left": "השוק נפתח בשעה שבע בבוקר. הדוכנים מלאים בפירות.\nمرحبا بكم في المدينة القديمة.",
    "combining marks": f"{PROSE} cafe\u0301 cre\u0300me bru\u0302le\u0301e.",
    "emoji sequences": "👩\u200d💻 👨\u200d👩\u200d👧 🇫🇷 👍🏽 ❤️!",
    "10 MB in one line": " ".join(([f"word{str(k).translate(LETTERS)}." for k in range(997)] * 1_254)[:1_250_000]),
}
NO_WORDS = {"too_few_words", "words_too_short", "too_few_alphabetic_words"}
TOPS = {"top_2gram", "top_3gram", "top_4gram"}  # datatrove and dolma: the most frequent n-gram counts where it occurs once
COPIES = {"duplicate_lines", "duplicate_line_chars", "duplicate_paragraphs", "duplicate_paragraph_chars"}
REPEATED = {f"repeated_{n}gram" for n in range(5, 11)}
FEW, SIGNS = {"too_few_words"}, {"too_few_words", "too_few_alphabetic_words"}
EXPECTED: dict[str, tuple[tuple[set[str], ...], tuple[set[str], ...], set[str], set[str]]] = {
    # Gopher quality and repetition as paper, datatrove, dclm and dolma have them; C4; FineWeb.
    "no words": ((NO_WORDS,) * 4, (set(), set(), COPIES, set()), {"too_few_sentences"}, {"too_few_punctuated_lines"}),
    "no lines": (
        (NO_WORDS,) * 4,
        (set(), {"duplicate_lines"}, COPIES, {"duplicate_lines", "duplicate_line_chars"}),
        {"too_few_sentences"},
        {"too_few_punctuated_lines", "too_many_newlines"},
    ),
    "one line": ((FEW, SIGNS, FEW, FEW), (set(), {"top_2gram"}, set(), set()), set(), set()),
    "fewer words than n": (
        (FEW | {"words_too_short"}, NO_WORDS, FEW | {"words_too_short"}, FEW),
        (set(), TOPS, set(), TOPS),
        {"too_few_sentences"},
        {"too_many_short_lines"},
    ),
    "NUL": ((FEW, SIGNS, FEW, FEW), (set(), {"top_2gram"}, set(), {"top_4gram"}), set(), {"too_few_punctuated_lines"}),
    "right to left": (
        (FEW,) * 4,
        (set(), {"top_3gram", "top_4gram"}, set(), {"top_3gram", "top_4gram"}),
        {"too_few_sentences"},
        set(),
    ),
    "combining marks": ((FEW, SIGNS, FEW, FEW), (set(), {"top_2gram"}, set(), set()), set(), set()),
    "emoji sequences": (
        (SIGNS, NO_WORDS, SIGNS, SIGNS),
        (set(), TOPS, set(), TOPS),
        {"too_few_sentences"},
        {"too_many_short_lines"},
    ),
    "10 MB in one line": (
        ({"too_many_words"}, {"too_many_words", "too_few_alphabetic_words"}, {"too_many_words"}, {"too_many_words"}),
        (REPEATED,) * 4,
        set(),
        set(),
    ),
}


def chosen() -> list[tuple[str, Filter, object]]:
    """Each rule set by name, with its params."""
    gopher = [
        (f"{module.FILTER.name} {profile}", module.FILTER, module.Params.model_validate({"profile": profile}))
        for module in (gopher_quality, gopher_repetition)
        for profile in ("paper", "datatrove", "dclm", "dolma")
    ]
    return [*gopher, ("c4", c4.FILTER, c4.FILTER.params()), ("fineweb", fineweb.FILTER, fineweb.Params())]


def failed(filter_: Filter, params: object, text: str) -> set[str]:
    batch = TextBatch(pa.array([text], pa.large_string()))
    needed = pa.record_batch({"language": pa.nulls(1, pa.string())})
    table = polars_table(filter_.annotate(batch, needed, params, None), needed)
    row = judge(filter_, filter_.rules(params, filter_.thresholds()), table).row(0, named=True)
    return {reason.partition(".")[2] for reason, fails in row.items() if fails}


@pytest.mark.parametrize("edge", EDGES)
def test_each_rule_set_decides_of_texts_at_the_edge_as_the_table_says(edge: str) -> None:
    quality, repetition, of_c4, of_fineweb = EXPECTED[edge]
    expected = [*quality, *repetition, of_c4, of_fineweb]
    for (name, filter_, params), reasons in zip(chosen(), expected, strict=True):
        assert failed(filter_, params, EDGES[edge]) == reasons, name


@pytest.mark.parametrize(
    ("edge", "edit", "left", "step"),
    [
        ("no lines", c4_lines, "", "c4_lines.white_space"),
        ("NUL", c4_lines, "", "c4_lines.punctuation"),  # its line ends in a NUL
        ("no lines", refinedweb_lines, "", "refinedweb_lines.few_words"),
    ],
)
def test_edits_take_from_texts_at_the_edge_what_their_rules_say_and_no_more(edge, edit, left, step) -> None:
    for name, text in EDGES.items():
        made, changed = apply(edit.EDIT.steps(edit.EDIT.params()), pa.array([text], pa.large_string()))
        if name == edge:
            assert made[0].as_py() == left
            assert step in [one for one, rows in changed if rows[0]]
        elif (name, edit) not in {("no lines", c4_lines), ("NUL", c4_lines)}:
            assert made[0].as_py() == text


def test_nothing_repeats_within_texts_at_the_edge() -> None:
    texts = pa.array(list(EDGES.values()), pa.large_string())
    assert apply(repetition_within.EDIT.steps(repetition_within.EDIT.params()), texts)[0].equals(texts)
