"""What later generations need to know of this one's dedup, as tables to store.

Invariant: judging new documents against the index gives the fates that one run over everything would give them (law 4): the
index knows each text that was seen, each document that dedup kept, and who took which place of a bucket. A place taken stays
taken, also by a document that dedup dropped.

An index is the union of the parts that its generations added. Documents are numbered through: part by part, in priority order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from filters.kernels import dedup_pass
from pipeline.dedup.similarity import Shingles
from pipeline.errors import BrokenContract

DOCUMENTS = pa.schema([pa.field("scope", pa.uint64(), nullable=False), pa.field("text_hash", pa.binary(16), nullable=False)])
"""One row per document that dedup kept; its number is `first` + its row."""
TEXTS = pa.schema(
    [
        *DOCUMENTS,
        pa.field("document", pa.int64(), nullable=False),  # the survivor's number
        pa.field("similarity", pa.float64(), nullable=False),
    ]
)
"""One row per document that was dropped as a near duplicate: later exact copies of it meet its fate."""
PLACES = pa.schema(
    [
        pa.field("band", pa.uint16(), nullable=False),
        pa.field("bucket", pa.uint64(), nullable=False),  # `dedup_pass.buckets` of scope and band key
        pa.field("document", pa.int64(), nullable=False),  # -1: dedup dropped it; the place stays taken
    ]
)
"""One row per place taken among the first `bucket_cap` of a bucket, sorted by band, bucket and priority."""
SHINGLES = pa.schema([pa.field("hashes", pa.large_list(pa.uint64()), nullable=False)])
"""One row per row of DOCUMENTS: its distinct shingle hashes, ascending."""

SCHEMAS = {"documents": DOCUMENTS, "texts": TEXTS, "places": PLACES, "shingles": SHINGLES}


@dataclass(frozen=True)
class Participants:
    """The documents of this generation in priority order: the smaller row is the better document."""

    scope: np.ndarray
    """uint64[n]: documents compete within one scope."""
    text_hash: pa.FixedSizeBinaryArray
    """binary(16)[n]"""
    band_keys: np.ndarray
    """uint64[n, bands]"""
    has_keys: np.ndarray
    """bool[n]: False under `ngram` words: exact dedup only."""

    def __len__(self) -> int:
        return len(self.scope)

    def buckets(self, rows: np.ndarray, band: int) -> np.ndarray:
        """uint64: the bucket of each of these rows in a band."""
        return dedup_pass.buckets(self.scope[rows], self.band_keys[rows, band])


@dataclass(frozen=True)
class Index:
    """One generation's part of the index, or the union of several."""

    first: int
    """Number of the first document; 0 unless this is a part alone."""
    documents: pa.Table
    texts: pa.Table
    places: pa.Table
    shingles: pa.Table

    def __len__(self) -> int:
        return self.documents.num_rows

    def shingle_sets(self) -> Shingles:
        return Shingles.from_column(self.shingles["hashes"])


def empty(first: int = 0) -> Index:
    return Index(first, *(schema.empty_table() for schema in SCHEMAS.values()))


def union(parts: Sequence[Index]) -> Index:
    """The index of generations, oldest first. Raises BrokenContract where a part is missing or out of order."""
    number = 0
    for part in parts:
        if part.first != number or part.shingles.num_rows != len(part):
            raise BrokenContract(f"dedup index: a part starts at document {part.first}, expected {number}")
        number += len(part)
    tables = zip(*map(_tables, [empty(), *parts]), strict=True)
    return Index(0, *map(pa.concat_tables, tables))


def _tables(part: Index) -> list[pa.Table]:
    return [getattr(part, name).cast(schema) for name, schema in SCHEMAS.items()]


def text_keys(scope: np.ndarray, text_hash: pa.Array) -> dict[str, np.ndarray]:
    """Columns that tell texts of scopes apart: `scope`, and the two halves of the hash as uint64."""
    array = text_hash.combine_chunks() if isinstance(text_hash, pa.ChunkedArray) else text_hash
    size = len(array) * 16
    raw = np.frombuffer(array.buffers()[1] or b"", np.uint8)[array.offset * 16 :][:size] if size else np.zeros(0, np.uint8)
    halves = np.ascontiguousarray(raw).view(np.uint64).reshape(-1, 2)
    return {"scope": scope, "left": halves[:, 0], "right": halves[:, 1]}
