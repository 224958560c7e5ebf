"""Single texts of a shard, read page by page: pyarrow, which reads all of them, is the oracle."""

from __future__ import annotations

import io
import itertools

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import Damaged
from pipeline.stages.shards import parquet
from pipeline.stages.shards.parquet import shard_writer
from pipeline.store.pages import Strings
from pipeline.store.store import open_store

COLUMNS = pa.schema([pa.field("id", pa.string()), pa.field("text", pa.string(), nullable=False)])
SMALL_PAGES = {"min_chunk_size": 200, "max_chunk_size": 800, "norm_level": 0}


def shard(texts: list[str], *, rows: int, schema: pa.Schema = COLUMNS) -> bytes:
    """A shard with row groups of `rows` rows."""
    file = io.BytesIO()
    table = pa.table({"id": [None if k % 3 else str(k) for k in range(len(texts))], "text": texts}, schema=schema)
    with shard_writer(file, schema) as writer:
        for start in range(0, len(texts), rows):
            writer.write_table(table.slice(start, rows), row_group_size=rows)
    return file.getvalue()


def read(made: bytes, rows: list[int]) -> list[str]:
    values = Strings(io.BytesIO(made), "text").at(np.array(rows, np.int64))
    return [text for page in values for text in page]


@pytest.fixture
def small_pages(monkeypatch):
    monkeypatch.setattr(parquet, "CHUNKS", SMALL_PAGES)


@given(texts=st.lists(st.text(max_size=300), max_size=40), rows=st.integers(1, 20), chosen=st.sets(st.integers(0, 39)))
def test_any_rows_have_the_texts_that_pyarrow_reads(texts, rows, chosen):
    wanted = sorted(row for row in chosen if row < len(texts))
    assert read(shard(texts, rows=rows), wanted) == [texts[row] for row in wanted]


def test_only_pages_that_hold_a_wanted_row_are_read(small_pages):
    texts = [f"{k} " + "word " * 40 for k in range(1_000)]
    made = shard(texts, rows=300)
    values = Strings(io.BytesIO(made), "text")
    opened = values.read_bytes
    assert list(values.at(np.array([500]))) == [[texts[500]]]
    assert 0 < values.read_bytes - opened <= 120  # of a text of 204 bytes
    everything = pq.read_metadata(io.BytesIO(made)).row_group(1).column(1).total_compressed_size
    assert everything > 20 * 60
    assert read(made, list(range(1_000))) == texts


@pytest.mark.parametrize("row", [-1, 3, 2**40])
def test_a_row_that_is_not_there_is_told_as_such(row):
    with pytest.raises(pa.ArrowInvalid, match=f"row {row} of 3"):
        read(shard(["a", "b", "c"], rows=2), [row])


def test_a_column_that_may_be_null_is_refused():
    nullable = pa.schema([pa.field("id", pa.string()), pa.field("text", pa.string())])
    with pytest.raises(pa.ArrowInvalid, match="without null"):
        read(shard(["a"], rows=1, schema=nullable), [0])


def test_a_file_without_a_page_index_is_refused():
    file = io.BytesIO()
    pq.write_table(pa.table({"text": ["a"]}, schema=pa.schema([COLUMNS.field("text")])), file, compression="zstd")
    with pytest.raises(pa.ArrowInvalid, match="no page index"):
        read(file.getvalue(), [0])


def test_damage_never_gives_another_text(small_pages):
    """Every byte in turn: what is read is the text, or an error that Store turns into Damaged."""
    texts = [f"{k} " + "some words of text " * (3 + k % 5) for k in range(30)]
    made = shard(texts, rows=16)
    refused = 0
    for place, bit in itertools.product(range(len(made)), (1, 2, 16)):
        broken = made[:place] + bytes([made[place] ^ bit]) + made[place + 1 :]
        try:
            assert read(broken, [2, 15, 17, 29]) == [texts[k] for k in (2, 15, 17, 29)], place
        except (pa.ArrowInvalid, OSError):
            refused += 1
    assert refused > 500


@given(st.binary(max_size=300))
def test_no_footer_is_an_error_of_another_kind(tail):
    made = shard(["a", "b"], rows=1)
    with pytest.raises((pa.ArrowInvalid, OSError)):
        read(made[:40] + tail + len(tail).to_bytes(4, "little") + b"PAR1", [0])


def test_a_store_names_the_file_that_is_damaged(tmp_path):
    store = open_store(str(tmp_path))
    (tmp_path / "a.parquet").write_bytes(shard(["a text", "another"], rows=2)[:-30])
    with pytest.raises(Damaged, match=r"a\.parquet: cannot be read back"), store.strings("a.parquet", "text"):
        pass
