"""Documents that lost too many of their words to the edits: what is left of a page of buttons is no document.

RefinedWeb (Penedo et al. 2023, arXiv 2306.01116, appendix G.2) removes documents of which line-wise corrections take more than
5 % of the words; so does DCLM (`word_removal_ratio_filter` of dclm_baseline_refinedweb.yaml, max_removed_ratio 0.05). A word is
what white space separates, if it begins with a letter or a digit (DCLM leaves out punctuation too, and has counted with
fastText's words and with uniseg's). All edits of the plan count, not `refinedweb_lines` alone; masks take no words.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from pydantic import Field

from filters.contract import Filter, NoParams, Rule, Settings, TextBatch, Tier
from filters.kernels.lines import refinedweb_lines


class Thresholds(Settings):
    max_removed: float = Field(0.05, ge=0, le=1, description="largest share of the source text's words that edits may remove")


SIGNALS = pa.schema([pa.field("removed_words", pa.float32(), nullable=False)])
"""Below 0 where an edit made words (a mask in place of an address that began with a sign); 0 of no words."""


def _annotate(batch: TextBatch, needed: pa.RecordBatch, params: NoParams, loaded: None) -> pa.RecordBatch:
    removed = np.zeros(len(batch), np.float32)
    if batch.source is not batch:
        before = refinedweb_lines.counted_words(*batch.source.buffers)
        removed = ((before - refinedweb_lines.counted_words(*batch.buffers)) / np.maximum(before, 1)).astype(np.float32)
    return pa.RecordBatch.from_arrays([pa.array(removed, pa.float32())], schema=SIGNALS)


def _rules(params: NoParams, thresholds: Thresholds) -> list[Rule]:
    most = thresholds.max_removed
    return [Rule(reason="too_many_words_removed", signal="removed_words", fails=">", limit=most, keys=("max_removed",))]


FILTER = Filter(
    name="refinedweb",
    version=1,
    tier=Tier.CHEAP,
    reads="final",
    signals=SIGNALS,
    thresholds=Thresholds,
    annotate=_annotate,
    rules=_rules,
)
