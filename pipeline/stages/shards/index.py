"""The dedup index of a generation, staged beside its shards."""

from __future__ import annotations

import shutil
from collections.abc import Sequence

from pipeline.records.base import FileRecord
from pipeline.stages.dedup import index
from pipeline.stages.dedup.decision import Decision
from pipeline.stages.shards.parquet import DOCUMENTS, Shard
from pipeline.store.hashing import HashingFile
from pipeline.store.store import Store


def stage_index(work: Store, staging: str, decided: Decision, *, shards: Sequence[Shard], generation: int) -> list[FileRecord]:
    """This generation's index part in the staging folder, named as in the output. `shards`: the staged ones."""
    records: list[FileRecord] = []
    for table in index.SORTED if decided.folder is not None else ():
        if not work.has(f"{decided.folder}/{table}.parquet"):
            continue
        name = f"index/{table}-g{generation:04d}.parquet"
        with work.open(f"{decided.folder}/{table}.parquet") as source, work.writer(f"{staging}/{name}") as raw:
            target = HashingFile(raw)
            shutil.copyfileobj(source, target, 1 << 20)
        rows = sum(work.group_rows(f"{staging}/{name}"))
        size = work.size(f"{staging}/{name}")
        records.append(FileRecord(path=name, rows=rows, bytes=size, sha256=target.digest.hexdigest()))
    for number, shard in enumerate(shard for shard in shards if shard.indexed):
        name, staged = f"index/documents-{number:05d}-g{generation:04d}.parquet", f"{staging}/{shard.folder}/{shard.name}"
        if work.has(f"{staged}{DOCUMENTS}"):  # else a run that was killed has placed it already
            work.place(work, f"{staged}{DOCUMENTS}", f"{staging}/{name}")
        sizes = {"rows": shard.indexed, "bytes": shard.indexed_bytes, "sha256": shard.indexed_sha256}
        records.append(FileRecord(path=name, **sizes))
    return records
