"""FineWeb's own rules: ends of lines, short lines, repeated lines, line breaks.

Penedo et al. 2024, "The FineWeb Datasets", arXiv 2406.17557, section 3.5 and appendix E, as published in datatrove 0.10.1
(`filters/fineweb_quality_filter.py`): a line is what newlines separate and is not blank; a line ends well if its last character,
white space included, ends a sentence in any script (`char_classes.TERMINALS`; a closing quotation mark does not); a line that
repeats an earlier one counts with its characters. Words are datatrove's: punctuation apart. The figures were found for English.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import polars as pl
import pyarrow as pa
from pydantic import Field

from filters.contract import Filter, Rule, Settings, TextBatch, Tier
from filters.kernels.rows import later_copies, per_row


class Params(Settings):
    """The plan keys that change signals."""

    profile: Literal["published"] = Field("published", description="whose reading of FineWeb's rules: datatrove 0.10.1")
    short_line: int = Field(30, ge=0, description="a line of up to this many characters is short")


class Thresholds(Settings):
    """Penedo et al. 2024, section 3.5, and fineweb_quality_filter.py; a text at a threshold passes."""

    min_punctuated_lines: float = Field(0.12, ge=0, le=1, description="smallest share of lines that end a sentence")
    max_short_lines: float = Field(0.67, ge=0, le=1, description="largest share of short lines")
    max_repeated_lines: float = Field(0.01, ge=0, le=1, description="largest share of characters in lines that repeat another")
    max_newlines: float = Field(0.3, ge=0, description="most newlines per word")


SIGNALS = pa.schema(
    [
        pa.field("fineweb_punctuated_lines", pa.float32(), nullable=False),
        pa.field("fineweb_short_lines", pa.float32(), nullable=False),
        pa.field("fineweb_repeated_lines", pa.float32(), nullable=False),
        pa.field("fineweb_newlines", pa.float32(), nullable=False),
    ]
)
"""A ratio over nothing is 0."""


def _annotate(batch: TextBatch, needed: pa.RecordBatch, params: Params, loaded: None) -> pa.RecordBatch:
    lines = batch.lines
    filled = lines.words > 0
    n_filled = per_row(filled, lines.rows)
    copies = later_copies(lines.hash, lines.rows, filled)
    columns = [
        _ratio(per_row(lines.terminal & filled, lines.rows), n_filled),
        _ratio(per_row(filled & (lines.chars <= params.short_line), lines.rows), n_filled),
        _ratio(per_row(np.where(copies, lines.chars, 0), lines.rows), per_row(lines.chars, lines.rows)),
        _ratio(np.diff(lines.rows) - 1, batch.tokens.tokens),
    ]
    return pa.RecordBatch.from_arrays(columns, schema=SIGNALS)


def _ratio(part: np.ndarray, whole: np.ndarray) -> pa.Array:
    """float32 `part / whole`, 0 where `whole` is 0."""
    return pa.array((part / np.maximum(whole, 1)).astype(np.float32), pa.float32())


def _rules(params: Params, thresholds: Thresholds) -> list[Rule]:
    return [
        Rule(
            reason="too_few_punctuated_lines",
            drop=pl.col("fineweb_punctuated_lines") < _float32(thresholds.min_punctuated_lines),
        ),
        Rule(reason="too_many_short_lines", drop=pl.col("fineweb_short_lines") > _float32(thresholds.max_short_lines)),
        Rule(reason="too_many_repeated_lines", drop=pl.col("fineweb_repeated_lines") > _float32(thresholds.max_repeated_lines)),
        Rule(reason="too_many_newlines", drop=pl.col("fineweb_newlines") > _float32(thresholds.max_newlines)),
    ]


def _float32(threshold: float) -> pl.Expr:
    """The threshold as exact as the signals: 3 lines in 25 are 0.12 in float32, which is less than 0.12 in float64."""
    return pl.lit(threshold, pl.Float32)


FILTER = Filter(
    name="fineweb",
    version=1,
    tier=Tier.CHEAP,
    reads="final",
    params=Params,
    signals=SIGNALS,
    thresholds=Thresholds,
    annotate=_annotate,
    rules=_rules,
)
