"""Lists of paths and crawls as a run that has not ended read them: the same command goes on with the files that it began with.

A list is held in the work directory until a commit, so that one that changes meanwhile, or a server that does not answer, changes
nothing about a run that was killed. A list on a disk is not held: whoever changes it between two tries means to.
"""

from __future__ import annotations

import contextlib
from collections.abc import Container, Iterator, Sequence

from pydantic import ValidationError

from pipeline.errors import Damaged
from pipeline.records.inputs import Listed
from pipeline.run.options import RunOptions
from pipeline.store.folder import joined
from pipeline.store.keys import key
from pipeline.store.store import Store, open_store

FOLDER = "lists"


def load(options: RunOptions) -> dict[str, Listed]:
    """What the run that was cut short read, by key; a file that is not what was written is none."""
    work = open_store(options.work or joined(options.output, ".work"), create=False)
    found: dict[str, Listed] = {}
    for name in () if options.fresh else work.names(FOLDER):
        with contextlib.suppress(Damaged, ValidationError):
            made = Listed.model_validate(work.read_json(f"{FOLDER}/{name}"))
            found[made.key] = made
    return found


def keep(work: Store, listed: Sequence[Listed]) -> None:
    """Hold what was read until the commit."""
    for made in listed:
        if made.key.startswith("/"):
            continue
        name = f"{FOLDER}/{key('list', made.key)}.json"
        if not work.has(name):
            work.write_bytes(name, made.model_dump_json().encode())


def told(listed: Sequence[Listed], held: Container[str]) -> Iterator[str]:
    """Notes on lists that were not read now. `held`: their keys."""
    for made in listed:
        if made.key in held:
            yield f"{made.key}: the {len(made.files):,} files that the run began with; --fresh reads the list anew"


def clear(work: Store) -> None:
    """The run has ended: the next one reads the lists anew."""
    work.remove(FOLDER)
