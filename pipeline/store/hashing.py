"""Hashes of files while they are written, and their comparison."""

from __future__ import annotations

import hashlib
from typing import Any, BinaryIO, Protocol


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

    def close(self) -> None:
        self.closed = True


class Files(Protocol):
    """What of `pipeline.store.store.Store` is needed here."""

    def has(self, name: str) -> bool: ...
    def open(self, name: str) -> BinaryIO: ...


def has_content(store: Files, name: str, sha256: str) -> bool:
    """Whether the file is there with this content."""
    if not store.has(name):
        return False
    digest = hashlib.sha256()
    with store.open(name) as file:
        while data := file.read(1 << 20):
            digest.update(data)
    return digest.hexdigest() == sha256


def same(one: BinaryIO, two: BinaryIO, piece: int) -> bool:
    """Whether two files hold the same bytes, read `piece` bytes at a time."""
    while (data := one.read(piece)) == two.read(piece):
        if not data:
            return True
    return False
