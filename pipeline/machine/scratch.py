"""Arrays that lie on disk while a stage works on the whole corpus: law 7 without giving up numpy.

A column is a file of fixed-width values, mapped into memory; a `Log` is one that grows; a `Spill` sorts records into
partitions that each fit into memory. Pages that are mapped count as resident, so `Scratch.relieve` lets them go (they stay in
the kernel's page cache, which it takes back when it needs it) whenever they exceed the budget.

Invariant: nothing here is resumed. A stage fills a scratch folder and removes it; what is kept goes through the store.
"""

from __future__ import annotations

import math
import mmap
import os
import shutil
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.errors import named

_STATM = "/proc/self/statm"
SMALLEST = 32_000_000
"""Bytes that a stage works with at least, whatever the budget: chosen because less makes partitions too many to be quick."""


class Log:
    """A file that values are appended to, by any thread; `read` maps what is there. A short one stays in memory."""

    def __init__(self, scratch: Scratch, path: Path, dtype: Any, *, limit: int) -> None:
        self._scratch, self._path, self._dtype, self._limit = scratch, path, np.dtype(dtype), limit
        self._held: list[np.ndarray] = []
        self._held_bytes = 0
        path.unlink(missing_ok=True)
        self._lock = threading.Lock()
        self._mapped = np.zeros(0, self._dtype)
        self.size = 0

    def append(self, values: np.ndarray) -> int:
        """Index of the first of them."""
        data = np.ascontiguousarray(values, self._dtype)
        with self._lock:
            start = self.size
            self._held.append(data)
            self._held_bytes += data.nbytes
            self.size += len(data)
            if self._held_bytes > self._limit:
                self._flush()
        return start

    def load(self) -> np.ndarray:
        """All values so far in memory, for a short log: a mapped one holds a file descriptor until the scratch is closed."""
        with self._lock:
            held = list(self._held)
        if self._path.exists():
            held.insert(0, np.fromfile(self._path, self._dtype))
        return held[0] if len(held) == 1 else np.concatenate([np.zeros(0, self._dtype), *held])

    def _flush(self) -> None:
        _append(self._path, self._held)
        self._held, self._held_bytes = [], 0

    def read(self) -> np.ndarray:
        """All values so far, mapped."""
        with self._lock:
            if len(self._mapped) == self.size:
                return self._mapped
            if self._path.exists():
                self._flush()
                self._mapped = self._scratch.map(self._path, self._dtype, self.size)
            else:
                self._mapped = np.concatenate(self._held)
                self._held = [self._mapped]
            return self._mapped


class Spill:
    """Records in partitions. In memory up to `limit` bytes, then in one file a partition. Read once all are there."""

    def __init__(self, folder: Path, dtype: Any, partitions: int, *, limit: int) -> None:
        self.name = folder.name
        self._folder, self._dtype, self._limit = folder, np.dtype(dtype), limit
        self._held: list[list[np.ndarray]] = [[] for _ in range(partitions)]
        self._bytes, self._spilled = 0, False
        self._lock = threading.Lock()

    @property
    def partitions(self) -> int:
        return len(self._held)

    def add(self, partition: int, records: np.ndarray) -> None:
        """Any thread, any order: who needs an order sorts."""
        if not len(records):
            return
        with self._lock:
            self._held[partition].append(records)
            self._bytes += records.nbytes
            if self._bytes > self._limit:
                self._flush()

    def scatter(self, partition: np.ndarray, records: np.ndarray) -> None:
        """Add records, each to its own partition."""
        if not len(partition) or (partition == partition[0]).all():
            self.add(int(partition[0]) if len(partition) else 0, records)
            return
        # Sixteen bits are sorted by radix.
        order = np.argsort(partition.astype(np.uint16) if self.partitions <= 1 << 16 else partition, kind="stable")
        ends = np.cumsum(np.bincount(partition, minlength=self.partitions))
        for number, part in enumerate(np.split(records[order], ends[:-1])):
            self.add(number, part)

    def _flush(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        for number, held in enumerate(self._held):
            if held:
                _append(self._folder / str(number), held)
                held.clear()
        self._bytes, self._spilled = 0, True

    def size(self, partition: int) -> int:
        """How many records a partition has."""
        with self._lock:
            held = sum(map(len, self._held[partition]))
        file = self._folder / str(partition)
        return held + (file.stat().st_size // self._dtype.itemsize if self._spilled and file.exists() else 0)

    def chunks(self, partition: int, most: int) -> Iterator[np.ndarray]:
        """The records of a partition, at most so many at a time. They stay."""
        with self._lock:
            held = np.concatenate([np.zeros(0, self._dtype), *self._held[partition]])
        yield from (held[start : start + most] for start in range(0, len(held), most))
        file = self._folder / str(partition)
        if self._spilled and file.exists():
            with open(file, "rb") as opened_:
                while len(found := np.fromfile(opened_, self._dtype, most)):
                    yield found

    def read(self, partition: int) -> np.ndarray:
        """All records of a partition."""
        with self._lock:
            held = list(self._held[partition])
        file = self._folder / str(partition)
        if self._spilled and file.exists():
            held.append(np.fromfile(file, self._dtype))
        if len(held) == 1:
            return held[0]
        return np.concatenate(held) if held else np.zeros(0, self._dtype)

    def take(self, partition: int) -> np.ndarray:
        """All records of a partition, which then holds none."""
        found = self.read(partition)
        self.remove(partition)
        return found

    def remove(self, partition: int) -> None:
        """Let a partition hold no records any more."""
        with self._lock:
            self._bytes -= sum(records.nbytes for records in self._held[partition])
            self._held[partition] = []
        (self._folder / str(partition)).unlink(missing_ok=True)

    def clear(self) -> None:
        """Let no partition hold records any more."""
        for partition in range(self.partitions):
            self.remove(partition)


@dataclass
class Scratch:
    """A folder for one stage, and the bytes of memory that the stage may work with."""

    folder: Path
    room: int
    _maps: list[mmap.mmap] = field(default_factory=list)
    _libraries: int = 0  # mapped pages of the process that are not ours

    def column(self, name: str, dtype: Any, n: int) -> np.ndarray:
        """A new column of n zeros: writable, and shared between threads."""
        path = self.folder / name
        # Its blocks are taken now: a full disk is an error here and a signal later.
        with named(path), open(path, "wb") as file:
            os.posix_fallocate(file.fileno(), 0, max(1, n * np.dtype(dtype).itemsize))
        return self.map(path, dtype, n)

    def map(self, path: Path, dtype: Any, n: int) -> np.ndarray:
        if not n:
            return np.zeros(0, dtype)
        with open(path, "r+b") as file:
            mapped = mmap.mmap(file.fileno(), n * np.dtype(dtype).itemsize)
        self._maps.append(mapped)
        return np.frombuffer(mapped, dtype)

    def log(self, name: str, dtype: Any, *, limit: int | None = None) -> Log:
        """`limit`: bytes that stay in memory; few by default, for there are many logs."""
        return Log(self, self.folder / name, dtype, limit=self.room >> 12 if limit is None else limit)

    def spill(self, name: str, dtype: Any, partitions: int) -> Spill:
        """Holds a quarter of the room in memory at most."""
        return Spill(self.folder / name, dtype, partitions, limit=self.room // 4)

    def partitions(self, records: int, dtype: Any, *, workers: int, factor: float) -> int:
        """How many parts, by their hash, records must go into so that one a worker, and `factor` times its size, take half the
        room."""
        return min(1 << 12, 1 << max(0, math.ceil(math.log2(max(1.0, records / self._most(dtype, workers, factor))))))

    def too_many(self, dtype: Any, *, workers: int, factor: float) -> int:
        """Records beyond which a part is not looked at as a whole: it holds one hash again and again, which no partition cuts."""
        return 2 * math.ceil(self._most(dtype, workers, factor))

    def _most(self, dtype: Any, workers: int, factor: float) -> float:
        """Records of a part such that one part a worker, and `factor` times its size, take half the room."""
        return self.room / 2 / (np.dtype(dtype).itemsize * factor * workers)

    @contextmanager
    def within(self, name: str, room: int) -> Iterator[Scratch]:
        """One in a folder of this one, which is removed at the end."""
        made = Scratch(self.folder / name, room)
        made.folder.mkdir()
        try:
            yield made
        finally:
            shutil.rmtree(made.folder)

    def relieve(self) -> None:
        """Let mapped pages go if they take more than a quarter of the room; nothing is lost. Any thread, at any time."""
        if mapped_bytes() - self._libraries > self.room // 4:
            for mapped in list(self._maps):
                mapped.madvise(mmap.MADV_DONTNEED)


@contextmanager
def open_scratch(folder: Path, room: int) -> Iterator[Scratch]:
    """An empty scratch folder, removed at the end."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        yield Scratch(folder, max(SMALLEST, room), _libraries=mapped_bytes())
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def mapped_bytes() -> int:
    """Resident bytes of this process that are pages of files (0 where /proc does not say)."""
    try:
        with open(_STATM, encoding="ascii") as file:
            return int(file.read().split()[2]) * mmap.PAGESIZE
    except (OSError, ValueError, IndexError):
        return 0


def by_range(keys: np.ndarray, partitions: int) -> np.ndarray:
    """Partition of each uint64 key, by its upper bits; `partitions` is a power of two."""
    if partitions == 1:
        return np.zeros(len(keys), np.int64)
    return (keys >> np.uint64(64 - partitions.bit_length() + 1)).astype(np.int64)


def range_of(partition: int, partitions: int) -> tuple[int, int]:
    """First and last uint64 key of a partition of `by_range`."""
    width = (1 << 64) // partitions
    return partition * width, (partition + 1) * width - 1


def records(dtype: np.dtype, *columns: np.ndarray | Sequence[int]) -> np.ndarray:
    """Columns as one array of records."""
    made = np.empty(len(columns[0]), dtype)
    for name, column in zip(dtype.names or (), columns, strict=True):
        made[name] = column
    return made


def _append(path: Path, arrays: Sequence[np.ndarray]) -> None:
    with named(path), open(path, "ab", buffering=0) as file:
        for data in arrays:
            view = memoryview(np.ascontiguousarray(data).view(np.uint8).reshape(-1)).cast("B") if data.size else memoryview(b"")  # type: ignore[arg-type]
            while view:
                view = view[os.write(file.fileno(), view[: 1 << 30]) :]
