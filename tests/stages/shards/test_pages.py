"""Pages of shards: they end where their content says so, and an index tells where they are."""

import io
import random

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.schema import DATA
from pipeline.stages.shards.parquet import shard_writer
from tests.support import prose


def _text_chunk(texts: list[str]) -> bytes:
    """The bytes of the texts' column in a shard of one row group."""
    file = io.BytesIO()
    schema = pa.schema([DATA.field("id"), DATA.field("text")])
    with shard_writer(file, schema) as writer:
        writer.write_table(pa.table([[text[:8] for text in texts], texts], schema=schema), row_group_size=len(texts))
    column = pq.ParquetFile(file).metadata.row_group(0).column(1)
    return file.getvalue()[column.data_page_offset :][: column.total_compressed_size]


def _same(a: bytes, b: bytes) -> int:
    """Bytes that both begin with."""
    return next((n for n, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))


def test_pages_behind_a_row_that_went_are_what_they_were():
    random.seed(5)
    texts = [f"{random.random()} {prose(n % 40)}" for n in range(3000)]
    whole, without = _text_chunk(texts), _text_chunk(texts[:600] + texts[601:])
    before, same = _same(whole, without), _same(whole[::-1], without[::-1])
    assert before > 0.1 * len(whole), "pages before it stay"
    assert same > 0.6 * len(whole), "and so do those behind it"


def test_every_column_has_an_index_of_its_pages(curated):
    for path in (curated / "data").iterdir():
        read = pq.ParquetFile(path).metadata
        columns = [read.row_group(g).column(c) for g in range(read.num_row_groups) for c in range(read.num_columns)]
        assert all(column.has_offset_index for column in columns)
        assert {column.path_in_schema for column in columns if not column.has_column_index} <= {"text", "metadata"}
