"""The budget of rows that cannot be read: a share of all rows, which may be used up and not exceeded."""

from __future__ import annotations

import re
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pytest

from pipeline.errors import BadRows
from pipeline.run import accounts, remedies
from tests.support import ROOT

BAD = pa.table({"row": [7, 9], "cause": ["invalid_json", "text_null"], "detail": ["no JSON", "no text"]})


def run_of(*files: tuple[str, str, int, int], budget: float) -> tuple[Any, list[Any]]:
    """`(path, source, good rows, bad rows)` of each file."""
    inputs = [SimpleNamespace(file=SimpleNamespace(path=p, source=s, max_bad_fraction=budget)) for p, s, _, _ in files]
    names = SimpleNamespace(bad="bad.parquet")
    units = [SimpleNamespace(path=path, rows=good, bad_rows=bad, names=names) for path, _, good, bad in files]
    work = SimpleNamespace(read_table=lambda name, columns=None: BAD.select(columns or BAD.column_names))
    return SimpleNamespace(inputs=inputs, work=work), units


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


@pytest.mark.parametrize(
    ("good", "bad", "said"),
    [
        (1, 2, "mend the input, or raise max_bad_fraction of the source; nothing was published"),
        (0, 2, "nothing of it can be read (1 of 2 rows: invalid_json), so no budget helps: each line has to be a JSON object"),
    ],
)
def test_a_larger_budget_is_proposed_only_where_some_row_can_be_read(good: int, bad: int, said: str) -> None:
    with pytest.raises(BadRows) as error:
        accounts.check_bad_rows(*run_of(("in/a", "web", good, bad), ("in/b", "books", 9, 0), budget=0.25))
    last = str(error.value).splitlines()[-1]
    assert last.startswith(said) and last.endswith("; nothing was published")


def test_the_file_of_which_nothing_can_be_read_says_what_helps_whatever_else_is_over_its_budget() -> None:
    with pytest.raises(BadRows, match="no budget helps"):
        accounts.check_bad_rows(*run_of(("in/a", "web", 2, 2), ("in/b", "web", 0, 2), budget=0.25))


def test_every_cause_that_can_be_that_of_all_rows_has_its_remedy() -> None:
    page = (ROOT / "docs/data-format.md").read_text("utf-8").partition("| cause | what happened |")[2]
    named = set(re.findall(r"^\| `([a-z0-9_]+)` \|", page.split("\n\n")[0], re.MULTILINE))
    assert set(remedies.REMEDIES) <= named and {"text_missing", "invalid_utf8", "row_too_large"} <= set(remedies.REMEDIES)
    assert all("max_bad_fraction" not in said for said in remedies.REMEDIES.values())


def test_the_units_of_a_file_have_one_budget() -> None:
    pieces = [("in/a", "web", 10, 4), ("in/a", "web", 10, 0), ("in/b", "web", 10, 0)]
    accounts.check_bad_rows(*run_of(*pieces, budget=0.25))
    with pytest.raises(BadRows, match="file in/a: 4 of 14 rows"):
        accounts.check_bad_rows(*run_of(pieces[0], pieces[2], budget=0.25))
