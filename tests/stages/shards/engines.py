"""What query engines read of shards, as JSON: `python engines.py 'DIR/data/*.parquet'`, in an environment that has them.

For each engine the rows in order as (source_ref, UTF-8 bytes of the text, metadata), and the source_refs that a query finds."""

from __future__ import annotations

import glob
import json
import sys
from collections.abc import Iterable
from typing import Any

QUERY = "language = 'en' and n_bytes > 700"


def said(rows: Iterable[tuple[str, str, str]]) -> list[list[Any]]:
    return [[ref, len(text.encode()), metadata] for ref, text, metadata in rows]


def by_duckdb(pattern: str) -> dict[str, Any]:
    import duckdb

    rows = duckdb.sql(f"select source_ref, text, metadata from read_parquet('{pattern}')").fetchall()
    found = duckdb.sql(f"select source_ref from read_parquet('{pattern}') where {QUERY}").fetchall()
    return {"rows": said(rows), "found": [row[0] for row in found]}


def by_pandas(pattern: str) -> dict[str, Any]:
    import pandas

    paths = sorted(glob.glob(pattern))
    frame = pandas.concat([pandas.read_parquet(path) for path in paths])
    rows = zip(frame["source_ref"], frame["text"], frame["metadata"], strict=True)
    filters = [("language", "==", "en"), ("n_bytes", ">", 700)]
    found = pandas.concat([pandas.read_parquet(path, columns=["source_ref"], filters=filters) for path in paths])
    return {"rows": said(rows), "found": found["source_ref"].tolist()}


def by_polars(pattern: str) -> dict[str, Any]:
    import polars

    lazy = polars.scan_parquet(pattern)
    rows = lazy.select("source_ref", "text", "metadata").collect().iter_rows()
    found = lazy.filter((polars.col("language") == "en") & (polars.col("n_bytes") > 700)).select("source_ref").collect()
    return {"rows": said(rows), "found": found["source_ref"].to_list()}


if __name__ == "__main__":
    engines = {name: globals()[f"by_{name}"] for name in sys.argv[2:]}
    print(json.dumps({name: read(sys.argv[1]) for name, read in engines.items()}))
