"""The folder of compiled kernels: how it is named, that it is in use, and the end of folders that no process uses any more.

Each digest of the sources has a folder of its own (some 7 MB), so every release, and every edit of a kernel, would leave one
behind. Invariant: a folder that a live process may still read from or write to is not removed. A process holds a shared lock
(flock) on `in-use` in its folder until it ends, whatever ends it, and says there when it began; who removes a folder holds that
lock alone. Folders of releases that held no lock are judged by age only: by when one of their files was last read or written.

Nothing here fails a run: where a folder cannot be read, locked or written it is left as it is.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import shutil
import time
from collections.abc import Iterator
from hashlib import blake2b
from pathlib import Path

IN_USE = "in-use"
UNUSED_S = 30 * 86_400
"""Folders not used for this long go. Chosen on 15 seconds that compiling takes: who goes back to an old release or another
branch within a month does not wait again."""
MOST = 8
"""Number of unused folders that stay, the newest: each edit of a kernel makes one."""
_NAME = re.compile(r"kernels-[0-9a-f]{16}")
_REMOVED = ".removed-"
_TRIES = 3
PAUSE_S = 0.02
"""Between tries: renaming a folder takes less."""


def digest(sources: Path, *tables: Path) -> str:
    """The digest of every Python file below `sources`, with its path there, and of `tables`; 16 hexadecimal digits."""
    hashed = blake2b(digest_size=8)
    named = sorted((path.relative_to(sources).as_posix(), path) for path in sources.rglob("*.py"))
    for name, path in (*named, *((table.name, table) for table in tables)):
        content = path.read_bytes()
        hashed.update(f"{name}\0{len(content)}\0".encode() + content)
    return hashed.hexdigest()


def folder(of: str) -> Path:
    """`$XDG_CACHE_HOME/winnow/kernels-<digest>`."""
    home = os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser()
    return Path(home) / "winnow" / f"kernels-{of}"


def hold(used: Path) -> int | None:
    """Make `used` if it is not there, and hold it until the process ends; the descriptor that holds it, None where none can."""
    for _ in range(_TRIES):  # a folder may be removed between its making and its lock: then it is made again
        try:
            used.mkdir(parents=True, exist_ok=True)
            file = os.open(used / IN_USE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except FileNotFoundError:
            continue
        except OSError:
            return None
        if _locked(file, fcntl.LOCK_SH, used):
            with contextlib.suppress(OSError):
                os.utime(file)
            return file
        os.close(file)
        time.sleep(PAUSE_S)
    return None


def remove_unused(own: Path, *, now: float | None = None) -> list[str]:
    """Remove the folders beside `own` that no process holds and that are old or many; their names."""
    moment = time.time() if now is None else now
    removed = []
    with contextlib.suppress(OSError):
        for left in own.parent.glob(f"{_REMOVED}*"):  # of a process that was killed while it removed one
            shutil.rmtree(left, ignore_errors=True)
        others = [entry for entry in _folders(own.parent) if entry.name != own.name]
        newest_first = sorted(((_last_use(other), other) for other in others), reverse=True)
        for place, (used, other) in enumerate(newest_first):
            counted = place >= MOST and (other / IN_USE).exists()
            if (counted or moment - used > UNUSED_S) and _remove(other):
                removed.append(other.name)
    return removed


def _folders(home: Path) -> Iterator[Path]:
    with os.scandir(home) as entries:
        for entry in entries:
            if _NAME.fullmatch(entry.name) and entry.is_dir(follow_symlinks=False):
                yield Path(entry.path)


def _last_use(cached: Path) -> float:
    """When a process last began to use the folder, or, where none said so, when a file in it was last read or written."""
    try:
        return (cached / IN_USE).stat().st_mtime
    except OSError:
        times = [cached.stat().st_mtime]
        for path in cached.rglob("*"):
            with contextlib.suppress(OSError):
                found = path.stat()
                times += [found.st_mtime, found.st_atime] if path.is_file() else [found.st_mtime]
        return max(times)


def _remove(cached: Path) -> bool:
    """Whether the folder went: it stays where a process holds it. Renamed first, so that nobody finds half of it."""
    gone = cached.with_name(f"{_REMOVED}{cached.name}-{os.getpid()}")
    try:
        file = os.open(cached / IN_USE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError:
        return False
    try:
        if not _locked(file, fcntl.LOCK_EX, cached):
            return False
        cached.rename(gone)
    except OSError:
        return False
    finally:
        os.close(file)
    shutil.rmtree(gone, ignore_errors=True)
    return True


def _locked(file: int, kind: int, cached: Path) -> bool:
    """Whether the lock is held, on the file that the folder still has."""
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
        return os.path.samestat(os.fstat(file), (cached / IN_USE).stat())
    except OSError:
        return False
