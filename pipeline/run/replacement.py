"""An output made anew because inputs changed (`on_changed: replace`): what of it stays, and what gave way.

The new generation replaces all others in one commit, as with `--replace`, so it holds what a run from nothing over these inputs
would: a document that was dropped in favour of one that gave way is judged again. Facts that still hold are used, so only changed
files are read. Rows of files that this run does not name stay: from their facts in the work directory.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace

import polars as pl
import pyarrow as pa

from pipeline.errors import InputError
from pipeline.output.inputs import CHANGED
from pipeline.output.manifest import MOST_GONE, InputRecord, Manifest, ReplacedInput
from pipeline.read.packs import sort_key
from pipeline.stages.unit import excerpt, generations
from pipeline.stages.unit.annotate import Annotated
from pipeline.stages.unit.refs import split
from pipeline.stages.unit.tables import tables_of
from pipeline.store.store import Store
from pipeline.text import final, numbers


@dataclass(frozen=True)
class Replacement:
    """`live`: generations that give way; `changed`: files as they were read; `units`, `records`: of files that this run does not
    name."""

    live: tuple[Manifest, ...]
    changed: tuple[InputRecord, ...]
    units: tuple[Annotated, ...]
    records: tuple[InputRecord, ...]


def replacement(
    work: Store, live: Sequence[Manifest], *, changed: tuple[InputRecord, ...], elsewhere: Collection[str], named: Collection[str]
) -> Replacement:
    """`live`: generations that give way; `named`: paths of this run's inputs; `elsewhere`: paths whose bytes are among them.

    Raises InputError where the facts of a file that stays are not in the work directory.
    """
    seen = {*named, *elsewhere}
    units: list[tuple[Annotated, set[str]]] = []
    records: list[InputRecord] = []
    for made in reversed(live):  # of a file that was read twice the newest version stays
        stay = [record for record in made.inputs if record.path not in seen]
        if not stay:
            continue
        seen |= {record.path for record in stay}
        wanted = {record.path for record in stay if record.rows + record.bad_rows}
        listed = generations.load_generation(work, made) or ()
        found = [unit for unit in listed if not wanted.isdisjoint(unit.names.paths)]
        whole = {path for unit in found for path in unit.names.paths}
        whole -= {path for unit in found if not all(map(work.has, tables_of(unit.names))) for path in unit.names.paths}
        if missing := sorted(wanted - whole):
            raise InputError(
                f"on_changed: replace makes the output anew, but {missing[0]} ({len(missing):,} in all), which was read in"
                f" generation {made.generation}, is not among the inputs, and its facts are not in the work directory: add it to"
                " the inputs, or use --replace, which leaves it out; nothing was changed"
            )
        units += [(replace(unit, costs=()), wanted) for unit in found]  # what they cost was told then
        records += stay
    every = sorted({*named, *(record.path for record in records)}, key=sort_key)
    return Replacement(tuple(live), changed, tuple(_alone(work, units, every)), tuple(records))


def _alone(work: Store, units: Sequence[tuple[Annotated, set[str]]], every: Sequence[str]) -> Iterator[Annotated]:
    """The units with those of their files that stay, a pack in parts where others stand among them. `every`: sorted paths of all
    files that the output will have rows of."""
    place = {path: number for number, path in enumerate(every)}
    for unit, staying in units:
        for files in excerpt.runs(unit, staying, lambda one, other: place[other] != place[one] + 1):
            yield excerpt.excerpt(work, unit, files)


def compared(out: Store, work: Store, made: Replacement, *, units: Sequence[Annotated]) -> list[ReplacedInput]:
    """What became of the kept documents of each changed file. `units`: of this run."""
    return [_of_file(out, work, made.live, before=before, units=units) for before in made.changed]


def _of_file(
    out: Store, work: Store, live: Sequence[Manifest], *, before: InputRecord, units: Sequence[Annotated]
) -> ReplacedInput:
    kept = _kept(out, live, before.path)
    now: set[bytes] = set()
    for unit in units:
        if before.path in unit.names.paths:
            file = split(unit.names, work.read_table(unit.names.documents, ["row"])["row"].to_numpy())[0]
            own = pa.array(file == unit.names.paths.index(before.path))
            now |= set(work.read_table(unit.names.final, ["text_hash"]).filter(own)["text_hash"].to_pylist())
    gone = [ref for ref, hash_ in kept if hash_ not in now]
    return ReplacedInput(before=before, kept=len(kept), same=len(kept) - len(gone), gone=tuple(gone[:MOST_GONE]))


def _kept(out: Store, live: Sequence[Manifest], path: str) -> list[tuple[str, bytes]]:
    """source_ref and hash of the text of each document of a file that the output holds."""
    files = [record.path for made in live for record in made.files if record.path.startswith("data/") and record.rows]
    if not files:
        return []
    mine = pl.col("source_ref").str.starts_with(f"{path}#")
    found = out.scan(files).filter(mine).select("source_ref", "text").collect()
    own = found.filter(pl.col("source_ref").str.slice(len(path) + 1).str.contains("^[0-9]+$"))
    texts = final.one_chunk(own["text"].to_arrow()).cast(pa.large_string())
    return list(zip(own["source_ref"].to_list(), final.text_hashes(texts).to_pylist(), strict=True))


def told(replaced: Sequence[ReplacedInput]) -> list[str]:
    """A note for each file."""
    return [
        f"{CHANGED}, {numbers.count(one.same)} of its {numbers.count(one.kept)} kept documents are still in it: {one.before.path}"
        for one in replaced
    ]
