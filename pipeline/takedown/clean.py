"""A work directory without what was taken down: documents, final texts, verdicts, signatures, and what is quickly remade.

Invariant: a work directory with the stamp of these tombstones holds no text that they know. A run that opens one with another
stamp (it was left behind while the output lost documents) has it cleaned first; one that was cleaned of what its output does not
know (that was restored, or made anew) is emptied: rows that the output has would be missing. Names of tables stay: a blanked
table is what reading the input again under these tombstones gives.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from filters import language
from pipeline.output import work as work_
from pipeline.output.folders import STAMP
from pipeline.output.tombstones import Tombstones
from pipeline.records.inputs import UnitCard
from pipeline.stages.unit import generations, verdicts, withhold
from pipeline.stages.unit.annotate import write_documents
from pipeline.stages.unit.tables import Names
from pipeline.store.store import Store
from pipeline.text import final

_TEXTLESS = ("final", "minhash", "tokens", "pairs")
"""Folders of facts that are no filter's signals."""
_HARMLESS = frozenset(signal.name for signal in language.FILTER.signals)
"""Labels of languages and scripts say nothing of a text; strings of a plugin may hold anything."""


def settle(work: Store, tombstones: Tombstones | None) -> bool:
    """Bring a work directory to what the output has lost; whether all of it went, because the output had lost less."""
    if tombstones is not None and _stamp(work) == (tombstones.hash, True):
        return False
    gone = _foreign(work, tombstones)
    if gone:
        work_.empty(work)
    if tombstones is not None:
        clean(work, tombstones)
    return gone


def _stamp(work: Store) -> tuple[str, bool] | None:
    """The tombstones that it was cleaned of, and whether that was finished."""
    found = work.read_json(STAMP) if work.has(STAMP) else None
    return (str(found.get("hash")), found.get("done", True) is True) if isinstance(found, dict) else None


def _foreign(work: Store, tombstones: Tombstones | None) -> bool:
    """Whether it was cleaned of what these tombstones may not know."""
    stamp = _stamp(work)
    return stamp is not None and (tombstones is None or stamp[0] not in (*tombstones.earlier, tombstones.hash))


def clean(work: Store, tombstones: Tombstones) -> dict[str, int]:
    """Clean it, and say how many tables changed or went. May be done again after a kill."""
    if _foreign(work, tombstones):
        work_.empty(work)
    work.write_bytes(STAMP, _encoded(tombstones, done=False))
    work.sweep(below=True)
    counts = {"rewritten": 0, "removed": 0}
    known: dict[str, list[Names]] = {}
    owners: dict[str, Names] = {}
    for file in work.names(generations.FOLDER):
        for unit in generations.load(work, f"{generations.FOLDER}/{file}"):
            owners[unit.names.bad] = unit.names
            if unit.names not in known.setdefault(unit.names.documents, []):
                known[unit.names.documents].append(unit.names)
    for file in work.names("documents"):
        name = f"documents/{file}"
        if file.endswith(".bad.parquet"):
            bad = work.read_table(name)
            cleaned = withhold.without_excerpts(tombstones, bad, withhold.refs_of(owners.get(name), bad))
            _replace(work, name, bad, new=cleaned, counts=counts)
        elif file.endswith(".parquet"):
            _unit(work, tombstones, name, known=known.get(name, []), counts=counts)
    _unknown(work, {name for names in known.values() for where in names for name in (where.final, *where.signals)}, counts)
    for folder in ("judgements/dedup", "judgements/select", "staging", "savings"):
        if work.entries(folder):
            work.remove(folder)
            counts["removed"] += 1
    work.write_bytes(STAMP, _encoded(tombstones, done=True))
    return counts


def _encoded(tombstones: Tombstones, *, done: bool) -> bytes:
    return json.dumps({"hash": tombstones.hash, "done": done}).encode()


def _unit(work: Store, tombstones: Tombstones, name: str, *, known: Sequence[Names], counts: dict[str, int]) -> None:
    """One unit, with the tables that generations name."""
    documents = work.read_table(name)
    card = UnitCard.model_validate(json.loads(work.metadata(name)["unit"]))
    before = set(card.taken)
    finals = [work.read_table(where.final) for where in known if work.has(where.final)]
    gone = set(before)
    for finished in finals or [final.finish(final.one_chunk(documents["text"]), ())]:
        gone |= set(withhold.taken(tombstones, known[0] if known else None, documents, finished=finished))
    positions = sorted(gone)
    card = card.model_copy(update={"taken": tuple(positions)})
    if gone != before:  # first of all: after a kill the card says which rows of the other tables are still to go
        documents = withhold.blanked(documents.replace_schema_metadata(None), positions)
        write_documents(work, name, documents, card=card)
        counts["rewritten"] += 1
    for where in known if positions else ():
        _tables(work, where, positions, counts=counts)


def _tables(work: Store, where: Names, positions: list[int], *, counts: dict[str, int]) -> None:
    """Final texts, verdicts, signatures and odd signals of the unit without these rows."""
    if work.has(where.final):
        table = work.read_table(where.final)
        _replace(work, where.final, table, new=_blank_final(table, positions), counts=counts)
    if work.has(where.verdicts):
        table = work.read_table(where.verdicts)
        _replace(work, where.verdicts, table, new=verdicts.taken_down(table, positions), counts=counts)
    if where.sign is not None and work.has(where.sign):
        table = work.read_table(where.sign)
        there = np.isin(table["position"].to_numpy(), positions)
        _replace(work, where.sign, table, new=table.filter(pa.array(~there)), counts=counts)
    for name in where.signals:
        if work.has(name) and _holds_strings(work, name):
            work.remove(name)
            counts["removed"] += 1


def _replace(work: Store, name: str, old: pa.Table, *, new: pa.Table, counts: dict[str, int]) -> None:
    if not new.equals(old):
        work.write_table(name, new)
        counts["rewritten"] += 1


def _blank_final(table: pa.Table, positions: list[int]) -> pa.Table:
    """As `final.finish` has it for texts, URLs and metadata that are empty."""
    blank = final.finish(pa.array([""], pa.large_string()), ())
    gone = np.zeros(table.num_rows, bool)
    gone[positions] = True
    if not gone.any():
        return table
    rows = pa.array(np.where(gone, table.num_rows, np.arange(table.num_rows)))
    return pa.concat_tables([table, blank.cast(table.schema)]).take(rows).combine_chunks()


def _holds_strings(work: Store, name: str) -> bool:
    schema = work.schema(name)
    strings = [f.name for f in schema if pa.types.is_string(f.type) or pa.types.is_large_string(f.type)]
    return not _HARMLESS.issuperset(strings)


def _unknown(work: Store, known: set[str], counts: dict[str, int]) -> None:
    """Texts and strings that no generation names (of a sample, of a run that was given up): they are remade when asked for."""
    for folder in work.entries("facts"):
        for file in work.names(f"facts/{folder}"):
            name = f"facts/{folder}/{file}"
            if name in known or (folder in _TEXTLESS and folder != "final"):
                continue
            if folder == "final" or _holds_strings(work, name):
                work.remove(name)
                counts["removed"] += 1
