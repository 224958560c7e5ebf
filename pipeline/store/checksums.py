"""Parquet files whose footer has a checksum too: that of the format covers pages alone.

A damaged footer names other places, columns, encodings or row counts, of which a reader makes errors of any kind, or other
values. The seal stands in the gap that the format allows between the last page and the footer, so that any reader reads
such a file; files without one (shards) are taken as they are.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

_MARK = b"WNW\x01"
_TAIL = 1 << 16
"""Bytes that a reader of Parquet fetches first: the seal is within them as a rule, and costs no request of its own."""


class _Seal:
    """A write-only file that keeps back what is written once it holds."""

    def __init__(self, file: Any) -> None:
        self._file = file
        self._held: bytearray | None = None
        self.closed = False

    def hold(self) -> None:
        self._held = bytearray()

    def finish(self) -> None:
        """Write the seal, and the footer behind it."""
        assert self._held is not None and int.from_bytes(self._held[-8:-4], "little") == len(self._held) - 8
        self._file.write(_MARK + zlib.crc32(self._held).to_bytes(4, "little"))
        self._file.write(bytes(self._held))

    def write(self, data: Any) -> int:
        if self._held is None:
            return int(self._file.write(data))
        self._held += data
        return len(data)

    def tell(self) -> int:
        return int(self._file.tell()) + len(self._held or b"")

    def flush(self) -> None:
        self._file.flush()

    def close(self) -> None:
        self.closed = True


def writer(file: Any, schema: pa.Schema, *, statistics: bool = False, **packing: Any) -> AbstractContextManager[pq.ParquetWriter]:
    """A writer of a table of the work directory: page checksums, no dictionaries, and the seal. `packing`: how `pq.ParquetWriter`
    encodes and compresses columns."""
    return sealed(
        file,
        lambda seal: pq.ParquetWriter(
            seal, schema, use_dictionary=False, write_statistics=statistics, write_page_checksum=True, **packing
        ),
    )


@contextmanager
def sealed(file: Any, opened: Callable[[Any], pq.ParquetWriter]) -> Iterator[pq.ParquetWriter]:
    """The writer that `opened` makes of a file, and the seal behind what it writes."""
    seal = _Seal(file)
    made = opened(seal)
    try:
        yield made
        seal.hold()
    finally:
        made.close()
    seal.finish()


def check(file: Any) -> None:
    """Raises ArrowInvalid where the file has a seal and its footer is another one. Leaves the file at its beginning."""
    size = file.seek(0, 2)
    file.seek(size - min(size, _TAIL))
    tail = file.read()
    if len(tail) < 8:
        return
    wanted = 8 + int.from_bytes(tail[-8:-4], "little")
    if wanted + 8 > len(tail) and wanted + 8 <= size:
        file.seek(size - wanted - 8)
        tail = file.read()
    file.seek(0)
    seal, footer = tail[-wanted - 8 : -wanted], tail[-wanted:]
    if seal[:4] == _MARK and int.from_bytes(seal[4:], "little") != zlib.crc32(footer):
        raise pa.ArrowInvalid("the checksum of its footer is another one")
