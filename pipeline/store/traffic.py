"""Bytes and requests that cross the border of a store: what metrics.json says under `cost.stores`.

A request is one operation asked of a store's client: a listing, a look-up, a range of a file, a part or a whole upload, a copy, a
deletion of up to 1,000 files. Below that, in the client's library, lie the pages of a long listing, the second look-up of a name
that is not there, and tries that failed: they are not seen here. Local stores have no requests; of their files,
contents count, footers and hashing do not.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from typing import Any


class Traffic:
    """Counts of one store, added to by any thread. A copy, in another process too, starts at nothing."""

    def __init__(self) -> None:
        self.requests = self.bytes_read = self.bytes_written = 0
        self._lock = threading.Lock()

    def count(self, *, requests: int = 0, read: int = 0, written: int = 0) -> None:
        with self._lock:
            self.requests += requests
            self.bytes_read += read
            self.bytes_written += written

    def counts(self) -> dict[str, int]:
        with self._lock:
            return {"requests": self.requests, "bytes_read": self.bytes_read, "bytes_written": self.bytes_written}

    def __reduce__(self) -> tuple[type[Traffic], tuple[()]]:
        return Traffic, ()


def packed(metadata: Any, groups: Iterable[int], columns: Sequence[str] | None) -> int:
    """Bytes that columns (default: all) of some row groups take in a Parquet file: what reading them reads."""
    size = 0
    for number in groups:
        group = metadata.row_group(number)
        for place in range(group.num_columns):
            chunk = group.column(place)
            if columns is None or chunk.path_in_schema.partition(".")[0] in columns:
                size += chunk.total_compressed_size
    return size
