"""Hashes of files while they are written, and their comparison."""

from __future__ import annotations

import hashlib
from typing import Any, BinaryIO


class HashingFile:
    """A write-only file that keeps the sha256 of what passes."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.digest = hashlib.sha256()
        self.closed = False

    def write(self, data: Any) -> int:
        self.digest.update(data)
        return self._file.write(data)

    def flush(self) -> None:
        self._file.flush()

    def tell(self) -> int:
        return self._file.tell()

    def writable(self) -> bool:
        return True

    def readable(self) -> bool:
        return False

    def seekable(self) -> bool:
        return False

    def close(self) -> None:
        self.closed = True


def sha256_of(file: BinaryIO, piece: int = 1 << 20) -> str:
    """Of what is left of a file, read `piece` bytes at a time."""
    digest = hashlib.sha256()
    while data := file.read(piece):
        digest.update(data)
    return digest.hexdigest()


def same(one: BinaryIO, two: BinaryIO, piece: int) -> bool:
    """Whether two files hold the same bytes, read `piece` bytes at a time."""
    while (data := one.read(piece)) == two.read(piece):
        if not data:
            return True
    return False
