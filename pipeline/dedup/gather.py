"""The documents that enter dedup, gathered from all units and put in priority order.

Priority = source priority, then the plan's `keep` list (nulls last), then source_ref (path bytes, then row); earlier
generations stand before all of them, in the index.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.annotate import Annotated
from pipeline.dedup import bands, signatures
from pipeline.dedup.index import Participants
from pipeline.errors import PlanError
from pipeline.plan import Dedup
from pipeline.recipe import Recipe
from pipeline.store import Store


@dataclass(frozen=True)
class Gathered:
    """Participants, and where each of them lies: `unit` (number), `position` in it, `id`, `source_ref`."""

    participants: Participants
    places: pl.DataFrame


def gather(work: Store, recipe: Recipe, dedup: Dedup, units: Sequence[Annotated]) -> Gathered:
    """Every document that the filters kept, in priority order."""
    if not units:
        return _nobody(dedup)
    parts = [_unit(work, recipe, dedup, number, unit) for number, unit in enumerate(units)]
    frame = pl.concat([part[0] for part in parts])
    hashes = pa.concat_arrays([part[1] for part in parts])
    keys, has_keys = (np.concatenate([part[i] for part in parts]) for i in (2, 3))
    keep = [item.split(" ") for item in dedup.keep]
    order = (
        frame.with_row_index("n")
        .sort(
            ["priority", *(column for column, _ in keep), "unit", "position"],
            descending=[False, *(direction == "desc" for _, direction in keep), False, False],
            nulls_last=True,
        )["n"]
        .to_numpy()
    )
    participants = Participants(
        scope=frame["scope"].to_numpy()[order],
        text_hash=hashes.take(pa.array(order)),
        band_keys=keys[order],
        has_keys=has_keys[order],
    )
    return Gathered(participants, frame.select("unit", "position", "id", "source_ref")[order])


def _nobody(dedup: Dedup) -> Gathered:
    """Inputs without a single row."""
    shape = bands.choose(dedup.threshold, dedup.permutations, dedup.bands)
    nobody = Participants(
        scope=np.zeros(0, np.uint64),
        text_hash=pa.array([], pa.binary(16)),
        band_keys=np.zeros((0, shape[0]), np.uint64),
        has_keys=np.zeros(0, bool),
    )
    schema = {"unit": pl.Int32, "position": pl.Int64, "id": pl.String, "source_ref": pl.String}
    return Gathered(nobody, pl.DataFrame(schema=schema))


def _unit(
    work: Store, recipe: Recipe, dedup: Dedup, number: int, unit: Annotated
) -> tuple[pl.DataFrame, pa.Array, np.ndarray, np.ndarray]:
    kept = np.flatnonzero(work.read_table(unit.names.verdicts, ["reason"])["reason"].is_null().to_numpy())
    sign = work.read_table(unit.names.sign or "")
    rows = pc.index_in(pa.array(kept), value_set=sign["position"].combine_chunks())
    keys, has_keys = signatures.band_key_matrix(sign["band_keys"].combine_chunks().take(rows))
    finals = work.read_table(unit.names.final, ["text_hash", "n_bytes"])
    columns = _columns(work, recipe, unit, _wanted(dedup)) | {"n_bytes": finals["n_bytes"]}
    documents = work.read_table(unit.names.documents, ["row", "id"])
    frame = pl.DataFrame(
        {
            "unit": np.full(len(kept), number, np.int32),
            "position": kept.astype(np.int64),
            "priority": np.full(len(kept), unit.priority, np.int64),
            "id": pl.from_arrow(documents["id"].take(kept)),
            "source_ref": f"{unit.path}#" + pl.from_arrow(documents["row"].take(kept)).cast(pl.String),
            **{name: pl.from_arrow(column.take(kept)) for name, column in columns.items()},
        }
    )
    missing = [pl.lit(None, pl.Float64).alias(name) for name in _wanted(dedup) if name not in frame.columns]
    frame = frame.with_columns(missing)
    return frame.with_columns(_scope(frame, dedup)), finals["text_hash"].combine_chunks().take(pa.array(kept)), keys, has_keys


def _wanted(dedup: Dedup) -> list[str]:
    scope = [] if dedup.scope == "corpus" else list(dedup.scope)
    return list(dict.fromkeys([item.partition(" ")[0] for item in dedup.keep] + scope))


def _columns(work: Store, recipe: Recipe, unit: Annotated, wanted: Sequence[str]) -> dict[str, pa.ChunkedArray]:
    found = {}
    for name in wanted:
        if name in ("source", "url", "date", "n_bytes_read"):
            found[name] = work.read_table(unit.names.documents, [name])[name]
        for item, signals in zip(recipe.filters, unit.names.signals, strict=True):
            if name in item.filter.signals.names:
                found[name] = work.read_table(signals, [name])[name]
    return found


def _scope(frame: pl.DataFrame, dedup: Dedup) -> pl.Series:
    """uint64 that tells the scopes apart: 0 for the whole corpus, else a hash of the scope columns' values."""
    if dedup.scope == "corpus":
        return pl.Series("scope", np.zeros(len(frame), np.uint64))
    values = frame.select(pl.concat_str([pl.col(c).cast(pl.String).fill_null("\0") for c in dedup.scope], separator="\x1f"))
    names = values.to_series()
    unique = {name: int.from_bytes(blake2b(name.encode(), digest_size=8).digest(), "little") for name in names.unique()}
    return pl.Series("scope", [unique[name] for name in names], dtype=pl.UInt64)


def check_columns(recipe: Recipe, dedup: Dedup) -> None:
    """Raise PlanError if a scope column is not there under this plan."""
    given = {"source", "url", "date"} | {c for item in recipe.filters for c in item.filter.signals.names}
    for name in () if dedup.scope == "corpus" else dedup.scope:
        if name not in given:
            raise PlanError(f"dedup.scope: no column {name} under this plan; there are {', '.join(sorted(given))}")
