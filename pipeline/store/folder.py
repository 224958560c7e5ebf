"""What the two places where a store may lie have in common: a folder of this machine's disk (`pipeline.store.local`), or of an
object store (`pipeline.store.remote_folder`). Both have the same methods, which `pipeline.store.store.Store` documents.
"""

from __future__ import annotations

from typing import BinaryIO, Protocol

TEMPORARY = ".tmp-"
"""Prefix of names that are not finished; removed when a run starts."""


def joined(root: str, name: str) -> str:
    """The path of a name in a folder, with `/`; the folder's own where the name is empty."""
    return f"{root}/{name}" if name else root


class Origin(Protocol):
    """The folder that `place` takes a finished file from."""

    def open(self, name: str) -> BinaryIO: ...
    def remove(self, name: str) -> None: ...
    def moved(self, staged: str, path: str) -> bool:
        """Give a finished file the name `path` on this machine's disk, without a copy; False where that cannot be."""
