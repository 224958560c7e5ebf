"""Files of the work directory and the output that were truncated, changed or deleted: made again, or named with what to do."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from pipeline.errors import Damaged
from pipeline.report import publish
from pipeline.run import publication
from pipeline.store.store import open_store
from tests.faults import common
from tests.support import ROOT, curate, winnow


def truncated(file: Path) -> None:
    file.write_bytes(file.read_bytes()[: file.stat().st_size * 2 // 3])


def flipped(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 0x10
    file.write_bytes(data)


def emptied(file: Path) -> None:
    file.write_bytes(b"")


def deleted(file: Path) -> None:
    file.unlink()


HARM: list[Callable[[Path], None]] = [truncated, flipped, emptied, deleted]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return common.inputs(tmp_path_factory.mktemp("damage") / "in")


def arguments(folder: Path, out: Path) -> tuple[str | Path, ...]:
    return (*common.command(folder, out), "--workers", "1")


class Killed(BaseException):
    pass


@pytest.fixture(scope="module")
def stopped(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """An output whose run ended before it placed a file, with everything staged, and what it must come to."""
    base = tmp_path_factory.mktemp("damage")
    curate(*arguments(folder, base / "expected"), workers=1)

    def end(*_: object, **__: object) -> None:
        raise Killed

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(publish, "place", end)
        patch.setattr(publication, "stage_index", lambda *_, **__: [])
        with pytest.raises(Killed):
            curate(*arguments(folder, base / "stopped"), workers=1)
    return base / "stopped", common.promised(base / "expected")


def kinds(out: Path) -> dict[str, Path]:
    """A file of each kind below a work directory: the largest one."""
    found: dict[str, Path] = {}
    for file in sorted((out / ".work").rglob("*"), key=lambda file: (-file.stat().st_size, file)):
        if file.is_file() and file.suffix in (".parquet", ".json", ".documents") and "attempts" not in file.parts:
            parts = file.relative_to(out / ".work").parts[:-1]
            folders = "/".join(part for part in parts if not re.fullmatch("[0-9a-f]{32}", part))
            name = file.name if parts[0] == "judgements" and not file.stem.isdigit() and len(file.stem) < 32 else ""
            found.setdefault(f"{folders} {name or '.'.join(file.name.split('.')[1:])}", file)
    return found


def mended(capsys: Any, folder: Path, out: Path) -> str:
    """What became of a damaged file: `made again`, or `named` where the run asked for its removal, and went on after that."""
    ran = winnow(capsys, *arguments(folder, out))
    assert "Traceback" not in ran.err, ran.err
    if ran.code == 0:
        return "made again"
    assert ran.code == 1, ran.err
    named = re.search(r"(/\S+?): .*; remove it and run the same command", ran.err)
    assert named, ran.err
    Path(named[1]).unlink(missing_ok=True)
    again = winnow(capsys, *arguments(folder, out))
    assert again.code == 0, again.err
    return "named"


def test_there_are_files_of_every_kind(stopped):
    there = " ".join(kinds(stopped[0]))
    for kind in ("documents parquet", "documents bad.parquet", "facts/final", "facts/minhash", "facts/pairs", "facts/gopher"):
        assert kind in there, kind
    for kind in ("judgements/filters", "judgements/dedup parquet", "judgements/dedup texts", "judgements/dedup summary"):
        assert kind in there, kind
    for kind in ("staging/data parquet", "parquet.json", "parquet.documents", "staging/ledger", "streams json"):
        assert kind in there, kind


FEW = ("documents parquet", "facts/minhash parquet", "judgements/dedup texts.parquet", "staging/data parquet", "streams json")


@pytest.mark.parametrize(
    ("harm", "tried"),
    [(flipped, FEW), (deleted, FEW[2:4]), *(pytest.param(harm, None, marks=pytest.mark.slow) for harm in HARM)],
)
def test_a_damaged_file_of_a_run_that_goes_on_changes_no_byte(capsys, tmp_path, folder, stopped, harm, tried):
    there = kinds(stopped[0])
    for number, (kind, file) in enumerate((name, there[name]) for name in tried or there):
        out = tmp_path / str(number)
        shutil.copytree(stopped[0], out)
        harm(out / file.relative_to(stopped[0]))
        how = mended(capsys, folder, out)
        assert common.promised(out) == stopped[1], (kind, how)
        assert how == "made again" or harm is not deleted, kind


def test_every_bit_of_a_work_table_is_covered_by_a_checksum(tmp_path):
    """The footer too, of which the format keeps none; bits that nothing reads may change nothing."""
    table = pa.table(
        {
            "row": pa.array(range(30), pa.int64()),
            "text": pa.array([f"text {k}" for k in range(30)], pa.large_string()),
            "failed": pa.array([["a"] * (k % 3) for k in range(30)]),
        }
    )
    open_store(str(tmp_path)).write_table("whole.parquet", table, metadata={"unit": json.dumps({"rows": 30})}, groups=[10, 20])
    file = tmp_path / "whole.parquet"
    bits = range(3, file.stat().st_size * 8, 37)
    command = [sys.executable, "-m", "tests.faults.flips", str(file), *map(str, bits)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=100, check=True)
    found = [line.split(" ", 1)[1] for line in done.stdout.splitlines()]
    assert len(found) == len(bits) and set(found) <= {"same", "Damaged"}
    assert found.count("Damaged") > 0.9 * len(found)


@pytest.mark.parametrize(
    "text", [b"", b"[", b"[]x", b"{}", b"[1]", b'{"recipe": "x", "units": [{"names": 1}]}', b"null", b"\xff"]
)
def test_a_list_of_a_generations_units_that_is_not_one_is_named(tmp_path, text):
    from pipeline.stages.unit import generations

    work = open_store(str(tmp_path))
    work.write_bytes("generations/000001.json", text)
    with pytest.raises(Damaged, match=r"generations/000001\.json: not what was written .*remove it"):
        generations.load(work, "generations/000001.json")


@pytest.mark.parametrize("harm", [truncated, *(pytest.param(h, marks=pytest.mark.slow) for h in (flipped, emptied))])
def test_notes_of_earlier_attempts_end_no_run(capsys, tmp_path, folder, stopped, harm):
    out = tmp_path / "out"
    shutil.copytree(stopped[0], out)
    notes = list((out / ".work/attempts").iterdir())
    assert notes
    for note in notes:
        harm(note)
    assert winnow(capsys, *arguments(folder, out)).code == 0
    assert common.promised(out) == stopped[1]


@pytest.mark.parametrize("harm", [flipped, *(pytest.param(h, marks=pytest.mark.slow) for h in (truncated, emptied))])
@pytest.mark.parametrize("name", ["manifests/000001.json", "index/texts-g0001.parquet", "index/documents-00000-g0001.parquet"])
def test_damaged_files_of_the_output_are_named_and_nothing_is_published_over_them(capsys, tmp_path, folder, name, harm):
    curate(*arguments(folder, tmp_path / "out"), workers=1)
    shutil.copytree(folder, tmp_path / "more/in")
    (tmp_path / "more/in/c.jsonl").write_bytes((folder / "a.jsonl").read_bytes().replace(b"Ada", b"Ida"))
    file = tmp_path / "out" / name
    if file.suffix == ".json" and harm is flipped:
        file.write_bytes(file.read_bytes().replace(b'"generation"', b'"generatiom"'))
    else:
        harm(file)
    ran = winnow(capsys, *arguments(tmp_path / "more/in", tmp_path / "out"))
    assert ran.code == 1 and "Traceback" not in ran.err
    advice = ("restore it", "damaged after it was written", "not a manifest")
    assert str(file) in ran.err and any(words in ran.err for words in advice)
    assert not (tmp_path / "out/manifests/000002.json").exists()
