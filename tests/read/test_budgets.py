"""The budget of rows that cannot be read: a share of all rows, which may be used up and not exceeded."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pytest

from pipeline.errors import BadRows
from pipeline.run import accounts

BAD = pa.table({"row": [7, 9], "cause": ["invalid_json", "text_null"], "detail": ["no JSON", "no text"]})


def run_of(*files: tuple[str, str, int, int], budget: float) -> tuple[Any, list[Any]]:
    """`(path, source, good rows, bad rows)` of each file."""
    inputs = [SimpleNamespace(file=SimpleNamespace(path=p, source=s, max_bad_fraction=budget)) for p, s, _, _ in files]
    names = SimpleNamespace(bad="bad.parquet")
    units = [SimpleNamespace(path=path, rows=good, bad_rows=bad, names=names) for path, _, good, bad in files]
    return SimpleNamespace(inputs=inputs, work=SimpleNamespace(read_table=lambda name: BAD)), units


@pytest.mark.parametrize(("good", "bad"), [(3, 1), (0, 0), (75, 25), (76, 24), (5, 0)])
def test_a_budget_may_be_used_up(good: int, bad: int) -> None:
    accounts.check_bad_rows(*run_of(("in/a", "web", good, bad), budget=0.25))


@pytest.mark.parametrize(("good", "bad", "share"), [(5, 2, "28.57 %"), (74, 26, "26 %"), (0, 1, "100 %")])
def test_more_ends_the_run_with_the_file_its_source_and_the_first_rows(good: int, bad: int, share: str) -> None:
    ready, units = run_of(("in/a", "web", good, bad), ("in/b", "books", 100, 0), budget=0.25)
    with pytest.raises(BadRows) as error:
        accounts.check_bad_rows(ready, units)
    assert str(error.value).splitlines()[:4] == [
        f"file in/a: {bad} of {good + bad} rows are unreadable ({share}, budget 25 %)",
        f"source web: {bad} of {good + bad} rows are unreadable ({share}, budget 25 %)",
        "  in/a#7: invalid_json: no JSON",
        "  in/a#9: text_null: no text",
    ]


def test_the_units_of_a_file_have_one_budget() -> None:
    pieces = [("in/a", "web", 10, 4), ("in/a", "web", 10, 0), ("in/b", "web", 10, 0)]
    accounts.check_bad_rows(*run_of(*pieces, budget=0.25))
    with pytest.raises(BadRows, match="file in/a: 4 of 14 rows"):
        accounts.check_bad_rows(*run_of(pieces[0], pieces[2], budget=0.25))
