"""The files of an output without some rows: new files beside the old ones, which nobody sees before the commit.

Row groups stay as they were cut, less what goes; only files that hold something of a row are written anew.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.output.manifest import FOLDERS, Manifest, rewritten
from pipeline.output.tombstones import Tombstones
from pipeline.records.base import FileRecord
from pipeline.schema import SIGNALS_KEY
from pipeline.stages.dedup import index
from pipeline.stages.shards.content_hash import ContentHash
from pipeline.stages.shards.parquet import shard_writer
from pipeline.stages.unit.withhold import REASON, STAGE, emptied, without_excerpts
from pipeline.store.hashing import HashingFile
from pipeline.store.keys import key
from pipeline.store.store import Store
from pipeline.takedown.find import Row

Change = Callable[[pa.Table], pa.Table]


@dataclass(frozen=True)
class NewFiles:
    """The files that replace a generation's."""

    files: tuple[FileRecord, ...]
    index: tuple[FileRecord, ...]
    content_sha256: dict[str, str]
    replaced: tuple[tuple[FileRecord, FileRecord], ...]  # old, new


def generation(
    out: Store, made: Manifest, rows: set[Row], *, tombstones: Tombstones, numbers: np.ndarray, number: int
) -> NewFiles:
    """The files of a generation without `rows`. `numbers`: documents of the dedup index that go; `number`: of the take-down."""
    refs = pa.array(sorted(ref for g, ref in rows if g == made.generation), pa.string())
    content = dict(made.content_sha256)
    new_of: dict[str, FileRecord] = {}
    for folder in FOLDERS:
        records = [record for record in made.files if record.path.startswith(f"{folder}/")]
        change = _changes(folder, refs, tombstones)
        new = [_shard(out, record, folder, refs=refs, change=change, number=number) for record in records]
        new_of |= {old.path: record for old, record in zip(records, new, strict=True)}
        if new != records:
            content[folder] = key([content_of(out, record.path) for record in new])
    going = _Going(refs, pa.array(numbers, pa.int64()), {old: new.path for old, new in new_of.items() if new.path != old})
    new_of |= {record.path: _index(out, record, going, number=number) for record in made.index}
    files, parts = (tuple(new_of[old.path] for old in records) for records in (made.files, made.index))
    replaced = tuple((old, new_of[old.path]) for old in (*made.files, *made.index) if new_of[old.path] != old)
    return NewFiles(files, parts, content, replaced)


def index_numbers(out: Store, live: Sequence[Manifest], rows: set[Row]) -> np.ndarray:
    """Numbers in the dedup index of those of `rows` that it holds, ascending."""
    found: list[int] = []
    for made in live:
        refs = pa.array([ref for g, ref in rows if g == made.generation], pa.string())
        for record in made.index:
            if record.path.startswith("index/documents") and len(refs):
                table = out.read_table(record.path, ["document", "source_ref"])
                found += table.filter(pc.is_in(table["source_ref"], refs))["document"].to_pylist()
    return np.array(sorted(found), np.int64)


def _changes(folder: str, refs: pa.Array, tombstones: Tombstones) -> Change:
    def without(table: pa.Table) -> pa.Table:
        return table.filter(pc.invert(pc.is_in(table["source_ref"], refs)))

    def ledger(table: pa.Table) -> pa.Table:
        gone = pc.and_(pc.is_in(table["source_ref"], refs), pc.not_equal(table["verdict"], "quarantined"))
        told = {"verdict": "dropped", "stage": STAGE, "reason": REASON}
        kept = ("generation", "id", "source", "source_ref", "n_bytes_read")
        others = [field for field in table.schema if field.name not in kept]
        return emptied(table, gone, {f.name: [] if pa.types.is_list(f.type) else told.get(f.name) for f in others})

    def signals(table: pa.Table) -> pa.Table:
        own = set(table.column_names) - set(SIGNALS_KEY.names)
        return emptied(table, pc.is_in(table["source_ref"], refs), dict.fromkeys(own))

    def quarantine(table: pa.Table) -> pa.Table:
        return without_excerpts(tombstones, table, table["source_ref"].to_pylist())

    return {"ledger": ledger, "signals": signals, "quarantine": quarantine}.get(folder, without)


def _shard(out: Store, record: FileRecord, folder: str, *, refs: pa.Array, change: Change, number: int) -> FileRecord:
    """The file that replaces a shard, or the shard itself where nothing in it changes."""
    if not _affected(out, record, folder, refs=refs, change=change):
        return record
    schema = out.schema(record.path).remove_metadata()
    new = (change(table).cast(schema) for table in out.batches(record.path))
    return _written(out, record, number, tables=new, opened=lambda file: shard_writer(file, schema))


def _affected(out: Store, record: FileRecord, folder: str, *, refs: pa.Array, change: Change) -> bool:
    if folder == "quarantine":
        return any(not change(table).equals(table) for table in out.batches(record.path))
    if not len(refs) or not record.rows:
        return False
    return any(pc.any(pc.is_in(batch["source_ref"], refs)).as_py() for batch in out.batches(record.path, ["source_ref"]))


def content_of(out: Store, path: str) -> str:
    """The hash of a shard's rows, as `pipeline.stages.shards.content_hash` gave it when the shard was written: Parquet has a name
    of its own for the items of a list."""
    fields = [
        field.with_type(pa.list_(f.value_type)) if pa.types.is_list(f := field.type) else field for field in out.schema(path)
    ]
    made = ContentHash(pa.schema(fields))
    for table in out.batches(path):
        made.update(table.combine_chunks())
    return made.hexdigest()


@dataclass(frozen=True)
class _Going:
    """What an index is to forget: source_refs of its generation, numbers of documents. `shards`: old paths to new ones, of those
    shards that were written anew."""

    refs: pa.Array
    numbers: pa.Array
    shards: dict[str, str]


def _index(out: Store, record: FileRecord, going: _Going, *, number: int) -> FileRecord:
    """A table of the index that knows nothing of these documents; numbers of others stay."""
    table = record.path.split("/")[1].partition("-")[0]
    if table == "documents":
        return _documents(out, record, going, number=number)
    if not _holds(out, record, going):
        return record
    new = (old.filter(pc.invert(pc.is_in(old["document"], going.numbers))) for old in out.batches(record.path))
    first = out.metadata(record.path).get("first")
    said = None if first is None else index.first_of(int(first))
    return _written(out, record, number, tables=new, opened=lambda file: index.writer(file, table, said=said))


def _holds(out: Store, record: FileRecord, going: _Going) -> bool:
    if not len(going.numbers):
        return False
    return any(pc.any(pc.is_in(part["document"], going.numbers)).as_py() for part in out.batches(record.path, ["document"]))


def _documents(out: Store, record: FileRecord, going: _Going, *, number: int) -> FileRecord:
    """Without the texts that go: their documents' places stay, since documents are numbered through. Where rows went from the
    shard beside it, whether documents of the index or not, those behind them have other numbers there."""
    shard = index.shard_of(out, record.path)
    if shard not in going.shards and not _holds(out, record, going):
        return record
    moved = _moved(out, shard, going) if shard in going.shards else None

    def without(old: pa.Table) -> pa.Table:
        old = index.as_now(old)
        gone = pc.is_in(old["document"], going.numbers)
        if moved is not None:
            old = old.set_column(old.column_names.index("row"), index.DOCUMENTS.field("row"), pc.take(moved, old["row"]))
        return emptied(old, gone, {"row": None, "text": ""})

    new = (without(old) for old in out.batches(record.path))
    said = {"shard": going.shards.get(shard, shard)}
    return _written(out, record, number, tables=new, opened=lambda file: index.writer(file, "documents", said=said))


def _moved(out: Store, shard: str, going: _Going) -> pa.Array:
    """int64: of each row of a shard, its number in the new one; null where it goes."""
    stays = pc.invert(pc.is_in(out.read_table(shard, ["source_ref"])["source_ref"], going.refs)).to_numpy(zero_copy_only=False)
    return pa.array(np.cumsum(stays) - 1, pa.int64(), mask=~stays)


def _written(
    out: Store,
    record: FileRecord,
    number: int,
    *,
    tables: Iterable[pa.Table],
    opened: Callable[[HashingFile], AbstractContextManager[pq.ParquetWriter]],
) -> FileRecord:
    """The file that replaces `record`, with a row group for each of `tables` that has rows."""
    path, rows = rewritten(record.path, number), 0
    with out.writer(path, durable=True) as raw:
        file = HashingFile(raw)
        with opened(file) as writer:
            for table in tables:
                group = table.combine_chunks()
                if group.num_rows:
                    writer.write_table(group, row_group_size=group.num_rows)
                rows += group.num_rows
    return FileRecord(path=path, rows=rows, bytes=out.size(path), sha256=file.digest.hexdigest())
