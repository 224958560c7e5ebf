"""Short forms of parts of the soak, and what its parts notice."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.soak import events, fuzz, increments, memory, year
from tests.soak.common import Report
from tests.soak.inputs import Book, Due, Version
from tests.soak.series import Series
from tests.support import prose


@pytest.mark.slow
def test_ten_increments_lose_and_double_nothing_and_keep_what_one_run_keeps() -> None:
    report = increments.go(seed=11, increments=10, documents=300, kinds=("jsonl", "jsonl.gz"))
    assert not report.failures, report.failures
    assert any(line.startswith("0 documents lost or doubled over 10 increments") for line in report.lines)


@pytest.mark.slow
def test_in_forty_nights_an_output_meets_everything_that_a_year_brings() -> None:
    report = year.go(seed=11, nights=40, kinds=("jsonl", "jsonl.gz"))
    assert not report.failures, report.failures
    assert any(line.startswith("0 documents lost or doubled over 40 nights") for line in report.lines)


A, B, NEW = ("a1", "a2"), ("b1", None), ("n1",)
READ = (Version("web/a.jsonl", A), Version("web/b.jsonl.gz", B))


def _due(*versions: Version) -> dict[str, list[Version]]:
    return {mode: list(versions) for mode in ("ignore", "append", "replace")}


@pytest.mark.parametrize(
    ("there", "read", "anew"),
    [
        ([*READ, Version("web/n.jsonl", NEW)], _due(Version("web/n.jsonl", NEW)), None),
        ([READ[0], Version("news/x.jsonl.gz", B)], _due(), None),
        ([READ[1], Version("web/a.jsonl.gz", A)], _due(), None),
        ([READ[1], Version("news/a.parquet", A)], _due(Version("news/a.parquet", A)), None),
        (
            [Version("web/a.jsonl", NEW)],
            {"ignore": [], "append": [Version("web/a.jsonl", NEW)]},
            [Version("web/a.jsonl", NEW), READ[1]],
        ),
        (
            [Version("web/a.jsonl.gz", NEW), READ[1]],
            {mode: [Version("web/a.jsonl.gz", NEW)] for mode in ("ignore", "append")},
            [Version("web/a.jsonl.gz", NEW), READ[1]],
        ),
    ],
    ids=["new", "renamed", "packed", "another format", "changed", "changed and packed"],
)
def test_what_a_run_is_due_to_read_follows_from_names_and_rows(
    there: list[Version], read: dict[str, list[Version]], anew: list[Version] | None
) -> None:
    book = Book()
    book.mark(Due(READ))
    files = {version.name: version for version in there}
    for mode, expected in read.items():
        assert book.due(files, mode) == Due(tuple(expected))
    if anew is not None:
        made = book.due(files, "replace")
        assert made.anew and list(made.versions) == anew
        book.mark(made)
        assert book.number == 2 and {number for number, _ in book.arrived} == {2}


def test_lost_rows_other_texts_and_harm_to_the_output_are_noticed(tmp_path: Path) -> None:
    series = Series(tmp_path, random.Random(3), Report(""), ("jsonl",))
    series.arrive(1, [prose(1), prose(2), None])
    events.night(series, 1, ())
    events.stray(series, 1)
    series.checkpoint()
    assert not series.report.failures
    version = series.book.arrived[0][1]
    series.book.arrived[0] = (1, Version(version.name, (prose(2), prose(1), None, prose(3))))
    series.book.taken.add(prose(1))
    series._check(Due(()))
    series.strays.clear()
    (series.out / "metrics.json").write_text("{}")
    series.checkpoint()
    said = [failure.partition(": ")[2] for failure in series.report.failures]
    for begins in (
        "1 rows lost",
        "2 documents have another text",
        "out/data/",
        "out/.work/documents/",
        "doctor: ",
        "doctor names",
    ):
        assert any(line.startswith(begins) for line in said), (begins, said)


def test_some_hundred_damaged_inputs_crash_nothing() -> None:
    report = fuzz.go(seed=11, seconds=60, most=280)
    assert not report.failures, report.failures
    assert any(line.startswith("280 executions") for line in report.lines), report.lines


def _runs(grows: int, *, file_at: int = 10_000) -> list[memory.Sample]:
    chosen = random.Random(3)
    return [
        memory.Sample(2.0 * k, int(4e8 + grows * k + chosen.gauss(0, 1e6)), 11 + (k > file_at), 12 + (k % 7 == 0), 0)
        for k in range(400)
    ]


@pytest.mark.parametrize(
    ("samples", "said"),
    [
        (_runs(0), []),
        (_runs(20_000), []),
        (_runs(100_000), ["memory grows by 10"]),
        (_runs(0, file_at=200), ["open files after each run are not the same number: [11, 12]"]),
    ],
    ids=["flat", "below the bound", "a leak", "a file left open"],
)
def test_a_leak_of_memory_or_of_a_file_is_told_from_noise(samples: list[memory.Sample], said: list[str]) -> None:
    report = Report("")
    memory.judged(samples, report)
    assert len(report.failures) == len(said), report.failures
    assert all(failure.startswith(line) for failure, line in zip(report.failures, said, strict=True)), report.failures
