"""Hashes of files: while they are written, and of those that are there."""

from __future__ import annotations

import hashlib
from typing import Any, BinaryIO

from pipeline.store.store import Store


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


def has_content(store: Store, name: str, sha256: str) -> bool:
    """Whether the file is there with this content."""
    if not store.has(name):
        return False
    with store.open(name) as file:
        found = hashlib.file_digest(file, "sha256")  # type: ignore[arg-type]  # both kinds of file have readinto
    return found.hexdigest() == sha256
