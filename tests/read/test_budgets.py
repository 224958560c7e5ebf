"""The budget of what cannot be read: a share of all rows, which may be used up and not exceeded; bytes count as their rows."""

from __future__ import annotations

import re
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pytest

from pipeline.errors import BadRows
from pipeline.records.inputs import Damage
from pipeline.run import accounts, damage, remedies
from pipeline.stages.unit.annotate import Annotated
from pipeline.stages.unit.tables import Names
from tests.support import ROOT

BAD = pa.table(
    {
        "row": [7, 9],
        "cause": ["invalid_json", "text_null"],
        "detail": ["no JSON", "no text"],
        "lost_rows": [1, 3],
        "lost_share": [0.0, 0.0],
    },
)


@pytest.fixture
def files_of_any_size(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small numbers are enough for files to have budgets."""
    monkeypatch.setattr(accounts, "SMALL_FILE", 1)


def names_of(path: str) -> Names:
    return Names((path,), "", "bad.parquet", "", (), "", None, None)


def run_of(
    *files: tuple[str, str, int, int],
    budget: float,
    lost: dict[str, Damage] | None = None,
    on_truncated: str = "fail",
    format_: str = "jsonl",
) -> tuple[Any, list[Any]]:
    """`(path, source, good rows, bad rows)` of each file, all of 1,000 bytes; `lost`: what is damaged, by path."""
    inputs = [
        SimpleNamespace(
            file=SimpleNamespace(path=p, source=s, format=format_, max_bad_fraction=budget, size=1_000, on_truncated=on_truncated)
        )
        for p, s in dict.fromkeys((p, s) for p, s, _, _ in files)
    ]
    units = [
        Annotated(path, 1, 0, names_of(path), good, bad, 0, good, (), damage=(lost or {}).get(path, Damage()))
        for path, _, good, bad in files
    ]
    work = SimpleNamespace(read_table=lambda name, columns=None: BAD.select(columns or BAD.column_names))
    return SimpleNamespace(inputs=inputs, work=work, replacement=None), units


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


@pytest.mark.parametrize(("source", "apart"), [("web", True), ("books", False)])
def test_another_column_is_proposed_for_the_file_alone_where_other_files_of_its_source_have_texts(
    files_of_any_size: None, source: str, apart: bool
) -> None:
    ready, units = run_of(("in/a", "web", 0, 2), ("in/b", source, 400, 0), budget=0.25)
    ready.work.read_table = lambda name, columns=None: BAD.set_column(1, "cause", pa.array(["text_missing"] * 2)).select(
        columns or BAD.column_names
    )
    with pytest.raises(BadRows) as error:
        accounts.check_bad_rows(ready, units)
    assert "source.text=COLUMN" in str(error.value) and (remedies.APART in str(error.value)) is apart


def test_every_cause_that_can_be_that_of_all_rows_has_its_remedy() -> None:
    page = (ROOT / "docs/data-format.md").read_text("utf-8").partition("| cause | what happened |")[2]
    named = set(re.findall(r"^\| `([a-z0-9_]+)` \|", page.split("\n\n")[0], re.MULTILINE))
    assert set(remedies.REMEDIES) <= named and {"text_missing", "invalid_utf8", "row_too_large"} <= set(remedies.REMEDIES)
    assert all("max_bad_fraction" not in said for said in remedies.REMEDIES.values())


@pytest.mark.parametrize(("good", "bad", "stops"), [(0, 999, False), (399, 600, False), (400, 600, True), (0, 1_000, True)])
def test_a_file_has_a_budget_of_its_own_from_a_thousand_rows_on(good: int, bad: int, stops: bool) -> None:
    ready = run_of(("in/a", "web", good, bad), ("in/b", "web", 99_000, 0), budget=0.25)
    if stops:
        with pytest.raises(BadRows, match=r"^file in/a: "):
            accounts.check_bad_rows(*ready)
    else:
        accounts.check_bad_rows(*ready)


def test_small_files_together_use_their_sources_budget_up_and_are_then_named() -> None:
    many = [(f"in/{i}", "web", 0, 1) for i in range(25)]
    accounts.check_bad_rows(*run_of(*many, ("in/x", "web", 75, 0), budget=0.25))
    with pytest.raises(BadRows) as error:
        accounts.check_bad_rows(*run_of(*many, ("in/x", "web", 74, 0), budget=0.25))
    lines = str(error.value).splitlines()
    assert lines[0].startswith("file in/0: 1 of 1 rows") and lines[accounts.MOST_LINES] == "and 6 more"


@pytest.mark.parametrize(("format_", "stops"), [("text", False), ("html", False), ("jsonl", True)])
def test_of_a_file_of_one_row_that_ends_early_it_is_known_what_is_missing(format_: str, stops: bool) -> None:
    file, lost = ("in/a", "web", 0, 1), {"in/a": Damage(cut=True)}
    ready = run_of(file, ("in/b", "web", 200, 0), budget=0.01, lost=lost, format_=format_)
    if stops:
        with pytest.raises(BadRows, match="ends before it should"):
            accounts.check_bad_rows(*ready)
    else:
        accounts.check_bad_rows(*ready)


def test_the_units_of_a_file_have_one_budget(files_of_any_size: None) -> None:
    pieces = [("in/a", "web", 10, 4), ("in/a", "web", 10, 0), ("in/b", "web", 10, 0)]
    accounts.check_bad_rows(*run_of(*pieces, budget=0.25))
    with pytest.raises(BadRows, match="file in/a: 4 of 14 rows"):
        accounts.check_bad_rows(*run_of(pieces[0], pieces[2], budget=0.25))


@pytest.mark.parametrize(
    ("good", "bad", "lost", "line"),
    [
        # A row that stands for others; a share of the bytes; a file of which nothing was read.
        (75, 1, Damage(rows=25), "file in/a: 26 of 101 rows are unreadable (25.74 %, budget 25 %)"),
        (69, 1, Damage(share=0.3), "file in/a: some 31 of 100 rows are unreadable (31 %, budget 25 %)"),
        (0, 1, Damage(share=1.0), "file in/a: some 102 of 102 rows are unreadable (100 %, budget 25 %)"),
    ],
)
def test_damage_counts_as_the_rows_that_are_lost(files_of_any_size: None, good: int, bad: int, lost: Damage, line: str) -> None:
    ready = run_of(("in/a", "web", good, bad), ("in/b", "web", 100, 0), budget=0.25, lost={"in/a": lost})
    with pytest.raises(BadRows) as error:
        accounts.check_bad_rows(*ready)
    assert str(error.value).splitlines()[0] == line
    assert "source web" not in str(error.value) or good == 0


@pytest.mark.parametrize(("good", "lost"), [(75, Damage(share=0.24)), (75, Damage(rows=24)), (3, Damage(sound=1))])
def test_damage_may_use_the_budget_up(good: int, lost: Damage) -> None:
    accounts.check_bad_rows(*run_of(("in/a", "web", good, 1), budget=0.25, lost={"in/a": lost}))


def test_records_that_are_no_text_are_in_no_budget() -> None:
    accounts.check_bad_rows(*run_of(("in/a", "web", 1, 99), budget=0, lost={"in/a": Damage(sound=99)}))


@pytest.mark.parametrize(
    ("lost", "line"),
    [
        (Damage(cut=True), "file in/a: ends before it should: 99 rows were read, and nothing tells how many are missing"),
        (
            Damage(cut=True, cut_share=0.5),
            "file in/a: ends before it should: at least 101 of 200 rows are missing or unreadable (50.5 %, budget 100 %)",
        ),
        (
            Damage(cut=True, cut_rows=10),
            "file in/a: ends before it should: at least 11 of 110 rows are missing or unreadable (10 %, budget 100 %)",
        ),
    ],
)
def test_a_file_that_ends_early_is_over_any_budget_unless_the_plan_accepts_it(lost: Damage, line: str) -> None:
    file = ("in/a", "web", 99, 1)
    with pytest.raises(BadRows) as error:
        accounts.check_bad_rows(*run_of(file, budget=1, lost={"in/a": lost}))
    assert str(error.value).splitlines()[0] == line and "on_truncated: accept" in str(error.value)
    for budget in (0, 1):
        accounts.check_bad_rows(*run_of(file, budget=budget, lost={"in/a": lost}, on_truncated="accept"))
    with pytest.raises(BadRows, match="in/a"):  # what is lost within the file still counts
        within = lost.model_copy(update={"rows": 5})
        accounts.check_bad_rows(*run_of(file, budget=0.01, lost={"in/a": within}, on_truncated="accept"))


def test_the_files_that_are_damaged_are_named_with_what_they_lost() -> None:
    files = [(f"in/{name}", "web", 60, 1) for name in "abcd"]
    lost = {"in/b": Damage(share=0.4), "in/c": Damage(cut=True), "in/d": Damage(rows=20)}
    found = damage.damaged(*run_of(*files, budget=0, lost=lost))
    assert [(file.path, file.rows, file.lost_rows, file.cut) for file in found] == [
        ("in/b", 60, 42, False),
        ("in/c", 60, 1, True),
        ("in/d", 60, 21, False),
    ]
    assert damage.damaged(*run_of(*files, budget=0)) == ()
