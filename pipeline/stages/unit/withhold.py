"""Rows whose text was taken down: their text never lies in the work directory, nor anything made of it.

Where a unit's documents are read, and where their final text is made anew, each text is compared with the tombstones first. A
row that was taken down stays a row (law 1), with `n_bytes_read`, but its text, url, date and metadata are empty; the table's card
names its position (`UnitCard.taken`), and the unit's verdicts say `taken_down` of it before dedup sees anything.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.plan.recipe import Withheld
from pipeline.stages.unit.refs import refs
from pipeline.stages.unit.tables import Names
from pipeline.text import final, turns

STAGE = "takedown"
REASON = "taken_down"


def taken(tombstones: Withheld | None, where: Names | None, documents: pa.Table, *, finished: pa.Table) -> list[int]:
    """Positions of the rows that were taken down, by their source text or their final text. `where`: None where nobody knows."""
    if tombstones is None or not documents.num_rows:
        return []
    named = refs_of(where, documents)
    source = final.one_chunk(documents["text"])
    texts = final.texts(source, finished)
    found = tombstones.taken(texts, final.one_chunk(finished["text_hash"]), named)
    if turns.marked(texts).any():  # a text that was taken down may be what a conversation says
        said = turns.bare(texts)
        found |= tombstones.taken(said, final.text_hashes(said), named)
    edited = np.flatnonzero(~found & final.edited(finished))
    if len(edited):
        texts = source.take(pa.array(edited))
        found[edited] = tombstones.taken(texts, final.text_hashes(texts), [named[at] for at in edited])
    return [int(at) for at in np.flatnonzero(found)]


def blanked(documents: pa.Table, positions: Sequence[int]) -> pa.Table:
    """The documents with nothing of these rows' content."""
    gone = np.isin(np.arange(documents.num_rows), positions)
    return emptied(documents, gone, {"text": "", "url": None, "date": None, "metadata": "{}"})


def emptied(table: pa.Table, gone: np.ndarray | pa.ChunkedArray, values: Mapping[str, object]) -> pa.Table:
    """The table with these values, by column, in the rows `gone` (bool[n])."""
    for name, value in values.items():
        field = table.schema.field(name)
        column = pc.if_else(gone, pa.scalar(value, field.type), table[name])
        table = table.set_column(table.schema.get_field_index(name), field, column)
    return table


def without_excerpts(tombstones: Withheld | None, bad: pa.Table, refs: Sequence[str]) -> pa.Table:
    """Quarantined rows without excerpts that were taken down, or share a shingle with what was. `refs`: source_ref of each."""
    if tombstones is None or not bad.num_rows:
        return bad
    texts = pa.array([excerpt_text(value) for value in bad["excerpt"].to_pylist()], pa.large_string())
    gone = tombstones.taken(texts, final.text_hashes(texts), refs) | tombstones.touches(texts.to_pylist())
    return emptied(bad, gone, {"excerpt": None, "detail": ""})


def excerpt_text(excerpt: bytes | None) -> str:
    """A raw record's beginning as a text that can be compared."""
    return (excerpt or b"").decode("utf-8", "replace")


def refs_of(where: Names | None, table: pa.Table) -> list[str]:
    """source_ref of each row of a table with a column `row`; where nobody knows the unit, one that no row has."""
    if where is None:
        return [""] * table.num_rows
    return refs(where, pl.Series(table["row"].to_numpy())).to_list()
