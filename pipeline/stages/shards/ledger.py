"""The fate of every row of a unit, in one narrow frame: the source of ledger/, and of which rows data/ and rejected/ hold.

Conservation (law 1) starts here: the frame has one line for every document and every quarantined row of the unit.
"""

from __future__ import annotations

import polars as pl

from pipeline.errors import BrokenContract
from pipeline.schema import FATES
from pipeline.stages.unit.annotate import Annotated
from pipeline.stages.unit.withhold import STAGE
from pipeline.store.store import Store


def fates_of_rows(work: Store, unit: Annotated, fates: str | None, *, unselected: str | None) -> pl.DataFrame:
    """All rows of `unit`, sorted by row number.

    `fates`: name of the unit's `FATES` table, None without dedup; `unselected`: of the table of what selection left out, None
    without selection. Columns: position (null for quarantined rows), row, id, source, verdict, stage, reason, failed, scored,
    duplicate_of, duplicate_ref, duplicate_generation, similarity, cluster_size, number, source_count, edits, n_bytes_read,
    n_bytes, token_count.
    """
    documents = _documents(work, unit)
    verdicts = work.read_frame(unit.names.verdicts)
    if len(verdicts) != len(documents):
        raise BrokenContract(f"{unit.path}: {len(documents)} documents but {len(verdicts)} verdicts")
    documents = pl.concat([documents, verdicts], how="horizontal")
    if fates is None:
        schema = {name: pl.DataFrame(FATES.empty_table()).schema[name] for name in FATES.names[2:6]}
        documents = documents.with_columns(
            *(pl.lit(None, dtype).alias(name) for name, dtype in schema.items()), pl.lit(1, pl.Int32).alias("cluster_size")
        )
    else:
        decided = work.read_frame(fates).rename({"reason": "dedup_reason"})
        documents = (
            documents.join(decided, on="position", how="left", maintain_order="left")
            .with_columns(
                pl.coalesce("reason", "dedup_reason").alias("reason"),
                pl.when(pl.col("dedup_reason").is_not_null()).then(pl.lit("dedup")).otherwise(pl.col("stage")).alias("stage"),
                pl.col("cluster_size").fill_null(1),
                pl.col("number").fill_null(-1),
            )
            .drop("dedup_reason")
        )
    if unselected is not None:
        left = pl.col("position").is_in(work.read_frame(unselected)["position"].implode())
        documents = documents.with_columns(
            reason=pl.when(left).then(pl.lit("not_selected")).otherwise("reason"),
            stage=pl.when(left).then(pl.lit("select")).otherwise("stage"),
        )
    documents = documents.with_columns(  # sizes of documents that were taken down are null
        pl.when(pl.col("stage").eq_missing(STAGE)).then(None).otherwise(pl.col(name)).alias(name)
        for name in ("n_bytes", "token_count")
    )
    dropped = pl.col("reason").is_not_null()
    documents = documents.with_columns(pl.when(dropped).then(pl.lit("dropped")).otherwise(pl.lit("kept")).alias("verdict"))
    rows = pl.concat([documents, _bad(work, unit)], how="diagonal_relaxed").sort("row", maintain_order=True)
    return rows.with_columns(pl.col("failed").fill_null([]), pl.col("edits").fill_null([]))


def _documents(work: Store, unit: Annotated) -> pl.DataFrame:
    documents = work.read_frame(unit.names.documents, ["row", "id", "source", "n_bytes_read"])
    finals = work.read_frame(unit.names.final, ["edits", "n_bytes"])
    if unit.names.tokens is None:
        tokens = pl.DataFrame({"token_count": pl.Series([None] * len(documents), dtype=pl.Int64)})
    else:
        tokens = work.read_frame(unit.names.tokens)
    return pl.concat([documents, finals, tokens], how="horizontal").with_row_index("position").cast({"position": pl.Int64})


def _bad(work: Store, unit: Annotated) -> pl.DataFrame:
    bad = work.read_frame(unit.names.bad, ["row", "id", "source", "n_bytes_read", "cause"])
    return bad.select(
        "row",
        "id",
        "source",
        "n_bytes_read",
        pl.lit("quarantined").alias("verdict"),
        pl.lit("read").alias("stage"),
        pl.col("cause").alias("reason"),
    )
