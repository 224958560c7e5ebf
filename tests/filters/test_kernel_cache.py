"""The cache of compiled kernels: another source is another folder, and only folders that nobody uses are removed."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from filters import kernels
from filters.kernels import cache
from tests.support import ROOT

NOW = 2_000_000_000.0
DAY = 86_400.0


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    """The kernels' sources with one of them in a sub-folder."""
    made = Path(shutil.copytree(ROOT / "filters/kernels", tmp_path / "kernels", ignore=shutil.ignore_patterns("__pycache__")))
    (made / "words" / "deep").mkdir(parents=True)
    (made / "unicode" / "fold.py").rename(made / "words" / "deep" / "fold.py")
    return made


def test_the_digest_is_that_of_these_sources():
    assert cache.digest(ROOT / "filters/kernels", ROOT / "filters/data/spacy_english.json") == kernels.DIGEST
    assert len(kernels.DIGEST) == 16


def test_a_kernel_that_is_edited_in_a_sub_folder_gives_another_digest(sources):
    before = cache.digest(sources)
    edited = sources / "words" / "deep" / "fold.py"
    edited.write_text(edited.read_text("utf-8") + "\n", "utf-8")
    assert cache.digest(sources) != before


def test_names_and_bounds_of_files_count_and_other_files_do_not(sources, tmp_path):
    before = cache.digest(sources)
    (sources / "words" / "__pycache__").mkdir()
    (sources / "words" / "__pycache__" / "fold.pyc").write_bytes(b"x")
    assert cache.digest(sources) == before
    (sources / "words" / "deep" / "fold.py").rename(sources / "words" / "fold.py")
    moved = cache.digest(sources)
    assert moved != before
    pieces = [sources / "kept.py", sources / "rows.py"]
    one, two = (piece.read_bytes() for piece in pieces)
    pieces[0].write_bytes(one + two[:1])
    pieces[1].write_bytes(two[1:])
    assert cache.digest(sources) != moved


def test_a_table_that_kernels_hold_counts(sources, tmp_path):
    table = tmp_path / "table.json"
    table.write_text("{}")
    before = cache.digest(sources, table)
    table.write_text("[]")
    assert cache.digest(sources, table) != before != cache.digest(sources)


def test_the_digest_does_not_depend_on_where_the_sources_lie_or_how_they_are_listed(sources, tmp_path):
    again = tmp_path / "b" / "kernels"
    for path in sorted(sources.rglob("*.py"), reverse=True):
        (again / path.relative_to(sources)).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, again / path.relative_to(sources))
    assert cache.digest(again) == cache.digest(sources)


def cached(home: Path, number: int, *, days: float, marked: bool = True) -> Path:
    """A folder of compiled kernels that was last used so many days before NOW."""
    made = home / f"kernels-{number:016x}"
    (made / "fold_1").mkdir(parents=True)
    (made / "fold_1" / "fold.1.nbc").write_bytes(b"machine code")
    if marked:
        (made / cache.IN_USE).touch()
    at = NOW - days * DAY
    for path in [*made.rglob("*"), made]:
        os.utime(path, (at, at))
    return made


@pytest.mark.parametrize(("days", "goes"), [(0, False), (29.9, False), (30.1, True), (400, True)])
@pytest.mark.parametrize("marked", [True, False])
def test_folders_go_after_a_month_without_use(tmp_path, days, goes, marked):
    own, other = tmp_path / "kernels-own", cached(tmp_path, 1, days=days, marked=marked)
    assert cache.remove_unused(own, now=NOW) == ([other.name] if goes else [])
    assert other.exists() is not goes and not list(tmp_path.glob(".*"))


def test_reading_a_folder_of_an_earlier_release_is_using_it(tmp_path):
    other = cached(tmp_path, 1, days=90, marked=False)
    os.utime(other / "fold_1" / "fold.1.nbc", (NOW - DAY, NOW - 90 * DAY))
    assert cache.remove_unused(tmp_path / "own", now=NOW) == []


def test_of_many_the_newest_stay(tmp_path):
    made = [cached(tmp_path, number, days=1 + number / 100) for number in range(cache.MOST + 3)]
    unmarked = cached(tmp_path, 99, days=20, marked=False)
    assert sorted(cache.remove_unused(tmp_path / "own", now=NOW)) == sorted(path.name for path in made[cache.MOST :])
    assert unmarked.exists()  # it may be held by a release that knows no lock


def test_the_own_folder_and_what_is_not_a_cache_of_kernels_stay(tmp_path):
    own = cached(tmp_path, 1, days=90)
    for name in ("prefect-3.8.8", "kernels-notes", "kernels-0123456789abcdef0"):
        (tmp_path / name).mkdir()
        os.utime(tmp_path / name, (0, 0))
    elsewhere = cached(tmp_path / "elsewhere", 2, days=90)
    (tmp_path / "kernels-00000000000000ff").symlink_to(elsewhere)
    before = sorted(tmp_path.iterdir())
    assert cache.remove_unused(own, now=NOW) == []
    assert sorted(tmp_path.iterdir()) == before and elsewhere.exists()


def test_what_a_live_process_holds_stays_and_goes_once_it_is_dead(tmp_path):
    other = cached(tmp_path, 1, days=90)
    script = (
        "import sys, time, pathlib\nfrom filters.kernels import cache\n"
        "assert cache.hold(pathlib.Path(sys.argv[1])) is not None\nprint('held', flush=True)\ntime.sleep(60)"
    )
    process = subprocess.Popen([sys.executable, "-c", script, str(other)], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None and process.stdout.readline() == "held\n"
        old = NOW - 90 * DAY
        os.utime(other / cache.IN_USE, (old, old))  # a process that began long ago
        assert cache.remove_unused(tmp_path / "own", now=NOW) == []
        assert (other / "fold_1" / "fold.1.nbc").exists()
    finally:
        process.kill()
        process.communicate()
    assert cache.remove_unused(tmp_path / "own", now=NOW) == [other.name]


def test_holding_makes_the_folder_says_when_and_begins_again_where_it_was_removed(tmp_path, monkeypatch):
    used = tmp_path / "winnow" / "kernels-0000000000000001"
    file = cache.hold(used)
    assert file is not None and not cache._remove(used)
    os.close(file)
    os.utime(used / cache.IN_USE, (0, 0))
    lock, calls = fcntl.flock, []

    def removed_meanwhile(file: int, kind: int) -> None:
        calls.append(kind)
        if len(calls) == 1:
            shutil.rmtree(used)
        lock(file, kind)

    monkeypatch.setattr(fcntl, "flock", removed_meanwhile)
    file = cache.hold(used)
    assert file is not None and len(calls) == 2
    assert os.path.samestat(os.fstat(file), (used / cache.IN_USE).stat())
    os.close(file)


def test_what_cannot_be_locked_read_or_written_is_left_and_fails_nothing(tmp_path, monkeypatch):
    def unsupported(file: int, kind: int) -> None:
        raise OSError(37, "No locks available")

    other = cached(tmp_path, 1, days=90)
    monkeypatch.setattr(fcntl, "flock", unsupported)
    assert cache.hold(tmp_path / "kernels-0000000000000002") is None
    assert cache.remove_unused(tmp_path / "own", now=NOW) == [] and other.exists()
    assert cache.remove_unused(tmp_path / "nowhere" / "own", now=NOW) == []
    (tmp_path / "file").write_text("")
    assert cache.hold(tmp_path / "file" / "kernels-0000000000000003") is None


def test_the_rest_of_a_removal_that_was_killed_goes(tmp_path):
    shutil.move(cached(tmp_path, 1, days=0), tmp_path / ".removed-kernels-0000000000000001-77")
    cache.remove_unused(tmp_path / "own", now=NOW)
    assert list(tmp_path.iterdir()) == []


def test_a_process_that_uses_kernels_holds_their_folder_and_a_run_s_warming_removes_old_ones(tmp_path):
    old = cached(tmp_path / "winnow", 1, days=0)
    os.utime(old / cache.IN_USE, (0, 0))
    script = (
        "from filters import kernels\nfrom filters.kernels import cache, warm\n"
        "warm.STAGES.clear()\nwarm.warm_stages()\n"
        "print(kernels.FOLDER.name, cache._remove(kernels.FOLDER))"
    )
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path)}
    environment.pop("NUMBA_CACHE_DIR", None)
    ran = subprocess.run([sys.executable, "-c", script], cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    assert ran.stdout == f"kernels-{kernels.DIGEST} False\n"
    assert [path.name for path in (tmp_path / "winnow").iterdir()] == [f"kernels-{kernels.DIGEST}"]


COMPILE = """
import sys
from numba.core import event

class Count(event.Listener):
    def on_start(self, _):
        pass

    def on_end(self, told):
        made.append(told.data["dispatcher"].py_func.__name__)

made = []
event.register("numba:compile", Count())
from filters.kernels.dedup import bits
bits.warm()
print(len(made))
"""


def test_two_checkouts_that_need_a_kernel_at_once_compile_it_once(tmp_path):
    other = tmp_path / "other" / "filters"
    shutil.copytree(ROOT / "filters/kernels", other / "kernels", copy_function=shutil.copy)  # other times, another path
    shutil.copytree(ROOT / "filters/data", other / "data")
    (other / "__init__.py").touch()
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path)}
    environment.pop("NUMBA_CACHE_DIR", None)
    run = [sys.executable, "-c", COMPILE]
    started = [
        subprocess.Popen(run, cwd=folder, env=environment | {"PYTHONPATH": str(folder)}, stdout=subprocess.PIPE, text=True)
        for folder in (ROOT, other.parent)
    ]
    counts = sorted(int(process.communicate()[0]) for process in started)
    again = subprocess.run(run, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    alone = sum(1 for path in (tmp_path / "winnow").rglob("*.nbc"))
    assert int(again.stdout) == 0 and alone > 0
    assert sum(counts) == _compiled_alone(tmp_path / "alone")


def _compiled_alone(home: Path) -> int:
    environment = {**os.environ, "XDG_CACHE_HOME": str(home)}
    environment.pop("NUMBA_CACHE_DIR", None)
    ran = subprocess.run([sys.executable, "-c", COMPILE], cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    return int(ran.stdout)
