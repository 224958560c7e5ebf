"""The Parquet writer of every shard (curation and take-downs write alike: same rows and row groups, same bytes), and what is
known of a finished one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.errors import Damaged
from pipeline.store.hashing import has_content
from pipeline.store.store import Store

DOCUMENTS = ".documents"
"""Ending of the file beside a staged shard that holds its documents for the dedup index."""
_DICTIONARY = ("source", "language", "language_script", "stage", "reason", "verdict", "cause")
_NO_STATISTICS = ("text", "metadata")
"""The writer copies the least and the greatest value of a page and of a column; nobody looks for texts between two."""
CHUNKS = {"min_chunk_size": 256 << 10, "max_chunk_size": 1 << 20, "norm_level": 0}
"""Pages end where their content says so, at so many bytes: behind a row that went, pages are again what they were, and a store
that knows files by their pieces takes only the new ones (pyarrow's defaults, which the Hub was tuned for:
https://huggingface.co/blog/parquet-cdc). Measured: `python -m tests.bench.reupload`."""


def shard_writer(file: Any, schema: pa.Schema) -> pq.ParquetWriter:
    """As every shard is written; who writes cuts row groups."""
    return pq.ParquetWriter(
        file,
        schema,
        compression="zstd",
        compression_level=3,
        use_dictionary=[c for c in schema.names if c in _DICTIONARY],
        write_statistics=[c for c in schema.names if c not in _NO_STATISTICS],
        write_page_checksum=True,
        write_page_index=True,
        use_content_defined_chunking=CHUNKS,
    )


@dataclass(frozen=True)
class Shard:
    """A finished file in the staging folder."""

    folder: str
    name: str
    rows: int
    n_bytes: int
    sha256: str
    content_sha256: str  # over the rows, not the file: survives upgrades of the Parquet writer
    indexed: int  # documents of the dedup index in the file beside it
    indexed_bytes: int
    indexed_sha256: str


def finished(work: Store, path: str) -> Shard | None:
    """The shard that an earlier run finished, unless one of its files is damaged or gone: what is published was looked at.

    Its card lies at `path`.json.
    """
    card = f"{path}.json"
    if not work.has(card):
        return None
    try:
        shard = Shard(**work.read_json(card))
    except (Damaged, TypeError):
        return None
    if shard.sha256 and not has_content(work, path, shard.sha256):
        return None
    return shard if not shard.indexed or has_content(work, f"{path}{DOCUMENTS}", shard.indexed_sha256) else None
