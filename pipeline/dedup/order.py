"""The priority of the documents that enter dedup: who stands before whom.

Priority = source priority, then the plan's `keep` list (nulls last), then source_ref (path bytes, then row); earlier generations
stand before all of them, in the index. A document's **row** counts documents part by part; its **rank** is its place in
priority order; its **number** is its rank behind the documents of the index.

Invariant: a rank depends on the documents alone. Documents are sorted in partitions that fit into memory, cut at sampled
documents, so that memory does not grow with the corpus.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa

from pipeline.dedup.part import Part
from pipeline.errors import named
from pipeline.scratch import Scratch
from pipeline.spans import Workers

_ROW_BYTES = 300  # of a document while a partition is sorted: six columns, their row encoding and the sorted copy
_SAMPLES = 64  # of each partition: cuts are then uneven by about a quarter


@dataclass(frozen=True)
class Order:
    """`ranks` int64[n] of the rows, `rows` int64[n] of the ranks, and int64[parts + 1]: the `first` row of each part."""

    ranks: np.ndarray
    rows: np.ndarray
    first: np.ndarray

    def __len__(self) -> int:
        return len(self.rows)

    def of_part(self, part: int) -> np.ndarray:
        """Ranks of a part's documents."""
        return self.ranks[self.first[part] : self.first[part + 1]]


def order(parts: Sequence[Part], keep: Sequence[tuple[str, bool]], scratch: Scratch, pool: Workers) -> Order:
    """`keep`: `(column, descending)`; `Part.order` has a column of numbers and one of texts for each."""
    first = np.concatenate([np.zeros(1, np.int64), np.cumsum([part.n for part in parts], dtype=np.int64)])
    n = int(first[-1])
    made = Order(scratch.column("ranks", np.int64, n), scratch.column("rows", np.int64, n), first)
    kinds = [(f"{kind} {name}", down) for name, down in keep for kind in ("number", "text")]
    by = ["priority", *(column for column, _ in kinds), "row"]
    descending = [False, *(down for _, down in kinds), False]

    def frame(part: int) -> pl.DataFrame:
        rows = pl.Series("row", np.arange(first[part], first[part + 1]))
        return parts[part].order().with_columns(rows).select(by)

    wanted = 1 + n * _ROW_BYTES // scratch.room
    filled = [i for i in range(len(parts)) if parts[i].n]
    start = 0
    for piece in _pieces(frame, filled, wanted, by, descending, scratch, pool):
        used = [(name, down) for name, down in zip(by, descending, strict=True) if piece[name].null_count() < len(piece)]
        names, downs = zip(*used, strict=True)
        ordered = piece.sort(names, descending=downs, nulls_last=True)["row"].to_numpy()
        made.rows[start : start + len(ordered)] = ordered
        made.ranks[ordered] = np.arange(start, start + len(ordered))
        start += len(ordered)
        scratch.relieve()
    return made


def _pieces(
    frame: Callable[[int], pl.DataFrame],
    filled: Sequence[int],
    wanted: int,
    by: Sequence[str],
    descending: Sequence[bool],
    scratch: Scratch,
    pool: Workers,
) -> Iterator[pl.DataFrame]:
    """Frames whose documents stand before those of the next one. `filled`: the parts that have documents."""

    if not filled:
        return

    def sample(part: int) -> pl.DataFrame:
        made = frame(part)
        return made if wanted == 1 else made.gather_every(max(1, len(made) * len(filled) // (wanted * _SAMPLES)))

    together = pl.concat(pool.map(sample, filled))
    if wanted == 1:
        yield together
        return
    ordered = together.sort(by, descending=descending, nulls_last=True)
    cuts = ordered[np.linspace(0, len(ordered), wanted + 1)[1:-1].astype(np.int64)].unique(maintain_order=True)
    writers = _Writers(scratch.folder / "order", len(cuts) + 1)

    def split(part: int) -> None:
        given = frame(part).with_columns(cut=pl.lit(0, pl.Int64))
        marked = pl.concat([given, cuts.with_columns(cut=pl.lit(1, pl.Int64))])
        # The document at a cut equals it in every column and stands before it.
        marked = marked.sort([*by, "cut"], descending=[*descending, False], nulls_last=True)
        marked = marked.with_columns(piece=pl.col("cut").cum_sum()).filter(pl.col("cut") == 0)
        for (piece,), rows in marked.partition_by("piece", as_dict=True).items():
            writers.write(int(str(piece)), rows.select(by))

    pool.map(split, filled)
    for piece in range(len(cuts) + 1):
        found = writers.read(piece)
        if found is not None:
            yield found


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
