"""C4's document rules: literal texts just under and at each rule."""

from __future__ import annotations

import polars as pl
import pyarrow as pa
import pytest

from filters import c4
from filters.contract import TextBatch, check, check_rules, judge

FIVE = "One is here. Two is here! Is three here? Four is here.\nFive is here."
NONE = pa.RecordBatch.from_arrays([], names=[])


def failed(text: str, **thresholds: object) -> set[str]:
    batch = TextBatch(pa.array([text, "another row"], pa.large_string()))
    signals = c4.FILTER.annotate(batch, NONE, c4.FILTER.params(), None)
    check(c4.FILTER, rows=2, signals=signals)
    rules = c4.FILTER.rules(c4.FILTER.params(), c4.Thresholds(**thresholds))
    check_rules(c4.FILTER, rules)
    row = judge(c4.FILTER, rules, pl.from_arrow(signals)).row(0, named=True)
    return {name.removeprefix("c4.") for name, fails in row.items() if fails}


@pytest.mark.parametrize(
    ("text", "reasons"),
    [
        (FIVE, set()),
        (FIVE.replace("Four is here.", ""), {"too_few_sentences"}),
        (f"{FIVE} Lorem  ipsum", set()),
        (f"{FIVE} LOREM ipsum", {"lorem_ipsum"}),
        (f"{FIVE} lorem\nipsum", set()),
        (f"{FIVE} {{", {"curly_bracket"}),
        (f"{FIVE} }}", set()),
        (f"{FIVE} JavaScript", set()),
        ("", {"too_few_sentences"}),
        ("one two " * 40, {"too_few_sentences"}),
        ("\n".join(["no stop"] * 5), set()),
    ],
)
def test_rules_at_their_limits(text: str, reasons: set[str]) -> None:
    assert failed(text) == reasons


@pytest.mark.parametrize(
    ("word", "found"),
    [
        ("javascript", True),
        ("JAVASCRIPT", True),
        ("\u2003JavaScript\u00a0", True),
        ("javascript.", False),
        ("(javascript)", False),
    ],
)
def test_javascript_is_a_word_of_its_own_as_in_dolmas_tagger(word: str, found: bool) -> None:
    text = f"{FIVE} {word} and more"
    assert ("javascript" in text.lower().split()) is found
    assert failed(text, javascript=True) == ({"javascript"} if found else set())


def test_each_document_rule_can_be_switched_off() -> None:
    assert failed("{ lorem ipsum", min_sentences=0, lorem_ipsum=False, curly_bracket=False) == set()
