"""Object stores in memory, with faults: each is a filesystem of its own."""

from __future__ import annotations

import hashlib
import io
import threading
from datetime import UTC, datetime, timedelta
from typing import Any

from fsspec.implementations.memory import MemoryFile, MemoryFileSystem

from pipeline.store.remote import Client


class Clock:
    """The store's own clock."""

    def __init__(self) -> None:
        self.at = datetime(2030, 1, 1, tzinfo=UTC)

    def pass_(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


class FakeStore(MemoryFileSystem):
    """Atomic create-only writes, times by `clock`, and `fail`: called with each operation's name and path, it may raise."""

    protocol = "memory"
    cachable = False

    def __init__(self, *, conditional: bool = True) -> None:
        super().__init__(global_store=False, skip_instance_cache=True)
        self.conditional = conditional
        self.clock = Clock()
        self.fail: Any = lambda operation, path: None
        self._atomic = threading.RLock()

    def pipe_file(self, path: str, value: bytes, mode: str = "overwrite", **_: Any) -> None:
        self.fail("put", path)
        path = self._strip_protocol(path)
        with self._atomic:
            if mode == "create" and self.conditional and path in self.store:
                raise OSError(22, "At least one of the pre-conditions you specified did not hold")  # as s3fs says it
            made = MemoryFile(self, path, value)
            made.modified = self.clock.at
            self.store[path] = made

    def modified(self, path: str) -> datetime:
        self.fail("modified", path)
        return super().modified(path)

    def ls(self, path: str, detail: bool = True, **kwargs: Any) -> Any:
        self.fail("ls", path)
        with self._atomic:
            return super().ls(path, detail=detail, **kwargs)

    def cat_file(self, path: str, start: int | None = None, end: int | None = None, **_: Any) -> bytes:
        self.fail("get", path)
        return super().cat_file(path, start=start, end=end)

    def rm(self, path: Any, recursive: bool = False, maxdepth: int | None = None) -> None:
        with self._atomic:
            super().rm(path, recursive=recursive, maxdepth=maxdepth)


def client(store: MemoryFileSystem) -> Client:
    return Client(store, "memory")


class InParts(MemoryFileSystem):
    """Uploads in parts, as S3 does: nothing is visible before `commit`, and the part `broken` fails."""

    protocol = "s3"
    cachable = False

    def __init__(self, *, broken: int | None = None) -> None:
        super().__init__(global_store=False, skip_instance_cache=True)
        self.broken = broken
        self.aborted = 0
        self.opened: list[str] = []

    @classmethod
    def _strip_protocol(cls, path: str) -> str:
        return super()._strip_protocol(str(path).removeprefix("s3://"))

    def info(self, path: str, **kwargs: Any) -> dict[str, Any]:
        return self._tagged(super().info(path, **kwargs))

    def find(self, path: str, maxdepth: int | None = None, withdirs: bool = False, detail: bool = False, **kwargs: Any) -> Any:
        found = super().find(path, maxdepth=maxdepth, withdirs=withdirs, detail=True, **kwargs)
        return {name: self._tagged(info) for name, info in found.items()} if detail else list(found)

    def _tagged(self, info: dict[str, Any]) -> dict[str, Any]:
        if info["type"] == "file":
            info["ETag"] = f'"{hashlib.md5(self.store[info["name"]].getvalue()).hexdigest()}"'
        return info

    def _open(self, path: str, mode: str = "rb", block_size: int | None = None, autocommit: bool = True, **kwargs: Any) -> Any:
        if mode not in ("wb", "xb"):
            self.opened.append(path)
            made = _Opened(super()._open(path, mode, block_size, autocommit, **kwargs).getvalue())
            made.details = self.info(path)
            return made
        if autocommit:  # a whole file at once
            return super()._open(path, mode, block_size, autocommit, **kwargs)
        return _Parts(self, path, exclusive=mode == "xb")


class _Opened(io.BytesIO):
    details: dict[str, Any]


class _Parts:
    def __init__(self, fs: InParts, path: str, *, exclusive: bool) -> None:
        self.fs, self.path, self.exclusive = fs, path, exclusive
        self.parts: list[bytes] = []
        self.closed = False

    def write(self, data: bytes) -> int:
        if len(self.parts) + 1 == self.fs.broken:
            raise OSError(121, "InternalError")
        self.parts.append(bytes(data))
        return len(data)

    def close(self) -> None:
        self.closed = True

    def commit(self) -> None:
        if self.exclusive and self.path in self.fs.store:
            raise OSError(22, "At least one of the pre-conditions you specified did not hold")
        self.fs.store[self.path] = MemoryFile(self.fs, self.path, b"".join(self.parts))

    def discard(self) -> None:
        self.fs.aborted += 1
