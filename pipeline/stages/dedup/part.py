"""One unit's documents that enter dedup, as the corpus-wide steps see them: functions that read narrow columns when asked.

Invariant: what a part's functions return depends on the unit's stored facts alone, so that they may be called again instead
of being remembered: nothing of a unit stays in memory between steps.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from hashlib import blake2b

import numpy as np
import polars as pl
import pyarrow as pa

from filters.kernels import buffers
from pipeline.errors import PlanError
from pipeline.plan.model import Dedup
from pipeline.plan.recipe import Recipe
from pipeline.schema import SCORES
from pipeline.stages.dedup import columns, keep_order
from pipeline.stages.unit.annotate import Annotated
from pipeline.stages.unit.refs import refs
from pipeline.stages.unit.tables import marked_at
from pipeline.store.store import Store
from pipeline.text import final, signatures, urls

BATCH_BYTES = 16_000_000
"""Text that is made into shingles at a time; their scratch takes twice as much."""

Keys = tuple[np.ndarray, np.ndarray]
"""`(left, right)`, uint64 each: two halves of a 128-bit hash."""
Sets = tuple[np.ndarray, np.ndarray, np.ndarray]
"""`(documents int64[n], offsets int64[n + 1], hashes uint64)`: distinct shingle hashes of each document, ascending."""


@dataclass(frozen=True)
class Part:
    """`n` documents, numbered from 0 in the order of their rows. `shingles` and `names` take such numbers, ascending."""

    n: int
    order: Callable[[], pl.DataFrame]
    """`priority` of the source, and for each column of `dedup.keep` those of `keep_order.KINDS`, as `number NAME`."""
    texts: Callable[[], Keys]
    """Hash of each text."""
    scope: Callable[[], np.ndarray | None]
    """uint64[n]: documents compete within one scope; None where there is one only."""
    urls: Callable[[], tuple[np.ndarray, np.ndarray, np.ndarray]] | None
    """`(left, right, valid)` of the normalised URLs, where the plan asks for exact-URL dedup."""
    words: Callable[[], np.ndarray]
    """int32[n]: dedup words of each document."""
    bands: Callable[[range], list[np.ndarray]]
    """Band keys uint64[n] of each of these bands; what a document without shingles has there is not defined."""
    shingles: Callable[[np.ndarray], Iterator[Sets]]
    names: Callable[[np.ndarray], tuple[pl.Series, pl.Series]]
    """`(id, source_ref)` of the given documents."""


def of_unit(work: Store, recipe: Recipe, dedup: Dedup, *, unit: Annotated) -> Part:
    """The documents of a unit that the filters kept."""
    rows = partial(kept_rows, work, unit)
    return Part(
        n=unit.kept,
        order=lambda: _order(work, recipe, dedup, unit=unit, rows=rows()),
        texts=lambda: halves(work.read_table(unit.names.final, ["text_hash"])["text_hash"].take(pa.array(rows()))),
        scope=lambda: _scope(work, recipe, dedup, unit=unit, rows=rows()),
        urls=(lambda: urls.url_keys(work.read_table(unit.names.documents, ["url"])["url"].take(pa.array(rows()))))
        if dedup.exact_url
        else None,
        words=lambda: _signed(work, unit, rows, wanted=["dedup_words"])[0],
        bands=lambda wanted: _signed(work, unit, rows, wanted=[signatures.band_name(band) for band in wanted]),
        shingles=lambda chosen: _shingles(work, unit, rows()[chosen], chosen=chosen, ngram=dedup.ngram),
        names=lambda chosen: _names(work, unit, rows()[chosen]),
    )


def kept_rows(work: Store, unit: Annotated) -> np.ndarray:
    """Positions in the unit of the documents that the filters kept."""
    if unit.kept == unit.rows:
        return np.arange(unit.rows)
    reasons = work.read_table(unit.names.verdicts, ["reason"])["reason"]
    return np.flatnonzero(reasons.is_null().to_numpy())


def keys_at(keys: Keys, places: np.ndarray) -> Keys:
    """The keys at these places."""
    return keys[0][places], keys[1][places]


def halves(hashes: pa.ChunkedArray | pa.Array) -> Keys:
    """The two halves of `binary(16)` values."""
    array = final.one_chunk(hashes)
    raw = np.frombuffer(array.buffers()[1] or b"", np.uint8)[array.offset * 16 :][: len(array) * 16]
    pairs = np.ascontiguousarray(raw).view("<u8").reshape(-1, 2)
    return np.ascontiguousarray(pairs[:, 0]), np.ascontiguousarray(pairs[:, 1])


def keep_columns(dedup: Dedup) -> list[tuple[str, bool]]:
    """`(column, descending)` of `dedup.keep`."""
    return [(name, direction == "desc") for name, _, direction in (item.rpartition(" ") for item in dedup.keep)]


def _order(work: Store, recipe: Recipe, dedup: Dedup, *, unit: Annotated, rows: np.ndarray) -> pl.DataFrame:
    made = {"priority": pl.Series(np.full(len(rows), unit.priority, np.int64))}
    for name, _ in keep_columns(dedup):
        found = signal(work, recipe, unit, name=name)
        sorted_by: tuple[pl.Series | None, ...] = (found, None, None)
        if found is None and name not in SCORES:
            sorted_by = keep_order.ordered(_values(work, unit, name))
        elif found is not None and not found.dtype.is_numeric():
            sorted_by = (None, None, found)
        for kind, column, dtype in zip(keep_order.KINDS, sorted_by, (pl.Float64, pl.Int64, pl.String), strict=True):
            nothing = pl.Series([None] * len(rows), dtype=dtype)
            made[f"{kind} {name}"] = nothing if column is None else column[rows].cast(dtype)
    return pl.DataFrame(made)


def signal(work: Store, recipe: Recipe, unit: Annotated, *, name: str) -> pl.Series | None:
    """A fact about all documents of the unit: a filter's signal, or their size."""
    if name == "n_bytes":
        return work.read_frame(unit.names.final, ["n_bytes"])["n_bytes"]
    for item, signals in zip(recipe.filters, unit.names.signals, strict=True):
        if name in item.filter.signals.names:
            return work.read_frame(signals, [name])[name]
    return None


def text_of(work: Store, recipe: Recipe, unit: Annotated, *, name: str) -> pl.Series:
    """A signal or a column of the input as texts, of all documents of the unit; null where there is no value."""
    found = signal(work, recipe, unit, name=name)
    return _values(work, unit, name) if found is None else found.cast(pl.String)


def _values(work: Store, unit: Annotated, name: str) -> pl.Series:
    """A column of the input."""
    return columns.column_of(work.read_table(unit.names.documents, list(columns.needs(name))), name)


def _scope(work: Store, recipe: Recipe, dedup: Dedup, *, unit: Annotated, rows: np.ndarray) -> np.ndarray | None:
    """uint64: a hash of the scope columns' values; None for the whole corpus."""
    if dedup.scope == "corpus":
        return None
    values = pl.DataFrame({str(at): text_of(work, recipe, unit, name=name)[rows] for at, name in enumerate(dedup.scope)})
    unique = values.unique().with_row_index("at")
    hashes = np.array([scope_hash(row[1:]) for row in unique.iter_rows()], np.uint64)
    return hashes[values.join(unique, on=values.columns, how="left", nulls_equal=True, maintain_order="left")["at"].to_numpy()]


def sources(work: Store, unit: Annotated) -> np.ndarray:
    """uint64: a hash of the source's name of each of the part's documents."""
    named = work.read_frame(unit.names.documents, ["source"])["source"].gather(kept_rows(work, unit))
    unique = pl.DataFrame({"source": named.unique()})
    hashes = pl.Series("hash", [scope_hash([name]) for name in unique["source"]], dtype=pl.UInt64)
    return named.to_frame().join(unique.with_columns(hashes), on="source", how="left", maintain_order="left")["hash"].to_numpy()


def scope_hash(values: Sequence[str | None]) -> int:
    """What stands for the documents with these values of the scope columns. Sizes: no two lists of values look alike."""
    joined = "".join("null" if value is None else f"{len(value.encode())}:{value}" for value in values)
    return int.from_bytes(blake2b(joined.encode(), digest_size=8).digest(), "little")


def check_columns(work: Store, recipe: Recipe, dedup: Dedup, *, units: Sequence[Annotated]) -> None:
    """Raise PlanError if the plan names a column that no document has."""
    keep = [("dedup.keep", name) for name, _ in keep_columns(dedup) if name not in SCORES]
    scope = [("dedup.scope", name) for name in (() if dedup.scope == "corpus" else dedup.scope)]
    for plan_key, name in (*scope, *keep):
        check_column(work, recipe, plan_key, name=name, units=units)


def check_column(work: Store, recipe: Recipe, plan_key: str, *, name: str, units: Sequence[Annotated]) -> None:
    """Raise PlanError if `name`, which the plan's key names, is no signal and no column that some document has."""
    signals = {"n_bytes", *(c for item in recipe.filters for c in item.filter.signals.names)}
    filled = [unit for unit in units if unit.rows]
    if name in signals or not filled or columns.is_there(_values(work, unit, name) for unit in filled):
        return
    if name in SCORES:
        raise PlanError(f"{plan_key}: {name} is a signal of a filter that the plan has off; switch it on, or name another column")
    known = (work.read_table(unit.names.documents, [*columns.DOCUMENT_COLUMNS, "metadata"]) for unit in filled)
    raise columns.no_such_column(plan_key, name, others=signals, documents=known)


def _signed(work: Store, unit: Annotated, rows: Callable[[], np.ndarray], *, wanted: list[str]) -> list[np.ndarray]:
    """Columns of the unit's signatures, which may cover more documents than the filters keep now."""
    table = work.read_table(unit.names.sign or "", wanted)
    if table.num_rows != unit.kept:
        at = work.read_table(unit.names.sign or "", ["position"])["position"]
        table = table.take(pa.array(np.searchsorted(at.to_numpy(), rows())))
    return [column.to_numpy() for column in table.columns]


def _shingles(work: Store, unit: Annotated, rows: np.ndarray, *, chosen: np.ndarray, ngram: int) -> Iterator[Sets]:
    yield from shingles_of(marked_at(work, unit.names, rows), chosen, ngram)


def shingles_of(text: pa.LargeStringArray, documents: np.ndarray, ngram: int) -> Iterator[Sets]:
    """Sets of shingles of these documents, BATCH_BYTES of text at a time."""
    for start, stop in buffers.slices(buffers.views(text)[0], BATCH_BYTES):
        yield documents[start:stop], *signatures.shingles(text.slice(start, stop - start), ngram=ngram)


def _names(work: Store, unit: Annotated, rows: np.ndarray) -> tuple[pl.Series, pl.Series]:
    table = work.read_frame(unit.names.documents, ["id", "row"])[rows]
    return table["id"], refs(unit.names, table["row"])
