"""The folder of an export: files that get their name when they are whole, with their sha256."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import BinaryIO, cast

from pipeline.records.exports_json import ExportedFile
from pipeline.store.hashing import HashingFile
from pipeline.store.store import Store


class Folder:
    """Files that this run has written, by path. Not for several threads."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._files: dict[str, ExportedFile] = {}

    @contextlib.contextmanager
    def open(self, path: str) -> Iterator[BinaryIO]:
        """A file to write, which is on the disk under its name behind the block."""
        with self.store.writer(path, durable=True) as file:
            hashing = HashingFile(file)
            yield cast(BinaryIO, hashing)
            size = file.tell()
        self._files[path] = ExportedFile(path=path, bytes=size, sha256=hashing.digest.hexdigest())

    @property
    def files(self) -> tuple[ExportedFile, ...]:
        return tuple(self._files[path] for path in sorted(self._files))
