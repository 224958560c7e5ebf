"""source_ref of rows of a unit's tables: `path#row`, of a pack by the file that each is of (`pipeline.read.packs`)."""

from __future__ import annotations

import numpy as np
import polars as pl

from pipeline.read.units import PACKED_ROWS
from pipeline.stages.unit.tables import Names


def refs(where: Names, rows: pl.Series) -> pl.Series:
    """The source_ref of each row. `rows`: the column of that name of the unit's tables."""
    if len(where.paths) == 1:
        return pl.select(pl.lit(f"{where.paths[0]}#") + rows.cast(pl.String)).to_series()
    at, number = split(where, rows.to_numpy())
    return pl.Series(where.paths, dtype=pl.String).gather(at) + "#" + pl.Series(number).cast(pl.String)


def ref(where: Names, row: int) -> str:
    """The source_ref of one row."""
    return str(refs(where, pl.Series([row]))[0])


def split(where: Names, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """`(file, row)`, int64[n]: which of the unit's files each row is of, and its number there."""
    if len(where.paths) == 1:
        return np.zeros(len(rows), np.int64), rows
    return rows // PACKED_ROWS, rows % PACKED_ROWS


def number(where: Names, path: str, row: int) -> int | None:
    """The number in the unit's tables of a row of a file; None where the unit has nothing of it."""
    if path not in where.paths:
        return None
    return row if len(where.paths) == 1 else where.paths.index(path) * PACKED_ROWS + row
