"""Which documents an export takes, their groups, and their places in the shuffle.

A document's place is a hash of its source_ref and the seed: neither workers, nor the order in which shards are read, nor other
documents change it. The second half of the hash says whether it is held out for validation, so that the share of the training
text does not change who is.
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline import schema
from pipeline.errors import InputError, UsageError
from pipeline.export.mix import OTHERS, Wanted
from pipeline.inspect.output import Output
from pipeline.store.keys import key

SHUFFLE = 1
"""Version of the order of documents; it rises when the same documents and seed are exported in another one."""
PIECE_BYTES = 64_000_000
"""Text of a piece: what one worker tokenises and holds; chosen because its tokens, and their sorted copy, take about as much."""
LEFT_OUT = -1
_METADATA = "metadata."
_MOST_NAMES = 10_000


@dataclass(frozen=True)
class Piece:
    """Some row groups of a shard of data/; `sha256`: the shard's; `n_bytes`: of the text column, packed as it is decoded."""

    generation: int
    path: str
    sha256: str
    groups: tuple[int, ...]
    rows: int


@dataclass(frozen=True)
class Chosen:
    """How documents are chosen and placed. `groups`: names, by code; documents of other groups have the code of `*`, if that is
    a group, else `LEFT_OUT`. The code behind the last is that of the documents held out for validation."""

    by: str
    groups: tuple[str, ...]
    seed: int
    validation: Fraction

    @property
    def held_out(self) -> int:
        return len(self.groups)

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns of data/ that groups are named by; none where there is one group of all."""
        return () if self.groups == (OTHERS,) else (self.by.partition(".")[0],)


def chosen(mix: Wanted, *, seed: int, validation: Fraction) -> Chosen:
    """Raises UsageError for a column that names no groups."""
    texts = [field.name for field in schema.DATA if field.type == pa.string() and field.name not in ("text", "metadata")]
    if mix.by not in texts and not (mix.by.startswith(_METADATA) and len(mix.by) > len(_METADATA)):
        raise UsageError(f"--by {mix.by}: expected a column of texts ({', '.join(texts)}), or metadata.KEY")
    return Chosen(mix.by, mix.groups, seed, validation)


def pieces(output: Output) -> tuple[Piece, ...]:
    """All of data/ in order, cut into pieces. Reads the footers of shards alone."""
    found: list[Piece] = []
    for made in output.live:
        for record in made.files:
            if record.path.startswith("data/") and record.rows:
                with output.store.open(record.path) as file:
                    found += _cut(pq.ParquetFile(file), Piece(made.generation, record.path, record.sha256, (), 0))
    return tuple(found)


def columns(output: Output, of: Sequence[Piece]) -> tuple[str, ...]:
    """Of data/: one dataset has one set of columns."""
    if not of:
        return tuple(schema.DATA.names)
    with output.store.open(of[0].path) as file:
        return tuple(pq.read_schema(file).names)


def _cut(file: pq.ParquetFile, whole: Piece) -> Iterator[Piece]:
    at = file.schema_arrow.names.index("text")
    groups: list[int] = []
    n_bytes = rows = 0
    for number in range(file.num_row_groups):
        group = file.metadata.row_group(number)
        groups.append(number)
        rows += group.num_rows
        n_bytes += group.column(at).total_uncompressed_size
        if n_bytes >= PIECE_BYTES or number == file.num_row_groups - 1:
            yield Piece(whole.generation, whole.path, whole.sha256, tuple(groups), rows)
            groups, n_bytes, rows = [], 0, 0


def piece_key(piece: Piece, chosen: Chosen, *facts: object) -> str:
    """What the documents of a piece and their order depend on, with `facts` about their content."""
    share = str(chosen.validation)
    return key(piece.path, piece.sha256, piece.groups, chosen.by, chosen.groups, chosen.seed, share, SHUFFLE, *facts)


def names(table: pa.Table, by: str) -> list[str | None]:
    """What each row's group is called: a column's value, or a text, whole number or truth value in its metadata."""
    if not by.startswith(_METADATA):
        return table[by].to_pylist()
    inner = by.removeprefix(_METADATA)
    return [_metadata(value, inner) for value in table["metadata"].to_pylist()]


def _metadata(value: str, inner: str) -> str | None:
    try:
        found = orjson.loads(value).get(inner)
    except orjson.JSONDecodeError:  # a number beyond what it takes: such a row keeps its text, and names no group
        return None
    if isinstance(found, bool):
        return str(found).lower()
    return str(found) if isinstance(found, str | int) else None


def codes(table: pa.Table, how: Chosen) -> np.ndarray:
    """int32 of each row: its group, before any is held out."""
    if how.groups == (OTHERS,):
        return np.zeros(table.num_rows, np.int32)
    known = {name: number for number, name in enumerate(how.groups) if name != OTHERS}
    other = how.groups.index(OTHERS) if OTHERS in how.groups else LEFT_OUT
    return np.array([other if name is None else known.get(name, other) for name in names(table, how.by)], np.int32)


def placed(refs: Sequence[str], how: Chosen) -> tuple[np.ndarray, np.ndarray]:
    """uint64 place of each document in the shuffle; bool, whether it is held out."""
    head = f"{how.seed}:".encode()
    digests = b"".join(
        hashlib.blake2b(head + ref.encode("utf-8", "surrogatepass"), digest_size=16, person=b"export").digest() for ref in refs
    )
    halves = np.frombuffer(digests, "<u8").reshape(-1, 2)
    limit = math.floor(how.validation * (1 << 64))
    return halves[:, 0].copy(), halves[:, 1] < np.uint64(limit)


@dataclass(frozen=True)
class Counted:
    """Documents and bytes of final text of a group."""

    documents: int
    n_bytes: int


def survey(output: Output, of: Sequence[Piece], how: Chosen) -> tuple[Counted, ...]:
    """What there is of each group, and behind them of what is left out. Reads no text.

    Raises InputError where there is no document, or none of a group that was named.
    """
    documents, n_bytes = np.zeros((2, len(how.groups) + 1), np.int64)
    seen: Counter[str] = Counter()
    for piece in of:
        for group in piece.groups:
            table = output.store.read_group(piece.path, group, ["n_bytes", *how.columns])
            made = codes(table, how)  # LEFT_OUT is the last place
            documents += np.bincount(made % len(documents), minlength=len(documents))
            n_bytes += np.bincount(made % len(documents), table["n_bytes"].to_numpy(), len(documents)).astype(np.int64)
            if how.columns and len(seen) < _MOST_NAMES:
                seen.update(name for name in names(table, how.by) if name is not None)
    if not documents.sum():
        raise InputError(f"{output.store.root}: its data/ holds no document, so there is nothing to export")
    for name, found in zip(how.groups, documents.tolist(), strict=False):
        if not found and name != OTHERS:
            there = ", ".join(f"{one} ({number:,})" for one, number in seen.most_common(10)) or "none has a value there"
            raise InputError(f"--weight {name}: no document has {how.by} {name}; there are: {there}")
        if not found:
            raise InputError(f"--weight {OTHERS}: every document is of a group that is named; leave {OTHERS} out")
    return tuple(Counted(int(a), int(b)) for a, b in zip(documents, n_bytes, strict=True))


def take(table: pa.Table, where: np.ndarray) -> pa.Table:
    """Rows of a table as one chunk."""
    made: Any = table.take(pa.array(where))
    return made.combine_chunks()
