"""The folder that an export is written to: nothing of anybody else is in it, and what is there of an earlier export is known.

Invariant: exports.json is there if and only if the export is finished. Until then `.winnow-export` marks the folder and holds
what is done; nothing is removed from a folder that has neither.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from pydantic import ValidationError

from pipeline.errors import Damaged, OutputError
from pipeline.output.releases import refuse_newer
from pipeline.records.exports_json import SCHEMA_VERSION, Exports
from pipeline.store.remote import scheme_of
from pipeline.store.store import Store, open_store
from pipeline.takedown.exports import UNFINISHED

NAME = "exports.json"
_OURS = re.compile(r"(train|validation)-[0-9]{5}-of-[0-9]{5}\..+")


@dataclass(frozen=True)
class Target:
    """`finished`: what is there of an export that was finished."""

    store: Store
    finished: Exports | None

    @property
    def work(self) -> Store:
        """What is done of an export that is not finished."""
        return open_store(self.store.path(UNFINISHED))

    def clear(self) -> None:
        """Remove what an export that was not finished left of its shards."""
        for folder in ("", "docs"):
            self.store.sweep(folder)
            for name in self.store.names(folder):
                if _OURS.fullmatch(name):
                    self.store.remove(f"{folder}/{name}" if folder else name)


def open_target(folder: str) -> Target:
    """Raises OutputError where the folder holds anything else, or is not of this machine's disk."""
    if scheme_of(folder) not in ("file", "local"):
        raise OutputError(f"--to {folder}: expected a folder of this machine; copy it to the object store when it is there")
    store = open_store(folder, create=False)
    entries = store.entries("")
    if NAME in entries:
        return Target(store, read(store))
    if UNFINISHED not in entries and entries:
        raise OutputError(f"--to {folder}: holds other files ({entries[0]}); name an empty folder, or one that is not there")
    return Target(store, None)


def read(store: Store) -> Exports:
    """Raises Damaged where exports.json is none, NewerRelease for one of a newer release."""
    found = store.read_json(NAME)
    if isinstance(found, dict):
        refuse_newer(store.path(NAME), found.get("schema_version", 1), known=SCHEMA_VERSION)
    try:
        return Exports.model_validate(found)
    except ValidationError as error:
        first = error.errors()[0]
        what = f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
        raise Damaged(f"{store.path(NAME)}: not what an export writes ({what}); remove the folder, and export again") from error
