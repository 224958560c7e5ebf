"""What later generations need to know of this one's dedup, as tables to store, and how they are read.

Invariant: judging new documents against the index gives the fates that one run over everything would give them (law 4): the
index knows each text that was seen, each document that dedup kept, and who took which place of a bucket. A place taken stays
taken, also by a document that dedup dropped.

An index is the union of the parts that its generations added. Documents are numbered through: part by part, in priority order.
Texts and names are not stored again: row k of DOCUMENTS is the document in row k of the generation's data/ shards. Tables are
sorted by hash, so that a run passes over each once, and what it needs of a hash range or a document is a few row groups.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.dedup.part import Sets, shingles_of
from pipeline.errors import BrokenContract
from pipeline.manifest import Manifest
from pipeline.store import Store

GROUP_ROWS = 1 << 20
"""Rows of a row group: chosen so that one of places takes 16 MB in memory."""


def _field(name: str, type_: pa.DataType, *, nullable: bool = False) -> pa.Field:
    return pa.field(name, type_, nullable=nullable)


KEYS = pa.schema(
    [
        _field("left", pa.uint64()),
        _field("right", pa.uint64()),
        _field("document", pa.int64()),  # number of the document that survives for it
        _field("similarity", pa.float64()),  # to it; 1 where it holds this very text
    ]
)
"""One row per text that was seen (`texts`), or per normalised URL that a kept document has (`urls`): sorted by the two halves of
its 128-bit hash."""
PLACES = pa.schema(
    [
        _field("band", pa.uint16()),
        _field("bucket", pa.uint64()),  # hash of scope and band key
        _field("document", pa.int64()),  # -1: dedup dropped it; the place stays taken
    ]
)
"""One row per place taken among the first `bucket_cap` of a bucket, sorted by band, bucket and priority."""
DOCUMENTS = pa.schema([_field("document", pa.int64())])
"""Row k: number of the document in row k of this generation's data/ shards."""

SCHEMAS = {"documents": DOCUMENTS, "texts": KEYS, "urls": KEYS, "places": PLACES}
_ENCODINGS = {
    # Sorted hashes differ by less than they are long; numbers have few bits, which this brings together for zstd.
    "left": "DELTA_BINARY_PACKED",
    "bucket": "DELTA_BINARY_PACKED",
    "document": "BYTE_STREAM_SPLIT",
    "band": "PLAIN",
    "right": "PLAIN",
    "similarity": "BYTE_STREAM_SPLIT",
}


@dataclass(frozen=True)
class IndexPart:
    """What one generation added. `first`: number of its first document; `shards`: path and rows of its data/ files, in order."""

    generation: int
    first: int
    count: int
    files: dict[str, str]
    shards: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class Index:
    """All live parts, oldest first."""

    out: Store
    parts: tuple[IndexPart, ...] = ()

    def __len__(self) -> int:
        return sum(part.count for part in self.parts)

    def keys(self, table: str, low: int, high: int) -> pl.DataFrame:
        """KEYS of `texts` or `urls` whose left half is from low to high."""
        found = [_rows(self.out, part.files[table], "left", low, high) for part in self.parts if table in part.files]
        return pl.concat([pl.DataFrame(KEYS.empty_table()), *found])

    def places(self, band: int, low: int, high: int) -> tuple[np.ndarray, np.ndarray]:
        """`(bucket uint64[:], document int64[:])` of a band's places in a range of buckets, by bucket and priority."""
        found = [_rows(self.out, part.files["places"], "bucket", low, high, band=band) for part in self.parts]
        rows = pl.concat([pl.DataFrame(PLACES.empty_table()), *found])
        if len(found) > 1:
            rows = rows.sort("bucket", maintain_order=True)
        return rows["bucket"].to_numpy(), rows["document"].to_numpy()

    def names(self, wanted: np.ndarray) -> Iterator[tuple[np.ndarray, pl.DataFrame]]:
        """`(numbers, frame of id, source_ref, generation)` of the documents `wanted`, ascending numbers; group by group."""
        for numbers, table, part in self._read(wanted, ["id", "source_ref"]):
            yield numbers, pl.DataFrame(table).with_columns(generation=pl.lit(part.generation, pl.Int32))

    def shingles(self, wanted: np.ndarray, *, ngram: int) -> Iterator[Sets]:
        """Sets of shingles of the documents `wanted`, made from their texts in data/."""
        for numbers, table, _ in self._read(wanted, ["text"]):
            yield from shingles_of(table["text"].cast(pa.large_string()).combine_chunks(), numbers, ngram)

    def _read(self, wanted: np.ndarray, columns: list[str]) -> Iterator[tuple[np.ndarray, pa.Table, IndexPart]]:
        """Rows of data/ for these document numbers (ascending): only row groups that hold one of them are read."""
        for part in self.parts:
            inside = wanted[np.searchsorted(wanted, part.first) : np.searchsorted(wanted, part.first + part.count)]
            if not len(inside):
                continue
            numbers, rows = _located(self.out, part, inside)
            start = 0
            for path, n in part.shards:
                here = slice(np.searchsorted(rows, start), np.searchsorted(rows, start + n))
                yield from (
                    (got, table, part) for got, table in _taken(self.out, path, columns, numbers[here], rows[here] - start)
                )
                start += n


def load(out: Store, live: Sequence[Manifest]) -> Index:
    """The index of the live generations. Raises BrokenContract where a part is missing or out of order."""
    parts: list[IndexPart] = []
    number = 0
    for manifest in live:
        files = {record.path.split("/")[1].partition("-")[0]: record.path for record in manifest.index}
        if not files:
            continue
        shards = tuple((record.path, record.rows) for record in manifest.files if record.path.startswith("data/"))
        first = int(out.metadata(files["documents"])["first"])
        count = sum(rows for _, rows in shards)
        known = next(record.rows for record in manifest.index if record.path == files["documents"])
        if first != number or known != count:
            raise BrokenContract(
                f"dedup index: generation {manifest.generation} starts at document {first} with {known} of {count} rows of data/,"
                f" expected {number}; make the output anew with --replace"
            )
        parts.append(IndexPart(manifest.generation, first, count, files, shards))
        number += count
    return Index(out, tuple(parts))


def writer(file: Any, table: str, *, first: int | None = None) -> pq.ParquetWriter:
    """A writer for one of `SCHEMAS`; who writes cuts row groups. `first`: number of this part's first document."""
    schema = SCHEMAS[table]
    if first is not None:
        schema = schema.with_metadata({"first": str(first)})
    return pq.ParquetWriter(
        file,
        schema,
        compression={name: "NONE" if name in ("left", "right", "bucket") else "ZSTD" for name in schema.names},
        compression_level={name: 1 for name in schema.names if name not in ("left", "right", "bucket")},
        use_dictionary=False,
        column_encoding={name: _ENCODINGS[name] for name in schema.names},
        write_page_checksum=True,
    )


def _rows(store: Store, path: str, key: str, low: int, high: int, *, band: int | None = None) -> pl.DataFrame:
    """Rows whose key is from low to high; the file is sorted by it (within a band)."""

    def wanted(group: pq.RowGroupMetaData, at: dict[str, int]) -> bool:
        if not group.num_rows:
            return False
        bounds = group.column(at[key]).statistics
        bands = group.column(at["band"]).statistics if band is not None else None
        return bounds.max >= low and bounds.min <= high and (bands is None or bands.min <= band <= bands.max)  # type: ignore[operator]

    table = store.read_groups(path, wanted)
    frame = pl.DataFrame(table)
    keys = frame[key].to_numpy()
    start = np.searchsorted(keys, np.uint64(low))
    return frame[int(start) : int(np.searchsorted(keys, np.uint64(high), side="right"))]


def _located(store: Store, part: IndexPart, wanted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """`(numbers, rows)`: in which rows of the part's data/ the documents `wanted` stand; rows ascending."""
    numbers, rows, start = [], [], 0
    for table in store.batches(part.files["documents"]):
        here = table["document"].to_numpy()
        place = np.minimum(np.searchsorted(wanted, here), len(wanted) - 1)
        found = np.flatnonzero(wanted[place] == here)
        numbers.append(here[found])
        rows.append(found + start)
        start += len(here)
    return np.concatenate(numbers), np.concatenate(rows)


def _taken(
    store: Store, path: str, columns: list[str], numbers: np.ndarray, rows: np.ndarray
) -> Iterator[tuple[np.ndarray, pa.Table]]:
    """The given rows (ascending) of a shard, a row group at a time."""
    start = 0
    for group, n in enumerate(store.group_rows(path) if len(rows) else ()):
        here = slice(np.searchsorted(rows, start), np.searchsorted(rows, start + n))
        if here.stop > here.start:
            table = store.read_group(path, group, columns)
            yield numbers[here], table.take(pa.array(rows[here] - start))
        start += n
