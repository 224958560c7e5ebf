"""The Parquet writer of every shard: curation and take-downs write alike. Same rows and row groups, same bytes."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

_DICTIONARY = ("source", "language", "language_script", "stage", "reason", "verdict", "cause")
_NO_STATISTICS = ("text", "metadata")
"""The writer copies the least and the greatest value of a page and of a column; nobody looks for texts between two."""


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
    )
