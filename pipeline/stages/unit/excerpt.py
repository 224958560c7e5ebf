"""Some files of a pack as a unit of their own: its tables are the pack's, less the rows of the other files.

For a run that makes an output anew and reads some of the pack's files again: the facts of the others hold.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa

from pipeline.read.rows import counted, summed
from pipeline.read.units import PACKED_ROWS
from pipeline.records.inputs import NO_DAMAGE, UnitCard
from pipeline.stages.unit.annotate import Annotated, write_documents
from pipeline.stages.unit.refs import split
from pipeline.stages.unit.tables import Names
from pipeline.store.keys import key
from pipeline.store.store import Store


def runs(unit: Annotated, staying: Collection[str], others: Callable[[str, str], bool]) -> Iterator[list[int]]:
    """Files of the unit that stay, by number, those together that may stay in one unit. `others(a, b)`: whether a unit of another
    file stands between these paths."""
    run: list[int] = []
    for number, path in enumerate(unit.names.paths):
        if path not in staying:
            continue
        if run and others(unit.names.paths[run[-1]], path):
            yield run
            run = []
        run.append(number)
    if run:
        yield run


def excerpt(work: Store, unit: Annotated, files: Sequence[int]) -> Annotated:
    """The unit of these files of a pack, by number. What its key names is not written again."""
    if len(files) == len(unit.names.paths):
        return unit
    where = _names(unit.names, files)
    rows = work.read_table(unit.names.documents, ["row"])["row"].to_numpy()
    kept = np.flatnonzero(np.isin(split(unit.names, rows)[0], files))
    card = UnitCard.model_validate(json.loads(work.metadata(unit.names.documents)["unit"]))
    own = tuple(unit.files[number] for number in files)
    taken = np.flatnonzero(np.isin(kept, card.taken)).tolist()
    card = card.model_copy(
        update={
            "rows": len(kept),
            "bad_rows": sum(file.bad_rows for file in own),
            "n_bytes": sum(file.n_bytes for file in own),
            "taken": tuple(taken),
            "passed": counted(file.passed for file in own),
            "replaced": summed(file.replaced for file in own),
            "damage": own[0].damage if len(own) == 1 else NO_DAMAGE,
            "files": own if len(own) > 1 else (),
        }
    )
    _copy(work, unit.names, where, files=files, kept=kept, card=card)
    judged = work.read_table(where.verdicts, ["reason"])["reason"]
    return replace(
        unit,
        path=where.paths[0],
        names=where,
        rows=card.rows,
        bad_rows=card.bad_rows,
        n_bytes=card.n_bytes,
        kept=judged.null_count,
        damage=card.damage,
        passed=card.passed,
        replaced=card.replaced,
        files=card.files,
    )


def _names(whole: Names, files: Sequence[int]) -> Names:
    def own(name: str) -> str:
        folder, _, last = name.rpartition("/")
        stem, dot, ending = last.partition(".")
        return f"{folder}/{key('excerpt', stem, list(files))}{dot}{ending}"

    return Names(
        paths=tuple(whole.paths[number] for number in files),
        documents=own(whole.documents),
        bad=own(whole.bad),
        final=own(whole.final),
        signals=tuple(map(own, whole.signals)),
        verdicts=own(whole.verdicts),
        sign=whole.sign and own(whole.sign),
        tokens=whole.tokens and own(whole.tokens),
        layout=whole.layout,
    )


def _copy(work: Store, old: Names, new: Names, *, files: Sequence[int], kept: np.ndarray, card: UnitCard) -> None:
    places = np.full(len(old.paths), -1, np.int64)
    places[list(files)] = np.arange(len(files))
    if not work.has(new.documents):
        documents = work.read_table(old.documents).take(pa.array(kept))
        write_documents(work, new.documents, _renumbered(documents, old, places), card=card)
    if not work.has(new.bad):
        bad = work.read_table(old.bad)
        own = np.isin(split(old, bad["row"].to_numpy())[0], files)
        work.write_table(new.bad, _renumbered(bad.filter(pa.array(own)), old, places))
    aligned = [(old.final, new.final), (old.verdicts, new.verdicts), *zip(old.signals, new.signals, strict=True)]
    aligned += [(old.tokens, new.tokens)] if old.tokens and new.tokens else []
    for name, own_name in aligned:
        if not work.has(own_name):
            work.write_table(own_name, work.read_table(name).take(pa.array(kept)))
    if old.sign and new.sign and not work.has(new.sign):
        table = work.read_table(old.sign)
        at = table["position"].to_numpy()
        own = np.isin(at, kept)
        table = table.filter(pa.array(own))
        work.write_table(new.sign, table.set_column(0, table.schema.field(0), pa.array(np.searchsorted(kept, at[own]))))


def _renumbered(table: pa.Table, old: Names, places: np.ndarray) -> pa.Table:
    file, row = split(old, table["row"].to_numpy())
    table = table.replace_schema_metadata(None)
    first = places[file] * PACKED_ROWS
    at = table.schema.get_field_index("row")
    return table.set_column(at, table.schema.field(at), pa.array(row + first, pa.int64()))
