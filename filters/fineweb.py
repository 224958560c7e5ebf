"""FineWeb's own rules: ends of lines, short lines, repeated lines, line breaks.

Penedo et al. 2024, "The FineWeb Datasets", arXiv 2406.17557, section 3.5 and appendix E, as published in datatrove 0.10.1
(`filters/fineweb_quality_filter.py`): a line is what newlines separate and is not blank; a line ends well if its last character,
white space included, ends a sentence in any script (`char_classes.TERMINALS`; a closing quotation mark does not); a line that
repeats an earlier one counts with its characters. Words are datatrove's: punctuation apart. The figures were found for English.

FineWeb-2 (Penedo et al. 2025, arXiv 2506.20920; `fineweb-2-pipeline.py` at 7ee60b3, filters/data/fineweb2.json) has figures by
language for line ends and line breaks, 0.1 for repeated lines in all of them, and no rule on short lines: `languages: fineweb2`.

Edges: a share of nothing is 0, newlines without a word are as many as they are; so a text without lines (datatrove's reason
"empty") or without words fails `too_few_punctuated_lines`, unless that threshold is 0. A line of 10 MB is one line. Lengths are
in code points: combining marks and the parts of an emoji sequence count one by one. A NUL is a character like others and ends no
sentence. Text from right to left is read in logical order.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import pyarrow as pa
from pydantic import Field

from filters.contract import ByRow, Comparison, Filter, Rule, Settings, TextBatch, Tier
from filters.data import Languages, figure, fineweb2, published
from filters.kernels.rows import later_copies, per_row


class Params(Settings):
    """The plan keys that change signals."""

    profile: Literal["published"] = Field("published", description="whose reading of FineWeb's rules: datatrove 0.10.1")
    short_line: int = Field(30, ge=0, description="a line of up to this many characters is short")


FIGURES = {
    # Penedo et al. 2024, section 3.5; datatrove 0.10.1, fineweb_quality_filter.py.
    "min_punctuated_lines": 0.12,
    "max_short_lines": 0.67,
    "max_repeated_lines": 0.01,
    "max_newlines": 0.3,
}


def _null(key: str, what: str, *, most: float | None = 1) -> Any:
    return Field(None, ge=0, le=most, description=f"{what}; null: {FIGURES[key]:g}")


class Thresholds(Settings):
    """null takes the figure of FineWeb; a text at a threshold passes."""

    languages: Languages = Field("none", description="fineweb2: FineWeb-2's figures for its languages where a key is null")
    min_punctuated_lines: float | None = _null("min_punctuated_lines", "smallest share of lines that end a sentence")
    max_short_lines: float | None = _null("max_short_lines", "largest share of short lines")
    max_repeated_lines: float | None = _null("max_repeated_lines", "largest share of characters in lines that repeat another")
    max_newlines: float | None = _null("max_newlines", "most newlines per word", most=None)


SIGNALS = pa.schema(
    [
        pa.field("fineweb_punctuated_lines", pa.float32(), nullable=False),
        pa.field("fineweb_short_lines", pa.float32(), nullable=False),
        pa.field("fineweb_repeated_lines", pa.float32(), nullable=False),
        pa.field("fineweb_newlines", pa.float32(), nullable=False),
    ]
)
"""No null: a ratio whose whole is 0 is taken over 1."""


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
    """float32 `part / whole`, over 1 where `whole` is 0."""
    return pa.array((part / np.maximum(whole, 1)).astype(np.float32), pa.float32())


RULES: tuple[tuple[str, str, Comparison, str], ...] = (
    ("too_few_punctuated_lines", "fineweb_punctuated_lines", "<", "min_punctuated_lines"),
    ("too_many_short_lines", "fineweb_short_lines", ">", "max_short_lines"),
    ("too_many_repeated_lines", "fineweb_repeated_lines", ">", "max_repeated_lines"),
    ("too_many_newlines", "fineweb_newlines", ">", "max_newlines"),
)
"""Reason, signal, side that fails, threshold."""


def _rules(params: Params, thresholds: Thresholds) -> list[Rule]:
    return [
        Rule(reason=reason, signal=signal, fails=fails, limit=_figure(key, thresholds), keys=(key, "languages"))
        for reason, signal, fails, key in RULES
    ]


def _figure(key: str, thresholds: Thresholds) -> float | ByRow | None:
    """The threshold of a key that the plan may leave to FineWeb or to the row's language."""
    by_language: dict[str, float] = {}
    if thresholds.languages == "fineweb2":
        # fineweb-2-pipeline.py: char_duplicates_ratio and short_line_thr, which switches that rule off, are the same for all.
        every = {"max_repeated_lines": 0.1, "max_short_lines": 999.0}
        named = {"min_punctuated_lines": "line_punct_thr", "max_newlines": "new_line_ratio"}
        by_language = published(named[key]) if key in named else dict.fromkeys(fineweb2(), every[key])
    return figure(getattr(thresholds, key), FIGURES[key], by_language)


FILTER = Filter(
    name="fineweb",
    version=2,
    tier=Tier.CHEAP,
    reads="final",
    needs=("language",),
    params=Params,
    signals=SIGNALS,
    thresholds=Thresholds,
    annotate=_annotate,
    rules=_rules,
)
