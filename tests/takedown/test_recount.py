"""Rows of the ledger meet what data/ and rejected/ say of them, however shards and row groups are cut."""

from __future__ import annotations

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline import schema
from pipeline.records.base import FileRecord
from pipeline.store.store import open_store
from pipeline.takedown import recount
from tests.support import prose

VERDICTS = ("kept", "dropped", "dropped", "quarantined", "kept", "kept", "dropped")


def written(folder, place: str, rows: list[dict], *, names: pa.Schema, group: int) -> list[FileRecord]:
    """Two shards, the first of which has a third of the rows."""
    cut = len(rows) // 3
    made = []
    for number, part in enumerate((rows[:cut], rows[cut:])):
        path = f"{place}/train-{number:05d}-of-00002-g0001.parquet"
        (folder / place).mkdir(exist_ok=True)
        pq.write_table(pa.Table.from_pylist(part, names), folder / path, row_group_size=group)
        made.append(FileRecord(path=path, rows=len(part), bytes=0, sha256=""))
    return made


@pytest.mark.parametrize("groups", [(1, 1, 1), (2, 3, 5), (100, 4, 1), (3, 100, 100)])
def test_languages_and_cluster_sizes_meet_their_rows(tmp_path, groups):
    rows = []
    for number in range(40):
        verdict = VERDICTS[number % len(VERDICTS)]
        rows.append({"source": "s", "source_ref": f"s/{number % 7}.txt#{number}", "verdict": verdict, "failed": [], "edits": []})
    fates = pa.schema([schema.LEDGER.field(name).with_nullable(True) for name in recount._FATES])
    documents = pa.schema([*(schema.DATA.field(name) for name in recount._DOCUMENTS), pa.field("text", pa.string())])

    def shown(verdict: str, every: int) -> list[dict]:
        some = [row["source_ref"] for row in rows if row["verdict"] == verdict][::every]
        return [
            {"source_ref": ref, "language": f"l{ref[-1]}", "minhash_cluster_size": len(ref), "text": prose(1)} for ref in some
        ]

    data, rejected = shown("kept", 1), shown("dropped", 2)  # a share of what was dropped
    files = written(tmp_path, "ledger", rows, names=fates, group=groups[0])
    files += written(tmp_path, "data", data, names=documents, group=groups[1])
    files += written(tmp_path, "rejected", rejected, names=documents, group=groups[2])
    found = list(recount._rows(open_store(str(tmp_path)), files))
    assert pl.concat([every for every, _ in found])["source_ref"].to_list() == [row["source_ref"] for row in rows]
    there = pl.concat([documents for _, documents in found])
    assert there["source_ref"].to_list() == [row["source_ref"] for row in rows if row["verdict"] != "quarantined"]
    expected = {row["source_ref"]: (row["language"], row["minhash_cluster_size"]) for row in [*data, *rejected]}
    for ref, language, size in there.select("source_ref", "language", "cluster_size").iter_rows():
        assert (language, size) == expected.get(ref, (None, None)), ref
