"""Shards of an export: the stream of documents, dealt out, each shard with its table of documents.

A document goes to the shard that has least so far, of equal ones to the first: shards of a world size differ by one document at
most, and each has the order and the mix of the whole. All are written in one pass.
"""

from __future__ import annotations

import contextlib
import heapq
import resource
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.errors import UsageError
from pipeline.export.content import Content
from pipeline.export.documents import take
from pipeline.export.folder import Folder
from pipeline.export.formats.contract import DOCUMENTS, Format, Shape, Sink, WholeShard
from pipeline.export.pieces import unpacked
from pipeline.records.exports_json import ExportedShard

_ROWS = 100_000
"""Rows of a row group of a table of documents."""
_SPARE = 100
"""Files that a process has open besides."""
_IDENTITY = ("id", "source", "source_ref", "generation", "text_hash")


@dataclass(frozen=True)
class Split:
    """Documents that are exported together: `name`, and into how many shards."""

    name: str
    shards: int


@dataclass
class _Open:
    """A shard that is being written."""

    path: str
    dtype: np.dtype[Any]
    sink: Sink
    documents: pq.ParquetWriter
    held: list[pa.Table] = field(default_factory=list)
    rows: int = 0
    size: int = 0

    def write(self, table: pa.Table, split: str, groups: Sequence[str]) -> None:
        values, lengths = unpacked(table, self.dtype)
        self.sink.write(values, lengths)
        ends = self.size + np.cumsum(lengths)
        codes = table["group"].combine_chunks()
        columns = [
            *(table[name].combine_chunks() for name in _IDENTITY),
            pa.array([split] * len(table), pa.string()),
            pa.array([self.path] * len(table), pa.string()),
            pa.array(groups, pa.string()).take(codes),
            table["epoch"].combine_chunks(),
            pa.array(ends - lengths),
            pa.array(ends - 1),
        ]
        self.held.append(pa.Table.from_arrays(columns, schema=DOCUMENTS))
        self.rows += len(table)
        self.size += int(lengths.sum())
        if sum(map(len, self.held)) >= _ROWS:
            self.flush(whole=False)

    def flush(self, *, whole: bool) -> None:
        """Write row groups of exactly `_ROWS`; with `whole` what is left, too."""
        table = pa.concat_tables(self.held) if self.held else DOCUMENTS.empty_table()
        stop = len(table) if whole else len(table) - len(table) % _ROWS
        if stop:
            self.documents.write_table(table[:stop].combine_chunks(), row_group_size=_ROWS)
        self.held = [table[stop:]]


def allow_open_files(shards: int) -> None:
    """Each shard has two files open. Raises UsageError where this process may not have as many."""
    wanted = 2 * shards + _SPARE
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and wanted > hard:
        most = (hard - _SPARE) // 2
        raise UsageError(f"--shards {shards}: a process may open {hard} files; expected at most {most}, or raise `ulimit -n`")
    if soft != resource.RLIM_INFINITY and wanted > soft:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


@dataclass(frozen=True)
class Writing:
    """Where and as what shards are written. `sequence`: values of one, in formats that have sequences."""

    folder: Folder
    kind: Format
    content: Content
    sequence: int

    def name(self, path: str) -> str:
        return path.removesuffix(self.kind.suffix)

    def documents(self, path: str) -> str:
        """The table of documents of a shard."""
        return f"docs/{self.name(path)}.parquet"

    def paths(self, split: Split) -> list[str]:
        return [f"{split.name}-{number:05d}-of-{split.shards:05d}{self.kind.suffix}" for number in range(split.shards)]

    def whole(self, one: _Open) -> WholeShard:
        return WholeShard(
            folder=self.folder,
            name=self.name(one.path),
            path=one.path,
            documents_path=self.documents(one.path),
            documents=one.rows,
            size=one.size,
            dtype=self.content.dtype,
            tokenizer=self.content.tokenizer,
        )


def write(
    writing: Writing, split: Split, stream: Iterable[pa.Table], *, groups: Sequence[str], on_table: Callable[[pa.Table], None]
) -> list[ExportedShard]:
    """The shards of a split, written. `groups`: names by code; `on_table` is told of the documents that are written."""
    filled = [(0, number) for number in range(split.shards)]
    with contextlib.ExitStack() as stack:
        opened = [_opened(stack, writing, path) for path in writing.paths(split)]
        for table in stream:
            for number, part in _dealt(table, filled):
                opened[number].write(part, split.name, groups)
            on_table(table)
        for one in opened:
            one.sink.close()
            one.flush(whole=True)
            one.documents.close()
    made = []
    for one in opened:
        whole = writing.whole(one)
        writing.kind.beside(whole)
        where = {"path": one.path, "documents_path": whole.documents_path}
        made.append(ExportedShard(split=split.name, **where, documents=one.rows, size=one.size))
    return made


def _opened(stack: contextlib.ExitStack, writing: Writing, path: str) -> _Open:
    table: BinaryIO = stack.enter_context(writing.folder.open(writing.documents(path)))
    values: BinaryIO = stack.enter_context(writing.folder.open(path))
    writer = pq.ParquetWriter(
        table,
        DOCUMENTS,
        compression="zstd",
        use_dictionary=["source", "split", "shard", "group", "epoch", "generation"],
        write_statistics=["first", "last"],
        write_page_checksum=True,
    )
    sink = writing.kind.sink(values, Shape(writing.content.dtype, writing.sequence))
    for close in (writer.close, sink.close):  # after a failure too: Parquet's writer would write once more when it is collected
        stack.callback(_quietly, close)
    return _Open(path, writing.content.dtype, sink, writer)


def _quietly(close: Callable[[], None]) -> None:
    """Close once more what is closed by now, or is of files that go since something failed, which is what is told."""
    with contextlib.suppress(OSError, pa.ArrowException):
        close()


def _dealt(table: pa.Table, filled: list[tuple[int, int]]) -> Iterator[tuple[int, pa.Table]]:
    """The rows of each shard that gets some. `filled`: a heap of (bytes so far, number of the shard), kept up to date."""
    if len(filled) == 1:
        yield 0, table
        return
    lengths = unpacked(table, np.dtype("u1"))[1]
    numbers = np.empty(len(table), np.int64)
    for row, length in enumerate(lengths.tolist()):
        size, number = filled[0]
        numbers[row] = number
        heapq.heapreplace(filled, (size + length, number))
    for number in np.unique(numbers).tolist():
        yield number, take(table, np.flatnonzero(numbers == number))
