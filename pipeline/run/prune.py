"""What a commit leaves in the work directory: what live generations need, and what a run of another plan that was cut short made.

Judgements over the corpus are of one generation number, which is taken then: no later run can use them. Facts and documents go
where a generation was replaced, and every `EVERY` generations, since runs that were given up leave some too.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from pipeline.errors import Damaged, OutputLocked, WinnowError
from pipeline.output.manifest import Manifest
from pipeline.stages.dedup import small_parts
from pipeline.stages.unit import generations
from pipeline.stages.unit.tables import tables_of
from pipeline.store.store import Store

UNFINISHED = "unfinished"
MOST_COMMITS = 8
"""Commits of other plans after which a run that was cut short counts as given up: chosen so that a week of nights is less."""
EVERY = 16


def begin(work: Store, recipe_hash: str, generation: int) -> None:
    """Note that a run of this recipe goes on: until it commits, what it has made stays."""
    work.write_bytes(f"{UNFINISHED}/{recipe_hash}.json", json.dumps({"generation": generation}).encode())


def prune(work: Store, live: Sequence[Manifest], *, replaced: bool) -> None:
    """Remove what nobody needs, after the commit of the last of `live`. `replaced`: generations gave way to it."""
    newest = live[-1]
    work.remove(f"{UNFINISHED}/{newest.recipe_hash}.json")
    for stage in ("dedup", "select"):
        for folder in work.entries(f"judgements/{stage}"):
            if f"judgements/{stage}/{folder}" != small_parts.FOLDER or replaced:
                work.remove(f"judgements/{stage}/{folder}")
    if not (replaced or newest.generation % EVERY == 0) or _others(work, newest.generation) or _is_measured(work):
        return
    listed = {generations.name(made.generation, made.recipe_hash, made.inputs) for made in live}
    needed: set[str] = set()
    for made in live:
        try:
            units = generations.load_generation(work, made)
        except WinnowError:  # damaged, or of a newer release: who needs it says so
            units = None
        if units is None:  # nobody knows what it needs
            return
        needed |= {table for unit in units for table in tables_of(unit.names)}
    for file in work.names(generations.FOLDER):
        if f"{generations.FOLDER}/{file}" not in listed:
            work.remove(f"{generations.FOLDER}/{file}")
    for table in _tables(work):
        if table not in needed:
            work.remove(table)
    for file in work.names("streams"):
        if needed.isdisjoint(_documents(work, f"streams/{file}")):
            work.remove(f"streams/{file}")


def _is_measured(work: Store) -> bool:
    """Whether a measurement goes on, which reads documents for hours."""
    if not work.entries("savings"):
        return False
    try:
        with work.lock("savings/.lock"):
            return False
    except OutputLocked:
        return True


def _others(work: Store, generation: int) -> bool:
    """Whether a run of another plan was cut short not long ago."""
    found = False
    for file in work.names(UNFINISHED):
        try:
            begun = int(work.read_json(f"{UNFINISHED}/{file}")["generation"])
        except (Damaged, KeyError, TypeError, ValueError):
            begun = 0
        if generation - begun < MOST_COMMITS:
            found = True
        else:
            work.remove(f"{UNFINISHED}/{file}")
    return found


def _tables(work: Store) -> Iterator[str]:
    """Tables of units; similarities of pairs are of texts, whatever units they are in."""
    folders = ["documents", "judgements/filters", *(f"facts/{name}" for name in work.entries("facts") if name != "pairs")]
    for folder in folders:
        yield from (f"{folder}/{file}" for file in work.names(folder))


def _documents(work: Store, stream: str) -> list[str]:
    """Documents of the units that a stream was cut into."""
    try:
        return [str(name) for name in work.read_json(stream)["documents"]]
    except (Damaged, KeyError, TypeError):
        return []
