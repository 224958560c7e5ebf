"""A folder of this machine's disk: what a link, another program's lock, and a file system without hard links do to it."""

from __future__ import annotations

import errno
import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pipeline.errors import OutputError
from pipeline.store import local
from pipeline.store.store import Store, open_store


def store(folder: Path) -> Store:
    return open_store(str(folder / "store"))


def test_a_lock_that_is_a_link_is_refused_and_what_it_leads_to_stays(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("kept")
    opened = store(tmp_path)
    (tmp_path / "store" / ".lock").symlink_to(tmp_path / "precious")
    with pytest.raises(OutputError, match="is a link"), opened.lock(".lock"):
        pass
    assert (tmp_path / "precious").read_text() == "kept"


def test_the_lock_of_another_program_is_refused_and_stays(tmp_path: Path) -> None:
    opened = store(tmp_path)
    (tmp_path / "store" / ".lock").write_text("pid 7 of something else")
    with pytest.raises(OutputError, match="not a lock of Winnow"), opened.lock(".lock"):
        pass
    assert (tmp_path / "store" / ".lock").read_text() == "pid 7 of something else"
    os.remove(tmp_path / "store" / ".lock")
    os.mkfifo(tmp_path / "store" / ".lock")
    with pytest.raises(OutputError, match="is no file"), opened.lock(".lock"):
        pass


def test_our_own_lock_is_taken_again_after_a_run_that_died(tmp_path: Path) -> None:
    opened = store(tmp_path)
    for left in ("", "process 7 on another-host"):
        (tmp_path / "store" / ".lock").write_text(left)
        with opened.lock(".lock"):
            assert (tmp_path / "store" / ".lock").read_text().startswith(f"process {os.getpid()} on ")


@pytest.mark.parametrize("write", ["writer", "create"])
def test_no_temporary_file_is_opened_through_a_link(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write: str) -> None:
    (tmp_path / "precious").write_text("kept")
    opened = store(tmp_path)
    guessed = tmp_path / "store" / ".tmp-guessed"
    guessed.symlink_to(tmp_path / "precious")
    monkeypatch.setattr(local.LocalFolder, "_temporary", lambda self, name: str(guessed))
    with pytest.raises(FileExistsError):
        opened.write_bytes("file", b"x") if write == "writer" else opened.create("file", b"x")
    assert (tmp_path / "precious").read_text() == "kept"


def test_the_mode_of_what_a_link_leads_to_stays(tmp_path: Path) -> None:
    (tmp_path / "public").mkdir(mode=0o755)
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "index").symlink_to(tmp_path / "public")
    opened = store(tmp_path)
    opened.private("index")
    opened.private("rejected")
    (tmp_path / "letter").touch(0o644)
    (tmp_path / "store" / "key").symlink_to(tmp_path / "letter")
    opened.private_file("key")
    assert stat.S_IMODE((tmp_path / "letter").stat().st_mode) == 0o644
    assert stat.S_IMODE((tmp_path / "public").stat().st_mode) == 0o755
    assert stat.S_IMODE((tmp_path / "store" / "rejected").stat().st_mode) == 0o700


@pytest.fixture(params=[errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS])
def no_links(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """As exFAT, some servers and FUSE have it."""

    def refused(source: str, target: str, **_: object) -> None:
        raise OSError(request.param, os.strerror(request.param), source)

    monkeypatch.setattr(os, "link", refused)


@pytest.mark.usefixtures("no_links")
def test_without_hard_links_a_file_is_created_once_and_whole(tmp_path: Path) -> None:
    opened = store(tmp_path)
    assert opened.lacking == (local.NO_LINKS,)
    opened.create("manifests/000001.json", b"first")
    with pytest.raises(FileExistsError):
        opened.create("manifests/000001.json", b"second")

    def created(number: int) -> bool:
        try:
            opened.create("manifests/000002.json", str(number).encode() * 1000)
            return True
        except FileExistsError:
            return False

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(created, range(8))) == 1
    assert opened.read_bytes("manifests/000001.json") == b"first" and opened.size("manifests/000002.json") == 1000
    assert sorted(os.listdir(tmp_path / "store" / "manifests")) == ["000001.json", "000002.json"]


def test_where_there_are_links_and_modes_nothing_is_lacking(tmp_path: Path) -> None:
    assert store(tmp_path).lacking == ()
    assert os.listdir(tmp_path / "store") == []
    assert open_store(str(tmp_path / "never"), create=False).lacking == () and not (tmp_path / "never").exists()


def test_a_file_system_without_modes_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "chmod", lambda *_: None)  # exFAT: succeeds, and changes nothing
    assert store(tmp_path).lacking == (local.NO_MODES,)

    def refused(path: str, mode: int) -> None:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM), path)

    monkeypatch.setattr(os, "chmod", refused)  # FAT: refuses even the owner
    opened = store(tmp_path)
    opened.private("index")
    assert opened.lacking == (local.NO_MODES,)
