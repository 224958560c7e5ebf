"""The rules of C4 that drop a document. Its line rules are edit `c4_lines`; this filter reads what they left.

Raffel et al. 2020, "Exploring the Limits of Transfer Learning with a Unified Text-to-Text Transformer", JMLR 21 (140), section
2.2: pages with fewer than five sentences, with "lorem ipsum" or with a curly bracket. datatrove 0.10.1 (`filters/c4_filters.py`)
counts sentences line by line, with spaCy; ours are those of `filters/kernels/lines/lines.py`. Dolma 1.2.1's tagger
(`taggers/c4.py`) also marks documents in which "javascript" is a word. C4's list of obscene words is not part of Winnow.

Edges: a text without words, without lines or of signs alone (emoji) has no sentence. A NUL is a character like others. A line of
10 MB is one line of as many sentences as it has. Text from right to left is read in logical order; combining marks end nothing.
"""

from __future__ import annotations

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from filters.contract import Filter, NoParams, Rule, Settings, TextBatch, Tier
from filters.kernels.lines import phrases

_PHRASES = phrases.compile_phrases(("lorem ipsum", "{", "javascript"))
_AS_A_WORD = r"(?:^|\s)(?i-u:javascript)(?:\s|$)"


class Thresholds(Settings):
    """Raffel et al. 2020, section 2.2; a text at a threshold passes."""

    min_sentences: int = Field(5, ge=0, description="fewest sentences")
    lorem_ipsum: bool = Field(True, description="drop documents with the words lorem ipsum")
    curly_bracket: bool = Field(True, description="drop documents with a {")
    javascript: bool = Field(False, description="drop documents with the word javascript (Dolma's tagger)")


SIGNALS = pa.schema(
    [
        pa.field("c4_sentences", pa.int64(), nullable=False),
        pa.field("c4_lorem_ipsum", pa.bool_(), nullable=False),
        pa.field("c4_curly_bracket", pa.bool_(), nullable=False),
        pa.field("c4_javascript", pa.bool_(), nullable=False),
    ]
)


def _annotate(batch: TextBatch, needed: pa.RecordBatch, params: NoParams, loaded: None) -> pa.RecordBatch:
    lines = batch.lines
    sentences = np.concatenate([[0], np.cumsum(lines.sentences, dtype=np.int64)])
    found = phrases.found(*batch.buffers, _PHRASES)
    columns = [
        pa.array(sentences[lines.rows[1:]] - sentences[lines.rows[:-1]], pa.int64()),
        pa.array(found & 1 != 0),
        pa.array(found & 2 != 0),
        _javascript(batch.text, found & 4 != 0),
    ]
    return pa.RecordBatch.from_arrays(columns, schema=SIGNALS)


def _javascript(text: pa.LargeStringArray, suspects: np.ndarray) -> pa.Array:
    """`"javascript" in text.lower().split()`, looked at in the rows that have the letters."""
    found = suspects.copy()
    if suspects.any():
        rows = pl.Series(pl.from_arrow(text.filter(pa.array(suspects))), dtype=pl.String)
        found[suspects] = rows.str.contains(_AS_A_WORD).to_numpy()
    return pc.cast(pa.array(found), pa.bool_())


def _rules(params: NoParams, thresholds: Thresholds) -> list[Rule]:
    least = Rule(
        reason="too_few_sentences", signal="c4_sentences", fails="<", limit=thresholds.min_sentences, keys=("min_sentences",)
    )
    flags = ("lorem_ipsum", "curly_bracket", "javascript")
    return [
        least,
        *(Rule(reason=key, signal=f"c4_{key}", fails="is", limit=getattr(thresholds, key) or None, keys=(key,)) for key in flags),
    ]


FILTER = Filter(
    name="c4",
    version=1,
    tier=Tier.CHEAP,
    reads="final",
    signals=SIGNALS,
    thresholds=Thresholds,
    annotate=_annotate,
    rules=_rules,
)
