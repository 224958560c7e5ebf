"""Texts of the index's documents: from the shard that a row points into, or from the index itself."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import Damaged
from pipeline.stages.dedup import index
from pipeline.stages.dedup.index import Index
from pipeline.stages.dedup.small_parts import IndexPart
from pipeline.stages.shards.parquet import shard_writer
from pipeline.store.store import Store, open_store

SHARD = "data/train-00000-of-00001-g0001.parquet"
FILE = "index/documents-00000-g0001.parquet"
COLUMNS = pa.schema([pa.field("text", pa.string(), nullable=False)])


def made(folder: Path, shard: list[str], held: list[tuple[int | None, str | None]], *, old: bool = False) -> Index:
    """An index of documents numbered by their place in `held`: row of the shard, own text."""
    store: Store = open_store(str(folder))
    with store.writer(SHARD) as file, shard_writer(file, COLUMNS) as writer:
        writer.write_table(pa.table({"text": shard}, schema=COLUMNS))
    rows, texts = zip(*held, strict=True)
    names = [f"n{k}" for k in range(len(held))]
    columns = {"document": range(len(held)), "id": names, "source_ref": names, "row": rows, "text": texts}
    table = pa.table({name: pa.array(column, index.DOCUMENTS.field(name).type) for name, column in columns.items()})
    if old:
        store.write_table(FILE, table.drop_columns("row").cast(index.DOCUMENTS_1))
    else:
        with store.writer(FILE) as file, index.writer(file, "documents", said={"shard": SHARD}) as writer:
            writer.write_table(table.cast(index.DOCUMENTS))
    return Index(store, (IndexPart(1, 0, len(held), {}, (FILE,), frozenset({SHARD})),))


def texts(of: Index, wanted: list[int]) -> dict[int, str]:
    found: dict[int, str] = {}
    for numbers, table, _ in of.documents(np.array(wanted, np.int64), ["id", "text"]):
        assert table.column_names == ["id", "text"] and table["id"].to_pylist() == [f"n{n}" for n in numbers]
        found |= dict(zip(numbers.tolist(), table["text"].to_pylist(), strict=True))
    return found


SHORT = st.text(st.characters(exclude_categories=("Cs",)), max_size=20)


@given(shard=st.lists(SHORT, min_size=1, max_size=30), drawn=st.data())
def test_each_document_has_its_text_wherever_it_stands(tmp_path_factory, shard, drawn):
    rows = drawn.draw(st.sets(st.integers(0, len(shard) - 1)))
    held: list[tuple[int | None, str | None]] = [(row, None) for row in sorted(rows)]
    for place in sorted(drawn.draw(st.sets(st.integers(0, len(held)), max_size=4)), reverse=True):
        held.insert(place, (None, drawn.draw(SHORT)))
    held = held or [(None, "")]
    wanted = sorted(drawn.draw(st.sets(st.integers(0, len(held) - 1))))
    expected = {n: own if (row := held[n][0]) is None else shard[row] for n in wanted for own in [held[n][1]]}
    assert texts(made(tmp_path_factory.mktemp("index"), shard, held), wanted) == expected


def test_an_index_of_the_version_before_has_its_own_texts(tmp_path):
    assert texts(made(tmp_path, ["x"], [(None, "a"), (None, "b"), (None, "")], old=True), [0, 2]) == {0: "a", 2: ""}


def test_long_texts_come_a_few_at_a_time(tmp_path):
    long = [f"{k}" * 600_000 for k in range(10)] * 2
    index = made(tmp_path, long, [(k, None) for k in range(20)])
    sizes = [len(table) for _, table, _ in index.documents(np.arange(20), ["text"])]
    assert sum(sizes) == 20 and max(sizes) <= 4


def test_a_shard_that_no_manifest_names_is_not_opened(tmp_path):
    of = made(tmp_path, ["a"], [(0, None)])
    stranger = Index(of.out, (IndexPart(1, 0, 1, {}, (FILE,), frozenset({"data/other.parquet"})),))
    with pytest.raises(Damaged, match="which its manifest does not have"):
        texts(stranger, [0])
