"""Examples for the report: of each reason a few dropped documents, and kept ones that the rule almost dropped.

Which ones follows from each row by itself (a hash of its source_ref; the distance from the limit), so neither units nor workers
matter, and no list is longer than MOST. Dropped documents are drawn from those that rejected/ holds and quoted only then, so
`output.rejected: none` quotes none. Quotes are of the final text: masks have been applied.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypedDict, cast

import numpy as np
import polars as pl

from filters.rules import Rule, rule_columns
from pipeline.records.samples import SCHEMA_VERSION, Sample, Samples
from pipeline.stages.shards import layout
from pipeline.stages.shards.joined_rows import Inputs, JoinedRows
from pipeline.stages.unit import withhold
from pipeline.stages.unit.tables import texts_at

MOST = 3
"""Examples of a reason and kind; chosen because a page of thirty reasons stays readable."""
LARGEST = 10
"""Clusters that are named."""
QUOTED = 300
"""Characters of a document that are quoted, and the most of an id or a place."""
LOOKED = 20_000
"""Characters in which a near duplicate and its survivor are looked at for their first difference."""
BEFORE = 60
"""Characters quoted in front of it, where it stands too far behind for the beginnings to show it."""

Order = tuple[float, int, str]


class UnitRow(TypedDict):
    """The columns of a unit's joined rows that an example is made of. `drawn`: a hash of its source_ref."""

    row: int
    position: int | None
    id: str
    source_ref: str
    reason: str
    failed: list[str] | None
    similarity: float | None
    duplicate_ref: str | None
    duplicate_generation: int | None
    cluster_size: int
    drawn: int


@dataclass(frozen=True)
class Example:
    """One row. `order`: the smaller, the sooner it is shown. Numbers are None where the reason has none."""

    order: Order
    unit: int
    position: int | None  # None: quarantined
    id: str
    source_ref: str
    signal: str | None = None
    value: float | None = None  # of the signal; the similarity of a duplicate; the size of a cluster
    limit: float | None = None
    other: str | None = None  # source_ref of the survivor; what a quarantined row's cause says
    here: bool = False  # the survivor is of this generation
    failed: tuple[str, ...] = ()
    quoted: bool = True
    text: str | None = None


@dataclass
class Examples:
    """By kind (dropped, near, largest, quarantine) and reason, in order."""

    found: dict[tuple[str, str], list[Example]] = field(default_factory=dict)

    def add(self, other: Examples) -> None:
        for name, more in other.found.items():
            most = LARGEST if name[0] == "largest" else MOST
            self.found[name] = sorted([*self.found.get(name, []), *more], key=lambda e: e.order)[:most]

    def of(self, kind: str) -> dict[str, list[Example]]:
        return {reason: found for (own, reason), found in sorted(self.found.items()) if own == kind}


def of_unit(inputs: Inputs, rows: JoinedRows, *, limits: Mapping[str, Rule], signals: pl.DataFrame) -> Examples:
    """The examples of one unit, without their texts. `signals`: of all filters, row by row with the unit's documents."""
    made = Examples()
    drawn = pl.col("source_ref").hash(seed=inputs.seed).alias("drawn")
    unit, frame, documents = rows.number, rows.frame.with_columns(drawn), rows.documents.with_columns(drawn)
    for example, reason in _dropped(inputs, unit, frame):
        made.found.setdefault(("dropped", reason), []).append(example)
    kept = (documents["verdict"] == "kept").to_numpy()
    order = documents["drawn"].to_numpy(), documents["source_ref"]
    near: dict[str, list[_Measured]] = {}
    for name, rule in limits.items():
        compared = _Compared.of(rule, signals)
        near[name] = [compared.at(place) for place in compared.nearest(kept, *order)]
        if dropped := made.found.get(("dropped", name)):
            made.found["dropped", name] = [
                e if e.position is None else compared.at(e.position).told(e, rule.signal) for e in dropped
            ]
    made.found |= {("near", name): found for name, found in _near(unit, documents, near, limits=limits) if found}
    clusters = documents.filter((pl.col("verdict") == "kept") & (pl.col("cluster_size") > 1))
    clusters = clusters.sort(-pl.col("cluster_size"), "source_ref").head(LARGEST)
    if len(clusters):
        made.found["largest", ""] = [
            replace(_example(unit, line, (-line["cluster_size"], 0, line["source_ref"])), value=line["cluster_size"])
            for line in _lines(clusters)
        ]
    for cause, found in _quarantined(inputs, unit, frame):
        made.found.setdefault(("quarantine", cause), []).append(found)
    return made


def _example(unit: int, line: UnitRow, order: Order) -> Example:
    return Example(order, unit, line["position"], line["id"], line["source_ref"], failed=tuple(line["failed"] or ()))


def _lines(rows: pl.DataFrame) -> Iterator[UnitRow]:
    return cast(Iterator[UnitRow], rows.iter_rows(named=True))


def _first(rows: pl.DataFrame) -> pl.DataFrame:
    """The first MOST rows of each reason."""
    return rows.sort("reason", "drawn", "source_ref").group_by("reason", maintain_order=True).head(MOST)


def _dropped(inputs: Inputs, unit: int, rows: pl.DataFrame) -> Iterator[tuple[Example, str]]:
    dropped = rows.filter((pl.col("verdict") == "dropped") & (pl.col("reason") != withhold.REASON))
    if inputs.rejected != "none":
        dropped = dropped.filter(layout.belongs(dropped, "rejected", rejected=inputs.rejected, seed=inputs.seed))
    for line in _lines(_first(dropped)):
        found = _example(unit, line, (0.0, line["drawn"], line["source_ref"]))
        found = replace(found, value=line["similarity"], other=line["duplicate_ref"], quoted=inputs.rejected != "none")
        found = replace(found, here=line["duplicate_generation"] == inputs.generation)
        yield found, line["reason"]


@dataclass(frozen=True)
class _Measured:
    """A row's value and limit, and how far within it the value is; NaN where the row has none."""

    place: int
    value: float
    limit: float
    distance: float

    def told(self, example: Example, signal: str) -> Example:
        return replace(example, signal=signal, value=_number(self.value), limit=_number(self.limit))


@dataclass(frozen=True)
class _Compared:
    """What a rule compares in each row, float64[n]; NaN where the row has no value or limit."""

    value: np.ndarray
    limit: np.ndarray
    distance: np.ndarray

    @classmethod
    def of(cls, rule: Rule, signals: pl.DataFrame) -> _Compared:
        """A column of a filter that is off is null."""
        value = signals[rule.signal].cast(pl.Float64).to_numpy()
        if rule.where or not isinstance(rule.limit, int | float):
            missing = sorted(rule_columns(rule) - set(signals.columns))
            known = signals.with_columns(pl.lit(None, pl.String).alias(name) for name in missing)
            limit = known.select(rule.row_limit.cast(pl.Float64).alias("limit"))["limit"].to_numpy()
        else:
            limit = np.full(len(signals), float(rule.limit))
        return cls(value, limit, value - limit if rule.least else limit - value)

    def at(self, place: int) -> _Measured:
        return _Measured(place, float(self.value[place]), float(self.limit[place]), float(self.distance[place]))

    def nearest(self, kept: np.ndarray, drawn: np.ndarray, refs: pl.Series) -> list[int]:
        """The MOST of the rows `kept` (bool[n]), which all pass, that are nearest to the limit; of equally near ones those that
        are drawn first (uint64[n])."""
        asked = np.flatnonzero(kept & ~np.isnan(self.distance))
        if len(asked) > MOST:
            farthest = np.partition(self.distance[asked], MOST - 1)[MOST - 1]
            asked = asked[self.distance[asked] <= farthest]
            asked = asked[np.lexsort((drawn[asked], self.distance[asked]))]
            last = asked[MOST - 1]
            equal = (self.distance[asked] == self.distance[last]) & (drawn[asked] == drawn[last])
            asked = asked[: max(MOST, int(np.flatnonzero(equal)[-1]) + 1)]
        return sorted(asked.tolist(), key=lambda place: (self.distance[place], drawn[place], refs[place]))[:MOST]


def _near(
    unit: int, documents: pl.DataFrame, near: Mapping[str, Sequence[_Measured]], *, limits: Mapping[str, Rule]
) -> Iterator[tuple[str, list[Example]]]:
    places = sorted({found.place for measured in near.values() for found in measured})
    lines = dict(zip(places, _lines(documents[places]), strict=True))
    for name, measured in near.items():
        yield name, [found.told(_nearly(unit, lines[found.place], found), limits[name].signal) for found in measured]


def _nearly(unit: int, line: UnitRow, found: _Measured) -> Example:
    return _example(unit, line, (found.distance, line["drawn"], line["source_ref"]))


def _quarantined(inputs: Inputs, unit: int, rows: pl.DataFrame) -> Iterator[tuple[str, Example]]:
    bad = rows.filter(pl.col("verdict") == "quarantined")
    if not len(bad):
        return
    said = inputs.work.read_frame(inputs.units[unit].names.bad, ["row", "detail"])
    details = dict(said.iter_rows())
    for line in _lines(_first(bad)):
        order = (0.0, line["drawn"], line["source_ref"])
        yield (
            line["reason"],
            Example(order, unit, None, line["id"], line["source_ref"], other=details.get(line["row"]), quoted=False),
        )


def _number(value: float) -> float | None:
    return None if math.isnan(value) else value


def document(inputs: Inputs, made: Examples, generation: int) -> Samples:
    """What samples/ holds of a generation, with the beginnings of the quoted texts."""
    wanted = [(e.unit, e.position) for found in made.found.values() for e in found if e.quoted and e.position is not None]
    survivors = {e.other: _kept(inputs, e.other) for found in made.of("dropped").values() for e in found if e.here and e.other}
    texts = _texts(inputs, [*wanted, *(place for place in survivors.values() if place is not None)])
    said = {ref: texts[place] for ref, place in survivors.items() if place is not None}
    dropped, near, quarantine = (
        {reason: tuple(_sample(e, texts, said) for e in found) for reason, found in made.of(kind).items()}
        for kind in ("dropped", "near", "quarantine")
    )
    return Samples(
        schema_version=SCHEMA_VERSION,
        generation=generation,
        largest=tuple(_sample(e, texts, said) for e in made.of("largest").get("", [])),
        dropped=dropped,
        near=near,
        quarantine=quarantine,
    )


def _kept(inputs: Inputs, source_ref: str) -> tuple[int, int] | None:
    """Unit and position of a kept document of this generation."""
    path, _, row = source_ref.rpartition("#")
    units = [n for n in range(len(inputs.units)) if path in inputs.units[n].names.paths and inputs.units[n].first_row <= int(row)]
    if not units:
        return None
    unit = max(units, key=lambda n: inputs.units[n].first_row)
    rows = inputs.rows(unit).frame.filter((pl.col("source_ref") == source_ref) & (pl.col("verdict") == "kept"))
    return (unit, rows["position"][0]) if len(rows) else None


def _texts(inputs: Inputs, wanted: Sequence[tuple[int, int]]) -> dict[tuple[int, int], str]:
    """The first LOOKED characters of the documents at these units and positions."""
    found: dict[tuple[int, int], str] = {}
    for unit in sorted({unit for unit, _ in wanted}):
        positions = sorted({position for own, position in wanted if own == unit})
        texts = texts_at(inputs.work, inputs.units[unit].names, np.array(positions, np.int64))
        for position, text in zip(positions, texts, strict=True):
            found[unit, position] = text.as_py()[:LOOKED]
    return found


def _cut(text: str) -> str:
    return text if len(text) <= QUOTED else text[: QUOTED - 1].rstrip() + "…"


def _apart(text: str, survivor: str) -> tuple[str, str]:
    """Both from a little before the first place where they differ, so that what is quoted of near duplicates shows it."""
    shorter = min(len(text), len(survivor))
    same = next((at for at in range(shorter) if text[at] != survivor[at]), shorter)
    if same < QUOTED // 2 or same == max(len(text), len(survivor)):
        return text, survivor
    start = same - BEFORE
    start = text.find(" ", start, same) + 1 or start
    return f"…{text[start:]}", f"…{survivor[start:]}"


def _sample(e: Example, texts: dict[tuple[int, int], str], survivors: dict[str, str]) -> Sample:
    text = texts.get((e.unit, e.position)) if e.quoted and e.position is not None else None
    survivor = survivors.get(e.other) if e.other is not None and e.here else None
    if text is not None and survivor is not None and e.value is not None and e.value < 1:
        text, survivor = _apart(text, survivor)
    return Sample(
        id=_cut(e.id),
        source_ref=_cut(e.source_ref),
        signal=e.signal,
        value=e.value,
        limit=e.limit,
        other=None if e.other is None else _cut(e.other),
        failed=tuple(_cut(name) for name in e.failed),
        survivor=None if survivor is None else _cut(survivor),
        text=None if text is None else _cut(text),
    )
