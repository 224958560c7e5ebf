"""What a format is: how values become a file, and which files beside it say where documents begin and end.

Invariant: what stands beside a shard is made from the shard's table of documents when the shard is whole, batch by batch: its
memory does not grow with the documents.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.errors import Damaged
from pipeline.export.folder import Folder
from pipeline.export.tokenizer import ExportTokenizer

DOCUMENTS = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("source", pa.string(), nullable=False),
        pa.field("source_ref", pa.string(), nullable=False),
        pa.field("generation", pa.int32(), nullable=False),
        pa.field("text_hash", pa.binary(16), nullable=False),
        pa.field("split", pa.string(), nullable=False),
        pa.field("shard", pa.string(), nullable=False),
        pa.field("group", pa.string(), nullable=False),
        pa.field("epoch", pa.int32(), nullable=False),
        pa.field("first", pa.int64(), nullable=False),
        pa.field("last", pa.int64(), nullable=False),
    ]
)
"""The table of a shard's documents, in their order. `first`, `last`: the document's first and last value in the shard, from 0,
its end-of-document token included: tokens, of JSON Lines bytes."""
_BATCH = 1 << 16


class Sink(Protocol):
    """Takes the values of a shard in order."""

    def write(self, values: np.ndarray, lengths: np.ndarray) -> None:
        """`lengths`: of the documents that the values are, end to end."""

    def close(self) -> None:
        """All were written; the file is closed by who opened it."""


@dataclass(frozen=True)
class Shape:
    """What a sink is told: the type of a value, and how many make a sequence."""

    dtype: np.dtype[Any]
    sequence: int


@dataclass(frozen=True)
class WholeShard:
    """A shard whose values are written. `name`: without the suffix of the format; `size`: values."""

    folder: Folder
    name: str
    path: str
    documents_path: str
    documents: int
    size: int
    dtype: np.dtype[Any]
    tokenizer: ExportTokenizer | None

    def table(self, *columns: str) -> Iterator[tuple[np.ndarray, ...]]:
        """Columns of the table of documents, some rows at a time."""
        with self.folder.store.open(self.documents_path) as file, pq.ParquetFile(file) as made:
            for batch in made.iter_batches(_BATCH, columns=list(columns)):
                yield tuple(batch[name].to_numpy(zero_copy_only=False) for name in columns)

    def check_size(self) -> None:
        """Raises Damaged where the file is not as long as its values: some readers give garbage for what is missing."""
        there, wanted = self.folder.store.size(self.path), self.size * self.dtype.itemsize
        if there != wanted:
            raise Damaged(f"{self.folder.store.path(self.path)}: {there} bytes where {wanted} were written; check the disk")


@dataclass(frozen=True)
class Format:
    """`about`: what reads it; `lines`: documents as lines of JSON, else tokens; `beside` writes what stands beside a shard."""

    name: str
    suffix: str
    about: str
    sink: Callable[[BinaryIO, Shape], Sink]
    beside: Callable[[WholeShard], None]
    lines: bool = False
    sequences: bool = False


class Raw:
    """Values as they lie in memory, little-endian, without a header."""

    def __init__(self, file: BinaryIO, shape: Shape) -> None:
        self._file, self._dtype = file, shape.dtype

    def write(self, values: np.ndarray, lengths: np.ndarray) -> None:
        self._file.write(np.ascontiguousarray(values, self._dtype).data)

    def close(self) -> None:
        """Nothing is held back."""


def nothing(shard: WholeShard) -> None:
    """The format has no file beside the shard."""
    shard.check_size()
