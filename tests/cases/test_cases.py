"""The script that runs public bug reports: what it expects can fail, and it says so; without the data it says that."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cases import __main__ as cases
from tests.cases import expect, languages, pages, records
from tests.cases.expect import Expect
from tests.cases.runs import Ran, copied
from tests.cases.table import RUNS
from tests.support import prose, write_rows


def _ran(folder: Path, page: str = "", *, code: int = 0, printed: str = "", **rows: list[dict[str, Any]]) -> Ran:
    """A run that never was: with these rows in these folders of its output, from this page."""
    given = folder / "page.html"
    given.write_text(page, "utf-8")
    if not code:
        (folder / "manifest.json").write_text("{}")
    empty: dict[str, list[dict[str, Any]]] = {name: [] for name in ("data", "rejected", "ledger", "quarantine")}
    return Ran(code, printed, folder, given, empty | rows)


def _document(text: str = "a", **more: Any) -> dict[str, Any]:
    return {"id": "d", "text": text, "metadata": json.dumps(more.pop("metadata", {})), "source_ref": "in#1", **more}


GOOD = _document(
    "one\ntwo three", metadata={"n": 7, "when": "2024"}, url="https://e.example/plain", language="en", date="2024-05"
)
PAGE = (
    "<title>t</title><nav>menu</nav><p>so <b>不</b> x<sup>2</sup></p>"
    "<pre>if:\n    go</pre><ul><li>egg<li>oil</ul><table><tr><td>A<td>B</table>"
)
TEXT = "so 不 x2\nif:\n    go\n- egg\n- oil\n| A | B |"


@pytest.mark.parametrize(
    ("wanted", "right", "wrong"),
    [
        (expect.kept(1), {"data": [GOOD], "ledger": [{}]}, {"data": [GOOD], "ledger": [{}, {}]}),
        (expect.kept(1), {"data": [GOOD], "ledger": [{}]}, {"data": [_document("b\x00d")], "ledger": [{}]}),
        (expect.counts(keep=1), {"data": [GOOD]}, {"data": [GOOD], "rejected": [{}]}),
        (
            expect.bad(1, "UTF-8"),
            {"quarantine": [{"cause": "invalid_utf8", "detail": ""}]},
            {"quarantine": [{"cause": "x", "detail": ""}]},
        ),
        (expect.none_read(), {}, {"ledger": [{}]}),
        (expect.told("source.text"), {"printed": "set Source.Text"}, {"printed": "see page.html"}),
        (expect.told("page"), {"printed": "a page"}, {"printed": "see page.html"}),
        (expect.ids("d"), {"data": [GOOD]}, {"data": [GOOD, GOOD]}),
        (expect.metadata("n", "7"), {"data": [GOOD]}, {"data": [_document(metadata={"n": 7.0})]}),
        (expect.metadata_begins("when", "20"), {"data": [GOOD]}, {"data": [_document()]}),
        (expect.column("date", "2024"), {"data": [GOOD]}, {"data": [_document(date=None)]}),
        (expect.texts_have("two"), {"data": [GOOD]}, {"data": [_document("to")]}),
        (expect.texts_lack("no"), {"data": [GOOD]}, {"data": [_document("no")]}),
        (expect.names_lack("\ufeff"), {"data": [GOOD]}, {"data": [_document(id="\ufeffd")]}),
        (records.pages(whole="plain"), {"data": [GOOD]}, {"data": [GOOD], "quarantine": [{}]}),
        (records.pages(whole="", bad="plain", whole_or_bad="br"), {"data": [], "quarantine": [{}, {}]}, {"data": [GOOD]}),
        (languages.keeps("d"), {"data": [GOOD]}, {"rejected": [GOOD]}),
    ],
)
def test_an_expectation_holds_what_it_says_and_can_fail(
    tmp_path: Path, wanted: Expect, right: dict[str, Any], wrong: dict[str, Any]
) -> None:
    if wanted.about.startswith("pages ;"):
        right = right | {"data": [GOOD | {"url": "https://e.example/br"}], "quarantine": [{}]}
    assert wanted.holds(_ran(tmp_path, **right)), wanted.about
    assert not wanted.holds(_ran(tmp_path, **wrong)), wanted.about


def test_a_refusal_publishes_nothing_and_names_what_it_is_about(tmp_path: Path) -> None:
    wanted = expect.refused("page.html", "NaN")
    (tmp_path / "manifest.json").unlink(missing_ok=True)
    assert wanted.holds(_ran(tmp_path, code=1, printed="page.html: has a NaN"))
    assert not wanted.holds(_ran(tmp_path, code=1, printed="page.html: unexpected character"))
    assert not wanted.holds(_ran(tmp_path, code=-1, printed="page.html: NaN"))
    (tmp_path / "manifest.json").write_text("{}")
    assert not wanted.holds(_ran(tmp_path, code=1, printed="page.html: has a NaN"))


@pytest.mark.parametrize(
    ("wanted", "wrong"),
    [
        (pages.every_character(), TEXT.replace("不", "")),
        (pages.every_character(), TEXT.replace("x2", "2x")),
        (pages.code_lines(), TEXT.replace("    go", "go")),
        (pages.items_apart(), TEXT.replace("egg\n", "egg ")),
        (pages.rows_together(), TEXT.replace("A |", "A\n")),
        (pages.lines(6), TEXT.replace("\n", " ")),
    ],
)
def test_a_page_is_read_plainly_and_held_against_the_text(tmp_path: Path, wanted: Expect, wrong: str) -> None:
    assert wanted.holds(_ran(tmp_path, PAGE, data=[_document(TEXT)]))
    assert not wanted.holds(_ran(tmp_path, PAGE, data=[_document(wrong)]))


def test_a_wrong_language_is_a_fault_where_its_score_is_high(tmp_path: Path) -> None:
    row = _document(metadata={"want": "hi en"}, language="de", language_script="Latn", language_score=0.9)
    for change, ok in [({}, False), ({"language_score": 0.4}, True), ({"language": "en"}, True), ({"language": "und"}, True)]:
        assert languages.wanted().holds(_ran(tmp_path, rejected=[row | change])) is ok, change
    for language, ok in [("hr", True), ("bs", True), ("sl", False)]:
        assert languages.same_in_capitals().holds(_ran(tmp_path, data=[row | {"id": "hr_UP", "language": language}])) is ok


def test_ids_and_numbers_are_compared_digit_for_digit(tmp_path: Path) -> None:
    given = write_rows(tmp_path / "in.jsonl", [{"id": 2**64 + 1, "n": 2**64 + 3}, {"id": 1.5, "n": 1}, {"id": None, "n": 2}])
    rows = [
        {"id": str(2**64 + 1), "source_ref": "in#1", "text": "", "metadata": json.dumps({"n": 2**64 + 3})},
        {"id": "h1", "source_ref": "in#2", "text": "", "metadata": json.dumps({"id": 1.5, "n": 1})},
        {"id": "h2", "source_ref": "in#3", "text": "", "metadata": json.dumps({"n": 2})},
    ]
    (tmp_path / "manifest.json").write_text("{}")

    def of(rows: list[dict[str, Any]]) -> Ran:
        return Ran(0, "", tmp_path, given, {"data": rows})

    assert records.same_ids().holds(of(rows)) and records.same_numbers("n").holds(of(rows))
    near = [rows[0] | {"id": str(2**64), "metadata": json.dumps({"n": float(2**64)})}, *rows[1:]]
    assert not records.same_ids().holds(of(near)) and not records.same_numbers("n").holds(of(near))
    assert not records.same_ids().holds(of([rows[0], rows[1] | {"metadata": '{"n": 1}'}, rows[2]]))


def test_the_table_names_cases_and_files_once() -> None:
    named = [(run.case, run.file, run.set) for run in RUNS]
    assert len(set(named)) == len(named) > 150


def test_what_a_case_makes_itself_does_not_replace_what_is_there(tmp_path: Path) -> None:
    case = tmp_path / "01-some"
    case.mkdir()
    (case / "make.py").write_text("open('a', 'w').write('made'); open('b', 'w').write('made')")
    (case / "a").write_text("there")
    with copied(case) as here:
        assert ((here / "a").read_text(), (here / "b").read_text()) == ("there", "made")
    assert not (case / "b").exists()


def test_the_script_prints_a_line_for_each_run_and_ends_with_1_where_one_is_not_as_expected(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "cases" / "01-spark-folder"
    rows = [{"id": f"d{k}", "text": prose(k)} for k in range(3)]
    write_rows(folder / "mixed" / "part-00000.jsonl", [*rows])
    write_rows(folder / "onejson" / "b.json", rows[:2])
    monkeypatch.setenv("WINNOW_EVAL_DATA", str(tmp_path))
    assert cases.main(["spark"]) == 1
    lines = capsys.readouterr().out.splitlines()
    (right,) = [line for line in lines if "mixed/part-00000.jsonl" in line]
    (wrong,) = [line for line in lines if "onejson/b.json" in line]
    assert "  ok    3 kept" in right and "  FAIL  2 kept" in wrong


@pytest.mark.parametrize("where", [None, "nowhere"])
def test_without_the_data_nothing_is_run_and_that_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], where: str | None
) -> None:
    monkeypatch.delenv("WINNOW_EVAL_DATA", raising=False)
    if where:
        monkeypatch.setenv("WINNOW_EVAL_DATA", str(tmp_path / where))
    assert cases.main([]) == 0
    assert "WINNOW_EVAL_DATA/cases is not there" in capsys.readouterr().out
