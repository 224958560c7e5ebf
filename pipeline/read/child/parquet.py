"""Parquet files to records, with pyarrow. Runs in a process of its own (`pipeline.read.child.decoder`), never in the run's.

Invariants: row numbers follow the row counts of the footer, whatever the row groups hold, so that no row group depends on
another; what cannot be decoded is one bad row in its row group, behind the rows that could be; row groups are read in
batches, columns in streams, page checksums are verified.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.read.child import int96
from pipeline.read.lines import Loss, QuarantinedRow, Unreadable
from pipeline.read.rows import Collector
from pipeline.read.tables import add_batch, decoded_bytes, pieces

MOST_ROWS = 1 << 48
"""A footer that counts more is broken."""
MOST_LISTED, MOST_LISTED_OF_FILE = 100_000, 300_000
"""Rows of a lost row group that quarantine lists, and of a file: one takes some 700 bytes of memory, and a footer may promise any
number, in any number of row groups."""
ROW_BYTES = 32
"""Decoded bytes that a row counts for beside its values: it has a name, of 32 hex digits, also where it has no content."""
_SIGNATURE = 28
_TAIL = struct.Struct("<I4s")


@dataclass(frozen=True)
class Limits:
    """`batch_rows`, `batch_bytes`: most rows and about as many encoded bytes decoded in one go. Beyond `bomb_ratio` past
    `bomb_bytes` decoded bytes of a row group the rest of it is not decoded."""

    batch_rows: int
    batch_bytes: int
    bomb_ratio: int
    bomb_bytes: int
    buffer: int  # bytes of a column read at once


def groups(handle: BinaryIO) -> list[tuple[int, int]]:
    """Rows and uncompressed bytes of each row group. Raises Unreadable."""
    with _decoding():
        length, magic = _footer(handle)
        if magic == b"PARE":
            raise Unreadable("encrypted", "the file is encrypted; decrypt it first")
        metadata = pq.read_metadata(handle)
        # A footer in the clear of a file with encrypted columns is signed: nonce and tag stand behind it (Parquet Modular
        # Encryption, 5.2). Asking such a column for its size ends the process.
        if length - metadata.serialized_size == _SIGNATURE:
            raise Unreadable("encrypted", "columns of the file are encrypted; decrypt it first")
        found = [metadata.row_group(i) for i in range(metadata.num_row_groups)]
        made = [(group.num_rows, max(group.total_byte_size, 0)) for group in found]
        list(metadata.schema.to_arrow_schema().names)  # decodes the names
    if any(rows < 0 for rows, _ in made) or sum(rows for rows, _ in made) > MOST_ROWS:
        raise Unreadable("archive_corrupt", "the footer counts an impossible number of rows")
    return made


def _footer(handle: BinaryIO) -> tuple[int, bytes]:
    """The footer's length and the magic number behind it."""
    size = handle.seek(0, 2)
    handle.seek(max(0, size - _TAIL.size))
    tail = handle.read(_TAIL.size)
    return _TAIL.unpack(tail) if len(tail) == _TAIL.size else (0, b"")


@dataclass(frozen=True)
class Opened:
    """A file whose footer is read: once for all row groups, since a footer is as long as there are row groups."""

    handle: BinaryIO
    parquet: pq.ParquetFile
    limits: Limits
    listed: int
    """Rows of a lost row group that quarantine lists."""


def opened(handle: BinaryIO, limits: Limits) -> Opened:
    """Raises Unreadable."""
    with _decoding():
        parquet = pq.ParquetFile(handle, buffer_size=limits.buffer, pre_buffer=False, page_checksum_verification=True)
        return Opened(handle, parquet, limits, most_listed(parquet.metadata.num_row_groups))


def most_listed(groups: int) -> int:
    """Rows that quarantine lists of each lost row group of a file of so many: the same in whatever unit it is read."""
    return max(1, min(MOST_LISTED, MOST_LISTED_OF_FILE // max(groups, 1)))


def add_group(collector: Collector, file: Opened, index: int, *, first_row: int) -> Iterator[int]:
    """Add the rows of row group `index`, or what can be decoded of them and one bad row. Some at a time: yields the number of the
    row behind them."""
    done = given = rows = 0
    limits = file.limits
    try:
        with _decoding():
            rows = file.parquet.metadata.row_group(index).num_rows
        for batch, packed in _batches(file, index):
            given += decoded_bytes(batch) + ROW_BYTES * batch.num_rows
            if given > max(limits.bomb_bytes, limits.bomb_ratio * packed):
                raise Unreadable("decompression_bomb", f"{packed} bytes decode to more than {limits.bomb_ratio} times as many")
            for piece in pieces(batch.slice(0, rows - done)):
                add_batch(collector, piece, first_row + done)
                done += piece.num_rows
                yield first_row + done
            if done >= rows:
                return
        if done < rows:
            raise Unreadable("archive_corrupt", f"row group {index} has {done} rows; the footer counts {rows}")
    except Unreadable as error:
        lost(collector, error, first_row + done, rows=rows - done, listed=file.listed)


def lost(collector: Collector, error: Unreadable, first_row: int, *, rows: int, listed: int) -> None:
    """Refuse each of `rows` rows that the footer promises and nobody can read; the last of `listed` stands for all behind it."""
    for i in range(max(1, min(rows, listed))):
        detail = error.detail if i == 0 else f"lost with row {first_row}"
        behind = max(1, rows - i) if i == listed - 1 else 1
        share = 0.0 if i else error.lost.share
        collector.refuse(QuarantinedRow(first_row + i, error.cause, detail, lost=Loss(behind, share)))


def _batches(file: Opened, index: int) -> Iterator[tuple[pa.RecordBatch, int]]:
    """Batches of a row group, and how many bytes it takes in the file."""
    parquet, limits = file.parquet, file.limits
    with _decoding():
        group = parquet.metadata.row_group(index)
        packed = sum(max(group.column(i).total_compressed_size, 0) for i in range(group.num_columns))
        fits = limits.batch_bytes * max(group.num_rows, 1) // max(group.total_byte_size, 1)
        at_once = min(limits.batch_rows, max(1, fits))
        old = int96.columns(parquet)
        beside = {
            unit: int96.Beside(file.handle, parquet.metadata, index, columns=old, unit=unit, at_once=at_once)
            for unit in int96.UNITS
            if old
        }
        for batch in parquet.iter_batches(batch_size=at_once, row_groups=[index], use_threads=False):
            yield int96.in_range(batch, beside), packed


@contextmanager
def _decoding() -> Iterator[None]:
    """Errors of the decoder become Unreadable; those of the disk or network (with a number), and of memory, do not."""
    try:
        yield
    except MemoryError:
        raise
    except (pa.ArrowException, UnicodeDecodeError, OverflowError) as error:
        raise Unreadable("archive_corrupt", f"Parquet: {str(error)[:200]}") from error
    except OSError as error:
        if error.errno is not None:
            raise
        raise Unreadable("archive_corrupt", f"Parquet: {str(error)[:200]}") from error
