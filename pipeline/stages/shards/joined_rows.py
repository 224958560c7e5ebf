"""The joined rows of a unit: each row once, with its fate. The tally, the layout and every folder's shards read columns of them.

Invariant: joined rows follow from the tables in the work directory alone, so that they may be forgotten and joined again; at
most REMEMBERED_BYTES of them are held, whatever the number of units.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import polars as pl
import pyarrow as pa

from filters.contract import Tier
from pipeline.plan.recipe import Recipe
from pipeline.schema import SCORES
from pipeline.stages.shards.ledger import fates_of_rows
from pipeline.stages.unit.annotate import Annotated
from pipeline.stages.unit.refs import refs
from pipeline.store.store import Store

REMEMBERED_BYTES = 32_000_000
"""Joined rows that are held: chosen so that those of some 200,000 documents are."""


@dataclass(frozen=True)
class JoinedRows:
    """All rows of a unit, in row order. `frame`: the columns of `pipeline.stages.shards.ledger`, and `source_ref`."""

    number: int  # of the unit
    unit: Annotated
    frame: pl.DataFrame

    @cached_property
    def documents(self) -> pl.DataFrame:
        """Without quarantined rows, in the order of the unit's tables."""
        return self.frame.filter(pl.col("position").is_not_null()).sort("position")


class Remembered:
    """Joined rows of the units looked at last: the shards of several folders need the same ones. At most REMEMBERED_BYTES."""

    def __init__(self) -> None:
        self._frames: dict[int, pl.DataFrame] = {}
        self._bytes = 0
        self._lock = threading.Lock()

    def get(self, unit: int) -> pl.DataFrame | None:
        with self._lock:
            return self._frames.get(unit)

    def put(self, unit: int, frame: pl.DataFrame) -> None:
        size = int(frame.estimated_size())
        with self._lock:
            if size > REMEMBERED_BYTES or unit in self._frames:
                return
            self._frames[unit] = frame
            self._bytes += size
            while self._bytes > REMEMBERED_BYTES:
                self._bytes -= int(self._frames.pop(next(iter(self._frames))).estimated_size())


@dataclass(frozen=True)
class Inputs:
    """What every shard of a generation is made from."""

    work: Store
    units: tuple[Annotated, ...] | Mapping[int, Annotated]
    fates: tuple[str | None, ...] | Mapping[int, str | None]  # one per unit
    unselected: tuple[str | None, ...] | Mapping[int, str | None]  # one per unit
    generation: int
    rejected: str | float
    seed: int
    signals: tuple[tuple[str, int], ...]  # column that data/ shows → index of the filter that gives it
    columns: tuple[pa.Schema, ...]  # signals of each active filter
    evidence: dict[str, pa.Field]  # signals of these that data/, rejected/ and ledger/ show as well
    scored_only: tuple[bool, ...]  # which of these filters score some rows only: the verdicts' `scored` ones
    source_count: bool = False  # whether data/ says how many sources hold a document
    layouts: tuple[str, ...] = ()  # of conversations, whose columns data/ and rejected/ have
    remembered: Remembered = field(default_factory=Remembered)

    def rows(self, number: int) -> JoinedRows:
        """The joined rows of a unit."""
        unit = self.units[number]
        frame = self.remembered.get(number)
        if frame is None:
            frame = fates_of_rows(self.work, unit, self.fates[number], unselected=self.unselected[number])
            frame = frame.with_columns(refs(unit.names, frame["row"]).alias("source_ref"))
            self.remembered.put(number, frame)
        return JoinedRows(number, unit, frame)

    def languages(self, rows: JoinedRows) -> pl.Series | None:
        """The language of each of the unit's documents; None where no filter gives one."""
        given = dict(self.signals)
        if "language" not in given:
            return None
        return self.work.read_frame(rows.unit.names.signals[given["language"]], ["language"])["language"]


def inputs_of(
    work: Store,
    recipe: Recipe,
    units: tuple[Annotated, ...],
    *,
    fates: tuple[str | None, ...],
    unselected: tuple[str | None, ...],
    generation: int,
) -> Inputs:
    """What the shards of these units are made from under this recipe."""
    filters = [item.filter for item in recipe.filters]
    return Inputs(
        work=work,
        units=units,
        fates=fates,
        unselected=unselected,
        generation=generation,
        rejected=recipe.plan.output.rejected,
        seed=recipe.plan.seed,
        signals=tuple((name, i) for name in SCORES for i, filter_ in enumerate(filters) if name in filter_.signals.names),
        columns=tuple(filter_.signals for filter_ in filters),
        evidence={name: filter_.signals.field(name).with_nullable(True) for filter_ in filters for name in filter_.evidence},
        scored_only=tuple(filter_.tier is Tier.MODEL for filter_ in filters),
        source_count=recipe.plan.dedup is not None and recipe.plan.dedup.source_count,
        layouts=recipe.layouts,
    )
