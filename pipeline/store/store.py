"""The only code that touches the output and the work directory: a folder of a disk (`pipeline.store.local`) or of an object
store (`pipeline.store.remote_folder`), which have the same methods, and the tables in it.

Invariants: a path that exists is complete (files get their name only when finished); `create` and `place` never overwrite on
object stores, `create` nowhere; what is done is decided by what exists, never by a clock. Local folders rename; object stores
complete one upload. A store that was locked changes nothing once the lock is lost. Nothing here unpickles anything.
"""

from __future__ import annotations

import contextlib
import json
import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import accumulate
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.errors import Damaged
from pipeline.store import checksums, local, remote_folder
from pipeline.store.folder import TEMPORARY, joined
from pipeline.store.local import LocalFolder
from pipeline.store.pages import Strings
from pipeline.store.remote import scheme_of
from pipeline.store.remote_folder import RemoteFolder
from pipeline.store.traffic import Traffic


@dataclass(frozen=True)
class Store:
    """Files of a folder by name, with `/`, and tables among them."""

    folder: LocalFolder | RemoteFolder
    advice: str = "remove it and run the same command"
    """What to do about a damaged file."""

    @property
    def root(self) -> str:
        """An absolute path, or a URL: what `open_store` takes to open the same folder in another process."""
        return self.folder.root

    @property
    def remote(self) -> bool:
        """Whether it lies on an object store."""
        return self.folder.remote

    @property
    def conditional(self) -> bool:
        """It has create-only writes; an object store without them is only used with `--unlocked`."""
        return self.folder.conditional

    @property
    def lacking(self) -> tuple[str, ...]:
        """What the file system does not have, in words; nothing where it was not tried out (`create`)."""
        return self.folder.lacking

    @property
    def traffic(self) -> Traffic:
        return self.folder.traffic

    def path(self, name: str) -> str:
        return joined(self.root, name)

    def has(self, name: str) -> bool:
        return self.folder.has(name)

    def size(self, name: str) -> int:
        return self.folder.size(name)

    def modified(self, name: str) -> datetime:
        """When the file was written, by the clock of the place."""
        return self.folder.modified(name)

    def now(self) -> datetime:
        """The time by that clock, which may be another machine's: that of a file that is written for it."""
        name = f"{TEMPORARY}now-{secrets.token_hex(8)}"
        self.write_bytes(name, b"now")
        try:
            return self.modified(name)
        finally:
            self.remove(name)

    def names(self, folder: str) -> list[str]:
        """Names of finished files directly in `folder`, sorted; empty if there is no such folder."""
        return self.folder.names(folder)

    def sizes(self, folder: str) -> dict[str, int]:
        """Bytes of each file that `names` gives."""
        return self.folder.sizes(folder)

    def entries(self, folder: str) -> list[str]:
        """Names of all files and folders directly in `folder`, unfinished ones apart; empty if there is no such folder."""
        return self.folder.entries(folder)

    def bytes_below(self, folder: str = "") -> int:
        """Bytes of all files below `folder`."""
        return self.folder.bytes_below(folder)

    def holds(self, url: str) -> bool:
        """Whether a file, by path or URL, lies in this store."""
        return self.folder.holds(url)

    def local_path(self, name: str) -> str | None:
        """Where programs of this machine find the file; None on an object store."""
        return self.folder.local_path(name)

    def open(self, name: str) -> BinaryIO:
        return self.folder.open(name)

    def read_bytes(self, name: str) -> bytes:
        return self.folder.read_bytes(name)

    def read_json(self, name: str) -> Any:
        """Parsed JSON; Damaged if it does not parse."""
        try:
            return json.loads(self.read_bytes(name))
        except (ValueError, RecursionError) as error:
            raise Damaged(f"{self.path(name)}: not valid JSON ({error}); it was damaged after it was written") from error

    def writer(self, name: str, *, durable: bool = False) -> AbstractContextManager[BinaryIO]:
        """A file that gets its name only when the block ends without an error; `durable`: and is on the disk by then."""
        return self.folder.writer(name, durable=durable)

    def write_bytes(self, name: str, data: bytes, *, durable: bool = False) -> None:
        with self.writer(name, durable=durable) as file:
            file.write(data)

    def create(self, name: str, data: bytes) -> None:
        """Write a whole file that must not exist yet: FileExistsError if it does. The commit rests on this."""
        self.folder.create(name, data)

    def place(self, other: Store, staged: str, name: str) -> None:
        """Move the finished file `staged` of `other` to `name` here, whole. RunFailed: an object store has another one there."""
        self.folder.place(other.folder, staged, name)

    def remove(self, name: str) -> None:
        """Remove a file or folder if it is there."""
        self.folder.remove(name)

    def remove_if_empty(self) -> None:
        """Remove the folder of the store itself, where there is such a thing and nothing lies in it."""
        self.folder.remove_if_empty()

    def scratch(self, folder: str) -> Path:
        """Where temporary files of a stage may lie on this machine's disk: in the store if that is local, else below TMPDIR."""
        return self.folder.scratch(folder)

    def private(self, folder: str) -> None:
        """Make `folder`, readable by its owner only. Object stores have neither folders nor modes: their own policy decides."""
        self.folder.private(folder)

    def private_file(self, name: str) -> None:
        """Let its owner alone read a file, likewise."""
        self.folder.private_file(name)

    def sweep(self, folder: str = "", *, below: bool = False) -> None:
        """Remove unfinished files that a killed run left in `folder`, and `below` it. An upload leaves none."""
        self.folder.sweep(folder, below=below)

    def sweep_scratch(self, folder: str) -> None:
        """Remove the `scratch` folders that a killed run left in the folders of `folder`."""
        self.folder.sweep_scratch(folder)

    @contextlib.contextmanager
    def lock(self, name: str) -> Iterator[Store]:
        """Hold the store for one run, and use what this gives; OutputLocked if a live run holds it. A dead run's lock ends."""
        with self.folder.lock(name) as held:
            yield replace(self, folder=held)

    def unlock(self, name: str) -> None:
        """Remove the lock that this run holds, and its file."""
        self.folder.unlock(name)

    def writable(self, *, unlocked: bool = False) -> Store:
        """The store, opened to look at before, opened to change: an object store is asked whether it has conditional writes."""
        return replace(self, folder=self.folder.writable(unlocked=unlocked))

    def write_table(
        self, name: str, table: pa.Table, *, metadata: dict[str, str] | None = None, groups: Sequence[int] | None = None
    ) -> None:
        """A Parquet file with checksums (`pipeline.store.checksums`). `groups`: rows of each row group; default: all rows in one.

        No statistics; texts with zstd 2, names and numbers as differences, all but texts with LZ4: chosen for work files, which
        are read one to four times. Of 323 MB of text (`make bench B=flat`) LZ4 makes 128 MB in 0.56 CPU-seconds, zstd 1 88 MB in
        0.64, zstd 2 83 MB in 0.75, zstd 3 75 MB in 0.87. Hashes hardly shrink, and zstd takes long to find that out.
        """
        if metadata:
            table = table.replace_schema_metadata(metadata)
        sizes = groups or [max(1, table.num_rows)]
        with self.writer(name) as file, checksums.writer(file, table.schema, **_packing(table.schema)) as writer:
            for size, stop in zip(sizes, accumulate(sizes), strict=True):
                writer.write_table(table.slice(stop - size, size), row_group_size=size)

    def read_table(self, name: str, columns: list[str] | None = None) -> pa.Table:
        """A table written by `write_table`; Damaged names the file if it does not read back."""
        with self._parquet(name) as found:
            self.folder.note_read(found, range(found.num_row_groups), columns)
            return found.read(columns=columns, use_threads=False)

    def take(self, name: str, columns: list[str], positions: np.ndarray) -> pa.Table:
        """Rows `positions` (int64, ascending) of such a table. Row groups without one of them are not read."""
        return next(self.takes(name, columns, positions, at_most=max(1, len(positions))))

    def takes(self, name: str, columns: list[str], positions: np.ndarray, *, at_most: int) -> Iterator[pa.Table]:
        """The same, `at_most` rows at a time; one empty table where there are none."""
        with self._parquet(name) as found:
            if missing := set(columns) - set(found.schema_arrow.names):
                raise pa.ArrowInvalid(f"column {min(missing)} is not there")
            sizes = [found.metadata.row_group(i).num_rows for i in range(found.num_row_groups)]
            starts = np.append(0, np.cumsum(sizes))
            for first in range(0, max(1, len(positions)), at_most):
                chosen = positions[first : first + at_most]
                cuts = np.searchsorted(chosen, starts)
                parts = [found.schema_arrow.empty_table().select(columns)]
                chosen_groups = np.flatnonzero(np.diff(cuts)).tolist()
                self.folder.note_read(found, chosen_groups, columns)
                for i in chosen_groups:
                    group = found.read_row_group(i, columns=columns, use_threads=False).select(columns)
                    rows = chosen[cuts[i] : cuts[i + 1]] - starts[i]
                    parts.append(group if len(rows) == group.num_rows else group.take(pa.array(rows)))
                yield pa.concat_tables(parts)

    @contextlib.contextmanager
    def strings(self, name: str, column: str) -> Iterator[Strings]:
        """A column of strings of a shard, of which single values are read (`pipeline.store.pages`)."""
        with self._readable(name), self.folder.random(name) as file:
            made = Strings(file, column)
            yield made
            if not self.remote:  # what a client fetches is counted there
                self.traffic.count(read=made.read_bytes)

    @contextlib.contextmanager
    def _parquet(self, name: str) -> Iterator[pq.ParquetFile]:
        with self._readable(name), self.folder.parquet(name) as file:
            yield file

    @contextlib.contextmanager
    def _readable(self, name: str) -> Iterator[None]:
        """Damaged names the file where it does not read back."""
        try:
            yield
        except MemoryError:  # pyarrow's is an ArrowException too, and says nothing about the file
            raise
        except (OSError, pa.ArrowInvalid, pa.ArrowException) as error:
            if isinstance(error, OSError) and self.folder.failed(error):
                raise
            raise Damaged(f"{self.path(name)}: cannot be read back ({error}); {self.advice}") from error

    def read_groups(self, name: str, wanted: Callable[[pq.RowGroupMetaData, dict[str, int]], bool]) -> pa.Table:
        """The row groups of a table for which `wanted(group, index of each column)` holds."""
        with self._parquet(name) as file:
            places = {column: place for place, column in enumerate(file.schema_arrow.names)}
            groups = [i for i in range(file.num_row_groups) if wanted(file.metadata.row_group(i), places)]
            self.folder.note_read(file, groups, None)
            return file.read_row_groups(groups, use_threads=False)

    def read_group(self, name: str, group: int, columns: list[str] | None = None) -> pa.Table:
        """Columns (default: all) of one row group."""
        with self._parquet(name) as file:
            self.folder.note_read(file, [group], columns)
            return file.read_row_group(group, columns=columns, use_threads=False)

    def group_rows(self, name: str) -> list[int]:
        """Rows of each row group."""
        with self._parquet(name) as file:
            return [file.metadata.row_group(i).num_rows for i in range(file.num_row_groups)]

    def batches(self, name: str, columns: list[str] | None = None) -> Iterator[pa.Table]:
        """A table, row group by row group."""
        with self._parquet(name) as file:
            for group in range(file.num_row_groups):
                self.folder.note_read(file, [group], columns)
                yield file.read_row_group(group, columns=columns, use_threads=False)

    def scan(self, names: Sequence[str]) -> pl.LazyFrame:
        """All rows of these tables, of which there is at least one."""
        return self.folder.scan(names)

    def read_frame(self, name: str, columns: list[str] | None = None) -> pl.DataFrame:
        """`read_table` as a Polars frame."""
        frame = pl.from_arrow(self.read_table(name, columns))
        return frame if isinstance(frame, pl.DataFrame) else frame.to_frame()

    def schema(self, name: str) -> pa.Schema:
        """Columns of a table."""
        with self._parquet(name) as file:
            return file.schema_arrow

    def metadata(self, name: str) -> dict[str, str]:
        """Key-value metadata of a table written by `write_table`."""
        return {key.decode(): value.decode() for key, value in (self.schema(name).metadata or {}).items()}


def _packing(columns: pa.Schema) -> dict[str, Any]:
    """Of each column, by its path in the file."""
    paths = {f"{f.name}.list.element" if pa.types.is_list(f.type) else f.name: f.type for f in columns}
    texts = [path for path, type_ in paths.items() if pa.types.is_large_string(type_)]
    names = [path for path, type_ in paths.items() if pa.types.is_string(type_)]
    numbers = [path for path, type_ in paths.items() if pa.types.is_signed_integer(type_) and type_.bit_width >= 32]
    encodings = dict.fromkeys(names, "DELTA_BYTE_ARRAY") | dict.fromkeys(numbers, "DELTA_BINARY_PACKED")
    return {
        "compression": dict.fromkeys(paths, "lz4") | dict.fromkeys(texts, "zstd"),
        "compression_level": dict.fromkeys(texts, 2) or None,
        "column_encoding": encodings or None,
    }


def open_output(url: str, *, create: bool = True, unlocked: bool = False) -> Store:
    """`open_store` for an output: nothing of it may be removed by hand."""
    return replace(open_store(url, create=create, unlocked=unlocked), advice="restore it, or make the output anew with --replace")


def open_store(url: str, *, create: bool = True, unlocked: bool = False) -> Store:
    """The store at a local path or URL, its folder made and tried out with `create`.

    Raises OutputError if it cannot be made or written, or has no conditional writes and is not to be used `unlocked`.
    """
    if scheme_of(url) in ("file", "local"):
        return Store(local.open_local(url, create=create))
    return Store(remote_folder.open_remote(url, create=create, unlocked=unlocked))
