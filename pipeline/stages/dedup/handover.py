"""What a step of dedup hands on to the next: rows of named arrays, each of its own length, which are read alone.

Invariant: what exists under its name is whole, so a job whose rows exist is done.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Protocol

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.errors import named
from pipeline.machine.scratch import Scratch, records
from pipeline.store.store import Store

Row = Mapping[str, np.ndarray]
Arrays = dict[str, Callable[[], np.ndarray]]


class Handover(Protocol):
    """Rows by name."""

    def write(self, name: str, rows: Iterable[Row]) -> None:
        """Rows of the same columns and types, one after the other, unless they are there already."""
        ...

    def read(self, name: str, row: int) -> Row:
        """One row."""
        ...

    def read_all(self, name: str, *columns: str) -> Iterator[Row]:
        """All rows, one at a time; `columns`: all by default."""
        ...

    def release(self, folder: str) -> None:
        """Nobody asks for what has a name in this folder any more, but a run that resumes this one."""
        ...


@dataclass(frozen=True)
class Files:
    """In a folder of a store, for workers anywhere and runs that resume: Parquet, a row group each row."""

    store: Store
    folder: str

    def write(self, name: str, rows: Iterable[Row]) -> None:
        if self.store.has(self._path(name)):
            return
        tables = map(_table, rows)
        first = next(tables, pa.table({}))
        with (
            self.store.writer(self._path(name)) as file,
            pq.ParquetWriter(
                file, first.schema, compression="lz4", use_dictionary=False, write_statistics=False, write_page_checksum=True
            ) as writer,
        ):
            for table in chain([first] if first.num_columns else [], tables):
                writer.write_table(table)

    def read(self, name: str, row: int) -> Row:
        return _arrays(self.store.read_group(self._path(name), row))

    def read_all(self, name: str, *columns: str) -> Iterator[Row]:
        return map(_arrays, self.store.batches(self._path(name), list(columns) or None))

    def release(self, folder: str) -> None:
        """They stay until the judgement is done."""

    def _path(self, name: str) -> str:
        return f"{self.folder}/{name}.parquet"


def _table(row: Row) -> pa.Table:
    """One row of lists."""
    arrays = (pa.array(np.ascontiguousarray(values)) for values in row.values())
    lists = [pa.LargeListArray.from_arrays(pa.array([0, len(values)], pa.int64()), values) for values in arrays]
    return pa.Table.from_arrays(lists, names=list(row))


def _arrays(table: pa.Table) -> Row:
    return {field: table[field].combine_chunks().flatten().to_numpy(zero_copy_only=False) for field in table.column_names}


_SMALL = 64
"""Bytes of a column that stay in memory in any case: its place in the file takes as much."""


class Held:
    """For threads of this process: in memory up to a quarter of the room, then in a file each name."""

    def __init__(self, scratch: Scratch) -> None:
        self._folder, self._limit = scratch.folder / "handover", scratch.room // 4
        self._folder.mkdir()
        self._rows: dict[str, list[Arrays]] = {}
        self._held: dict[str, int] = {}  # bytes
        self._bytes = 0
        self._lock = threading.Lock()

    def write(self, name: str, rows: Iterable[Row]) -> None:
        if name in self._rows:
            return
        kept = [self._kept(name, row) for row in rows]
        self._rows[name], self._held[name] = [row for row, _ in kept], sum(size for _, size in kept)

    def read(self, name: str, row: int) -> Row:
        return {column: values() for column, values in self._rows[name][row].items()}

    def read_all(self, name: str, *columns: str) -> Iterator[Row]:
        return ({column: row[column]() for column in columns or row} for row in self._rows[name])

    def release(self, folder: str) -> None:
        for name in [name for name in self._rows if name.startswith(f"{folder}/")]:
            del self._rows[name]
            self._count(-self._held.pop(name))
            self._path(name).unlink(missing_ok=True)

    def _kept(self, name: str, row: Row) -> tuple[Arrays, int]:
        """What gives the row's arrays, and the bytes of memory that it takes."""
        size = sum(values.nbytes for values in row.values())
        if self._count(size):
            return {column: partial(np.asarray, values) for column, values in row.items()}, size
        self._count(-size)
        path, made = self._path(name), Arrays()
        with named(path), open(path, "ab") as file:
            for column, values in row.items():
                if values.nbytes <= _SMALL:
                    made[column] = partial(np.asarray, values.copy())
                    continue
                made[column] = partial(np.fromfile, path, values.dtype, len(values), offset=file.tell())
                file.write(np.ascontiguousarray(values).data)
        return made, 0

    def _count(self, size: int) -> bool:
        """Whether all that is held fits with so many bytes more."""
        with self._lock:
            self._bytes += size
            return self._bytes <= self._limit

    def _path(self, name: str) -> Path:
        return self._folder / name.replace("/", "-")


def of_records(some: np.ndarray) -> Row:
    """A row of the columns of records."""
    return {name: some[name] for name in some.dtype.names or ()}


def to_records(dtype: np.dtype, rows: Iterable[Row]) -> np.ndarray:
    """The columns of rows as one array of records."""
    made = [records(dtype, *(row[name] for name in dtype.names or ())) for row in rows]
    return made[0] if len(made) == 1 else np.concatenate([np.zeros(0, dtype), *made])
