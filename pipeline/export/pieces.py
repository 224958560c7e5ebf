"""The first pass: documents of a piece of the corpus with their content, sorted into groups and buckets, in one file.

Invariant: a file depends on its piece and on nothing else, and has its name only when it is whole, so any worker makes it, in any
order, and a run that was killed goes on with those that are there. A bucket holds the documents of a group whose places begin
alike: all of it, over all pieces, fits into memory. Batch number `code * buckets + bucket` of a file is what it has of one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa

from pipeline.export import documents
from pipeline.export.content import Content
from pipeline.export.documents import Chosen, Piece
from pipeline.inspect.output import Output
from pipeline.records.base import Record
from pipeline.stages.shards import conversation_columns
from pipeline.store.store import Store
from pipeline.text.final import text_hashes

BUCKET_BYTES = 64_000_000
"""Text of all groups' buckets of one number: chosen so that the second pass holds a few hundred MB, whatever the corpus."""
MOST_BUCKETS = 1 << 14
IDENTITY = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("source", pa.string(), nullable=False),
        pa.field("source_ref", pa.string(), nullable=False),
        pa.field("generation", pa.int32(), nullable=False),
        pa.field("text_hash", pa.binary(16), nullable=False),
    ]
)
"""What names a document; the hash is that of `.work/facts/final/`, by which take-downs know a text."""


class Totals(Record):
    """Of one piece, by group: documents and their sizes, held-out ones last; bytes of text; documents left out; see
    `Values.ended`."""

    documents: tuple[int, ...]
    sizes: tuple[int, ...]
    n_bytes: int
    left_out: int
    ended: int


@dataclass(frozen=True)
class Sorting:
    """How pieces are sorted: who belongs where, what is written of a document, and into how many buckets."""

    chosen: Chosen
    content: Content
    buckets: int

    def key(self, piece: Piece) -> str:
        return documents.piece_key(piece, self.chosen, self.buckets, *self.content.facts)

    @property
    def schema(self) -> pa.Schema:
        return pa.schema([*IDENTITY, ("place", pa.uint64()), ("size", pa.int64()), ("values", pa.large_binary())])


def buckets_for(n_bytes: int) -> int:
    """A power of two: as many as keep a bucket below `BUCKET_BYTES`."""
    made = 1
    while made < MOST_BUCKETS and n_bytes > made * BUCKET_BYTES:
        made *= 2
    return made


def totals(work: Store, piece: Piece, sorting: Sorting) -> Totals | None:
    """Of a piece that is done."""
    name = f"{sorting.key(piece)}.json"
    return Totals.model_validate(work.read_json(name)) if work.has(name) else None


def sort(output: Output, work: Store, piece: Piece, *, sorting: Sorting) -> Totals:
    """Write the piece's file; what it holds."""
    parts = [_of_group(output, piece, group, sorting=sorting) for group in piece.groups]
    table = pa.concat_tables([part.table for part in parts]).combine_chunks()
    codes = np.concatenate([part.codes for part in parts])
    groups = len(sorting.chosen.groups) + 1
    places, bits = table["place"].to_numpy(), sorting.buckets.bit_length() - 1
    bucket = (places >> np.uint64(64 - bits)).astype(np.int64) if bits else np.zeros(len(places), np.int64)
    number = codes * sorting.buckets + bucket
    order = np.lexsort((places, number))
    starts = np.searchsorted(number[order], np.arange(groups * sorting.buckets + 1)).tolist()
    _write(work, f"{sorting.key(piece)}.arrow", documents.take(table, order), starts=starts)
    sizes = np.zeros(groups, np.int64)
    np.add.at(sizes, codes, table["size"].to_numpy())
    done = Totals(
        documents=tuple(np.bincount(codes, minlength=groups).tolist()),
        sizes=tuple(sizes.tolist()),
        n_bytes=sum(part.n_bytes for part in parts),
        left_out=piece.rows - len(codes),
        ended=sum(part.ended for part in parts),
    )
    work.write_bytes(f"{sorting.key(piece)}.json", done.model_dump_json().encode())
    return done


@dataclass(frozen=True)
class _Part:
    """Documents of a row group that are taken. `codes`: int64, their groups."""

    table: pa.Table
    codes: np.ndarray
    n_bytes: int
    ended: int


def _of_group(output: Output, piece: Piece, group: int, *, sorting: Sorting) -> _Part:
    how, content = sorting.chosen, sorting.content
    columns = dict.fromkeys(["id", "source", "source_ref", *content.columns, *how.columns])
    table = output.store.read_group(piece.path, group, list(columns))
    codes = documents.codes(table, how)
    places, held_out = documents.placed(table["source_ref"].to_pylist(), how)
    codes = np.where(held_out & (codes != documents.LEFT_OUT), how.held_out, codes).astype(np.int64)
    taken = np.flatnonzero(codes != documents.LEFT_OUT)
    table = documents.take(table, taken)
    made = content.of(table, where=f"{output.store.path(piece.path)}, row group {group}")
    text = conversation_columns.marked(content.layouts, table)
    columns_made = [
        *(table[name].combine_chunks() for name in ("id", "source", "source_ref")),
        pa.array(np.full(len(taken), piece.generation, np.int32)),
        text_hashes(text if isinstance(text, pa.LargeStringArray) else pa.concat_arrays(text.chunks)),
        pa.array(places[taken]),
        pa.array(made.sizes),
        packed(made.values, made.lengths),
    ]
    made_table = pa.Table.from_arrays(columns_made, schema=sorting.schema)
    return _Part(made_table, codes[taken], int(np.sum(table["n_bytes"].to_numpy())), made.ended)


def packed(values: np.ndarray, lengths: np.ndarray) -> pa.LargeBinaryArray:
    """Values of documents as bytes: Arrow takes rows of lists by an index of eight bytes a value, rows of bytes as they are."""
    ends = np.append(0, np.cumsum(lengths)) * values.itemsize
    buffers = [None, pa.py_buffer(ends.astype(np.int64)), pa.py_buffer(np.ascontiguousarray(values))]
    return pa.LargeBinaryArray.from_buffers(pa.large_binary(), len(lengths), buffers)


def unpacked(table: pa.Table, dtype: np.dtype[Any]) -> tuple[np.ndarray, np.ndarray]:
    """Values of the rows end to end, and how many each has."""
    made = table["values"].combine_chunks()
    made = made.chunk(0) if isinstance(made, pa.ChunkedArray) else made
    _, offsets, data = made.buffers()
    ends = np.frombuffer(offsets, np.int64)[made.offset : made.offset + len(made) + 1]
    values = np.zeros(0, dtype) if data is None else np.frombuffer(data, np.uint8)[ends[0] : ends[-1]].view(dtype)
    return values, np.diff(ends) // dtype.itemsize


def _write(work: Store, name: str, table: pa.Table, *, starts: Sequence[int]) -> None:
    """A batch for each group and bucket, most of them empty where the corpus is small."""
    with work.writer(name) as file, pa.ipc.new_file(file, table.schema) as made:
        for start, stop in pairwise(starts):
            found = table.slice(start, stop - start).combine_chunks().to_batches()
            made.write_batch(found[0] if found else pa.RecordBatch.from_pylist([], table.schema))


def bucket(work: Store, sorted_pieces: Sequence[str], number: int) -> pa.Table:
    """What all pieces, in their order, have of a group's bucket."""
    parts = []
    for name in sorted_pieces:
        with pa.OSFile(str(work.local_path(f"{name}.arrow"))) as file:
            parts.append(pa.ipc.open_file(file).get_batch(number))
    return pa.Table.from_batches(parts).combine_chunks()
