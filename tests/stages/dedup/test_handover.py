"""What steps hand on comes back as it was given, from memory and from disk."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.machine import scratch
from pipeline.stages.dedup.handover import Files, Held
from pipeline.store.store import open_store

ROWS = [
    {"a": np.arange(size, dtype=np.uint64), "b": np.arange(3 * size, dtype=np.int32) - 1, "c": np.arange(size) % 2 == 0}
    for size in (0, 1_000, 7)
]


@pytest.fixture(params=["files", "memory", "scratch"])
def handover(request, tmp_path):
    if request.param == "files":
        yield Files(open_store(str(tmp_path)), "rows")
        return
    with scratch.open_scratch(tmp_path / "scratch", 0) as space:
        space.room = {"memory": 1 << 20, "scratch": 4 * 21_000}[request.param]  # a row of 1,000 takes 21,000 bytes
        yield Held(space)


def same(one, other) -> bool:
    return all(one[name].dtype == other[name].dtype and one[name].tolist() == other[name].tolist() for name in other)


def test_rows_come_back_one_at_a_time_all_of_them_or_a_column_of_all(handover):
    for name in ("x/1", "x/2", "x/3"):
        handover.write(name, iter(ROWS))
    handover.write("x/none", iter(()))
    for name in ("x/1", "x/2", "x/3"):
        assert all(same(handover.read(name, at), row) for at, row in enumerate(ROWS))
        assert all(same(found, row) for found, row in zip(handover.read_all(name), ROWS, strict=True))
        found = list(handover.read_all(name, "b"))
        assert [list(row) for row in found] == [["b"]] * 3 and found[2]["b"].tolist() == ROWS[2]["b"].tolist()
    assert list(handover.read_all("x/none")) == []


def test_what_is_there_is_not_made_again(handover):
    handover.write("x", iter(ROWS))
    handover.write("x", (pytest.fail("made again") for _ in range(1)))


def test_no_more_than_its_share_stays_in_memory_and_what_is_released_makes_room(tmp_path):
    with scratch.open_scratch(tmp_path / "scratch", 0) as space:
        space.room = 4 * 21_000
        held = Held(space)
        held.write("x/1", [ROWS[1]])
        held.write("y/1", ROWS)
        lying = [path.name for path in (space.folder / "handover").iterdir()]
        assert lying == ["y-1"]
        held.release("x")
        held.write("z/1", [ROWS[1]])
        assert [path.name for path in (space.folder / "handover").iterdir()] == lying and same(held.read("z/1", 0), ROWS[1])
        held.release("y")
        assert not list((space.folder / "handover").iterdir())
