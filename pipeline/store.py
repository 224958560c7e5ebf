"""The only code that touches the output and the work directory, over fsspec.

Invariants: a path that exists is complete (files get their name only when finished); `create` never overwrites; what is
done is decided by what exists, never by a clock. Local folders rename; object stores (a later release writes to them)
complete one upload. Nothing here unpickles anything.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import itertools
import json
import os
import secrets
import shutil
import socket
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
from fsspec.implementations.local import LocalFileSystem

from pipeline.errors import NotYet, OutputError, OutputLocked, RunFailed, named

TEMPORARY = ".tmp-"
"""Prefix of names that are not finished; removed when a run starts."""
_count = itertools.count()
_PROCESS = secrets.token_hex(4)
"""In names that are not finished: processes of two machines may have one number."""


class Damaged(RunFailed):
    """A file in the work directory or the output is not what was written: truncated, flipped, or deleted."""


@dataclass(frozen=True)
class Store:
    """A folder. All paths are relative to it, with `/`."""

    fs: Any
    root: str
    advice: str = "remove it and run the same command"
    """What to do about a damaged file."""

    @property
    def url(self) -> str:
        """What `open_store` takes to open the same folder in another process."""
        return self.root if self.is_local else str(self.fs.unstrip_protocol(self.root))

    def path(self, name: str) -> str:
        return f"{self.root}/{name}" if name else self.root

    def has(self, name: str) -> bool:
        return bool(self.fs.isfile(self.path(name)))

    def size(self, name: str) -> int:
        return int(self.fs.size(self.path(name)))

    def names(self, folder: str) -> list[str]:
        """Names of finished files directly in `folder`, sorted; empty if there is no such folder."""
        try:
            found = self.fs.ls(self.path(folder), detail=True)
        except FileNotFoundError:
            return []
        names = (entry["name"].rsplit("/", 1)[-1] for entry in found if entry["type"] == "file")
        return sorted(name for name in names if not name.startswith(TEMPORARY))

    def entries(self, folder: str) -> list[str]:
        """Names of all files and folders directly in `folder`, unfinished ones apart; empty if there is no such folder."""
        try:
            found = self.fs.ls(self.path(folder), detail=False)
        except FileNotFoundError:
            return []
        return sorted(name for name in (str(path).rsplit("/", 1)[-1] for path in found) if not name.startswith(TEMPORARY))

    def bytes_below(self, folder: str = "") -> int:
        """Bytes of all files below `folder`."""
        return sum(entry["size"] for entry in self.fs.find(self.path(folder), detail=True).values())

    def open(self, name: str) -> BinaryIO:
        return self.fs.open(self.path(name), "rb")

    def read_bytes(self, name: str) -> bytes:
        with self.open(name) as file:
            return file.read()

    def read_json(self, name: str) -> Any:
        """Parsed JSON; Damaged if it does not parse."""
        try:
            return json.loads(self.read_bytes(name))
        except ValueError as error:
            raise Damaged(f"{self.path(name)}: not valid JSON ({error}); it was damaged after it was written") from error

    @contextlib.contextmanager
    def writer(self, name: str, *, durable: bool = False) -> Iterator[BinaryIO]:
        """A file that gets its name only when the block ends without an error; `durable`: and is on the disk by then."""
        folder, _, base = name.rpartition("/")
        self.fs.makedirs(self.path(folder), exist_ok=True)
        temporary = self.path(f"{folder}/{TEMPORARY}{os.getpid()}-{_PROCESS}-{next(_count)}-{base}".lstrip("/"))
        try:
            with named(self.path(name)), self.fs.open(temporary, "wb") as file:
                yield file
                if durable and self.is_local:
                    file.flush()
                    os.fsync(file.fileno())
            self._rename(temporary, self.path(name))
        except BaseException:
            with contextlib.suppress(FileNotFoundError):
                self.fs.rm(temporary)
            raise

    @property
    def is_local(self) -> bool:
        return isinstance(self.fs, LocalFileSystem)

    def _rename(self, old: str, new: str) -> None:
        if self.is_local:
            os.replace(old, new)
        else:
            self.fs.mv(old, new)

    def write_bytes(self, name: str, data: bytes, *, durable: bool = False) -> None:
        with self.writer(name, durable=durable) as file:
            file.write(data)

    def create(self, name: str, data: bytes) -> None:
        """Write a whole file that must not exist yet: FileExistsError if it does. The commit rests on this."""
        folder, _, base = name.rpartition("/")
        self.fs.makedirs(self.path(folder), exist_ok=True)
        if not self.is_local:
            with self.fs.open(self.path(name), "xb") as file:
                file.write(data)
            return
        temporary = self.path(f"{folder}/{TEMPORARY}{os.getpid()}-{_PROCESS}-{next(_count)}-{base}".lstrip("/"))
        with open(temporary, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(temporary, self.path(name))
        finally:
            os.unlink(temporary)

    def place(self, other: Store, staged: str, name: str) -> None:
        """Move the finished file `staged` of `other` to `name` here; it appears whole."""
        folder = name.rpartition("/")[0]
        self.fs.makedirs(self.path(folder), exist_ok=True)
        with open(other.path(staged), "rb") as file:
            os.fsync(file.fileno())
        try:
            os.replace(other.path(staged), self.path(name))
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            with other.open(staged) as source, self.writer(name, durable=True) as target:
                shutil.copyfileobj(source, target, 1 << 20)
            other.remove(staged)

    def remove(self, name: str) -> None:
        """Remove a file or folder if it is there."""
        if self.fs.exists(self.path(name)):
            self.fs.rm(self.path(name), recursive=True)

    def scratch(self, folder: str) -> Path:
        """Where temporary files of a stage may lie on this machine's disk: in the store if that is local."""
        return Path(self.path(folder)) if self.is_local else Path(tempfile.gettempdir()) / f"winnow-{os.getpid()}" / folder

    def private(self, folder: str) -> None:
        """Make `folder`, readable by its owner only."""
        self.fs.makedirs(self.path(folder), exist_ok=True)
        if self.is_local:
            os.chmod(self.path(folder), 0o700)

    def sweep(self, folder: str = "", *, below: bool = False) -> None:
        """Remove unfinished files that a killed run left in `folder`, and `below` it."""
        depth = None if below else 1
        for name in self.fs.find(self.path(folder), maxdepth=depth):
            if name.rsplit("/", 1)[-1].startswith(TEMPORARY):
                self.fs.rm(name)

    def write_table(
        self, name: str, table: pa.Table, *, metadata: dict[str, str] | None = None, groups: Sequence[int] | None = None
    ) -> None:
        """A Parquet file with page checksums. `groups`: rows of each row group; default: all rows in one.

        LZ4, plain encoding, no statistics: chosen for work files, which are read one to four times, whole. On 335 MB of
        documents the writer's defaults with zstd 1 took 1.75 s to write and 0.86 s to read the text again, this 1.17 and 0.35 s;
        the files have 89 and 130 MB (tests/bench/throughput.py reads the same text).
        """
        if metadata:
            table = table.replace_schema_metadata(metadata)
        sizes = groups or [max(1, table.num_rows)]
        with (
            self.writer(name) as file,
            pq.ParquetWriter(
                file, table.schema, compression="lz4", use_dictionary=False, write_statistics=False, write_page_checksum=True
            ) as writer,
        ):
            for size, stop in zip(sizes, accumulate(sizes), strict=True):
                writer.write_table(table.slice(stop - size, size), row_group_size=size)

    def read_table(self, name: str, columns: list[str] | None = None) -> pa.Table:
        """A table written by `write_table`; Damaged names the file if it does not read back."""
        with self._parquet(name) as found:
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
                for i in np.flatnonzero(np.diff(cuts)).tolist():
                    group = found.read_row_group(i, columns=columns, use_threads=False).select(columns)
                    rows = chosen[cuts[i] : cuts[i + 1]] - starts[i]
                    parts.append(group if len(rows) == group.num_rows else group.take(pa.array(rows)))
                yield pa.concat_tables(parts)

    @contextlib.contextmanager
    def _parquet(self, name: str) -> Iterator[pq.ParquetFile]:
        try:
            with self._arrow_file(name) as file:
                yield pq.ParquetFile(file, page_checksum_verification=True, pre_buffer=False)
        except (OSError, pa.ArrowInvalid, pa.ArrowException) as error:
            raise Damaged(f"{self.path(name)}: cannot be read back ({error}); {self.advice}") from error

    def read_groups(self, name: str, wanted: Callable[[pq.RowGroupMetaData, dict[str, int]], bool]) -> pa.Table:
        """The row groups of a table for which `wanted(group, index of each column)` holds."""
        with self._parquet(name) as file:
            places = {column: place for place, column in enumerate(file.schema_arrow.names)}
            groups = [i for i in range(file.num_row_groups) if wanted(file.metadata.row_group(i), places)]
            return file.read_row_groups(groups, use_threads=False)

    def read_group(self, name: str, group: int, columns: list[str]) -> pa.Table:
        """Columns of one row group."""
        with self._parquet(name) as file:
            return file.read_row_group(group, columns=columns, use_threads=False)

    def group_rows(self, name: str) -> list[int]:
        """Rows of each row group."""
        with self._parquet(name) as file:
            return [file.metadata.row_group(i).num_rows for i in range(file.num_row_groups)]

    def batches(self, name: str) -> Iterator[pa.Table]:
        """A table, row group by row group."""
        for group in range(len(self.group_rows(name))):
            with self._parquet(name) as file:
                found = file.read_row_group(group, use_threads=False)
            yield found

    def _arrow_file(self, name: str) -> Any:
        return pa.OSFile(self.path(name)) if self.is_local else self.open(name)

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

    @contextlib.contextmanager
    def lock(self, name: str) -> Iterator[None]:
        """Hold the store for one run; OutputLocked if a live run holds it. A dead run's lock ends with its process."""
        self.fs.makedirs(self.path(name.rpartition("/")[0]), exist_ok=True)
        with open(self.path(name), "a+", encoding="utf-8") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                if error.errno not in (errno.EWOULDBLOCK, errno.EACCES):
                    raise
                file.seek(0)
                holder = file.read(200).strip() or "another process"
                raise OutputLocked(
                    f"{self.root} is locked by a live run ({holder}); wait for it, or choose another folder"
                ) from error
            file.truncate(0)
            file.write(f"process {os.getpid()} on {socket.gethostname()}")
            file.flush()
            yield


class HashingFile:
    """A write-only file that keeps the sha256 of what passes."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.digest = hashlib.sha256()
        self.closed = False

    def write(self, data: Any) -> int:
        self.digest.update(data)
        return self._file.write(data)

    def flush(self) -> None:
        self._file.flush()

    def tell(self) -> int:
        return self._file.tell()

    def writable(self) -> bool:
        return True

    def readable(self) -> bool:
        return False

    def seekable(self) -> bool:
        return False

    def close(self) -> None:
        self.closed = True


def open_output(url: str, *, create: bool = True) -> Store:
    """`open_store` for an output: nothing of it may be removed by hand."""
    return replace(open_store(url, create=create), advice="restore it, or make the output anew with --replace")


def open_store(url: str, *, create: bool = True) -> Store:
    """The store at a local path. Raises OutputError if it cannot be made or written, NotYet for other protocols."""
    protocol = url.partition("://")[0] if "://" in url else "file"
    if protocol != "file":
        raise NotYet(f"{protocol}://…: output and work on {protocol} are not yet in this release; use a local folder")
    store = Store(LocalFileSystem(), os.path.abspath(url.removeprefix("file://")))
    if create:
        try:
            Path(store.root).mkdir(parents=True, exist_ok=True)
            probe = Path(store.root) / f"{TEMPORARY}{os.getpid()}-probe"
            probe.write_bytes(b"")
            probe.unlink()
        except OSError as error:
            raise OutputError(f"{url}: cannot be written ({error.strerror}); choose another folder") from error
    return store
