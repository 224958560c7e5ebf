"""What became of inputs since they were read is told apart, and `on_changed: replace` gives what a run from nothing gives."""

from __future__ import annotations

import gzip
import json
import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl
import pytest

from pipeline.errors import InputChanged, InputError
from pipeline.output import inputs
from pipeline.output.inputs import Asked, Compared, compare
from pipeline.output.manifest import InputRecord, Manifest
from pipeline.records.inputs import SourceSettings
from tests.support import Ran, curate, digests, prose, table, winnow, write_rows

SETTINGS = {"s": SourceSettings(text="text", id="id", priority=0, max_row_bytes=1)}


def record(path: str, content: str, size: int = 5, source: str = "s") -> InputRecord:
    return InputRecord(source=source, path=path, size=size, content=content, rows=1, bad_rows=0, n_bytes=size)


@dataclass(frozen=True)
class Looked:
    """Files whose beginnings and unpacked bytes are known by path."""

    beginnings: dict[str, str] = field(default_factory=dict)
    packed: dict[str, str] = field(default_factory=dict)

    def begins(self, record: InputRecord, size: int) -> str:
        return self.beginnings.get(record.path, "other") if size else ""

    def unpacked(self, record: InputRecord) -> str:
        return self.packed.get(record.path, "")


def read(*records: InputRecord, sources: dict[str, SourceSettings] = SETTINGS) -> list[Manifest]:
    """One generation that has read these."""
    return [Manifest.model_construct(generation=1, live=(1,), inputs=tuple(records), sources=sources)]


def asked(*records: InputRecord, on_changed: str = "fail", dedup: bool = True, files: Looked = Looked()) -> Asked:
    return Asked(records, SETTINGS, on_changed, dedup, files)


BEFORE = (record("d/a.jsonl", "A"), record("d/b.jsonl", "B"))


@pytest.mark.parametrize(
    ("now", "files", "read_again", "notes"),
    [
        ([BEFORE[0], BEFORE[1]], Looked(), set(), []),
        ([BEFORE[0]], Looked(), set(), ["no longer there (its rows stay in the output): d/b.jsonl"]),
        ([*BEFORE, record("d/c.jsonl", "C")], Looked(), {"d/c.jsonl"}, []),
        ([*BEFORE, record("d/c.jsonl", "A")], Looked(), {"d/c.jsonl"}, []),  # a copy beside it: dedup's
        (
            [BEFORE[1], record("e/a.jsonl", "A")],
            Looked(),
            set(),
            ["moved, not read again: e/a.jsonl, which holds what was read as d/a.jsonl"],
        ),
        (
            [BEFORE[1], record("d/a.txt", "A")],  # the same bytes, read otherwise
            Looked(),
            {"d/a.txt"},
            ["no longer there (its rows stay in the output): d/a.jsonl"],
        ),
        (
            [BEFORE[1], record("d/a.jsonl.gz", "P")],
            Looked(packed={"d/a.jsonl.gz": "5 A"}),
            set(),
            ["moved, not read again: d/a.jsonl.gz, which holds what was read as d/a.jsonl"],
        ),
        (
            [BEFORE[1], record("d/a.jsonl.gz", "P")],
            Looked(packed={"d/a.jsonl.gz": "6 A+"}),
            {"d/a.jsonl.gz"},
            ["packed anew, read again: d/a.jsonl.gz, in place of d/a.jsonl"],
        ),
    ],
)
def test_inputs_that_did_not_change_are_told_apart(
    now: Sequence[InputRecord], files: Looked, read_again: set[str], notes: list[str]
) -> None:
    assert compare(read(*BEFORE), asked(*now, files=files)) == Compared(frozenset(read_again), tuple(notes))


PACKED = record("d/a.jsonl.gz", "P").model_copy(update={"unpacked": "5 A"})


@pytest.mark.parametrize(
    ("now", "packed", "read_again", "notes"),
    [
        (record("d/a.jsonl.gz", "Q"), "5 A", set(), ["packed anew, not read again: d/a.jsonl.gz"]),
        (
            record("d/a.jsonl.zst", "Q"),
            "5 A",
            set(),
            ["moved, not read again: d/a.jsonl.zst, which holds what was read as d/a.jsonl.gz"],
        ),
        (
            record("d/a.jsonl", "A"),
            "",
            set(),
            ["moved, not read again: d/a.jsonl, which holds what was read as d/a.jsonl.gz"],
        ),
        (record("d/a.jsonl", "B"), "", {"d/a.jsonl"}, ["packed anew, read again: d/a.jsonl, in place of d/a.jsonl.gz"]),
    ],
)
def test_a_file_that_was_packed_otherwise_is_known_by_what_it_unpacks_to(
    now: InputRecord, packed: str, read_again: set[str], notes: list[str]
) -> None:
    found = compare(read(PACKED), asked(now, files=Looked(packed={now.path: packed})))
    assert found == Compared(frozenset(read_again), tuple(notes))
    with pytest.raises(InputChanged):
        compare(read(PACKED), asked(record("d/a.jsonl.gz", "Q"), files=Looked(packed={"d/a.jsonl.gz": "6 A+"})))


CORRECTED = record("d/a.jsonl", "A2")
GROWN = record("d/a.jsonl", "A+", size=9)
GROWS = Looked(beginnings={"d/a.jsonl": "A"})


@pytest.mark.parametrize(
    ("now", "files", "on_changed", "read_again", "notes"),
    [
        (CORRECTED, Looked(), "append", {"d/a.jsonl"}, ["changed since it was read, read again: d/a.jsonl", inputs._OLD_STAYS]),
        (CORRECTED, Looked(), "ignore", set(), ["changed since it was read, ignored: d/a.jsonl"]),
        (GROWN, GROWS, "append", {"d/a.jsonl"}, ["grew since it was read, read again: d/a.jsonl"]),
        (GROWN, Looked(), "append", {"d/a.jsonl"}, ["changed since it was read, read again: d/a.jsonl", inputs._OLD_STAYS]),
        (GROWN, GROWS, "ignore", set(), ["grew since it was read, ignored: d/a.jsonl"]),
    ],
)
def test_a_changed_input_is_read_as_the_plan_says(
    now: InputRecord, files: Looked, on_changed: str, read_again: set[str], notes: list[str]
) -> None:
    found = compare(read(*BEFORE), asked(now, BEFORE[1], on_changed=on_changed, files=files))
    assert found == Compared(frozenset(read_again), tuple(notes))


def test_under_replace_all_inputs_are_read_and_what_was_read_is_named() -> None:
    now = (CORRECTED, record("e/b.jsonl", "B"))
    found = compare(read(*BEFORE), asked(*now, on_changed="replace"))
    assert found.read == {"d/a.jsonl", "e/b.jsonl"} and found.replaced == (BEFORE[0],) and found.elsewhere == {"d/b.jsonl"}
    repacked = compare(read(*BEFORE), asked(record("d/a.jsonl.gz", "P"), BEFORE[1], on_changed="replace"))
    assert repacked.replaced == (BEFORE[0],) and repacked.elsewhere == {"d/a.jsonl"}


@pytest.mark.parametrize(
    ("now", "on_changed", "dedup", "said"),
    [
        (CORRECTED, "fail", True, ["d/a.jsonl: changed (5 → 5 bytes)", "replace:", "append: it is read again", "ignore:"]),
        (GROWN, "fail", True, ["d/a.jsonl: grew, and begins as it was (5 → 9 bytes)"]),
        (GROWN, "append", False, ["dedup is off, so that what stayed the same would be there twice"]),
        (record("d/a.jsonl.gz", "P"), "append", False, ["d/a.jsonl.gz: changed, or was packed anew", "dedup is off"]),
    ],
)
def test_a_refusal_says_what_changed_and_what_can_be_done(
    now: InputRecord, on_changed: str, dedup: bool, said: list[str]
) -> None:
    with pytest.raises(InputChanged) as error:
        compare(read(*BEFORE), asked(now, BEFORE[1], on_changed=on_changed, dedup=dedup, files=GROWS))
    assert all(part in str(error.value) for part in [*said, "nothing was published"]), error.value


def test_a_file_of_another_source_is_refused_and_one_that_is_read_otherwise_did_not_move() -> None:
    with pytest.raises(InputError, match="was read as source t and is now of s"):
        compare(read(record("d/a.jsonl", "A", source="t")), asked(BEFORE[0]))
    other = {"s": SETTINGS["s"].model_copy(update={"text": "body"})}
    found = compare(read(BEFORE[0], sources=other), asked(record("e/a.jsonl", "A")))
    assert found.read == {"e/a.jsonl"}


def rows(numbers: Sequence[int], fixed: Sequence[int] = ()) -> list[dict | bytes]:
    """Documents; those in `fixed` with one word corrected, so that they are near what they were."""
    return [{"id": f"d{i}", "text": prose(i).replace("the", "these", 1) if i in fixed else prose(i)} for i in numbers]


def run(capsys: pytest.CaptureFixture[str], folder: Path, *more: str, out: str = "out", given: str = "in") -> Ran:
    where = ("--input", folder / given, "--output", folder / out, "--set", "checks.plants=0")
    return winnow(capsys, "minimal", *where, "--set", "source.name=s", *more)


REPLACE = ("--set", "on_changed=replace", "--set", "output.keep_replaced=false")


@pytest.fixture(scope="module")
def grown(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An output of two generations: b has copies of what a has, c came later."""
    folder = tmp_path_factory.mktemp("changed")
    write_rows(folder / "in/a.jsonl", rows(range(12)))
    write_rows(folder / "in/b.jsonl", [*rows(range(12, 20)), *rows([3, 4])])
    curate("minimal", "--input", folder / "in", "--output", folder / "out", "--set", "checks.plants=0", "--set", "source.name=s")
    write_rows(folder / "in/c.jsonl", rows([*range(20, 26), 5]))
    curate("minimal", "--input", folder / "in", "--output", folder / "out", "--set", "checks.plants=0", "--set", "source.name=s")
    return folder


@pytest.fixture
def edited(grown: Path, tmp_path: Path) -> Path:
    """Of a, document 3 is gone, which b has a copy of, 7 is gone for good, 6 is corrected, and 40 is new."""
    folder = shutil.copytree(grown, tmp_path / "edited")
    write_rows(folder / "in/a.jsonl", rows([0, 1, 2, 4, 5, 6, 8, 9, 10, 11, 40], fixed=[6]))
    return folder


def rows_of(out: Path) -> pl.DataFrame:
    return table(out, "data").sort("source_ref")


def test_replace_keeps_what_a_run_from_nothing_keeps(capsys, edited):
    assert run(capsys, edited, *REPLACE).code == 0
    assert run(capsys, edited, out="anew").code == 0
    assert rows_of(edited / "out").equals(rows_of(edited / "anew"))
    ledger = table(edited / "out", "ledger")
    assert set(ledger["generation"]) == {3} and len(ledger) == 11 + 10 + 7
    texts = rows_of(edited / "out")["text"].to_list()
    assert len(texts) == len(set(texts)) and prose(6) not in texts and prose(7) not in texts and prose(3) in texts
    made = json.loads((edited / "out/manifest.json").read_text())
    assert made["live"] == [3] and [record["path"] for record in made["inputs"]] == [f"in/{name}.jsonl" for name in "abc"]
    (one,) = made["replaced"]
    assert (one["before"]["path"], one["kept"], one["same"]) == ("in/a.jsonl", 12, 9)
    assert one["gone"] == ["in/a.jsonl#4", "in/a.jsonl#7", "in/a.jsonl#8"]
    assert made["metrics"]["changes"]["since"] == 2  # so `max_change` holds for it
    again = run(capsys, edited, *REPLACE)
    assert again.code == 0 and "nothing new" in again.out


def test_rows_of_files_that_a_replacing_run_does_not_name_stay(capsys, edited):
    ran = run(capsys, edited, *REPLACE, given="in/a.jsonl")
    assert ran.code == 0 and "9 of its 12 kept documents are still in it: in/a.jsonl" in " ".join(ran.out.split())
    assert run(capsys, edited, out="anew").code == 0
    assert rows_of(edited / "out").equals(rows_of(edited / "anew"))


def test_damage_of_a_file_whose_rows_stay_is_still_told(capsys, tmp_path):
    rows_and_an_array = [*rows(range(8)), b"[1, 2, 3]"]
    write_rows(tmp_path / "in/b.jsonl", rows_and_an_array)
    write_rows(tmp_path / "in/a.jsonl", rows(range(10, 14)))
    budget = ("--set", "source.max_bad_fraction=0.5")
    assert run(capsys, tmp_path, *budget).code == 0
    write_rows(tmp_path / "in/a.jsonl", rows(range(20, 24)))
    assert run(capsys, tmp_path, *budget, *REPLACE, given="in/a.jsonl").code == 0
    (damaged,) = json.loads((tmp_path / "out/metrics.json").read_text())["damaged"]
    assert (damaged["path"], damaged["source"], damaged["rows"], damaged["lost_rows"]) == ("in/b.jsonl", "s", 8, 3)


def test_without_the_facts_of_a_file_that_stays_nothing_is_replaced(capsys, edited):
    before = digests(edited / "out")
    shutil.rmtree(edited / "out/.work")
    ran = run(capsys, edited, *REPLACE, given="in/a.jsonl")
    assert (ran.code, digests(edited / "out")) == (2, before)
    assert "in/c.jsonl" in ran.err and "add it to the inputs, or use --replace" in ran.err
    assert run(capsys, edited, *REPLACE).code == 0


@pytest.mark.parametrize("broken", ["pipeline.output.manifest.commit", "pipeline.report.publish.write"])
def test_a_replacing_run_that_is_interrupted_is_resumed(broken, capsys, edited, monkeypatch):
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    whole = shutil.copytree(edited, edited.parent / "whole")
    before = rows_of(edited / "out")
    with monkeypatch.context() as patch:
        patch.setattr(broken, stop)
        assert run(capsys, edited, *REPLACE).code == 130
    committed = broken.endswith("write")
    if not committed:
        assert json.loads((edited / "out/manifest.json").read_text())["live"] == [1, 2]
        assert rows_of(edited / "out").equals(before)
    assert run(capsys, edited, *REPLACE).code == 0
    assert run(capsys, whole, *REPLACE).code == 0
    assert digests(edited / "out") == digests(whole / "out")


def touched(folder: Path) -> None:
    os.utime(folder / "in/a.jsonl", (1, 1))


def renamed(folder: Path) -> None:
    (folder / "in").rename(folder / "elsewhere")


def packed(folder: Path) -> None:
    for file in (folder / "in").iterdir():
        (folder / f"in/{file.name}.gz").write_bytes(gzip.compress(file.read_bytes()))
        file.unlink()


def repacked(folder: Path) -> None:
    for file in (folder / "in").iterdir():
        file.write_bytes(gzip.compress(gzip.decompress(file.read_bytes()), 1))


def deleted(folder: Path) -> None:
    (folder / "in/a.jsonl").unlink()


@pytest.mark.parametrize(
    ("change", "given", "said"),
    [
        (touched, "in", ""),
        (renamed, "elsewhere", "moved, not read again: elsewhere/a.jsonl, which holds what was read as in/a.jsonl"),
        (packed, "in", "moved, not read again: in/a.jsonl.gz, which holds what was read as in/a.jsonl"),
        (deleted, "in", "no longer there (its rows stay in the output): in/a.jsonl"),
    ],
)
def test_what_is_no_change_of_text_is_said_and_not_read_again(
    change: Callable[[Path], None], given: str, said: str, capsys, grown, tmp_path
):
    folder = shutil.copytree(grown, tmp_path / "changed")
    change(folder)
    ran = run(capsys, folder, given=given)
    assert ran.code == 0 and "nothing new" in ran.out and said in ran.err
    assert len(list((folder / "out/manifests").iterdir())) == 2
    explained = run(capsys, folder, "--explain", given=given)
    assert explained.code == 0 and "nothing would run" in explained.out and said in explained.out


def test_a_file_that_is_packed_at_another_level_is_not_read_again(capsys, grown, tmp_path):
    folder = shutil.copytree(grown, tmp_path / "packed")
    packed(folder)
    assert run(capsys, folder, out="packed").code == 0
    repacked(folder)
    ran = run(capsys, folder, out="packed")
    assert ran.code == 0 and "nothing new" in ran.out and ran.err.count("packed anew, not read again: in/") == 3
    (folder / "in/a.jsonl.gz").write_bytes((folder / "in/a.jsonl.gz").read_bytes()[:-9])
    assert run(capsys, folder, out="packed").code == 1


def test_explain_says_what_would_become_of_changed_inputs(capsys, edited):
    stopped = run(capsys, edited, "--explain")
    assert stopped.code == 2 and "one fault would stop the run:\n- an input changed since it was read" in stopped.err
    assert "in/a.jsonl: changed" in stopped.err
    anew = run(capsys, edited, "--explain", *REPLACE)
    assert "3 inputs, 3 new; would become generation 3" in anew.out
    assert "changed since it was read, read again in place of what was read: in/a.jsonl" in anew.out
