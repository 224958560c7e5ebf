"""What a person reads of runs with one of each, and of none: no plural of one, no share of nothing."""

from __future__ import annotations

import html
import json
import re
from pathlib import Path

import pytest

from pipeline.plan.model import Checks
from pipeline.report.metrics import changes, checks
from pipeline.report.metrics.checks import judge
from pipeline.text import numbers
from tests.counts import counts, totals
from tests.support import PROSE, prose, winnow, write_rows

PLURAL_OF_ONE = re.compile(r"(?<![\d,.:/-])1 (?:[a-z]+ )?([a-z]{3,}s)\b")
VERBS = {"has", "was", "does", "less", "repeats", "takes"}
"""Words with an s behind a one that are no plurals of it ("generation 1 was made"); `1 of 2 languages` is not matched."""


def plurals_of_one(text: str) -> list[str]:
    bare = html.unescape(re.sub(r"<[^>]+>", "", re.sub(r"(?s)<(style|svg).*?</\1>", " ", text)))
    return [found.group(0) for found in PLURAL_OF_ONE.finditer(bare) if found.group(1) not in VERBS]


def test_the_search_finds_a_plural_of_one() -> None:
    assert plurals_of_one("kept <b>1</b> documents, 1 more notes") == ["1 documents", "1 more notes"]
    assert not plurals_of_one("21 documents, 1 document, 0.1 points, generation 1 was made")


@pytest.mark.parametrize(
    ("value", "words", "said"),
    [
        (0, ("document",), "0 documents"),
        (1, ("document",), "1 document"),
        (2, ("document",), "2 documents"),
        (1, ("copy", "copies"), "1 copy"),
        (1234, ("copy", "copies"), "1,234 copies"),
        (None, ("row",), "– rows"),
    ],
)
def test_a_count_and_what_it_counts(value: int | None, words: tuple[str, ...], said: str) -> None:
    assert numbers.counted(value, *words) == said


def _one(folder: Path) -> Path:
    """A file of one kept document, one dropped by a filter, one copy, one near copy and one bad row."""
    kept = {"id": "kept", "text": PROSE}
    more = [{"id": "short", "text": "Too short."}, {"id": "copy", "text": PROSE}, {"id": "near", "text": PROSE + " Goodbye."}]
    return write_rows(folder / "in" / "a.jsonl", [kept, *more, b"torn"])


@pytest.mark.parametrize("given", [["--explain"], ["--sample", "1"], []], ids=["explain", "sample", "run"])
def test_nothing_that_a_person_reads_of_one_of_each_is_in_the_plural(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, given: list[str]
) -> None:
    out = tmp_path / "out"
    command = ("default", "--input", _one(tmp_path), "--output", out, "--set", "source.max_bad_fraction=0.5", "--workers", "1")
    ran = winnow(capsys, *command, *given)
    assert ran.code == 0, ran.err
    shown = {"stdout": ran.out, "stderr": ran.err}
    if not given:
        again = winnow(capsys, *command)
        shown |= {name: (out / name).read_text("utf-8") for name in ("report.html", "README.md")}
        shown |= {"again": again.out + again.err}
    assert {name: found for name, text in shown.items() if (found := plurals_of_one(text))} == {}


def test_errors_about_one_thing_are_in_the_singular(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    command = ("none", "--input", _one(tmp_path), "--output", tmp_path / "out", "--workers", "1")
    refused = winnow(capsys, *command, "--set", "source.max_bad_fraction=0.5", "--set", "checks.on_fail=stop",
                     "--set", "filters.gopher_quality={}", "--set", "checks.max_drop_share=0")  # fmt: skip
    assert refused.code == 3 and "1 check failed" in refused.err
    assert not plurals_of_one(refused.err)


def test_a_generation_of_no_rows_is_compared_with_nothing_and_fails_no_check(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    folder, out = tmp_path / "in", tmp_path / "out"
    command = ("minimal", "--input", folder, "--output", out, "--set", "checks.on_fail=stop", "--workers", "1")
    a, b = ({"id": name, "text": prose(number)} for number, name in enumerate("ab"))
    for number, rows in enumerate([[a], [], [b]], 1):
        write_rows(folder / f"{number}.jsonl", [*rows])
        ran = winnow(capsys, *command)
        assert ran.code == 0, (number, ran.err)
        made = json.loads((out / "metrics.json").read_text("utf-8"))
        assert made["generation"] == number and made["changes"] is None
        checked = {"max_drop_share", "max_source_loss"} if rows else {"max_drop_share"}
        assert {check["check"] for check in made["checks"]} <= checked
        page = (out / "report.html").read_text("utf-8") + ran.out
        assert "nan" not in re.sub(r"[a-z]nan|nan[a-z]", "", page.lower()) and "inf %" not in page


def test_shares_of_generations_that_read_rows_are_compared() -> None:
    empty, full = counts(totals=totals(0, 0)), counts(totals=totals(10, 4))
    for before, now in [(empty, full), (full, empty), (empty, empty)]:
        assert changes.since(before, now) is None
        assert [line.check for line in judge(Checks(), now, before, held=4, sources={})] == ["max_drop_share"]
    found = changes.since(full, counts(totals=totals(10, 5)))
    assert found is not None and found.kept_share.change == pytest.approx(0.1)
    assert "max_change" in [line.check for line in checks.judge(Checks(), full, full, held=4, sources={})]
