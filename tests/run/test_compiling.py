"""A helper compiles beside a run; whatever becomes of it, the run compiles what it needs, and says nothing."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from filters import kernels
from filters.kernels import compiled
from pipeline.plan import load, recipe
from pipeline.plan.recipe import Recipe
from pipeline.run import compiling

HOLD = (
    "import fcntl, sys, time; file = open(sys.argv[1], 'w'); fcntl.flock(file, fcntl.LOCK_EX); print(flush=True); time.sleep(60)"
)


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """An empty cache, and two processors."""
    monkeypatch.setattr(kernels, "FOLDER", tmp_path)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})
    return tmp_path


@pytest.fixture
def resolved() -> Recipe:
    return recipe.resolve(load.load_plan("minimal", inputs=["."]).plan)


def first(values: np.ndarray) -> int:
    return values[0] + 1


def marks(folder: Path) -> list[Path]:
    return list(folder.glob("compiled-*"))


def test_a_kernel_that_a_killed_helper_had_at_work_is_compiled(folder, resolved, monkeypatch, capfd):
    kernel = compiled.kernel(first)
    held = Path(kernel._cache.cache_path) / f"{kernel._cache._impl.filename_base}.lock"
    held.parent.mkdir(parents=True)
    command = [sys.executable, "-S", "-c", HOLD, str(held)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    monkeypatch.setattr(compiling, "_started", lambda _: process)
    with compiling.beside(resolved) as helper:
        assert process.stdout is not None and process.stdout.readline()
        waiting = threading.Thread(target=kernel, args=(np.zeros(1, np.int64),))
        waiting.start()
        waiting.join(0.2)
        assert waiting.is_alive()  # the helper has it
        process.kill()
        waiting.join(20)
        assert not waiting.is_alive() and kernel(np.array([1])) == 2
    assert helper.cpu_s >= 0 and len(marks(folder)) == 1 and len(list(folder.rglob("*.nbc"))) == 1
    assert capfd.readouterr() == ("", "")


def test_a_helper_that_dies_at_once_and_one_that_cannot_start_are_no_matter(folder, resolved, monkeypatch, capfd):
    def refused(*_: object, **__: object) -> None:
        raise OSError(12, "Cannot allocate memory")

    monkeypatch.setattr(compiling, "_started", lambda _: subprocess.Popen(["false"], stdin=subprocess.PIPE))
    with compiling.beside(resolved):
        pass
    marks(folder)[0].unlink()
    monkeypatch.undo()
    monkeypatch.setattr(kernels, "FOLDER", folder)
    monkeypatch.setattr(subprocess, "Popen", refused)
    assert compiling._started(resolved) is None
    with compiling.beside(resolved) as helper:
        assert helper.process is None
    assert capfd.readouterr() == ("", "")


def test_no_helper_where_such_a_plan_was_compiled_for_and_again_where_it_failed(folder, resolved, monkeypatch):
    started = []
    monkeypatch.setattr(compiling, "_started", started.append)
    with pytest.raises(MemoryError), compiling.beside(resolved):
        raise MemoryError
    for _ in range(2):
        with compiling.beside(resolved):
            pass
    assert len(started) == 2  # the first failed, the second did not
    other = recipe.resolve(load.load_plan("gopher", inputs=["."]).plan)
    with compiling.beside(other):
        pass
    assert len(started) == 3 and len(marks(folder)) == 2


def test_a_cache_that_cannot_be_written_fails_nothing(folder, resolved, monkeypatch, capfd):
    (folder / "file").touch()
    monkeypatch.setattr(kernels, "FOLDER", folder / "file" / "kernels-0000000000000001")
    monkeypatch.setattr(compiling, "_started", lambda _: None)
    kernel = compiled.kernel(first)
    with compiling.beside(resolved):
        assert kernel(np.array([1])) == 2
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("ending", ["nbi", "nbc"])
def test_what_was_cut_short_is_compiled_again(folder, ending):
    assert compiled.kernel(first)(np.array([1])) == 2
    (kept,) = folder.rglob(f"*.{ending}")
    kept.write_bytes(kept.read_bytes()[:-100])
    assert compiled.kernel(first)(np.array([1])) == 2


def test_a_helper_ends_with_the_run_that_started_it(monkeypatch):
    ended = []
    monkeypatch.setattr(os, "_exit", ended.append)
    compiling._end_with(io.StringIO("and no more"))
    assert ended == [0]


@pytest.mark.slow
def test_a_helper_fills_the_cache_for_its_plan(folder, resolved, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder))
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    process = compiling._started(resolved)
    assert process is not None and process.wait(300) == 0
    cached = {path.name.partition("-")[0] for path in folder.rglob("*.nbc")}
    assert {"fold._folded", "minhash._sign", "dedup_pass._link"} <= cached
