"""A folder of this machine's disk: files are written under a temporary name and renamed; a process holds the lock, and with it
dies the lock.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import itertools
import os
import secrets
import shutil
import socket
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, ClassVar

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


@dataclass(frozen=True)
class LocalFolder:
    """The folder of a store on a disk. `root`: an absolute path."""

    root: str
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
            with named(self.path(name)), open(temporary, "wb") as file:
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
        with open(temporary, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(temporary, self.path(name))
        finally:
            os.unlink(temporary)

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
        os.chmod(self.path(folder), 0o700)

    def private_file(self, name: str) -> None:
        os.chmod(self.path(name), 0o600)

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
        with open(path, "a+", encoding="utf-8") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                if error.errno not in (errno.EWOULDBLOCK, errno.EACCES):
                    raise
                file.seek(0)
                holder = file.read(200).strip() or "another process"
                said = f"{self.root} is locked by a live run ({holder}); wait for it, or choose another folder"
                raise OutputLocked(said) from error
            file.truncate(0)
            file.write(f"process {os.getpid()} on {socket.gethostname()}")
            file.flush()
            yield self

    def unlock(self, name: str) -> None:
        self.remove(name)

    def writable(self, *, unlocked: bool) -> LocalFolder:
        return self


def open_local(url: str, *, create: bool) -> LocalFolder:
    """A folder by path or `file://` URL, made and tried out with `create`. OutputError, which names it as it was given."""
    folder = LocalFolder(absolute(url))
    if create:
        probe = Path(folder.root) / f"{TEMPORARY}{os.getpid()}-probe"
        try:
            probe.parent.mkdir(parents=True, exist_ok=True)
            probe.write_bytes(b"")
            probe.unlink()
        except OSError as error:
            raise OutputError(f"{url}: cannot be written ({error.strerror}); choose another folder") from error
    return folder


def _files(folder: str, *, deep: bool) -> Iterator[str]:
    """The files in a folder and, if `deep`, below it. Links to folders are not followed; what cannot be listed is left out."""
    for where, _, names in os.walk(folder):
        yield from (f"{where}/{name}" for name in names)
        if not deep:
            return
