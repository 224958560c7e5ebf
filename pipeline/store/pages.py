"""Single values of a column of a Parquet file, read page by page.

pyarrow reads whole row groups; where a few texts of a shard are wanted, that is a hundred times as much. A file that has a page
index (`pipeline.stages.shards.parquet` writes one) says where the pages of a column lie and with which row each begins, so that
only those are read that hold a row which is asked for. What is read: the texts of our shards, a required column of byte arrays,
plainly encoded, compressed with zstd, in version 1 pages with a checksum. Anything else raises ArrowInvalid, as pyarrow does for
a damaged file.

Source: https://github.com/apache/parquet-format (parquet.thrift, PageIndex.md, Encodings.md), and Thrift's compact protocol
(https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md). Field numbers below are theirs.
"""

from __future__ import annotations

import struct
import zlib
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO, TypeVar

import numpy as np
import pyarrow as pa

_DEPTH = 16
"""Values within values that a footer has at most: the format's own has fewer than 10."""
_SCHEMA, _ROWS, _ROW_GROUPS = 2, 3, 4  # FileMetaData
_TYPE, _REPETITION, _NAME, _CHILDREN = 1, 3, 4, 5  # SchemaElement
_BYTE_ARRAY, _REQUIRED = 6, 0
_COLUMNS, _GROUP_ROWS = 1, 3  # RowGroup
_META, _INDEX_AT, _INDEX_BYTES = 3, 4, 5  # ColumnChunk
_PATH, _CODEC = 3, 4  # ColumnMetaData
_ZSTD = 6
_LOCATIONS, _AT, _BYTES, _FIRST_ROW = 1, 1, 2, 3  # OffsetIndex, PageLocation (the last three)
_PAGE_TYPE, _PAGE_BYTES, _PACKED, _CRC, _DATA_HEADER = 1, 2, 3, 4, 5  # PageHeader
_VALUES, _ENCODING = 1, 2  # DataPageHeader
_DATA_PAGE = _PLAIN = 0
_MAGIC = b"PAR1"
_T = TypeVar("_T")


@dataclass(frozen=True)
class _Page:
    first: int  # row of the file
    at: int  # byte of the file
    n_bytes: int  # with its header


class Strings:
    """The values of one column. `read_bytes` counts what was read of the file."""

    def __init__(self, file: BinaryIO, column: str) -> None:
        """Raises ArrowInvalid where the file is no Parquet, or its column is not one of those that are read."""
        self._file, self._column = file, column
        self.read_bytes = 0
        tail = self._piece(-8, 8)
        size = int.from_bytes(tail[:4], "little")
        if tail[4:] != _MAGIC:
            raise pa.ArrowInvalid("it does not end as Parquet does")
        footer = _Thrift(self._piece(-8 - size, size)).struct()
        _check_required(_list(footer, _SCHEMA), column)
        self._rows = _int(footer, _ROWS)
        self._pages = list(self._located(footer))
        self._firsts = [page.first for page in self._pages]
        self._held = (-1, b"")  # number of the page that was read last, and its values

    def at(self, rows: np.ndarray) -> Iterator[list[str]]:
        """Values of these rows (int64, ascending), those of a page together."""
        start = 0
        while start < len(rows):
            number = bisect_right(self._firsts, int(rows[start])) - 1
            if number < 0 or rows[start] >= self._rows:
                raise pa.ArrowInvalid(f"row {rows[start]} of {self._rows}")
            last = self._firsts[number + 1] if number + 1 < len(self._pages) else self._rows
            stop = start + int(np.searchsorted(rows[start:], last))
            if self._held[0] != number:
                self._held = (number, self._values(self._pages[number], last - self._firsts[number]))
            yield list(_picked(self._held[1], (rows[start:stop] - self._firsts[number]).tolist()))
            start = stop

    def _located(self, footer: dict[int, Any]) -> Iterator[_Page]:
        row = 0
        for group in _list(footer, _ROW_GROUPS):
            path = [self._column.encode()]
            chunks = [chunk for chunk in _list(group, _COLUMNS) if _list(_fields(chunk, _META), _PATH) == path]
            if len(chunks) != 1 or _int(_fields(chunks[0], _META), _CODEC) != _ZSTD:
                raise pa.ArrowInvalid(f"column {self._column} is not there once, compressed with zstd")
            index = _Thrift(self._piece(_int(chunks[0], _INDEX_AT), _int(chunks[0], _INDEX_BYTES))).struct()
            for page in _list(index, _LOCATIONS):
                yield _Page(row + _int(page, _FIRST_ROW), _int(page, _AT), _int(page, _BYTES))
            row += _int(group, _GROUP_ROWS)

    def _values(self, page: _Page, count: int) -> bytes:
        """The values of a page, decompressed. Neither page index nor footer has a checksum: that the page has `count` values
        holds them to it."""
        raw = self._piece(page.at, page.n_bytes)
        reader = _Thrift(raw)
        header = reader.struct()
        packed = raw[reader.at :]
        said = _fields(header, _DATA_HEADER)
        if (_int(header, _PAGE_TYPE), _int(said, _ENCODING), _int(said, _VALUES)) != (_DATA_PAGE, _PLAIN, count):
            raise pa.ArrowInvalid(f"column {self._column}: no page of {count} plain values at byte {page.at}")
        if len(packed) != _int(header, _PACKED) or zlib.crc32(packed) != _int(header, _CRC) & 0xFFFFFFFF:
            raise pa.ArrowInvalid(f"column {self._column}: the checksum of its page at byte {page.at} is another one")
        size = _int(header, _PAGE_BYTES)
        if not 0 <= size < 1 << 31:  # the header has no checksum
            raise pa.ArrowInvalid(f"column {self._column}: a page of {size} bytes at byte {page.at}")
        values: bytes = pa.decompress(packed, size, "zstd", asbytes=True)
        return values

    def _piece(self, at: int, n_bytes: int) -> bytes:
        """Bytes of the file; `at` may count from its end."""
        size = self._file.seek(0, 2)
        start = at + size if at < 0 else at
        if not 0 <= start <= start + n_bytes <= size:
            raise pa.ArrowInvalid(f"bytes {start} to {start + n_bytes} of {size}")
        self._file.seek(start)
        self.read_bytes += n_bytes
        return self._file.read(n_bytes)


def _check_required(schema: list[Any], column: str) -> None:
    """Raise ArrowInvalid unless the schema has the column at its top, of byte arrays without null."""
    at, left = 1, _int(schema[0] if schema else None, _CHILDREN)
    while at < len(schema) and left > 0:
        if _bytes(schema[at], _NAME) == column.encode():
            if (schema[at].get(_TYPE), schema[at].get(_REPETITION)) != (_BYTE_ARRAY, _REQUIRED):
                raise pa.ArrowInvalid(f"column {column} is not of strings without null")
            return
        below, left = 1, left - 1
        while below > 0 and at < len(schema):  # past what stands within it
            below += (_int(schema[at], _CHILDREN) if _CHILDREN in schema[at] else 0) - 1
            at += 1
    raise pa.ArrowInvalid(f"column {column} is not there")


def _picked(values: bytes, places: Sequence[int]) -> Iterator[str]:
    """Values by number, ascending: each is its length (4 bytes) and its bytes."""
    at = number = 0
    try:
        for place in places:
            while True:
                (length,) = struct.unpack_from("<I", values, at)
                start, at = at + 4, at + 4 + length
                number += 1
                if number > place:
                    break
            if at > len(values):
                raise pa.ArrowInvalid(f"a value of {length} bytes in {len(values)}")
            yield values[start:at].decode()
    except (struct.error, UnicodeDecodeError) as error:
        raise pa.ArrowInvalid(f"a page whose values cannot be read ({error})") from error


def _of(fields: Any, number: int, kind: type[_T]) -> _T:
    found = fields.get(number) if isinstance(fields, dict) else None
    if not isinstance(found, kind):
        raise pa.ArrowInvalid("it has no page index, or pages without checksums")
    return found


def _list(fields: Any, number: int) -> list[Any]:
    return _of(fields, number, list)


def _int(fields: Any, number: int) -> int:
    return _of(fields, number, int)


def _bytes(fields: Any, number: int) -> bytes:
    return _of(fields, number, bytes)


def _fields(fields: Any, number: int) -> dict[int, Any]:
    return _of(fields, number, dict)


class _Thrift:
    """A reader of structs in Thrift's compact protocol, as dicts by field number. Raises ArrowInvalid where they end early."""

    def __init__(self, data: bytes) -> None:
        self._data, self.at = data, 0

    def struct(self, depth: int = 0) -> dict[int, Any]:
        fields: dict[int, Any] = {}
        number = 0
        while kind := self._byte():
            number = number + (kind >> 4) if kind >> 4 else self._signed()
            fields[number] = kind & 15 == 1 if kind & 15 in (1, 2) else self._value(kind & 15, depth)
        return fields

    def _value(self, kind: int, depth: int) -> Any:
        if depth > _DEPTH:
            raise pa.ArrowInvalid("values nested too deep")
        if kind in (1, 2, 3):  # booleans of a list, and a byte
            return self._byte()
        if kind in (4, 5, 6):
            return self._signed()
        if kind == 7:  # a double
            return self._bytes(8)
        if kind == 8:
            return self._bytes(self._unsigned())
        if kind in (9, 10):
            head = self._byte()
            size = head >> 4 if head >> 4 != 15 else self._unsigned()
            return [self._value(head & 15, depth + 1) for _ in range(size)]
        if kind == 12:
            return self.struct(depth + 1)
        raise pa.ArrowInvalid(f"a field of kind {kind}")

    def _signed(self) -> int:
        found = self._unsigned()
        return (found >> 1) ^ -(found & 1)

    def _unsigned(self) -> int:
        found = shift = 0
        while True:
            byte = self._byte()
            found |= (byte & 127) << shift
            if byte < 128:
                return found
            shift += 7
            if shift > 63:
                raise pa.ArrowInvalid("a number of more than 64 bits")

    def _byte(self) -> int:
        if self.at >= len(self._data):
            raise pa.ArrowInvalid("its footer or a page header ends early")
        self.at += 1
        return self._data[self.at - 1]

    def _bytes(self, size: int) -> bytes:
        if size > len(self._data) - self.at:
            raise pa.ArrowInvalid("its footer or a page header ends early")
        self.at += size
        return self._data[self.at - size : self.at]
