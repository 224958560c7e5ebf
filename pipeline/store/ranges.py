"""A file elsewhere that is read by ranges of bytes."""

from __future__ import annotations

import io
from typing import Any


class Ranges(io.RawIOBase):
    """Where the reader stands in a file of `size` bytes; `_held`: what is held of it, from byte `_start` on. Subclasses read."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._position = 0
        self._start, self._held = 0, b""

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self.size}[whence]
        self._position = max(0, base + offset)
        return self._position

    def readinto(self, buffer: Any) -> int:
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)
