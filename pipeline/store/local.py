"""A folder of this machine's disk: files are written under a temporary name and renamed; a process holds the lock, and with it
dies the lock.

Invariant: no file of the folder is opened for writing through a link, and a lock that another program wrote stays as it is: the
folder may have come from somebody else.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import itertools
import os
import re
import secrets
import shutil
import socket
import stat
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, ClassVar, TextIO

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.errors import OutputError, OutputLocked, named
from pipeline.store import checksums
from pipeline.store.folder import TEMPORARY, Origin, joined
from pipeline.store.places import absolute
from pipeline.store.traffic import Traffic, packed

_count = itertools.count()
_PROCESS = secrets.token_hex(4)
"""In names that are not finished: processes of two machines may have one number."""
_PIECE = 1 << 20
"""Bytes that are copied at a time."""
_UNLINKED = frozenset({errno.EPERM, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP, errno.EMLINK, errno.EINVAL})
"""What file systems without hard links answer: exFAT and FAT EPERM, servers and FUSE others; EMLINK where a file has one name."""
_OWN_LOCK = re.compile(r"(process \d+ on .*)?")
NO_LINKS = "no hard links, so generations are committed by renaming under the lock"
NO_MODES = "no modes, so that whoever may read the disk may read what is private in the folder (rejected/, quarantine/, index/)"


@dataclass(frozen=True)
class LocalFolder:
    """The folder of a store on a disk. `root`: an absolute path; `lacking`: what its file system does not have, where that
    was tried out."""

    root: str
    lacking: tuple[str, ...] = field(default=(), compare=False)
    traffic: Traffic = field(default_factory=Traffic, compare=False, repr=False)
    remote: ClassVar[bool] = False
    conditional: ClassVar[bool] = True

    def path(self, name: str) -> str:
        return joined(self.root, name)

    def has(self, name: str) -> bool:
        return os.path.isfile(self.path(name))

    def size(self, name: str) -> int:
        return os.path.getsize(self.path(name))

    def modified(self, name: str) -> datetime:
        return datetime.fromtimestamp(os.path.getmtime(self.path(name)), UTC)

    def names(self, folder: str) -> list[str]:
        return [entry.name for entry in self._listed(folder) if entry.is_file(follow_symlinks=False)]

    def sizes(self, folder: str) -> dict[str, int]:
        found = {}
        for entry in self._listed(folder):
            with contextlib.suppress(FileNotFoundError):  # gone meanwhile
                if entry.is_file(follow_symlinks=False):
                    found[entry.name] = entry.stat(follow_symlinks=False).st_size
        return found

    def entries(self, folder: str) -> list[str]:
        return [entry.name for entry in self._listed(folder)]

    def _listed(self, folder: str) -> list[os.DirEntry[str]]:
        try:
            with os.scandir(self.path(folder)) as found:
                return sorted((e for e in found if not e.name.startswith(TEMPORARY)), key=lambda e: e.name)
        except FileNotFoundError:
            return []

    def bytes_below(self, folder: str) -> int:
        size = 0
        for path in _files(self.path(folder), deep=True):
            with contextlib.suppress(OSError):  # gone meanwhile
                size += os.path.getsize(path)
        return size

    def holds(self, url: str) -> bool:
        path = url.removeprefix("file://")
        return "://" not in path and os.path.realpath(path).startswith(f"{os.path.realpath(self.root)}/")

    def local_path(self, name: str) -> str:
        return self.path(name)

    def open(self, name: str) -> BinaryIO:
        return open(self.path(name), "rb")

    def read_bytes(self, name: str) -> bytes:
        with self.open(name) as file:
            data = file.read()
        self.traffic.count(read=len(data))
        return data

    def random(self, name: str) -> BinaryIO:
        """A file of which single pieces are read."""
        return self.open(name)

    @contextlib.contextmanager
    def parquet(self, name: str) -> Iterator[pq.ParquetFile]:
        """A Parquet file whose checksums are verified as it is read."""
        with pa.OSFile(self.path(name)) as file:
            checksums.check(file)
            yield pq.ParquetFile(file, page_checksum_verification=True, pre_buffer=False)

    def scan(self, names: Sequence[str]) -> pl.LazyFrame:
        # Paths are names, whatever characters they hold: no pattern, and no column in a folder that is called `year=2024`.
        return pl.scan_parquet([self.path(name) for name in names], glob=False, hive_partitioning=False)

    def note_read(self, file: pq.ParquetFile, groups: Iterable[int], columns: Sequence[str] | None) -> None:
        """Count what reading columns (default: all) of these row groups reads."""
        self.traffic.count(read=packed(file.metadata, groups, columns))

    def failed(self, error: OSError) -> bool:
        """Whether the place did not answer, which says nothing about the file that was asked for."""
        return False  # a disk that fails is not told from a file that is damaged

    @contextlib.contextmanager
    def writer(self, name: str, *, durable: bool = False) -> Iterator[BinaryIO]:
        temporary = self._temporary(name)
        try:
            with named(self.path(name)), open(temporary, "xb") as file:
                yield file
                self.traffic.count(written=file.tell())
                if durable:
                    file.flush()
                    os.fsync(file.fileno())
            self._rename(temporary, self.path(name))
        except BaseException:
            with contextlib.suppress(FileNotFoundError):
                os.remove(temporary)
            raise

    def _temporary(self, name: str) -> str:
        """A path beside that of `name`, whose folder is made."""
        folder, _, last = name.rpartition("/")
        os.makedirs(self.path(folder), exist_ok=True)
        return self.path(f"{folder}/{TEMPORARY}{os.getpid()}-{_PROCESS}-{next(_count)}-{last}".lstrip("/"))

    def _rename(self, old: str, new: str) -> None:
        os.replace(old, new)

    def create(self, name: str, data: bytes) -> None:
        temporary = self._temporary(name)
        try:
            with named(self.path(name)), open(temporary, "xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            try:
                os.link(temporary, self.path(name))
            except OSError as error:
                if error.errno not in _UNLINKED:
                    raise
                self._create_unlinked(temporary, name)
        finally:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(temporary)

    def _create_unlinked(self, temporary: str, name: str) -> None:
        """By looking, then renaming, while the folder is held: of two that create one file the second finds it."""
        folder = os.open(os.path.dirname(self.path(name)), os.O_RDONLY | os.O_DIRECTORY)
        try:
            with contextlib.suppress(OSError):  # not every server locks a folder; the lock of the run keeps others away as well
                fcntl.flock(folder, fcntl.LOCK_EX)
            if os.path.lexists(self.path(name)):
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), self.path(name))
            os.rename(temporary, self.path(name))
        finally:
            os.close(folder)

    def place(self, other: Origin, staged: str, name: str) -> None:
        os.makedirs(self.path(name.rpartition("/")[0]), exist_ok=True)
        if not other.moved(staged, self.path(name)):
            with other.open(staged) as source, self.writer(name, durable=True) as target:
                shutil.copyfileobj(source, target, _PIECE)
            other.remove(staged)

    def moved(self, staged: str, path: str) -> bool:
        with self.open(staged) as file:
            os.fsync(file.fileno())
        try:
            os.replace(self.path(staged), path)
            return True
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            return False

    def remove(self, name: str) -> None:
        path = self.path(name)
        if os.path.isdir(path) and not os.path.islink(path):
            shutil.rmtree(path)
        elif os.path.exists(path):
            os.remove(path)

    def remove_if_empty(self) -> None:
        if not self.entries(""):
            self.remove("")

    def private(self, folder: str) -> None:
        os.makedirs(self.path(folder), exist_ok=True)
        if folder:
            self._keep_private(folder, 0o700)
        else:
            _chmod(self.root, 0o700)

    def private_file(self, name: str) -> None:
        self._keep_private(name, 0o600)

    def _keep_private(self, name: str, mode: int) -> None:
        if not os.path.islink(self.path(name)):  # where a link leads is not the output's to change
            _chmod(self.path(name), mode)

    def scratch(self, folder: str) -> Path:
        return Path(self.path(folder))

    def sweep(self, folder: str, *, below: bool = False) -> None:
        for path in _files(self.path(folder), deep=below):
            if os.path.basename(path).startswith(TEMPORARY):
                os.remove(path)

    def sweep_scratch(self, folder: str) -> None:
        for name in self.entries(folder):
            self.remove(f"{folder}/{name}/scratch")

    @contextlib.contextmanager
    def lock(self, name: str) -> Iterator[LocalFolder]:
        path = self.path(name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with _lock_file(path) as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                if error.errno not in (errno.EWOULDBLOCK, errno.EACCES):
                    raise
                holder = file.read(200).strip() or "another process"
                said = f"{self.root} is locked by a live run ({holder}); wait for it, or choose another folder"
                raise OutputLocked(said) from error
            if _OWN_LOCK.fullmatch(file.read(1000)) is None:
                raise OutputError(f"{path}: not a lock of Winnow; choose another folder, or remove the file")
            file.seek(0)
            file.truncate(0)
            file.write(f"process {os.getpid()} on {socket.gethostname()}")
            file.flush()
            yield self

    def unlock(self, name: str) -> None:
        self.remove(name)

    def writable(self, *, unlocked: bool) -> LocalFolder:
        return open_local(self.root, create=True)


def open_local(url: str, *, create: bool) -> LocalFolder:
    """A folder by path or `file://` URL, made and tried out with `create`. OutputError, which names it as it was given."""
    folder = LocalFolder(absolute(url))
    if not create:
        return folder
    try:
        os.makedirs(folder.root, exist_ok=True)
        return LocalFolder(folder.root, _lacking(folder.root))
    except OSError as error:
        raise OutputError(f"{url}: cannot be written ({error.strerror}); choose another folder") from error


def _lacking(root: str) -> tuple[str, ...]:
    """What the file system lacks, found out before any work is done. Raises OSError where nothing can be written."""
    probe = f"{root}/{TEMPORARY}{os.getpid()}-{secrets.token_hex(4)}-probe"
    found = []
    with open(probe, "xb"):
        pass
    try:
        try:
            os.link(probe, f"{probe}-linked")
            os.unlink(f"{probe}-linked")
        except OSError as error:
            if error.errno not in _UNLINKED:
                raise
            found.append(NO_LINKS)
        _chmod(probe, 0o600)
        if stat.S_IMODE(os.stat(probe).st_mode) != 0o600:
            found.append(NO_MODES)
    finally:
        os.unlink(probe)
    return tuple(found)


def _chmod(path: str, mode: int) -> None:
    """Where there are modes: FAT refuses to change them even for the owner, exFAT and many servers change nothing."""
    try:
        os.chmod(path, mode)
    except OSError as error:
        if error.errno not in _UNLINKED or os.stat(path).st_uid != os.geteuid():
            raise


def _lock_file(path: str) -> TextIO:
    """The lock, made where it is missing; never what a link leads to. Raises OutputError where it is no file."""
    try:
        opened = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK, 0o666)
    except OSError as error:
        if error.errno != errno.ELOOP:
            raise
        raise OutputError(f"{path} is a link, and a lock is not written through one; remove it") from error
    if not stat.S_ISREG(os.fstat(opened).st_mode):
        os.close(opened)
        raise OutputError(f"{path} is no file; choose another folder, or remove it")
    return open(opened, "r+", encoding="utf-8", errors="replace")


def _files(folder: str, *, deep: bool) -> Iterator[str]:
    """The files in a folder and, if `deep`, below it. Links to folders are not followed; what cannot be listed is left out."""
    for where, _, names in os.walk(folder):
        yield from (f"{where}/{name}" for name in names)
        if not deep:
            return
