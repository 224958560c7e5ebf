"""All that touches the output and the work directory: local folders here, object stores through `pipeline.store.remote`.

Invariants: a path that exists is complete (files get their name only when finished); `create` and `place` never overwrite on
object stores, `create` nowhere; what is done is decided by what exists, never by a clock. Local folders rename; object stores
complete one upload. A store that was locked changes nothing once the lock is lost. Nothing here unpickles anything.
"""

from __future__ import annotations

import contextlib
import errno
import itertools
import json
import os
import secrets
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
from fsspec.implementations.local import LocalFileSystem

from pipeline.errors import Damaged, OutputError, RunFailed, named
from pipeline.store import checksums, lease, local, remote, remote_file
from pipeline.store.hashing import same
from pipeline.store.lease import Lease
from pipeline.store.traffic import Traffic, packed

TEMPORARY = ".tmp-"
"""Prefix of names that are not finished; removed when a run starts."""
_count = itertools.count()
_PROCESS = secrets.token_hex(4)
"""In names that are not finished: processes of two machines may have one number."""


@dataclass(frozen=True)
class Store:
    """A folder. All paths are relative to it, with `/`. `root`: an absolute path, or a URL."""

    fs: Any  # LocalFileSystem or remote.Client
    root: str
    advice: str = "remove it and run the same command"
    """What to do about a damaged file."""
    conditional: bool = True
    """It has create-only writes; an object store without them is only used with `--unlocked`."""
    traffic: Traffic = field(default_factory=Traffic, compare=False, repr=False)
    guard: Lease | None = field(default=None, compare=False, repr=False)
    """The lock of an object store, where this run holds it."""

    def __reduce__(self) -> tuple[Any, ...]:
        # In another process: its counts start at nothing, and the lock is kept by the one that took it.
        return Store, (self.fs, self.root, self.advice, self.conditional, self.traffic)

    @property
    def url(self) -> str:
        """What `open_store` takes to open the same folder in another process."""
        return self.root

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

    def holds(self, url: str) -> bool:
        """Whether a file, by path or URL, lies in this store."""
        if self.is_local:
            local = "://" not in url or url.startswith("file://")
            return local and os.path.realpath(url.removeprefix("file://")).startswith(f"{os.path.realpath(self.root)}/")
        strip = self.fs.fs._strip_protocol
        return remote.scheme_of(url) in remote.names_of(self.fs.scheme) and str(strip(url)).startswith(f"{strip(self.root)}/")

    def open(self, name: str) -> BinaryIO:
        if not self.is_local:
            return remote_file.opened(self.fs, self.path(name))  # type: ignore[return-value]
        return self.fs.open(self.path(name), "rb")

    def read_bytes(self, name: str) -> bytes:
        if not self.is_local:
            return self.fs.get(self.path(name))
        with self.open(name) as file:
            data = file.read()
        self.traffic.count(read=len(data))
        return data

    def read_json(self, name: str) -> Any:
        """Parsed JSON; Damaged if it does not parse."""
        try:
            return json.loads(self.read_bytes(name))
        except ValueError as error:
            raise Damaged(f"{self.path(name)}: not valid JSON ({error}); it was damaged after it was written") from error

    @contextlib.contextmanager
    def writer(self, name: str, *, durable: bool = False) -> Iterator[BinaryIO]:
        """A file that gets its name only when the block ends without an error; `durable`: and is on the disk by then."""
        if not self.is_local:
            with self._uploaded(name) as upload:
                yield upload
            return
        folder, _, base = name.rpartition("/")
        self.fs.makedirs(self.path(folder), exist_ok=True)
        temporary = self.path(f"{folder}/{TEMPORARY}{os.getpid()}-{_PROCESS}-{next(_count)}-{base}".lstrip("/"))
        try:
            with named(self.path(name)), self.fs.open(temporary, "wb") as file:
                yield file
                self.traffic.count(written=file.tell())
                if durable:
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
        os.replace(old, new)

    @contextlib.contextmanager
    def _uploaded(self, name: str, *, create: bool = False) -> Iterator[Any]:
        """`writer` for an object store; `create`: FileExistsError if the name is taken."""
        self._may_change()
        upload = remote_file.Upload(self.fs, self.path(name), create=create)
        try:
            yield upload
            self._may_change()
            self._complete(upload, name)
        except BaseException:
            upload.discard()
            raise

    def _complete(self, upload: remote_file.Upload, name: str) -> None:
        upload.finish()

    def _may_change(self) -> None:
        if self.guard is not None:
            self.guard.check()

    def write_bytes(self, name: str, data: bytes, *, durable: bool = False) -> None:
        with self.writer(name, durable=durable) as file:
            file.write(data)

    def create(self, name: str, data: bytes) -> None:
        """Write a whole file that must not exist yet: FileExistsError if it does. The commit rests on this."""
        if not self.is_local:
            self._create_remote(name, data)
            return
        folder, _, base = name.rpartition("/")
        self.fs.makedirs(self.path(folder), exist_ok=True)
        temporary = self.path(f"{folder}/{TEMPORARY}{os.getpid()}-{_PROCESS}-{next(_count)}-{base}".lstrip("/"))
        local.create(self.path(name), data, by=temporary)

    def _create_remote(self, name: str, data: bytes) -> None:
        if self.guard is not None:
            self.guard.confirm()
        if not self.conditional and self.has(name):
            raise FileExistsError(errno.EEXIST, "there already", self.path(name))
        try:
            self.fs.put(self.path(name), data, create=self.conditional)
        except FileExistsError:
            if self.read_bytes(name) != data:  # else it is ours: an answer was lost, and the client asked again
                raise

    def place(self, other: Store, staged: str, name: str) -> None:
        """Move the finished file `staged` of `other` to `name` here, whole. RunFailed: an object store has another one there."""
        if not (self.is_local and other.is_local):
            self._place_copy(other, staged, name)
            return
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

    def _place_copy(self, other: Store, staged: str, name: str) -> None:
        """`place` from or to an object store. A run that lost its lock unnoticed must not replace its successor's files."""
        self._may_change()
        if (self.fs, self.root) == (other.fs, other.root):
            self.fs.copy(self.path(staged), self.path(name))
        elif self.is_local:
            with other.open(staged) as source, self.writer(name, durable=True) as target:
                shutil.copyfileobj(source, target, remote_file.AHEAD_BYTES)
        elif self.conditional or not self.has(name):
            try:
                with other.open(staged) as source, self._uploaded(name, create=self.conditional) as upload:
                    shutil.copyfileobj(source, upload, remote_file.AHEAD_BYTES)
            except FileExistsError:
                self._must_equal(other, staged, name)
        else:
            self._must_equal(other, staged, name)
        other.remove(staged)

    def _must_equal(self, other: Store, staged: str, name: str) -> None:
        with other.open(staged) as one, self.open(name) as two:
            if not same(one, two, remote_file.AHEAD_BYTES):
                raise RunFailed(
                    f"{self.path(name)}: another run has put another file there, and no manifest names it; run the same command"
                    " again: it removes such files first"
                )

    def remove(self, name: str) -> None:
        """Remove a file or folder if it is there."""
        if not self.is_local:
            self._may_change()
            self.fs.rm(self.path(name), recursive=True)
            return
        if self.fs.exists(self.path(name)):
            self.fs.rm(self.path(name), recursive=True)

    def scratch(self, folder: str) -> Path:
        """Where temporary files of a stage may lie on this machine's disk: in the store if that is local, else below TMPDIR."""
        return Path(self.path(folder)) if self.is_local else local.scratch() / folder

    def private(self, folder: str) -> None:
        """Make `folder`, readable by its owner only. Object stores have neither folders nor modes: their own policy decides."""
        if self.is_local:
            self.fs.makedirs(self.path(folder), exist_ok=True)
            os.chmod(self.path(folder), 0o700)

    def sweep(self, folder: str = "", *, below: bool = False) -> None:
        """Remove unfinished files that a killed run left in `folder`, and `below` it. An upload leaves none."""
        if not self.is_local and self.fs.scheme in remote.FLAT:
            return
        depth = None if below else 1
        for name in self.fs.find(self.path(folder), maxdepth=depth):
            if name.rsplit("/", 1)[-1].startswith(TEMPORARY):
                self.fs.rm(name)

    def write_table(
        self, name: str, table: pa.Table, *, metadata: dict[str, str] | None = None, groups: Sequence[int] | None = None
    ) -> None:
        """A Parquet file with checksums (`pipeline.store.checksums`). `groups`: rows of each row group; default: all rows in one.

        LZ4, plain encoding, no statistics: chosen for work files, which are read one to four times, whole. On 335 MB of
        documents the writer's defaults with zstd 1 took 1.75 s to write and 0.86 s to read the text again, this 1.17 and 0.35 s;
        the files have 89 and 130 MB (tests/bench/throughput.py reads the same text).
        """
        if metadata:
            table = table.replace_schema_metadata(metadata)
        sizes = groups or [max(1, table.num_rows)]
        with self.writer(name) as file, checksums.writer(file, table.schema, compression="lz4") as writer:
            for size, stop in zip(sizes, accumulate(sizes), strict=True):
                writer.write_table(table.slice(stop - size, size), row_group_size=size)

    def read_table(self, name: str, columns: list[str] | None = None) -> pa.Table:
        """A table written by `write_table`; Damaged names the file if it does not read back."""
        with self._parquet(name) as found:
            self._note_read(found, range(found.num_row_groups), columns)
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
                self._note_read(found, chosen_groups, columns)
                for i in chosen_groups:
                    group = found.read_row_group(i, columns=columns, use_threads=False).select(columns)
                    rows = chosen[cuts[i] : cuts[i + 1]] - starts[i]
                    parts.append(group if len(rows) == group.num_rows else group.take(pa.array(rows)))
                yield pa.concat_tables(parts)

    @contextlib.contextmanager
    def _parquet(self, name: str) -> Iterator[pq.ParquetFile]:
        try:
            path = self.path(name)
            with pa.OSFile(path) if self.is_local else remote_file.opened_ranges(self.fs, path) as file:
                checksums.check(file)
                # Over a network, columns that lie side by side come in one request.
                yield pq.ParquetFile(file, page_checksum_verification=True, pre_buffer=not self.is_local)
        except MemoryError:  # pyarrow's is an ArrowException too, and says nothing about the file
            raise
        except (OSError, pa.ArrowInvalid, pa.ArrowException) as error:
            if not self.is_local and isinstance(error, OSError) and error.errno not in (None, errno.ENOENT):
                raise  # the store, not the file; Arrow's own errors have no number
            raise Damaged(f"{self.path(name)}: cannot be read back ({error}); {self.advice}") from error

    def read_groups(self, name: str, wanted: Callable[[pq.RowGroupMetaData, dict[str, int]], bool]) -> pa.Table:
        """The row groups of a table for which `wanted(group, index of each column)` holds."""
        with self._parquet(name) as file:
            places = {column: place for place, column in enumerate(file.schema_arrow.names)}
            groups = [i for i in range(file.num_row_groups) if wanted(file.metadata.row_group(i), places)]
            self._note_read(file, groups, None)
            return file.read_row_groups(groups, use_threads=False)

    def read_group(self, name: str, group: int, columns: list[str]) -> pa.Table:
        """Columns of one row group."""
        with self._parquet(name) as file:
            self._note_read(file, [group], columns)
            return file.read_row_group(group, columns=columns, use_threads=False)

    def group_rows(self, name: str) -> list[int]:
        """Rows of each row group."""
        with self._parquet(name) as file:
            return [file.metadata.row_group(i).num_rows for i in range(file.num_row_groups)]

    def batches(self, name: str, columns: list[str] | None = None) -> Iterator[pa.Table]:
        """A table, row group by row group."""
        with self._parquet(name) as file:
            for group in range(file.num_row_groups):
                self._note_read(file, [group], columns)
                yield file.read_row_group(group, columns=columns, use_threads=False)

    def scan(self, names: Sequence[str]) -> pl.LazyFrame:
        """All rows of these tables, of which there is at least one."""
        paths = [self.path(name) for name in names]
        return pl.scan_parquet(paths) if self.is_local else pl.scan_pyarrow_dataset(self.fs.dataset(paths))

    def _note_read(self, file: pq.ParquetFile, groups: Iterable[int], columns: Sequence[str] | None) -> None:
        if self.is_local:  # what a client fetches is counted there
            self.traffic.count(read=packed(file.metadata, groups, columns))

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
    def lock(self, name: str) -> Iterator[Store]:
        """Hold the store for one run, and use what this gives; OutputLocked if a live run holds it. A dead run's lock ends."""
        if self.is_local:
            with local.locked(self.path(name), root=self.root):
                yield self
        elif not self.conditional:
            yield self  # `--unlocked`: nothing could hold it
        else:
            with lease.held(self.fs, self.path(name), root=self.root) as kept:
                yield replace(self, guard=kept)

    def unlock(self, name: str) -> None:
        """Remove the lock that this run holds, and its file."""
        if self.guard is not None:
            self.guard.remove()
        else:
            self.remove(name)


def open_output(url: str, *, create: bool = True, unlocked: bool = False) -> Store:
    """`open_store` for an output: nothing of it may be removed by hand."""
    return replace(open_store(url, create=create, unlocked=unlocked), advice="restore it, or make the output anew with --replace")


def open_store(url: str, *, create: bool = True, unlocked: bool = False) -> Store:
    """The store at a local path or URL, its folder made and tried out with `create`.

    Raises OutputError if it cannot be made or written, or has no conditional writes and is not to be used `unlocked`.
    """
    if remote.scheme_of(url) not in ("file", "local"):
        client, root, conditional = remote.opened(url, create=create)
        if not conditional and not unlocked:
            raise OutputError(
                f"{root}: this store has no conditional writes (a second create-only write of one file was accepted), so nothing"
                " can keep two runs apart; choose another, or give --unlocked and see to it that only one run writes there"
            )
        return Store(client, root, conditional=conditional, traffic=client.traffic)
    store = Store(LocalFileSystem(), os.path.abspath(url.partition("://")[2] if "://" in url else url))
    if create:
        local.try_out(store.root, url, probe=f"{TEMPORARY}{os.getpid()}-probe")
    return store
