"""A file system for fsspec, `flaky://`, over local files: reads fail or stall when a test says so."""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from typing import Any

import fsspec
from fsspec.implementations.local import LocalFileSystem


class FlakyFileSystem(LocalFileSystem):
    """`fault(n, path)` is asked before the n-th read of all files and may raise or sleep; None: nothing fails."""

    protocol = "flaky"
    cachable = False
    fault: Callable[[int, str], None] | None = None
    reads = 0

    @classmethod
    def ask(cls, path: str) -> None:
        cls.reads += 1
        if cls.fault is not None:
            cls.fault(cls.reads, path)

    def _open(self, path: str, mode: str = "rb", block_size: int | None = None, **_: Any) -> Any:
        assert mode == "rb"
        return _Opened(self._strip_protocol(path))

    @classmethod
    def _strip_protocol(cls, path: Any) -> Any:
        return super()._strip_protocol(path.removeprefix("flaky://") if isinstance(path, str) else path)


class _Opened(io.FileIO):
    """Reads of at most 8 kB, so that small files take many."""

    def __init__(self, path: str) -> None:
        super().__init__(path, "rb")
        self.path = path
        self.size = self.seek(0, io.SEEK_END)
        self.seek(0)

    def read(self, size: int | None = -1) -> bytes:
        FlakyFileSystem.ask(self.path)
        return super().read(8192 if size is None or size < 0 else min(size, 8192))

    def readall(self) -> bytes:
        return b"".join(iter(self.read, b""))


def stalls(seconds: float) -> Callable[[int, str], None]:
    return lambda _n, _path: time.sleep(seconds)


fsspec.register_implementation("flaky", FlakyFileSystem, clobber=True)
