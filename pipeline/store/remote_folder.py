"""A folder of an object store: a file gets its name in one completed upload, and only where the lock is still this run's.

Invariants: `create` and `place` never overwrite. What changes something asks the lock first; a run that lost it unnoticed meets
create-only writes, so that it replaces nothing of its successor's.
"""

from __future__ import annotations

import atexit
import contextlib
import errno
import os
import re
import shutil
import tempfile
import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import BinaryIO, ClassVar, cast

import polars as pl
import pyarrow.parquet as pq

from pipeline.errors import OutputError, RunFailed
from pipeline.store import checksums, lease, remote, remote_file
from pipeline.store.folder import TEMPORARY, Origin, joined
from pipeline.store.http_host import SCHEMES
from pipeline.store.lease import Lease
from pipeline.store.remote import FLAT, Client, Entry, names_of, scheme_of
from pipeline.store.secrets import refuse_secrets
from pipeline.store.traffic import Traffic


@dataclass(frozen=True)
class RemoteFolder:
    """The folder of a store on an object store. `root`: a URL. `guard`: its lock, where this run holds it."""

    client: Client
    root: str
    conditional: bool = field(default=True, compare=False)
    guard: Lease | None = field(default=None, compare=False, repr=False)
    remote: ClassVar[bool] = True
    lacking: ClassVar[tuple[str, ...]] = ()

    def __reduce__(self) -> tuple[type[RemoteFolder], tuple[Client, str, bool]]:
        # In another process: the lock is kept by the one that took it.
        return RemoteFolder, (self.client, self.root, self.conditional)

    @property
    def traffic(self) -> Traffic:
        return self.client.traffic

    def path(self, name: str) -> str:
        return joined(self.root, name)

    def has(self, name: str) -> bool:
        return self.client.isfile(self.path(name))

    def size(self, name: str) -> int:
        return self.client.size(self.path(name))

    def modified(self, name: str) -> datetime:
        return self.client.modified(self.path(name))

    def names(self, folder: str) -> list[str]:
        return [entry.name for entry in self._listed(folder) if entry.is_file]

    def sizes(self, folder: str) -> dict[str, int]:
        return {entry.name: entry.size for entry in self._listed(folder) if entry.is_file}

    def entries(self, folder: str) -> list[str]:
        return [entry.name for entry in self._listed(folder)]

    def _listed(self, folder: str) -> list[Entry]:
        try:
            found = self.client.ls(self.path(folder))
        except FileNotFoundError:
            return []
        return sorted((e for e in found if not e.name.startswith(TEMPORARY)), key=lambda e: e.name)

    def bytes_below(self, folder: str) -> int:
        return sum(entry.size for entry in self.client.find(self.path(folder)))

    def holds(self, url: str) -> bool:
        strip = self.client.strip
        return scheme_of(url) in names_of(self.client.scheme) and strip(url).startswith(f"{strip(self.root)}/")

    def local_path(self, name: str) -> None:
        return None

    def open(self, name: str) -> BinaryIO:
        return cast(BinaryIO, self._file(name, ahead=remote_file.AHEAD_BYTES))

    def random(self, name: str) -> BinaryIO:
        return cast(BinaryIO, self._file(name, ahead=0))

    def _file(self, name: str, *, ahead: int) -> remote_file.RangeFile:
        return remote_file.RangeFile(self.client, self.path(name), self.client.size(self.path(name)), ahead=ahead)

    def read_bytes(self, name: str) -> bytes:
        return self.client.get(self.path(name))

    @contextlib.contextmanager
    def parquet(self, name: str) -> Iterator[pq.ParquetFile]:
        with self._file(name, ahead=0) as file:
            checksums.check(file)
            # Columns that lie side by side come in one request.
            yield pq.ParquetFile(file, page_checksum_verification=True, pre_buffer=True)

    def scan(self, names: Sequence[str]) -> pl.LazyFrame:
        return pl.scan_pyarrow_dataset(self.client.dataset([self.path(name) for name in names]))

    def note_read(self, file: pq.ParquetFile, groups: Iterable[int], columns: Sequence[str] | None) -> None:
        """What a client fetches is counted there."""

    def failed(self, error: OSError) -> bool:
        return error.errno not in (None, errno.ENOENT)  # Arrow's own errors have no number

    @contextlib.contextmanager
    def writer(self, name: str, *, durable: bool = False, create: bool = False) -> Iterator[BinaryIO]:
        """`create`: FileExistsError if the name is taken. What has arrived is durable."""
        self._may_change()
        upload = remote_file.Upload(self.client, self.path(name), create=create)
        try:
            yield cast(BinaryIO, upload)
            self._may_change()
            self._complete(upload, name)
        except BaseException:
            upload.discard()
            raise

    def _complete(self, upload: remote_file.Upload, name: str) -> None:
        upload.finish()

    def _may_change(self) -> None:
        if self.guard is not None:
            self.guard.check()

    def create(self, name: str, data: bytes) -> None:
        if self.guard is not None:
            self.guard.confirm()
        if not self.conditional and self.has(name):
            raise FileExistsError(errno.EEXIST, "there already", self.path(name))
        try:
            self.client.put(self.path(name), data, create=self.conditional)
        except FileExistsError:
            if self.read_bytes(name) != data:  # else it is ours: an answer was lost, and the client asked again
                raise

    def place(self, other: Origin, staged: str, name: str) -> None:
        """RunFailed: another file is there. A run that lost its lock unnoticed must not replace its successor's files."""
        self._may_change()
        if self == other:
            self.client.copy(self.path(staged), self.path(name))
        elif self.conditional or not self.has(name):
            try:
                with other.open(staged) as source, self.writer(name, create=self.conditional) as upload:
                    shutil.copyfileobj(source, upload, remote_file.AHEAD_BYTES)
            except FileExistsError:
                self._must_equal(other, staged, name)
        else:
            self._must_equal(other, staged, name)
        other.remove(staged)

    def _must_equal(self, other: Origin, staged: str, name: str) -> None:
        with other.open(staged) as one, self.open(name) as two:
            while (data := one.read(remote_file.AHEAD_BYTES)) == two.read(remote_file.AHEAD_BYTES):
                if not data:
                    return
        raise RunFailed(
            f"{self.path(name)}: another run has put another file there, and no manifest names it; run the same command"
            " again: it removes such files first"
        )

    def moved(self, staged: str, path: str) -> bool:
        return False

    def remove(self, name: str) -> None:
        self._may_change()
        self.client.rm_below(self.path(name))

    def remove_if_empty(self) -> None:
        """An object store has no folders."""

    def private(self, folder: str) -> None:
        """Its own policy decides."""

    def private_file(self, name: str) -> None:
        """Its own policy decides."""

    def scratch(self, folder: str) -> Path:
        return _own_scratch() / folder

    def sweep(self, folder: str, *, below: bool = False) -> None:
        """An upload leaves nothing; a store with folders shows a file while it grows."""
        if self.client.scheme not in FLAT:
            for entry in self.client.find(self.path(folder), depth=None if below else 1):
                if entry.name.startswith(TEMPORARY):
                    self.client.rm(entry.path)

    def sweep_scratch(self, folder: str) -> None:
        """It lies on the disk of the process that made it, and ended with that."""

    @contextlib.contextmanager
    def lock(self, name: str) -> Iterator[RemoteFolder]:
        if not self.conditional:
            yield self  # `--unlocked`: nothing could hold it
        else:
            with lease.held(self.client, self.path(name), root=self.root) as kept:
                yield replace(self, guard=kept)

    def unlock(self, name: str) -> None:
        if self.guard is not None:
            self.guard.remove()
        else:
            self.remove(name)

    def writable(self, *, unlocked: bool) -> RemoteFolder:
        """With conditional writes, which it is asked for now."""
        return open_remote(self.root, create=True, unlocked=unlocked)


def open_remote(url: str, *, create: bool, unlocked: bool) -> RemoteFolder:
    """A folder by URL. OutputError if it cannot be one, cannot be written, or is to be locked and cannot be.

    With `create` it is tried out: a file is created, must not be created a second time, and is removed.
    """
    refuse_secrets(url, what="output", error=OutputError)
    scheme = scheme_of(url)
    if scheme in SCHEMES:
        raise OutputError(f"{url}: nothing can be written to a web server; name a folder, or one of an object store")
    fs, path = remote.filesystem(url, error=OutputError)
    path = re.sub("/{2,}", "/", path)
    root = f"{scheme}://{path.strip('/')}" if scheme in FLAT else f"{scheme}://{path}"
    if not path.strip("/"):
        raise OutputError(f"{url}: names no bucket; expected {scheme}://BUCKET/FOLDER")
    if set("*?[]") & set(path) or ".." in path.split("/"):
        raise OutputError(f"{root}: wildcards and `..` cannot be part of an output's name; choose another")
    client = Client(fs, scheme)
    conditional = _tried(client, root) if create else True
    if not conditional and not unlocked:
        raise OutputError(
            f"{root}: this store has no conditional writes (a second create-only write of one file was accepted), so nothing"
            " can keep two runs apart; choose another, or give --unlocked and see to it that only one run writes there"
        )
    return RemoteFolder(client, root, conditional=conditional)


def _tried(client: Client, root: str) -> bool:
    """Whether it has conditional writes."""
    name = f"{root}/{TEMPORARY}{os.getpid()}-{uuid.uuid4().hex}-probe"
    try:
        try:
            client.put(name, b"1", create=True)
            try:
                client.put(name, b"2", create=True)
                return False
            except FileExistsError:
                return True
        except (TypeError, NotImplementedError, OSError) as error:
            if not isinstance(error, TypeError | NotImplementedError) and error.errno not in (errno.ENOSYS, errno.EOPNOTSUPP):
                raise
            client.put(name, b"1")  # a client that knows no create-only writes
            return False
        finally:
            with contextlib.suppress(OSError):
                client.rm(name)
    except OSError as error:
        raise OutputError(f"{root}: cannot be written: {error.strerror or error}; {_advice(client, error)}") from error


SKEWED = "difference between the request time and the current time"
"""What S3 says of a clock that is more than a quarter of an hour off (RequestTimeTooSkewed)."""


def _advice(client: Client, error: OSError) -> str:
    if isinstance(error, FileNotFoundError):
        return "make the bucket first, or name another"
    if SKEWED in str(error):
        return "set the clock of this machine, which the store compares with its own"
    if error.errno in (errno.EACCES, errno.EPERM):
        return "check the credentials in the environment, and what they allow"
    reached = " and that the store can be reached (AWS_ENDPOINT_URL)" if client.scheme.startswith("s3") else ""
    return f"check the name{reached}"


@cache
def _own_scratch() -> Path:
    """A private folder of this process below TMPDIR, gone when it ends."""
    folder = tempfile.mkdtemp(prefix="winnow-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Path(folder)
