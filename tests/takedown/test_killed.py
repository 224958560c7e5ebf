"""A take-down killed at any point leaves the output as it was, or is completed by the next command of any kind."""

from __future__ import annotations

import json
import shutil
import signal
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from queue import SimpleQueue

import pytest

from tests.killed import ready
from tests.support import ROOT, digests, table
from tests.takedown.test_takedown import conserved, curated, keys, run, traces

__all__ = ["curated"]
NEXT = ("takedown", "why", "curate")
CHILDREN = 2


@pytest.fixture(scope="module")
def children() -> Iterator[SimpleQueue]:
    """Processes that are ready to run a command: see `tests/killed.py`."""
    free: SimpleQueue = SimpleQueue()
    with ExitStack() as held:
        for _ in range(CHILDREN):
            free.put(held.enter_context(ready(ROOT)))
        yield free


def killed(children: SimpleQueue, folder: Path, limit: int | str) -> list[str]:
    """The take-down, killed at its n-th change, or at the point of that name (0: not killed; returns the points)."""
    events, run = folder / "events.txt", children.get()
    command = ["inspect", "takedown", "--yes", "--output", str(folder / "out"), "--keys", keys(folder, "s", "mail")]
    try:
        status, printed = run(limit, events, command)
    finally:
        children.put(run)
    assert status == (0 if limit == 0 else -signal.SIGKILL), printed
    return events.read_text().splitlines() if limit == 0 else []


def copy(curated: Path, to: Path) -> Path:
    shutil.copytree(curated, to)
    return to


def judge(capsys: pytest.CaptureFixture[str], folder: Path, command: str) -> None:
    from flows.inspect import main

    committed = (folder / "out/manifests/000002.json").exists()
    if command == "takedown":
        assert main(["takedown", "--yes", "--output", str(folder / "out"), "--keys", keys(folder, "s", "mail")]) == 0
        committed = True
    elif command == "why":
        assert main(["why", "d0", "--output", str(folder / "out")]) == 0
        assert "now in data/" in capsys.readouterr().out
    else:
        run(folder)
    assert bool(traces(folder / "out")) is not committed
    conserved(folder / "out")
    names = {name.rpartition("/")[2] for name in digests(folder / "out")}
    assert (
        any("-t0002" in name for name in names if not name.startswith(".tmp-")) is committed
        and len(table(folder / "out", "ledger")) == 17
    )
    newest = json.loads((folder / "out/manifest.json").read_text())
    assert (newest["takedown"] is not None) is committed and not (committed and newest["takedown"]["pending"])
    assert not committed or not list((folder / "out").rglob(".tmp-*"))


def points(children: SimpleQueue, curated: Path, tmp_path: Path) -> list[str]:
    return killed(children, copy(curated, tmp_path / "whole"), 0)


def each_killed(children: SimpleQueue, curated: Path, tmp_path: Path, limits: Sequence[int | str]) -> Iterator[Path]:
    """A folder for each of these points, as the kill there left it: children side by side, a few folders at a time."""

    def one(limit: int | str) -> Path:
        folder = copy(curated, tmp_path / str(limit).replace("/", " "))
        killed(children, folder, limit)
        return folder

    with ThreadPoolExecutor(CHILDREN) as pool:
        for start in range(0, len(limits), 2 * CHILDREN):
            for folder in pool.map(one, limits[start : start + 2 * CHILDREN]):
                yield folder
                shutil.rmtree(folder)


def test_a_kill_before_the_commit_and_one_after_it(capsys, children, curated, tmp_path):
    chosen = {"before create manifests/000002.json": "why", "after _rename manifests/000001.json": "takedown"}
    for folder, command in zip(each_killed(children, curated, tmp_path, list(chosen)), chosen.values(), strict=True):
        assert (folder / "out/manifests/000002.json").exists() is (command == "takedown")
        judge(capsys, folder, command)


@pytest.mark.slow
def test_a_kill_at_every_point(capsys, children, curated, tmp_path):
    limits = range(1, len(points(children, curated, tmp_path)) + 1)
    for limit, folder in zip(limits, each_killed(children, curated, tmp_path, limits), strict=True):
        try:
            judge(capsys, folder, NEXT[limit % 3])
        except BaseException as error:
            error.add_note(f"killed at point {limit}, then {NEXT[limit % 3]}")
            raise
