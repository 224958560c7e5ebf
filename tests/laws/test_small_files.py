"""Small files share units (`pipeline.read.packs`), and everything is as if each had its own: rows, refs, records, budgets."""

from __future__ import annotations

import gzip
import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest

from pipeline.inspect import why
from pipeline.inspect.output import open_output_of
from pipeline.read import packs
from pipeline.read.files import InputFile
from pipeline.run import accounts
from tests.support import Ran, curate, digests, prose, table, winnow, write_rows

FOLDERS = ("data", "rejected", "ledger", "quarantine")
_KEYS = ("source.name=s", "source.max_bad_fraction=1", "checks.plants=0", "filters.c4.min_sentences=1")
PLAN = tuple(word for key in _KEYS for word in ("--set", key))


def small(path: str, **changes: object) -> InputFile:
    told: dict[str, object] = {"source": "s", "priority": 0, "url": f"/{path}", "path": path, "format": "jsonl", "weight": 100}
    limits = {"compression": None, "size": 100, "text": "text", "id": "id", "unit_bytes": 64_000_000, "max_row_bytes": 1}
    return InputFile(**{**told, **limits, "max_bad_fraction": 0.1, **changes})  # type: ignore[arg-type]


def sizes(files: Sequence[InputFile | None], **between: Sequence[str]) -> list[int]:
    return [len(pack) for pack in packs.packs(files, lambda file: file, **between)]


def named(n: int, **changes: object) -> list[InputFile | None]:
    return [small(f"d/{i:05d}", **changes) for i in range(n)]


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        (named(15), [1] * 15),
        (named(16), [16]),
        ([*named(16), None, *named(17)], [16, 1, 17]),
        ([*named(20), *named(20, source="t"), *named(20, priority=1)], [20, 20, 20]),
        (named(40, weight=800_000), [20, 20]),
        (named(40, weight=800_000, unit_bytes=1_000_000), [1] * 40),
    ],
)
def test_files_that_follow_each_other_share_a_unit_up_to_its_size(files, expected):
    assert sizes(files) == expected


def test_a_unit_of_another_run_ends_a_pack_that_it_stands_within():
    assert sizes(named(60), between=["d/00019x", "d/00070"]) == [20, 40]


def test_a_file_that_comes_changes_few_packs_and_none_is_too_large():
    def found(files: Sequence[InputFile | None]) -> set[tuple[str, ...]]:
        return {tuple(file.path for file in pack if file) for pack in packs.packs(files, lambda file: file)}

    files = named(9_000)
    before, after = found(files), found([*files[:4_000], small("d/03999x"), *files[4_000:]])
    assert len(before - after) <= 2 and 10 < len(before) < 60
    assert max(map(len, before)) <= packs.MOST


def put(folder: Path, number: int) -> None:
    """One file of few rows; of many kinds, some of them damaged."""
    text = prose(number % 40)
    row = json.dumps({"id": f"d{number}", "text": text, "n": 1.10}).encode()
    name = folder / f"{number:03d}"
    folder.mkdir(parents=True, exist_ok=True)
    match number % 8:
        case 0:
            name.with_suffix(".jsonl.gz").write_bytes(gzip.compress(row + b'\n{"text": 3}\n', mtime=0))
        case 1:
            name.with_suffix(".csv").write_text(f'id,text\nd{number},"{text}"\n')
        case 2:
            name.with_suffix(".txt").write_bytes(text.encode() if number % 16 == 2 else b"\xff\xfe\xfd\x00")
        case 3:
            name.with_suffix(".json").write_bytes(b"[" + row + b", " + row + b"]")
        case 4:
            name.with_suffix(".jsonl").write_bytes(row + b"\n\nno json\n" + row)
        case 5 if number == 5:
            name.with_suffix(".jsonl").write_bytes(b"".join(row + b"\n" for _ in range(400)))  # too large to share a unit
        case 6 if number == 6:
            name.with_suffix(".jsonl").write_bytes(b"")
        case 7 if number == 7:
            name.with_suffix(".jsonl").write_bytes(b"PK\x03\x04zip")
        case _:
            name.with_suffix(".jsonl").write_bytes(row + b"\n")


def run(folder: Path, *more: str | Path, out: str = "out") -> None:
    curate("minimal", "--input", folder / "in", "--output", folder / out, *PLAN, *more)


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("small")
    for number in range(64):
        put(folder / "in", number)
    run(folder)
    return folder


def units_of(out: Path, generation: int) -> list[dict]:
    (found,) = (out / ".work/generations").glob(f"{generation:06d}-*.json")
    return json.loads(found.read_text())["units"]


def test_many_files_share_few_units(packed):
    units = units_of(packed / "out", 1)
    assert sum(len(unit["names"]["paths"]) for unit in units) == 63  # an empty file has no unit
    assert len(units) < 12 and max(len(unit["files"]) for unit in units) > 50
    assert len([path for path in (packed / "out").rglob("*") if path.is_file()]) < 100


def test_shared_units_change_no_byte_and_no_record_of_a_file(packed, monkeypatch):
    monkeypatch.setattr(packs, "FEWEST", 10_000)
    run(packed, out="alone")
    assert len(units_of(packed / "alone", 1)) == 63
    assert digests(packed / "out", FOLDERS) == digests(packed / "alone", FOLDERS)
    one, other = (json.loads((packed / name / "manifest.json").read_text()) for name in ("out", "alone"))
    assert one["inputs"] == other["inputs"] and len(one["inputs"]) == 64
    assert any(record["unpacked"] for record in one["inputs"])
    for told in ("totals", "damaged", "passed", "replaced", "by_source", "reasons"):
        assert one["metrics"].get(told) == other["metrics"].get(told), told


def test_a_changed_file_alone_gives_way_and_the_other_files_of_its_pack_stay(packed, tmp_path):
    shutil.copytree(packed, tmp_path, dirs_exist_ok=True)
    write_rows(tmp_path / "in/037.jsonl", [{"id": "new", "text": prose(77)}])
    write_rows(tmp_path / "in/038x.jsonl", [{"id": "among", "text": prose(78)}])  # stands among those of the pack
    given = ("--input", tmp_path / "in/037.jsonl", "--input", tmp_path / "in/038x.jsonl", "--input", tmp_path / "in/041.csv")
    curate("minimal", *given, "--output", tmp_path / "out", *PLAN, "--set", "on_changed=replace")
    run(tmp_path, out="anew")
    ledgers = [table(tmp_path / name, "ledger").drop("generation", "duplicate_generation") for name in ("out", "anew")]
    assert ledgers[0].equals(ledgers[1])
    assert table(tmp_path / "out", "data").equals(table(tmp_path / "anew", "data"))
    quarantined = [table(tmp_path / name, "quarantine").drop("generation") for name in ("out", "anew")]
    assert quarantined[0].equals(quarantined[1])
    one, other = (json.loads((tmp_path / name / "manifest.json").read_text()) for name in ("out", "anew"))
    assert one["inputs"] == other["inputs"] and one["metrics"]["damaged"] == other["metrics"]["damaged"]


def test_the_budget_of_a_file_is_its_own(capsys, packed, tmp_path, monkeypatch):
    monkeypatch.setattr(accounts, "SMALL_FILE", 1)  # else only the source's counts
    shutil.copytree(packed / "in", tmp_path / "in")
    where = ("--input", tmp_path / "in", "--output", tmp_path / "out", *PLAN, "--set", "source.max_bad_fraction=0.6")
    ran: Ran = winnow(capsys, "minimal", *where)
    assert ran.code == 1
    assert "file in/007.jsonl: 1 of 1 rows" in ran.err and "in/007.jsonl#1: unreadable" in ran.err and "source s" not in ran.err


def test_a_row_of_a_shared_unit_is_taken_down_and_asked_for_by_its_file(packed, tmp_path):
    from flows.inspect import main

    shutil.copytree(packed, tmp_path, dirs_exist_ok=True)
    gone = "in/045.jsonl#1"
    (found,) = why.find_rows(open_output_of(str(tmp_path / "out")), "in/047.jsonl#1")
    assert found.values is not None and found.values.origin == "work"
    (tmp_path / "keys").write_text(f"{gone}\n")
    before = table(tmp_path / "out", "ledger")
    where = ["--output", str(tmp_path / "out"), "--keys", str(tmp_path / "keys"), "--yes"]
    assert main(["takedown", *where]) == 0
    after = table(tmp_path / "out", "ledger")
    taken = set(after.filter(after["reason"] == "taken_down")["source_ref"])
    assert gone in taken and len(after) == len(before) and gone not in table(tmp_path / "out", "data")["source_ref"].to_list()
    for file in (tmp_path / "out/.work/documents").glob("*.parquet"):
        assert prose(5).encode() not in file.read_bytes()
