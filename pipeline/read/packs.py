"""Small files that share a unit: each unit has some ten tables in the work directory, and costs what a megabyte of text does.

Invariants: the files of a pack follow each other in the order of paths, with no other unit between them, so that rows stand as
they would without it; row r of its file number n (from 0) is row n · PACKED_ROWS + r of the pack; the rows of all files together
may come to no more than a unit's do. A pack ends where the hash of a path says so: a file that comes or goes changes its own
pack, and no other.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.read.files import InputFile
from pipeline.read.rows import UnitRows, counted, summed
from pipeline.read.units import PACKED_ROWS, Unit, named
from pipeline.records.inputs import PackedFile

Item = TypeVar("Item")

FEWEST = 16
"""Files that a pack has at least: chosen because so many units of their own take less than half a second."""
MOST = 2_048
"""Files that a pack has at most: chosen so that 5,000 files of a row are some ten units, and a file that changed has few others
read again."""
_ENDS_FROM, _ENDS_AT_ONE_OF = 64, 512
PACK_BYTES = 16_000_000
"""What the rows of a pack may come to: chosen below the size of a unit, since they are reckoned and not measured."""
FILE_BYTES = 1_000_000
"""What the rows of a file may come to that shares a unit; larger ones are worth one of their own."""


def packs(
    items: Sequence[Item], file_of: Callable[[Item], InputFile | None], *, between: Sequence[str] = ()
) -> Iterator[list[Item]]:
    """The items in the order of paths, those together that may share a unit. `file_of`: the small file of an item, else None;
    `between`: sorted paths that units lie at which are not among the items."""
    pack: list[Item] = []
    last: InputFile | None = None
    weight = 0
    for item in items:
        file = file_of(item)
        joins = (
            last is not None
            and file is not None
            and _alike(last, file)
            and weight + file.weight <= min(PACK_BYTES, file.unit_bytes)
            and bisect_left(between, sort_key(last.path), key=sort_key) == bisect_left(between, sort_key(file.path), key=sort_key)
        )
        if pack and not joins:
            yield from _finished(pack)
            pack, weight = [], 0
        pack.append(item)
        weight += file.weight if file else 0
        full = len(pack) == MOST or (len(pack) >= _ENDS_FROM and file is not None and _ends(file.path))
        last = None if full else file
    if pack:
        yield from _finished(pack)


def sort_key(path: str) -> bytes:
    """By which paths are ordered, everywhere."""
    return path.encode("utf-8", "surrogatepass")


def _finished(pack: list[Item]) -> Iterator[list[Item]]:
    if len(pack) >= FEWEST:
        yield pack
    else:
        yield from ([item] for item in pack)


def _alike(one: InputFile, other: InputFile) -> bool:
    """Whether their rows compete alike, and names of their sources are masked alike."""
    return (one.source, one.priority, one.named_by is None) == (other.source, other.priority, other.named_by is None)


def _ends(path: str) -> bool:
    digest = hashlib.blake2b(sort_key(path), digest_size=4).digest()
    return int.from_bytes(digest, "big") % _ENDS_AT_ONE_OF == 0


def is_small(file: InputFile) -> bool:
    """Whether it may share a unit."""
    return 0 < file.weight <= FILE_BYTES


def pack(members: Sequence[Unit]) -> Unit:
    """The unit of these units, each of them a whole file."""
    digest = hashlib.blake2b(digest_size=16)
    for member in members:
        digest.update(f"{member.content}\n".encode())
    size = sum(member.file.size for member in members)
    return Unit(members[0].file, named(digest), 0, 0, size, 1, members=tuple(members))


def joined(parts: Sequence[tuple[UnitRows, str]]) -> UnitRows:
    """The rows of a pack; `parts`: of each file its rows, and what it unpacks to."""
    rows = [part for part, _ in parts]
    return UnitRows(
        _numbered([part.documents for part in rows]),
        _numbered([part.bad for part in rows]),
        counted(part.passed for part in rows),
        summed(part.replaced for part in rows),
        tuple(_file(part, unpacked) for part, unpacked in parts),
    )


def _file(part: UnitRows, unpacked: str) -> PackedFile:
    n_bytes = sum(pc.sum(table["n_bytes_read"]).as_py() or 0 for table in (part.documents, part.bad))
    return PackedFile(
        rows=part.documents.num_rows,
        bad_rows=part.bad.num_rows,
        n_bytes=n_bytes,
        passed=part.passed,
        replaced=part.replaced,
        unpacked=unpacked,
    )


def _numbered(tables: Sequence[pa.Table]) -> pa.Table:
    whole = pa.concat_tables(tables).combine_chunks()
    first = np.repeat(np.arange(len(tables), dtype=np.int64) * PACKED_ROWS, [table.num_rows for table in tables])
    at = whole.schema.get_field_index("row")
    return whole.set_column(at, whole.schema.field(at), pa.array(whole["row"].to_numpy() + first))
