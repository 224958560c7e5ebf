"""A decoder that dies costs the row group that killed it; one that was killed from outside costs a resume."""

from __future__ import annotations

import contextlib
import io
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import polars as pl
import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline import read
from pipeline.errors import BrokenContract, InputChanged, RunFailed
from pipeline.read.child import supervisor
from pipeline.read.files import InputFile
from pipeline.schema import BAD_ROW
from tests.support import prose, table, winnow

InputOf = Callable[..., InputFile]


def three_groups(folder: Path) -> Path:
    """Rows 11 to 20, the second row group, hold what kills the decoder of these tests."""
    folder.mkdir(exist_ok=True)
    texts = [prose(k) + (" KILL-ME" if k == 14 else "") for k in range(30)]
    pq.write_table(pa.table({"text": texts}), folder / "a.parquet", row_group_size=10)
    return folder / "a.parquet"


def dying(monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    supervisor.close()
    monkeypatch.setattr(supervisor, "COMMAND", (sys.executable, "-m", "tests.read.child.dying_decoder", how))


@pytest.fixture(autouse=True)
def no_decoder_of_another_test():
    yield
    supervisor.close()


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("SIGSEGV", "died of SIGSEGV"),
        ("SIGABRT", "died of SIGABRT"),
        pytest.param("memory", "more than 1.40 GB of memory", marks=pytest.mark.slow),
        pytest.param("circles", "worked 1 s without an end", marks=pytest.mark.slow),
    ],
)
def test_a_row_group_that_kills_its_decoder_is_lost_whatever_the_units(
    tmp_path: Path, input_of: InputOf, monkeypatch: pytest.MonkeyPatch, how: str, words: str
) -> None:
    dying(monkeypatch, how)
    if how == "circles":
        monkeypatch.setattr(supervisor, "_LOOK_S", 0.2)
        monkeypatch.setattr(supervisor, "STILL_CPU_S", 0.9)
    path = three_groups(tmp_path)
    for unit_bytes in (1, 64_000_000) if how == "SIGSEGV" else (64_000_000,):
        parts = [read.read(unit) for unit in read.units_of(input_of(path, unit_bytes=unit_bytes)).units or ()]
        good = [row for part in parts for row in part.documents["row"].to_pylist()]
        bad = [row for part in parts for row in part.bad.to_pylist()]
        assert good == [*range(1, 11), *range(21, 31)]
        assert [(row["row"], row["cause"]) for row in bad] == [(row, "decoder_died") for row in range(11, 21)]
        assert words in bad[0]["detail"]


def test_one_that_was_killed_from_outside_condemns_no_row(
    tmp_path: Path, input_of: InputOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    dying(monkeypatch, "SIGKILL")
    (unit,) = read.units_of(input_of(three_groups(tmp_path))).units or ()
    with pytest.raises(RunFailed, match=r"killed from outside.*resumes"):
        read.read(unit)


def test_a_bug_in_the_decoder_stops_the_run(tmp_path: Path, input_of: InputOf, monkeypatch: pytest.MonkeyPatch) -> None:
    dying(monkeypatch, "bug")
    (unit,) = read.units_of(input_of(three_groups(tmp_path))).units or ()
    with pytest.raises(BrokenContract, match="a bug of ours"):
        read.read(unit)


def test_the_command_publishes_what_lies_beside_a_unit_that_died(capsys, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dying(monkeypatch, "SIGSEGV")
    path = three_groups(tmp_path / "in")
    ran = winnow(capsys, "minimal", "--input", path, "--output", tmp_path / "out", "--set", "source.max_bad_fraction=0.4")
    assert ran.code == 0, ran.err
    assert table(tmp_path / "out", "data").height == 20
    lost = table(tmp_path / "out", "quarantine").select("source_ref", "cause", "detail").rows()
    assert lost[0] == ("in/a.parquet#11", "decoder_died", "the decoder died of SIGSEGV") and len(lost) == 10
    ledger = table(tmp_path / "out", "ledger")
    assert ledger.filter(pl.col("verdict") == "quarantined")["source_ref"].to_list() == [ref for ref, *_ in lost]


def test_no_decoder_outlives_its_run_and_an_unused_one_holds_little(tmp_path: Path, input_of: InputOf) -> None:
    for unit in read.units_of(input_of(three_groups(tmp_path))).units or ():
        read.read(unit)
    (child,) = [p for p in psutil.Process().children() if "pipeline.read.child.decoder" in " ".join(p.cmdline())]
    assert child.memory_info().rss < 150_000_000
    files = os.listdir("/proc/self/fd")
    read.close()
    assert not child.is_running()
    assert len(os.listdir("/proc/self/fd")) == len(files) - 2


def test_a_decoder_may_take_1_4_gb_more_than_it_starts_with_and_leaves_no_core(tmp_path: Path, input_of: InputOf) -> None:
    for unit in read.units_of(input_of(three_groups(tmp_path))).units or ():
        read.read(unit)
    (child,) = [p for p in psutil.Process().children() if "pipeline.read.child.decoder" in " ".join(p.cmdline())]
    soft, _ = child.rlimit(psutil.RLIMIT_DATA)
    assert 1_400_000_000 < soft < 2_000_000_000
    assert child.rlimit(psutil.RLIMIT_CORE) == (0, 0)


def test_a_row_group_too_large_beside_others_is_read_alone_and_by_no_decoder_that_ends_there(
    tmp_path: Path, input_of: InputOf
) -> None:
    """Its one page is of 19 MB, and its text is seen as a copy of a dictionary's."""
    words = "".join(f"{k:07d} " for k in range(400_000))
    pq.write_table(pa.table({"text": [f"{i} {words}" for i in range(6)]}), tmp_path / "a.parquet")
    turns: list[str] = []

    @contextlib.contextmanager
    def nothing_else() -> Iterator[None]:
        turns.append("alone")
        try:
            yield
        finally:
            turns.append("done")

    (unit,) = read.units_of(input_of(tmp_path / "a.parquet")).units or ()
    found = [rows for _, rows in read.parts(unit, read.Room(20_000_000, 1_000_000_000, 2_000_000_000, nothing_else))]
    assert [row for rows in found for row in rows.documents["row"].to_pylist()] == list(range(1, 7))
    assert not any(rows.bad.num_rows for rows in found) and turns == ["alone", "done"]
    with pytest.raises(RunFailed, match=r"a\.parquet: row group 0 .* more than 20\.0 MB .* allow --memory 2000MB"):
        list(read.parts(unit, read.Room(20_000_000, 20_000_000, 2_000_000_000, nothing_else)))
    assert turns == ["alone", "done"] * 2


def test_a_decoder_that_works_on_without_a_word_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "_LOOK_S", 0.05)
    with subprocess.Popen([sys.executable, "-S", "-c", "while True: pass"], stdout=subprocess.PIPE) as process:
        late = threading.Timer(10, process.kill)
        late.start()
        try:
            with pytest.raises(supervisor.DecoderDied, match="the decoder worked 0 s without an end"):
                supervisor._wait(process, 0.2)
            assert late.is_alive()
        finally:
            late.cancel()
            process.kill()


def test_a_table_of_a_damaged_decoder_is_not_believed(tmp_path: Path, input_of: InputOf) -> None:
    """Its buffers have the right sizes; what they hold is no UTF-8."""
    columns = [pa.array([1]), *(pa.array(["x"]) for _ in range(4)), pa.array([1]), pa.array([b"x"])]
    columns += [pa.array([1]), pa.array([0.0]), pa.array([False])]  # what it lost
    sound = pa.RecordBatch.from_arrays(columns, schema=BAD_ROW)
    file = input_of(three_groups(tmp_path))
    assert supervisor._batch(file, bytearray(sound.serialize()), BAD_ROW).equals(sound)
    torn = pa.StringArray.from_buffers(1, pa.py_buffer(bytes([0, 0, 0, 0, 1, 0, 0, 0])), pa.py_buffer(b"\xff"))
    damaged = pa.RecordBatch.from_arrays([columns[0], torn, *columns[2:]], schema=BAD_ROW)
    with pytest.raises(BrokenContract, match="its decoder gave a table that is not valid"):
        supervisor._batch(file, bytearray(damaged.serialize()), BAD_ROW)


def test_a_file_that_is_shorter_than_it_was_has_changed(tmp_path: Path, input_of: InputOf) -> None:
    file = input_of(three_groups(tmp_path))
    assert supervisor._read(file, io.BytesIO(b"0123456789"), [2, 8]) == b"23456789"
    with pytest.raises(InputChanged, match="changed while it was read"):
        supervisor._read(file, io.BytesIO(b"0123456789"), [2, 9])
