"""Exact duplicates: equal text hash within a scope. The first in priority order stays in; the others are copies of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from pipeline.dedup.index import Index, Participants, text_keys

_KEY = ("scope", "left", "right")


@dataclass(frozen=True)
class Copies:
    """For each participant the first document with its text. Copies take no part in near dedup."""

    first: np.ndarray
    """int64[n]: row of the first participant with this text and scope; its own row where it is that one."""
    indexed: np.ndarray
    """int64[n]: number of the document that survives for this text since an earlier generation, else -1."""
    similarity: np.ndarray
    """float64[n]: where `indexed`, of this text to that document: 1 if it holds this very text; else 0."""

    def is_first(self) -> np.ndarray:
        """bool[n]: the document is new; neither an earlier generation nor an earlier participant has its text."""
        return (self.first == np.arange(len(self.first))) & (self.indexed < 0)


def find_copies(participants: Participants, index: Index) -> Copies:
    keys = text_keys(participants.scope, participants.text_hash)
    frame = pl.DataFrame(keys).with_row_index("row").with_columns(pl.col("row").cast(pl.Int64))
    found = frame.join(_known(index), on=_KEY, how="left", maintain_order="left").select(
        pl.col("row").min().over(_KEY).alias("first"),
        pl.col("document").fill_null(-1),
        pl.col("similarity").fill_null(0.0),
    )
    return Copies(*(found[name].to_numpy() for name in ("first", "document", "similarity")))


def _known(index: Index) -> pl.DataFrame:
    """Every text of earlier generations once, with its survivor."""
    kept = pl.DataFrame(text_keys(index.documents["scope"].to_numpy(), index.documents["text_hash"])).with_columns(
        pl.Series("document", np.arange(len(index), dtype=np.int64)), pl.lit(1.0).alias("similarity")
    )
    dropped = pl.DataFrame(text_keys(index.texts["scope"].to_numpy(), index.texts["text_hash"])).with_columns(
        pl.Series("document", index.texts["document"].to_numpy(), pl.Int64),
        pl.Series("similarity", index.texts["similarity"].to_numpy(), pl.Float64),
    )
    return pl.concat([kept, dropped])
