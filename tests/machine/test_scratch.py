"""Arrays on disk: what comes out is what went in, however small the memory, the disk or the number of open files."""

from __future__ import annotations

import contextlib
import errno
import os
import resource
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from pipeline.machine import scratch, workers
from pipeline.stages.dedup.order import order
from tests.stages.dedup.fakes import Doc, part_of

PAIR = np.dtype([("key", "<u8"), ("number", "<i8")])


@contextlib.contextmanager
def few_files(more: int) -> Iterator[None]:
    """The process may open `more` files beside those that are open."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(map(int, os.listdir("/proc/self/fd"))) + more, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


@pytest.mark.parametrize("partitions", [1, 2, 1 << 16, (1 << 16) + 1, 70_000])
def test_records_come_back_from_the_partition_they_went_to(tmp_path, partitions):
    """More than 65,536 partitions do not fit into the 16 bits that fewer are sorted by."""
    where = np.array([0, partitions - 1, partitions // 2, 0, partitions - 1])
    spill = scratch.Spill(tmp_path / "spill", PAIR, partitions, limit=1 << 30)
    spill.scatter(where, scratch.records(PAIR, where.astype(np.uint64), np.arange(5)))
    for partition in {*where.tolist(), min(1, partitions - 1)}:
        found = spill.take(partition)
        assert found["key"].tolist() == [partition] * len(found)
        assert found["number"].tolist() == np.flatnonzero(where == partition).tolist()


def test_a_thousand_partitions_and_logs_hold_no_file_open(tmp_path):
    with scratch.open_scratch(tmp_path / "s", 0) as space, few_files(24):
        space.room = 1_000  # everything goes to disk at once
        spill = space.spill("spill", PAIR, 1 << 10)
        logs = [space.log(f"log.{number}", np.int64) for number in range(1 << 10)]
        for part in range(4):
            keys = np.arange(part, 1 << 12, 4).astype(np.uint64)
            spill.scatter((keys % np.uint64(1 << 10)).astype(np.int64), scratch.records(PAIR, keys, keys.astype(np.int64)))
            for number, log in enumerate(logs):
                log.append(np.array([part, number]))
        assert sorted(np.concatenate([spill.take(number)["number"] for number in range(1 << 10)]).tolist()) == [*range(1 << 12)]
        assert all(log.load()[0::2].tolist() == [0, 1, 2, 3] for log in logs)


def test_priority_order_in_a_hundred_pieces_holds_no_file_open(tmp_path):
    docs = [Doc(i, None, frozenset(), score=float(i * 7919 % 400)) for i in range(400)]
    parts = [part_of(docs[start : start + 100], 1, start, urls=False) for start in range(0, 400, 100)]
    with scratch.open_scratch(tmp_path / "s", 0) as space, contextlib.closing(workers.Workers(2)) as pool, few_files(24):
        space.room = 1_200
        made = order(parts, [("score", True)], space, pool=pool)
        expected = pl.Series([d.score for d in docs]).arg_sort(descending=True)
        assert made.rows.tolist() == expected.to_list()


def test_a_log_reads_as_it_was_written_before_and_after_it_left_memory(tmp_path):
    with scratch.open_scratch(tmp_path / "s", 0) as space:
        space.room = 4096 * 100  # logs hold a hundred bytes
        log = space.log("log", np.int64)
        written: list[int] = []
        for size in (1, 0, 2, 40, 1, 3):
            assert log.append(np.arange(size)) == len(written)
            written += range(size)
            assert log.load().tolist() == written and log.read().tolist() == written


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_an_error_that_names_the_file(tmp_path, monkeypatch, code):
    def full(*_: object) -> None:
        raise OSError(code, os.strerror(code))

    with scratch.open_scratch(tmp_path / "s", 0) as space:
        space.room = 1_000
        log, spill = space.log("log", np.int64), space.spill("spill", PAIR, 2)
        monkeypatch.setattr(os, "posix_fallocate", full)
        monkeypatch.setattr(os, "write", full)
        for name, attempt in {
            "column": lambda: space.column("column", np.int64, 5),
            "log": lambda: log.append(np.arange(5)),
            "spill/0": lambda: spill.add(0, np.zeros(100, PAIR)),
        }.items():
            with pytest.raises(OSError, match=os.strerror(code)) as error:
                attempt()
            assert (error.value.errno, error.value.filename) == (code, str(tmp_path / "s" / name))


def test_mapped_pages_go_when_they_take_too_much(tmp_path):
    with scratch.open_scratch(tmp_path / "s", 0) as space:
        space.room = 40_000_000
        column = space.column("column", np.uint8, 64_000_000)
        before = scratch.mapped_bytes()
        column[:] = 7
        assert scratch.mapped_bytes() - before > 50_000_000
        space.relieve()
        assert scratch.mapped_bytes() - before < 10_000_000
        assert int(column[::4096].sum()) == 7 * len(column[::4096])


def test_an_old_scratch_folder_is_emptied_and_a_used_one_removed(tmp_path):
    folder: Path = tmp_path / "s"
    folder.mkdir()
    (folder / "log").write_bytes(b"left by a run that was killed")
    with pytest.raises(RuntimeError), scratch.open_scratch(folder, 0) as space:
        assert space.log("log", np.uint8).read().tolist() == [] and not list(folder.iterdir())
        raise RuntimeError
    assert not folder.exists()
