"""How much of each input file could not be read, in rows: the measure of `max_bad_fraction`.

Invariants: a row that is lost counts as one, whether quarantine lists it or a bad row stands for it; bytes that are lost count as
many rows as as many bytes of the file held (of a file of which nothing was read: of the source), and never as less than one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.output.manifest import InputRecord
from pipeline.read.lines import DAMAGE
from pipeline.records.inputs import PackedFile
from pipeline.records.metrics_json import DamagedFile
from pipeline.run.state import Run
from pipeline.stages.unit.annotate import Annotated
from pipeline.stages.unit.refs import split
from pipeline.store.store import Store

MOST_FILES = 200
"""Damaged files that metrics name, those that lost most."""


@dataclass(frozen=True)
class Loss:
    """Rows of a file or source: `read`, `bad` ones that are listed or stood for, `missing` ones that are reckoned from bytes."""

    read: int = 0
    bad: int = 0
    missing: float = 0.0
    behind: float = 0.0  # of bad and missing: behind the end of a file that ends before it should
    cut: bool = False

    @property
    def lost(self) -> float:
        return self.bad + self.missing

    def fraction(self, *, accepts_cut: bool) -> float:
        """The share of all rows that is lost. `accepts_cut`: what is missing behind a file's end is not counted."""
        total = self.read + self.lost
        return (self.lost - (self.behind if accepts_cut else 0.0)) / total if total else 0.0

    def __add__(self, other: Loss) -> Loss:
        return Loss(
            read=self.read + other.read,
            bad=self.bad + other.bad,
            missing=self.missing + other.missing,
            behind=self.behind + other.behind,
            cut=self.cut or other.cut,
        )


@dataclass
class _File:
    size: int
    read: int = 0
    bad: int = 0
    share: float = 0.0
    cut: bool = False
    cut_bad: int = 0
    cut_share: float = 0.0

    def add(self, part: PackedFile) -> None:
        found = part.damage
        self.read += part.rows
        self.bad += part.bad_rows - found.sound + found.rows + found.cut_rows
        self.share += found.share + found.cut_share
        self.cut |= found.cut
        self.cut_bad += found.cut_rows + found.cut
        self.cut_share += found.cut_share

    def loss(self, rows_per_byte: float) -> Loss:
        share = min(self.share, 1.0)
        known = self.read + self.bad
        missing = 0.0
        if share:
            rows = known * share / (1 - share) if share < 1 and self.read else self.size * share * rows_per_byte
            missing = max(1.0, rows)
        behind = self.cut_bad + (missing * self.cut_share / self.share if self.share else 0.0)
        return Loss(self.read, self.bad, missing, behind, cut=self.cut)


def by_file(run: Run, units: Iterable[Annotated]) -> dict[str, Loss]:
    """The loss of each input, by path; of files whose rows stay too, where `units` are among theirs."""
    source_of = sources(run)
    sizes_of = {item.file.path: item.file.size for item in run.inputs}
    parts = [part for unit in units for part in unit.by_file()]
    asked = {path for path, _ in parts}
    sizes_of |= {record.path: record.size for record in _staying(run) if record.path in asked}
    files = {path: _File(size) for path, size in sizes_of.items()}
    for path, part in parts:
        files[path].add(part)
    rows: dict[str, int] = {}
    sizes: dict[str, float] = {}
    for path, file in files.items():
        rows[source_of[path]] = rows.get(source_of[path], 0) + file.read + file.bad
        sizes[source_of[path]] = sizes.get(source_of[path], 0.0) + file.size * (1 - min(file.share, 1.0))
    rates = {source: rows[source] / size if size else 0.0 for source, size in sizes.items()}
    return {path: file.loss(rates[source_of[path]]) for path, file in files.items()}


def _staying(run: Run) -> Sequence[InputRecord]:
    return run.replacement.records if run.replacement else ()


def sources(run: Run) -> dict[str, str]:
    """By path, the source that the plan has an input in, or that an input whose rows stay was read in."""
    staying = {record.path: record.source for record in _staying(run)}
    return staying | {item.file.path: item.file.source for item in run.inputs}


def damaged(run: Run, units: Sequence[Annotated]) -> tuple[DamagedFile, ...]:
    """The files of which more is lost than single rows, by path: at most `MOST_FILES`, those that lost most."""
    first: dict[str, Annotated] = {}
    for unit in units:
        for path, part in unit.by_file():
            if part.damage.listed or part.damage.rows or part.damage.share or part.damage.cut:
                first.setdefault(path, unit)
    if not first:
        return ()
    losses = by_file(run, units)
    source_of = sources(run)
    most = sorted(first, key=lambda path: (-losses[path].lost, path))[:MOST_FILES]
    return tuple(_file(run, path, first[path], loss=losses[path], source=source_of[path]) for path in sorted(most))


def passed(units: Iterable[Annotated]) -> tuple[tuple[str, int], ...]:
    """Records of archives that are no rows, by type."""
    found: Counter[str] = Counter()
    for unit in units:
        found.update(dict(unit.passed))
    return tuple(sorted(found.items()))


def bad_rows(work: Store, unit: Annotated, paths: Collection[str], *, columns: list[str]) -> pa.Table:
    """Columns of the quarantined rows that a unit has of these files, with `row` as the number in its file and `path`."""
    table = work.read_table(unit.names.bad, ["row", *columns])
    file, row = split(unit.names, table["row"].to_numpy())
    table = table.set_column(0, "row", pa.array(row)).append_column(
        "path", pa.array([unit.names.paths[i] for i in file], pa.string())
    )
    return table.filter(pc.is_in(table["path"], pa.array(list(paths), pa.string())))


def _file(run: Run, path: str, unit: Annotated, *, loss: Loss, source: str) -> DamagedFile:
    rows = bad_rows(run.work, unit, [path], columns=["cause", "detail", "lost_rows", "lost_share"]).to_pylist()
    found = max(rows, key=lambda row: (row["cause"] in DAMAGE, row["lost_share"], row["lost_rows"]))
    return DamagedFile(
        path=path,
        source=source,
        rows=loss.read,
        lost_rows=round(loss.lost),
        lost_share=loss.fraction(accepts_cut=False),
        cut=loss.cut,
        cause=found["cause"],
        detail=found["detail"],
    )
