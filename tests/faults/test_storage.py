"""Storage that fails or is slow while inputs are read: tried again where that may help, else a clear end and a resume."""

from __future__ import annotations

import errno
import gzip
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from flows import retry
from tests.faults.flaky import FlakyFileSystem, stalls
from tests.support import curate, digests, prose, winnow, write_rows

ROWS = [{"text": prose(k), "id": str(k)} for k in range(60)]


@pytest.fixture(autouse=True)
def no_fault(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(retry, "BACK_OFF_S", 0.0)
    yield
    FlakyFileSystem.fault = None


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One file each that is split, streamed, decoded elsewhere, and read whole."""
    folder = tmp_path_factory.mktemp("flaky") / "in"
    write_rows(folder / "a.jsonl", ROWS[:20])
    with gzip.open(write_rows(folder / "b.jsonl.gz", ROWS[20:40]), "wb") as file:
        file.write((folder / "a.jsonl").read_bytes().replace(b"Ada", b"Ina"))
    pq.write_table(pa.table({"text": [row["text"] for row in ROWS[40:]]}), folder / "c.parquet", row_group_size=5)
    (folder / "d.txt").write_text(prose(99))
    return folder


def command(folder: Path, out: Path) -> tuple[str | Path, ...]:
    small = ("--set", "source.unit_bytes=8000")
    return ("minimal", "--input", *(f"flaky://{path}" for path in sorted(folder.iterdir())), "--output", out, *small)


@pytest.fixture(scope="module")
def expected(inputs: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    out = tmp_path_factory.mktemp("flaky") / "expected"
    curate(*command(inputs, out), workers=2)
    return digests(out)


def fails(number: int, every: Callable[[int], bool]) -> Callable[[int, str], None]:
    def fault(n: int, _path: str) -> None:
        if every(n):
            raise OSError(number, os.strerror(number))

    return fault


def test_reads_that_fail_now_and_then_are_tried_again(capsys, inputs, tmp_path, expected):
    """Thirteen faults, each of which may end a try: no order in which threads read meets more."""
    FlakyFileSystem.fault, FlakyFileSystem.reads = fails(errno.EIO, lambda n: n % 23 == 7 and n < 300), 0
    ran = winnow(capsys, *command(inputs, tmp_path / "out"), "--retries", "14")
    assert ran.code == 0, ran.err
    assert "reading failed (OSError: [Errno 5]" in ran.err and "the run goes on in 0 s" in ran.err
    assert digests(tmp_path / "out") == expected


@pytest.mark.parametrize("number", [errno.EACCES, errno.EIO], ids=["cannot pass", "does not pass"])
def test_reads_that_go_on_failing_end_the_run_and_the_same_command_resumes_it(capsys, inputs, tmp_path, expected, number):
    FlakyFileSystem.fault, FlakyFileSystem.reads = fails(number, lambda n: n > 12), 0
    ran = winnow(capsys, *command(inputs, tmp_path / "out"))
    assert ran.code == 1 and "Traceback" not in ran.err
    assert "reading failed" in ran.err and "the same command resumes the run" in ran.err
    assert ran.err.count("the run goes on in") == (2 if number == errno.EIO else 0)
    assert not (tmp_path / "out/manifests/000001.json").exists()
    FlakyFileSystem.fault = None
    assert winnow(capsys, *command(inputs, tmp_path / "out")).code == 0
    assert digests(tmp_path / "out") == expected


def test_slow_reads_change_nothing(capsys, inputs, tmp_path, expected):
    FlakyFileSystem.fault, FlakyFileSystem.reads = stalls(0.005), 0
    assert winnow(capsys, *command(inputs, tmp_path / "out")).code == 0
    assert FlakyFileSystem.reads > 20
    assert digests(tmp_path / "out") == expected
