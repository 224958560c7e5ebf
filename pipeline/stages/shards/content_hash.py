"""The hash of a table's rows, by which the manifest tells equal content from equal files."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc


class ContentHash:
    """sha256 over a table's rows that does not depend on how they are chunked, compressed or encoded.

    Per column three streams: validity, lengths (little-endian int64) and values; their digests are hashed in schema order.
    """

    def __init__(self, schema: pa.Schema) -> None:
        self._schema = schema
        self._streams = {name: [hashlib.sha256() for _ in range(5)] for f in schema for name in (f.name, *_fields(f))}

    def update(self, table: pa.Table) -> None:
        for field in self._schema:
            column = table[field.name]
            for chunk in column.chunks:
                self._feed(self._streams[field.name], chunk)
                for name, at in _fields(field).items():
                    self._feed(self._streams[name], chunk.flatten().field(at))

    def _feed(self, streams: list[Any], array: pa.Array, level: int = 0) -> None:
        streams[level].update(_bits(array))
        if pa.types.is_list(array.type):
            streams[1].update(_lengths(pc.list_value_length(array)))
            if not pa.types.is_struct(array.type.value_type):  # whose fields have streams of their own
                self._feed(streams, array.flatten(), 2)
        elif pa.types.is_string(array.type) or pa.types.is_binary(array.type):
            streams[3].update(_lengths(pc.binary_length(array)))
            streams[4].update(_bytes(array))
        else:
            zero = pa.scalar(0, pa.int64()).cast(array.type)
            streams[4].update(np.ascontiguousarray(pc.fill_null(array, zero).to_numpy(zero_copy_only=False)))

    def hexdigest(self) -> str:
        total = hashlib.sha256()
        for field in self._schema:
            total.update(f"{field.name}:{field.type}".encode())
            for name in (field.name, *_fields(field)):
                for stream in self._streams[name]:
                    total.update(stream.digest())
        return total.hexdigest()


def _fields(field: pa.Field) -> dict[str, int]:
    """Of a column of lists of structs (which are never null), the names and places of the structs' fields."""
    item = field.type.value_type if pa.types.is_list(field.type) else None
    if item is None or not pa.types.is_struct(item):
        return {}
    return {f"{field.name}.{item.field(i).name}": i for i in range(item.num_fields)}


def _bits(array: pa.Array) -> np.ndarray:
    if not array.null_count:
        return np.ones(len(array), np.uint8)
    return array.is_valid().to_numpy(zero_copy_only=False).astype(np.uint8)


def _lengths(lengths: pa.Array) -> np.ndarray:
    return pc.fill_null(lengths, 0).to_numpy(zero_copy_only=False).astype("<i8")


def _bytes(array: pa.Array) -> memoryview | bytes:
    """Values of a string or binary array, one after the other; nulls hold none."""
    present = array.drop_null() if array.null_count else array
    if not len(present):
        return b""
    offsets = np.frombuffer(present.buffers()[1], np.int32)[present.offset : present.offset + len(present) + 1]
    return memoryview(present.buffers()[2] or b"")[offsets[0] : offsets[-1]]
