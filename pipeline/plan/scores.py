"""Scores computed elsewhere, joined to documents as signals: what a GPU classifier said, in a Parquet file of a few columns.

All entries of the plan together are one filter, `annotations`, whose signals come from no text: columns joined by
`on`, null where the file has no such row. Its rules are the entry's `min` and `max`; a document without a score passes. The
columns may also be named in `dedup.keep` and in `needs` of plugins.

Invariant: the signals depend on the documents' keys and on the file's content (its sha256 is in their key), never on its
path. A key that the file has twice is an error. Held in memory: the file's chosen columns.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
from pydantic import model_serializer

from filters.contract import Filter, Rule, Settings, Tier
from pipeline.errors import PlanError
from pipeline.plan.annotations import Annotation
from pipeline.records.base import Json
from pipeline.store.places import absolute

NAME = "annotations"


class Entries(Settings):
    """The plan's entries as params: what the signals depend on, besides the files' content."""

    entries: tuple[Annotation, ...]

    @model_serializer
    def _keys_and_columns(self) -> dict[str, list[Json]]:
        return {"entries": [entry.model_dump(mode="json", include={"on", "columns"}) for entry in self.entries]}


class Limits(Settings):
    """The plan's entries as thresholds."""

    limits: tuple[Annotation, ...]

    @model_serializer
    def _limits(self) -> dict[str, list[Json]]:
        return {"limits": [entry.model_dump(mode="json", include={"min", "max"}) for entry in self.limits]}


@dataclass(frozen=True)
class Scores:
    """One entry in memory: `frame` has the columns of `on`, each combination once, and the annotated ones."""

    on: tuple[str, ...]
    frame: pl.DataFrame


def filter_of(entries: tuple[Annotation, ...]) -> Filter:
    """The filter that these entries make."""
    return Filter(
        name=NAME,
        version=1,
        tier=Tier.CHEAP,
        reads="source",
        params=Entries,
        signals=pa.schema([field for entry in entries for field in _schema(entry)]),
        thresholds=Limits,
        files=_files,
        load=_load,
        annotate=_not_from_text,
        rules=_rules,
    )


def _schema(entry: Annotation) -> pa.Schema:
    types = {name: pa.large_string() if kind == "string" else pa.type_for_alias(kind) for name, kind in entry.columns.items()}
    return pa.schema(types)


def check_names(entries: tuple[Annotation, ...], filters: tuple[Filter, ...]) -> None:
    """Raise PlanError if a filter gives a column that an entry names."""
    for item in (item for item in filters if item.name != NAME):
        taken = {name for entry in entries for name in entry.columns} & set(item.signals.names)
        if taken:
            raise PlanError(f"annotations: columns: {', '.join(sorted(taken))} comes from filter {item.name}; rename it")


def _files(params: Entries) -> tuple[Path, ...]:
    for entry in params.entries:
        if not os.path.isfile(absolute(entry.path)):
            raise PlanError(f"annotations: {entry.path}: no such file; expected a Parquet file")
    return tuple(Path(absolute(entry.path)) for entry in params.entries)


def _not_from_text(*_: Any) -> pa.RecordBatch:
    raise AssertionError("annotations are joined by `joined`, not computed from texts")


def _rules(params: Entries, thresholds: Limits) -> list[Rule]:
    rules = []
    for entry in thresholds.limits:
        for name in entry.columns:
            if name in entry.min:
                rules.append(Rule(reason=f"{name}_too_low", signal=name, fails="<", limit=entry.min[name], keys=("limits",)))
            if name in entry.max:
                rules.append(Rule(reason=f"{name}_too_high", signal=name, fails=">", limit=entry.max[name], keys=("limits",)))
    return rules


def _load(params: Entries) -> tuple[Scores, ...]:
    return tuple(_read(entry) for entry in params.entries)


def _read(entry: Annotation) -> Scores:
    """The scores of an entry.

    Raises ValueError: a missing column, a type that does not fit or cuts values, NaN or infinity, a key that repeats.
    """
    where, path = f"annotations: {entry.path}", absolute(entry.path)
    try:
        with open(path, "rb") as file:  # opened here: polars takes a path for a pattern
            have = pl.read_parquet_schema(file)
        missing = [name for name in (*entry.on, *entry.columns) if name not in have]
        if missing:
            raise ValueError(f"{where}: no column {', '.join(missing)}; there are {', '.join(have)}")
        columns = [*entry.on, *entry.columns]
        frame = pl.read_parquet(path, columns=columns, glob=False, hive_partitioning=False)
        cut = [n for n, kind in entry.columns.items() if kind.startswith("int") and have[n].is_float()]
        for name in cut:
            if (frame[name] % 1 != 0).any():  # NaN and infinity among them
                raise ValueError(f"{where}: {name} is not whole numbers, which {entry.columns[name]} would cut; write float32")
        frame = frame.with_columns(
            *(pl.col(name).cast(pl.String) for name in entry.on),
            *(pl.col(name).cast(type_) for name, type_ in pl.DataFrame(_schema(entry).empty_table()).schema.items()),
        ).drop_nulls(entry.on)
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:  # a crafted file makes the reader panic
        raise ValueError(f"{where}: cannot be read: {(str(error).splitlines() or ['damaged'])[0][:300]}") from error
    double = frame.select(entry.on).filter(pl.struct(entry.on).is_duplicated()).unique(maintain_order=True)
    if len(double):
        shown = "; ".join(", ".join(f"{k} {v}" for k, v in row.items()) for row in double.head(3).to_dicts())
        raise ValueError(f"{where}: {len(double):,} keys stand there more than once, such as {shown}; each may have one row")
    for name, kind in entry.columns.items():
        if kind.startswith("float") and not frame[name].drop_nulls().is_finite().all():
            raise ValueError(f"{where}: NaN or an infinite number in {name}; write null for what was not scored")
    return Scores(entry.on, frame)


def joined(scores: tuple[Scores, ...], keys: pl.DataFrame, schema: pa.Schema) -> pa.RecordBatch:
    """Signals of `schema`, row by row with `keys` (source, id, source_ref and url of the documents)."""
    columns: dict[str, pl.Series] = {}
    for one in scores:
        own = keys.select(one.on)
        found = one.frame.join(own, on=list(one.on), how="semi")  # the unit's few keys are hashed, not the whole file
        made = own.join(found, on=list(one.on), how="left", maintain_order="left")
        columns |= {name: made[name] for name in made.columns if name not in one.on}
    return pa.RecordBatch.from_arrays([columns[f.name].to_arrow().cast(f.type) for f in schema], schema=schema)
