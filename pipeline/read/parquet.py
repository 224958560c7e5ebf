"""Parquet to rows, one or more row groups a unit.

Invariants: row numbers follow the row counts of the footer, whatever the row groups hold, so that no unit depends on
another; what cannot be decoded is one bad row in its row group, behind the rows that could be; row groups are read in
batches, columns in streams, page checksums are verified. A unit with `start == stop` stands for a footer that is broken.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.read.archives import BOMB_BYTES, BOMB_RATIO
from pipeline.read.inputs import InputFile
from pipeline.read.lines import Refused, Unreadable
from pipeline.read.rows import Collector, UnitRows
from pipeline.read.tables import add_batch
from pipeline.read.units import FileUnits, Unit, cannot_read, identify, opened

BATCH_ROWS = 1_000
"""Chosen so that a batch is some MB of text; a text repeated by a dictionary is multiplied by no more than this."""
BOMB_ROWS = 10_000_000
"""Rows without content decode to no bytes; beyond this many they count as a byte each."""
MOST_ROWS = 1 << 48
"""A footer that counts more is broken."""


def split(file: InputFile) -> FileUnits:
    """Units of whole row groups, of about `unit_bytes` uncompressed."""
    content = identify(file)
    try:
        groups = _groups(file)
    except Unreadable:
        return FileUnits(content, (Unit(file, content, 0, 0, 0, 1),))
    units: list[Unit] = []
    start = size = 0
    first_row = row = 1
    for i, (rows, n_bytes) in enumerate(groups):
        row += rows
        size += n_bytes
        if size >= file.unit_bytes or i == len(groups) - 1:
            units.append(Unit(file, content, len(units), start, i + 1, first_row))
            start, size, first_row = i + 1, 0, row
    return FileUnits(content, tuple(units))


def read_unit(unit: Unit) -> UnitRows:
    collector = Collector(unit.file)
    try:
        groups = _groups(unit.file)
    except Unreadable as error:
        collector.refuse(Refused(unit.first_row, error.cause, error.detail))
        return collector.finish()
    first_row = unit.first_row
    for i in range(unit.start, unit.stop):
        rows = groups[i][0]
        _read_group(collector, i, first_row, rows)
        first_row += rows
    return collector.finish()


def _groups(file: InputFile) -> list[tuple[int, int]]:
    """Rows and uncompressed bytes of each row group. Raises Unreadable."""
    with opened(file) as handle, _decoding(file):
        metadata = pq.read_metadata(handle)
        groups = [metadata.row_group(i) for i in range(metadata.num_row_groups)]
        made = [(group.num_rows, max(group.total_byte_size, 0)) for group in groups]
        list(metadata.schema.to_arrow_schema().names)  # decodes the names
    if any(rows < 0 for rows, _ in made) or sum(rows for rows, _ in made) > MOST_ROWS:
        raise Unreadable("archive_corrupt", "the footer counts an impossible number of rows")
    return made


def _read_group(collector: Collector, index: int, first_row: int, rows: int) -> None:
    """Add `rows` rows, or what can be decoded of them and one bad row."""
    done = given = 0
    try:
        for batch, packed in _batches(collector.file, index):
            given += batch.nbytes
            if _is_bomb(given, BOMB_BYTES, packed) or _is_bomb(done, BOMB_ROWS, packed):
                raise Unreadable("decompression_bomb", f"{packed} bytes decode to more than {BOMB_RATIO} times as many")
            add_batch(collector, batch.slice(0, rows - done), first_row + done)
            collector.flush()
            done += batch.num_rows
            if done >= rows:
                return
        if done < rows:
            raise Unreadable("archive_corrupt", f"row group {index} has {done} rows; the footer counts {rows}")
    except Unreadable as error:
        collector.refuse(Refused(first_row + done, error.cause, error.detail))


def _is_bomb(size: int, enough: int, packed: int) -> bool:
    return size > enough and size > BOMB_RATIO * packed


def _batches(file: InputFile, index: int) -> Iterator[tuple[pa.RecordBatch, int]]:
    """Batches of a row group, and how many bytes it takes in the file."""
    with opened(file) as handle, _decoding(file):
        parquet = pq.ParquetFile(handle, buffer_size=1 << 20, page_checksum_verification=True)
        group = parquet.metadata.row_group(index)
        packed = sum(max(group.column(i).total_compressed_size, 0) for i in range(group.num_columns))
        for batch in parquet.iter_batches(batch_size=BATCH_ROWS, row_groups=[index], use_threads=False):
            yield batch, packed


@contextmanager
def _decoding(file: InputFile) -> Iterator[None]:
    """Errors of the decoder become Unreadable; those of the disk or network stop the run."""
    try:
        yield
    except (pa.ArrowException, UnicodeDecodeError, OverflowError) as error:
        raise Unreadable("archive_corrupt", f"Parquet: {str(error)[:200]}") from error
    except OSError as error:
        if error.errno is not None:
            raise cannot_read(file, error) from error
        raise Unreadable("archive_corrupt", f"Parquet: {str(error)[:200]}") from error
