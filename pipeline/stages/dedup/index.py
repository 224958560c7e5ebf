"""What later generations need to know of this one's dedup, as tables to store, and how they are read.

Invariant: judging new documents against the index gives the fates that one run over everything would give them (law 4): the
index knows each text that was seen, each document that dedup kept, and who took which place of a bucket. A place taken stays
taken, also by a document that dedup dropped.

An index is the union of the parts that its generations added. Documents are numbered through: part by part, in priority order.
Tables are sorted by hash, so that a run passes over each once, a few row groups at a time. Neither shingles nor texts are
stored again: DOCUMENTS says where in a shard a text stands, and of the shard those pages are read that hold a candidate. It has
itself only texts that no shard has as dedup sees them: of documents that selection left out and rejected/ does not show, and of
conversations (with the marks of turns).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.errors import BrokenContract, Damaged
from pipeline.output.manifest import Manifest
from pipeline.output.releases import PACKAGE, refuse_newer
from pipeline.records.base import FileRecord
from pipeline.stages.dedup import small_parts
from pipeline.stages.dedup.part import Sets, shingles_of
from pipeline.stages.dedup.small_parts import Held, IndexPart
from pipeline.store import checksums
from pipeline.store.pages import Strings
from pipeline.store.store import Store

SCHEMA_VERSION = 2
"""Of all tables of an index; `texts`, which each part has, says it."""
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
DOCUMENTS = pa.schema(
    [
        _field("document", pa.int64()),
        _field("id", pa.string()),
        _field("source_ref", pa.string()),
        _field("row", pa.int64(), nullable=True),  # of the shard that has its text; null where `text` holds it
        _field("text", pa.string(), nullable=True),  # empty where it was taken down
    ]
)
"""One row per document that dedup kept, in the order of the shards; a file for each shard, named in its metadata."""
DOCUMENTS_1 = pa.schema([*(field for field in DOCUMENTS if field.name not in ("row", "text")), _field("text", pa.string())])
"""The same in version 1, where each file held all of its texts."""
DOCUMENT_ROWS = 1 << 13
"""Rows of a row group of DOCUMENTS: chosen so that few are read for the candidates of a small increment, while what describes row
groups takes 1 % of the file."""
TEXT_BYTES = 1 << 18
"""Bytes of text of a row group that has texts itself."""

SORTED = ("texts", "urls", "places")
SCHEMAS = {"texts": KEYS, "urls": KEYS, "places": PLACES, "documents": DOCUMENTS}
_ENCODINGS = {
    # Sorted hashes differ by less than they are long; numbers have few bits, which this brings together for zstd.
    "left": "DELTA_BINARY_PACKED",
    "bucket": "DELTA_BINARY_PACKED",
    "document": "BYTE_STREAM_SPLIT",
    "band": "PLAIN",
    "right": "PLAIN",
    "similarity": "BYTE_STREAM_SPLIT",
    "row": "DELTA_BINARY_PACKED",
    **dict.fromkeys(("id", "source_ref", "text"), "PLAIN"),
}
_COMPRESSION = {**dict.fromkeys(("left", "right", "bucket"), "NONE"), "text": "LZ4"}


def empty_tables() -> dict[str, pl.DataFrame]:
    """Empty frames of SORTED. No constant: Polars' threads begin with the first of them, and must not be there at a fork."""
    return {table: pl.DataFrame(SCHEMAS[table].empty_table()) for table in SORTED}


def _nothing_held() -> Held:
    return small_parts.nothing(empty_tables())


@dataclass(frozen=True)
class Index:
    """All live parts, oldest first."""

    out: Store
    parts: tuple[IndexPart, ...] = ()
    held: Held = field(default_factory=_nothing_held)

    def __len__(self) -> int:
        return sum(part.count for part in self.parts)

    def rows(self, table: str) -> int:
        """Rows of a table in all parts."""
        return sum(part.files[table].rows for part in self.parts if table in part.files)

    def keys(self, table: str, low: int, high: int) -> pl.DataFrame:
        """KEYS of `texts` or `urls` whose left half is from low to high."""
        found = [_rows(self.out, part.files[table].path, "left", low=low, high=high) for part in self._large(table)]
        return pl.concat([self.held.keys(table, low, high).drop("generation"), *found])

    def places(self, band: int, low: int, high: int) -> tuple[np.ndarray, np.ndarray]:
        """`(bucket uint64[:], document int64[:])` of a band's places in a range of buckets, by bucket and priority."""
        found = []
        for part in self._large("places"):
            rows = _rows(self.out, part.files["places"].path, "bucket", low=low, high=high, band=band)
            found.append(rows.with_columns(generation=pl.lit(part.generation, pl.Int32)))
        rows = pl.concat([self.held.places(band, low, high), *found])
        if len(found) > 1 or (found and self.held.generations):
            rows = rows.sort("bucket", "generation", maintain_order=True)
        return rows["bucket"].to_numpy(), rows["document"].to_numpy()

    def _large(self, table: str) -> Iterator[IndexPart]:
        """Parts that have the table and are not held."""
        return (part for part in self.parts if table in part.files and part.generation not in self.held.generations)

    def names(self, wanted: np.ndarray) -> Iterator[tuple[np.ndarray, pl.DataFrame]]:
        """`(numbers, frame of id, source_ref, generation)` of the documents `wanted` (ascending numbers), some at a time."""
        for numbers, table, part in self.documents(wanted, ["id", "source_ref"]):
            yield numbers, pl.DataFrame(table).with_columns(generation=pl.lit(part.generation, pl.Int32))

    def shingles(self, wanted: np.ndarray, *, ngram: int) -> Iterator[Sets]:
        """Sets of shingles of the documents `wanted` (ascending numbers), some at a time."""
        for numbers, table, _ in self.documents(wanted, ["text"]):
            yield from shingles_of(table["text"].cast(pa.large_string()).combine_chunks(), numbers, ngram)

    def documents(self, wanted: np.ndarray, columns: list[str]) -> Iterator[tuple[np.ndarray, pa.Table, IndexPart]]:
        """Columns (`id`, `source_ref`, `text`) of these documents, in the order of the shards, some at a time. All numbers are
        read, but of the rest only row groups and pages that hold one of them."""
        for part in self.parts:
            inside = wanted[np.searchsorted(wanted, part.first) : np.searchsorted(wanted, part.first + part.count)]
            for path in part.documents if len(inside) else ():
                shard = self._shard(part, path)
                numbers = self.out.read_table(path, ["document"])["document"].to_numpy()
                place = np.minimum(np.searchsorted(inside, numbers), len(inside) - 1)
                rows = np.flatnonzero(inside[place] == numbers)
                start = 0
                for table in self._taken(path, shard, rows, columns=columns) if len(rows) else ():
                    yield numbers[rows[start : start + len(table)]], table.select(columns), part
                    start += len(table)

    def _shard(self, part: IndexPart, path: str) -> str:
        shard = shard_of(self.out, path)
        if shard and shard not in part.shards:
            raise Damaged(f"{self.out.path(path)}: it names {shard}, which its manifest does not have; {self.out.advice}")
        return shard

    def _taken(self, path: str, shard: str, rows: np.ndarray, *, columns: list[str]) -> Iterator[pa.Table]:
        """Columns of these rows of a file of DOCUMENTS, some at a time; texts from the shard."""
        if "text" not in columns or not shard:
            yield from self.out.takes(path, columns, rows, at_most=_TAKEN)
            return
        with self.out.strings(shard, "text") as texts:
            for table in self.out.takes(path, [*columns, "row"], rows, at_most=_TAKEN):
                yield from _with_texts(table.combine_chunks(), texts)


def _with_texts(table: pa.Table, texts: Strings) -> Iterator[pa.Table]:
    """The rows with their texts, some at a time: those that have a row of the shard, from there."""
    elsewhere = np.flatnonzero(table["row"].is_valid().to_numpy())
    values: list[str] = []
    start = done = size = 0
    for found in texts.at(table["row"].drop_null().to_numpy()):
        values += found
        size += sum(map(len, found))
        stop = int(elsewhere[done + len(values)]) if done + len(values) < len(elsewhere) else len(table)
        if size < _AT_ONCE and stop < len(table):
            continue
        piece = table.slice(start, stop - start)
        text = pc.replace_with_mask(
            piece["text"].combine_chunks(), piece["row"].is_valid().combine_chunks(), pa.array(values, pa.string())
        )
        yield piece.set_column(piece.column_names.index("text"), "text", text)
        start, done, size, values = stop, done + len(values), 0, []
    if start < len(table):
        yield table.slice(start)


_TAKEN = 1 << 8  # documents read at a time: longer texts than those of a unit would take too much together,
_AT_ONCE = 1 << 20  # and characters


def load_index(out: Store, live: Sequence[Manifest], *, work: Store | None = None) -> Index:
    """The index of the live generations. `work`: a work directory that is held. Raises BrokenContract where a part is missing."""
    parts: list[IndexPart] = []
    number = 0
    for manifest in live:
        files = {record.path.split("/")[1].partition("-")[0]: record for record in manifest.index}
        if not files:
            continue
        documents = [record for record in manifest.index if record.path.startswith("index/documents")]
        for table in SORTED:
            if table in files:
                _check(out, files[table])
        said = out.metadata(files["texts"].path)
        by = manifest.versions.get(PACKAGE)
        refuse_newer(out.path(files["texts"].path), said.get("schema_version", "1"), known=SCHEMA_VERSION, made_by=by)
        first, count = int(said["first"]), sum(record.rows for record in documents)
        if first != number:
            raise BrokenContract(
                f"dedup index: generation {manifest.generation} starts at document {first}, expected {number}; make the output"
                " anew with --replace"
            )
        sorted_ = {table: files[table] for table in SORTED if table in files}
        shards = frozenset(record.path for record in manifest.files)
        parts.append(IndexPart(manifest.generation, first, count, sorted_, tuple(record.path for record in documents), shards))
        number += count
    return Index(out, tuple(parts), small_parts.hold(out, work, parts, schemas=empty_tables()))


def first_of(number: int) -> dict[str, str]:
    """What a sorted table says of its part, whose first document has this number."""
    return {"schema_version": str(SCHEMA_VERSION), "first": str(number)}


def _check(out: Store, record: FileRecord) -> None:
    """Raise Damaged unless the file is the one that was written: Parquet's checksums do not cover its footer."""
    with out.open(record.path) as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]
    if found != record.sha256:
        raise Damaged(f"{out.path(record.path)}: its sha256 is not the one in the manifest; {out.advice}")


def shard_of(out: Store, path: str) -> str:
    """Path of the shard that a file of DOCUMENTS lies beside; empty where there is none. Raises Damaged."""
    schema = out.schema(path)
    if not (schema.equals(DOCUMENTS) or schema.equals(DOCUMENTS_1)):
        raise Damaged(f"{out.path(path)}: its columns are not those of an index; {out.advice}")
    return (schema.metadata or {}).get(b"shard", b"").decode()


def as_now(documents: pa.Table) -> pa.Table:
    """A table of DOCUMENTS of any version as this one has it."""
    if "row" not in documents.column_names:
        documents = documents.append_column(DOCUMENTS.field("row"), pa.nulls(len(documents), pa.int64()))
    return documents.select(DOCUMENTS.names).cast(DOCUMENTS)


def writer(file: Any, table: str, *, said: dict[str, str] | None = None) -> AbstractContextManager[pq.ParquetWriter]:
    """A writer for one of `SCHEMAS`; who writes cuts row groups. `said`: metadata: `first_of` its part, or `shard`."""
    schema = SCHEMAS[table].with_metadata(said) if said else SCHEMAS[table]
    options: dict[str, Any] = {
        "compression": {name: _COMPRESSION.get(name, "ZSTD") for name in schema.names},
        "compression_level": {name: 1 for name in schema.names if name not in _COMPRESSION},
        "use_dictionary": False,
        "write_statistics": [name for name in schema.names if name in ("left", "bucket", "band")],
        "column_encoding": {name: _ENCODINGS[name] for name in schema.names},
        "write_page_checksum": True,
    }
    return checksums.sealed(file, lambda seal: pq.ParquetWriter(seal, schema, **options))


def _rows(store: Store, path: str, key: str, *, low: int, high: int, band: int | None = None) -> pl.DataFrame:
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
