"""What `pipeline.store.store` needs of a local disk alone: the lock of a process, files created once, a private folder."""

from __future__ import annotations

import atexit
import contextlib
import errno
import fcntl
import os
import shutil
import socket
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from pipeline.errors import OutputError, OutputLocked


@contextlib.contextmanager
def locked(path: str, *, root: str) -> Iterator[None]:
    """Hold the lock file `path` while the block runs. Raises OutputLocked if a live process holds it: a dead one holds none."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno not in (errno.EWOULDBLOCK, errno.EACCES):
                raise
            file.seek(0)
            holder = file.read(200).strip() or "another process"
            raise OutputLocked(f"{root} is locked by a live run ({holder}); wait for it, or choose another folder") from error
        file.truncate(0)
        file.write(f"process {os.getpid()} on {socket.gethostname()}")
        file.flush()
        yield


def create(path: str, data: bytes, *, by: str) -> None:
    """Write a whole file that must not exist yet, under the temporary name `by` first; FileExistsError if it does."""
    with open(by, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(by, path)
    finally:
        os.unlink(by)


def try_out(root: str, given: str, *, probe: str) -> None:
    """Make a folder and write into it. Raises OutputError, which names it as it was `given`."""
    try:
        Path(root).mkdir(parents=True, exist_ok=True)
        (Path(root) / probe).write_bytes(b"")
        (Path(root) / probe).unlink()
    except OSError as error:
        raise OutputError(f"{given}: cannot be written ({error.strerror}); choose another folder") from error


@cache
def scratch() -> Path:
    """A private folder of this process on its own disk, gone when it ends."""
    folder = tempfile.mkdtemp(prefix="winnow-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Path(folder)
