"""The place where a store lies: a folder of this machine's disk (`pipeline.store.local`), or of an object store
(`pipeline.store.remote_folder`). What differs between the two stands behind this protocol; all else is written once, over it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import BinaryIO, Protocol, Self

import polars as pl
import pyarrow.parquet as pq

from pipeline.store.traffic import Traffic

TEMPORARY = ".tmp-"
"""Prefix of names that are not finished; removed when a run starts."""


def joined(root: str, name: str) -> str:
    """The path of a name in a folder, with `/`; the folder's own where the name is empty."""
    return f"{root}/{name}" if name else root


class Folder(Protocol):
    """All names are relative to `root`, an absolute path or a URL, with `/`."""

    @property
    def root(self) -> str: ...
    @property
    def remote(self) -> bool:
        """Whether it is another machine's."""

    @property
    def conditional(self) -> bool:
        """It has create-only writes; an object store without them is only used with `--unlocked`."""

    @property
    def traffic(self) -> Traffic: ...

    def has(self, name: str) -> bool: ...
    def size(self, name: str) -> int: ...
    def names(self, folder: str) -> list[str]:
        """Names of finished files directly in `folder`, sorted; empty if there is no such folder."""

    def entries(self, folder: str) -> list[str]:
        """Names of all files and folders directly in `folder`, unfinished ones apart; empty if there is no such folder."""

    def bytes_below(self, folder: str) -> int:
        """Bytes of all files below `folder`."""

    def holds(self, url: str) -> bool:
        """Whether a file, by path or URL, lies here."""

    def local_path(self, name: str) -> str | None:
        """Where programs of this machine find the file; None where they cannot."""

    def open(self, name: str) -> BinaryIO: ...
    def read_bytes(self, name: str) -> bytes: ...
    def parquet(self, name: str) -> AbstractContextManager[pq.ParquetFile]:
        """A Parquet file whose checksums are verified as it is read."""

    def scan(self, names: Sequence[str]) -> pl.LazyFrame: ...
    def note_read(self, file: pq.ParquetFile, groups: Iterable[int], columns: Sequence[str] | None) -> None:
        """Count what reading columns (default: all) of these row groups reads, where it is not counted on its way."""

    def failed(self, error: OSError) -> bool:
        """Whether the place did not answer, which says nothing about the file that was asked for."""

    def writer(self, name: str, *, durable: bool) -> AbstractContextManager[BinaryIO]:
        """A file that gets its name only when the block ends without an error; `durable`: and is on the disk by then."""

    def create(self, name: str, data: bytes) -> None:
        """Write a whole file that must not exist yet: FileExistsError if it does."""

    def place(self, other: Folder, staged: str, name: str) -> None:
        """Move the finished file `staged` of `other` to `name` here, whole."""

    def moved(self, staged: str, path: str) -> bool:
        """Give a finished file the name `path` on this machine's disk, without a copy; False where that cannot be."""

    def remove(self, name: str) -> None:
        """Remove a file or folder if it is there."""

    def remove_if_empty(self) -> None:
        """Remove the folder itself, where there is such a thing and nothing lies in it."""

    def private(self, folder: str) -> None:
        """Make `folder`, readable by its owner only. Object stores have neither folders nor modes: their own policy decides."""

    def private_file(self, name: str) -> None:
        """Let its owner alone read a file, likewise."""

    def scratch(self, folder: str) -> Path:
        """Where temporary files of a stage may lie on this machine's disk."""

    def sweep(self, folder: str, *, below: bool) -> None:
        """Remove unfinished files that a killed run left in `folder`, and `below` it."""

    def sweep_scratch(self, folder: str) -> None:
        """Remove the `scratch` folders that a killed run left in the folders of `folder`."""

    def lock(self, name: str) -> AbstractContextManager[Self]:
        """Hold the folder for one run, and use what this gives; OutputLocked if a live run holds it. A dead run's lock ends."""

    def unlock(self, name: str) -> None:
        """Remove the lock that this run holds, and its file."""

    def writable(self, *, unlocked: bool) -> Self:
        """The folder, opened to look at before, opened to change. OutputError if it cannot be."""
