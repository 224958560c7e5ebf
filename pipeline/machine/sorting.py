"""Rows of all units in one order, in pieces that fit into memory: a sort that does not grow with the corpus.

Invariant: the order depends on the rows alone. They go into pieces cut at sampled rows, on disk, and each piece is sorted; rows
that are equal in every column keep no order among themselves, so the last column should be unique.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa

from pipeline.errors import named
from pipeline.machine.workers import Workers

_SAMPLES = 64  # of each piece: cuts are then uneven by about a quarter


def sorted_pieces(
    frame: Callable[[int], pl.DataFrame],
    filled: Sequence[int],
    wanted: int,
    *,
    by: Sequence[str],
    descending: Sequence[bool],
    folder: Path,
    pool: Workers,
) -> Iterator[pl.DataFrame]:
    """Rows of `frame(part)` of each of the parts `filled` (those that have rows), sorted, nulls last, in about `wanted` pieces.

    Frames have the columns `by` and no other. `folder`: is made for the pieces, and is empty once all were asked for.
    """
    if not filled:
        return

    def sample(part: int) -> pl.DataFrame:
        made = frame(part)
        return made if wanted == 1 else made.gather_every(max(1, len(made) * len(filled) // (wanted * _SAMPLES)))

    together = pl.concat(pool.map(sample, filled))
    if wanted == 1:
        yield from _sorted(together, by, descending)
        return
    ordered = together.sort(by, descending=descending, nulls_last=True)
    cuts = ordered[np.linspace(0, len(ordered), wanted + 1)[1:-1].astype(np.int64)].unique(maintain_order=True)
    writers = _Writers(folder, len(cuts) + 1)

    def split(part: int) -> None:
        given = frame(part).with_columns(cut=pl.lit(0, pl.Int64))
        marked = pl.concat([given, cuts.with_columns(cut=pl.lit(1, pl.Int64))])
        # The row at a cut equals it in every column and stands before it.
        marked = marked.sort([*by, "cut"], descending=[*descending, False], nulls_last=True)
        marked = marked.with_columns(piece=pl.col("cut").cum_sum()).filter(pl.col("cut") == 0)
        for (piece,), rows in marked.partition_by("piece", as_dict=True).items():
            writers.write(int(str(piece)), rows.select(by))

    pool.map(split, filled)
    for piece in range(len(cuts) + 1):
        found = writers.read(piece)
        if found is not None:
            yield from _sorted(found, by, descending)


def _sorted(piece: pl.DataFrame, by: Sequence[str], descending: Sequence[bool]) -> Iterator[pl.DataFrame]:
    """The piece, sorted, if it has rows."""
    if len(piece):
        used = [(name, down) for name, down in zip(by, descending, strict=True) if piece[name].null_count() < len(piece)]
        names, downs = zip(*used, strict=True)
        yield piece.sort(names, descending=downs, nulls_last=True)


class _Writers:
    """One file a piece, of Arrow streams end to end, written by any thread. None stays open: pieces may be thousands."""

    def __init__(self, folder: Path, pieces: int) -> None:
        folder.mkdir()
        self._paths = [folder / str(piece) for piece in range(pieces)]
        self._lock = threading.Lock()

    def write(self, piece: int, frame: pl.DataFrame) -> None:
        table = frame.to_arrow(compat_level=pl.CompatLevel.oldest())
        path = self._paths[piece]
        with self._lock, named(path), open(path, "ab") as file, pa.ipc.new_stream(file, table.schema) as stream:
            stream.write_table(table)

    def read(self, piece: int) -> pl.DataFrame | None:
        """All of a piece, which is then gone."""
        path = self._paths[piece]
        if not path.exists():
            return None
        tables = []
        with pa.OSFile(str(path)) as file:
            while file.tell() < file.size():
                tables.append(pa.ipc.open_stream(file).read_all())
        path.unlink()
        return pl.DataFrame(pa.concat_tables(tables))
