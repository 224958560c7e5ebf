"""A disk that is full or read-only, and memory that runs out: a clear end, and the same command ends with the same bytes."""

from __future__ import annotations

import errno
import os
import subprocess
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from filters.contract import TextBatch
from pipeline.stages.unit import annotate
from pipeline.store import local
from tests.faults import common
from tests.soak.common import mounted, run
from tests.support import curate, winnow


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return common.inputs(tmp_path_factory.mktemp("full") / "in")


@pytest.fixture(scope="module")
def expected(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[dict, list[str]]:
    """What a run must come to, and its changes to stores, in order."""
    out = tmp_path_factory.mktemp("full") / "out"
    with pytest.MonkeyPatch.context() as patch:
        seen = common.count_changes(patch, lambda n, what: None)
        curate(*common.command(folder, out), workers=1)
    return common.promised(out), seen


def kinds(changes: list[str]) -> list[int]:
    """The first change of each kind, and the last one of all."""
    first: dict[str, int] = {}
    for number, change in enumerate(changes, start=1):
        method, _, path = change.partition(" ")
        first.setdefault(f"{method} {path.split('/')[0]}", number)
    return sorted({*first.values(), len(changes)})


def test_the_changes_are_those_of_every_stage(expected):
    for part in ("documents/", "facts/", "judgements/filters", "judgements/dedup", "staging/", "place", "create manifests/"):
        assert any(part in change for change in expected[1]), part


def test_the_commit_stands_between_what_it_names_and_what_tells_of_it(expected):
    """Also when it is killed at any point: no reader meets a generation whose files or manifest are not there."""
    names = [change.split()[-1] for change in expected[1] if not change.startswith("remove")]
    told = ["plan.resolved.yaml", "metrics.json", "report.html", "README.md", "manifest.json"]
    folders = ("data/", "rejected/", "ledger/", "quarantine/", "index/", "manifests/")
    order = [name for name in names if name.startswith(folders) or name in told]
    commit = order.index("manifests/000001.json")
    assert order[commit:] == ["manifests/000001.json", *told]
    assert {name.partition("/")[0] for name in order[:commit]} == {"data", "rejected", "ledger", "quarantine", "index"}


@pytest.mark.parametrize(
    ("number", "share"),
    [(errno.ENOSPC, 4), (errno.EROFS, 2), pytest.param(errno.ENOSPC, 60, marks=pytest.mark.slow)],
    ids=["full", "read-only", "full, many points"],
)
def test_a_disk_that_refuses_a_change_ends_the_run_and_the_same_command_resumes_it(
    capsys, monkeypatch, tmp_path, folder, expected, number, share
):
    wanted, changes = expected
    points = kinds(changes) if share < 60 else [*range(1, len(changes) + 1, max(1, len(changes) // share))]
    for point in points[:: max(1, len(points) // share)]:
        out = tmp_path / str(point)

        def fault(n: int, _what: str, point: int = point) -> None:
            if n >= point:
                raise OSError(number, os.strerror(number), "/disk/file")

        with monkeypatch.context() as patch:
            common.count_changes(patch, fault)
            ran = winnow(capsys, *common.command(folder, out), "--workers", "1")
        assert ran.code == 1, (changes[point - 1], ran.err)
        assert "Traceback" not in ran.err and f"/disk/file: {os.strerror(number)}" in ran.err
        assert ("free some space there" in ran.err) == (number == errno.ENOSPC)
        again = winnow(capsys, *common.command(folder, out), "--workers", "1")
        assert again.code == 0, (changes[point - 1], again.err)
        assert common.promised(out) == wanted, changes[point - 1]


def test_an_output_that_is_read_only_is_refused_at_once(capsys, monkeypatch, tmp_path, folder):
    def read_only(*_args: object, **_kwargs: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(local, "open", read_only, raising=False)
    ran = winnow(capsys, *common.command(folder, tmp_path / "out"))
    assert ran.code == 2
    assert f"cannot be written ({os.strerror(errno.EROFS)}); choose another folder" in ran.err


@pytest.mark.parametrize("where", ["unit", "filter", "reading back"])
def test_memory_that_runs_out_is_told_with_advice_and_the_same_command_resumes(
    capsys, monkeypatch, tmp_path, folder, expected, where
):
    def out_of_memory(*_args: object, **_kwargs: object) -> None:
        raise pa.ArrowMemoryError("malloc of size 64000000 failed")

    places = {
        "unit": (annotate, "_finish", out_of_memory),
        "filter": (TextBatch, "facts", property(out_of_memory)),
        "reading back": (pq.ParquetFile, "read", out_of_memory),
    }
    with monkeypatch.context() as patch:
        patch.setattr(*places[where])
        ran = winnow(capsys, *common.command(folder, tmp_path / "out"))
    assert ran.code == 1 and "Traceback" not in ran.err
    assert "out of memory (malloc of size 64000000 failed); lower --memory" in ran.err and "source.unit_bytes" in ran.err
    assert winnow(capsys, *common.command(folder, tmp_path / "out")).code == 0
    assert common.promised(tmp_path / "out") == expected[0]


@pytest.mark.slow
def test_a_small_disk_that_is_full_ends_the_run_and_a_larger_one_resumes_it(tmp_path, folder, expected):
    """The real thing: a tmpfs of 300 kB as work directory, remounted with room."""
    disk = tmp_path / "disk"
    with mounted(disk, "300k") as why_not:
        if why_not:
            pytest.skip(why_not)
        arguments = (*common.command(folder, tmp_path / "out"), "--work", disk / "work", "--workers", "1", "--inline")
        ended = run(*arguments)
        assert ended.returncode == 1 and "Traceback" not in ended.stderr, ended.stderr
        assert "No space left on device; free some space there" in ended.stderr and str(disk) in ended.stderr
        subprocess.run(["mount", "-o", "remount,size=64m", str(disk)], check=True)
        again = run(*arguments)
        assert again.returncode == 0, again.stderr
    assert common.promised(tmp_path / "out") == expected[0]
