"""The share of words that edits removed is taken from both texts, and 5 % is at the limit."""

from __future__ import annotations

import polars as pl
import pyarrow as pa
import pytest

from filters import refinedweb
from filters.contract import ContractError, TextBatch, check, judge

NONE = pa.RecordBatch.from_arrays([], names=[])


def batch(source: list[str], final: list[str]) -> TextBatch:
    before = TextBatch(pa.array(source, pa.large_string()))
    return TextBatch(pa.array(final, pa.large_string()), before)


@pytest.mark.parametrize(
    ("source", "final", "dropped"),
    [
        ("w " * 20, "w " * 19, False),
        ("w " * 20, "w " * 18, True),
        ("w " * 19, "w " * 18, True),
        ("w - ! " * 20, "w " * 20, False),
        ("", "", False),
        ("- -", "", False),
        ("one", "", True),
        ("(see", "two words", False),
    ],
)
def test_more_than_one_word_in_twenty_drops(source: str, final: str, dropped: bool) -> None:
    made = refinedweb.FILTER.annotate(batch([source], [final]), NONE, refinedweb.FILTER.params(), None)
    check(refinedweb.FILTER, rows=1, signals=made)
    rules = refinedweb.FILTER.rules(refinedweb.FILTER.params(), refinedweb.Thresholds())
    assert judge(refinedweb.FILTER, rules, pl.from_arrow(made)).to_series().to_list() == [dropped]


def test_where_nothing_was_edited_nothing_was_removed() -> None:
    same = TextBatch(pa.array(["one two", ""], pa.large_string()))
    made = refinedweb.FILTER.annotate(same, NONE, refinedweb.FILTER.params(), None)
    assert same.source is same
    assert made.column("removed_words").to_pylist() == [0, 0]


def test_two_texts_of_other_rows_are_refused() -> None:
    with pytest.raises(ContractError, match="2 final texts of 1"):
        batch(["a"], ["a", "b"])
